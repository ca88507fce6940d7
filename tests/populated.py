"""A platform in which something has happened: venues, accounts, trades, transfers, logs.

Pages and addresses that list things are looked at with things in them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from accounts.models import Transfer, VenueAccount
from accounts.services.balances import sync_balances
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import Message
from arbplatform.notices.channels import create_channel
from arbplatform.notices.raising import keep_alarms
from arbplatform.notices.rules import Condition, Severity
from ledger.models import EquitySnapshot, LogLevel
from ledger.services.equity import take_snapshot
from ledger.services.logs import write_log
from markets.gateway.factory import use_gateways
from markets.models import Asset
from strategies.domain.states import StrategyDriver
from strategies.models import Strategy
from strategies.services.runs import start_strategy
from strategies.services.setups import SETUPS
from strategies.services.strategies import create_strategy
from strategies.services.ticks import run_tick
from tests.patience import PATIENT_BOOKS
from tests.strategies.fakes import FakeVenues

FUNDS = {"BTC": "10", "ETH": "100", "USDT": "1000000"}
SYMBOLS = ("BTC/USDT", "ETH/USDT", "ETH/BTC")


@dataclass
class Populated:
    """What is there.

    Attributes:
        venues: the venues in memory.
        accounts: one at alpha, one at beta.
        strategies: a cross-venue one that runs, a triangular one that runs, and a stopped one.
    """

    venues: FakeVenues
    accounts: list[VenueAccount]
    strategies: list[Strategy]


@contextmanager
def populated() -> Iterator[Populated]:
    """Fill the database, with gateways that lead to venues in memory."""
    SETUPS.clear()
    venues = FakeVenues()
    with use_gateways(venues.build):
        accounts = [venues.add(code, symbols=SYMBOLS, free=FUNDS) for code in ("alpha", "beta")]
        _set_books(venues)
        for account in accounts:
            sync_balances(account_id=account.pk)
        strategies = _run_strategies(accounts)
        _write_the_rest(accounts, strategies)
        _raise_an_alarm()
        yield Populated(venues, accounts, strategies)
    SETUPS.clear()


def _set_books(venues: FakeVenues) -> None:
    for code in ("alpha", "beta"):
        venues[code].set_book("ETH/USDT", bids=[("2499", "50")], asks=[("2501", "50")])
        venues[code].set_book("ETH/BTC", bids=[("0.04995", "50")], asks=[("0.05005", "50")])
    venues["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "1")])
    venues["beta"].set_book("BTC/USDT", bids=[("50500", "1")], asks=[("50510", "1")])


def _run_strategies(accounts: list[VenueAccount]) -> list[Strategy]:
    ids = [account.pk for account in accounts]
    cross, idle = (
        create_strategy(
            name=name,
            slug="cross-venue",
            params={"symbols": ["BTC/USDT"], "max_notional": "30000", **PATIENT_BOOKS},
            account_ids=ids,
            driver=StrategyDriver.SCHEDULE,
        )
        for name in ("cross", "idle")
    )
    triangle = create_strategy(
        name="triangle",
        slug="triangular",
        params={
            "assets": ["BTC", "ETH", "USDT"],
            "max_start_amount": "20000",
            **PATIENT_BOOKS,
        },
        account_ids=ids[:1],
        driver=StrategyDriver.SCHEDULE,
    )
    for strategy in (cross, triangle):
        start_strategy(strategy_id=strategy.pk, user=None)
        run_tick(strategy_id=strategy.pk)
        strategy.refresh_from_db()
    return [cross, triangle, idle]


def _raise_an_alarm() -> None:
    create_channel(name="ops", address="https://hooks.example.org/x", heartbeat_at=None)
    halted = Message("Trading is halted for {scope}: {reason}", {"scope": "alpha", "reason": "–"})
    keep_alarms(conditions=[Condition("halted", Severity.CRITICAL, halted)], incidents=[])


def _write_the_rest(accounts: list[VenueAccount], strategies: list[Strategy]) -> None:
    now = SYSTEM_CLOCK.now()
    write_log(
        strategy_id=strategies[0].pk,
        level=LogLevel.ERROR,
        event="tick_failed",
        template="A tick failed: {error}",
        error="<b>no answer</b>",
    )
    take_snapshot()
    usdt = Asset.objects.get(code="USDT")
    if not EquitySnapshot.objects.exists():
        EquitySnapshot.objects.create(
            taken_at=now, reporting_asset=usdt, total=1, realised_pnl=1, breakdown=[]
        )
    take_snapshot()
    Transfer.objects.create(
        idempotency_key="populated",
        client_transfer_id="arbtestspopulated",
        from_account=accounts[0],
        from_wallet="spot",
        to_account=accounts[1],
        to_wallet="spot",
        asset=usdt,
        amount=5,
    )
