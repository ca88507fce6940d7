"""What everything is worth, with prices from the venues; the unknown is never zero."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest

from accounts.domain.transfers import TransferState
from accounts.models import Transfer
from arbplatform.core.clock import FixedClock
from ledger.domain.orders import OrderState
from ledger.domain.pnl import Valuation
from ledger.domain.postings import Book, Line, Purse
from ledger.models import AssetPrice, EntryKind, EquitySnapshot, LogEntry
from ledger.selectors import (
    count_orders,
    get_figures,
    pnl_by_asset,
    pnl_by_strategy,
    value_in_reporting,
)
from ledger.services.entries import book_entry
from ledger.services.equity import take_snapshot
from ledger.services.fills import book_fills
from ledger.services.journal import write_orders
from ledger.services.openings import ensure_opened
from ledger.services.prices import refresh_prices
from ledger.services.transfers import book_transfer
from markets.domain.book import Book as OrderBook
from markets.domain.funds import Wallet
from markets.domain.orders import Side
from markets.models import Asset, Market, Venue, VenueStateChoice
from strategies.models import Strategy
from tests.ledger.fakes import NOW_MS, make_fill

DAY_MS = 86_400_000


def take(clock):
    snapshot = take_snapshot(clock=clock)
    assert snapshot is not None
    return snapshot


@pytest.fixture
def priced(venue, beta):
    """Books of both markets at alpha; beta shows none."""
    venue.set_book("BTC/USDT", "59999", "60001")
    venue.set_book("ETH/USDT", "2999", "3000")
    return venue


def test_prices_are_the_middle_of_the_book(priced, clock):
    prices = refresh_prices(assets=["BTC", "ETH"], clock=clock)

    assert prices == {"USDT": D(1), "BTC": D(60_000), "ETH": D("2999.5")}
    row = AssetPrice.objects.get(asset__code="BTC")
    assert (row.price, row.source, row.priced_at) == (D(60_000), "BTC/USDT", clock.now())


def test_the_next_venue_is_asked_when_one_does_not_answer(alpha, beta, clock):
    beta[1].set_book("BTC/USDT", "100", "102")

    assert refresh_prices(assets=["BTC"], clock=clock)["BTC"] == D(101)


def test_venues_that_list_a_pair_are_asked_at_once_and_most_of_them_are_right(make_venue, clock):
    for code, bid, ask in (("a", "99", "101"), ("b", "5", "7"), ("c", "100", "102")):
        fake = make_venue(code)[1]
        fake.set_book("BTC/USDT", bid, ask)

    assert refresh_prices(assets=["BTC"], clock=clock)["BTC"] == D(100)


def test_of_two_venues_the_one_with_closer_prices_is_right(alpha, beta, clock):
    alpha[1].set_book("BTC/USDT", "90", "130")
    beta[1].set_book("BTC/USDT", "100", "102")

    assert refresh_prices(assets=["BTC"], clock=clock)["BTC"] == D(101)


def test_a_venue_that_is_ill_is_believed_only_where_no_other_says_anything(alpha, beta, clock):
    alpha[1].set_book("BTC/USDT", "90", "130")
    beta[1].set_book("BTC/USDT", "100", "102")
    Venue.objects.filter(code="beta").update(state=VenueStateChoice.MAINTENANCE)

    assert refresh_prices(assets=["BTC"], clock=clock)["BTC"] == D(110)

    Venue.objects.filter(code="alpha").update(state=VenueStateChoice.DEGRADED)

    assert refresh_prices(assets=["BTC"], clock=clock)["BTC"] == D(101)


@pytest.fixture
def play(make_venue):
    """A venue on this machine, that is: a simulated one."""
    account, fake = make_venue("play")
    Venue.objects.filter(pk=account.venue_id).update(rest_origin="http://127.0.0.1:9/play")
    fake.set_book("BTC/USDT", "1", "3")
    fake.set_book("ETH/USDT", "5", "7")
    return fake


def test_a_simulated_venue_prices_nothing_that_a_real_one_lists(alpha, play, clock):
    alpha[1].set_book("BTC/USDT", "99", "101")

    prices = refresh_prices(assets=["BTC", "ETH"], clock=clock)

    # alpha lists ETH, too: that it says nothing now is no reason to believe in play
    assert prices == {"USDT": D(1), "BTC": D(100)}


def test_what_only_a_simulated_venue_lists_is_priced_there_and_by_nothing_else(alpha, play, clock):
    alpha[1].set_book("BTC/USDT", "99", "101")
    Market.objects.filter(venue__code="alpha", symbol="ETH/USDT").delete()
    Market.objects.filter(venue__code="play", symbol="ETH/USDT").update(
        symbol="ETH/BTC", quote=Asset.objects.get(code="BTC")
    )
    play.set_book("ETH/BTC", "5", "7")

    prices = refresh_prices(assets=["BTC", "ETH"], clock=clock)

    assert (prices["BTC"], prices["ETH"]) == (D(100), D(6) * D(2))  # by its own way to USDT


def test_on_a_platform_of_simulated_venues_they_price_everything(play, clock):
    assert refresh_prices(assets=["BTC"], clock=clock)["BTC"] == D(2)


@pytest.mark.parametrize(("bids", "asks"), [((), ()), (("102",), ("100",))])
def test_an_empty_or_crossed_book_gives_no_price(venue, clock, bids, asks):
    venue.set_book("BTC/USDT", "1", "2")
    level = venue.books["BTC/USDT"].bids[0]
    venue.books["BTC/USDT"] = OrderBook(
        "alpha",
        "BTC/USDT",
        tuple(level._replace(price=D(price)) for price in bids),
        tuple(level._replace(price=D(price)) for price in asks),
        NOW_MS,
    )

    assert "BTC" not in refresh_prices(assets=["BTC"], clock=clock)


def test_a_price_that_cannot_be_renewed_is_used_for_ten_minutes(priced, clock):
    refresh_prices(assets=["BTC"], clock=clock)
    priced.books.clear()

    clock.advance_ms(600_000)
    assert refresh_prices(assets=["BTC"], clock=clock)["BTC"] == D(60_000)
    clock.advance_ms(1)
    assert "BTC" not in refresh_prices(assets=["BTC"], clock=clock)


def test_another_reporting_asset_by_way_of_a_second_market(priced, clock, assets, settings):
    settings.REPORTING_ASSET = "ETH"

    prices = refresh_prices(assets=["BTC", "USDT"], clock=clock)

    assert prices["ETH"] == 1
    assert prices["BTC"].quantize(D("0.0001")) == D("20.0033")


def test_amounts_are_valued_by_the_stored_prices(priced, clock):
    refresh_prices(assets=["BTC"], clock=clock)
    calls = len(priced.calls)

    value = value_in_reporting({"BTC": D("0.5"), "USDT": D(-10), "XYZ": D(3)}, clock=clock)

    assert value == Valuation(D(29_990), ("XYZ",))
    assert len(priced.calls) == calls


def test_a_snapshot_shows_amount_price_and_value_by_venue(priced, alpha, beta, clock):
    for account, _ in (alpha, beta):
        ensure_opened(account_id=account.pk, clock=clock)

    snapshot = take(clock)

    assert (snapshot.total, snapshot.realised_pnl) == (D(440_000), D(0))
    assert (snapshot.taken_at, snapshot.reporting_asset.code) == (clock.now(), "USDT")
    assert snapshot.breakdown == [
        {"venue": venue, "asset": asset, "amount": amount, "price": price, "value": value}
        for venue in ("alpha", "beta")
        for asset, amount, price, value in (
            ("BTC", "2", "60000", "120000"),
            ("USDT", "100000", "1", "100000"),
        )
    ]


def test_what_has_no_price_is_named_and_left_out_of_the_total(priced, account, clock):
    priced.balances[Wallet.SPOT] = {"XYZ": D(7), "USDT": D(5)}
    ensure_opened(account_id=account.pk, clock=clock)

    take(clock)
    snapshot = take(clock)

    assert snapshot.total == D(5)
    assert {row["asset"]: row["value"] for row in snapshot.breakdown} == {"USDT": "5", "XYZ": None}
    assert str(LogEntry.objects.get().to_message()) == (
        "No price is known for XYZ: the total assets are stated without them."
    )


def test_an_absurd_price_keeps_no_snapshot_from_being_made(priced, account, clock):
    priced.set_book("BTC/USDT", "8000000000000000000000", "9000000000000000000000")
    ensure_opened(account_id=account.pk, clock=clock)

    snapshot = take(clock)

    assert snapshot.total == D(100_000)
    row = next(row for row in snapshot.breakdown if row["asset"] == "BTC")
    assert (row["price"], row["value"]) == (None, None)


def test_funds_in_transit_belong_to_the_total(priced, alpha, beta, clock, assets):
    ensure_opened(account_id=alpha[0].pk, clock=clock)
    transfer = Transfer.objects.create(
        idempotency_key="t",
        client_transfer_id="t",
        from_account=alpha[0],
        from_wallet=Wallet.SPOT,
        to_account=beta[0],
        to_wallet=Wallet.SPOT,
        asset=assets["BTC"],
        amount=D(1),
        fee=D("0.5"),
        state=TransferState.SUBMITTED,
    )
    book_transfer(transfer_id=transfer.pk)

    snapshot = take(clock)

    assert snapshot.total == D(190_000)
    assert [row for row in snapshot.breakdown if row["venue"] is None] == [
        {"venue": None, "asset": "BTC", "amount": "0.5", "price": "60000", "value": "30000"}
    ]


def test_empty_books_make_no_snapshot(venue, clock):
    assert take_snapshot(clock=clock) is None
    assert not EquitySnapshot.objects.exists()


# results --------------------------------------------------------------------------------------


@pytest.fixture
def trade(make_plan, make_execution):
    """Book an arbitrage of 0.1 BTC at 60,000 and 60,200 for a strategy at a moment."""
    number = iter(range(100))

    def make(strategy: Strategy, executed_at_ms: int) -> None:
        execution = make_execution(strategy)
        leg = {
            "strategy_id": strategy.pk,
            "execution_id": execution.pk,
            "quantity": D("0.1"),
        }
        plans = [make_plan(0, **leg), make_plan(1, side=Side.SELL, price=D(60_200), **leg)]
        for order in write_orders(plans=plans):
            fill = make_fill(order, f"t{next(number)}", executed_at_ms=executed_at_ms)
            book_fills(order=order, fills=[fill])

    return make


# bought 0.1 BTC less 0.1 %, sold 0.1 BTC for 6,020 less 0.1 %
ONE_TRADE = {"BTC": D("-0.0001"), "USDT": D("13.98")}


def times(count):
    return {asset: amount * count for asset, amount in ONE_TRADE.items()} if count else {}


def test_results_by_strategy_and_time(trade, strategy, account, venue, clock):
    other = Strategy.objects.create(name="other", type="triangular")
    midnight = datetime(2026, 1, 1, tzinfo=UTC)  # NOW_MS
    trade(strategy, NOW_MS - DAY_MS - 1)
    trade(strategy, NOW_MS - 1)
    trade(strategy, NOW_MS)
    trade(other, NOW_MS + 3_600_000)
    ensure_opened(account_id=account.pk, clock=clock)

    assert pnl_by_asset() == times(4)
    assert pnl_by_asset(strategy.pk) == times(3)
    assert pnl_by_asset(other.pk) == times(1)
    assert pnl_by_asset(strategy.pk + other.pk) == {}
    assert pnl_by_asset(since=midnight) == times(2)
    assert pnl_by_asset(strategy.pk, since=midnight) == times(1)
    # within a day, to the microsecond
    assert pnl_by_asset(since=midnight - timedelta(milliseconds=1)) == times(3)
    assert pnl_by_asset(since=midnight + timedelta(microseconds=1)) == times(1)
    assert pnl_by_asset(since=midnight + timedelta(hours=1, microseconds=1)) == {}
    assert pnl_by_strategy() == {strategy.pk: times(3), other.pk: times(1)}
    assert pnl_by_strategy(midnight) == {strategy.pk: times(1), other.pk: times(1)}


def test_openings_transfers_and_external_movements_are_no_result(account, venue, clock):
    ensure_opened(account_id=account.pk, clock=clock)
    book_entry(
        key="gift",
        kind=EntryKind.EXTERNAL,
        lines=[Purse(account.pk).line("BTC", D(1)), Line(Book.EXTERNAL, "BTC", D(-1))],
        occurred_at=clock.now(),
    )

    assert pnl_by_asset() == {}


def test_today_begins_at_utc_midnight(trade, strategy, priced, account):
    trade(strategy, NOW_MS - 1)
    trade(strategy, NOW_MS)
    clock = FixedClock(at_ms=NOW_MS + 1000)
    ensure_opened(account_id=account.pk, clock=clock)
    take_snapshot(clock=clock)

    figures = get_figures(clock=clock)

    assert figures.today == times(1)
    assert figures.today_value == Valuation(D("7.98"), ())
    assert figures.equity == EquitySnapshot.objects.get()
    assert figures.equity.realised_pnl == D("15.96")


def test_figures_before_anything_happened(db, clock):
    figures = get_figures(clock=clock)

    assert (figures.equity, figures.today, figures.today_value) == (None, {}, Valuation(D(0), ()))
    assert figures.total_value is None


def test_results_of_today_and_of_all_days_are_of_the_same_moment(trade, strategy, priced, account):
    """The snapshot is older than the second trade: its result would contradict today's."""
    clock = FixedClock(at_ms=NOW_MS + 1000)
    ensure_opened(account_id=account.pk, clock=clock)
    trade(strategy, NOW_MS)
    take_snapshot(clock=clock)
    trade(strategy, NOW_MS + 1)

    figures = get_figures(clock=clock)

    assert figures.today_value == figures.total_value == Valuation(D("15.96"), ())


def test_orders_are_counted_by_state(order, make_plan, strategy):
    write_orders(plans=[make_plan(1, strategy_id=None, execution_id=None)])

    assert count_orders(OrderState.PENDING) == 2
    assert count_orders(OrderState.PENDING, strategy_id=strategy.pk) == 1
    assert count_orders(OrderState.UNKNOWN) == 0
