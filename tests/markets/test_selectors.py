from typing import Any

import pytest

from arbplatform.core.errors import NotFound
from markets.errors import UnknownSymbol, UnknownVenue, VenueDisabled
from markets.models import Market, Venue
from markets.selectors import (
    find_market,
    find_venue,
    get_asset,
    get_market,
    get_venue,
    get_venue_by_id,
    list_assets,
    list_markets,
    list_rules,
    list_venues,
    lock_venue,
)

pytestmark = pytest.mark.django_db


def test_a_venue_is_found_by_code_and_by_id(alpha: Venue) -> None:
    assert get_venue("alpha") == alpha
    assert get_venue_by_id(alpha.pk) == alpha
    assert find_venue("alpha") == alpha
    assert find_venue(str(alpha.pk)) == alpha


def test_a_code_goes_before_an_id(alpha: Venue) -> None:
    named_like_an_id = Venue.objects.create(code=str(alpha.pk), name="n", ccxt_id="okx")

    assert find_venue(str(alpha.pk)) == named_like_an_id


@pytest.mark.parametrize("key", ["nowhere", "0", "999999", "9" * 30, "١"])
def test_a_venue_that_is_not_there_is_named(db: None, key: str) -> None:
    with pytest.raises(UnknownVenue, match=key):
        find_venue(key)


def test_every_lookup_of_a_missing_venue_says_so(db: None) -> None:
    for call in (
        lambda: get_venue("nowhere"),
        lambda: get_venue_by_id(7),
        lambda: lock_venue(7),
        lambda: get_market("nowhere", "BTC/USDT"),
        lambda: find_market("BTC/USDT", "nowhere"),
        lambda: list_markets(venue_code="nowhere"),
    ):
        with pytest.raises(UnknownVenue):
            call()


def test_venues_are_listed_with_the_number_of_their_active_markets(
    alpha: Venue, beta: Venue
) -> None:
    Market.objects.filter(venue=alpha, symbol="ETH/USDT").update(is_active=False)
    Venue.objects.filter(pk=beta.pk).update(is_enabled=False)

    found: list[Any] = list(list_venues())
    assert [(venue.code, venue.market_count) for venue in found] == [
        ("alpha", 1),
        ("beta", 1),
    ]
    assert [venue.code for venue in list_venues(is_enabled=True)] == ["alpha"]


def test_a_market_comes_with_its_venue_and_assets(
    alpha: Venue, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]
        rules = get_market("alpha", "BTC/USDT").to_rules()

    assert (rules.venue, rules.base, rules.quote) == ("alpha", "BTC", "USDT")


def test_a_symbol_that_the_venue_does_not_list_is_named(alpha: Venue) -> None:
    with pytest.raises(UnknownSymbol, match="DOGE/USDT"):
        get_market("alpha", "DOGE/USDT")
    with pytest.raises(UnknownSymbol, match="DOGE/USDT"):
        find_market("DOGE/USDT")
    with pytest.raises(UnknownSymbol, match="DOGE/USDT"):
        find_market("DOGE/USDT", "alpha")


def test_without_a_venue_the_first_enabled_one_that_lists_the_symbol_is_taken(
    alpha: Venue, beta: Venue
) -> None:
    assert find_market("BTC/USDT").venue == alpha
    assert find_market("BTC/USDT", "beta").venue == beta

    Venue.objects.filter(pk=alpha.pk).update(is_enabled=False)

    assert find_market("BTC/USDT").venue == beta
    with pytest.raises(UnknownSymbol):
        find_market("ETH/USDT")
    with pytest.raises(VenueDisabled):
        find_market("ETH/USDT", "alpha")


def test_an_inactive_market_gives_no_data_but_keeps_its_rules(alpha: Venue) -> None:
    Market.objects.filter(symbol="BTC/USDT").update(is_active=False)

    with pytest.raises(UnknownSymbol):
        find_market("BTC/USDT", "alpha")
    assert get_market("alpha", "BTC/USDT").to_rules().is_active is False


def test_rules_are_listed_by_venue_and_symbol_for_active_markets(
    alpha: Venue, beta: Venue, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    Market.objects.filter(venue=alpha, symbol="ETH/USDT").update(is_active=False)

    with django_assert_num_queries(1):  # type: ignore[operator]
        rules = list_rules(["alpha", "beta"])

    assert sorted(rules) == [("alpha", "BTC/USDT"), ("beta", "BTC/USDT")]
    assert list_rules([]) == {}


def test_markets_are_listed_by_symbol(alpha: Venue, beta: Venue) -> None:
    assert [str(market) for market in list_markets()] == [
        "BTC/USDT @ alpha",
        "BTC/USDT @ beta",
        "ETH/USDT @ alpha",
    ]
    assert [str(market) for market in list_markets(venue_code="beta")] == ["BTC/USDT @ beta"]
    assert not list_markets(is_active=False).exists()


def test_assets_are_found_by_code(alpha: Venue) -> None:
    assert get_asset("BTC").code == "BTC"
    assert [asset.code for asset in list_assets()] == ["BTC", "ETH", "USDT"]
    assert [asset.code for asset in list_assets(["ETH", "XXX"])] == ["ETH"]
    with pytest.raises(NotFound, match="XXX"):
        get_asset("XXX")
