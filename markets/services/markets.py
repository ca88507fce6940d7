"""Keeps the markets of a venue as the venue states them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from arbplatform.background.draining import DRAIN
from arbplatform.core.errors import ArbError
from arbplatform.persistence.sentences import keep_sentence
from markets.domain.rules import MarketRules
from markets.errors import VenueDisabled
from markets.gateway.factory import gateway_for
from markets.models import Asset, Market, Venue
from markets.selectors import get_venue_by_id, list_venues, lock_venue
from markets.services.assets import ensure_assets

logger = logging.getLogger(__name__)

BATCH_SIZE = 500
CODE_LENGTH_MAX = 32

_RULE_FIELDS = (
    "tick",
    "lot",
    "quantity_min",
    "quantity_max",
    "notional_min",
    "maker_fee",
    "taker_fee",
    "fee_mode",
    "is_active",
)


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a synchronisation changed.

    Attributes:
        added: markets that were not known before.
        updated: markets whose rules or state changed.
        deactivated: markets that the venue does not list any more, or lists as closed.
        total: markets that the venue lists.
    """

    added: int
    updated: int
    deactivated: int
    total: int


def sync_markets(*, venue_id: int) -> SyncReport:
    """Take over the markets that a venue states now.

    A market that vanished becomes inactive; it is never deleted, history depends on it.

    Args:
        venue_id: which venue.

    Raises:
        UnknownVenue: there is none with this id.
        VenueDisabled: it is switched off.
        VenueError: it did not state its markets; nothing was changed but ``sync_error``.
    """
    venue = get_venue_by_id(venue_id)
    if not venue.is_enabled:
        raise VenueDisabled(venue=venue.code)
    try:
        rules = gateway_for(venue.to_spec()).fetch_markets()
    except ArbError as error:
        Venue.objects.filter(pk=venue_id).update(sync_error=keep_sentence(error.message))
        raise
    return _store(venue_id, rules)


def sync_all_markets() -> dict[str, SyncReport]:
    """Synchronise every enabled venue; one that fails does not stop the others.

    Returns:
        The reports of those that answered, by venue code.
    """
    reports = {}
    for venue in list_venues(is_enabled=True):
        if DRAIN.has_begun:
            break
        try:
            reports[venue.code] = sync_markets(venue_id=venue.pk)
        except ArbError as error:
            logger.warning("Markets of %s were not synchronised: %s", venue.code, error)
    return reports


@transaction.atomic
def _store(venue_id: int, rules: Sequence[MarketRules]) -> SyncReport:
    venue = lock_venue(venue_id)
    now = timezone.now()
    stated = {
        rule.symbol: rule
        for rule in rules
        if max(len(rule.base), len(rule.quote)) <= CODE_LENGTH_MAX
    }
    assets = ensure_assets({code for rule in stated.values() for code in (rule.base, rule.quote)})
    known = {market.symbol: market for market in Market.objects.filter(venue=venue)}
    drafts = [_draft(venue, rule, assets, now) for rule in stated.values()]
    new = [draft for draft in drafts if draft.symbol not in known]
    changed = [
        draft for draft in drafts if draft.symbol in known and _differ(draft, known[draft.symbol])
    ]
    closed = sum(known[d.symbol].is_active and not d.is_active for d in changed)
    Market.objects.bulk_create(
        [*new, *changed],
        batch_size=BATCH_SIZE,
        update_conflicts=True,
        unique_fields=["venue", "symbol"],
        update_fields=[*_RULE_FIELDS, "base", "quote", "synced_at", "updated_at"],
    )
    vanished = _deactivate(known, stated, now)
    Market.objects.filter(venue=venue, is_active=True).update(synced_at=now)
    venue.synced_at, venue.sync_error = now, ""
    venue.save(update_fields=["synced_at", "sync_error", "updated_at"])
    return SyncReport(
        added=len(new),
        updated=len(changed) - closed,
        deactivated=closed + vanished,
        total=len(stated),
    )


def _draft(venue: Venue, rule: MarketRules, assets: Mapping[str, Asset], now: datetime) -> Market:
    return Market(
        venue=venue,
        symbol=rule.symbol,
        base=assets[rule.base],
        quote=assets[rule.quote],
        tick=rule.tick,
        lot=rule.lot,
        quantity_min=rule.quantity_min,
        quantity_max=rule.quantity_max,
        notional_min=rule.notional_min,
        maker_fee=rule.fees.maker,
        taker_fee=rule.fees.taker,
        fee_mode=rule.fees.mode.value,
        is_active=rule.is_active,
        synced_at=now,
        updated_at=now,
    )


def _differ(draft: Market, known: Market) -> bool:
    return any(getattr(draft, name) != getattr(known, name) for name in _RULE_FIELDS)


def _deactivate(
    known: Mapping[str, Market], stated: Mapping[str, MarketRules], now: datetime
) -> int:
    gone = [
        market.pk for symbol, market in known.items() if symbol not in stated and market.is_active
    ]
    for start in range(0, len(gone), BATCH_SIZE):
        batch = gone[start : start + BATCH_SIZE]
        Market.objects.filter(pk__in=batch).update(is_active=False, synced_at=now, updated_at=now)
    return len(gone)
