"""What the tests of the rate budget share: budgets, limiters of "other processes", a clock."""

from decimal import Decimal
from typing import Any

from markets.domain.orders import OrderKind, OrderRequest, Side, TimeInForce
from markets.gateway.base import VenueGateway, VenueSpec
from markets.gateway.budget import Budget, Redis, SharedLimiter
from markets.gateway.ccxt_rest import CcxtRestGateway
from markets.simulator.running import RunningSimulator

UNIT_MS = 100.0


class Sleeps:
    """Notes what would have been slept."""

    def __init__(self) -> None:
        self.slept_ms: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept_ms.append(seconds * 1_000)


def make_budget(
    unit_ms: float = UNIT_MS, order_ms: float = 400.0, window_ms: int = 10_000
) -> Budget:
    return Budget("test", "here", UNIT_MS, order_ms, window_ms)


def process(url: str, budget: Budget | None = None) -> tuple[SharedLimiter, Sleeps]:
    """Return the limiter that another process would have: nothing is shared but Redis."""
    sleeps = Sleeps()
    return SharedLimiter(budget or make_budget(), Redis(url), sleep=sleeps), sleeps


def simulated(simulator: RunningSimulator, code: str = "alpha", **options: Any) -> VenueSpec:
    """Return a simulated venue whose rate is limited, unlike that of others on this machine."""
    return VenueSpec(
        code, "binance", f"{simulator.url}/{code}", options={"enableRateLimit": True, **options}
    )


def make_order(number: int) -> OrderRequest:
    return OrderRequest(
        symbol="BTC/USDT",
        side=Side.BUY,
        kind=OrderKind.LIMIT,
        quantity=Decimal("0.001"),
        price=Decimal(45000),
        time_in_force=TimeInForce.GTC,
        client_order_id=f"mine-{number}",
    )


def limiter_of(gateway: VenueGateway) -> SharedLimiter:
    """Return what paces the requests of a gateway."""
    assert isinstance(gateway, CcxtRestGateway)
    limiter = gateway._session.catalog.limiter
    assert isinstance(limiter, SharedLimiter)
    return limiter
