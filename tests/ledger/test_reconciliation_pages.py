"""Discrepancies in the console: what they are, and three buttons that act by POST only."""

from decimal import Decimal as D

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import translation

from ledger.models import AccountReconciliation, Discrepancy, Entry, ReconciliationRun
from ledger.selectors import wallet_balances
from ledger.services.openings import ensure_opened
from ledger.services.reconciler import reconcile_account
from markets.domain.funds import Wallet
from markets.errors import VenueUnavailable
from tests.dialogs import path_of, sent_by

PAGES = ["discrepancy", "accountreconciliation", "reconciliationrun"]


@pytest.fixture
def gap(account, venue):
    ensure_opened(account_id=account.pk)
    venue.balances[Wallet.SPOT]["USDT"] -= D("0.01")
    reconcile_account(account_id=account.pk)
    return Discrepancy.objects.get()


def press(client, button, row):
    address = path_of(row, button)
    typed = {"_form_submitted": "True"} | sent_by(client.get(address).content.decode())
    return client.post(address, typed, follow=True)


def texts(response):
    return [str(message) for message in response.context["messages"]]


@pytest.mark.usefixtures("gap")
@pytest.mark.parametrize("page", PAGES)
def test_every_list_and_every_row_opens_read_only(console, page):
    row = apps.get_model("ledger", page).objects.get()

    assert console.get(reverse(f"admin:ledger_{page}_changelist")).status_code == 200
    answer = console.get(reverse(f"admin:ledger_{page}_change", args=[row.pk]))
    assert answer.status_code == 200
    assert 'name="_save"' not in answer.content.decode()


def test_a_discrepancy_says_the_four_things(console, gap):
    page = console.get(reverse("admin:ledger_discrepancy_change", args=[gap.pk]))

    html = page.content.decode()
    for text in ("99999.99", "100000", "Strategies count on a balance", "looked at again"):
        assert text in html
    assert "If you know what moved" in html


def test_looking_again_compares_the_account(console, gap, venue):
    venue.balances[Wallet.SPOT]["USDT"] += D("0.01")

    answer = press(console, "look_again_one", gap)

    assert texts(answer) == [f"{gap}: Compared: 0 booked, 0 unsolved."]
    assert Discrepancy.objects.get().state == "closed"


def test_a_venue_that_does_not_answer_is_said_to(console, gap, venue):
    venue.failures["fetch_open_orders"] = [VenueUnavailable(venue="alpha", cause="timeout")]

    (text,) = texts(press(console, "compare_one", AccountReconciliation.objects.get()))

    assert "did not tell everything" in text
    assert ReconciliationRun.objects.latest("pk").outcome == "failed"


AWAY = {"en": "alpha cannot be reached: timeout.", "zh-hans": "无法连接交易所 alpha：timeout。"}


@pytest.mark.parametrize("language", list(AWAY))
def test_why_a_comparison_failed_is_told_in_the_readers_language(console, gap, venue, language):
    venue.failures["fetch_open_orders"] = [VenueUnavailable(venue="alpha", cause="timeout")]
    asked = {"headers": {"Accept-Language": language}}

    row = AccountReconciliation.objects.get()
    address = reverse("admin:ledger_accountreconciliation_compare_one", args=[row.pk])
    said = console.post(address, {"_form_submitted": "True"}, follow=True, **asked)

    run = ReconciliationRun.objects.latest("pk")
    page = console.get(reverse("admin:ledger_reconciliationrun_change", args=[run.pk]), **asked)
    listed = console.get(reverse("admin:ledger_reconciliationrun_changelist"), **asked)
    told = console.get("/api/reconciliation/runs?outcome=failed", **asked).json()["data"]
    for text in (
        *texts(said),
        page.content.decode(),
        listed.content.decode(),
        told["results"][0]["error"],
    ):
        assert AWAY[language] in text
        assert "{venue}" not in text


def test_an_error_that_was_kept_as_text_is_shown_as_it_was(console, gap):
    old = "what {it} was: 100 %"
    ReconciliationRun.objects.update(error=old, outcome="failed")

    page = console.get(reverse("admin:ledger_reconciliationrun_changelist")).content.decode()
    told = console.get("/api/reconciliation/runs").json()["data"]["results"]

    assert old in page
    assert told[0]["error"] == old


def test_a_secret_in_an_error_is_kept_nowhere(gap, venue, account):
    said = '{"api_secret": "5up3r5ecret"}'
    venue.failures["fetch_open_orders"] = [VenueUnavailable(venue="alpha", cause=said)]

    run = reconcile_account(account_id=account.pk)

    assert "5up3r5ecret" not in run.error
    assert "***" in str(run.to_error())


def test_a_person_books_the_difference_as_moved_outside(console, gap, account):
    answer = press(console, "book_one", gap)

    entry = Entry.objects.get(kind="external")
    assert texts(answer) == [f"{gap}: Booked as {entry.key}."]
    assert wallet_balances(account.pk)["USDT"] == D("99999.99")
    assert "it has ended" in press(console, "book_one", gap).content.decode()


def test_a_person_acknowledges(console, gap, superuser):
    press(console, "acknowledge_one", gap)

    row = Discrepancy.objects.get()
    assert (row.state, row.acknowledged_by) == ("explained", superuser)
    assert Entry.objects.count() == 1


@pytest.mark.parametrize("button", ["book_one", "acknowledge_one", "look_again_one"])
def test_a_link_alone_changes_nothing(console, gap, venue, button):
    calls = len(venue.calls)

    console.get(reverse(f"admin:ledger_discrepancy_{button}", args=[gap.pk]))

    assert (Discrepancy.objects.get().state, Entry.objects.count()) == ("open", 1)
    assert len(venue.calls) == calls


def test_who_may_only_look_cannot_decide(gap):
    person = get_user_model().objects.create_user("viewer", password="x", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_discrepancy"))
    client = Client()
    client.force_login(person)

    assert press(client, "book_one", gap).status_code == 403
    assert Entry.objects.count() == 1


def test_the_overview_counts_them(console, gap, user_api):
    assert "1 discrepancy with the venues" in console.get("/admin/").content.decode()
    assert user_api.get("/api/overview").json()["data"]["discrepancies"] == 1


def test_all_that_is_kept_of_an_accounts_comparisons_says_what_it_is():
    columns = AccountReconciliation._meta.concrete_fields
    figures = [field for field in columns if field.name not in {"id", "account"}]

    texts = {str(field.help_text) for field in figures}
    assert len(texts - {""}) == len(figures)
    with translation.override("zh-hans"):
        assert not texts & {str(field.help_text) for field in figures}
