"""From the journal's records to a living simulation, and back."""

from collections.abc import Iterable, Iterator
from typing import Any

from arbplatform.core.errors import Conflict
from markets.simulator.exchange.accounts import Account
from markets.simulator.exchange.orders import LIVE_STATUSES
from markets.simulator.settlement import Transfer, TransferStatus
from markets.simulator.storage.facts import (
    Facts,
    execution_from_row,
    order_from_row,
    wallet_transfer_from_row,
)
from markets.simulator.venue import Venue
from markets.simulator.world import World

ROWS_PER_RECORD_MAX = 200
IDS_SKIPPED = 10_000_000
"""Ids that a restart passes over: those of the house are not in the journal."""


class _Memory:
    """The latest state of everything that one venue's records tell."""

    def __init__(self) -> None:
        self.grids: dict[str, list[str]] = {}
        self.orders: dict[int, list[Any]] = {}
        self.executions: dict[tuple[int, int], list[Any]] = {}
        self.balances: dict[tuple[str, str], list[Any]] = {}
        self.wallet_transfers: dict[int, list[Any]] = {}
        self.transfers: dict[str, dict[str, Any]] = {}
        self.client_ids: dict[str, dict[str, None]] = {}

    def take(self, record: dict[str, Any]) -> None:
        """Let a record replace what earlier ones said."""
        self.grids |= record.get("g", {})
        self.orders |= {row[0]: row for row in record.get("o", ())}
        self.executions |= {(row[0], row[2]): row for row in record.get("x", ())}
        self.balances |= {(row[0], row[1]): row for row in record.get("b", ())}
        self.wallet_transfers |= {row[0]: row for row in record.get("t", ())}
        self.transfers |= {row["id"]: row for row in record.get("w", ())}
        for label, ids in record.get("c", {}).items():
            self.client_ids.setdefault(label, {}).update(dict.fromkeys(ids))


def restore(world: World, records: Iterable[dict[str, Any]]) -> None:
    """Bring a new simulation to where the records left it; endow accounts that are new.

    Raises:
        Conflict: the records do not fit the configuration.
    """
    memories: dict[str, _Memory] = {}
    for record in records:
        memories.setdefault(record["v"], _Memory()).take(record)
    for code in memories:
        if code not in world.venues:
            raise _unfitting(f"the venue {code} is missing")
    for code, venue in world.venues.items():
        memory = memories.get(code, _Memory())
        _check_grids(venue, memory)
        _restore_accounts(venue, memory)
        _restore_orders(venue, memory)
        for number in sorted(memory.wallet_transfers):
            venue.remember_transfer(wallet_transfer_from_row(memory.wallet_transfers[number]))
        venue.endow(known={label for label, _ in memory.balances})
    _restore_transfers(world, memories)


def _restore_transfers(world: World, memories: dict[str, _Memory]) -> None:
    latest: dict[str, dict[str, Any]] = {}
    for memory in memories.values():
        for number, row in memory.transfers.items():
            # The venue where it started may not know yet that it ended at another.
            known = latest.get(number)
            if known is None or _progress_of(row) >= _progress_of(known):
                latest[number] = row
    for row in sorted(latest.values(), key=lambda row: (row["applied_ms"], row["id"])):
        world.settlement.remember(Transfer.from_row(row))


def _progress_of(row: dict[str, Any]) -> int:
    """Return how far a transfer had come when the row was written."""
    return {TransferStatus.PROCESSING: 0, TransferStatus.SENT: 1}.get(row["status"], 2)


def _unfitting(cause: str) -> Conflict:
    return Conflict(
        "The state directory does not fit the configuration: {cause}. "
        "Use the configuration it was made with, or another directory.",
        cause=cause,
    )


def _check_grids(venue: Venue, memory: _Memory) -> None:
    for market_id in {row[2] for row in memory.orders.values()}:
        listing = venue.listings.get(market_id)
        grid = memory.grids.get(market_id)
        if listing is None or grid != [str(listing.tick_units), str(listing.lot_units)]:
            raise _unfitting(f"{venue.code} has orders on {market_id} with another tick or lot")


def _restore_accounts(venue: Venue, memory: _Memory) -> None:
    for label, asset in memory.balances:
        if asset not in venue.engine.assets:
            raise _unfitting(f"{venue.code} has balances of {asset}")
        if label not in venue.engine.accounts:
            venue.engine.open_account(label)
    for (label, asset), row in memory.balances.items():
        account = venue.engine.accounts[label]
        account.free[asset] = int(row[2])
        account.held[asset] = int(row[3])
        account.funding[asset] = int(row[4])
    for label, ids in memory.client_ids.items():
        venue.engine.accounts[label].client_ids.update(ids)


def _restore_orders(venue: Venue, memory: _Memory) -> None:
    engine = venue.engine
    for number in sorted(memory.orders):
        row = memory.orders[number]
        order = order_from_row(row, engine.accounts[row[1]], venue.listings[row[2]])
        order.account.remember_order(order)
        if order.status in LIVE_STATUSES:
            engine.restore(order)
        engine.last_order_id = number
    for number, order_id in sorted(memory.executions):
        row = memory.executions[number, order_id]
        account = engine.accounts[row[1]]
        found = account.orders.get(order_id)
        if found is not None:
            account.remember_execution(execution_from_row(row, found))
        engine.last_trade_id = number
    if memory.orders:
        engine.last_order_id += IDS_SKIPPED
        engine.last_trade_id += IDS_SKIPPED


def dump(world: World) -> Iterator[Facts]:
    """Yield everything that the journal must know, in small records."""
    for venue in world.venues.values():
        facts = Facts(venue.code)
        facts.add_grids(venue.listings.values())
        for account in venue.customers:
            facts.add_balances(account, venue.engine.assets)
        yield facts
        for account in list(venue.customers):
            yield from _dump_account(venue, account)
    for transfers in _chunks(list(world.settlement.transfers.values())):
        for transfer in transfers:
            facts = Facts(transfer.venue or transfer.to_venue)
            facts.transfers.append(transfer.to_row())
            yield facts


def _dump_account(venue: Venue, account: Account) -> Iterator[Facts]:
    for ids in _chunks(list(account.client_ids)):
        facts = Facts(venue.code)
        facts.client_ids[account.label] = ids
        yield facts
    for orders in _chunks(list(account.orders.values())):
        facts = Facts(venue.code)
        for order in orders:
            facts.add_order(order)
        yield facts
    for executions in _chunks([kept for some in account.trades.values() for kept in some]):
        facts = Facts(venue.code)
        for execution in executions:
            facts.add_execution(execution)
        yield facts
    for transfers in _chunks(list(venue.wallet_transfers.get(account.label, ()))):
        facts = Facts(venue.code)
        for transfer in transfers:
            facts.add_wallet_transfer(transfer)
        yield facts


def _chunks(rows: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), ROWS_PER_RECORD_MAX):
        yield rows[start : start + ROWS_PER_RECORD_MAX]
