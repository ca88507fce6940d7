"""Simulated venues behind real HTTP, registered as a user would register them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accounts.models import VenueAccount
from accounts.services.accounts import create_account
from markets.services.clocks import measure_clock
from markets.services.markets import sync_markets
from markets.services.venues import create_venue
from markets.simulator.running import RunningSimulator
from strategies.domain.states import StrategyDriver
from strategies.models import Strategy
from strategies.services.runs import start_strategy
from strategies.services.strategies import create_strategy
from tests.patience import PATIENT_BOOKS

LABEL = "main"
RECORDING = (
    Path(__file__).resolve().parents[3]
    / "shared/data/orderbooks/measurevolume/ORDER_BOOK_h00-h09.jsonl.xz"
)
"""Recorded books of two Brazilian venues; tests that need it skip when it is absent."""


def market(symbol: str, *, tick: str = "0.01", lot: str = "0.00001") -> dict[str, str]:
    """Return one market of a venue."""
    return {
        "symbol": symbol,
        "tick": tick,
        "lot": lot,
        "quantity_min": lot,
        "notional_min": "0.0001" if symbol.endswith("/BTC") else "10",
    }


def venue(
    code: str, *, markets: Sequence[Mapping[str, str]], funds: Mapping[str, str], **more: Any
) -> dict[str, Any]:
    """Return one venue with one account."""
    assets = {asset for item in markets for asset in item["symbol"].split("/")}
    return {
        "code": code,
        "assets": sorted(assets | set(funds)),
        "markets": list(markets),
        "accounts": [
            {
                "label": LABEL,
                "api_key": f"key-of-{code}",
                "api_secret": f"secret-of-{code}",
                "balances": {"spot": dict(funds)},
            }
        ],
        **more,
    }


def replayed(exchange: str, code: str, *, start: int, count: int) -> dict[str, Any]:
    """Return a venue that shows the recorded books of ``exchange``, advanced by hand."""
    return venue(
        code,
        markets=[market("BTC/BRL", tick="0.01", lot="0.000001")],
        funds={"BTC": "20", "BRL": "1000000"},
        replay={
            "path": str(RECORDING),
            "exchange": exchange,
            "symbol": "BTC/BRL",
            "speed": 0,
            "start": start,
            "count": count,
            "levels": 100,
        },
    )


def register(simulator: RunningSimulator, codes: Sequence[str]) -> list[VenueAccount]:
    """Add the simulator's venues and accounts to the platform by configuration alone."""
    accounts = []
    for code in codes:
        row = create_venue(
            code=code,
            ccxt_id="binance",
            rest_origin=f"{simulator.url}/{code}",
            ws_origin=f"{simulator.ws_url}/{code}",
        )
        sync_markets(venue_id=row.pk)
        measure_clock(venue_id=row.pk)  # else no look proves a book that stands still
        accounts.append(
            create_account(
                venue=row,
                label=LABEL,
                api_key=f"key-of-{code}",
                api_secret=f"secret-of-{code}",
            )
        )
    return accounts


def quote_cheap_and_dear(simulator: RunningSimulator) -> None:
    """Let BTC be cheap on alpha and dear on beta."""
    quote = simulator.control.set_book
    quote("alpha", "BTC/USDT", [("49990", "5")], [("50000", "0.7")])
    quote("beta", "BTC/USDT", [("50500", "0.9")], [("50510", "1")])


def begin(
    slug: str,
    accounts: Sequence[VenueAccount],
    *,
    driver: StrategyDriver = StrategyDriver.SCHEDULE,
    **params: Any,
) -> Strategy:
    """Start a strategy, scheduled unless something else is said; of books it takes any age."""
    strategy = create_strategy(
        name=slug,
        slug=slug,
        params={**PATIENT_BOOKS, **params},
        account_ids=[account.pk for account in accounts],
        driver=driver,
    )
    start_strategy(strategy_id=strategy.pk, user=None)
    return strategy


def stated(simulator: RunningSimulator, code: str) -> dict[str, str]:
    """Return what the venue itself says that the account has, free and held together."""
    balances = simulator.control.statement(code, LABEL)["balances"]["spot"]
    assert all(float(amounts["held"]) == 0 for amounts in balances.values())
    return {asset: amounts["free"] for asset, amounts in balances.items()}
