"""Which pairs of venues earn at the best prices, kept up to date price by price.

Of K venues that trade a symbol there are K (K - 1) ordered pairs. None of them earns unless the
best price to buy at and the best to sell at, over all venues, do; so a change costs two products,
whatever K is. Only when one of those reaches the threshold are the pairs of the venue that moved
looked at one by one. The best prices are bounds: raised at once when a price improves, made exact
again when they nominate.
"""

from collections.abc import Sequence


class PairKernel:
    """The ordered pairs whose rate reaches a threshold, exactly, after every change of a price.

    A *member* is one symbol on one venue, a *group* all members of the same symbol.

    Attributes:
        hot: (where to buy, where to sell), as members.
    """

    def __init__(self, groups: Sequence[Sequence[int]], *, threshold: float) -> None:
        """Prepare for members that cannot be traded yet.

        Args:
            groups: the members of each group; together the numbers from 0, each once.
            threshold: rate of a pair from which on it is hot, above 0.
        """
        members = sum(len(group) for group in groups)
        self.hot: set[tuple[int, int]] = set()
        self._threshold = threshold
        self._groups = tuple(tuple(group) for group in groups)
        self._group_of = [0] * members
        for number, group in enumerate(self._groups):
            for member in group:
                self._group_of[member] = number
        self._buys = [0.0] * members
        self._sells = [0.0] * members
        self._best_buys = [0.0] * len(self._groups)
        self._best_sells = [0.0] * len(self._groups)
        self._heat = [0] * members

    def set_rates(self, member: int, buy: float, sell: float) -> bool:
        """Take new rates; return whether a pair of the member is hot or was until now.

        Args:
            member: which.
            buy: base received per unit of quote spent; 0 where nothing is offered.
            sell: quote received per unit of base spent; 0 where nobody bids.
        """
        group = self._group_of[member]
        self._buys[member] = buy
        self._sells[member] = sell
        best_buys, best_sells = self._best_buys, self._best_sells
        if buy > best_buys[group]:  # noqa: PLR1730 - a call costs more
            best_buys[group] = buy
        if sell > best_sells[group]:  # noqa: PLR1730 - a call costs more
            best_sells[group] = sell
        was_hot = self._heat[member]
        threshold = self._threshold
        if buy * best_sells[group] >= threshold or sell * best_buys[group] >= threshold or was_hot:
            self._look_at(member, group)
            return bool(was_hot or self._heat[member])
        return False

    def rate_of(self, pair: tuple[int, int]) -> float:
        """Return what a unit of quote spent at the first and sold at the second brings back."""
        buy_at, sell_at = pair
        return self._buys[buy_at] * self._sells[sell_at]

    def _look_at(self, member: int, group: int) -> None:
        """Make the best prices of a group exact and say of each pair of a member if it is hot."""
        buys, sells = self._buys, self._sells
        members = self._groups[group]
        self._best_buys[group] = max(buys[other] for other in members)
        self._best_sells[group] = max(sells[other] for other in members)
        buy, sell = buys[member], sells[member]
        for other in members:
            if other != member:
                self._mark((member, other), is_hot=buy * sells[other] >= self._threshold)
                self._mark((other, member), is_hot=buys[other] * sell >= self._threshold)

    def _mark(self, pair: tuple[int, int], *, is_hot: bool) -> None:
        if is_hot is (pair in self.hot):
            return
        change = 1 if is_hot else -1
        if is_hot:
            self.hot.add(pair)
        else:
            self.hot.remove(pair)
        for member in pair:
            self._heat[member] += change
