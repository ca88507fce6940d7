"""What the fault tests of strategies have in common."""

from dataclasses import replace

from ledger.models import Order
from ledger.selectors import imbalances
from ledger.services.reconciliation import compare_with_venue
from strategies.models import Attribution, Execution, Opportunity
from strategies.services.ticks import run_tick


def is_exact(accounts):
    """Return whether the books balance and say what the venues say."""
    return imbalances() == {} and not any(
        compare_with_venue(account_id=account.pk) for account in accounts
    )


def tick(strategy, **more):
    """Run one tick, which must not fail; return what it executed, if anything."""
    report = run_tick(strategy_id=strategy.pk, is_spacing_kept=False, **more)
    assert report.error == ""
    return Execution.objects.get(pk=report.execution_ids[0]) if report.execution_ids else None


def change_rules(setup, venue, **changes):
    """Change the rules of a venue's markets between the decision and the gate."""
    for key, rules in setup.rules.items():
        if key.venue == venue:
            setup.rules[key] = replace(rules, **changes)


def attribution_of(execution):
    """Return why an execution made what it made."""
    return Attribution.objects.get(execution=execution)


def is_denied(venues, reason):
    """Return whether the only opportunity was denied for ``reason``, and nothing left the house."""
    return (
        [row.reason for row in Opportunity.objects.all()] == [reason]
        and not Order.objects.exists()
        and not any(venue.requests for venue in venues.by_code.values())
    )
