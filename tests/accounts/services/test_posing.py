"""A venue that is said to be on this machine for a while makes nobody two people."""

from decimal import Decimal as D

import pytest

from accounts.domain.transfers import TransferState
from accounts.models import Transfer
from accounts.services.settlement import confirm_settlement, settle_transfer
from accounts.services.transfers import submit_transfer
from markets.errors import OutcomeUnknown
from markets.models import Venue
from markets.services.venues import update_venue

S = TransferState


@pytest.mark.usefixtures("real")
def test_what_two_people_sent_is_not_settled_by_one_who_turns_its_venues_to_this_machine(
    approve, ask, alpha, people, now
):
    approve()
    alpha[1].failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
    lost = submit_transfer(transfer_id=ask().pk, clock=now)
    assert lost.state == S.UNKNOWN
    for venue in Venue.objects.all():
        update_venue(venue_id=venue.pk, rest_origin="http://127.0.0.1:9")

    settle_transfer(
        transfer_id=lost.pk,
        has_arrived=True,
        arrived_amount=D("0.0001"),
        reason="trust me",
        user=people[0],
        clock=now,
    )

    assert Transfer.objects.get().state == S.UNKNOWN
    assert confirm_settlement(transfer_id=lost.pk, user=people[1], clock=now).state == S.ARRIVED
