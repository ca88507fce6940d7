"""Through three markets of one venue, or a few more, and back to the asset at the start."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import itemgetter

from pydantic import Field, ValidationInfo, field_validator

from arbplatform.core.decimals import ONE, ZERO, Amount
from arbplatform.core.errors import Message
from markets.domain.book import Book
from markets.domain.rules import MarketRules
from strategies.domain.candidate import Terms
from strategies.domain.cycles import (
    FLOAT_MARGIN,
    LEGS_MAX,
    TRIANGLE,
    Cycle,
    CycleIndex,
    index_cycles,
    market_of,
)
from strategies.domain.inspection import (
    name_market,
    reject_book,
    reject_empty_sides,
    reject_skew,
)
from strategies.domain.kernels.nominators import CycleNominator, Watch
from strategies.domain.reasons import REJECTIONS_MAX, nearest, reject
from strategies.domain.sizing import reject_at_top
from strategies.domain.triangle import size_triangle, top_rates, trades_of, value_in
from strategies.plugins.taking import Money, TakingParams, refuse_repetitions
from strategies.sdk import (
    Evaluation,
    Intent,
    MarketKey,
    MarketView,
    Nominator,
    Rejection,
    Scope,
    StrategyPlugin,
    param_error,
)

NOMINEES_MAX = 32
"""Cycles of one venue that are sized in one evaluation at most, those with the best rates."""


class TriangularParams(TakingParams):
    """Parameters of triangular arbitrage; amounts in the asset at the start."""

    assets: tuple[str, ...] = Field(
        min_length=3,
        max_length=100,
        title="Assets",
        description="Assets to trade among; every way around three of them is watched.",
    )
    start_assets: tuple[str, ...] = Field(
        default=("USDT",),
        validate_default=True,
        min_length=1,
        max_length=10,
        title="Start assets",
        description=(
            "Assets in which a trade starts, ends and earns, the preferred one first. Amounts of "
            "this strategy are meant in them."
        ),
    )
    max_start_amount: Money = Field(
        default=Decimal(1000),
        gt=0,
        title="Maximum amount",
        description="Most that one arbitrage may spend, in the start asset.",
    )

    legs_max: int = Field(
        default=TRIANGLE,
        ge=TRIANGLE,
        le=LEGS_MAX,
        title="Most legs",
        description=(
            "Longest way around that is watched, from 3 to 5 trades. Longer ways are many more, "
            "cost a fee each, and take longer to trade."
        ),
    )

    @field_validator("assets")
    @classmethod
    def _are_different(cls, assets: tuple[str, ...]) -> tuple[str, ...]:
        return refuse_repetitions(assets)

    @field_validator("start_assets")
    @classmethod
    def _are_among_assets(cls, starts: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        assets = info.data.get("assets")
        for start in refuse_repetitions(starts):
            if assets is not None and start not in assets:
                raise param_error(Message("{asset} is not among the assets.", {"asset": start}))
        return starts


@dataclass(frozen=True, slots=True)
class _Venue:
    """The usable part of a view on one venue, by symbol and asset."""

    code: str
    index: CycleIndex
    books: Mapping[str, Book]
    rules: Mapping[str, MarketRules]
    free: Mapping[str, Amount]


class Triangular(StrategyPlugin[TriangularParams]):
    """Three legs or more on one venue, one after the other."""

    slug = "triangular"
    title = "Triangular arbitrage"
    description = (
        "Trades an asset through two others and back on one venue when the three prices do not "
        "fit together. Several venues are watched side by side, each for itself."
    )
    params_class = TriangularParams

    @property
    def book_depth(self) -> int:
        """How many levels of each side of a book ``evaluate`` looks at, at most."""
        return self.params.depth

    @property
    def book_wait_ms(self) -> int:
        """How long books are waited for once one has come [ms]."""
        return self.params.book_wait_ms

    def subscriptions(self, scope: Scope) -> Sequence[MarketKey]:
        """Return, of every venue, each market that is part of a way around from a start asset.

        Raises:
            LimitExceeded: the assets allow more ways around than can be watched.
        """
        wanted: list[MarketKey] = []
        for venue in scope.venues:
            index = self._index_of(venue, scope.rules)
            used = {
                hop.symbol for cycle in index.cycles if self._starts_of(cycle) for hop in cycle.hops
            }
            wanted.extend(MarketKey(venue, symbol) for symbol in index.markets if symbol in used)
        return wanted

    def nominator(self, rules: Mapping[MarketKey, MarketRules]) -> Nominator:
        """Return what tells when a way around from a start asset may earn enough."""
        watches = []
        for venue in dict.fromkeys(key.venue for key in rules):
            index = self._index_of(venue, rules)
            positions = [
                position for position, cycle in enumerate(index.cycles) if self._starts_of(cycle)
            ]
            watches.append(Watch(venue, index, positions))
        return CycleNominator(
            watches, rules, threshold=self.params.least_rate(spend_max=self.params.max_start_amount)
        )

    def evaluate(self, view: MarketView) -> Evaluation:
        """Return an intent for each way around that earns enough, the most valuable first."""
        intents: list[tuple[Decimal, Intent]] = []
        rejections: list[Rejection] = []
        for code in dict.fromkeys(key.venue for key in view.rules):
            venue = self._inspect(view, code, rejections)
            for outcome in self._look_at_all(venue):
                if isinstance(outcome, Intent):
                    intents.append((self._worth(venue, outcome), outcome))
                else:
                    rejections.append(outcome)
        intents.sort(key=lambda pair: (-pair[0], -pair[1].edge_bps, pair[1].summary))
        return Evaluation(tuple(intent for _, intent in intents), nearest(rejections))

    def _index_of(self, venue: str, rules: Mapping[MarketKey, MarketRules]) -> CycleIndex:
        assets = frozenset(self.params.assets)
        return index_cycles(
            frozenset(
                market_of(market)
                for key, market in rules.items()
                if key.venue == venue and market.base in assets and market.quote in assets
            ),
            self.params.legs_max,
        )

    def _starts_of(self, cycle: Cycle) -> list[str]:
        return [asset for asset in self.params.start_assets if asset in cycle.assets]

    def _inspect(self, view: MarketView, code: str, rejections: list[Rejection]) -> _Venue:
        """Return what is usable of a venue; add what is not, and why, to ``rejections``."""
        index = self._index_of(code, view.rules)
        if not index.cycles:
            rejections.append(reject(code, "no_cycle", venue=code))
        books: dict[str, Book] = {}
        for symbol in index.markets:
            key = MarketKey(code, symbol)
            fault = reject_book(
                view, key, age_ms_max=self.params.book_age_ms_max, depth=self.params.depth
            )
            if fault is not None:
                rejections.append(fault)
                continue
            books[symbol] = view.books[key]
            rejections.extend(reject_empty_sides(books[symbol], subject=name_market(key)))
        return _Venue(
            code=code,
            index=index,
            books=books,
            rules={key.symbol: rules for key, rules in view.rules.items() if key.venue == code},
            free={key.asset: amount for key, amount in view.free.items() if key.venue == code},
        )

    def _look_at_all(self, venue: _Venue) -> Iterator[Intent | Rejection]:
        rates = venue.index.blank_rates()
        for symbol, book in venue.books.items():
            for side, rate in top_rates(book, venue.rules[symbol]).items():
                rates[venue.index.slot_of(symbol, side)] = rate
        cycles = venue.index.cycles
        ranked = heapq.nlargest(
            NOMINEES_MAX + REJECTIONS_MAX,
            (item for item in venue.index.scan(rates) if self._starts_of(cycles[item[1]])),
            key=itemgetter(0),
        )
        terms = self.params.to_terms(spend_max=self.params.max_start_amount)
        threshold = float(ONE + terms.edge_min) * (1 - FLOAT_MARGIN)
        sized = 0
        for rate, position in ranked:
            is_nominated = rate >= threshold and sized < NOMINEES_MAX
            sized += is_nominated
            yield from self._look_at(venue, cycles[position], terms, is_nominated=is_nominated)

    def _look_at(
        self, venue: _Venue, cycle: Cycle, terms: Terms, *, is_nominated: bool
    ) -> Iterator[Intent | Rejection]:
        """Yield the intent for a cycle from the first start asset that has one, else why not."""
        refusals: list[Rejection] = []
        for asset in self._starts_of(cycle):
            outcome = self._size(venue, cycle.starting_at(asset), terms, is_nominated=is_nominated)
            if isinstance(outcome, Intent):
                yield outcome
                return
            if outcome is not None:
                refusals.append(outcome)
            if not is_nominated:
                break
        yield from refusals

    def _size(
        self, venue: _Venue, cycle: Cycle, terms: Terms, *, is_nominated: bool
    ) -> Intent | Rejection | None:
        subject = f"{venue.code}: {cycle}"
        trades = trades_of(cycle, books=venue.books, rules=venue.rules, free=venue.free)
        if not is_nominated:
            return reject_at_top(trades, terms, subject=subject)
        return reject_skew(
            (trade.book for trade in trades),
            skew_ms_max=self.params.book_skew_ms_max,
            subject=subject,
        ) or size_triangle(trades, terms=terms, subject=subject)

    def _worth(self, venue: _Venue, intent: Intent) -> Decimal:
        """Return the expected profit in the preferred start asset, 0 if that cannot be told."""
        worth = value_in(
            intent.expected_profit,
            intent.profit_asset,
            self.params.start_assets[0],
            books=venue.books,
            rules=venue.rules,
        )
        return ZERO if worth is None else worth
