"""The trading states: who may write and send orders, and how that is changed.

Order of locks, in every transaction that writes or claims orders or changes a state:

1. the trading lock (shared by those who write and claim, exclusive for who changes a state);
2. rows of strategies and executions;
3. orders, by id;
4. running totals of the ledger, by key (its triggers see to it);
5. totals of what is reserved, by key.

So once a halt has committed, no order is written and none is claimed: whoever read "active" had
committed before, and whoever comes later reads the halt. What was claimed a moment before is sent
within ``SEND_DEADLINE_MS`` of its claim or not at all. On SQLite there is one writer at a time,
which is the same with less.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext_noop as _

from arbplatform.authors import keep_author, tell_author
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import (
    ChangedMeanwhile,
    IllegalTransition,
    InvalidInput,
    Message,
    NotFound,
)
from arbplatform.core.texts import storable
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sentences import keep_reason
from arbplatform.persistence.vendor import database_vendor
from arbplatform.wording import untranslated
from ledger.domain.halts import (
    PERSONAL_LEVELS,
    TRADING_TRANSITIONS,
    HaltLevel,
    HaltScope,
    TradeScope,
    TradingEvent,
    TradingState,
    may_send,
    strictest,
)
from ledger.errors import TradingGuarded, TradingHalted
from ledger.models import LogLevel, TradingChange, TradingHalt, TradingStateChoice
from ledger.selectors.halts import list_halts, map_venue_ids, name_scope
from ledger.services.batches import Statement
from ledger.services.logs import write_log

logger = logging.getLogger(__name__)

Person = AbstractBaseUser | AnonymousUser

TRADING_LOCK = 4_008_001
"""Number of the advisory lock; any constant that nothing else uses."""

TRADING_REQUIREMENT = "trading"
"""Name of what a batch requires of the trading states."""

WAIT_MS_MAX = 300
"""A halt waits so long for those who are just writing [ms], then it goes on without them."""

REASON_LENGTH_MAX = 200

WISHES_MAX = 1_000
"""Sets of scopes whose statements a process remembers."""

_LINES = {
    TradingState.HALTED: (LogLevel.ERROR, _("{user} halted trading for {scope}: {reason}")),
    TradingState.REDUCING: (
        LogLevel.WARNING,
        _("{user} allowed only orders that reduce exposure for {scope}: {reason}"),
    ),
    TradingState.ACTIVE: (LogLevel.WARNING, _("{user} resumed trading for {scope}: {reason}")),
}
_IMPOSSIBLE = {
    TradingEvent.RESUME: _(
        "There is nothing to resume: {scope} by itself is neither halted nor restricted. The page "
        "of trading states, or GET /api/risk, shows what is."
    ),
    TradingEvent.REDUCE: _(
        "Nothing was changed: only orders that reduce exposure are sent for {scope} already. "
        "Resume trading there, or halt it."
    ),
}
"""What cannot be done to a state; whatever is halted already can be halted again."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An order that somebody wants to write or send.

    Attributes:
        account_id: where.
        strategy_id: in whose name; ``None``: nobody's.
        is_reducing: whether it brings an exposure down.
    """

    account_id: int
    strategy_id: int | None
    is_reducing: bool = False


def read_denials(wishes: Sequence[Wish]) -> list[TradingHalted | None]:
    """Return, for each wish, what forbids it; the answer holds until the transaction ends.

    Must be the first thing that its transaction does.
    """
    share_trading_lock()
    halts = {halt.key: halt for halt in list_halts()}
    if not halts:
        return [None] * len(wishes)
    venue_ids = map_venue_ids({wish.account_id for wish in wishes})
    return [_find_denial(wish, venue_ids[wish.account_id], halts) for wish in wishes]


def require_trading(wishes: Sequence[Wish]) -> None:
    """Go on if everything that is wished may be sent; that holds until the transaction ends.

    Raises:
        TradingHalted: something of it may not.
    """
    for denial in read_denials(wishes):
        if denial is not None:
            raise denial


def share_trading_lock() -> None:
    """Keep trading states as they are until the transaction ends."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [TRADING_LOCK])


def trading_statements(wishes: tuple[tuple[TradeScope, bool], ...]) -> tuple[Statement, ...]:
    """Return what a batch of statements begins with that writes orders: lock and states.

    Args:
        wishes: where each order belongs, and whether it brings an exposure down.
    """
    return _trading_statements(wishes, database_vendor())


@lru_cache(maxsize=WISHES_MAX)
def _trading_statements(
    wishes: tuple[tuple[TradeScope, bool], ...], vendor: str
) -> tuple[Statement, ...]:
    halted, restricted = set[str](), set[str]()
    for scope, is_reducing in wishes:
        (halted if is_reducing else restricted).update(scope.keys)
    reasons: list[str] = []
    values: list[str] = []
    for keys, stops in ((restricted, "state <> 'active'"), (halted, "state = 'halted'")):
        if keys:
            named = f"key IN ({', '.join(['%s'] * len(keys))})"
            reasons.append(f"({stops} AND ({named} OR level = '{HaltLevel.GUARD}'))")
            values += sorted(keys)
    table = TradingHalt._meta.db_table
    free = f"NOT EXISTS (SELECT 1 FROM {table} WHERE {' OR '.join(reasons)})"  # noqa: S608  constants
    required = Statement(free, values, requirement=TRADING_REQUIREMENT)
    if vendor != "postgresql":
        return (required,)
    return Statement("SELECT pg_advisory_xact_lock_shared(%s)", [TRADING_LOCK]), required


@retried
@transaction.atomic
def change_trading(
    *,
    event: TradingEvent,
    scope: HaltScope,
    reason: str | Message,
    user: Person | None = None,
    is_only_stricter: bool = False,
    seen: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> TradingHalt:
    """Change the state of one scope, and write down who did so, when and why.

    Args:
        event: what is done.
        scope: what it covers.
        reason: why, for people: what somebody typed, which must not be empty, or a sentence of the
            platform itself, which each reader gets in their own language.
        user: who asks; ``None``: the platform itself or its command line.
        is_only_stricter: whether what is halted must stay so: who halted it decides.
        seen: the ``version`` of the state that a person saw; ``None``: whatever it is.
        clock: tells the time.

    Raises:
        InvalidInput: there is no reason, or it is too long.
        NotFound: there is no such venue, account or strategy, or no person halts and resumes it.
        IllegalTransition: nothing is halted that could be resumed, it only reduces already, or it
            would be eased and must not be.
        ChangedMeanwhile: it is another state than the person saw, or it has another reason.
    """
    if isinstance(reason, str):
        reason = checked_reason(reason)
    if user is not None and scope.level not in PERSONAL_LEVELS:
        raise NotFound("There is nothing called {key}.", key=scope.key)
    _lock_out_writers()
    name = name_scope(scope)
    # who did not get the trading lock may meet another press that makes the same row
    halt, _is_new = TradingHalt.objects.select_for_update().get_or_create(
        key=scope.key,
        defaults={
            "level": scope.level,
            "target_id": scope.target_id,
            "changed_at": clock.now(),
        },
    )
    if seen is not None and seen != halt.version:
        raise ChangedMeanwhile
    before = TradingState(halt.state)
    if not _is_possible(before, event, is_only_stricter=is_only_stricter):
        raise IllegalTransition(_IMPOSSIBLE[event], scope=name)
    halt.state = TRADING_TRANSITIONS.next_state(before, event)
    halt.reason, halt.changed_at = keep_reason(reason), clock.now()
    halt.changed_by = keep_author(user)
    halt.save()
    TradingChange.objects.create(
        halt=halt,
        event=event,
        before=before,
        after=halt.state,
        reason=halt.reason,
        user_id=user.pk if user is not None else None,
        changed_by=halt.changed_by,
        changed_at=halt.changed_at,
    )
    _tell(halt, scope, name, reason)
    return halt


def _is_possible(before: TradingState, event: TradingEvent, *, is_only_stricter: bool) -> bool:
    is_eased = before is TradingState.HALTED and event is not TradingEvent.HALT
    return not (is_eased and is_only_stricter) and TRADING_TRANSITIONS.can(before, event)


def _tell(halt: TradingHalt, scope: HaltScope, name: Message, reason: str | Message) -> None:
    level, template = _LINES[TradingState(halt.state)]
    write_log(
        strategy_id=scope.target_id if scope.level is HaltLevel.STRATEGY else None,
        level=level,
        event=f"trading_{halt.state}",
        template=template,
        user=tell_author(halt.changed_by),
        scope=name,
        reason=reason,
    )


def to_scope(halt: TradingHalt) -> HaltScope:
    """Return what a state covers."""
    level = HaltLevel(halt.level)
    guard = halt.key.partition(":")[2] if level is HaltLevel.GUARD else ""
    return HaltScope(level, halt.target_id, guard)


def name_of(halt: TradingHalt) -> Message:
    """Return what a state covers in words, also when the thing is gone."""
    try:
        return name_scope(to_scope(halt))
    except NotFound:
        return Message(halt.key)


def _find_denial(wish: Wish, venue_id: int, halts: dict[str, TradingHalt]) -> TradingHalted | None:
    keys = TradeScope(venue_id, wish.account_id, wish.strategy_id).keys
    found = [halts[key] for key in keys if key in halts]
    found += [halt for halt in halts.values() if halt.level == HaltLevel.GUARD]
    state = strictest(TradingState(halt.state) for halt in found)
    if may_send(state, is_reducing=wish.is_reducing):
        return None
    halt = next(halt for halt in found if halt.state == state)
    kind = TradingGuarded if halt.lifts_itself else TradingHalted
    state_name = untranslated(TradingStateChoice(halt.state).label)
    return kind(state=state_name, scope=name_of(halt), reason=halt.to_reason())


def _lock_out_writers() -> None:
    """Wait for those who are just writing orders, but not for one that hangs.

    A process that was stopped in the middle must not keep anybody from halting trading: what it
    writes is not claimed any more, since the claim looks again. Where it claims as it writes, the
    claim is of before it read the states, and too old to be acted on when it goes on.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        try:
            with transaction.atomic():
                cursor.execute(f"SET LOCAL lock_timeout = {WAIT_MS_MAX}")
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [TRADING_LOCK])
                # nothing after it may fail for having to wait: the press would be lost
                cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
        except OperationalError:
            logger.warning("somebody holds the trading lock; the state is changed all the same")


def checked_reason(reason: str) -> str:
    """Return a reason without blanks around it, and without what no database takes.

    A key that slipped, or a terminal in another encoding, must not keep anybody from halting.

    Raises:
        InvalidInput: there is none, or it is too long.
    """
    reason = storable(reason).strip()
    if not reason or len(reason) > REASON_LENGTH_MAX:
        message = Message("Give a reason of 1 to {max} characters.", {"max": REASON_LENGTH_MAX})
        raise InvalidInput(fields={"reason": [message]})
    return reason
