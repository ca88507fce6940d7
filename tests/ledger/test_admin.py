"""The ledger's pages in the console: they show facts, and ask venues only when told to."""

from decimal import Decimal as D

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from arbplatform.core.errors import Message
from ledger.admin.logs import EventFilter
from ledger.domain.orders import OrderState
from ledger.models import BookTotal, Entry, EquitySnapshot, Fill, LogEntry, LogLevel, Order
from ledger.services.equity import take_snapshot
from ledger.services.fills import book_fills
from ledger.services.journal import submit_orders, write_orders
from ledger.services.logs import write_log
from ledger.services.openings import ensure_opened
from markets.domain.funds import Wallet
from markets.domain.orders import TimeInForce, VenueOrderStatus
from markets.errors import VenueUnavailable
from tests.ledger.fakes import make_fill

PAGES = ["order", "fill", "entry", "booktotal", "logentry", "equitysnapshot"]


def changelist(model):
    return reverse(f"admin:ledger_{model}_changelist")


def change(row):
    return reverse(f"admin:ledger_{row._meta.model_name}_change", args=[row.pk])


def run_action(client, model, action, rows):
    return client.post(
        changelist(model),
        {"action": action, "_selected_action": [row.pk for row in rows]},
        follow=True,
    )


def texts(response):
    return [str(message) for message in response.context["messages"]]


@pytest.fixture
def history(make_plan, venue, account, clock):
    """A row on every page."""
    ensure_opened(account_id=account.pk, clock=clock)
    (order,) = write_orders(plans=[make_plan()])
    submit_orders(order_ids=[order.pk], clock=clock)
    write_log(
        strategy_id=None, level=LogLevel.ERROR, event="boom", template="Lost {n}.", n=D("1.50")
    )
    venue.set_book("BTC/USDT", "60000", "60002")
    take_snapshot(clock=clock)
    return Order.objects.get()


@pytest.fixture
def lost(order, venue, clock):
    """An order whose answer was lost after it had filled."""

    def lose(request):
        raise ConnectionError

    venue.after_submit = lose
    done = submit_orders(order_ids=[order.pk], clock=clock)[0]
    assert done.state == OrderState.UNKNOWN
    return done


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("page", PAGES)
def test_every_list_opens_with_search_and_filters(console, page):
    response = console.get(changelist(page), {"q": "BTC"})

    assert response.status_code == 200
    assert console.get(changelist(page)).context["cl"].result_count > 0


@pytest.mark.usefixtures("history")
def test_every_row_opens_and_shows_money_as_plain_digits(console):
    for model in (Order, Fill, Entry, BookTotal, LogEntry):
        row = model.objects.first()
        assert row is not None
        response = console.get(change(row))
        assert response.status_code == 200, model
        assert "E-" not in response.content.decode()


@pytest.mark.usefixtures("history")
def test_the_equity_page_shows_the_breakdown(console):
    snapshot = EquitySnapshot.objects.get()
    page = console.get(change(snapshot)).content.decode()

    assert len(snapshot.breakdown) == 2
    for row in snapshot.breakdown:
        for cell in (row["venue"], row["asset"], row["amount"], row["price"], row["value"]):
            # with room between them: amounts that touch are read as one number
            assert f'<td class="pr-6 py-1">{cell}</td>' in page


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("page", PAGES)
def test_facts_cannot_be_added_changed_or_deleted_by_hand(console, page):
    row = apps.get_model("ledger", page).objects.first()
    assert row is not None
    delete = reverse(f"admin:ledger_{page}_delete", args=[row.pk])

    assert console.get(reverse(f"admin:ledger_{page}_add")).status_code == 403
    assert console.post(delete, {"post": "yes"}).status_code == 403
    assert console.post(change(row), {}).status_code == 403
    run_action(console, page, "delete_selected", [row])

    assert type(row).objects.filter(pk=row.pk).exists()


@pytest.mark.usefixtures("history")
def test_a_log_line_is_shown_filled_in(console):
    assert "Lost 1.5." in console.get(changelist("logentry")).content.decode()


def test_the_values_of_a_log_line_are_shown_in_the_readers_language(console):
    write_log(
        strategy_id=None,
        level=LogLevel.ERROR,
        event="boom",
        template="{what} ({market})",
        what=Message("The asset {asset} is unknown.", {"asset": "XYZ"}),
        market="BTC/USDT",
    )

    html = console.get(change(LogEntry.objects.get())).content.decode()

    assert "<div>what: The asset XYZ is unknown.</div><div>market: BTC/USDT</div>" in html
    assert "{&quot;" not in html
    assert "template" not in html


def test_logs_can_be_narrowed_down_to_the_events_of_the_newest_lines(console, monkeypatch):
    for event in ("first", "second", "third"):
        write_log(strategy_id=None, level=LogLevel.INFO, event=event, template="It happened.")
    monkeypatch.setattr("ledger.selectors.equity.EVENT_LINES_MAX", 2)

    whole = console.get(changelist("logentry"))
    narrowed = console.get(changelist("logentry"), {"event": "first"})

    assert _events_offered(whole) == ["second", "third"]
    assert _events_offered(narrowed) == ["first", "second", "third"]
    assert [row.event for row in narrowed.context["cl"].result_list] == ["first"]


def _events_offered(response):
    [found] = [one for one in response.context["cl"].filter_specs if isinstance(one, EventFilter)]
    return [event for event, _title in found.lookup_choices]


def test_a_fee_that_is_not_stated_yet_says_so(console, order):
    book_fills(order=order, fills=[make_fill(order, fee=None, fee_asset=None)])

    assert "not stated yet" in console.get(changelist("fill")).content.decode()


def test_look_up_now_finds_what_became_of_an_order(console, lost, venue):
    response = run_action(console, "order", "look_up_selected", [lost])

    assert texts(response) == [f"{lost}: It is filled."]
    assert Order.objects.get().state == OrderState.FILLED
    assert venue.submissions == [lost.client_order_id]


def test_look_up_now_says_why_nothing_was_learned(console, lost, venue):
    venue.failures["fetch_order"] = [VenueUnavailable(venue="alpha", cause="timeout")]

    response = run_action(console, "order", "look_up_selected", [lost])

    (text,) = texts(response)
    assert text.startswith(f"{lost}: Still unknown: The venue alpha cannot be reached: timeout.")
    assert Order.objects.get().state == OrderState.UNKNOWN


def test_an_open_order_can_be_cancelled(console, make_plan, venue, clock):
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    (order,) = write_orders(plans=[make_plan(time_in_force=TimeInForce.GTC)])
    submit_orders(order_ids=[order.pk], clock=clock)

    response = run_action(console, "order", "cancel_selected", [order])

    assert texts(response) == [f"{order}: It is cancelled."]
    assert Order.objects.get().state == OrderState.CANCELED


def test_an_order_that_has_ended_offers_nothing_to_ask_its_venue(console, lost):
    page = reverse("admin:ledger_order_change", args=[lost.pk])
    assert "Look up now" in console.get(page).content.decode()

    console.post(
        reverse("admin:ledger_order_look_up_one", args=[lost.pk]), {"_form_submitted": "True"}
    )
    html = console.get(page).content.decode()

    assert Order.objects.get().state == OrderState.FILLED
    assert "Look up now" not in html
    assert f"{lost.pk}/cancel_one/" not in html


def test_the_buttons_of_an_order_act_on_post_only(console, lost, venue):
    url = reverse("admin:ledger_order_look_up_one", args=[lost.pk])
    calls = len(venue.calls)

    console.get(url)
    assert len(venue.calls) == calls

    console.post(url, {"_form_submitted": "True"})
    assert Order.objects.get().state == OrderState.FILLED


def test_who_may_only_look_cannot_ask_venues(db, lost, venue):
    viewer = get_user_model().objects.create_user("viewer", password="x", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_order"))
    client = Client()
    client.force_login(viewer)
    calls = len(venue.calls)

    run_action(client, "order", "look_up_selected", [lost])
    client.post(
        reverse("admin:ledger_order_look_up_one", args=[lost.pk]), {"_form_submitted": "True"}
    )

    assert client.get(changelist("order")).status_code == 200
    assert len(venue.calls) == calls
    assert Order.objects.get().state == OrderState.UNKNOWN


@pytest.mark.usefixtures("history")
def test_books_are_compared_with_the_venue(console):
    rows = BookTotal.objects.filter(book="wallet")

    response = run_action(console, "booktotal", "compare_selected", rows)

    assert texts(response) == [
        "alpha/main: The books and the venue's statement are equal in every asset."
    ]


@pytest.mark.usefixtures("history")
def test_every_difference_to_the_venue_is_named(console, venue):
    venue.balances[Wallet.SPOT]["USDT"] += D("0.01")
    row = BookTotal.objects.get(book="wallet", asset__code="BTC")

    response = console.post(
        reverse("admin:ledger_booktotal_compare_one", args=[row.pk]),
        {"_form_submitted": "True"},
        follow=True,
    )

    booked = BookTotal.objects.get(book="wallet", asset__code="USDT").total
    listed = f"spot USDT: {booked} / {booked + D('0.01')}"
    assert texts(response) == [f"{row}: 1 differences (by the books / by the venue): {listed}"]


@pytest.mark.usefixtures("history")
def test_a_difference_that_a_person_explains_is_booked(console, venue):
    venue.balances[Wallet.SPOT]["USDT"] += D("0.01")
    row = BookTotal.objects.get(book="wallet", asset__code="USDT")
    url = reverse("admin:ledger_booktotal_adopt_one", args=[row.pk])

    response = console.post(url, {"_form_submitted": "True"}, follow=True)
    again = console.post(url, {"_form_submitted": "True"}, follow=True)

    entry = Entry.objects.get(kind="external")
    assert texts(response) == [f"{row}: Booked as {entry.key}."]
    assert str(entry.to_memo()) == "decided in the console (by root)"
    page = console.get(
        reverse("admin:ledger_entry_changelist"), headers={"Accept-Language": "zh-hans"}
    )
    assert "在控制台中决定（root）" in page.content.decode()
    assert BookTotal.objects.get(pk=row.pk).total == row.total + D("0.01")
    assert "there is nothing to book" in texts(again)[0]


@pytest.mark.usefixtures("history")
def test_a_ledger_account_of_no_venue_is_not_compared(console, venue):
    row = BookTotal.objects.get(book="trading", asset__code="USDT")
    calls = len(venue.calls)

    response = console.post(
        reverse("admin:ledger_booktotal_adopt_one", args=[row.pk]),
        {"_form_submitted": "True"},
        follow=True,
    )

    assert "not kept by any venue" in texts(response)[0]
    assert len(venue.calls) == calls
