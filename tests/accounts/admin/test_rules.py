"""The pages of the address book and of networks."""

from decimal import Decimal as D

import pytest
from django.contrib.admin import site
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from accounts.admin.asking import AskingAdmin
from accounts.domain.limits import TransferLimits
from accounts.models import AddressEntry, RuleChange, TransferLimit, VenueNetwork
from accounts.services.limits import save_limits
from arbplatform.core.errors import Message
from tests.accounts.admin.pages import CONFIRMED, said, text

ADDRESSES = "/admin/accounts/addressentry/"
NETWORKS = "/admin/accounts/venuenetwork/"


def test_a_page_that_does_not_say_what_it_asks_cannot_be_opened():
    class Unfinished(AskingAdmin):
        def describe(self, name):
            return Message("{name} is here.", {"name": name})

    with pytest.raises(TypeError, match=r"abstract method '?ask'?"):
        Unfinished(AddressEntry, site)


@pytest.fixture
def address_form(beta, assets):
    return {
        "account": beta[0].pk,
        "asset": assets["BTC"].pk,
        "network": "BTC",
        "label": "cold",
        "expected": "",
    }


def button(name, entry):
    return reverse(f"admin:accounts_addressentry_{name}", args=(entry.pk,))


def offered(console, entry, buttons):
    """Return which of the buttons the list and the page of an entry show."""
    pages = [
        console.get(path).content.decode() for path in (ADDRESSES, f"{ADDRESSES}{entry.pk}/change/")
    ]
    return {each for each in buttons if any(each in page for page in pages)}


@pytest.mark.parametrize(("tag", "shown"), [("", ""), ("4711", " · tag: 4711")])
def test_who_approves_an_address_sees_it_in_the_dialog(console, second, address_form, tag, shown):
    console.post(f"{ADDRESSES}add/", address_form)
    AddressEntry.objects.update(tag=tag)
    entry = AddressEntry.objects.get()

    dialog = second.get(button("approve_one", entry), HTTP_HX_REQUEST="true").content.decode()

    assert f">{escape(entry)}: {entry.address}{shown}</p>" in dialog


def test_an_address_takes_two_people(console, second, address_form):
    answer = console.post(f"{ADDRESSES}add/", address_form)
    entry = AddressEntry.objects.get()
    assert said(answer) == [
        ("success", f"{entry} is proposed. Another member of staff has to approve it.")
    ]

    buttons = {button("approve_one", entry), button("revoke_one", entry)}
    assert offered(console, entry, buttons) == buttons
    answer = console.post(button("approve_one", entry), CONFIRMED)
    assert said(answer)[-1][0] == "error"
    answer = second.post(button("approve_one", entry), CONFIRMED)
    assert said(answer) == [("success", f"{entry}: approved")]
    assert offered(console, entry, buttons) == {button("revoke_one", entry)}

    console.post(button("revoke_one", entry), CONFIRMED | {"reason": "moved"})
    entry.refresh_from_db()
    assert (entry.state, entry.reason, str(entry.approved_by)) == ("revoked", "moved", "second")
    page = console.get(f"{ADDRESSES}{entry.pk}/change/").content.decode()
    assert "second · approved" in page
    assert offered(console, entry, buttons) == set()


def test_an_address_that_the_venue_does_not_state_shows_the_form_again(console, address_form):
    page = console.post(f"{ADDRESSES}add/", address_form | {"expected": "elsewhere"})

    assert "The venue states another address now" in page.content.decode()
    assert 'name="label" value="cold"' in page.content.decode()
    assert 'name="expected" value="elsewhere"' in page.content.decode()
    assert not AddressEntry.objects.exists()


def test_nothing_of_an_address_can_be_typed_in_later(console, address_form):
    console.post(f"{ADDRESSES}add/", address_form)
    entry = AddressEntry.objects.get()

    console.post(f"{ADDRESSES}{entry.pk}/change/", address_form | {"label": "other"})
    console.post(f"{ADDRESSES}{entry.pk}/delete/", {"post": "yes"})

    assert AddressEntry.objects.get().label == "cold"


@pytest.fixture
def revoked(console, address_form):
    """An entry that one person has proposed and revoked."""
    console.post(f"{ADDRESSES}add/", address_form)
    entry = AddressEntry.objects.get()
    console.post(button("revoke_one", entry), CONFIRMED | {"reason": "moved"})
    return entry


@pytest.mark.parametrize(
    ("language", "again", "too_late"),
    [
        ("en", "{} is revoked already.", "{} is revoked: only one that was proposed can be"),
        ("zh-hans", "地址 {} 已撤销。", "地址 {} 的状态为已撤销：只有已提交的地址可以批准。"),
    ],
)
def test_a_refused_step_is_told_with_what_was_typed(second, revoked, language, again, too_late):
    entry, asked = revoked, {"headers": {"Accept-Language": language}}
    typed = CONFIRMED | {"reason": "typed again"}

    page = text(second.post(button("revoke_one", entry), typed, **asked))
    answer = second.post(button("approve_one", entry), CONFIRMED, **asked)

    assert "typed again</textarea>" in page
    assert again.format(entry) in page
    assert too_late.format(entry) in said(answer)[-1][1]
    entry.refresh_from_db()
    assert (entry.state, entry.reason) == ("revoked", "moved")


def test_who_may_only_look_has_no_buttons(staff, console, address_form):
    console.post(f"{ADDRESSES}add/", address_form)
    entry = AddressEntry.objects.get()
    client = Client()
    client.force_login(staff)

    for path in (button("approve_one", entry), button("revoke_one", entry), f"{ADDRESSES}add/"):
        assert client.post(path, CONFIRMED | {"reason": "r"}).status_code == 403

    assert AddressEntry.objects.get().state == "proposed"


def test_names_of_networks_are_confirmed_and_taken_back(console, alpha):
    form = {"venue": alpha[0].venue.pk, "network": "Tron", "venue_name": "TRC20"}

    console.post(f"{NETWORKS}add/", form)

    row = VenueNetwork.objects.get()
    assert (row.network, row.venue_name) == ("TRX", "TRC20")
    path = reverse("admin:accounts_venuenetwork_forget_one", args=(row.pk,))
    assert said(console.post(path, CONFIRMED))[-1] == ("success", f"{row}: taken back")
    assert not VenueNetwork.objects.exists()


def test_a_network_that_is_named_already_comes_back_as_typed(console, alpha):
    form = {"venue": alpha[0].venue.pk, "network": "Tron", "venue_name": "TRC20"}
    console.post(f"{NETWORKS}add/", form)

    page = text(console.post(f"{NETWORKS}add/", form | {"venue_name": "TRON20"}))

    assert 'name="network" value="Tron"' in page
    assert 'name="venue_name" value="TRON20"' in page
    assert "errornote" in page
    assert VenueNetwork.objects.get().venue_name == "TRC20"


@pytest.mark.parametrize("path", [ADDRESSES, NETWORKS])
def test_an_empty_list_says_what_to_do(console, path):
    page = console.get(path).content.decode()

    assert "arb-hint" in page


def test_limits_are_set_and_have_a_history(console):
    form = {"account": "", "transfer_max": "5", "account_day_max": "", "total_day_max": ""}
    console.post("/admin/accounts/transferlimit/add/", form | {"approval_above": "1"})
    row = TransferLimit.objects.get()
    answer = console.post(
        f"/admin/accounts/transferlimit/{row.pk}/change/",
        form | {"transfer_max": "-5", "approval_above": ""},
    )

    row.refresh_from_db()
    assert (row.account, row.transfer_max, row.approval_above) == (None, 5, 1)
    page = text(answer)
    assert "Give a number that is not below zero." in page
    assert 'name="transfer_max" value="-5"' in page
    assert RuleChange.objects.get().after["transfer_max"] == "5"


def test_a_transfer_is_approved_by_another_person_or_cancelled(
    console, second, superuser, people, ask
):
    save_limits(account_id=None, limits=TransferLimits(approval_above=D(1)), user=people[0])
    first, other = ask(user=superuser), ask(user=superuser, idempotency_key="key-2")

    def press(browser, name, transfer, **typed):
        path = reverse(f"admin:accounts_transfer_{name}", args=(transfer.pk,))
        answer = browser.post(path, CONFIRMED | typed)
        transfer.refresh_from_db()
        return said(answer)[-1][0]

    assert press(console, "approve_one", first) == "error"
    assert (press(second, "approve_one", first), first.state) == ("success", "requested")
    assert press(console, "cancel_one", other, reason="mistake") == "success"
    assert (other.state, other.note) == ("failed", "root: mistake")
