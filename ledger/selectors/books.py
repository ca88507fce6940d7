"""Queries about the double-entry books: entries, balances and results."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import (
    Count,
    Exists,
    F,
    Func,
    IntegerField,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
)

from accounts.domain.transfers import SENT_STATES, TransferState
from accounts.models import Transfer
from accounts.selectors import with_reserved
from arbplatform.core.decimals import ZERO, Amount
from arbplatform.persistence.fields import ExactSum
from ledger.domain.pnl import net_by_asset
from ledger.domain.postings import FEE_CORRECTED, TRADING_BOOKS
from ledger.errors import EntryNotFound
from ledger.models import BookKind, BookTotal, Entry, EntryKind, Posting, TradingDay
from ledger.selectors.orders import without_secrets
from markets.domain.funds import Wallet


def list_entries() -> QuerySet[Entry]:
    """Return all entries with their postings, the newest first."""
    lines = Prefetch("postings", list_postings())
    return Entry.objects.select_related("strategy").prefetch_related(lines)


def list_postings() -> QuerySet[Posting]:
    """Return all postings with account and asset."""
    return without_secrets(Posting.objects.select_related("account__venue", "asset"), "account")


def list_book_totals() -> QuerySet[BookTotal]:
    """Return the running totals of all ledger accounts, and what of them is ``reserved``."""
    rows = with_reserved(BookTotal.objects.select_related("account__venue", "asset"))
    return without_secrets(rows, "account")


def get_entry(entry_id: int) -> Entry:
    """Return an entry with its postings.

    Raises:
        EntryNotFound: no entry has this id.
    """
    entry = list_entries().filter(pk=entry_id).first()
    if entry is None:
        raise EntryNotFound(id=entry_id)
    return entry


def find_entry(key: str) -> Entry | None:
    """Return the entry that was booked under a key, if there is one."""
    return Entry.objects.prefetch_related("postings__asset").filter(key=key).first()


_UNDER_WAY = (TransferState.SUBMITTED, TransferState.IN_TRANSIT, TransferState.DISPUTED)


def list_unbooked_transfer_ids(*, limit: int) -> list[int]:
    """Return transfers whose state tells more than the books do, the oldest first."""
    rows = _unbooked_transfers().order_by("pk")
    return list(rows.values_list("pk", flat=True)[:limit])


def has_moving_transfers(account_id: int) -> bool:
    """Return whether a transfer moves funds of an account that the books may not know of yet."""
    touching = Q(from_account_id=account_id) | Q(to_account_id=account_id)
    moving = Q(state__in=(*SENT_STATES, TransferState.DISPUTED))
    is_moving = Transfer.objects.filter(touching & moving).exists()
    return is_moving or _unbooked_transfers().filter(touching).exists()


def _unbooked_transfers() -> QuerySet[Transfer]:
    has_left = Q(state__in=_UNDER_WAY)
    is_external = ~Q(from_account_id=F("to_account_id"))
    left, ended, undone = (
        Exists(Entry.objects.filter(transfer_id=OuterRef("pk"), kind__in=kinds))
        for kinds in (
            [EntryKind.TRANSFER_OUT],
            [EntryKind.TRANSFER_IN, EntryKind.TRANSFER],
            [EntryKind.REVERSAL],
        )
    )
    return Transfer.objects.filter(
        (has_left & is_external & ~Q(left))
        | (Q(state=TransferState.ARRIVED) & ~Q(ended))
        | (Q(state=TransferState.FAILED) & Q(left) & ~Q(undone))
    )


@dataclass(frozen=True, slots=True)
class Holding:
    """What the books say that one wallet holds of one asset.

    Attributes:
        account_id: venue account.
        account: its label.
        venue: code of its venue.
        wallet: purse inside the account.
        asset: code.
        amount: [units of the asset], never zero.
    """

    account_id: int
    account: str
    venue: str
    wallet: Wallet
    asset: str
    amount: Amount


def list_holdings(account_id: int | None = None) -> list[Holding]:
    """Return what the wallets hold by the books, of one account or of all."""
    rows = BookTotal.objects.filter(book=BookKind.WALLET)
    if account_id is not None:
        rows = rows.filter(account_id=account_id)
    fields = ("account_id", "account__label", "account__venue__code", "wallet", "asset__code")
    return [
        Holding(account, label, venue, Wallet(wallet), asset, total)
        for account, label, venue, wallet, asset, total in rows.values_list(
            *fields, "total"
        ).order_by("account__venue__code", "account_id", "-wallet", "asset__code")
        if total
    ]


def wallet_balances(
    account_id: int | None = None, *, wallet: Wallet | None = Wallet.SPOT
) -> defaultdict[str, Amount]:
    """Return what wallets hold by the books, by asset; an asset that is not there has zero.

    Exact and up to date to the last booked fill, unlike what a venue stated some seconds ago.

    Args:
        account_id: one account; ``None`` adds all up.
        wallet: one purse; ``None`` adds all up.
    """
    balances: defaultdict[str, Amount] = defaultdict(Decimal)
    for holding in list_holdings(account_id):
        if wallet is None or holding.wallet is wallet:
            balances[holding.asset] += holding.amount
    return balances


def in_transit() -> dict[str, Amount]:
    """Return what has left one venue and not reached the other, by asset."""
    rows = BookTotal.objects.filter(book=BookKind.IN_TRANSIT)
    return net_by_asset(rows.values_list("asset__code", "total"))


def execution_movements(
    execution_id: int, *, kinds: Collection[EntryKind] | None = None
) -> dict[str, Amount]:
    """Return what the wallets gained and lost by one execution so far, by asset.

    Args:
        execution_id: of the execution.
        kinds: of entries; ``None``: all.
    """
    lines = Posting.objects.filter(entry__execution_id=execution_id)
    return _wallet_movements(lines if kinds is None else lines.filter(entry__kind__in=kinds))


def list_fee_corrections(execution_id: int) -> list[tuple[str, str, Amount]]:
    """Return how the fees of an execution's trades were corrected after they had been booked.

    Returns:
        Key of the trade's entry, asset code, and what the wallet gained [units of the asset].
    """
    rows = Posting.objects.filter(
        entry__execution_id=execution_id, entry__kind=EntryKind.FEE, book=BookKind.WALLET
    )
    rows = rows.filter(entry__key__endswith=FEE_CORRECTED, entry__reversed_by__isnull=True)
    return [
        (key.removesuffix(FEE_CORRECTED), code, amount)
        for key, code, amount in rows.values_list("entry__key", "asset__code", "amount")
    ]


def count_entries(execution_ids: Collection[int]) -> dict[int, int]:
    """Return how many entries executions have; others have none.

    Entries are inserted and never removed: as long as the number is the same, so are they.
    """
    rows = Entry.objects.filter(execution_id__in=execution_ids).order_by()
    return dict(rows.values_list("execution_id").annotate(number=Count("id")))


def number_of_entries(execution_id: str) -> Subquery:
    """Return how many entries an execution has, as an expression that the database compares.

    Args:
        execution_id: name of the column in the query around it.
    """
    rows = Entry.objects.filter(execution_id=OuterRef(execution_id)).order_by()
    # without a group: for none it is 0, and it is counted in the index alone
    number = Func(F("id"), function="COUNT", output_field=IntegerField())
    return Subquery(rows.annotate(number=number).values("number"))


def order_movements(order_id: int) -> dict[str, Amount]:
    """Return what the wallets gained and lost by one order so far, by asset."""
    of_order = Q(entry__fill__order_id=order_id) | Q(entry__late_fee__fill__order_id=order_id)
    return _wallet_movements(Posting.objects.filter(of_order))


def pnl_by_asset(
    strategy_id: int | None = None, since: datetime | None = None
) -> dict[str, Amount]:
    """Return what trading gained and lost, fees included, by asset.

    Args:
        strategy_id: one strategy; ``None`` adds all up.
        since: trades that were executed then or later; ``None``: since the beginning.
    """
    days = TradingDay.objects.all()
    lines = Posting.objects.filter(book__in=TRADING_BOOKS)
    if strategy_id is not None:
        days = days.filter(strategy_id=strategy_id)
        lines = lines.filter(entry__strategy_id=strategy_id)
    movements: list[tuple[str, Amount]] = []
    if since is not None:
        midnight = start_of_utc_day(since)
        if midnight != since:
            midnight += timedelta(days=1)
            rest = lines.filter(entry__occurred_at__gte=since, entry__occurred_at__lt=midnight)
            movements += [(asset, -total) for asset, total in _sums(rest)]
        days = days.filter(day__gte=midnight.date())
    movements += _add_up(days, "moved")
    return net_by_asset(movements)


def pnl_by_strategy(
    since_day: datetime | None = None, *, strategy_ids: Collection[int] | None = None
) -> dict[int | None, dict[str, Amount]]:
    """Return what trading gained and lost, by strategy id and asset.

    Args:
        since_day: only UTC days from this one on.
        strategy_ids: only these; ``None``: all.
    """
    days = TradingDay.objects.all()
    if strategy_ids is not None:
        days = days.filter(strategy_id__in=strategy_ids)
    if since_day is not None:
        days = days.filter(day__gte=start_of_utc_day(since_day).date())
    moved: defaultdict[int | None, list[tuple[str, Amount]]] = defaultdict(list)
    rows = days.order_by().values_list("strategy_id", "asset__code")
    for strategy_id, asset, amount in rows.annotate(sum=ExactSum("moved")):
        moved[strategy_id].append((asset, amount))
    return {strategy_id: net_by_asset(pairs) for strategy_id, pairs in moved.items()}


def imbalances() -> dict[str, Amount]:
    """Return every asset whose postings do not sum to zero: always none.

    Reads every posting: for audits, not for pages that are looked at often.
    """
    return net_by_asset(_sums(Posting.objects.all()))


def list_total_errors() -> dict[str, Amount]:
    """Return every running total that differs from the sum of its postings: always none."""
    errors = {
        (total.book, total.account_id, total.wallet, total.asset_id): total.total
        for total in BookTotal.objects.all()
    }
    sums = Posting.objects.order_by().values_list("book", "account_id", "wallet", "asset_id")
    for *key, amount in sums.annotate(total=ExactSum("amount")):
        errors[tuple(key)] = errors.get(tuple(key), ZERO) - amount
    return {":".join(map(str, key)): gap for key, gap in errors.items() if gap}


def lock_totals(account_id: int, assets: Collection[str]) -> None:
    """Lock the running totals that entries of an account in some assets add to, by key.

    In the order in which the database locks those of one statement. Totals that are not there yet
    cannot be locked.
    """
    rows = BookTotal.objects.filter(Q(account_id=account_id) | Q(account_id=None))
    rows = rows.filter(asset__code__in=assets).select_for_update(of=("self",), no_key=True)
    list(rows.order_by("key").values_list("pk"))


def start_of_utc_day(moment: datetime) -> datetime:
    """Return the UTC midnight at or before ``moment``."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _wallet_movements(lines: QuerySet[Posting]) -> dict[str, Amount]:
    return net_by_asset(_sums(lines.filter(book=BookKind.WALLET)))


def _sums(lines: QuerySet[Posting]) -> list[tuple[str, Amount]]:
    return _add_up(lines, "amount")


def _add_up(rows: QuerySet[Any], field: str) -> list[tuple[str, Amount]]:
    return list(rows.order_by().values_list("asset__code").annotate(sum=ExactSum(field)))
