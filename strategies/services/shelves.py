"""The markets of venues, read once for all strategies that trade there.

A thousand strategies on the same venues share the rows and rules of their markets: they take the
memory of one, and none of them waits until all markets of its venues were read again.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

from django.conf import settings

from markets.domain.rules import MarketRules
from markets.models import Market, Venue
from markets.selectors import list_markets
from strategies.sdk import MarketKey
from strategies.selectors import Stamps, read_venue_stamps
from strategies.services.pegs import list_references

SHELVES_MAX = 64
"""Sets of venues whose markets are remembered; the least recently used one is dropped first."""

_Stamp = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """The active markets of some venues.

    Attributes:
        markets: rows with their venues and assets.
        rules: the same as values.
    """

    markets: Mapping[MarketKey, Market]
    rules: Mapping[MarketKey, MarketRules]


class Listings:
    """Where markets come from: read anew each time."""

    def of(self, venues: Sequence[Venue]) -> Listing:
        """Return the active markets of ``venues``, in their order."""
        return _join(_read(venue) for venue in venues)

    def references(self) -> Sequence[Market]:
        """Return the markets that tell whether pegs hold."""
        return list_references()


class Shelf(Listings):
    """Remembers them until a venue is synchronised or edited.

    Args:
        size_max: venues, and sets of venues, at most.
    """

    def __init__(self, size_max: int = SHELVES_MAX) -> None:
        self._size_max = size_max
        self._lock = Lock()
        self._known: OrderedDict[tuple[int, ...], tuple[_Stamp, Listing]] = OrderedDict()
        self._references: tuple[_Stamp, Sequence[Market]] = ((), ())

    def of(self, venues: Sequence[Venue]) -> Listing:
        """Return the active markets of ``venues``, in their order."""
        if len(venues) == 1:
            return self._get(venues, lambda: _read(venues[0]))
        return self._get(venues, lambda: _join(self.of([venue]) for venue in venues))

    def references(self) -> Sequence[Market]:
        """Return the markets that tell whether pegs hold."""
        return self.references_at(read_venue_stamps())

    def references_at(self, stamps: Stamps) -> Sequence[Market]:
        """Return the same, to somebody who knows how the venues stand.

        Args:
            stamps: of all venues.
        """
        configured = (*settings.PEGGED_ASSETS, "", *settings.PEG_REFERENCES)
        stamp = (*sorted(stamps.items()), *configured)
        if self._references[0] != stamp:
            self._references = (stamp, list_references())
        return self._references[1]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._known.clear()
        self._references = ((), ())

    def _get(self, venues: Sequence[Venue], make: Callable[[], Listing]) -> Listing:
        key = tuple(venue.pk for venue in venues)
        stamp = tuple((venue.updated_at, venue.synced_at) for venue in venues)
        with self._lock:
            known = self._known.get(key)
            if known is not None and known[0] == stamp:
                self._known.move_to_end(key)
                return known[1]
        made = make()
        with self._lock:
            self._known[key] = (stamp, made)
            while len(self._known) > self._size_max:
                self._known.popitem(last=False)
        return made


class ShelfAt(Listings):
    """A shelf for many setups at one moment: how the venues stand is not read for each of them.

    Args:
        shelf: where the markets are remembered.
        stamps: of all venues.
    """

    def __init__(self, shelf: Shelf, stamps: Stamps) -> None:
        self._shelf = shelf
        self._stamps = stamps

    def of(self, venues: Sequence[Venue]) -> Listing:
        """Return the active markets of ``venues``, in their order."""
        return self._shelf.of(venues)

    def references(self) -> Sequence[Market]:
        """Return the markets that tell whether pegs hold."""
        return self._shelf.references_at(self._stamps)


def _read(venue: Venue) -> Listing:
    markets = {}
    for market in list_markets(is_active=True).filter(venue=venue).iterator(chunk_size=1_000):
        market.venue = venue  # one object for all of them
        markets[MarketKey(venue.code, market.symbol)] = market
    return Listing(markets, {key: market.to_rules() for key, market in markets.items()})


def _join(listings: Iterable[Listing]) -> Listing:
    markets: dict[MarketKey, Market] = {}
    rules: dict[MarketKey, MarketRules] = {}
    for listing in listings:
        markets.update(listing.markets)
        rules.update(listing.rules)
    return Listing(markets, rules)


FRESH = Listings()
SHELF = Shelf()
