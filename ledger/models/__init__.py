"""The order journal, fills, the double-entry ledger, logs and equity."""

from ledger.models.books import (
    BookKind,
    BookTotal,
    Entry,
    EntryKind,
    Posting,
    TradingDay,
)
from ledger.models.fills import (
    Fill,
    LateFee,
)
from ledger.models.orders import (
    Order,
    OrderKindChoice,
    OrderStateChoice,
    SideChoice,
    TimeInForceChoice,
)
from ledger.models.reports import (
    AssetPrice,
    EquitySnapshot,
    LogEntry,
    LogLevel,
)

__all__ = [
    "AssetPrice",
    "BookKind",
    "BookTotal",
    "Entry",
    "EntryKind",
    "EquitySnapshot",
    "Fill",
    "LateFee",
    "LogEntry",
    "LogLevel",
    "Order",
    "OrderKindChoice",
    "OrderStateChoice",
    "Posting",
    "SideChoice",
    "TimeInForceChoice",
    "TradingDay",
]
