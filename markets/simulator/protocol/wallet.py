"""Funds that move without a trade: wallets, deposits, withdrawals, and what a key may do."""

from datetime import UTC
from typing import Any

from arbplatform.core.clock import from_ms
from markets.domain.funds import Wallet
from markets.simulator.exchange.accounts import WalletTransfer
from markets.simulator.exchange.units import FEE_STEP, floor_to_units, format_units
from markets.simulator.faults.kinds import FaultKind
from markets.simulator.faults.plan import Thing
from markets.simulator.protocol import codes
from markets.simulator.protocol.params import (
    Call,
    read_int,
    read_limit,
    require,
    require_decimal,
    require_listing,
)
from markets.simulator.settlement import (
    RepeatedClientId,
    Transfer,
    TransferStatus,
    deposit_address,
    network_of,
)
from markets.simulator.venue import InsufficientBalance

ROWS_MAX = 1_000
_PAGE_SIZE_MAX = 100
_WALLETS = {"MAIN": Wallet.SPOT, "FUNDING": Wallet.FUNDING}
_WALLET_NAMES = {wallet: name for name, wallet in _WALLETS.items()}
_WITHDRAWAL_STATUS = {
    TransferStatus.PROCESSING: 4,
    TransferStatus.SENT: 6,
    TransferStatus.COMPLETED: 6,
    TransferStatus.FAILED: 5,
}
_DEPOSIT_PENDING, _DEPOSIT_SUCCEEDED = 0, 1
_ADDRESS_LENGTH_MIN = 10


def coins(call: Call) -> list[dict[str, Any]]:
    """Return all assets with their network, its fee, and the account's holdings."""
    account = call.account
    settlement = call.world.settlement
    made = []
    for asset in call.venue.engine.assets:
        network = network_of(asset)
        fee = settlement.fee_of(asset)
        takes_deposits = not _is_suspended(call, FaultKind.SUSPEND_DEPOSITS, asset)
        sends = not _is_suspended(call, FaultKind.SUSPEND_WITHDRAWALS, asset)
        made.append(
            {
                "coin": asset,
                "name": asset,
                "depositAllEnable": takes_deposits,
                "withdrawAllEnable": sends,
                "free": format_units(account.free[asset]),
                "locked": format_units(account.held[asset]),
                "freeze": "0",
                "withdrawing": "0",
                "ipoing": "0",
                "ipoable": "0",
                "storage": "0",
                "isLegalMoney": False,
                "trading": True,
                "networkList": [
                    {
                        "network": network,
                        "coin": asset,
                        "name": network,
                        "isDefault": True,
                        "depositEnable": takes_deposits,
                        "withdrawEnable": sends,
                        "withdrawFee": format_units(fee),
                        "withdrawMin": format_units(fee + FEE_STEP),
                        "withdrawMax": "9999999999.99999999",
                        "withdrawIntegerMultiple": "0.00000001",
                        "addressRegex": "",
                        "memoRegex": "",
                        "minConfirm": 1,
                        "unLockConfirm": 0,
                        "sameAddress": False,
                        "busy": False,
                    }
                ],
            }
        )
    return made


def _is_suspended(call: Call, kind: FaultKind, asset: str) -> bool:
    target = Thing(asset=asset, account=call.account.label)
    return call.venue.faults.shows(kind, target) is not None


def no_margin_pairs(call: Call) -> list[Any]:
    """Return an empty list: stock clients ask for margin markets too."""
    return []


def funding_assets(call: Call) -> list[dict[str, Any]]:
    """Return what is in the funding wallet."""
    account = call.account
    wanted = call.params.get("asset")
    return [
        {
            "asset": asset,
            "free": format_units(amount),
            "locked": "0",
            "freeze": "0",
            "withdrawing": "0",
            "btcValuation": "0",
        }
        for asset, amount in account.funding.items()
        if amount and wanted in {None, "", asset}
    ]


def trade_fees(call: Call) -> list[dict[str, Any]]:
    """Return the account's fees by market."""
    listings = [require_listing(call)] if "symbol" in call.params else call.venue.listings.values()
    return [
        {
            "symbol": listing.id,
            "makerCommission": f"{listing.rules.maker_fee:f}",
            "takerCommission": f"{listing.rules.taker_fee:f}",
        }
        for listing in listings
    ]


def key_restrictions(call: Call) -> dict[str, Any]:
    """Return what the key may do."""
    granted = call.key.permissions if call.key else frozenset()
    return {
        "ipRestrict": False,
        "createTime": 0,
        "enableReading": "read" in granted,
        "enableSpotAndMarginTrading": "trade" in granted,
        "enableWithdrawals": "withdraw" in granted,
        "enableInternalTransfer": "transfer" in granted,
        "permitsUniversalTransfer": "transfer" in granted,
        "enableMargin": False,
        "enableFutures": False,
        "enableVanillaOptions": False,
        "enablePortfolioMarginTrading": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
    }


def move_between_wallets(call: Call) -> dict[str, Any]:
    """Move an amount between the spot and the funding wallet."""
    source, target = _wallets_of(require(call.params, "type"))
    asset = _require_asset(call, "asset")
    amount = _require_amount(call)
    try:
        transfer = call.venue.move(call.account, asset, amount, source, target)
    except InsufficientBalance:
        raise codes.TRANSFER_TOO_LARGE from None
    return {"tranId": transfer.id}


def wallet_transfers(call: Call) -> dict[str, Any]:
    """Return movements between wallets, newest first."""
    source, target = _wallets_of(require(call.params, "type"))
    start_ms, end_ms = read_int(call.params, "startTime"), read_int(call.params, "endTime")
    found = [
        transfer
        for transfer in reversed(call.venue.wallet_transfers.get(call.account.label, []))
        if (transfer.source, transfer.target) == (source, target)
        and (start_ms is None or transfer.at_ms >= start_ms)
        and (end_ms is None or transfer.at_ms <= end_ms)
    ]
    size = min(read_int(call.params, "size") or 10, _PAGE_SIZE_MAX)
    page = max(read_int(call.params, "current") or 1, 1)
    rows = found[(page - 1) * size : page * size]
    return {"total": len(found), "rows": [_wallet_transfer_row(row) for row in rows]}


def _wallet_transfer_row(transfer: WalletTransfer) -> dict[str, Any]:
    return {
        "asset": transfer.asset,
        "amount": format_units(transfer.amount),
        "type": f"{_WALLET_NAMES[transfer.source]}_{_WALLET_NAMES[transfer.target]}",
        "status": "CONFIRMED",
        "tranId": transfer.id,
        "timestamp": transfer.at_ms,
    }


def address(call: Call) -> dict[str, Any]:
    """Return where the account receives an asset."""
    asset = _require_asset(call, "coin")
    _check_network(call, asset)
    return {
        "coin": asset,
        "address": deposit_address(call.venue.code, call.account.label, asset),
        "tag": "",
        "url": "",
    }


def withdraw(call: Call) -> dict[str, Any]:
    """Send an amount away; the network's fee is taken from it."""
    asset = _require_asset(call, "coin")
    _check_network(call, asset)
    suspended = Thing(asset=asset, account=call.account.label)
    if call.venue.faults.state(FaultKind.SUSPEND_WITHDRAWALS, suspended) is not None:
        raise codes.WITHDRAW_BAD_NETWORK
    target = require(call.params, "address")
    if len(target) < _ADDRESS_LENGTH_MIN or not target.isalnum():
        raise codes.WITHDRAW_BAD_ADDRESS
    amount = _require_amount(call)
    if amount <= call.world.settlement.fee_of(asset):
        raise codes.WITHDRAW_BELOW_FEE
    wallet = Wallet.FUNDING if call.params.get("walletType") == "1" else Wallet.SPOT
    try:
        transfer = call.world.settlement.withdraw(
            call.venue,
            call.account.label,
            wallet=wallet,
            asset=asset,
            amount=amount,
            address=target,
            client_id=call.params.get("withdrawOrderId", ""),
        )
    except InsufficientBalance:
        raise codes.WITHDRAW_TOO_LARGE from None
    except RepeatedClientId:
        raise codes.WITHDRAW_REPEATED from None
    return {"id": transfer.id}


def withdrawals(call: Call) -> list[dict[str, Any]]:
    """Return withdrawals, newest first. ``amount`` is what arrives, without the fee."""
    found = call.world.settlement.withdrawals_of(call.venue.code, call.account.label)
    wanted = call.params.get("withdrawOrderId")
    return [
        _withdrawal_row(transfer)
        for transfer in _chosen(call, found)
        if wanted in {None, "", transfer.client_id}
    ]


def deposits(call: Call) -> list[dict[str, Any]]:
    """Return deposits, newest first."""
    found = call.world.settlement.deposits_of(call.venue.code, call.account.label)
    return [_deposit_row(transfer) for transfer in _chosen(call, found)]


def _withdrawal_row(transfer: Transfer) -> dict[str, Any]:
    row = {
        "id": transfer.id,
        "amount": format_units(transfer.amount - transfer.fee),
        "transactionFee": format_units(transfer.fee),
        "coin": transfer.asset,
        "status": _WITHDRAWAL_STATUS[transfer.status],
        "address": transfer.address,
        "addressTag": "",
        "txId": transfer.tx_id,
        "applyTime": f"{from_ms(transfer.applied_ms).astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        "network": transfer.network,
        "transferType": 0,
        "withdrawOrderId": transfer.client_id,
        "info": "",
        "confirmNo": 1,
        "walletType": 1 if transfer.wallet is Wallet.FUNDING else 0,
        "txKey": "",
    }
    if transfer.tx_id:
        row["completeTime"] = f"{from_ms(transfer.due_ms).astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    return row


def _deposit_row(transfer: Transfer) -> dict[str, Any]:
    is_pending = transfer.status is TransferStatus.SENT
    return {
        "id": transfer.id,
        "amount": format_units(transfer.arriving),
        "coin": transfer.asset,
        "network": transfer.network,
        "status": _DEPOSIT_PENDING if is_pending else _DEPOSIT_SUCCEEDED,
        "address": transfer.address,
        "addressTag": "",
        "txId": transfer.tx_id,
        "insertTime": transfer.due_ms,
        "transferType": 0,
        "confirmTimes": "0/1" if is_pending else "1/1",
        "unlockConfirm": 0,
        "walletType": 0,
    }


def _chosen(call: Call, found: list[Transfer]) -> list[Transfer]:
    asset = call.params.get("coin")
    start_ms, end_ms = read_int(call.params, "startTime"), read_int(call.params, "endTime")
    offset = read_int(call.params, "offset") or 0
    chosen = [
        transfer
        for transfer in found
        if asset in {None, "", transfer.asset}
        and (start_ms is None or transfer.applied_ms >= start_ms)
        and (end_ms is None or transfer.applied_ms <= end_ms)
    ]
    return chosen[offset : offset + read_limit(call.params, ROWS_MAX, ROWS_MAX)]


def _wallets_of(kind: str) -> tuple[Wallet, Wallet]:
    source, _, target = kind.partition("_")
    if source not in _WALLETS or target not in _WALLETS or source == target:
        raise codes.illegal("type", "MAIN_FUNDING|FUNDING_MAIN")
    return _WALLETS[source], _WALLETS[target]


def _require_asset(call: Call, name: str) -> str:
    asset = require(call.params, name)
    if asset not in call.account.free:
        raise codes.UNKNOWN_ASSET
    return asset


def _require_amount(call: Call) -> int:
    amount = floor_to_units(require_decimal(call.params, "amount"))
    if amount <= 0:
        raise codes.illegal("amount", "greater than 0")
    return amount


def _check_network(call: Call, asset: str) -> None:
    if call.params.get("network") not in {None, "", network_of(asset)}:
        raise codes.WITHDRAW_BAD_NETWORK
