"""Looking for transfers whose reply, message or sender was lost."""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from accounts.domain.transfers import SUBMITTING_MAX, TransferState
from accounts.errors import (
    TransferNotFound,
)
from accounts.models import Transfer
from accounts.services import lookups
from accounts.services.lookups import look_up
from accounts.services.progress import claim, record
from accounts.services.transfers import (
    poll_transfer,
    poll_transfers,
    submit_transfer,
)
from arbplatform.core.vigil import Vigil
from markets.domain.funds import VenueTransfer
from markets.errors import (
    DuplicateClientId,
    NotSupportedByVenue,
    OutcomeUnknown,
    VenueUnavailable,
)
from tests.accounts.fakes import DONE
from tests.jumping import JumpingClock

S = TransferState


@pytest.mark.parametrize(
    "error",
    [
        OutcomeUnknown(venue="alpha", cause="timed out"),
        DuplicateClientId(venue="alpha", cause="there already"),
        KeyError("broken answer"),
    ],
)
def test_a_lost_reply_is_looked_up_and_never_sent_again(ask, alpha, beta, now, error):
    alpha[1].late_failures["withdraw"] = [error]

    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    assert (transfer.state, transfer.error_code is not None) == (S.UNKNOWN, True)

    alpha[1].depart()
    beta[1].receive(alpha[1])
    transfer = poll_transfer(transfer_id=transfer.pk, clock=now)

    assert (transfer.state, transfer.error, transfer.error_code) == (S.ARRIVED, "", None)
    assert (transfer.venue_transfer_id, transfer.fee) == ("alpha-x1", D("0.0001"))
    assert alpha[1].count("withdraw") == 1


def test_a_venue_that_echoes_no_client_id_is_searched_by_address_amount_and_time(ask, alpha, now):
    alpha[1].late_failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    ours = replace(alpha[1].withdrawals[0], client_transfer_id=None, updated_at_ms=now.now_ms())
    alpha[1].withdrawals = [
        replace(ours, venue_transfer_id="old", updated_at_ms=now.now_ms() - 3_600_000),
        replace(ours, venue_transfer_id="elsewhere", address="x"),
        ours,
    ]

    transfer = poll_transfer(transfer_id=transfer.pk, clock=now)

    assert (transfer.state, transfer.venue_transfer_id) == (S.SUBMITTED, "alpha-x1")


def test_two_equal_lost_transfers_do_not_claim_one_record(ask, alpha, now):
    alpha[1].late_failures["withdraw"] = [
        OutcomeUnknown(venue="alpha", cause="timed out"),
        OutcomeUnknown(venue="alpha", cause="timed out"),
    ]
    both = [submit_transfer(transfer_id=ask(idempotency_key=k).pk, clock=now) for k in "ab"]
    alpha[1].withdrawals = [replace(r, client_transfer_id=None) for r in alpha[1].withdrawals]

    found = [poll_transfer(transfer_id=transfer.pk, clock=now) for transfer in both]

    assert [transfer.venue_transfer_id for transfer in found] == ["alpha-x1", "alpha-x2"]


def test_a_lost_transfer_between_wallets_is_found_in_its_history(ask_inside, alpha, now):
    alpha[1].late_failures["transfer"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
    transfer = submit_transfer(transfer_id=ask_inside().pk, clock=now)
    assert transfer.state == S.UNKNOWN

    transfer = poll_transfer(transfer_id=transfer.pk, clock=now)

    assert (transfer.state, transfer.venue_transfer_id) == (S.ARRIVED, "alpha-w1")
    assert alpha[1].count("transfer") == 1


def test_without_such_a_history_the_transfer_stays_unknown(ask_inside, alpha, now):
    alpha[1].late_failures["transfer"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
    transfer = submit_transfer(transfer_id=ask_inside().pk, clock=now)
    alpha[1].failures["fetch_wallet_transfers"] = [NotSupportedByVenue(venue="alpha", cause="-")]

    with pytest.raises(NotSupportedByVenue):
        poll_transfer(transfer_id=transfer.pk, clock=now)

    transfer.refresh_from_db()
    assert (transfer.state, transfer.error_code) == (S.UNKNOWN, NotSupportedByVenue.code)


def test_a_transfer_that_never_shows_up_is_given_up_late(ask, alpha, now, commit, poll_for):
    alpha[1].failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)

    assert poll_for(transfer, minutes=14).state == S.UNKNOWN
    with commit() as sent_tasks:
        transfer = poll_for(transfer, minutes=3)

    assert (transfer.state, transfer.error_code) == (S.FAILED, 3010)
    assert "Check the balances of both accounts" in str(transfer.to_error())
    assert sent_tasks == [("ledger.book_transfer", {"transfer_id": transfer.pk})]
    assert alpha[1].count("withdraw") == 1


def test_a_clock_that_jumps_gives_up_no_transfer(ask, alpha, now):
    alpha[1].failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    clock = JumpingClock(at_ms=now.at_ms)

    def look_after(pause_ms):
        clock.advance_ms(pause_ms)
        return poll_transfer(transfer_id=transfer.pk, clock=clock).state

    assert look_after(1_000) == S.UNKNOWN
    clock.jump_ms(3_600_000)
    for _look in range(14):
        assert look_after(60_000) == S.UNKNOWN

    assert look_after(60_000) == S.FAILED


@pytest.fixture
def restart(monkeypatch):
    """Go on as another process, which remembers nothing."""
    return lambda: monkeypatch.setattr(lookups, "_SILENCES", Vigil())


@pytest.fixture
def vanished(ask, alpha, now):
    """A transfer that never arrived at its venue, and whose reply was lost."""
    alpha[1].failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
    return submit_transfer(transfer_id=ask().pk, clock=now)


def test_it_is_given_up_as_well_where_workers_are_restarted_every_few_minutes(
    vanished, alpha, poll_for, restart
):
    for _life in range(4):
        assert poll_for(vanished, minutes=4).state == S.UNKNOWN
        restart()

    transfer = poll_for(vanished, minutes=6)

    assert (transfer.state, transfer.error_code) == (S.FAILED, 3010)
    assert alpha[1].count("withdraw") == 1


def test_what_only_wall_clocks_say_between_two_processes_is_no_silence(
    vanished, now, poll_for, restart
):
    poll_for(vanished, minutes=4)
    for _life in range(10):
        restart()
        now.advance_ms(3_600_000)  # to the first look of the next process
        poll_for(vanished, seconds=30)

    assert Transfer.objects.get().state == S.UNKNOWN
    assert Transfer.objects.get().silence_ms < 4 * 60_000


def test_time_in_which_the_venue_does_not_answer_is_no_silence(vanished, alpha, poll_for):
    assert poll_for(vanished, minutes=5).state == S.UNKNOWN
    alpha[1].failures["fetch_withdrawals"] = [
        VenueUnavailable(venue="alpha", cause="down") for _ in range(1000)
    ]
    poll_for(vanished, minutes=40)
    alpha[1].failures.clear()

    assert poll_for(vanished, minutes=8).state == S.UNKNOWN
    assert poll_for(vanished, minutes=4).state == S.FAILED


def test_a_look_up_that_comes_late_takes_nothing_from_what_another_process_kept(vanished, now):
    before = Transfer.objects.get()
    Transfer.objects.update(silence_ms=700)

    sighting = look_up(before, clock=now)

    assert record(transfer_id=before.pk, sighting=sighting, clock=now).silence_ms == 700


def test_it_is_not_given_up_while_a_deposit_may_be_it(ask, alpha, beta, now, poll_for):
    alpha[1].failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    beta[1].deposits = [
        VenueTransfer(
            venue_transfer_id="d1",
            asset="BTC",
            amount=D("0.4999"),
            fee=None,
            status=DONE,
            tx_id="tx-9",
            address="beta-BTC-address",
            updated_at_ms=now.now_ms(),
        )
    ]

    assert poll_for(transfer, minutes=40).state == S.UNKNOWN


def test_a_venue_that_does_not_answer_proves_no_absence(ask, alpha, now, poll_for):
    alpha[1].failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
    transfer = submit_transfer(transfer_id=ask().pk, clock=now)
    alpha[1].failures["fetch_withdrawals"] = [
        VenueUnavailable(venue="alpha", cause="down") for _ in range(1000)
    ]

    transfer = poll_for(transfer, minutes=40)

    assert (transfer.state, transfer.lookup_count) == (S.UNKNOWN, 0)
    assert transfer.error_code == VenueUnavailable.code


def test_a_request_whose_message_was_lost_is_swept(ask, alpha, now, is_unsent):
    asked = ask()
    assert (poll_transfers(clock=now), is_unsent()) == (0, True)

    now.advance_ms(10_000)

    assert poll_transfers(clock=now) == 1
    assert Transfer.objects.get(pk=asked.pk).state == S.SUBMITTED
    assert alpha[1].count("withdraw") == 1


def test_a_transfer_that_somebody_is_sending_is_left_alone(ask, alpha, now, is_unsent):
    asked = ask()
    assert claim(transfer_id=asked.pk, clock=now)
    now.advance_ms(10_000)

    assert poll_transfer(transfer_id=asked.pk, clock=now).state == S.SUBMITTING
    assert submit_transfer(transfer_id=asked.pk, clock=now).state == S.SUBMITTING
    assert poll_transfers(clock=now) == 0
    assert is_unsent()


def test_a_transfer_whose_sender_died_is_looked_up_and_never_sent_again(ask, alpha, now, is_unsent):
    asked = ask()
    assert claim(transfer_id=asked.pk, clock=now)
    now.advance_ms(int(SUBMITTING_MAX.total_seconds() * 1000))

    assert poll_transfers(clock=now) == 1

    transfer = Transfer.objects.get(pk=asked.pk)
    assert (transfer.state, transfer.lookup_count) == (S.UNKNOWN, 1)
    assert is_unsent()


def test_a_late_answer_of_a_slow_sender_changes_nothing_that_is_known_better(ask, alpha, beta, now):
    asked = ask()

    def overtake(name):
        if name == "withdraw":
            now.advance_ms(int(SUBMITTING_MAX.total_seconds() * 1000))
            alpha[1].on_call = lambda _name: None
            Transfer.objects.filter(pk=asked.pk).update(state=S.ARRIVED)

    alpha[1].on_call = overtake

    assert submit_transfer(transfer_id=asked.pk, clock=now).state == S.ARRIVED
    assert alpha[1].count("withdraw") == 1


def test_one_failing_venue_does_not_stop_the_others(ask, alpha, beta, now):
    first = submit_transfer(transfer_id=ask(idempotency_key="a").pk, clock=now)
    second = submit_transfer(transfer_id=ask(idempotency_key="b").pk, clock=now)
    alpha[1].failures["fetch_withdrawals"] = [VenueUnavailable(venue="alpha", cause="down")]
    alpha[1].depart()
    now.advance_ms(5_000)

    assert poll_transfers(clock=now) == 2

    states = {t.pk: (t.state, t.error_code) for t in Transfer.objects.all()}
    assert states == {first.pk: (S.SUBMITTED, 2004), second.pk: (S.IN_TRANSIT, None)}


def test_one_record_that_breaks_whoever_reads_it_does_not_stop_the_others(ask, alpha, now):
    first = submit_transfer(transfer_id=ask(idempotency_key="a").pk, clock=now)
    second = submit_transfer(transfer_id=ask(idempotency_key="b").pk, clock=now)
    alpha[1].failures["fetch_withdrawals"] = [AttributeError("a page of HTML")]
    alpha[1].depart()
    now.advance_ms(5_000)

    assert poll_transfers(clock=now) == 2

    states = dict(Transfer.objects.values_list("pk", "state"))
    assert states == {first.pk: S.SUBMITTED, second.pk: S.IN_TRANSIT}


def test_unknown_transfers_are_named(db):
    for command in (submit_transfer, poll_transfer):
        with pytest.raises(TransferNotFound, match="7"):
            command(transfer_id=7)


def test_a_record_that_another_look_up_claims_meanwhile_is_not_claimed_twice(ask, alpha, now):
    alpha[1].late_failures["withdraw"] = [
        OutcomeUnknown(venue="alpha", cause="timed out"),
        OutcomeUnknown(venue="alpha", cause="timed out"),
    ]
    first, second = (
        submit_transfer(transfer_id=ask(idempotency_key=k).pk, clock=now) for k in "ab"
    )
    alpha[1].withdrawals = [replace(r, client_transfer_id=None) for r in alpha[1].withdrawals[:1]]
    sighting = look_up(second, clock=now)
    assert poll_transfer(transfer_id=first.pk, clock=now).venue_transfer_id == "alpha-x1"

    late = record(transfer_id=second.pk, sighting=sighting, clock=now)

    assert (sighting.venue_transfer_id, late.state) == ("alpha-x1", S.UNKNOWN)
    assert Transfer.objects.get(pk=second.pk).venue_transfer_id == ""
