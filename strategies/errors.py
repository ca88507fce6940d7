"""What can go wrong with strategies."""

from arbplatform.core.errors import Bug, Conflict, InvalidInput, NotFound, Unavailable


class UnknownStrategyType(InvalidInput):
    """No plugin has this slug."""

    code = 5001
    summary = "There is no strategy type {type}. See /api/strategies/types for the known ones."


class InvalidParams(InvalidInput):
    """The plugin's schema does not accept the parameters."""

    code = 5002
    summary = "The parameters are not valid. Correct the named fields and send them again."


class StrategyNotFound(NotFound):
    """No strategy has this id."""

    code = 5003
    summary = "No strategy has the id {id}. See /api/strategies for the known ones."


class StrategyRunning(Conflict):
    """A running strategy cannot be edited or deleted."""

    code = 5004
    summary = "The strategy {name} is {state}. Stop it first and wait until it is stopped."


class AlreadyRunning(Conflict):
    """Start was asked for twice."""

    code = 5005
    summary = "The strategy {name} is running already."


class NotRunning(Conflict):
    """Stop was asked for although nothing runs."""

    code = 5006
    summary = "The strategy {name} is not running."


class UnsuitableAccounts(InvalidInput):
    """The accounts do not fit the strategy type."""

    code = 5007
    summary = "The accounts do not fit: {cause}"


class StrategyInUse(Conflict):
    """History hangs on the strategy."""

    code = 5008
    summary = (
        "The strategy {name} has {count} orders in the books, which are kept for ever. "
        "Leave it stopped instead of deleting it."
    )


class NotReadyToStart(Conflict):
    """Something that the strategy needs is missing."""

    code = 5009
    summary = "The strategy {name} cannot start: {cause}"


class NotHeld(Conflict):
    """Only an execution that is held can be acknowledged, and once."""

    code = 5010
    summary = "The execution {id} is not held, or its exposure was acknowledged already."


class FlattenHalted(Conflict):
    """Nothing may be sent at all, and a halt is not lifted silently."""

    code = 5011
    summary = (
        "Nothing was flattened: trading is halted for {scope} ({reason}). Allow orders that reduce "
        "exposure first: manage.py kill --reduce, or POST /api/risk/kill with is_reducing."
    )


class NotFlattened(Conflict):
    """Between the list and the act the execution ended, was acknowledged, or is being repaired."""

    code = 5012
    summary = (
        "The execution {id} was left alone: it has ended, was acknowledged, or is being repaired "
        "at this moment. Look at the list again."
    )


class ResultsWrong(Bug):
    """A total of results is not what the executions add up to."""

    code = 5013
    summary = (
        "Totals of results of the strategy {strategy} are not what its executions add up to: "
        "{figures}. Nothing was changed, and no order and no balance rests on them. Report it, and "
        "put them right: manage.py rebuild_results {id}"
    )


class BookNotLive(Unavailable):
    """The feed of a market does not prove that its book is complete and current."""

    code = 5020
    summary = (
        "The book of {symbol} on {venue} is not decided on, since its feed is {state}. It is read "
        "anew by itself; if that lasts, look at the page of the feeds. Reason: {reason}"
    )
