"""What a strategy's configuration amounts to: its plugin, its markets and their rules."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from accounts.models import VenueAccount
from markets.domain.rules import MarketRules
from markets.models import Market
from strategies.errors import NotReadyToStart, UnsuitableAccounts
from strategies.models import Strategy
from strategies.registry import get_plugin, validate_params
from strategies.sdk import MarketKey, Scope, StrategyPlugin
from strategies.services.pegs import concerning
from strategies.services.shelves import FRESH, SHELF, Listings

SETUPS_MAX = 20_000
"""Setups that one process remembers; the least recently used one is dropped first."""
MARKETS_MAX = 400_000
"""Markets in all remembered setups together. A setup takes 4 kB and 0.2 kB for each of its markets,
which it shares with the others: 160 MB at most."""

_Stamp = tuple[tuple[object, ...], ...]


@dataclass(frozen=True, slots=True)
class Setup:
    """A strategy made ready to be evaluated.

    Attributes:
        plugin: with the strategy's parameters.
        accounts: by venue code; one per venue.
        markets: every subscribed market.
        rules: of every subscribed market.
        references: markets that say whether the pegs of its assets hold.
        symbols: base and quote of each symbol.
    """

    plugin: StrategyPlugin[Any]
    accounts: Mapping[str, VenueAccount]
    markets: Mapping[MarketKey, Market]
    rules: Mapping[MarketKey, MarketRules]
    references: Sequence[Market]
    symbols: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A strategy that is about to decide.

    Attributes:
        strategy_id: of the strategy.
        run_id: of its open run.
        started_at: when the run began.
        accounts: that it uses at present, with their venues, by id.
        setup: what it trades with.
    """

    strategy_id: int
    run_id: int
    started_at: datetime
    accounts: Sequence[VenueAccount]
    setup: Setup


def check_accounts(*, slug: str, accounts: Sequence[VenueAccount]) -> None:
    """Check that ``accounts`` suit the strategy type ``slug``.

    Raises:
        UnsuitableAccounts: two of them are at one venue, or there are too few or too many.
    """
    plugin = get_plugin(slug)
    venues = [account.venue.code for account in accounts]
    for venue in venues:
        if venues.count(venue) > 1:
            raise UnsuitableAccounts(
                "Two of the accounts are at the venue {venue}. Choose one account per venue.",
                venue=venue,
            )
    if len(venues) < plugin.venues_min:
        raise UnsuitableAccounts(
            "The strategy type {type} trades on at least {number} venues, but accounts at "
            "{given} were chosen. Add accounts at other venues.",
            type=slug,
            number=plugin.venues_min,
            given=len(venues),
        )
    if plugin.venues_max is not None and len(venues) > plugin.venues_max:
        raise UnsuitableAccounts(
            "The strategy type {type} trades on at most {number} venues, but accounts at "
            "{given} were chosen. Remove some.",
            type=slug,
            number=plugin.venues_max,
            given=len(venues),
        )


def build_setup(strategy: Strategy, listings: Listings = FRESH) -> Setup:
    """Return what ``strategy`` trades with.

    Args:
        strategy: with its accounts and their venues.
        listings: where the markets come from; default: read anew.

    Raises:
        InvalidParams: the stored parameters do not suit the installed plugin (any more).
        UnsuitableAccounts: nor do the accounts.
        NotReadyToStart: its venues list none of the markets that it asks for.
    """
    params = validate_params(strategy.type, strategy.params)
    accounts = list(strategy.accounts.all())
    check_accounts(slug=strategy.type, accounts=accounts)
    venues = tuple(account.venue.code for account in accounts)
    plugin = get_plugin(strategy.type)(params)
    listing = listings.of([account.venue for account in accounts])
    active = listing.rules
    wanted = plugin.subscriptions(Scope(venues=venues, rules=active))
    markets = {key: listing.markets[key] for key in wanted if key in active}
    if not markets:
        raise NotReadyToStart(
            "The strategy {name} cannot start: {venues} list none of the markets that its "
            "parameters name. Correct the parameters or synchronise the venues.",
            name=strategy.name,
            venues=", ".join(venues),
        )
    return Setup(
        plugin=plugin,
        accounts={account.venue.code: account for account in accounts},
        markets=markets,
        rules={key: active[key] for key in markets},
        references=concerning(
            listings.references(),
            {code for key in markets for code in (active[key].base, active[key].quote)},
        ),
        symbols={key.symbol: (active[key].base, active[key].quote) for key in markets},
    )


class SetupCache:
    """Setups of running strategies, so that a tick does not read every market again.

    A setup is good as long as the run is the same and none of its venues was synchronised or
    edited since.

    Args:
        size_max: setups at most.
        markets_max: markets of all of them at most.
    """

    def __init__(self, size_max: int = SETUPS_MAX, markets_max: int = MARKETS_MAX) -> None:
        self._size_max = size_max
        self._markets_max = markets_max
        self._lock = Lock()
        self._setups: OrderedDict[tuple[int, int], tuple[_Stamp, Setup]] = OrderedDict()
        self._market_count = 0

    def get(self, strategy: Strategy, run_id: int, listings: Listings = SHELF) -> Setup:
        """Return the setup of ``strategy`` in its run, built if need be.

        Args:
            strategy: with its accounts and their venues.
            run_id: of its open run.
            listings: where markets come from.
        """
        key, stamp = (strategy.pk, run_id), _stamp_of(strategy.accounts.all())
        known = self._find(key, stamp)
        if known is not None:
            return known
        built = build_setup(strategy, listings)
        with self._lock:
            self._drop(key)
            self._setups[key] = (stamp, built)
            self._market_count += len(built.markets)
            while len(self._setups) > 1 and (
                len(self._setups) > self._size_max or self._market_count > self._markets_max
            ):
                self._drop(next(iter(self._setups)))
        return built

    def find(self, strategy_id: int, run_id: int, accounts: Iterable[VenueAccount]) -> Setup | None:
        """Return the setup of a strategy if it is remembered and still good.

        Args:
            strategy_id: of the strategy.
            run_id: of its open run.
            accounts: that it uses, with their venues as they are now, by id.
        """
        return self._find((strategy_id, run_id), _stamp_of(accounts))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._setups.clear()
            self._market_count = 0

    def _find(self, key: tuple[int, int], stamp: _Stamp) -> Setup | None:
        with self._lock:
            known = self._setups.get(key)
            if known is None or known[0] != stamp:
                return None
            self._setups.move_to_end(key)
            return known[1]

    def _drop(self, key: tuple[int, int]) -> None:
        dropped = self._setups.pop(key, None)
        if dropped is not None:
            self._market_count -= len(dropped[1].markets)


def _stamp_of(accounts: Iterable[VenueAccount]) -> _Stamp:
    """Return what changes when a strategy uses other accounts, or a venue of theirs changes."""
    return tuple(
        (account.pk, account.venue.updated_at, account.venue.synced_at) for account in accounts
    )


SETUPS = SetupCache()
