"""What can go wrong with accounts and transfers."""

from arbplatform.core.errors import (
    Conflict,
    ErrorKind,
    InvalidInput,
    LimitExceeded,
    NotFound,
    Unavailable,
)


class AccountNotFound(NotFound):
    """No account has this id."""

    code = 3001
    summary = "No account has the id {id}. See /api/accounts for the known ones."


class AccountKeyRefused(Conflict):
    """The venue does not accept the account's key: each further try could lock the account."""

    code = 3070
    summary = (
        "{account} is left alone because its venue does not accept the API key: {cause} Nothing "
        "was sent. Mend or replace the key, then test the account's connection."
    )


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


class AccountLabelTaken(Conflict):
    """The venue already has an account of this label."""

    code = 3007
    summary = "The venue {venue} already has an account labelled {label}. Choose another label."


class TransferNotFound(NotFound):
    """No transfer has this id."""

    code = 3008
    summary = "No transfer has the id {id}. See /api/transfers for the known ones."


class TransferExpired(Conflict):
    """Nobody sent the transfer for so long that it may not be wanted any more."""

    code = 3009
    summary = "The transfer waited too long and was not sent. Request it again if it is wanted."


class TransferAbsent(Unavailable):
    """The venue did not answer, and never showed the transfer afterwards."""

    code = 3010
    kind = ErrorKind.OUTCOME_UNKNOWN
    summary = (
        "The reply of {venue} was lost, and the transfer is not in its history after {count} "
        "look-ups in {minutes} minutes: it was not carried out. Check the balances of both "
        "accounts before you request it again."
    )


class TransferRefused(Conflict):
    """The venue took the transfer and failed it later."""

    code = 3011
    summary = (
        "{venue} reports that the transfer failed after it was accepted. The funds stay where "
        "they were; look at the venue's own page for the reason."
    )


class AddressUnapproved(Conflict):
    """Two people have not agreed yet that funds may go there."""

    code = 3012
    summary = (
        "{account} has no approved address for {asset} on the network {network}. Propose it in "
        "the address book, and let a second member of staff approve it."
    )


class AddressCooling(Conflict):
    """The address was approved a short while ago."""

    code = 3013
    summary = "The address {entry} was approved at {approved_at}. It can be used from {usable_at}."


class AddressChanged(Conflict):
    """The venue states another address than the one that was approved."""

    code = 3014
    summary = (
        "{venue} now states another address for {entry} than the one in the address book. Nothing "
        "was sent and the entry is suspended. Find out why on the venue's own page before you "
        "propose the new one."
    )


class AddressBlocked(Conflict):
    """The entry was suspended or revoked."""

    code = 3015
    summary = (
        "The address {entry} is {state}. If it is right after all, propose it anew. "
        "Reason: {reason}"
    )


class NetworkUnconfirmed(Conflict):
    """Nobody has confirmed what a real venue means by a name."""

    code = 3016
    summary = (
        "Nobody has confirmed what {venue} calls the network {network}. It lists: {names}. "
        "Confirm the name under networks of venues."
    )


class NetworkSuspended(Conflict):
    """A venue does not move funds on the network now."""

    code = 3017
    summary = "{venue} has suspended {movement} of {asset} on the network {network}. {choice}"


class FeeTooHigh(Conflict):
    """The network fee rose above what was accepted."""

    code = 3018
    summary = (
        "The network fee is {fee} {asset} now, but at most {accepted} were accepted. Nothing was "
        "sent. Request the transfer again with a higher accepted fee if it is wanted."
    )


class SecondPersonNeeded(Conflict):
    """Whoever proposed something cannot approve it."""

    code = 3019
    summary = (
        "This takes two members of staff: one who proposed it and another one who approves it."
    )


class AddressNotFound(NotFound):
    """No entry of the address book has this id."""

    code = 3020
    summary = "No address has the id {id}. See /api/addresses for the known ones."


class NetworkNameTaken(Conflict):
    """The venue's name, or ours, is in use for another network."""

    code = 3021
    summary = (
        "{venue} already has another name for {network}, or {name} means another network there. "
        "Remove that line first."
    )


class NetworkNotListed(InvalidInput):
    """The venue knows no network by the name that was typed in."""

    code = 3028
    summary = "{venue} lists no network called {name}. Choose one of: {names}."


class TransferLimitExceeded(LimitExceeded):
    """A limit of transfers forbids it."""

    code = 3022
    summary = (
        "The transfer is worth {value}, with {before} moved before; the limit for {what} is "
        "{limit} [reporting asset]. Ask for less, or have the transfer limits changed."
    )


class TransferUnpriced(Conflict):
    """A limit is set, and nobody knows what the funds are worth."""

    code = 3023
    summary = (
        "Limits of transfers are set, but {asset} has no price at the sending or receiving venue "
        "now, or an earlier transfer of today had none. Nothing was sent; try again later."
    )


class TrialFailed(Conflict):
    """The part that was sent first did not arrive as it should."""

    code = 3024
    summary = (
        "The test amount (transfer {id}) did not arrive as expected, so the rest was not sent. "
        "Find out why before you request it again."
    )


class ArrivalDiffers(Conflict):
    """The destination credited another amount than was sent."""

    code = 3025
    summary = (
        "{venue} credited {arrived} {asset} instead of {expected}. Look at both venues' own pages, "
        "then settle the transfer by hand."
    )


class WithdrawRightRefused(Conflict):
    """The key may withdraw, but nobody wants transfers from the account."""

    code = 3026
    summary = (
        "The key of {account} may withdraw, but transfers are switched off for the account. It is "
        "disabled. Take that right from the key, or switch transfers on if they are wanted."
    )


class TransfersOff(Conflict):
    """Nothing is to be sent away from the account."""

    code = 3027
    summary = "Transfers from {account} are switched off. Switch them on in the account first."


class FundsReserved(Conflict):
    """An order would spend funds that are not there, or that others may spend already."""

    code = 3030
    summary = (
        "{needed} {asset} are needed in the {wallet} wallet of {account}, but only {free} are "
        "free: the books hold {held}, of which {reserved} are reserved for orders and transfers "
        "under way. Nothing was sent. Try a smaller amount, or move funds there."
    )
