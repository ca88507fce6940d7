"""What can go wrong in the books."""

from arbplatform.core.errors import Bug, Conflict, InvalidInput, NotFound, Unavailable


class Imbalanced(Bug):
    """The lines of an entry do not sum to zero in every asset: a bug, nothing was booked."""

    code = 4001
    summary = "The entry {key} does not balance in {asset}: the lines sum to {total}."


class ImmutableRecord(Conflict):
    """Facts are inserted; a correction is a new fact."""

    code = 4002
    summary = "Booked facts cannot be changed or deleted. Book a reversal instead."


class Unbookable(Bug):
    """An amount has more digits than the books keep; rounding it would lose money."""

    code = 4003
    summary = "The amount {amount} of the entry {key} has more digits than can be stored."


class OrderNotFound(NotFound):
    """No order has this id."""

    code = 4004
    summary = "No order has the id {id}. See /api/orders for the known ones."


class EntryNotFound(NotFound):
    """No ledger entry has this id."""

    code = 4005
    summary = "No ledger entry has the id {id}. See /api/entries for the known ones."


class InvalidOrderPlan(InvalidInput):
    """An order that no venue could take."""

    code = 4006
    summary = "The order makes no sense: {cause}"


class NoDifference(Conflict):
    """Books and venue agree: there is nothing to adopt."""

    code = 4007
    summary = "The books of {account} and its venue agree on {asset}: there is nothing to book."


class TradingHalted(Conflict):
    """A person, or reconciliation, has switched trading off until somebody resumes it."""

    code = 4008
    summary = (
        "Nothing was sent, since trading is {state} for {scope}. Resume it when the cause is gone. "
        "Reason: {reason}"
    )


class TradingGuarded(TradingHalted):
    """The platform itself holds orders back until a machine, a venue or a key is well again."""

    code = 4072
    summary = (
        "Nothing was sent, since trading is {state} for {scope}. It goes on by itself when the "
        "cause is gone. Reason: {reason}"
    )


class JournalAway(Unavailable):
    """The database does not take what happened to orders that were sent."""

    code = 4030
    summary = (
        "The database is away. What became of the orders that were sent is kept on the disk and "
        "booked when it is back; nothing new is sent until then."
    )


class EndedByVenue(Conflict):
    """The venue ended a resting order that nobody asked it to end."""

    code = 4070
    summary = (
        "{venue} ended the order by itself ({cause}). What was filled is booked; what is missing "
        "is decided anew."
    )


class SelfTradePrevented(Conflict):
    """The venue ended an order because it met another one of the same account."""

    code = 4071
    summary = (
        "{venue} ended the order so that it would not trade with another one of the same account. "
        "Orders faced it of: {others}. Give such strategies accounts or markets of their own."
    )


class OrderDisowned(Conflict):
    """A person has said that an order never came to be, since another one bears its client id."""

    code = 4073
    summary = (
        "Ended by {author}, since it never came to be. Its client id is that of another order at "
        "the venue, {id}. Reason: {note}"
    )


class NotDisownable(Conflict):
    """An order that nobody may end by their word."""

    code = 4074
    summary = "The order {id} stays as it is: {cause}"


class DiscrepancyNotFound(NotFound):
    """No discrepancy has this id."""

    code = 4009
    summary = "No discrepancy has the id {id}. See /api/reconciliation for the known ones."


class NothingToBook(Conflict):
    """A discrepancy that cannot be booked away."""

    code = 4010
    summary = (
        "The discrepancy {id} cannot be booked: {cause} Look again, or acknowledge it if you know "
        "what it is."
    )


class ReconciliationBusy(Conflict):
    """The account is being compared at this moment."""

    code = 4011
    summary = "{account} is being compared with its venue at this moment. Look again in a minute."


class BooksNotOpened(Conflict):
    """The books of an account do not say yet what it held at the beginning."""

    code = 4012
    summary = (
        "The books of {account} were not opened yet: there is nothing to compare. Start a strategy "
        "that trades it, or test the account's connection."
    )


class DifferenceChanged(Conflict):
    """A difference that is not the one that a person decided about."""

    code = 4013
    summary = (
        "The difference in {asset} is {gap} by now, not {expected}: nothing was booked. Look "
        "again, then decide."
    )


class ComparisonBrokenOff(Unavailable):
    """A comparison of books and venue ended before it had looked at everything."""

    code = 4014
    summary = (
        "The comparison of {account} with its venue broke off ({error}): nothing was concluded. It "
        "begins anew within a minute; the details are in the log."
    )


class OpeningPostponed(Conflict):
    """Funds of the account move while its books are to be opened."""

    code = 4020
    summary = (
        "The books of {account} cannot be opened while a transfer from or to it is under way, or "
        "not booked yet: what it holds changes. Try again when the transfer has ended."
    )
