"""An order whose client id another one bears is shown, and ended only by a person's proven word."""

from dataclasses import replace
from decimal import Decimal as D
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.urls import reverse
from django.utils import timezone

from accounts.models import Reservation
from arbplatform.alarms import read_conditions
from arbplatform.notices.rules import Severity
from ledger.domain.orders import OrderState
from ledger.errors import NotDisownable, OrderDisowned
from ledger.models import Discrepancy, Fill, LogEntry, Order
from ledger.selectors import imbalances
from ledger.services.disowning import disown_order
from ledger.services.journal import resolve_unknown, resolve_unknown_orders, write_orders
from markets.domain.orders import OrderRequest, Side, VenueFill, VenueOrderStatus
from markets.errors import OtherOrderFound, OutcomeUnknown, VenueUnavailable
from tests.ledger.services.test_resolution import submit

S = OrderState
SETTLE = "strategies.settle_execution"
WORD = "The backup of Monday was put back."


@pytest.fixture
def taken(opened_books, make_plan, venue, clock):
    """An order of ours that the venue refused, as another one of a smaller size bears its id."""
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.CANCELED
    other = OrderRequest("BTC/USDT", Side.BUY, D("0.2"), order.client_order_id, price=D(59_000))
    venue._accept(other)
    done = submit(order, clock)
    assert done.state == S.UNKNOWN
    clock.advance_ms(120_000)
    venue.now_ms = clock.now_ms()
    return done


@pytest.fixture
def looked(taken, clock):
    """The same, after a look-up."""
    return resolve_unknown(order_id=taken.pk, clock=clock)


def disown(order, clock, user=None):
    return disown_order(order_id=order.pk, note=WORD, user=user, clock=clock)


def execute(venue, made):
    """Let the venue list one trade of all that an order filled."""
    venue.fills.append(
        VenueFill(
            venue_trade_id="t-9",
            venue_order_id=made.venue_order_id,
            symbol=made.symbol,
            side=made.side,
            price=made.price,
            quantity=made.filled_quantity or made.quantity,
            fee=D(0),
            fee_asset="USDT",
            is_maker=False,
            executed_at_ms=venue.now_ms,
        )
    )


def turn_up(order, venue, **changes):
    """Let the venue list an order of our size."""
    made = replace(
        venue.orders["alpha-1"],
        venue_order_id="alpha-9",
        quantity=order.quantity,
        price=order.price,
        **changes,
    )
    venue.orders["alpha-9"] = made
    return made


# the condition ----------------------------------------------------------------------------------


def test_the_send_itself_says_that_another_order_bears_our_id(taken):
    assert taken.error_code == OtherOrderFound.code == 2058
    assert "another order, alpha-1 (buy 0.2 BTC/USDT)" in str(taken.to_error())


@pytest.mark.parametrize(
    "changes", [{"quantity": D("0.9")}, {"side": Side.SELL}, {"symbol": "ETH/USDT"}]
)
def test_a_look_up_tells_another_order_by_a_code_of_its_own(taken, venue, clock, changes):
    told = venue.orders["alpha-1"]
    venue.orders["alpha-1"] = replace(replace(told, quantity=taken.quantity), **changes)

    order = resolve_unknown(order_id=taken.pk, clock=clock)

    assert (order.state, order.error_code) == (S.UNKNOWN, OtherOrderFound.code)


def test_an_answer_that_bears_another_id_is_no_proof_of_that(taken, venue, clock):
    venue.orders["alpha-1"] = replace(venue.orders["alpha-1"], client_order_id="web-1")

    order = resolve_unknown(order_id=taken.pk, clock=clock)

    assert (order.state, order.error_code) == (S.UNKNOWN, OutcomeUnknown.code)


def test_an_open_problem_and_an_alarm_show_it_also_if_no_list_does(looked, look, venue, clock):
    venue.hidden.update(venue.orders)

    look()

    row = Discrepancy.objects.get()
    assert (row.kind, row.state, row.subject) == (
        "unknown_order",
        "alarmed",
        looked.client_order_id,
    )
    assert f"of our order {looked.pk}," in str(row.to_message())
    conditions = {condition.key: condition for condition in read_conditions(clock.now(), set())}
    assert conditions[f"discrepancy:{row.pk}"].severity is Severity.CRITICAL


@pytest.mark.parametrize("state", [S.UNKNOWN, S.REJECTED])
def test_a_list_that_shows_the_other_order_says_nothing_of_ours(look, looked, venue, state):
    Order.objects.update(state=state, error_code=None)
    venue.orders["alpha-1"] = replace(
        venue.orders["alpha-1"], status=VenueOrderStatus.OPEN, filled_quantity=D("0.1")
    )

    look()

    row = Discrepancy.objects.get()
    assert (row.kind, row.evidence["venue_order_id"]) == ("unknown_order", "alpha-1")


def test_an_account_shows_an_order_that_bears_the_id_of_one_of_another_account(
    look, looked, venue, beta
):
    Order.objects.update(account=beta[0], quantity=D("0.2"), error_code=None)
    venue.orders["alpha-1"] = replace(venue.orders["alpha-1"], status=VenueOrderStatus.OPEN)

    look()

    row = Discrepancy.objects.get()
    assert (row.kind, row.subject) == ("unknown_order", looked.client_order_id)


def test_of_two_orders_that_bear_one_id_ours_is_compared(resting, look, venue):
    told = venue.orders[resting.venue_order_id]
    venue.orders["alpha-8"] = replace(told, venue_order_id="alpha-8", quantity=D("0.2"))

    look()

    assert [row.kind for row in Discrepancy.objects.all()] == ["unknown_order"]
    venue.orders[resting.venue_order_id] = replace(told, status=VenueOrderStatus.CANCELED)
    look()
    resting.refresh_from_db()
    assert resting.state == S.CANCELED


def test_of_two_open_orders_that_bear_one_id_a_look_up_takes_ours(looked, venue, clock):
    venue.knows_client_id = False
    told = venue.orders["alpha-1"]
    venue.orders["alpha-1"] = replace(told, status=VenueOrderStatus.OPEN)
    turn_up(looked, venue, status=VenueOrderStatus.OPEN)

    order = resolve_unknown(order_id=looked.pk, clock=clock)

    assert (order.state, order.venue_order_id) == (S.OPEN, "alpha-9")


# the act ----------------------------------------------------------------------------------------


def test_a_persons_word_ends_it_and_frees_what_it_held(
    looked, clock, superuser, sent_tasks, django_capture_on_commit_callbacks
):
    assert Reservation.objects.count() == 1

    with django_capture_on_commit_callbacks(execute=True):
        order = disown(looked, clock, superuser)

    assert (order.state, order.error_code) == (S.REJECTED, OrderDisowned.code)
    assert (order.finished_at, order.filled_quantity) == (clock.now(), 0)
    assert str(order.to_error()) == (
        f"Ended by {superuser.get_username()}, since it never came to be. Its client id is that of "
        f"another order at the venue, alpha-1. Reason: {WORD}"
    )
    assert (Reservation.objects.count(), Fill.objects.count(), imbalances()) == (0, 0, {})
    line = LogEntry.objects.get(event="order_disowned")
    assert superuser.get_username() in str(line.to_message())
    assert line.strategy_id == order.strategy_id
    assert (SETTLE, {"execution_id": order.execution_id}) in sent_tasks


def test_the_venue_is_asked_anew_before_a_word_is_taken(looked, venue, clock):
    """It shows ours by now: that is booked, and nothing is ended."""
    told = venue.orders["alpha-1"]
    venue.orders["alpha-1"] = replace(told, quantity=looked.quantity, price=looked.price)

    with pytest.raises(NotDisownable, match="it is cancelled"):
        disown(looked, clock)

    assert Order.objects.get().state == S.CANCELED
    assert not LogEntry.objects.filter(event="order_disowned").exists()


@pytest.mark.parametrize("method", ["fetch_order", "fetch_open_orders", "fetch_fills"])
def test_a_venue_that_does_not_answer_one_question_leaves_it_as_it_is(looked, venue, clock, method):
    venue.failures[method] = [VenueUnavailable(venue="alpha", cause="timeout")]

    with pytest.raises((NotDisownable, VenueUnavailable)):
        disown(looked, clock)

    order = Order.objects.get()
    assert (order.state, Reservation.objects.count()) == (S.UNKNOWN, 1)


@pytest.mark.parametrize("client_order_id", [None, "ours"])
def test_an_open_order_that_may_be_ours_refutes_the_word(looked, venue, clock, client_order_id):
    own = looked.client_order_id if client_order_id else None
    turn_up(looked, venue, status=VenueOrderStatus.OPEN, client_order_id=own)

    with pytest.raises(NotDisownable, match="may be it: alpha-9"):
        disown(looked, clock)

    assert Order.objects.get().state == S.UNKNOWN


def test_so_does_one_that_has_executed(looked, venue, clock):
    made = turn_up(looked, venue, status=VenueOrderStatus.FILLED, client_order_id=None)
    execute(venue, made)

    with pytest.raises(NotDisownable, match="may be it: alpha-9"):
        disown(looked, clock)


def test_two_that_look_alike_refute_it_as_well(looked, venue, clock):
    made = turn_up(looked, venue, status=VenueOrderStatus.OPEN, client_order_id=None)
    venue.orders["alpha-10"] = replace(made, venue_order_id="alpha-10")

    with pytest.raises(NotDisownable, match="alpha-10, alpha-9"):
        disown(looked, clock)


def test_what_somebody_else_has_traded_does_not(looked, venue, clock):
    made = turn_up(looked, venue, status=VenueOrderStatus.FILLED, client_order_id="web-1")
    execute(venue, made)

    assert disown(looked, clock).state == S.REJECTED


def test_an_order_that_is_not_in_doubt_for_this_reason_cannot_be_ended(looked, venue, clock):
    venue.orders.clear()

    with pytest.raises(NotDisownable, match="no other order bears its client id"):
        disown(looked, clock)


def test_one_that_was_sent_just_now_cannot_either(looked, venue, clock):
    Order.objects.update(submitted_at=clock.now())
    calls = len(venue.calls)

    with pytest.raises(NotDisownable, match="sent just now"):
        disown(looked, clock)

    assert len(venue.calls) == calls


def test_what_became_known_meanwhile_goes_before_the_word(looked, venue, clock):
    def fill(name):
        if name == "fetch_fills":
            Order.objects.update(filled_quantity=D("0.1"))

    venue.on_call = fill

    with pytest.raises(NotDisownable, match="the venue has had it"):
        disown(looked, clock)


# the truth, later -------------------------------------------------------------------------------


def test_a_look_up_that_finds_it_later_books_it(looked, venue, clock):
    disown(looked, clock)
    made = turn_up(looked, venue, status=VenueOrderStatus.FILLED, client_order_id=None)
    made = replace(made, client_order_id=looked.client_order_id, filled_quantity=D("0.5"))
    venue.orders["alpha-9"] = made
    venue.client_ids[looked.client_order_id] = "alpha-9"
    execute(venue, made)
    clock.advance_ms(600_000)

    resolve_unknown_orders(clock=clock)

    order = Order.objects.get()
    assert (order.state, order.venue_order_id) == (S.FILLED, "alpha-9")
    assert (Fill.objects.count(), Reservation.objects.count(), imbalances()) == (1, 0, {})


def test_so_does_a_round_that_finds_its_trade(looked, look, venue, clock):
    disown(looked, clock)
    made = turn_up(looked, venue, status=VenueOrderStatus.FILLED)
    made = replace(made, filled_quantity=D("0.5"))
    venue.orders["alpha-9"] = made
    venue.hidden.add("alpha-9")
    execute(venue, made)

    for _round in range(3):
        look()

    order = Order.objects.get()
    assert (order.filled_quantity, Fill.objects.count(), imbalances()) == (D("0.5"), 1, {})


def test_while_the_other_order_is_still_shown_it_stays_ended(looked, clock):
    disown(looked, clock)
    clock.advance_ms(600_000)

    resolve_unknown_orders(clock=clock)

    order = Order.objects.get()
    assert (order.state, order.error_code) == (S.REJECTED, OrderDisowned.code)
    assert order.next_lookup_at is not None


# where a person says so -------------------------------------------------------------------------


@pytest.fixture
def waiting(looked):
    """The same by the real clock."""
    moment = timezone.now()
    Order.objects.update(submitted_at=moment.replace(year=moment.year - 1))
    return looked


def test_the_console_offers_it_and_keeps_who_did_it(waiting, console, superuser):
    page = console.get(reverse("admin:ledger_order_change", args=[waiting.pk]))
    address = reverse("admin:ledger_order_disown_one", args=[waiting.pk])
    assert address in page.content.decode()
    assert "2058" in page.content.decode()

    console.post(address, {"_form_submitted": "True", "note": WORD}, follow=True)

    assert Order.objects.get().state == S.REJECTED
    history = superuser.logentry_set.get()
    assert (history.object_id, history.change_message) == (str(waiting.pk), WORD)


def test_it_is_not_offered_for_other_orders_nor_without_the_right(waiting, client, staff, console):
    address = reverse("admin:ledger_order_disown_one", args=[waiting.pk])
    client.force_login(staff)
    assert client.post(address, {"_form_submitted": "True", "note": WORD}).status_code == 403
    Order.objects.update(error_code=OutcomeUnknown.code)

    page = console.get(reverse("admin:ledger_order_change", args=[waiting.pk]))

    assert address not in page.content.decode()
    assert Order.objects.get().state == S.UNKNOWN


def test_the_api_refuses_who_may_not_decide(waiting, user_api):
    answer = user_api.post(f"/api/orders/{waiting.pk}/disown", {"note": WORD})

    assert answer.status_code == 403
    assert Order.objects.get().state == S.UNKNOWN


def test_the_api_ends_it_with_a_reason_only(waiting, staff_api, data):
    address = f"/api/orders/{waiting.pk}/disown"
    assert staff_api.post(address, {}).status_code == 400

    told = data(staff_api.post(address, {"note": WORD}))

    assert (told["state"], told["error_code"]) == ("rejected", OrderDisowned.code)
    assert "operator" in told["error"]


def test_the_command_ends_it_in_the_name_of_a_person(waiting, superuser):
    out = StringIO()

    call_command(
        "disown_order",
        str(waiting.pk),
        "--user",
        superuser.get_username(),
        "--reason",
        WORD,
        stdout=out,
    )

    assert out.getvalue().endswith("is rejected now.\n")
    assert superuser.get_username() in str(Order.objects.get().to_error())


@pytest.mark.parametrize("name", ["nobody", "staff"])
def test_the_command_believes_nobody_who_may_not_say_so(waiting, staff, name):
    name = staff.get_username() if name == "staff" else name

    with pytest.raises(CommandError, match="may not decide"):
        call_command("disown_order", str(waiting.pk), "--user", name, "--reason", WORD)

    assert Order.objects.get().state == S.UNKNOWN


def test_the_command_says_why_it_refuses(waiting, superuser, venue):
    venue.orders.clear()

    with pytest.raises(CommandError, match="stays as it is"):
        call_command(
            "disown_order", str(waiting.pk), "--user", superuser.username, "--reason", WORD
        )
