"""What can go wrong with a venue, by what the caller may do next."""

from arbplatform.core.errors import ArbError, Conflict, ErrorKind, InvalidInput, NotFound


class VenueError(ArbError):
    """A venue did not give the answer that was asked for."""

    code = 2000
    kind = ErrorKind.UNAVAILABLE
    summary = "The venue {venue} did not answer as expected: {cause}"


class VenueRejected(VenueError):
    """The venue definitely refused: what was asked for does not exist there."""

    code = 2001
    kind = ErrorKind.VENUE_REFUSED
    summary = "The venue {venue} refused the request: {cause}"


class InsufficientFunds(VenueRejected):
    """The account has not enough free balance."""

    code = 2002
    summary = "The account at {venue} has not enough free balance: {cause}"


class VenueAuthFailed(VenueRejected):
    """The key is wrong, expired, restricted to another address, or lacks a permission."""

    code = 2003
    summary = "{venue} does not accept the API key: {cause}. Check key, secret, IP list and rights."


class VenueUnavailable(VenueError):
    """Nothing was sent, or a read failed: it may be tried again."""

    code = 2004
    summary = "The venue {venue} cannot be reached: {cause}. Nothing was changed; try again later."


class VenueRateLimited(VenueUnavailable):
    """The venue asks for fewer requests.

    Attributes:
        wait_ms: until our own budget has room again, if it held the request back and the venue
            itself does not want silence [ms].
    """

    wait_ms: float | None = None

    code = 2005
    kind = ErrorKind.RATE_LIMITED
    summary = "{venue} limits our requests: {cause}. Nothing was sent; wait before trying again."


class OrderTooLate(VenueUnavailable):
    """An order was held back by us: what it was decided on is too old by now."""

    code = 2056
    summary = (
        "The order was ready too late and was not sent to {venue}. Nothing was changed; the next "
        "decision makes a new order."
    )


class OutcomeUnknown(VenueError):
    """A write may or may not have been carried out: look it up, never send it again."""

    code = 2006
    kind = ErrorKind.OUTCOME_UNKNOWN
    summary = (
        "Whether {venue} carried out the request is not known: {cause}. "
        "It is looked up by its client id and never sent twice."
    )


class OtherOrderFound(OutcomeUnknown):
    """Another order bears our client id at the venue: of ours it says nothing."""

    code = 2058
    summary = (
        "{venue} answers about another order, {id} ({side} {quantity} {symbol}), that bears our "
        "client id. It is booked nowhere, and ours is looked up on. If ours never came to be, a "
        "person can end it on its page."
    )


class OrderAbsent(VenueError):
    """The venue says that it knows no such order; seconds after sending that proves nothing."""

    code = 2007
    kind = ErrorKind.NOT_FOUND
    summary = "{venue} knows no such order: {cause}"


class DuplicateClientId(VenueError):
    """The venue has already accepted an order with this client id: look it up and adopt it."""

    code = 2008
    kind = ErrorKind.CONFLICT
    summary = "{venue} has already received an order with this client id: {cause}"


class NotSupportedByVenue(VenueRejected):
    """The venue offers no such function."""

    code = 2009
    summary = "{venue} does not offer this: {cause}"


class UnknownVenue(NotFound):
    """No venue has this code."""

    code = 2010
    summary = "No venue has the code {venue}. See /api/venues for the known ones."


class UnknownSymbol(NotFound):
    """The venue has no such market."""

    code = 2011
    summary = "No market {symbol} is known. See /api/markets/symbols for the known ones."


class VenueDisabled(Conflict):
    """The venue is switched off."""

    code = 2012
    summary = "The venue {venue} is disabled. Enable it first."


class VenueClockSkewed(VenueUnavailable):
    """Our clock and the venue's differ so much that nothing is sent that could move money."""

    code = 2015
    summary = (
        "Our clock is {offset} ms ahead of the clock of {venue}; at most {limit} ms are allowed. "
        "Nothing was sent. Set this machine's clock by NTP, then test the venue's connection."
    )


class VenueNotCertified(Conflict):
    """How orders behave at the venue is not proven, so nothing may trade there by itself."""

    code = 2016
    summary = (
        "The venue {venue} is for data only: {ccxt_id} is not certified for trading. Use one of "
        "{certified}, or set the venue's option certified_by_operator to true if you answer for it."
    )


class UnknownVenueClass(InvalidInput):
    """ccxt has no exchange class of this name."""

    code = 2013
    summary = "{ccxt_id} is not an exchange id of ccxt. Use one such as binance, okx or kraken."


class SecretsInOptions(InvalidInput):
    """Options of a venue hold what belongs to an account."""

    code = 2057
    summary = (
        "{names}: credentials belong to an account, where they are encrypted. Remove them from the "
        "options and enter them at the account."
    )


class VenueInUse(Conflict):
    """Accounts or history depend on the venue."""

    code = 2014
    summary = "The venue {venue} is in use by {users} and cannot be deleted. Disable it instead."


class VenueBlocked(VenueUnavailable):
    """The venue does not serve our place: nothing is sent until a person has looked."""

    code = 2054
    summary = (
        "{venue} does not serve the place that our requests come from. Nothing was sent. Use an "
        "address that it serves, then lift the block on the venue's page."
    )


class VenueNotBlocked(Conflict):
    """There is no block that could be lifted."""

    code = 2055
    summary = "The venue {venue} is {state}, not blocked: there is nothing to lift."


class AnswerUnreadable(OutcomeUnknown):
    """A bug of ours, or an answer in a new form: what it says about the order is looked up."""

    code = 2050
    summary = (
        "The answer of {venue} could not be read ({error} at {place}). Whether the request was "
        "carried out is looked up; it is never sent twice. Please report this: it is a bug."
    )


class VenueClosed(VenueUnavailable):
    """The venue says that it takes no such orders now; nothing was carried out."""

    code = 2051
    summary = (
        "{venue} takes no new orders at the moment: {cause}. Nothing was carried out; trading "
        "there goes on by itself once it is open again."
    )


class WouldTake(VenueRejected):
    """A post-only order that would have traded at once: a normal event."""

    code = 2052
    summary = "{venue} ended the order because it would have taken liquidity: {cause}. Quote anew."


class NotFillable(VenueRejected):
    """An order that must be filled at once found nobody: a normal event."""

    code = 2053
    summary = "{venue} ended the order because it could not be filled at once: {cause}"


class NotSimulated(Conflict):
    """Only a simulated venue on this machine can be told to fail."""

    code = 2040
    summary = (
        "The venue {venue} is not simulated on this machine: faults can be planned only where the "
        "REST origin is that of a running simulator, such as http://127.0.0.1:8010/alpha."
    )


class UnknownFault(NotFound):
    """No armed fault has this number."""

    code = 2041
    summary = "No fault {number} is armed at {venue}. It may have ended meanwhile; read the list."
