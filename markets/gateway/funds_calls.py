"""The call that sends funds away, and what must be known before."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import ccxt

from arbplatform.core.decimals import Amount, to_decimal
from arbplatform.core.errors import Message
from markets.domain.book_side import UNREADABLE
from markets.domain.funds import DepositAddress, NetworkState
from markets.errors import VenueRejected
from markets.gateway.account_data import parse_deposit_address, parse_networks
from markets.gateway.answers import need_text, require_mapping
from markets.gateway.client import Client
from markets.gateway.error_map import Effect, Malformed
from markets.gateway.quirks import Quirks
from markets.gateway.session import Session

_WORD: Final = re.compile(r"[^\W_]+")

UNLISTED_ROWS_MAX = 100
"""Rows of all assets that are looked through for those of one."""


def fetch_networks(session: Session, asset: str | None) -> Sequence[NetworkState]:
    """Return the networks that an asset travels by, fresh from the venue.

    Args:
        session: with the venue.
        asset: its code; ``None``: those of every asset, each as often as one travels by it.

    Raises:
        NotSupportedByVenue: the venue does not tell.
    """
    with session.call(Effect.READ) as client:
        session.need(client, "fetchCurrencies")
        answer = session.timed(client, client.fetch_currencies)
        found = [
            network
            for code in (require_mapping(answer, "currencies") if asset is None else (asset,))
            for network in parse_networks(
                answer, asset=code, mode=client.precisionMode, quirks=session.quirks
            )
        ]
        # the fee that was looked at is the one that a withdrawal goes by
        session.catalog.keep_currencies(client, answer)
        return found


def fetch_deposit_address(session: Session, asset: str, network: str | None) -> DepositAddress:
    """Return where to send an asset to.

    Args:
        session: with the venue.
        asset: its code.
        network: the venue's name of the network; ``None``: its default.

    Returns:
        The address, on the network that the venue's answer names, if any: in the words of the
        question where both mean the same to the venue. Whoever sends there has to compare the two.

    Raises:
        VenueRejected: it is not clear which of the venue's methods of deposit is meant.
    """
    with session.call(Effect.READ) as client:
        session.need(client, "fetchDepositAddress")
        session.load_networks(client)
        params = {"network": network} if network else {}
        if session.quirks.has_deposit_methods:
            params = {"method": _deposit_method(session, client, asset, network)}
        answer = session.timed(client, lambda: client.fetch_deposit_address(asset, params))
        stated = parse_deposit_address(answer, asset=asset)
        if not session.quirks.states_deposit_network:
            return replace(stated, network=None)
        if network and _means_the_same(client, asset, network, stated.network):
            return replace(stated, network=network)
        return stated


def _means_the_same(client: Client, asset: str, asked: str, stated: str | None) -> bool:
    """Return whether both name one network: by the venue's own word, or by ccxt's for it."""
    if stated is None:
        return False
    return bool(_names_of(client, asset, asked) & _names_of(client, asset, stated))


def _names_of(client: Client, asset: str, name: str) -> set[str]:
    venue_name = _translated(client.network_code_to_id, name, asset)
    names = {
        name,
        venue_name,
        *(_translated(client.network_id_to_code, one, asset) for one in (name, venue_name)),
    }
    return {one for one in names if one}


def _translated(
    translate: Callable[[str, str], str | None], name: str | None, asset: str
) -> str | None:
    """Return another name of a network; ``None`` where ccxt knows none or stumbles over it."""
    if name is None:
        return None
    try:
        return translate(name, asset)
    except (ccxt.BaseError, *UNREADABLE):
        return None


def _deposit_method(session: Session, client: Client, asset: str, network: str | None) -> str:
    """Return the only method of deposit that is on a network, or the only one there is.

    ccxt goes by a table of its own whatever network is asked for, and takes the first method where
    none has the network's name: funds that are sent to such an address on the network are lost.
    """
    rows = session.timed(client, lambda: client.fetch_deposit_methods(asset))
    methods = [need_text(require_mapping(row, "method").get("method"), "method") for row in rows]
    exact = [method for method in methods if network and method.lower() == network.lower()]
    fitting = exact or [method for method in methods if _is_named(network or "", method, asset)]
    if len(fitting) != 1:
        raise VenueRejected(
            "{venue} gives addresses for {asset} by the methods {methods}; which of them is on the "
            "network {network} is not clear. Confirm words of one of them as the name that the "
            "venue has for the network.",
            venue=session.venue,
            asset=asset,
            methods=", ".join(methods) or "–",
            network=network or "–",
        )
    return fitting[0]


def _is_named(network: str, method: str, asset: str) -> bool:
    """Return whether the words of a network stand in the name of a method, one after the other.

    The asset's own code says nothing about the network, even if a network bears it, too.

    >>> _is_named("trc20", "Tether USD (TRC20)", "USDT"), _is_named("", "Bitcoin", "BTC")
    (True, True)
    >>> _is_named("Arbitrum One", "ETH - Arbitrum One (Unified)", "ETH")
    True
    >>> _is_named("ETH", "ETH - Arbitrum One (Unified)", "ETH")
    False
    """
    words = [word for word in _WORD.findall(method.lower()) if word != asset.lower()]
    wanted = " ".join(_WORD.findall(network.lower()))
    return not wanted or f" {wanted} " in f" {' '.join(words)} "


def list_funds(
    session: Session,
    client: Client,
    method: str,
    asset: str,
    *rest: Any,
) -> list[Any]:
    """Return the rows of a history of funds that are about one asset.

    ccxt asks only for assets that it knows from the markets, but a venue holds others too, the
    coin of its fees for instance. Those are picked out of the history of all assets.

    Args:
        session: with the venue.
        client: lent for this call.
        method: of ccxt, that takes an asset, a time, a limit and parameters.
        asset: its code.
        rest: of the method's arguments: time, rows at most of an asset that ccxt knows, parameters.

    Raises:
        ccxt.NotSupported: there is no history of all assets, or a part of it only.
        Malformed: no rows, so many that some may be cut off, or one that does not say which asset
            it is about.
    """
    since_ms, limit, *params = rest
    if asset in (client.currencies or {}):
        rows = session.rows(client, method, asset, *rest)
        if limit is not None and len(rows) >= limit:
            raise Malformed(Message("more happened since then than can be read"))
        return rows
    rows_max = min(UNLISTED_ROWS_MAX, session.quirks.funds_rows_max)
    try:
        rows = session.rows(client, method, None, since_ms, rows_max, *params)
    except ccxt.ArgumentsRequired:
        raise ccxt.NotSupported(f"no history of {asset}, which is in none of its markets") from None
    if len(rows) >= rows_max:
        raise ccxt.NotSupported(f"too long a history to find all of {asset} in it")
    return [
        row
        for row in rows
        if need_text(require_mapping(row, "transfer").get("currency"), "currency") == asset
    ]


def withdraw(
    client: Client,
    quirks: Quirks,
    *,
    amount: Amount,
    destination: DepositAddress,
    client_transfer_id: str,
) -> Any:
    """Send funds away so that exactly ``amount`` leaves, and return ccxt's answer.

    Args:
        client: lent for this call, with the venue's networks where it needs them.
        quirks: what is special about the class.
        amount: what leaves, network fee included [units of the asset].
        destination: where to.
        client_transfer_id: ours; sent where the venue takes one.

    Raises:
        ccxt.NotSupported: the venue adds a fee that it does not state beforehand.
        ccxt.InvalidOrder: the fee would leave nothing.
    """
    params = {
        **quirks.withdraw_params,
        **({"tag": destination.tag} if destination.tag else {}),
        **({"network": destination.network} if destination.network else {}),
        **({quirks.withdraw_id_param: client_transfer_id} if quirks.withdraw_id_param else {}),
    }
    if quirks.is_withdrawal_fee_on_top:
        fee = _network_fee(client, destination)
        amount -= fee
        if amount <= 0:
            raise ccxt.InvalidOrder(f"the network fee of {fee} leaves nothing to arrive")
    return client.withdraw(destination.asset, amount, destination.address, params)


def _network_fee(client: Client, destination: DepositAddress) -> Decimal:
    """Return what the venue adds to a withdrawal [units of the asset]."""
    currency = (client.currencies or {}).get(destination.asset) or {}
    networks: Mapping[str, Any] = currency.get("networks") or {}
    if destination.network:
        candidates = [
            network
            for code, network in networks.items()
            if destination.network in {code, network.get("id"), network.get("network")}
        ]
    else:
        candidates = list(networks.values())
    fees = {str(network.get("fee")) for network in candidates if network.get("fee") is not None}
    if len(fees) != 1:
        raise ccxt.NotSupported("the network fee is not known; name the network")
    return to_decimal(fees.pop())
