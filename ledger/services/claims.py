"""Whose funds are gone after something moved without the platform."""

from django.utils.translation import gettext_noop as _

from accounts.models import VenueAccount
from arbplatform.core.clock import Clock
from arbplatform.core.decimals import ZERO, Amount, to_plain
from arbplatform.core.errors import IllegalTransition
from ledger.domain.halts import HaltLevel, HaltScope, TradingEvent
from ledger.models import LogLevel, Order
from ledger.selectors import wallet_balances
from ledger.selectors.reconciliation import list_claims
from ledger.services.halts import change_trading
from ledger.services.logs import write_log
from markets.domain.orders import Side

_BROKEN = _(
    "{account} holds {held} {asset} after something moved without the platform, but orders that "
    "have not ended need {needed}. The strategy only reduces exposure until you resume it."
)


def restrict_broken_strategies(*, account: VenueAccount, clock: Clock) -> list[int]:
    """Restrict every strategy whose live orders need more than is left; return which.

    Args:
        account: whose balances were moved by somebody else.
        clock: tells the time.
    """
    held = wallet_balances(account.pk)
    orders = list_claims(account.pk)
    needed: dict[str, Amount] = {}
    for order in orders:
        asset, amount = _need_of(order)
        needed[asset] = needed.get(asset, ZERO) + amount
    broken = {asset for asset, amount in needed.items() if amount > held[asset]}
    found: dict[int, str] = {}
    for order in orders:
        asset = _need_of(order)[0]
        if asset in broken and order.strategy_id is not None:
            found.setdefault(order.strategy_id, asset)
    for strategy_id, asset in sorted(found.items()):
        _restrict(strategy_id, account, asset, clock)
        write_log(
            strategy_id=strategy_id,
            level=LogLevel.ERROR,
            event="funds_moved_away",
            template=_BROKEN,
            account=str(account),
            asset=asset,
            held=to_plain(held[asset]),
            needed=to_plain(needed[asset]),
        )
    return sorted(found)


def _need_of(order: Order) -> tuple[str, Amount]:
    """Return what the rest of an order spends."""
    left: Amount = max(order.quantity - order.filled_quantity, ZERO)
    if order.side == Side.SELL:
        return order.market.base.code, left
    return order.market.quote.code, left * (order.price or ZERO)


def _restrict(strategy_id: int, account: VenueAccount, asset: str, clock: Clock) -> None:
    try:
        change_trading(
            event=TradingEvent.REDUCE,
            scope=HaltScope(HaltLevel.STRATEGY, strategy_id),
            reason=f"reconciliation: {asset} of {account} was moved without the platform"[:200],
            clock=clock,
        )
    except IllegalTransition:
        return  # it is restricted already
