"""Wherever a person has an account compared, orders that rest after many denials are asked for."""

from contextlib import suppress
from dataclasses import replace

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.urls import reverse
from django.utils import timezone

from arbplatform.core.clock import to_ms
from ledger.domain.reconciliation import ROUNDS_MIN
from ledger.models import AccountReconciliation, Fill, Order
from ledger.services.journal import submit_orders, write_orders
from ledger.services.openings import ensure_opened
from ledger.services.reconciler import reconcile_account, reconcile_accounts


@pytest.fixture
def rested(account, venue, make_plan):
    """An order with a late trade, of which the venue denied just now, once more, to know it."""
    ensure_opened(account_id=account.pk)
    venue.now_ms = to_ms(timezone.now())
    (order,) = write_orders(plans=[make_plan()])
    submit_orders(order_ids=[order.pk])
    order = Order.objects.get(pk=order.pk)
    late = replace(venue.fills[-1], venue_trade_id="late")
    venue.fills.append(late)
    told = venue.orders[order.venue_order_id]
    more = told.filled_quantity + late.quantity
    venue.orders[order.venue_order_id] = replace(told, quantity=more, filled_quantity=more)
    denied = {f"BTC/USDT|{order.venue_order_id}": [ROUNDS_MIN + 4, to_ms(timezone.now())]}
    row, _is_new = AccountReconciliation.objects.update_or_create(
        account=account, defaults={"denials": denied}
    )
    reconcile_account(account_id=account.pk)
    assert Fill.objects.count() == 2  # nobody asked
    return row


def test_the_command_asks(rested):
    with suppress(CommandError):  # the balances of this venue do not move with the trade
        call_command("reconcile", str(rested.account_id))

    assert Fill.objects.count() == 3


def test_staff_that_compares_over_the_api_asks(rested, staff_api):
    staff_api.post(f"/api/reconciliation/accounts/{rested.account_id}/compare")

    assert Fill.objects.count() == 3


def test_the_button_of_the_console_asks(rested, console):
    address = reverse("admin:ledger_accountreconciliation_compare_one", args=[rested.pk])

    console.post(address, {"_form_submitted": "True"}, follow=True)

    assert Fill.objects.count() == 3


def test_the_sweep_leaves_it_resting(rested):
    assert reconcile_accounts() == 1

    assert Fill.objects.count() == 2
