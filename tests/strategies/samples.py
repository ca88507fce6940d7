"""Strategy types for tests, in which something happens while they decide."""

from collections.abc import Callable
from typing import ClassVar

from strategies.plugins.cross_venue import CrossVenue
from strategies.plugins.triangular import Triangular
from strategies.sdk import Evaluation, MarketView


class Hooked(CrossVenue):
    """Cross-venue arbitrage; between decision and orders happens what the test wants."""

    slug = "hooked"
    title = "Hooked"
    description = "Does what a test wants in the middle of a tick."
    hook: ClassVar[Callable[[], object] | None] = None

    def evaluate(self, view: MarketView) -> Evaluation:
        """Decide, then call the hook."""
        evaluation = super().evaluate(view)
        if Hooked.hook is not None:
            Hooked.hook()
        return evaluation


class HookedCycle(Triangular):
    """Cycles on one venue; between decision and orders happens what the test wants."""

    slug = "hooked-cycle"
    title = "Hooked cycle"
    description = "Does what a test wants in the middle of a tick."
    hook: ClassVar[Callable[[], object] | None] = None

    def evaluate(self, view: MarketView) -> Evaluation:
        """Decide, then call the hook."""
        evaluation = super().evaluate(view)
        if HookedCycle.hook is not None:
            HookedCycle.hook()
        return evaluation
