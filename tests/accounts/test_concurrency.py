"""Many workers at once: one of them sends, and one row is written."""

from contextlib import suppress
from decimal import Decimal as D

import pytest

from accounts.domain.limits import TransferLimits
from accounts.domain.transfers import TransferState
from accounts.errors import TransferLimitExceeded
from accounts.models import Balance, Transfer
from accounts.services.balances import sync_balances
from accounts.services.limits import save_limits
from accounts.services.requests import request_transfer
from accounts.services.transfers import poll_transfer, submit_transfer
from markets.domain.funds import Wallet
from markets.models import Asset
from tests.at_once import at_once

WORKERS = 8
pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def request_values(alpha, beta):
    return {
        "from_account_id": alpha[0].pk,
        "to_account_id": beta[0].pk,
        "from_wallet": Wallet.SPOT,
        "to_wallet": Wallet.SPOT,
        "asset": "BTC",
        "amount": D("0.5"),
        "idempotency_key": "key-1",
    }


def test_only_one_of_many_workers_sends(alpha, request_values):
    transfer = request_transfer(**request_values)

    at_once(lambda _number: submit_transfer(transfer_id=transfer.pk), range(WORKERS))

    assert alpha[1].count("withdraw") == 1
    assert Transfer.objects.get().state == TransferState.SUBMITTED


def test_one_request_that_comes_many_times_at_once_is_one_transfer(request_values):
    made = at_once(lambda _number: request_transfer(**request_values), range(WORKERS))

    assert len({transfer.pk for transfer in made}) == 1
    assert Transfer.objects.count() == 1


def test_many_look_ups_at_once_end_in_one_arrival(alpha, beta, request_values):
    transfer = submit_transfer(transfer_id=request_transfer(**request_values).pk)
    alpha[1].depart()
    beta[1].receive(alpha[1])

    states = at_once(lambda _number: poll_transfer(transfer_id=transfer.pk).state, range(WORKERS))

    assert set(states) == {TransferState.ARRIVED}
    stored = Transfer.objects.get()
    assert (stored.arrived_amount, stored.venue_deposit_id) == (D("0.4999"), "beta-d1")


def test_many_synchronisations_at_once_agree(alpha):
    alpha[1].wallets[Wallet.SPOT]["NEW"] = D("0.1")

    at_once(lambda _number: sync_balances(account_id=alpha[0].pk), range(WORKERS))

    assert Balance.objects.filter(account=alpha[0]).count() == 3
    assert Asset.objects.filter(code="NEW").count() == 1


@pytest.mark.parametrize("limit", ["account_day_max", "total_day_max"])
def test_many_requests_at_once_stay_together_within_a_days_limit(request_values, superuser, limit):
    save_limits(account_id=None, limits=TransferLimits(**{limit: D(7_500)}), user=superuser)

    def ask(number):
        values = request_values | {"amount": D("0.3"), "idempotency_key": f"key-{number}"}
        with suppress(TransferLimitExceeded):
            request_transfer(**values)

    at_once(ask, range(WORKERS))

    assert [row.value for row in Transfer.objects.all()] == [D(3_000)] * 2
