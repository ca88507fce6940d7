"""What the page of a strategy shows beside its form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from arbplatform.core.decimals import floor_to_step, to_plain
from arbplatform.persistence.clock import DATABASE_CLOCK
from arbplatform.wording import render
from strategies.admin.attributions import summarise
from strategies.domain.states import StrategyDriver, StrategyState
from strategies.models import Execution, Run, Strategy
from strategies.selectors import (
    get_last_run,
    list_executions,
    list_latest_logs,
    list_latest_trades,
)
from strategies.services.decisions import render_decision
from strategies.services.pnl import PnlReport, report_pnl
from strategies.services.runs import is_ticking

ROWS = 10
EDGE_STEP = Decimal("0.01")
SHOWN_STEP = Decimal("1e-8")
"""Amounts are shown down to this; the API and the exports have every digit."""

LINK = '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>'
STATE_LABELS: Mapping[str, str] = {
    StrategyState.RUNNING.value: "success",
    StrategyState.STOPPING.value: "warning",
    StrategyState.FAULTED.value: "danger",
    StrategyState.STOPPED.value: "",
}
"""Colours by value: the texts are another in each language."""

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A small table of the page.

    Attributes:
        title: above it.
        headers: of the columns.
        rows: their cells.
        note: said before the rows.
        is_prose: whether the last column holds sentences, which need room.
    """

    title: str
    headers: Sequence[str]
    rows: Sequence[Row]
    note: str = ""
    is_prose: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """A number of the page, or a state with the colour of its label."""

    title: str
    value: str
    note: str = ""
    is_label: bool = False
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything that the page shows beside the form."""

    strategy: Strategy
    cards: Sequence[Card]
    links: Sequence[tuple[str, str]]
    tables: Sequence[Table]


def build_panel(strategy: Strategy) -> Panel:
    """Return what the page of ``strategy`` shows, in the active language."""
    pnl = report_pnl(strategy_id=strategy.pk)
    return Panel(
        strategy=strategy,
        cards=_cards(strategy, pnl),
        links=_links(strategy),
        tables=[
            _decision(strategy),
            _attribution(pnl),
            _executions(strategy),
            _trades(strategy),
            _logs(strategy),
        ],
    )


def execution_link(execution: Execution, text: str) -> str:
    """Return a link to an execution's page."""
    address = reverse("admin:strategies_execution_change", args=[execution.pk])
    return format_html(
        '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, text
    )


def _cards(strategy: Strategy, pnl: PnlReport) -> list[Card]:
    run = get_last_run(strategy.pk)
    assets = ", ".join(f"{brief(amount)} {code}" for code, amount in pnl.by_asset.items() if amount)
    done = pnl.executions
    return [
        Card(
            _("Status"),
            strategy.get_state_display(),
            when(strategy.started_at),
            is_label=True,
            colour=STATE_LABELS[strategy.state],
        ),
        Card(
            _("Realised PnL"),
            f"{pnl.total:.2f} {pnl.reporting_asset}",
            assets,
        ),
        Card(
            _("Executions"),
            str(sum(done.values())),
            _("{completed} completed, {unwound} unwound, {held} held, {failed} failed").format(
                **done
            ),
        ),
        Card(
            _("Ticks of this run"),
            str(run.tick_count if run else 0),
            when(strategy.last_tick_at),
        )
        if strategy.driver == StrategyDriver.SCHEDULE
        else _engine_card(strategy, run),
    ]


def _engine_card(strategy: Strategy, run: Run | None) -> Card:
    """Say which engine holds a strategy that is driven by a stream, and how often it decided."""
    is_held = is_ticking(strategy, DATABASE_CLOCK.now())
    return Card(
        _("Engine"),
        strategy.lease_holder if is_held else _("none"),
        _("lease {fence}, {count} decisions in this run").format(
            fence=strategy.lease_fence, count=run.tick_count if run else 0
        ),
    )


def _links(strategy: Strategy) -> list[tuple[str, str]]:
    pages = (
        (_("Executions"), "strategies_execution", "strategy__id__exact"),
        (_("Opportunities"), "strategies_opportunity", "strategy__id__exact"),
        (_("Runs"), "strategies_run", "strategy__id__exact"),
        (_("Trades"), "ledger_fill", "strategy__id__exact"),
        (_("Orders"), "ledger_order", "strategy__id__exact"),
        (_("Logs"), "ledger_logentry", "strategy__id__exact"),
    )
    return [
        (title, f"{reverse(f'admin:{name}_changelist')}?{parameter}={strategy.pk}")
        for title, name, parameter in pages
    ]


def _decision(strategy: Strategy) -> Table:
    return Table(
        title=_("Last decision"),
        headers=[_("What"), _("Edge [bps]"), _("Result"), _("Why")],
        rows=_decision_rows(render_decision(strategy.last_decision)),
        note=when(decided_at(strategy)),
        is_prose=True,
    )


def _attribution(pnl: PnlReport) -> Table:
    return Table(
        title=_("From the expected to the realised profit"),
        headers=[_("part"), *(row["asset"] for row in pnl.attribution)],
        rows=summarise(pnl.attribution, brief),
        note=_audit(pnl),
    )


def _audit(pnl: PnlReport) -> str:
    """Return what came of comparing the sums with the executions; nothing before the first time."""
    if pnl.audited_at is None:
        return ""
    template = (
        _("{count} sums were not what the executions add up to at {at}: see the alarms.")
        if pnl.wrong_sums
        else _("Compared with all executions at {at}: every sum is right.")
    )
    return template.format(count=pnl.wrong_sums, at=when(pnl.audited_at))


def _decision_rows(decision: Mapping[str, Any]) -> list[Row]:
    rows: list[Row] = [
        (item["summary"], "", _("executed"), item["state"]) for item in decision.get("executed", [])
    ]
    rows += [
        (item["summary"], _short(item["edge_bps"]), _("not executed"), item["reason_text"])
        for item in decision["left"]
    ]
    rows += [
        (item["subject"], _short(item["edge_bps"]), _("not traded"), item["message"])
        for item in decision["rejections"]
    ]
    rows += [
        (f"{item['symbol']} @ {item['venue']}", "", _("no book"), item["message"])
        for item in decision["missing_books"]
    ]
    return rows


def _executions(strategy: Strategy) -> Table:
    rows = list_executions(strategy_id=strategy.pk)[:ROWS]
    return Table(
        title=_("Latest executions"),
        headers=[_("Time"), _("What"), _("State"), _("Expected"), _("Realised"), _("Left over")],
        rows=[
            (
                execution_link(row, when(row.created_at)),
                row.opportunity.summary,
                row.get_state_display(),
                f"{brief(row.expected_profit)} {row.profit_asset.code}",
                f"{brief(row.realised_profit)} {row.profit_asset.code}",
                ", ".join(f"{amount} {code}" for code, amount in row.residuals.items()),
            )
            for row in rows
        ],
    )


def _trades(strategy: Strategy) -> Table:
    return Table(
        title=_("Latest trades"),
        headers=[
            _("Time"),
            _("Venue"),
            _("Symbol"),
            _("Side"),
            _("Price"),
            _("Quantity"),
            _("Fee"),
        ],
        rows=[
            (
                when(row.executed_at),
                row.market.venue.code,
                row.market.symbol,
                row.get_side_display(),
                brief(row.price),
                brief(row.quantity),
                f"{brief(row.fee)} {row.fee_asset.code if row.fee_asset else ''}",
            )
            for row in list_latest_trades(strategy_id=strategy.pk, limit=ROWS)
        ],
    )


def _logs(strategy: Strategy) -> Table:
    return Table(
        title=_("Latest log lines"),
        headers=[_("Time"), _("Level"), _("Message")],
        rows=[
            (when(row.created_at), row.get_level_display(), render(row.to_message()))
            for row in list_latest_logs(strategy_id=strategy.pk, limit=ROWS)
        ],
        is_prose=True,
    )


def when(moment: datetime | None) -> str:
    """Return a moment to the second, in the console's time zone."""
    return "–" if moment is None else date_format(localtime(moment), "Y-m-d H:i:s")


def brief(amount: Decimal | None) -> str:
    """Return an amount with at most eight places, rounded down; a dash for none."""
    return "–" if amount is None else to_plain(floor_to_step(amount, SHOWN_STEP))


def decided_at(strategy: Strategy) -> datetime | None:
    """Return when the last decision of a strategy was made, if there is one."""
    text = strategy.last_decision.get("at")
    return datetime.fromisoformat(text) if text else None


def _short(edge_bps: str | None) -> str:
    """Return an edge with two places, rounded down as in the sentence beside it."""
    return "" if edge_bps is None else f"{floor_to_step(Decimal(edge_bps), EDGE_STEP):.2f}"
