"""What a tick found, for people: bounded, translatable, exact."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
from django.utils import translation

from arbplatform.core.errors import Message
from arbplatform.core.sentences import message_from_json, message_to_json
from markets.errors import VenueUnavailable
from strategies.models import Decision, Reason
from strategies.sdk import Evaluation, ExecutionMode, Intent, MarketKey, Rejection
from strategies.services.decisions import (
    SHOWN_MAX,
    BookFailure,
    Findings,
    describe_findings,
    render_decision,
)
from strategies.services.opportunities import LeftIntent


def findings(*, rejections=(), failures=()):
    return Findings(
        at=datetime(2026, 1, 1, tzinfo=UTC),
        evaluation=Evaluation(rejections=tuple(rejections)),
        failures=tuple(failures),
        executions=(),
        left=(),
    )


def rejection(edge_bps, subject="BTC/USDT"):
    return Rejection(
        subject=subject,
        code="edge_below_min",
        message=Message("The edge is {edge} bps.", {"edge": D("1.50")}),
        edge_bps=None if edge_bps is None else D(edge_bps),
    )


def test_the_nearest_misses_come_first_and_those_without_an_edge_last():
    described = describe_findings(
        findings(rejections=[rejection(None), rejection("-3"), rejection("4"), rejection("-1")])
    )

    assert [row["edge_bps"] for row in described["rejections"]] == ["4", "-1", "-3", None]


def test_what_is_kept_is_bounded_but_counted():
    lost = VenueUnavailable(venue="alpha", cause="no answer")
    described = describe_findings(
        findings(
            rejections=[rejection(str(number)) for number in range(50)],
            failures=[
                BookFailure(MarketKey("alpha", f"A{number}/B"), lost) for number in range(50)
            ],
        )
    )

    assert described["rejection_count"] == 50
    assert len(described["rejections"]) == len(described["missing_books"]) == SHOWN_MAX


def test_a_secret_that_a_venue_or_a_denial_repeats_is_masked():
    intent = Intent(
        summary="all of it",
        legs=(),
        mode=ExecutionMode.PARALLEL,
        edge_bps=D(1),
        notional=D(1),
        expected_profit=D(1),
        profit_asset="USDT",
    )
    denial = Message("Refused: {cause}", {"cause": "token=5up3r5ecret"})
    lost = VenueUnavailable(venue="alpha", cause="{'signature': '5up3r5ecret'}")
    described = describe_findings(
        replace(
            findings(failures=[BookFailure(MarketKey("alpha", "A/B"), lost)]),
            left=(LeftIntent(intent, Decision.DENIED, Reason.FUNDS_RESERVED, denial),),
        )
    )

    (left,), (missing,) = described["left"], described["missing_books"]
    assert left["message"]["context"] == {"cause": "token=***"}
    assert missing["message"]["context"] == {"venue": "alpha", "cause": "{'signature': ***}"}


def test_a_sentence_survives_as_template_and_exact_values():
    message = Message(
        "{a} {b} {c} {d}",
        {"a": D("1.10"), "b": 2, "c": Message("inner {x}", {"x": D("0.50")}), "d": (1, 2)},
    )

    stored = message_to_json(message)

    assert stored["context"]["a"] == "1.1"
    assert str(message_from_json(stored)) == "1.1 2 inner 0.5 (1, 2)"


def test_an_empty_decision_can_be_shown():
    assert render_decision({}) == {"rejections": [], "missing_books": [], "left": []}


@pytest.mark.parametrize(("language", "text"), [("en", "an account is disabled")])
def test_reasons_are_shown_in_the_readers_language(language, text):
    decision = {"left": [{"reason": "account_disabled"}, {"reason": "from_the_future"}]}

    with translation.override(language):
        rows = render_decision(decision)["left"]

    assert [row["reason_text"] for row in rows] == [text, "from_the_future"]


def test_rejections_are_shown_as_sentences():
    decision = describe_findings(findings(rejections=[rejection("1")]))

    assert render_decision(decision)["rejections"][0]["message"] == "The edge is 1.5 bps."
