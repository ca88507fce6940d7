"""The kill switch over HTTP and on the command line."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from arbplatform.core.errors import NotFound
from arbplatform.wording import render
from ledger.domain.halts import HaltLevel, HaltScope
from ledger.errors import TradingHalted
from ledger.models import Order, TradingChange, TradingHalt
from ledger.selectors.halts import name_scope
from ledger.services.journal import OrderPlan, submit_orders, write_orders
from markets.domain.orders import Side
from markets.models import Market, Venue

pytestmark = pytest.mark.django_db

KILL, RESUME, RISK = "/api/risk/kill", "/api/risk/resume", "/api/risk"


@pytest.fixture
def write(accounts):
    """Return a function that writes an order at alpha."""
    market = Market.objects.get(venue__code="alpha", symbol="BTC/USDT")

    def plan():
        order = OrderPlan(
            account_id=accounts[0].pk,
            market_id=market.pk,
            strategy_id=None,
            execution_id=None,
            leg_index=0,
            side=Side.BUY,
            quantity=market.lot,
            price=market.tick,
        )
        return write_orders(plans=[order])[0]

    return plan


def state_of(api):
    return api.get(RISK).json()["data"]


def test_the_switch_halts_everything_and_says_what_it_found(staff_api, staff, write, calm):
    order = write()

    answer = staff_api.post(KILL, {"reason": "prices look wrong"}, format="json")

    assert answer.status_code == 200
    data = answer.json()["data"]
    assert (data["halt"]["level"], data["halt"]["state"]) == ("global", "halted")
    assert data["halt"]["changed_by"] == staff.username
    assert [row["id"] for row in data["withdrawn"]] == [order.pk]
    assert (data["open"], data["unknown"]) == ([], [])
    with pytest.raises(TradingHalted):
        write()
    submit_orders(order_ids=[order.pk])
    assert calm["alpha"].requests == []


def test_the_state_of_trading_is_shown_with_its_history(staff_api, user_api):
    assert state_of(user_api) == {
        "state": "active",
        "restrictions": [],
        "orders": [],
        "changes": [],
    }

    staff_api.post(KILL, {"reason": "first"}, format="json")
    staff_api.post(RESUME, {"reason": "second"}, format="json")
    staff_api.post(KILL, {"reason": "third", "is_reducing": True}, format="json")

    data = state_of(user_api)
    assert data["state"] == "reducing"
    assert [row["reason"] for row in data["restrictions"]] == ["third"]
    assert [(row["event"], row["after"]) for row in data["changes"]] == [
        ("reduce", "reducing"),
        ("resume", "active"),
        ("halt", "halted"),
    ]


def test_one_venue_can_be_halted_alone(staff_api, accounts, write):
    venue = Venue.objects.get(code="beta")

    answer = staff_api.post(
        KILL, {"reason": "x", "level": "venue", "target_id": venue.pk}, format="json"
    )

    assert answer.json()["data"]["halt"]["name"] == "the venue beta"
    assert state_of(staff_api)["state"] == "active"
    assert write().pk


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"reason": ""}, 400),
        ({"reason": "x" * 201}, 400),
        ({"reason": "x", "level": "moon"}, 400),
        ({"reason": "x", "level": "venue"}, 404),
        ({"reason": "x", "level": "venue", "target_id": 99}, 404),
        # who names one venue does not mean everything
        ({"reason": "x", "target_id": 1}, 400),
        ({"reason": "x", "venue": "beta"}, 400),
        ({"reason": "x", "guard": "disk@here"}, 400),
    ],
)
def test_a_wish_that_makes_no_sense_changes_nothing(staff_api, body, status):
    assert staff_api.post(KILL, body, format="json").status_code == status
    assert TradingHalt.objects.count() == TradingChange.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"target_id": 7}, "target_id"),
        ({"level": "guard", "guard": "disk@here", "target_id": 7}, "target_id"),
        ({"level": "venue", "target_id": 7, "guard": "disk@here"}, "guard"),
        ({"guard": "disk@here"}, "guard"),
    ],
)
def test_a_halt_of_everything_is_not_lifted_by_who_names_a_part(staff_api, refusal, body, field):
    staff_api.post(KILL, {"reason": "storm"}, format="json")

    answer = staff_api.post(RESUME, {"reason": "over", **body}, format="json")

    assert refusal(answer) == (400, 1001, [field])
    assert state_of(staff_api)["state"] == "halted"


def test_resuming_what_is_active_is_refused(staff_api, make_cross):
    strategy = make_cross()
    staff_api.post(KILL, {"reason": "storm"}, format="json")
    part = {"level": "strategy", "target_id": strategy.pk}

    answer = staff_api.post(RESUME, {"reason": "x", **part}, format="json")

    assert (answer.status_code, answer.json()["code"]) == (409, 1004)
    assert answer.json()["msg"].startswith(
        f"There is nothing to resume: the strategy {strategy.name} by itself is neither halted"
    )
    assert TradingChange.objects.count() == 1


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Nothing was changed: only orders that reduce exposure are sent for the whole "),
        ("zh-hans", "未做任何更改：整个平台已经只发送降低敞口的订单。请恢复交易，或暂停交易。"),
    ],
)
def test_restricting_what_is_restricted_is_refused(staff_api, language, text):
    body = {"reason": "x", "is_reducing": True}
    staff_api.post(KILL, body, format="json")

    answer = staff_api.post(KILL, body, format="json", headers={"Accept-Language": language})

    assert answer.status_code == 409
    assert answer.json()["msg"].startswith(text)
    assert TradingChange.objects.count() == 1


@pytest.mark.parametrize("path", [KILL, RESUME])
def test_readers_and_strangers_cannot_switch(user_api, anonymous_api, path):
    assert user_api.post(path, {"reason": "x"}, format="json").status_code == 403
    assert anonymous_api.post(path, {"reason": "x"}, format="json").status_code == 401
    assert TradingChange.objects.count() == 0


def command(*arguments):
    out = StringIO()
    call_command("kill", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_halts_and_resumes(write):
    write()

    said = command("--reason", "from a terminal")

    assert "Trading is halted for the whole platform." in said
    assert "Orders that were not sent yet and were withdrawn: 1." in said
    assert "No order is open or unknown." in said
    assert TradingHalt.objects.get().changed_by == "system"

    assert "Trading is active" in command("--resume", "--reason", "done")
    assert "Trading is reducing" in command("--reduce", "--reason", "careful")
    assert Order.objects.filter(state="rejected").count() == 1


def test_the_command_halts_one_strategy_alone(make_cross):
    strategy = make_cross()

    said = command("--reason", "odd", "--strategy", str(strategy.pk))

    assert f"the strategy {strategy.name}" in said
    assert TradingHalt.objects.get().key == f"strategy:{strategy.pk}"


def test_what_was_not_found_is_named_in_chinese(db):
    with pytest.raises(NotFound) as refusal:
        name_scope(HaltScope(HaltLevel.VENUE, 99))

    with translation.override("zh-hans"):
        assert render(refusal.value.message) == "没有编号为 99 的交易所。"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--reason", " "], "Give a reason of 1 to 200 characters."),
        (["--resume", "--reason", "x"], "There is nothing to resume: the whole platform by itself"),
        (["--reason", "x", "--venue", "99"], "There is no venue with the id 99."),
    ],
)
def test_the_command_says_why_it_did_nothing(db, arguments, text):
    with pytest.raises(CommandError) as refusal:
        command(*arguments)

    assert text in str(refusal.value)
    assert TradingChange.objects.count() == 0


@pytest.mark.usefixtures("chinese_terminal")
def test_the_command_says_in_its_own_language_that_nothing_is_halted(db):
    with pytest.raises(CommandError) as refusal:
        command("--resume", "--reason", "x")

    assert str(refusal.value).startswith("没有可恢复的交易：整个平台本身既未暂停也未受限。")
