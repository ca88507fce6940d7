"""Brings one message to the address of a channel, and says exactly what became of it.

People enter the addresses, so a request could be sent to where only this machine may go. Only
public addresses are connected to, whatever a name leads to at that very moment, and nothing is
followed elsewhere. No error names the address: it is a secret.
"""

import asyncio
import socket
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings

from arbplatform.notices.errors import ChannelForbidden, ChannelUnreachable, NoticeRefused
from arbplatform.notices.hosts import is_literal, is_public
from arbplatform.notices.robots import Letter, find_robot

TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
"""For everything: name, connection, request, answer [s]."""
ANSWER_BYTES_MAX: Final = 65_536
HEADERS: Final = {"Content-Type": "application/json; charset=utf-8"}


class CheckedResolver(AbstractResolver):
    """Finds the addresses of a host, and refuses one that leads into a private network."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return what is connected to.

        Raises:
            ChannelForbidden: some of it is private.
        """
        found = await self._resolver.resolve(host, port, family)
        _check(*(one["host"] for one in found))
        return found

    async def close(self) -> None:
        """Give back what was used."""
        await self._resolver.close()


def post(*, address: str, letter: Letter) -> None:
    """Bring a letter to an address, by one attempt.

    Raises:
        ChannelForbidden: the address leads into a private network.
        ChannelUnreachable: there is no answer.
        NoticeRefused: the answer is a refusal.
    """
    robot = find_robot(address)
    status, answer = asyncio.run(_request(address, robot.write_body(letter, address)))
    refusal = robot.find_refusal(status, answer)
    if refusal is not None:
        raise NoticeRefused(status=status, answer=refusal)


async def _request(address: str, body: bytes) -> tuple[int, str]:
    host = urlsplit(address).hostname or ""
    if is_literal(host):  # those are not resolved
        _check(host)
    connector = aiohttp.TCPConnector(resolver=CheckedResolver())
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, headers=HEADERS) as session,
            session.post(address, data=body, allow_redirects=False) as response,
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


def _check(*hosts: str) -> None:
    if not settings.NOTICES_PRIVATE and not all(is_public(host) for host in hosts):
        raise ChannelForbidden
