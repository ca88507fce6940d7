"""Turns what ccxt says about an account's funds into our values."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from arbplatform.core.decimals import ZERO
from arbplatform.core.errors import Message
from markets.domain.fees import FeeSchedule
from markets.domain.funds import (
    DepositAddress,
    NetworkState,
    VenueBalance,
    VenueTransfer,
    VenueTransferStatus,
)
from markets.gateway.answers import (
    need_echo,
    need_number,
    need_text,
    number_or_none,
    require_mapping,
    states_emptiness,
    time_or_none,
)
from markets.gateway.error_map import Malformed
from markets.gateway.market_data import fee_mode_of, step_or_none
from markets.gateway.quirks import Quirks

_TRANSFER_STATES = {
    "ok": VenueTransferStatus.DONE,
    "failed": VenueTransferStatus.FAILED,
    "canceled": VenueTransferStatus.FAILED,
    "rejected": VenueTransferStatus.FAILED,
}


def parse_fees(
    answer: object,
    raw: object,
    markets: Mapping[str, Any],
    symbols: Sequence[str],
    quirks: Quirks,
) -> dict[str, FeeSchedule]:
    """Return an account's own fees by symbol; markets that the venue does not tell are left out.

    Raises:
        Malformed: not fees by symbol, or an emptiness that the venue did not state.
    """
    rows = require_mapping(answer, "fees")
    found = {}
    for symbol in symbols:
        row = rows.get(symbol)
        if not isinstance(row, Mapping):
            continue
        maker, taker = number_or_none(row.get("maker")), number_or_none(row.get("taker"))
        if maker is not None and taker is not None:
            found[symbol] = FeeSchedule(maker, taker, fee_mode_of(markets[symbol], quirks))
    if not found and not states_emptiness(raw):
        raise Malformed(Message("the answer holds no {what}", {"what": "fees"}))
    return found


def parse_balances(answer: object, raw: object) -> dict[str, VenueBalance]:
    """Return every balance that is not zero.

    Raises:
        Malformed: no balance, or an emptiness that the venue did not state.
    """
    balance = require_mapping(answer, "balance")
    codes = balance.get("total") or {}
    if not codes and not states_emptiness(raw):
        raise Malformed(Message("the answer holds no balance"))
    found = {}
    for code in codes:
        row = require_mapping(balance.get(code), "balance")
        total = number_or_none(row.get("total"))
        held = number_or_none(row.get("used"))
        free = number_or_none(row.get("free"))
        if free is None:
            free = (total or ZERO) - (held or ZERO)
        if held is None:
            held = (total - free) if total is not None else ZERO
        if free or held:
            found[str(code)] = VenueBalance(str(code), free, held)
    return found


def parse_transfers(rows: Iterable[Any], *, asset: str, quirks: Quirks) -> list[VenueTransfer]:
    """Return transfers, oldest first.

    Raises:
        Malformed: one of them is broken.
    """
    transfers = [parse_transfer(row, asset=asset, quirks=quirks) for row in rows]
    return sorted(transfers, key=lambda transfer: transfer.updated_at_ms or 0)


def parse_transfer(answer: object, *, asset: str, quirks: Quirks) -> VenueTransfer:
    """Return a deposit, withdrawal or wallet transfer from a list.

    Raises:
        Malformed: without id or amount.
    """
    row = require_mapping(answer, "transfer")
    fee = require_mapping(row.get("fee") or {}, "fee")
    info = row.get("info")
    key = quirks.withdraw_id_key
    client_id = info.get(key) if key and isinstance(info, Mapping) else None
    # a fee in another asset, gas for instance, takes nothing of this one, and how much is not known
    is_of_asset = fee.get("currency") in (None, asset)
    cost = number_or_none(fee.get("cost")) if is_of_asset else None
    amount = need_number(row.get("amount"), "amount")
    if quirks.is_withdrawal_amount_net and row.get("type") == "withdrawal" and cost:
        amount += cost
    return VenueTransfer(
        venue_transfer_id=need_text(row.get("id") or row.get("txid"), "transfer id"),
        asset=asset,
        amount=amount,
        fee=cost,
        status=_TRANSFER_STATES.get(str(row.get("status")), VenueTransferStatus.PENDING),
        client_transfer_id=str(client_id) if client_id else None,
        tx_id=str(row["txid"]) if row.get("txid") else None,
        address=str(row["address"]) if row.get("address") else None,
        tag=str(row["tag"]) if row.get("tag") else None,
        updated_at_ms=time_or_none(row.get("updated") or row.get("timestamp")),
    )


def parse_new_transfer(
    answer: object,
    *,
    asset: str,
    amount: Decimal,
    default: VenueTransferStatus,
    client_id: str | None = None,
) -> VenueTransfer:
    """Return what a venue says about a transfer that it has just been told to make.

    Raises:
        Malformed: it gives no id.
    """
    row = require_mapping(answer, "transfer")
    return VenueTransfer(
        venue_transfer_id=need_text(row.get("id"), "transfer id"),
        asset=asset,
        amount=amount,
        fee=None,
        status=_TRANSFER_STATES.get(str(row.get("status")), default),
        client_transfer_id=client_id,
        updated_at_ms=time_or_none(row.get("timestamp")),
    )


def parse_deposit_address(answer: object, *, asset: str) -> DepositAddress:
    """Return an address to send to, on the network that the venue says it is on.

    Raises:
        Malformed: there is none, or it is for another asset.
    """
    row = require_mapping(answer, "deposit address")
    need_echo(row, "currency", asset)
    return DepositAddress(
        asset=asset,
        address=need_text(row.get("address"), "address"),
        tag=str(row["tag"]) if row.get("tag") else None,
        network=str(row["network"]) if row.get("network") else None,
    )


def parse_networks(answer: object, *, asset: str, mode: int, quirks: Quirks) -> list[NetworkState]:
    """Return what a list of currencies says about the networks of one asset.

    Args:
        answer: ccxt's currencies by code.
        asset: its code.
        mode: how the class states precision, ccxt's ``precisionMode``.
        quirks: what is special about the class.

    Raises:
        Malformed: no list, or none with the asset.
    """
    row = require_mapping(answer, "currencies").get(asset)
    networks = require_mapping(row, "currency").get("networks") or {}
    return [
        _parse_network(str(name), require_mapping(network, "network"), mode, quirks)
        for name, network in require_mapping(networks, "networks").items()
    ]


def _parse_network(name: str, row: Mapping[str, Any], mode: int, quirks: Quirks) -> NetworkState:
    limits = require_mapping(row.get("limits") or {}, "limits")
    least = number_or_none(require_mapping(limits.get("withdraw") or {}, "limits").get("min"))
    fee = number_or_none(row.get("fee"))
    if least is not None and quirks.is_withdrawal_fee_on_top:
        least += fee or ZERO
    return NetworkState(
        network=name,
        can_deposit=_is_open(row, "deposit"),
        can_withdraw=_is_open(row, "withdraw"),
        fee=fee,
        withdraw_min=least,
        withdraw_step=step_or_none(row.get("precision"), mode),
    )


def _is_open(row: Mapping[str, Any], way: str) -> bool | None:
    """Return whether a way is open: by its own flag, else by that of the network."""
    for value in (row.get(way), row.get("active")):
        if isinstance(value, bool):
            return value
    return None
