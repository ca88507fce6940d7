"""An order that the venue ends by itself keeps the venue's reason, and its execution is woken."""

from decimal import Decimal as D

import pytest
from celery import current_app
from django.db import transaction

from ledger.domain.orders import OrderState
from ledger.errors import EndedByVenue
from ledger.models import Fill, LogEntry, LogLevel
from ledger.services.journal import resolve_unknown, submit_orders, write_orders
from markets.domain.orders import Side, TimeInForce
from markets.gateway import factory
from tests.ledger.faults.elsewhere import SYMBOL, open_elsewhere, plan_at
from tests.markets.fakes import okx
from tests.markets.fakes.okx import FakeOkx

REASON = {"cancelSource": "0", "cancelSourceReason": "Delisting of the pair"}


def test_without_a_reason_it_says_so_and_books_what_was_filled(wire):
    order = wire.rest(price="50005")
    wire.set_book([("50000", "1")], [("50005", "0.2")])
    (at_venue,) = wire.engine.accounts["ours"].orders.values()
    wire.simulator.control.call(lambda: wire.engine.cancel(at_venue, at_venue.updated_ms))

    ended = wire.look_up(order)

    assert (ended.state, ended.filled_quantity) == (OrderState.CANCELED, D("0.2"))
    assert ended.error_code == EndedByVenue.code
    assert Fill.objects.get().quantity == D("0.2")
    entry = LogEntry.objects.get(event="order_ended_by_venue")
    assert entry.level == LogLevel.WARNING
    wire.assert_exact()


@pytest.mark.django_db(transaction=True)
def test_the_reason_is_kept_and_the_execution_is_decided_anew(monkeypatch, execution):
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs: sent.append((name, kwargs)))
    row_of = okx._order_row
    venue = FakeOkx()
    venue.set_book(SYMBOL, bids=[("49990", "1")], asks=[("50010", "1")])
    with venue.running() as url:
        account = open_elsewhere(venue, "okx", url)
        fields = {"strategy_id": execution.strategy_id, "execution_id": execution.pk}
        plan = plan_at(account, Side.BUY, "0.5", "49000", time_in_force=TimeInForce.GTC, **fields)
        (order,) = submit_orders(order_ids=[write_orders(plans=[plan])[0].pk])
        venue.cancel(next(iter(venue.orders.values())))
        monkeypatch.setattr(okx, "_order_row", lambda order: row_of(order) | REASON)

        ended = resolve_unknown(order_id=order.pk)
        factory.close_all()

    assert transaction.get_autocommit()
    assert ended.state == OrderState.CANCELED
    assert "okx ended the order by itself (Delisting of the pair)" in str(ended.to_error())
    assert ("strategies.settle_execution", {"execution_id": execution.pk}) in sent
