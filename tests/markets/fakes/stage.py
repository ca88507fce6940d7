"""The same play on different venues: what the conformance suite needs of each of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from markets.gateway.base import Credentials, VenueSpec
from markets.simulator.running import RunningSimulator, start_in_thread
from tests.markets.fakes.exchange import FakeExchange
from tests.markets.fakes.kraken import FakeKraken
from tests.markets.fakes.okx import FakeOkx

Rows = Sequence[tuple[str, str]]

KEY, SECRET, PASSPHRASE = "ours-ours-ours", "c2VjcmV0LXNlY3JldC1zZWNyZXQ=", "pass-pass"
DELAY_MS = 3_600_000
"""Until a withdrawal ends by itself: no machine is that slow. (``worlds.settle`` ends it.)"""
BALANCES = {"USDT": "100000", "BTC": "2", "ETH": "30"}


class Stage(Protocol):
    """A venue on the loopback address with one funded account.

    Attributes:
        spec: how a gateway reaches it.
        credentials: the account's.
    """

    spec: VenueSpec
    credentials: Credentials

    @property
    def taker_fee(self) -> Decimal: ...

    @property
    def is_fee_in_quote(self) -> bool: ...

    @property
    def moves_funds(self) -> bool:
        """Whether it has a second wallet, withdrawals and rights of keys."""
        ...

    def set_book(self, symbol: str, *, bids: Rows, asks: Rows) -> None: ...

    def statement(self) -> Mapping[str, Decimal]: ...


@dataclass
class SimulatedStage:
    """The simulator, spoken to as binance."""

    simulator: RunningSimulator
    spec: VenueSpec
    credentials: Credentials
    taker_fee: Decimal = Decimal("0.001")
    is_fee_in_quote: bool = False
    moves_funds: bool = True

    def set_book(self, symbol: str, *, bids: Rows, asks: Rows) -> None:
        self.simulator.control.set_book("alpha", symbol, bids, asks)

    def statement(self) -> Mapping[str, Decimal]:
        return _amounts(self.simulator.control.statement("alpha", "ours"))


@dataclass
class FakeStage:
    """A fake venue with a protocol of its own."""

    venue: FakeExchange
    spec: VenueSpec
    credentials: Credentials
    moves_funds: bool

    @property
    def taker_fee(self) -> Decimal:
        return self.venue.taker_fee

    @property
    def is_fee_in_quote(self) -> bool:
        return self.venue.is_fee_in_quote

    def set_book(self, symbol: str, *, bids: Rows, asks: Rows) -> None:
        self.venue.set_book(symbol, bids=bids, asks=asks)

    def statement(self) -> Mapping[str, Decimal]:
        return self.venue.statement(KEY)


@contextmanager
def simulated_stage() -> Iterator[SimulatedStage]:
    with start_in_thread(simulator_config()) as simulator:
        yield SimulatedStage(
            simulator,
            VenueSpec("alpha", "binance", f"{simulator.url}/alpha", f"{simulator.ws_url}/alpha"),
            Credentials(KEY, SECRET),
        )


@contextmanager
def okx_stage() -> Iterator[FakeStage]:
    with _fake_stage(FakeOkx(), "okx") as stage:
        yield stage


@contextmanager
def kraken_stage() -> Iterator[FakeStage]:
    with _fake_stage(FakeKraken(), "kraken") as stage:
        yield stage


@contextmanager
def _fake_stage(venue: FakeExchange, ccxt_id: str) -> Iterator[FakeStage]:
    venue.add_account(KEY, SECRET, PASSPHRASE, BALANCES)
    with venue.running() as url:
        spec = VenueSpec(f"{ccxt_id}-like", ccxt_id, f"{url}/some/prefix")
        credentials = Credentials(KEY, SECRET, PASSPHRASE)
        yield FakeStage(venue, spec, credentials, moves_funds=ccxt_id == "okx")


STAGES = ("binance", "kraken", "okx")


def open_stage(ccxt_id: str) -> AbstractContextManager[Stage]:
    """Open the stage of a protocol, one of ``STAGES``."""
    stages: dict[str, Callable[[], AbstractContextManager[Stage]]] = {
        "binance": simulated_stage,
        "kraken": kraken_stage,
        "okx": okx_stage,
    }
    return stages[ccxt_id]()


def simulator_config() -> dict[str, Any]:
    """Return two venues with one market each, no makers, and transfers that arrive when told to."""
    return {
        "seed": 7,
        "settlement": {"delay_ms": DELAY_MS, "network_fees": {"USDT": "1"}},
        "venues": [
            {
                "code": code,
                "name": code,
                "assets": ["BTC", "ETH", "USDT"],
                "markets": [
                    {
                        "symbol": "BTC/USDT",
                        "tick": "0.1",
                        "lot": "0.00001",
                        "quantity_min": "0.00001",
                        "notional_min": "5",
                        "maker_fee": "0.001",
                        "taker_fee": "0.001",
                    },
                    {
                        "symbol": "ETH/BTC",
                        "tick": "0.00001",
                        "lot": "0.0001",
                        "quantity_min": "0.0001",
                        "notional_min": "0.0001",
                        "maker_fee": "0.001",
                        "taker_fee": "0.001",
                    },
                ],
                "accounts": [
                    {
                        "label": "ours",
                        "api_key": KEY if code == "alpha" else f"{KEY}-{code}",
                        "api_secret": SECRET if code == "alpha" else f"{SECRET}-{code}",
                        "balances": {"spot": BALANCES, "funding": {"USDT": "50"}},
                    }
                ],
            }
            for code in ("alpha", "beta")
        ],
    }


def _amounts(statement: Mapping[str, Any]) -> dict[str, Decimal]:
    spot = statement["balances"]["spot"]
    totals = {asset: Decimal(row["free"]) + Decimal(row["held"]) for asset, row in spot.items()}
    return {asset: total for asset, total in totals.items() if total}
