"""A transfer that is under way for longer than its network should take raises an alarm, once, in
the log, on the overview and in the sidebar; a withdrawal that fails after it left is taken back."""

from datetime import timedelta

import pytest

from accounts.domain.transfers import (
    ARRIVAL_MAX,
    DEPARTURE_MAX,
    UNCLEAR_MAX,
    TransferState,
    expected_within,
)
from accounts.models import Reservation, Transfer
from accounts.selectors import count_alarms
from accounts.services.alarms import raise_alarms
from accounts.services.transfers import poll_transfer, submit_transfer
from arbplatform.console.navigation import list_groups
from arbplatform.overview import read_overview
from markets.errors import OutcomeUnknown

S = TransferState


@pytest.fixture
def bring_to(ask, alpha, now):
    """Bring a transfer into a state in which the venues leave it."""

    def run(state):
        if state is S.UNKNOWN:
            alpha[1].failures["withdraw"] = [OutcomeUnknown(venue="alpha", cause="timed out")]
        transfer = submit_transfer(transfer_id=ask().pk, clock=now)
        if state is S.IN_TRANSIT:
            alpha[1].depart()
            now.advance_ms(2_000)
            transfer = poll_transfer(transfer_id=transfer.pk, clock=now)
        assert transfer.state == state
        return transfer

    return run


@pytest.mark.parametrize(
    ("state", "patience"),
    [
        (S.UNKNOWN, UNCLEAR_MAX),
        (S.SUBMITTED, DEPARTURE_MAX),
        (S.IN_TRANSIT, DEPARTURE_MAX + ARRIVAL_MAX["BTC"]),
    ],
)
def test_what_takes_too_long_raises_an_alarm_once(bring_to, now, caplog, state, patience):
    transfer = bring_to(state)
    left = patience - (now.now() - transfer.submitted_at)
    now.advance_ms(int(left / timedelta(milliseconds=1)))
    assert (raise_alarms(clock=now), count_alarms()) == (0, 0)
    now.advance_ms(1_000)

    assert (raise_alarms(clock=now), raise_alarms(clock=now)) == (1, 0)

    stored = Transfer.objects.get()
    assert (stored.alarmed_at, stored.state, count_alarms()) == (now.now(), state, 1)
    assert [row.levelname for row in caplog.records if "minutes" in row.message] == ["ERROR"]


def test_slow_networks_get_more_time():
    assert expected_within(S.IN_TRANSIT, "BTC") > expected_within(S.IN_TRANSIT, "TRX")


def test_people_see_it_and_it_goes_when_the_funds_arrive(
    bring_to, *, now, beta, alpha, rf, superuser
):
    transfer = bring_to(S.IN_TRANSIT)
    now.advance_ms(24 * 3_600_000)
    raise_alarms(clock=now)
    request = rf.get("/")
    request.user = superuser

    def badges():
        return [
            item["badge"] for group in list_groups(request) for item in group["items"]
            if "badge" in item
        ]  # fmt: skip

    assert (read_overview(clock=now).transfer_alarms, badges()) == (1, [1])
    beta[1].receive(alpha[1])
    poll_transfer(transfer_id=transfer.pk, clock=now)
    assert (read_overview(clock=now).transfer_alarms, badges()) == (0, [])


def test_a_withdrawal_that_fails_on_its_way_is_taken_back(bring_to, alpha, now, commit):
    transfer = bring_to(S.IN_TRANSIT)
    alpha[1].fail_last()

    with commit() as sent_tasks:
        ended = poll_transfer(transfer_id=transfer.pk, clock=now)

    assert (ended.state, alpha[1].count("withdraw")) == (S.FAILED, 1)
    assert ("ledger.book_transfer", {"transfer_id": transfer.pk}) in sent_tasks
    assert not Reservation.objects.exists()
