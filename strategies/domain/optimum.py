"""The size of a chain that earns most.

Two steps. Without lots the profit is concave and piecewise linear, and following the best levels
of all books until the marginal rate is 1 reaches its peak (``find_peak``). With lots the profit
lies below a concave ceiling whose maximum is that peak, so trying lot counts outward from it,
always on the side with the higher ceiling, finds the best one, and it is *proven* best as soon as
the best so far reaches the ceilings on both sides (``find_best``).

The number of tries is bounded. Up to ``EXACT_TRIES`` nothing but the proof ends the search. Where
lots are so fine that it takes more, it also ends when no other size can earn more than
``TOLERANCE`` of the profit on top, and in any case after ``TRIES_MAX``. ``Best.gap`` says how much
better any other size could be at most; it is less than what one lot of each leg is worth.
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from operator import attrgetter

from arbplatform.core.decimals import ONE, ZERO, Amount, Fraction, Quantity
from markets.domain.orders import Side
from strategies.domain.chain import TINY, Chain, ChainLeg, Flow

TRIES_MAX = 512
EXACT_TRIES = 64
NEAR_TRIES = 24
"""Sizes next to the peak that are tried before the search leaps further away."""
TOLERANCE = Decimal("0.001")
"""Of the profit."""


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
    spent_per_base: Amount = ZERO
    rate: Fraction = ZERO
    """What a unit spent brings."""

    def __post_init__(self) -> None:
        self._look()

    @property
    def is_at_end(self) -> bool:
        return self.level >= len(self.leg.ladder.prices)

    @property
    def rest(self) -> Quantity:
        """What the present level still holds [base]."""
        return self.leg.ladder.quantities[self.level] - self.taken

    def finish_level(self) -> None:
        self.taken = self.leg.ladder.quantities[self.level]
        self.level += 1
        self._look()

    def _look(self) -> None:
        """Compute once for each level what its price means."""
        if self.is_at_end:
            return
        leg, price = self.leg, self.leg.ladder.prices[self.level]
        if leg.side is Side.BUY:
            self.spent_per_base = price * leg.factors.spend
            self.rate = leg.factors.receive / self.spent_per_base
        else:
            self.spent_per_base = leg.factors.spend
            self.rate = price * leg.factors.receive / self.spent_per_base


def find_peak(chain: Chain) -> Peak:
    """Return the best size on continuous quantities.

    Walks all ladders at once: each step goes to the nearest end of a level, pulled back to the
    start asset, as long as one more unit earns and the whole keeps ``edge_min``. Profit and what
    is left above the least edge are both concave in the size, so the first stop is the best.
    """
    cursors = [_Cursor(leg) for leg in chain.legs]
    spent = profit = above_min = ZERO
    while True:  # each turn ends a level of some ladder
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


def find_best(
    chain: Chain, peak: Peak, *, tries_max: int = TRIES_MAX, tolerance: Fraction = TOLERANCE
) -> Best:
    """Return the flow that earns most.

    Args:
        chain: what to size.
        peak: of the same chain.
        tries_max: how many sizes to compute at most.
        tolerance: part of the profit that may be missed after ``EXACT_TRIES``.
    """
    allowed = chain.range_of_pivot()
    if not allowed:
        return Best(None, ZERO, 0)
    pivot = chain.legs[chain.pivot]
    start = int((peak.quantities[chain.pivot] / pivot.lot).to_integral_value(ROUND_FLOOR))
    search = _Search(chain, allowed, min(max(start, allowed.start), allowed.stop - 1), tries_max)
    search.walk(NEAR_TRIES)
    if search.best is None:
        search.leap(-1)
        search.leap(1)
    search.walk(EXACT_TRIES - search.tries)
    search.walk(tries_max, tolerance)
    return Best(search.best, search.gap, search.tries)


class _Search:
    """The state of a search: what was tried, what was best, where to go on."""

    def __init__(self, chain: Chain, allowed: range, start: int, tries_max: int) -> None:
        self._chain, self._allowed, self._start = chain, allowed, start
        self._tries_max = tries_max
        self._fronts = (_Front(self, start, -1), _Front(self, start + 1, 1))
        self.best: Flow | None = None
        self.earned = ZERO
        self.tries = 0

    @property
    def gap(self) -> Amount:
        """What lies between the best so far and the ceilings over what was not tried."""
        return max(ZERO, *(front.ceiling - self.earned for front in self._fronts))

    def ceiling(self, lots: int) -> Amount:
        """Return what ``lots`` can earn at most; 0 where nothing is allowed."""
        ceiling = self._chain.ceiling(lots) if lots in self._allowed else None
        return ZERO if ceiling is None else ceiling

    def walk(self, tries: int, tolerance: Fraction = ZERO) -> None:
        """Try outward, lot by lot, until the best is proven or ``tries`` more are made.

        Args:
            tries: how many.
            tolerance: part of the profit that others may earn on top although it is proven.
        """
        last = min(self.tries + tries, self._tries_max)
        while self.tries < last:
            front = max(self._fronts, key=attrgetter("ceiling"))
            if front.ceiling <= self.earned * (ONE + tolerance):
                return
            self._try(front.lots)
            front.advance()

    def leap(self, step: int) -> None:
        """Try in growing strides until something earns, then halve back towards the start.

        Where the least edge decides the size, sizes next to the peak miss it by what rounding
        takes, and with fine lots the first that does not may be many lots away.
        """
        near, far = 0, 1
        while self.ceiling(self._start + step * far) > self.earned and self._has_tries:
            if self._try(self._start + step * far):
                break
            near, far = far, 2 * far
        else:
            return
        while far - near > 1 and self._has_tries:
            middle = (near + far) // 2
            if self._try(self._start + step * middle):
                far = middle
            else:
                near = middle

    @property
    def _has_tries(self) -> bool:
        return self.tries < self._tries_max

    def _try(self, lots: int) -> bool:
        """Compute one size; return whether it earns anything at all."""
        self.tries += 1
        flow = self._chain.flow(lots)
        if flow is None or flow.profit <= 0:
            return False
        if flow.profit > self.earned:
            self.best, self.earned = flow, flow.profit
        return True


class _Front:
    """One end of the stretch of lot counts that has been tried."""

    __slots__ = ("_search", "_step", "ceiling", "lots")

    def __init__(self, search: _Search, lots: int, step: int) -> None:
        self._search, self._step = search, step
        self.lots = lots
        self.ceiling: Decimal = search.ceiling(lots)

    def advance(self) -> None:
        """Go one lot further out."""
        self.lots += self._step
        self.ceiling = self._search.ceiling(self.lots)
