"""Small questions to servers on this machine: do you answer yet?"""

import asyncio
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

PROBE_TIMEOUT_S = 2.0
LOCALHOST = "localhost"


async def answers_http(url: str, *, host: str = LOCALHOST) -> bool:
    """Return whether a GET of ``url`` brings anything but an error.

    Args:
        url: where to connect, and the path.
        host: what the request calls the server: one that lets in some names only knows it by these.
    """
    parts = urlsplit(url)
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    reply = await _ask(request.encode(), host=parts.hostname, port=parts.port)
    fields = reply.split(maxsplit=2)
    return len(fields) > 1 and fields[1].isdigit() and int(fields[1]) < HTTPStatus.BAD_REQUEST


async def answers_redis(
    *,
    socket_path: Path | None = None,
    port: int | None = None,
    password: str = "",
) -> bool:
    """Return whether a Redis server takes commands: not while it still loads its data."""
    login = f"AUTH {password}\r\n" if password else ""
    reply = await _ask(
        f"{login}PING\r\nQUIT\r\n".encode(), host="127.0.0.1", port=port, socket_path=socket_path
    )
    return b"+PONG" in reply


async def _ask(
    request: bytes, *, host: str | None, port: int | None, socket_path: Path | None = None
) -> bytes:
    """Return the first bytes of the answer; none when there is no answer."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            if socket_path is not None:
                reader, writer = await asyncio.open_unix_connection(str(socket_path))
            else:
                reader, writer = await asyncio.open_connection(host, port)
            writer.write(request)
            await writer.drain()
            return await reader.read(1024)
    except (OSError, TimeoutError):
        return b""
    finally:
        if writer is not None:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
