"""How long feeds wait for what [ms]; tests use shorter times."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations of the feeds of one process.

    Attributes:
        look_ms: between two looks at everything that may be overdue [ms].
        ping_after_ms: a connection silent for so long is asked for a sign of life [ms].
        stale_after_ms: so long after its last frame nothing proves that its books are current [ms].
        dead_after_ms: so long after it, it is given up and opened anew [ms].
        silence_ms: a market without a message for so long is compared with REST [ms].
        quiet_ms: a market that is decided on and said nothing for so long is looked at over REST
            [ms].
        quiet_pause_ms: from the beginning of one such look at a venue to that of the next, at
            least: five in a second are at most a quarter of what any venue that is looked at takes
            [ms].
        grace_ms: how long a message may be under way when REST shows other prices [ms].
        suspect_ms: a stream that was found frozen and says nothing for so long after it was
            subscribed anew gets another connection [ms].
        poll_after_ms: a venue without connection for so long is read over REST [ms].
        poll_pause_ms: between two such reads [ms].
        polled_age_ms: a book that was read over REST is no ground to decide when older [ms].
        first_pause_ms: longest pause before a connection is opened again for the first time [ms].
        longest_pause_ms: no such pause is longer [ms].
    """

    look_ms: int = 250
    ping_after_ms: int = 500
    stale_after_ms: int = 3_000
    dead_after_ms: int = 10_000
    silence_ms: int = 30_000
    quiet_ms: int = 1_500
    quiet_pause_ms: int = 200
    grace_ms: int = 1_000
    suspect_ms: int = 30_000
    poll_after_ms: int = 5_000
    poll_pause_ms: int = 500
    polled_age_ms: int = 3_000
    first_pause_ms: int = 500
    longest_pause_ms: int = 60_000


TIMING = Timing()
