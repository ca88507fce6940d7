"""Answers that are kept, so that a request which is sent again is not carried out again.

A row is claimed, and committed, before the request is carried out; the unique constraint lets one
of many win. It gets its answer afterwards. A process that dies in between leaves a row without an
answer: what became of the request is then not known, and nobody is told that it may be repeated.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from arbplatform.api.errors import AnswerUnknown, KeyReused, StillCarriedOut
from arbplatform.api.models import KeptAnswer
from arbplatform.core.clock import SYSTEM_CLOCK, Clock

KEPT_FOR: Final = timedelta(hours=24)
RUNNING_MAX: Final = timedelta(minutes=2)
"""A request without an answer after so long has probably lost its process."""
BODY_MAX: Final = 262_144
"""Characters of an answer that are kept."""
KEPT_MAX: Final = 10_000
"""Answers of one person; the oldest make way."""
BATCH_MAX: Final = 5_000
"""Rows that one pruning removes by age, and of one person by number."""
PERSONS_MAX: Final = 1_000

_RELEASING: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""Refusals of the form of a request, or of its moment: sent rightly, it may well succeed."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as its sender named it.

    Attributes:
        user: who sent it.
        method: of HTTP.
        path: the address, without a slash at the end.
        key: the sender's name for it.
        content: the body.
    """

    user: AbstractBaseUser
    method: str
    path: str
    key: str
    content: bytes

    @property
    def name(self) -> str:
        """What tells it from all other requests of its sender."""
        return _digest("name", f"{self.method} {self.path} {self.key}".encode())

    @property
    def request(self) -> str:
        """What tells whether it is the same request again; nobody can read the content from it."""
        return _digest("request", self.content)


def claim(sent: Sent, *, clock: Clock = SYSTEM_CLOCK) -> tuple[KeptAnswer, bool]:
    """Return the row of a request, and whether the caller is the one who carries it out.

    Args:
        sent: the request.
        clock: tells the time.

    Raises:
        KeyReused: the key names another request.
        StillCarriedOut: somebody else is at it.
        AnswerUnknown: it was begun, and nobody knows how it ended.
    """
    now = clock.now()
    try:
        with transaction.atomic():
            rows = KeptAnswer.objects.filter(user_id=sent.user.pk, name=sent.name)
            rows.filter(created_at__lt=now - KEPT_FOR).delete()
            kept, is_new = KeptAnswer.objects.get_or_create(
                user_id=sent.user.pk,
                name=sent.name,
                defaults={"request": sent.request, "created_at": now},
            )
    except IntegrityError:
        # it was there when we wrote and gone when we looked: somebody has just let go of it
        raise StillCarriedOut from None
    if not is_new:
        _check(kept, sent, now)
    return kept, is_new


def keep(kept: KeptAnswer, *, status: int, body: str) -> None:
    """Keep what a request was answered, or let go of its key if it may be sent again.

    Args:
        kept: the row that was claimed.
        status: of the answer.
        body: of the answer; one that is too long is not kept.
    """
    row = KeptAnswer.objects.filter(pk=kept.pk)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _RELEASING:
        row.delete()
    elif len(body) > BODY_MAX:
        row.update(status=status)
    else:
        row.update(status=status, body=body)


def prune(*, clock: Clock = SYSTEM_CLOCK) -> int:
    """Remove answers that are too old or too many; return how many."""
    old = KeptAnswer.objects.filter(created_at__lt=clock.now() - KEPT_FOR)
    removed = _remove(list(old.values_list("pk", flat=True)[:BATCH_MAX]))
    persons = KeptAnswer.objects.order_by().values_list("user_id", flat=True).distinct()
    for user_id in list(persons[:PERSONS_MAX]):
        newest_first = KeptAnswer.objects.filter(user_id=user_id).order_by("-pk")
        surplus = newest_first.values_list("pk", flat=True)[KEPT_MAX : KEPT_MAX + BATCH_MAX]
        removed += _remove(list(surplus))
    return removed


def _check(kept: KeptAnswer, sent: Sent, now: datetime) -> None:
    if kept.request != sent.request:
        raise KeyReused
    if kept.status is None and now - kept.created_at <= RUNNING_MAX:
        raise StillCarriedOut
    if not kept.body:
        raise AnswerUnknown


def _remove(pks: list[int]) -> int:
    return KeptAnswer.objects.filter(pk__in=pks).delete()[0] if pks else 0


def _digest(purpose: str, content: bytes) -> str:
    return salted_hmac(
        f"arbplatform.api.answers.{purpose}", content, algorithm="sha256"
    ).hexdigest()
