"""What somebody else does to an account: trades, withdrawals and deposits by hand."""

import logging
import secrets
from collections.abc import Callable

from arbplatform.core.errors import InvalidInput
from markets.domain.funds import Wallet
from markets.domain.orders import OrderKind, Side, TimeInForce
from markets.simulator.exchange.orders import OrderRefused, Ticket
from markets.simulator.exchange.units import floor_to_units
from markets.simulator.faults.config import FaultConfig
from markets.simulator.faults.kinds import ACTS, FaultKind
from markets.simulator.faults.plan import Target
from markets.simulator.venue import InsufficientBalance, Venue
from markets.simulator.world import World

logger = logging.getLogger(__name__)


def perform(world: World, venue: Venue, fault: FaultConfig) -> None:
    """Do it now.

    Raises:
        InvalidInput: the account cannot; nothing was changed.
    """
    try:
        _DOERS[fault.kind](world, venue, fault)
    except OrderRefused as refused:
        raise _impossible(refused.reason.value) from None
    except InsufficientBalance:
        raise _impossible("not enough free balance") from None


def strike(world: World, venue: Venue, target: Target) -> None:
    """Do what is planned for the moment before this request."""
    armed = venue.faults.pick(ACTS, target)
    if armed is None:
        return
    try:
        perform(world, venue, armed.config)
    except InvalidInput as error:
        logger.warning("%s: a planned act was not possible: %s", venue.code, error)


def _impossible(cause: str) -> InvalidInput:
    return InvalidInput("The fault is not valid: {cause}.", cause=cause)


def _trade(_: World, venue: Venue, fault: FaultConfig) -> None:
    is_market = fault.price is None
    ticket = Ticket(
        side=Side(fault.side),
        quantity=fault.amount,
        price=fault.price,
        kind=OrderKind.MARKET if is_market else OrderKind.LIMIT,
        time_in_force=TimeInForce.IOC if is_market else TimeInForce.GTC,
        client_id=fault.client_id or f"web_{secrets.token_hex(10)}",
    )
    account = venue.engine.accounts[fault.account]
    venue.place_by_hand(account, venue.listings[fault.market_id], ticket)


def _withdraw(world: World, venue: Venue, fault: FaultConfig) -> None:
    world.settlement.withdraw(
        venue,
        fault.account,
        wallet=Wallet.SPOT,
        asset=fault.asset,
        amount=_units(fault),
        address=f"0x{secrets.token_hex(20)}",
        client_id="",
        is_to_outside=True,
    )


def _deposit(world: World, venue: Venue, fault: FaultConfig) -> None:
    due_ms = world.clock.now_ms() + fault.delay_ms
    world.settlement.receive(
        venue, fault.account, asset=fault.asset, amount=_units(fault), due_ms=due_ms
    )


def _units(fault: FaultConfig) -> int:
    assert fault.amount is not None  # noqa: S101 - these kinds cannot do without
    return floor_to_units(fault.amount)


_DOERS: dict[FaultKind, Callable[[World, Venue, FaultConfig], None]] = {
    FaultKind.MANUAL_TRADE: _trade,
    FaultKind.MANUAL_WITHDRAWAL: _withdraw,
    FaultKind.MANUAL_DEPOSIT: _deposit,
}
