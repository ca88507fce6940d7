"""USDT, USDC and USD never stand for one another, and a coin 0.5 % off its peg is not traded."""

from datetime import timedelta
from decimal import Decimal as D

import pytest
from django.utils import timezone

from ledger.domain.pnl import derive_prices, value_amounts
from ledger.selectors import value_in_reporting
from markets.models import Asset
from strategies.domain.risk import Limits
from strategies.errors import InvalidParams
from strategies.models import Opportunity, PegReading, Reason
from strategies.services.pegs import list_references, measure_pegs
from strategies.services.risk import save_limits
from strategies.services.setups import SETUPS
from strategies.tasks import measure_pegs as measure_pegs_task
from tests.strategies.faults.play import is_denied, tick

pytestmark = pytest.mark.django_db


@pytest.fixture
def reference(edge, venues):
    """A third venue on which USDC is traded against USDT."""
    venues.add("gamma", symbols=["USDC/USDT", "BTC/USDC"], free={"USDT": "1"})
    SETUPS.clear()

    def show(price):
        venues["gamma"].set_book("USDC/USDT", bids=[(price, "5")], asks=[(price, "5")])
        venues["gamma"].set_book("USDC/USDT", bids=[(price, "5")], asks=[(price + "1", "5")])
        return measure_pegs()

    return show


def test_a_depegged_coin_is_denied_with_the_market_that_says_so(cross, edge, reference):
    reference("0.9940")

    tick(cross)

    assert is_denied(edge, Reason.DEPEG)
    context = Opportunity.objects.get().evidence["denial"]["context"]
    assert (context["symbol"], context["venue"], context["limit"]) == ("USDC/USDT", "gamma", "50")


def test_a_peg_that_holds_lets_trade(cross, edge, reference):
    reference("0.9980")

    assert tick(cross) is not None


def test_a_peg_that_nobody_measured_is_not_taken_for_granted(cross, edge, reference):
    tick(cross)

    assert is_denied(edge, Reason.PEG_UNKNOWN)


def test_a_measurement_grows_old_when_the_reference_shows_nothing(cross, edge, venues, reference):
    reference("1.0000")
    PegReading.objects.update(measured_at=timezone.now() - timedelta(minutes=6))
    venues["gamma"].is_reachable = False
    assert measure_pegs() == []

    tick(cross)

    assert is_denied(edge, Reason.PEG_UNKNOWN)


def test_a_person_may_lift_the_guard(cross, edge, reference):
    reference("0.9000")
    save_limits(strategy_id=cross.pk, limits=Limits(depeg_bps_max=D(2_000)))

    assert tick(cross) is not None


def test_only_configured_references_count(cross, edge, reference, settings):
    reference("0.9000")
    settings.PEG_REFERENCES = ["kraken:USDC/USD"]
    SETUPS.clear()

    assert list_references() == []
    assert tick(cross) is not None


def test_the_scheduled_task_measures_what_there_is(reference):
    reference("1.0000")

    assert measure_pegs_task() == 1
    row = PegReading.objects.get()
    assert (row.mid, str(row)) == (D("1.000005"), "USDC/USDT @ gamma")


def test_without_a_market_between_them_one_says_nothing_about_the_other(db):
    for code in ("USDC", "USDT"):
        Asset.objects.get_or_create(code=code)

    assert value_in_reporting({"USDC": D(5)}).unpriced == ("USDC",)
    prices = derive_prices({("USDC", "USDT"): D("0.9")}, "USDT")
    assert value_amounts({"USDC": D(5)}, {"USDC": prices["USDC"][0]}).total == D("4.5")


def test_pairs_against_two_of_them_are_not_one_arbitrage(make_cross):
    with pytest.raises(InvalidParams):
        make_cross(symbols=["BTC/USDT", "BTC/USDC"])
