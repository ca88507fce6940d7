"""Small simulations for tests, and a client that signs by hand."""

import copy
import hmac
import http.client
import json
from urllib.parse import urlencode, urlsplit

from arbplatform.core.clock import SYSTEM_CLOCK
from markets.simulator.config import parse_config
from markets.simulator.storage.state import restore
from markets.simulator.world import World

KEYS = {"alpha": ("key-alpha", "secret-alpha"), "beta": ("key-beta", "secret-beta")}
OTHER_KEY = ("key-other", "secret-other")
READER_KEY = ("key-reader", "secret-reader")
BTC_USDT = {
    "symbol": "BTC/USDT",
    "tick": "0.1",
    "lot": "0.0001",
    "quantity_min": "0.0002",
    "quantity_max": "500",
    "notional_min": "5",
}
ETH_BTC = {"symbol": "ETH/BTC", "tick": "0.00001", "lot": "0.001", "quantity_min": "0.001"}
FAR_FUTURE_MS = 10**15
BIDS = [("50000", "1"), ("49999.5", "2"), ("49990", "3")]
ASKS = [("50010", "1"), ("50010.5", "2"), ("50020", "3")]


def account(label, key, spot=None, **more):
    return {
        "label": label,
        "api_key": key[0],
        "api_secret": key[1],
        "balances": {"spot": spot or {}, "funding": more.pop("funding", {})},
        **more,
    }


def settle(simulator):
    """Let all that is on its way arrive, or come back; return it."""
    settlement = simulator.control.world.settlement
    return simulator.control.call(lambda: settlement.settle(FAR_FUTURE_MS))


def two_venues(**more):
    """Two venues without makers: books are what a test makes them."""
    funds = {"USDT": "100000", "BTC": "2"}
    config = {
        "seed": 3,
        "settlement": {"delay_ms": 60_000, "network_fees": {"USDT": "1"}},
        "venues": [
            {
                "code": code,
                "name": code.title(),
                "assets": ["BTC", "ETH", "USDT"],
                "markets": [BTC_USDT, ETH_BTC],
                "accounts": [
                    account("ours", KEYS[code], funds),
                    *(
                        [
                            account("other", OTHER_KEY, funds),
                            account("reader", READER_KEY, permissions=["read"]),
                        ]
                        if code == "alpha"
                        else []
                    ),
                ],
                **more,
            }
            for code in KEYS
        ],
    }
    return copy.deepcopy(config)


def new_world(config, clock):
    """Return a simulation at its very first start, with the books filled once."""
    world = World(parse_config(config), clock=clock)
    restore(world, ())
    world.start()
    return world


def ask(url, method="GET"):
    """Ask the simulation itself something and return HTTP status and JSON value."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path or "/")
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


def rewritten(value, origin):
    """Return URLs, however nested, with another origin and the same path."""
    if isinstance(value, dict):
        return {name: rewritten(one, origin) for name, one in value.items()}
    return f"{origin}/{value.split('/', 3)[3]}"


class RawClient:
    """Speaks to one venue over one connection; signs when it has a key."""

    def __init__(self, url, venue="alpha", key=None, now_ms=None):
        parts = urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        self.venue = venue
        self.key: str | None = key[0] if key else None
        self.secret: str = key[1] if key else ""
        # asked anew each time: a test may let it stand still later on
        self.now_ms = now_ms or (lambda: SYSTEM_CLOCK.now_ms())  # noqa: PLW0108

    def sign(self, payload):
        return hmac.digest(self.secret.encode(), payload.encode(), "sha256").hex()

    def signed(self, **params):
        payload = urlencode({"timestamp": self.now_ms()} | params)
        return f"{payload}&signature={self.sign(payload)}"

    def send(self, method, path, query="", body=None, headers=None):
        """Send exactly this and return HTTP status and JSON value."""
        address = f"/{self.venue}/{path}" + (f"?{query}" if query else "")
        sent = {} if self.key is None else {"X-MBX-APIKEY": self.key}
        self.connection.request(method, address, body, sent | (headers or {}))
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def call(self, method, path, **params):
        """Send a request as a good client would and return HTTP status and JSON value."""
        payload = self.signed(**params) if self.key else urlencode(params)
        if method == "POST":
            return self.send(method, path, body=payload)
        return self.send(method, path, payload)

    def get(self, path, **params):
        return self.call("GET", path, **params)

    def order(self, **params):
        """Send a new limit order for 0.1 BTC at 50,000 unless told otherwise."""
        usual = {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.1",
            "price": "50000",
        }
        wanted = {name: value for name, value in (usual | params).items() if value is not None}
        return self.call("POST", "api/v3/order", **wanted)

    def close(self):
        self.connection.close()
