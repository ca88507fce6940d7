"""Reconciliation over HTTP: everybody who is logged in may look, staff may decide."""

import pytest

from arbplatform.core.errors import IllegalTransition
from ledger.errors import DiscrepancyNotFound
from ledger.models import Discrepancy, Entry, ReconciliationRun
from ledger.services.openings import ensure_opened
from ledger.services.reconciler import reconcile_account
from markets.domain.funds import Wallet

LIST = "/api/reconciliation"
ALL = f"{LIST}/discrepancies"


@pytest.fixture
def gap(account, venue):
    ensure_opened(account_id=account.pk)
    venue.balances[Wallet.SPOT]["USDT"] -= 1
    reconcile_account(account_id=account.pk)
    return Discrepancy.objects.get()


def test_the_standing_of_each_account_is_listed(gap, account, user_api, data):
    (row,) = data(user_api.get(LIST))["results"]

    assert (row["account_id"], row["venue"], row["unsolved"]) == (account.pk, "alpha", 1)
    # the opening made them equal
    assert row["last_clean_at"] < row["last_run_at"]


def test_a_discrepancy_says_what_happened_and_what_to_do(gap, user_api, data):
    row = data(user_api.get(f"{ALL}/{gap.pk}"))

    assert (row["kind"], row["state"], row["asset"]) == ("balance", "open", "USDT")
    assert (row["booked"], row["stated"]) == ("100000", "99999")
    assert all(row[name] for name in ("what", "risk", "action", "choice"))


def test_discrepancies_can_be_narrowed(gap, account, user_api, data):
    def ids(query):
        return [row["id"] for row in data(user_api.get(f"{ALL}?{query}"))["results"]]

    assert ids(f"account={account.pk}&state=open&state=alarmed&kind=balance") == [gap.pk]
    assert ids("state=booked") == []
    assert data(user_api.get(f"{LIST}/runs?outcome=different"))["count"] == 1


def test_staff_may_compare_book_and_acknowledge(gap, account, staff_api, data):
    run = data(staff_api.post(f"{LIST}/accounts/{account.pk}/compare"))
    assert (run["outcome"], run["unsolved_count"]) == ("different", 1)

    known = data(staff_api.post(f"{ALL}/{gap.pk}/acknowledge", {"note": "mine"}))
    assert (known["state"], known["acknowledged_by"], known["note"]) == (
        "explained",
        "operator",
        "mine",
    )

    booked = data(staff_api.post(f"{ALL}/{gap.pk}/book", {"note": "a bet"}))
    assert (booked["state"], booked["entry_id"]) == ("booked", Entry.objects.latest("pk").pk)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "The discrepancy {} is booked: there is nothing to acknowledge any more."),
        ("zh-hans", "差异 {} 的状态为已入账：已没有需要确认的内容。"),
    ],
)
def test_what_has_ended_cannot_be_acknowledged(gap, staff_api, refusal, language, told):
    staff_api.post(f"{ALL}/{gap.pk}/book", {"note": "a bet"})

    answer = staff_api.post(
        f"{ALL}/{gap.pk}/acknowledge", {"note": "mine"}, headers={"Accept-Language": language}
    )

    assert refusal(answer) == (409, IllegalTransition.code, [])
    assert answer.json()["msg"] == told.format(gap.pk)
    assert Discrepancy.objects.get().note == "a bet"


@pytest.mark.parametrize("action", ["book", "acknowledge"])
def test_readers_may_not_decide(gap, user_api, refusal, action):
    status, _code, _fields = refusal(user_api.post(f"{ALL}/{gap.pk}/{action}", {"note": "x"}))

    assert status == 403
    assert Discrepancy.objects.get().state == "open"
    assert Entry.objects.count() == 1


def test_readers_may_not_have_a_venue_asked(gap, account, user_api, refusal):
    assert refusal(user_api.post(f"{LIST}/accounts/{account.pk}/compare"))[0] == 403
    assert ReconciliationRun.objects.count() == 1


def test_without_a_note_nothing_is_decided(gap, staff_api, refusal):
    assert refusal(staff_api.post(f"{ALL}/{gap.pk}/book", {}))[2] == ["note"]
    assert Entry.objects.count() == 1


@pytest.mark.django_db
def test_a_discrepancy_that_is_not_there(staff_api, refusal):
    assert refusal(staff_api.get(f"{ALL}/7"))[:2] == (404, DiscrepancyNotFound.code)
