"""Buy on one venue, sell on another, at the same moment."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from itertools import product

from pydantic import Field, field_validator

from arbplatform.core.decimals import ZERO
from arbplatform.core.errors import InvalidInput, Message
from markets.domain.book import Book
from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from markets.domain.symbols import split_symbol
from strategies.domain.candidate import Terms, Trade
from strategies.domain.inspection import name_market, reject_book, reject_empty_sides, reject_skew
from strategies.domain.kernels.nominators import PairNominator
from strategies.domain.reasons import nearest, reject
from strategies.domain.sizing import reject_at_top, size_cross_venue
from strategies.plugins.taking import Money, TakingParams, refuse_repetitions
from strategies.sdk import (
    AssetKey,
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


class CrossVenueParams(TakingParams):
    """Parameters of cross-venue arbitrage; amounts in the quote asset of the symbols."""

    symbols: tuple[str, ...] = Field(
        min_length=1,
        max_length=50,
        title="Symbols",
        description=(
            "What to trade, for instance BTC/USDT. All must have the same quote asset, since "
            "amounts are meant in it."
        ),
    )
    max_notional: Money = Field(
        default=Decimal(1000),
        gt=0,
        title="Maximum amount",
        description="Most that one arbitrage may spend, in the quote asset.",
    )
    max_dust_bps: Money = Field(
        default=Decimal(100),
        ge=0,
        le=10_000,
        title="Maximum leftover [bps]",
        description=(
            "Most that may be bought more than sold, per amount spent, because lots and fees do "
            "not match."
        ),
    )

    @field_validator("symbols")
    @classmethod
    def _are_comparable(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        quotes = {}
        for symbol in refuse_repetitions(symbols):
            try:
                quotes[split_symbol(symbol).quote] = symbol
            except InvalidInput as error:
                raise param_error(error.message) from None
        if len(quotes) > 1:
            one, other = list(quotes.values())[:2]
            raise param_error(
                Message(
                    "{one} and {other} have different quote assets. Make one strategy for each.",
                    {"one": one, "other": other},
                )
            )
        return symbols


class CrossVenue(StrategyPlugin[CrossVenueParams]):
    """Two-leg spot arbitrage between venues that both hold funds."""

    slug = "cross-venue"
    title = "Cross-venue arbitrage"
    description = (
        "Buys where an asset is cheap and sells it at the same moment where it is dear. Needs the "
        "quote asset on one venue and the base asset on the other; nothing is moved between them."
    )
    params_class = CrossVenueParams
    venues_min = 2

    @property
    def book_depth(self) -> int:
        """How many levels of each side of a book ``evaluate`` looks at, at most."""
        return self.params.depth

    @property
    def book_wait_ms(self) -> int:
        """How long books are waited for once one has come [ms]."""
        return self.params.book_wait_ms

    def subscriptions(self, scope: Scope) -> Sequence[MarketKey]:
        """Return each symbol on every venue that trades it, if at least two do."""
        wanted: list[MarketKey] = []
        for symbol in self.params.symbols:
            keys = [MarketKey(venue, symbol) for venue in scope.venues]
            listed = [key for key in keys if key in scope.rules]
            if len(listed) > 1:
                wanted.extend(listed)
        return wanted

    def nominator(self, rules: Mapping[MarketKey, MarketRules]) -> Nominator:
        """Return what tells when two venues are far enough apart."""
        return PairNominator(
            {key: item for key, item in rules.items() if key.symbol in self.params.symbols},
            threshold=self.params.least_rate(spend_max=self.params.max_notional),
        )

    def evaluate(self, view: MarketView) -> Evaluation:
        """Return an intent for each pair of venues that earns enough, the highest profit first."""
        intents: list[Intent] = []
        rejections: list[Rejection] = []
        for outcome in self._look_at_all(view):
            if isinstance(outcome, Intent):
                intents.append(outcome)
            else:
                rejections.append(outcome)
        intents.sort(key=lambda intent: (-intent.expected_profit, intent.summary))
        return Evaluation(tuple(intents), nearest(rejections))

    @cached_property
    def _terms(self) -> Terms:
        return self.params.to_terms(
            spend_max=self.params.max_notional, max_dust_bps=self.params.max_dust_bps
        )

    def _look_at_all(self, view: MarketView) -> Iterator[Intent | Rejection]:
        for symbol in self.params.symbols:
            keys = [key for key in view.rules if key.symbol == symbol]
            if len(keys) < self.venues_min:
                yield reject(symbol, "too_few_venues", symbol=symbol)
                continue
            books: dict[MarketKey, Book] = {}
            for key in keys:
                fault = reject_book(
                    view, key, age_ms_max=self.params.book_age_ms_max, depth=self.params.depth
                )
                if fault is not None:
                    yield fault
                    continue
                books[key] = view.books[key]
                yield from reject_empty_sides(books[key], subject=name_market(key))
            buys = [_trade(view, key, Side.BUY) for key, book in books.items() if book.asks]
            sells = [_trade(view, key, Side.SELL) for key, book in books.items() if book.bids]
            for buy, sell in product(buys, sells):
                if buy.rules.venue != sell.rules.venue:
                    yield self._look_at(buy, sell)

    def _look_at(self, buy: Trade, sell: Trade) -> Intent | Rejection:
        subject = f"{buy.rules.symbol} {buy.rules.venue} → {sell.rules.venue}"
        terms = self._terms
        return (
            reject_at_top((buy, sell), terms, subject=subject)
            or reject_skew(
                (buy.book, sell.book), skew_ms_max=self.params.book_skew_ms_max, subject=subject
            )
            or size_cross_venue(buy=buy, sell=sell, terms=terms, subject=subject)
        )


def _trade(view: MarketView, key: MarketKey, side: Side) -> Trade:
    rules = view.rules[key]
    spent = rules.quote if side is Side.BUY else rules.base
    free = view.free.get(AssetKey(key.venue, spent), ZERO)
    return Trade(rules=rules, side=side, book=view.books[key], free=free)
