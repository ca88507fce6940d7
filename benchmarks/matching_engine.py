"""How many orders a second the matching engine takes, beside a naive exchange.

A seeded stream of orders of 200 accounts around a moving price: resting, crossing, immediate, and
cancellations of the oldest. Both exchanges get the same stream; the naive one (one list that is
sorted for every order, money in ``Decimal``) gets the beginning of it only, since it is slow. The
best of three rounds of each counts, in seconds of the processor: other work on the machine, which
only ever makes it slower, is left out. The garbage collector is set as in the simulator's process.

Usage: ``python -m benchmarks.matching_engine [--orders 100000]``. Target: >= 50,000 orders/s.
"""

import gc
import random
import time
from collections import deque
from decimal import Decimal

from benchmarks.parts.results import at_least, report
from benchmarks.parts.scripts import make_parser, run_script
from markets.domain.orders import Side, TimeInForce
from markets.simulator.cli import COLLECT_AFTER
from markets.simulator.exchange.listing import ListingRules
from markets.simulator.exchange.orders import Order, OrderRefused, Ticket
from markets.simulator.matching import MatchingEngine
from tests.markets.simulator.naive_exchange import NaiveExchange, NaiveOrder, Refused

TARGET_PER_S = 50_000
NAIVE_SHARE = 20
NOTHING = Decimal(0)
ROUNDS = 3
RESTING_MAX = 2_000
OWNERS = [f"owner-{number}" for number in range(200)]
SYMBOL = "BTC/USDT"
TICK, LOT = Decimal("0.01"), Decimal("0.00001")
FUNDS = {"BTC": Decimal(100_000), "USDT": Decimal(10) ** 10}

Step = tuple[str, Ticket]


def make_stream(orders: int) -> list[Step]:
    """Return owners and tickets; the same ones every time."""
    source = random.Random(7)  # noqa: S311 - repeatable on purpose
    middle = 5_000_000
    stream = []
    for number in range(orders):
        middle += source.randrange(-20, 21)
        side = source.choice([Side.BUY, Side.SELL])
        ticks = middle + source.randrange(-300, 301)
        tif = TimeInForce.IOC if number % 4 == 0 else TimeInForce.GTC
        ticket = Ticket(
            side,
            source.randrange(100, 100_000) * LOT,
            ticks * TICK,
            time_in_force=tif,
            client_id=f"order-{number}",
        )
        stream.append((source.choice(OWNERS), ticket))
    return stream


def run_engine(stream: list[Step]) -> tuple[float, int]:
    """Return orders per second of processor time and the number of trades."""
    rules = ListingRules(
        SYMBOL, TICK, LOT, LOT, Decimal(9_000), Decimal(5), Decimal("0.001"), Decimal("0.001")
    )
    engine = MatchingEngine(FUNDS, [rules])
    _endow(engine)
    resting: deque[Order] = deque()
    trades = 0
    started = time.process_time()
    for owner, ticket in stream:
        try:
            outcome = engine.submit(owner, SYMBOL, ticket, 0)
        except OrderRefused:
            continue
        trades += len(outcome.trades)
        if outcome.order is not None:
            resting.append(outcome.order)
        if len(resting) > RESTING_MAX:
            engine.cancel(resting.popleft(), 0)
    took = time.process_time() - started
    for asset, amount in FUNDS.items():
        if engine.total_of(asset) != amount * len(OWNERS):
            raise SystemExit(f"{asset} was created or lost")
    return len(stream) / took, trades


def _endow(engine: MatchingEngine) -> None:
    for owner in OWNERS:
        engine.open_account(owner)
        for asset, amount in FUNDS.items():
            engine.deposit(owner, asset, amount)


def run_naive(stream: list[Step]) -> float:
    """Return orders per second of the naive exchange."""
    naive = NaiveExchange(TICK, LOT, Decimal(5), Decimal("0.001"), Decimal("0.001"))
    names = {"BTC": "BASE", "USDT": "QUOTE"}
    naive.totals = {
        (owner, names[asset]): amount for owner in OWNERS for asset, amount in FUNDS.items()
    }
    resting: deque[NaiveOrder] = deque()
    started = time.process_time()
    for owner, ticket in stream:
        kind = ticket.time_in_force.value
        try:
            order = naive.place(
                *(owner, ticket.side.value, kind),
                price=ticket.price or NOTHING,
                quantity=ticket.quantity or NOTHING,
            )
        except Refused:
            continue
        resting.append(order)
        if len(resting) > RESTING_MAX:
            naive.cancel(resting.popleft())
    return len(stream) / (time.process_time() - started)


def main() -> int:
    """Measure and print."""
    parser = make_parser(__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    options = parser.parse_args()
    orders = options.orders // 10 if options.quick else options.orders
    gc.set_threshold(*COLLECT_AFTER)
    stream = make_stream(orders)
    rate, trades = max(run_engine(stream) for _ in range(ROUNDS))
    naive_rate = max(run_naive(stream[: orders // NAIVE_SHARE]) for _ in range(ROUNDS))
    print(f"{trades / orders:.2f} trades an order; naive: the first {orders // NAIVE_SHARE} orders")
    return report(
        [
            at_least(
                *("matching engine", rate, "orders/s", TARGET_PER_S),
                reference=naive_rate,
                reference_name="naive exchange",
            )
        ]
    )


if __name__ == "__main__":
    run_script(main)
