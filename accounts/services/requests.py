"""The command that asks for a transfer: written down if it can be carried out, sent later."""

from decimal import Decimal
from typing import Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction

from accounts.domain.limits import needs_approval
from accounts.domain.networks import canonical_network
from accounts.domain.routes import check_size
from accounts.domain.transfers import SWEEP_DELAYS, TransferState
from accounts.errors import IdempotencyConflict, TransfersOff
from accounts.models import ReservationPurpose, Transfer, VenueAccount
from accounts.selectors import find_transfer, get_account_with_secrets, reserved_total
from accounts.services.accounts import is_simulated, open_gateway
from accounts.services.addresses import require_address
from accounts.services.limits import find_value, require_limits
from accounts.services.preconditions import (
    check_amounts,
    check_funds,
    check_wallets,
    refuse_beyond,
)
from accounts.services.reservations import Want, reserve
from accounts.services.routes import Route, check_ways_differ, find_route
from accounts.services.verification import check_accepted_fee
from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import SMALLEST_STORED, ZERO, to_plain
from arbplatform.core.errors import InvalidInput, Message
from arbplatform.core.ids import derive_client_id
from arbplatform.persistence.retries import retried
from markets.domain.funds import Wallet
from markets.selectors import get_asset

KEY_LENGTH_MAX: Final = 64


def request_transfer(
    *,
    from_account_id: int,
    to_account_id: int | None = None,
    from_wallet: Wallet,
    to_wallet: Wallet,
    asset: str,
    amount: Decimal,
    network: str = "",
    fee_max: Decimal | None = None,
    must_accept_fee: bool = False,
    test_amount: Decimal | None = None,
    idempotency_key: str,
    user: AbstractBaseUser | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Transfer:
    """Write down a transfer that can be carried out; a task sends it after the commit.

    The same key with the same request returns the transfer that it made before.

    Args:
        from_account_id: sends.
        to_account_id: receives; ``None``: the same account.
        from_wallet: of the sending account.
        to_wallet: of the receiving account.
        asset: its code.
        amount: what leaves the source, network fee included [units of asset].
        network: any name of it; empty: the only one that there is.
        fee_max: network fee that is accepted [units of asset]; ``None``: what it is now.
        must_accept_fee: whether to refuse, and tell the fee, if ``fee_max`` is ``None``.
        test_amount: a part that is sent, and must arrive, before the rest [units of asset].
        idempotency_key: the caller's name for this request.
        user: who asked.
        clock: source of time.

    Raises:
        InvalidInput: amount, fee or key are not usable.
        IdempotencyConflict: the key was used for another request.
        ArbError: accounts, funds, network, fee or address forbid it, or a venue did not tell.
    """
    check_amounts(amount, fee_max, test_amount)
    key = _check_key(idempotency_key)
    source = get_account_with_secrets(from_account_id)
    same = to_account_id in {None, from_account_id}
    target = source if same else get_account_with_secrets(to_account_id or 0)
    draft = Transfer(
        from_account=source,
        from_wallet=Wallet(from_wallet),
        to_account=target,
        to_wallet=Wallet(to_wallet),
        asset=get_asset(asset),
        amount=amount,
        network="" if same else canonical_network(network),
        fee_max=None if same else fee_max,
        requested_by_id=None if user is None else user.pk,
        released_at=clock.now(),
        **_names(key),
    )
    if (known := find_transfer(key)) is not None:
        return _adopt(known, draft, test_amount)
    free = _check_feasible(draft, source, target)
    if same:
        return _write(draft, None, free, clock)
    route = _find_route(draft, must_accept_fee=must_accept_fee)
    draft.address_entry = require_address(
        source=source, target=target, asset=asset, route=route, user=user, clock=clock
    )
    return _write(draft, _split(draft, route, test_amount), free, clock)


def _names(key: str) -> dict[str, str]:
    """Return what a transfer is known by: to whoever asked, and to the venue."""
    client_id = derive_client_id(settings.ARB_INSTALL_ID, "transfer", key)
    return {"idempotency_key": key, "client_transfer_id": client_id}


def _split(draft: Transfer, route: Route, test_amount: Decimal | None) -> Transfer | None:
    """Take the test amount off a transfer, and return the transfer that goes first."""
    if test_amount is None:
        return None
    same = (
        "from_account", "from_wallet", "to_account", "to_wallet", "asset", "network", "fee_max",
        "fee_stated", "address", "tag", "address_entry", "requested_by_id", "released_at",
    )  # fmt: skip
    test = Transfer(
        amount=test_amount,
        **{name: getattr(draft, name) for name in same},
        **_names(f"test:{draft.client_transfer_id}"),
    )
    if draft.value is not None:
        test.value = (draft.value * test_amount / draft.amount).quantize(SMALLEST_STORED)
        draft.value -= test.value
    draft.amount -= test_amount
    for part in (test, draft):
        check_size(route.way, amount=part.amount, asset=draft.asset.code)
    return test


def _check_key(idempotency_key: str) -> str:
    key = idempotency_key.strip()
    if not 0 < len(key) <= KEY_LENGTH_MAX:
        complaint = Message("Give a key of 1 to {maximum} characters.", {"maximum": KEY_LENGTH_MAX})
        raise InvalidInput(fields={"idempotency_key": [complaint]})
    return key


def _check_feasible(draft: Transfer, source: VenueAccount, target: VenueAccount) -> Decimal:
    """Refuse what makes no sense, or has no funds; return what is free at the source."""
    from_wallet, to_wallet = Wallet(draft.from_wallet), Wallet(draft.to_wallet)
    check_wallets(source=source, target=target, from_wallet=from_wallet, to_wallet=to_wallet)
    if not (draft.is_internal or source.allows_transfers or is_simulated(source.venue)):
        raise TransfersOff(account=str(source))
    open_gateway(target)  # a disabled destination is told before anything is asked
    return check_funds(
        source=source, wallet=from_wallet, asset=draft.asset.code, amount=draft.amount
    )


def _find_route(draft: Transfer, *, must_accept_fee: bool) -> Route:
    """Ask the venues, and fill in where the funds go, what that costs, and what they are worth."""
    source, target, asset = draft.from_account, draft.to_account, draft.asset.code
    route = find_route(
        source=source, target=target, asset=asset, network=draft.network, amount=draft.amount
    )
    check_ways_differ(source=source, route=route, asset=asset)
    fee = route.way.fee
    draft.address, draft.tag, draft.network = route.address, route.tag, route.way.network
    draft.fee_stated = fee
    if draft.fee_max is None:
        if must_accept_fee and fee is not None:
            raise _fee_to_accept(draft, fee)
        draft.fee_max = fee
    check_accepted_fee(draft, route)
    draft.value = find_value(source=source, target=target, asset=asset, amount=draft.amount)
    return route


def _fee_to_accept(draft: Transfer, fee: Decimal) -> InvalidInput:
    complaint = Message(
        "The network {network} costs {fee} {asset} now: of {amount}, {rest} would arrive. "
        "Enter the fee that you accept.",
        {
            "network": draft.network or "–",
            "fee": to_plain(fee),
            "asset": draft.asset.code,
            "amount": to_plain(draft.amount),
            "rest": to_plain(draft.amount - fee),
        },
    )
    return InvalidInput(fields={"fee_max": [complaint]})


@retried
def _write(draft: Transfer, test: Transfer | None, free: Decimal, clock: Clock) -> Transfer:
    try:
        with transaction.atomic():
            _set_states(draft, test, clock)
            if test is not None:
                _insert(test, free)
                draft.test_transfer = test
            _insert(draft, free)
            for account_id in sorted({draft.from_account_id, draft.to_account_id}):
                enqueue_on_commit("ledger.open_account", account_id=account_id)
            for part in (test, draft):
                if part is not None and part.state == TransferState.REQUESTED:
                    enqueue_on_commit("accounts.submit_transfer", transfer_id=part.pk)
    except IntegrityError:
        known = find_transfer(draft.idempotency_key)
        if known is None:
            raise
        return _adopt(known, draft, None if test is None else test.amount, is_split=True)
    return draft


def _set_states(draft: Transfer, test: Transfer | None, clock: Clock) -> None:
    """Say what a transfer waits for, after a look at the limits, which hold until the commit."""
    is_approved = True
    if not draft.is_internal:
        parts = [part.value for part in (test, draft) if part is not None]
        value = None if None in parts else sum(parts, ZERO)
        limits = require_limits(draft, value, clock=clock)
        is_approved = not needs_approval(value, limits)
        if test is not None and needs_approval(test.value, limits):
            complaint = Message("So much would need approval itself: choose a smaller amount.")
            raise InvalidInput(fields={"test_amount": [complaint]})
    draft.state = TransferState.REQUESTED if test is None else TransferState.TESTING
    if not is_approved:
        draft.state = TransferState.UNAPPROVED
    for part in (draft, test):
        if part is not None:
            part.next_lookup_at = clock.now() + SWEEP_DELAYS[TransferState(part.state)]


def _insert(draft: Transfer, free: Decimal) -> None:
    draft.save(force_insert=True)
    _reserve(draft, free)


def _reserve(draft: Transfer, free: Decimal) -> None:
    """Set the amount aside, so that no order spends it before it has left.

    The venue says what is free, which the books do not know of an account that was not opened; so
    the database does not judge, but whoever reserves holds the total's row until the commit.

    Raises:
        BalanceTooLow: what is free is set aside for orders and other transfers.
    """
    want = Want(
        purpose=ReservationPurpose.TRANSFER,
        owner_id=draft.pk,
        account_id=draft.from_account_id,
        wallet=Wallet(draft.from_wallet),
        asset_id=draft.asset_id,
        amount=draft.amount,
    )
    reserve([want], is_forced=True)
    others = reserved_total(want.account_id, want.wallet, want.asset_id) - want.amount
    refuse_beyond(draft, free - others)


def _adopt(
    known: Transfer, draft: Transfer, test_amount: Decimal | None, *, is_split: bool = False
) -> Transfer:
    """Return the transfer that the same request made before.

    Raises:
        IdempotencyConflict: it was another request.
    """
    same = ("from_account_id", "from_wallet", "to_account_id", "to_wallet", "asset_id")
    is_same = all(getattr(known, name) == getattr(draft, name) for name in same)
    # What a request left open was completed when it was written down.
    is_same = is_same and draft.network in {"", known.network}
    is_same = is_same and draft.fee_max in {None, known.fee_max}
    tested = known.test_transfer.amount if known.test_transfer else None
    asked = draft.amount + (test_amount or ZERO if is_split else ZERO)
    if not (is_same and tested == test_amount and known.amount + (tested or ZERO) == asked):
        raise IdempotencyConflict
    return known
