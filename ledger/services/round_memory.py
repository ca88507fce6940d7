"""What a round of reconciliation leaves to the next ones about the same account."""

from collections.abc import Mapping
from typing import Any, TypeVar

from ledger.domain.denials import Denial
from ledger.models import AccountReconciliation
from ledger.selectors.traded import Activity
from ledger.services.venue_reads import Round

STRANGERS_MAX = 1_000
"""Orders that are not in the journal that are kept for one account."""

DENIALS_MAX = 1_000
"""Orders of which its venue denies what it lists that are kept for one account."""

KeptT = TypeVar("KeptT")


def recall(row: AccountReconciliation) -> dict[str, Any]:
    """Return what a ``Round`` knows from those before it, by attribute."""
    return {
        "known_strangers": row.strangers,
        "known_denials": {name: Denial.from_json(figures) for name, figures in row.denials.items()},
        "activity": Activity.from_json(row.activity),
    }


def remember(round_: Round, row: AccountReconciliation, *, is_clean: bool) -> None:
    """Let a row, which the caller saves, keep what later rounds need of this one.

    Args:
        round_: that ends.
        row: of its account.
        is_clean: whether everything was told and equal.
    """
    row.strangers = _strangers_to_keep(round_, is_clean=is_clean)
    row.denials = _denials_to_keep(round_, is_clean=is_clean)
    if round_.activity is not None:
        row.activity = round_.activity.touching(round_.touched).to_json()


def _strangers_to_keep(round_: Round, *, is_clean: bool) -> dict[str, str]:
    """Return what no later round asks for: once all is equal, only what is listed still."""
    kept = _listed_last({} if is_clean else round_.known_strangers, round_.strangers)
    return dict(list(kept.items())[-STRANGERS_MAX:])


def _denials_to_keep(round_: Round, *, is_clean: bool) -> dict[str, list[int | str]]:
    """Return what later rounds ask for less often: likewise, and none that was found."""
    kept = _listed_last({} if is_clean else round_.known_denials, round_.denials)
    left = [(name, one) for name, one in kept.items() if name not in round_.strangers]
    return {name: one.to_json() for name, one in left[-DENIALS_MAX:]}


def _listed_last(known: Mapping[str, KeptT], listed: Mapping[str, KeptT]) -> dict[str, KeptT]:
    """Return both together so that what was not listed in this round goes first."""
    return {name: one for name, one in known.items() if name not in listed} | dict(listed)
