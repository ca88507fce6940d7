"""Whether everything works again by itself once nothing goes wrong any more."""

from collections.abc import Iterator

from tests.chaos.evidence import Evidence


def parts_work(evidence: Evidence) -> Iterator[str]:
    """Every part of the platform says that it works, engines and scanner included."""
    for name, trouble in evidence.parts.items():
        if trouble:
            yield f"{name}: {trouble}"


def feeds_are_healthy(evidence: Evidence) -> Iterator[str]:
    """Every book that an engine follows is current again."""
    for name, trouble in evidence.feeds.items():
        if trouble:
            yield f"{name}: {trouble}"
