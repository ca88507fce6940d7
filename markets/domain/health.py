"""How a venue is, by what our own calls to it meet; and what follows from that for trading.

Calls are not believed one by one: a venue is taken for ill after several failures in a row, and for
well after several successes in a row that came later. What a venue says about itself, a
maintenance or a ban, counts at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from arbplatform.core.errors import Message

FAILURES_MIN: Final = 5
"""So many calls without a usable answer, one after the other, are no accident."""

RECOVERIES_MIN: Final = 3
"""So many answers, one after the other, are needed before a venue counts as well again."""

REFUSALS_MIN: Final = 3
"""So many refusals of where we are (HTTP 403, 451), one after the other, are meant for good."""

NOTICE_MS: Final = 60_000
"""How long a notice of the venue (maintenance, cancel-only) holds after it was last seen [ms]."""

NEWS_MS: Final = 20_000
"""For so long after the last one, failures of one process count for the others as well [ms]."""

BREAKS_MIN: Final = 100
"""So many gaps, wrong checksums and broken books within an hour, of all its markets, are not a
market's fault: five of them rest by then."""

SILENCE_MS_MIN: Final = 10_000
"""A shorter silence that the venue asks for is an ordinary pause [ms]."""


class VenueState(StrEnum):
    """How a venue is. Only a healthy one gets orders that open something."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    """It does not answer, its books break again and again, or our clocks differ too much."""
    CANCEL_ONLY = "cancel_only"
    """It says that it takes no new orders, or only such as rest."""
    MAINTENANCE = "maintenance"
    """It says so."""
    BANNED = "banned"
    """It wants no request from our address until a time."""
    BLOCKED = "blocked"
    """It does not serve our place at all: nothing is sent until a person has looked."""


@dataclass(frozen=True, slots=True)
class VenueHealth:
    """A state and since when it holds.

    Attributes:
        state: in one word.
        since_ms: [ms since epoch].
    """

    state: VenueState
    since_ms: int


class Signal(StrEnum):
    """What one call to a venue met."""

    ANSWER = "answer"
    """It answered, a refusal included."""
    FAILURE = "failure"
    """No answer, or none that can be used."""
    CANCEL_ONLY = "cancel_only"
    MAINTENANCE = "maintenance"
    REFUSED_PLACE = "refused_place"
    """It refuses where we are."""


_NOTICES = {
    Signal.CANCEL_ONLY: VenueState.CANCEL_ONLY,
    Signal.MAINTENANCE: VenueState.MAINTENANCE,
}


@dataclass(frozen=True, slots=True)
class Pulse:
    """What the calls of one process met lately.

    Attributes:
        answers: in a row, the last ones.
        failures: in a row, the last ones.
        refusals: of our place, in a row.
        notice: what the venue last said about itself, and has not taken back.
        noticed_at_ms: when it last said so [ms since epoch].
        failed_at_ms: when the last failure, refusal or notice was met [ms since epoch].
        cause: of the last failure, refusal or notice.
    """

    answers: int = 0
    failures: int = 0
    refusals: int = 0
    notice: VenueState | None = None
    noticed_at_ms: int = 0
    failed_at_ms: int = 0
    cause: object = ""

    def after(self, signal: Signal, now_ms: int, cause: object = "") -> "Pulse":
        """Return the pulse after one more call.

        An answer between failures starts the count anew; a notice outlives answers, as a venue
        under maintenance may still tell prices.

        Args:
            signal: what the call met.
            now_ms: when [ms since epoch].
            cause: what the venue said or did not say.
        """
        if signal is Signal.ANSWER:
            return replace(self, answers=self.answers + 1, failures=0, refusals=0)
        if signal in _NOTICES:
            return Pulse(
                notice=_NOTICES[signal], noticed_at_ms=now_ms, failed_at_ms=now_ms, cause=cause
            )
        is_place = signal is Signal.REFUSED_PLACE
        return replace(
            self,
            answers=0,
            failures=self.failures + 1,
            refusals=self.refusals + 1 if is_place else 0,
            failed_at_ms=now_ms,
            cause=cause,
        )

    @property
    def is_blocked(self) -> bool:
        """Whether the venue does not serve our place."""
        return self.refusals >= REFUSALS_MIN

    def left_under(self, state: VenueState) -> "Pulse":
        """Return what still counts once a new state is known to all: a notice that brought it.

        Args:
            state: the new one.
        """
        if self.notice is not state:
            return Pulse()
        return replace(self, answers=0, failures=0, refusals=0)

    def tells_of_illness(self, now_ms: int) -> bool:
        """Return whether other processes should know of it.

        A block stands, since no call follows that could be met; all else is news for a while: who
        has no reason to call a venue again must not keep it ill.

        Args:
            now_ms: when [ms since epoch], by the clock of the process that made the calls.
        """
        is_failing = self.failures >= FAILURES_MIN and now_ms - self.failed_at_ms < NEWS_MS
        is_noticed = self.notice is not None and now_ms - self.noticed_at_ms < NOTICE_MS
        return self.is_blocked or is_failing or is_noticed


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a venue is and why.

    Attributes:
        state: in one word.
        reason: for people; of a healthy one there is none.
        until_ms: when it ends by itself, if the venue named a time [ms since epoch].
    """

    state: VenueState = VenueState.HEALTHY
    reason: Message = field(default_factory=lambda: Message(""))
    until_ms: int | None = None


def judge(
    pulse: Pulse,
    *,
    state: VenueState,
    silent_ms: float,
    clock_offset_ms: int | None,
    now_ms: int,
    break_count: int = 0,
    others: Sequence[Pulse] = (),
) -> Verdict | None:
    """Return how a venue is now; ``None``: as it was, there is not enough to say otherwise.

    Args:
        pulse: of this process, since the state was last changed.
        state: as all processes know it.
        silent_ms: for how long the venue wants no request [ms].
        clock_offset_ms: our clock minus the venue's, if that is too much [ms].
        now_ms: when [ms since epoch].
        break_count: how often its live books broke within an hour.
        others: pulses of other processes that tell of an illness, met since then as well. They
            can make it ill; whether it is well again is asked by this process.
    """
    if state is VenueState.BLOCKED:
        return None  # only a person ends that
    pulses = (pulse, *others)
    illness = (
        _find_block(pulses)
        or _find_ban(silent_ms, now_ms)
        or _find_notice(pulses, now_ms)
        or _find_trouble(pulses, clock_offset_ms)
        or _find_breaks(break_count)
    )
    is_well = state is VenueState.HEALTHY or pulse.answers >= RECOVERIES_MIN
    return illness or (Verdict() if is_well else None)


def _find_block(pulses: Sequence[Pulse]) -> Verdict | None:
    pulse = next((each for each in pulses if each.is_blocked), None)
    if pulse is None:
        return None
    text = Message(
        "it refused our place {count} times in a row: {cause}",
        {"count": pulse.refusals, "cause": pulse.cause},
    )
    return Verdict(VenueState.BLOCKED, text)


def _find_ban(silent_ms: float, now_ms: int) -> Verdict | None:
    if silent_ms < SILENCE_MS_MIN:
        return None
    text = Message("it wants no request from our address for a while")
    return Verdict(VenueState.BANNED, text, round(now_ms + silent_ms))


def _find_notice(pulses: Sequence[Pulse], now_ms: int) -> Verdict | None:
    for pulse in pulses:
        if pulse.notice is not None and now_ms - pulse.noticed_at_ms < NOTICE_MS:
            return Verdict(pulse.notice, Message("it says: {cause}", {"cause": pulse.cause}))
    return None


def _find_trouble(pulses: Sequence[Pulse], clock_offset_ms: int | None) -> Verdict | None:
    if clock_offset_ms is not None:
        text = Message(
            "our clock is {offset} ms ahead of the venue's; set it by NTP",
            {"offset": clock_offset_ms},
        )
        return Verdict(VenueState.DEGRADED, text)
    pulse = max(pulses, key=lambda each: each.failures)
    if pulse.failures < FAILURES_MIN:
        return None
    text = Message(
        "{count} calls in a row failed: {cause}",
        {"count": pulse.failures, "cause": pulse.cause},
    )
    return Verdict(VenueState.DEGRADED, text)


def _find_breaks(count: int) -> Verdict | None:
    if count < BREAKS_MIN:
        return None
    text = Message("its live books broke {count} times within an hour", {"count": count})
    return Verdict(VenueState.DEGRADED, text)
