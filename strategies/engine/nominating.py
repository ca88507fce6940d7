"""Nominators as the loop calls them: one that raises must not keep others from being told."""

import logging

from strategies.sdk import MarketKey, Nominator

logger = logging.getLogger(__name__)


class Guarded:
    """A nominator of a plugin; once it has raised, it is not asked any more and says yes.

    Args:
        nominator: of the plugin.
        strategy_id: whose.
    """

    def __init__(self, nominator: Nominator, strategy_id: int) -> None:
        self._nominator: Nominator | None = nominator
        self._strategy_id = strategy_id

    def update(self, key: MarketKey, bid: float, ask: float) -> bool:
        """Return whether an evaluation could find an intent, now that a book has changed."""
        if self._nominator is None:
            return True
        try:
            return self._nominator.update(key, bid, ask)
        except Exception:
            logger.exception("the nominator of strategy %s has failed", self._strategy_id)
            self._nominator = None
            return True

    def drop(self, key: MarketKey) -> None:
        """Forget the book of a market."""
        if self._nominator is None:
            return
        try:
            self._nominator.drop(key)
        except Exception:
            logger.exception("the nominator of strategy %s has failed", self._strategy_id)
            self._nominator = None
