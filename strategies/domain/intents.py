"""What a decision says: intents to trade, and reasons not to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from arbplatform.core.decimals import ZERO, Amount, Bps, Price, Quantity
from arbplatform.core.errors import Message
from markets.domain.orders import Side


class ExecutionMode(StrEnum):
    """How the legs of an intent are sent."""

    PARALLEL = "parallel"
    """All at once: the funds of every leg are there already."""
    SEQUENTIAL = "sequential"
    """One after the other: each leg spends what the one before brought."""


@dataclass(frozen=True, slots=True)
class LegIntent:
    """One limit IOC order that a strategy wants.

    Attributes:
        venue: code of the venue.
        symbol: unified symbol.
        side: buy or sell.
        quantity: to order [base], on the lot grid.
        limit_price: worst acceptable price [quote per base], on the tick grid.
        expected_spent: what leaves [quote on a buy, base on a sell], fee included if in that asset.
        expected_received: what arrives [base on a buy, quote on a sell], net of fee.
        carried: part of the quantity that is dust of earlier executions [base].
    """

    venue: str
    symbol: str
    side: Side
    quantity: Quantity
    limit_price: Price
    expected_spent: Amount
    expected_received: Amount
    carried: Quantity = ZERO


@dataclass(frozen=True, slots=True)
class Intent:
    """One arbitrage that a strategy wants to carry out.

    Attributes:
        summary: for people: what is bought and sold where; the same in every language.
        legs: the orders, in sequence.
        mode: in parallel or in sequence.
        edge_bps: expected profit after fees [bps of notional].
        notional: what the edge relates to [units of ``profit_asset``].
        expected_profit: after fees and lots [units of ``profit_asset``].
        profit_asset: code of the asset in which the profit arises.
        sizing: how the size was found, by name, for the evidence; JSON values only.
    """

    summary: str
    legs: tuple[LegIntent, ...]
    mode: ExecutionMode
    edge_bps: Bps
    notional: Amount
    expected_profit: Amount
    profit_asset: str
    sizing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a candidate was not traded.

    Attributes:
        subject: what was looked at, for people (``BTC/USDT alpha → beta``).
        code: machine-readable reason in lower snake case (``edge_below_min``).
        message: the sentence; its context holds JSON values only.
        edge_bps: the edge at hand, if it was computed [bps].
    """

    subject: str
    code: str
    message: Message
    edge_bps: Bps | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a strategy makes of a view: what it wants, best first, and why not the rest.

    Every intent stands for itself: two of them may count on the same funds or the same levels of
    a book, so carry out one and look again.
    """

    intents: tuple[Intent, ...] = ()
    rejections: tuple[Rejection, ...] = ()
