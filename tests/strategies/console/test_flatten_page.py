"""The page that lists what is left unhedged, and has it brought back by a confirmed POST."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from ledger.domain.halts import EVERYTHING, TradingEvent
from ledger.models import LogEntry
from ledger.services.halts import change_trading
from strategies.domain.states import ExecutionState
from strategies.services.repairs import go_on

pytestmark = pytest.mark.django_db

FLATTEN = "/admin/strategies/execution/flatten/"
WISH = {"reason": "end of the day", "confirm": "1"}


def said(response):
    return [str(message) for message in response.context["messages"]]


def is_held(execution):
    execution.refresh_from_db()
    return (
        execution.state == ExecutionState.HELD
        and not LogEntry.objects.filter(event="exposure_flattened").exists()
    )


@pytest.mark.parametrize("address", ["/admin/", "/admin/ledger/tradinghalt/"])
def test_the_kill_switch_leads_to_the_list(console, address):
    assert f'href="{FLATTEN}"' in console.get(address).content.decode()


def test_the_page_of_what_is_held_leads_to_the_list(console, held):
    page = f"/admin/strategies/execution/{held.pk}/change/"
    link = f"/admin/strategies/execution/{held.pk}/see_flattening/"

    assert link in console.get(page).content.decode()
    assert console.get(link).headers["Location"] == FLATTEN

    held.acknowledged_at = held.created_at
    held.save()
    assert link not in console.get(page).content.decode()


def test_the_list_shows_order_loss_and_the_button_and_sends_nothing(console, better):
    html = console.get(FLATTEN).content.decode()

    assert "sell 0." in html
    assert "BTC/USDT @ 50400, beta" in html
    assert "Completing at break-even or better" in html
    assert 'name="confirm"' in html
    assert is_held(better)


def test_without_anything_possible_there_is_no_button(console, held):
    html = console.get(FLATTEN).content.decode()

    assert "Neither completing nor reversing is possible" in html
    assert 'name="confirm"' not in html


def test_without_anything_left_over_the_page_says_so(console):
    assert "No execution has left anything unhedged" in console.get(FLATTEN).content.decode()


def test_a_confirmed_wish_with_a_reason_is_carried_out(console, superuser, better):
    answer = console.post(FLATTEN, WISH | {"execution": better.pk}, follow=True)

    assert answer.redirect_chain[0][0] == FLATTEN
    assert said(answer) == ["Executions being brought back: 1; left as they are: 0."]
    assert go_on(execution_id=better.pk).state == ExecutionState.COMPLETED
    html = console.get(f"/admin/strategies/execution/{better.pk}/change/").content.decode()
    assert f"{superuser.username} had the repair begun anew: end of the day" in html
    assert "begun anew" in html


def test_the_confirmed_orders_are_those_of_the_list_that_was_shown(console, better):
    shown = f'name="execution" value="{better.pk}"'
    assert shown in console.get(FLATTEN).content.decode()

    for others in ({}, {"execution": better.pk + 1}):
        answer = console.post(FLATTEN, WISH | others, follow=True)
        assert said(answer) == ["Executions being brought back: 0; left as they are: 1."]
    assert is_held(better)

    console.post(FLATTEN, WISH | {"execution": [better.pk, "?", "9" * 5_000]})
    assert not is_held(better)


@pytest.mark.parametrize(
    ("wish", "text"),
    [
        ({"reason": "x"}, "confirm that you have read the list"),
        ({"reason": " ", "confirm": "1"}, "Give a reason"),
    ],
)
def test_without_reason_or_confirmation_nothing_happens(console, better, wish, text):
    answer = console.post(FLATTEN, wish, follow=True)

    assert text in said(answer)[0]
    assert is_held(better)


def test_a_halt_of_everything_is_not_lifted(console, better):
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="odd")

    answer = console.post(FLATTEN, WISH)

    assert "trading is halted for the whole platform (odd)" in said(answer)[0]
    assert 'name="reason" value="end of the day"' in answer.content.decode()
    assert is_held(better)


def test_a_foreign_form_flattens_nothing(superuser, better):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(superuser)

    assert browser.post(FLATTEN, WISH).status_code == 403
    assert is_held(better)


def test_who_may_not_halt_trading_neither_sees_nor_flattens(staff, better):
    staff.user_permissions.add(Permission.objects.get(codename="view_execution"))
    browser = Client()
    browser.force_login(staff)

    assert browser.get(FLATTEN).status_code == 403
    assert browser.post(FLATTEN, WISH).status_code == 403
    assert is_held(better)
