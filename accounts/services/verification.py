"""The last look before funds leave: nothing that was true at the request is taken for granted."""

from accounts.errors import AddressChanged, FeeTooHigh, TransfersOff
from accounts.models import Transfer
from accounts.selectors import get_account_with_secrets
from accounts.services.accounts import is_simulated
from accounts.services.addresses import require_address
from accounts.services.routes import Route, find_route
from arbplatform.core.clock import Clock
from arbplatform.core.decimals import to_plain


def verify_transfer(transfer: Transfer, *, clock: Clock) -> Route:
    """Ask both venues and the address book again whether a transfer may be sent as requested.

    Args:
        transfer: between accounts, not sent yet.
        clock: tells the time.

    Returns:
        Where the funds go.

    Raises:
        NetworkSuspended, VenueUnavailable: not now; this may pass.
        ArbError: not at all.
    """
    source = get_account_with_secrets(transfer.from_account_id)
    target = get_account_with_secrets(transfer.to_account_id)
    asset = transfer.asset.code
    if not (source.allows_transfers or is_simulated(source.venue)):
        raise TransfersOff(account=str(source))
    route = find_route(
        source=source,
        target=target,
        asset=asset,
        network=transfer.network,
        amount=transfer.amount,
    )
    check_accepted_fee(transfer, route)
    entry = require_address(source=source, target=target, asset=asset, route=route, clock=clock)
    if entry.pk != transfer.address_entry_id:
        # Replaced since: whoever asked for the transfer agreed to another address.
        raise AddressChanged(venue=target.venue.code, entry=str(entry))
    return route


def check_accepted_fee(transfer: Transfer, route: Route) -> None:
    """Refuse a fee above the accepted one; a source that states none adds none to ours.

    Raises:
        FeeTooHigh: it is.
    """
    fee, accepted = route.way.fee, transfer.fee_max
    if fee is not None and accepted is not None and fee > accepted:
        raise FeeTooHigh(fee=to_plain(fee), asset=transfer.asset.code, accepted=to_plain(accepted))
