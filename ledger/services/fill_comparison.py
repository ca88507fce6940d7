"""Compare booked executions with those that the venue lists.

An execution of our own order that is listed and not booked is booked by the usual way, once the
order's own report confirms that so much was filled. What is booked and not listed is never
deleted: that is for a person, or for the venue's explicit word.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.utils.translation import gettext_noop as _

from arbplatform.core.clock import to_ms
from arbplatform.core.decimals import ZERO, Amount, to_plain
from arbplatform.core.errors import Message
from ledger.domain.postings import FEE_CORRECTED, FEE_LATE, FEE_SETTLED, Purse, fee_lines
from ledger.domain.reconciliation import GRACE, DiscrepancyKind, Movement, PurseKey
from ledger.models import Entry, EntryKind, Fill
from ledger.selectors.reconciliation import list_booked_keys, list_fills_of_market
from ledger.services.entries import book_entry
from ledger.services.fees import FILL_ID, FeeJudge, is_fee_known, is_in_third_coin
from ledger.services.fills import book_fills
from ledger.services.listings import Listing, TradeKey
from ledger.services.missing_fills import evidence_of, settle_missing
from ledger.services.movements import Candidate
from ledger.services.venue_reads import Failed, Round
from markets.domain.funds import Wallet
from markets.domain.orders import VenueFill
from markets.models import Market

_K = DiscrepancyKind

_UNLISTED = _(
    "Trade {trade_id} of order {order_id} is booked, but the venue does not list it. "
    "Nothing was deleted."
)
_CONFLICT = _(
    "Trade {trade_id} is booked as {booked} at {booked_price}; the venue lists {listed} at "
    "{listed_price}. What was booked first stays."
)
_FEE_DOUBT = _(
    "The venue states a fee of {fee} {asset} for trade {trade_id}; that is more than 2 % of it. "
    "It is not booked until the balance shows it."
)
_OTHER_FEE_DOUBT = _(
    "The venue states a fee of {fee} {asset} for trade {trade_id}; that is worth more than 10 % of "
    "it, or more than the account holds of a coin whose price is not known. It is not booked until "
    "the balance shows it."
)
_FEE_DIFFERS = _(
    "The fee of trade {trade_id} is booked as {booked} {booked_asset}; the venue states "
    "{fee} {asset}."
)


def compare_fills(round_: Round, markets: Sequence[Market], *, since: datetime) -> list[Candidate]:
    """Compare the executions of some markets; return what was traded without the platform.

    Args:
        round_: collects what is seen.
        markets: whose executions.
        since: from when on.
    """
    candidates: list[Candidate] = []
    for market in markets:
        ask = partial(round_.gateway.fetch_fills, market.symbol, since_ms=to_ms(since))
        read = round_.read_history(ask)
        if isinstance(read, Failed):
            continue
        for kind in (_K.MISSING_FILL, _K.UNLISTED_FILL, _K.FILL_CONFLICT, _K.FEE):
            round_.cover(kind, f"{market.symbol}|")
        candidates += _compare_market(round_, market, since, read.value)
    return candidates


def _compare_market(
    round_: Round, market: Market, since: datetime, rows: Sequence[VenueFill]
) -> list[Candidate]:
    listed = {(row.side.value, row.venue_trade_id): row for row in rows}
    fills = list_fills_of_market(
        round_.account.pk,
        market.pk,
        since=since,
        trade_ids=[row.venue_trade_id for row in rows],
    )
    booked = {(fill.side, fill.venue_trade_id): fill for fill in fills}
    listing = Listing(round_, market, since, listed, booked)
    missing: dict[str, list[VenueFill]] = defaultdict(list)
    for key, row in listed.items():
        if key in booked:
            _compare_fill(listing, key, booked[key], row)
        else:
            missing[row.venue_order_id].append(row)
    settle_missing(listing, missing)
    for key, fill in booked.items():
        if key not in listed:
            _see_unlisted(listing, key, fill)
    return listing.candidates


def _compare_fill(listing: Listing, key: TradeKey, fill: Fill, row: VenueFill) -> None:
    if (fill.price, fill.quantity) != (row.price, row.quantity):
        context = {
            "trade_id": row.venue_trade_id,
            "booked": to_plain(fill.quantity),
            "booked_price": to_plain(fill.price),
            "listed": to_plain(row.quantity),
            "listed_price": to_plain(row.price),
        }
        what = Message(_CONFLICT, context)
        listing.see(_K.FILL_CONFLICT, key, what, booked=fill.quantity, stated=row.quantity)
    if not is_fee_known(row):
        return
    if fill.known_fee is None:
        _settle_late_fee(listing, key, fill, row)
    elif (fill.known_fee, _fee_asset_of(fill)) != (row.fee, row.fee_asset if row.fee else ""):
        _see_other_fee(listing, key, fill, row)


def _settle_late_fee(listing: Listing, key: TradeKey, fill: Fill, row: VenueFill) -> None:
    """Book a fee that was not stated at first; one that is hard to believe waits for proof."""
    order = fill.order
    order.market = listing.market
    if FeeJudge().is_plausible(order, row):
        listing.round.touched.add(order.pk)
        book_fills(order=order, fills=[row])
        return
    fee, asset = row.fee or ZERO, row.fee_asset or ""
    what = Message(
        _OTHER_FEE_DOUBT if is_in_third_coin(order, row) else _FEE_DOUBT,
        {"fee": to_plain(fee), "asset": asset, "trade_id": row.venue_trade_id},
    )
    evidence = {FILL_ID: str(fill.pk)}
    listing.see(_K.FEE, key, what, asset=asset, wallet=Wallet.SPOT, stated=fee, evidence=evidence)
    movement = Movement(
        key=fill.entry.key + FEE_LATE,
        kind=_K.FEE,
        at_ms=row.executed_at_ms,
        amounts={(Wallet.SPOT, asset): -fee},
        what=what,
        evidence=evidence_of(row),
        subject=listing.subject_of(key),
    )
    book = partial(_book_proven_fee, fill, row)
    listing.candidates.append(Candidate(movement, book, order_id=fill.order_id))


def _book_proven_fee(fill: Fill, row: VenueFill) -> Entry:
    book_fills(order=fill.order, fills=[row], is_fee_proven=True)
    return Entry.objects.get(key=fill.entry.key + FEE_LATE)


def _see_other_fee(listing: Listing, key: TradeKey, fill: Fill, row: VenueFill) -> None:
    """Note a fee that is stated otherwise now; a balance that shows it makes it be corrected."""
    entry_key = fill.entry.key + FEE_CORRECTED
    if list_booked_keys([entry_key]) or _is_settled(listing, fill, row):
        return
    booked, booked_asset = fill.known_fee or ZERO, _fee_asset_of(fill)
    fee, asset = row.fee or ZERO, row.fee_asset or ""
    context = {
        "trade_id": row.venue_trade_id,
        "booked": to_plain(booked),
        "booked_asset": booked_asset,
        "fee": to_plain(fee),
        "asset": asset,
    }
    what = Message(_FEE_DIFFERS, context)
    listing.see(_K.FEE, key, what, asset=asset, booked=booked, stated=fee)
    amounts: dict[PurseKey, Amount] = {}
    for code, amount in ((booked_asset, booked), (asset, -fee)):
        if code and amount:
            amounts[Wallet.SPOT, code] = amounts.get((Wallet.SPOT, code), ZERO) + amount
    movement = Movement(
        key=entry_key,
        kind=_K.FEE,
        at_ms=row.executed_at_ms,
        amounts=amounts,
        what=what,
        evidence=evidence_of(row),
        subject=listing.subject_of(key),
    )
    listing.candidates.append(Candidate(movement, partial(_book_correction, fill, movement)))


def _is_settled(listing: Listing, fill: Fill, row: VenueFill) -> bool:
    """Return whether a person has said what the trade cost, and the venue nothing credible since.

    A figure that can be believed is a new one: it was not what the person saw.
    """
    if not list_booked_keys([fill.entry.key + FEE_SETTLED]):
        return False
    order = fill.order
    order.market = listing.market
    return not FeeJudge().is_plausible(order, row)


def _book_correction(fill: Fill, movement: Movement) -> Entry:
    purse = Purse(fill.account_id)
    return book_entry(
        key=movement.key,
        kind=EntryKind.FEE,
        lines=[
            line
            for (_wallet, asset), amount in movement.amounts.items()
            for line in fee_lines(purse=purse, fee=-amount, fee_asset=asset)
        ],
        occurred_at=fill.executed_at,
        strategy_id=fill.strategy_id,
        execution_id=fill.order.execution_id,
        memo=movement.what,
    )


def _see_unlisted(listing: Listing, key: TradeKey, fill: Fill) -> None:
    round_ = listing.round
    is_young = fill.executed_at >= round_.started_at - GRACE
    is_reversed = getattr(fill.entry, "reversed_by", None) is not None
    if is_young or is_reversed or fill.executed_at < listing.since:
        return
    context = {"trade_id": fill.venue_trade_id, "order_id": fill.order_id}
    listing.see(
        _K.UNLISTED_FILL,
        key,
        Message(_UNLISTED, context),
        booked=fill.quantity,
        stated=ZERO,
        evidence={"fill_id": str(fill.pk), "entry_id": str(fill.entry_id)},
    )


def _fee_asset_of(fill: Fill) -> str:
    asset = fill.known_fee_asset
    return asset.code if asset is not None and fill.known_fee else ""
