"""Whether engines took turns: no strategy was run by two of them at once."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise

from tests.chaos.evidence import Evidence, ExecutionRow, LeaseRow

Leases = Mapping[int, LeaseRow]


def engines_take_turns(evidence: Evidence) -> Iterator[str]:
    """Each strategy was run by one engine at a time, the one that took it last.

    Leases count up one by one; an execution was begun by the engine of its lease, after that had
    been taken and before the next one was.
    """
    taken: dict[str, dict[int, LeaseRow]] = defaultdict(dict)
    for lease in evidence.leases:
        if lease.fence in taken[lease.strategy]:
            yield f"{lease.strategy}: lease {lease.fence} was taken twice, once more by {lease}"
        taken[lease.strategy][lease.fence] = lease
    for name, leases in taken.items():
        yield from _check_order(name, leases)
    for row in evidence.executions:
        leases = taken.get(row.strategy, {})
        if row.fence or leases:
            yield from _check_turn(row, leases)


def _check_order(name: str, leases: Leases) -> Iterator[str]:
    if sorted(leases) != list(range(1, len(leases) + 1)):
        yield f"the leases of {name} do not count up: {sorted(leases)}"
    for before, after in pairwise(leases[fence] for fence in sorted(leases)):
        if after.taken_at <= before.taken_at:
            yield f"{name}: {after} was taken before {before}"


def _check_turn(row: ExecutionRow, leases: Leases) -> Iterator[str]:
    lease, following = leases.get(row.fence), leases.get(row.fence + 1)
    what = f"execution {row.id} of {row.strategy}"
    if lease is None:
        yield f"{what} was begun under lease {row.fence}, which nobody took"
    elif lease.engine != row.engine:
        yield f"{what} was begun by {row.engine}, and lease {row.fence} was that of {lease.engine}"
    elif row.created_at < lease.taken_at:
        yield f"{what} was begun {lease.taken_at - row.created_at} before its lease was taken"
    if following is not None and row.created_at >= following.taken_at:
        late = row.created_at - following.taken_at
        yield f"{what} was begun {late} after {following.engine} had taken lease {following.fence}"
