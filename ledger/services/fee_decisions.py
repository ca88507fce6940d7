"""What a person decides about a fee that its venue states and the books do not believe."""

from django.db import transaction
from django.utils.translation import gettext_noop as _

from arbplatform.authors import keep_author, tell_author
from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import Amount, to_plain
from arbplatform.core.errors import InvalidInput, Message
from arbplatform.persistence.retries import retried
from arbplatform.persistence.sentences import as_typed
from ledger.domain.postings import FEE_SETTLED, Purse, fee_lines
from ledger.domain.reconciliation import ACTIVE_STATES, DiscrepancyKind
from ledger.errors import NothingToBook
from ledger.models import Discrepancy, Entry, EntryKind, Fill, LateFee, LogLevel, Order
from ledger.selectors import list_fills, lock_orders
from ledger.selectors.reconciliation import get_discrepancy
from ledger.services.decisions import mark_booked, memo_of
from ledger.services.discrepancies import check_note, require_seen
from ledger.services.entries import book_entry
from ledger.services.fees import FILL_ID, find_held
from ledger.services.halts import Person
from ledger.services.logs import write_log
from markets.services.assets import ensure_assets

_SETTLED = _("{user} says that trade {trade_id} of order {order_id} cost {fee} {asset}: {note}")


@retried
@transaction.atomic(durable=True)
def settle_fee(
    *,
    discrepancy_id: int,
    fee: Amount,
    asset: str = "",
    note: str,
    user: Person | None,
    seen: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Discrepancy:
    """Book what a trade cost because a person says so, where its venue's figure is not believed.

    It may be the venue's figure, another one, or nothing. Nothing is asked for after that, and the
    trade's result no longer waits for it.

    Args:
        discrepancy_id: of a fee in doubt, which has not ended.
        fee: what was taken; negative is a rebate [asset].
        asset: code; empty: the coin that the venue names.
        note: how the person knows.
        user: who says so; ``None``: the platform itself.
        seen: the ``name_figures`` of what the person saw; ``None``: whatever it is now.
        clock: tells when.

    Returns:
        The discrepancy, booked.

    Raises:
        DiscrepancyNotFound: none has this id.
        InvalidInput: there is no note, it is too long, the coin is none of this trade, or the
            account does not hold so much of it.
        NothingToBook: it has ended, or no fee is missing any more.
        ChangedMeanwhile: the venue states another fee than the person saw; nothing was booked.
        Unbookable: the fee has more digits than the books keep.
    """
    note = str(check_note(note))
    row = get_discrepancy(discrepancy_id)
    fill, order = _lock_doubted(row)
    require_seen(row, seen)
    asset = asset.strip() or row.asset
    _check(row, order, fee, asset)
    entry = _book(fill, order, fee, asset, memo_of(user, note))
    if order.next_lookup_at is not None:
        order.next_lookup_at = clock.now()  # which finds that nothing is left to be asked for
        order.save(update_fields=["next_lookup_at", "updated_at"])
    write_log(
        strategy_id=order.strategy_id,
        level=LogLevel.WARNING,
        event="fee_settled",
        template=_SETTLED,
        user=tell_author(keep_author(user)),
        order_id=order.pk,
        trade_id=fill.venue_trade_id,
        fee=to_plain(fee),
        asset=asset,
        note=as_typed(note),
    )
    if order.execution_id is not None:
        enqueue_on_commit("strategies.settle_execution", execution_id=order.execution_id)
    return mark_booked(row.pk, entry, note, user, clock)


def _lock_doubted(row: Discrepancy) -> tuple[Fill, Order]:
    """Return the trade whose fee is in doubt, and its order, locked.

    Raises:
        NothingToBook: there is none.
    """
    if row.state not in ACTIVE_STATES:
        raise NothingToBook(id=row.pk, cause=Message("it has ended."))
    if row.kind != DiscrepancyKind.FEE or FILL_ID not in row.evidence:
        raise NothingToBook(id=row.pk, cause=Message("it is about no trade whose fee is missing."))
    fill_id = int(row.evidence[FILL_ID])
    order = lock_orders([Fill.objects.get(pk=fill_id).order_id])[0]
    fill = list_fills().select_related("entry").get(pk=fill_id)
    if fill.known_fee is not None:
        raise NothingToBook(id=row.pk, cause=Message("the fee of the trade is booked by now."))
    return fill, order


def _check(row: Discrepancy, order: Order, fee: Amount, asset: str) -> None:
    """Refuse what can be no fee of the trade.

    Raises:
        InvalidInput: the coin is another one, or the account does not hold so much of it.
    """
    coins = sorted({order.market.base.code, order.market.quote.code, row.asset})
    if asset not in coins:
        known = Message("Must be one of {expected}.", {"expected": ", ".join(coins)})
        raise InvalidInput(fields={"asset": [known]})
    held = find_held(order.account_id, asset)
    if fee > held:
        context = {"held": to_plain(held), "asset": asset}
        raise InvalidInput(fields={"fee": [Message("The books hold {held} {asset}.", context)]})


def _book(fill: Fill, order: Order, fee: Amount, asset: str, memo: Message) -> Entry:
    entry = book_entry(
        key=fill.entry.key + FEE_SETTLED,
        kind=EntryKind.FEE,
        lines=fee_lines(purse=Purse(fill.account_id), fee=fee, fee_asset=asset),
        occurred_at=fill.executed_at,
        strategy_id=fill.strategy_id,
        execution_id=order.execution_id,
        memo=memo,
    )
    LateFee.objects.create(fill=fill, amount=fee, asset=ensure_assets([asset])[asset], entry=entry)
    return entry
