"""The kernels by market: from best prices to whether a decision is worth computing."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.cycles import Cycle, CycleIndex
from strategies.domain.kernels.cycles import CycleKernel
from strategies.domain.kernels.pairs import PairKernel
from strategies.domain.kernels.rates import top_factors
from strategies.domain.view import MarketKey


class PairNominator:
    """Nominates when a symbol costs less on one venue than it brings on another.

    Attributes:
        keys: the markets, in the order of the members of the kernel.
        kernel: what their pairs are kept in.
    """

    def __init__(self, rules: Mapping[MarketKey, MarketRules], *, threshold: float) -> None:
        """Prepare for the markets in ``rules``; those that are not active are passed over.

        Args:
            rules: of the markets that may be paired, whenever their symbols are equal.
            threshold: least rate of a pair, fees included.
        """
        self.keys = active = [key for key, item in rules.items() if item.is_active]
        self._members = {
            key: (member, *top_factors(rules[key])) for member, key in enumerate(active)
        }
        groups: dict[str, list[int]] = defaultdict(list)
        for member, key in enumerate(active):
            groups[key.symbol].append(member)
        self.kernel = PairKernel(list(groups.values()), threshold=threshold)

    def update(self, key: MarketKey, bid: float, ask: float) -> bool:
        """Return whether a pair with this market may earn enough now."""
        found = self._members.get(key)
        if found is None:
            return False
        member, buy_factor, sell_factor = found
        return self.kernel.set_rates(
            member,
            buy_factor / ask if ask > 0.0 else 0.0,
            sell_factor * bid if bid > 0.0 else 0.0,
        )

    def drop(self, key: MarketKey) -> None:
        """Forget the prices of a market."""
        self.update(key, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Watch:
    """Cycles of one venue that are to be watched.

    Attributes:
        venue: code of the venue.
        index: all its cycles.
        positions: those to watch.
    """

    venue: str
    index: CycleIndex
    positions: Sequence[int]


class CycleNominator:
    """Nominates when a unit sent around a cycle of one venue comes back as enough.

    Attributes:
        cycles: venue and cycle, in the order of the positions of the kernel.
        kernel: what the cycles of all venues are kept in.
    """

    def __init__(
        self,
        watches: Iterable[Watch],
        rules: Mapping[MarketKey, MarketRules],
        *,
        threshold: float,
    ) -> None:
        """Prepare for the cycles of some venues.

        Args:
            watches: what to watch; each venue once.
            rules: of the markets of those cycles; one that is not active is not passed.
            threshold: least rate of a cycle, fees included.
        """
        self.cycles: list[tuple[str, Cycle]] = []
        self._slots: dict[MarketKey, int] = {}
        routes: list[tuple[int, ...]] = []
        factors: list[float] = []
        for watch in watches:
            venue, index = watch.venue, watch.index
            offset = len(factors)
            for symbol in index.markets:
                key = MarketKey(venue, symbol)
                if rules[key].is_active:
                    self._slots[key] = offset + index.slot_of(symbol, Side.BUY)
                factors.extend(top_factors(rules[key]))
            for position in watch.positions:
                self.cycles.append((venue, index.cycles[position]))
                routes.append(tuple(offset + slot for slot in index.routes[position]))
        self._factors = array("d", factors)
        self.kernel = CycleKernel(routes, slots=len(factors), threshold=threshold)

    def update(self, key: MarketKey, bid: float, ask: float) -> bool:
        """Return whether a cycle through this market may earn enough now."""
        slot = self._slots.get(key)  # of buying; that of selling is the next
        if slot is None:
            return False
        factors, set_rate = self._factors, self.kernel.set_rate
        is_hot = set_rate(slot, factors[slot] / ask if ask > 0.0 else 0.0)
        return set_rate(slot + 1, factors[slot + 1] * bid if bid > 0.0 else 0.0) or is_hot

    def drop(self, key: MarketKey) -> None:
        """Forget the prices of a market."""
        self.update(key, 0.0, 0.0)
