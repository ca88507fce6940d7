"""``manage.py reconcile`` says what differs and ends with an error if anything does."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import translation

from ledger.services.openings import ensure_opened
from markets.domain.funds import Wallet
from markets.errors import VenueUnavailable


def test_equal_accounts_are_said_to_be(account):
    ensure_opened(account_id=account.pk)
    out = StringIO()

    call_command("reconcile", stdout=out)

    assert out.getvalue() == "alpha/main: equal, booked: 0.\n"


def test_a_difference_is_named_and_ends_with_an_error(account, venue):
    ensure_opened(account_id=account.pk)
    venue.balances[Wallet.SPOT]["USDT"] -= 1
    out = StringIO()

    with pytest.raises(CommandError, match=r"^Accounts that are not equal: 1 of 1\.$"):
        call_command("reconcile", str(account.pk), stdout=out)

    assert " watched: " in out.getvalue()
    assert "100000 USDT; the venue states 99999, a difference of -1. " in out.getvalue()


def test_unopened_books_are_said_to_be(account):
    with pytest.raises(CommandError):
        call_command("reconcile", str(account.pk))


@pytest.mark.usefixtures("chinese_terminal")
def test_what_is_said_is_in_one_language(account):
    ensure_opened(account_id=account.pk)
    out = StringIO()

    call_command("reconcile", stdout=out)

    assert out.getvalue() == "alpha/main：一致，已入账 0 项。\n"


@pytest.mark.usefixtures("chinese_terminal")
def test_why_a_comparison_failed_is_said_in_the_same_language(account, venue):
    ensure_opened(account_id=account.pk)
    venue.failures["fetch_open_orders"] = [VenueUnavailable(venue="alpha", cause="timeout")]
    out = StringIO()

    with pytest.raises(CommandError):
        call_command("reconcile", stdout=out)

    assert "无法连接交易所 alpha：timeout。" in out.getvalue()


def test_an_english_terminal_is_answered_in_english_where_browsers_are_shown_chinese(account):
    ensure_opened(account_id=account.pk)
    out = StringIO()

    with translation.override("zh-hans"):
        call_command("reconcile", stdout=out)

    assert out.getvalue() == "alpha/main: equal, booked: 0.\n"
