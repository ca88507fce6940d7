"""A checker that cannot fail is worth nothing: each claim is shown a world that violates it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.chaos.evidence import (
    AttributionRow,
    Evidence,
    ExecutionRow,
    Halt,
    LeaseRow,
    LegRow,
    MarketRow,
    OrderRow,
    Pause,
    PostingRow,
    ReservationRow,
    TradeRow,
    TransferRow,
    VenueOrderRow,
)
from tests.chaos.invariants import INVARIANTS, find_violations

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BOUGHT = OrderRow(
    id=1,
    client_id="buy",
    venue="alpha",
    symbol="ETH/USDT",
    side="buy",
    quantity=Decimal("0.1"),
    price=Decimal(3000),
    state="filled",
    filled=Decimal("0.1"),
    cost=Decimal(300),
    execution_id=7,
    leg_index=0,
    created_at=NOW,
    finished_at=NOW + SECOND,
)
SOLD = replace(
    BOUGHT,
    id=2,
    client_id="sell",
    venue="beta",
    side="sell",
    price=Decimal(3020),
    cost=Decimal(302),
    leg_index=1,
)
REFUSED = replace(
    SOLD, id=3, client_id="no", state="rejected", filled=Decimal(0), cost=Decimal(0), leg_index=2
)
BOUGHT_THERE = VenueOrderRow(
    number=51,
    client_id="buy",
    venue="alpha",
    symbol="ETH/USDT",
    side="buy",
    quantity=Decimal("0.10"),
    price=Decimal("3000.00"),
    state="FILLED",
    filled=Decimal("0.10"),
    cost=Decimal(300),
    created_at=NOW,
)
SOLD_THERE = replace(
    BOUGHT_THERE,
    number=52,
    client_id="sell",
    venue="beta",
    side="sell",
    price=Decimal(3020),
    cost=Decimal(302),
)
BUY = TradeRow(
    venue="alpha",
    symbol="ETH/USDT",
    number="1",
    client_id="buy",
    side="buy",
    price=Decimal(3000),
    quantity=Decimal("0.1"),
    cost=Decimal(300),
    fee=Decimal("0.0001"),
    fee_asset="ETH",
)
SALE = replace(
    BUY,
    venue="beta",
    number="2",
    client_id="sell",
    side="sell",
    price=Decimal(3020),
    cost=Decimal(302),
    fee=Decimal("0.302"),
    fee_asset="USDT",
)
EXECUTION = ExecutionRow(
    id=7,
    state="completed",
    profit_asset="USDT",
    profit=Decimal("1.698"),
    residuals={"ETH": Decimal("-0.0001")},
    legs=(
        LegRow("alpha", "ETH/USDT", Decimal(3000)),
        LegRow("beta", "ETH/USDT", Decimal(3020)),
    ),
    strategy="ours",
    created_at=NOW,
    finished_at=NOW + SECOND,
)
EXPLAINED = AttributionRow(
    execution_id=7,
    parts={"expected": Decimal(2), "fees": Decimal("-0.302"), "dust": Decimal("-0.3")},
    total=Decimal("1.398"),
    booked=Decimal("1.398"),
    cash=Decimal("1.698"),
    is_exact=True,
)
ARRIVED = TransferRow(id=1, client_id="sent", state="arrived", route="alpha to beta")
RESERVED = ReservationRow("order", 1, "alpha/spot/USDT", Decimal(5))
MARKET = MarketRow(
    venue="alpha",
    symbol="ETH/USDT",
    base="ETH",
    quote="USDT",
    lot=Decimal("0.0001"),
    quantity_min=Decimal("0.0001"),
    notional_min=Decimal(5),
)
IN = PostingRow("opening", "wallet", "alpha", "spot", "USDT", Decimal(1000))
OUT = PostingRow("opening", "capital", "", "", "USDT", Decimal(-1000))
WALLET = ("alpha", "spot", "USDT")
GOOD = Evidence(
    orders=(BOUGHT, SOLD, REFUSED),
    trades=(BUY, SALE),
    executions=(EXECUTION,),
    attributions=(EXPLAINED,),
    postings=(IN, OUT),
    totals={WALLET: Decimal(1000)},
    venue_orders=(BOUGHT_THERE, SOLD_THERE),
    venue_trades=(BUY, SALE),
    statements={WALLET: Decimal("1000.00"), ("alpha", "funding", "USDT"): Decimal(0)},
    markets=(MARKET, replace(MARKET, venue="beta")),
    halts=(Halt(NOW + 10 * SECOND, NOW + 20 * SECOND),),
    strategies={"ours": "stopped"},
    transfers=(ARRIVED, replace(ARRIVED, id=2, client_id="refused", state="failed")),
    withdrawn=frozenset({"sent"}),
    reserved={"alpha/spot/USDT": Decimal(0)},
    dust={("ours", "ETH"): Decimal("-0.0001")},
    parts={"database": "", "engines": ""},
    feeds={"alpha ETH/USDT of one": ""},
)
FIRST = LeaseRow("ours", 1, "one", NOW - SECOND)
SECOND_LEASE = LeaseRow("ours", 2, "two", NOW + SECOND, before="one")
STREAMED = replace(EXECUTION, engine="one", fence=1)
LATE = replace(BOUGHT_THERE, created_at=NOW + 12 * SECOND)
HANDED_OVER = replace(GOOD, leases=(FIRST, SECOND_LEASE), executions=(STREAMED,))

PLANTED = {
    "the venues' orders are the journal's, one to one": (
        replace(GOOD, orders=(BOUGHT, REFUSED)),
        replace(GOOD, orders=(BOUGHT, SOLD, replace(BOUGHT, client_id="web_1"))),
        replace(GOOD, venue_orders=(BOUGHT_THERE,)),
        replace(GOOD, venue_orders=(BOUGHT_THERE, SOLD_THERE, replace(SOLD_THERE, number=53))),
        replace(GOOD, orders=(replace(BOUGHT, side="sell"), SOLD)),
        replace(GOOD, orders=(replace(BOUGHT, quantity=Decimal("0.2")), SOLD)),
        replace(GOOD, orders=(replace(BOUGHT, price=Decimal("3000.01")), SOLD)),
        replace(GOOD, orders=(replace(BOUGHT, filled=Decimal("0.09")), SOLD)),
        replace(GOOD, orders=(replace(BOUGHT, cost=Decimal("300.000001")), SOLD)),
        replace(GOOD, orders=(replace(BOUGHT, state="canceled"), SOLD)),
        replace(GOOD, orders=(replace(BOUGHT, state="rejected"), SOLD)),
        replace(GOOD, orders=(replace(BOUGHT, venue="gamma"), SOLD)),
        replace(GOOD, orders=(BOUGHT, SOLD, replace(REFUSED, state="canceled"))),
        replace(GOOD, orders=(BOUGHT, SOLD, replace(REFUSED, filled=Decimal("0.1")))),
    ),
    "no client id was used twice": (
        replace(GOOD, orders=(BOUGHT, SOLD, replace(SOLD, venue="gamma"))),
        replace(GOOD, venue_orders=(BOUGHT_THERE, replace(SOLD_THERE, client_id="buy"))),
    ),
    "every order has ended": (
        replace(GOOD, orders=(BOUGHT, SOLD, replace(REFUSED, state="unknown"))),
        replace(GOOD, orders=(BOUGHT, SOLD, replace(REFUSED, state="submitting"))),
        replace(GOOD, orders=(replace(BOUGHT, finished_at=None), SOLD)),
    ),
    "the venues' trades were booked, one to one": (
        replace(GOOD, trades=(BUY,)),
        replace(GOOD, trades=(BUY, SALE, SALE)),
        replace(GOOD, trades=(BUY, replace(SALE, fee=Decimal("0.30200001")))),
        replace(GOOD, trades=(BUY, replace(SALE, fee_asset="ETH"))),
        replace(GOOD, trades=(BUY, replace(SALE, client_id="buy"))),
    ),
    "every execution has ended, in time": (
        replace(GOOD, executions=(replace(EXECUTION, state="executing"),)),
        replace(GOOD, executions=(replace(EXECUTION, state="unknown"),)),
        replace(GOOD, executions=(replace(EXECUTION, finished_at=None),)),
        replace(GOOD, executions=(replace(EXECUTION, finished_at=NOW + timedelta(hours=1)),)),
    ),
    "every exposure is zero, dust or held": (
        replace(GOOD, venue_trades=(BUY,)),
        replace(GOOD, venue_trades=(SALE,)),
        replace(GOOD, venue_trades=(BUY, replace(SALE, quantity=Decimal("0.09")))),
    ),
    "executions report what the venues' trades moved": (
        replace(GOOD, executions=(replace(EXECUTION, profit=Decimal("1.6980001")),)),
        replace(GOOD, executions=(replace(EXECUTION, residuals={}),)),
        replace(GOOD, venue_trades=(BUY,)),
    ),
    "every result is explained to the last decimal": (
        replace(GOOD, attributions=()),
        replace(GOOD, attributions=(replace(EXPLAINED, parts={"expected": Decimal("1.3979")}),)),
        replace(GOOD, attributions=(replace(EXPLAINED, booked=Decimal("1.3980001")),)),
        replace(GOOD, attributions=(replace(EXPLAINED, cash=Decimal("1.697")),)),
        replace(GOOD, attributions=(replace(EXPLAINED, is_exact=False),)),
    ),
    "dust is what finished executions left over": (
        replace(GOOD, dust={}),
        replace(GOOD, dust={("ours", "ETH"): Decimal("0.0001")}),
        replace(GOOD, dust={**GOOD.dust, ("ours", "BTC"): Decimal(1)}),
        replace(GOOD, executions=(replace(EXECUTION, state="held"),)),
    ),
    "no leg was tried again before its order had ended": (
        replace(GOOD, orders=(BOUGHT, replace(SOLD, leg_index=0))),
        replace(GOOD, orders=(replace(BOUGHT, finished_at=None), replace(SOLD, leg_index=0))),
    ),
    "postings sum to zero in every asset": (
        replace(GOOD, postings=(IN,)),
        replace(GOOD, postings=(IN, replace(OUT, entry="another"))),
        replace(GOOD, postings=(IN, replace(OUT, asset="ETH"))),
    ),
    "running totals are the sums of results": (
        replace(GOOD, result_gaps={"1:2:total": Decimal("0.01")}),
    ),
    "running totals are the sums of postings": (
        replace(GOOD, totals={}),
        replace(GOOD, totals={WALLET: Decimal("1000.01")}),
    ),
    "the ledger is the venues' statements": (
        replace(GOOD, statements={}),
        replace(GOOD, statements={WALLET: Decimal("999.999999999999999999")}),
        replace(GOOD, statements={WALLET: Decimal(1000), ("beta", "spot", "ETH"): Decimal(1)}),
    ),
    "every transfer has ended": (
        replace(GOOD, transfers=(replace(ARRIVED, state="in_transit"),)),
        replace(GOOD, transfers=(replace(ARRIVED, state="unknown"),)),
        replace(
            GOOD,
            postings=(
                *(IN, OUT, replace(IN, entry="out", amount=Decimal(-5))),
                PostingRow("out", "in_transit", "", "", "USDT", Decimal(5)),
            ),
        ),
    ),
    "every reservation was released": (
        replace(GOOD, reservations=(RESERVED,), reserved={RESERVED.purse: Decimal(5)}),
        replace(GOOD, reserved={RESERVED.purse: Decimal("-0.1")}),
        replace(GOOD, reserved={}, reservations=(RESERVED,)),
    ),
    "the reconciler left nothing unexplained": (
        replace(GOOD, discrepancies=("alpha: a balance differs",)),
    ),
    "nothing was sent while trading was halted": (
        replace(GOOD, venue_orders=(LATE, SOLD_THERE)),
        replace(
            GOOD,
            venue_orders=(LATE, SOLD_THERE),
            halts=(Halt(NOW + 10 * SECOND, NOW + 20 * SECOND, "alpha"),),
        ),
    ),
    "no strategy was run by two engines at once": (
        replace(GOOD, leases=(FIRST, replace(FIRST, engine="two"))),
        replace(GOOD, leases=(FIRST, replace(SECOND_LEASE, fence=3))),
        replace(GOOD, leases=(FIRST, replace(SECOND_LEASE, taken_at=FIRST.taken_at))),
        replace(GOOD, leases=(FIRST,)),  # the execution was begun under none
        replace(GOOD, executions=(STREAMED,)),
        replace(GOOD, leases=(FIRST,), executions=(replace(STREAMED, engine="two"),)),
        replace(GOOD, leases=(FIRST,), executions=(replace(STREAMED, fence=2),)),
        replace(GOOD, leases=(replace(FIRST, taken_at=NOW + SECOND),), executions=(STREAMED,)),
        replace(
            GOOD,
            leases=(FIRST, replace(SECOND_LEASE, taken_at=NOW)),
            executions=(STREAMED,),
        ),
    ),
    "no engine sent anything of what another had taken": (
        replace(HANDED_OVER, venue_orders=(LATE, SOLD_THERE)),
    ),
    "every part works again": (replace(GOOD, parts={"scanner": "It is gone.", "redis": ""}),),
    "every book is followed again": (replace(GOOD, feeds={"alpha ETH/USDT of one": "stale"}),),
    "every strategy has come to rest": (
        replace(GOOD, strategies={"ours": "running"}),
        replace(GOOD, strategies={"ours": "stopping"}),
    ),
}


def test_a_world_in_order_violates_nothing():
    assert not any(find_violations(GOOD).values())


def test_every_claim_is_shown_what_violates_it():
    assert set(PLANTED) == {invariant.claim for invariant in INVARIANTS}


@pytest.mark.parametrize(
    ("claim", "evidence"), [(claim, world) for claim, worlds in PLANTED.items() for world in worlds]
)
def test_a_planted_violation_is_found(claim, evidence):
    assert find_violations(evidence)[claim]


def test_an_execution_under_the_lease_of_its_time_is_in_order():
    assert not any(find_violations(HANDED_OVER).values())


def test_an_exposure_that_is_held_for_a_person_is_no_violation():
    held = replace(GOOD, venue_trades=(BUY,), executions=(replace(EXECUTION, state="held"),))

    assert not find_violations(held)["every exposure is zero, dust or held"]


def test_dust_that_was_sold_along_is_no_exposure():
    sale = replace(SALE, quantity=Decimal("0.3"))
    along = replace(EXECUTION.legs[1], carried=Decimal("0.2"))
    carrying = replace(EXECUTION, legs=(EXECUTION.legs[0], along))
    claim = "every exposure is zero, dust or held"

    assert find_violations(replace(GOOD, venue_trades=(BUY, sale)))[claim]
    found = find_violations(replace(GOOD, venue_trades=(BUY, sale), executions=(carrying,)))
    assert not found[claim]


def test_what_was_on_its_way_may_arrive_within_a_second_of_the_switch():
    on_its_way = replace(BOUGHT_THERE, created_at=NOW + 10.9 * SECOND)

    found = find_violations(replace(GOOD, venue_orders=(on_its_way, SOLD_THERE)))

    assert not found["nothing was sent while trading was halted"]


def claimed_at(seconds, **more):
    """Return a world in which an order that arrived after 12 s was claimed so late."""
    claimed = replace(BOUGHT, submitted_at=NOW + seconds * SECOND)
    return replace(GOOD, orders=(claimed, SOLD, REFUSED), venue_orders=(LATE, SOLD_THERE), **more)


@pytest.mark.parametrize(
    ("world", "is_found"),
    [
        # a fault held it up by four and a half seconds
        (claimed_at(7.2, delays=(4.5 * SECOND,)), False),
        # it left too late, whatever held others up
        (claimed_at(7.2, delays=(1.2 * SECOND,)), True),
        (claimed_at(5, delays=(4.5 * SECOND,)), True),
        # the venues stood still
        (claimed_at(8, pauses=(Pause(NOW + 9 * SECOND, NOW + 13 * SECOND),)), False),
        (claimed_at(11.5, pauses=(Pause(NOW + 9 * SECOND, NOW + 13 * SECOND),)), True),
        (claimed_at(8, pauses=(Pause(NOW + 3 * SECOND, NOW + 7 * SECOND),)), True),
    ],
)
def test_an_order_that_was_held_up_on_its_way_was_sent_before(world, is_found):
    assert bool(find_violations(world)["nothing was sent while trading was halted"]) is is_found


def test_what_came_after_wrote_is_no_order_of_the_engine_before():
    repair = replace(BOUGHT, created_at=NOW + 11 * SECOND)
    world = replace(HANDED_OVER, orders=(repair, SOLD, REFUSED), venue_orders=(LATE, SOLD_THERE))

    assert not find_violations(world)["no engine sent anything of what another had taken"]


def test_a_halted_venue_says_nothing_about_another():
    halts = (Halt(NOW + 10 * SECOND, NOW + 20 * SECOND, "beta"),)

    found = find_violations(replace(GOOD, venue_orders=(LATE, SOLD_THERE), halts=halts))

    assert not found["nothing was sent while trading was halted"]


def test_what_the_owner_does_by_hand_is_nobody_elses_order():
    by_hand = replace(BOUGHT_THERE, client_id="web_1", created_at=NOW + 15 * SECOND)
    trade = replace(BUY, client_id="web_1", number="9")
    world = replace(
        GOOD,
        venue_orders=(*GOOD.venue_orders, by_hand),
        venue_trades=(*GOOD.venue_trades, trade),
    )

    assert not any(find_violations(world).values())


def test_a_transfer_that_never_reached_its_venue_may_wait_with_its_funds():
    absent = replace(ARRIVED, id=3, client_id="lost", state="unknown")
    world = replace(
        GOOD,
        transfers=(absent,),
        reservations=(replace(RESERVED, purpose="transfer", owner_id=3),),
        reserved={RESERVED.purse: Decimal(5)},
    )

    assert not any(find_violations(world).values())
