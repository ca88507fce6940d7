"""Parameters of a request: read from the wire, typed, refused in the exchange's words."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_plus

from markets.simulator.protocol import codes

if TYPE_CHECKING:
    from markets.simulator.exchange.accounts import Account
    from markets.simulator.exchange.listing import Listing
    from markets.simulator.venue import ApiKey, Venue
    from markets.simulator.world import World

Params = dict[str, str]

_DECIMAL = re.compile(r"([0-9]{1,20})(\.[0-9]{1,20})?")
_INTEGER = re.compile(r"[0-9]{1,20}")
_PARAMS_MAX = 64


class Call(NamedTuple):
    """One request, authenticated where its endpoint asks for it.

    Attributes:
        venue: whom it is for.
        params: as sent, without the signature.
        key: who signed; ``None`` for public requests.
        world: where the other venues are.
    """

    venue: "Venue"
    params: Params
    key: "ApiKey | None"
    world: "World"

    @property
    def account(self) -> "Account":
        """The account of the key that signed the request."""
        if self.key is None:
            raise codes.BAD_KEY_FORMAT
        return self.key.account


def parse_query(text: str, into: Params) -> None:
    """Read ``a=1&b=2`` into ``into``; a name that was read before keeps its value."""
    if not text:
        return
    for part in text.split("&", _PARAMS_MAX):
        name, _, value = part.partition("=")
        if "%" in value or "+" in value:
            value = unquote_plus(value)
        into.setdefault(name, value)


def require(params: Mapping[str, str], name: str) -> str:
    """Return a parameter that must be there."""
    value = params.get(name)
    if not value:
        raise codes.missing(name)
    return value


def read_decimal(params: Mapping[str, str], name: str) -> Decimal | None:
    """Return a positive plain decimal, or ``None`` when it was not sent."""
    value = params.get(name)
    if value is None:
        return None
    if not _DECIMAL.fullmatch(value):
        raise codes.illegal(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
    return Decimal(value)


def require_decimal(params: Mapping[str, str], name: str) -> Decimal:
    """Return a decimal that must be there."""
    value = read_decimal(params, name)
    if value is None:
        raise codes.missing(name)
    return value


def read_int(params: Mapping[str, str], name: str) -> int | None:
    """Return a whole number, or ``None`` when it was not sent."""
    value = params.get(name)
    if value is None:
        return None
    if not _INTEGER.fullmatch(value):
        raise codes.illegal(name, "^[0-9]{1,20}$")
    return int(value)


def read_limit(params: Mapping[str, str], default: int, most: int) -> int:
    """Return the parameter ``limit``, bounded."""
    value = read_int(params, "limit")
    if value is None:
        return default
    if value < 1:
        raise codes.illegal("limit", f"1..{most}")
    return min(value, most)


def require_listing(call: Call) -> "Listing":
    """Return the market that the parameter ``symbol`` names."""
    listing = call.venue.listings.get(require(call.params, "symbol"))
    if listing is None:
        raise codes.BAD_SYMBOL
    return listing
