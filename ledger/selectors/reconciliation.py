"""Queries about the comparison of books and venues."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import Q, QuerySet

from accounts.domain.transfers import TransferState
from accounts.models import Reservation, ReservationPurpose, Transfer, VenueAccount
from accounts.selectors import list_syncable_account_ids
from arbplatform.core.decimals import Amount, Quantity
from ledger.domain.orders import OrderState
from ledger.domain.reconciliation import ACTIVE_STATES, UNSOLVED_STATES, DiscrepancyKind
from ledger.errors import DiscrepancyNotFound, OrderDisowned
from ledger.models import (
    AccountReconciliation,
    Discrepancy,
    Entry,
    Fill,
    Order,
    ReconciliationRun,
)
from ledger.selectors.orders import list_live_ids, list_orders, without_secrets
from ledger.selectors.traded import MARKETS_MAX
from markets.domain.funds import Wallet
from markets.errors import OrderAbsent, OtherOrderFound
from markets.models import Market

_LEAVING = (
    TransferState.SUBMITTING,
    TransferState.SUBMITTED,
    TransferState.IN_TRANSIT,
    TransferState.UNKNOWN,
)
"""Transfers that may have left; one that waits for a person moves nothing."""

_MOVING_STATES = (OrderState.SUBMITTING, OrderState.UNKNOWN)


def list_discrepancies() -> QuerySet[Discrepancy]:
    """Return all discrepancies with their accounts, those seen last first."""
    rows = Discrepancy.objects.select_related("account__venue", "acknowledged_by", "entry")
    return without_secrets(rows, "account")


def list_active_discrepancies(account_id: int) -> list[Discrepancy]:
    """Return those of an account that have not ended."""
    return list(list_discrepancies().filter(account_id=account_id, state__in=ACTIVE_STATES))


def count_unsolved(account_id: int | None = None) -> int:
    """Return how many discrepancies are neither explained nor booked nor gone."""
    rows = Discrepancy.objects.filter(state__in=UNSOLVED_STATES)
    return rows.count() if account_id is None else rows.filter(account_id=account_id).count()


def get_discrepancy(discrepancy_id: int) -> Discrepancy:
    """Return one discrepancy.

    Raises:
        DiscrepancyNotFound: none has this id.
    """
    row = list_discrepancies().filter(pk=discrepancy_id).first()
    if row is None:
        raise DiscrepancyNotFound(id=discrepancy_id)
    return row


def lock_discrepancy(discrepancy_id: int) -> Discrepancy:
    """Return one discrepancy, locked until the transaction ends.

    Raises:
        DiscrepancyNotFound: none has this id.
    """
    rows = list_discrepancies().select_for_update(of=("self",))
    row = rows.filter(pk=discrepancy_id).first()
    if row is None:
        raise DiscrepancyNotFound(id=discrepancy_id)
    return row


def list_reconciliations() -> QuerySet[AccountReconciliation]:
    """Return where the reconciliation of each account stands."""
    rows = AccountReconciliation.objects.select_related("account__venue")
    return without_secrets(rows, "account")


def list_runs() -> QuerySet[ReconciliationRun]:
    """Return all reconciliations, the newest first."""
    return without_secrets(ReconciliationRun.objects.select_related("account__venue"), "account")


def list_reconcilable_account_ids() -> list[int]:
    """Return the accounts that may be compared, the one compared longest ago first.

    Their books are opened, and their venue did not refuse their key.
    """
    allowed = set(list_syncable_account_ids())
    opened = set(
        Entry.objects.filter(key__in=[f"opening:{pk}" for pk in allowed]).values_list(
            "key", flat=True
        )
    )
    compared = dict(AccountReconciliation.objects.values_list("account_id", "last_run_at"))
    ready = [pk for pk in allowed if f"opening:{pk}" in opened]
    return sorted(ready, key=lambda pk: (compared.get(pk) is not None, compared.get(pk) or 0, pk))


def list_unreconciled(account_ids: Collection[int], since: datetime) -> list[int]:
    """Return which of the accounts were not found equal to their venue since a moment."""
    clean = map_last_clean(account_ids)
    return sorted(pk for pk in set(account_ids) if pk not in clean or clean[pk].at < since)


class Clean(NamedTuple):
    """A comparison that found an account equal to its venue.

    Attributes:
        at: when it began, by the clock of whoever compared.
        round: its number among the comparisons of the account, by which they began.
    """

    at: datetime
    round: int


def map_last_clean(account_ids: Collection[int]) -> dict[int, Clean]:
    """Return in which comparison accounts were last equal to their venues; others never were."""
    rows = AccountReconciliation.objects.filter(account_id__in=account_ids).order_by()
    found = rows.values_list("account_id", "last_clean_at", "clean_round")
    return {pk: Clean(at, number) for pk, at, number in found if at is not None}


def map_rounds() -> dict[int, int]:
    """Return how many comparisons of each account have begun so far; of others none has."""
    rows = AccountReconciliation.objects.order_by()
    return dict(rows.values_list("account_id", "round_count"))


def list_markets_between(account: VenueAccount, assets: Collection[str]) -> list[Market]:
    """Return the markets of an account's venue that trade some assets against each other."""
    rows = Market.objects.filter(
        venue_id=account.venue_id, base__code__in=assets, quote__code__in=assets
    )
    return list(rows.select_related("venue", "base", "quote").order_by("pk")[:MARKETS_MAX])


def list_fills_of_market(
    account_id: int, market_id: int, *, since: datetime, trade_ids: Iterable[str]
) -> list[Fill]:
    """Return booked fills since a moment, and those with some ids whenever they were."""
    rows = Fill.objects.filter(account_id=account_id, market_id=market_id)
    return list(
        rows.filter(
            Q(executed_at__gte=since) | Q(venue_trade_id__in=list(trade_ids))
        ).select_related("late_fee__asset", "fee_asset", "entry__reversed_by", "order")
    )


def map_states(client_order_ids: Collection[str]) -> dict[str, Order]:
    """Return orders by client order id, with nothing but what is compared.

    A venue lists all that a busy account sent within minutes: with account, market and assets of
    each order of its own, thousands of them took the memory of a whole process.
    """
    compared = (
        "account_id",
        "market_id",
        "client_order_id",
        "venue_order_id",
        "side",
        "quantity",
        "state",
        "filled_quantity",
    )
    rows = Order.objects.only(*compared)
    return rows.in_bulk(list(client_order_ids), field_name="client_order_id")


def list_watched_orders(account_id: int) -> list[tuple[Discrepancy, Order]]:
    """Return orders that a list once showed otherwise, and what of them is neither gone nor known.

    What a person has acknowledged is none of it.
    """
    rows = Discrepancy.objects.filter(
        account_id=account_id,
        kind=DiscrepancyKind.ORDER_STATE,
        state__in=ACTIVE_STATES,
        acknowledged_at=None,
    )
    seen = {int(row.subject.partition("|")[2]): row for row in rows.order_by("pk")}
    orders = list_orders().in_bulk(seen) if seen else {}
    return [(row, orders[pk]) for pk, row in seen.items() if pk in orders]


def find_orders_by_venue_id(account_id: int, market_id: int, ids: Iterable[str]) -> list[Order]:
    """Return the orders of a market by the venue's ids of them."""
    rows = list_orders().filter(account_id=account_id, market_id=market_id)
    return list(rows.filter(venue_order_id__in=[one for one in ids if one]))


def find_known(account_id: int, ids: Collection[str]) -> set[tuple[str, str]]:
    """Return symbol and the venue's id of those orders of an account that the journal knows."""
    named = [one for one in ids if one]
    if not named:
        return set()
    rows = Order.objects.filter(account_id=account_id, venue_order_id__in=named)
    return set(rows.order_by().values_list("market__symbol", "venue_order_id"))


def list_unlinked(account_id: int) -> set[tuple[str, str, Quantity]]:
    """Return symbol, side and size of orders that may be at the venue under an id unknown to us."""
    ids = list_live_ids([account_id]).get(account_id, [])
    rows = Order.objects.filter(pk__in=ids, state__in=_MOVING_STATES, venue_order_id="")
    return set(rows.order_by().values_list("market__symbol", "side", "quantity"))


def may_be_unlinked(
    account_id: int, market_id: int, *, side: str, quantity: Quantity, since: datetime
) -> bool:
    """Return whether an order without a client id may be one of ours whose fate is not known.

    One that was definitely refused, or was not sent, is none of them.
    """
    alike = Order.objects.filter(
        account_id=account_id,
        market_id=market_id,
        venue_order_id="",
        side=side,
        quantity=quantity,
        submitted_at__gte=since,
    )
    concluded = [OrderAbsent.code, OrderDisowned.code]
    return alike.filter(Q(state__in=_MOVING_STATES) | Q(error_code__in=concluded)).exists()


def list_open_orders(account_id: int, *, acknowledged_before: datetime) -> list[Order]:
    """Return the orders that the journal takes for open, and took for open then already."""
    ids = list_live_ids([account_id]).get(account_id, [])
    rows = list_orders().filter(pk__in=ids, state=OrderState.OPEN)
    return list(rows.filter(acknowledged_at__lt=acknowledged_before))


def list_doubtful_orders(account_id: int) -> list[Order]:
    """Return the orders of unknown outcome whose client id another order bears at the venue."""
    ids = list_live_ids([account_id]).get(account_id, [])
    rows = Order.objects.filter(pk__in=ids, state=OrderState.UNKNOWN)
    return list(rows.filter(error_code=OtherOrderFound.code))


def list_moving_assets(account_id: int) -> set[str]:
    """Return the assets of an account that orders or transfers may be moving at this moment."""
    ids = list_live_ids([account_id]).get(account_id, [])
    orders = Order.objects.filter(pk__in=ids, state__in=_MOVING_STATES)
    assets = set()
    for base, quote in orders.values_list("market__base__code", "market__quote__code").distinct():
        assets |= {base, quote}
    transfers = Transfer.objects.filter(state__in=_LEAVING).filter(
        Q(from_account_id=account_id) | Q(to_account_id=account_id)
    )
    return assets | set(transfers.values_list("asset__code", flat=True).distinct())


def list_fills_without_fee(account_id: int, since: datetime) -> list[Fill]:
    """Return the fills since a moment whose fee is not booked yet."""
    rows = Fill.objects.filter(account_id=account_id, executed_at__gte=since, fee=None)
    return list(rows.filter(late_fee=None).select_related("market__base", "market__quote"))


def list_booked_keys(keys: Collection[str]) -> set[str]:
    """Return which entries are booked already."""
    return set(Entry.objects.filter(key__in=keys).values_list("key", flat=True))


def list_unmatched_transfers(account_id: int, asset: str) -> list[Transfer]:
    """Return transfers of ours that may have left and do not know their own records yet.

    Until they do, no record in their asset may be taken for somebody else's.
    """
    rows = Transfer.objects.filter(asset__code=asset, state__in=_LEAVING)
    leaving = Q(from_account_id=account_id, venue_transfer_id="")
    coming = Q(to_account_id=account_id, venue_deposit_id="")
    return list(rows.filter(leaving | coming).order_by("pk"))


def list_transfer_ids_at_venue(account_id: int, asset: str) -> tuple[set[str], set[str]]:
    """Return what identifies the platform's own transfers at a venue.

    Returns:
        Of departures: the venue's ids, ours and those of the network. Of arrivals: the venue's
        ids and those of the network.
    """
    rows = Transfer.objects.filter(asset__code=asset)
    left: set[str] = set()
    for row in rows.filter(from_account_id=account_id).values_list(
        "venue_transfer_id", "client_transfer_id", "tx_id"
    ):
        left.update(one for one in row if one)
    came: set[str] = set()
    for row in rows.filter(to_account_id=account_id).values_list(
        "venue_deposit_id", "venue_transfer_id", "tx_id"
    ):
        came.update(one for one in row if one)
    return left, came


@dataclass(frozen=True, slots=True)
class Claim:
    """What an order has set aside.

    Attributes:
        strategy_id: whose order it is; ``None``: nobody's.
        asset: code.
        amount: [units of the asset].
    """

    strategy_id: int | None
    asset: str
    amount: Amount


def list_reserved(account_id: int) -> list[Claim]:
    """Return what orders and transfers have set aside in the spot wallet of an account."""
    rows = Reservation.objects.filter(account_id=account_id, wallet=Wallet.SPOT)
    found = list(rows.values_list("purpose", "owner_id", "asset__code", "amount"))
    orders = [owner for purpose, owner, *_ in found if purpose == ReservationPurpose.ORDER]
    strategies = dict(Order.objects.filter(pk__in=orders).values_list("pk", "strategy_id"))
    return [
        Claim(strategies.get(owner) if purpose == ReservationPurpose.ORDER else None, asset, amount)
        for purpose, owner, asset, amount in found
        if amount
    ]
