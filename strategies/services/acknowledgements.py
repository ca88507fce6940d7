"""A person takes note of an exposure that was held."""

from django.db import transaction
from django.utils.translation import gettext_noop as _

from arbplatform.authors import keep_author, tell_author
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import ChangedMeanwhile
from arbplatform.fingerprints import fingerprint
from ledger.models import LogLevel
from ledger.services.logs import write_log
from strategies.domain.states import ExecutionState
from strategies.errors import NotHeld
from strategies.models import Execution
from strategies.selectors import lock_execution
from strategies.services.announcements import announce_execution
from strategies.services.runs import Person


@transaction.atomic
def acknowledge_execution(
    *,
    execution_id: int,
    user: Person,
    seen: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Execution:
    """Let a strategy trade again whose execution was held; the exposure stays as it is.

    Args:
        execution_id: which.
        user: who takes note.
        seen: the ``name_exposure`` of what they saw; ``None``: whatever is left over.
        clock: tells when.

    Raises:
        NotFound: there is no such execution.
        NotHeld: it is not held, or was acknowledged already.
        ChangedMeanwhile: something else is left over than the person saw.
    """
    execution = lock_execution(execution_id)
    if execution.state != ExecutionState.HELD or execution.acknowledged_at is not None:
        raise NotHeld(id=execution_id)
    if seen is not None and seen != name_exposure(execution):
        raise ChangedMeanwhile
    execution.acknowledged_at = clock.now()
    execution.acknowledged_by_id = user.pk
    execution.acknowledged_residuals = execution.residuals
    # not "updated_at": what is booked since then is still to be judged
    execution.save(update_fields=["acknowledged_at", "acknowledged_by", "acknowledged_residuals"])
    announce_execution(execution)
    write_log(
        strategy_id=execution.strategy_id,
        level=LogLevel.INFO,
        event="exposure_acknowledged",
        template=_("{user} acknowledged the exposure of execution {execution_id}: {residuals}."),
        execution_id=execution_id,
        user=tell_author(keep_author(user)),
        residuals=", ".join(f"{amount} {code}" for code, amount in execution.residuals.items()),
    )
    return execution


def name_exposure(execution: Execution) -> str:
    """Return what tells what is left over from what it was before: news of a trade may be late."""
    return fingerprint({"execution": execution.pk, "residuals": execution.residuals})
