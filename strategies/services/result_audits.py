"""Audits totals of results: a few strategies at a time, those audited longest ago first."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_noop as _

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import Amount, to_plain
from arbplatform.core.errors import Message
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sentences import keep_sentence
from arbplatform.wording import untranslated
from ledger.models import LogLevel
from ledger.services.logs import write_log
from markets.selectors import list_assets
from strategies.errors import ResultsWrong
from strategies.models import ResultAudit, ResultTotal
from strategies.selectors import list_result_errors, list_unaudited

logger = logging.getLogger(__name__)

EVERY: Final = timedelta(hours=6)
"""How often the totals of each strategy are audited: every execution of it is read for that."""
STRATEGIES_MAX: Final = 100
TIME_MAX_MS: Final = 5_000
"""A run begins with no further strategy after so long [ms]; the next run begins with it."""
FIGURES_MAX: Final = 10
"""Wrong figures that are spelt out; of others it is said how many there are."""

_RIGHT_AGAIN = _("The totals of results of the strategy {strategy} are what they add up to again.")


def audit_results(*, clock: Clock = SYSTEM_CLOCK) -> int:
    """Compare totals with what they add up, of strategies whose turn it is; change none.

    Returns:
        How many strategies were found to have totals that are wrong.
    """
    began_ms, wrong = clock.monotonic_ms(), 0
    for strategy_id in list_unaudited(before=clock.now() - EVERY, limit=STRATEGIES_MAX):
        if clock.monotonic_ms() - began_ms > TIME_MAX_MS:
            break
        try:
            wrong += audit_strategy(strategy_id=strategy_id, clock=clock)
        except Exception:
            # one that cannot be read must not keep the others from being audited
            logger.exception("The totals of strategy %s were not audited", strategy_id)
    return wrong


def audit_strategy(*, strategy_id: int, clock: Clock = SYSTEM_CLOCK) -> bool:
    """Compare the totals of one strategy with what they add up; return whether one is wrong.

    What was found is not kept if the totals were audited or put right while it was being read.
    """
    row, _is_new = ResultAudit.objects.get_or_create(strategy_id=strategy_id)
    errors = list_result_errors(strategy_id)
    _keep(row, errors, clock.now())
    return bool(errors)


@retried
@transaction.atomic
def _keep(seen: ResultAudit, errors: Mapping[str, Amount], now: datetime) -> None:
    row = ResultAudit.objects.select_for_update().filter(pk=seen.pk).first()
    if row is None or row.audited_at != seen.audited_at:
        return
    before, row.wrong = row.wrong, keep_sentence(_describe(errors))
    row.audited_at, row.wrong_count = now, len(errors)
    row.save()
    if row.wrong and row.wrong != before:
        _tell(row, LogLevel.ERROR, "results_wrong", ResultsWrong.summary)
    elif before and not row.wrong:
        _tell(row, LogLevel.INFO, "results_right", _RIGHT_AGAIN)


def _describe(errors: Mapping[str, Amount]) -> Message:
    """Return which figures are wrong, as they are called on pages, and by how much."""
    codes = dict(list_assets().values_list("pk", "code"))
    figures = []
    for key, gap in list(errors.items())[:FIGURES_MAX]:
        _owner_id, asset_id, name = key.split(":")
        figure = untranslated(ResultTotal._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
        context = {"figure": figure, "asset": codes[int(asset_id)], "gap": to_plain(abs(gap))}
        high = Message("{figure} ({asset}) is {gap} too high", context)
        figures.append(high if gap > 0 else Message("{figure} ({asset}) is {gap} too low", context))
    if len(errors) > FIGURES_MAX:
        figures.append(Message("and {count} more", {"count": len(errors) - FIGURES_MAX}))
    names = [f"figure_{number}" for number in range(len(figures))]
    template = "; ".join(f"{{{name}}}" for name in names)  # no word of it is to be translated
    return Message(template, dict(zip(names, figures, strict=True)))


def _tell(row: ResultAudit, level: LogLevel, event: str, template: str) -> None:
    context = row.to_error().message.context
    write_log(strategy_id=row.strategy_id, level=level, event=event, template=template, **context)
