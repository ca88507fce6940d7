"""What transfers are measured by, as far as its history is concerned."""

from enum import StrEnum


class RuleKind(StrEnum):
    """What a change in the history of rules is about."""

    ADDRESS = "address"
    NETWORK = "network"
    LIMITS = "limits"
