"""What needs a person: read from every app, told through the notices.

Nothing here decides that something is wrong. States that are in the database anyway (what may be
traded, executions, discrepancies, transfers) and the health of each part are looked at again and
again; a process that dies, or a message that is lost, loses none of them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from django.utils import translation
from django.utils.translation import gettext_noop as _

from accounts.domain.transfers import TransferState
from accounts.selectors import count_suspended_addresses, list_alarming_transfers
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import Message
from arbplatform.notices.heartbeats import write_heartbeats
from arbplatform.notices.raising import keep_alarms
from arbplatform.notices.rules import Condition, Incident, Severity
from arbplatform.notices.selectors import count_channels, count_open
from arbplatform.overview import read_overview
from arbplatform.parts import TITLES, check_parts
from ledger.domain.halts import HaltLevel, TradingState
from ledger.models import DiscrepancyStateChoice
from ledger.selectors.equity import list_latest_errors
from ledger.selectors.halts import list_halts
from ledger.selectors.reconciliation import list_discrepancies
from ledger.services.halts import name_of
from strategies.domain.states import ExecutionState, StrategyState
from strategies.selectors import list_exposed_executions, list_strategies, list_wrong_audits

EACH_MAX: Final = 50
"""Alarms of one kind that are kept at once: with more of them, one look into the console tells."""
SETTLE_MAX: Final = timedelta(minutes=2)
"""An execution that has not ended by then needs a person."""
PASSING: Final = timedelta(minutes=1)
"""What mends itself by a restart or a reconnect is told if it lasts longer."""
LOOK_BACK: Final = timedelta(hours=24)
"""Errors that the first look of a process still finds."""
COMMIT_MAX: Final = timedelta(minutes=5)
"""A line may be committed so long after its time."""

TOLD_BY_STATE: Final = (
    "disk_full",
    "disk_nearly_full",
    "execution_held",
    "execution_unknown",
    "reconciliation_alarm",
    "results_wrong",
    "strategy_faulted",
    "trading_halted",
)
"""Errors in the log that belong to a condition: that one is told."""

_HALTS: Final = {
    TradingState.HALTED: _("Trading is halted for {scope}: {reason}"),
    TradingState.REDUCING: _("Only orders that reduce exposure are sent for {scope}: {reason}"),
}
_LEVELS: Final = {  # what is told first comes first
    HaltLevel.GLOBAL: (Severity.CRITICAL, timedelta(0)),
    HaltLevel.GUARD: (Severity.CRITICAL, timedelta(0)),
    HaltLevel.ACCOUNT_KEY: (Severity.CRITICAL, timedelta(0)),
    HaltLevel.VENUE_STATE: (Severity.WARNING, PASSING),
}
_PARTS: Final = {
    "database": Severity.CRITICAL,
    "disk": Severity.CRITICAL,
    "engines": Severity.CRITICAL,
    "spool": Severity.CRITICAL,
}
_PART_OF_NOTICES: Final = "notices"
"""A channel that fails is told by those that stand in, and by health."""
_Row = TypeVar("_Row")


class AlarmWatch:
    """Looks after everything, for one process."""

    def __init__(self) -> None:
        self._looked_at: datetime | None = None

    def look(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Keep the alarms true to what is, and write signs of life that are due.

        Errors are looked for since the last look of this process; the first look of a process
        goes back a day, so that none is lost while all workers are down.
        """
        now = clock.now()
        since = self._looked_at - COMMIT_MAX if self._looked_at else now - LOOK_BACK
        cut: set[str] = set()
        with translation.override("en"):  # texts are kept as their keys
            conditions, incidents = list(read_conditions(now, cut)), list(read_incidents(since))
        keep_alarms(conditions=conditions, incidents=incidents, cut=cut, clock=clock)
        write_heartbeats(describe_platform, clock=clock)
        self._looked_at = now


def read_conditions(now: datetime, cut: set[str]) -> Iterator[Condition]:
    """Yield what is wrong now, of each kind the first ones.

    Args:
        now: when.
        cut: gets each kind of which there are more; their keys begin with it.
    """
    yield from _read_halts(cut)
    yield from _read_executions(now, cut)
    yield from _read_strategies(cut)
    yield from _read_discrepancies(cut)
    yield from _read_results(cut)
    yield from _read_transfers(cut)
    yield from _read_parts()


def read_incidents(since: datetime) -> Iterator[Incident]:
    """Yield the newest error of each kind that a log has since a moment."""
    for entry in list_latest_errors(since=since, besides=TOLD_BY_STATE, limit=EACH_MAX):
        # which machine wrote it is not known, it need not be this one
        owner = entry.strategy.name if entry.strategy else Message("The platform")
        yield Incident(
            key=f"log:{entry.event}:{entry.strategy_id or 0}",
            severity=Severity.WARNING,
            message=Message("{owner}: {error}", {"owner": owner, "error": entry.to_message()}),
            mark=entry.pk,
            at=entry.created_at,
        )


def describe_platform() -> Message:
    """Return what a sign of life says."""
    overview = read_overview()
    unknown = "–"
    return Message(
        "Still at work. Made today (UTC): {today} {asset}, since the start: {total} {asset}. "
        "Everything is worth {assets} {asset}. Strategies that run: {running}. Open alarms: "
        "{alarms}. Channels that fail: {failing}.",
        {
            "today": overview.today_pnl,
            "total": unknown if overview.total_pnl is None else overview.total_pnl,
            "assets": unknown if overview.total_assets is None else overview.total_assets,
            "asset": overview.reporting_asset,
            "running": overview.running,
            "alarms": count_open(),
            "failing": count_channels(overview.at)["failing"],
        },
    )


def _first(rows: Sequence[_Row], kind: str, cut: set[str]) -> Sequence[_Row]:
    """Return the first rows, and note the kind if that is not all."""
    if len(rows) > EACH_MAX:
        cut.add(kind)
    return rows[:EACH_MAX]


def _read_halts(cut: set[str]) -> Iterator[Condition]:
    order = (*_LEVELS, *HaltLevel)
    rows = sorted(list_halts(), key=lambda row: (order.index(HaltLevel(row.level)), row.pk))
    for halt in _first(rows, "trading", cut):
        level = HaltLevel(halt.level)
        severity, delay = _LEVELS.get(level, (Severity.WARNING, timedelta(0)))
        message = Message(
            _HALTS[TradingState(halt.state)],
            {"scope": name_of(halt), "reason": halt.to_reason()},
        )
        yield Condition(f"trading:{halt.key}:{halt.state}", severity, message, delay)


def _read_executions(now: datetime, cut: set[str]) -> Iterator[Condition]:
    rows = list_exposed_executions(limit=EACH_MAX + 1)
    for row in _first(rows, "execution", cut):
        context = {"strategy": row.strategy.name, "id": row.pk}
        if row.state == ExecutionState.HELD:
            exposure = ", ".join(f"{amount} {asset}" for asset, amount in row.residuals.items())
            yield Condition(
                f"execution:{row.pk}:held",
                Severity.CRITICAL,
                Message(
                    "{strategy}: execution {id} is held with an exposure of {exposure}. Flatten or "
                    "acknowledge it.",
                    {**context, "exposure": exposure},
                ),
            )
        elif now - row.created_at > SETTLE_MAX:
            yield Condition(
                f"execution:{row.pk}",
                Severity.CRITICAL,
                Message("{strategy}: execution {id} does not come to an end.", context),
            )


def _read_strategies(cut: set[str]) -> Iterator[Condition]:
    rows = list_strategies().filter(state=StrategyState.FAULTED).order_by("pk")
    for row in _first(list(rows[: EACH_MAX + 1]), "strategy", cut):
        yield Condition(
            f"strategy:{row.pk}",
            Severity.WARNING,
            Message(
                "{strategy} was stopped by a fault: {error}",
                {"strategy": row.name, "error": row.to_error()},
            ),
        )


def _read_discrepancies(cut: set[str]) -> Iterator[Condition]:
    rows = list_discrepancies().filter(state=DiscrepancyStateChoice.ALARMED).order_by("pk")
    for row in _first(list(rows[: EACH_MAX + 1]), "discrepancy", cut):
        yield Condition(
            f"discrepancy:{row.pk}",
            Severity.CRITICAL,
            Message(
                "Books and venue differ at {account}: {what}",
                {"account": str(row.account), "what": row.to_message()},
            ),
        )


def _read_results(cut: set[str]) -> Iterator[Condition]:
    """Yield the totals of results that are wrong: figures to look at, no money rests on them."""
    for row in _first(list(list_wrong_audits()[: EACH_MAX + 1]), "results", cut):
        yield Condition(f"results:{row.strategy_id}", Severity.WARNING, row.to_error().message)


def _read_transfers(cut: set[str]) -> Iterator[Condition]:
    rows = list_alarming_transfers(limit=EACH_MAX + 1)
    for row in _first(rows, "transfer", cut):
        is_disputed = row.state == TransferState.DISPUTED
        template = (
            _("Transfer {id} of {amount} {asset} from {source} to {target} needs a person.")
            if is_disputed
            else _("Transfer {id} of {amount} {asset} from {source} to {target} is overdue.")
        )
        context = {
            "id": row.pk,
            "amount": row.amount,
            "asset": row.asset.code,
            "source": str(row.from_account),
            "target": str(row.to_account),
        }
        key = f"transfer:{row.pk}:{'disputed' if is_disputed else 'overdue'}"
        yield Condition(key, Severity.CRITICAL, Message(template, context))
    count = count_suspended_addresses()
    if count:
        yield Condition(
            "addresses",
            Severity.CRITICAL,
            Message(
                "Addresses that are suspended because a venue states other ones: {count}.",
                {"count": count},
            ),
        )


def _read_parts() -> Iterator[Condition]:
    for name, part in check_parts().items():
        if part.is_ok or name == _PART_OF_NOTICES:
            continue
        context = {"part": Message(str(TITLES[name])), "detail": Message(part.detail)}
        yield Condition(
            f"part:{name}",
            _PARTS.get(name, Severity.WARNING),
            Message("Not working: {part}. {detail}", context),
            PASSING,
        )
