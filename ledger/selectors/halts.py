"""Queries about what may be traded."""

from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_noop as _

from accounts.models import VenueAccount
from arbplatform.core.errors import Message, NotFound
from ledger.domain.halts import HaltLevel, HaltScope, TradingState
from ledger.domain.orders import LIVE_STATES, OrderState
from ledger.models import Order, TradingChange, TradingHalt
from ledger.selectors.orders import list_live
from markets.models import Venue

CHANGES_MAX = 100
"""Rows of the history that one answer shows."""


def list_halts() -> list[TradingHalt]:
    """Return every state that is not active, by key; usually none."""
    return list(TradingHalt.objects.exclude(state=TradingState.ACTIVE).order_by("key"))


def list_trading_states() -> QuerySet[TradingHalt]:
    """Return every scope whose state was ever changed, by key."""
    return TradingHalt.objects.order_by("key")


def list_trading_changes(*, limit: int = CHANGES_MAX) -> list[TradingChange]:
    """Return the newest changes of trading states, newest first."""
    rows = TradingChange.objects.select_related("halt").order_by("-id")
    return list(rows[: min(limit, CHANGES_MAX)])


def map_venue_ids(account_ids: Collection[int]) -> dict[int, int]:
    """Return the venue id of each account."""
    rows = VenueAccount.objects.filter(pk__in=account_ids)
    return dict(rows.values_list("pk", "venue_id"))


def name_scope(scope: HaltScope) -> Message:
    """Return what a scope is called.

    Raises:
        NotFound: there is no such venue, account or strategy.
    """
    if scope.level is HaltLevel.GUARD:
        if not scope.guard:
            raise NotFound("Say which guard is meant: give its name.")
        return Message(_("the whole platform, by the guard {name}"), {"name": scope.guard})
    if scope.target_id is None:
        if scope.level is HaltLevel.GLOBAL:
            return Message("the whole platform")
        raise NotFound("Say which {level} is meant: give its id.", level=Message(scope.level))
    named: dict[HaltLevel, tuple[Any, str]] = {
        HaltLevel.VENUE: (Venue, _("the venue {name}")),
        HaltLevel.ACCOUNT: (VenueAccount, _("the account {name}")),
        HaltLevel.VENUE_STATE: (Venue, _("the venue {name}, by its state")),
        HaltLevel.ACCOUNT_KEY: (VenueAccount, _("the account {name}, by its key")),
        HaltLevel.STRATEGY: (
            Order._meta.get_field("strategy").related_model,
            _("the strategy {name}"),
        ),
    }
    row, template = None, ""
    if scope.level in named:
        model, template = named[scope.level]
        row = model._default_manager.filter(pk=scope.target_id).first()  # noqa: SLF001
    if row is None:
        raise NotFound(
            "There is no {level} with the id {id}.",
            level=Message(scope.level.value),
            id=scope.target_id,
        )
    return Message(template, {"name": row.code if isinstance(row, Venue) else str(row)})


def list_live_orders(
    halts: Sequence[TradingHalt], *, states: Collection[OrderState] = LIVE_STATES, limit: int
) -> list[Order]:
    """Return the orders under some states whose end is not known, the oldest first."""
    columns = {
        HaltLevel.VENUE: "account__venue_id",
        HaltLevel.ACCOUNT: "account_id",
        HaltLevel.STRATEGY: "strategy_id",
        HaltLevel.VENUE_STATE: "account__venue_id",
        HaltLevel.ACCOUNT_KEY: "account_id",
    }
    covered = Q(pk__in=())
    for halt in halts:
        if halt.level in (HaltLevel.GLOBAL, HaltLevel.GUARD):
            covered = Q()
            break
        covered |= Q((columns[HaltLevel(halt.level)], halt.target_id))
    rows = list_live().filter(covered, state__in=states).order_by("pk")
    return list(rows.select_related("market__venue", "market__base", "market__quote")[:limit])
