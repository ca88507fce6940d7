"""Failures on purpose: what real venues do to their clients at the worst moment.

A fault waits for a matching request and then spoils it once, several times or by chance. The kinds
differ in what the client may conclude and in what really happened:

- ``refuse``: not carried out, and said so with a status and a code (429, 418, 503, …);
- ``drop_request``: not carried out, and the connection is cut without a word;
- ``drop_answer``: carried out, and the connection is cut without a word;
- ``late_answer``: carried out, and answered after ``delay_ms``;
- ``html``: carried out, and answered 200 with a maintenance page instead of JSON;
- ``truncate``: carried out, and only the first half of the answer is sent.
"""

import asyncio
from collections.abc import Callable, Iterable
from random import Random

import orjson
from aiohttp import web

from markets.simulator.config import FaultConfig, FaultKind

FAULTS_MAX = 100
_PAGE = b"<html><body><h1>We will be back soon</h1></body></html>"
_CUT_SHORT = 2


class _Armed:
    """A fault and how often it may still strike."""

    def __init__(self, config: FaultConfig) -> None:
        self.config = config
        self.passed = 0
        self.left = config.times

    def strikes(self, method: str, path: str, random: Random) -> bool:
        """Return whether it spoils this request."""
        config = self.config
        if config.path not in {"", path} or config.method not in {"", method}:
            return False
        self.passed += 1
        if self.passed <= config.after or random.random() >= config.chance:
            return False
        if self.left is not None:
            self.left -= 1
        return True


class FaultPlan:
    """The faults of one venue.

    Args:
        faults: from the start.
        random: for those that strike by chance.
    """

    def __init__(self, faults: Iterable[FaultConfig], random: Random) -> None:
        self._random = random
        self._armed = [_Armed(fault) for fault in faults]

    @property
    def is_armed(self) -> bool:
        """Whether anything may go wrong at all."""
        return bool(self._armed)

    def add(self, fault: FaultConfig) -> None:
        """Arm one more, before the others; the oldest are forgotten beyond the bound."""
        self._armed.insert(0, _Armed(fault))
        del self._armed[FAULTS_MAX:]

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._armed.clear()

    def pick(self, method: str, path: str) -> FaultConfig | None:
        """Return the fault that spoils this request, if any."""
        for armed in self._armed:
            if armed.strikes(method, path, self._random):
                if armed.left == 0:
                    self._armed.remove(armed)
                return armed.config
        return None


async def spoil(
    fault: FaultConfig, request: web.BaseRequest, answer: Callable[[], web.Response]
) -> web.Response:
    """Carry out a request, or not, and answer it as the fault says."""
    if fault.kind is FaultKind.REFUSE:
        body = orjson.dumps({"code": fault.code, "msg": fault.text})
        return web.Response(
            body=body, status=fault.status, headers={"Content-Type": "application/json"}
        )
    if fault.kind is FaultKind.DROP_REQUEST:
        return _cut(request)
    response = answer()
    if fault.kind is FaultKind.DROP_ANSWER:
        return _cut(request)
    if fault.kind is FaultKind.LATE_ANSWER:
        await asyncio.sleep(fault.delay_ms / 1000)
        return response
    if fault.kind is FaultKind.HTML:
        return web.Response(body=_PAGE, headers={"Content-Type": "text/html"})
    body = response.body if isinstance(response.body, bytes) else b""
    return web.Response(
        body=body[: len(body) // _CUT_SHORT],
        status=response.status,
        headers={"Content-Type": "application/json"},
    )


def _cut(request: web.BaseRequest) -> web.Response:
    """Close the connection; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
