"""Which hosts a notice may go to. Pure."""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

_EMBEDDING: Final = (IPv6Network("::/96"), IPv6Network("64:ff9b::/96"))
"""Addresses that end with the IPv4 address that they lead to: the old compatible ones and NAT64."""
_NAME: Final = re.compile(r"(?:[a-z0-9_-]+\.)*([a-z0-9_-]+)\.?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def is_public(host: str) -> bool:
    """Return whether a host is an IP address of the public internet.

    >>> [is_public(one) for one in ("1.1.1.1", "127.0.0.1", "10.0.0.1", "::1", "169.254.169.254")]
    [True, False, False, False, False]
    >>> [is_public(one) for one in ("64:ff9b::101:101", "64:ff9b::a00:1", "fec0::1", "127.1")]
    [True, False, False, False]
    """
    try:
        found = _unwrap(ip_address(host.partition("%")[0]))
    except ValueError:
        return False
    is_of_site = isinstance(found, IPv6Address) and found.is_site_local
    return found.is_global and not found.is_multicast and not is_of_site


def is_literal(host: str) -> bool:
    """Return whether a host is an IP address and no name.

    >>> is_literal("127.0.0.1"), is_literal("::1"), is_literal("example.org")
    (True, True, False)
    """
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_name(host: str) -> bool:
    """Return whether a host is a name, and nothing that some library takes for a number.

    >>> [is_name(one) for one in ("example.org", "127.0.0.1", "127.1", "2130706433", "0x7f.1")]
    [True, False, False, False, False]
    """
    match = _NAME.fullmatch(host)
    return match is not None and _NUMBER.fullmatch(match[1]) is None


def _unwrap(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address leads to, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in _EMBEDDING):
        return IPv4Address(address.packed[-4:])
    return address
