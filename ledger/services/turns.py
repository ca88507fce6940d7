"""Which of the orders that a round has doubts about it asks for, where there are many.

A round asks for a bounded number. Who was asked for least often comes first, so that all have
their turn; what the venue goes on saying rests for longer and longer, and is seen in every round
as it was said last.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from arbplatform.core.clock import to_ms
from arbplatform.core.decimals import Quantity
from ledger.domain.denials import Denial
from ledger.domain.reconciliation import ROUNDS_MIN
from ledger.services.venue_reads import Round


@dataclass(frozen=True, slots=True)
class Turns:
    """What a round looks at.

    Attributes:
        taken: names of orders, and the denial by which the round goes; ``None``: the venue is to
            be asked.
        is_all: whether no order is left to the next round.
    """

    taken: list[tuple[str, Denial | None]]
    is_all: bool


def take_turns(round_: Round, names: Iterable[str], count_max: int) -> Turns:
    """Return what a round looks at; first the orders that were denied least often.

    Args:
        round_: that looks; is cut short if it has no room for all.
        names: of the orders that there are.
        count_max: for how many of them the venue may be asked.
    """
    asked, is_all = 0, True
    taken: list[tuple[str, Denial | None]] = []
    for name in sorted(names, key=lambda one: _count_denials(round_, one)):
        has_room = asked < count_max
        denial = find_denial(round_, name)
        if denial is not None and _rests(round_, name, denial, has_room=has_room):
            round_.denials[name] = denial  # it is listed still
            taken.append((name, denial))
        elif has_room:
            asked += 1
            taken.append((name, None))
        else:
            round_.is_cut_short, is_all = True, False
    return Turns(taken, is_all)


def note_denial(
    round_: Round, name: str, *, filled: Quantity | None = None, order_id: int | None = None
) -> None:
    """Note that the venue has denied once more what it lists of an order, or what is booked of it.

    Args:
        round_: that asked.
        name: of the order.
        filled: what the venue says instead was filled [base]; ``None``: it knows no such order.
        order_id: ours, where only the order's mark tells which; only together with ``filled``.
    """
    count = _count_denials(round_, name) + 1
    asked_at_ms = to_ms(round_.started_at)
    round_.denials[name] = Denial(count, asked_at_ms, filled, order_id)


def forget_denial(round_: Round, name: str) -> None:
    """Note that nothing is denied of an order any more: what was before is settled."""
    round_.known_denials = {one: row for one, row in round_.known_denials.items() if one != name}


def find_denial(round_: Round, name: str) -> Denial | None:
    """Return what is known of an order's denials, by this round or those before it."""
    return round_.denials.get(name) or round_.known_denials.get(name)


def _count_denials(round_: Round, name: str) -> int:
    denial = find_denial(round_, name)
    return 0 if denial is None else denial.count


def _rests(round_: Round, name: str, denial: Denial, *, has_room: bool) -> bool:
    """Return whether an order that the venue denied is not asked for again in this round.

    Who has room goes before what was denied so often that a person is told.
    """
    if name in round_.denials:
        return True
    is_due = round_.asks_all or denial.is_due(to_ms(round_.started_at))
    return not is_due or (denial.count >= ROUNDS_MIN and not has_room)
