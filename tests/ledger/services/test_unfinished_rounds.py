"""Rounds of reconciliation that do not come to their end: nothing is concluded from them."""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from arbplatform.core.ids import derive_client_id
from ledger.errors import ComparisonBrokenOff
from ledger.models import AccountReconciliation, Discrepancy, Entry, ReconciliationRun
from ledger.services import round_memory
from ledger.services.discrepancies import acknowledge
from ledger.services.kept_histories import ACCOUNTS_MAX, KeptHistories
from ledger.services.missing_fills import FOREIGN_ORDERS_MAX
from markets.domain.funds import Wallet
from markets.errors import VenueRateLimited, VenueUnavailable
from markets.gateway.histories import Histories, shared
from tests.ledger.reconciled import assert_equal_to, by_hand


def found():
    row = Discrepancy.objects.get()
    return row.kind, row.state, row.seen_count


def test_a_round_that_breaks_off_in_the_middle_is_not_clean(look, opened_books, venue):
    """A worker that has to go must leave behind no word that its accounts are equal."""
    venue.balances[Wallet.SPOT]["USDT"] -= 1

    def end(_name):
        raise SystemExit

    venue.on_call = end
    before = AccountReconciliation.objects.get()
    with pytest.raises(SystemExit):
        look()

    run = ReconciliationRun.objects.get()
    assert (run.outcome, run.error_code) == ("failed", ComparisonBrokenOff.code)
    after = AccountReconciliation.objects.get()
    assert (after.last_clean_at, after.read_until, after.clean_round) == (
        before.last_clean_at,
        before.read_until,
        before.clean_round,
    )
    assert (after.token, after.failure_count) == ("", 1)


def test_a_trade_that_was_missing_is_not_gone_because_nobody_answered(look, bought, venue):
    venue.fills.append(replace(venue.fills[-1], venue_trade_id="ghost"))
    look()
    venue.failures["fetch_order"] = [VenueUnavailable(venue="alpha", cause="timeout")]

    assert look().outcome == "failed"

    assert found() == ("missing_fill", "open", 1)
    look()
    assert found()[2] == 2


def test_a_trade_that_no_room_was_left_to_look_at_is_not_gone(look, opened_books, venue):
    last = by_hand(venue)
    venue.orders.clear()
    look()
    assert Discrepancy.objects.filter(kind="missing_fill", state="open").count() == 2
    ghost = replace(venue.fills[0], quantity=D("0.2"))
    venue.fills[:0] = [
        replace(ghost, venue_trade_id=f"g{n}", venue_order_id=f"ghost-{n}")
        for n in range(FOREIGN_ORDERS_MAX)
    ]

    look()

    rows = Discrepancy.objects.filter(evidence__venue_order_id=last.venue_order_id)
    assert [row.state for row in rows] == ["open", "open"]


def test_more_orders_by_hand_than_one_round_asks_for_are_all_read_and_booked(
    look, opened_books, venue
):
    """What was not looked at is not read; the next round goes on where this one has stopped."""
    for number in range(2 * FOREIGN_ORDERS_MAX + 5):
        by_hand(venue, quantity="0.001", client_order_id=f"web-{number}")

    outcomes = [look().outcome for _round in range(3)]

    assert outcomes == ["different", "different", "clean"]
    assert Entry.objects.filter(kind="external").count() == len(venue.fills)
    assert_equal_to(venue, opened_books)
    assert look().outcome == "clean"
    assert AccountReconciliation.objects.get().strangers == {}


def test_of_more_strangers_than_are_kept_those_that_are_listed_still_stay(
    look, opened_books, venue, monkeypatch
):
    monkeypatch.setattr(round_memory, "STRANGERS_MAX", 2)
    venue.balances[Wallet.SPOT]["USDT"] -= 1  # so that no round explains everything
    listed = f"BTC/USDT|{by_hand(venue).venue_order_id}"
    look()
    known = {listed: "web-1", "BTC/USDT|gone-1": "web-2", "BTC/USDT|gone-2": "web-3"}
    AccountReconciliation.objects.update(strangers=known)

    assert look().outcome == "different"

    kept = AccountReconciliation.objects.get().strangers
    assert kept == {"BTC/USDT|gone-2": "web-3", listed: "web-1"}


def test_histories_do_not_count_as_read_while_an_order_was_not_looked_at(look, opened_books, venue):
    look()
    before = AccountReconciliation.objects.get().read_until
    for number in range(FOREIGN_ORDERS_MAX + 1):
        by_hand(venue, quantity="0.001", client_order_id=f"web-{number}")

    assert look().outcome == "different"

    assert AccountReconciliation.objects.get().read_until == before
    assert look().outcome == "clean"
    after = AccountReconciliation.objects.get()
    assert after.read_until == after.last_clean_at != before


def test_an_order_that_no_list_shows_is_not_back_because_nobody_answered(look, resting, venue):
    venue.hidden.add(resting.venue_order_id)
    look()
    venue.failures["fetch_orders"] = [VenueUnavailable(venue="alpha", cause="timeout")]

    assert look().outcome == "failed"

    assert found() == ("order_state", "open", 1)
    venue.hidden.clear()
    assert look().outcome == "clean"
    assert found()[1] == "closed"


def test_a_round_that_did_not_look_at_every_order_is_not_clean(look, resting, venue, monkeypatch):
    venue.hidden.add(resting.venue_order_id)
    before = AccountReconciliation.objects.get()
    monkeypatch.setattr("ledger.services.order_comparison.LOOKUPS_MAX", 0)

    assert look().outcome == "different"

    after = AccountReconciliation.objects.get()
    assert (after.read_until, after.last_clean_at) == (before.read_until, before.last_clean_at)
    monkeypatch.undo()
    venue.hidden.clear()
    assert look().outcome == "clean"


def test_an_acknowledged_trade_is_not_gone_because_histories_are_read_no_further_back(
    look, bought, venue, superuser, clock
):
    venue.fills.append(replace(venue.fills[-1], venue_trade_id="ghost"))
    look()
    row = Discrepancy.objects.get()
    acknowledge(discrepancy_id=row.pk, note="the venue errs", user=superuser, clock=clock)
    clock.advance_ms(1_200_000)
    look()
    ghost = venue.fills.pop()
    for _round in range(3):
        assert look().outcome == "clean"  # it is too old for the list
    assert found()[:2] == ("missing_fill", "explained")

    venue.fills.append(ghost)  # something else has the list read from further back
    assert look().outcome == "clean"

    assert found()[:2] == ("missing_fill", "explained")


def test_an_acknowledged_trade_that_the_list_would_show_is_gone(
    look, bought, venue, superuser, clock
):
    venue.fills.append(replace(venue.fills[-1], venue_trade_id="ghost"))
    look()
    row = Discrepancy.objects.get()
    acknowledge(discrepancy_id=row.pk, note="the venue errs", user=superuser, clock=clock)
    venue.fills.pop()

    assert look().outcome == "clean"
    assert found()[1] == "closed"


def test_what_a_person_has_acknowledged_is_not_gone_because_nobody_answered(
    look, opened_books, venue, superuser, clock
):
    by_hand(venue, client_order_id=derive_client_id("zzzzz", "order", 1, 0, 0))
    look()
    row = Discrepancy.objects.get(kind="foreign_installation")
    acknowledge(discrepancy_id=row.pk, note="ours too", user=superuser, clock=clock)
    venue.failures["fetch_open_orders"] = [VenueUnavailable(venue="alpha", cause="timeout")]

    assert look().outcome == "failed"

    row.refresh_from_db()
    assert row.state == "explained"


@pytest.fixture
def seen(venue):
    """What the reads of each round went by, by what was asked for."""
    rounds: list[dict[str, Histories | None]] = []

    def note(name):
        if name == "fetch_fills":
            rounds.append({})
        rounds[-1][name] = shared()

    venue.on_call = note
    return rounds


def test_histories_that_no_room_was_left_for_are_read_on_by_the_next_round(
    look, bought, venue, seen
):
    venue.failures["fetch_orders"] = [VenueRateLimited(venue="alpha", cause="slower")]

    assert [look().outcome for _round in range(3)] == ["failed", "clean", "clean"]

    first, second, third = [round_["fetch_fills"] for round_ in seen]
    assert first is second
    assert third is not first
    assert all(round_["fetch_orders"] is round_["fetch_fills"] for round_ in seen)


def test_only_histories_are_shared_and_not_what_is_asked_about_one_order(look, bought, venue, seen):
    venue.fills.append(replace(venue.fills[-1], venue_trade_id="ghost"))

    look()

    (round_,) = seen
    assert round_["fetch_fills"] is not None
    assert (round_["fetch_order"], round_["fetch_open_orders"]) == (None, None)


def test_of_so_many_accounts_histories_are_kept():
    shelf = KeptHistories()
    made = [Histories() for _account in range(ACCOUNTS_MAX + 1)]
    for account_id, histories in enumerate(made):
        shelf.keep(account_id, histories)

    assert shelf.take(0) is not made[0]
    assert shelf.take(1) is made[1]
    assert shelf.take(1) is not made[1]
