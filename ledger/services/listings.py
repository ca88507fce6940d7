"""What a venue lists of one market beside what is booked, and what is known of foreign orders."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from arbplatform.core.decimals import Quantity
from arbplatform.core.errors import Message
from ledger.domain.denials import Denial
from ledger.domain.reconciliation import DiscrepancyKind, Sighting
from ledger.models import Fill, Order
from ledger.selectors import list_orders
from ledger.services.movements import Candidate
from ledger.services.turns import find_denial, forget_denial, note_denial, take_turns
from ledger.services.venue_reads import Round
from markets.domain.orders import VenueFill
from markets.models import Market

Stranger = tuple[str, str, str]
"""The venue's id of an order, its client order id (empty: none) and its symbol."""

TradeKey = tuple[str, str]
"""Side and the venue's id of the trade."""


@dataclass(slots=True)
class Listing:
    """One market's trades by the venue beside those that are booked.

    Attributes:
        round: collects what is seen.
        market: whose trades.
        since: from when on.
        listed: by the venue.
        booked: by us.
        candidates: movements that one source states.
    """

    round: Round
    market: Market
    since: datetime
    listed: Mapping[TradeKey, VenueFill]
    booked: Mapping[TradeKey, Fill]
    candidates: list[Candidate] = field(default_factory=list)

    def see(self, kind: DiscrepancyKind, key: TradeKey, what: Message, **more: Any) -> None:
        """Note something about a trade."""
        self.round.sightings.append(Sighting(kind, self.subject_of(key), what, **more))

    def leave_open(self) -> None:
        """Conclude nothing from a trade that was not looked at: it may be missing still."""
        self.round.uncover(DiscrepancyKind.MISSING_FILL, f"{self.market.symbol}|")

    def recall(self, venue_order_id: str) -> Stranger | None:
        """Return an order that this round or an earlier one has found not to be in the journal."""
        name, round_ = self._name(venue_order_id), self.round
        client_order_id = round_.strangers.get(name, round_.known_strangers.get(name))
        if client_order_id is None:
            return None
        return venue_order_id, client_order_id, self.market.symbol

    def remember(self, stranger: Stranger) -> None:
        """Note an order that no later round has to ask for again."""
        self.round.strangers[self._name(stranger[0])] = stranger[1]

    def in_turn(
        self, venue_order_ids: Iterable[str], count_max: int
    ) -> Iterator[tuple[str, Denial | None]]:
        """Yield what this round looks at; first the orders that the venue denied least often.

        Args:
            venue_order_ids: of the orders that there are.
            count_max: for how many of them the venue may be asked.

        Yields:
            The venue's id of an order, and the denial by which this round goes; ``None``: the
            venue is to be asked.
        """
        ids = {self._name(one): one for one in venue_order_ids}
        turns = take_turns(self.round, ids, count_max)
        if not turns.is_all:
            self.leave_open()
        for name, denial in turns.taken:
            yield ids[name], denial

    def note_denial(
        self, venue_order_id: str, *, filled: Quantity | None = None, order: Order | None = None
    ) -> None:
        """Note that the venue has denied once more what it lists of an order.

        Args:
            venue_order_id: of the order.
            filled: what it says instead was filled [base]; ``None``: it knows no such order.
            order: ours, where only the order's mark tells which.
        """
        order_id = None if order is None or filled is None else order.pk
        note_denial(self.round, self._name(venue_order_id), filled=filled, order_id=order_id)

    def forget_denial(self, venue_order_id: str) -> None:
        """Note that nothing of an order is missing any more: what was denied before is settled."""
        forget_denial(self.round, self._name(venue_order_id))

    def known_by_mark(self, venue_order_ids: Iterable[str]) -> dict[str, Order]:
        """Return orders of ours that earlier questions have found by their mark alone.

        Args:
            venue_order_ids: of orders that the journal does not know by these ids.
        """
        denials = {one: find_denial(self.round, self._name(one)) for one in venue_order_ids}
        ids = {one: row.order_id for one, row in denials.items() if row and row.order_id}
        orders = list_orders().in_bulk(ids.values()) if ids else {}
        return {one: orders[pk] for one, pk in ids.items() if pk in orders}

    def subject_of(self, key: TradeKey) -> str:
        """Return what names a trade among all of the account."""
        return f"{self.market.symbol}|{key[0]}|{key[1]}"

    def _name(self, venue_order_id: str) -> str:
        return f"{self.market.symbol}|{venue_order_id}"
