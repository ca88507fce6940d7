"""Rules by which venues number their messages: what follows what.

Quantities in a difference are absolute. So a message that changes the states (previous, last] may
be applied to any state in between, and the result is the state ``last``.
"""

from markets.gateway.wire.messages import BookMessage, Step


def covers(state: int | None, message: BookMessage) -> Step:
    """Numbers that only ever rise, and messages that may be older than the snapshot.

    So do Binance (``U``-1 or ``pu`` to ``u``) and Gate (``U``-1 to ``u``), whose snapshots come by
    another way than the differences.
    """
    if state is None or message.last is None or message.previous is None:
        return Step.GAP
    if message.previous <= state < message.last:
        return Step.NEXT
    return Step.OLD if message.last <= state else Step.GAP


def continues(state: int | None, message: BookMessage) -> Step:
    """Every message names the one before it, and snapshots come in their place among them.

    So do OKX, Bybit, Gate's second stream and Bitget's unified one. A number may fall after a
    maintenance of the venue; a message that is neither the next nor the same again therefore
    cannot be called old: it is a gap. Messages without numbers are left to their checksum.
    """
    if message.previous is None:
        return Step.GAP if message.checksum is None else Step.NEXT
    if message.previous == state:
        return Step.NEXT
    return Step.OLD if message.last == state else Step.GAP


def rises(state: int | None, message: BookMessage) -> Step:
    """Numbers rise but leave numbers out, so a loss shows in the checksum only: Bitget.

    A venue that leaves out the numbers altogether, as it once did, is left to the checksum; one
    that leaves out the checksum cannot be followed.
    """
    if message.checksum is None:
        return Step.GAP
    if state is None or message.last is None or message.last > state:
        return Step.NEXT
    return Step.OLD if message.last == state else Step.GAP


def is_uncounted(_state: int | None, message: BookMessage) -> Step:
    """No numbers at all: only the checksum tells whether something is missing. So does Kraken.

    Where that is missing as well, nobody could tell.
    """
    return Step.GAP if message.checksum is None else Step.NEXT
