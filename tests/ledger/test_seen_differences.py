"""Whoever decides about a discrepancy decides about the figures that they have read."""

from decimal import Decimal as D

import pytest

from arbplatform.core.errors import ChangedMeanwhile
from ledger.models import Discrepancy, Entry
from ledger.services.openings import ensure_opened
from ledger.services.reconciler import reconcile_account
from markets.domain.funds import Wallet
from tests.dialogs import path_of, sent_by

BUTTONS = ["book_one", "acknowledge_one"]
ALL = "/api/reconciliation/discrepancies"


@pytest.fixture
def lose(account, venue):
    """Let so much disappear at the venue, and be noticed."""
    ensure_opened(account_id=account.pk)

    def run(amount):
        venue.balances[Wallet.SPOT]["USDT"] -= D(amount)
        reconcile_account(account_id=account.pk)
        return Discrepancy.objects.get()

    return run


def is_undecided():
    row = Discrepancy.objects.get()
    return row.acknowledged_at is None and not Entry.objects.filter(kind="external").exists()


@pytest.mark.parametrize("button", BUTTONS)
def test_a_larger_loss_is_not_waved_through_with_the_small_one_that_was_shown(
    console, lose, button
):
    path = path_of(lose("0.01"), button)
    page = console.get(path).content.decode()
    assert "-0.01 USDT" in page
    lose(1_000)

    answer = console.post(path, sent_by(page)).content.decode()

    assert f"(error {ChangedMeanwhile.code})" in answer
    assert "-1000.01 USDT" in answer
    assert is_undecided()
    console.post(path, sent_by(console.get(path).content.decode()))
    assert not is_undecided()


@pytest.mark.parametrize("button", BUTTONS)
def test_what_has_shown_nothing_decides_nothing(console, lose, button):
    console.post(path_of(lose("0.01"), button), {"_form_submitted": "True"})

    assert is_undecided()


def test_trading_that_leaves_the_difference_as_it_is_disturbs_no_decision(console, lose):
    row = lose("0.01")
    page = console.get(path_of(row, "acknowledge_one")).content.decode()
    Discrepancy.objects.update(booked=row.booked + 5, stated=row.stated + 5)

    console.post(path_of(row, "acknowledge_one"), sent_by(page))

    assert not is_undecided()


@pytest.mark.parametrize("action", ["book", "acknowledge"])
def test_a_program_that_says_what_it_read_decides_about_nothing_else(staff_api, lose, action):
    address = f"{ALL}/{lose('0.01').pk}"
    seen = staff_api.get(address)["ETag"]
    lose(1_000)

    def decide(version):
        return staff_api.post(
            f"{address}/{action}", {"note": "a bet"}, headers={"If-Match": version}
        )

    answer = decide(seen)
    assert (answer.status_code, answer.json()["code"]) == (412, ChangedMeanwhile.code)
    assert is_undecided()
    assert decide(staff_api.get(address)["ETag"]).status_code == 200
    assert not is_undecided()
