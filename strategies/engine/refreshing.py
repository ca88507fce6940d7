"""Keeps up to date what strategies decide on: many of them with one reading.

Funds, dust, limits, trading states, keys and the end of executions are read anew every second. For
each strategy by itself that took fourteen queries; read together, eleven serve hundreds.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from django.db import InterfaceError, OperationalError

from arbplatform.core.clock import Clock
from arbplatform.core.errors import ArbError
from strategies.engine.decider import Decider
from strategies.engine.ports import Job
from strategies.services.claims import TickClaim
from strategies.services.deciding import Basis
from strategies.services.failures import Failure, explain
from strategies.services.streaming import Readings, note_stream_failures, read_stream_bases

logger = logging.getLogger(__name__)

REFRESH_S: Final = 1.0
"""How often what a decision rests on is read anew [s]."""
TOGETHER_MAX: Final = 250
"""Strategies that are read together, at most."""
NEW_MAX: Final = 25
"""Of these, the ones that are new here: what they trade with has to be worked out first, and the
others must not wait for that."""
EARLY: Final = 0.25
"""What is due within this part of ``REFRESH_S`` is read along."""
HANDED_OUT: Final = 10
"""So many strategies are told in one go what was read for them: some tenths of a millisecond."""
PAUSE_S_MAX: Final = 0.25
"""After a reading nothing is read for as long as it took, and so long at most [s]: the processor
belongs to decisions."""

Run = Callable[[Job], Awaitable[Any]]
"""Has a thread do something that blocks."""
Install = Callable[[Decider, Basis, int], None]
"""Lets a decider decide on what was read; the number is its ``engagements`` before."""


class Refresher:
    """Reads for the deciders of one engine; made on its loop.

    Args:
        deciders: those that are held at present, by strategy; it is looked at again and again.
        run: has a thread do something.
        install: takes what was read.
        clock: tells the time.
    """

    def __init__(
        self, *, deciders: Mapping[int, Decider], run: Run, install: Install, clock: Clock
    ) -> None:
        self._deciders = deciders
        self._run = run
        self._install = install
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._read_s: dict[Decider, float] = {}
        self._has_news = asyncio.Event()
        self._task = self._loop.create_task(self._work())

    def hurry(self) -> None:
        """Look at once whether there is somebody new."""
        self._has_news.set()

    def check(self) -> None:
        """Raise what has ended it: without new readings nothing is decided any more."""
        if self._task.done():
            self._task.result()

    async def close(self) -> None:
        """Read nothing more."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _work(self) -> None:
        while True:
            self._has_news.clear()
            began_s = self._loop.time()
            chosen = self._choose(began_s)
            if chosen:
                await self._refresh(chosen)
                self._read_s.update(dict.fromkeys(chosen, began_s))
                await asyncio.sleep(min(PAUSE_S_MAX, self._loop.time() - began_s))
            else:
                await self._wait(began_s)

    def _choose(self, now_s: float) -> list[Decider]:
        """Return whose turn it is: those that wait longest, and a few of the new ones."""
        present = self._deciders.values()
        self._read_s = {each: self._read_s[each] for each in present if each in self._read_s}
        known = sorted(self._read_s, key=self._read_s.__getitem__)
        if known and now_s - self._read_s[known[0]] < REFRESH_S:
            known = []
        before_s = now_s - REFRESH_S * (1 - EARLY)
        due = [each for each in known if self._read_s[each] <= before_s]
        new = [each for each in present if each not in self._read_s]
        return [*due[: TOGETHER_MAX - NEW_MAX], *new[:NEW_MAX]]

    async def _wait(self, now_s: float) -> None:
        """Wait until somebody is due, or new."""
        next_s = min(self._read_s.values(), default=now_s) + REFRESH_S
        try:
            async with asyncio.timeout(max(0.0, next_s - now_s)):
                await self._has_news.wait()
        except TimeoutError:
            return

    async def _refresh(self, chosen: Sequence[Decider]) -> None:
        """Read for some strategies; what goes wrong is told of them and ends nothing else."""
        before = {each: each.engagements for each in chosen}
        runs = {each.strategy_id: each.run_id for each in chosen}
        try:
            readings = await self._run(partial(read_stream_bases, runs=runs, clock=self._clock))
            failures = await self._hand_out(readings, before)
            if failures:
                note = partial(note_stream_failures, failures=failures, clock=self._clock)
                await self._run(note)
        except (OperationalError, InterfaceError) as error:
            logger.warning("%d strategies wait for the database: %s", len(chosen), error)
        except Exception:
            logger.exception("what %d strategies rest on could not be read", len(chosen))

    async def _hand_out(
        self, readings: Readings, before: Mapping[Decider, int]
    ) -> list[tuple[TickClaim, Failure]]:
        """Let those decide on it for whom it was read; return what went wrong.

        A few at a time: books that come meanwhile wait for none but these.
        """
        failures = []
        for number, (decider, engagements) in enumerate(before.items(), 1):
            if number % HANDED_OUT == 0:
                await asyncio.sleep(0)
            pk = decider.strategy_id
            if self._deciders.get(pk) is not decider:
                continue  # it was let go in the meantime
            error = readings.failures.get(pk)
            if error is None:
                try:
                    self._install(decider, readings.bases[pk], engagements)
                    continue
                except Exception as raised:  # noqa: BLE001  told below like what a reading raises
                    error = raised
            if not isinstance(error, ArbError):
                logger.error("what strategy %s rests on cannot be used", pk, exc_info=error)
            failures.append((decider.claim, explain(error)))
        return failures
