from decimal import Decimal as D

import pytest
from django.utils import translation

from arbplatform.wording import render
from markets.domain.fees import FeeMode, FeeSchedule
from markets.errors import UnknownVenue, VenueDisabled, VenueUnavailable
from markets.models import Asset, Market, Venue
from markets.services.markets import SyncReport, sync_all_markets, sync_markets
from tests.markets.conftest import Venues
from tests.markets.fakes.gateway import make_rules

pytestmark = pytest.mark.django_db


def _report(added: int, updated: int, deactivated: int, total: int) -> SyncReport:
    return SyncReport(added=added, updated=updated, deactivated=deactivated, total=total)


def test_new_markets_are_added_with_their_assets_and_exact_rules(venues: Venues) -> None:
    venue = Venue.objects.create(code="alpha", name="Alpha", ccxt_id="binance")
    rule = make_rules(
        "alpha",
        "PEPE/USDT",
        tick=D("0.000000000000000001"),
        quantity_max=D("9999999999.00000001"),
        fees=FeeSchedule(D("-0.0001"), D("0.00075"), FeeMode.QUOTE),
    )
    venues.answer("alpha", fetch_markets=[rule])

    report = sync_markets(venue_id=venue.pk)

    assert report == _report(1, 0, 0, 1)
    market = Market.objects.select_related("venue", "base", "quote").get()
    assert market.to_rules() == rule
    venue.refresh_from_db()
    assert venue.synced_at == market.synced_at
    assert venue.sync_error == ""


def test_a_second_synchronisation_changes_nothing(alpha: Venue) -> None:
    before = list(Market.objects.values_list("id", "created_at", "updated_at"))

    assert sync_markets(venue_id=alpha.pk) == _report(0, 0, 0, 2)

    assert list(Market.objects.values_list("id", "created_at", "updated_at")) == before
    alpha.refresh_from_db()
    assert {m.synced_at for m in Market.objects.all()} == {alpha.synced_at}


def test_changed_rules_are_taken_over_in_the_same_row(alpha: Venue, venues: Venues) -> None:
    market = Market.objects.get(symbol="BTC/USDT")
    venues.answer(
        "alpha",
        fetch_markets=[
            make_rules("alpha", "BTC/USDT", tick=D("0.1"), notional_min=D(10)),
            make_rules("alpha", "ETH/USDT"),
        ],
    )

    assert sync_markets(venue_id=alpha.pk) == _report(0, 1, 0, 2)

    changed = Market.objects.get(symbol="BTC/USDT")
    assert (changed.pk, changed.created_at) == (market.pk, market.created_at)
    assert changed.updated_at > market.updated_at
    assert (changed.tick, changed.notional_min) == (D("0.1"), D(10))


def test_a_market_that_vanished_becomes_inactive_and_comes_back(
    alpha: Venue, venues: Venues
) -> None:
    market = Market.objects.get(symbol="ETH/USDT")
    venues.answer("alpha", fetch_markets=[make_rules("alpha", "BTC/USDT")])

    assert sync_markets(venue_id=alpha.pk) == _report(0, 0, 1, 1)
    assert sync_markets(venue_id=alpha.pk) == _report(0, 0, 0, 1)
    market.refresh_from_db()
    assert market.is_active is False

    venues.answer(
        "alpha", fetch_markets=[make_rules("alpha", "BTC/USDT"), make_rules("alpha", "ETH/USDT")]
    )
    assert sync_markets(venue_id=alpha.pk) == _report(0, 1, 0, 2)
    market.refresh_from_db()
    assert market.is_active is True


def test_a_market_that_the_venue_lists_as_closed_is_deactivated(
    alpha: Venue, venues: Venues
) -> None:
    venues.answer(
        "alpha",
        fetch_markets=[
            make_rules("alpha", "BTC/USDT", is_active=False),
            make_rules("alpha", "ETH/USDT"),
        ],
    )

    assert sync_markets(venue_id=alpha.pk) == _report(0, 0, 1, 2)
    assert Market.objects.get(symbol="BTC/USDT").is_active is False


def test_a_failed_read_changes_nothing_but_the_noted_error(alpha: Venue, venues: Venues) -> None:
    before = list(Market.objects.values())
    venues.answer(
        "alpha", fetch_markets=VenueUnavailable(venue="alpha", cause="the connection failed")
    )

    with pytest.raises(VenueUnavailable):
        sync_markets(venue_id=alpha.pk)

    assert list(Market.objects.values()) == before
    alpha.refresh_from_db()
    assert "the connection failed" in str(alpha.to_sync_error())
    with translation.override("zh-hans"):
        assert render(alpha.to_sync_error()).startswith(
            "无法连接交易所 alpha：the connection failed"
        )

    venues.answer("alpha", fetch_markets=[make_rules("alpha", "BTC/USDT")])
    sync_markets(venue_id=alpha.pk)
    alpha.refresh_from_db()
    assert alpha.sync_error == ""


def test_a_disabled_venue_is_not_asked(alpha: Venue, venues: Venues) -> None:
    Venue.objects.update(is_enabled=False)
    asked = len(venues.calls("alpha"))

    with pytest.raises(VenueDisabled):
        sync_markets(venue_id=alpha.pk)

    assert len(venues.calls("alpha")) == asked


def test_a_venue_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownVenue, match="77"):
        sync_markets(venue_id=77)


def test_another_venues_markets_stay_as_they_are(alpha: Venue, beta: Venue, venues: Venues) -> None:
    venues.answer("beta", fetch_markets=[make_rules("beta", "SOL/USDT")])

    assert sync_markets(venue_id=beta.pk) == _report(1, 0, 1, 1)
    assert Market.objects.filter(venue=alpha, is_active=True).count() == 2


def test_names_that_no_column_holds_are_left_out(alpha: Venue, venues: Venues) -> None:
    long = "X" * 33
    venues.answer(
        "alpha",
        fetch_markets=[make_rules("alpha", "BTC/USDT"), make_rules("alpha", f"{long}/USDT")],
    )

    assert sync_markets(venue_id=alpha.pk).total == 1
    assert not Asset.objects.filter(code=long).exists()


def test_one_venue_that_fails_does_not_stop_the_others(
    alpha: Venue, beta: Venue, venues: Venues
) -> None:
    venues.answer("alpha", fetch_markets=VenueUnavailable(venue="alpha", cause="down"))

    reports = sync_all_markets()

    assert reports == {"beta": _report(0, 0, 0, 1)}


def test_three_thousand_markets_take_few_queries(
    alpha: Venue, venues: Venues, django_assert_max_num_queries: pytest.FixtureRequest
) -> None:
    rules = [make_rules("alpha", f"C{number}/USDT") for number in range(3_000)]
    venues.answer("alpha", fetch_markets=rules)

    with django_assert_max_num_queries(100):  # type: ignore[operator]
        assert sync_markets(venue_id=alpha.pk) == _report(3_000, 0, 2, 3_000)
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        assert sync_markets(venue_id=alpha.pk) == _report(0, 0, 0, 3_000)
