"""Reading JSON without ever making a binary float of a price.

Venues that put prices into strings are read by the fastest parser there is. For those that write
them as bare numbers, a parser that hands every number with a point over as its digits was the
fastest of all exact ways that were measured (``benchmarks/book_intake.py``): a third of the time
of putting quotes around the numbers first.
"""

from collections.abc import Callable
from json import JSONDecoder
from typing import Any, Final, cast

import orjson

_decode: Final = cast("Callable[[str], Any]", JSONDecoder(parse_float=str).decode)

decode_quoted: Final[Callable[[str | bytes], Any]] = orjson.loads
"""For venues that write prices as strings. Raises ``ValueError`` for what is no JSON."""


def decode_bare(text: str | bytes) -> Any:
    """Return the value, every number with a point or an exponent as the string of its digits.

    Raises:
        ValueError: it is no JSON.
    """
    return _decode(text if isinstance(text, str) else text.decode())
