"""Which cycles earn at the best prices, kept up to date price by price.

A market that moves touches few cycles, but a hot one touches hundreds: BTC/USDT is part of every
way between BTC, USDT and anything that trades against both. So of every cycle one slot, the one
that the most cycles pass through, is its *owner*, and a group of cycles is known to its owner by
one number: a bound on what their other slots multiply to. Then a move costs

- for the cycles that others own, one product each: those are few, since a busy slot owns most of
  its cycles itself;
- for all the cycles that it owns, one product: rate times bound. Only when that reaches the
  threshold are they looked at one by one, and the bound becomes exact again.

A bound is raised when a slot improves and left alone when one worsens, so it is never too low. It
speaks of the cycles that are not hot: those that are stand in a list of their own, so that one
price that stays too good to be true makes no other update slower. A price that only gets worse
makes nothing good: nothing is computed for it but what is hot through it.
"""

from array import array
from collections import Counter
from collections.abc import Sequence

from strategies.domain.cycles import TRIANGLE


class CycleKernel:
    """The cycles whose rate reaches a threshold, exactly, after every change of a rate.

    Numbers stand in arrays and not in lists: with thousands of markets the time goes into fetching
    what is not in the processor's cache, and an array is a tenth of the memory.

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
        self.rates = array("d", bytes(8 * slots))
        self._bounds = array("d", bytes(8 * slots))
        self._threshold = threshold
        self._routes = tuple(tuple(route) for route in routes)
        self._hot_at: dict[int, set[int]] = {}
        weights = Counter(slot for route in self._routes for slot in route)
        self._owners = [max(route, key=lambda n: (weights[n], n)) for route in self._routes]
        # Of each slot, the triangles that it owns as (slot, slot, position), those that another
        # one owns as (slot, owner, position), and longer cycles by position.
        self._owned = tuple(array("i") for _ in range(slots))
        self._shared = tuple(array("i") for _ in range(slots))
        self._owned_longer: dict[int, list[int]] = {}
        self._shared_longer: dict[int, list[int]] = {}
        for position in range(len(self._routes)):
            self._file(position)

    def _file(self, position: int) -> None:
        """Tell the slots of a cycle of it."""
        owner = self._owners[position]
        others = [slot for slot in self._routes[position] if slot != owner]
        if len(others) == TRIANGLE - 1:
            one, other = others
            self._owned[owner].extend((one, other, position))
            self._shared[one].extend((other, owner, position))
            self._shared[other].extend((one, owner, position))
            return
        self._owned_longer.setdefault(owner, []).append(position)
        for slot in others:
            self._shared_longer.setdefault(slot, []).append(position)

    def set_rate(self, slot: int, rate: float) -> bool:
        """Take a new rate; return whether a cycle through the slot is hot or was until now.

        Args:
            slot: which.
            rate: units received per unit spent; 0 where the market cannot be passed.
        """
        rates = self.rates
        before = rates[slot]
        rates[slot] = rate
        hot_here = self._hot_at.get(slot)
        if hot_here is not None:
            for position in tuple(hot_here):
                if self.rate_of(position) < self._threshold:
                    self._cool_down(position)
        if rate > before:
            self._look_at_shared(slot, rate)
            if rate * self._bounds[slot] >= self._threshold:
                self._look_at_owned(slot, rate)
        return hot_here is not None or slot in self._hot_at

    def rate_of(self, position: int) -> float:
        """Return what a unit sent around a cycle brings back."""
        rate = 1.0
        for slot in self._routes[position]:
            rate *= self.rates[slot]
        return rate

    def _look_at_shared(self, slot: int, rate: float) -> None:
        rates, bounds, threshold = self.rates, self._bounds, self._threshold
        numbers = iter(self._shared[slot])
        for other, owner, position in zip(numbers, numbers, numbers, strict=True):
            product = rate * rates[other]
            if product * rates[owner] >= threshold:
                self._heat_up(position)
            elif product > bounds[owner]:
                bounds[owner] = product
        for position in self._shared_longer.get(slot, ()):
            owner = self._owners[position]
            product = self._others_of(position, owner)
            if product * rates[owner] >= threshold:
                self._heat_up(position)
            elif product > bounds[owner]:
                bounds[owner] = product

    def _look_at_owned(self, slot: int, rate: float) -> None:
        """Find which cycles of a slot are hot, and make the bound of the others exact."""
        rates, threshold = self.rates, self._threshold
        bound = 0.0
        numbers = iter(self._owned[slot])
        for one, other, position in zip(numbers, numbers, numbers, strict=True):
            product = rates[one] * rates[other]
            if product * rate >= threshold:
                self._heat_up(position)
            elif product > bound:
                bound = product
        for position in self._owned_longer.get(slot, ()):
            product = self._others_of(position, slot)
            if product * rate >= threshold:
                self._heat_up(position)
            elif product > bound:
                bound = product
        self._bounds[slot] = bound

    def _others_of(self, position: int, owner: int) -> float:
        """Return what the slots of a cycle beside its owner multiply to."""
        product = 1.0
        for slot in self._routes[position]:
            if slot != owner:
                product *= self.rates[slot]
        return product

    def _heat_up(self, position: int) -> None:
        if position not in self.hot:
            self.hot.add(position)
            for slot in self._routes[position]:
                self._hot_at.setdefault(slot, set()).add(position)

    def _cool_down(self, position: int) -> None:
        self.hot.remove(position)
        for slot in self._routes[position]:
            here = self._hot_at[slot]
            here.remove(position)
            if not here:
                del self._hot_at[slot]
        owner = self._owners[position]
        self._bounds[owner] = max(self._bounds[owner], self._others_of(position, owner))
