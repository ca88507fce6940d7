"""Writes down who changed what transfers are measured by."""

from collections.abc import Mapping

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from accounts.domain.rules import RuleKind
from accounts.errors import SecondPersonNeeded
from accounts.models import RuleChange
from arbplatform.authors import keep_author
from arbplatform.core.clock import Clock
from arbplatform.core.errors import Denied, InvalidInput, Message

Person = AbstractBaseUser | AnonymousUser

REASON_LENGTH_MAX = 200


def write_change(
    *,
    kind: RuleKind,
    target_id: int | None,
    name: str,
    event: str,
    before: Mapping[str, object],
    after: Mapping[str, object],
    user: Person | None,
    clock: Clock,
    reason: str = "",
) -> RuleChange:
    """Write one line of the history, in the transaction of the change.

    Args:
        kind: what was changed.
        target_id: which of them.
        name: for people, as it may be gone later.
        event: what was done.
        before: the values until now.
        after: the values from now on.
        user: who did it; ``None``: the platform itself.
        clock: tells when.
        reason: why.
    """
    return RuleChange.objects.create(
        kind=kind,
        target_id=target_id,
        name=name,
        event=event,
        before=dict(before),
        after=dict(after),
        reason=reason,
        user_id=None if user is None else user.pk,
        changed_by=keep_author(user),
        changed_at=clock.now(),
    )


def require_staff(user: Person | None) -> Person:
    """Return the person if it is a member of staff.

    Raises:
        Denied: it is nobody, or not of the staff.
    """
    if user is None or not user.is_active or not getattr(user, "is_staff", False):
        raise Denied("Only staff may do this.")
    return user


def require_second_person(user: Person | None, author_id: int | None) -> Person:
    """Return the person if it is of the staff and not the author, whatever else it may do.

    Raises:
        Denied: it is nobody, or not of the staff.
        SecondPersonNeeded: it is the author, or nobody knows who that is.
    """
    second = require_staff(user)
    if author_id is None or second.pk == author_id:
        raise SecondPersonNeeded
    return second


def check_reason(reason: str) -> str:
    """Return a reason without superfluous blanks.

    Raises:
        InvalidInput: there is none, or it is too long.
    """
    text = " ".join(reason.split())
    if not 0 < len(text) <= REASON_LENGTH_MAX:
        complaint = Message(
            "Give a reason of 1 to {maximum} characters.", {"maximum": REASON_LENGTH_MAX}
        )
        raise InvalidInput(fields={"reason": [complaint]})
    return text
