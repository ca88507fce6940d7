"""The kernels by market: from best prices to whether a decision is worth computing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.cycles import CycleIndex
from strategies.domain.kernels.cycles import CycleKernel
from strategies.domain.kernels.pairs import PairKernel
from strategies.domain.kernels.rates import TopFactors, top_factors
from strategies.domain.view import MarketKey


class PairNominator:
    """Nominates when a symbol costs less on one venue than it brings on another."""

    def __init__(self, rules: Mapping[MarketKey, MarketRules], *, threshold: float) -> None:
        """Prepare for the markets in ``rules``; those that are not active are passed over.

        Args:
            rules: of the markets that may be paired, whenever their symbols are equal.
            threshold: least rate of a pair, fees included.
        """
        active = [key for key, item in rules.items() if item.is_active]
        self._members = {
            key: (member, top_factors(rules[key])) for member, key in enumerate(active)
        }
        groups: dict[str, list[int]] = defaultdict(list)
        for key, (member, _) in self._members.items():
            groups[key.symbol].append(member)
        self._kernel = PairKernel(list(groups.values()), threshold=threshold)

    def update(self, key: MarketKey, bid: float, ask: float) -> bool:
        """Return whether a pair with this market may earn enough now."""
        found = self._members.get(key)
        if found is None:
            return False
        member, factors = found
        return self._kernel.set_rates(member, factors.buy_rate(ask), factors.sell_rate(bid))

    def drop(self, key: MarketKey) -> None:
        """Forget the prices of a market."""
        self.update(key, 0.0, 0.0)


class _Slots(NamedTuple):
    """Where the two directions of a market stand."""

    kernel: CycleKernel
    buy: int
    sell: int
    factors: TopFactors


class CycleNominator:
    """Nominates when a unit sent around a cycle of one venue comes back as enough."""

    def __init__(
        self,
        cycles: Iterable[tuple[str, CycleIndex, Iterable[int]]],
        rules: Mapping[MarketKey, MarketRules],
        *,
        threshold: float,
    ) -> None:
        """Prepare for the cycles of some venues.

        Args:
            cycles: code of the venue, its index, and which positions of it to watch.
            rules: of the markets of those cycles; one that is not active is not passed.
            threshold: least rate of a cycle, fees included.
        """
        self._slots: dict[MarketKey, _Slots] = {}
        for venue, index, positions in cycles:
            kernel = CycleKernel(
                [index.routes[position] for position in positions],
                slots=2 * len(index.markets),
                threshold=threshold,
            )
            for symbol in index.markets:
                key = MarketKey(venue, symbol)
                if rules[key].is_active:
                    buy, sell = (index.slot_of(symbol, side) for side in (Side.BUY, Side.SELL))
                    self._slots[key] = _Slots(kernel, buy, sell, top_factors(rules[key]))

    def update(self, key: MarketKey, bid: float, ask: float) -> bool:
        """Return whether a cycle through this market may earn enough now."""
        found = self._slots.get(key)
        if found is None:
            return False
        kernel, buy, sell, factors = found
        is_hot = kernel.set_rate(buy, factors.buy_rate(ask))
        return kernel.set_rate(sell, factors.sell_rate(bid)) or is_hot

    def drop(self, key: MarketKey) -> None:
        """Forget the prices of a market."""
        self.update(key, 0.0, 0.0)
