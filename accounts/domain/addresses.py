"""The life of an entry of the address book, and when two addresses are one."""

from enum import StrEnum
from typing import Final

from arbplatform.core.errors import Message
from arbplatform.core.transitions import TransitionTable


class AddressState(StrEnum):
    """Where an entry stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class AddressEvent(StrEnum):
    """What can happen to an entry."""

    PROPOSE = "propose"
    APPROVE = "approve"
    SUSPEND = "suspend"
    REVOKE = "revoke"


_S, _E = AddressState, AddressEvent

ADDRESS_TRANSITIONS: Final[TransitionTable[AddressState, AddressEvent]] = TransitionTable(
    name="address",
    edges={
        (_S.PROPOSED, _E.APPROVE): _S.APPROVED,
        (_S.PROPOSED, _E.SUSPEND): _S.SUSPENDED,
        (_S.PROPOSED, _E.REVOKE): _S.REVOKED,
        (_S.APPROVED, _E.SUSPEND): _S.SUSPENDED,
        (_S.APPROVED, _E.REVOKE): _S.REVOKED,
        (_S.SUSPENDED, _E.REVOKE): _S.REVOKED,
    },
)
"""A suspended address never comes back: it is proposed anew, and approved by two people again."""

REPLACED: Final = Message("replaced by a newer entry").template
MISMATCH: Final = Message("the venue states another address").template
OWN_REASONS: Final = frozenset({REPLACED, MISMATCH})
"""Why the platform itself takes an entry out of use; all other reasons were typed."""

BLOCKED_STATES: Final = frozenset({AddressState.SUSPENDED, AddressState.REVOKED})


def is_same_place(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Return whether two pairs of address and tag lead to the same place.

    Only plain and checksummed spellings of hexadecimal addresses are one; everything else must
    agree to the letter, as addresses that look alike are made on purpose.

    >>> is_same_place(("0xAB", ""), ("0xab", "")), is_same_place(("bc1A", ""), ("bc1a", ""))
    (True, False)
    """
    return (_plain(one[0]), one[1]) == (_plain(other[0]), other[1])


def _plain(address: str) -> str:
    return address.lower() if address[:2].lower() == "0x" else address
