"""What went wrong with an order is told to each reader in their own language."""

import pytest
from django.urls import reverse
from django.utils import translation

from arbplatform.core.errors import Message
from arbplatform.wording import render
from ledger.models import LogEntry, Order
from ledger.services.journal import cancel_order, resolve_unknown, submit_orders
from ledger.services.sending import Refused
from ledger.services.spooling import to_fact, to_outcome
from markets.errors import OutcomeUnknown, VenueRejected, VenueUnavailable

LANGUAGES = ["en", "zh-hans"]
REFUSAL = VenueUnavailable(venue="alpha", cause=Message("no answer within the time limit"))
TEXTS = {
    "en": "The venue alpha cannot be reached: no answer within the time limit. "
    "Nothing was changed; try again later.",
    "zh-hans": "无法连接交易所 alpha：未在时限内应答。未做任何更改，请稍后再试。",
}
OLD = "The venue alpha refused the request: {NOTIONAL} 100 %"


@pytest.fixture
def refuse(order, venue, clock):
    """Have the order refused for a reason; returns it as it is then."""

    def refuse(error):
        def fail(_request):
            raise error

        venue.before_submit = fail
        return submit_orders(order_ids=[order.pk], clock=clock)[0]

    return refuse


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refusal_is_shown_in_the_readers_language(refuse, console, user_api, language):
    order = refuse(REFUSAL)

    asked = {"headers": {"Accept-Language": language}}
    shown = user_api.get(f"/api/orders/{order.pk}", **asked).json()["data"]
    assert (shown["error_code"], shown["error"]) == (REFUSAL.code, TEXTS[language])
    (line,) = user_api.get("/api/logs", **asked).json()["data"]["results"]
    assert TEXTS[language] in line["message"]
    for address in (
        reverse("admin:ledger_order_changelist"),
        reverse("admin:ledger_order_change", args=[order.pk]),
        reverse("admin:strategies_execution_change", args=[order.execution_id]),
    ):
        page = console.get(address, **asked).content.decode()
        assert TEXTS[language] in page, address
        assert "template" not in page.partition(TEXTS[language])[2][:200]


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_error_that_was_kept_as_text_is_shown_as_it_was(order, console, user_api, language):
    Order.objects.filter(pk=order.pk).update(error=OLD, error_code=2001)

    asked = {"headers": {"Accept-Language": language}}
    assert user_api.get(f"/api/orders/{order.pk}", **asked).json()["data"]["error"] == OLD
    assert OLD in console.get(reverse("admin:ledger_order_changelist"), **asked).content.decode()


def test_an_order_that_is_not_found_says_how_often_it_was_looked_for(order, venue, clock):
    def lose(_request):
        raise OutcomeUnknown(venue="alpha", cause=Message("no answer within the time limit"))

    venue.before_submit = lose
    submit_orders(order_ids=[order.pk], clock=clock)
    clock.advance_ms(1_000)

    missed = resolve_unknown(order_id=order.pk, clock=clock)

    assert str(missed.to_error()) == "alpha knows no such order: 1 look-ups"
    with translation.override("zh-hans"):
        assert "已查询 1 次" in render(missed.to_error())


def test_a_withdrawn_order_says_so_in_chinese(order, clock):
    withdrawn = cancel_order(order_id=order.pk, clock=clock)

    assert str(withdrawn.to_error()) == "Withdrawn before it was sent."
    with translation.override("zh-hans"):
        assert render(withdrawn.to_error()) == "在发送之前已撤回。"


def test_a_secret_that_a_venue_repeats_is_kept_nowhere(refuse):
    order = refuse(VenueRejected(venue="alpha", cause='{"apiKey": "5up3r5ecret"} signature=5up3r'))

    assert "5up3r" not in order.error
    assert "***" in str(order.to_error())
    assert "5up3r" not in str(LogEntry.objects.get().context)


def test_a_spooled_refusal_keeps_its_sentence(order):
    fact = to_fact(order, Refused(REFUSAL), at_ms=0)

    outcome = to_outcome(fact)

    assert isinstance(outcome, Refused)
    assert outcome.error.code == REFUSAL.code
    with translation.override("zh-hans"):
        assert render(outcome.error.message) == TEXTS["zh-hans"]


def test_a_refusal_that_was_spooled_as_text_is_taken_as_it_was(order):
    fact = to_fact(order, Refused(REFUSAL), at_ms=0) | {"error": OLD}

    outcome = to_outcome(fact)

    assert isinstance(outcome, Refused)
    assert outcome.error.message == Message(OLD)


def test_a_log_line_about_an_order_names_its_side_in_the_readers_language(refuse):
    refuse(REFUSAL)

    line = LogEntry.objects.get(event="order_rejected").to_message()

    assert "(buy " in render(line)
    with translation.override("zh-hans"):
        assert "买入" in render(line)
        assert "buy" not in render(line)
