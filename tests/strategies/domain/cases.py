"""A cross-venue decision in few words."""

from dataclasses import dataclass
from decimal import Decimal as D
from typing import Any

from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.candidate import Terms, Trade
from strategies.domain.sizing import size_cross_venue
from tests.strategies.builders import Number, Pairs, make_book, make_rules


@dataclass(frozen=True)
class Case:
    """Two trades of one symbol and the terms for them."""

    buy: Trade
    sell: Trade
    terms: Terms

    def solve(self) -> Any:
        return size_cross_venue(buy=self.buy, sell=self.sell, terms=self.terms, subject="pair")


def make_case(
    *,
    asks: Pairs,
    bids: Pairs,
    home_bids: Pairs = ((99, 50),),
    buy_rules: MarketRules | None = None,
    sell_rules: MarketRules | None = None,
    quote_free: Number = 1_000_000,
    base_free: Number = 1_000,
    **terms: Number,
) -> Case:
    """``asks`` and ``home_bids`` stand where we buy, ``bids`` where we sell."""
    stated: dict[str, Any] = {name: D(value) for name, value in terms.items()}
    buy_rules = buy_rules or make_rules("alpha", lot="0.1", fee=0)
    sell_rules = sell_rules or make_rules("beta", lot="0.1", fee=0)
    return Case(
        buy=Trade(
            buy_rules, Side.BUY, make_book("alpha", asks=asks, bids=home_bids), D(quote_free)
        ),
        sell=Trade(sell_rules, Side.SELL, make_book("beta", bids=bids), D(base_free)),
        terms=Terms(**stated),
    )
