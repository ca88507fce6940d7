"""What a discrepancy puts at risk, what the platform does about it, and what a person can do."""

from collections.abc import Mapping
from dataclasses import dataclass

from arbplatform.core.errors import Message
from ledger.domain.reconciliation import DiscrepancyKind, DiscrepancyState


@dataclass(frozen=True, slots=True)
class Advice:
    """What a person should know about a discrepancy, beside what it is.

    Attributes:
        risk: what may be lost.
        action: what the platform does.
        choice: what a person can do.
    """

    risk: Message
    action: Message
    choice: Message


_K, _S = DiscrepancyKind, DiscrepancyState

_NO_RISK = Message("Nothing: the money is where the books say it is.")
_FREE = Message("Strategies count on a balance that the account may not have.")
_RESULT = Message("The result of a strategy, and its balance, may be wrong by this amount.")
_SHARED = Message("Two parties spend one balance, and neither knows what the other one does.")
_FILLS = Message("The order may fill although the platform does not reckon with it.")

_RISKS: Mapping[DiscrepancyKind, Message] = {
    _K.BALANCE: _FREE,
    _K.MISSING_FILL: _RESULT,
    _K.UNLISTED_FILL: _RESULT,
    _K.FILL_CONFLICT: _RESULT,
    _K.FEE: _RESULT,
    _K.ORDER_STATE: _FILLS,
    _K.UNKNOWN_ORDER: _SHARED,
    _K.FOREIGN_INSTALLATION: _SHARED,
    _K.FOREIGN_ORDER: Message("What the order holds is not free for strategies."),
    _K.EXTERNAL_TRADE: _NO_RISK,
    _K.EXTERNAL_DEPOSIT: _NO_RISK,
    _K.EXTERNAL_WITHDRAWAL: _NO_RISK,
    _K.EXTERNAL_MOVE: _NO_RISK,
}

_ACTIONS: Mapping[DiscrepancyState, Message] = {
    _S.OPEN: Message(
        "It is looked at again every minute. If it neither disappears nor is explained in five "
        "rounds, the account is restricted to orders that reduce exposure."
    ),
    _S.EXPLAINED: Message("It is watched. Nothing is booked, and trading goes on."),
    _S.BOOKED: Message("It is in the books, with the venue's own id."),
    _S.ALARMED: Message(
        "The account is restricted to orders that reduce exposure. Nothing is booked, and it is "
        "looked at again every minute."
    ),
    _S.CLOSED: Message("Nothing: it is gone."),
}

_LOOK = Message("Look again, or acknowledge it if you know what it is.")
_CHOICES: Mapping[DiscrepancyKind, Message] = {
    _K.BALANCE: Message(
        "If you know what moved, book the difference as moved outside. Otherwise compare the "
        "account's history in the venue's own pages, and look again. Then resume the account."
    ),
    _K.UNLISTED_FILL: Message(
        "Ask the venue whether it voided the trade. If so, book it: a reversing entry is made."
    ),
    _K.FEE: Message(
        "Look up in the venue's own pages what it took. Where no fee is booked yet, settle it: say "
        "what it was, with a reason. Otherwise acknowledge it. Then resume the account."
    ),
    _K.UNKNOWN_ORDER: Message(
        "Restore the newest backup of the database, or cancel the order in the venue's own pages. "
        "If an older backup was put back, stop the platform and run manage.py after_restore. Then "
        "acknowledge this and resume the account."
    ),
    _K.FOREIGN_INSTALLATION: Message(
        "Stop the other installation, or give it an account of its own; then acknowledge this and "
        "resume the account."
    ),
    _K.FOREIGN_ORDER: Message("Nothing, if you know the order. Otherwise change the API keys."),
}
_NOTHING = Message("Nothing has to be done.")


def advise(kind: DiscrepancyKind, state: DiscrepancyState) -> Advice:
    """Return what to tell a person.

    >>> str(advise(DiscrepancyKind.EXTERNAL_DEPOSIT, DiscrepancyState.BOOKED).choice)
    'Nothing has to be done.'
    """
    is_over = state in (_S.BOOKED, _S.CLOSED)
    return Advice(
        risk=_NO_RISK if is_over else _RISKS[kind],
        action=_ACTIONS[state],
        choice=_NOTHING if is_over else _CHOICES.get(kind, _LOOK),
    )
