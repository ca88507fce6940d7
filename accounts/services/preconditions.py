"""What must hold before a transfer is written down; asks the venues, so never in a transaction."""

from accounts.errors import BalanceTooLow, InvalidTransfer
from accounts.models import Transfer, VenueAccount
from accounts.services.accounts import open_gateway
from arbplatform.core.decimals import (
    SMALLEST_STORED,
    STORED_LIMIT,
    ZERO,
    Amount,
    to_plain,
)
from arbplatform.core.errors import InvalidInput, Message
from markets.domain.funds import Wallet


def check_amounts(amount: Amount, fee_max: Amount | None, test_amount: Amount | None) -> None:
    """Refuse numbers that make no sense together.

    Args:
        amount: to transfer [units of asset].
        fee_max: accepted network fee [units of asset].
        test_amount: part of the amount that is sent first [units of asset].

    Raises:
        InvalidInput: one of them cannot be what it should be, or cannot be stored exactly.
    """
    _check_amount(amount)
    _check_fee(fee_max)
    _check_test_amount(test_amount, amount)


def _check_amount(amount: Amount) -> None:
    """Refuse what cannot be an amount to transfer."""
    if not (amount.is_finite() and amount > 0):
        raise InvalidInput(fields={"amount": [Message("Give a number above zero.")]})
    _check_storable("amount", amount)


def _check_fee(fee_max: Amount | None) -> None:
    """Refuse what cannot be a fee to accept."""
    if fee_max is None:
        return
    if not (fee_max.is_finite() and fee_max >= 0):
        complaint = Message("Give a number that is not below zero.")
        raise InvalidInput(fields={"fee_max": [complaint]})
    _check_storable("fee_max", fee_max)


def _check_test_amount(test_amount: Amount | None, amount: Amount) -> None:
    """Refuse what cannot be sent before the rest."""
    if test_amount is None:
        return
    if not (test_amount.is_finite() and 0 < test_amount < amount):
        complaint = Message("Give a number above zero that is less than the whole amount.")
        raise InvalidInput(fields={"test_amount": [complaint]})
    _check_storable("test_amount", test_amount)


def _check_storable(name: str, amount: Amount) -> None:
    if amount >= STORED_LIMIT or amount % SMALLEST_STORED != 0:
        complaint = Message("At most 22 digits before and 18 after the point can be stored.")
        raise InvalidInput(fields={name: [complaint]})


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
