"""In which markets an account trades: kept from round to round, so that a round reads what is new.

All orders that an account ever had would be read otherwise, once a minute.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from django.db.models import F, Max, QuerySet

from ledger.domain.orders import LIVE_STATES
from ledger.models import Order
from ledger.selectors.orders import IS_LIVE
from markets.models import Market

MARKETS_MAX = 20
"""Markets whose histories one round reads."""

LATE_MAX: Final = timedelta(minutes=5)
"""An order is committed at most so long after the moment that its row bears, by whatever clock."""

PENDING_MAX: Final = 5_000
"""Orders of an account that may still change by themselves; of more, none is remembered."""

_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Activity:
    """What the orders of an account have been doing.

    An order changes as long as it is alive or is to be looked up again. Once nothing is left to be
    learned about it, only a round of reconciliation can teach it something, and names it.

    Attributes:
        until: orders made by then are in here, but for those that are committed late.
        pending: ids of the orders that may change, or were changed by the round.
        last: by id of market, when an order there last changed, as far back as any round looks.
        resting: the same of orders that are alive now, however long ago that was.
    """

    until: datetime
    pending: frozenset[int]
    last: Mapping[int, datetime]
    resting: Mapping[int, datetime] = field(default_factory=dict)

    def touching(self, order_ids: Collection[int]) -> Self:
        """Return the same, with orders that are to be looked at again."""
        return replace(self, pending=self.pending | frozenset(order_ids))

    def to_json(self) -> dict[str, Any] | None:
        """Return what the next round needs of it; ``None``: that is too much to be kept."""
        if len(self.pending) > PENDING_MAX:
            return None
        return {
            "until": self.until.isoformat(),
            "pending": sorted(self.pending),
            "last": {str(pk): at.isoformat() for pk, at in self.last.items()},
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> Self | None:
        """Return what ``to_json`` made; ``None``: nothing was kept."""
        if kept is None:
            return None
        last = {int(pk): datetime.fromisoformat(at) for pk, at in kept["last"].items()}
        return cls(datetime.fromisoformat(kept["until"]), frozenset(kept["pending"]), last)


def read_activity(
    account_id: int, before: Activity | None, *, now: datetime, horizon: datetime
) -> Activity:
    """Return what the orders of an account have been doing until now.

    Costs what has changed since ``before``; without it, every order of the account is read.

    Args:
        account_id: whose orders.
        before: what an earlier round has read.
        now: the present moment.
        horizon: no round looks further back.
    """
    newest = Order.objects.order_by("-created_at").values_list("created_at", flat=True).first()
    until = min(newest or now, now)  # a clock that is ahead must not hide what others make
    pending, resting = _read_pending(account_id)
    if before is None:
        orders = Order.objects.filter(account_id=account_id, updated_at__gte=horizon)
        last = _last_of(orders)
    else:
        left = Order.objects.filter(pk__in=before.pending - pending.keys())
        made = _of(account_id, Order.objects.filter(created_at__gte=before.until - LATE_MAX))
        last = _newest(before.last, _last_of(left), _last_of(made))
    last = _newest(last, *({market_id: at} for market_id, at in pending.values()))
    recent = {market_id: at for market_id, at in last.items() if at >= horizon}
    return Activity(until, frozenset(pending), recent, resting)


def list_traded_markets(activity: Activity, since: datetime) -> list[Market]:
    """Return the markets in which an account had orders since a moment, or has some now.

    Those in which something happened last come first: of an account that trades more markets than
    one round reads, none is left out for ever.
    """
    recent = {pk: at for pk, at in activity.last.items() if at >= since}
    last = _newest(recent, activity.resting)
    ids = sorted(last, key=lambda pk: (last[pk], pk), reverse=True)[:MARKETS_MAX]
    rows = Market.objects.select_related("venue", "base", "quote").in_bulk(ids)
    return [rows[pk] for pk in ids]


def _read_pending(
    account_id: int,
) -> tuple[dict[int, tuple[int, datetime]], dict[int, datetime]]:
    """Return the orders that may change: market and last change by id; and of markets, if alive."""
    columns = ("pk", "market_id", "updated_at", "state")
    alive = _of(account_id, Order.objects.filter(IS_LIVE)).values_list(*columns)
    # a bound, and not just "is not null": SQLite goes by the index of these for that alone
    due = _of(account_id, Order.objects.filter(next_lookup_at__gte=_EVER)).values_list(*columns)
    pending: dict[int, tuple[int, datetime]] = {}
    resting: dict[int, datetime] = {}
    for pk, market_id, at, state in (*due, *alive):
        pending[pk] = market_id, at
        if state in LIVE_STATES:
            resting = _newest(resting, {market_id: at})
    return pending, resting


def _of(account_id: int, rows: QuerySet[Order]) -> QuerySet[Order]:
    """Return those of an account, found by other indexes than that of all its orders."""
    return rows.order_by().alias(owner=F("account_id") + 0).filter(owner=account_id)


def _last_of(rows: QuerySet[Order]) -> dict[int, datetime]:
    # not by the column itself: SQLite would go through the index of all orders of each market
    grouped = rows.order_by().values_list(F("market_id") + 0).annotate(last=Max("updated_at"))
    return dict(grouped)


def _newest(*many: Mapping[int, datetime]) -> dict[int, datetime]:
    newest: dict[int, datetime] = {}
    for one in many:
        for pk, at in one.items():
            newest[pk] = max(at, newest.get(pk, at))
    return newest
