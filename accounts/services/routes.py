"""Finds the way that funds take; asks both venues, so never in a transaction."""

from dataclasses import dataclass

from accounts.domain.networks import is_on_network, needs_tag
from accounts.domain.routes import Side, Way, check_open, check_size, choose_way, names_of
from accounts.errors import InvalidTransfer
from accounts.models import VenueAccount
from accounts.selectors import map_network_names
from accounts.services.accounts import is_simulated, open_gateway
from arbplatform.core.decimals import Amount
from arbplatform.core.errors import Message
from markets.domain.funds import DepositAddress, NetworkState
from markets.errors import NotSupportedByVenue, VenueRejected


@dataclass(frozen=True, slots=True)
class Route:
    """Where funds go, and by which network.

    Attributes:
        way: the network at both venues.
        address: where the destination says now that it receives.
        tag: what tells our account from others at the same address; may be empty.
    """

    way: Way
    address: str
    tag: str

    def to_destination(self, asset: str) -> DepositAddress:
        """Return the destination in the words of the sending venue."""
        return DepositAddress(
            asset=asset,
            address=self.address,
            tag=self.tag or None,
            network=self.way.source_name or None,
        )


def find_route(
    *, source: VenueAccount, target: VenueAccount, asset: str, network: str, amount: Amount
) -> Route:
    """Return the way from one account to the other, which is open at both venues now.

    Args:
        source: sends.
        target: receives.
        asset: its code.
        network: any name of the network; empty: the only one.
        amount: what shall leave, fee included [units of asset].

    Raises:
        InvalidTransfer: no common network, a missing tag, or an amount that cannot leave.
        NetworkUnconfirmed: nobody has said what a venue calls the network.
        NetworkSuspended: a venue does not move funds on it now.
        VenueError: a venue did not tell.
    """
    sides = read_sides(source=source, target=target, asset=asset)
    way = choose_way(*sides, wanted=network, asset=asset)
    if not way.network and source.venue.ccxt_id != target.venue.ccxt_id:
        cause = Message("the venues may use different networks. State the network.")
        raise InvalidTransfer(cause=cause)
    check_open(way, *sides, asset=asset)
    check_size(way, amount=amount, asset=asset)
    stated = open_gateway(target).fetch_deposit_address(asset, way.target_name)
    _check_network(target, way, stated)
    _check_tag(target, way, stated)
    return Route(way, stated.address, stated.tag or "")


def read_sides(*, source: VenueAccount, target: VenueAccount, asset: str) -> tuple[Side, Side]:
    """Return what both venues say about the networks of an asset.

    Raises:
        VenueError: a venue did not answer.
    """
    left = _read_side(source, asset)
    right = left if target.venue_id == source.venue_id else _read_side(target, asset)
    return _completed(left, right), _completed(right, left)


def check_ways_differ(*, source: VenueAccount, route: Route, asset: str) -> None:
    """Refuse a way that leads back to the sender.

    Raises:
        InvalidTransfer: both accounts have one address, or the sender knows no such network.
        VenueError: the venue did not tell.
    """
    way = route.way
    try:
        own = open_gateway(source).fetch_deposit_address(asset, way.source_name)
    except NotSupportedByVenue:
        return  # the withdrawal itself will be refused if the network is unknown
    except VenueRejected as refusal:
        cause = Message(
            "{venue} does not know the network {network} for {asset}: {reason}",
            {
                "venue": source.venue.code,
                "network": way.network or "–",
                "asset": asset,
                "reason": refusal.message,
            },
        )
        raise InvalidTransfer(cause=cause) from refusal
    if (own.address, own.tag or "") == (route.address, route.tag):
        raise InvalidTransfer(cause=Message("both accounts have the same deposit address."))


def _read_side(account: VenueAccount, asset: str) -> Side:
    states = _read_states(account, asset)
    simulated = is_simulated(account.venue)
    confirmed = map_network_names(account.venue_id)
    names = {**names_of(states), **confirmed} if simulated else confirmed
    return Side(account.venue.code, names, states, simulated)


def _read_states(account: VenueAccount, asset: str) -> list[NetworkState] | None:
    try:
        return list(open_gateway(account).fetch_networks(asset)) or None
    except NotSupportedByVenue:
        return None


def _completed(side: Side, other: Side) -> Side:
    """Let a simulated venue that says nothing about networks use the other one's names."""
    if not side.is_simulated or side.states is not None or not other.names:
        return side
    return Side(side.venue, {name: name for name in other.names} | dict(side.names), None, True)


def _check_network(target: VenueAccount, way: Way, stated: DepositAddress) -> None:
    if is_on_network(stated.network, network=way.network, venue_name=way.target_name):
        return
    raise InvalidTransfer(
        cause=Message(
            "{venue} gave an address on {found} instead of {wanted}.",
            {"venue": target.venue.code, "found": stated.network, "wanted": way.network or "–"},
        )
    )


def _check_tag(target: VenueAccount, way: Way, stated: DepositAddress) -> None:
    """Refuse an address without the tag that any of the network's names asks for."""
    names = {name for name in (way.network, way.source_name, way.target_name) if name} or {""}
    if stated.tag or not any(needs_tag(asset=stated.asset, network=name) for name in names):
        return
    cause = Message(
        "{asset} needs a tag on this network, but {venue} gave none: the funds would be lost.",
        {"asset": stated.asset, "venue": target.venue.code},
    )
    raise InvalidTransfer(cause=cause)
