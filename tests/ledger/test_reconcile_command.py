"""``manage.py reconcile`` says what differs and ends with an error if anything does."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from ledger.services.openings import ensure_opened
from markets.domain.funds import Wallet


def test_equal_accounts_are_said_to_be(account):
    ensure_opened(account_id=account.pk)
    out = StringIO()

    call_command("reconcile", stdout=out)

    assert out.getvalue() == "alpha/main: clean, 0 booked.\n"


def test_a_difference_is_named_and_ends_with_an_error(account, venue):
    ensure_opened(account_id=account.pk)
    venue.balances[Wallet.SPOT]["USDT"] -= 1
    out = StringIO()

    with pytest.raises(CommandError, match="1 of 1 accounts are not equal"):
        call_command("reconcile", str(account.pk), stdout=out)

    assert "open: " in out.getvalue()
    assert "99999" in out.getvalue()


def test_unopened_books_are_said_to_be(account):
    with pytest.raises(CommandError):
        call_command("reconcile", str(account.pk))
