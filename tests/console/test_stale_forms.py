"""A change page that was opened before somebody else saved undoes nothing of theirs."""

import json
from datetime import timedelta
from decimal import Decimal as D
from html import unescape

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts.domain.limits import TransferLimits
from accounts.models import VenueAccount
from accounts.services import limits as transfer_limits
from accounts.services.accounts import update_account
from arbplatform.console.stale_forms import SEEN, CarefulForms
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import ChangedMeanwhile
from arbplatform.notices.models import NoticeChannel
from markets.models import Venue
from markets.services.venues import update_venue
from strategies.domain.risk import Limits
from strategies.models import RiskLimits, Strategy
from strategies.services.risk import save_limits
from strategies.services.strategies import update_strategy

pytestmark = pytest.mark.django_db

STALE = (
    "This was changed after you opened the page, so nothing was saved. What it is now stands "
    "beside what you typed. Correct that, or save again to put yours in its place. "
    f"(error {ChangedMeanwhile.code})"
)
NO_BALANCES = {"balances-TOTAL_FORMS": "0", "balances-INITIAL_FORMS": "0"}


@pytest.fixture
def colleague():
    """A second person with a browser of their own."""
    person = get_user_model().objects.create_superuser("colleague", password="x")
    client = Client()
    client.force_login(person)
    return client


def address_of(row):
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/"


def typed_in(form):
    """Return what a browser sends of a form, as it stands on its page."""
    typed = {}
    for bound in form:
        value = bound.value()
        if value is True:
            typed[bound.html_name] = "on"
        elif value not in (None, False, ""):
            typed[bound.html_name] = value
    return typed


def opened(browser, row):
    """Open a row's page and return what its form would send."""
    response = browser.get(address_of(row))
    assert response.status_code == 200
    typed = typed_in(response.context["adminform"].form)
    form = response.content.decode().partition("<form ")[2].rpartition("</form>")[0]
    assert f'name="{SEEN}"' in form
    assert typed[SEEN] in unescape(form)
    return typed


def complaints(response):
    assert response.status_code == 200
    form = response.context["adminform"].form
    return {name: list(texts) for name, texts in form.errors.items()}


def test_limits_that_somebody_else_changed_are_not_undone(console, colleague):
    row = save_limits(strategy_id=None, limits=Limits(day_loss_max=D(100), open_executions_max=5))
    mine, theirs = opened(console, row), opened(colleague, row)
    assert colleague.post(address_of(row), theirs | {"day_loss_max": "20"}).status_code == 302

    answer = console.post(address_of(row), mine | {"open_executions_max": "9"})

    found = complaints(answer)
    stale, who = found.pop("__all__")
    assert stale == STALE
    assert who.startswith("colleague at ")
    assert who.endswith(": loss of one UTC day: 20")
    # what was not touched is as it was, so that what was typed is the only thing that differs
    assert found == {"day_loss_max": ["Meanwhile it is: 20"]}
    row.refresh_from_db()
    assert (row.day_loss_max, row.open_executions_max) == (D(20), 5)
    page = unescape(answer.content.decode())
    assert STALE in page
    assert "Meanwhile it is: 20" in page
    assert 'name="open_executions_max" value="9"' in page


def test_who_has_seen_what_it_is_meanwhile_may_save_again(console):
    row = save_limits(strategy_id=None, limits=Limits(day_loss_max=D(100)))
    mine = opened(console, row)
    save_limits(strategy_id=None, limits=Limits(day_loss_max=D(20)))
    shown = console.post(address_of(row), mine | {"day_loss_max": "50"})

    again = typed_in(shown.context["adminform"].form)

    assert again["day_loss_max"] == "50"
    assert console.post(address_of(row), again).status_code == 302
    row.refresh_from_db()
    assert row.day_loss_max == D(50)


def test_who_saves_again_is_stopped_again_by_one_more_change(console):
    row = save_limits(strategy_id=None, limits=Limits(day_loss_max=D(100)))
    mine = opened(console, row)
    save_limits(strategy_id=None, limits=Limits(day_loss_max=D(20)))
    shown = console.post(address_of(row), mine | {"day_loss_max": "50"})
    save_limits(strategy_id=None, limits=Limits(day_loss_max=D(10)))

    answer = console.post(address_of(row), typed_in(shown.context["adminform"].form))

    assert complaints(answer)["day_loss_max"] == ["Meanwhile it is: 10"]
    row.refresh_from_db()
    assert row.day_loss_max == D(10)


def test_a_second_click_on_save_is_no_change_of_somebody_else(console):
    row = save_limits(strategy_id=None, limits=Limits(day_loss_max=D(100)))
    mine = opened(console, row) | {"day_loss_max": "50"}

    assert console.post(address_of(row), mine).status_code == 302
    assert console.post(address_of(row), mine).status_code == 302


def test_a_refused_value_does_not_make_the_page_a_new_one(console):
    row = save_limits(strategy_id=None, limits=Limits(day_loss_max=D(100)))
    mine = opened(console, row)
    shown = console.post(address_of(row), mine | {"venue_share_max": "2"})
    assert complaints(shown) == {"venue_share_max": ["Give a share from 0 to 1."]}
    save_limits(strategy_id=None, limits=Limits(day_loss_max=D(20)))

    again = typed_in(shown.context["adminform"].form) | {"venue_share_max": "0.5"}

    assert complaints(console.post(address_of(row), again))["day_loss_max"] == [
        "Meanwhile it is: 20"
    ]


def test_limits_for_all_that_are_there_are_not_replaced_by_adding_some(console):
    save_limits(strategy_id=None, limits=Limits(day_loss_max=D(100)))
    staff = get_user_model().objects.create_user("staff", is_staff=True)
    transfer_limits.save_limits(account_id=None, limits=TransferLimits(D(7)), user=staff)

    for app, model in (("strategies", "risklimits"), ("accounts", "transferlimit")):
        answer = console.post(f"/admin/{app}/{model}/add/", {"open_executions_max": "9"})

        text = "There are limits for all already. Open those and change them. (error 1003)"
        assert complaints(answer) == {"__all__": [text]}
    assert RiskLimits.objects.get().day_loss_max == D(100)


def test_parameters_changed_over_the_api_are_not_undone(console, platform):
    strategy = platform.strategies[2]
    mine = opened(console, strategy)
    update_strategy(strategy_id=strategy.pk, params={"max_notional": "77"}, is_params_whole=False)

    answer = console.post(address_of(strategy), mine | {"name": "renamed"})

    found = complaints(answer)
    stale, who = found.pop("__all__")
    assert stale == STALE
    assert who.startswith("That was done over the API or by the platform itself, at ")
    assert found == {"params__max_notional": ["Meanwhile it is: 77"]}
    strategy.refresh_from_db()
    assert (strategy.name, strategy.params["max_notional"]) == ("idle", "77")


def test_accounts_and_driver_of_a_strategy_are_told_by_their_names(console, platform):
    strategy = platform.strategies[2]
    mine = opened(console, strategy)
    strategy.accounts.remove(platform.accounts[1])
    Strategy.objects.filter(pk=strategy.pk).update(driver="stream")

    found = complaints(console.post(address_of(strategy), mine))

    assert found["__all__"][0] == STALE
    assert found["accounts"] == [f"Meanwhile it is: {platform.accounts[0]}"]
    assert found["driver"] == ["Meanwhile it is: stream"]


def test_a_form_of_another_type_of_strategy_is_not_saved(console, platform):
    strategy = platform.strategies[2]
    mine = opened(console, strategy)
    Strategy.objects.filter(pk=strategy.pk).update(type="triangular", params={})

    assert STALE in complaints(console.post(address_of(strategy), mine))["__all__"]


def test_a_key_that_somebody_else_has_replaced_is_not_replaced_again(console, platform):
    account = platform.accounts[0]
    mine = opened(console, account)
    update_account(account_id=account.pk, api_key="their-own-new-key-1234")

    answer = console.post(
        address_of(account), mine | {"new_api_key": "my-key-which-is-old", "label": "main"}
    )

    tail = VenueAccount.objects.get(pk=account.pk).api_key_tail
    assert complaints(answer)["new_api_key"] == [f"Meanwhile it is: {tail}"]
    assert tail.endswith("1234")
    assert "my-key-which-is-old" not in answer.content.decode()


def test_an_account_whose_key_was_replaced_is_changed_otherwise_as_ever(console, platform):
    account = platform.accounts[0]
    mine = opened(console, account)
    update_account(account_id=account.pk, api_key="their-own-new-key-1234")

    typed = mine | NO_BALANCES | {"label": "other"}
    assert console.post(address_of(account), typed).status_code == 302

    assert VenueAccount.objects.get(pk=account.pk).label == "other"


def test_a_venue_a_schedule_and_a_channel_are_not_undone(console, platform):
    venue = platform.accounts[0].venue
    every = IntervalSchedule.objects.create(every=7, period="seconds")
    task = PeriodicTask.objects.create(name="mine", task="a.b", interval=every)
    channel = NoticeChannel.objects.get()
    opened_before = {row: opened(console, row) for row in (venue, task, every, channel)}
    update_venue(venue_id=venue.pk, is_enabled=False)
    PeriodicTask.objects.filter(pk=task.pk).update(enabled=False)
    IntervalSchedule.objects.filter(pk=every.pk).update(every=9)
    NoticeChannel.objects.filter(pk=channel.pk).update(name="theirs")

    wrong = {
        row._meta.model: {
            name: texts
            for name, texts in complaints(console.post(address_of(row), mine)).items()
            if name != "__all__"
        }
        for row, mine in opened_before.items()
    }

    assert wrong == {
        Venue: {"is_enabled": ["Meanwhile it is: no"]},
        PeriodicTask: {"enabled": ["Meanwhile it is: no"]},
        IntervalSchedule: {"every": ["Meanwhile it is: 9"]},
        NoticeChannel: {"name": ["Meanwhile it is: theirs"]},
    }


def test_only_those_are_told_who_saved_after_the_page_was_opened(console, colleague):
    row = save_limits(strategy_id=None, limits=Limits(day_loss_max=D(100)))
    for value in ("99", "98"):
        colleague.post(address_of(row), opened(colleague, row) | {"day_loss_max": value})
    mine = opened(console, row)
    colleague.post(address_of(row), opened(colleague, row) | {"day_loss_max": "97"})

    told = complaints(console.post(address_of(row), mine))["__all__"]

    assert len(told) == 2
    assert told[1].endswith(": loss of one UTC day: 97")


def test_saves_of_other_pages_are_told_with_their_fields(console, colleague, platform):
    venue = platform.accounts[0].venue
    mine = opened(console, venue)
    colleague.post(address_of(venue), opened(colleague, venue) | {"name": "Theirs"})

    _stale, who = complaints(console.post(address_of(venue), mine))["__all__"]

    assert who.startswith("colleague at ")
    assert "Name" in who


@pytest.mark.parametrize(
    "sent", ["{}", "x", "[1]", "[" * 100_000, '{"at": 1}', '{"at": "9999-12-31", "fields": 1}']
)
def test_fingerprints_that_are_none_of_ours_let_nothing_through(console, sent):
    row = save_limits(strategy_id=None, limits=Limits(day_loss_max=D(100)))

    answer = console.post(address_of(row), {"day_loss_max": "50", SEEN: sent})

    assert STALE in complaints(answer)["__all__"]


def test_fingerprints_tell_nothing_without_the_key(console, settings):
    row = save_limits(strategy_id=None, limits=Limits(day_loss_max=D(100)))
    first = json.loads(opened(console, row)[SEEN])["fields"]
    other = save_limits(strategy_id=None, limits=Limits(day_loss_max=D(100)))
    assert json.loads(opened(console, other)[SEEN])["fields"] == first
    assert len(set(first.values())) == len(first)  # fields that are equally empty do not look it

    settings.SECRET_KEY = "another one"
    client = Client()
    client.force_login(get_user_model().objects.get())

    second = json.loads(opened(client, row)[SEEN])["fields"]
    assert all(second[name] != first[name] for name in first)


def test_every_page_that_changes_something_is_careful(rf, superuser):
    request = rf.get("/admin/")
    request.user = superuser
    careless = [
        model._meta.label
        for model, page in admin.site._registry.items()
        if page.has_change_permission(request) and not isinstance(page, CarefulForms)
    ]

    assert careless == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_the_row_is_kept_from_the_comparison_until_it_is_saved(console):
    row = save_limits(strategy_id=None, limits=Limits(day_loss_max=D(100)))
    mine = opened(console, row)

    with CaptureQueriesContext(
        connection,
    ) as captured:
        console.post(address_of(row), mine | {"day_loss_max": "50"})

    about = [query["sql"] for query in captured if "risklimits" in query["sql"]]
    lock, *later = about[next(n for n, sql in enumerate(about) if "FOR NO KEY UPDATE" in sql) :]
    assert "day_loss_max" not in lock  # it is not yet the service's own
    assert later[0].startswith("SELECT")
    assert "day_loss_max" in later[0]


def test_the_time_of_a_page_is_when_it_was_opened(console):
    row = save_limits(strategy_id=None, limits=Limits())

    at = json.loads(opened(console, row)[SEEN])["at"]

    assert abs(SYSTEM_CLOCK.now().fromisoformat(at) - SYSTEM_CLOCK.now()) < timedelta(minutes=1)
