"""Reads from a venue's answer what an API key may do."""

from collections.abc import Mapping, Sequence
from typing import Any

from arbplatform.core.errors import Message
from markets.domain.funds import PermissionFinding
from markets.gateway.error_map import Malformed
from markets.gateway.quirks import PermissionProbe

PERMISSIONS = ("read", "trade", "withdraw", "transfer", "ip_restricted")


def findings(answer: Any, probe: PermissionProbe | None) -> Sequence[PermissionFinding]:
    """Return one finding for each of ``PERMISSIONS``.

    Args:
        answer: what the probe's call returned.
        probe: how to read it; without one all that is known is that the key may read.

    Raises:
        Malformed: the answer does not hold the flags.
    """
    if probe is None:
        return [PermissionFinding(name, True if name == "read" else None) for name in PERMISSIONS]
    flags = _follow(answer, probe.path)
    return [_finding(name, flags, probe) for name in PERMISSIONS]


def _finding(name: str, flags: Mapping[str, Any], probe: PermissionProbe) -> PermissionFinding:
    if name not in probe.flags:
        return PermissionFinding(name, True if name == "read" else None)
    key, word = probe.flags[name]
    value = flags.get(key)
    if value is None:
        return PermissionFinding(name, None)
    if not word:
        return PermissionFinding(name, value is True or str(value).lower() == "true")
    words = [str(part) for part in value] if isinstance(value, list) else str(value).split(",")
    return PermissionFinding(name, word in words, ", ".join(words))


def _follow(answer: Any, path: tuple[str | int, ...]) -> Mapping[str, Any]:
    for step in path:
        try:
            answer = answer[step]
        except (KeyError, IndexError, TypeError):
            answer = None
            break
    if not isinstance(answer, Mapping):
        raise Malformed(Message("the answer holds no {what}", {"what": "permissions"}))
    return answer
