"""What orders may spend is set aside before they leave, shrinks as they execute, and comes back."""

from datetime import timedelta
from decimal import Decimal as D

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.errors import FundsReserved
from accounts.models import Reservation, ReservationPurpose, ReservedTotal
from accounts.services.reservations import Want
from ledger.domain.halts import EVERYTHING, TradingEvent
from ledger.domain.orders import OrderState
from ledger.models import Order
from ledger.selectors import (
    list_stray_reservations,
    reserved_balances,
    spendable_balances,
    wallet_balances,
)
from ledger.services.fills import book_fills
from ledger.services.halts import change_trading
from ledger.services.journal import (
    cancel_order,
    resolve_unknown_orders,
    submit_orders,
    write_orders,
)
from ledger.services.openings import ensure_opened
from ledger.services.reservations import reservation_of
from markets.domain.funds import Wallet
from markets.domain.orders import OrderKind, Side, TimeInForce, VenueOrderStatus
from markets.errors import OutcomeUnknown, VenueRejected, VenueUnavailable
from markets.models import Market
from tests.ledger.fakes import make_fill

S = OrderState


@pytest.fixture
def opened(account, venue):
    """The account at alpha, its books open: 2 BTC and 100,000 USDT."""
    ensure_opened(account_id=account.pk)
    return account


def reserved(account):
    return reserved_balances(account.pk)


def raiser(error):
    def hook(request):
        raise error

    return hook


@pytest.mark.parametrize(
    ("side", "mode", "expected"),
    [
        (Side.BUY, "received", {"USDT": D(30_000)}),
        (Side.BUY, "quote", {"USDT": D(30_030)}),
        (Side.BUY, "given", {"USDT": D(30_030)}),
        (Side.SELL, "received", {"BTC": D("0.5")}),
        (Side.SELL, "quote", {"BTC": D("0.5")}),
        (Side.SELL, "given", {"BTC": D("0.5005")}),
    ],
)
def test_an_order_sets_aside_what_it_spends_at_worst(opened, make_plan, side, mode, expected):
    Market.objects.update(fee_mode=mode)

    write_orders(plans=[make_plan(side=side)])

    assert reserved(opened) == expected
    assert list_stray_reservations() == []


def test_a_purchase_at_any_price_sets_aside_all_that_is_free(opened, make_plan):
    write_orders(plans=[make_plan(0, quantity=D("0.1"))])

    write_orders(plans=[make_plan(1, kind=OrderKind.MARKET, price=None)])

    assert reserved(opened) == {"USDT": D(100_000)}
    assert spendable_balances(opened.pk)["USDT"] == 0


def test_what_is_set_aside_cannot_be_set_aside_again(opened, make_plan, venue):
    write_orders(plans=[make_plan(0, quantity=D("1.5"))])

    with pytest.raises(FundsReserved) as denial:
        write_orders(plans=[make_plan(1, side=Side.SELL), make_plan(2)])

    assert str(denial.value) == (
        "30000 USDT are needed in the spot wallet of alpha/main, but only 10000 are free: the "
        "books hold 100000, of which 90000 are reserved for orders and transfers under way. "
        "Nothing was sent. Try a smaller amount, or move funds there."
    )
    assert Order.objects.count() == Reservation.objects.count() == 1
    assert reserved(opened) == {"USDT": D(90_000)}
    assert "submit_order" not in venue.calls


def test_two_legs_of_one_call_do_not_share_a_coin(opened, make_plan):
    with pytest.raises(FundsReserved):
        write_orders(plans=[make_plan(0, quantity=D(1)), make_plan(1, quantity=D("0.7"))])

    assert Order.objects.count() == Reservation.objects.count() == 0


def test_the_last_unit_may_be_set_aside(opened, make_plan):
    write_orders(plans=[make_plan(0, quantity=D(2), price=D(50_000))])

    with pytest.raises(FundsReserved):
        write_orders(plans=[make_plan(1, quantity=D("0.00001"), price=D("0.01"))])


def test_writing_the_same_orders_again_sets_nothing_more_aside(opened, make_plan):
    for _ in range(2):
        write_orders(plans=[make_plan(0, quantity=D(1))])

    assert reserved(opened) == {"USDT": D(60_000)}


def test_an_account_whose_books_were_never_opened_is_not_judged(account, make_plan):
    write_orders(plans=[make_plan(0)])

    assert reserved(account) == {"USDT": D(30_000)}


def test_a_filled_order_gives_back_what_it_did_not_need(opened, make_plan):
    (order,) = write_orders(plans=[make_plan()])

    submit_orders(order_ids=[order.pk])

    assert wallet_balances(opened.pk)["USDT"] == spendable_balances(opened.pk)["USDT"] == 70_000
    assert Reservation.objects.count() == 0
    assert list_stray_reservations() == []


def test_what_an_open_order_has_spent_is_not_set_aside_any_more(opened, venue, make_plan, clock):
    venue.fill_fraction, venue.rest_status = D("0.2"), VenueOrderStatus.OPEN
    (order,) = write_orders(plans=[make_plan(time_in_force=TimeInForce.GTC)])

    submit_orders(order_ids=[order.pk], clock=clock)

    assert wallet_balances(opened.pk)["USDT"] == D(94_000)
    assert reserved(opened) == {"USDT": D(24_000)}
    assert spendable_balances(opened.pk)["USDT"] == D(70_000)
    assert list_stray_reservations() == []

    cancel_order(order_id=order.pk, clock=clock)

    assert reserved(opened) == {}
    assert spendable_balances(opened.pk)["USDT"] == D(94_000)


@pytest.mark.parametrize("error", [VenueRejected, VenueUnavailable])
def test_a_refused_order_gives_everything_back(opened, venue, make_plan, error):
    venue.before_submit = raiser(error(venue="alpha", cause="no"))
    (order,) = write_orders(plans=[make_plan()])

    assert submit_orders(order_ids=[order.pk])[0].state == S.REJECTED

    assert reserved(opened) == {}


def test_an_order_of_unknown_outcome_keeps_what_it_may_have_spent(opened, venue, make_plan, clock):
    venue.after_submit = raiser(OutcomeUnknown(venue="alpha", cause="timeout"))
    (order,) = write_orders(plans=[make_plan()])

    assert submit_orders(order_ids=[order.pk], clock=clock)[0].state == S.UNKNOWN

    assert reserved(opened) == {"USDT": D(30_000)}
    clock.advance_ms(1_000)
    resolve_unknown_orders(clock=clock)
    assert Order.objects.get().state == S.FILLED
    assert reserved(opened) == {}
    assert wallet_balances(opened.pk)["USDT"] == D(70_000)


def test_executions_that_are_not_booked_yet_stay_set_aside(opened, venue, make_plan, clock):
    venue.sends_fills = False
    venue.failures["fetch_fills"] = [VenueUnavailable(venue="alpha", cause="down")]
    (order,) = write_orders(plans=[make_plan()])

    assert submit_orders(order_ids=[order.pk], clock=clock)[0].state == S.FILLED

    # the venue has spent them and the books do not know it yet
    assert wallet_balances(opened.pk)["USDT"] == D(100_000)
    assert spendable_balances(opened.pk)["USDT"] == D(70_000)
    assert list_stray_reservations() == []
    clock.advance_ms(60_000)
    resolve_unknown_orders(clock=clock)
    assert reserved(opened) == {}
    assert wallet_balances(opened.pk)["USDT"] == D(70_000)


def test_a_late_execution_is_booked_although_its_funds_were_given_away(
    opened, venue, make_plan, clock
):
    """An order that was thought to have ended short executes after all."""
    venue.fill_fraction = D(0)
    (late,) = write_orders(plans=[make_plan(0, quantity=D("1.5"))])
    late = submit_orders(order_ids=[late.pk], clock=clock)[0]
    assert (late.state, reserved(opened)) == (S.CANCELED, {})
    write_orders(plans=[make_plan(1, quantity=D("1.5"))])

    book_fills(order=late, fills=[make_fill(late)])

    assert wallet_balances(opened.pk)["USDT"] == D(10_000)
    # more is set aside than is there: nothing new may be spent, and nothing is below zero
    assert reserved(opened) == {"USDT": D(90_000)}
    assert spendable_balances(opened.pk)["USDT"] == 0
    assert list_stray_reservations() == []


def test_an_order_that_turns_out_to_be_alive_is_set_aside_for_again(
    opened, venue, make_plan, clock
):
    venue.fill_fraction, venue.rest_status = D(0), VenueOrderStatus.OPEN
    venue.after_submit = raiser(OutcomeUnknown(venue="alpha", cause="timeout"))
    venue.hides_orders = True
    (order,) = write_orders(plans=[make_plan(quantity=D("1.5"), time_in_force=TimeInForce.GTC)])
    submit_orders(order_ids=[order.pk], clock=clock)
    for _ in range(5):
        clock.advance_ms(31_000)
        resolve_unknown_orders(clock=clock)
    assert (Order.objects.get().state, reserved(opened)) == (S.REJECTED, {})
    venue.after_submit = None
    write_orders(plans=[make_plan(1, quantity=D("1.5"))])

    venue.hides_orders = False
    clock.advance_ms(601_000)
    resolve_unknown_orders(clock=clock)

    order.refresh_from_db()
    assert order.state == S.OPEN
    assert Reservation.objects.get(owner_id=order.pk).amount == D(90_000)


def test_what_was_never_sent_gives_everything_back(opened, make_plan, clock):
    withdrawn, expired, halted = write_orders(
        plans=[make_plan(n, quantity=D("0.1")) for n in range(3)]
    )
    cancel_order(order_id=withdrawn.pk, clock=clock)
    assert reserved(opened) == {"USDT": D(12_000)}
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="test")
    submit_orders(order_ids=[halted.pk], clock=clock)
    assert reserved(opened) == {"USDT": D(6_000)}

    Order.objects.filter(pk=expired.pk).update(
        created_at=clock.now() - timedelta(minutes=2), next_lookup_at=clock.now()
    )
    resolve_unknown_orders(clock=clock)

    assert reserved(opened) == {}
    assert list_stray_reservations() == []


# what the database itself refuses -------------------------------------------------------------


def execute(sql):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_the_database_refuses_to_let_a_reservation_grow_beyond_the_books(opened, make_plan):
    write_orders(plans=[make_plan(0)])

    with pytest.raises(DatabaseError, match="reserved_within_holdings"):
        execute("UPDATE accounts_reservation SET amount = '100000.000000000000000001'")
    execute("UPDATE accounts_reservation SET amount = '100000'")

    assert reserved(opened) == {"USDT": D(100_000)}


def test_the_database_refuses_a_second_reservation_of_one_order(opened, make_plan):
    write_orders(plans=[make_plan(0)])

    with pytest.raises(DatabaseError):
        execute(
            "INSERT INTO accounts_reservation "
            "(purpose, owner_id, account_id, wallet, asset_id, amount, is_forced) "
            "SELECT purpose, owner_id, account_id, wallet, asset_id, amount, is_forced "
            "FROM accounts_reservation"
        )

    assert reserved(opened) == {"USDT": D(30_000)}


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE accounts_reservedtotal SET total = '-1'",
        "UPDATE accounts_reservation SET amount = '-1'",
    ],
)
def test_the_database_refuses_to_release_what_was_not_reserved(opened, make_plan, sql):
    write_orders(plans=[make_plan(0)])

    with pytest.raises(DatabaseError):
        execute(sql)

    assert reserved(opened) == {"USDT": D(30_000)}


def test_a_second_release_changes_nothing(opened, make_plan):
    write_orders(plans=[make_plan(0), make_plan(1)])
    first = Reservation.objects.order_by("pk")[0]

    for _ in range(2):
        Reservation.objects.filter(pk=first.pk).delete()

    assert reserved(opened) == {"USDT": D(30_000)}


def test_strays_are_found(opened, make_plan):
    ended, sound, bare = write_orders(plans=[make_plan(n, quantity=D("0.1")) for n in range(3)])
    Order.objects.filter(pk=ended.pk).update(state=S.REJECTED)
    Reservation.objects.filter(owner_id=bare.pk).delete()
    assert list_stray_reservations() == [
        f"6000 are still reserved for order {ended.pk}, which is rejected",
        f"nothing is reserved for order {bare.pk}, which is pending",
    ]

    Order.objects.filter(pk=sound.pk).delete()
    ReservedTotal.objects.update(total=D(12_001))

    usdt = ReservedTotal.objects.get().asset_id
    purse = f"account {opened.pk}, spot, asset {usdt}"
    assert list_stray_reservations()[:2] == [
        f"the reserved total of {purse} differs from its reservations by 1",
        f"6000 are reserved for order {sound.pk}, which does not exist",
    ]


def test_whoever_reserves_writes_in_the_order_in_which_totals_are_locked():
    purses = [(2, 1), (10, 3), (10, 20), (1, 1)]
    wants = [
        Want(ReservationPurpose.ORDER, owner, account_id, Wallet.SPOT, asset_id, D(1))
        for owner, (account_id, asset_id) in enumerate(purses)
    ]

    values = reservation_of(wants).values
    keys = [
        f"{account}:spot:{asset}" for account, asset in zip(values[1::4], values[2::4], strict=True)
    ]

    assert keys == ["10:spot:20", "10:spot:3", "1:spot:1", "2:spot:1"] == sorted(keys)
