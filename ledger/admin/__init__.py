"""Orders, trades, the books, logs and equity in the console: facts to look at."""

from ledger.admin.books import BookTotalAdmin, EntryAdmin
from ledger.admin.halts import TradingChangeAdmin, TradingHaltAdmin
from ledger.admin.logs import EquitySnapshotAdmin, LogEntryAdmin
from ledger.admin.orders import FillAdmin, OrderAdmin

__all__ = [
    "BookTotalAdmin",
    "EntryAdmin",
    "EquitySnapshotAdmin",
    "FillAdmin",
    "LogEntryAdmin",
    "OrderAdmin",
    "TradingChangeAdmin",
    "TradingHaltAdmin",
]
