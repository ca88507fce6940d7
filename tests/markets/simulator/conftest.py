import ccxt
import ccxt.pro
import pytest

from markets.simulator.running import start_in_thread
from tests.markets.simulator.worlds import (
    ASKS,
    BIDS,
    KEYS,
    OTHER_KEY,
    READER_KEY,
    RawClient,
    rewritten,
    two_venues,
)


@pytest.fixture
def simulator():
    """Two venues, alpha and beta; on alpha BTC/USDT is quoted around 50,000."""
    with start_in_thread(two_venues()) as running:
        running.control.set_book("alpha", "BTC/USDT", BIDS, ASKS)
        yield running


@pytest.fixture
def clients(simulator):
    """Makes clients that are closed at the end."""
    opened = []

    def connect(venue="alpha", key=None, **more):
        opened.append(RawClient(simulator.url, venue, key, **more))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


@pytest.fixture
def anyone(clients):
    """A client without a key."""
    return clients()


@pytest.fixture
def ours(clients):
    """Our account at alpha."""
    return clients(key=KEYS["alpha"])


@pytest.fixture
def other(clients):
    """Another customer's account at alpha."""
    return clients(key=OTHER_KEY)


@pytest.fixture
def reader(clients):
    """A key at alpha that may only read."""
    return clients(key=READER_KEY)


@pytest.fixture
def at_beta(clients):
    """Our account at beta."""
    return clients("beta", KEYS["beta"])


@pytest.fixture
def spot(simulator):
    """Returns what an account has in its spot wallet: asset to (free, held)."""

    def read(label="ours", venue="alpha", wallet="spot"):
        found = simulator.control.statement(venue, label)["balances"][wallet]
        return {asset: (row["free"], row["held"]) for asset, row in found.items()}

    return read


@pytest.fixture
def connect(simulator):
    opened = []

    def make(venue="alpha", key=None):
        key = key or KEYS[venue]
        made = ccxt.binance({"apiKey": key[0], "secret": key[1], "enableRateLimit": False})
        ws = made.urls["api"].pop("ws", {})
        made.urls["api"] = rewritten(made.urls["api"], f"{simulator.url}/{venue}")
        made.urls["api"]["ws"] = ws
        opened.append(made)
        return made

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def exchange(connect):
    return connect()


@pytest.fixture
async def pro_exchange(simulator):
    """A stock client of WebSockets and REST for our account at alpha."""
    key, secret = KEYS["alpha"]
    made = ccxt.pro.binance({"apiKey": key, "secret": secret, "enableRateLimit": False})
    ws = made.urls["api"].pop("ws")
    made.urls["api"] = rewritten(made.urls["api"], f"{simulator.url}/alpha")
    made.urls["api"]["ws"] = rewritten(ws, f"{simulator.ws_url}/alpha")
    yield made
    await made.close()
