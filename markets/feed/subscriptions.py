"""Which subscriptions of a venue's connections have not been answered yet."""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from markets.gateway.wire.answers import number_of, refusal_of

ASKED_MAX: Final = 1_000
"""Subscriptions whose answers are waited for, at most."""


class Answer(NamedTuple):
    """What a venue says to a subscription.

    Attributes:
        symbols: that it is about, where the venue says so.
        refusal: why it is not accepted; ``None``: it is, or the message was no answer at all.
    """

    symbols: Collection[str]
    refusal: str | None


class Subscriptions:
    """Remembers what was asked for under which number."""

    def __init__(self) -> None:
        self._asked: dict[tuple[int, int], list[str]] = {}

    def sent(self, line: int, symbols: Collection[str], message: Any) -> None:
        """Note a subscription; one without a number is answered by what it brings.

        Args:
            line: number of the connection.
            symbols: that it is about.
            message: as the venue gets it.
        """
        number = number_of(message)
        if number is not None and len(self._asked) < ASKED_MAX:
            self._asked[line, number] = list(symbols)

    def lost(self, line: int) -> None:
        """Nothing that was asked for on this connection will be answered."""
        self._asked = {key: symbols for key, symbols in self._asked.items() if key[0] != line}

    def forget(self, symbol: str) -> None:
        """Answers that are under way are not about this market any more."""
        for symbols in self._asked.values():
            if symbol in symbols:
                symbols.remove(symbol)

    def answer(self, line: int, message: Any) -> Answer:
        """Return what a message, which is about no book, says to a subscription."""
        number = number_of(message)
        symbols = [] if number is None else self._asked.pop((line, number), [])
        return Answer(symbols, refusal_of(message))
