"""Numbers, ids, rights and withdrawals."""

from collections.abc import Callable
from decimal import Decimal as D
from typing import Any

import ccxt
import pytest

from markets.domain.funds import DepositAddress, PermissionFinding
from markets.domain.orders import OrderRequest, Side, TimeInForce
from markets.errors import NotSupportedByVenue
from markets.gateway import answers
from markets.gateway.error_map import Malformed
from markets.gateway.funds_calls import withdraw
from markets.gateway.order_calls import check_order, own_id
from markets.gateway.permissions import findings
from markets.gateway.quirks import COMMON, PermissionProbe, Quirks

SYMBOL = "BTC/USDT"


@pytest.mark.parametrize("value", ["x", True, "NaN", "Infinity", {}])
def test_numbers_that_are_none_are_refused(value: Any) -> None:
    with pytest.raises(Malformed):
        answers.number_or_none(value)


def test_lists_must_be_lists() -> None:
    assert answers.require_list([1], None, "rows") == [1]
    assert answers.require_list([], {"data": []}, "rows") == []
    for value, raw in ((None, []), ({}, []), ([], {"error": []}), ([], None)):
        with pytest.raises(Malformed):
            answers.require_list(value, raw, "rows")


def test_moments_and_sequences_are_whole_numbers() -> None:
    assert answers.whole_or_none("12.9") == 12
    assert answers.whole_or_none(None) is None


@pytest.mark.parametrize(
    ("value", "expected"), [("t-arb1", "arb1"), ("arb1", "arb1"), (None, None), ("", None)]
)
def test_what_a_venue_puts_in_front_of_our_id_is_taken_off(value: Any, expected: Any) -> None:
    assert own_id({"clientOrderId": value}, Quirks(client_id_prefix="t-")) == expected


PROBE = PermissionProbe(
    method="m", path=("data", 0), flags={"read": ("r", ""), "trade": ("p", "trade")}
)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"r": True, "p": "read,trade"}, (True, True)),
        ({"r": "true", "p": ["trade"]}, (True, True)),
        ({"r": False, "p": "read"}, (False, False)),
        ({}, (None, None)),
    ],
)
def test_rights_are_read_from_flags_and_lists(flags: Any, expected: tuple[Any, Any]) -> None:
    found = {f.name: f.is_granted for f in findings({"data": [flags]}, PROBE)}

    assert (found["read"], found["trade"]) == expected
    assert found["withdraw"] is None


def test_a_key_that_could_read_may_read_if_nothing_else_is_known() -> None:
    assert findings(None, None)[0] == PermissionFinding("read", True)
    only_trade = PermissionProbe(method="m", flags={"trade": ("t", "")})
    assert findings({"t": True}, only_trade)[0] == PermissionFinding("read", True)


@pytest.mark.parametrize("answer", [None, {}, {"data": []}, {"data": ["x"]}, {"data": {}}, 5])
def test_an_answer_without_rights_is_refused(answer: Any) -> None:
    with pytest.raises(Malformed):
        findings(answer, PROBE)


class FakeClient:
    """Stands in for a ccxt instance: notes what is withdrawn."""

    currencies: Any = {
        "USDT": {
            "networks": {
                "ERC20": {"id": "USDT-ERC20", "fee": "5"},
                "TRC20": {"id": "USDT-TRC20", "fee": "1.5"},
                "XXX": {"id": "USDT-XXX", "fee": None},
            }
        },
        "BTC": {"networks": {"BTC": {"id": "BTC-BTC", "fee": 0.0001}}},
    }
    features: Any = None

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def withdraw(self, *arguments: Any) -> dict[str, Any]:
        self.sent.append(arguments)
        return {"id": "1"}

    amount_to_precision: Callable[..., str] = staticmethod(lambda _symbol, value: str(value))
    price_to_precision = amount_to_precision


ON_TOP = Quirks(is_withdrawal_fee_on_top=True, withdraw_id_param="clientId")


def _withdraw(quirks: Quirks, destination: DepositAddress, amount: str = "10") -> list[Any]:
    client = FakeClient()
    withdraw(client, quirks, amount=D(amount), destination=destination, client_transfer_id="ours")
    return client.sent


def test_a_withdrawal_names_tag_network_and_our_id() -> None:
    destination = DepositAddress("USDT", "addr", "memo", "TRC20")

    assert _withdraw(Quirks(withdraw_id_param="own"), destination) == [
        ("USDT", D(10), "addr", {"tag": "memo", "network": "TRC20", "own": "ours"})
    ]
    assert _withdraw(COMMON, DepositAddress("USDT", "addr")) == [("USDT", D(10), "addr", {})]


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        (DepositAddress("USDT", "a", network="TRC20"), "8.5"),
        (DepositAddress("USDT", "a", network="USDT-ERC20"), "5"),
        (DepositAddress("BTC", "a"), "9.9999"),
    ],
)
def test_where_the_fee_comes_on_top_exactly_the_amount_leaves(
    destination: DepositAddress, expected: str
) -> None:
    assert _withdraw(ON_TOP, destination)[0][1] == D(expected)


@pytest.mark.parametrize(
    "destination",
    [
        DepositAddress("USDT", "a"),
        DepositAddress("USDT", "a", network="XXX"),
        DepositAddress("USDT", "a", network="nosuch"),
        DepositAddress("SOL", "a"),
    ],
)
def test_a_fee_that_is_not_known_sends_nothing(destination: DepositAddress) -> None:
    with pytest.raises(ccxt.NotSupported):
        _withdraw(ON_TOP, destination)


def test_a_fee_that_leaves_nothing_sends_nothing() -> None:
    with pytest.raises(ccxt.InvalidOrder):
        _withdraw(ON_TOP, DepositAddress("USDT", "a", network="ERC20"), amount="5")


@pytest.mark.parametrize(
    ("time_in_force", "name"),
    [(TimeInForce.IOC, "IOC"), (TimeInForce.FOK, "FOK"), (TimeInForce.POST_ONLY, "PO")],
)
def test_a_time_in_force_that_the_class_has_not_is_refused_before_it_would_rest(
    time_in_force: TimeInForce, name: str
) -> None:
    client = FakeClient()
    request = OrderRequest(SYMBOL, Side.BUY, D(1), "id", price=D(1), time_in_force=time_in_force)
    check_order(client, request, "v")

    client.features = {"spot": {"createOrder": {"timeInForce": {name: False}}}}
    with pytest.raises(NotSupportedByVenue, match=time_in_force.value):
        check_order(client, request, "v")
