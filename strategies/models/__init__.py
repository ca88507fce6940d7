"""Tables of the strategies app."""

from strategies.models.attributions import PARTS, Attribution
from strategies.models.dust import Dust
from strategies.models.engines import EngineProcess
from strategies.models.results import AMOUNTS, COUNTED, SUMMED, ResultAudit, ResultTotal
from strategies.models.risk import PegReading, RiskLimits, RiskLimitsChange
from strategies.models.strategies import (
    INTERVAL_MS_MAX,
    INTERVAL_MS_MIN,
    NOT_OVER,
    Decision,
    Execution,
    ExecutionStateChoice,
    Opportunity,
    Reason,
    Run,
    Strategy,
    StrategyDriverChoice,
    StrategyStateChoice,
)
from strategies.models.sweeps import SweepPlace

__all__ = [
    "AMOUNTS",
    "COUNTED",
    "INTERVAL_MS_MAX",
    "INTERVAL_MS_MIN",
    "NOT_OVER",
    "PARTS",
    "SUMMED",
    "Attribution",
    "Decision",
    "Dust",
    "EngineProcess",
    "Execution",
    "ExecutionStateChoice",
    "Opportunity",
    "PegReading",
    "Reason",
    "ResultAudit",
    "ResultTotal",
    "RiskLimits",
    "RiskLimitsChange",
    "Run",
    "Strategy",
    "StrategyDriverChoice",
    "StrategyStateChoice",
    "SweepPlace",
]
