"""Orders, trades, the books, logs and equity in the console: facts to look at."""

from ledger.admin.books import BookTotalAdmin, EntryAdmin
from ledger.admin.halts import TradingChangeAdmin, TradingHaltAdmin
from ledger.admin.logs import EquitySnapshotAdmin, LogEntryAdmin
from ledger.admin.orders import FillAdmin, OrderAdmin
from ledger.admin.reconciliation import (
    AccountReconciliationAdmin,
    DiscrepancyAdmin,
    ReconciliationRunAdmin,
)

__all__ = [
    "AccountReconciliationAdmin",
    "BookTotalAdmin",
    "DiscrepancyAdmin",
    "EntryAdmin",
    "EquitySnapshotAdmin",
    "FillAdmin",
    "LogEntryAdmin",
    "OrderAdmin",
    "ReconciliationRunAdmin",
    "TradingChangeAdmin",
    "TradingHaltAdmin",
]
