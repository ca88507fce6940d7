"""What a venue lists of one market beside what is booked, and what is known of foreign orders."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from arbplatform.core.clock import to_ms
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

    def count_denials(self, venue_order_id: str) -> int:
        """Return in how many rounds the venue has said that it knows no such order."""
        denial = self._denial(venue_order_id)
        return 0 if denial is None else denial.count

    def rests(self, venue_order_id: str, *, has_room: bool) -> bool:
        """Return whether an order that the venue denied is not asked for again in this round.

        Args:
            venue_order_id: of the order.
            has_room: whether the round may ask for another one at all; it goes before what was
                denied so often that a person is told.
        """
        denial, round_ = self._denial(venue_order_id), self.round
        if denial is None or self._name(venue_order_id) in round_.denials:
            return denial is not None
        is_due = denial.is_due(to_ms(round_.started_at))
        return not is_due or (denial.count >= ROUNDS_MIN and not has_room)

    def keep_denial(self, venue_order_id: str) -> None:
        """Note that an order is listed still of which this round goes by the venue's last word."""
        denial = self._denial(venue_order_id)
        if denial is not None:
            self.round.denials[self._name(venue_order_id)] = denial

    def note_denial(self, venue_order_id: str) -> None:
        """Note that the venue has said once more that it knows no such order."""
        count = self.count_denials(venue_order_id) + 1
        moment_ms = to_ms(self.round.started_at)
        self.round.denials[self._name(venue_order_id)] = Denial(count, moment_ms)

    def subject_of(self, key: TradeKey) -> str:
        """Return what names a trade among all of the account."""
        return f"{self.market.symbol}|{key[0]}|{key[1]}"

    def _denial(self, venue_order_id: str) -> Denial | None:
        name = self._name(venue_order_id)
        return self.round.denials.get(name) or self.round.known_denials.get(name)

    def _name(self, venue_order_id: str) -> str:
        return f"{self.market.symbol}|{venue_order_id}"
