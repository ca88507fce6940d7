"""Derive why an execution made what it made, and check it against the ledger."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_noop as _

from arbplatform.core.clock import Clock, to_ms
from arbplatform.core.decimals import ZERO, Amount, Price, Quantity, to_decimal, to_plain
from arbplatform.core.errors import InvalidInput
from ledger.models import EntryKind, Fill, LogLevel, Order
from ledger.selectors import (
    execution_movements,
    list_fee_corrections,
    list_prices,
    list_standing_fills,
)
from ledger.services.logs import write_log
from markets.domain.orders import Side
from strategies.domain.attribution import (
    Attribution,
    Case,
    LegFacts,
    LegParts,
    Traded,
    attribute,
    find_differences,
    value_movements,
)
from strategies.domain.evidence import Evidence, from_evidence
from strategies.domain.marks import Quoted, mark, storable
from strategies.domain.view import MarketKey
from strategies.models import Attribution as AttributionRow
from strategies.models import Execution
from strategies.selectors import find_attribution, list_legs, read_evidence
from strategies.services.results import Changes, contribution_of

_TRANSFER_KINDS = (EntryKind.TRANSFER, EntryKind.TRANSFER_OUT, EntryKind.TRANSFER_IN)

_MISMATCH = _(
    "ANOMALY: the fills of execution {execution_id} do not say what the ledger says: "
    "{differences}. The ledger stands; compare the accounts with their venues and look for an "
    "entry that no fill explains."
)
_UNREADABLE = _(
    "Why execution {execution_id} made what it made cannot be told: its evidence cannot be read. "
    "Its figures in the ledger are not concerned. {error}"
)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What was read for one attribution."""

    execution: Execution
    evidence: Evidence
    movements: Mapping[str, Amount]
    orders: Sequence[Order]
    fills: Sequence[Fill]
    corrections: Sequence[tuple[str, str, Amount]]


def derive_attribution(
    *, execution: Execution, movements: Mapping[str, Amount], clock: Clock
) -> Changes:
    """Derive the attribution of an execution and write it down, in the caller's transaction.

    Fills and ledger are read apart and have to agree, asset by asset. When they do not, the row is
    flagged and an ANOMALY is logged; nothing is corrected.

    Args:
        execution: its row is locked by the caller, its figures are up to date.
        movements: what the ledger says it moved, by asset.
        clock: tells when.

    Returns:
        What it changes in the results of the strategy; nothing when the evidence of the decision
        cannot be read, which is logged.
    """
    try:
        evidence = from_evidence(read_evidence(execution.opportunity_id))
    except (InvalidInput, LookupError, TypeError, ValueError) as error:
        _log(execution, LogLevel.ERROR, "attribution_unreadable", _UNREADABLE, error=error)
        return {}
    facts = _Facts(
        execution=execution,
        evidence=evidence,
        movements=movements,
        orders=list_legs(execution.pk),
        fills=list_standing_fills(execution.pk),
        corrections=list_fee_corrections(execution.pk),
    )
    row = find_attribution(execution.pk) or AttributionRow(execution=execution, revision=0)
    before = contribution_of(row) if row.revision else {}
    marks = _marks_of(facts, row, clock)
    _save(facts, row, attribute(_case_of(facts, marks)), marks=marks, clock=clock)
    return {name: value - before.get(name, 0) for name, value in contribution_of(row).items()}


def _case_of(facts: _Facts, marks: Mapping[str, Price]) -> Case:
    by_order: defaultdict[int, list[Fill]] = defaultdict(list)
    for fill in facts.fills:
        by_order[fill.order_id].append(fill)
    legs = []
    for index, plan in enumerate(facts.evidence.intent.legs):
        orders = [order for order in facts.orders if order.leg_index == index]
        traded = [
            _traded(Side(order.side), by_order[order.pk], facts.corrections) for order in orders
        ]
        legs.append(
            LegFacts(
                rules=facts.evidence.view.rules[MarketKey(plan.venue, plan.symbol)],
                plan=plan,
                planned=traded[0] if traded else Traded(plan.side),
                repairs=traded[1:],
            )
        )
    return Case(
        asset=facts.execution.profit_asset.code,
        expected=facts.execution.expected_profit,
        legs=legs,
        marks=marks,
        transfers=execution_movements(facts.execution.pk, kinds=_TRANSFER_KINDS),
    )


def _traded(
    side: Side, fills: Iterable[Fill], corrections: Sequence[tuple[str, str, Amount]]
) -> Traded:
    quantity: Quantity = ZERO
    cost: Amount = ZERO
    fees: defaultdict[str, Amount] = defaultdict(lambda: ZERO)
    for fill in fills:
        quantity += fill.quantity
        cost += fill.cost
        fee, asset = fill.known_fee, fill.known_fee_asset
        if fee and asset is not None:
            fees[asset.code] += fee
        for key, code, gained in corrections:
            if key == fill.entry.key:
                fees[code] -= gained
    return Traded(side, quantity, cost, dict(fees))


def _marks_of(facts: _Facts, row: AttributionRow, clock: Clock) -> dict[str, Price]:
    """Return marks by the books of the decision; those of other coins are fixed when first needed.

    Such a coin is one that only fees were paid in.
    """
    view = facts.evidence.view
    asset = facts.execution.profit_asset.code
    keys = [MarketKey(leg.venue, leg.symbol) for leg in facts.evidence.intent.legs]
    quoted = [
        Quoted(view.rules[key].base, view.rules[key].quote, view.books[key])
        for key in dict.fromkeys(keys)
    ]
    marks = mark(quoted, asset, facts.movements)
    known = {code: to_decimal(price) for code, price in row.marks.items()}
    marks |= {code: price for code, price in known.items() if code not in marks}
    lacking = [code for code in facts.movements if code not in marks]
    if lacking:
        prices = list_prices(now=clock.now())
        unit = prices.get(asset)
        marks |= {
            code: storable(prices[code] / unit) for code in lacking if code in prices and unit
        }
    return marks


def _save(
    facts: _Facts,
    row: AttributionRow,
    found: Attribution,
    *,
    marks: Mapping[str, Price],
    clock: Clock,
) -> None:
    differences = find_differences(found.moved, facts.movements)
    row.expected, row.latency, row.slippage = found.expected, found.latency, found.slippage
    row.fees, row.completion, row.dust = found.fees, found.completion, found.dust
    row.funding, row.transfers, row.total = found.funding, found.transfers, found.total
    row.booked = value_movements(facts.movements, marks)
    row.cash = facts.movements.get(facts.execution.profit_asset.code, ZERO)
    row.is_exact = not differences
    row.has_pending_fees = any(fill.known_fee is None for fill in facts.fills)
    row.marks = {code: to_plain(price) for code, price in sorted(marks.items())}
    row.unpriced = list(found.unpriced)
    shown = {
        code: {"fills": to_plain(fills), "ledger": to_plain(ledger)}
        for code, (fills, ledger) in differences.items()
    }
    is_news = bool(shown) and row.differences != shown
    row.differences = shown
    row.legs = [_leg_to_json(index, parts, facts) for index, parts in enumerate(found.legs)]
    row.derived_at = clock.now()
    row.revision += 1
    row.save()
    if is_news:
        _log(
            facts.execution,
            LogLevel.ERROR,
            "attribution_mismatch",
            _MISMATCH,
            differences="; ".join(
                f"{code}: {item['fills']} / {item['ledger']}" for code, item in shown.items()
            ),
        )


def _leg_to_json(index: int, parts: LegParts, facts: _Facts) -> dict[str, Any]:
    plan = facts.evidence.intent.legs[index]
    first = next((order for order in facts.orders if order.leg_index == index), None)
    sent_at = None if first is None else first.submitted_at
    return {
        "leg_index": index,
        "venue": plan.venue,
        "symbol": plan.symbol,
        "side": plan.side.value,
        "sent_after_ms": None if sent_at is None else to_ms(sent_at) - facts.evidence.view.now_ms,
        "latency": None if parts.latency is None else to_plain(parts.latency),
        "slippage": to_plain(parts.slippage),
        "fees": to_plain(parts.fees),
        "completion": to_plain(parts.completion),
    }


def _log(execution: Execution, level: LogLevel, event: str, template: str, **context: Any) -> None:
    write_log(
        strategy_id=execution.strategy_id,
        level=level,
        event=event,
        template=template,
        execution_id=execution.pk,
        **context,
    )
