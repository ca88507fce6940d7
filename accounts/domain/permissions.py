"""What the rights of an API key mean for the person who gave it to us."""

from collections.abc import Mapping, Sequence

from arbplatform.core.errors import Message
from markets.domain.funds import PermissionFinding

WITHDRAW_WARNING = Message(
    "This key may withdraw: whoever gets hold of it can empty the account. "
    "If no transfers between accounts are wanted, use a key without that right."
)
TRADE_WARNING = Message("This key may not trade: strategies that use the account will be refused.")
READ_WARNING = Message("This key may not read: balances and orders cannot be seen.")
ADDRESS_WARNING = Message(
    "This key works from every IP address. Restrict it to the address of this server."
)


def may_withdraw(findings: Sequence[PermissionFinding]) -> bool:
    """Return whether the venue says that the key may withdraw."""
    return any(right.name == "withdraw" and right.is_granted is True for right in findings)


def find_warnings(findings: Sequence[PermissionFinding]) -> list[Message]:
    """Return what a person should know about a key with these rights, the worst first.

    A right that the venue does not tell about gives no warning.
    """
    granted = {finding.name: finding.is_granted for finding in findings}
    warnings = (
        (granted.get("withdraw") is True, WITHDRAW_WARNING),
        (granted.get("read") is False, READ_WARNING),
        (granted.get("trade") is False, TRADE_WARNING),
        (granted.get("ip_restricted") is False, ADDRESS_WARNING),
    )
    return [warning for applies, warning in warnings if applies]


def to_json(findings: Sequence[PermissionFinding]) -> list[dict[str, str | bool | None]]:
    """Return the findings as they are stored with an account."""
    return [
        {"name": finding.name, "is_granted": finding.is_granted, "detail": finding.detail}
        for finding in findings
    ]


def from_json(rows: Sequence[Mapping[str, str | bool | None]]) -> list[PermissionFinding]:
    """Return the findings that were stored with an account."""
    return [
        PermissionFinding(
            name=str(row["name"]),
            is_granted=None if row["is_granted"] is None else bool(row["is_granted"]),
            detail=str(row.get("detail") or ""),
        )
        for row in rows
    ]
