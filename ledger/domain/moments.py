"""When the orders of one decision passed each step: for whoever measures.

All moments are readings of ``time.monotonic_ns``, so they may be compared with each other and with
others of the same process, and with nothing else.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Moments:
    """The moments of one call; what has not happened is missing, or zero.

    Filled by several threads, each of which writes the entries of its own orders.

    Attributes:
        committed_ns: the rows of the first orders were durable.
        sent_ns: by leg, its request was handed to the connection.
        acked_ns: by leg, its venue's answer was there, or it was clear that none would come.
        booked_ns: what became of the orders was durable; of a sequence, of its last order.
    """

    committed_ns: int = 0
    sent_ns: dict[int, int] = field(default_factory=dict)
    acked_ns: dict[int, int] = field(default_factory=dict)
    booked_ns: int = 0
