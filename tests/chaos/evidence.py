"""What is known after the storm, as plain values: by our books, and by the venues'."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order of the journal.

    Attributes:
        id: of the row.
        client_id: what the venue knows it by.
        venue, symbol, side: where and which way.
        quantity: [base].
        price: limit [quote per base].
        state: by the journal.
        filled: quantity [base].
        cost: of the filled quantity [quote].
        execution_id, leg_index: what it is part of.
        created_at, finished_at: by our clock.
        submitted_at: when it was claimed, right before it left; ``None``: it never was.
    """

    id: int
    client_id: str
    venue: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal | None
    state: str
    filled: Decimal
    cost: Decimal
    execution_id: int | None
    leg_index: int
    created_at: datetime
    finished_at: datetime | None
    submitted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class VenueOrderRow:
    """An order as its venue wrote it down; the attributes are those of ``OrderRow``.

    Attributes:
        number: the venue's own id.
        created_at: by the venue's clock.
    """

    number: int
    client_id: str
    venue: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal | None
    state: str
    filled: Decimal
    cost: Decimal
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TradeRow:
    """An execution of an order, by either side's books.

    Attributes:
        venue, symbol, number: the venue, the market and the id of the trade.
        client_id: of the order.
        side: of the order.
        price, quantity, cost: [quote per base], [base], [quote].
        fee, fee_asset: what it cost besides.
    """

    venue: str
    symbol: str
    number: str
    client_id: str
    side: str
    price: Decimal
    quantity: Decimal
    cost: Decimal
    fee: Decimal
    fee_asset: str


@dataclass(frozen=True, slots=True)
class LegRow:
    """A leg as it was decided.

    Attributes:
        venue, symbol: where.
        price: limit [quote per base].
        carried: dust of earlier arbitrages that it was to sell along [base].
    """

    venue: str
    symbol: str
    price: Decimal
    carried: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """An arbitrage.

    Attributes:
        id: of the row.
        state: by our books.
        profit_asset: what it earns in.
        profit: net movement of that, by our books.
        residuals: net movement of the others, by our books.
        legs: as they were decided.
        strategy: name.
        created_at, finished_at: by our clock.
        engine: that began it; empty: a scheduled tick did.
        fence: number of the lease under which it was begun.
    """

    id: int
    state: str
    profit_asset: str
    profit: Decimal | None
    residuals: Mapping[str, Decimal]
    legs: Sequence[LegRow]
    strategy: str
    created_at: datetime
    finished_at: datetime | None
    engine: str = ""
    fence: int = 0


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease that an engine has taken, by the log of the strategy.

    Attributes:
        strategy: name.
        fence: its number.
        engine: that took it.
        taken_at: when.
        before: the engine that it was taken over from; empty: it was free.
    """

    strategy: str
    fence: int
    engine: str
    taken_at: datetime
    before: str = ""


@dataclass(frozen=True, slots=True)
class AttributionRow:
    """Why an execution made what it made.

    Attributes:
        execution_id: of the execution.
        parts: by name [profit asset].
        total: what they are said to sum to [profit asset].
        booked: what the ledger moved, at the marks of the execution [profit asset].
        cash: the part of it in the profit asset itself.
        is_exact: whether the platform found its fills and its ledger equal.
    """

    execution_id: int
    parts: Mapping[str, Decimal]
    total: Decimal
    booked: Decimal
    cash: Decimal
    is_exact: bool


@dataclass(frozen=True, slots=True)
class PostingRow:
    """A line of the ledger.

    Attributes:
        entry: key of its entry.
        book: ledger account.
        venue, wallet: whose wallet, for those of the book ``wallet``.
        asset, amount: what moved.
    """

    entry: str
    book: str
    venue: str
    wallet: str
    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class TransferRow:
    """A movement of funds that people asked for.

    Attributes:
        id: of the row.
        client_id: what the venue knows it by.
        state: by our books.
        route: for people.
    """

    id: int
    client_id: str
    state: str
    route: str


@dataclass(frozen=True, slots=True)
class ReservationRow:
    """What is set aside.

    Attributes:
        purpose, owner_id: for what.
        purse: account, wallet and asset.
        amount: [units of the asset].
    """

    purpose: str
    owner_id: int
    purse: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class MarketRow:
    """What the smallest order of a market is.

    Attributes:
        venue, symbol, base, quote: which one.
        lot, quantity_min: [base].
        notional_min: [quote].
    """

    venue: str
    symbol: str
    base: str
    quote: str
    lot: Decimal
    quantity_min: Decimal
    notional_min: Decimal


@dataclass(frozen=True, slots=True)
class Halt:
    """A span in which nothing may have been sent.

    Attributes:
        began_at: when the halt was committed.
        ended_at: when trading was resumed.
        venue: code of the one that was halted; empty for all.
    """

    began_at: datetime
    ended_at: datetime
    venue: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """A span in which the venues stood still: what was sent to them waited.

    Attributes:
        began_at, ended_at: by our clock.
    """

    began_at: datetime
    ended_at: datetime


Wallets = Mapping[tuple[str, str, str], Decimal]
"""By venue, wallet and asset."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the invariants are checked on.

    Attributes:
        orders, trades, executions, attributions, postings: by our books.
        leases: every lease of a strategy that an engine took.
        totals: the running totals of wallets, by our books.
        result_gaps: running totals of results that are not the sums of what they stand for, as the
            platform's own audit finds, by name.
        venue_orders, venue_trades, statements: by the venues.
        markets: all that are traded.
        halts: spans without trading.
        delays: for how long faults held orders up on their way.
        pauses: spans in which the venues stood still.
        strategies: state by name.
        transfers: that people asked for, by our books.
        withdrawn: client ids of transfers that the venues know of.
        reservations: what is still set aside, by our books.
        reserved: the totals that are kept of it, by purse.
        dust: by strategy and asset, what its finished executions left over, by our books.
        discrepancies: what the reconciler has neither explained nor booked, in words.
        parts: of the platform after the storm, by name; what is wrong with each, empty if nothing.
        feeds: likewise each book that an engine followed then.
        finish_within: how long an execution may take, outages included.
    """

    orders: Sequence[OrderRow] = ()
    trades: Sequence[TradeRow] = ()
    executions: Sequence[ExecutionRow] = ()
    leases: Sequence[LeaseRow] = ()
    attributions: Sequence[AttributionRow] = ()
    postings: Sequence[PostingRow] = ()
    totals: Wallets = field(default_factory=dict)
    result_gaps: Mapping[str, Decimal] = field(default_factory=dict)
    venue_orders: Sequence[VenueOrderRow] = ()
    venue_trades: Sequence[TradeRow] = ()
    statements: Wallets = field(default_factory=dict)
    markets: Sequence[MarketRow] = ()
    halts: Sequence[Halt] = ()
    delays: Sequence[timedelta] = ()
    pauses: Sequence[Pause] = ()
    strategies: Mapping[str, str] = field(default_factory=dict)
    transfers: Sequence[TransferRow] = ()
    withdrawn: frozenset[str] = frozenset()
    reservations: Sequence[ReservationRow] = ()
    reserved: Mapping[str, Decimal] = field(default_factory=dict)
    dust: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    discrepancies: Sequence[str] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    feeds: Mapping[str, str] = field(default_factory=dict)
    finish_within: timedelta = timedelta(minutes=5)
