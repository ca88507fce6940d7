"""What the WebSocket clients of ccxt are taught: to say when they heard something, to be wary."""

import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import ccxt
from ccxt.async_support.base.ws.functions import is_json_encoded_object

UNPACKED_BYTES_MAX = 32 * 1024 * 1024
"""A compressed message of a venue is not larger [bytes]; it could hold a thousand times itself."""
_GZIP = 16 + zlib.MAX_WBITS


def teach(client: Any, read_ms: Callable[[], float]) -> None:
    """Make a client note when frames come, unpack with a bound, and leave fractions as text.

    Args:
        client: of ccxt; taught once, however often this is called.
        read_ms: reads the steady clock [ms].
    """
    if "handle_message" not in vars(client):
        client.handle_message = partial(_receive, client, read_ms)
        client.handle_text_or_binary_message = partial(_hand_over, client, _unpacker(client))
        client.gunzip = client.inflate = False


async def ping(client: Any) -> None:
    """Ask for a sign of life; if that fails, the connection's own loop will notice."""
    with suppress(Exception):
        if client.ping is None:
            await client.connection.ping()
        else:
            await client.send(client.ping(client))


def _receive(client: Any, read_ms: Callable[[], float], message: Any) -> None:
    """Note when a frame came, by a clock that nobody sets, and do as ccxt's client does.

    A message that cannot be read ends the connection: nothing after it could be trusted.
    """
    client.frame_at_ms = read_ms()
    try:
        type(client).handle_message(client, message)
    except Exception as error:  # noqa: BLE001  whatever a venue may send
        client.on_error(ccxt.NetworkError(f"a message could not be read: {error!r}"))


def _unpacker(client: Any) -> Callable[[bytes], Any]:
    """Return what makes of a binary message what the class is to read."""
    if client.gunzip or client.inflate:
        return partial(_unpack, _GZIP if client.gunzip else -zlib.MAX_WBITS)
    return bytes.decode if client.decompressBinary else bytes


def _unpack(format_bits: int, data: bytes) -> str:
    stream = zlib.decompressobj(format_bits)
    text = stream.decompress(data, UNPACKED_BYTES_MAX)
    if stream.unconsumed_tail:
        raise ValueError("it is too large")
    return text.decode()


def _hand_over(client: Any, unpack: Callable[[bytes], Any], data: Any) -> None:
    """Do as ccxt's client does, but let fractions stay text."""
    text = unpack(data) if isinstance(data, bytes) else data
    is_json = is_json_encoded_object(text)
    client.on_message_callback(client, json.loads(text, parse_float=str) if is_json else text)
