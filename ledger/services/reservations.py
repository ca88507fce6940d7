"""Set aside what orders may spend, before they leave, and give back what they did not.

Every order that may still spend has one reservation. It is written in the transaction that writes
the order, shrinks in the one that books its executions, and is gone when the order has ended and
all that it executed is booked. An order of unknown outcome keeps it.

The database refuses to reserve more than the books hold (``migrations/0005_reservations``); what
happened already, such as an execution of an order that was thought to be over, is never refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

from django.db import IntegrityError, connection

from accounts.errors import FundsReserved
from accounts.models import Reservation, ReservationPurpose, ReservedTotal
from accounts.selectors import get_account
from accounts.services.reservations import Want
from arbplatform.core.decimals import ZERO, Amount, Quantity, to_plain
from arbplatform.persistence.literals import to_literal
from ledger.domain.orders import LIVE_STATES
from ledger.domain.reservations import left_to_spend, most_spent, spends_quote
from ledger.models import Order
from ledger.selectors import read_purse
from ledger.services.batches import Statement, insertion, insertions, run_batch
from markets.domain.funds import Wallet
from markets.domain.orders import SIDES, Side
from markets.models import Market
from markets.selectors import list_assets

_TABLE = Reservation._meta.db_table
_COLUMNS = (
    "purpose",
    "owner_id",
    "account_id",
    "wallet",
    "asset_id",
    "amount",
    "is_forced",
)
_OWN_COLUMNS = ("owner_id", "account_id", "asset_id", "amount")
_SAME = (
    ("purpose", to_literal(ReservationPurpose.ORDER)),
    ("wallet", to_literal(Wallet.SPOT)),
    ("is_forced", to_literal(False)),
)
"""What all reservations of orders that are being written have alike."""

_REFUSAL = "reserved_within_holdings"
"""How the database begins its refusal."""


def want_of(order: Order, market: Market, *, quantity: Quantity | None = None) -> Want:
    """Return what has to be set aside for an order.

    Args:
        order: with its id.
        market: of the order.
        quantity: that may still be executed [base]; ``None``: all of it.
    """
    side, account_id = SIDES[order.side], order.account_id
    asset_id = _spent_asset_id(side, market)
    amount = most_spent(
        side=side,
        quantity=order.quantity if quantity is None else quantity,
        price=order.price,
        fees=market.to_fees(),
    )
    if amount is None:
        amount = _all_that_is_free(account_id, asset_id)
    return Want(
        purpose=ReservationPurpose.ORDER,
        owner_id=order.id,
        account_id=account_id,
        wallet=Wallet.SPOT,
        asset_id=asset_id,
        amount=amount,
    )


def reserve_orders(wants: Sequence[Want]) -> None:
    """Set aside what orders may spend, in the transaction that writes them, all or none.

    Raises:
        IntegrityError: less is free than is wanted; ``explain_refusal`` says what.
    """
    run_batch(insertions(Reservation, _COLUMNS, [_row_of(want) for want in _in_order(wants)]))


def reservation_of(wants: Sequence[Want]) -> Statement:
    """Return what sets aside what orders may spend, for the batch that writes them."""
    rows = [
        (want.owner_id, want.account_id, want.asset_id, want.amount) for want in _in_order(wants)
    ]
    return insertion(Reservation, _OWN_COLUMNS, rows, _SAME)


def _in_order(wants: Sequence[Want]) -> list[Want]:
    """Return what is wanted in the order in which totals are locked."""
    return sorted(wants, key=attrgetter("purse"))


def _row_of(want: Want, *, is_forced: bool = False) -> tuple[object, ...]:
    """Return the values of ``_COLUMNS``."""
    return (
        str(want.purpose.value),
        want.owner_id,
        want.account_id,
        str(want.wallet.value),
        want.asset_id,
        want.amount,
        is_forced,
    )


def is_refusal(error: IntegrityError) -> bool:
    """Return whether the database found that too little is free."""
    return _REFUSAL in str(error)


def explain_refusal(wants: Sequence[Want]) -> FundsReserved:
    """Return why funds could not be set aside, with the figures as they are now.

    Args:
        wants: what was refused; nothing of it is reserved.
    """
    needed: dict[tuple[int, str, int], Amount] = {}
    for want in wants:
        purse = (want.account_id, want.wallet.value, want.asset_id)
        needed[purse] = needed.get(purse, ZERO) + want.amount
    figures = {purse: read_purse(*purse) for purse in needed}
    # who was in our way may be gone by now: then the purse with the least to spare is named
    purse = min(needed, key=lambda key: figures[key][0] - figures[key][1] - needed[key])
    held, reserved = figures[purse]
    return FundsReserved(
        account=str(get_account(purse[0])),
        wallet=purse[1],
        asset=list_assets().get(pk=purse[2]).code,
        needed=to_plain(needed[purse]),
        held=to_plain(held),
        reserved=to_plain(reserved),
        free=to_plain(max(held - reserved, ZERO)),
    )


def release_orders(order_ids: Sequence[int]) -> None:
    """Give back all that is set aside for orders that never left."""
    run_batch(_releases(order_ids))


def _releases(order_ids: Sequence[int]) -> list[Statement]:
    """Return what gives back all that is set aside for orders; its totals follow by triggers.

    Not blind: joined with the insertions of postings it would come before them, since PostgreSQL
    runs the parts of one statement from the last to the first, and lock totals in another order
    than ``keep_reserved`` promises.
    """
    if not order_ids:
        return []
    sql = f"DELETE FROM {_TABLE} WHERE purpose = %s AND owner_id "  # noqa: S608  a constant
    purpose = ReservationPurpose.ORDER.value
    if connection.vendor == "sqlite":
        marks = ", ".join(["%s"] * len(order_ids))
        return [Statement(f"{sql} IN ({marks})", [purpose, *order_ids])]
    return [Statement(f"{sql} = ANY(%s::bigint[])", [purpose, list(order_ids)])]


def keep_reserved(orders: Sequence[Order], booked: Mapping[int, Quantity]) -> list[Statement]:
    """Return what brings funds set aside for orders in line with what they may still spend.

    Run in the transaction that books their executions, under the orders' locks. Funds that are
    spent are so never counted twice, and nothing is refused: an order that turned out to be alive
    after all gets its reservation back.

    Totals are locked in one order by all who book: those of the books first, then those of purses
    by their keys. So two never wait for each other, and whoever sets funds aside for a decision
    waits for the shortest time.

    Args:
        orders: as they are now, with their markets.
        booked: by order id, how much of it is in the books [base].
    """
    kept: list[Want] = []
    for order in orders:
        quantity = left_to_spend(
            quantity=order.quantity,
            filled=order.filled_quantity,
            booked=booked[order.pk],
            is_live=order.state in LIVE_STATES,
        )
        if quantity > ZERO:
            kept.append(want_of(order, order.market, quantity=quantity))
    spent = {order.pk for order in orders} - {want.owner_id for want in kept}
    locks = _locks(orders) if kept else []
    return [*locks, *_writings(kept), *_releases(sorted(spent))]


def lock_purses(orders: Sequence[Order]) -> None:
    """Lock the totals of the purses of several orders by key, for who books them one by one."""
    run_batch(_locks(orders))


def _locks(orders: Sequence[Order]) -> list[Statement]:
    """Return what locks the totals of purses in their order, before they are changed in another.

    What shrinks, what is set aside again and what is given back have a trigger each, one after the
    other: also where one statement does the first two.
    """
    keys = sorted({_total_key(order) for order in orders})
    if connection.vendor == "sqlite" or len(keys) <= 1:
        return []
    table = ReservedTotal._meta.db_table
    # by code points, as everywhere: the database's own order of texts may be another one
    sql = f"""
        SELECT 1 FROM {table} WHERE key = ANY(%s::text[])
        ORDER BY key COLLATE "C" FOR UPDATE"""  # noqa: S608  a constant
    return [Statement(sql, [keys])]


def _total_key(order: Order) -> str:
    """Return what the triggers know the total of an order's purse by."""
    asset_id = _spent_asset_id(SIDES[order.side], order.market)
    return f"{order.account_id}:{Wallet.SPOT.value}:{asset_id}"


def _spent_asset_id(side: Side, market: Market) -> int:
    return market.quote_id if spends_quote(side) else market.base_id


def _writings(wants: Sequence[Want]) -> list[Statement]:
    """Return what writes new amounts, whether or not something is set aside for an order still."""
    return [
        replace(
            statement,
            sql=f"{statement.sql} ON CONFLICT (purpose, owner_id) "
            "DO UPDATE SET amount = excluded.amount, is_forced = excluded.is_forced",
            is_blind=False,
        )
        for statement in insertions(
            Reservation, _COLUMNS, [_row_of(want, is_forced=True) for want in _in_order(wants)]
        )
    ]


def _all_that_is_free(account_id: int, asset_id: int) -> Amount:
    held, reserved = read_purse(account_id, Wallet.SPOT.value, asset_id)
    return max(held - reserved, ZERO)
