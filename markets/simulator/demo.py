"""Ready-made simulations: the demo of the platform, and a recorded pair of venues."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markets.simulator.config import SimulatorConfig, parse_config

CCXT_ID = "binance"
"""The class of ccxt that speaks the simulator's protocol."""
DEMO_VENUES = {"alpha": "Alpha Exchange", "beta": "Beta Markets", "gamma": "Gamma Trade"}
DEMO_LABEL = "demo"
DEMO_ASSETS = ("BTC", "ETH", "SOL", "USDT")
DEMO_PRICES = {"BTC": "60000", "ETH": "3000", "SOL": "150", "USDT": "1"}
DEMO_BALANCES = {"USDT": "100000", "BTC": "2", "ETH": "30", "SOL": "300"}

_DEMO_MARKETS: tuple[dict[str, str], ...] = (
    {"symbol": "BTC/USDT", "tick": "0.01", "lot": "0.00001", "notional_min": "5"},
    {"symbol": "ETH/USDT", "tick": "0.01", "lot": "0.0001", "notional_min": "5"},
    {"symbol": "SOL/USDT", "tick": "0.01", "lot": "0.001", "notional_min": "5"},
    {"symbol": "ETH/BTC", "tick": "0.000001", "lot": "0.0001", "notional_min": "0.0001"},
    {"symbol": "SOL/BTC", "tick": "0.0000001", "lot": "0.001", "notional_min": "0.0001"},
)


def demo_config(*, seed: int, keys: Mapping[str, tuple[str, str]]) -> SimulatorConfig:
    """Return three venues whose edges come and go.

    Every 6 to 18 s one market of each venue is dislocated by 40 to 60 bps for two to five seconds:
    with fees of 10 bps a leg and a spread of 4 bps that opens a triangular edge there, and a
    cross-venue edge of some 10 to 40 bps net between it and the others.

    Args:
        seed: the same seed makes the same world.
        keys: API key and secret of the one account, by venue code (``DEMO_VENUES``).
    """
    makers: dict[str, Any] = {
        "prices": DEMO_PRICES,
        "volatility_bps": 1.0,
        "interval_ms": 200,
        "spread_bps": 4.0,
        "noise_bps": 2.0,
        "noise_half_life_s": 5.0,
        "dislocation_bps": (40.0, 60.0),
        "dislocation_every_s": 12.0,
        "dislocation_lasts_s": (2.0, 5.0),
        "levels": 10,
        "level_bps": 3.0,
        "level_notional": "2000",
        "flow_every_s": 2.0,
    }
    markets = [market | {"quantity_min": market["lot"]} for market in _DEMO_MARKETS]
    return parse_config(
        {
            "seed": seed,
            "settlement": {
                "delay_ms": 3_000,
                "network_fees": {"BTC": "0.0001", "ETH": "0.001", "SOL": "0.01", "USDT": "1"},
            },
            "venues": [
                {
                    "code": code,
                    "name": DEMO_VENUES[code],
                    "assets": DEMO_ASSETS,
                    "markets": markets,
                    "makers": makers,
                    "accounts": [_account(DEMO_LABEL, key, DEMO_BALANCES)],
                }
                for code, key in keys.items()
            ],
        }
    )


def replay_config(
    path: Path,
    *,
    keys: Mapping[str, tuple[str, str]],
    speed: float = 0,
    start: int = 0,
    count: int | None = None,
    levels: int = 100,
) -> SimulatorConfig:
    """Return two venues, ``ex1`` and ``ex2``, that show the recorded BTC/BRL books of a file.

    Args:
        path: the recording; exchanges are named ``EX1`` and ``EX2`` there.
        keys: API key and secret of the one account, by venue code.
        speed: 1 is the recorded pace; 0 waits to be advanced by hand.
        start: first frame (line) of the file.
        count: how many frames; ``None`` for all.
        levels: of each side that are quoted.
    """
    # The recorded prices of EX2 have up to 5 decimal places, all quantities up to 8.
    ticks = {"ex1": "0.01", "ex2": "0.00001"}
    balances = {"ex1": {"BRL": "500000", "BTC": "0"}, "ex2": {"BRL": "0", "BTC": "10"}}
    return parse_config(
        {
            "seed": 1,
            "settlement": {"delay_ms": 3_000, "network_fees": {"BTC": "0.0001", "BRL": "5"}},
            "venues": [
                {
                    "code": code,
                    "name": f"Recorded {code.upper()}",
                    "assets": ("BTC", "BRL"),
                    "markets": [
                        {
                            "symbol": "BTC/BRL",
                            "tick": tick,
                            "lot": "0.00000001",
                            "quantity_min": "0.00001",
                            "notional_min": "10",
                        }
                    ],
                    "replay": {
                        "path": str(path),
                        "exchange": code.upper(),
                        "symbol": "BTC/BRL",
                        "speed": speed,
                        "start": start,
                        "count": count,
                        "levels": levels,
                    },
                    "accounts": [_account(DEMO_LABEL, keys[code], balances[code])],
                }
                for code, tick in ticks.items()
            ],
        }
    )


def _account(label: str, key: tuple[str, str], balances: Mapping[str, str]) -> dict[str, Any]:
    return {
        "label": label,
        "api_key": key[0],
        "api_secret": key[1],
        "balances": {"spot": dict(balances)},
    }
