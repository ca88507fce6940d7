"""Which cycles earn at the best prices, kept up to date price by price.

A market that moves touches few cycles, but a hot one touches hundreds: BTC/USDT is part of every
way between BTC, USDT and anything that trades against both. So of every cycle one slot, the one
that the most cycles pass through, is its *owner*, and a group of cycles is known to its owner by
one number: a bound on what their other slots multiply to. Then a move costs

- for the cycles that others own, one product each: those are few, since a busy slot owns most of
  its cycles itself;
- for all the cycles that it owns, one product: rate times bound. Only when that reaches the
  threshold are they looked at one by one, and the bound becomes exact again.

A bound is raised when a slot improves and left alone when one worsens, so it is never too low.
A price that only gets worse cannot make anything good: nothing is computed for it unless one of
its cycles is good already.
"""

from collections import Counter
from collections.abc import Sequence

_Shared = list[tuple[int, int, int]]
_SharedLong = list[tuple[tuple[int, ...], int, int]]
TRIANGLE = 3


class CycleKernel:
    """The cycles whose rate reaches a threshold, exactly, after every change of a rate.

    Attributes:
        hot: positions of those cycles.
        rates: by slot, units received per unit spent at the best price; 0 where there is none.
            To be read only: ``set_rate`` changes them.
    """

    def __init__(self, routes: Sequence[Sequence[int]], *, slots: int, threshold: float) -> None:
        """Prepare for cycles that cannot be passed yet, since all rates are 0.

        Args:
            routes: for each cycle its slots, in any sequence; none twice. Three or more of them.
            slots: how many there are.
            threshold: rate from which on a cycle is hot, above 0.
        """
        self.hot: set[int] = set()
        self.rates = [0.0] * slots
        self._threshold = threshold
        self._routes = tuple(tuple(route) for route in routes)
        self._heat = [0] * slots
        self._bounds = [0.0] * slots
        self._owned: list[list[int]] = [[] for _ in range(slots)]
        self._shared: list[_Shared] = [[] for _ in range(slots)]
        self._shared_long: list[_SharedLong] = [[] for _ in range(slots)]
        weights = Counter(slot for route in self._routes for slot in route)
        for position, route in enumerate(self._routes):
            owner = max(route, key=lambda slot: (weights[slot], slot))
            self._owned[owner].append(position)
            others = tuple(slot for slot in route if slot != owner)
            for slot in others:
                rest = tuple(other for other in others if other != slot)
                if len(route) == TRIANGLE:
                    self._shared[slot].append((rest[0], owner, position))
                else:
                    self._shared_long[slot].append((rest, owner, position))

    def set_rate(self, slot: int, rate: float) -> bool:
        """Take a new rate; return whether a cycle through the slot is hot or was until now.

        Args:
            slot: which.
            rate: units received per unit spent; 0 where the market cannot be passed.
        """
        rates = self.rates
        before = rates[slot]
        rates[slot] = rate
        heat = self._heat
        was_hot = heat[slot]
        if rate > before or was_hot:
            self._look_at_shared(slot, rate)
            if self._shared_long[slot]:
                self._look_at_long(slot, rate)
            if was_hot or rate * self._bounds[slot] >= self._threshold:
                self._look_at_owned(slot, rate)
            return bool(was_hot or heat[slot])
        return False

    def rate_of(self, position: int) -> float:
        """Return what a unit sent around a cycle brings back."""
        rate = 1.0
        for slot in self._routes[position]:
            rate *= self.rates[slot]
        return rate

    def _look_at_shared(self, slot: int, rate: float) -> None:
        rates, bounds, threshold, hot = self.rates, self._bounds, self._threshold, self.hot
        for other, owner, position in self._shared[slot]:
            product = rate * rates[other]
            if product > bounds[owner]:  # noqa: PLR1730 - a call costs as much as all the rest
                bounds[owner] = product
            if product * rates[owner] >= threshold:
                self._heat_up(position)
            elif hot:
                self._cool_down(position)

    def _look_at_long(self, slot: int, rate: float) -> None:
        rates, bounds = self.rates, self._bounds
        for rest, owner, position in self._shared_long[slot]:
            product = rate
            for other in rest:
                product *= rates[other]
            if product > bounds[owner]:  # noqa: PLR1730 - a call costs as much as all the rest
                bounds[owner] = product
            if product * rates[owner] >= self._threshold:
                self._heat_up(position)
            else:
                self._cool_down(position)

    def _look_at_owned(self, slot: int, rate: float) -> None:
        """Make the bound of a slot exact and say of each of its cycles whether it is hot."""
        rates, routes, threshold = self.rates, self._routes, self._threshold
        bound = 0.0
        for position in self._owned[slot]:
            product = 1.0
            for other in routes[position]:
                if other != slot:
                    product *= rates[other]
            bound = max(bound, product)
            if product * rate >= threshold:
                self._heat_up(position)
            else:
                self._cool_down(position)
        self._bounds[slot] = bound

    def _heat_up(self, position: int) -> None:
        if position not in self.hot:
            self.hot.add(position)
            for slot in self._routes[position]:
                self._heat[slot] += 1

    def _cool_down(self, position: int) -> None:
        if position in self.hot:
            self.hot.remove(position)
            for slot in self._routes[position]:
                self._heat[slot] -= 1
