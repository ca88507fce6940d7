"""Makes ccxt instances that are safe to trust: pinned, pointed at an origin, and checked.

An instance serves one call at a time (``pool`` sees to that), so what it notes about the call in
progress, whether a request left and what came back, belongs to that call.
"""

import json
import math
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import ccxt

from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.decimals import to_decimal, to_plain
from arbplatform.core.errors import Message
from arbplatform.core.texts import one_line
from markets.domain.capabilities import OPERATOR_OPTION
from markets.domain.orders import LetGo, Write
from markets.errors import UnknownVenueClass
from markets.gateway.base import Credentials, VenueSpec
from markets.gateway.budget import account_key
from markets.gateway.connections import Lender
from markets.gateway.error_map import Malformed, TooLate
from markets.gateway.last_door import LastDoor
from markets.gateway.leaving import is_never_sent, write_in_time
from markets.gateway.limiter import Limiter, TooManyRequests, Urgency
from markets.gateway.origins import is_under, pairs_of_urls, rewrite_urls
from markets.gateway.plain_queries import PlainQueries
from markets.gateway.plain_session import PlainSession
from markets.gateway.quirks import quirks_for
from markets.gateway.statuses import RATE_STATUSES, note_status, silence_ms

RECEIVE_WINDOW_MS = 5_000
RETRY_OPTION = "maxRetriesOnFailure"

Client = Any
"""An instance of a ccxt exchange class with ``CheckedCalls`` in front."""


class RateKept(ccxt.RateLimitExceeded):  # type: ignore[misc]  # ccxt has no types
    """A request that was held back here, so that the venue need not refuse it.

    Args:
        error: why.
    """

    def __init__(self, error: TooManyRequests) -> None:
        super().__init__(str(error))
        self.wait_ms = None if error.is_blocked else error.wait_ms
        span = {"seconds": math.ceil(error.wait_ms / 1_000)}
        self.cause = Message("our share of requests is used up for {seconds} s", span)
        if self.wait_ms is None:
            self.cause = Message("it wants no request from this address for {seconds} s more", span)


class CheckedCalls(PlainQueries):
    """What every ccxt class is taught, in front of its own methods.

    Attributes:
        sent_count: requests of the call in progress that may have reached the venue.
        raw_answer: the last answer of the call in progress, as JSON.
        http_status: of its last answer; noted on what it raises as well.
        effect: what the call in progress may change.
        urgency: who goes first when little is left of the rate budget.
        is_order_next: its next request counts as a new order.
        order_account: how orders of this key are counted.
        send_before_ms: reading of the monotonic clock after which the call in progress must send
            nothing any more [ms].
        let_go: of the order that is sent by the call in progress: writes it if it may leave.
    """

    sent_count = 0
    raw_answer: Any = None
    last_http_response: str | None = None
    rest_origin = ""
    moved_urls: tuple[tuple[str, str], ...] = ()
    limiter: Limiter | None = None
    urgency = Urgency.READ
    is_order_next = False
    order_account = ""
    send_before_ms: float | None = None
    let_go: LetGo | None = None
    effect: Any = None
    catalog_version = 0
    is_nonce_strict = False
    http_status = 0
    last_nonce = 0

    def begin_call(self) -> None:
        """Forget the call before."""
        self.sent_count = 0
        self.is_order_next = False
        self.send_before_ms = None
        self.let_go = None
        self.raw_answer = None
        self.last_http_response = None  # some classes judge a failure by it, even an old one

    def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        """Send one request; refuse addresses elsewhere and answers that are not JSON."""
        if self.rest_origin and not is_under(url, self.rest_origin):
            raise ccxt.InvalidProxySettings(
                "a request would leave the configured REST origin; it was not sent"
            )
        self.last_http_response = None
        self.http_status = 0
        try:
            answer = super().fetch(url, method, headers, body)  # type: ignore[misc]
        except BaseException as error:
            if not is_never_sent(error):
                self.sent_count += 1
            note_status(error, self.http_status)
            raise
        self.sent_count += 1
        if not isinstance(answer, dict | list) and not _is_number(answer):
            page = Malformed(Message("the answer is not JSON: {start}", {"start": _start(answer)}))
            note_status(page, self.http_status)
            raise page
        self.raw_answer = answer
        return answer

    def write_out(self, write: Write) -> None:
        """Write a request to its connection, unless it must not leave, or not any more.

        Args:
            write: does it; an order's may be written by the thread that lets it go.

        Raises:
            TooLate: it must not; nothing was sent.
        """
        timely = partial(write_in_time, write, self.send_before_ms)
        if self.let_go is None:
            timely()
        elif not self.let_go(timely):
            raise TooLate

    def handle_option_integer_and_params(
        self, params: Any, method_name: str, option_name: str, default: Any = None
    ) -> Any:
        """Answer "never" to ccxt's question how often a request may be repeated.

        It would repeat orders as well, and takes the number from options of every kind.
        """
        if option_name == RETRY_OPTION:
            return 0, self.omit(params, RETRY_OPTION)  # type: ignore[attr-defined]
        parent: Any = super()
        return parent.handle_option_integer_and_params(params, method_name, option_name, default)

    def throttle(self, cost: float | None = None) -> None:
        """Take a turn from the limiter that all connections to the venue share."""
        account, self.is_order_next = self.order_account if self.is_order_next else "", False
        if self.limiter is None:
            return
        try:
            self.limiter.acquire(
                1.0 if cost is None else float(cost), urgency=self.urgency, account=account
            )
        except TooManyRequests as error:
            raise RateKept(error) from None

    def handle_errors(
        self, code: int, reason: str, url: str, method: str, headers: Any, *rest: Any
    ) -> Any:
        """Let the class judge an answer as if it came from the venue's own address."""
        self.http_status = code
        if code in RATE_STATUSES and self.limiter is not None:
            text = str(rest[0]) if rest else ""
            self.limiter.silence(silence_ms(code, headers, text, self._venue_now_ms()))
        origin_url = next(
            (
                source + url[len(target) :]
                for target, source in self.moved_urls
                if url.startswith(target)
            ),
            url,
        )
        parent: Any = super()
        return parent.handle_errors(code, reason, origin_url, method, headers, *rest)

    def throw_exactly_matched_exception(self, exact: Any, text: Any, message: str) -> None:
        """Note on the exception which of the venue's codes the class recognised."""
        try:
            super().throw_exactly_matched_exception(exact, text, message)  # type: ignore[misc]
        except ccxt.BaseError as error:
            error.venue_code = str(text)
            raise

    def throw_broadly_matched_exception(self, broad: Any, text: Any, message: str) -> None:
        """Note on the exception which of the venue's sentences the class recognised."""
        try:
            super().throw_broadly_matched_exception(broad, text, message)  # type: ignore[misc]
        except ccxt.BaseError as error:
            error.venue_code = str(text)[:100]
            raise

    def _venue_now_ms(self) -> int:
        """Return the venue's time by what is known of it [ms since epoch]."""
        offset_ms: Any = getattr(self, "options", {}).get("timeDifference")
        return SYSTEM_CLOCK.now_ms() - (offset_ms if isinstance(offset_ms, int) else 0)

    def nonce(self) -> int:
        """Return the class's nonce, and a larger one than the last where that is demanded."""
        nonce: int = super().nonce()  # type: ignore[misc]
        if self.is_nonce_strict:
            nonce = self.last_nonce = max(nonce, self.last_nonce + 1)
        return nonce

    def on_json_response(self, response_body: str) -> Any:
        """Parse JSON without ever making a float of a price: fractions stay text."""
        return json.loads(response_body, parse_float=str, parse_constant=_refuse_constant)

    def parse_order_book_bid_ask(
        self, bidask: Any, price_key: Any = 0, amount_key: Any = 1, _count_key: Any = 2
    ) -> list[Any]:
        """Return one level as exact decimals; ccxt's own makes floats of them."""
        return [to_decimal(bidask[price_key]), to_decimal(bidask[amount_key])]

    def currency_to_precision(self, _code: str, fee: Any, _network: Any = None) -> str:
        """Return an amount as it is: what is sent must be exactly what was booked."""
        return to_plain(to_decimal(fee))


def exchange_class(ccxt_id: str) -> type[Any]:
    """Return the checked class that speaks the protocol of ``ccxt_id``.

    Raises:
        UnknownVenueClass: ccxt has none of that name.
    """
    if ccxt_id not in ccxt.exchanges:
        raise UnknownVenueClass(ccxt_id=ccxt_id)
    return _checked_class(ccxt_id)


def has_spot(ccxt_id: str) -> bool:
    """Return whether the class trades spot.

    Raises:
        UnknownVenueClass: ccxt has no class of that name.
    """
    return bool(exchange_class(ccxt_id)().has.get("spot"))


def build_client(
    spec: VenueSpec,
    credentials: Credentials | None,
    *,
    timeout_ms: int,
    limiter: Limiter | None = None,
    connections: Lender | None = None,
) -> Client:
    """Return a ready ccxt instance; nothing is sent yet.

    Args:
        spec: how to reach the venue.
        credentials: whose account, or ``None`` for public data only.
        timeout_ms: for connecting and for each wait for data [ms].
        limiter: paces the requests; ``None`` for no limit.
        connections: over which requests leave; ``None`` for some of its own.

    Raises:
        UnknownVenueClass: ccxt has no such class.
    """
    configuration = configuration_of(
        spec, credentials, timeout_ms=timeout_ms, is_limited=limiter is not None
    )
    client = exchange_class(spec.ccxt_id)(configuration)
    client.limiter = limiter
    client.order_account = account_key(credentials.api_key) if credentials else ""
    client.is_nonce_strict = quirks_for(spec.ccxt_id).is_nonce_strict
    client.session = PlainSession(is_environment_trusted=client.session.trust_env)
    for scheme in ("http://", "https://"):
        client.session.mount(scheme, LastDoor(client, connections))
    if spec.rest_origin or spec.ws_origin:
        rewritten = rewrite_urls(
            client.urls, rest_origin=spec.rest_origin, ws_origin=spec.ws_origin
        )
        client.moved_urls = tuple(pairs_of_urls(client.urls, rewritten))
        client.urls = rewritten
        client.rest_origin = spec.rest_origin
    return client


def known_codes(client: Client) -> Mapping[str, type[BaseException]]:
    """Return the class's table from the venue's spot codes to ccxt exceptions."""
    table: dict[str, Any] = client.exceptions or {}
    spot: dict[str, Any] = table.get("spot") or {}
    codes = {**(table.get("exact") or {}), **(spot.get("exact") or {})}
    return {code: kind for code, kind in codes.items() if isinstance(kind, type)}


@cache
def _checked_class(ccxt_id: str) -> type[Any]:
    # ccxt writes camel-case names of inherited methods on the class at construction, so each
    # class of ours is made once and is the first to be asked for them.
    return type(ccxt_id, (CheckedCalls, getattr(ccxt, ccxt_id)), {"__module__": __name__})


def configuration_of(
    spec: VenueSpec, credentials: Credentials | None, *, timeout_ms: int, is_limited: bool
) -> dict[str, Any]:
    """Return what an instance for a venue is constructed with.

    Args:
        spec: how to reach the venue.
        credentials: whose account, or ``None`` for public data only.
        timeout_ms: for connecting and for each wait for data [ms].
        is_limited: whether requests are paced.
    """
    base = {key: value for key, value in spec.options.items() if key not in _PINNED}
    options = base.pop("options", {})
    return {
        **base,
        "apiKey": credentials.api_key if credentials else "",
        "secret": credentials.api_secret if credentials else "",
        "password": credentials.passphrase if credentials else "",
        "timeout": timeout_ms,
        "enableRateLimit": is_limited,
        "number": str,
        "options": {
            "defaultType": "spot",
            **_market_options(spec.ccxt_id),
            **quirks_for(spec.ccxt_id).options,
            **(options if isinstance(options, Mapping) else {}),
            # Pinned: a write is never repeated by the library, and what a market buy costs is
            # never guessed.
            RETRY_OPTION: 0,
            "adjustForTimeDifference": False,  # the offset is measured and set by the catalog
            "createMarketBuyOrderRequiresPrice": False,
            "recvWindow": RECEIVE_WINDOW_MS,
            "warnOnFetchOpenOrdersWithoutSymbol": False,
        },
    }


_PINNED = frozenset(
    {
        "apiKey",
        "secret",
        "password",
        "timeout",
        "enableRateLimit",
        "number",
        "urls",
        "session",
        "verify",
        "verbose",
        OPERATOR_OPTION,
        "rateLimit",
    }
)


@cache
def _market_options(ccxt_id: str) -> dict[str, Any]:
    """Return options that limit ``fetch_markets`` to spot, where the class can."""
    settings = getattr(ccxt, ccxt_id)().options.get("fetchMarkets")
    types = settings.get("types") if isinstance(settings, dict) else None
    if isinstance(types, list):
        return {"fetchMarkets": {**settings, "types": ["spot"]}}
    if isinstance(types, dict):
        return {
            "fetchMarkets": {**settings, "types": {**dict.fromkeys(types, False), "spot": True}}
        }
    return {}


def _is_number(answer: object) -> bool:
    return isinstance(answer, int) or (isinstance(answer, str) and answer.strip().isdigit())


def _start(answer: object) -> str:
    return one_line(str(answer))[:60] or "(empty)"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
