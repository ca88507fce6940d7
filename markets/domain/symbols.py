"""Unified symbols: ``BASE/QUOTE``."""

import re
from typing import NamedTuple

from arbplatform.core.errors import InvalidInput

_SYMBOL = re.compile(r"[A-Z0-9.\-_]{1,32}/[A-Z0-9.\-_]{1,32}")


class SymbolParts(NamedTuple):
    """The two assets of a spot symbol."""

    base: str
    quote: str


def split_symbol(symbol: str) -> SymbolParts:
    """Return base and quote asset of ``symbol``.

    Raises:
        InvalidInput: not of the form ``BASE/QUOTE``.

    >>> split_symbol("BTC/USDT")
    SymbolParts(base='BTC', quote='USDT')
    """
    if not _SYMBOL.fullmatch(symbol):
        raise InvalidInput(
            "{symbol!r} is not a spot symbol. Write it as BASE/QUOTE, for instance BTC/USDT.",
            symbol=symbol,
        )
    base, quote = symbol.split("/")
    return SymbolParts(base, quote)
