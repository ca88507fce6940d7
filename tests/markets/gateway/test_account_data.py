"""What ccxt says about funds becomes our values, or is refused."""

from decimal import Decimal as D
from typing import Any

import ccxt
import pytest

from markets.domain.fees import FeeMode, FeeSchedule
from markets.domain.funds import DepositAddress, NetworkState, VenueTransferStatus
from markets.gateway import account_data
from markets.gateway.error_map import Malformed
from markets.gateway.quirks import COMMON, Quirks

SYMBOL = "BTC/USDT"


def _balances(answer: Any, raw: Any = None) -> Any:
    return {
        asset: (balance.free, balance.held)
        for asset, balance in account_data.parse_balances(answer, raw).items()
    }


def test_balances_are_completed_from_two_of_the_three_numbers() -> None:
    rows = {
        "A": {"free": "1", "used": "2", "total": "3"},
        "B": {"free": None, "used": "2", "total": "3"},
        "C": {"free": "1", "used": None, "total": "3"},
        "D": {"free": None, "used": None, "total": "3"},
        "E": {"free": "1", "used": None, "total": None},
        "F": {"free": "0", "used": "0", "total": "0"},
    }

    assert _balances({**rows, "total": dict.fromkeys(rows)}) == {
        "A": (D(1), D(2)),
        "B": (D(1), D(2)),
        "C": (D(1), D(2)),
        "D": (D(3), D(0)),
        "E": (D(1), D(0)),
    }


def test_an_empty_account_is_believed_where_the_venue_has_a_place_for_balances() -> None:
    assert _balances({"total": {}}, {"balances": []}) == {}
    assert _balances({"total": {}}, []) == {}
    for answer, raw in (({"total": {}}, {"status": "maintenance"}), ({}, None), (None, []),
                        ({"total": {"A": "1"}}, [])):  # fmt: skip
        with pytest.raises(Malformed):
            _balances(answer, raw)


def test_fees_that_the_venue_does_not_tell_are_left_out() -> None:
    rows = {SYMBOL: {"maker": "0.1", "taker": "0.2"}, "A/B": {"maker": None, "taker": "1"}, "C": 1}
    markets = {SYMBOL: {"feeSide": "give"}}

    found = account_data.parse_fees(rows, [], markets, [SYMBOL, "A/B", "C", "D"], COMMON)

    assert found == {SYMBOL: FeeSchedule(D("0.1"), D("0.2"), FeeMode.GIVEN)}
    with pytest.raises(Malformed):
        account_data.parse_fees({}, {"status": "maintenance"}, {}, [SYMBOL], COMMON)


ROW: dict[str, Any] = {
    "id": "w1",
    "txid": "0xabc",
    "type": "withdrawal",
    "amount": "9",
    "fee": {"cost": "1", "currency": "USDT"},
    "status": "ok",
    "address": "addr",
    "tag": "memo",
    "timestamp": 5,
    "info": {"ownId": "ours"},
}
OURS = Quirks(withdraw_id_key="ownId")


def _transfer(quirks: Quirks = OURS, **changes: Any) -> Any:
    return account_data.parse_transfer({**ROW, **changes}, asset="USDT", quirks=quirks)


def test_a_withdrawal_is_read_with_our_id() -> None:
    transfer = _transfer()

    assert (transfer.venue_transfer_id, transfer.client_transfer_id) == ("w1", "ours")
    assert (transfer.amount, transfer.fee, transfer.tx_id) == (D(9), D(1), "0xabc")
    assert (transfer.address, transfer.tag, transfer.updated_at_ms) == ("addr", "memo", 5)
    assert transfer.status is VenueTransferStatus.DONE


def test_what_left_is_stated_even_where_the_venue_states_what_arrives() -> None:
    net = Quirks(is_withdrawal_amount_net=True)

    assert _transfer(net).amount == D(10)
    assert _transfer(net, fee=None).amount == D(9)
    assert _transfer(net, type="deposit").amount == D(9)


@pytest.mark.parametrize("net", [False, True])
def test_a_fee_in_another_asset_is_no_amount_of_this_one(net: bool) -> None:
    quirks = Quirks(is_withdrawal_amount_net=net)

    transfer = _transfer(quirks, fee={"cost": "0.002", "currency": "ETH"})

    assert (transfer.amount, transfer.fee) == (D(9), None)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("ok", VenueTransferStatus.DONE),
        ("pending", VenueTransferStatus.PENDING),
        (None, VenueTransferStatus.PENDING),
        ("failed", VenueTransferStatus.FAILED),
        ("canceled", VenueTransferStatus.FAILED),
        ("rejected", VenueTransferStatus.FAILED),
    ],
)
def test_words_for_the_state_of_a_transfer_are_reduced(
    word: Any, expected: VenueTransferStatus
) -> None:
    assert _transfer(status=word).status is expected


def test_a_transfer_needs_an_id_and_an_amount() -> None:
    assert _transfer(id=None).venue_transfer_id == "0xabc"
    assert _transfer(info=None).client_transfer_id is None
    with pytest.raises(Malformed):
        _transfer(id=None, txid=None)
    with pytest.raises(Malformed):
        _transfer(amount=None)


def test_transfers_come_oldest_first() -> None:
    rows = [{**ROW, "timestamp": moment} for moment in (3, None, 1)]

    found = account_data.parse_transfers(rows, asset="USDT", quirks=OURS)

    assert [transfer.updated_at_ms for transfer in found] == [None, 1, 3]


def test_an_address_must_be_there_and_for_the_asset() -> None:
    row = {"currency": "USDT", "address": "addr", "tag": "", "network": "TRC20"}

    found = account_data.parse_deposit_address(row, asset="USDT")

    assert found == DepositAddress("USDT", "addr", None, "TRC20")
    for changes in ({"address": None}, {"currency": "BTC"}):
        with pytest.raises(Malformed):
            account_data.parse_deposit_address({**row, **changes}, asset="USDT")


def _networks(rows: Any, quirks: Quirks = COMMON, mode: int = ccxt.TICK_SIZE) -> Any:
    answer = {"USDT": {"networks": rows}}
    return account_data.parse_networks(answer, asset="USDT", mode=mode, quirks=quirks)


def test_networks_say_what_is_open_and_what_it_costs() -> None:
    row = {
        "deposit": True,
        "withdraw": False,
        "fee": "1",
        "precision": "0.01",
        "limits": {"withdraw": {"min": "2"}},
    }

    assert _networks({"TRC20": row}) == [NetworkState("TRC20", True, False, D(1), D(2), D("0.01"))]
    assert _networks({"TRC20": {**row, "precision": 3}}, mode=ccxt.DECIMAL_PLACES)[
        0
    ].withdraw_step == D("0.001")


def test_a_fee_on_top_counts_as_part_of_the_least_that_leaves() -> None:
    row = {"fee": "1", "limits": {"withdraw": {"min": "2"}}}

    (network,) = _networks({"TRC20": row}, Quirks(is_withdrawal_fee_on_top=True))

    assert network.withdraw_min == D(3)


@pytest.mark.parametrize(
    ("row", "is_open"),
    [({}, None), ({"active": False}, False), ({"active": False, "deposit": True}, True)],
)
def test_a_network_is_as_open_as_its_flags_say(row: Any, is_open: bool | None) -> None:
    (network,) = _networks({"TRC20": row})

    assert (network.can_deposit, network.withdraw_min, network.withdraw_step) == (
        is_open,
        None,
        None,
    )


def test_a_list_without_the_asset_is_broken_and_one_without_networks_says_nothing() -> None:
    assert _networks(None) == []
    for answer in (None, {}, {"USDT": None}, {"USDT": {"networks": {"TRC20": None}}}):
        with pytest.raises(Malformed):
            account_data.parse_networks(answer, asset="USDT", mode=ccxt.TICK_SIZE, quirks=COMMON)
