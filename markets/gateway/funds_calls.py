"""The call that sends funds away, and what must be known before."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import ccxt

from arbplatform.core.decimals import Amount, to_decimal
from markets.domain.funds import DepositAddress, NetworkState
from markets.gateway.account_data import parse_deposit_address, parse_networks
from markets.gateway.client import Client
from markets.gateway.error_map import Effect
from markets.gateway.quirks import Quirks
from markets.gateway.session import Session


def fetch_networks(session: Session, asset: str) -> Sequence[NetworkState]:
    """Return the networks that an asset travels by, fresh from the venue.

    Args:
        session: with the venue.
        asset: its code.

    Raises:
        NotSupportedByVenue: the venue does not tell.
    """
    with session.call(Effect.READ) as client:
        session.need(client, "fetchCurrencies")
        answer = session.timed(client, client.fetch_currencies)
        return parse_networks(answer, asset=asset, mode=client.precisionMode, quirks=session.quirks)


def fetch_deposit_address(session: Session, asset: str, network: str | None) -> DepositAddress:
    """Return where to send an asset to.

    Args:
        session: with the venue.
        asset: its code.
        network: the venue's name of the network; ``None``: its default.
    """
    with session.call(Effect.READ) as client:
        session.need(client, "fetchDepositAddress")
        session.load_networks(client)
        params = {"network": network} if network else {}
        answer = session.timed(client, lambda: client.fetch_deposit_address(asset, params))
        return parse_deposit_address(answer, asset=asset, network=network)


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
