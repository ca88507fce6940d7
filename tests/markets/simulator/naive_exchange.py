"""An exchange that is as simple as can be: the reference for the matching engine.

All resting orders are in one list that is sorted anew for every order; all money is ``Decimal``;
what is held is added up from the open orders whenever anyone asks. It shares no code with the
engine.
"""

from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from itertools import count

FEE_STEP = Decimal("0.00000001")


class Refused(Exception):
    """The order is not taken."""


@dataclass
class NaiveOrder:
    number: int
    owner: str
    side: str
    price: Decimal
    quantity: Decimal
    left: Decimal
    cost: Decimal = Decimal(0)
    status: str = "NEW"


@dataclass
class NaiveExchange:
    """One market BASE/QUOTE."""

    tick: Decimal
    lot: Decimal
    notional_min: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    totals: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    resting: list[NaiveOrder] = field(default_factory=list)
    trades: list[tuple[int, int, Decimal, Decimal]] = field(default_factory=list)
    fees: dict[str, Decimal] = field(
        default_factory=lambda: {"BASE": Decimal(0), "QUOTE": Decimal(0)}
    )
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def held(self, owner, asset):
        return sum(
            (
                order.left if asset == "BASE" else order.left * order.price
                for order in self.resting
                if order.owner == owner and (order.side == "sell") == (asset == "BASE")
            ),
            Decimal(0),
        )

    def free(self, owner, asset):
        return self.totals.get((owner, asset), Decimal(0)) - self.held(owner, asset)

    def place(
        self, owner: str, side: str, kind: str, price: Decimal, quantity: Decimal
    ) -> "NaiveOrder":
        """Take an order; ``kind`` is gtc, ioc, fok, post_only or market."""
        candidates = self._candidates(side)
        if kind == "market":
            self._admit_market(owner, side, quantity, candidates)
            price = Decimal("Infinity") if side == "buy" else Decimal(0)
        else:
            probe = NaiveOrder(0, owner, side, price, quantity, quantity)
            self._admit_limit(probe, kind, candidates)
        order = NaiveOrder(next(self.numbers), owner, side, price, quantity, quantity)
        within = [other for other in candidates if _crosses(order, other)]
        others = sum(other.left for other in within if other.owner != owner)
        if kind == "fok" and others < quantity:
            order.status = "EXPIRED"
            return order
        for other in within:
            if not order.left:
                break
            if other.owner == owner:
                other.status = "EXPIRED_IN_MATCH"
                self.resting.remove(other)
            else:
                self._trade(order, other)
        self._finish(order, kind)
        return order

    def cancel(self, order: "NaiveOrder") -> bool:
        if order in self.resting:
            self.resting.remove(order)
            order.status = "CANCELED"
            return True
        return False

    def _candidates(self, side):
        opposite = [order for order in self.resting if order.side != side]
        sign = 1 if side == "buy" else -1
        return sorted(opposite, key=lambda order: (sign * order.price, order.number))

    def _admit_limit(self, probe, kind, candidates):
        owner, side, price, quantity = probe.owner, probe.side, probe.price, probe.quantity
        if price * quantity < self.notional_min:
            raise Refused("notional")
        needed = price * quantity if side == "buy" else quantity
        if self.free(owner, "QUOTE" if side == "buy" else "BASE") < needed:
            raise Refused("balance")
        if kind == "post_only" and candidates and _crosses(probe, candidates[0]):
            raise Refused("would take")

    def _admit_market(self, owner, side, quantity, candidates):
        candidates = [other for other in candidates if other.owner != owner]
        if not candidates:
            raise Refused("no liquidity")
        cost, missing = Decimal(0), quantity
        for other in candidates:
            step = min(missing, other.left)
            cost += step * other.price
            missing -= step
        if cost < self.notional_min:
            raise Refused("notional")
        needed = cost if side == "buy" else quantity
        if self.free(owner, "QUOTE" if side == "buy" else "BASE") < needed:
            raise Refused("balance")

    def _trade(self, taker, maker):
        quantity = min(taker.left, maker.left)
        cost = quantity * maker.price
        for order, rate in ((maker, self.maker_fee), (taker, self.taker_fee)):
            order.left -= quantity
            order.cost += cost
            order.status = "FILLED" if not order.left else "PARTIALLY_FILLED"
            asset, got = ("BASE", quantity) if order.side == "buy" else ("QUOTE", cost)
            other, gave = ("QUOTE", cost) if order.side == "buy" else ("BASE", quantity)
            fee = min((got * rate).quantize(FEE_STEP, ROUND_UP), got)
            self._add(order.owner, asset, got - fee)
            self._add(order.owner, other, -gave)
            self.fees[asset] += fee
        if not maker.left:
            self.resting.remove(maker)
        self.trades.append((maker.number, taker.number, maker.price, quantity))

    def _finish(self, order, kind):
        if not order.left:
            order.status = "FILLED"
        elif kind in {"gtc", "post_only"}:
            self.resting.append(order)
        else:
            order.status = "EXPIRED"

    def _add(self, owner, asset, amount):
        self.totals[owner, asset] = self.totals.get((owner, asset), Decimal(0)) + amount


def _crosses(taker, maker):
    if taker.side == "buy":
        return maker.price <= taker.price
    return maker.price >= taker.price
