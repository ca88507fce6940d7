"""Why trading is restricted: our own reasons in each reader's language, typed ones as they are."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import translation

from accounts.models import VenueAccount
from arbplatform.alarms import AlarmWatch
from arbplatform.authors import say_author
from arbplatform.core.errors import Message
from arbplatform.notices.models import Alarm
from arbplatform.persistence.sentences import keep_sentence
from arbplatform.wording import render
from ledger.domain.halts import EVERYTHING, TradingEvent
from ledger.errors import TradingHalted
from ledger.models import Discrepancy, DiscrepancyKindChoice, LogEntry, Order, TradingHalt
from ledger.services import guards
from ledger.services.conditions import heed_account, heed_venue
from ledger.services.discrepancies import alarm_due
from ledger.services.halts import change_trading
from ledger.services.journal import submit_orders, write_orders
from markets.domain.health import VenueState
from markets.errors import VenueAuthFailed
from markets.models import Venue

pytestmark = pytest.mark.django_db

LANGUAGES = ["en", "zh-hans"]
FULL = Message("{used} % of the disk of the data directory are in use.", {"used": 97})
TEXTS = {
    "en": "97 % of the disk of the data directory are in use.",
    "zh-hans": "数据目录所在磁盘已使用 97%。",
}
PAGES = [
    "/admin/",
    reverse("admin:ledger_tradinghalt_changelist"),
    reverse("admin:ledger_tradingchange_changelist"),
]


def reason_of(language):
    """Return the reason of the only restriction as a reader of a language gets it."""
    with translation.override(language):
        return render(TradingHalt.objects.get().to_reason())


@pytest.mark.parametrize("kept_in", LANGUAGES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reason_of_the_platform_is_shown_in_the_readers_language(
    console, user_api, language, kept_in
):
    with translation.override(kept_in):
        guards.hold(guard="disk@one", reason=FULL)

    asked = {"headers": {"Accept-Language": language}}
    data = user_api.get("/api/risk", **asked).json()["data"]
    assert data["restrictions"][0]["reason"] == data["changes"][0]["reason"] == TEXTS[language]
    (line,) = user_api.get("/api/logs", **asked).json()["data"]["results"]
    assert line["message"].endswith(TEXTS[language])
    halt = TradingHalt.objects.get()
    single = reverse("admin:ledger_tradinghalt_change", args=[halt.pk])
    change = reverse("admin:ledger_tradingchange_change", args=[halt.changes.get().pk])
    for address in (*PAGES, single, change):
        page = console.get(address, **asked).content.decode()
        assert TEXTS[language] in page, address
        assert "template" not in page.partition(TEXTS[language])[2][:200], address


@pytest.mark.parametrize(("language", "who"), [("en", "system"), ("zh-hans", "系统")])
def test_who_restricted_trading_is_named_in_the_readers_language(console, user_api, language, who):
    guards.hold(guard="disk@one", reason=FULL)

    asked = {"headers": {"Accept-Language": language}}
    overview, *lists = [console.get(page, **asked).content.decode() for page in PAGES]
    assert f"({who}, " in overview
    assert [bool(re.search(rf">\s*{who}\s*<", page)) for page in lists] == [True, True]
    (line,) = user_api.get("/api/logs", **asked).json()["data"]["results"]
    assert line["message"].startswith(who)


def test_a_person_whose_name_is_a_word_of_the_catalogue_is_named_as_it_is():
    with translation.override("zh-hans"):
        assert (say_author("halted"), say_author("system")) == ("halted", "系统")


@pytest.mark.parametrize("name", ["system", "System", "系统"])
def test_a_person_who_is_called_like_the_platform_is_named_with_their_number(console, name):
    user = get_user_model().objects.create_user(username=name)
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="storm", user=user)

    named = f"{name} (#{user.pk})"
    assert TradingHalt.objects.get().changed_by == named
    for language in LANGUAGES:
        assert (
            named in console.get(PAGES[2], headers={"Accept-Language": language}).content.decode()
        )
        with translation.override(language):
            assert render(LogEntry.objects.get().to_message()).startswith(named)


def test_a_log_line_about_a_halt_names_its_scope_in_the_readers_language(alpha):
    Venue.objects.update(state=VenueState.BANNED)
    heed_venue(venue_id=alpha[0].venue_id)

    with translation.override("zh-hans"):
        said = render(LogEntry.objects.get().to_message())

    assert "the venue" not in said
    assert "alpha" in said


@pytest.mark.parametrize("kept_in", LANGUAGES)
def test_a_refused_order_says_in_the_readers_language_why_it_was_not_sent(order, kept_in):
    with translation.override(kept_in):
        guards.hold(guard="disk@one", reason=FULL)
        (done,) = submit_orders(order_ids=[order.pk])

    error = Order.objects.get(pk=done.pk).to_error()
    assert render(error) == (
        "Nothing was sent, since trading is reducing only for the whole platform, by the guard "
        f"disk@one. It goes on by itself when the cause is gone. Reason: {TEXTS['en']}"
    )
    with translation.override("zh-hans"):
        assert TEXTS["zh-hans"] in render(error)
        assert "只减仓" in render(error)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_alarm_says_why_in_the_readers_language(language):
    guards.hold(guard="disk@one", reason=FULL)

    AlarmWatch().look()

    alarm = Alarm.objects.get(key__startswith="trading:")
    with translation.override(language):
        assert render(alarm.to_message()).endswith(TEXTS[language])


@pytest.mark.parametrize(
    "typed",
    [
        "halted",  # a word of the catalogue
        "odd {prices} of 100 %",
        keep_sentence(Message("Redis answers again.")),
        '{"template":"cut',
    ],
)
def test_what_a_person_typed_is_shown_as_it_was_typed(user_api, make_plan, typed):
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason=typed)

    asked = {"headers": {"Accept-Language": "zh-hans"}}
    data = user_api.get("/api/risk", **asked).json()["data"]
    assert [row["reason"] for row in data["restrictions"] + data["changes"]] == [typed, typed]
    with pytest.raises(TradingHalted) as refusal:
        write_orders(plans=[make_plan()])
    assert str(refusal.value).endswith(f"Reason: {typed}")


def test_a_reason_with_what_no_database_takes_halts_all_the_same(db):
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason=" storm\udcff, \x00\nsell ")

    halt = TradingHalt.objects.get()
    assert (halt.state, halt.reason, halt.changes.get().reason) == (
        "halted",
        "storm , sell",
        "storm , sell",
    )
    assert render(LogEntry.objects.get().to_message()).endswith(": storm , sell")


def test_a_reason_that_was_kept_as_text_is_shown_as_it_was(console, user_api):
    guards.hold(guard="redis@one", reason=Message("Redis does not answer."))
    TradingHalt.objects.update(reason="Redis does not answer.")  # by an older release

    asked = {"headers": {"Accept-Language": "zh-hans"}}
    (halt,) = user_api.get("/api/risk", **asked).json()["data"]["restrictions"]
    assert halt["reason"] == "Redis does not answer."
    assert "Redis does not answer." in console.get(PAGES[1], **asked).content.decode()


def test_a_state_of_a_venue_is_a_reason_in_each_language(alpha):
    why = Message("{count} calls in a row failed: {cause}", {"count": 5, "cause": "-"})
    Venue.objects.update(state=VenueState.DEGRADED, state_reason=keep_sentence(why))

    with translation.override("zh-hans"):  # of the process
        heed_venue(venue_id=alpha[0].venue_id)

    assert reason_of("en") == "degraded: 5 calls in a row failed: -"
    assert "calls" not in reason_of("zh-hans")
    assert "degraded" not in reason_of("zh-hans")


def test_a_refused_key_is_a_reason_in_each_language(alpha):
    account = alpha[0]
    error = VenueAuthFailed(venue="alpha", cause="no such key")
    VenueAccount.objects.update(test_error=keep_sentence(error.message), test_error_code=error.code)

    heed_account(account_id=account.pk)

    assert reason_of("en") == str(error)
    assert reason_of("zh-hans") != str(error)
    VenueAccount.objects.update(test_error="", test_error_code=None)
    heed_account(account_id=account.pk)
    assert reason_of("en") == "The key works."
    assert reason_of("zh-hans") == "密钥可用。"


def test_a_reason_of_reconciliation_is_kept_whole_however_long_it_is(alpha, clock):
    what = Message("{account}: {difference}", {"account": "alpha main", "difference": "9" * 300})
    Discrepancy.objects.create(
        account=alpha[0],
        kind=DiscrepancyKindChoice.BALANCE,
        subject="BTC",
        template=what.template,
        context=dict(what.context),
        is_grave=True,
        first_seen_at=clock.now(),
        last_seen_at=clock.now(),
        seen_count=1,
    )

    assert alarm_due(account=alpha[0], clock=clock) == 1

    assert reason_of("en") == f"Reconciliation: {what}"
    assert reason_of("zh-hans") == f"对账：{what}"
