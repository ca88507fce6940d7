"""Writes what an order asks for as the query that is signed, in one go where nothing is quoted."""

import re
from collections.abc import Mapping
from typing import Any

_UNQUOTED = re.compile(r"[\w.~=&-]*", re.ASCII)
"""Letters, digits and marks that no query quotes, and what joins names and values."""


class PlainQueries:
    """What is put in front of a ccxt class."""

    def urlencode(self, params: Mapping[str, Any], *options: Any, **named: Any) -> str:
        """Return names and values as a query, the same text that the class itself would make.

        It would look at every name and value for what has to be quoted, which takes as long as the
        signature. Numbers and ids of orders hold nothing of that kind.
        """
        text = "&".join([f"{name}={value}" for name, value in params.items()])
        is_unquoted = (
            _UNQUOTED.fullmatch(text) is not None
            and text.count("=") == len(params)
            and text.count("&") == max(len(params) - 1, 0)
            and not any(type(value) is bool for value in params.values())
        )
        if is_unquoted:
            return text
        parent: Any = super()
        return str(parent.urlencode(params, *options, **named))
