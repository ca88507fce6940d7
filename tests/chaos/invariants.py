"""What must be true when everything has come to rest, whatever happened before.

Each check is a pure function from the evidence to the sentences about what violates it. As far as
possible they rest on what the venues wrote down, not on what our own books conclude from it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from tests.chaos.arrivals import engines_let_go, sent_late
from tests.chaos.evidence import (
    Evidence,
    ExecutionRow,
    MarketRow,
    OrderRow,
    TradeRow,
    VenueOrderRow,
)
from tests.chaos.recovery import feeds_are_healthy, parts_work
from tests.chaos.turns import engines_take_turns

RowT = TypeVar("RowT", VenueOrderRow, TradeRow)
ZERO = Decimal(0)
ENDED_ORDERS = frozenset({"filled", "canceled", "rejected"})
ENDED_TRANSFERS = frozenset({"arrived", "failed"})
ENDED_EXECUTIONS = frozenset({"completed", "unwound", "held", "failed"})
DUSTY_EXECUTIONS = frozenset({"completed", "unwound"})
SAME_STATE = {
    "filled": frozenset({"FILLED"}),
    "canceled": frozenset({"CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"}),
    "rejected": frozenset({"REJECTED"}),
}
"""What the venue calls a state of the journal."""
HALT_GRACE = timedelta(seconds=1)
"""What was on its way when the switch was pressed may still arrive for so long."""
FOREIGN_PREFIX = "web_"
"""How client ids begin of what the account's owner does by hand."""
DUST_MARGIN = Decimal("1.05")
"""Fees, and prices that moved between the plan and the end."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """One thing that must be true.

    Attributes:
        claim: what, in words.
        check: yields a sentence for each row that violates it.
    """

    claim: str
    check: Callable[[Evidence], Iterator[str]]


def find_violations(evidence: Evidence) -> dict[str, list[str]]:
    """Return the violations of every invariant, by its claim."""
    return {each.claim: list(each.check(evidence)) for each in INVARIANTS}


def orders_match(evidence: Evidence) -> Iterator[str]:
    """Each order of a venue is one of the journal with the same terms and end, and vice versa."""
    journal = {(row.venue, row.client_id): row for row in evidence.orders}
    there: dict[tuple[str, str], VenueOrderRow] = {}
    for found in _ours(evidence.venue_orders):
        key = (found.venue, found.client_id)
        if key in there:
            yield f"{found.venue} has two orders {found.client_id}: {there[key]} and {found}"
        there[key] = found
        if key not in journal:
            yield f"the venue has an order that the journal does not know: {found}"
    for key, row in journal.items():
        match = there.get(key)
        if match is not None:
            yield from _compare(row, match)
        elif row.state != "rejected" or row.filled:
            yield f"the venue does not know: {row}"


def _compare(row: OrderRow, match: VenueOrderRow) -> Iterator[str]:
    names = ("symbol", "side", "quantity", "price", "filled", "cost")
    for name in names:
        ours, theirs = getattr(row, name), getattr(match, name)
        if ours != theirs:
            yield f"order {row.id} {row.client_id}: {name} is {ours} here and {theirs} there"
    if match.state not in SAME_STATE.get(row.state, frozenset()):
        yield f"order {row.id} {row.client_id}: {row.state} here and {match.state} there"


def client_ids_are_unique(evidence: Evidence) -> Iterator[str]:
    """No client id was used twice, not even at two venues."""
    for name, rows in (("the journal", evidence.orders), ("the venues", evidence.venue_orders)):
        counts = Counter(row.client_id for row in rows)
        for client_id, count in counts.items():
            if count > 1:
                yield f"{name}: {client_id} was used {count} times"


def orders_ended(evidence: Evidence) -> Iterator[str]:
    """Every order has an end."""
    for row in evidence.orders:
        if row.state not in ENDED_ORDERS or row.finished_at is None:
            yield f"order {row.id} is {row.state}: {row}"


def trades_match(evidence: Evidence) -> Iterator[str]:
    """Each execution of an order was booked once, to the last decimal, fee included."""
    booked = Counter(evidence.trades)
    stated = Counter(_ours(evidence.venue_trades))
    for row, count in (booked - stated).items():
        yield f"booked {count} times more than it happened: {row}"
    for row, count in (stated - booked).items():
        yield f"happened {count} times more than it was booked: {row}"


def executions_ended(evidence: Evidence) -> Iterator[str]:
    """Every execution has an end, and had it in time."""
    for row in evidence.executions:
        if row.state not in ENDED_EXECUTIONS or row.finished_at is None:
            yield f"execution {row.id} of {row.strategy} is {row.state}"
        elif row.finished_at - row.created_at > evidence.finish_within:
            yield f"execution {row.id} took {row.finished_at - row.created_at}: {row.state}"


def exposures_are_closed(evidence: Evidence) -> Iterator[str]:
    """What an execution has left over is dust, or a person was told."""
    moved = movements_by_execution(evidence)
    for row in evidence.executions:
        if row.state == "held":
            continue
        traded = {asset for leg in row.legs for asset in leg.symbol.split("/")}
        for asset, amount in moved[row.id].items():
            if asset == row.profit_asset or not amount or asset not in traded:
                continue  # a coin that only fees are paid in is a cost, no exposure
            most = dust_max(row, asset, evidence.markets) + carried(row, asset)
            if abs(amount) > most:
                yield (
                    f"execution {row.id} of {row.strategy} is {row.state} with {amount} {asset} "
                    f"left over, and more than {most} is no dust"
                )


def figures_are_true(evidence: Evidence) -> Iterator[str]:
    """What an execution says that it moved is what the venues' trades moved."""
    moved = movements_by_execution(evidence)
    for row in evidence.executions:
        theirs = {asset: amount for asset, amount in moved[row.id].items() if amount}
        ours = {asset: amount for asset, amount in row.residuals.items() if amount}
        if row.profit:
            ours[row.profit_asset] = row.profit
        if ours != theirs:
            yield f"execution {row.id}: {ours} by our books, {theirs} by the venues' trades"


def results_are_explained(evidence: Evidence) -> Iterator[str]:
    """The parts of each result sum to what was booked, and its cash is that of the venues."""
    moved = movements_by_execution(evidence)
    explained = {row.execution_id: row for row in evidence.attributions}
    for execution in evidence.executions:
        row = explained.get(execution.id)
        if row is None:
            yield f"execution {execution.id} has no attribution"
            continue
        if sum(row.parts.values()) != row.total or row.total != row.booked or not row.is_exact:
            yield f"the attribution of execution {execution.id} does not add up: {row}"
        cash = moved[execution.id].get(execution.profit_asset, ZERO)
        if row.cash != cash:
            yield f"execution {execution.id} made {cash} by the venues, and {row.cash} is explained"


def dust_is_what_is_left(evidence: Evidence) -> Iterator[str]:
    """What is kept as dust is the sum of what finished executions left over."""
    left: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in evidence.executions:
        if row.state in DUSTY_EXECUTIONS:
            for asset, amount in row.residuals.items():
                left[row.strategy, asset] += amount
    for key in sorted({*left, *evidence.dust}):
        ours, theirs = evidence.dust.get(key, ZERO), left.get(key, ZERO)
        if ours != theirs:
            yield f"{'/'.join(key)}: {ours} kept as dust, {theirs} left over by executions"


def legs_waited(evidence: Evidence) -> Iterator[str]:
    """Another order for a leg was written only once the one before had ended."""
    latest: dict[tuple[int | None, int], OrderRow] = {}
    for row in sorted(evidence.orders, key=lambda row: row.id):
        before = latest.get((row.execution_id, row.leg_index))
        latest[row.execution_id, row.leg_index] = row
        if before is None or row.execution_id is None:
            continue
        if before.finished_at is None or before.finished_at > row.created_at:
            yield f"order {row.id} was written before order {before.id} of its leg had ended"


def postings_balance(evidence: Evidence) -> Iterator[str]:
    """The postings sum to zero in every asset, in all and in each entry."""
    in_all: dict[str, Decimal] = defaultdict(Decimal)
    by_entry: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in evidence.postings:
        in_all[row.asset] += row.amount
        by_entry[row.entry, row.asset] += row.amount
    for asset, total in in_all.items():
        if total:
            yield f"all postings in {asset} sum to {total}"
    for (entry, asset), total in by_entry.items():
        if total:
            yield f"the entry {entry} sums to {total} {asset}"


def totals_are_sums(evidence: Evidence) -> Iterator[str]:
    """The running totals of wallets are the sums of their postings."""
    yield from _differences(evidence.totals, wallets_by_postings(evidence), "total", "sum")


def results_are_sums(evidence: Evidence) -> Iterator[str]:
    """What a strategy has come to is the sum of what its executions have come to."""
    yield from (f"{name}: {gap} apart" for name, gap in sorted(evidence.result_gaps.items()))


def ledger_is_statement(evidence: Evidence) -> Iterator[str]:
    """The ledger holds what the venues state, to the last decimal."""
    booked = wallets_by_postings(evidence)
    yield from _differences(booked, evidence.statements, "booked", "stated")


def transfers_ended(evidence: Evidence) -> Iterator[str]:
    """Every transfer has arrived, failed or never begun, and nothing is left on its way."""
    waiting = _waiting_transfers(evidence)
    for row in evidence.transfers:
        if row.state not in ENDED_TRANSFERS and row.id not in waiting:
            yield f"transfer {row.id} is {row.state}: {row.route}"
    on_its_way: dict[str, Decimal] = defaultdict(Decimal)
    for posting in evidence.postings:
        if posting.book == "in_transit":
            on_its_way[posting.asset] += posting.amount
    for asset, amount in on_its_way.items():
        if amount:
            yield f"{amount} {asset} are still in transit by the ledger"


def reservations_are_released(evidence: Evidence) -> Iterator[str]:
    """Nothing is set aside any more, but for transfers that wait until they are proven absent."""
    waiting = _waiting_transfers(evidence)
    left: dict[str, Decimal] = defaultdict(Decimal)
    for row in evidence.reservations:
        left[row.purse] += row.amount
        if row.purpose != "transfer" or row.owner_id not in waiting:
            what = f"{row.purpose} {row.owner_id}"
            yield f"{row.amount} of {row.purse} are still set aside for {what}"
    for purse in sorted({*left, *evidence.reserved}):
        kept = evidence.reserved.get(purse, ZERO)
        if kept != left[purse]:
            yield f"{kept} of {purse} are set aside in total, and {left[purse]} row by row"


def _waiting_transfers(evidence: Evidence) -> frozenset[int]:
    """Return transfers whose request never reached the venue.

    By rule they are given up only after a quarter of an hour: money that leaves twice is gone.
    """
    return frozenset(
        row.id
        for row in evidence.transfers
        if row.state == "unknown" and row.client_id not in evidence.withdrawn
    )


def nothing_is_unexplained(evidence: Evidence) -> Iterator[str]:
    """The reconciler has explained or booked everything that it saw."""
    yield from evidence.discrepancies


def halts_held(evidence: Evidence) -> Iterator[str]:
    """No order left while trading was halted."""
    journal = {(row.venue, row.client_id): row for row in evidence.orders}
    for row in _ours(evidence.venue_orders):
        sent_at = sent_late(evidence, row, journal.get((row.venue, row.client_id)))
        for halt in evidence.halts:
            if halt.venue not in {"", row.venue}:
                continue
            if halt.began_at + HALT_GRACE < sent_at < halt.ended_at:
                late = sent_at - halt.began_at
                yield f"{late} after the switch an order was sent: {row}"


def strategies_rest(evidence: Evidence) -> Iterator[str]:
    """Every strategy was stopped and has come to rest."""
    for name, state in evidence.strategies.items():
        if state not in {"stopped", "faulted"}:
            yield f"{name} is {state}"


def movements_by_execution(evidence: Evidence) -> dict[int, dict[str, Decimal]]:
    """Return what each execution moved of each asset, by the venues' trades."""
    owners = {(row.venue, row.client_id): row.execution_id for row in evidence.orders}
    assets = {(row.venue, row.symbol): (row.base, row.quote) for row in evidence.markets}
    moved: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for trade in evidence.venue_trades:
        owner = owners.get((trade.venue, trade.client_id))
        if owner is None:
            continue
        base, quote = assets[trade.venue, trade.symbol]
        sign = 1 if trade.side == "buy" else -1
        moved[owner][base] += sign * trade.quantity
        moved[owner][quote] -= sign * trade.cost
        moved[owner][trade.fee_asset] -= trade.fee
    return moved


def dust_max(execution: ExecutionRow, asset: str, markets: Sequence[MarketRow]) -> Decimal:
    """Return the most of ``asset`` that the markets of an execution do not take as an order.

    A leftover may be out of reach because of any of them, so the largest minimum counts.
    """
    rules = {(row.venue, row.symbol): row for row in markets}
    bounds = [ZERO]
    for leg in execution.legs:
        market = rules[leg.venue, leg.symbol]
        smallest = max(market.lot, market.quantity_min, market.notional_min / leg.price)
        smallest += market.lot  # what is over a whole number of lots stays
        if asset == market.base:
            bounds.append(smallest)
        elif asset == market.quote:
            bounds.append(smallest * leg.price)
    return max(bounds) * DUST_MARGIN


def carried(execution: ExecutionRow, asset: str) -> Decimal:
    """Return how much dust of earlier arbitrages an execution was to sell along."""
    legs = (leg for leg in execution.legs if leg.symbol.split("/")[0] == asset)
    return sum((leg.carried for leg in legs), ZERO)


def wallets_by_postings(evidence: Evidence) -> dict[tuple[str, str, str], Decimal]:
    """Return what each wallet holds by the sum of its postings."""
    held: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for row in evidence.postings:
        if row.book == "wallet":
            held[row.venue, row.wallet, row.asset] += row.amount
    return held


def _ours(rows: Sequence[RowT]) -> list[RowT]:
    """Return what the platform did, without what the account's owner did by hand."""
    return [row for row in rows if not row.client_id.startswith(FOREIGN_PREFIX)]


def _differences(
    one: Mapping[tuple[str, str, str], Decimal],
    other: Mapping[tuple[str, str, str], Decimal],
    one_name: str,
    other_name: str,
) -> Iterator[str]:
    for key in sorted({*one, *other}):
        if one.get(key, ZERO) != other.get(key, ZERO):
            yield (
                f"{'/'.join(key)}: {one.get(key, ZERO)} {one_name}, "
                f"{other.get(key, ZERO)} {other_name}, "
                f"{one.get(key, ZERO) - other.get(key, ZERO)} apart"
            )


INVARIANTS: tuple[Invariant, ...] = (
    Invariant("the venues' orders are the journal's, one to one", orders_match),
    Invariant("no client id was used twice", client_ids_are_unique),
    Invariant("every order has ended", orders_ended),
    Invariant("the venues' trades were booked, one to one", trades_match),
    Invariant("every execution has ended, in time", executions_ended),
    Invariant("every exposure is zero, dust or held", exposures_are_closed),
    Invariant("executions report what the venues' trades moved", figures_are_true),
    Invariant("every result is explained to the last decimal", results_are_explained),
    Invariant("dust is what finished executions left over", dust_is_what_is_left),
    Invariant("no leg was tried again before its order had ended", legs_waited),
    Invariant("postings sum to zero in every asset", postings_balance),
    Invariant("running totals are the sums of postings", totals_are_sums),
    Invariant("running totals are the sums of results", results_are_sums),
    Invariant("the ledger is the venues' statements", ledger_is_statement),
    Invariant("every transfer has ended", transfers_ended),
    Invariant("every reservation was released", reservations_are_released),
    Invariant("the reconciler left nothing unexplained", nothing_is_unexplained),
    Invariant("nothing was sent while trading was halted", halts_held),
    Invariant("no strategy was run by two engines at once", engines_take_turns),
    Invariant("no engine sent anything of what another had taken", engines_let_go),
    Invariant("every strategy has come to rest", strategies_rest),
    Invariant("every part works again", parts_work),
    Invariant("every book is followed again", feeds_are_healthy),
)
