"""Where feeds leave what they heard, for whoever records it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from markets.domain.live_book import LiveBook
from markets.gateway.base import VenueSpec
from markets.gateway.wire.messages import BookMessage


class Tape(Protocol):
    """Is told everything that made the books what they are; called on the loop: never waits."""

    def venue(self, spec: VenueSpec, books: Mapping[str, LiveBook]) -> None:
        """Note which books a venue has, by the venue's own names of the markets."""
        ...

    def frame(self, venue: str, payload: str | bytes) -> None:
        """Note a message of the stream about books."""
        ...

    def snapshot(self, venue: str, symbol: str, message: BookMessage) -> None:
        """Note a book that came by REST."""
        ...

    def lost(self, venue: str, symbols: Sequence[str]) -> None:
        """Note that changes of these books were missed."""
        ...


class NoTape:
    """Records nothing."""

    def venue(self, spec: VenueSpec, books: Mapping[str, LiveBook]) -> None:
        """Do nothing."""

    def frame(self, venue: str, payload: str | bytes) -> None:
        """Do nothing."""

    def snapshot(self, venue: str, symbol: str, message: BookMessage) -> None:
        """Do nothing."""

    def lost(self, venue: str, symbols: Sequence[str]) -> None:
        """Do nothing."""


NO_TAPE = NoTape()
