"""The state of the whole platform on one page: a read model across all apps.

It is looked at every few seconds, so it reads running totals and bounded lists only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from django.conf import settings

from accounts.models import VenueAccount
from accounts.selectors import count_alarms, list_accounts
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import Amount
from arbplatform.core.errors import Message
from arbplatform.persistence.fields import ExactSum
from ledger.domain.orders import OrderState
from ledger.models import BookTotal
from ledger.selectors import count_live_by_state, get_figures, list_equity
from ledger.selectors.reconciliation import count_unsolved, map_last_clean
from markets.models import Venue, VenueStateChoice
from markets.selectors import list_venues
from markets.services.faults import SimulatorAnswer, ask_simulators
from strategies.domain.states import StrategyState
from strategies.models import Execution
from strategies.selectors import count_executions, count_strategies, list_executions

EQUITY_WINDOW: Final = timedelta(hours=24)
EQUITY_POINTS_MAX: Final = 240
EQUITY_ROWS_MAX: Final = 20_000
ARBITRAGES_MAX: Final = 10
VENUES_MAX: Final = 50
ESTIMATE_STEP: Final = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """What everything was worth at one moment.

    Attributes:
        at: the moment.
        total: all assets [reporting asset].
        realised_pnl: of all strategies until then [reporting asset].
    """

    at: datetime
    total: Amount
    realised_pnl: Amount


@dataclass(frozen=True, slots=True)
class VenueHealth:
    """Whether a venue and its accounts answer.

    Attributes:
        code: of the venue.
        name: for people.
        is_enabled: whether it is used.
        state: how all processes take it to be, a ``VenueState``.
        state_reason: why it is in that state, still to be translated; empty if it is healthy.
        account_count: accounts of ours there that are enabled.
        synced_at: when markets or balances were last read.
        error: what went wrong last, still to be translated; empty if nothing is wrong.
        is_simulated: whether a simulator on this machine answers for it, or did when it last
            answered: its money is play money. None if that is not known.
        fault_count: faults that are planned at a simulated venue and active now.
    """

    code: str
    name: str
    is_enabled: bool
    state: str
    state_reason: Message
    account_count: int
    synced_at: datetime | None
    error: Message
    is_simulated: bool | None
    fault_count: int

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or self.code

    @property
    def is_ok(self) -> bool:
        """Whether it is used and nothing is known to be wrong."""
        is_read = not self.error.template and self.synced_at is not None
        return self.is_enabled and self.is_healthy and is_read

    @property
    def is_healthy(self) -> bool:
        """Whether orders that open something may go there."""
        return self.state == VenueStateChoice.HEALTHY

    @property
    def state_label(self) -> str:
        """Its state in the reader's language."""
        return str(VenueStateChoice(self.state).label)


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of the whole platform.

    Attributes:
        at: when it was read.
        reporting_asset: what totals are in.
        strategies: how many strategies are in each state.
        total_assets: of the newest equity snapshot [reporting asset]; None before the first one.
        valued_at: when that snapshot was taken.
        unpriced_assets: assets that the total leaves out, because they have no price.
        today_pnl: realised since midnight UTC [reporting asset].
        today_unpriced: assets that today's figure leaves out, because they have no price.
        today_pnl_by_asset: the same [units of each asset].
        total_pnl: since the start, at the same prices [reporting asset]; None before a trade.
        equity: the last ``EQUITY_WINDOW``, oldest first.
        executions: how many arbitrages are in each state.
        latest: the newest arbitrages, newest first.
        orders_open: orders whose end is not known yet, those in UNKNOWN included.
        orders_unknown: orders of which it is not known whether the venue has them.
        discrepancies: on what books and venues disagree, neither explained nor booked.
        proven_at: since when every account in use was last found equal to its venue's statement;
            None if one never was, or there is none.
        transfer_alarms: transfers that are overdue or credited wrongly, and addresses that changed.
        imbalances: assets in which the books do not sum to zero: always none.
        venues: health of each venue.
    """

    at: datetime
    reporting_asset: str
    strategies: dict[StrategyState, int]
    total_assets: Amount | None
    valued_at: datetime | None
    unpriced_assets: Sequence[str]
    today_pnl: Amount
    today_unpriced: Sequence[str]
    today_pnl_by_asset: dict[str, Amount]
    total_pnl: Amount | None
    equity: Sequence[EquityPoint]
    executions: dict[str, int]
    latest: Sequence[Execution]
    orders_open: int
    orders_unknown: int
    discrepancies: int
    proven_at: datetime | None
    transfer_alarms: int
    imbalances: dict[str, Amount]
    venues: Sequence[VenueHealth]

    @property
    def strategies_total(self) -> int:
        """How many strategies there are."""
        return sum(self.strategies.values())

    @property
    def running(self) -> int:
        """How many strategies run."""
        return self.strategies[StrategyState.RUNNING]

    @property
    def faulted(self) -> int:
        """How many strategies were stopped by a fault."""
        return self.strategies[StrategyState.FAULTED]

    @property
    def executions_total(self) -> int:
        """How many arbitrages there are, whatever became of them."""
        return sum(self.executions.values())

    @property
    def is_balanced(self) -> bool:
        """Whether the books sum to zero in every asset."""
        return not self.imbalances

    @property
    def simulated(self) -> list[str]:
        """Names of the simulated venues on which there are accounts: their money is no money."""
        return [venue.title for venue in self.venues if venue.is_simulated and venue.account_count]

    @property
    def perhaps_simulated(self) -> list[str]:
        """Names of the venues with accounts of which it is not known whether they are simulated."""
        used = [venue for venue in self.venues if venue.account_count]
        return [venue.title for venue in used if venue.is_simulated is None]

    @property
    def is_practice(self) -> bool:
        """Whether there are accounts on simulated venues only."""
        used = [venue for venue in self.venues if venue.account_count]
        return bool(used) and all(venue.is_simulated for venue in used)


def read_overview(*, clock: Clock = SYSTEM_CLOCK) -> Overview:
    """Return the state of the whole platform."""
    now = clock.now()
    figures = get_figures(clock=clock)
    snapshot = figures.equity
    rows = snapshot.breakdown if snapshot else []
    live = count_live_by_state()
    accounts = list(list_accounts().filter(is_enabled=True))
    return Overview(
        at=now,
        reporting_asset=settings.REPORTING_ASSET,
        strategies=count_strategies(),
        total_assets=_round_estimate(snapshot.total) if snapshot else None,
        valued_at=snapshot.taken_at if snapshot else None,
        unpriced_assets=sorted({str(row["asset"]) for row in rows if row.get("value") is None}),
        today_pnl=_round_estimate(figures.today_value.total),
        today_unpriced=figures.today_value.unpriced,
        today_pnl_by_asset=dict(sorted(figures.today.items())),
        total_pnl=_round_estimate(figures.total_value.total) if figures.total_value else None,
        equity=read_equity(since=now - EQUITY_WINDOW),
        executions=count_executions(),
        latest=list(list_executions()[:ARBITRAGES_MAX]),
        orders_open=sum(live.values()),
        orders_unknown=live[OrderState.UNKNOWN],
        discrepancies=count_unsolved(),
        proven_at=read_proof(accounts),
        transfer_alarms=count_alarms(),
        imbalances=read_imbalances(),
        venues=read_venues(accounts),
    )


def read_equity(*, since: datetime) -> list[EquityPoint]:
    """Return the equity since a moment, oldest first, thinned to ``EQUITY_POINTS_MAX`` points.

    The newest point is always there.
    """
    rows = list_equity().filter(taken_at__gte=since).order_by("-taken_at")
    found = list(rows.values_list("taken_at", "total", "realised_pnl")[:EQUITY_ROWS_MAX])
    stride = -(-len(found) // EQUITY_POINTS_MAX) or 1
    return [
        EquityPoint(at, _round_estimate(total), _round_estimate(realised_pnl))
        for at, total, realised_pnl in reversed(found[::stride])
    ]


def read_imbalances() -> dict[str, Amount]:
    """Return assets in which the running totals do not sum to zero: always none.

    The totals are kept by the database with every posting; ``ledger.selectors.imbalances`` reads
    the postings themselves and takes as long as the history is.
    """
    sums = BookTotal.objects.order_by().values_list("asset__code").annotate(sum=ExactSum("total"))
    return {asset: total for asset, total in sums if total}


def read_proof(accounts: Sequence[VenueAccount]) -> datetime | None:
    """Return since when each of the accounts was last found equal to its venue's statement."""
    clean = map_last_clean([account.pk for account in accounts])
    if len(clean) < len(accounts):
        return None
    return min((one.at for one in clean.values()), default=None)


def read_venues(accounts: Sequence[VenueAccount]) -> list[VenueHealth]:
    """Return how each venue is, by the last synchronisations of its markets and balances.

    Args:
        accounts: those in use.
    """
    venues = list(list_venues()[:VENUES_MAX])
    answers = ask_simulators(venues)
    return [
        _health_of(
            venue,
            [account for account in accounts if account.venue_id == venue.pk],
            answers[venue.code],
        )
        for venue in venues
    ]


def _health_of(
    venue: Venue, accounts: Sequence[VenueAccount], answer: SimulatorAnswer
) -> VenueHealth:
    moments = [venue.synced_at, *(account.synced_at for account in accounts)]
    errors = [venue.to_sync_error(), *(account.to_sync_error() for account in accounts)]
    return VenueHealth(
        code=venue.code,
        name=venue.name,
        is_enabled=venue.is_enabled,
        state=venue.state,
        state_reason=venue.to_state_reason(),
        account_count=len(accounts),
        synced_at=max((moment for moment in moments if moment), default=None),
        error=next((error for error in errors if error.template), Message("")),
        is_simulated=answer.is_simulated,
        fault_count=answer.fault_count,
    )


def _round_estimate(value: Amount) -> Amount:
    """Return a valuation without digits that mean nothing: it is an estimate at mid prices."""
    return value.quantize(ESTIMATE_STEP, rounding=ROUND_FLOOR)
