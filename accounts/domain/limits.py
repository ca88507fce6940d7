"""What transfers may move at most, and from which amount on a second person is asked."""

from dataclasses import dataclass, fields

from accounts.errors import TransferLimitExceeded, TransferUnpriced
from arbplatform.core.decimals import Amount, to_plain
from arbplatform.core.errors import Message


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """Limits in the reporting asset; ``None``: there is none.

    Attributes:
        transfer_max: of one transfer.
        account_day_max: what may leave one account in a UTC day.
        total_day_max: what may leave all accounts in a UTC day.
        approval_above: transfers above it need a second member of staff.
    """

    transfer_max: Amount | None = None
    account_day_max: Amount | None = None
    total_day_max: Amount | None = None
    approval_above: Amount | None = None

    @property
    def are_set(self) -> bool:
        """Whether any limit needs the value of a transfer."""
        return any(getattr(self, name) is not None for name in LIMIT_NAMES)


LIMIT_NAMES = tuple(field.name for field in fields(TransferLimits))

DEFAULTS = TransferLimits(approval_above=Amount(10_000))
"""In force between real venues as long as nobody has set anything else."""


@dataclass(frozen=True, slots=True)
class DayFigures:
    """What was requested since midnight UTC, the new transfer left out [reporting asset].

    ``None``: something of it has no known value.
    """

    account: Amount | None
    total: Amount | None


def check_limits(
    value: Amount | None, *, limits: TransferLimits, today: DayFigures, asset: str
) -> None:
    """Refuse what is above a limit, or cannot be measured.

    Args:
        value: of the transfer [reporting asset]; ``None``: there is no price.
        limits: in force.
        today: what was requested before.
        asset: what is moved, for messages.

    Raises:
        TransferLimitExceeded: a limit is passed.
        TransferUnpriced: a limit is set, and a value is not known.
    """
    if not limits.are_set:
        return
    if value is None:
        raise TransferUnpriced(asset=asset)
    measures = (
        (value, Amount(0), limits.transfer_max, Message("one transfer")),
        (value, today.account, limits.account_day_max, Message("one account and day")),
        (value, today.total, limits.total_day_max, Message("all accounts and one day")),
    )
    for own, before, limit, what in measures:
        if limit is None:
            continue
        if before is None:
            raise TransferUnpriced(asset=asset)
        if own + before > limit:
            raise TransferLimitExceeded(
                value=to_plain(own), before=to_plain(before), limit=to_plain(limit), what=what
            )


def needs_approval(value: Amount | None, limits: TransferLimits) -> bool:
    """Return whether a second person has to agree; what cannot be measured needs one."""
    if limits.approval_above is None:
        return False
    return value is None or value > limits.approval_above
