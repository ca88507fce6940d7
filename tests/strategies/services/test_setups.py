"""What a strategy's configuration amounts to."""

from decimal import Decimal

import pytest

from accounts.models import VenueAccount
from arbplatform.core.clock import SYSTEM_CLOCK
from markets.models import Market, Venue
from strategies.errors import NotReadyToStart, UnsuitableAccounts
from strategies.plugins.cross_venue import CrossVenue
from strategies.sdk import MarketKey
from strategies.selectors import get_strategy
from strategies.services.setups import SetupCache, build_setup, check_accounts
from strategies.services.shelves import SHELF

pytestmark = pytest.mark.django_db


def test_a_setup_has_the_markets_that_the_plugin_asks_for_and_their_rules(make_cross):
    setup = build_setup(get_strategy(make_cross().pk))

    keys = {MarketKey("alpha", "BTC/USDT"), MarketKey("beta", "BTC/USDT")}
    assert set(setup.markets) == set(setup.rules) == keys
    assert set(setup.accounts) == {"alpha", "beta"}
    assert setup.plugin.params.symbols == ("BTC/USDT",)


def test_markets_that_are_closed_are_left_out(make_cross):
    strategy = make_cross(symbols=["BTC/USDT", "ETH/USDT"])
    Market.objects.filter(symbol="ETH/USDT").update(is_active=False)

    setup = build_setup(get_strategy(strategy.pk))

    assert {key.symbol for key in setup.markets} == {"BTC/USDT"}


def test_a_strategy_without_any_market_is_refused(make_cross):
    Market.objects.update(is_active=False)

    with pytest.raises(NotReadyToStart, match="alpha, beta"):
        build_setup(get_strategy(make_cross().pk))


def test_more_accounts_than_a_type_takes_are_refused(accounts, settings, monkeypatch):
    monkeypatch.setattr(CrossVenue, "venues_max", 1)

    with pytest.raises(UnsuitableAccounts, match="at most 1 venues"):
        check_accounts(slug="cross-venue", accounts=accounts)


def test_a_setup_is_remembered_until_a_venue_is_synchronised(make_cross, django_assert_num_queries):
    cache = SetupCache()
    pk = make_cross().pk
    first = cache.get(get_strategy(pk), 1)

    strategy = get_strategy(pk)
    with django_assert_num_queries(0):
        assert cache.get(strategy, 1) is first

    Venue.objects.filter(code="beta").update(synced_at=SYSTEM_CLOCK.now())
    assert cache.get(get_strategy(pk), 1) is not first


def test_another_run_gets_another_setup(make_cross):
    cache = SetupCache()
    strategy = get_strategy(make_cross().pk)

    assert cache.get(strategy, 1) is not cache.get(strategy, 2)


def test_the_setup_that_was_not_used_for_longest_is_forgotten_first(make_cross):
    cache = SetupCache(size_max=2)
    strategy = get_strategy(make_cross().pk)
    first, second = cache.get(strategy, 1), cache.get(strategy, 2)
    assert cache.get(strategy, 1) is first

    cache.get(strategy, 3)

    assert cache.get(strategy, 1) is first
    assert cache.get(strategy, 2) is not second


def test_setups_share_the_markets_of_their_venues_and_read_them_once(
    make_cross, django_assert_max_num_queries
):
    SHELF.clear()
    cache = SetupCache()
    first = cache.get(get_strategy(make_cross("one").pk), 1)

    strategy = get_strategy(make_cross("two").pk)
    with django_assert_max_num_queries(1):
        second = cache.get(strategy, 2)

    assert second is not first
    for key, market in first.markets.items():
        assert second.markets[key] is market
        assert second.rules[key] is first.rules[key]


def test_a_synchronised_venue_is_read_again(make_cross):
    SHELF.clear()
    cache = SetupCache()
    pk = make_cross().pk
    before = cache.get(get_strategy(pk), 1)
    Market.objects.filter(venue__code="beta").update(taker_fee="0.002")
    Venue.objects.filter(code="beta").update(synced_at=SYSTEM_CLOCK.now())

    after = cache.get(get_strategy(pk), 1)

    key = MarketKey("beta", "BTC/USDT")
    assert before.rules[key].fees.taker != Decimal("0.002")
    assert after.rules[key].fees.taker == Decimal("0.002")
    assert (
        after.rules[MarketKey("alpha", "BTC/USDT")] is before.rules[MarketKey("alpha", "BTC/USDT")]
    )


def test_balances_that_were_read_do_not_spoil_a_setup(make_cross):
    cache = SetupCache()
    pk = make_cross().pk
    first = cache.get(get_strategy(pk), 1)
    VenueAccount.objects.update(synced_at=SYSTEM_CLOCK.now(), updated_at=SYSTEM_CLOCK.now())

    assert cache.get(get_strategy(pk), 1) is first


def test_setups_of_many_markets_push_others_out(make_cross):
    cache = SetupCache(markets_max=3)
    strategy = get_strategy(make_cross().pk)
    first = cache.get(strategy, 1)
    assert cache.get(strategy, 1) is first

    second = cache.get(strategy, 2)

    assert cache.get(strategy, 2) is second, "the newest stays, however large"
    assert cache.get(strategy, 1) is not first
