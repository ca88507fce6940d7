"""An order is planned and reserved as if its fee came from what it brings, so a fee coin that runs
out costs nothing that was not counted on.
"""

from decimal import Decimal as D

import pytest

from accounts.models import Reservation
from ledger.models import Fill
from ledger.selectors import imbalances, list_stray_reservations
from ledger.services.journal import submit_orders, write_orders
from ledger.services.openings import ensure_opened
from ledger.services.reconciliation import compare_with_venue
from markets.domain.funds import Wallet


@pytest.mark.django_db
def test_the_fee_coin_runs_out_between_two_orders(account, venue, make_plan):
    venue.balances[Wallet.SPOT]["BNB"] = D("0.02")
    ensure_opened(account_id=account.pk)
    reserved = []

    def trade(number, fee_asset):
        venue.fee_asset = fee_asset
        (order,) = write_orders(plans=[make_plan(number, quantity=D("0.1"))])
        reserved.append((Reservation.objects.get().asset.code, Reservation.objects.get().amount))
        submit_orders(order_ids=[order.pk])

    trade(0, "BNB")
    assert compare_with_venue(account_id=account.pk) == []
    trade(1, None)  # two fees have used the coin up: the venue takes what was bought

    # the same was set aside for both, and nothing of the fee coin was relied on
    assert reserved == [("USDT", D(6_000)), ("USDT", D(6_000))]
    assert list(Fill.objects.order_by("pk").values_list("fee_asset__code", "fee")) == [
        ("BNB", D("0.01")),
        ("BNB", D("0.01")),
        ("BTC", D("0.00005")),
        ("BTC", D("0.00005")),
    ]
    assert compare_with_venue(account_id=account.pk) == []
    assert imbalances() == {}
    assert list_stray_reservations() == []
