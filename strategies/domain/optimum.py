"""The size of a chain that earns most.

Two steps. Without lots the profit is concave and piecewise linear, and following the best levels
of all books until the marginal rate is 1 reaches its peak (``find_peak``). With lots the profit
lies below a concave ceiling whose maximum is that peak, so trying lot counts outward from it,
always on the side with the higher ceiling, finds the best one, and it is *proven* best as soon as
the best so far reaches the ceilings on both sides (``find_best``).

The number of tries is bounded. Only where lots are so fine that rounding hardly matters can the
bound be met before the proof is complete; then ``Best.gap`` says how much better any other size
could be at most: a fraction of what one lot of each leg is worth.
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from arbplatform.core.decimals import ONE, ZERO, Amount, Fraction, Quantity
from markets.domain.orders import Side
from strategies.domain.chain import TINY, Chain, ChainLeg, Flow

TRIES_MAX = 512


@dataclass(frozen=True, slots=True)
class Peak:
    """The best size if there were no lots and no minima.

    Attributes:
        quantities: of each leg [base].
        spent: at the start [start asset].
        profit: at the end [start asset].
        limiting_leg: index of the leg whose ladder ended first; ``None`` when it was the edge that
            ended: the next unit would earn nothing, or bring the whole below the least edge.
    """

    quantities: tuple[Quantity, ...]
    spent: Amount
    profit: Amount
    limiting_leg: int | None


@dataclass(slots=True)
class _Cursor:
    """How far a walk along the levels of one leg has come."""

    leg: ChainLeg
    level: int = 0
    taken: Quantity = ZERO

    @property
    def is_at_end(self) -> bool:
        return self.level >= len(self.leg.ladder.prices)

    @property
    def rest(self) -> Quantity:
        """What the present level still holds [base]."""
        return self.leg.ladder.quantities[self.level] - self.taken

    @property
    def spent_per_base(self) -> Amount:
        price = self.leg.ladder.prices[self.level] if self.leg.side is Side.BUY else ONE
        return price * self.leg.factors.spend

    @property
    def rate(self) -> Fraction:
        """What a unit spent brings."""
        price = ONE if self.leg.side is Side.BUY else self.leg.ladder.prices[self.level]
        return price * self.leg.factors.receive / self.spent_per_base

    def finish_level(self) -> None:
        self.taken = self.leg.ladder.quantities[self.level]
        self.level += 1


def find_peak(chain: Chain) -> Peak:
    """Return the best size on continuous quantities.

    Walks all ladders at once: each step goes to the nearest end of a level, pulled back to the
    start asset, as long as one more unit earns and the whole keeps ``edge_min``. Profit and what
    is left above the least edge are both concave in the size, so the first stop is the best.
    """
    cursors = [_Cursor(leg) for leg in chain.legs]
    spent = profit = above_min = ZERO
    limiting: int | None = None
    while limiting is None:
        limiting = next((i for i, cursor in enumerate(cursors) if cursor.is_at_end), None)
        if limiting is not None:
            break
        rates = [cursor.rate for cursor in cursors]
        inflows = _inflows(rates)
        gain = inflows.pop() - ONE
        if gain <= 0:
            break
        widths = [
            cursor.rest * cursor.spent_per_base / inflow
            for cursor, inflow in zip(cursors, inflows, strict=True)
        ]
        narrowest = min(range(len(widths)), key=widths.__getitem__)
        step = widths[narrowest]
        above_step = gain - chain.edge_min
        is_cut = above_min + step * above_step < -TINY * step
        if is_cut:
            step = -above_min / above_step
        for cursor, inflow in zip(cursors, inflows, strict=True):
            cursor.taken += step * inflow / cursor.spent_per_base
        spent += step
        profit += step * gain
        above_min += step * above_step
        if is_cut:
            break
        cursors[narrowest].finish_level()
    return Peak(tuple(cursor.taken for cursor in cursors), spent, profit, limiting)


def _inflows(rates: list[Fraction]) -> list[Fraction]:
    """Return what reaches each leg, and then the end, of one unit at the start."""
    inflows = [ONE]
    for rate in rates:
        inflows.append(inflows[-1] * rate)
    return inflows


@dataclass(frozen=True, slots=True)
class Best:
    """The outcome of a search over lots.

    Attributes:
        flow: the best one found; ``None`` when none earns anything.
        gap: how much more any other size could earn at most [start asset]; 0 is a proof.
        tries: how many sizes were computed.
    """

    flow: Flow | None
    gap: Amount
    tries: int


def find_best(chain: Chain, peak: Peak, tries_max: int = TRIES_MAX) -> Best:
    """Return the flow that earns most.

    Args:
        chain: what to size.
        peak: of the same chain.
        tries_max: how many sizes to compute at most.
    """
    allowed = chain.range_of_pivot()
    if not allowed:
        return Best(None, ZERO, 0)
    pivot = chain.legs[chain.pivot]
    start = int((peak.quantities[chain.pivot] / pivot.lot).to_integral_value(ROUND_FLOOR))
    start = min(max(start, allowed.start), allowed.stop - 1)
    fronts = [_Front(chain, allowed, start, -1), _Front(chain, allowed, start + 1, 1)]
    best: Flow | None = None
    earned = ZERO
    tries = 0
    while tries < tries_max:
        front = max(fronts, key=lambda front: front.ceiling)
        if front.ceiling <= earned:
            break
        flow = chain.flow(front.lots)
        tries += 1
        if flow is not None and flow.profit > earned:
            best, earned = flow, flow.profit
        front.advance()
    gap = max(ZERO, *(front.ceiling - earned for front in fronts))
    return Best(best, gap, tries)


class _Front:
    """One end of the stretch of lot counts that has been tried."""

    __slots__ = ("_allowed", "_chain", "_step", "ceiling", "lots")

    def __init__(self, chain: Chain, allowed: range, lots: int, step: int) -> None:
        self._chain, self._allowed, self._step = chain, allowed, step
        self.lots = lots
        self.ceiling: Decimal = ZERO
        self._look()

    def advance(self) -> None:
        """Go one lot further out."""
        self.lots += self._step
        self._look()

    def _look(self) -> None:
        ceiling = self._chain.ceiling(self.lots) if self.lots in self._allowed else None
        self.ceiling = ZERO if ceiling is None else ceiling
