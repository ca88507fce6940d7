"""Pages of the console about strategies."""

from strategies.admin.facts import ExecutionAdmin, OpportunityAdmin, RunAdmin
from strategies.admin.strategy import StrategyAdmin

__all__ = ["ExecutionAdmin", "OpportunityAdmin", "RunAdmin", "StrategyAdmin"]
