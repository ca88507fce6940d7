"""Accounts of a simulated venue and what they own."""

from collections.abc import Iterable
from dataclasses import dataclass

from markets.domain.funds import Wallet
from markets.simulator.exchange.orders import LIVE_STATUSES, Execution, Order

ORDERS_KEPT_MAX = 20_000
"""Ended orders that an account can still look up; with all else that is kept of it 30 MB."""
TRADES_KEPT_MAX = 20_000
"""Trades of an account, on all markets together, that it can still look up."""
CLIENT_IDS_KEPT_MAX = 100_000
"""Client order ids that are remembered and refused a second time."""


@dataclass(frozen=True, slots=True)
class WalletTransfer:
    """A movement between two wallets of one account.

    Attributes:
        id: the venue's id.
        label: of the account.
        asset: code.
        amount: [units].
        source, target: wallets.
        at_ms: [ms since epoch].
    """

    id: int
    label: str
    asset: str
    amount: int
    source: Wallet
    target: Wallet
    at_ms: int


class Account:
    """Balances and history of one customer.

    Attributes:
        label: unique at the venue.
        is_house: the house quotes from nothing: its balances may be negative and nothing of it
            is held, so that the sum over all accounts still never changes.
        free, held: of the spot wallet by asset [units].
        funding: free balance of the funding wallet by asset [units].
        orders: by venue id, oldest first; bounded, live ones are never dropped.
        by_client_id: the same by client id.
        client_ids: every client id that was ever used; bounded.
        open_orders: live ones by market id and order id.
        trades: own executions by market id, oldest first; bounded.
        trade_count: how many these are.
    """

    __slots__ = (
        "by_client_id",
        "client_ids",
        "free",
        "funding",
        "held",
        "is_house",
        "label",
        "open_orders",
        "orders",
        "trade_count",
        "trades",
    )

    def __init__(self, label: str, assets: Iterable[str], *, is_house: bool = False) -> None:
        self.label = label
        self.is_house = is_house
        self.free: dict[str, int] = dict.fromkeys(assets, 0)
        self.held: dict[str, int] = dict.fromkeys(self.free, 0)
        self.funding: dict[str, int] = dict.fromkeys(self.free, 0)
        self.orders: dict[int, Order] = {}
        self.by_client_id: dict[str, Order] = {}
        self.client_ids: dict[str, None] = {}
        self.open_orders: dict[str, dict[int, Order]] = {}
        self.trades: dict[str, list[Execution]] = {}
        self.trade_count = 0

    def free_in(self, wallet: Wallet) -> dict[str, int]:
        """Return the free balances of a wallet by asset [units]; changing them changes it."""
        return self.free if wallet is Wallet.SPOT else self.funding

    @property
    def has_open_orders(self) -> bool:
        """Whether any order of the account rests in a book."""
        return any(self.open_orders.values())

    def remember_order(self, order: Order) -> None:
        """Make a new order findable, and forget the oldest ended one beyond the bound."""
        self.orders[order.id] = order
        self.by_client_id[order.client_id] = order
        self.client_ids[order.client_id] = None
        if len(self.orders) > ORDERS_KEPT_MAX:
            self._forget_oldest()
        if len(self.client_ids) > CLIENT_IDS_KEPT_MAX:
            # many at once: to find the first of a dictionary takes longer after each that was
            kept = list(self.client_ids)[CLIENT_IDS_KEPT_MAX // 2 :]
            self.client_ids = dict.fromkeys(kept)

    def _forget_oldest(self) -> None:
        oldest = next(iter(self.orders.values()))
        del self.orders[oldest.id]
        if oldest.status in LIVE_STATUSES:
            # A resting order moves to the young end: it may be bounded away only once it ended.
            self.orders[oldest.id] = oldest
        elif self.by_client_id.get(oldest.client_id) is oldest:
            del self.by_client_id[oldest.client_id]

    def remember_execution(self, execution: Execution) -> None:
        """Add an own execution, and forget the older half of all beyond the bound."""
        self.trades.setdefault(execution.order.listing.id, []).append(execution)
        self.trade_count += 1
        if self.trade_count > TRADES_KEPT_MAX:
            self._forget_older_trades()

    def _forget_older_trades(self) -> None:
        ids = sorted(kept.id for market in self.trades.values() for kept in market)
        oldest = ids[len(ids) // 2]
        for market in self.trades.values():
            market[:] = [kept for kept in market if kept.id >= oldest]
        self.trade_count = sum(map(len, self.trades.values()))
