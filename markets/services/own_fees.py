"""Keeps what our accounts pay on a market, which may be more or less than the venue's list says."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from markets.domain.fees import FeeSchedule
from markets.models import Market, Venue
from markets.selectors import lock_venue

BATCH_SIZE = 500
RATE_MAX = 1
"""A fraction of this size or above is no fee: what a venue tells so is left out."""


@transaction.atomic
def keep_own_fees(
    *, venue_id: int, told: Sequence[Mapping[str, FeeSchedule]], told_at: datetime
) -> int:
    """Keep on each market the highest fees that were told for an account.

    Where one of the accounts was not told, the fees that are planned with count as its own: it may
    pay them, so nothing becomes cheaper without its word.

    Args:
        venue_id: of the venue.
        told: by symbol, for each enabled account there; empty for one that was not told.
        told_at: when.

    Returns:
        On how many markets other fees are planned with now. Strategies that run read them anew.

    Raises:
        UnknownVenue: there is none with this id.
    """
    venue = lock_venue(venue_id)
    markets, moved = [], 0
    for market in Market.objects.filter(venue=venue):
        schedules = [fees[market.symbol] for fees in told if market.symbol in fees]
        schedules = [fees for fees in schedules if _is_plausible(fees)]
        if not schedules:
            continue
        before = market.to_fees()
        if len(schedules) < len(told):
            schedules.append(before)
        market.own_maker_fee = max(fees.maker for fees in schedules)
        market.own_taker_fee = max(fees.taker for fees in schedules)
        market.own_fees_at = market.updated_at = told_at
        markets.append(market)
        moved += market.to_fees() != before
    _store(venue, markets, is_moved=bool(moved))
    return moved


@transaction.atomic
def doubt_low_fees(*, venue_id: int, told_before: datetime | None = None) -> int:
    """Plan with no less than the venue's list says, until it tells of its accounts again.

    For an account that joins others there, which may pay more than those that were told, and for
    what was told long ago: discounts end.

    Args:
        venue_id: of the venue.
        told_before: only what was told before this moment; ``None``: all.

    Returns:
        On how many markets higher fees are planned with now. Strategies that run read them anew.

    Raises:
        UnknownVenue: there is none with this id.
    """
    venue = lock_venue(venue_id)
    markets = []
    told = Market.objects.filter(venue=venue).exclude(own_fees_at=None)
    if told_before is not None:
        told = told.filter(own_fees_at__lt=told_before)
    for market in told:
        before = market.to_fees()
        market.own_maker_fee = max(before.maker, market.maker_fee)
        market.own_taker_fee = max(before.taker, market.taker_fee)
        if market.to_fees() != before:
            markets.append(market)
    _store(venue, markets, is_moved=bool(markets))
    return len(markets)


def _store(venue: Venue, markets: Sequence[Market], *, is_moved: bool) -> None:
    Market.objects.bulk_update(
        markets,
        ["own_maker_fee", "own_taker_fee", "own_fees_at", "updated_at"],
        batch_size=BATCH_SIZE,
    )
    if is_moved:
        # the stamp by which setups and shelves notice that they are out of date
        venue.save(update_fields=["updated_at"])


def _is_plausible(fees: FeeSchedule) -> bool:
    return all(abs(rate) < RATE_MAX for rate in (fees.maker, fees.taker))
