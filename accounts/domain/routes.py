"""Which networks lead from one venue to another, and whether an amount can travel there now."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from accounts.domain.networks import canonical_network
from accounts.errors import InvalidTransfer, NetworkSuspended, NetworkUnconfirmed
from arbplatform.core.decimals import Amount, to_plain
from arbplatform.core.errors import Message
from markets.domain.funds import NetworkState

_NOTHING_OPEN = Message("No other network is open at both venues: try again later.")


@dataclass(frozen=True, slots=True)
class Side:
    """What is known of an asset's networks at one venue.

    Attributes:
        venue: its code.
        names: what it calls each of our networks, as a person confirmed it, or as it lists them
            where nothing has to be confirmed.
        states: what it says about its networks now; ``None`` when it does not tell.
        is_simulated: on this machine, where a name means what it says.
    """

    venue: str
    names: Mapping[str, str]
    states: Sequence[NetworkState] | None
    is_simulated: bool

    def state_of(self, network: str) -> NetworkState | None:
        """Return what the venue says about one of our networks; ``None`` if it says nothing."""
        name = self.names.get(network)
        return next((state for state in self.states or () if state.network == name), None)

    def lists(self, network: str) -> bool:
        """Return whether the asset travels by the network there, as far as the venue tells."""
        return self.states is None or self.state_of(network) is not None


@dataclass(frozen=True, slots=True)
class Way:
    """A network that both venues know.

    Attributes:
        network: our name of it; empty where neither venue names any.
        source_name: the sending venue's name; ``None`` where it names none.
        target_name: the receiving venue's name.
        source: what the sending venue says about it.
        target: what the receiving venue says about it.
    """

    network: str
    source_name: str | None
    target_name: str | None
    source: NetworkState | None
    target: NetworkState | None

    @property
    def is_open(self) -> bool:
        """Whether neither venue says that it is closed."""
        return not (
            (self.source is not None and self.source.can_withdraw is False)
            or (self.target is not None and self.target.can_deposit is False)
        )

    @property
    def fee(self) -> Amount | None:
        """What the network costs, if the source states it [units of asset]."""
        return None if self.source is None else self.source.fee


def names_of(states: Sequence[NetworkState] | None) -> dict[str, str]:
    """Return the names that a simulated venue uses, by ours."""
    return {canonical_network(state.network): state.network for state in states or ()}


def list_ways(source: Side, target: Side) -> list[Way]:
    """Return every network by which the asset travels from one venue to the other."""
    return [
        _way(source, target, network)
        for network in sorted({*source.names} & {*target.names})
        if source.lists(network) and target.lists(network)
    ]


def choose_way(source: Side, target: Side, *, wanted: str, asset: str) -> Way:
    """Return the way that was asked for, or the only one that there is.

    Args:
        source: sends.
        target: receives.
        wanted: any name of a network; empty: whichever there is.
        asset: its code.

    Raises:
        NetworkUnconfirmed: nobody has said what a venue calls it.
        InvalidTransfer: no common network, or more than one to choose from.
    """
    network = canonical_network(wanted)
    ways = list_ways(source, target)
    if not network:
        return _only_way(source, target, ways, asset)
    for side in (source, target):
        _require_name(side, network)
    for way in ways:
        if way.network == network:
            return way
    if _is_silent(source) and _is_silent(target):
        return Way(network, wanted, wanted, None, None)
    if not ways:
        raise InvalidTransfer(cause=explain_no_way(source, target, asset=asset))
    raise InvalidTransfer(
        cause=Message(
            "{asset} does not travel from {source} to {target} on the network {network}. "
            "Choose one of: {choice}.",
            {
                "asset": asset,
                "source": source.venue,
                "target": target.venue,
                "network": network,
                "choice": _names(way.network for way in ways),
            },
        )
    )


def explain_no_way(source: Side, target: Side, *, asset: str) -> Message:
    """Return why no network leads from one venue to the other, and what to do about it."""
    return Message(
        "no network is known by which {asset} travels from {source} to {target}. {source} lists: "
        "{source_names}; {target} lists: {target_names}. Confirm what each venue calls one that "
        "both list (POST /api/networks), or choose another account.",
        {
            "asset": asset,
            "source": source.venue,
            "target": target.venue,
            "source_names": _names(state.network for state in source.states or ()),
            "target_names": _names(state.network for state in target.states or ()),
        },
    )


def is_unstated(source: Side, target: Side) -> bool:
    """Return whether neither venue says anything about networks: their default is used."""
    return _is_silent(source) and _is_silent(target)


def check_open(way: Way, source: Side, target: Side, *, asset: str) -> None:
    """Refuse a way that a venue has closed, and name the open ones.

    Raises:
        NetworkSuspended: withdrawals or deposits are suspended.
    """
    if way.is_open:
        return
    is_source = way.source is not None and way.source.can_withdraw is False
    others = [other.network for other in list_ways(source, target) if other.is_open]
    choice = Message("Open at both venues: {networks}.", {"networks": _names(others)})
    raise NetworkSuspended(
        venue=source.venue if is_source else target.venue,
        movement=Message("withdrawals") if is_source else Message("deposits"),
        asset=asset,
        network=way.network,
        choice=choice if others else _NOTHING_OPEN,
    )


def check_size(way: Way, *, amount: Amount, asset: str) -> None:
    """Refuse an amount that the sending venue will not send on the network.

    Raises:
        InvalidTransfer: too small, eaten up by the fee, or too precise.
    """
    state = way.source
    if state is None:
        return
    values: dict[str, object] = {"asset": asset, "network": way.network}
    if state.withdraw_min is not None and amount < state.withdraw_min:
        values["least"] = to_plain(state.withdraw_min)
        cause = Message("at least {least} {asset} can leave on the network {network}.", values)
    elif state.fee is not None and amount <= state.fee:
        values["fee"] = to_plain(state.fee)
        cause = Message("the network fee of {fee} {asset} leaves nothing to arrive.", values)
    elif state.withdraw_step and amount % state.withdraw_step != 0:
        values["step"] = to_plain(state.withdraw_step)
        cause = Message(
            "on the network {network} amounts of {asset} are multiples of {step}.", values
        )
    else:
        return
    raise InvalidTransfer(cause=cause)


def _way(source: Side, target: Side, network: str) -> Way:
    return Way(
        network,
        source.names[network],
        target.names[network],
        source.state_of(network),
        target.state_of(network),
    )


def _only_way(source: Side, target: Side, ways: list[Way], asset: str) -> Way:
    if len(ways) == 1:
        return ways[0]
    if not ways and _is_silent(source) and _is_silent(target):
        return Way("", None, None, None, None)
    if not ways:
        cause = Message("the venues may use different networks. State the network.")
        raise InvalidTransfer(cause=cause)
    choice = _names(way.network for way in ways)
    cause = Message(
        "say on which network {asset} shall go. Choose one of: {choice}.",
        {"asset": asset, "choice": choice},
    )
    raise InvalidTransfer(cause=cause)


def _is_silent(side: Side) -> bool:
    """Return whether a simulated venue says nothing about networks: its default is used."""
    return side.is_simulated and not side.states


def _require_name(side: Side, network: str) -> None:
    if network in side.names or side.is_simulated:
        return
    raise NetworkUnconfirmed(
        venue=side.venue,
        network=network,
        names=_names(state.network for state in side.states or ()),
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "–"
