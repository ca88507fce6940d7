"""Which of many nominations are worth a look at real books, of which few can be asked for.

A coin of another venue that only shares its name, or a market that is halted, seems to earn ten or
a thousand times as much as anything real, and there is always one. So what is too good to be true
comes last. The rest is chosen by two measures in turn, since the highest edge is often good for a
few coins only: the edge, and what it earns on what stands at the best prices.
"""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from operator import itemgetter

from arbplatform.core.decimals import ONE, ZERO, Amount, Price
from markets.domain.book import Book
from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.edge import fee_factors
from strategies.domain.scan import Nomination
from strategies.domain.view import MarketKey

WEIGHED_MAX = 1_000
"""Nominations whose profit is estimated, those with the highest edge first."""


def shortlist(
    nominations: Sequence[Nomination],
    *,
    tops: Mapping[MarketKey, Book],
    rules: Mapping[MarketKey, MarketRules],
    prices: Mapping[str, Price],
    limit: int,
) -> list[Nomination]:
    """Return the nominations to look at, the most promising first.

    Args:
        nominations: the highest edge first.
        tops: the best prices of their markets, as books of one level.
        rules: of their markets.
        prices: of assets, in one and the same asset; what has none is chosen by its edge only.
        limit: at most so many.
    """
    plausible = [item for item in nominations if not item.is_suspicious]
    doubtful = [item for item in nominations if item.is_suspicious]
    worths = [_worth(item, tops, rules, prices) for item in plausible[:WEIGHED_MAX]]
    weighed = [pair for pair in zip(worths, plausible, strict=False) if pair[0] > ZERO]
    by_worth = [item for _worth_of_it, item in sorted(weighed, key=itemgetter(0), reverse=True)]
    in_turn = chain.from_iterable(zip_longest(plausible, by_worth))
    promising = dict.fromkeys(item for item in in_turn if item is not None)
    return [*promising, *doubtful][:limit]


def profit_at_top(
    nomination: Nomination, tops: Mapping[MarketKey, Book], rules: Mapping[MarketKey, MarketRules]
) -> Amount:
    """Return what a round trip earns on what stands at the best prices, lots aside.

    Args:
        nomination: the round trip.
        tops: the best prices of its markets.
        rules: of its markets.

    Returns:
        [asset that the first step spends]; 0 where a venue does not tell how much there is.
    """
    rate, most = ONE, None
    for key, side in nomination.steps:
        level = tops[key].asks[0] if side is Side.BUY else tops[key].bids[0]
        spend, receive = fee_factors(rules[key].fees, side)
        taken = level.quantity * spend * (level.price if side is Side.BUY else ONE)
        here = taken / rate
        most = here if most is None else min(most, here)
        per_unit = ONE / level.price if side is Side.BUY else level.price
        rate = rate * per_unit * receive / spend
    return ZERO if most is None else most * (rate - ONE)


def _worth(
    nomination: Nomination,
    tops: Mapping[MarketKey, Book],
    rules: Mapping[MarketKey, MarketRules],
    prices: Mapping[str, Price],
) -> Amount:
    first = nomination.steps[0]
    spent = rules[first.key].quote if first.side is Side.BUY else rules[first.key].base
    return profit_at_top(nomination, tops, rules) * prices.get(spent, ZERO)
