"""Keep, show and advise on what finished executions left over."""

from collections.abc import Mapping
from dataclasses import dataclass

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import ZERO, Amount, Price, to_decimal
from arbplatform.core.errors import Message
from ledger.selectors import list_prices
from markets.services.assets import ensure_assets
from strategies.domain.dust import Advice, Outlet, advise
from strategies.domain.states import ExecutionState, StrategyState
from strategies.models import Dust, Execution
from strategies.selectors import list_dust, list_outlets

ENDED_WITH_DUST = (ExecutionState.COMPLETED, ExecutionState.UNWOUND)
"""States in which what is left over is dust: in others it is an exposure."""


@dataclass(frozen=True, slots=True)
class DustLine:
    """Dust as people see it.

    Attributes:
        row: strategy, asset and amount.
        worth: in the reporting asset; ``None``: no price is known.
        advice: in one word.
        message: the sentence.
    """

    row: Dust
    worth: Amount | None
    advice: Advice
    message: Message


def dust_of(state: ExecutionState, residuals: Mapping[str, str]) -> dict[str, Amount]:
    """Return what an execution in a state contributes to the dust of its strategy, by asset."""
    if state not in ENDED_WITH_DUST:
        return {}
    return {code: to_decimal(amount) for code, amount in residuals.items()}


def book_dust(
    *, execution: Execution, before: Mapping[str, Amount], after: Mapping[str, Amount]
) -> None:
    """Change the dust of a strategy by what an execution contributes now instead of before.

    In the caller's transaction, which has locked the execution.
    """
    changes = {
        code: change
        for code in sorted(before.keys() | after.keys())
        if (change := after.get(code, ZERO) - before.get(code, ZERO))
    }
    if not changes:
        return
    assets = ensure_assets(changes)
    for code, change in changes.items():
        row, _is_new = Dust.objects.select_for_update().get_or_create(
            strategy_id=execution.strategy_id, asset=assets[code], defaults={"amount": ZERO}
        )
        row.amount += change
        row.save(update_fields=["amount", "updated_at"])


def report_dust(*, strategy_id: int | None = None, clock: Clock = SYSTEM_CLOCK) -> list[DustLine]:
    """Return the dust of one strategy, or of all, with advice."""
    prices = list_prices(now=clock.now())
    return [advise_on(row, prices) for row in list_dust(strategy_id=strategy_id)]


def advise_on(row: Dust, prices: Mapping[str, Price]) -> DustLine:
    """Return one row with its worth and advice.

    Args:
        row: with its strategy and asset.
        prices: of a unit of each asset [reporting asset].
    """
    code = row.asset.code
    outlets = [
        Outlet(market.to_rules(), _price(prices, code, market.quote.code))
        for market in list_outlets(row.strategy_id, row.asset_id)
    ]
    is_running = row.strategy.state == StrategyState.RUNNING
    advice, message = advise(code, row.amount, outlets, is_running=is_running)
    worth = row.amount * prices[code] if code in prices else None
    return DustLine(row, worth, advice, message)


def _price(prices: Mapping[str, Price], base: str, quote: str) -> Price | None:
    if base not in prices or not prices.get(quote):
        return None
    return prices[base] / prices[quote]
