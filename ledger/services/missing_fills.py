"""Executions that the venue lists and the books do not know: ours, or somebody else's.

Those of our own orders are booked by the usual way once the order's own report confirms that so
much was filled; those of others are candidates that the account's balances must prove.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from django.conf import settings
from django.utils.translation import gettext_noop as _

from arbplatform.core.clock import from_ms
from arbplatform.core.decimals import ZERO, Amount, Quantity, to_plain
from arbplatform.core.errors import ArbError, Message
from arbplatform.wording import untranslated
from ledger.domain.denials import Denial
from ledger.domain.orders import OrderState
from ledger.domain.postings import Book, Purse, fill_lines
from ledger.domain.reconciliation import (
    DiscrepancyKind,
    Movement,
    Owner,
    PurseKey,
    owner_of,
)
from ledger.models import Order, SideChoice
from ledger.selectors import find_orders
from ledger.selectors.reconciliation import (
    find_orders_by_venue_id,
    list_booked_keys,
    may_be_unlinked,
)
from ledger.services.fees import cost_of, is_fee_known
from ledger.services.listings import Listing, Stranger, TradeKey
from ledger.services.movements import external
from ledger.services.recording import record
from ledger.services.sending import Reported
from ledger.services.strangers import (
    is_another,
    see_other_installation,
    see_unknown_order,
    stranger_of,
)
from ledger.services.venue_reads import Failed, Ok, Round
from markets.domain.orders import Side, VenueFill, VenueOrder
from markets.errors import OrderAbsent

logger = logging.getLogger(__name__)

OWN_ORDERS_MAX = 20
"""Orders of ours in one market that one round asks for in order to book what they executed."""

FOREIGN_ORDERS_MAX = 20
"""Orders in one market that one round asks for in order to learn whose they are."""

_K = DiscrepancyKind

_MISSING = _(
    "The venue lists trades of order {order_id} for {listed} in all, but says that the order "
    "filled {filled}. Nothing was booked."
)
_UNREAD = _(
    "The venue lists trade {trade_id} of {quantity} {symbol}, which is not booked, but does not "
    "show its order {venue_order_id}. Nothing was booked."
)
_BOOKED = _("Trade {trade_id} of order {order_id} was missing and is booked now.")
_TRADE = _(
    "Trade {trade_id} was made without the platform: {side} {quantity} {symbol} at {price}, "
    "fee {fee} {fee_asset}, order {venue_order_id}."
)
_UNBOOKABLE = _("Trade {trade_id} of order {order_id} cannot be booked: see the log.")
_PENDING = (OrderState.PENDING, OrderState.SUBMITTING)


def settle_missing(listing: Listing, missing: Mapping[str, Sequence[VenueFill]]) -> None:
    """Settle what the venue lists and the books do not know, by the venue's ids of the orders.

    A round asks for a bounded number of orders. While there are more, histories do not count as
    read, and the next round asks for others: what was learned before is kept. What the venue goes
    on denying is asked for less and less often, and is seen in every round all the same.
    """
    round_, market = listing.round, listing.market
    known = {
        order.venue_order_id: order
        for order in find_orders_by_venue_id(round_.account.pk, market.pk, missing)
    }
    known |= listing.known_by_mark(missing.keys() - known.keys())
    own: dict[str, Order] = {}
    unknown: list[str] = []
    for venue_order_id, rows in missing.items():
        order = known.get(venue_order_id)
        if order is not None and order.state in _PENDING:
            round_.is_moving = True  # its sender is about to write them down
        elif order is not None:
            own[venue_order_id] = order
        elif _are_booked(listing, rows):
            continue
        elif (stranger := listing.recall(venue_order_id)) is not None:
            _settle_stranger(listing, stranger, rows)
        else:
            unknown.append(venue_order_id)
    for venue_order_id, denial in listing.in_turn(own, OWN_ORDERS_MAX):
        _settle_own(listing, own[venue_order_id], missing[venue_order_id], denial)
    for venue_order_id, denial in listing.in_turn(unknown, FOREIGN_ORDERS_MAX):
        _settle_unknown(listing, missing[venue_order_id], denial)


def _settle_own(
    listing: Listing, order: Order, rows: Sequence[VenueFill], denial: Denial | None
) -> None:
    """Book executions of our order by the usual way if its own report confirms them."""
    if denial is not None:
        _see_own_again(listing, order, rows, denial)
        return
    account_id, venue_order_id = listing.round.account.pk, rows[0].venue_order_id
    read = _read_order(listing, venue_order_id)
    if isinstance(read, Failed):
        if isinstance(read.error, OrderAbsent):
            listing.note_denial(venue_order_id)
        _see_unread(listing, rows, read.error)
    elif order.venue_order_id != venue_order_id and is_another(account_id, order, read.value):
        _settle_stranger(listing, stranger_of(read.value), rows)
    else:
        _settle_reported(listing, order, read.value, rows)


def _settle_reported(
    listing: Listing, order: Order, report: VenueOrder, rows: Sequence[VenueFill]
) -> None:
    """Book what our order's own report confirms, or does not speak of; note it if that is less."""
    venue_order_id = rows[0].venue_order_id
    if not report.is_filled_stated:
        report = replace(report, filled_quantity=_missing_of(order, rows)[1])
    if _book_confirmed(listing, order, report, rows):
        listing.forget_denial(venue_order_id)
    else:
        _note_less(listing, order, report, venue_order_id)


def _note_less(listing: Listing, order: Order, report: VenueOrder, venue_order_id: str) -> None:
    """Note that our order's own report does not confirm what is listed of it."""
    by_mark = None if order.venue_order_id == venue_order_id else order
    listing.note_denial(venue_order_id, filled=_filled_here(listing, report), order=by_mark)


def _see_own_again(
    listing: Listing, order: Order, rows: Sequence[VenueFill], denial: Denial
) -> None:
    """Note what a question about our order came to when it was asked last."""
    if denial.filled is None:
        _see_denied(listing, rows)
        return
    rows, listed = _missing_of(order, rows)
    if denial.filled < listed:
        _see_excess(listing, order, denial.filled, rows, listed)
    else:
        _see_outcome(listing, order, rows)


def _missing_of(order: Order, rows: Sequence[VenueFill]) -> tuple[Sequence[VenueFill], Quantity]:
    """Return what is not booked at this moment, and how much is then listed of the order in all."""
    fills = {fill.venue_trade_id: fill.quantity for fill in order.fills.all()}
    rows = [row for row in rows if row.venue_trade_id not in fills]
    return rows, sum((row.quantity for row in rows), sum(fills.values(), ZERO))


def _filled_here(listing: Listing, report: VenueOrder) -> Quantity:
    """Return how much a report confirms of what is listed in a market: of another one nothing."""
    return report.filled_quantity if report.symbol == listing.market.symbol else ZERO


def _book_confirmed(
    listing: Listing, order: Order, report: VenueOrder, rows: Sequence[VenueFill]
) -> bool:
    """Book executions of our order that its report confirms; return whether none is missing."""
    rows, listed = _missing_of(order, rows)
    if not rows:
        return True  # whoever sent the order has written them down in the meantime
    filled = _filled_here(listing, report)
    if filled < listed:
        _see_excess(listing, order, filled, rows, listed)
        return False
    listing.round.touched.add(order.pk)
    try:
        record(
            orders=[order],
            knowledge={order.pk: Reported(report, tuple(rows))},
            clock=listing.round.clock,
            is_lookup=True,
        )
    except ArbError as error:
        logger.warning("Order %s: listed trades cannot be booked: %s", order.pk, error)
    return _see_outcome(listing, order, rows)


def _see_outcome(listing: Listing, order: Order, rows: Sequence[VenueFill]) -> bool:
    """Note which executions are booked now; return whether all are."""
    entries = dict(
        order.fills.filter(venue_trade_id__in=[row.venue_trade_id for row in rows]).values_list(
            "venue_trade_id", "entry_id"
        )
    )
    for row in rows:
        template = _BOOKED if row.venue_trade_id in entries else _UNBOOKABLE
        listing.see(
            _K.MISSING_FILL,
            _key(row),
            Message(template, {"trade_id": row.venue_trade_id, "order_id": order.pk}),
            stated=row.quantity,
            evidence=evidence_of(row),
            entry_id=entries.get(row.venue_trade_id),
        )
    return len(entries) == len(rows)


def _see_excess(
    listing: Listing,
    order: Order,
    filled: Quantity,
    rows: Sequence[VenueFill],
    listed: Quantity,
) -> None:
    context = {
        "order_id": order.pk,
        "listed": to_plain(listed),
        "filled": to_plain(filled),
    }
    for row in rows:
        listing.see(
            _K.MISSING_FILL,
            _key(row),
            Message(_MISSING, context),
            booked=ZERO,
            stated=row.quantity,
            evidence=evidence_of(row),
        )


def _settle_unknown(listing: Listing, rows: Sequence[VenueFill], denial: Denial | None) -> None:
    """Learn whose trades these are. What was before the books were opened is nobody's matter."""
    if denial is not None:
        _see_denied(listing, rows)
        return
    round_, venue_order_id = listing.round, rows[0].venue_order_id
    read = _read_order(listing, venue_order_id)
    if isinstance(read, Failed):
        if isinstance(read.error, OrderAbsent):
            listing.note_denial(venue_order_id)
        _see_unread(listing, rows, read.error)
        return
    report = read.value
    owner = owner_of(report.client_order_id, settings.ARB_INSTALL_ID)
    if owner is Owner.US:
        order = find_orders([report.client_order_id or ""]).get(report.client_order_id or "")
        if order is not None and not is_another(round_.account.pk, order, report):
            _settle_marked(listing, order, report, rows)
            return
    if owner is Owner.UNSAID and may_be_unlinked(
        round_.account.pk,
        listing.market.pk,
        side=report.side.value,
        quantity=report.quantity,
        since=listing.since,
    ):
        round_.is_moving = True  # may be ours: its look-up tells
        return
    _settle_stranger(listing, stranger_of(report), rows)


def _settle_stranger(listing: Listing, stranger: Stranger, rows: Sequence[VenueFill]) -> None:
    """Say whose order it is that is not in the journal; its trades may explain what differs."""
    listing.remember(stranger)
    round_, owner = listing.round, owner_of(stranger[1], settings.ARB_INSTALL_ID)
    if any(_is_ours_to_book(round_, row) for row in rows):
        if owner is Owner.US:
            round_.sightings.append(see_unknown_order(stranger))
        elif owner is Owner.OTHER_INSTALLATION:
            round_.sightings.append(see_other_installation(stranger))
    if owner is Owner.US:
        return
    for row in rows:
        if is_fee_known(row):
            listing.candidates.append(external(round_, _trade(listing, row)))


def _settle_marked(
    listing: Listing, order: Order, report: VenueOrder, rows: Sequence[VenueFill]
) -> None:
    if order.state in _PENDING:
        listing.round.is_moving = True
    else:
        _settle_reported(listing, order, report, rows)


def _see_unread(listing: Listing, rows: Sequence[VenueFill], error: ArbError) -> None:
    """Note what came of a question about the order of listed trades; silence says nothing."""
    if isinstance(error, OrderAbsent):
        _see_denied(listing, rows)
    else:
        listing.leave_open()


def _see_denied(listing: Listing, rows: Sequence[VenueFill]) -> None:
    """Note that the venue denies the order of trades that it lists, as it said when last asked."""
    for row in rows:
        if _is_ours_to_book(listing.round, row):
            context = {
                "trade_id": row.venue_trade_id,
                "quantity": to_plain(row.quantity),
                "symbol": row.symbol,
                "venue_order_id": row.venue_order_id,
            }
            listing.see(
                _K.MISSING_FILL,
                _key(row),
                Message(_UNREAD, context),
                booked=ZERO,
                stated=row.quantity,
                evidence=evidence_of(row),
            )


def _read_order(listing: Listing, venue_order_id: str) -> Ok[VenueOrder] | Failed:
    ask = partial(
        listing.round.gateway.fetch_order,
        symbol=listing.market.symbol,
        venue_order_id=venue_order_id,
    )
    return listing.round.read(ask)


def _trade(listing: Listing, row: VenueFill) -> Movement:
    market = listing.market
    lines = fill_lines(
        purse=Purse(listing.round.account.pk),
        base=market.base.code,
        quote=market.quote.code,
        side=Side(row.side),
        quantity=row.quantity,
        cost=cost_of(row),
        fee=row.fee,
        fee_asset=row.fee_asset,
    )
    amounts: dict[PurseKey, Amount] = {}
    for line in lines:
        if line.book == Book.WALLET and line.wallet is not None:
            purse = (line.wallet, line.asset)
            amounts[purse] = amounts.get(purse, ZERO) + line.amount
    return Movement(
        key=_entry_key(listing, row),
        kind=_K.EXTERNAL_TRADE,
        at_ms=row.executed_at_ms,
        amounts=amounts,
        what=Message(
            _TRADE,
            {
                **evidence_of(row),
                "side": untranslated(SideChoice(row.side).label),
                "symbol": row.symbol,
            },
        ),
        evidence=evidence_of(row),
    )


def _entry_key(listing: Listing, row: VenueFill) -> str:
    place = f"external:{listing.round.account.pk}:trade:{listing.market.pk}"
    return f"{place}:{row.side}:{row.venue_trade_id}"


def _are_booked(listing: Listing, rows: Sequence[VenueFill]) -> bool:
    keys = {_entry_key(listing, row) for row in rows}
    return list_booked_keys(keys) == keys


def _is_ours_to_book(round_: Round, row: VenueFill) -> bool:
    return from_ms(row.executed_at_ms) >= round_.opened_at


def _key(row: VenueFill) -> TradeKey:
    return row.side.value, row.venue_trade_id


def evidence_of(row: VenueFill) -> dict[str, str]:
    """Return the venue's figures of a trade as JSON keeps them."""
    return {
        "trade_id": row.venue_trade_id,
        "venue_order_id": row.venue_order_id,
        "side": row.side.value,
        "quantity": to_plain(row.quantity),
        "price": to_plain(row.price),
        "fee": "" if row.fee is None else to_plain(row.fee),
        "fee_asset": row.fee_asset or "",
    }
