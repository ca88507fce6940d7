"""Many workers at the same moment, each on a database connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import TypeVar

from django.db import connection

ArgumentT = TypeVar("ArgumentT")
ResultT = TypeVar("ResultT")
START_TIMEOUT_S = 30


def at_once(work: Callable[[ArgumentT], ResultT], arguments: Sequence[ArgumentT]) -> list[ResultT]:
    """Run ``work`` once for each argument, all started together; return what each one got."""
    barrier = Barrier(len(arguments))

    def run(argument: ArgumentT) -> ResultT:
        barrier.wait(START_TIMEOUT_S)
        with closing(connection):
            return work(argument)

    with ThreadPoolExecutor(len(arguments)) as workers:
        return list(workers.map(run, arguments))
