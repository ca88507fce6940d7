"""What the cross-venue strategy makes of ten hours of recorded books of two Brazilian venues.

Two simulated venues show the recorded books of EX1 and EX2 (BTC/BRL, 2020-06-21), one frame after
the other; after each frame one tick runs, over HTTP, with orders, fees of 0.1 % on either side and
the ledger, as in the product. What a tick takes from a book stays taken until the recording says
that the level changed. At the end the ledger is compared with both venues' own statements.

Usage: ``python -m benchmarks.replay_brazil [--start 0] [--frames 16267]``. Target: a positive
realised PnL in BRL, always buying EX1 and selling EX2, no difference to the statements.
"""

import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.parts.processes import ROOT
from benchmarks.parts.results import Row, report
from benchmarks.parts.scratch import scratch_platform
from benchmarks.parts.scripts import make_parser, run_script
from benchmarks.parts.venues import make_config, register_accounts, replay
from markets.simulator.running import RunningSimulator, start_in_thread

RECORDING = ROOT.parent / "shared" / "data/orderbooks/measurevolume/ORDER_BOOK_h00-h09.jsonl.xz"
FRAMES = 16_267
SYMBOL = "BTC/BRL"
FUNDS = {"BTC": "50", "BRL": "2500000"}
MARKET = {
    "lot": "0.000001",
    "quantity_min": "0.000001",
    "maker_fee": "0.001",
    "taker_fee": "0.001",
}
CODES = ("ex1", "ex2")
PARAMS = {
    "symbols": [SYMBOL],
    "min_edge_bps": "0.5",
    "max_notional": "100000",
    "participation": "1",
    "depth": 100,
}


def make_recorded_venues(start: int, frames: int) -> dict[str, Any]:
    """Return the two venues."""
    part = {"start": start, "count": frames, "levels": 100}
    quotes = {code: replay(RECORDING, SYMBOL, code.upper(), **part) for code in CODES}
    return make_config(CODES, symbols=[SYMBOL], funds=FUNDS, market=MARKET, quotes=quotes)


def play(simulator: RunningSimulator) -> Counter[str]:
    """Register all, then run one tick after each frame; return the outcomes of the ticks."""
    from strategies.domain.states import StrategyDriver  # noqa: PLC0415  after django.setup()
    from strategies.services.runs import start_strategy  # noqa: PLC0415
    from strategies.services.strategies import create_strategy  # noqa: PLC0415
    from strategies.services.ticks import run_tick  # noqa: PLC0415

    simulator.control.advance_replay(2)
    accounts = register_accounts(simulator.url, CODES)
    strategy = create_strategy(
        name="brazil",
        slug="cross-venue",
        params=PARAMS,
        account_ids=[account.pk for account in accounts],
        driver=StrategyDriver.SCHEDULE,
    )
    start_strategy(strategy_id=strategy.pk, user=None)
    outcomes: Counter[str] = Counter()
    while simulator.control.advance_replay(1):
        report = run_tick(strategy_id=strategy.pk, is_spacing_kept=False)
        outcomes[report.outcome.value] += 1
    return outcomes


def show(outcomes: Counter[str], duration_s: float) -> bool:
    """Print what came of it; return whether it is what was aimed at."""
    from ledger.models import Order  # noqa: PLC0415
    from ledger.selectors import imbalances, pnl_by_asset  # noqa: PLC0415
    from ledger.services.reconciliation import compare_with_venue  # noqa: PLC0415
    from strategies.models import Execution, Strategy  # noqa: PLC0415

    executions = list(Execution.objects.select_related("opportunity"))
    states = Counter(execution.state for execution in executions)
    orders = Order.objects.select_related("market__venue")
    directions = Counter(f"{order.side} {order.market.venue.code}" for order in orders)
    bought = sum((o.filled_cost for o in orders if o.side == "buy"), Decimal(0))
    pnl = pnl_by_asset(Strategy.objects.get().pk)
    expected = sum((execution.expected_profit for execution in executions), Decimal(0))
    differences = [
        difference
        for account in Strategy.objects.get().accounts.all()
        for difference in compare_with_venue(account_id=account.pk)
    ]
    print(f"ticks        {outcomes.total()} in {duration_s:.0f} s: {dict(outcomes)}")
    print(f"executions   {len(executions)}: {dict(states)}")
    print(f"orders       {dict(directions)}")
    print(f"bought for   {bought:.2f} BRL")
    print(f"realised     { ({code: str(amount) for code, amount in pnl.items()}) }")
    print(f"expected     {expected:.8f} BRL, base that lots left over counted at the bid")
    print(f"imbalances   {imbalances() or 'none'}")
    print(f"differences to the venues' statements: {differences or 'none'}")
    return (
        pnl.get("BRL", Decimal(0)) > 0
        and set(directions) == {"buy ex1", "sell ex2"}
        and not differences
        and not imbalances()
    )


def main() -> int:
    """Replay and print; return 1 when the target is missed."""
    parser = make_parser(__doc__)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--frames", type=int, default=FRAMES)
    options = parser.parse_args()
    name = "ten recorded hours: profit in one direction, exact books"
    if not Path(RECORDING).exists():
        print(f"The recording {RECORDING} is not here: nothing to replay.")
        return report([Row(name, 0, note="the recording is not here")])
    frames = min(options.frames, 2_000) if options.quick else options.frames
    with scratch_platform():
        config = make_recorded_venues(options.start, frames)
        with start_in_thread(config) as simulator:
            began = time.monotonic()
            outcomes = play(simulator)
            is_met = show(outcomes, time.monotonic() - began)
    return report([Row(name, outcomes.total(), "ticks", "both", None if options.quick else is_met)])


if __name__ == "__main__":
    run_script(main)
