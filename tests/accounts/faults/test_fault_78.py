"""Funds go only to an address that two people agreed to, a cooling time ago, and that the receiving
venue states at this moment: any other one is refused, told, and its entry suspended."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import translation

from accounts.domain.addresses import MISMATCH, REPLACED, AddressState
from accounts.errors import (
    AddressBlocked,
    AddressChanged,
    AddressCooling,
    AddressUnapproved,
    SecondPersonNeeded,
)
from accounts.models import AddressEntry, RuleChange, Transfer, VenueAccount
from accounts.services.addresses import approve_address, propose_address, revoke_address
from accounts.services.progress import claim
from accounts.services.transfers import submit_transfer
from arbplatform.core.errors import Denied, IllegalTransition, InvalidInput, Message
from arbplatform.wording import render
from markets.domain.funds import DepositAddress

A = AddressState
POISONED = "beta-BTC-addres5"


@pytest.fixture
def propose(beta, people, now):
    def run(**changes):
        values = {
            "account_id": beta[0].pk,
            "asset": "BTC",
            "network": "BTC",
            "label": "cold",
            "user": people[0],
            "clock": now,
        }
        return propose_address(**(values | changes))

    return run


def refused(ask, error):
    with pytest.raises(error):
        ask()
    return not Transfer.objects.exists()


def test_without_an_approved_address_nothing_is_requested(real, ask, propose, is_unsent):
    assert refused(ask, AddressUnapproved)
    propose()
    assert refused(ask, AddressUnapproved)
    assert is_unsent()


def test_two_people_and_a_cooling_time_open_the_way(real, ask, approve, alpha, now):
    entry = approve(cooled=False)
    assert refused(ask, AddressCooling)
    now.advance_ms(24 * 3_600_000 - 1)
    assert refused(ask, AddressCooling)
    now.advance_ms(1)

    transfer = submit_transfer(transfer_id=ask().pk, clock=now)

    assert (transfer.state, transfer.address_entry_id) == ("submitted", entry.pk)
    assert [sent.address for sent in alpha[1].sent_to] == ["beta-BTC-address"]


def test_the_author_does_not_approve_not_even_as_superuser(propose, superuser):
    entry = propose(user=superuser)

    with pytest.raises(SecondPersonNeeded):
        approve_address(entry_id=entry.pk, user=superuser)

    assert AddressEntry.objects.get().state == A.PROPOSED


def test_the_database_does_not_let_one_person_be_both(propose, people):
    entry = propose()

    with pytest.raises(IntegrityError), transaction.atomic():
        AddressEntry.objects.filter(pk=entry.pk).update(approved_by=people[0])


@pytest.mark.parametrize("nobody", [True, False])
def test_only_staff_proposes_approves_and_revokes(propose, user, nobody):
    entry, person = propose(), None if nobody else user
    for command in (
        lambda: propose(user=person),
        lambda: approve_address(entry_id=entry.pk, user=person),
        lambda: revoke_address(entry_id=entry.pk, reason="r", user=person),
    ):
        with pytest.raises(Denied):
            command()

    assert AddressEntry.objects.get().state == A.PROPOSED


def test_what_a_person_expects_must_be_what_the_venue_states(propose):
    with pytest.raises(InvalidInput) as refusal:
        propose(address=POISONED)
    assert list(refusal.value.fields) == ["address"]
    assert not AddressEntry.objects.exists()

    assert propose(address=" beta-BTC-address ").address == "beta-BTC-address"


def test_an_address_that_changed_is_refused_told_and_suspended(
    *, real, ask, approve, beta, caplog, is_unsent
):
    entry = approve()
    beta[1].addresses["BTC"] = DepositAddress("BTC", POISONED)

    assert refused(ask, AddressChanged)

    entry.refresh_from_db()
    assert (entry.state, is_unsent()) == (A.SUSPENDED, True)
    assert [record.levelname for record in caplog.records if "suspended" in record.message] == [
        "ERROR"
    ]
    last = RuleChange.objects.first()
    assert last is not None
    assert (last.event, last.changed_by, last.after["stated_address"]) == (
        "suspend",
        "system",
        POISONED,
    )
    beta[1].addresses.clear()
    assert refused(ask, AddressBlocked), "it does not come back by itself"


def test_an_address_that_changes_after_the_request_is_not_sent_to(
    *, real, ask, approve, beta, now, is_unsent
):
    entry = approve()
    asked = ask()
    beta[1].addresses["BTC"] = DepositAddress("BTC", POISONED)

    transfer = submit_transfer(transfer_id=asked.pk, clock=now)

    assert (transfer.state, transfer.error_code) == ("failed", AddressChanged.code)
    entry.refresh_from_db()
    assert (entry.state, is_unsent()) == (A.SUSPENDED, True)


def test_between_simulated_venues_a_changed_address_is_refused_too(ask, beta, is_unsent):
    ask()
    beta[1].addresses["BTC"] = DepositAddress("BTC", POISONED)

    with pytest.raises(AddressChanged):
        ask(idempotency_key="key-2")

    assert (AddressEntry.objects.get().state, is_unsent()) == (A.SUSPENDED, True)


def test_a_revoked_address_stops_what_was_requested_at_once(
    *, real, ask, approve, people, now, is_unsent
):
    entry = approve()
    asked = ask()

    revoke_address(entry_id=entry.pk, reason="not ours", user=people[0], clock=now)

    transfer = submit_transfer(transfer_id=asked.pk, clock=now)
    assert (transfer.state, transfer.error_code) == ("failed", AddressBlocked.code)
    assert is_unsent()


@pytest.mark.parametrize("kept_in", ["en", "zh-hans"])
def test_a_transfer_to_a_revoked_address_keeps_its_state_in_no_language(
    *, real, ask, approve, people, now, kept_in
):
    entry, asked = approve(), ask()
    revoke_address(entry_id=entry.pk, reason="not ours", user=people[0], clock=now)

    with translation.override(kept_in):  # that of the process
        transfer = submit_transfer(transfer_id=asked.pk, clock=now)
        with pytest.raises(AddressBlocked) as late:
            claim(transfer_id=asked.pk, clock=now)

    for message in (transfer.to_error(), late.value.message):
        assert message.context["state"] == Message("revoked")


@pytest.mark.parametrize("typed", ["halted", "revoked", REPLACED, MISMATCH])
def test_why_a_person_revoked_an_address_is_told_as_typed_in_every_language(
    *, real, ask, approve, people, now, typed
):
    entry, asked = approve(), ask()
    revoke_address(entry_id=entry.pk, reason=typed, user=people[0], clock=now)

    with pytest.raises(AddressBlocked) as late:
        claim(transfer_id=asked.pk, clock=now)
    with pytest.raises(AddressBlocked) as anew:
        ask(idempotency_key="key-2")

    entry.refresh_from_db()
    change = RuleChange.objects.filter(reason=entry.reason).get()
    with translation.override("zh-hans"):
        assert render(late.value.message).endswith(f"。原因：{typed}")
        assert render(anew.value.message).endswith(f"。原因：{typed}")
        assert render(entry.to_reason()) == render(change.to_reason()) == typed


def test_why_the_platform_takes_an_address_out_of_use_is_told_in_the_readers_language(
    *, real, approve, propose
):
    old = approve()
    propose()

    old.refresh_from_db()
    with translation.override("zh-hans"):
        assert render(old.to_reason()) == "已被更新的条目取代"
    assert old.reason == REPLACED  # as every release has kept it


def test_an_address_revoked_between_the_look_and_the_claim_is_not_claimed(
    real, ask, approve, people, now
):
    entry = approve()
    asked = ask()
    revoke_address(entry_id=entry.pk, reason="not ours", user=people[0], clock=now)

    with pytest.raises(AddressBlocked):
        claim(transfer_id=asked.pk, clock=now)

    assert Transfer.objects.get().state == "requested"


def test_a_new_entry_replaces_the_old_one_and_starts_from_the_beginning(
    *, real, ask, approve, propose, now, is_unsent
):
    old = approve()
    asked = ask()
    new = propose(label="new")

    old.refresh_from_db()
    assert (old.state, new.state) == (A.REVOKED, A.PROPOSED)
    assert submit_transfer(transfer_id=asked.pk, clock=now).state == "failed"
    assert is_unsent()


@pytest.mark.parametrize("reason", ["", " ", "r" * 201])
def test_a_revocation_needs_a_reason(propose, people, reason):
    with pytest.raises(InvalidInput):
        revoke_address(entry_id=propose().pk, reason=reason, user=people[1])

    assert AddressEntry.objects.get().state == A.PROPOSED


def test_a_revoked_address_is_not_approved(propose, people):
    entry = propose()
    revoke_address(entry_id=entry.pk, reason="no", user=people[0])

    with pytest.raises(IllegalTransition):
        approve_address(entry_id=entry.pk, user=people[1])


def test_the_history_says_who_when_and_why_and_stays(approve, people):
    entry = approve()
    revoke_address(entry_id=entry.pk, reason="moved", user=people[0])

    told = RuleChange.objects.filter(target_id=entry.pk).order_by("pk")
    assert [(row.event, row.changed_by, row.reason) for row in told] == [
        ("propose", "ann", ""),
        ("approve", "bob", ""),
        ("revoke", "ann", "moved"),
    ]
    for attempt in (lambda: told.update(reason="-"), told.delete):
        with pytest.raises(Exception, match="immutable"), transaction.atomic():
            attempt()


def test_between_simulated_venues_the_first_transfer_proposes_its_address(ask, staff):
    transfer = ask(user=staff)

    entry = AddressEntry.objects.get()
    assert (transfer.address_entry, entry.state, entry.proposed_by) == (entry, A.PROPOSED, staff)


def test_a_proxy_on_this_machine_can_be_treated_as_a_real_venue(ask, settings):
    settings.TRANSFER_TRUST_LOCAL = False
    VenueAccount.objects.update(allows_transfers=True)

    with pytest.raises(Exception, match="Nobody has confirmed"):
        ask(network="BTC")

    assert not Transfer.objects.exists()


def test_an_automatic_proposal_opens_no_way_from_a_real_venue(ask, real, beta, assets):
    beta[0].venue.rest_origin = "http://127.0.0.1:9/beta"
    beta[0].venue.save()
    AddressEntry.objects.create(
        account=beta[0],
        asset=assets["BTC"],
        network="BTC",
        address="beta-BTC-address",
        label="by itself",
    )

    assert refused(ask, AddressUnapproved)
