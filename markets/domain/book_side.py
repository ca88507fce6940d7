"""One side of a live book: levels that change in place, a few hundred nanoseconds each.

Prices and quantities stay the strings that the venue sent: they are exact, checksums are made of
them, and a ``Decimal`` costs ten times as much as is needed to find the place of a level. The
place is found by the price as a float; two prices that differ, but not as floats, are told apart
and reported, so nothing is ever merged in silence.

A side may be kept only down to some depth, or be known only down to some price, because its
snapshot was cut there. Behind that *horizon* there may be levels that nobody told us of, so those
that we do know there are kept but not shown: the worst level shown is never followed by one whose
neighbours are missing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from decimal import Decimal
from itertools import islice
from math import inf
from operator import ge
from typing import TypeAlias

WireLevel: TypeAlias = Sequence[str]
"""Price and quantity as the venue wrote them; whatever else it adds comes behind."""


UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What is raised where a message is read that is not of the form that was expected."""

DIGITS_MAX = 128
"""Characters of a price and its quantity together, at most: no venue writes more."""
LEVELS_MAX = 20_000
"""Levels of one side in one message, at most: more would keep the loop for seconds."""

ONE_TICK = 1.5
"""Ticks that two neighbouring prices are apart at most, as floats."""


class AmbiguousPrice(Exception):
    """Two different prices of one side are the same number as a float."""


class BookSide:
    """Bids or asks, best first.

    Args:
        sign: -1.0 for bids, 1.0 for asks; times the price it makes the best level the smallest.
        depth_max: how many levels are kept at most.
        is_refilled: whether the venue sends a level again that moves back into ``depth_max``, as
            one does that leaves the cutting to its clients: what was cut is no unknown then.

    Attributes:
        keys: ``sign`` × price, rising; also of levels behind the horizon.
        prices: as the venue wrote them [quote per base].
        quantities: as the venue wrote them [base].
        horizon: the last key down to which every level is known; infinite: all are.
    """

    __slots__ = ("depth_max", "horizon", "is_refilled", "keys", "prices", "quantities", "sign")

    def __init__(self, sign: float, *, depth_max: int, is_refilled: bool) -> None:
        self.sign = sign
        self.depth_max = depth_max
        self.is_refilled = is_refilled
        self.keys: list[float] = []
        self.prices: list[str] = []
        self.quantities: list[str] = []
        self.horizon = inf

    def __len__(self) -> int:
        """Return how many levels are known without a hole."""
        if self.horizon == inf:
            return len(self.keys)
        return bisect_right(self.keys, self.horizon)

    def clear(self) -> None:
        """Forget every level; nothing is known to lie behind."""
        self.keys, self.prices, self.quantities = [], [], []
        self.horizon = inf

    def load(self, levels: Sequence[WireLevel], *, limit: int | None) -> bool:
        """Take the levels of a snapshot in place of all that were there.

        Args:
            levels: best first; one without quantity is left out.
            limit: at how many levels the snapshot was cut; ``None``: it was not.

        Returns:
            Whether they were in order. If not, they are sorted, but the snapshot is broken.

        Raises:
            one of ``UNREADABLE``: a level is not a price and a quantity.
        """
        self.clear()
        _require_few(levels)
        if any(len(level[0]) + len(level[1]) > DIGITS_MAX for level in levels):
            raise ValueError("more digits than any venue writes")
        sizes = [float(level[1]) for level in levels]
        keys = [float(level[0]) * self.sign for level in levels]
        if not all(0.0 < key * self.sign < inf for key in keys):
            raise ValueError("a price is not positive and finite")
        if not all(0.0 <= size < inf for size in sizes):
            raise ValueError("a quantity is negative or not finite")
        in_order = not any(map(ge, keys, islice(keys, 1, None)))
        kept = [n for n, size in enumerate(sizes) if size]
        if not in_order:
            kept.sort(key=keys.__getitem__)
        if limit is not None and len(levels) >= limit:
            self.horizon = max(keys, default=inf)
        self.keys = [keys[n] for n in kept]
        self.prices = [levels[n][0] for n in kept]
        self.quantities = [levels[n][1] for n in kept]
        self.cut()
        return in_order

    def change(self, changes: Sequence[WireLevel]) -> None:
        """Set, add and (quantity 0) take away levels.

        Raises:
            one of ``UNREADABLE``: a level is not a price and a quantity; those before it are in.
            AmbiguousPrice: a float cannot tell two of the prices apart.
        """
        _require_few(changes)
        keys, prices, quantities = self.keys, self.prices, self.quantities
        sign, longest = self.sign, DIGITS_MAX
        for level in changes:
            price = level[0]
            quantity = level[1]
            key = float(price)
            size = float(quantity)
            # a number that is no text has no length: its digits are not the venue's own
            is_short = len(price) + len(quantity) <= longest
            if not (is_short and 0.0 < key < inf and 0.0 <= size < inf):
                raise ValueError("no price and quantity")
            key *= sign
            at = bisect_left(keys, key)
            if at < len(keys) and keys[at] == key:
                if prices[at] != price:
                    self._respell(at, price)
                if size:
                    quantities[at] = quantity
                else:
                    del keys[at], prices[at], quantities[at]
            elif size:
                keys.insert(at, key)
                prices.insert(at, price)
                quantities.insert(at, quantity)
        if len(keys) > self.depth_max:
            self.cut()

    def cut(self) -> None:
        """Drop what lies deeper than ``depth_max``, and remember where knowledge ends."""
        if len(self.keys) <= self.depth_max:
            return
        del self.keys[self.depth_max :]
        del self.prices[self.depth_max :]
        del self.quantities[self.depth_max :]
        if not self.is_refilled:
            self.horizon = min(self.horizon, self.keys[-1])

    def learn(self, other: "BookSide", tick: float) -> None:
        """Move the horizon as far as the other side of the book proves.

        Nothing of this side can lie at or beyond the best level of the other side, for it would
        have traded; and when the best levels are one tick apart, nothing lies between them. From
        then on every change up to there is seen.

        Args:
            other: the other side of the same book.
            tick: smallest difference of two prices; 0.0: not known.
        """
        if not other.keys:
            return
        edge = -other.keys[0]
        if self.keys:
            if self.keys[0] <= edge:
                return  # crossed: a broken book proves nothing
            if self.keys[0] <= edge + tick * ONE_TICK:
                edge = self.keys[0]
        self.horizon = max(self.horizon, edge)

    def top(self, depth: int) -> list[tuple[str, str]]:
        """Return the best ``depth`` levels as the venue wrote them."""
        if self.horizon < inf:
            depth = min(depth, len(self))
        return list(zip(self.prices[:depth], self.quantities[:depth], strict=True))

    def _respell(self, at: int, price: str) -> None:
        if Decimal(self.prices[at]) != Decimal(price):
            raise AmbiguousPrice(f"{self.prices[at]} and {price}")
        self.prices[at] = price


def _require_few(levels: Sequence[WireLevel]) -> None:
    if len(levels) > LEVELS_MAX:
        raise ValueError("more levels than any venue writes")
