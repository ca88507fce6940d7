"""Keep what assets are worth in the reporting asset."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice, zip_longest

from django.conf import settings

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import Price
from ledger.domain.pnl import Quote, choose_mid, derive_prices
from ledger.models import AssetPrice
from ledger.selectors import list_prices
from markets.domain.book import Book
from markets.models import Market, VenueStateChoice
from markets.selectors import list_markets
from markets.services.assets import ensure_assets
from markets.services.data import fetch_books

BOOK_DEPTH = 5
VENUES_MAX = 5
"""Venues whose books price one pair."""
BOOKS_MAX = 200
"""Books of one valuation; no pair gets its second one before every pair has one."""
MARKETS_MAX = 5_000
"""Markets that a valuation chooses them from."""

Pair = tuple[str, str]
Candidates = Mapping[Pair, Sequence[Market]]


def refresh_prices(*, assets: Iterable[str], clock: Clock = SYSTEM_CLOCK) -> Mapping[str, Price]:
    """Fetch the prices of assets in the reporting asset and store them.

    Several venues are asked at once what a pair costs, healthy and certified ones first, and what
    most of them say counts (``choose_mid``): of three and more one that is thin, frozen or off
    moves no valuation. Venues that are ill count only where no healthy one says anything. An asset
    without a market with the reporting asset is priced by way of others of ``assets``.

    A venue on this machine is taken for a simulated one, whose prices are play: it prices only
    what no other venue lists, also while those are silent, and no chain of markets is mixed.

    Calls venues: not inside a transaction. An asset whose price cannot be had keeps its last one,
    as long as that is not too old.

    Args:
        assets: codes.
        clock: tells when.

    Returns:
        Every price that is known now [reporting asset per unit], by asset code.
    """
    reporting = settings.REPORTING_ASSET
    candidates = _list_candidates({*assets, reporting})
    real, simulated = (_choose(candidates, is_local=is_local) for is_local in (False, True))
    real_mids, simulated_mids = _fetch_mids([real, simulated])
    listed = {code for pair in real for code in pair}
    prices = {
        code: price
        for code, price in derive_prices(simulated_mids, reporting).items()
        if code not in listed
    }
    _store(prices | derive_prices(real_mids, reporting), clock)
    return list_prices(now=clock.now())


def _list_candidates(wanted: set[str]) -> Candidates:
    """Return the markets between wanted assets, by pair, of the most trusted venues first."""
    markets = list_markets(is_active=True).filter(
        venue__is_enabled=True, base__code__in=wanted, quote__code__in=wanted
    )
    found: dict[Pair, list[Market]] = {}
    for market in markets[:MARKETS_MAX]:
        found.setdefault((market.base.code, market.quote.code), []).append(market)
    return {pair: sorted(found[pair], key=_trust) for pair in sorted(found)}


def _trust(market: Market) -> tuple[bool, bool, str]:
    venue = market.venue
    return not _is_well(market), not venue.capabilities.is_certified, venue.code


def _is_well(market: Market) -> bool:
    return market.venue.state == VenueStateChoice.HEALTHY


def _choose(candidates: Candidates, *, is_local: bool) -> Candidates:
    """Return the markets to ask for each pair, of venues on this machine or of all others."""
    chosen = {
        pair: [each for each in markets if each.venue.is_local is is_local][:VENUES_MAX]
        for pair, markets in candidates.items()
    }
    return {pair: markets for pair, markets in chosen.items() if markets}


def _fetch_mids(groups: Sequence[Candidates]) -> list[dict[Pair, Price]]:
    """Return the price of every pair by the books of each group of markets, all of one moment."""
    ranks = zip_longest(*(markets for group in groups for markets in group.values()))
    asked = islice((each for each in chain.from_iterable(ranks) if each is not None), BOOKS_MAX)
    report = fetch_books([(each.venue, each.symbol) for each in asked], depth=BOOK_DEPTH)
    quotes = {key: quote for key, book in report.books.items() if (quote := _quote(book))}
    return [
        {
            pair: choose_mid(known)
            for pair, markets in group.items()
            if (known := _believed(markets, quotes))
        }
        for group in groups
    ]


def _believed(markets: Sequence[Market], quotes: Mapping[tuple[str, str], Quote]) -> list[Quote]:
    """Return what healthy venues say of a pair; if none of them does, what the others say."""
    said = [market for market in markets if _key(market) in quotes]
    well = [market for market in said if _is_well(market)]
    return [quotes[_key(market)] for market in well or said]


def _key(market: Market) -> tuple[str, str]:
    return market.venue.code, market.symbol


def _quote(book: Book) -> Quote | None:
    bid, ask = book.best_bid, book.best_ask
    if bid is None or ask is None or book.is_crossed:
        return None
    return Quote(bid.price, ask.price)


def _store(prices: Mapping[str, tuple[Price, str]], clock: Clock) -> None:
    rows = ensure_assets([*prices, settings.REPORTING_ASSET])
    AssetPrice.objects.bulk_create(
        [
            AssetPrice(
                asset=rows[code],
                reporting_asset=rows[settings.REPORTING_ASSET],
                price=price,
                source=path[:200],
                priced_at=clock.now(),
            )
            for code, (price, path) in prices.items()
            if code != settings.REPORTING_ASSET
        ],
        update_conflicts=True,
        unique_fields=["asset", "reporting_asset"],
        update_fields=["price", "source", "priced_at"],
    )
