"""Keep what assets are worth in the reporting asset."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.conf import settings

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import Price
from ledger.domain.pnl import derive_prices
from ledger.models import AssetPrice
from ledger.selectors import list_prices
from markets.domain.book import Book
from markets.models import Market
from markets.selectors import list_markets
from markets.services.assets import ensure_assets
from markets.services.data import fetch_books

logger = logging.getLogger(__name__)

BOOK_DEPTH = 5
ROUNDS_MAX = 3
"""Venues that are asked, one after the other, for a market that the ones before did not show."""
MARKETS_MAX = 200
"""Markets that a valuation looks at."""

Pair = tuple[str, str]


def refresh_prices(*, assets: Iterable[str], clock: Clock = SYSTEM_CLOCK) -> Mapping[str, Price]:
    """Fetch the prices of assets in the reporting asset and store them.

    Prices are the middle of the best bid and ask, of the first venue that shows both; an asset
    without a market with the reporting asset is priced by way of others of ``assets``.
    Calls venues: not inside a transaction. An asset whose price cannot be had keeps its last one,
    as long as that is not too old.

    Args:
        assets: codes.
        clock: tells when.

    Returns:
        Every price that is known now [reporting asset per unit], by asset code.
    """
    wanted = {*assets, settings.REPORTING_ASSET}
    mids = _fetch_mids(_list_candidates(wanted))
    _store(derive_prices(mids, settings.REPORTING_ASSET), clock)
    return list_prices(now=clock.now())


def _list_candidates(wanted: set[str]) -> dict[Pair, list[Market]]:
    """Return the markets between wanted assets, by pair, each with the venues that list it."""
    markets = list_markets(is_active=True).filter(
        venue__is_enabled=True, base__code__in=wanted, quote__code__in=wanted
    )
    candidates: dict[Pair, list[Market]] = defaultdict(list)
    for market in markets.order_by("venue_id", "symbol")[:MARKETS_MAX]:
        candidates[market.base.code, market.quote.code].append(market)
    return candidates


def _fetch_mids(candidates: dict[Pair, list[Market]]) -> dict[Pair, Price]:
    mids: dict[Pair, Price] = {}
    for position in range(ROUNDS_MAX):
        asked = {
            pair: markets[position]
            for pair, markets in candidates.items()
            if pair not in mids and position < len(markets)
        }
        report = fetch_books(
            [(market.venue, market.symbol) for market in asked.values()], depth=BOOK_DEPTH
        )
        for pair, market in asked.items():
            book = report.books.get((market.venue.code, market.symbol))
            mid = None if book is None else _mid(book)
            if mid is not None:
                mids[pair] = mid
    return mids


def _mid(book: Book) -> Price | None:
    bid, ask = book.best_bid, book.best_ask
    if bid is None or ask is None or book.is_crossed:
        return None
    return (bid.price + ask.price) / 2


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
