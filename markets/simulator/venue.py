"""One simulated venue: accounts with keys, the engine, the tape, and who must hear of changes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Protocol

from arbplatform.core.clock import Clock
from markets.domain.funds import Wallet
from markets.domain.orders import OrderKind, Side
from markets.simulator.config import VenueConfig
from markets.simulator.exchange.accounts import Account, WalletTransfer
from markets.simulator.exchange.admission import NEVER_RESTING
from markets.simulator.exchange.listing import Listing
from markets.simulator.exchange.orders import Order, OrderRefused, Outcome, Refusal, Ticket
from markets.simulator.exchange.tape import Tape
from markets.simulator.exchange.units import to_units
from markets.simulator.faults.books import ShownBooks
from markets.simulator.faults.engine import FaultyEngine
from markets.simulator.faults.fees import charge_in_coin
from markets.simulator.faults.kinds import FaultKind
from markets.simulator.faults.plan import FaultPlan, Thing
from markets.simulator.storage.facts import Facts

LATE_FILLS_MAX = 1_000
"""Fills that wait for their moment."""
HALF = Decimal("0.5")
RESTING_FAULTS = frozenset({FaultKind.REJECT, FaultKind.PARTIAL_FILL})
IMMEDIATE_FAULTS = RESTING_FAULTS | {FaultKind.LATE_FILL}
HISTORY_KEPT_MAX = 10_000
"""Wallet transfers that an account can still look up."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What a request is signed with.

    Attributes:
        account: whose it is.
        secret: for the signature.
        permissions: what it may do.
    """

    account: Account
    secret: bytes = field(repr=False)
    permissions: frozenset[str]


class Listener(Protocol):
    """Who hears of changes, right after they happened and were written down."""

    def market_changed(self, listing: Listing, outcome: Outcome) -> None:
        """Hear that the book of a market, and perhaps its tape, changed."""
        ...

    def order_placed(self, order: Order, outcome: Outcome) -> None:
        """Hear that a customer's order was taken, with all that came of it at once."""
        ...

    def order_ended(self, order: Order) -> None:
        """Hear that a resting order of a customer was cancelled or expired."""
        ...

    def orders_filled(self, outcome: Outcome) -> None:
        """Hear of executions of resting customers' orders that the house's quotes caused."""
        ...

    def balance_changed(self, account: Account, asset: str, delta: int) -> None:
        """Hear of a movement of the spot wallet that no trade caused [units]."""
        ...


class Recorder(Protocol):
    """Where facts about customers are written before anyone hears of them."""

    def append(self, facts: Facts) -> None:
        """Write the facts; return once they would survive the death of the process."""
        ...


class NullRecorder:
    """Remembers nothing: a simulation without a state directory."""

    def append(self, facts: Facts) -> None:
        """Do nothing."""


class InsufficientBalance(Exception):
    """A wallet has not what a transfer wants to take."""


class Venue:
    """A simulated venue.

    Attributes:
        config: as read.
        clock: its time.
        engine: books and balances.
        listings: by wire id, such as ``BTCUSDT``.
        keys: by API key.
        tapes: by wire id.
        listener: hears of changes; ``None`` for nobody.
        recorder: is told facts about customers first.
        faults: what goes wrong here.
        shown_books: the books as clients are told.
        wallet_transfers: newest last, by account label.
    """

    def __init__(
        self,
        config: VenueConfig,
        clock: Clock,
        recorder: Recorder | None = None,
        faults: FaultPlan | None = None,
    ) -> None:
        self.config = config
        self.code = config.code
        self.clock = clock
        self.engine = FaultyEngine(config.assets, [m.to_rules() for m in config.markets])
        self.listings = {listing.id: listing for listing in self.engine.listings.values()}
        self.tapes = {market_id: Tape() for market_id in self.listings}
        self.listener: Listener | None = None
        self.recorder: Recorder = recorder or NullRecorder()
        self.faults = faults or FaultPlan((), Random(config.code), clock)  # noqa: S311
        self._late: list[tuple[int, Order]] = []
        self.wallet_transfers: dict[str, list[WalletTransfer]] = {}
        self.last_transfer_id = 0
        self.shown_books = ShownBooks(self.faults)
        self.keys: dict[str, ApiKey] = {}
        for customer in config.accounts:
            account = self.engine.open_account(customer.label)
            self.keys[customer.api_key] = ApiKey(
                account, customer.api_secret.encode(), frozenset(customer.permissions)
            )

    @property
    def customers(self) -> Iterable[Account]:
        """All accounts but the house's."""
        return (account for account in self.engine.accounts.values() if not account.is_house)

    def stated_ms(self) -> int:
        """Return what the venue says and believes the time is [ms since epoch]."""
        now_ms = self.clock.now_ms()
        if not self.faults.is_armed:
            return now_ms
        skew = self.faults.state(FaultKind.CLOCK_SKEW)
        return now_ms if skew is None else now_ms + skew.offset_ms

    def endow(self, known: Iterable[str] = ()) -> None:
        """Give every account what its configuration says, but for those already ``known``."""
        skipped = set(known)
        for customer in self.config.accounts:
            if customer.label in skipped:
                continue
            account = self.engine.accounts[customer.label]
            for wallet in Wallet:
                given: Mapping[str, Decimal] = getattr(customer.balances, wallet.value)
                for asset, amount in given.items():
                    account.free_in(wallet)[asset] += to_units(amount)

    def place(self, account: Account, listing: Listing, ticket: Ticket) -> Outcome:
        """Take an order, write down what came of it, and spread the news.

        Raises:
            OrderRefused: nothing was changed.
        """
        if self.faults.is_armed:
            outcome = self._place_amid_faults(account, listing, ticket)
        else:
            outcome = self.engine.place(account, listing, ticket, self.clock.now_ms())
        self._tell_of_order(listing, outcome)
        return outcome

    def place_by_hand(self, account: Account, listing: Listing, ticket: Ticket) -> Outcome:
        """Do the same for an act that is planned itself: no fault strikes it but a closed market.

        Raises:
            OrderRefused: nothing was changed.
        """
        self.check_open(account, listing, ticket.side)
        outcome = self.engine.place(account, listing, ticket, self.clock.now_ms())
        self._tell_of_order(listing, outcome)
        return outcome

    def _tell_of_order(self, listing: Listing, outcome: Outcome) -> None:
        self._record(listing, outcome)
        listener = self.listener
        if listener is not None and outcome.order is not None:
            listener.order_placed(outcome.order, outcome)
            listener.market_changed(listing, outcome)

    def check_open(self, account: Account, listing: Listing, side: Side) -> None:
        """Refuse an order on a market that is suspended.

        Raises:
            OrderRefused: it is.
        """
        target = Thing(market_id=listing.id, side=side.value, account=account.label)
        if self.faults.is_armed and self.faults.state(FaultKind.SUSPEND_MARKET, target):
            raise OrderRefused(Refusal.MARKET_CLOSED)

    def status_of(self, listing: Listing) -> str:
        """Return whether a market trades, as the wire says it."""
        if not self.faults.is_armed:
            return "TRADING"
        found = self.faults.shows(FaultKind.SUSPEND_MARKET, Thing(market_id=listing.id))
        return "TRADING" if found is None else found.market_status

    def _place_amid_faults(self, account: Account, listing: Listing, ticket: Ticket) -> Outcome:
        """Take an order and let go wrong with it what is planned to."""
        self.check_open(account, listing, ticket.side)
        target = Thing(market_id=listing.id, side=ticket.side.value, account=account.label)
        is_immediate = ticket.kind is OrderKind.MARKET or ticket.time_in_force in NEVER_RESTING
        armed = self.faults.pick(IMMEDIATE_FAULTS if is_immediate else RESTING_FAULTS, target)
        engine, now_ms = self.engine, self.clock.now_ms()
        if armed is None:
            return engine.place(account, listing, ticket, now_ms)
        fault = armed.config
        if fault.kind is FaultKind.REJECT:
            return engine.reject(account, listing, ticket, now_ms)
        if fault.kind is FaultKind.PARTIAL_FILL:
            part = HALF if fault.part is None else fault.part
            return engine.place_partly(account, listing, ticket, part, now_ms)
        outcome = engine.place_partly(account, listing, ticket, fault.part or Decimal(0), now_ms)
        self._fill_later(outcome.order, now_ms + fault.delay_ms)
        return outcome

    def _fill_later(self, order: Order | None, due_ms: int) -> None:
        if order is not None and len(self._late) < LATE_FILLS_MAX:
            self._late.append((due_ms, order))

    def fill_what_is_late(self, now_ms: int) -> None:
        """Fill orders that were said to be over: those that are due at ``now_ms``."""
        for entry in [late for late in self._late if late[0] <= now_ms]:
            # One after the other: the journal may refuse one, and the others are still to come.
            self._late.remove(entry)
            order = entry[1]
            self._house_acted(order.listing, self.engine.fill_late(order, now_ms))

    def cancel(self, order: Order) -> bool:
        """Cancel an order; return whether it was live."""
        if not self.engine.cancel(order, self.clock.now_ms()):
            return False
        facts = Facts(self.code)
        facts.add_order(order)
        facts.add_balances(order.account, (order.listing.base, order.listing.quote))
        self.recorder.append(facts)
        if self.listener is not None:
            self.listener.order_ended(order)
            self.listener.market_changed(order.listing, Outcome(None))
        if self.faults.is_armed:
            side = Side.BUY if order.is_buy else Side.SELL
            target = Thing(market_id=order.listing.id, side=side.value, account=order.account.label)
            late = self.faults.state(FaultKind.LATE_FILL, target)
            if late is not None:
                self._fill_later(order, self.clock.now_ms() + late.delay_ms)
        return True

    def quote(self, listing: Listing, bids: Mapping[int, int], asks: Mapping[int, int]) -> None:
        """Make the house's levels what is asked for: price [ticks] to quantity [lots].

        On a suspended market nothing moves.
        """
        if self.faults.is_armed and self.status_of(listing) != "TRADING":
            return
        self._house_acted(listing, self.engine.quote(listing, bids, asks, self.clock.now_ms()))

    def take(self, listing: Listing, *, is_buy: bool, quantity: int) -> None:
        """Let an anonymous taker trade ``quantity`` [lots] at market."""
        if self.faults.is_armed and self.status_of(listing) != "TRADING":
            return
        now_ms = self.clock.now_ms()
        self._house_acted(
            listing, self.engine.take(listing, is_buy=is_buy, quantity=quantity, now_ms=now_ms)
        )

    def _house_acted(self, listing: Listing, outcome: Outcome) -> None:
        self._record(listing, outcome)
        if self.listener is not None:
            if outcome.executions:
                self.listener.orders_filled(outcome)
            self.listener.market_changed(listing, outcome)

    def _record(self, listing: Listing, outcome: Outcome) -> None:
        """Write facts about customers first, then print the trades on the tape."""
        touched = {execution.order.id: execution.order for execution in outcome.executions}
        touched |= {order.id: order for order in outcome.expired}
        order = outcome.order
        if order is not None and not order.account.is_house:
            touched[order.id] = order
        if touched:
            assets = [listing.base, listing.quote]
            if self.faults.is_armed and outcome.executions:
                charge_in_coin(self.engine, self.faults, outcome)
                assets.extend({one.coin for one in outcome.executions if one.coin})
            facts = Facts(self.code)
            owners = {}
            for changed in touched.values():
                facts.add_order(changed)
                owners[changed.account.label] = changed.account
            for execution in outcome.executions:
                facts.add_execution(execution)
            for account in owners.values():
                facts.add_balances(account, assets)
            self.recorder.append(facts)
        if outcome.trades:
            self.tapes[listing.id].record(outcome.trades)

    def move(
        self, account: Account, asset: str, amount: int, source: Wallet, target: Wallet
    ) -> WalletTransfer:
        """Move ``amount`` [units] between two wallets of one account.

        Raises:
            InsufficientBalance: the source has not that much free.
        """
        purse = account.free_in(source)
        if purse[asset] < amount:
            raise InsufficientBalance
        purse[asset] -= amount
        account.free_in(target)[asset] += amount
        self.last_transfer_id += 1
        transfer = WalletTransfer(
            self.last_transfer_id,
            account.label,
            asset,
            amount,
            source,
            target,
            self.clock.now_ms(),
        )
        self.remember_transfer(transfer)
        facts = Facts(self.code)
        facts.add_wallet_transfer(transfer)
        facts.add_balances(account, (asset,))
        self.recorder.append(facts)
        if self.listener is not None:
            delta = amount if target is Wallet.SPOT else -amount
            self.listener.balance_changed(account, asset, delta)
        return transfer

    def remember_transfer(self, transfer: WalletTransfer) -> None:
        """Make a wallet transfer findable, and forget the older half beyond the bound."""
        kept = self.wallet_transfers.setdefault(transfer.label, [])
        kept.append(transfer)
        self.last_transfer_id = max(self.last_transfer_id, transfer.id)
        if len(kept) > HISTORY_KEPT_MAX:
            del kept[: HISTORY_KEPT_MAX // 2]
