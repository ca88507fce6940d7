"""What can go wrong, and which details each kind of fault takes.

``docs/fault-plan.md`` explains every kind to people.
"""

from enum import StrEnum
from typing import NamedTuple


class Group(StrEnum):
    """Where a fault strikes."""

    ANSWER = "answer"
    """A request: it is carried out or not, and what comes back is spoilt."""
    ORDER = "order"
    """An order: what becomes of it at the venue."""
    STATE = "state"
    """A condition of the venue for as long as the fault is armed."""
    TRANSFER = "transfer"
    """A withdrawal or deposit."""
    FEED = "feed"
    """A WebSocket message."""
    ACT = "act"
    """Something that somebody else does, at once or when a request comes."""


class FaultKind(StrEnum):
    """What goes wrong."""

    REFUSE = "refuse"
    """An error of the venue, by code; not carried out unless ``is_carried_out``."""
    DROP_REQUEST = "drop_request"
    """Not carried out, and the connection is cut without a word."""
    DROP_ANSWER = "drop_answer"
    """Carried out, and the connection is cut without a word."""
    LATE_REQUEST = "late_request"
    """Carried out only after ``delay_ms``, then answered."""
    LATE_ANSWER = "late_answer"
    """Carried out at once, and answered after ``delay_ms``."""
    HTML = "html"
    """A page instead of JSON, with status 200 or another; carried out unless told otherwise."""
    TRUNCATE = "truncate"
    """Carried out, and only the first half of the answer is sent."""
    BAD_JSON = "bad_json"
    """An answer that looks like JSON and is none; carried out unless told otherwise."""
    EMPTY = "empty"
    """Status 200 and no body; carried out unless told otherwise."""
    EMPTY_LIST = "empty_list"
    """A list without its rows: a read that failed inside the venue."""
    LOST_ROW = "lost_row"
    """A list without its last row."""
    DOUBLE_ROWS = "double_rows"
    """A list with every row twice."""
    RATE_LIMIT = "rate_limit"
    """429 with Retry-After; not carried out."""
    BAN = "ban"
    """418 with Retry-After and the time until which the address is banned; not carried out."""
    MAINTENANCE = "maintenance"
    """The whole venue answers 503 and says so in its system status."""
    PARTIAL_FILL = "partial_fill"
    """``part`` of a new order may trade; the rest expires, whatever its time in force."""
    LATE_FILL = "late_fill"
    """An order that was said to be over, expired or cancelled, is filled ``delay_ms`` later."""
    REJECT = "reject"
    """A new order gets an id, and the status REJECTED."""
    CLOCK_SKEW = "clock_skew"
    """The venue's clock is ``offset_ms`` ahead, in what it tells and in what it checks."""
    SUSPEND_MARKET = "suspend_market"
    """A market has the status BREAK or HALT: no order is taken, and nothing trades."""
    STALE_BOOK = "stale_book"
    """The book that is shown stands still, while the true one moves on."""
    OLD_SNAPSHOT = "old_snapshot"
    """The book that is read stands still, while the differences of the true one are told."""
    CROSSED_BOOK = "crossed_book"
    """The book that is shown has a false bid ``bps`` above its best ask."""
    FEE_COIN = "fee_coin"
    """Fees are taken in ``coin`` with a discount, and as usual once it does not suffice."""
    SUSPEND_WITHDRAWALS = "suspend_withdrawals"
    """An asset's network takes no withdrawals."""
    SUSPEND_DEPOSITS = "suspend_deposits"
    """An asset's network credits no deposits: they wait."""
    STUCK_WITHDRAWAL = "stuck_withdrawal"
    """A withdrawal is processed for ever."""
    STUCK_DEPOSIT = "stuck_deposit"
    """A withdrawal is completed at its venue; the deposit waits, unconfirmed."""
    SHORT_DEPOSIT = "short_deposit"
    """``amount`` less arrives than was sent."""
    WS_SILENCE = "ws_silence"
    """An open WebSocket says nothing; nothing is missing afterwards from books."""
    WS_GAP = "ws_gap"
    """A message is lost: the numbers of a book's changes have a gap."""
    WS_REORDER = "ws_reorder"
    """A message is overtaken by the next one of its stream."""
    WS_DOUBLE = "ws_double"
    """A message comes twice."""
    WS_DISCONNECT = "ws_disconnect"
    """A message is lost, and its listeners with it."""
    MANUAL_TRADE = "manual_trade"
    """The account's owner trades ``amount`` at market, or at ``price``, by hand."""
    MANUAL_WITHDRAWAL = "manual_withdrawal"
    """The account's owner sends ``amount`` away by hand."""
    MANUAL_DEPOSIT = "manual_deposit"
    """``amount`` arrives that nobody here sent."""


class Kind(NamedTuple):
    """What a kind of fault is made of.

    Attributes:
        group: where it strikes.
        fields: details that it takes, beside those of its group.
        required: details that it cannot do without.
        is_lasting: whether it strikes until it is removed unless told how often.
        is_held: whether what it struck is free once it ends: then it cannot end by a number.
    """

    group: Group
    fields: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    is_lasting: bool = False
    is_held: bool = False


COMMON_FIELDS = frozenset({"kind", "times", "for_ms", "after", "chance"})
"""Details that every fault takes."""
GROUP_FIELDS: dict[Group, frozenset[str]] = {
    Group.ANSWER: frozenset({"endpoint", "path", "method", "symbol", "side", "account", "asset"}),
    Group.ORDER: frozenset({"symbol", "side", "account"}),
    Group.STATE: frozenset(),
    Group.TRANSFER: frozenset({"asset", "account"}),
    Group.FEED: frozenset({"symbol", "account", "stream"}),
    Group.ACT: frozenset({"endpoint", "path", "method", "account"}),
}


def _answer(*fields: str, required: str = "", is_lasting: bool = False) -> Kind:
    return Kind(Group.ANSWER, frozenset(fields), frozenset(required.split()), is_lasting)


def _state(*fields: str, required: str = "") -> Kind:
    return Kind(Group.STATE, frozenset(fields), frozenset(required.split()), is_lasting=True)


def _order(*fields: str, required: str = "") -> Kind:
    return Kind(Group.ORDER, frozenset(fields), frozenset(required.split()))


def _transfer(*fields: str, required: str = "") -> Kind:
    return Kind(Group.TRANSFER, frozenset(fields), frozenset(required.split()))


def _holding() -> Kind:
    return Kind(Group.TRANSFER, is_lasting=True, is_held=True)


def _act(*fields: str, required: str) -> Kind:
    return Kind(Group.ACT, frozenset(fields), frozenset(required.split()))


KINDS: dict[FaultKind, Kind] = {
    FaultKind.REFUSE: _answer("status", "code", "text", "retry_after_s", "is_carried_out"),
    FaultKind.DROP_REQUEST: _answer(),
    FaultKind.DROP_ANSWER: _answer(),
    FaultKind.LATE_REQUEST: _answer("delay_ms", required="delay_ms"),
    FaultKind.LATE_ANSWER: _answer("delay_ms", required="delay_ms"),
    FaultKind.HTML: _answer("status", "is_carried_out"),
    FaultKind.TRUNCATE: _answer(),
    FaultKind.BAD_JSON: _answer("status", "is_carried_out"),
    FaultKind.EMPTY: _answer("status", "is_carried_out"),
    FaultKind.EMPTY_LIST: _answer(),
    FaultKind.LOST_ROW: _answer(),
    FaultKind.DOUBLE_ROWS: _answer(),
    FaultKind.RATE_LIMIT: _answer("retry_after_s", "text"),
    FaultKind.BAN: _answer("retry_after_s"),
    FaultKind.MAINTENANCE: _answer(is_lasting=True),
    FaultKind.PARTIAL_FILL: _order("part"),
    FaultKind.LATE_FILL: _order("part", "delay_ms", required="delay_ms"),
    FaultKind.REJECT: _order(),
    FaultKind.CLOCK_SKEW: _state("offset_ms", required="offset_ms"),
    FaultKind.SUSPEND_MARKET: _state("symbol", "market_status"),
    FaultKind.STALE_BOOK: _state("symbol"),
    FaultKind.OLD_SNAPSHOT: _state("symbol"),
    FaultKind.CROSSED_BOOK: _state("symbol", "bps"),
    FaultKind.FEE_COIN: _state("symbol", "account", "coin", "discount", "price", required="coin"),
    FaultKind.SUSPEND_WITHDRAWALS: Kind(Group.TRANSFER, is_lasting=True),
    FaultKind.SUSPEND_DEPOSITS: _holding(),
    FaultKind.STUCK_WITHDRAWAL: _holding(),
    FaultKind.STUCK_DEPOSIT: _holding(),
    FaultKind.SHORT_DEPOSIT: _transfer("amount", required="amount"),
    FaultKind.WS_SILENCE: Kind(Group.FEED, is_lasting=True),
    FaultKind.WS_GAP: Kind(Group.FEED),
    FaultKind.WS_REORDER: Kind(Group.FEED),
    FaultKind.WS_DOUBLE: Kind(Group.FEED),
    FaultKind.WS_DISCONNECT: Kind(Group.FEED),
    FaultKind.MANUAL_TRADE: _act(
        *("symbol", "side", "amount", "price", "client_id"),
        required="account symbol side amount",
    ),
    FaultKind.MANUAL_WITHDRAWAL: _act("asset", "amount", required="account asset amount"),
    FaultKind.MANUAL_DEPOSIT: _act("asset", "amount", "delay_ms", required="account asset amount"),
}

ANSWERS = frozenset(kind for kind, spec in KINDS.items() if spec.group is Group.ANSWER)
ACTS = frozenset(kind for kind, spec in KINDS.items() if spec.group is Group.ACT)
