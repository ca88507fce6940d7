"""Identifiers: random ones, and deterministic ones that make a repeated send recognisable."""

import secrets

try:
    # as the standard library's random does: OpenSSL's looks the algorithm up anew for each digest,
    # which takes several times as long as a digest this short
    from _sha256 import sha256  # type: ignore[import-not-found]
except ImportError:  # another Python has it under another name
    from hashlib import sha256

CLIENT_ID_PREFIX = "arb"
INSTALL_ID_LENGTH = 5
_DIGEST_LENGTH = 16
CLIENT_ID_LENGTH = len(CLIENT_ID_PREFIX) + INSTALL_ID_LENGTH + _DIGEST_LENGTH
"""24 letters and digits: every venue takes them, also those that add a prefix.

In lower case, but for capitals that somebody chose for the name of an installation. Ids are
compared as they are, so an installation keeps the case that it has begun to trade with.
"""

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS = [low + high for high in _ALPHABET for low in _ALPHABET]
_PAIR_COUNT = len(_PAIRS)
_DIGEST_COUNT = len(_ALPHABET) ** _DIGEST_LENGTH


def new_install_id() -> str:
    """Return a random name in lower case for this installation, a part of every client order id.

    Two installations that trade one account can so tell each other's orders apart.
    """
    return "".join(secrets.choice(_ALPHABET) for _ in range(INSTALL_ID_LENGTH))


def derive_client_id(install_id: str, *parts: str | int) -> str:
    """Return the client id that belongs to ``parts``, always the same one.

    Args:
        install_id: ``INSTALL_ID_LENGTH`` letters and digits that name this installation, in
            whatever case.
        parts: what identifies the thing, for instance ``("order", execution_id, leg_index)``.

    Returns:
        ``CLIENT_ID_LENGTH`` characters: the prefix, the installation as it is, and 82 bits of
        digest in ``[0-9a-z]``.
    """
    digest = sha256("\x1f".join(map(str, parts)).encode()).digest()
    number = int.from_bytes(digest, "big") % _DIGEST_COUNT
    letters = ""
    for _ in range(_DIGEST_LENGTH // 2):  # the lowest first, two at a time: half the divisions
        letters += _PAIRS[number % _PAIR_COUNT]
        number //= _PAIR_COUNT
    return f"{CLIENT_ID_PREFIX}{install_id}{letters}"


def is_own_client_id(client_id: str, install_id: str) -> bool:
    """Return whether ``client_id`` was derived by the installation ``install_id``."""
    return len(client_id) == CLIENT_ID_LENGTH and client_id.startswith(
        CLIENT_ID_PREFIX + install_id
    )
