"""What a venue lists of one market beside what is booked, and what is known of foreign orders."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from arbplatform.core.clock import to_ms
from arbplatform.core.decimals import Quantity
from arbplatform.core.errors import Message
from ledger.domain.denials import Denial
from ledger.domain.reconciliation import ROUNDS_MIN, DiscrepancyKind, Sighting
from ledger.models import Fill
from ledger.services.movements import Candidate
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
        asked = 0
        for venue_order_id in sorted(venue_order_ids, key=self._count_denials):
            has_room = asked < count_max
            denial = self._denial(venue_order_id)
            if denial is not None and self._rests(venue_order_id, denial, has_room=has_room):
                self.round.denials[self._name(venue_order_id)] = denial  # it is listed still
                yield venue_order_id, denial
            elif has_room:
                asked += 1
                yield venue_order_id, None
            else:
                self.leave_open()
                self.round.is_cut_short = True

    def note_denial(self, venue_order_id: str, *, filled: Quantity | None = None) -> None:
        """Note that the venue has denied once more what it lists of an order.

        Args:
            venue_order_id: of the order.
            filled: what it says instead was filled [base]; ``None``: it knows no such order.
        """
        count = self._count_denials(venue_order_id) + 1
        moment_ms = to_ms(self.round.started_at)
        self.round.denials[self._name(venue_order_id)] = Denial(count, moment_ms, filled)

    def forget_denial(self, venue_order_id: str) -> None:
        """Note that nothing of an order is missing any more: what was denied before is settled."""
        name, round_ = self._name(venue_order_id), self.round
        round_.known_denials = {
            one: row for one, row in round_.known_denials.items() if one != name
        }

    def subject_of(self, key: TradeKey) -> str:
        """Return what names a trade among all of the account."""
        return f"{self.market.symbol}|{key[0]}|{key[1]}"

    def _count_denials(self, venue_order_id: str) -> int:
        denial = self._denial(venue_order_id)
        return 0 if denial is None else denial.count

    def _rests(self, venue_order_id: str, denial: Denial, *, has_room: bool) -> bool:
        """Return whether an order that the venue denied is not asked for again in this round.

        Who has room goes before what was denied so often that a person is told.
        """
        if self._name(venue_order_id) in self.round.denials:
            return True
        is_due = self.round.asks_all or denial.is_due(to_ms(self.round.started_at))
        return not is_due or (denial.count >= ROUNDS_MIN and not has_room)

    def _denial(self, venue_order_id: str) -> Denial | None:
        name = self._name(venue_order_id)
        return self.round.denials.get(name) or self.round.known_denials.get(name)

    def _name(self, venue_order_id: str) -> str:
        return f"{self.market.symbol}|{venue_order_id}"
