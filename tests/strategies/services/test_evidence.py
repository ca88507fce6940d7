"""A decision is made again from its row."""

import pytest

from arbplatform.core.errors import NotFound
from ledger.models import Order
from strategies.models import Opportunity
from strategies.services.evidence import recompute
from strategies.services.ticks import run_tick

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["cross", "triangular"])
def opportunity(request):
    strategy = request.getfixturevalue(request.param)
    request.getfixturevalue({"cross": "edge", "triangular": "triangle"}[request.param])
    run_tick(strategy_id=strategy.pk)
    return Opportunity.objects.get()


def test_the_same_decision_comes_out_of_the_evidence_and_nothing_is_traded(opportunity):
    orders = Order.objects.count()

    check = recompute(opportunity_id=opportunity.pk)

    assert check.matches
    assert check.differences == ()
    assert Order.objects.count() == orders


def test_a_row_that_was_altered_is_found_out(opportunity):
    evidence = opportunity.evidence
    evidence["intent"]["legs"][0]["quantity"] = "7"
    evidence["intent"]["expected_profit"] = "1000000"
    opportunity.save()

    check = recompute(opportunity_id=opportunity.pk)

    assert not check.matches
    names = [str(difference.context["name"]) for difference in check.differences]
    assert names == ["expected_profit", "leg 1 quantity"]


def test_the_age_that_the_gate_used_is_stated_and_follows_from_the_evidence(opportunity):
    evidence = opportunity.evidence
    for book in evidence["books"]:
        assert book["proven_by"] == "read"
        assert book["age_ms"] == evidence["now_ms"] - book["proven_at_ms"]
    evidence["books"][0]["received_at_ms"] -= 60_000
    opportunity.save()

    check = recompute(opportunity_id=opportunity.pk)

    symbol, venue = evidence["books"][0]["symbol"], evidence["books"][0]["venue"]
    assert [str(difference) for difference in check.differences] == [
        f"The age of {symbol} on {venue} does not follow from the evidence."
    ]


def test_evidence_from_before_ages_were_stated_is_still_decided_on(opportunity):
    for book in opportunity.evidence["books"]:
        for name in ("heard_at_ms", "look", "told_at_ms", "proven_at_ms", "proven_by", "age_ms"):
            del book[name]
    opportunity.save()

    assert recompute(opportunity_id=opportunity.pk).matches


def test_evidence_that_no_longer_carries_the_decision_is_found_out(opportunity):
    evidence = opportunity.evidence
    for book in evidence["books"]:
        book["bids"], book["asks"] = [], []
    opportunity.save()

    check = recompute(opportunity_id=opportunity.pk)

    assert [str(difference) for difference in check.differences] == [
        "The plugin would not trade on it now."
    ]


@pytest.mark.parametrize(
    "evidence",
    [{}, {"version": 99}, {"version": 1}, {"version": 1, "books": 3, "rules": None}],
)
def test_damaged_evidence_is_said_to_be_so(opportunity, evidence):
    Opportunity.objects.update(evidence=evidence)

    check = recompute(opportunity_id=opportunity.pk)

    assert not check.matches
    assert len(check.differences) == 1


def test_a_type_that_is_not_installed_any_more_is_said_to_be_so(opportunity, settings):
    settings.STRATEGY_PACKAGES = []

    check = recompute(opportunity_id=opportunity.pk)

    assert "There is no strategy type" in str(check.differences[0])


def test_there_must_be_an_opportunity(db):
    with pytest.raises(NotFound):
        recompute(opportunity_id=4711)
