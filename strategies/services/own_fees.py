"""Finds out what accounts pay on the markets that strategies use, so that plans count with it."""

import logging
from collections import defaultdict
from collections.abc import Iterable

from accounts.services.fees import read_fees
from arbplatform.background.draining import DRAIN
from arbplatform.core.errors import ArbError
from markets.models import Market
from strategies.domain.states import StrategyState
from strategies.selectors import list_strategies
from strategies.services.setups import build_setup
from strategies.services.shelves import SHELF

logger = logging.getLogger(__name__)

CHUNK_SIZE = 100


def read_own_fees(markets: Iterable[Market]) -> None:
    """Ask the venues of ``markets`` what our accounts pay on them.

    A venue that does not tell is logged and changes nothing.
    """
    symbols = defaultdict(set)
    for market in markets:
        symbols[market.venue_id].add(market.symbol)
    _read(symbols)


def read_all_own_fees() -> None:
    """Do so for the markets of all running strategies."""
    symbols: dict[int, set[str]] = defaultdict(set)
    running = list_strategies().filter(state=StrategyState.RUNNING)
    for strategy in running.iterator(chunk_size=CHUNK_SIZE):
        try:
            setup = build_setup(strategy, SHELF)
        except ArbError as error:
            logger.warning("Markets of %s are not known: %s", strategy, error)
            continue
        for market in setup.markets.values():
            symbols[market.venue_id].add(market.symbol)
    _read(symbols)


def _read(symbols: dict[int, set[str]]) -> None:
    for venue_id, wanted in sorted(symbols.items()):
        if DRAIN.has_begun:
            return
        try:
            moved = read_fees(venue_id=venue_id, symbols=wanted)
        except ArbError as error:
            # the venue was removed meanwhile
            logger.warning("Own fees at venue %s were not kept: %s", venue_id, error)
            continue
        if moved:
            logger.info("Other fees are planned with on %s markets of venue %s", moved, venue_id)
