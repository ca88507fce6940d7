"""What transfers may move at most, who has to agree, and what is sent first."""

from decimal import Decimal as D

import pytest
from django.db import IntegrityError, transaction

from accounts.domain.limits import TransferLimits
from accounts.domain.transfers import APPROVAL_MAX, TransferState
from accounts.errors import (
    IdempotencyConflict,
    SecondPersonNeeded,
    TransferExpired,
    TransferLimitExceeded,
    TransferUnpriced,
    TrialFailed,
)
from accounts.models import Reservation, RuleChange, Transfer, TransferLimit
from accounts.services.approvals import approve_transfer, cancel_transfer
from accounts.services.limits import save_limits
from accounts.services.progress import claim
from accounts.services.settlement import settle_transfer
from accounts.services.transfers import poll_transfer, submit_transfer
from arbplatform.core.errors import Denied, IllegalTransition, InvalidInput
from markets.domain.funds import Wallet

S = TransferState


@pytest.fixture
def limit(people, now):
    """Set limits for all accounts, or for one."""

    def run(account_id=None, **values):
        limits = TransferLimits(**{name: D(value) for name, value in values.items()})
        return save_limits(account_id=account_id, limits=limits, user=people[0], clock=now)

    return run


def refused(ask, error, **changes):
    before = Transfer.objects.count()
    with pytest.raises(error):
        ask(**changes)
    return Transfer.objects.count() == before and not Reservation.objects.filter(
        purpose="transfer"
    ).exclude(owner_id__in=Transfer.objects.values("pk"))


@pytest.mark.parametrize(("limit_of", "is_allowed"), [("5000", True), ("4999.99", False)])
def test_one_transfer_is_worth_at_most_its_limit(ask, limit, limit_of, is_allowed):
    limit(transfer_max=limit_of)

    if is_allowed:
        assert ask().value == D(5000)
    else:
        assert refused(ask, TransferLimitExceeded)


def test_what_leaves_an_account_in_a_day_is_added_up(ask, limit, make_account, beta):
    limit(account_day_max="9999")
    ask()

    assert refused(ask, TransferLimitExceeded, idempotency_key="key-2")
    other, fake = make_account("gamma")
    assert fake.venue == "gamma"
    assert ask(from_account_id=other.pk, idempotency_key="key-3").value == D(5000)


def test_what_leaves_all_accounts_in_a_day_is_added_up(ask, limit, make_account):
    limit(total_day_max="9999")
    ask()
    other, _fake = make_account("gamma")

    assert refused(ask, TransferLimitExceeded, from_account_id=other.pk, idempotency_key="key-2")


def test_what_failed_does_not_count(ask, limit, people, now):
    limit(account_day_max="5000")
    first = ask()
    cancel_transfer(transfer_id=first.pk, reason="mistake", user=people[0], clock=now)

    assert ask(idempotency_key="key-2").value == D(5000)


def test_an_account_may_have_limits_of_its_own(ask, limit, alpha):
    limit(transfer_max="1")
    limit(alpha[0].pk, transfer_max="5000")

    assert ask().value == D(5000)


def test_what_has_no_price_is_refused_only_if_there_is_a_limit(ask, limit, alpha, beta):
    for fake in (alpha[1], beta[1]):
        fake.prices.clear()
    assert ask().value is None
    limit(account_day_max="1e9")

    assert refused(ask, TransferUnpriced, idempotency_key="key-2")


def test_wallets_of_one_account_are_not_limited(ask_inside, limit):
    limit(transfer_max="0", approval_above="0")

    assert ask_inside().state == S.REQUESTED


def test_limits_have_a_history(limit, people):
    limit(transfer_max="1")
    limit(transfer_max="1")
    limit(transfer_max="2")

    changes = RuleChange.objects.filter(kind="limits").order_by("pk")
    assert [(row.before["transfer_max"], row.after["transfer_max"]) for row in changes] == [
        (None, "1"),
        ("1", "2"),
    ]
    assert {row.changed_by for row in changes} == {"ann"}
    with pytest.raises(InvalidInput):
        limit(transfer_max="-1")
    with pytest.raises(Denied):
        save_limits(account_id=None, limits=TransferLimits(), user=None)
    assert TransferLimit.objects.get().transfer_max == D(2)


# the second person ----------------------------------------------------------------------------


def test_above_the_threshold_another_person_has_to_agree(
    ask, *, limit, people, alpha, now, commit, is_unsent
):
    limit(approval_above="4999")
    with commit() as sent_tasks:
        asked = ask(user=people[0])
    assert asked.state == S.UNAPPROVED
    assert "accounts.submit_transfer" not in [name for name, _ids in sent_tasks]
    assert submit_transfer(transfer_id=asked.pk, clock=now).state == S.UNAPPROVED
    assert not claim(transfer_id=asked.pk, clock=now)
    with pytest.raises(SecondPersonNeeded):
        approve_transfer(transfer_id=asked.pk, user=people[0], clock=now)
    assert is_unsent()

    with commit() as sent_tasks:
        approved = approve_transfer(transfer_id=asked.pk, user=people[1], clock=now)

    assert (approved.state, approved.approved_by) == (S.REQUESTED, people[1])
    assert ("accounts.submit_transfer", {"transfer_id": asked.pk}) in sent_tasks
    assert submit_transfer(transfer_id=asked.pk, clock=now).state == S.SUBMITTED
    assert alpha[1].count("withdraw") == 1
    with pytest.raises(IllegalTransition):
        approve_transfer(transfer_id=asked.pk, user=people[1], clock=now)


def test_between_real_venues_ten_thousand_need_a_second_person_by_default(
    real, ask, approve, alpha, people
):
    approve()
    alpha[1].prices["BTC/USDT"] = D(20_001)

    assert ask(user=people[0]).state == S.UNAPPROVED


def test_a_transfer_that_nobody_asked_for_is_approved_by_nobody(ask, limit, people):
    limit(approval_above="0")
    asked = ask()

    with pytest.raises(SecondPersonNeeded):
        approve_transfer(transfer_id=asked.pk, user=people[0])
    with pytest.raises(IntegrityError), transaction.atomic():
        Transfer.objects.update(requested_by=people[0], approved_by=people[0])


def test_nobody_is_waited_for_longer_than_a_day(*, ask, limit, people, now, poll_for, is_unsent):
    limit(approval_above="0")
    asked = ask(user=people[0])
    now.advance_ms(int(APPROVAL_MAX.total_seconds() * 1000))

    ended = poll_for(asked, minutes=1)

    assert (ended.state, ended.error_code) == (S.FAILED, TransferExpired.code)
    assert (is_unsent(), Reservation.objects.count()) == (True, 0)


def test_one_person_can_cancel_what_was_not_sent(ask, people, now, is_unsent):
    asked = ask()

    ended = cancel_transfer(transfer_id=asked.pk, reason="mistake", user=people[0], clock=now)

    assert (ended.state, ended.note) == (S.FAILED, "ann: mistake")
    assert submit_transfer(transfer_id=asked.pk, clock=now).state == S.FAILED
    assert (is_unsent(), Reservation.objects.count()) == (True, 0)


def test_what_somebody_is_sending_is_not_cancelled(ask, people, now):
    asked = ask()
    claim(transfer_id=asked.pk, clock=now)

    with pytest.raises(IllegalTransition):
        cancel_transfer(transfer_id=asked.pk, reason="mistake", user=people[0], clock=now)

    assert Transfer.objects.get().state == S.SUBMITTING


# the test amount ------------------------------------------------------------------------------


@pytest.fixture
def tested(ask, people):
    """A transfer of 0.5 BTC of which 0.01 go first."""
    main = ask(test_amount=D("0.01"), user=people[0])
    assert main.test_transfer is not None
    return main, main.test_transfer


def test_the_rest_waits_until_the_test_amount_has_arrived(
    tested, *, alpha, beta, now, commit, poll_for
):
    main, test = tested
    assert (main.amount, main.state, test.amount, test.state) == (
        D("0.49"),
        S.TESTING,
        D("0.01"),
        S.REQUESTED,
    )
    assert (main.value, test.value) == (D(4900), D(100))
    assert submit_transfer(transfer_id=main.pk, clock=now).state == S.TESTING
    submit_transfer(transfer_id=test.pk, clock=now)
    alpha[1].depart("tx-test")
    beta[1].receive(alpha[1])

    with commit() as sent_tasks:
        poll_for(test, seconds=30)

    main.refresh_from_db()
    assert main.state in {S.REQUESTED, S.SUBMITTED}
    assert ("accounts.submit_transfer", {"transfer_id": main.pk}) in sent_tasks
    submit_transfer(transfer_id=main.pk, clock=now)
    assert [row.amount for row in alpha[1].withdrawals] == [D("0.01"), D("0.49")]


@pytest.mark.parametrize("how", ["refused", "by hand"])
def test_the_rest_is_not_sent_if_the_test_amount_did_not_arrive(
    tested, *, how, alpha, people, now, superuser
):
    main, test = tested
    submit_transfer(transfer_id=test.pk, clock=now)
    if how == "refused":
        alpha[1].fail_last()
        poll_transfer(transfer_id=test.pk, clock=now)
    else:
        settle_transfer(
            transfer_id=test.pk, has_arrived=True, reason="seen", user=superuser, clock=now
        )

    main.refresh_from_db()
    assert (main.state, main.error_code) == (S.FAILED, TrialFailed.code)
    assert alpha[1].count("withdraw") == 1


def test_the_rest_needs_approval_and_the_test(ask, *, limit, people, alpha, beta, now, poll_for):
    limit(approval_above="4000")
    main = ask(test_amount=D("0.01"), user=people[0])
    test = main.test_transfer
    assert (main.state, test.state) == (S.UNAPPROVED, S.REQUESTED)
    approved = approve_transfer(transfer_id=main.pk, user=people[1], clock=now)
    assert approved.state == S.TESTING
    submit_transfer(transfer_id=test.pk, clock=now)
    alpha[1].depart("tx-test")
    beta[1].receive(alpha[1])
    poll_for(test, seconds=30)

    main.refresh_from_db()
    assert main.state != S.TESTING


def test_an_approval_after_the_test_has_arrived_lets_it_go(
    ask, *, limit, people, alpha, beta, now, poll_for
):
    limit(approval_above="4000")
    main = ask(test_amount=D("0.01"), user=people[0])
    submit_transfer(transfer_id=main.test_transfer.pk, clock=now)
    alpha[1].depart("tx-test")
    beta[1].receive(alpha[1])
    poll_for(main.test_transfer, seconds=30)
    main.refresh_from_db()
    assert main.state == S.UNAPPROVED

    assert approve_transfer(transfer_id=main.pk, user=people[1], clock=now).state == S.REQUESTED


def test_a_test_amount_must_be_a_part_that_needs_no_approval_and_can_travel(ask, limit):
    for amount in ("0", "-1", "0.5", "1", "NaN"):
        assert refused(ask, InvalidInput, test_amount=D(amount))
    assert refused(ask, Exception, test_amount=D("0.0001")), "below the least that can leave"
    limit(approval_above="1000")
    assert refused(ask, InvalidInput, test_amount=D("0.2"))


def test_the_same_request_with_a_test_amount_is_the_same_transfer(ask, alpha):
    first = ask(test_amount=D("0.01"))

    assert ask(test_amount=D("0.010")) == first
    for changes in ({"test_amount": D("0.02")}, {}, {"amount": D("0.49")}):
        with pytest.raises(IdempotencyConflict):
            ask(**changes)
    assert Transfer.objects.count() == 2


def test_both_parts_are_set_aside(ask, alpha, limit):
    alpha[1].wallets[Wallet.SPOT]["BTC"] = D("0.5")

    ask(test_amount=D("0.01"))

    assert sorted(Reservation.objects.values_list("amount", flat=True)) == [D("0.01"), D("0.49")]


def test_a_late_refusal_does_not_end_what_another_worker_is_sending(ask, *, alpha, beta, now):
    """Two deliveries of one message: one sends while the other sees a closed network."""
    asked = ask()

    def race(name):
        if name == "fetch_networks" and alpha[1].count("fetch_networks") == 2:
            alpha[1].on_call = lambda _name: None
            submit_transfer(transfer_id=asked.pk, clock=now)
            beta[1].addresses["BTC"] = beta[1].fetch_deposit_address("BTC")
            alpha[1].networks["BTC"] = [alpha[1].network("BTC", fee=D(1))]

    alpha[1].on_call = race

    submit_transfer(transfer_id=asked.pk, clock=now)

    assert Transfer.objects.get().state == S.SUBMITTED
    assert alpha[1].count("withdraw") == 1
