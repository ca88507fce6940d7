"""What chaos trades on: the demo's venues in a nervous mood, and many small strategies.

Every market is dislocated about half of the time, so that an opportunity is always near; amounts
are small, so that one trade leaves something for the next; and there are many strategies, because
one whose order is being looked up rests for most of a minute, as it should.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arbplatform.management.demo_venues import CONFIG_FILE, new_key, write_private
from markets.simulator.config import SimulatorConfig, parse_config
from markets.simulator.demo import DEMO_VENUES, demo_config
from strategies.domain.states import StrategyDriver

MOOD = {
    "volatility_bps": 0.5,
    "dislocation_every_s": 1.2,
    "dislocation_lasts_s": (1.5, 4.0),
    "level_notional": "3000",
    "history_minutes": 1,
}
"""How the makers differ from the demo's."""

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
SCHEDULED_EACH = 3
"""With engines, each third strategy stays on the schedule: both drivers compete."""
AMOUNTS = (70, 80, 90, 110, 130, 150, 180, 210, 250, 300)
"""Most that a strategy spends at once [USDT]: one of each for every symbol."""
INTERVAL_MS = 2_500
TRIANGLES = (("USDT", "BTC", "ETH"), ("USDT", "BTC", "SOL"))
TRIANGLE_AMOUNTS = (120, 250)
FEE_COIN, FEE_COIN_HELD = "BNB", "0.004"
FEE_COIN_PRICE = "600"
FEE_MARKET = {"symbol": f"{FEE_COIN}/USDT", "lot": "0.001", "quantity_min": "0.001"}
"""A coin that no strategy trades and fees are paid in now and then, until it runs out."""


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """A strategy that chaos runs.

    Attributes:
        name: unique.
        slug: its type.
        params: of the type.
        venues: codes of the venues whose accounts it uses.
        interval_ms: between ticks [ms].
        driver: what makes it decide.
    """

    name: str
    slug: str
    params: Mapping[str, Any]
    venues: tuple[str, ...]
    interval_ms: int = INTERVAL_MS
    driver: StrategyDriver = StrategyDriver.SCHEDULE


def list_specs(*, has_engines: bool) -> list[StrategySpec]:
    """Return all strategies: several of each kind compete for the same coins.

    Args:
        has_engines: whether most of them are driven by streams.
    """
    everywhere = tuple(DEMO_VENUES)
    specs = [
        StrategySpec(
            name=f"chaos {symbol} {amount}",
            slug="cross-venue",
            params={"symbols": [symbol], "max_notional": str(amount), "min_edge_bps": "2"},
            venues=everywhere,
        )
        for symbol in SYMBOLS
        for amount in AMOUNTS
    ]
    specs += [
        StrategySpec(
            name=f"chaos {'-'.join(assets)} {code} {amount}",
            slug="triangular",
            params={
                "assets": list(assets),
                "start_assets": ["USDT"],
                "max_start_amount": str(amount),
                "min_edge_bps": "2",
            },
            venues=(code,),
        )
        for code in everywhere
        for assets in TRIANGLES
        for amount in TRIANGLE_AMOUNTS
    ]
    if has_engines:
        specs = [
            replace(spec, driver=StrategyDriver.STREAM) if number % SCHEDULED_EACH else spec
            for number, spec in enumerate(specs)
        ]
    return specs


def lively_config(*, seed: int, keys: Mapping[str, tuple[str, str]]) -> SimulatorConfig:
    """Return the configuration of the simulated venues.

    Args:
        seed: the same seed makes the same world.
        keys: API key and secret of the one account, by venue code.
    """
    value = demo_config(seed=seed, keys=keys).model_dump(mode="json")
    for venue in value["venues"]:
        venue["makers"] |= MOOD
        venue["assets"] = [*venue["assets"], FEE_COIN]
        venue["markets"] = [*venue["markets"], {**venue["markets"][0], **FEE_MARKET}]
        venue["makers"]["prices"][FEE_COIN] = FEE_COIN_PRICE
        for account in venue["accounts"]:
            account["balances"]["spot"][FEE_COIN] = FEE_COIN_HELD
    return parse_config(value)


def write_world(data_dir: Path, *, seed: int) -> SimulatorConfig:
    """Write the venues' configuration to where the platform looks for it, and return it."""
    directory = data_dir / "simulator"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = {code: (new_key(code), secrets.token_urlsafe(32)) for code in DEMO_VENUES}
    config = lively_config(seed=seed, keys=keys)
    write_private(directory / CONFIG_FILE, config.to_json())
    return config
