"""A price-time priority order book on integer prices."""

from bisect import bisect_left, insort
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markets.simulator.exchange.accounts import Account
    from markets.simulator.exchange.orders import Order


class Level:
    """All orders at one price, first come first.

    Attributes:
        orders: by order id, in the order of arrival.
        total: what they still want to trade [lots].
    """

    __slots__ = ("orders", "total")

    def __init__(self) -> None:
        self.orders: OrderedDict[int, Order] = OrderedDict()
        self.total = 0

    def total_without(self, account: "Account | None") -> int:
        """Return what orders of others than ``account`` want to trade [lots]."""
        if account is None or not account.has_open_orders:
            return self.total
        own = sum(order.remaining for order in self.orders.values() if order.account is account)
        return self.total - own


class BookSide:
    """Bids or asks.

    A level's key is its price [ticks] for bids and the negated price for asks: the best level has
    the greatest key on both sides, and one piece of code serves both.

    Attributes:
        keys: of all levels, ascending: the best is last.
        levels: by key.
        changes: counts every change of a level.
        watchers: sets that collect the keys of changed levels.
    """

    __slots__ = ("changes", "keys", "levels", "watchers")

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}
        self.changes = 0
        self.watchers: list[set[int]] = []

    def add(self, key: int, order: "Order", quantity: int) -> None:
        """Queue ``order`` with ``quantity`` [lots] behind all others at its price."""
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = Level()
            insort(self.keys, key)
        level.orders[order.id] = order
        level.total += quantity
        self.touch(key)

    def remove(self, key: int, order: "Order", quantity: int) -> None:
        """Take ``order``, which still had ``quantity`` [lots], out of the book."""
        level = self.levels[key]
        del level.orders[order.id]
        level.total -= quantity
        if not level.orders:
            self.drop(key)
        self.touch(key)

    def drop(self, key: int) -> None:
        """Forget the empty level at ``key``."""
        del self.levels[key]
        keys = self.keys
        if keys[-1] == key:
            keys.pop()
        else:
            del keys[bisect_left(keys, key)]

    def touch(self, key: int) -> None:
        """Count and announce a change of the level at ``key``."""
        self.changes += 1
        for watcher in self.watchers:
            watcher.add(key)

    def best(self) -> tuple[int, int] | None:
        """Return price [ticks] and total [lots] of the best level."""
        if not self.keys:
            return None
        key = self.keys[-1]
        return abs(key), self.levels[key].total

    def depth(self, limit: int) -> list[tuple[int, int]]:
        """Return price [ticks] and total [lots] of up to ``limit`` levels, best first."""
        levels = self.levels
        return [(abs(key), levels[key].total) for key in self.keys[: -limit - 1 : -1]]


class OrderBook:
    """Both sides of one market."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids = BookSide()
        self.asks = BookSide()

    @property
    def changes(self) -> int:
        """How many level changes there were: the sequence number of the book's state."""
        return self.bids.changes + self.asks.changes
