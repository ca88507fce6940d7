"""Keeps one live book true to its venue: snapshot and differences in, verdict out.

The keeper knows no venue, no socket and no clock. Whoever drives it subscribes, fetches snapshots
where the venue's protocol wants them by REST, and closes the gate of decisions unless
:attr:`BookKeeper.is_current`.
"""

from enum import Enum, auto

from arbplatform.core.errors import Message
from markets.domain.live_book import BookFault, LiveBook
from markets.gateway.wire.messages import BookKind, BookMessage, Step, WireBook

HELD_MAX = 200
"""Most differences that wait for what belongs before them; the oldest go first. At ten a second
that is longer than any snapshot is waited for."""
HELD_LEVELS_MAX = 5_000
"""Most levels in them, so that many books which wait for a venue's REST stay small."""
OLD_MAX = 50
"""So many messages in a row that say nothing new are no echo of a snapshot any more."""

NO_SNAPSHOT = Message("There has been no snapshot of the book yet.")
OUT_OF_SIGHT = Message("The price has left the levels that the snapshot of the book told of.")


class Verdict(Enum):
    """What became of a message."""

    APPLIED = auto()
    """The book is what the venue says it is."""
    IGNORED = auto()
    """It says nothing new; the book is as good as before."""
    WAITING = auto()
    """It has to wait for a snapshot, or for what is missing before it."""
    GAP = auto()
    """Something before it is missing: the book is no longer current. A snapshot is needed, unless
    the missing message was only overtaken and still comes."""
    MISMATCH = auto()
    """The checksum is wrong; the book is thrown away and a snapshot is needed."""
    BROKEN = auto()
    """The book cannot be true and is thrown away, or the best levels are none that we know of. A
    snapshot is needed; in the second case later messages may do as well."""


class Held:
    """Differences that wait for what belongs before them: the newest, a bounded number."""

    __slots__ = ("_levels", "_messages")

    def __init__(self) -> None:
        self._messages: list[BookMessage] = []
        self._levels = 0

    def add(self, message: BookMessage) -> None:
        """Keep one more; the oldest make room."""
        messages = self._messages
        messages.append(message)
        self._levels += _size(message)
        while len(messages) > HELD_MAX or (self._levels > HELD_LEVELS_MAX and len(messages) > 1):
            self._levels -= _size(messages.pop(0))

    def clear(self) -> None:
        """Keep none."""
        if self._messages:
            self._messages, self._levels = [], 0

    def in_order(self) -> list[BookMessage]:
        """Return them as the venue made them, whatever has overtaken what."""
        return sorted(self._messages, key=_previous)


THROWN_AWAY = frozenset({Verdict.MISMATCH, Verdict.BROKEN})


class BookKeeper:
    """Applies the messages about one book, in order and without a hole.

    Args:
        wire: the venue's protocol.
        book: what is kept; nobody else changes it.

    Attributes:
        book: the live book.
        is_current: whether it holds everything that the venue has told so far. No decision is
            made on a book that is not current.
        reason: why it is not current, for a person; ``None`` while it is.
    """

    __slots__ = (
        "_checksum",
        "_held",
        "_is_gapped",
        "_is_refreshing",
        "_old_count",
        "_rule",
        "_state",
        "_wire",
        "book",
        "is_current",
        "reason",
    )

    def __init__(self, wire: WireBook, book: LiveBook) -> None:
        self._wire = wire
        self._rule = wire.rule
        self._checksum = wire.checksum
        self.book = book
        self.is_current = False
        self.reason: Message | None = NO_SNAPSHOT
        self._state: int | None = None
        self._held = Held()
        self._is_gapped = False
        self._is_refreshing = False
        self._old_count = 0

    def reset(self) -> None:
        """Forget everything, as after a connection was lost."""
        self._state = None
        self._held.clear()
        self._is_gapped = False
        self._is_refreshing = False
        self.is_current = False
        self.reason = NO_SNAPSHOT
        self.book.clear()

    def refresh(self) -> None:
        """Prepare for a newer snapshot by REST of a book that is current: it stays so meanwhile.

        Differences are kept from now on, so that a snapshot that is some messages old when it
        arrives can still be brought up to date.
        """
        if self.is_current:
            self._is_refreshing = True

    def take(self, message: BookMessage, *, received_at_ms: int) -> Verdict:
        """Take a message of the stream.

        Args:
            message: snapshot or difference.
            received_at_ms: when it came [ms since epoch, our clock].
        """
        if message.kind is BookKind.SNAPSHOT:
            self._held.clear()
            return self._settle(self._replace(message, received_at_ms))
        if not self.is_current:
            return self._hold(message, received_at_ms)
        step = self._rule(self._state, message)
        if step is Step.NEXT:
            self._old_count = 0
            if self._is_refreshing:
                self._held.add(message)
            verdict = self._apply(message, received_at_ms)
            if verdict is not Verdict.WAITING:
                return verdict
            self._close(OUT_OF_SIGHT, message)
            return Verdict.BROKEN
        if step is Step.OLD:
            return self._doubt(message)
        reason = "A message is missing: after number {state} came what changes {previous}."
        numbers = {"state": self._state, "previous": message.previous}
        return self._gap(Message(reason, numbers), message)

    def adopt(self, snapshot: BookMessage, *, received_at_ms: int) -> Verdict:
        """Take a snapshot that came by REST, and everything that was held back for it.

        Args:
            snapshot: the whole book.
            received_at_ms: when it came [ms since epoch, our clock].
        """
        if self.is_current and not self._is_refreshing:
            return Verdict.IGNORED
        missing = self._chain(snapshot)
        if missing is None:
            if self.is_current:
                self._is_refreshing = False
                self._held.clear()
                return Verdict.IGNORED
            self.reason = Message(
                "The snapshot ends at number {number}, before the messages that were received.",
                {"number": snapshot.last},
            )
            return Verdict.WAITING
        self._held.clear()
        verdict = self._replace(snapshot, received_at_ms)
        for message in missing:
            if verdict in THROWN_AWAY:
                break
            verdict = self._apply(message, received_at_ms)
        return self._settle(verdict)

    def _chain(self, snapshot: BookMessage) -> list[BookMessage] | None:
        """Return what of the held messages follows a snapshot; ``None``: something lies between."""
        state, chain = snapshot.last, []
        for message in self._held.in_order():
            step = self._rule(state, message)
            if step is Step.GAP:
                return None
            if step is Step.NEXT:
                chain.append(message)
                state = message.last
        return chain

    def _hold(self, message: BookMessage, received_at_ms: int) -> Verdict:
        """Keep a difference for later, unless it is the one that was missing."""
        if self._state is None:
            if self._wire.read_snapshot is not None:
                self._held.add(message)
            return Verdict.WAITING
        step = self._rule(self._state, message)
        if step is not Step.NEXT:
            self._held.add(message)
            self._is_gapped = self._is_gapped or step is Step.GAP
            return Verdict.WAITING
        if self._wire.read_snapshot is not None:
            self._held.add(message)
        verdict = self._apply(message, received_at_ms)
        if self._is_gapped and verdict not in THROWN_AWAY:
            verdict = self._catch_up(verdict, received_at_ms)
        return self._settle(verdict)

    def _catch_up(self, verdict: Verdict, received_at_ms: int) -> Verdict:
        """Apply what was held behind a gap that has closed, in whatever order it came."""
        self._is_gapped = False
        is_kept = self._wire.read_snapshot is not None
        held = self._held.in_order()
        if not is_kept:
            self._held.clear()
        for message in held:
            step = self._rule(self._state, message)
            if step is Step.NEXT:
                verdict = self._apply(message, received_at_ms)
                if verdict in THROWN_AWAY:
                    break
            elif step is Step.GAP:
                self._is_gapped = True
                if not is_kept:
                    self._held.add(message)
        return verdict

    def _settle(self, verdict: Verdict) -> Verdict:
        """Open the gate if nothing is missing any more."""
        if verdict in THROWN_AWAY:
            return verdict
        self._is_refreshing = False
        if self._is_gapped:
            return Verdict.WAITING
        if verdict is Verdict.WAITING:
            self.is_current, self.reason = False, OUT_OF_SIGHT
            return verdict
        self._held.clear()
        self.is_current, self.reason = True, None
        return Verdict.APPLIED

    def _doubt(self, message: BookMessage) -> Verdict:
        """Ignore what is known already, but not for ever: the venue may count from a lower number.

        After a snapshot the stream repeats what that knew. A venue whose numbers have begun anew
        repeats nothing, and its book would stand still here without a sign.
        """
        self._old_count += 1
        if self._old_count < OLD_MAX:
            return Verdict.IGNORED
        reason = "{count} messages in a row ended before number {state}: the venue counts anew."
        return self._gap(Message(reason, {"count": OLD_MAX, "state": self._state}), message)

    def _gap(self, reason: Message, message: BookMessage) -> Verdict:
        self._close(reason, message)
        self._is_gapped = True
        return Verdict.GAP

    def _close(self, reason: Message, message: BookMessage) -> None:
        self.is_current, self.reason = False, reason
        self._is_refreshing = False
        self._old_count = 0
        self._held.clear()
        self._held.add(message)

    def _replace(self, snapshot: BookMessage, received_at_ms: int) -> Verdict:
        self._state = snapshot.last
        self._is_gapped = False
        self.book.replace(
            snapshot.bids,
            snapshot.asks,
            received_at_ms=received_at_ms,
            venue_time_ms=snapshot.venue_time_ms,
            sequence=snapshot.last,
            limit=snapshot.limit,
        )
        return self._inspect(snapshot)

    def _apply(self, message: BookMessage, received_at_ms: int) -> Verdict:
        self._state = message.last
        if not message.bids and not message.asks:
            self.book.confirm(received_at_ms, message.last, message.venue_time_ms)
            return self._inspect(message)
        self.book.apply(
            message.bids,
            message.asks,
            received_at_ms=received_at_ms,
            venue_time_ms=message.venue_time_ms,
            sequence=message.last,
        )
        return self._inspect(message)

    def _inspect(self, message: BookMessage) -> Verdict:
        """Return whether the book is good, out of sight (WAITING) or was thrown away."""
        fault = self.book.fault()
        if fault is BookFault.EXHAUSTED:
            return Verdict.WAITING
        if fault is not None and fault is not BookFault.EMPTY:
            self._throw_away(Message("The book is {fault}.", {"fault": fault.value}))
            return Verdict.BROKEN
        if message.checksum is not None and self._checksum is not None:
            ours = self._checksum(self.book)
            if ours != message.checksum:
                reason = "The checksum of the book is {ours}, but the venue's is {theirs}."
                self._throw_away(Message(reason, {"ours": ours, "theirs": message.checksum}))
                return Verdict.MISMATCH
        return Verdict.APPLIED

    def _throw_away(self, reason: Message) -> None:
        self.reset()
        self.reason = reason


def _size(message: BookMessage) -> int:
    return len(message.bids) + len(message.asks)


def _previous(message: BookMessage) -> int:
    return -1 if message.previous is None else message.previous
