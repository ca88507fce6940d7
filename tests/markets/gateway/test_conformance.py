"""What every venue must do through the port, whatever its protocol; over real HTTP."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal as D

import pytest

from arbplatform.core.clock import SYSTEM_CLOCK
from markets.domain.book import Level
from markets.domain.fees import FeeMode
from markets.domain.funds import DepositAddress, VenueTransferStatus, Wallet
from markets.domain.orders import (
    OrderRequest,
    Side,
    TimeInForce,
    VenueOrderStatus,
)
from markets.errors import (
    DuplicateClientId,
    InsufficientFunds,
    OrderAbsent,
    UnknownSymbol,
    VenueAuthFailed,
    VenueRejected,
    VenueUnavailable,
)
from markets.gateway.base import Credentials, VenueGateway
from markets.gateway.factory import gateway_for
from tests.markets.fakes.stage import Stage

SYMBOL = "BTC/USDT"
CLIENT_ID = "arbtests0000000000000001"
MANY = 120
"""More fills than some venues show at once."""
FIRST = OrderRequest(SYMBOL, Side.BUY, D("0.7"), CLIENT_ID, price=D(60005))


@pytest.fixture(autouse=True)
def book(stage: Stage) -> None:
    stage.set_book(
        SYMBOL,
        bids=[("59990", "1"), ("59980.5", "2")],
        asks=[("60000", "0.5"), ("60010.5", "1.5")],
    )


def test_markets_come_with_their_rules_and_fees(stage: Stage, gateway: VenueGateway) -> None:
    rules = {rule.symbol: rule for rule in gateway.fetch_markets()}

    rule = rules[SYMBOL]
    assert (rule.venue, rule.base, rule.quote) == (gateway.venue, "BTC", "USDT")
    assert (rule.tick, rule.lot, rule.quantity_min) == (D("0.1"), D("0.00001"), D("0.00001"))
    assert rule.fees.mode is (FeeMode.QUOTE if stage.is_fee_in_quote else FeeMode.RECEIVED)
    assert rule.is_active


def test_a_book_is_exact_and_no_deeper_than_asked(gateway: VenueGateway) -> None:
    book = gateway.fetch_book(SYMBOL, depth=1)

    assert book.bids == (Level(D(59990), D(1)),)
    assert book.asks == (Level(D(60000), D("0.5")),)
    assert (book.venue, book.symbol) == (gateway.venue, SYMBOL)
    assert abs(book.age_ms(SYSTEM_CLOCK.now_ms())) < 5_000


def test_an_empty_book_that_the_venue_states_is_an_empty_book(
    stage: Stage, gateway: VenueGateway
) -> None:
    stage.set_book(SYMBOL, bids=[], asks=[])

    book = gateway.fetch_book(SYMBOL)

    assert (book.bids, book.asks) == ((), ())


def test_tickers_show_the_best_prices(gateway: VenueGateway) -> None:
    ticker = gateway.fetch_ticker(SYMBOL)

    assert (ticker.bid, ticker.ask) == (D(59990), D(60000))
    assert gateway.fetch_tickers([SYMBOL])[SYMBOL].ask == D(60000)
    assert gateway.fetch_tickers()[SYMBOL].bid == D(59990)


def test_the_venues_clock_can_be_read(gateway: VenueGateway) -> None:
    assert abs(gateway.fetch_time_ms() - SYSTEM_CLOCK.now_ms()) < 5_000


def test_balances_are_exact_and_without_zeros(gateway: VenueGateway) -> None:
    balances = gateway.fetch_balances()

    assert {asset: balance.free for asset, balance in balances.items()} == {
        "USDT": D(100000),
        "BTC": D(2),
        "ETH": D(30),
    }
    assert all(balance.held == 0 for balance in balances.values())


def test_a_limit_ioc_order_takes_what_is_there_and_rests_nowhere(
    stage: Stage, gateway: VenueGateway
) -> None:
    order = gateway.submit_order(FIRST)

    assert order.client_order_id == CLIENT_ID
    assert order.status is VenueOrderStatus.CANCELED
    assert (order.quantity, order.filled_quantity) == (D("0.7"), D("0.5"))
    assert order.average_price == D(60000)
    assert gateway.fetch_open_orders(SYMBOL) == []
    cost, quantity = D(30_000), D("0.5")
    assert stage.statement() == {
        "USDT": 100_000 - cost - _fee(stage, cost, is_quote=True),
        "BTC": 2 + quantity - _fee(stage, quantity, is_quote=False),
        "ETH": D(30),
    }


def test_a_filled_order_is_filled(gateway: VenueGateway) -> None:
    order = gateway.submit_order(replace(FIRST, quantity=D("0.5")))

    assert order.status is VenueOrderStatus.FILLED
    assert order.filled_quantity == D("0.5")


def test_a_sell_order_takes_the_bids(stage: Stage, gateway: VenueGateway) -> None:
    order = gateway.submit_order(
        replace(FIRST, side=Side.SELL, quantity=D("1.00001"), price=D("59980.5"))
    )

    assert order.status is VenueOrderStatus.FILLED
    received = D(59990) + D("59980.5") * D("0.00001")
    assert stage.statement()["BTC"] == D("0.99999")
    expected = 100_000 + received * (1 - stage.taker_fee)
    assert abs(stage.statement()["USDT"] - expected) < D("1e-7")


def test_a_fok_order_fills_wholly_or_not_at_all(gateway: VenueGateway) -> None:
    order = gateway.submit_order(replace(FIRST, time_in_force=TimeInForce.FOK))

    assert order.status is VenueOrderStatus.CANCELED
    assert order.filled_quantity == 0


def test_a_resting_order_is_found_held_and_cancelled(gateway: VenueGateway) -> None:
    request = replace(FIRST, price=D(50000), time_in_force=TimeInForce.GTC)

    order = gateway.submit_order(request)

    assert order.status is VenueOrderStatus.OPEN
    assert [o.client_order_id for o in gateway.fetch_open_orders(SYMBOL)] == [CLIENT_ID]
    assert [o.client_order_id for o in gateway.fetch_open_orders()] == [CLIENT_ID]
    assert gateway.fetch_balances()["USDT"].held == D(35000)

    gateway.cancel_order(symbol=SYMBOL, client_order_id=CLIENT_ID)

    found = gateway.fetch_order(symbol=SYMBOL, client_order_id=CLIENT_ID)
    assert found.status is VenueOrderStatus.CANCELED
    assert found.filled_quantity == 0
    assert gateway.fetch_balances()["USDT"].held == 0


def test_an_order_is_found_by_either_id(gateway: VenueGateway) -> None:
    sent = gateway.submit_order(FIRST)

    by_ours = gateway.fetch_order(symbol=SYMBOL, client_order_id=CLIENT_ID)
    by_theirs = gateway.fetch_order(symbol=SYMBOL, venue_order_id=sent.venue_order_id)

    assert by_ours == by_theirs
    assert by_ours.venue_order_id == sent.venue_order_id
    assert by_ours.filled_quantity == D("0.5")


def test_an_order_that_was_never_sent_is_absent(gateway: VenueGateway) -> None:
    with pytest.raises(OrderAbsent):
        gateway.fetch_order(symbol=SYMBOL, client_order_id="arbtests00000000000never")
    with pytest.raises(OrderAbsent):
        gateway.cancel_order(symbol=SYMBOL, client_order_id="arbtests00000000000never")


def test_a_repeated_client_id_is_recognised_and_trades_once(
    stage: Stage, gateway: VenueGateway
) -> None:
    gateway.submit_order(replace(FIRST, quantity=D("0.1")))
    before = stage.statement()

    with pytest.raises(DuplicateClientId):
        gateway.submit_order(replace(FIRST, quantity=D("0.1")))

    assert stage.statement() == before


def test_fills_carry_price_quantity_fee_and_ids(stage: Stage, gateway: VenueGateway) -> None:
    sent = gateway.submit_order(replace(FIRST, quantity=D("0.7"), price=D("60010.5")))

    fills = gateway.fetch_fills(SYMBOL, venue_order_id=sent.venue_order_id)

    assert [(f.price, f.quantity) for f in fills] == [
        (D(60000), D("0.5")),
        (D("60010.5"), D("0.2")),
    ]
    for fill in fills:
        taxed = fill.price * fill.quantity if stage.is_fee_in_quote else fill.quantity
        assert fill.fee == taxed * stage.taker_fee
        assert fill.fee_asset == ("USDT" if stage.is_fee_in_quote else "BTC")
    assert len({fill.venue_trade_id for fill in fills}) == 2
    assert all(fill.venue_order_id == sent.venue_order_id for fill in fills)
    assert all(fill.side is Side.BUY for fill in fills)
    assert [fill.venue_trade_id for fill in gateway.fetch_fills(SYMBOL)] == [
        fill.venue_trade_id for fill in fills
    ]


def test_fills_since_a_moment_leave_out_the_older_ones(gateway: VenueGateway) -> None:
    gateway.submit_order(FIRST)
    now_ms = SYSTEM_CLOCK.now_ms()

    assert len(gateway.fetch_fills(SYMBOL, since_ms=now_ms - 60_000)) == 1
    assert gateway.fetch_fills(SYMBOL, since_ms=now_ms + 60_000) == []


def test_a_history_that_is_longer_than_one_answer_is_read_to_its_end(
    gateway: VenueGateway,
) -> None:
    since_ms = SYSTEM_CLOCK.now_ms() - 60_000
    sent = [
        gateway.submit_order(
            replace(FIRST, quantity=D("0.004"), client_order_id=f"arbtests{number:016}")
        ).venue_order_id
        for number in range(MANY)
    ]

    fills = gateway.fetch_fills(SYMBOL, since_ms=since_ms)

    assert sorted(fill.venue_order_id for fill in fills) == sorted(sent)
    (oldest,) = gateway.fetch_fills(SYMBOL, since_ms=since_ms, venue_order_id=sent[0])
    assert oldest in fills


def test_too_little_money_is_a_definite_refusal(stage: Stage, gateway: VenueGateway) -> None:
    with pytest.raises(InsufficientFunds):
        gateway.submit_order(replace(FIRST, quantity=D(10)))

    assert stage.statement()["USDT"] == D(100000)


@pytest.mark.parametrize(
    "request_",
    [
        replace(FIRST, quantity=D("0.000001")),
        replace(FIRST, quantity=D("0.100001")),
        replace(FIRST, price=D("60000.05")),
        replace(FIRST, price=D("0.001")),
    ],
    ids=["quantity below the lot", "quantity off the grid", "price off the grid", "price zero"],
)
def test_numbers_off_the_grid_are_refused_before_anything_is_sent(
    request_: OrderRequest, stage: Stage, gateway: VenueGateway
) -> None:
    with pytest.raises(VenueRejected, match="on its grid"):
        gateway.submit_order(request_)

    assert stage.statement()["USDT"] == D(100000)
    with pytest.raises(OrderAbsent):
        gateway.fetch_order(symbol=SYMBOL, client_order_id=CLIENT_ID)


def test_a_market_that_does_not_exist_is_named(gateway: VenueGateway) -> None:
    for call in (
        lambda: gateway.fetch_book("NO/SUCH"),
        lambda: gateway.fetch_ticker("NO/SUCH"),
        lambda: gateway.fetch_candles("NO/SUCH"),
    ):
        with pytest.raises(UnknownSymbol, match="NO/SUCH"):
            call()


def test_a_write_on_a_market_that_does_not_exist_is_a_definite_refusal(
    gateway: VenueGateway,
) -> None:
    for call in (
        lambda: gateway.submit_order(replace(FIRST, symbol="NO/SUCH")),
        lambda: gateway.cancel_order(symbol="NO/SUCH", client_order_id=CLIENT_ID),
    ):
        with pytest.raises(VenueRejected, match="NO/SUCH"):
            call()


def test_a_wrong_secret_is_named_for_what_it_is(stage: Stage) -> None:
    wrong = replace(stage.credentials, api_secret="d3Jvbmctd3Jvbmctd3Jvbmc=")
    gateway = gateway_for(stage.spec, wrong)

    for call in (
        gateway.fetch_balances,
        gateway.fetch_permissions,
        lambda: gateway.submit_order(FIRST),
    ):
        with pytest.raises(VenueAuthFailed) as failure:
            call()
        assert wrong.api_secret not in str(failure.value)
        assert wrong.api_key not in str(failure.value)


def test_calls_that_need_a_key_fail_without_one(stage: Stage) -> None:
    gateway = gateway_for(stage.spec)

    with pytest.raises(VenueAuthFailed):
        gateway.fetch_balances()
    with pytest.raises(VenueAuthFailed):
        gateway.submit_order(FIRST)


def test_permissions_of_a_key_are_found(stage: Stage, gateway: VenueGateway) -> None:
    found = {finding.name: finding.is_granted for finding in gateway.fetch_permissions()}

    assert list(found) == ["read", "trade", "withdraw", "transfer", "ip_restricted"]
    assert (found["read"], found["trade"]) == (True, True if stage.moves_funds else None)


def test_funds_move_between_wallets_exactly(stage: Stage, gateway: VenueGateway) -> None:
    _need_funds_calls(stage)
    before = gateway.fetch_balances(Wallet.FUNDING).get("USDT")

    moved = gateway.transfer(
        asset="USDT",
        amount=D("10.12345678"),
        from_wallet=Wallet.SPOT,
        to_wallet=Wallet.FUNDING,
    )

    assert moved.venue_transfer_id
    assert moved.status is VenueTransferStatus.DONE
    assert stage.statement()["USDT"] == D("99989.87654322")
    after = gateway.fetch_balances(Wallet.FUNDING)["USDT"].free
    assert after - (before.free if before else 0) == D("10.12345678")


def test_moving_more_than_there_is_is_refused(stage: Stage, gateway: VenueGateway) -> None:
    with pytest.raises(VenueRejected):
        gateway.transfer(
            asset="USDT", amount=D("1e6"), from_wallet=Wallet.SPOT, to_wallet=Wallet.FUNDING
        )

    assert stage.statement()["USDT"] == D(100000)


def test_a_withdrawal_takes_exactly_the_amount_and_is_found_by_our_id(
    stage: Stage, gateway: VenueGateway
) -> None:
    _need_funds_calls(stage)
    own_id = "arbtests00000000000000w1"
    gateway.transfer(asset="USDT", amount=D(20), from_wallet=Wallet.SPOT, to_wallet=Wallet.FUNDING)
    here = gateway.fetch_deposit_address("USDT")
    spot = gateway.fetch_balances()["USDT"].free
    funding = gateway.fetch_balances(Wallet.FUNDING)["USDT"].free

    sent = gateway.withdraw(
        amount=D("11.23456789"),
        destination=DepositAddress("USDT", f"{here.address}x"),
        client_transfer_id=own_id,
    )

    assert (sent.status, sent.client_transfer_id) == (VenueTransferStatus.PENDING, own_id)
    left = (
        gateway.fetch_balances()["USDT"].free + gateway.fetch_balances(Wallet.FUNDING)["USDT"].free
    )
    assert spot + funding - left == D("11.23456789")
    listed = gateway.fetch_withdrawals("USDT")
    assert [(row.client_transfer_id, row.amount) for row in listed] == [(own_id, D("11.23456789"))]
    assert listed[0].venue_transfer_id == sent.venue_transfer_id


def test_no_deposits_are_no_deposits(stage: Stage, gateway: VenueGateway) -> None:
    _need_funds_calls(stage)
    assert gateway.fetch_deposits("USDT") == []


def test_fees_of_the_account_are_its_own_where_the_venue_tells(
    stage: Stage, gateway: VenueGateway
) -> None:
    fees = gateway.fetch_fees([SYMBOL])

    assert {fee.taker for fee in fees.values()} <= {stage.taker_fee}
    assert bool(fees) is stage.moves_funds


def test_candles_of_a_width_that_the_venue_has_not_are_refused(gateway: VenueGateway) -> None:
    with pytest.raises(VenueRejected, match="7m"):
        gateway.fetch_candles(SYMBOL, "7m")


def test_a_venue_that_is_not_there_is_unavailable_for_reads_and_writes(stage: Stage) -> None:
    nowhere = replace(stage.spec, rest_origin="http://127.0.0.1:9/x")
    gateway = gateway_for(nowhere, stage.credentials)

    for call in (
        lambda: gateway.fetch_book(SYMBOL),
        gateway.fetch_markets,
        gateway.fetch_balances,
        lambda: gateway.submit_order(FIRST),
    ):
        with pytest.raises(VenueUnavailable) as failure:
            call()
        assert type(failure.value) is VenueUnavailable


def test_many_threads_share_a_gateway(stage: Stage, gateway: VenueGateway) -> None:
    stage.set_book(SYMBOL, bids=[("59990", "1")], asks=[("60000", "1.9")])
    requests = [
        replace(FIRST, quantity=D("0.01"), client_order_id=f"arbtests{number:016d}")
        for number in range(100)
    ]
    since_ms = SYSTEM_CLOCK.now_ms() - 60_000

    with ThreadPoolExecutor(8) as threads:
        orders = list(threads.map(gateway.submit_order, requests))

    assert [order.client_order_id for order in orders] == [r.client_order_id for r in requests]
    assert all(order.filled_quantity == D("0.01") for order in orders)
    fills = gateway.fetch_fills(SYMBOL, since_ms=since_ms)
    assert sum(fill.quantity for fill in fills) == D(1)
    assert stage.statement()["BTC"] == 3 - _fee(stage, D(1), is_quote=False)


def test_representations_show_no_secret(gateway: VenueGateway, stage: Stage) -> None:
    shown = repr(stage.credentials) + repr(gateway) + repr(Credentials("key", "top-secret"))

    assert "secret" not in shown.replace("api_secret", "")


def _fee(stage: Stage, amount: D, *, is_quote: bool) -> D:
    """Return the fee of a buy that is taken from this side's amount."""
    return amount * stage.taker_fee if stage.is_fee_in_quote is is_quote else D(0)


def _need_funds_calls(stage: Stage) -> None:
    if not stage.moves_funds:
        pytest.skip("the kraken fake moves no funds")
