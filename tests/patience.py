"""Limits that a busy machine must not make a test exceed that is not about them.

Fixtures of every test lengthen them (``tests/conftest.py``). A child process of a test that trades
calls ``lengthen_limits`` itself, once Django is set up.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from ledger.domain.orders import DECIDED_MS_MAX, SEND_DEADLINE_MS
from ledger.services import flights, journal, sending
from strategies.services import deciding, leases, risk

PATIENCE_MS = 60_000
"""How long an order may take to leave, and a decision to be made, where a test is not about it."""

PATIENT_BOOKS = {"book_age_ms_max": PATIENCE_MS, "book_skew_ms_max": PATIENCE_MS}
"""Parameters of strategies to which no book is too old, and none too long after another."""


def lengthen_limits(patch: pytest.MonkeyPatch) -> None:
    """Lengthen every limit of this module in this process, until ``patch`` is undone."""
    set_send_deadline(patch, PATIENCE_MS)
    set_claim_deadline(patch, PATIENCE_MS)
    lengthen_decisions(patch)


def set_send_deadline(patch: pytest.MonkeyPatch, deadline_ms: int = SEND_DEADLINE_MS) -> None:
    """Let an order leave until so long after its claim [ms]; the product's own if not said."""
    for module in (flights, sending):
        patch.setattr(module, "SEND_DEADLINE_MS", deadline_ms)


def set_claim_deadline(patch: pytest.MonkeyPatch, deadline_ms: int = DECIDED_MS_MAX) -> None:
    """Let an order be claimed until so long after its decision [ms], as above."""
    patch.setattr(journal, "DECIDED_MS_MAX", deadline_ms)


def lengthen_decisions(patch: pytest.MonkeyPatch) -> None:
    """Let decisions take long, and the platform trade on books of any age.

    What a strategy takes is a parameter of it: ``PATIENT_BOOKS``.
    """
    patch.setattr(deciding, "DECISION_MS_MAX", PATIENCE_MS)
    limits = replace(risk.DEFAULTS, book_age_ms_max=PATIENCE_MS, book_skew_ms_max=PATIENCE_MS)
    patch.setattr(risk, "DEFAULTS", limits)


def lengthen_leases(patch: pytest.MonkeyPatch) -> None:
    """Let the lease of an engine hold for a minute: it lapses for no pause of a busy machine."""
    patch.setattr(leases, "LEASE", timedelta(milliseconds=PATIENCE_MS))
    hold_ms = PATIENCE_MS - 5_000
    patch.setattr(leases, "HOLD_MS", hold_ms)
    patch.setattr("strategies.engine.keeper.HOLD_MS", hold_ms)
