"""Queries about executions: what became of them, and what is not over yet."""

from typing import Any, Final

from django.db.models import Count, F, Q, QuerySet, Sum

from arbplatform.core.decimals import ZERO
from arbplatform.core.errors import NotFound
from arbplatform.persistence.fields import ExactSum
from arbplatform.persistence.partial import is_among
from arbplatform.persistence.sentences import read_sentence
from ledger.domain.orders import OrderState
from ledger.models import Order
from strategies.domain.outcomes import Outcome
from strategies.domain.states import ExecutionState
from strategies.models import COUNTED, NOT_OVER, SUMMED, Attribution, Execution, ResultTotal

UNFINISHED_STATES = (ExecutionState.EXECUTING, ExecutionState.UNKNOWN, ExecutionState.INCOMPLETE)
"""States of executions that may still send orders, or whose orders may still move money."""

IS_NOT_OVER: Final = is_among("state", NOT_OVER)
"""Few executions are not over, however many there are: they are read by the index of just these."""


def list_executions(*, strategy_id: int | None = None) -> QuerySet[Execution]:
    """Return executions, newest first."""
    rows = Execution.objects.select_related(
        "strategy", "run", "opportunity", "profit_asset", "acknowledged_by"
    )
    rows = rows.defer("opportunity__evidence").order_by("-id")
    return rows if strategy_id is None else rows.filter(strategy_id=strategy_id)


def count_executions(*, strategy_id: int | None = None) -> dict[str, int]:
    """Return how many executions are in each state; states without any count 0."""
    rows = Execution.objects.filter(IS_NOT_OVER)
    totals = ResultTotal.objects.all()
    if strategy_id is not None:
        rows = rows.filter(strategy_id=strategy_id)
        totals = totals.filter(strategy_id=strategy_id)
    counted = dict(rows.order_by().values_list("state").annotate(number=Count("id")))
    counted |= totals.aggregate(**{name: Sum(name) for name in COUNTED})
    return {state.value: counted.get(state.value) or 0 for state in ExecutionState}


def list_not_over() -> QuerySet[Execution]:
    """Return executions that have not ended, or that a person may still have to look at.

    Their ids are found first: for rows in the order of their ids SQLite would go through all that
    there ever were.
    """
    alive = Execution.objects.order_by().filter(IS_NOT_OVER)
    return Execution.objects.filter(pk__in=alive.values("pk"))


def get_execution(execution_id: int) -> Execution:
    """Return one execution.

    Raises:
        NotFound: there is none with this id.
    """
    found = list_executions().filter(pk=execution_id).first()
    if found is None:
        raise NotFound("No execution has the id {id}.", id=execution_id)
    return found


def lock_execution(execution_id: int) -> Execution:
    """Return one execution, its row locked until the transaction ends.

    Rows that refer to it are inserted meanwhile: who books what its orders did waits for nobody
    here, and so never for one who waits for the totals that he holds.

    Raises:
        NotFound: there is none with this id.
    """
    rows = Execution.objects.select_related("strategy", "opportunity", "profit_asset")
    rows = rows.defer("opportunity__evidence", "strategy__last_decision")
    rows = rows.select_for_update(of=("self",), no_key=True)
    found = rows.filter(pk=execution_id).first()
    if found is None:
        raise NotFound("No execution has the id {id}.", id=execution_id)
    return found


def list_legs(execution_id: int) -> list[Order]:
    """Return the orders of an execution, in the order of its legs."""
    return list(
        Order.objects.select_related("market__venue", "market__base", "market__quote")
        .filter(execution_id=execution_id)
        .order_by("leg_index", "id")
    )


def list_outcomes(execution_id: int) -> list[Outcome]:
    """Return what is known of each order of an execution, in the order of its legs."""
    rows = Order.objects.filter(execution_id=execution_id).order_by("leg_index", "id")
    is_void = Q(fills__entry__reversed_by__isnull=False)
    rows = rows.annotate(
        booked=ExactSum("fills__quantity"), voided=ExactSum("fills__quantity", filter=is_void)
    )
    return [
        Outcome(
            index,
            side,
            quantity,
            OrderState(state),
            filled,
            booked or ZERO,
            read_sentence(error),
            voided or ZERO,
        )
        for index, side, quantity, state, filled, booked, error, voided in rows.values_list(
            "leg_index", "side", "quantity", "state", "filled_quantity", "booked", "error", "voided"
        )
    ]


def find_attribution(execution_id: int) -> Attribution | None:
    """Return why an execution made what it made, if that was derived."""
    return Attribution.objects.filter(execution_id=execution_id).first()


def sum_attributions(strategy_id: int) -> list[dict[str, Any]]:
    """Return the sums of the attributions of a strategy, one row per profit asset.

    ``latency`` is the sum of those that were measured, ``None`` when none was.
    """
    rows = ResultTotal.objects.filter(strategy_id=strategy_id).exclude(executions=0)
    found = rows.order_by("asset__code").values(*SUMMED, code=F("asset__code"))
    return [
        {"asset": code, **sums, "latency": sums["latency"] if sums["measured"] else None}
        for sums in found
        for code in [sums.pop("code")]
    ]


def list_unsettled_executions(*, limit: int) -> QuerySet[Execution]:
    """Return executions that have not ended, those that were judged longest ago first.

    Many whose orders a venue does not tell of must not hide the others.
    """
    rows = list_not_over().select_related("strategy").filter(state__in=UNFINISHED_STATES)
    return rows.order_by("updated_at", "id")[:limit]


def list_exposed_executions(*, limit: int) -> list[Execution]:
    """Return executions that have not ended, or are held and nobody took note; oldest first."""
    held = Q(state=ExecutionState.HELD, acknowledged_at__isnull=True)
    rows = list_not_over().select_related("strategy", "run", "opportunity", "profit_asset")
    rows = rows.defer("opportunity__evidence", "strategy__last_decision")
    return list(rows.filter(held | Q(state__in=UNFINISHED_STATES)).order_by("id")[:limit])
