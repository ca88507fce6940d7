"""What must hold before a transfer is written down; asks the venues, so never in a transaction."""

from accounts.domain.networks import needs_tag
from accounts.errors import BalanceTooLow, InvalidTransfer
from accounts.models import Transfer, VenueAccount
from accounts.services.accounts import open_gateway
from arbplatform.core.decimals import (
    STORED_DECIMAL_PLACES,
    STORED_DIGITS_MAX,
    ZERO,
    Amount,
    to_plain,
)
from arbplatform.core.errors import InvalidInput, Message
from markets.domain.funds import DepositAddress, Wallet
from markets.errors import NotSupportedByVenue, VenueRejected

_AMOUNT_LIMIT = Amount(10) ** (STORED_DIGITS_MAX - STORED_DECIMAL_PLACES)
_AMOUNT_STEP = Amount(1).scaleb(-STORED_DECIMAL_PLACES)


def check_amount(amount: Amount) -> None:
    """Refuse what cannot be an amount to transfer.

    Raises:
        InvalidInput: not positive, or not storable exactly.
    """
    if not (amount.is_finite() and amount > 0):
        raise InvalidInput(fields={"amount": [Message("Give a number above zero.")]})
    if amount >= _AMOUNT_LIMIT or amount % _AMOUNT_STEP != 0:
        complaint = Message("At most 22 digits before and 18 after the point can be stored.")
        raise InvalidInput(fields={"amount": [complaint]})


def check_wallets(
    *, source: VenueAccount, target: VenueAccount, from_wallet: Wallet, to_wallet: Wallet
) -> None:
    """Refuse a way that goes nowhere, or that no venue offers.

    Raises:
        InvalidTransfer: source and destination do not fit.
    """
    if source.pk == target.pk:
        if from_wallet is to_wallet:
            cause = Message("source and destination are the same wallet.")
            raise InvalidTransfer(cause=cause)
    elif (from_wallet, to_wallet) != (Wallet.SPOT, Wallet.SPOT):
        cause = Message(
            "between accounts funds go from spot wallet to spot wallet. "
            "Move them to the spot wallet first."
        )
        raise InvalidTransfer(cause=cause)


def check_funds(*, source: VenueAccount, wallet: Wallet, asset: str, amount: Amount) -> Amount:
    """Ask the venue whether enough is free now.

    Returns:
        What is free [units of asset].

    Raises:
        BalanceTooLow: it is not.
        VenueError: the venue did not tell.
    """
    balance = open_gateway(source).fetch_balances(wallet).get(asset)
    free = ZERO if balance is None else balance.free
    if free < amount:
        raise BalanceTooLow(
            account=str(source),
            wallet=wallet.value,
            asset=asset,
            free=to_plain(free),
            amount=to_plain(amount),
        )
    return free


def refuse_beyond(draft: Transfer, free: Amount) -> None:
    """Refuse a transfer of more than what is left when all that is set aside is spent.

    Raises:
        BalanceTooLow: it is more.
    """
    if draft.amount > free:
        raise BalanceTooLow(
            account=str(draft.from_account),
            wallet=str(draft.from_wallet),
            asset=draft.asset.code,
            free=to_plain(max(free, ZERO)),
            amount=to_plain(draft.amount),
        )


def find_destination(
    *, source: VenueAccount, target: VenueAccount, asset: str, network: str
) -> DepositAddress:
    """Return where to send an asset to, on a network that both venues know.

    Args:
        source: sends.
        target: receives.
        asset: its code.
        network: its unified name; empty: the destination's default.

    Raises:
        InvalidTransfer: no common network, a missing tag, or one and the same address.
        VenueError: a venue did not tell.
    """
    address = open_gateway(target).fetch_deposit_address(asset, network or None)
    if network and address.network and network.upper() != address.network.upper():
        raise InvalidTransfer(
            cause=Message(
                "{venue} gave an address on {found} instead of {wanted}.",
                {"venue": target.venue.code, "found": address.network, "wanted": network},
            )
        )
    chosen = address.network or network
    if not chosen and source.venue.ccxt_id != target.venue.ccxt_id:
        cause = Message("the venues may use different networks. State the network.")
        raise InvalidTransfer(cause=cause)
    if not address.tag and needs_tag(asset=asset, network=chosen):
        cause = Message(
            "{asset} needs a tag on this network, but {venue} gave none: the funds would be lost.",
            {"asset": asset, "venue": target.venue.code},
        )
        raise InvalidTransfer(cause=cause)
    _check_source(source, address, chosen)
    return DepositAddress(
        asset=asset, address=address.address, tag=address.tag, network=chosen or None
    )


def _check_source(source: VenueAccount, destination: DepositAddress, network: str) -> None:
    """Refuse a network that the sending venue does not know, and a way back to the sender."""
    try:
        own = open_gateway(source).fetch_deposit_address(destination.asset, network or None)
    except NotSupportedByVenue:
        return  # the withdrawal itself will be refused if the network is unknown
    except VenueRejected as refusal:
        cause = Message(
            "{venue} does not know the network {network} for {asset}: {reason}",
            {
                "venue": source.venue.code,
                "network": network or "–",
                "asset": destination.asset,
                "reason": refusal.message,
            },
        )
        raise InvalidTransfer(cause=cause) from refusal
    if (own.address, own.tag) == (destination.address, destination.tag):
        cause = Message("both accounts have the same deposit address.")
        raise InvalidTransfer(cause=cause)
