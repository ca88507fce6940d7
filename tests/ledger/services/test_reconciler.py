"""The reconciler against a venue in memory: what it books, what it only watches, when it stops."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Transfer
from arbplatform.core.clock import to_ms
from arbplatform.core.errors import Message
from arbplatform.core.ids import derive_client_id
from ledger.domain.orders import OrderState
from ledger.domain.reconciliation import OVERLAP
from ledger.errors import BooksNotOpened, ReconciliationBusy
from ledger.models import (
    AccountReconciliation,
    Discrepancy,
    Entry,
    EntryKind,
    Fill,
    LogEntry,
    Order,
    ReconciliationRun,
    TradingHalt,
)
from ledger.selectors import wallet_balances
from ledger.services import reconciler
from ledger.services.discrepancies import acknowledge
from ledger.services.fills import book_fills
from ledger.services.journal import submit_orders, write_orders
from ledger.services.openings import ensure_opened
from ledger.services.reconciler import reconcile_account, reconcile_accounts
from markets.domain.funds import VenueTransfer, VenueTransferStatus, Wallet
from markets.domain.orders import Side, TimeInForce, VenueOrderStatus
from markets.errors import NotSupportedByVenue, OrderAbsent, VenueRejected, VenueUnavailable
from markets.gateway.limiter import BACKGROUND_RESERVE_MS, Urgency, reserve_of
from tests.ledger.reconciled import assert_equal_to, by_hand


def moved(kind, amount, asset="USDT", status=VenueTransferStatus.DONE, **fields):
    return VenueTransfer(kind, asset, D(amount), None, status, **fields)


def only():
    return Discrepancy.objects.get()


def is_reducing(account):
    halts = TradingHalt.objects.filter(key=f"account:{account.pk}", state="reducing")
    return halts.exists()


# nothing is wrong -----------------------------------------------------------------------------


def test_equal_books_are_clean(look, opened_books, bought, clock):
    run = look()

    assert (run.outcome, run.unsolved_count, run.booked_count) == ("clean", 0, 0)
    state = AccountReconciliation.objects.get(account=opened_books)
    assert state.last_clean_at == state.read_until == run.started_at
    assert (state.token, state.lease_until) == ("", None)
    assert not Discrepancy.objects.exists()


def test_a_round_asks_after_all_others(look, opened_books, venue):
    reserves = set()
    venue.on_call = lambda _name: reserves.add(reserve_of(Urgency.LOOKUP, 0))

    look()

    assert reserves == {BACKGROUND_RESERVE_MS}
    assert reserve_of(Urgency.LOOKUP, 0) < BACKGROUND_RESERVE_MS


def test_one_round_of_an_account_at_a_time(opened_books, venue, clock):
    def begin_another(name):
        venue.on_call = lambda _name: None
        with pytest.raises(ReconciliationBusy):
            reconcile_account(account_id=opened_books.pk, clock=clock)

    venue.on_call = begin_another

    assert reconcile_account(account_id=opened_books.pk, clock=clock).outcome == "clean"
    assert ReconciliationRun.objects.count() == 1


def test_a_round_whose_process_died_is_followed_by_another_one(opened_books, clock):
    AccountReconciliation.objects.update(
        token="dead", lease_until=clock.now() + timedelta(seconds=30)
    )
    with pytest.raises(ReconciliationBusy):
        reconcile_account(account_id=opened_books.pk, clock=clock)

    clock.advance_ms(30_000)

    assert reconcile_account(account_id=opened_books.pk, clock=clock).outcome == "clean"


def test_a_slow_round_keeps_others_out_as_long_as_it_asks(opened_books, venue, clock):
    calls = []

    def be_slow(name):
        calls.append(name)
        clock.advance_ms(30_000)
        if len(calls) == 2:
            with pytest.raises(ReconciliationBusy):
                reconcile_account(account_id=opened_books.pk, clock=clock)

    venue.on_call = be_slow

    assert reconcile_account(account_id=opened_books.pk, clock=clock).outcome == "clean"
    assert (len(calls) >= 2, ReconciliationRun.objects.count()) == (True, 1)


def test_a_round_whose_process_was_killed_keeps_others_out_for_less_than_a_minute(
    opened_books, venue, clock
):
    class Killed(BaseException):
        pass

    def die(*_args):
        raise Killed

    venue.on_call = die
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconciler, "_finish", die)  # a SIGKILL lets nobody clean up
        with pytest.raises(Killed):
            reconcile_account(account_id=opened_books.pk, clock=clock)
    venue.on_call = lambda _name: None
    with pytest.raises(ReconciliationBusy):
        reconcile_account(account_id=opened_books.pk, clock=clock)

    clock.advance_ms(45_000)

    assert reconcile_account(account_id=opened_books.pk, clock=clock).outcome == "clean"


def test_a_round_that_took_too_long_writes_nothing(opened_books, venue, clock):
    venue.balances[Wallet.SPOT]["USDT"] += 5

    def take_over(name):
        if name == "fetch_balances:funding":
            AccountReconciliation.objects.update(token="other")

    venue.on_call = take_over

    run = reconcile_account(account_id=opened_books.pk, clock=clock)

    assert run.outcome == "failed"
    assert run.to_error() == Message("The comparison took too long: another one has begun.")
    assert not Discrepancy.objects.exists()
    assert AccountReconciliation.objects.get().token == "other"


def test_unopened_books_cannot_be_compared(account, venue, clock):
    with pytest.raises(BooksNotOpened):
        reconcile_account(account_id=account.pk, clock=clock)
    assert venue.calls == []


def test_the_sweep_goes_on_after_a_failure(alpha, beta, clock):
    for account, _venue in (alpha, beta):
        ensure_opened(account_id=account.pk, clock=clock)
    clock.advance_ms(60_000)
    alpha[1].on_call = lambda name: 1 / 0

    assert reconcile_accounts(clock=clock) == 2

    outcomes = dict(ReconciliationRun.objects.values_list("account__venue__code", "outcome"))
    assert outcomes == {"alpha": "failed", "beta": "clean"}


def test_the_sweep_removes_no_comparison_however_old(alpha, clock):
    account, _venue = alpha
    ensure_opened(account_id=account.pk, clock=clock)
    reconcile_accounts(clock=clock)
    clock.advance_ms(100 * 86_400_000)

    reconcile_accounts(clock=clock)

    # RETENTION_COMPARISONS_DAYS says what goes, and never one that booked something
    assert ReconciliationRun.objects.count() == 2


# fills ----------------------------------------------------------------------------------------


def test_a_fill_that_was_missing_is_booked_from_the_venues_report(
    look, opened_books, venue, make_plan, clock
):
    venue.fill_fraction, venue.rest_status = D("0.2"), VenueOrderStatus.CANCELED
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    venue.execute(order.client_order_id, D("0.1"))  # after it was cancelled

    run = look()

    assert (run.outcome, run.booked_count) == ("clean", 1)
    found = only()
    assert (found.kind, found.state, found.seen_count) == ("missing_fill", "booked", 1)
    assert found.entry.fill.quantity == D("0.1")
    assert Order.objects.get(pk=order.pk).filled_quantity == D("0.2")
    assert_equal_to(venue, opened_books)


def test_a_fill_counted_twice_by_the_venue_is_not_booked_twice(look, opened_books, bought, venue):
    """Listed under two ids; the order's own report and the balances say it was one."""
    venue.fills.append(replace(venue.fills[-1], venue_trade_id="ghost"))

    for _round in range(3):
        assert look().outcome == "different"

    assert (Fill.objects.count(), Entry.objects.filter(kind="fill").count()) == (2, 2)
    found = only()
    assert (found.kind, found.state, found.stated) == ("missing_fill", "open", D("0.25"))
    assert "Nothing was booked" in str(found.to_message())
    venue.fills.pop()
    assert look().outcome == "clean"
    assert only().state == "closed"


def test_a_fill_that_is_booked_while_the_round_runs_is_not_counted_twice(
    look, opened_books, venue, make_plan, clock
):
    """The list was read, then the sender wrote the fill down, then the order was asked for."""
    venue.fill_fraction = D("0.2")
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    late = venue.execute(order.client_order_id, D("0.1"))

    def book_meanwhile(name):
        if name == "fetch_order":
            venue.on_call = lambda _name: None
            book_fills(order=order, fills=[late])

    venue.on_call = book_meanwhile

    assert look().outcome == "clean"
    assert not Discrepancy.objects.exists()
    assert_equal_to(venue, opened_books)


def test_a_booked_fill_that_is_not_listed_any_more_is_never_deleted(
    look, opened_books, bought, venue
):
    gone = venue.fills.pop()

    outcomes = [look().outcome for _round in range(6)]

    assert outcomes == ["different"] * 6
    assert Fill.objects.count() == 2
    found = only()
    assert (found.kind, found.state) == ("unlisted_fill", "alarmed")
    assert found.evidence["fill_id"] == str(Fill.objects.get(venue_trade_id=gone.venue_trade_id).pk)
    assert is_reducing(opened_books)


def test_a_fill_of_an_order_that_is_just_being_sent_is_left_to_its_sender(
    look, opened_books, venue, make_plan, clock
):
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    Order.objects.update(state=OrderState.SUBMITTING, submitted_at=clock.now(), next_lookup_at=None)
    venue._accept(order.to_request())
    Order.objects.update(submitted_at=clock.now() + timedelta(minutes=1))

    run = look()

    assert run.outcome == "different"
    assert not Fill.objects.exists()
    assert {row.state for row in Discrepancy.objects.all()} == {"explained"}
    assert "has not ended" in str(Discrepancy.objects.order_by("pk")[0].to_message())


# somebody else --------------------------------------------------------------------------------


def test_a_trade_of_a_person_is_imported_to_the_last_decimal(look, opened_books, venue):
    by_hand(venue)

    run = look()

    assert (run.outcome, run.booked_count) == ("clean", 2)
    entries = Entry.objects.filter(kind=EntryKind.EXTERNAL)
    assert entries.count() == 2
    assert "without the platform: buy 0.05 BTC/USDT at 50000" in str(entries[0].to_memo())
    assert {row.state for row in Discrepancy.objects.all()} == {"booked"}
    assert not Fill.objects.exists()
    assert_equal_to(venue, opened_books)
    assert look().booked_count == 0


def test_what_a_person_traded_before_the_opening_is_not_imported(account, venue, clock):
    venue.now_ms = clock.now_ms() - 1_000
    by_hand(venue)
    ensure_opened(account_id=account.pk, clock=clock)
    clock.advance_ms(60_000)
    venue.now_ms = clock.now_ms()
    by_hand(venue, client_order_id="web-2", side=Side.SELL)

    run = reconcile_account(account_id=account.pk, clock=clock)

    assert (run.outcome, run.booked_count) == ("clean", 2)
    assert_equal_to(venue, account)


def test_a_trade_that_the_balances_do_not_show_is_not_booked(look, opened_books, venue):
    by_hand(venue)
    venue.balances[Wallet.SPOT] = {"BTC": D(2), "USDT": D(100_000)}

    assert look().outcome == "clean"
    assert not Entry.objects.filter(kind=EntryKind.EXTERNAL).exists()


def test_a_strategy_whose_funds_a_person_took_is_restricted(
    look, opened_books, venue, make_plan, clock
):
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    plan = make_plan(side=Side.SELL, quantity=D("1.5"), time_in_force=TimeInForce.GTC)
    (order,) = write_orders(plans=[plan], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    venue.fill_fraction = D(1)
    by_hand(venue, quantity="1", side=Side.SELL)

    look()

    assert TradingHalt.objects.get(key=f"strategy:{order.strategy_id}").state == "reducing"
    line = LogEntry.objects.get(event="funds_moved_away")
    assert (line.strategy_id, line.context["needed"], line.context["held"]) == (
        order.strategy_id,
        "1.5",
        "1",
    )
    assert_equal_to(venue, opened_books)


def test_another_installation_raises_an_alarm_at_once(look, opened_books, venue):
    other = derive_client_id("zzzzz", "order", 1, 0, 0)
    by_hand(venue, client_order_id=other)

    run = look()

    found = Discrepancy.objects.get(kind="foreign_installation")
    assert (run.outcome, found.state, found.subject) == ("different", "alarmed", "arbzzzzz")
    assert is_reducing(opened_books)
    assert LogEntry.objects.filter(event="reconciliation_alarm").count() == 1
    assert_equal_to(venue, opened_books)  # the money is real, whoever traded


def test_an_order_of_ours_that_the_journal_does_not_know_raises_an_alarm(
    look, opened_books, venue, settings
):
    by_hand(venue, client_order_id=derive_client_id(settings.ARB_INSTALL_ID, "order", 77, 0, 0))

    look()

    assert Discrepancy.objects.get(kind="unknown_order").state == "alarmed"
    assert not Entry.objects.filter(kind=EntryKind.EXTERNAL).exists()


def test_orders_are_compared_without_all_that_belongs_to_each(look, opened_books, bought):
    with CaptureQueriesContext(connection) as queries:
        look()

    found = [one["sql"] for one in queries if '"ledger_order"."client_order_id" IN' in one["sql"]]
    assert found
    assert not any("JOIN" in sql for sql in found)


def test_an_open_order_of_a_person_is_shown_and_changes_nothing(look, opened_books, venue):
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    by_hand(venue)

    assert look().outcome == "clean"
    assert (only().kind, only().state) == ("foreign_order", "explained")
    venue.cancel_order(symbol="BTC/USDT", client_order_id="web-1")
    look()
    assert only().state == "closed"


# funds ----------------------------------------------------------------------------------------


def test_a_deposit_by_hand_is_booked_with_the_venues_id(look, opened_books, venue):
    venue.balances[Wallet.SPOT]["USDT"] += 500
    venue.deposits = [moved("dep-1", 500, tx_id="0xabc"), moved("dep-0", 20)]

    assert look().outcome == "clean"

    found = only()
    assert (found.kind, found.state, found.stated) == ("external_deposit", "booked", D(500))
    assert (found.entry.kind, found.evidence["tx_id"]) == (EntryKind.EXTERNAL, "0xabc")
    assert "dep-1" in found.entry.memo
    assert_equal_to(venue, opened_books)


def test_a_withdrawal_by_hand_that_fails_afterwards_comes_back(look, opened_books, venue):
    venue.balances[Wallet.SPOT]["USDT"] -= 70
    venue.withdrawals = [moved("w-1", 70, status=VenueTransferStatus.PENDING)]
    assert look().outcome == "clean"
    assert wallet_balances(opened_books.pk)["USDT"] == D(99_930)

    venue.balances[Wallet.SPOT]["USDT"] += 70
    venue.withdrawals = [moved("w-1", 70, status=VenueTransferStatus.FAILED)]

    assert look().outcome == "clean"
    assert list(Entry.objects.order_by("pk").values_list("kind", flat=True)) == [
        "opening",
        "external",
        "reversal",
    ]
    assert_equal_to(venue, opened_books)


def test_a_move_between_wallets_by_hand_is_booked_once(look, opened_books, venue):
    venue.balances[Wallet.SPOT]["USDT"] -= 30
    venue.balances[Wallet.FUNDING]["USDT"] = D(30)
    venue.moves = [(Wallet.SPOT, Wallet.FUNDING, moved("m-1", 30))]

    assert look().outcome == "clean"
    assert only().kind == "external_move"
    assert_equal_to(venue, opened_books)


def test_a_deposit_that_is_stated_but_not_in_the_balance_is_not_booked(look, opened_books, venue):
    venue.deposits = [moved("dep-1", 500)]
    venue.balances[Wallet.SPOT]["USDT"] += 499

    assert look().outcome == "different"
    assert Entry.objects.count() == 1
    assert (only().kind, only().state) == ("balance", "open")


# it converges or stops ------------------------------------------------------------------------


def test_a_difference_that_stays_ends_in_an_alarm_that_names_the_figures(look, opened_books, venue):
    venue.balances[Wallet.SPOT]["USDT"] -= D("0.000000000000000001")

    for _round in range(4):
        assert look().outcome == "different"
    assert (only().state, only().seen_count, is_reducing(opened_books)) == ("open", 4, False)
    look()
    look()

    found = only()
    assert (found.state, found.seen_count) == ("alarmed", 6)
    assert (found.booked, found.stated) == (D(100_000), D("99999.999999999999999999"))
    assert is_reducing(opened_books)
    line = LogEntry.objects.get(event="reconciliation_alarm")
    assert "99999.999999999999999999" in str(line.to_message())
    assert Entry.objects.count() == 1  # no fudge was booked


def test_looking_again_and_again_within_a_moment_raises_no_alarm(opened_books, venue, clock):
    venue.balances[Wallet.SPOT]["USDT"] -= 1

    for _round in range(20):
        reconcile_account(account_id=opened_books.pk, clock=clock)

    assert (only().state, only().seen_count) == ("open", 20)


def test_a_difference_that_disappears_is_closed(look, opened_books, venue):
    venue.balances[Wallet.SPOT]["USDT"] -= 1
    look()
    venue.balances[Wallet.SPOT]["USDT"] += 1

    assert look().outcome == "clean"
    assert only().state == "closed"


def test_an_acknowledged_difference_is_watched_again_when_its_figures_change(
    look, opened_books, venue, superuser, clock
):
    venue.balances[Wallet.SPOT]["USDT"] -= 1
    for _round in range(6):
        look()
    acknowledge(discrepancy_id=only().pk, note="a bonus is due", user=superuser, clock=clock)

    assert look().outcome == "clean"
    assert only().state == "explained"
    venue.balances[Wallet.SPOT]["USDT"] -= 1
    assert look().outcome == "different"
    assert only().state == "alarmed"


def test_histories_are_read_back_to_what_they_may_still_solve(
    look, bought, venue, superuser, clock
):
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    by_hand(venue)  # stays open for weeks
    look()
    venue.balances[Wallet.SPOT]["USDT"] -= 1
    look()
    oldest = Discrepancy.objects.get(kind="balance")
    clock.advance_ms(86_400_000)
    Order.objects.update(updated_at=clock.now())
    AccountReconciliation.objects.update(activity=None)  # as if a round had seen it happen

    before = look()
    since_ms = to_ms(oldest.first_seen_at - 2 * OVERLAP)
    assert venue.asked_since_ms == {"fetch_fills": since_ms, "fetch_orders": since_ms}

    acknowledge(discrepancy_id=oldest.pk, note="a bonus is due", user=superuser, clock=clock)
    look()
    assert venue.asked_since_ms["fetch_orders"] == to_ms(before.started_at - OVERLAP)


# reads that fail ------------------------------------------------------------------------------


def test_of_a_failed_read_nothing_is_concluded(look, opened_books, bought, venue):
    venue.balances[Wallet.SPOT]["USDT"] -= 1
    look()
    venue.balances[Wallet.SPOT]["USDT"] += 1
    venue.failures["fetch_balances"] = [VenueUnavailable(venue="alpha", cause="timeout")]

    run = look()

    assert (run.outcome, run.error_code) == ("failed", VenueUnavailable.code)
    assert (only().state, only().seen_count) == ("open", 1)  # not closed by silence
    assert AccountReconciliation.objects.get().failure_count == 1
    assert look().outcome == "clean"


def test_after_a_failed_read_the_venue_is_asked_nothing_more(look, opened_books, bought, venue):
    venue.failures["fetch_fills"] = [VenueUnavailable(venue="alpha", cause="timeout")]
    before = len(venue.calls)

    assert look().outcome == "failed"
    assert venue.calls[before:] == ["fetch_fills"]


# transfers of the platform ---------------------------------------------------------------------


@pytest.fixture
def make_transfer(opened_books, beta, assets):
    """Write a transfer from alpha to beta down, in any state."""

    def make(state, **fields):
        usual = {
            "idempotency_key": "one",
            "client_transfer_id": "arb-transfer-1",
            "to_account": beta[0],
            "to_wallet": "spot",
        }
        return Transfer.objects.create(
            from_account=opened_books,
            from_wallet="spot",
            asset=assets["USDT"],
            amount=D(70),
            state=state,
            **usual | fields,
        )

    return make


def test_a_deposit_that_may_be_a_transfer_of_ours_is_not_imported(beta, make_transfer, clock):
    account, venue = beta
    ensure_opened(account_id=account.pk, clock=clock)
    clock.advance_ms(60_000)
    make_transfer("in_transit", venue_transfer_id="w-1")
    venue.balances[Wallet.SPOT]["USDT"] += 70
    venue.deposits = [moved("dep-1", 70)]

    run = reconcile_account(account_id=account.pk, clock=clock)

    assert (run.outcome, run.booked_count) == ("clean", 0)
    assert (only().kind, only().state) == ("balance", "explained")


def test_a_move_between_wallets_whose_reply_was_lost_leaves_nothing_unexplained(
    look, make_transfer, venue, opened_books, clock
):
    """Exactly what was asked for is missing here and there, and it is set aside: trading may begin.

    Of a cent more nothing is known, and after a quarter of an hour it is a person's business.
    """
    make_transfer("submitting", to_account=opened_books, to_wallet="funding")
    venue.balances[Wallet.SPOT]["USDT"] -= 70
    venue.balances[Wallet.FUNDING]["USDT"] = D(70)

    run = look()

    assert (run.outcome, run.booked_count, run.unsolved_count) == ("clean", 0, 0)
    assert {row.state for row in Discrepancy.objects.all()} == {"explained"}
    assert wallet_balances(opened_books.pk)["USDT"] == D(100_000)

    venue.balances[Wallet.SPOT]["USDT"] -= D("0.01")
    assert look().outcome == "different"

    venue.balances[Wallet.SPOT]["USDT"] += D("0.01")
    clock.advance_ms(900_000)
    assert (look().outcome, look().unsolved_count) == ("different", 2)


def test_a_withdrawal_whose_reply_was_lost_is_not_imported(look, make_transfer, venue):
    make_transfer("unknown")
    venue.balances[Wallet.SPOT]["USDT"] -= 70
    venue.withdrawals = [moved("w-1", 70)]

    assert (look().booked_count, only().state) == (0, "explained")


def test_a_withdrawal_of_ours_that_was_given_up_and_left_all_the_same_raises_an_alarm(
    look, make_transfer, venue
):
    make_transfer("failed")
    venue.balances[Wallet.SPOT]["USDT"] -= 70
    venue.withdrawals = [moved("w-1", 70, client_transfer_id="arb-transfer-1")]

    for _round in range(6):
        assert look().booked_count == 0

    assert (only().kind, only().state) == ("balance", "alarmed")


def test_a_transfer_of_unknown_fate_hides_no_trade_of_a_person(
    look, make_transfer, venue, opened_books
):
    """Both moved USDT: the trade is imported, the transfer waits for its own look-up."""
    make_transfer("unknown")
    venue.balances[Wallet.SPOT]["USDT"] -= 70
    by_hand(venue)

    run = look()

    assert (run.outcome, run.booked_count, run.unsolved_count) == ("clean", 2, 0)
    held = wallet_balances(opened_books.pk)
    assert held["BTC"] == venue.balances[Wallet.SPOT]["BTC"]
    assert held["USDT"] - venue.balances[Wallet.SPOT]["USDT"] == 70
    left = Discrepancy.objects.get(kind="balance")
    assert (left.asset, left.state) == ("USDT", "explained")


@pytest.mark.parametrize("has_left", [False, True])
def test_a_transfer_of_unknown_fate_hides_no_larger_movement_of_a_person(
    look, make_transfer, venue, opened_books, has_left
):
    """Whether ours has left or not: only one of both fits, and what is larger is none of ours."""
    make_transfer("unknown")
    venue.balances[Wallet.SPOT]["USDT"] += 500 - 80 - (70 if has_left else 0)
    venue.deposits = [moved("dep-1", 500), moved("dep-2", 30)]
    venue.withdrawals = [moved("w-1", 80), *([moved("w-2", 70)] if has_left else [])]

    run = look()

    assert (run.outcome, run.booked_count, run.unsolved_count) == ("clean", 2, 0)
    assert wallet_balances(opened_books.pk)["USDT"] == D(100_420)


@pytest.mark.parametrize(("amount", "outcome"), [("69.5", "different"), ("70", "clean")])
def test_what_may_be_a_transfer_of_ours_is_not_imported_even_if_it_fits(
    look, make_transfer, venue, amount, outcome
):
    make_transfer("unknown")
    venue.balances[Wallet.SPOT]["USDT"] -= D(amount)
    venue.withdrawals = [moved("w-1", amount)]

    run = look()

    assert (run.outcome, run.booked_count, only().state) == (outcome, 0, "explained")


def test_several_transfers_of_ours_that_are_credited_as_one_are_not_imported(
    beta, make_transfer, clock
):
    account, venue = beta
    ensure_opened(account_id=account.pk, clock=clock)
    clock.advance_ms(60_000)
    for number in "12":
        make_transfer("in_transit", idempotency_key=number, client_transfer_id=number)
    venue.balances[Wallet.SPOT]["USDT"] += 139
    venue.deposits = [moved("dep-1", 139)]

    run = reconcile_account(account_id=account.pk, clock=clock)

    assert (run.outcome, run.booked_count, only().state) == ("different", 0, "explained")


def test_a_history_that_cannot_be_had_hides_nothing_of_another_asset(look, opened_books, venue):
    """The coin of fees is in no market, and the venue lists funds by asset only."""
    venue.balances[Wallet.SPOT] |= {"BNB": D("0.5"), "USDT": D(100_500)}
    venue.deposits = [moved("dep-1", 500)]
    cause = "no history of BNB, which is in none of its markets"
    venue.failures["fetch_deposits"] = [NotSupportedByVenue(venue="alpha", cause=cause)]

    run = look()

    assert (run.outcome, run.booked_count, run.unsolved_count) == ("different", 1, 1)
    assert Discrepancy.objects.get(kind="external_deposit").stated == 500
    left = Discrepancy.objects.get(kind="balance")
    assert (left.asset, left.state) == ("BNB", "open")
    assert wallet_balances(opened_books.pk)["USDT"] == D(100_500)


@pytest.mark.parametrize(
    "case",
    [
        ("unknown", None, "0.1", False),
        ("rejected", OrderAbsent.code, "0.1", False),
        ("rejected", VenueRejected.code, "0.1", True),
        ("unknown", None, "0.2", True),
    ],
)
def test_a_trade_without_a_client_id_is_ours_only_if_an_order_is_missing(
    look, make_plan, venue, clock, case
):
    state, error_code, quantity, is_imported = case
    plan = make_plan(quantity=D(quantity), price=D(50_000))
    write_orders(plans=[plan], clock=clock)
    Order.objects.update(
        state=state, error_code=error_code, submitted_at=clock.now(), next_lookup_at=None
    )
    venue.knows_client_id = False
    by_hand(venue)

    assert look().booked_count == (2 if is_imported else 0)


def test_a_trade_whose_order_the_venue_denies_is_watched(look, opened_books, venue):
    by_hand(venue)
    venue.orders.clear()

    run = look()

    assert (run.outcome, run.booked_count) == ("different", 0)
    kinds = set(Discrepancy.objects.values_list("kind", "state"))
    assert ("missing_fill", "open") in kinds
