"""Brings one message to the address of a channel, and says exactly what became of it.

People enter the addresses, so a request could be sent to where only this machine may go. Only
public addresses are connected to, whatever a name leads to at that very moment, and nothing is
followed elsewhere. No error names the address: it is a secret.
"""

import asyncio
import socket
from contextlib import suppress
from threading import Thread
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings
from yarl import URL

from arbplatform.notices.errors import ChannelForbidden, ChannelUnreachable, NoticeRefused
from arbplatform.notices.hosts import is_name, is_public
from arbplatform.notices.robots import Letter, find_robot

TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
"""For everything: name, connection, request, answer [s]."""
ANSWER_BYTES_MAX: Final = 65_536
HEADERS: Final = {"Content-Type": "application/json; charset=utf-8"}


class CheckedResolver(AbstractResolver):
    """Finds the addresses of a host, and refuses one that leads into a private network.

    Each look-up has a thread of its own, which nobody waits for: those of the event loop are
    joined at its end, however long a name server takes.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return what is connected to.

        Raises:
            ChannelForbidden: some of it is private.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Any]] = loop.create_future()
        work = (loop, answer, host, port, family)
        Thread(target=_look_up, args=work, name="notices-names", daemon=True).start()
        found = [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _type, proto, _name, address in await answer
        ]
        _check(*(one["host"] for one in found))
        return found

    async def close(self) -> None:
        """Nothing is held."""


def post(*, address: str, letter: Letter) -> None:
    """Bring a letter to an address, by one attempt.

    Raises:
        ChannelForbidden: the address leads into a private network.
        ChannelUnreachable: there is no answer.
        NoticeRefused: the answer is a refusal.
    """
    robot = find_robot(address)
    status, answer = asyncio.run(request(address, robot.write_body(letter, address)))
    refusal = robot.find_refusal(status, answer)
    if refusal is not None:
        raise NoticeRefused(status=status, answer=refusal)


async def request(address: str, body: bytes) -> tuple[int, str]:
    """Return the status and the beginning of the answer to one request.

    Raises:
        ChannelForbidden: the address leads into a private network.
        ChannelUnreachable: there is no answer.
    """
    try:
        url = URL(address)
        if not is_name(url.raw_host or ""):  # those are not resolved
            _check(url.raw_host or "")
        connector = aiohttp.TCPConnector(resolver=CheckedResolver())
        async with (
            aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, headers=HEADERS) as session,
            session.post(url, data=body, allow_redirects=False) as response,
        ):
            return response.status, await _read(response)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # its text would name the address
        raise ChannelUnreachable(cause=type(error).__name__) from None


async def _read(response: aiohttp.ClientResponse) -> str:
    """Return the answer, no more of it than any service has to say."""
    parts = bytearray()
    async for part in response.content.iter_chunked(ANSWER_BYTES_MAX):
        parts += part
        if len(parts) >= ANSWER_BYTES_MAX:
            break
    return parts[:ANSWER_BYTES_MAX].decode(errors="replace")


def _look_up(
    loop: asyncio.AbstractEventLoop,
    answer: asyncio.Future[list[Any]],
    host: str,
    port: int,
    family: int,
) -> None:
    found: list[Any] = []
    failure: Exception | None = None
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
    except (OSError, ValueError) as error:  # UnicodeError: no name at all
        failure = error

    def give() -> None:
        if answer.done():
            return  # it was given up
        if failure is None:
            answer.set_result(found)
        else:
            answer.set_exception(failure)

    with suppress(RuntimeError):  # the loop has been closed meanwhile
        loop.call_soon_threadsafe(give)


def _check(*hosts: str) -> None:
    if not settings.NOTICES_PRIVATE and not all(is_public(host) for host in hosts):
        raise ChannelForbidden
