"""Pages of the console about strategies."""

from strategies.admin.executions import ExecutionAdmin
from strategies.admin.facts import OpportunityAdmin, RunAdmin
from strategies.admin.strategy import StrategyAdmin

__all__ = ["ExecutionAdmin", "OpportunityAdmin", "RunAdmin", "StrategyAdmin"]
