"""Every query about venues, assets and markets."""

from collections.abc import Collection, Iterable

from django.db.models import Count, F, Q, QuerySet

from arbplatform.core.errors import NotFound
from markets.domain.health import VenueState
from markets.domain.rules import MarketRules
from markets.errors import UnknownSymbol, UnknownVenue, VenueDisabled
from markets.models import Asset, Market, Venue

ID_LENGTH_MAX = 18
"""Digits of an id that a database can hold."""


def get_venue(code: str) -> Venue:
    """Return the venue with this code.

    Raises:
        UnknownVenue: there is none.
    """
    venue = Venue.objects.filter(code=code).first()
    if venue is None:
        raise UnknownVenue(venue=code)
    return venue


def find_venue(code_or_id: str) -> Venue:
    """Return the venue with this code or, failing that, with this id.

    Raises:
        UnknownVenue: there is neither.
    """
    venue = Venue.objects.filter(code=code_or_id).first()
    if venue is not None:
        return venue
    is_id = code_or_id.isascii() and code_or_id.isdigit() and len(code_or_id) <= ID_LENGTH_MAX
    venue = Venue.objects.filter(pk=int(code_or_id)).first() if is_id else None
    if venue is None:
        raise UnknownVenue(venue=code_or_id)
    return venue


def get_venue_by_id(venue_id: int) -> Venue:
    """Return the venue with this id.

    Raises:
        UnknownVenue: there is none.
    """
    venue = Venue.objects.filter(pk=venue_id).first()
    if venue is None:
        raise UnknownVenue(venue=venue_id)
    return venue


def lock_venue(venue_id: int) -> Venue:
    """Return the venue with this id and keep others from changing it until the commit.

    Raises:
        UnknownVenue: there is none.
    """
    venue = Venue.objects.select_for_update().filter(pk=venue_id).first()
    if venue is None:
        raise UnknownVenue(venue=venue_id)
    return venue


def list_venues(*, is_enabled: bool | None = None) -> QuerySet[Venue]:
    """Return venues by code, each with ``market_count``, the number of its active markets."""
    venues = Venue.objects.annotate(
        market_count=Count("markets", filter=Q(markets__is_active=True))
    ).order_by("code")
    return venues if is_enabled is None else venues.filter(is_enabled=is_enabled)


def list_ill_venues() -> list[Venue]:
    """Return the enabled venues that are not healthy, by code."""
    rows = Venue.objects.filter(is_enabled=True).exclude(state=VenueState.HEALTHY)
    return list(rows.order_by("code"))


def get_asset(code: str) -> Asset:
    """Return the asset with this code.

    Raises:
        NotFound: there is none.
    """
    asset = Asset.objects.filter(code=code).first()
    if asset is None:
        raise NotFound("No asset {asset} is known.", asset=code)
    return asset


def get_market(venue_code: str, symbol: str) -> Market:
    """Return a market with its venue and assets, active or not.

    Raises:
        UnknownVenue: no venue has the code.
        UnknownSymbol: the venue has no such market.
    """
    market = _with_relations().filter(venue__code=venue_code, symbol=symbol).first()
    if market is None:
        get_venue(venue_code)
        raise UnknownSymbol(symbol=symbol)
    return market


def find_market(symbol: str, venue_code: str | None = None) -> Market:
    """Return an active market: of the named venue, else of the first enabled one that lists it.

    Args:
        symbol: unified symbol.
        venue_code: where; ``None`` for the first enabled venue in the order of their making.

    Raises:
        UnknownVenue: no venue has the code.
        VenueDisabled: the named venue is switched off.
        UnknownSymbol: no such active market there, or anywhere.
    """
    if venue_code is not None:
        venue = get_venue(venue_code)
        if not venue.is_enabled:
            raise VenueDisabled(venue=venue_code)
    found = _with_relations().filter(symbol=symbol, is_active=True, venue__is_enabled=True)
    if venue_code is not None:
        found = found.filter(venue__code=venue_code)
    market = found.order_by("venue_id").first()
    if market is None:
        raise UnknownSymbol(symbol=symbol)
    return market


def list_markets(
    *, venue_code: str | None = None, is_active: bool | None = None
) -> QuerySet[Market]:
    """Return markets with their venue and assets, by symbol.

    Raises:
        UnknownVenue: no venue has the code.
    """
    markets = _with_relations().order_by("symbol", "venue_id")
    if venue_code is not None:
        markets = markets.filter(venue=get_venue(venue_code))
    return markets if is_active is None else markets.filter(is_active=is_active)


def list_symbols_by_fee_age(venue_id: int, symbols: Collection[str]) -> list[str]:
    """Return those of ``symbols`` that a venue trades, those first whose own fees are oldest."""
    rows = Market.objects.filter(venue_id=venue_id, is_active=True)
    rows = rows.order_by(F("own_fees_at").asc(nulls_first=True), "symbol")
    wanted = frozenset(symbols)
    return [symbol for symbol in rows.values_list("symbol", flat=True) if symbol in wanted]


def list_rules(venue_codes: Iterable[str]) -> dict[tuple[str, str], MarketRules]:
    """Return the rules of every active market of the venues, by venue code and symbol."""
    codes = list(venue_codes)
    markets = _with_relations().filter(venue__code__in=codes, is_active=True)
    return {
        (market.venue.code, market.symbol): market.to_rules()
        for market in markets.iterator(chunk_size=1_000)
    }


def find_unknown_markets(keys: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return those of ``keys`` (venue code, symbol) that are no active market of an enabled venue.

    Args:
        keys: a bounded number of them.
    """
    rows = Market.objects.filter(
        is_active=True,
        venue__is_enabled=True,
        venue__code__in={venue for venue, _symbol in keys},
        symbol__in={symbol for _venue, symbol in keys},
    )
    return set(keys) - set(rows.order_by().values_list("venue__code", "symbol"))


def list_assets(codes: Collection[str] | None = None) -> QuerySet[Asset]:
    """Return assets by code; all, or those with these codes."""
    assets = Asset.objects.order_by("code")
    return assets if codes is None else assets.filter(code__in=codes)


def _with_relations() -> QuerySet[Market]:
    return Market.objects.select_related("venue", "base", "quote")
