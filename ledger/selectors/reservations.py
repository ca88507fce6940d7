"""Queries about funds that are set aside for orders and transfers."""

from collections import defaultdict
from collections.abc import Collection
from decimal import Decimal

from django.db.models import F, Q

from accounts.domain.transfers import TransferState
from accounts.models import Reservation, ReservationPurpose, ReservedTotal, Transfer
from accounts.selectors import reserved_amounts
from arbplatform.core.decimals import ZERO, Amount, to_plain
from arbplatform.persistence.fields import ExactSum
from ledger.domain.orders import LIVE_STATES
from ledger.models import BookKind, BookTotal, Order
from markets.domain.funds import Wallet
from markets.models import Market


def map_markets(market_ids: Collection[int]) -> dict[int, Market]:
    """Return markets by id."""
    return Market.objects.in_bulk(list(market_ids))


def reserved_balances(account_id: int, *, wallet: Wallet = Wallet.SPOT) -> dict[str, Amount]:
    """Return what is set aside in one purse of an account, by asset."""
    return _map_reserved([account_id], wallet).get(account_id, {})


def spendable_balances(
    account_id: int, *, wallet: Wallet = Wallet.SPOT
) -> defaultdict[str, Amount]:
    """Return what an account holds by the books and nobody has set aside, by asset.

    Never below zero: when real money left unasked, more may be reserved than is there.
    """
    return map_spendable([account_id], wallet=wallet)[account_id]


def map_spendable(
    account_ids: Collection[int], *, wallet: Wallet = Wallet.SPOT
) -> dict[int, defaultdict[str, Amount]]:
    """Return ``spendable_balances`` of several accounts, read together, by account."""
    # reserved first: funds that are being spent are then missed twice for a moment, never counted
    reserved = _map_reserved(account_ids, wallet)
    spendable = {pk: defaultdict[str, Amount](Decimal) for pk in account_ids}
    rows = BookTotal.objects.filter(
        book=BookKind.WALLET, account_id__in=account_ids, wallet=wallet
    ).order_by()
    for account_id, asset, held in rows.values_list("account_id", "asset__code", "total"):
        set_aside = reserved.get(account_id, {}).get(asset, ZERO)
        if held:
            spendable[account_id][asset] = max(held - set_aside, ZERO)
    return spendable


def _map_reserved(account_ids: Collection[int], wallet: Wallet) -> dict[int, dict[str, Amount]]:
    rows = ReservedTotal.objects.filter(account_id__in=account_ids, wallet=wallet).order_by()
    reserved: dict[int, dict[str, Amount]] = {}
    for account_id, asset, total in rows.values_list("account_id", "asset__code", "total"):
        if total:
            reserved.setdefault(account_id, {})[asset] = total
    return reserved


def read_purse(account_id: int, wallet: str, asset_id: int) -> tuple[Amount, Amount]:
    """Return what one wallet holds of an asset by the books, and what of it is reserved."""
    purse = {"account_id": account_id, "wallet": wallet, "asset_id": asset_id}
    held = BookTotal.objects.filter(book="wallet", **purse).values_list("total", flat=True)
    reserved = ReservedTotal.objects.filter(**purse).values_list("total", flat=True)
    return held.first() or ZERO, reserved.first() or ZERO


def list_stray_reservations() -> list[str]:
    """Return everything that is wrong with what is set aside, in words: always nothing.

    Reads every reservation and every live order: for audits.
    """
    return [*_list_total_errors(), *_list_order_strays(), *_list_transfer_strays()]


def _list_total_errors() -> list[str]:
    errors = reserved_amounts()
    rows = Reservation.objects.order_by().values_list("account_id", "wallet", "asset_id")
    for *purse, amount in rows.annotate(sum=ExactSum("amount")):
        key = (purse[0], purse[1], purse[2])
        errors[key] = errors.get(key, ZERO) - amount
    return [
        f"the reserved total of account {account_id}, {wallet}, asset {asset_id} differs from "
        f"its reservations by {to_plain(gap)}"
        for (account_id, wallet, asset_id), gap in errors.items()
        if gap
    ]


def _list_order_strays() -> list[str]:
    rows = Reservation.objects.filter(purpose=ReservationPurpose.ORDER)
    held = dict(rows.values_list("owner_id", "amount"))
    orders = Order.objects.filter(Q(pk__in=held) | Q(state__in=LIVE_STATES))
    found = {order.pk: order for order in orders.prefetch_related("fills").order_by("pk")}
    strays = [
        f"{to_plain(amount)} are reserved for order {owner_id}, which does not exist"
        for owner_id, amount in held.items()
        if owner_id not in found
    ]
    for order in found.values():
        booked = sum((fill.quantity for fill in order.fills.all()), ZERO)
        is_live = order.state in LIVE_STATES
        if order.pk in held and not is_live and booked >= order.filled_quantity:
            strays.append(
                f"{to_plain(held[order.pk])} are still reserved for order {order.pk}, which is "
                f"{order.state}"
            )
        if order.pk not in held and is_live and booked < order.quantity:
            strays.append(f"nothing is reserved for order {order.pk}, which is {order.state}")
    return strays


def _list_transfer_strays() -> list[str]:
    rows = Reservation.objects.filter(purpose=ReservationPurpose.TRANSFER)
    held = dict(rows.values_list("owner_id", "amount"))
    is_internal = Q(from_account=F("to_account"))
    moved = Transfer.objects.filter(pk__in=held).filter(
        Q(state=TransferState.FAILED)
        | (Q(entries__isnull=False) & ~is_internal)
        | (Q(state=TransferState.ARRIVED) & Q(entries__isnull=False))
    )
    return [
        f"{to_plain(held[pk])} are still reserved for transfer {pk}, which is {state}"
        for pk, state in moved.values_list("pk", "state").distinct()
    ]
