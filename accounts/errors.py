"""What can go wrong with accounts and transfers."""

from arbplatform.core.errors import Conflict, InvalidInput, NotFound


class AccountNotFound(NotFound):
    """No account has this id."""

    code = 3001
    summary = "No account has the id {id}. See /api/accounts for the known ones."


class AccountInUse(Conflict):
    """Strategies or history depend on the account."""

    code = 3002
    summary = (
        "The account {account} is in use by {users} and cannot be deleted. Disable it instead."
    )


class AccountDisabled(Conflict):
    """The account is switched off."""

    code = 3003
    summary = "The account {account} is disabled. Enable it first."


class BalanceTooLow(Conflict):
    """There is not enough to transfer."""

    code = 3004
    summary = (
        "{account} has {free} {asset} free in its {wallet} wallet, but {amount} were asked for. "
        "Ask for less."
    )


class InvalidTransfer(InvalidInput):
    """Source and destination do not fit."""

    code = 3005
    summary = "The transfer makes no sense: {cause}"


class IdempotencyConflict(Conflict):
    """The same key was used for another request."""

    code = 3006
    summary = (
        "The idempotency key was already used for another transfer. Use a new key for a new one."
    )
