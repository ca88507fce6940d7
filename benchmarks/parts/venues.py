"""Simulated venues for benchmarks: what they list and show, and how the platform gets to know them.

The key of an account is ``LABEL-CODE``, its secret ``secret-LABEL-CODE``.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

MAIN = "main"
"""The account that the platform trades on."""
BARE = "bare"
"""The account of a reference that does without the platform."""


def make_config(
    codes: Iterable[str],
    *,
    symbols: Sequence[str],
    funds: Mapping[str, str],
    quotes: Mapping[str, Mapping[str, Any]],
    market: Mapping[str, str] | None = None,
    labels: Sequence[str] = (MAIN,),
) -> dict[str, Any]:
    """Return venues that list the same markets.

    Args:
        codes: of the venues.
        symbols: of the markets.
        funds: what each account owns by asset [asset].
        quotes: who quotes on a venue, by its code: ``{"replay": …}`` or ``{"makers": …}``.
        market: rules of every market that are not the usual ones.
        labels: of the accounts at each venue.
    """
    rules = {"tick": "0.01", "lot": "0.00001", "quantity_min": "0.00001", "notional_min": "10"}
    return {
        "seed": 7,
        "venues": [
            {
                "code": code,
                "assets": list(funds),
                "markets": [{**rules, **(market or {}), "symbol": symbol} for symbol in symbols],
                "accounts": [
                    {
                        "label": label,
                        "api_key": f"{label}-{code}",
                        "api_secret": f"secret-{label}-{code}",
                        "balances": {"spot": dict(funds)},
                    }
                    for label in labels
                ],
                **quotes[code],
            }
            for code in codes
        ],
    }


def replay(path: Path, symbol: str, exchange: str, **part: int) -> dict[str, Any]:
    """Return quotes from a recording that is advanced by hand."""
    return {
        "replay": {
            "path": str(path),
            "symbol": symbol,
            "exchange": exchange,
            "speed": 0,
            **part,
        }
    }


def make_frame(
    number: int, exchange: str, middle: float, *, size: float, levels: int, shift: float = 0
) -> str:
    """Return a line of a recording: a book whose best prices are 5 away from the middle."""
    bids = [[f"{middle - 5 - i + shift:.2f}", f"{size:.5f}"] for i in range(levels)]
    asks = [[f"{middle + 5 + i + shift:.2f}", f"{size:.5f}"] for i in range(levels)]
    return json.dumps({"timestamp": number, "exchange": exchange, "bids": bids, "asks": asks})


def register_accounts(url: str, codes: Iterable[str], *, has_streams: bool = False) -> list[Any]:
    """Tell the platform of venues that run; return the account at each.

    Args:
        url: of the simulator.
        codes: of the venues.
        has_streams: whether their WebSockets are used.
    """
    from accounts.services.accounts import create_account  # noqa: PLC0415  after django.setup()
    from markets.services.markets import sync_markets  # noqa: PLC0415
    from markets.services.venues import create_venue  # noqa: PLC0415

    accounts = []
    for code in codes:
        venue = create_venue(
            code=code,
            ccxt_id="binance",
            rest_origin=f"{url}/{code}",
            ws_origin=f"{url.replace('http', 'ws')}/{code}" if has_streams else "",
        )
        sync_markets(venue_id=venue.pk)
        key, secret = f"{MAIN}-{code}", f"secret-{MAIN}-{code}"
        accounts.append(create_account(venue=venue, label=MAIN, api_key=key, api_secret=secret))
    return accounts
