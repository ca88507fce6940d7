"""The switch in the console: a POST with a token, a reason, and a permission."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from arbplatform.core.errors import ChangedMeanwhile, Message
from ledger.models import TradingChange, TradingHalt
from ledger.services import guards
from ledger.services.kill import stop_trading
from strategies.models import Strategy

pytestmark = pytest.mark.django_db

KILL = "/admin/ledger/tradinghalt/kill/"
RESUME = "/admin/ledger/tradinghalt/resume/"
OVERVIEW = "/admin/"
STRATEGIES = "/admin/strategies/strategy/"


@pytest.fixture
def page(db):
    """The page of a strategy."""
    strategy = Strategy.objects.create(name="one", type="cross-venue")
    return f"{STRATEGIES}{strategy.pk}/change/"


def said(response):
    return [str(message) for message in response.context["messages"]]


@pytest.mark.parametrize("address", [OVERVIEW, STRATEGIES])
def test_the_switch_is_on_the_overview_and_on_the_strategies(console, address):
    html = console.get(address).content.decode()

    assert f'action="{KILL}"' in html
    assert "trading is active" in html


def test_the_switch_halts_everything_and_leads_back(console, superuser):
    answer = console.post(
        KILL, {"reason": "odd"}, headers={"referer": "http://testserver" + STRATEGIES}, follow=True
    )

    assert answer.redirect_chain[0][0] == STRATEGIES
    assert said(answer)[0] == (
        "Trading is halted for the whole platform. "
        "Orders withdrawn: 0, being cancelled: 0, looked up: 0."
    )
    halt = TradingHalt.objects.get()
    assert (halt.key, halt.state, halt.changed_by) == ("global", "halted", superuser.username)
    html = console.get(OVERVIEW).content.decode()
    assert "trading is halted" in html
    assert "the whole platform: halted" in html


def test_one_strategy_can_be_halted_on_its_page_and_resumed(console, page):
    strategy = Strategy.objects.get()
    key = f"strategy:{strategy.pk}"
    assert f'name="scope" value="{key}"' in console.get(page).content.decode()

    console.post(KILL, {"reason": "odd", "scope": key})
    assert TradingHalt.objects.get().key == key
    assert "trading is restricted" in console.get(page).content.decode()

    answer = console.post(RESUME, {"reason": "fine again", "scope": key}, follow=True)
    assert "Trading goes on for the strategy one." in said(answer)
    assert TradingHalt.objects.get().state == "active"
    assert [row.reason for row in TradingChange.objects.order_by("pk")] == ["odd", "fine again"]


@pytest.mark.parametrize("address", [KILL, RESUME])
def test_nothing_happens_without_a_reason(console, address):
    answer = console.post(address, {"reason": "  "}, follow=True)

    assert any("Give a reason" in text for text in said(answer))
    assert TradingHalt.objects.count() == 0


def field(response):
    """Return the values of the fields for reasons on a page, in their order, and if it is open."""
    html = response.content.decode()
    values = re.findall(r'name="reason" value="([^"]*)"', html)
    return values, '<details class="arb-notice arb-kill" open>' in html


def test_a_reason_that_is_refused_comes_back_into_its_form(console, page):
    typed = "<b>" + "odd" * 70
    shown = "&lt;b&gt;" + "odd" * 70
    strategy = f"strategy:{Strategy.objects.get().pk}"
    back = {"referer": "http://testserver" + page}

    answer = console.post(KILL, {"reason": typed}, headers=back, follow=True)
    assert field(answer) == ([shown, ""], True)

    answer = console.post(KILL, {"reason": typed, "scope": strategy}, headers=back, follow=True)
    assert field(answer) == (["", shown], True)
    assert field(console.get(page)) == (["", ""], False)

    console.post(KILL, {"reason": "odd", "scope": strategy})
    answer = console.post(RESUME, {"reason": typed, "scope": strategy}, headers=back, follow=True)
    assert field(answer) == (["", "", shown], True)
    assert field(console.get(OVERVIEW)) == (["", ""], False)


def test_of_a_long_reason_only_its_beginning_is_kept_for_the_form(console):
    answer = console.post(KILL, {"reason": "x" * 5_000}, follow=True)

    assert field(answer) == (["x" * 1_000], True)


@pytest.mark.parametrize(
    ("language", "begin", "end"),
    [
        ("en", "There is nothing to resume: the whole platform by itself is ", " (error 1004)"),
        ("zh-hans", "没有可恢复的交易：整个平台本身既未暂停也未受限。", "（错误 1004）"),
    ],
)
def test_resuming_what_is_active_says_that_there_is_nothing_to_resume(
    console, language, begin, end
):
    asked = {"Accept-Language": language}
    answer = console.post(RESUME, {"reason": "x"}, follow=True, headers=asked)

    assert said(answer)[0].startswith(begin)
    assert said(answer)[0].endswith(end)
    assert TradingChange.objects.count() == 0


@pytest.mark.parametrize("address", [KILL, RESUME])
def test_a_link_or_a_foreign_form_switches_nothing(superuser, address):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(superuser)

    assert browser.get(address).status_code == 405
    assert browser.post(address, {"reason": "x"}).status_code == 403
    assert TradingHalt.objects.count() == 0


@pytest.mark.parametrize("address", [KILL, RESUME])
def test_who_may_not_switch_neither_sees_nor_reaches_it(staff, page, address):
    staff.user_permissions.add(Permission.objects.get(codename="view_strategy"))
    browser = Client()
    browser.force_login(staff)

    assert KILL not in browser.get(OVERVIEW).content.decode()
    assert browser.post(address, {"reason": "x"}).status_code == 403
    assert TradingHalt.objects.count() == 0


def test_states_and_their_history_have_pages(console):
    console.post(KILL, {"reason": "odd"})

    for name in ("tradinghalt", "tradingchange"):
        html = console.get(f"/admin/ledger/{name}/").content.decode()
        assert "odd" in html
        row = TradingHalt.objects.get() if name == "tradinghalt" else TradingChange.objects.get()
        assert "odd" in console.get(f"/admin/ledger/{name}/{row.pk}/change/").content.decode()


@pytest.mark.parametrize("address", [KILL, RESUME])
def test_a_scope_that_is_no_scope_is_not_taken_for_everything(console, address):
    console.post(KILL, {"reason": "x"})

    answer = console.post(address, {"reason": "y", "scope": "strategy:x"}, follow=True)

    assert "There is nothing called strategy:x. (error 1002)" in said(answer)
    assert TradingChange.objects.count() == 1


def test_of_a_guard_it_says_that_it_goes_on_by_itself(console):
    note = "It goes on by itself when the cause is gone."
    console.post(KILL, {"reason": "odd"})
    assert note not in console.get(OVERVIEW).content.decode()

    guards.hold(guard="disk@one", reason=Message("Full."))

    html = console.get(OVERVIEW).content.decode()
    assert html.count(note) == 1
    assert 'name="scope" value="guard:disk@one"' in html  # of a machine that is gone for good


def resume_form(browser):
    """Return what a browser sends of the form that resumes everything."""
    form = browser.get(OVERVIEW).content.decode().split(f'action="{RESUME}"')[1].split("</form>")[0]
    hidden = re.findall(r'<input type="hidden" name="(scope|seen)" value="([^"]*)"', form)
    return dict(hidden) | {"reason": "the venue is back"}


def test_a_restriction_is_resumed_as_it_was_shown_and_not_what_was_halted_meanwhile(console):
    stop_trading(reason="the venue is slow", is_reducing=True)
    typed = resume_form(console)
    stop_trading(reason="a key was stolen")

    answer = console.post(RESUME, typed, follow=True)

    assert f"(error {ChangedMeanwhile.code})" in said(answer)[0]
    halt = TradingHalt.objects.get()
    assert (halt.state, halt.reason) == ("halted", "a key was stolen")

    console.post(RESUME, resume_form(console))
    assert TradingHalt.objects.get().state == "active"


def test_a_halt_that_got_another_reason_is_not_resumed_unread(console):
    stop_trading(reason="a test")
    typed = resume_form(console)
    stop_trading(reason="a key was stolen")

    console.post(RESUME, typed)

    assert TradingHalt.objects.get().state == "halted"


def test_the_same_halt_once_more_keeps_nobody_from_resuming_it(console):
    stop_trading(reason="a test")
    typed = resume_form(console)
    stop_trading(reason="a test")

    console.post(RESUME, typed)

    assert TradingHalt.objects.get().state == "active"
