"""What a first start trades on: simulated venues, an account at each, two running strategies.

Everything is made by the same services that the API and the console use.
"""

import json
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from accounts.errors import WithdrawRightRefused
from accounts.models import VenueAccount
from accounts.selectors import list_accounts
from accounts.services.accounts import create_account, test_connection, update_account
from accounts.services.balances import sync_balances
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.management.bootstrap import describe_database
from arbplatform.management.demo_venues import CONFIG_FILE, write_private
from arbplatform.management.errors import VenuesSilent
from markets.models import Venue
from markets.selectors import list_venues
from markets.services.markets import sync_markets
from markets.services.venues import create_venue, update_venue
from markets.simulator.demo import CCXT_ID
from strategies.domain.states import StrategyDriver, StrategyState
from strategies.models import Strategy
from strategies.selectors import list_strategies
from strategies.services.runs import start_strategy
from strategies.services.strategies import create_strategy

SEEDED_FILE = "seeded"
SIMULATOR_TIMEOUT_S = 60.0
POLL_S = 0.1

MAX_LOSS_BPS = "150"
"""What a repair may lose here [bps]: when a leg misses a dislocation of 60 bps, closing what the
others have opened costs that, three fees and the spread. By default it would be held."""

STRATEGIES: tuple[tuple[str, str, Mapping[str, Any], int], ...] = (
    (
        "Demo: cross-venue",
        "cross-venue",
        {
            "symbols": ["BTC/USDT", "ETH/USDT", "SOL/USDT"],
            "max_notional": "2000",
            "min_edge_bps": "3",
            "max_loss_bps": MAX_LOSS_BPS,
        },
        1000,
    ),
    (
        "Demo: triangular",
        "triangular",
        {
            "assets": ["USDT", "BTC", "ETH", "SOL"],
            "start_assets": ["USDT"],
            "max_start_amount": "2000",
            "min_edge_bps": "3",
            "max_loss_bps": MAX_LOSS_BPS,
        },
        1000,
    ),
)
"""Name, type, parameters and interval [ms] of the strategies of a first start."""


def ensure_demo(simulator_url: str) -> bool:
    """Set the demo up, once for each database.

    What a person changes or deletes afterwards stays so. Only the address is renewed when the
    simulated venues had to move to another port. An interrupted start is taken up again.

    Args:
        simulator_url: where the simulated venues are.

    Returns:
        Whether this was the first time.

    Raises:
        VenuesSilent: they do not answer.
        ArbError: a service refused.
    """
    directory = Path(settings.DATA_DIR) / "simulator"
    described: list[dict[str, Any]] = json.loads((directory / CONFIG_FILE).read_text())["venues"]
    marker = directory / SEEDED_FILE
    seeded = marker.read_text().splitlines() if marker.exists() else []
    if describe_database() in seeded:
        _follow(described, simulator_url)
        return False
    _wait_for(simulator_url)
    accounts = [_ensure_account(row, simulator_url) for row in described]
    for name, slug, params, interval_ms in STRATEGIES:
        _ensure_strategy(name, slug, params, interval_ms, accounts)
    write_private(marker, "\n".join([*seeded, describe_database()]))
    return True


def _ensure_account(row: Mapping[str, Any], simulator_url: str) -> VenueAccount:
    venue = _find_venue(row["code"]) or create_venue(
        code=row["code"],
        name=row["name"],
        ccxt_id=CCXT_ID,
        rest_origin=_origin("http", row["code"], simulator_url),
        ws_origin=_origin("ws", row["code"], simulator_url),
    )
    sync_markets(venue_id=venue.pk)
    customer = row["accounts"][0]
    account = list_accounts().filter(venue=venue, label=customer["label"]).first()
    if account is None:
        account = create_account(
            venue=venue,
            label=customer["label"],
            api_key=customer["api_key"],
            api_secret=customer["api_secret"],
            # its key may withdraw; only where simulated venues count as real ones is it asked for
            allows_transfers=True,
        )
    elif account.test_error_code == WithdrawRightRefused.code and not account.allows_transfers:
        # made by a release that asked for no transfers, and refused for it: no start gets past that
        update_account(account_id=account.pk, allows_transfers=True, is_enabled=True)
    test_connection(account_id=account.pk)
    sync_balances(account_id=account.pk)
    return account


def _ensure_strategy(
    name: str,
    slug: str,
    params: Mapping[str, Any],
    interval_ms: int,
    accounts: list[VenueAccount],
) -> None:
    strategy: Strategy = list_strategies().filter(name=name).first() or create_strategy(
        name=name,
        slug=slug,
        params=params,
        account_ids=[account.pk for account in accounts],
        interval_ms=interval_ms,
        driver=StrategyDriver.STREAM,
    )
    if strategy.state != StrategyState.RUNNING:
        start_strategy(strategy_id=strategy.pk, user=None)


def _follow(described: list[dict[str, Any]], simulator_url: str) -> None:
    """Tell the database the present address of the simulated venues that it still has."""
    for row in described:
        venue = _find_venue(row["code"])
        rest_origin = _origin("http", row["code"], simulator_url)
        if (
            venue is not None
            and venue.rest_origin != rest_origin
            and urlsplit(venue.rest_origin).hostname == urlsplit(simulator_url).hostname
        ):
            ws_origin = _origin("ws", row["code"], simulator_url)
            update_venue(venue_id=venue.pk, rest_origin=rest_origin, ws_origin=ws_origin)


def _find_venue(code: str) -> Venue | None:
    return list_venues().filter(code=code).first()


def _origin(scheme: str, code: str, simulator_url: str) -> str:
    return f"{scheme}://{urlsplit(simulator_url).netloc}/{code}"


def _wait_for(simulator_url: str) -> None:
    deadline_ms = SYSTEM_CLOCK.monotonic_ms() + SIMULATOR_TIMEOUT_S * 1000
    while SYSTEM_CLOCK.monotonic_ms() < deadline_ms:
        if _answers(simulator_url):
            return
        time.sleep(POLL_S)
    raise VenuesSilent(url=simulator_url)


def _answers(simulator_url: str) -> bool:
    connection = HTTPConnection(urlsplit(simulator_url).netloc, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status < 400  # noqa: PLR2004  HTTP errors begin there
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
