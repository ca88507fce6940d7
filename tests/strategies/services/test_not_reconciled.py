"""After a start nothing trades before its accounts were found equal to their venues."""

import pytest

from ledger.models import Order
from ledger.services.readiness import READINESS
from ledger.services.reconciler import reconcile_account
from strategies.models import Decision, Opportunity, Reason
from strategies.services.ticks import TickOutcome, run_tick

pytestmark = pytest.mark.django_db


@pytest.fixture
def fresh_worker(cross):
    """This process has just started as a worker."""
    READINESS.begin()
    yield
    READINESS.reset()


@pytest.mark.usefixtures("edge", "fresh_worker")
def test_the_first_tick_of_a_worker_waits_for_a_clean_comparison(cross):
    report = run_tick(strategy_id=cross.pk, is_spacing_kept=False)

    assert report.outcome is TickOutcome.LEFT
    opportunity = Opportunity.objects.first()
    assert opportunity is not None
    assert (opportunity.decision, opportunity.reason) == (Decision.DENIED, Reason.NOT_RECONCILED)
    assert not Order.objects.exists()

    for account in cross.accounts.all():
        assert reconcile_account(account_id=account.pk).outcome == "clean"
    again = run_tick(strategy_id=cross.pk, is_spacing_kept=False)

    assert again.outcome is TickOutcome.EXECUTED


@pytest.mark.usefixtures("edge")
def test_a_strategy_that_has_just_opened_its_books_trades_at_once(cross):
    READINESS.reset()

    assert run_tick(strategy_id=cross.pk, is_spacing_kept=False).outcome is TickOutcome.EXECUTED
