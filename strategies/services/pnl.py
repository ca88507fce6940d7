"""What a strategy has made so far."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from arbplatform.core.clock import SYSTEM_CLOCK
from ledger.domain.pnl import Valuation, value_amounts
from ledger.selectors import list_prices, pnl_by_asset, pnl_by_strategy, value_in_reporting
from strategies.selectors import count_executions, find_result_audit, sum_attributions


@dataclass(frozen=True, slots=True)
class PnlReport:
    """Realised profit and loss of one strategy.

    Attributes:
        by_asset: net movement of each asset by its trades, fees included [units of the asset].
        reporting_asset: code of the asset that ``total`` is in.
        total: everything at present prices [units of the reporting asset].
        unpriced: assets without a price, which are not in the total.
        executions: how many executions are in each state.
        attribution: from the expected to the realised profit, one row per profit asset.
        audited_at: when these sums were last compared with what they add up; ``None``: never.
        wrong_sums: how many of them were wrong then: always none.
    """

    by_asset: Mapping[str, Decimal]
    reporting_asset: str
    total: Decimal
    unpriced: Sequence[str]
    executions: Mapping[str, int]
    attribution: Sequence[Mapping[str, Any]]
    audited_at: datetime | None
    wrong_sums: int


def value_pnl(strategy_ids: Collection[int]) -> dict[int, Valuation]:
    """Return what each strategy that has traded made so far, at present prices.

    Args:
        strategy_ids: those of one page of a list.
    """
    prices = list_prices(now=SYSTEM_CLOCK.now())
    made = pnl_by_strategy(strategy_ids=strategy_ids)
    return {pk: value_amounts(amounts, prices) for pk, amounts in made.items() if pk is not None}


def report_pnl(*, strategy_id: int) -> PnlReport:
    """Return profit and loss of a strategy by asset and in the reporting asset."""
    by_asset = dict(sorted(pnl_by_asset(strategy_id=strategy_id).items()))
    valuation = value_in_reporting(by_asset)
    audit = find_result_audit(strategy_id)
    return PnlReport(
        by_asset=by_asset,
        reporting_asset=settings.REPORTING_ASSET,
        total=valuation.total,
        unpriced=sorted(valuation.unpriced),
        executions=count_executions(strategy_id=strategy_id),
        attribution=sum_attributions(strategy_id),
        audited_at=audit.audited_at if audit else None,
        wrong_sums=audit.wrong_count if audit else 0,
    )
