"""What the console calls the kinds of faults and their details."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from markets.simulator.faults.kinds import FaultKind, Group

GROUPS: dict[Group, Promise] = {
    Group.ANSWER: _("What is answered"),
    Group.ORDER: _("What becomes of orders"),
    Group.STATE: _("Condition of the venue"),
    Group.TRANSFER: _("Withdrawals and deposits"),
    Group.FEED: _("WebSocket messages"),
    Group.ACT: _("By somebody else's hand"),
}

KINDS: dict[FaultKind, tuple[Promise, Promise]] = {
    FaultKind.REFUSE: (
        _("error of the venue"),
        _("An error by code; the request is not carried out unless that is chosen in the details."),
    ),
    FaultKind.DROP_REQUEST: (
        _("request lost"),
        _("The connection is cut; nothing is carried out."),
    ),
    FaultKind.DROP_ANSWER: (
        _("answer lost"),
        _("The request is carried out, then the connection is cut."),
    ),
    FaultKind.LATE_REQUEST: (
        _("late request"),
        _("The request is carried out only after the delay, perhaps when nobody waits any more."),
    ),
    FaultKind.LATE_ANSWER: (
        _("late answer"),
        _("The request is carried out at once and answered after the delay."),
    ),
    FaultKind.HTML: (
        _("web page"),
        _(
            "A page instead of JSON, with status 200 or another; carried out unless the details "
            "say otherwise."
        ),
    ),
    FaultKind.TRUNCATE: (
        _("half an answer"),
        _("The request is carried out, and only the first half of the answer is sent."),
    ),
    FaultKind.BAD_JSON: (
        _("invalid JSON"),
        _("An answer that cannot be read; carried out unless the details say otherwise."),
    ),
    FaultKind.EMPTY: (
        _("empty answer"),
        _("Status 200 and nothing in it; carried out unless the details say otherwise."),
    ),
    FaultKind.EMPTY_LIST: (_("empty list"), _("A list, or the balances, without any row.")),
    FaultKind.LOST_ROW: (_("row lost"), _("A list, or the balances, without the last row.")),
    FaultKind.DOUBLE_ROWS: (_("rows doubled"), _("A list, or the balances, with each row twice.")),
    FaultKind.RATE_LIMIT: (_("rate limit"), _("Status 429 with a time to wait.")),
    FaultKind.BAN: (
        _("ban"),
        _("Status 418, and the time until which this address is banned."),
    ),
    FaultKind.MAINTENANCE: (
        _("maintenance"),
        _("The whole venue is closed, and its system status says so."),
    ),
    FaultKind.PARTIAL_FILL: (
        _("partial fill"),
        _("A part of a new order may trade; the rest expires."),
    ),
    FaultKind.LATE_FILL: (
        _("late fill"),
        _("An order that was said to be over, expired or cancelled, is filled after the delay."),
    ),
    FaultKind.REJECT: (_("rejection"), _("A new order gets an id and is rejected.")),
    FaultKind.CLOCK_SKEW: (
        _("wrong clock"),
        _("The venue's clock is off, in what it tells and in what it checks."),
    ),
    FaultKind.SUSPEND_MARKET: (
        _("suspended market"),
        _("A market takes no orders, and nothing trades there."),
    ),
    FaultKind.STALE_BOOK: (
        _("stale book"),
        _("The book that is shown stands still, while the true one moves on."),
    ),
    FaultKind.OLD_SNAPSHOT: (
        _("old snapshot"),
        _("The book that is read stands still, while every change of the true one is told."),
    ),
    FaultKind.CROSSED_BOOK: (
        _("crossed book"),
        _("The book that is shown has a false bid above its best ask."),
    ),
    FaultKind.FEE_COIN: (
        _("fees in a third coin"),
        _("Fees are taken in the coin with a discount, and as usual once it does not suffice."),
    ),
    FaultKind.SUSPEND_WITHDRAWALS: (
        _("withdrawals suspended"),
        _("The asset's network takes no withdrawals, and says so."),
    ),
    FaultKind.SUSPEND_DEPOSITS: (
        _("deposits suspended"),
        _("The asset's network says that it takes no deposits; those on their way wait."),
    ),
    FaultKind.STUCK_WITHDRAWAL: (
        _("stuck withdrawal"),
        _("Withdrawals stay in processing until the fault ends."),
    ),
    FaultKind.STUCK_DEPOSIT: (
        _("stuck deposit"),
        _("Withdrawals leave their venue; the deposits stay unconfirmed until the fault ends."),
    ),
    FaultKind.SHORT_DEPOSIT: (
        _("short deposit"),
        _("Less arrives than was sent: the amount is missing."),
    ),
    FaultKind.WS_SILENCE: (
        _("silent WebSocket"),
        _("Open connections say nothing; books are complete again afterwards."),
    ),
    FaultKind.WS_GAP: (
        _("message lost"),
        _("A message is lost, so that the numbers of a book's changes have a gap."),
    ),
    FaultKind.WS_REORDER: (
        _("message overtaken"),
        _("A message of a stream comes after the one that follows it."),
    ),
    FaultKind.WS_DOUBLE: (
        _("message doubled"),
        _("A message comes twice."),
    ),
    FaultKind.WS_DISCONNECT: (
        _("WebSocket cut"),
        _("A message is lost, and the connections that should have had it end."),
    ),
    FaultKind.MANUAL_TRADE: (
        _("trade by hand"),
        _("The account's owner trades: at once, or before a request to the endpoint."),
    ),
    FaultKind.MANUAL_WITHDRAWAL: (
        _("withdrawal by hand"),
        _("The account's owner sends an amount to an address that nobody here knows."),
    ),
    FaultKind.MANUAL_DEPOSIT: (
        _("deposit from outside"),
        _("An amount arrives that nobody here sent."),
    ),
}

FIELDS: dict[str, Promise] = {
    "endpoint": _("endpoint"),
    "symbol": _("symbol"),
    "side": _("side"),
    "account": _("account label"),
    "asset": _("asset"),
    "times": _("times"),
    "for_ms": _("for [ms]"),
    "after": _("after [requests]"),
    "chance": _("chance [0–1]"),
    "delay_ms": _("delay [ms]"),
    "status": _("HTTP status"),
    "code": _("venue's code"),
    "text": _("venue's words"),
    "is_carried_out": _("carried out"),
    "retry_after_s": _("wait [s]"),
    "offset_ms": _("clock ahead by [ms]"),
    "part": _("part [0–1]"),
    "amount": _("amount"),
    "price": _("price"),
    "client_id": _("client id"),
    "market_status": _("market status"),
    "bps": _("crossed by [bps]"),
    "coin": _("fee coin"),
    "discount": _("discount [0–1]"),
    "stream": _("stream"),
}
