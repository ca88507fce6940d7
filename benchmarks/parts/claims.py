"""What ``recorded_worker`` wrote down of every batch and tick that it claimed.

A row: when it began and ended [s since epoch], when it was due [ms], whose ticks it was (``ids``).
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

Claim = dict[str, Any]


def read_claims(path: Path) -> list[Claim]:
    """Return what was written down so far; a line that is still being written is left out."""
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def count_overlaps(claims: Sequence[Claim]) -> int:
    """Return how many ticks began before the last one of the same strategy had ended."""
    by_strategy: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for claim in claims:
        for strategy_id in claim["ids"]:
            by_strategy[strategy_id].append((claim["began"], claim["ended"]))
    overlaps = 0
    for spans in by_strategy.values():
        spans.sort()
        for (_, ended), (began, _) in pairwise(spans):
            overlaps += began < ended
    return overlaps
