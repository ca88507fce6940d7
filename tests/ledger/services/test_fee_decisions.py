"""A fee that its venue never states better than unbelievably: a person says what it was."""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from arbplatform.core.errors import ChangedMeanwhile, InvalidInput
from ledger.errors import NothingToBook
from ledger.models import Discrepancy, Entry, Fill, LateFee, LogEntry, Order
from ledger.selectors import imbalances, wallet_balances
from ledger.services.decisions import book_discrepancy
from ledger.services.discrepancies import name_figures
from ledger.services.fee_decisions import settle_fee
from ledger.services.journal import resolve_unknown_orders, submit_orders, write_orders
from markets.domain.funds import Wallet
from tests.dialogs import path_of, sent_by
from tests.ledger.reconciled import assert_equal_to

TAKEN = D("0.00025")
WHY = "0.05 % of it, says its page"


@pytest.fixture
def doubts(look, opened_books, make_plan, venue, clock):
    """Of each of two trades the venue has taken 0.00025 BTC, and states 15 BTC: a wrong unit."""

    def misstate(_request):
        venue.fills[:] = [replace(fill, fee=D(15)) for fill in venue.fills]

    venue.after_submit, venue.sends_fills = misstate, False
    (order,) = write_orders(plans=[make_plan()], clock=clock)
    submit_orders(order_ids=[order.pk], clock=clock)
    for _round in range(6):
        look()
    rows = list(Discrepancy.objects.filter(kind="fee").order_by("pk"))
    assert [row.state for row in rows] == ["alarmed"] * 2
    return rows


def settle(row, user=None, *, fee=TAKEN, asset="", note=WHY):
    return settle_fee(discrepancy_id=row.pk, fee=fee, asset=asset, note=note, user=user)


def test_what_a_person_says_is_the_fee_and_nothing_stays_open(
    *, doubts, look, opened_books, venue, superuser, clock
):
    done = [settle(row, superuser) for row in doubts]

    assert {(row.state, row.acknowledged_by, row.note) for row in done} == {
        ("booked", superuser, WHY)
    }
    assert {fill.known_fee for fill in Fill.objects.all()} == {TAKEN}
    assert {str(row.entry.to_memo()) for row in done} == {f"{WHY} (by root)"}
    assert {row.entry.kind for row in done} == {"fee"}
    order = Order.objects.get()
    assert {row.entry.execution_id for row in done} == {order.execution_id}
    resolve_unknown_orders(clock=clock)
    assert Order.objects.get().next_lookup_at is None
    for _round in range(2):
        assert look().outcome == "clean"
    assert set(Discrepancy.objects.values_list("state", flat=True)) == {"booked", "closed"}
    assert_equal_to(venue, opened_books)
    assert imbalances() == {}


def test_it_is_told_who_said_so_and_why_and_its_execution_is_judged_anew(
    doubts, superuser, sent_tasks, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        settle(doubts[0], superuser)

    trade = Fill.objects.get(pk=doubts[0].evidence["fill_id"])
    said = str(LogEntry.objects.get(event="fee_settled").to_message())
    assert said == (
        f"root says that trade {trade.venue_trade_id} of order {trade.order_id} cost "
        f"0.00025 BTC: {WHY}"
    )
    execution_id = Order.objects.get().execution_id
    assert ("strategies.settle_execution", {"execution_id": execution_id}) in sent_tasks


def test_a_venue_that_states_another_fee_that_can_be_believed_is_heard(doubts, look, venue):
    for row in doubts:
        settle(row)
    venue.fills[:] = [replace(fill, fee=D("0.0003")) for fill in venue.fills]

    look()

    news = Discrepancy.objects.filter(kind="fee", state="open")
    assert {(row.booked, row.stated) for row in news} == {(TAKEN, D("0.0003"))}
    assert news.count() == 2
    with pytest.raises(NothingToBook, match="no trade whose fee is missing"):
        settle(news[0])


def test_a_fee_in_the_other_coin_of_the_trade_is_booked_in_it(doubts, opened_books):
    before = wallet_balances(opened_books.pk)["USDT"]

    settle(doubts[0], fee=D(15), asset="USDT")

    late = LateFee.objects.get()
    assert (late.amount, str(late.asset)) == (D(15), "USDT")
    assert wallet_balances(opened_books.pk)["USDT"] == before - 15


def test_the_venues_own_figure_may_be_confirmed(doubts, look, venue):
    """Its balance does not show it alone: 1 BTC was moved besides, which no history tells."""
    venue.fills[:] = [replace(fill, fee=D("0.01")) for fill in venue.fills]
    venue.balances[Wallet.SPOT]["BTC"] -= 1
    look()

    settle(doubts[0], fee=D("0.01"))
    look()

    assert set(Discrepancy.objects.filter(pk=doubts[0].pk).values_list("state")) == {("booked",)}
    assert Discrepancy.objects.filter(kind="fee").count() == 2


def test_a_fee_that_is_written_off_costs_nothing(doubts, opened_books):
    before = wallet_balances(opened_books.pk)

    done = settle(doubts[0], fee=D(0))

    assert LateFee.objects.get().amount == 0
    assert (done.state, done.entry.postings.count()) == ("booked", 0)
    assert wallet_balances(opened_books.pk) == before


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"fee": D(15)}, "fee"),
        ({"asset": "ETH"}, "asset"),
        ({"note": " "}, "note"),
    ],
)
def test_what_can_be_no_fee_of_the_trade_is_refused(doubts, wrong, field):
    with pytest.raises(InvalidInput) as refused:
        settle(doubts[0], **wrong)

    assert list(refused.value.fields) == [field]
    assert not LateFee.objects.exists()


@pytest.mark.parametrize("change", [{"fee": D(16)}, {"fee_asset": "ETH"}], ids=["fee", "coin"])
def test_a_person_who_saw_another_figure_decides_nothing(doubts, look, venue, change):
    seen = name_figures(doubts[0])
    venue.fills[:] = [replace(fill, **change) for fill in venue.fills]
    look()

    with pytest.raises(ChangedMeanwhile):
        settle_fee(discrepancy_id=doubts[0].pk, fee=TAKEN, note=WHY, user=None, seen=seen)

    assert not LateFee.objects.exists()


def test_a_trade_that_its_venue_voids_takes_its_settled_fee_along(
    doubts, look, opened_books, venue, clock
):
    for row in doubts:
        settle(row)
    fill = Fill.objects.get(pk=doubts[0].evidence["fill_id"])
    venue.fills[:] = [row for row in venue.fills if row.venue_trade_id != fill.venue_trade_id]
    venue.balances[Wallet.SPOT]["BTC"] -= fill.quantity - TAKEN
    venue.balances[Wallet.SPOT]["USDT"] += fill.cost
    look()
    row = Discrepancy.objects.get(kind="unlisted_fill")

    book_discrepancy(discrepancy_id=row.pk, note="voided", user=None, clock=clock)

    assert_equal_to(venue, opened_books)


def test_it_is_settled_once(doubts):
    settle(doubts[0])

    with pytest.raises(NothingToBook, match="it has ended"):
        settle(doubts[0])

    assert LateFee.objects.count() == 1


def test_a_fee_that_was_booked_meanwhile_goes_before_the_word(doubts, venue, clock):
    venue.fills[:] = [replace(fill, fee=TAKEN) for fill in venue.fills]
    clock.advance_ms(3_600_000)
    resolve_unknown_orders(clock=clock)
    assert LateFee.objects.count() == 2

    with pytest.raises(NothingToBook, match="booked by now"):
        settle(doubts[0])

    assert not Entry.objects.filter(key__endswith="fee-settled").exists()


def test_a_balance_that_differs_has_no_fee_to_settle(doubts):
    row = Discrepancy.objects.get(kind="balance")

    with pytest.raises(NothingToBook, match="no trade whose fee is missing"):
        settle(row)


def test_the_console_offers_it_and_keeps_who_did_it(doubts, console, superuser):
    address = path_of(doubts[0], "settle_fee_one")
    assert address in console.get(path_of(doubts[0], "change")).content.decode()
    dialog = console.get(address).content.decode()
    assert "states a fee of 15 BTC" in dialog
    sent = {**sent_by(dialog), "fee": "15", "asset": "", "note": WHY}

    refused = console.post(address, sent, follow=True)
    assert "The books hold" in refused.content.decode()
    assert not LateFee.objects.exists()
    console.post(address, {**sent, "fee": "0.00025"}, follow=True)

    row = Discrepancy.objects.get(pk=doubts[0].pk)
    assert (row.state, row.acknowledged_by, row.note) == ("booked", superuser, WHY)


def test_it_is_offered_for_no_other_discrepancy(doubts, console):
    row = Discrepancy.objects.get(kind="balance")

    assert "settle_fee_one" not in console.get(path_of(row, "change")).content.decode()


def test_the_api_settles_with_a_reason_only_what_was_read(doubts, staff_api, data):
    address = f"/api/reconciliation/discrepancies/{doubts[0].pk}/settle-fee"
    said = {"fee": "0.00025", "note": WHY}
    assert staff_api.post(address, {"fee": "0.00025"}).status_code == 400
    stale = staff_api.post(address, said, headers={"If-Match": '"of-yesterday"'})
    assert stale.json()["code"] == ChangedMeanwhile.code
    assert not LateFee.objects.exists()

    told = data(staff_api.post(address, said))

    assert (told["state"], told["acknowledged_by"], told["note"]) == ("booked", "operator", WHY)
    assert told["entry_id"] == Entry.objects.get(key__endswith="fee-settled").pk


def test_the_api_refuses_who_may_not_decide(doubts, user_api):
    address = f"/api/reconciliation/discrepancies/{doubts[0].pk}/settle-fee"

    answer = user_api.post(address, {"fee": "0.00025", "note": WHY})

    assert (answer.status_code, LateFee.objects.exists()) == (403, False)
