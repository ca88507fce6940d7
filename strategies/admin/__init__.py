"""Pages of the console about strategies."""

from strategies.admin.dust import DustAdmin
from strategies.admin.engines import EngineProcessAdmin
from strategies.admin.executions import ExecutionAdmin
from strategies.admin.facts import OpportunityAdmin, RunAdmin
from strategies.admin.risk import RiskLimitsAdmin, RiskLimitsChangeAdmin
from strategies.admin.strategy import StrategyAdmin

__all__ = [
    "DustAdmin",
    "EngineProcessAdmin",
    "ExecutionAdmin",
    "OpportunityAdmin",
    "RiskLimitsAdmin",
    "RiskLimitsChangeAdmin",
    "RunAdmin",
    "StrategyAdmin",
]
