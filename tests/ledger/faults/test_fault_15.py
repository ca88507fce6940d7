"""What is learned of an order before its own reply is merged by client id: state, trades and
entries in one transaction, each trade once.
"""

from ledger.domain.orders import OrderState
from ledger.models import Discrepancy, Entry, Fill, Order
from ledger.services.journal import submit_orders, write_orders
from ledger.services.reconciler import reconcile_account
from ledger.services.recording import record
from ledger.services.sending import Reported


def test_a_report_that_overtakes_the_reply_is_booked_once(order, venue, clock):
    def overtake(request):
        (report,) = venue.orders.values()
        record(
            orders=[Order.objects.select_related("market__base", "market__quote").get()],
            knowledge={order.pk: Reported(report, venue._show(report))},
            clock=clock,
            is_lookup=True,
        )
        assert Fill.objects.count() == 2

    venue.after_submit = overtake

    (done,) = submit_orders(order_ids=[order.pk], clock=clock)

    assert done.state == OrderState.FILLED
    assert Fill.objects.count() == Entry.objects.count() == 2


def test_a_round_that_sees_the_trades_first_leaves_them_to_the_sender(
    opened_books, make_plan, venue, clock
):
    outcomes = []

    def look(request):
        venue.after_submit = None
        outcomes.append(reconcile_account(account_id=opened_books.pk, clock=clock).outcome)
        assert not Fill.objects.exists()

    venue.after_submit = look
    (order,) = write_orders(plans=[make_plan()], clock=clock)

    submit_orders(order_ids=[order.pk], clock=clock)

    assert outcomes == ["different"]
    assert {row.state for row in Discrepancy.objects.all()} == {"explained"}
    assert Fill.objects.count() == 2
    assert reconcile_account(account_id=opened_books.pk, clock=clock).outcome == "clean"
