"""Whoever confirms the end of a transfer confirms the one that they have read."""

from decimal import Decimal as D

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.domain.transfers import TransferState
from accounts.models import Transfer
from accounts.services.settlement import settle_transfer
from accounts.services.transfers import submit_transfer
from arbplatform.core.errors import ChangedMeanwhile
from markets.errors import OutcomeUnknown
from markets.models import Venue
from tests.accounts.admin.pages import said, text
from tests.dialogs import path_of, sent_by

S = TransferState
BUTTON = "confirm_one"


@pytest.fixture
def propose(ask, alpha, people, now):
    """Let ann say how a transfer between real venues ended, as often as she likes."""
    alpha[1].failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    Venue.objects.update(rest_origin="")

    def run(amount):
        return settle_transfer(
            transfer_id=transfer.pk,
            has_arrived=True,
            arrived_amount=D(amount),
            reason=f"saw {amount}",
            user=people[0],
            clock=now,
        )

    return run


def test_the_dialog_says_what_is_confirmed_and_that_is_booked(second, propose):
    transfer = propose("0.4")
    page = text(second.get(path_of(transfer, BUTTON)))
    assert "ann: 0.4 · saw 0.4" in page

    second.post(path_of(transfer, BUTTON), sent_by(page))

    stored = Transfer.objects.get()
    assert (stored.state, stored.arrived_amount) == (S.ARRIVED, D("0.4"))


def test_an_end_that_was_changed_under_an_open_dialog_is_not_confirmed(second, propose):
    page = text(second.get(path_of(propose("0.4"), BUTTON)))
    transfer = propose("0.0001")

    answer = second.post(path_of(transfer, BUTTON), sent_by(page))

    assert f"(error {ChangedMeanwhile.code})" in text(answer)
    assert "ann: 0.0001 · saw 0.0001" in text(answer)
    assert Transfer.objects.get().state == S.UNKNOWN

    second.post(path_of(transfer, BUTTON), sent_by(text(answer)))
    assert Transfer.objects.get().state == S.UNKNOWN, "the dialog has to be opened anew"

    second.post(path_of(transfer, BUTTON), sent_by(text(second.get(path_of(transfer, BUTTON)))))
    assert Transfer.objects.get().arrived_amount == D("0.0001")


def test_a_confirmation_that_has_seen_nothing_confirms_nothing(second, propose):
    transfer = propose("0.4")

    second.post(path_of(transfer, BUTTON), {"_form_submitted": "True"})

    assert Transfer.objects.get().state == S.UNKNOWN


@pytest.mark.parametrize("number", ["99", "none"])
def test_the_dialog_of_a_transfer_that_is_not_there_leads_to_the_list(second, db, number):
    path = reverse("admin:accounts_transfer_confirm_one", args=(number,))

    assert second.get(path).status_code == 200
    assert said(second.post(path, {"_form_submitted": "True"}))[-1][0] == "error"


def test_a_version_confirms_no_other_end_than_was_read(propose, django_user_model):
    transfer = propose("0.4")
    client = APIClient()
    client.force_authenticate(django_user_model.objects.create_superuser("carl"))
    address = f"/api/transfers/{transfer.pk}"
    seen = client.get(address)["ETag"]
    propose("0.0001")

    answer = client.post(f"{address}/confirm", headers={"If-Match": seen})

    assert (answer.status_code, answer.json()["code"]) == (412, ChangedMeanwhile.code)
    assert Transfer.objects.get().state == S.UNKNOWN
    seen = client.get(address)["ETag"]
    assert client.post(f"{address}/confirm", headers={"If-Match": seen}).status_code == 200
    assert Transfer.objects.get().arrived_amount == D("0.0001")
