"""Which hosts a notice may go to. Pure."""

from ipaddress import ip_address


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the public internet.

    >>> [is_public(one) for one in ("1.1.1.1", "127.0.0.1", "10.0.0.1", "::1", "169.254.169.254")]
    [True, False, False, False, False]
    """
    parsed = ip_address(address.partition("%")[0])
    return parsed.is_global and not parsed.is_multicast


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
