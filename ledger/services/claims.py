"""Whose funds are gone after something moved without the platform."""

from django.utils.translation import gettext_noop as _

from accounts.models import VenueAccount
from arbplatform.core.clock import Clock
from arbplatform.core.decimals import ZERO, Amount, to_plain
from arbplatform.core.errors import IllegalTransition, Message
from ledger.domain.halts import HaltLevel, HaltScope, TradingEvent
from ledger.models import LogLevel
from ledger.selectors import wallet_balances
from ledger.selectors.reconciliation import list_reserved
from ledger.services.halts import change_trading
from ledger.services.logs import write_log

_BROKEN = _(
    "{account} holds {held} {asset} after something moved without the platform, but orders that "
    "have not ended need {needed}. The strategy only reduces exposure until you resume it."
)


def restrict_broken_strategies(*, account: VenueAccount, clock: Clock) -> list[int]:
    """Restrict every strategy whose orders have more reserved than is left; return which.

    Args:
        account: whose balances were moved by somebody else.
        clock: tells the time.
    """
    held = wallet_balances(account.pk)
    reserved = list_reserved(account.pk)
    needed: dict[str, Amount] = {}
    for claim in reserved:
        needed[claim.asset] = needed.get(claim.asset, ZERO) + claim.amount
    found: dict[int, str] = {}
    for claim in reserved:
        is_broken = needed[claim.asset] > held[claim.asset]
        if is_broken and claim.strategy_id is not None:
            found.setdefault(claim.strategy_id, claim.asset)
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


def _restrict(strategy_id: int, account: VenueAccount, asset: str, clock: Clock) -> None:
    try:
        change_trading(
            event=TradingEvent.REDUCE,
            scope=HaltScope(HaltLevel.STRATEGY, strategy_id),
            reason=Message(
                "Reconciliation: {asset} of {account} was moved without the platform.",
                {"asset": asset, "account": str(account)},
            ),
            is_only_stricter=True,
            clock=clock,
        )
    except IllegalTransition:
        return  # it is restricted already
