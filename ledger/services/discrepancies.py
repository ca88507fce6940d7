"""Keep what reconciliation sees: one row for one thing, from its first sight to its end."""

import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_noop as _

from accounts.models import VenueAccount
from arbplatform.authors import keep_author, tell_author
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import ChangedMeanwhile, IllegalTransition, InvalidInput, Message
from arbplatform.fingerprints import fingerprint
from arbplatform.persistence.sentences import keep_reason
from ledger.domain.halts import HaltLevel, HaltScope, TradingEvent
from ledger.domain.reconciliation import (
    ACTIVE_STATES,
    DISCREPANCY_TRANSITIONS,
    OVERLAP,
    DiscrepancyEvent,
    DiscrepancyKind,
    DiscrepancyState,
    Sighting,
    must_alarm,
)
from ledger.models import Discrepancy, LogLevel
from ledger.selectors.reconciliation import (
    list_active_discrepancies,
    lock_discrepancy,
)
from ledger.services.halts import Person, change_trading
from ledger.services.logs import as_context, write_log

logger = logging.getLogger(__name__)

NOTE_LENGTH_MAX = 200
SUBJECT_LENGTH_MAX = 160

_GONE = _("A discrepancy at {account} is gone: {what}")
_BOOKED = _("Something happened at {account} without the platform and is booked now: {what}")
_ALARM = _(
    "Reconciliation of {account} needs a person: {what} Until then only orders that reduce "
    "exposure are sent from this account."
)

OF_TRADES = frozenset(
    {
        DiscrepancyKind.MISSING_FILL,
        DiscrepancyKind.UNLISTED_FILL,
        DiscrepancyKind.FILL_CONFLICT,
        DiscrepancyKind.FEE,
    }
)
"""What only the venue's lists of executions show."""

OF_HISTORIES = OF_TRADES | {DiscrepancyKind.ORDER_STATE, DiscrepancyKind.UNKNOWN_ORDER}
"""What only the venue's lists of past orders and executions show."""

_E, _S = DiscrepancyEvent, DiscrepancyState


def keep_sightings(
    *,
    account: VenueAccount,
    sightings: Sequence[Sighting],
    covered: Collection[tuple[DiscrepancyKind, str]],
    is_complete: bool,
    since: datetime,
    now: datetime,
) -> None:
    """Write down what a round saw, inside the caller's transaction.

    Args:
        account: that was compared.
        sightings: what is there.
        covered: kinds and beginnings of subjects that the round has seen all of: what was there
            before and was not seen now is gone. Of everything else nothing is concluded.
        is_complete: whether the venue answered everything: what a person has acknowledged is then
            gone as well if it was not seen.
        since: from when on histories were read: a history says nothing of what is older.
        now: the present moment.
    """
    active = {(row.kind, row.subject): row for row in list_active_discrepancies(account.pk)}
    seen: set[tuple[str, str]] = set()
    for sighting in sightings:
        key = (sighting.kind.value, sighting.subject[:SUBJECT_LENGTH_MAX])
        if key in seen:
            continue
        seen.add(key)
        row = active.get(key)
        if row is None:
            row = Discrepancy(
                account_id=account.pk, kind=key[0], subject=key[1], first_seen_at=now, seen_count=0
            )
        _see(row, sighting, now)
        if row.state == _S.BOOKED:
            _tell(row, account, LogLevel.WARNING, "reconciliation_booked", _BOOKED)
    for key, row in active.items():
        if key in seen or not _is_in_span(row, since):
            continue
        is_known = is_complete and row.acknowledged_at is not None
        if is_known or _is_covered(row, covered):
            _settle(row, account, now)


def alarm_due(*, account: VenueAccount, clock: Clock) -> int:
    """Raise the alarm for what did not converge; return for how many.

    Trading is restricted first, so that a crash in between repeats the alarm and never skips it.
    """
    now, count = clock.now(), 0
    for row in list_active_discrepancies(account.pk):
        is_due = row.is_grave or must_alarm(
            seen_count=row.seen_count, first_seen_at=row.first_seen_at, now=now
        )
        if row.state == _S.OPEN and is_due:
            _restrict(account, row.to_message(), clock)
            _alarm(row.pk, account)
            count += 1
    return count


def name_figures(row: Discrepancy) -> str:
    """Return what tells what is decided on from what it was before.

    Of a balance the difference counts: trading moves both sides alike.
    """
    figures = [row.booked, row.stated]
    if row.kind == DiscrepancyKind.BALANCE and row.booked is not None and row.stated is not None:
        figures = [row.stated - row.booked]
    return fingerprint(
        {
            "discrepancy": row.pk,
            "figures": [None if each is None else to_plain(each) for each in figures],
            "asset": row.asset,
            "entry": row.evidence.get("entry_id"),
        }
    )


def require_seen(row: Discrepancy, seen: str | None) -> None:
    """Go on if a person has seen what a discrepancy is now.

    Args:
        row: as it is.
        seen: the ``name_figures`` of what they saw; ``None``: whatever it is.

    Raises:
        ChangedMeanwhile: it was another difference.
    """
    if seen is not None and seen != name_figures(row):
        raise ChangedMeanwhile


@transaction.atomic
def acknowledge(
    *,
    discrepancy_id: int,
    note: Message | str,
    user: Person | None,
    seen: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Discrepancy:
    """Note that a person knows what a discrepancy is; nothing is booked.

    Should its figures change afterwards, it is watched again.

    Args:
        discrepancy_id: one that has not ended.
        note: what it is: typed, or a sentence of the platform.
        user: who says so.
        seen: the ``name_figures`` of what they saw; ``None``: whatever it is.
        clock: tells when.

    Raises:
        DiscrepancyNotFound: none has this id.
        InvalidInput: there is no note, or it is too long.
        IllegalTransition: it has ended.
        ChangedMeanwhile: it is another difference than the person saw.
    """
    note = check_note(note)
    row = lock_discrepancy(discrepancy_id)
    if row.state not in ACTIVE_STATES:
        raise IllegalTransition(
            "The discrepancy {id} is {state}: there is nothing to acknowledge any more.",
            id=row.pk,
            state=Message(row.get_state_display()),
        )
    require_seen(row, seen)
    row.state = DISCREPANCY_TRANSITIONS.next_state(_S(row.state), _E.EXPLAIN)
    row.acknowledged_by_id = user.pk if user is not None else None
    row.acknowledged_at, row.note = clock.now(), keep_reason(note)
    row.save(update_fields=["state", "acknowledged_by", "acknowledged_at", "note"])
    write_log(
        strategy_id=None,
        level=LogLevel.WARNING,
        event="reconciliation_acknowledged",
        template=_("{user} knows of the discrepancy {id} at {account}: {note}"),
        user=tell_author(keep_author(user)),
        id=row.pk,
        account=str(row.account),
        note=note,
    )
    return row


def check_note(note: Message | str) -> Message | str:
    """Return a note that was typed without blanks around it; a sentence as it is.

    Raises:
        InvalidInput: it is empty or too long.
    """
    if isinstance(note, Message):
        return note
    note = note.strip()
    if not note or len(note) > NOTE_LENGTH_MAX:
        message = Message("Give a reason of 1 to {max} characters.", {"max": NOTE_LENGTH_MAX})
        raise InvalidInput(fields={"note": [message]})
    return note


def _see(row: Discrepancy, sighting: Sighting, now: datetime) -> None:
    is_same = (row.booked, row.stated) == (sighting.booked, sighting.stated)
    row.asset, row.wallet = sighting.asset, sighting.wallet or ""
    row.booked, row.stated = sighting.booked, sighting.stated
    row.template = sighting.explanation.template
    row.context = as_context(sighting.explanation.context)
    row.evidence, row.is_grave = dict(sighting.evidence), sighting.is_grave
    row.seen_count += 1
    row.last_seen_at = now
    event = _event_of(row, sighting, is_same=is_same)
    if event is not None:
        row.state = DISCREPANCY_TRANSITIONS.next_state(_S(row.state), event)
    if event is _E.REOPEN:
        row.acknowledged_at, row.acknowledged_by_id, row.note = None, None, ""
    if event is _E.BOOK:
        row.entry_id, row.closed_at = sighting.entry_id, now
    row.save()


def _event_of(row: Discrepancy, sighting: Sighting, *, is_same: bool) -> DiscrepancyEvent | None:
    if sighting.entry_id is not None:
        return _E.BOOK
    if row.state == _S.EXPLAINED:
        is_known = sighting.is_explained or (row.acknowledged_at is not None and is_same)
        return None if is_known else _E.REOPEN
    if row.state == _S.OPEN and sighting.is_explained:
        return _E.EXPLAIN
    return None  # an alarm stays until the thing is gone, or a person has looked


def _is_in_span(row: Discrepancy, since: datetime) -> bool:
    """Return whether a round that read histories from then on would have seen it.

    They are read a week back at most, and not for the sake of what a person has acknowledged.
    Orders are asked for one by one besides.
    """
    kind = DiscrepancyKind(row.kind)
    is_held_in_sight = row.acknowledged_at is None and kind not in OF_TRADES
    return is_held_in_sight or kind not in OF_HISTORIES or row.first_seen_at - OVERLAP >= since


def _is_covered(row: Discrepancy, covered: Iterable[tuple[DiscrepancyKind, str]]) -> bool:
    return any(row.kind == kind and row.subject.startswith(prefix) for kind, prefix in covered)


def _settle(row: Discrepancy, account: VenueAccount, now: datetime) -> None:
    was_alarmed = row.state == _S.ALARMED
    row.state = DISCREPANCY_TRANSITIONS.next_state(_S(row.state), _E.SETTLE)
    row.closed_at = now
    row.save(update_fields=["state", "closed_at"])
    if was_alarmed:
        _tell(row, account, LogLevel.WARNING, "reconciliation_gone", _GONE)


def _restrict(account: VenueAccount, what: Message, clock: Clock) -> None:
    try:
        change_trading(
            event=TradingEvent.REDUCE,
            scope=HaltScope(HaltLevel.ACCOUNT, account.pk),
            reason=Message("Reconciliation: {what}", {"what": what}),
            is_only_stricter=True,
            clock=clock,
        )
    except IllegalTransition:
        logger.info("%s is restricted already", account)


@transaction.atomic
def _alarm(discrepancy_id: int, account: VenueAccount) -> None:
    row = lock_discrepancy(discrepancy_id)
    if row.state != _S.OPEN:
        return
    row.state = DISCREPANCY_TRANSITIONS.next_state(_S.OPEN, _E.ALARM)
    row.save(update_fields=["state"])
    _tell(row, account, LogLevel.ERROR, "reconciliation_alarm", _ALARM)


def _tell(
    row: Discrepancy, account: VenueAccount, level: LogLevel, event: str, template: str
) -> None:
    write_log(
        strategy_id=None,
        level=level,
        event=event,
        template=template,
        account=str(account),
        what=row.to_message(),
        discrepancy_id=row.pk,
        booked="" if row.booked is None else to_plain(row.booked),
        stated="" if row.stated is None else to_plain(row.stated),
    )
