"""Accounts and transfers over real HTTP, against two simulated venues in one process."""

import time
from decimal import Decimal as D
from typing import Any

import pytest

from accounts.domain.transfers import TransferState
from accounts.errors import BalanceTooLow
from accounts.models import Balance, Transfer, VenueAccount
from accounts.services import accounts
from accounts.services.balances import sync_balances
from accounts.services.requests import request_transfer
from accounts.services.transfers import poll_transfer, submit_transfer
from arbplatform.core.errors import Message
from markets.domain.funds import Wallet
from markets.errors import OutcomeUnknown, VenueAuthFailed, VenueUnavailable
from markets.gateway import factory
from markets.models import Asset, Venue
from markets.simulator.running import start_in_thread

S = TransferState
MARKET = {
    "symbol": "BTC/USDT",
    "tick": "0.01",
    "lot": "0.00001",
    "quantity_min": "0.00001",
    "notional_min": "5",
}
SECRET = "secret-0123456789"
DELAY_MS = 400
PATIENCE_S = 30


def venue_config(code):
    return {
        "code": code,
        "assets": ["BTC", "USDT"],
        "markets": [MARKET],
        "accounts": [
            {
                "label": "main",
                "api_key": f"{code}-key-0123456789",
                "api_secret": f"{code}-secret-0123456789",
                "balances": {
                    "spot": {"BTC": "2", "USDT": "100000.00000001"},
                    "funding": {"USDT": "5"},
                },
            },
            {
                "label": "reader",
                "api_key": f"{code}-reader-0123456789",
                "api_secret": f"{code}-reader-secret",
                "permissions": ["read"],
            },
        ],
    }


@pytest.fixture
def simulator():
    config = {
        "seed": 7,
        "settlement": {"delay_ms": DELAY_MS, "network_fees": {"BTC": "0.0001"}},
        "venues": [venue_config("alpha"), venue_config("beta")],
    }
    with start_in_thread(config) as running:
        yield running
        factory.close_all()


@pytest.fixture
def make_account(simulator, db):
    for code in ("BTC", "USDT"):
        Asset.objects.create(code=code)

    def make(code, user="key", secret=SECRET):
        venue, _ = Venue.objects.get_or_create(
            code=code,
            defaults={
                "name": code,
                "ccxt_id": "binance",
                "rest_origin": f"{simulator.url}/{code}",
            },
        )
        return accounts.create_account(
            venue=venue,
            label=user,
            api_key=f"{code}-{user}-0123456789",
            api_secret=f"{code}-{secret}",
        )

    return make


@pytest.fixture
def alpha(make_account):
    return make_account("alpha")


@pytest.fixture
def beta(make_account):
    return make_account("beta")


@pytest.fixture
def ask(alpha, beta):
    def request(**changes):
        values = {
            "from_account_id": alpha.pk,
            "to_account_id": beta.pk,
            "from_wallet": Wallet.SPOT,
            "to_wallet": Wallet.SPOT,
            "asset": "BTC",
            "amount": D("0.5"),
            "idempotency_key": "key-1",
        }
        return request_transfer(**(values | changes))

    return request


def follow(transfer, *states):
    """Poll until the transfer is in one of the states."""
    deadline = time.monotonic() + PATIENCE_S
    while transfer.state not in states:
        assert time.monotonic() < deadline, f"{transfer} is still {transfer.state}"
        time.sleep(0.05)
        transfer = poll_transfer(transfer_id=transfer.pk)
    return transfer


def free(simulator, venue, wallet, asset):
    return D(simulator.control.statement(venue, "main")["balances"][wallet][asset]["free"])


def test_a_test_of_the_connection_names_each_right(alpha):
    report = accounts.test_connection(account_id=alpha.pk)

    granted = {finding.name: finding.is_granted for finding in report.findings}
    assert granted == {
        "read": True,
        "trade": True,
        "withdraw": True,
        "transfer": True,
        "ip_restricted": granted["ip_restricted"],
    }
    assert str(report.warnings[0]).startswith("This key may withdraw")
    assert VenueAccount.objects.get().test_error_code is None


def test_a_key_without_rights_is_told_apart(make_account):
    reader = make_account("alpha", user="reader", secret="reader-secret")

    report = accounts.test_connection(account_id=reader.pk)

    granted = {finding.name: finding.is_granted for finding in report.findings}
    assert (granted["read"], granted["trade"], granted["withdraw"]) == (True, False, False)
    assert Message("This key may not trade: strategies that use the account will be refused.") in (
        report.warnings
    )


@pytest.mark.parametrize(
    ("user", "secret"), [("key", "wrong-secret"), ("nobody", "secret-0123456789")]
)
def test_a_wrong_key_or_secret_is_named_as_such(make_account, user, secret):
    account = make_account("alpha", user=user, secret=secret)

    with pytest.raises(VenueAuthFailed) as refusal:
        accounts.test_connection(account_id=account.pk)

    stored = VenueAccount.objects.get()
    assert stored.test_error_code == VenueAuthFailed.code
    for words in (stored.test_error, str(refusal.value)):
        assert secret not in words
        assert f"alpha-{user}-0123456789" not in words


def test_a_venue_that_is_not_there_is_named_as_such(alpha, simulator):
    simulator.stop()

    with pytest.raises(VenueUnavailable):
        accounts.test_connection(account_id=alpha.pk)

    assert VenueAccount.objects.get().test_error_code == VenueUnavailable.code


def test_balances_are_those_of_the_statement_to_the_last_digit(alpha):
    sync_balances(account_id=alpha.pk)

    rows = Balance.objects.order_by("wallet", "asset__code")
    assert [(row.wallet, row.asset.code, row.free, row.held) for row in rows] == [
        ("funding", "USDT", D(5), D(0)),
        ("spot", "BTC", D(2), D(0)),
        ("spot", "USDT", D("100000.00000001"), D(0)),
    ]


def test_a_withdrawal_travels_to_the_other_venue(ask, simulator):
    transfer = submit_transfer(transfer_id=ask().pk)
    assert transfer.state in {S.SUBMITTED, S.IN_TRANSIT}
    assert (transfer.error, free(simulator, "alpha", "spot", "BTC")) == ("", D("1.5"))

    arrived = follow(transfer, S.ARRIVED)

    assert (arrived.fee, arrived.arrived_amount) == (D("0.0001"), D("0.4999"))
    assert arrived.tx_id
    assert arrived.venue_deposit_id
    assert free(simulator, "alpha", "spot", "BTC") == D("1.5")
    assert free(simulator, "beta", "spot", "BTC") == D("2.4999")


def test_funds_move_between_wallets(ask, simulator):
    asked = ask(to_account_id=None, to_wallet=Wallet.FUNDING, asset="USDT", amount=D("12.5"))

    transfer = follow(submit_transfer(transfer_id=asked.pk), S.ARRIVED)

    assert (transfer.fee, transfer.arrived_amount) == (D(0), D("12.5"))
    assert free(simulator, "alpha", "funding", "USDT") == D("17.5")
    assert free(simulator, "alpha", "spot", "USDT") == D("99987.50000001")


def test_what_is_free_at_the_venue_now_decides(ask):
    with pytest.raises(BalanceTooLow, match="has 2 BTC free"):
        ask(amount=D("2.00000001"))

    assert not Transfer.objects.exists()


class Deaf:
    """A gateway whose answer to one kind of write is lost after it was carried out."""

    def __init__(self, real, name):
        self._real, self._name = real, name

    def __getattr__(self, name):
        def lose(**request):
            getattr(self._real, name)(**request)
            raise OutcomeUnknown(venue=self._real.venue, cause="the answer was lost")

        return lose if name == self._name else getattr(self._real, name)


@pytest.mark.parametrize(
    ("method", "change", "expected"),
    [
        ("withdraw", {}, ("1.5", "2.4999")),
        (
            "transfer",
            {"to_account_id": None, "to_wallet": Wallet.FUNDING},
            ("1.5", "2"),
        ),
    ],
)
def test_a_lost_answer_is_found_at_the_venue_and_nothing_is_sent_twice(
    ask, simulator, method, change, expected
):
    asked = ask(**change)
    deaf: Any = Deaf(accounts.open_gateway(asked.from_account), method)
    other = accounts.open_gateway(asked.to_account)

    with factory.use_gateways(lambda spec, _key: deaf if spec.code == "alpha" else other):
        lost = submit_transfer(transfer_id=asked.pk)
    assert (lost.state, lost.error_code) == (S.UNKNOWN, OutcomeUnknown.code)

    arrived = follow(lost, S.ARRIVED)

    assert arrived.venue_transfer_id
    assert free(simulator, "alpha", "spot", "BTC") == D(expected[0])
    assert free(simulator, "beta", "spot", "BTC") == D(expected[1])
