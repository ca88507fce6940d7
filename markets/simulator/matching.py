"""The matching engine of one venue: orders in, trades and exact balances out.

Pure: no clock, no network, no randomness. Rules:

- price-time priority; a trade happens at the resting order's price;
- each party pays its fee in the asset it receives, maker or taker by role, rounded up to 8
  decimal places; the fees belong to the venue;
- what a resting order could spend is held; the sum over all accounts and fees never changes;
- an order that meets one of its own account follows its self-trade rule: by default the resting
  one expires (``EXPIRED_IN_MATCH``) and the new one trades on.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from markets.domain.orders import OrderKind, TimeInForce
from markets.simulator.exchange.accounts import Account
from markets.simulator.exchange.admission import NEVER_RESTING, admit
from markets.simulator.exchange.book import BookSide, Level
from markets.simulator.exchange.listing import Listing, ListingRules
from markets.simulator.exchange.orders import (
    LIVE_STATUSES,
    Execution,
    Order,
    OrderStatus,
    Outcome,
    SelfTrade,
    Ticket,
    Trade,
)
from markets.simulator.exchange.units import fee_of, from_units, to_units

HOUSE = "house"
FLOW = "flow"
_NO_LIMIT = -(10**40)


class MatchingEngine:
    """Books, balances and orders of one venue.

    Attributes:
        listings: by unified symbol.
        accounts: by label; the house, which quotes, and the flow, which takes, among them.
        fees: what the venue earned by asset [units].
        last_order_id, last_trade_id: given out so far.
    """

    def __init__(self, assets: Iterable[str], markets: Iterable[ListingRules]) -> None:
        self.assets = tuple(assets)
        self.listings = {rules.symbol: Listing(rules) for rules in markets}
        self.accounts: dict[str, Account] = {}
        self.fees: dict[str, int] = dict.fromkeys(self.assets, 0)
        self.last_order_id = 0
        self.last_trade_id = 0
        self.house = self.open_account(HOUSE, is_house=True)
        self.flow = self.open_account(FLOW, is_house=True)

    def open_account(self, label: str, *, is_house: bool = False) -> Account:
        """Return a new, empty account."""
        account = Account(label, self.assets, is_house=is_house)
        self.accounts[label] = account
        return account

    def deposit(self, label: str, asset: str, amount: Decimal) -> None:
        """Give ``amount`` [asset] to the spot wallet of an account."""
        self.accounts[label].free[asset] += to_units(amount)

    def free_of(self, label: str, asset: str) -> Decimal:
        """Return what an account can use now [asset]."""
        return from_units(self.accounts[label].free[asset])

    def held_of(self, label: str, asset: str) -> Decimal:
        """Return what open orders of an account lock [asset]."""
        return from_units(self.accounts[label].held[asset])

    def total_of(self, asset: str) -> Decimal:
        """Return the sum over all accounts, wallets and fees [asset]: trades never change it."""
        return from_units(
            self.fees[asset]
            + sum(a.free[asset] + a.held[asset] + a.funding[asset] for a in self.accounts.values())
        )

    def submit(self, label: str, symbol: str, ticket: Ticket, now_ms: int) -> Outcome:
        """Take an order, match it and let the rest stand or end as its terms say.

        Raises:
            OrderRefused: with the reason; nothing was changed.
        """
        return self.place(self.accounts[label], self.listings[symbol], ticket, now_ms)

    def place(self, account: Account, listing: Listing, ticket: Ticket, now_ms: int) -> Outcome:
        """Do ``submit`` for an account and a market at hand.

        Raises:
            OrderRefused: with the reason; nothing was changed.
        """
        order = admit(account, listing, ticket, now_ms)
        order.id = self._next_order_id()
        order.client_id = order.client_id or f"sim-{order.id}"
        account.remember_order(order)
        return self._execute(order, now_ms)

    def cancel(self, order: Order, now_ms: int) -> bool:
        """Take a resting order out of the book; return whether it was resting at all."""
        if order.status not in LIVE_STATUSES:
            return False
        _end_resting(order, OrderStatus.CANCELED, now_ms)
        return True

    def restore(self, order: Order) -> None:
        """Put a live order of an earlier life back: its funds are held already."""
        order.account.open_orders.setdefault(order.listing.id, {})[order.id] = order
        side = order.listing.book.bids if order.is_buy else order.listing.book.asks
        side.add(order.key, order, order.remaining)

    def quote(
        self, listing: Listing, bids: Mapping[int, int], asks: Mapping[int, int], now_ms: int
    ) -> Outcome:
        """Make the house's levels what is asked for; unchanged ones keep their place.

        Where a new level crosses a customer's order, the two trade.

        Args:
            listing: the market.
            bids: price [ticks] to quantity [lots].
            asks: the same; not crossed with ``bids``.
            now_ms: [ms since epoch].
        """
        outcome = Outcome(None)
        wanted_by_side = ((listing.house[0], bids), (listing.house[1], asks))
        for standing, wanted in wanted_by_side:
            for price in [price for price in standing if price not in wanted]:
                _end_resting(standing[price], OrderStatus.CANCELED, now_ms)
        for is_buy, (standing, wanted) in zip((True, False), wanted_by_side, strict=True):
            for price, quantity in wanted.items():
                present = standing.get(price)
                if present is not None:
                    if present.remaining == quantity:
                        continue
                    _end_resting(present, OrderStatus.CANCELED, now_ms)
                number = self._next_order_id()
                order = Order(
                    number, self.house, listing, is_buy, price, quantity, quantity, now_ms, now_ms
                )
                self._execute_into(outcome, order, now_ms)
        return outcome

    def take(self, listing: Listing, *, is_buy: bool, quantity: int, now_ms: int) -> Outcome:
        """Let the flow account take ``quantity`` [lots] at market: prints for tape and chart."""
        number = self._next_order_id()
        order = Order(number, self.flow, listing, is_buy, 0, quantity, quantity, now_ms, now_ms)
        order.kind = OrderKind.MARKET
        return self._execute(order, now_ms)

    def _next_order_id(self) -> int:
        self.last_order_id += 1
        return self.last_order_id

    def _execute(self, order: Order, now_ms: int) -> Outcome:
        outcome = Outcome(order)
        self._execute_into(outcome, order, now_ms)
        return outcome

    def _execute_into(self, outcome: Outcome, order: Order, now_ms: int) -> None:
        book = order.listing.book
        opposite = book.asks if order.is_buy else book.bids
        if order.kind is OrderKind.MARKET:
            limit_key = _NO_LIMIT
        else:
            limit_key = -order.price if order.is_buy else order.price
        if order.time_in_force is not TimeInForce.FOK or _can_fill(order, opposite, limit_key):
            keys = opposite.keys
            if keys and keys[-1] >= limit_key:
                self._match(order, opposite, limit_key, outcome)
        if order.status in LIVE_STATUSES:
            self._settle_rest(order, now_ms)

    def _settle_rest(self, order: Order, now_ms: int) -> None:
        """Let what did not trade rest or end."""
        if order.kind is OrderKind.MARKET or order.time_in_force in NEVER_RESTING:
            order.status = OrderStatus.EXPIRED
            order.updated_ms = now_ms
            return
        listing = order.listing
        account = order.account
        side = listing.book.bids if order.is_buy else listing.book.asks
        side.add(order.key, order, order.remaining)
        if account.is_house:
            listing.house[0 if order.is_buy else 1][order.price] = order
            return
        asset = listing.quote if order.is_buy else listing.base
        held = order.held
        account.free[asset] -= held
        account.held[asset] += held
        account.open_orders.setdefault(listing.id, {})[order.id] = order

    def _match(self, taker: Order, opposite: BookSide, limit_key: int, outcome: Outcome) -> None:
        """Trade ``taker`` against the other side until its limit, its wish or the book ends."""
        keys = opposite.keys
        while keys and keys[-1] >= limit_key and taker.status in LIVE_STATUSES:
            key = keys[-1]
            level = opposite.levels[key]
            wish = _wish(taker, abs(key))
            if not wish:
                break
            self._match_level(taker, level, abs(key), wish, outcome)
            if not level.orders and opposite.levels.get(key) is level:
                opposite.drop(key)
            opposite.touch(key)

    def _match_level(
        self, taker: Order, level: Level, price: int, wish: int, outcome: Outcome
    ) -> None:
        """Trade up to ``wish`` [lots] with the orders of one level, first come first."""
        account = taker.account
        orders = level.orders
        while wish and orders:
            maker = next(iter(orders.values()))
            if maker.account is account and taker.self_trade is not SelfTrade.NONE:
                if _prevent_self_trade(taker, maker, outcome):
                    continue
                return
            quantity = min(maker.remaining, wish)
            wish -= quantity
            level.total -= quantity
            self._trade(maker, taker, price, quantity, outcome)
            if not maker.remaining:
                del orders[maker.id]
                _forget_open(maker)

    def _trade(
        self, maker: Order, taker: Order, price: int, quantity: int, outcome: Outcome
    ) -> None:
        """Move the money of one execution."""
        listing = taker.listing
        base, quote = listing.base, listing.quote
        cost = price * quantity * listing.cost_unit
        amount = quantity * listing.lot_units
        self.last_trade_id += 1
        number = self.last_trade_id
        now_ms = taker.updated_ms
        listing.last_price = price
        for order in (maker, taker):
            is_maker = order is maker
            account = order.account
            gives, gets, got = (quote, base, amount) if order.is_buy else (base, quote, cost)
            given = cost if order.is_buy else amount
            order.remaining -= quantity
            order.cost += cost
            order.updated_ms = now_ms
            order.status = OrderStatus.PARTIALLY_FILLED if order.remaining else OrderStatus.FILLED
            if account.is_house:
                account.free[gives] -= given
                account.free[gets] += got
                continue
            fee = fee_of(got, listing.maker_rate if is_maker else listing.taker_rate)
            purse = account.held if is_maker else account.free
            purse[gives] -= given
            account.free[gets] += got - fee
            self.fees[gets] += fee
            execution = Execution(number, order, price, quantity, cost, fee, is_maker, now_ms)
            account.remember_execution(execution)
            outcome.executions.append(execution)
        outcome.trades.append(Trade(number, maker, taker, price, quantity, cost, now_ms))


def _wish(taker: Order, price: int) -> int:
    """Return how many lots the taker wants at ``price``: its quote amount may not be passed."""
    if not taker.quote_quantity:
        return taker.remaining
    left = taker.quote_quantity - taker.cost
    return min(taker.remaining, left // (price * taker.listing.cost_unit))


def _prevent_self_trade(taker: Order, maker: Order, outcome: Outcome) -> bool:
    """End the orders that the taker's rule names; return whether the taker goes on."""
    rule = taker.self_trade
    if rule is not SelfTrade.EXPIRE_TAKER:
        _end_resting(maker, OrderStatus.EXPIRED_IN_MATCH, taker.updated_ms)
        outcome.expired.append(maker)
    if rule is SelfTrade.EXPIRE_MAKER:
        return True
    taker.status = OrderStatus.EXPIRED_IN_MATCH
    return False


def _can_fill(order: Order, opposite: BookSide, limit_key: int) -> bool:
    """Return whether a fill-or-kill order finds all it wants, from others if it must."""
    missing = order.remaining
    rule = order.self_trade
    skipped = None if rule is SelfTrade.NONE else order.account
    for key in reversed(opposite.keys):
        if key < limit_key:
            return False
        level = opposite.levels[key]
        others = level.total_without(skipped)
        if others < level.total and rule is not SelfTrade.EXPIRE_MAKER:
            # An own order stands in the way and would end this one.
            return False
        missing -= others
        if missing <= 0:
            return True
    return False


def _end_resting(order: Order, status: OrderStatus, now_ms: int) -> None:
    """Take a live order out of the book and give back what it held."""
    listing = order.listing
    side = listing.book.bids if order.is_buy else listing.book.asks
    side.remove(order.key, order, order.remaining)
    account = order.account
    if not account.is_house:
        asset = listing.quote if order.is_buy else listing.base
        held = order.held
        account.held[asset] -= held
        account.free[asset] += held
    _forget_open(order)
    order.status = status
    order.updated_ms = now_ms


def _forget_open(order: Order) -> None:
    """Take an order that ended off the list of live ones."""
    if order.account.is_house:
        del order.listing.house[0 if order.is_buy else 1][order.price]
    else:
        del order.account.open_orders[order.listing.id][order.id]
