"""The streams of venues, in the words of ccxt.pro and over connections that are checked.

Of ccxt.pro this takes what each venue wants to hear: addresses, subscriptions, signatures, pings.
For books of certified venues it takes no more: messages reach us as they came, so that we verify
sequences and checksums ourselves and no price is ever a float. All others are watched as ccxt.pro
watches them.
"""

import asyncio
import decimal
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import aiohttp
import ccxt.pro

from arbplatform.core.clock import elapsed_ms
from arbplatform.core.decimals import PRECISION_DIGITS
from markets.gateway.base import Credentials, VenueSpec
from markets.gateway.ccxt_clients import ping, teach
from markets.gateway.client import configuration_of
from markets.gateway.market_data import step_or_none
from markets.gateway.origins import is_under, rewrite_urls
from markets.gateway.sockets import Socket
from markets.gateway.stream_facts import facts_for

CONNECT_TIMEOUT_S = 10.0
COMPRESSION_OFF = {"compress": 0}
"""Deflating saves bytes and costs the time that this is all about."""

LEAVE_S = 5.0
"""Longest wait for the venue to confirm that it says no more [s]."""

_OPPOSITES = {"subscribe": "unsubscribe", "SUBSCRIBE": "UNSUBSCRIBE"}
_VERBS = ("op", "method", "event")
_CACHED_MAX = {"tradesLimit": 100, "ordersLimit": 200, "OHLCVLimit": 100, "myTradesLimit": 200}


class Astray(ccxt.InvalidProxySettings):  # type: ignore[misc]  # ccxt has no types
    """A request or a connection would have left the configured origin; it was not made."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """What has to be said where.

    Attributes:
        url: of the connection.
        message: JSON value that subscribes, or ends a subscription.
    """

    url: str
    message: Any


class _Composed(Exception):
    """Carries a subscription out of ccxt instead of sending it."""

    def __init__(self, phrase: Phrase) -> None:
        super().__init__()
        self.phrase = phrase


class CheckedStreams:
    """What every class of ccxt.pro is taught, in front of its own methods.

    Attributes:
        rest_origin: where requests must stay; empty: the venue's own addresses.
        ws_origin: the same for connections.
        is_phrase_book: subscriptions are told and never sent.
        read_ms: reads the steady clock [ms].
    """

    rest_origin = ""
    ws_origin = ""
    is_phrase_book = False
    read_ms: Callable[[], float] = staticmethod(elapsed_ms)

    async def fetch(
        self, url: str, method: str = "GET", headers: Any = None, body: Any = None
    ) -> Any:
        """Send one request; refuse addresses elsewhere."""
        if self.rest_origin and not is_under(url, self.rest_origin):
            raise Astray("a request would leave the configured REST origin; it was not sent")
        parent: Any = super()
        return await parent.fetch(url, method, headers, body)

    def client(self, url: str) -> Any:
        """Return the connection to an address; refuse addresses elsewhere."""
        if not self.may_connect(url):
            raise Astray("a stream would leave the configured origin; it was not opened")
        parent: Any = super()
        made = parent.client(url)
        teach(made, self.read_ms)
        return made

    def on_connected(self, client: Any, message: Any = None) -> None:
        """Note when a connection was opened: it has to say something from then on."""
        client.frame_at_ms = self.read_ms()
        parent: Any = super()
        parent.on_connected(client, message)

    def may_connect(self, url: str) -> bool:
        """Return whether an address is where streams may go.

        Of a venue whose REST is elsewhere, the streams must be told where they are: prices of the
        venue itself would be false at its copy.
        """
        if self.ws_origin:
            return is_under(url, self.ws_origin)
        return not self.rest_origin

    def open(self, lazy: bool = False) -> None:
        """Open the session, one that follows no redirect: it could lead elsewhere."""
        parent: Any = super()
        parent.open(lazy)
        session: aiohttp.ClientSession = self.session  # type: ignore[attr-defined]
        if not session.trace_configs:
            trace = aiohttp.TraceConfig()
            trace.on_request_redirect.append(_refuse_redirect)
            trace.freeze()
            session.trace_configs.append(trace)

    def watch(self, url: str, message_hash: Any, message: Any = None, *rest: Any) -> Any:
        """Subscribe, or tell how."""
        if self.is_phrase_book:
            raise _Composed(Phrase(url, message))
        parent: Any = super()
        return parent.watch(url, message_hash, message, *rest)

    def watch_multiple(self, url: str, message_hashes: Any, message: Any = None, *rest: Any) -> Any:
        """Subscribe to many, or tell how."""
        if self.is_phrase_book:
            raise _Composed(Phrase(url, message))
        parent: Any = super()
        return parent.watch_multiple(url, message_hashes, message, *rest)

    def on_json_response(self, response_body: str) -> Any:
        """Parse JSON without ever making a float of a price: fractions stay text."""
        return json.loads(response_body, parse_float=str)


class VenueStreams:
    """What one venue says on its WebSockets.

    Args:
        spec: how to reach the venue.
        credentials: whose account; ``None`` for public data only.
        timeout_ms: for connecting and for REST requests that streams need [ms].
        is_phrase_book: only ``compose`` and ``connect`` are used.
        read_ms: reads the steady clock, which stamps what comes in [ms].

    Raises:
        UnknownVenueClass: ccxt has no such class.
    """

    def __init__(
        self,
        spec: VenueSpec,
        credentials: Credentials | None = None,
        *,
        timeout_ms: int,
        is_phrase_book: bool = False,
        read_ms: Callable[[], float] = elapsed_ms,
    ) -> None:
        self.spec = spec
        self.facts = facts_for(spec.ccxt_id)
        self._read_ms = read_ms
        self._errands: set[asyncio.Task[None]] = set()
        self._exchange = _build(spec, credentials, timeout_ms)
        self._exchange.is_phrase_book = is_phrase_book
        self._exchange.read_ms = read_ms

    @property
    def exchange(self) -> Any:
        """The instance of ccxt.pro."""
        return self._exchange

    @property
    def can_connect(self) -> bool:
        """Whether streams have a place to go to."""
        return bool(self.spec.ws_origin or not self.spec.rest_origin)

    def adopt_markets(self, source: Any) -> None:
        """Take over the markets that a REST instance of the same class has loaded."""
        self._exchange.set_markets_from_exchange(source)
        offset_ms = source.options.get("timeDifference")
        if isinstance(offset_ms, int):
            self._exchange.options["timeDifference"] = offset_ms

    def market_id(self, symbol: str) -> str | None:
        """Return the name of a market in messages; ``None`` if there is no such market."""
        market = self._exchange.markets.get(symbol)
        if market is None:
            return None
        return symbol if self.facts.is_named_by_symbol else str(market["id"])

    def tick(self, symbol: str) -> float:
        """Return the smallest difference of two prices [quote per base]; 0.0: it is not stated."""
        exchange = self._exchange
        step = step_or_none(exchange.markets[symbol]["precision"]["price"], exchange.precisionMode)
        return 0.0 if step is None else float(step)

    async def compose(self, symbols: Sequence[str], *, is_leaving: bool = False) -> Phrase:
        """Return what subscribes to the books of markets, or ends that.

        Args:
            symbols: markets that the venue has, no more than go into one message.
            is_leaving: end the subscription.

        Raises:
            ccxt.BaseError: the class cannot say it.
        """
        exchange, facts = self._exchange, self.facts
        _forget_allotments(exchange)
        try:
            with decimal.localcontext(prec=PRECISION_DIGITS):
                if len(symbols) == 1 and not exchange.has.get("watchOrderBookForSymbols"):
                    await exchange.watch_order_book(symbols[0], facts.depth, dict(facts.params))
                else:
                    await exchange.watch_order_book_for_symbols(
                        list(symbols), facts.depth, dict(facts.params)
                    )
        except _Composed as composed:
            phrase = composed.phrase
        else:
            raise ccxt.NotSupported(f"{self.spec.ccxt_id} subscribes in a way of its own")
        finally:
            exchange.clients.clear()
        return Phrase(phrase.url, _opposite(phrase.message)) if is_leaving else phrase

    async def connect(self, url: str) -> Socket:
        """Open a connection.

        Raises:
            Astray: the address is not where streams may go.
            aiohttp.ClientError, OSError, TimeoutError: it could not be opened.
        """
        exchange = self._exchange
        settings = exchange.client(url)
        exchange.clients.clear()
        connection = await asyncio.wait_for(
            settings.create_connection(exchange.session), CONNECT_TIMEOUT_S
        )
        return Socket(connection, settings, self._read_ms)

    async def watch_book(self, symbol: str) -> Any:
        """Return ccxt's own book of a market once it has changed: prices are floats.

        Raises:
            ccxt.BaseError: it cannot be watched, or the connection broke off.
        """
        return await self._exchange.watch_order_book(symbol)

    async def leave_book(self, symbol: str) -> None:
        """Have the venue say no more of a book, where its class can ask for that."""
        if not self._exchange.has.get("unWatchOrderBook"):
            return
        with suppress(ccxt.BaseError, OSError, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._exchange.un_watch_order_book(symbol)

    @property
    def alive_at_ms(self) -> float | None:
        """When the quietest of ccxt's connections last spoke [ms]; ``None``: none stands."""
        return min((client.frame_at_ms for client in self._open_clients()), default=None)

    def ping_silent(self, silent_ms: int) -> None:
        """Ask those of ccxt's connections for a sign of life that said nothing for so long."""
        for client in self._open_clients():
            if self._read_ms() - client.frame_at_ms > silent_ms:
                self._errand(ping(client))

    def cut_silent(self, silent_ms: int) -> None:
        """End those of ccxt's connections that said nothing for so long [ms]."""
        for client in self._open_clients():
            if self._read_ms() - client.frame_at_ms >= silent_ms:
                client.on_error(ccxt.NetworkError("the connection said nothing for too long"))

    async def close(self) -> None:
        """End every connection."""
        await self._exchange.close()

    def _open_clients(self) -> list[Any]:
        clients = (self._exchange.clients or {}).values()
        return [client for client in clients if client.isConnected and not client.closed()]

    def _errand(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)


def has_streams(ccxt_id: str) -> bool:
    """Return whether ccxt.pro can watch the books of a class.

    >>> has_streams("kraken"), has_streams("zebpay")
    (True, False)
    """
    made = getattr(ccxt.pro, ccxt_id, None)
    return made is not None and bool(made().has.get("watchOrderBook"))


def _build(spec: VenueSpec, credentials: Credentials | None, timeout_ms: int) -> Any:
    exchange = _stream_class(spec.ccxt_id)(
        configuration_of(spec, credentials, timeout_ms=timeout_ms, is_limited=True)
    )
    exchange.options.update(_CACHED_MAX)
    _set_compression(exchange)
    if spec.rest_origin or spec.ws_origin:
        exchange.urls = rewrite_urls(
            exchange.urls, rest_origin=spec.rest_origin, ws_origin=spec.ws_origin
        )
        exchange.rest_origin, exchange.ws_origin = spec.rest_origin, spec.ws_origin
    return exchange


@cache
def _stream_class(ccxt_id: str) -> type[Any]:
    # Made once: ccxt writes camel-case names of inherited methods on the class at construction.
    return type(ccxt_id, (CheckedStreams, getattr(ccxt.pro, ccxt_id)), {"__module__": __name__})


def _set_compression(exchange: Any) -> None:
    options = exchange.options.get("ws") or {}
    inner = options.get("options")
    if isinstance(inner, Mapping):
        exchange.options["ws"] = {**options, "options": {**inner, **COMPRESSION_OFF}}
    else:
        exchange.options["ws"] = {**options, **COMPRESSION_OFF}


def _forget_allotments(exchange: Any) -> None:
    """Let a class count its streams from zero: which connection takes what is decided here."""
    if "streamIndex" in exchange.options or "streamLimits" in exchange.options:
        exchange.options.update(
            streamIndex=-1, streamBySubscriptionsHash={}, numSubscriptionsByStream={}
        )


def _opposite(message: Any) -> Any:
    """Return the message that ends what a message begins.

    >>> _opposite({"op": "subscribe", "args": [1]})
    {'op': 'unsubscribe', 'args': [1]}
    """
    verbs = {key: _OPPOSITES[message[key]] for key in _VERBS if message.get(key) in _OPPOSITES}
    if not verbs:
        raise ccxt.NotSupported("a subscription of this form cannot be ended")
    return {**message, **verbs}


async def _refuse_redirect(
    _session: aiohttp.ClientSession, _context: SimpleNamespace, _params: Any
) -> None:
    raise Astray("a redirect was not followed: it could lead elsewhere")
