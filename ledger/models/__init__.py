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
from ledger.models.halts import (
    HaltLevelChoice,
    TradingChange,
    TradingEventChoice,
    TradingHalt,
    TradingStateChoice,
)
from ledger.models.orders import (
    Order,
    OrderKindChoice,
    OrderStateChoice,
    SideChoice,
    TimeInForceChoice,
)
from ledger.models.reconciliation import (
    AccountReconciliation,
    Discrepancy,
    DiscrepancyKindChoice,
    DiscrepancyStateChoice,
    ReconciliationRun,
    RunOutcomeChoice,
)
from ledger.models.reports import (
    AssetPrice,
    EquitySnapshot,
    LogEntry,
    LogLevel,
)

__all__ = [
    "AccountReconciliation",
    "AssetPrice",
    "BookKind",
    "BookTotal",
    "Discrepancy",
    "DiscrepancyKindChoice",
    "DiscrepancyStateChoice",
    "Entry",
    "EntryKind",
    "EquitySnapshot",
    "Fill",
    "HaltLevelChoice",
    "LateFee",
    "LogEntry",
    "LogLevel",
    "Order",
    "OrderKindChoice",
    "OrderStateChoice",
    "Posting",
    "ReconciliationRun",
    "RunOutcomeChoice",
    "SideChoice",
    "TimeInForceChoice",
    "TradingChange",
    "TradingDay",
    "TradingEventChoice",
    "TradingHalt",
    "TradingStateChoice",
]
