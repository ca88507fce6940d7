"""What moved at a venue without the platform: found in its histories, booked once proven."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from django.db import transaction
from django.utils.translation import gettext_noop as _

from accounts.models import Transfer, WalletChoice
from arbplatform.core.clock import from_ms, to_ms
from arbplatform.core.decimals import ZERO, Amount, to_plain
from arbplatform.core.errors import ArbError, Message
from arbplatform.persistence.retries import retried
from arbplatform.wording import untranslated
from ledger.domain.postings import Line, Purse, external_lines
from ledger.domain.reconciliation import DiscrepancyKind, Movement, PurseKey, Sighting, explain_gaps
from ledger.models import Entry, EntryKind
from ledger.selectors import find_entry, lock_orders, lock_totals
from ledger.selectors.reconciliation import (
    list_booked_keys,
    list_transfer_ids_at_venue,
    list_unmatched_transfers,
)
from ledger.services.entries import book_entry, reverse_entry
from ledger.services.reconciliation import Comparison, booked_of, lock_books, stands_still
from ledger.services.reservations import lock_purses
from ledger.services.venue_reads import Failed, Round
from markets.domain.funds import VenueTransfer, VenueTransferStatus, Wallet

logger = logging.getLogger(__name__)

ASSETS_MAX = 20
"""Assets whose histories of funds one round reads."""


_DEPOSIT = _("Deposit {id} of {amount} {asset} came without the platform.")
_WITHDRAWAL = _("Withdrawal {id} of {amount} {asset}, fee included, left without the platform.")
_RETURNED = _("Withdrawal {id} failed at the venue: {amount} {asset} came back.")
_MOVE = _("{amount} {asset} were moved from the {source} to the {target} wallet by hand ({id}).")

_PAIRS = ((Wallet.SPOT, Wallet.FUNDING), (Wallet.FUNDING, Wallet.SPOT))

_K = DiscrepancyKind


@dataclass(frozen=True, slots=True)
class Candidate:
    """A movement that one source states.

    Attributes:
        movement: what it is.
        book: books it; called inside a transaction once a second source has proven it. ``None``:
            a transfer of ours, which is booked when it knows its own records.
        order_id: the order whose row booking it locks.
    """

    movement: Movement
    book: Callable[[], Entry] | None
    order_id: int | None = None


@dataclass(frozen=True, slots=True)
class _History:
    """What a venue tells about the funds of one asset.

    Attributes:
        round_: that asks.
        asset: code.
        unmatched: transfers of ours that may have left and do not know their own records yet.
            None of them becomes more on its way: a larger record is not theirs, and their own
            look-up would not take it by its amount either.
    """

    round_: Round
    asset: str
    unmatched: Sequence[Transfer]

    def sent(self, ask: Callable[..., Sequence[VenueTransfer]]) -> list[VenueTransfer]:
        """Return departures and moves that cannot be transfers of ours, as far as told."""
        return self._read(ask, max((row.amount for row in self.unmatched), default=ZERO))

    def received(self, ask: Callable[..., Sequence[VenueTransfer]]) -> list[VenueTransfer]:
        """Return arrivals that cannot be transfers of ours, not even several credited as one."""
        coming = [row for row in self.unmatched if row.to_account_id == self.round_.account.pk]
        amounts = [sum((row.amount for row in coming), ZERO)]
        return self._read(ask, max(amounts + [row.amount for row in self.unmatched]))

    def _read(
        self, ask: Callable[..., Sequence[VenueTransfer]], ours_max: Amount
    ) -> list[VenueTransfer]:
        since_ms = to_ms(self.round_.gaps_since)
        read = self.round_.read(partial(ask, self.asset, since_ms=since_ms))
        if isinstance(read, Failed):
            return []
        return [row for row in read.value if row.amount > ours_max]


def external(round_: Round, movement: Movement) -> Candidate:
    """Return a movement that is booked as one without the platform."""
    return Candidate(movement, partial(_book_external, round_.account.pk, movement))


def find_funds_moved(round_: Round, comparison: Comparison) -> list[Candidate]:
    """Return deposits, withdrawals and moves in the assets whose balances differ."""
    gaps = {(row.wallet, row.asset): row.gap for row in comparison.differences}
    candidates: list[Candidate] = []
    for asset in sorted({asset for _wallet, asset in gaps})[:ASSETS_MAX]:
        unmatched = list_unmatched_transfers(round_.account.pk, asset)
        on_their_way = [_on_its_way(round_, row, asset) for row in unmatched]
        candidates += on_their_way
        mine = {purse: gap for purse, gap in gaps.items() if purse[1] == asset}
        if explain_gaps(mine, [row.movement for row in on_their_way]):
            continue  # nothing is left to be explained by anybody else
        wallets = [wallet for wallet in Wallet if (wallet, asset) in gaps]
        left, came = list_transfer_ids_at_venue(round_.account.pk, asset)
        history = _History(round_, asset, unmatched)
        candidates += _find_deposits(history, wallets[0], came)
        candidates += _find_withdrawals(history, wallets[0], left)
        if len(wallets) == len(Wallet):
            candidates += _find_moves(history, left)
    return candidates


def book_proven(
    round_: Round, comparison: Comparison, candidates: Sequence[Candidate]
) -> list[Sighting]:
    """Book the movements that the balances show exactly, and say so; leave all others.

    Nothing is booked if the books changed since they were compared: the next round looks again.
    """
    gaps = {(row.wallet, row.asset): row.gap for row in comparison.differences}
    known = list_booked_keys([candidate.movement.key for candidate in candidates])
    fresh = {
        candidate.movement.key: candidate
        for candidate in candidates
        if candidate.movement.key not in known
    }
    proven = explain_gaps(gaps, [candidate.movement for candidate in fresh.values()])
    if not proven:
        return []
    purses = {purse for movement in proven for purse in movement.amounts}
    chosen = [fresh[movement.key] for movement in proven]
    round_.touched |= _orders_of(chosen)
    try:
        entries = _book(round_.account.pk, booked_of(comparison, purses), chosen)
    except ArbError as error:
        logger.warning("%s: what moved cannot be booked: %s", round_.account, error)
        return []
    return [_booked_sighting(movement, entry) for movement, entry in entries]


@retried
@transaction.atomic
def _book(
    account_id: int, booked: dict[PurseKey, Amount], candidates: Sequence[Candidate]
) -> list[tuple[Movement, Entry]]:
    """Book movements together, unless the books of their purses changed since.

    Each has an entry of its own, in the order in which they happened. Who records what orders did
    holds their rows, then running totals by key, then those of purses by key: so all of them are
    locked first, in that order. Otherwise the two would wait for each other, and a sender among
    them for a second.
    """
    lock_books(account_id)
    orders = lock_orders(_orders_of(candidates))
    lock_totals(account_id, {asset for _wallet, asset in booked})
    lock_purses(orders)
    if not stands_still(account_id, booked):
        return []
    return [(row.movement, row.book()) for row in candidates if row.book is not None]


def _orders_of(candidates: Sequence[Candidate]) -> set[int]:
    return {row.order_id for row in candidates if row.order_id is not None}


def list_purses_on_their_way(
    gaps: Mapping[PurseKey, Amount], candidates: Sequence[Candidate]
) -> frozenset[PurseKey]:
    """Return the purses whose gaps are transfers of ours, to the last decimal and nothing else.

    Args:
        gaps: what the venue has more than the books, by purse; no zeros.
        candidates: what may have moved.
    """
    ours = [candidate.movement for candidate in candidates if candidate.book is None]
    return frozenset(purse for movement in explain_gaps(gaps, ours) for purse in movement.amounts)


def _booked_sighting(movement: Movement, entry: Entry) -> Sighting:
    first = next(iter(movement.amounts))
    return Sighting(
        kind=movement.kind,
        subject=movement.subject or movement.key,
        explanation=movement.what,
        wallet=first[0],
        asset=first[1],
        stated=movement.amounts[first],
        evidence=movement.evidence,
        entry_id=entry.pk,
    )


def _on_its_way(round_: Round, row: Transfer, asset: str) -> Candidate:
    """Return what a transfer of ours may have moved already, so that it hides nothing else."""
    is_departure = row.from_account_id == round_.account.pk and not row.venue_transfer_id
    if row.is_internal:
        amounts = {
            (Wallet(row.from_wallet), asset): -row.amount,
            (Wallet(row.to_wallet), asset): row.amount,
        }
    elif is_departure:
        amounts = {(Wallet(row.from_wallet), asset): -row.amount}
    else:
        amounts = {(Wallet(row.to_wallet), asset): row.amount - (row.fee or ZERO)}
    movement = Movement(
        key=f"transfer:{row.pk}",
        kind=_K.BALANCE,
        at_ms=to_ms(row.submitted_at or row.created_at),
        amounts=amounts,
        what=Message(str(row.pk)),
    )
    return Candidate(movement, None)


def _find_deposits(history: _History, wallet: Wallet, own_ids: set[str]) -> list[Candidate]:
    round_ = history.round_
    return [
        external(
            round_,
            _movement(
                round_,
                row,
                kind=_K.EXTERNAL_DEPOSIT,
                name="deposit",
                amounts={(wallet, history.asset): row.amount},
                template=_DEPOSIT,
            ),
        )
        for row in history.received(round_.gateway.fetch_deposits)
        if row.status is VenueTransferStatus.DONE and not _ids_of(row) & own_ids
    ]


def _find_withdrawals(history: _History, wallet: Wallet, own_ids: set[str]) -> list[Candidate]:
    candidates, round_ = [], history.round_
    for row in history.sent(round_.gateway.fetch_withdrawals):
        if _ids_of(row) & own_ids:
            continue
        movement = _movement(
            round_,
            row,
            kind=_K.EXTERNAL_WITHDRAWAL,
            name="withdrawal",
            amounts={(wallet, history.asset): -row.amount},
            template=_WITHDRAWAL,
        )
        if row.status is not VenueTransferStatus.FAILED:
            candidates.append(external(round_, movement))
            continue
        booked = find_entry(movement.key)
        if booked is not None:
            candidates.append(_returned(row, movement, booked))
    return candidates


def _returned(row: VenueTransfer, movement: Movement, booked: Entry) -> Candidate:
    """Return the undoing of a withdrawal that was booked and failed afterwards."""
    back = Movement(
        key=f"reversal:{movement.key}",
        kind=movement.kind,
        at_ms=movement.at_ms,
        amounts={purse: -amount for purse, amount in movement.amounts.items()},
        what=Message(_RETURNED, movement.what.context),
        evidence=movement.evidence,
    )
    memo = Message("The withdrawal {id} failed.", {"id": row.venue_transfer_id})
    return Candidate(back, partial(reverse_entry, entry_id=booked.pk, memo=memo))


def _find_moves(history: _History, own_ids: set[str]) -> list[Candidate]:
    candidates, round_, asset = [], history.round_, history.asset
    for source, target in _PAIRS:
        ask = partial(round_.gateway.fetch_wallet_transfers, from_wallet=source, to_wallet=target)
        for row in history.sent(ask):
            if row.status is VenueTransferStatus.FAILED or _ids_of(row) & own_ids:
                continue
            movement = _movement(
                round_,
                row,
                kind=_K.EXTERNAL_MOVE,
                name="move",
                amounts={(source, asset): -row.amount, (target, asset): row.amount},
                template=_MOVE,
                source=untranslated(WalletChoice(source).label),
                target=untranslated(WalletChoice(target).label),
            )
            candidates.append(external(round_, movement))
    return candidates


def _movement(
    round_: Round,
    row: VenueTransfer,
    *,
    kind: DiscrepancyKind,
    name: str,
    amounts: Mapping[PurseKey, Amount],
    template: str,
    **more: Message,
) -> Movement:
    return Movement(
        key=f"external:{round_.account.pk}:{name}:{row.venue_transfer_id}"[:128],
        kind=kind,
        at_ms=row.updated_at_ms or to_ms(round_.started_at),
        amounts=amounts,
        what=Message(
            template,
            {
                "id": row.venue_transfer_id,
                "amount": to_plain(row.amount),
                "asset": row.asset,
                **more,
            },
        ),
        evidence={
            "venue_transfer_id": row.venue_transfer_id,
            "tx_id": row.tx_id or "",
            "address": row.address or "",
            "amount": to_plain(row.amount),
            "fee": "" if row.fee is None else to_plain(row.fee),
            "status": row.status.value,
        },
    )


def _ids_of(row: VenueTransfer) -> set[str]:
    return {one for one in (row.venue_transfer_id, row.client_transfer_id, row.tx_id) if one}


def _book_external(account_id: int, movement: Movement) -> Entry:
    lines: list[Line] = []
    for (wallet, asset), amount in movement.amounts.items():
        if amount:
            lines += external_lines(purse=Purse(account_id, wallet), asset=asset, amount=amount)
    return book_entry(
        key=movement.key,
        kind=EntryKind.EXTERNAL,
        lines=lines,
        occurred_at=from_ms(movement.at_ms),
        memo=movement.what,
    )
