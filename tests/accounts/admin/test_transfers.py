"""The pages of transfers."""

import re
from decimal import Decimal as D

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.domain.transfers import TransferState
from accounts.models import Transfer, VenueAccount
from accounts.services.transfers import submit_transfer
from markets.errors import OutcomeUnknown
from tests.accounts.admin.pages import ACCOUNTS, CONFIRMED, TRANSFERS, said, text

UNKNOWN = {
    "en": "Whether alpha carried out the request is not known: lost.",
    "zh-hans": "尚不确定 alpha 是否执行了请求：lost。",
}


@pytest.mark.parametrize("language", list(UNKNOWN))
def test_what_went_wrong_is_told_in_the_readers_language(console, ask, alpha, now, language):
    alpha[1].failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause="lost")]
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)

    asked = {"headers": {"Accept-Language": language}}
    page = text(console.get(f"{TRANSFERS}{transfer.pk}/change/", **asked))
    shown = console.get(f"/api/transfers/{transfer.pk}", **asked).json()["data"]

    assert UNKNOWN[language] in page
    assert UNKNOWN[language] in shown["error"]


def test_only_a_transfer_that_is_late_is_said_to_be(console, ask, now):
    transfer = ask()
    late = "It has been under way for longer than it should."

    assert late not in text(console.get(f"{TRANSFERS}{transfer.pk}/change/"))

    Transfer.objects.update(alarmed_at=now.now())
    assert late in text(console.get(f"{TRANSFERS}{transfer.pk}/change/"))


def test_an_error_that_was_kept_as_text_is_shown_as_it_was(console, ask):
    old = "what {it} was: 100 %"
    transfer = ask()
    Transfer.objects.update(error=old, error_code=3010)

    assert old in text(console.get(f"{TRANSFERS}{transfer.pk}/change/"))
    shown = console.get(f"/api/transfers/{transfer.pk}").json()["data"]
    assert shown["error"] == old


def test_a_secret_in_an_error_is_kept_nowhere(ask, alpha, now):
    said = '{"api_secret": "5up3r5ecret"}'
    alpha[1].failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause=said)]

    transfer = submit_transfer(transfer_id=ask().pk, clock=now)

    assert "5up3r5ecret" not in transfer.error
    assert "***" in str(transfer.to_error())


@pytest.fixture
def transfer_form(alpha, beta, assets):
    """A request for 0.5 BTC from alpha to beta."""
    return {
        "from_account": alpha[0].pk,
        "from_wallet": "spot",
        "to_account": beta[0].pk,
        "to_wallet": "spot",
        "asset": assets["BTC"].pk,
        "amount": "0.5",
        "network": "",
        "accepted_fee": "0.0001",
        "request_key": "key-1",
    }


def test_a_transfer_is_requested(console, transfer_form, alpha, superuser):
    answer = console.post(f"{TRANSFERS}add/", transfer_form)

    transfer = Transfer.objects.get()
    assert answer["Location"] == f"{TRANSFERS}{transfer.pk}/change/"
    assert (transfer.amount, transfer.state, transfer.requested_by) == (
        D("0.5"),
        "requested",
        superuser,
    )
    assert (transfer.to_account.venue.code, transfer.idempotency_key) == ("beta", "key-1")
    assert said(answer) == [("success", f"{transfer} is requested.")]
    assert LogEntry.objects.filter(object_id=transfer.pk).count() == 1
    assert alpha[1].count("withdraw") == 0


def test_the_button_says_that_funds_will_move(console, assets):
    page = text(console.get(f"{TRANSFERS}add/"))

    assert "Request the transfer" in page
    assert "Save and add another" not in page


def test_a_transfer_between_wallets_is_requested(console, transfer_form, alpha):
    console.post(f"{TRANSFERS}add/", transfer_form | {"to_account": "", "to_wallet": "funding"})

    assert Transfer.objects.get().is_internal


def test_the_fee_is_stated_before_it_is_accepted(console, transfer_form, is_unsent):
    page = text(console.post(f"{TRANSFERS}add/", transfer_form | {"accepted_fee": ""}))

    assert "The network BTC costs 0.0001 BTC now: of 0.5, 0.4999 would arrive." in page
    assert (Transfer.objects.count(), is_unsent()) == (0, True)


def test_a_second_click_asks_for_the_same_transfer(console, transfer_form):
    first = console.post(f"{TRANSFERS}add/", transfer_form)
    second = console.post(f"{TRANSFERS}add/", transfer_form)

    assert first["Location"] == second["Location"]
    assert Transfer.objects.count() == 1


def test_two_forms_are_two_requests(console, assets):
    pages = [text(console.get(f"{TRANSFERS}add/")) for _ in range(2)]
    keys = {page.split('name="request_key" value="')[1].split('"')[0] for page in pages}

    assert len(keys) == 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"amount": "3"}, "alpha/main has 2 BTC free in its spot wallet"),
        ({"amount": "-1"}, "Give a number above zero."),
        ({"amount": "much"}, "Enter a number."),
        ({"to_account": ""}, "source and destination are the same wallet"),
        ({"to_wallet": "funding"}, "from spot wallet to spot wallet"),
        ({"asset": ""}, "This field is required."),
    ],
)
def test_a_refused_request_shows_the_form_again_and_why(console, transfer_form, change, complaint):
    page = text(console.post(f"{TRANSFERS}add/", transfer_form | change))

    assert complaint in page
    assert 'value="key-1"' in page
    assert not Transfer.objects.exists()


def test_venues_are_asked_outside_of_any_transaction(
    outside_transactions, console, transfer_form, alpha, beta
):
    alpha[1].on_call = beta[1].on_call = outside_transactions

    console.post(f"{TRANSFERS}add/", transfer_form)

    assert Transfer.objects.count() == 1


def test_a_transfer_is_looked_up(console, ask, alpha, now):
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    alpha[1].depart("tx-7")
    path = reverse("admin:accounts_transfer_poll_one", args=(transfer.pk,))

    answer = console.post(path, CONFIRMED)

    assert said(answer) == [("success", f"{transfer}: The transfer is in transit.")]
    assert Transfer.objects.get().tx_id == "tx-7"
    answer = console.post(TRANSFERS, {"action": "poll_selected", "_selected_action": [transfer.pk]})
    assert [level for level, _text in said(answer)] == ["success", "success"]
    assert alpha[1].count("withdraw") == 1
    assert path in console.get(TRANSFERS).content.decode()
    Transfer.objects.update(state=TransferState.ARRIVED)
    assert path not in console.get(TRANSFERS).content.decode()


def test_no_fee_of_a_transfer_is_shown_with_all_its_zeros(console, ask):
    transfer = ask()
    Transfer.objects.update(fee_stated=D("0.25"), fee_max=D("0.75"))

    page = text(console.get(f"{TRANSFERS}{transfer.pk}/change/"))

    assert re.findall(r"(?<![\d.])0\.[27]5(\d*)", page) == ["", ""]


@pytest.mark.parametrize(("address", "shown"), [("", ""), ("0xbeta", " → 0xbeta")])
def test_who_approves_a_transfer_sees_it_in_the_dialog(console, ask, address, shown):
    transfer = ask()
    Transfer.objects.update(state=TransferState.UNAPPROVED, address=address)
    path = reverse("admin:accounts_transfer_approve_one", args=(transfer.pk,))

    dialog = console.get(path, HTTP_HX_REQUEST="true").content.decode()

    assert f">{transfer}: 0.5 {transfer.asset.code}{shown}</p>" in dialog


def test_nothing_of_a_transfer_can_be_typed_in(console, ask, transfer_form):
    transfer = ask()

    console.post(f"{TRANSFERS}{transfer.pk}/change/", transfer_form | {"amount": "1"})
    console.post(f"{TRANSFERS}{transfer.pk}/delete/", {"post": "yes"})

    stored = Transfer.objects.get()
    assert (stored.amount, stored.state) == (D("0.5"), "requested")


def test_who_may_only_look_can_change_nothing(staff, alpha, transfer_form):
    staff.user_permissions.set(
        Permission.objects.filter(codename__startswith="view_", content_type__app_label="accounts")
    )
    client = Client()
    client.force_login(staff)

    assert client.get(ACCOUNTS).status_code == 200
    assert client.post(f"{TRANSFERS}add/", transfer_form).status_code == 403
    client.post(ACCOUNTS, {"action": "test_selected", "_selected_action": [alpha[0].pk]})
    client.post(reverse("admin:accounts_venueaccount_test_one", args=(alpha[0].pk,)), CONFIRMED)
    client.post(f"{ACCOUNTS}{alpha[0].pk}/delete/", {"post": "yes"})
    assert (alpha[1].calls, Transfer.objects.count(), VenueAccount.objects.count()) == ([], 0, 2)


@pytest.fixture
def lost(ask, alpha, now):
    """A transfer whose reply was lost."""
    alpha[1].failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
    return submit_transfer(transfer_id=ask().pk, clock=now)


def test_a_transfer_is_settled_by_hand_with_a_reason(console, lost, superuser):
    path = reverse("admin:accounts_transfer_settle_one", args=(lost.pk,))
    typed = CONFIRMED | {"outcome": "arrived", "arrived_amount": "0.4", "reason": "seen there"}

    assert console.get(path).status_code == 200
    assert Transfer.objects.get().state == "unknown"
    assert console.post(path, typed).status_code == 302

    stored = Transfer.objects.get()
    assert (stored.state, stored.arrived_amount) == ("arrived", D("0.4"))
    assert stored.note == "root: seen there"
    assert LogEntry.objects.filter(user=superuser, change_message="seen there").count() == 1


def test_without_a_reason_nothing_is_settled(console, lost):
    path = reverse("admin:accounts_transfer_settle_one", args=(lost.pk,))

    answer = console.post(path, CONFIRMED | {"outcome": "failed", "reason": ""})

    assert answer.status_code == 200
    assert Transfer.objects.get().state == "unknown"


def test_a_refused_settlement_comes_back_as_typed_with_the_reason(console, lost):
    path = reverse("admin:accounts_transfer_settle_one", args=(lost.pk,))
    typed = {"outcome": "arrived", "arrived_amount": "0.6", "reason": "seen there"}

    page = text(console.post(path, CONFIRMED | typed))

    assert 'name="arrived_amount" value="0.6"' in page
    assert 'value="arrived" selected' in page
    assert "seen there</textarea>" in page
    assert "Give a number above zero that is not more than what was sent." in page
    assert Transfer.objects.get().state == "unknown"


ENDED = {
    "settle_one": {
        "en": "is arrived: only one that was sent and has not ended can be settled.",
        "zh-hans": "的状态为已到账：只有已发送且尚未结束的划转才能结案。",
    },
    "cancel_one": {
        "en": "is arrived: only one that was not sent yet can be cancelled.",
        "zh-hans": "的状态为 已到账：只有尚未发送的划转可以取消。",
    },
    "approve_one": {
        "en": "is arrived: it does not wait for approval.",
        "zh-hans": "的状态为 已到账：它不在等待批准。",
    },
}
ENDED["confirm_one"] = ENDED["settle_one"]


@pytest.fixture
def arrived(ask_inside, superuser, now):
    """A transfer that has ended."""
    return submit_transfer(transfer_id=ask_inside(user=superuser).pk, clock=now)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("button", list(ENDED))
def test_what_ended_while_a_dialog_was_open_is_refused_with_the_reason(
    second, arrived, button, language
):
    path = reverse(f"admin:accounts_transfer_{button}", args=(arrived.pk,))
    typed = CONFIRMED | {"outcome": "failed", "reason": "seen"}

    answer = second.post(path, typed, headers={"Accept-Language": language})

    told = [answer.content.decode(), *(words for _level, words in said(answer))]
    assert any(ENDED[button][language] in words for words in told)
    assert path not in text(second.get(f"{TRANSFERS}{arrived.pk}/change/"))
    assert Transfer.objects.get().state == "arrived"


def test_who_may_only_look_ends_no_transfer(staff, lost):
    staff.user_permissions.set(
        Permission.objects.filter(codename__startswith="view_", content_type__app_label="accounts")
    )
    client = Client()
    client.force_login(staff)
    typed = CONFIRMED | {"outcome": "failed", "reason": "seen"}

    for button in ENDED:
        path = reverse(f"admin:accounts_transfer_{button}", args=(lost.pk,))
        assert client.post(path, typed).status_code == 403
    assert Transfer.objects.get().state == "unknown"
