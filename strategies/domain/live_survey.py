"""The survey of all markets as it stands at any moment, kept up to date price by price.

A scan asks once what earns; here every new best price is told, and what earns is known all the
time. Its result is that of a scan: floats nominate, exact decimals judge.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from arbplatform.core.decimals import ONE, ZERO
from arbplatform.core.errors import LimitExceeded, Message
from markets.domain.book import Book
from markets.domain.orders import Side
from markets.domain.quote import Ticker
from markets.domain.rules import MarketRules
from strategies.domain.cycles import index_cycles, market_of
from strategies.domain.kernels.nominators import CycleNominator, PairNominator, Watch
from strategies.domain.kernels.rates import least_rate
from strategies.domain.scan import (
    Kind,
    Nomination,
    Step,
    Survey,
    edge_of,
    entered,
    usable_tops,
)
from strategies.domain.view import MarketKey

Steps = tuple[Step, ...]


class LiveSurvey:
    """Every pair of venues and every way around three markets, judged at the newest best prices.

    Attributes:
        rules: of all markets to watch.
        too_many: by code, venues with more cycles than can be watched: their pairs are.
        standing_since_ms: since when what earned last has been seen [ms since epoch].
    """

    def __init__(
        self,
        rules: Mapping[MarketKey, MarketRules],
        *,
        starts: Sequence[str],
        standing_since_ms: Mapping[Steps, int] | None = None,
    ) -> None:
        """Prepare for markets that have no price yet.

        Args:
            rules: of all markets to watch; those that are not active are passed over.
            starts: assets in which a cycle should begin and end, the preferred one first.
            standing_since_ms: of the survey that this one takes the place of.
        """
        self.rules = rules
        self.too_many: dict[str, Message] = {}
        self._starts = tuple(starts)
        active = {key: item for key, item in rules.items() if item.is_active}
        threshold = least_rate(edge_min=ZERO, profit_min=ZERO, spend_max=ONE)
        self._pairs = PairNominator(active, threshold=threshold)
        self._cycles = CycleNominator(self._watches(active), active, threshold=threshold)
        self._tops: dict[MarketKey, Book] = {}
        self.standing_since_ms = dict(standing_since_ms or {})

    @property
    def tops(self) -> Mapping[MarketKey, Book]:
        """The best prices that are known and can be used, as books of one level."""
        return self._tops

    def update(self, tickers: Iterable[Ticker]) -> None:
        """Take new best prices; a market whose prices cannot be used is forgotten.

        Args:
            tickers: of any markets; unknown ones are passed over.
        """
        told = list(tickers)
        usable = dict(usable_tops(told, self.rules))
        for ticker in told:
            key = MarketKey(ticker.venue, ticker.symbol)
            book = usable.get(key)
            if book is not None:
                self._tops[key] = book
                best = float(book.bids[0].price), float(book.asks[0].price)
                self._pairs.update(key, *best)
                self._cycles.update(key, *best)
            elif key in self._tops:
                self._forget(key)

    def drop(self, keys: Iterable[MarketKey]) -> None:
        """Forget the prices of markets that cannot be seen any more."""
        for key in keys:
            if key in self._tops:
                self._forget(key)

    def survey(self) -> Survey:
        """Return what earns now, after fees, the highest edge first."""
        found = [*self._found_pairs(), *self._found_cycles()]
        nominations = [
            Nomination(kind, subject, steps, edge)
            for kind, steps, subject in found
            if (edge := edge_of(steps, self._tops, self.rules)).net_bps > ZERO
        ]
        nominations.sort(key=lambda item: (-item.edge.net_bps, item.subject))
        listed = Counter(key.symbol for key in self._tops)
        return Survey(
            nominations=tuple(nominations),
            markets=len(self._tops),
            pairs=sum(count * (count - 1) for count in listed.values()),
            cycles=len(self._cycles.cycles),
        )

    def first_seen_ms(self, nominations: Iterable[Nomination], now_ms: int) -> Mapping[Steps, int]:
        """Return since when each round trip has been seen without a break [ms since epoch].

        Args:
            nominations: all that there are now; what is not among them was lost sight of.
            now_ms: the present.
        """
        before = self.standing_since_ms
        self.standing_since_ms = {
            item.steps: before.get(item.steps, now_ms) for item in nominations
        }
        return self.standing_since_ms

    def _forget(self, key: MarketKey) -> None:
        del self._tops[key]
        self._pairs.drop(key)
        self._cycles.drop(key)

    def _found_pairs(self) -> Iterable[tuple[Kind, Steps, str]]:
        keys = self._pairs.keys
        for buy, sell in self._pairs.kernel.hot:
            buy_at, sell_at = keys[buy], keys[sell]
            steps = (Step(buy_at, Side.BUY), Step(sell_at, Side.SELL))
            yield Kind.CROSS_VENUE, steps, f"{buy_at.symbol} {buy_at.venue} → {sell_at.venue}"

    def _found_cycles(self) -> Iterable[tuple[Kind, Steps, str]]:
        for position in self._cycles.kernel.hot:
            venue, listed = self._cycles.cycles[position]
            cycle = entered(listed, self._starts)
            steps = tuple(Step(MarketKey(venue, hop.symbol), hop.side) for hop in cycle.hops)
            yield Kind.TRIANGULAR, steps, f"{venue}: {cycle}"

    def _watches(self, rules: Mapping[MarketKey, MarketRules]) -> Iterator[Watch]:
        for venue in dict.fromkeys(key.venue for key in rules):
            listed = [market_of(item) for key, item in rules.items() if key.venue == venue]
            try:
                index = index_cycles(frozenset(listed))
            except LimitExceeded as error:
                self.too_many[venue] = error.message
                continue
            yield Watch(venue, index, range(len(index.cycles)))
