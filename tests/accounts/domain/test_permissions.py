"""What the rights of a key mean."""

import pytest

from accounts.domain.permissions import (
    ADDRESS_WARNING,
    READ_WARNING,
    TRADE_WARNING,
    WITHDRAW_WARNING,
    find_warnings,
    from_json,
    to_json,
)
from arbplatform.core.errors import Message
from markets.domain.funds import PermissionFinding


def warn(*findings: tuple[str, bool | None]) -> list[Message]:
    return find_warnings([PermissionFinding(*finding) for finding in findings])


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (("withdraw", True), [WITHDRAW_WARNING]),
        (("withdraw", False), []),
        (("withdraw", None), []),
        (("trade", True), []),
        (("trade", False), [TRADE_WARNING]),
        (("trade", None), []),
        (("read", False), [READ_WARNING]),
        (("read", True), []),
        (("ip_restricted", False), [ADDRESS_WARNING]),
        (("ip_restricted", True), []),
        (("ip_restricted", None), []),
        (("transfer", True), []),
    ],
)
def test_each_right_has_its_warning(finding, expected):
    assert warn(finding) == expected


def test_the_right_to_withdraw_is_named_first():
    found = warn(("ip_restricted", False), ("trade", False), ("withdraw", True), ("read", False))

    assert found == [WITHDRAW_WARNING, READ_WARNING, TRADE_WARNING, ADDRESS_WARNING]


def test_findings_survive_storage():
    findings = [
        PermissionFinding("read", True, "SPOT"),
        PermissionFinding("withdraw", None),
        PermissionFinding("trade", False),
    ]

    assert from_json(to_json(findings)) == findings
