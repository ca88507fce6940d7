"""Finding our transfer in the venues' histories."""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.domain.matching import (
    CLOCK_JUMP_MAX_MS,
    CLOCK_SKEW_MAX_MS,
    SentFunds,
    find_deposit,
    find_withdrawal,
    may_have_arrived,
    may_have_left,
)
from markets.domain.funds import VenueTransfer, VenueTransferStatus

NOW_MS = 1_767_225_600_000
SENT = SentFunds(
    amount=D("1.5"), sent_at_ms=NOW_MS, client_transfer_id="ours", address="0xAbC", fee=None
)
RECORD = VenueTransfer(
    venue_transfer_id="w1",
    asset="BTC",
    amount=D("1.5"),
    fee=D("0.1"),
    status=VenueTransferStatus.PENDING,
    address="0xabc",
    updated_at_ms=NOW_MS + 1000,
)
DEPOSIT = replace(RECORD, venue_transfer_id="d1", amount=D("1.4"), fee=None, tx_id="0xFEED")


def test_the_client_id_decides_whatever_else_the_record_says():
    ours = replace(RECORD, client_transfer_id="ours", amount=D(7), address="elsewhere")

    assert find_withdrawal(SENT, [RECORD, ours]) == ours


def test_the_venue_id_decides_once_it_is_known():
    known = replace(SENT, venue_transfer_id="w2", client_transfer_id=None)
    second = replace(RECORD, venue_transfer_id="w2", amount=D(9))

    assert find_withdrawal(known, [RECORD, second]) == second


def test_a_known_venue_id_is_never_replaced_by_something_alike():
    known = replace(SENT, venue_transfer_id="w2", client_transfer_id=None)

    assert find_withdrawal(known, [RECORD]) is None


@pytest.mark.parametrize(
    ("change", "is_found"),
    [
        ({}, True),
        ({"amount": D("1.4")}, True),  # stated without the fee
        ({"amount": D("1.3")}, False),
        ({"fee": None, "amount": D("1.4")}, False),
        ({"address": "0xdef"}, False),
        ({"address": None}, True),
        ({"client_transfer_id": "of somebody else"}, False),
        ({"updated_at_ms": None}, True),
        ({"updated_at_ms": NOW_MS - CLOCK_SKEW_MAX_MS}, True),
        ({"updated_at_ms": NOW_MS - CLOCK_SKEW_MAX_MS - 1}, False),
    ],
)
def test_without_ids_address_amount_and_time_decide(change, is_found):
    record = replace(RECORD, **change)

    assert (find_withdrawal(SENT, [record]) is record) is is_found


def test_a_record_that_belongs_to_another_transfer_is_passed_over():
    second = replace(RECORD, venue_transfer_id="w2")

    assert find_withdrawal(SENT, [RECORD, second], {"w1"}) == second
    assert find_withdrawal(SENT, [RECORD], {"w1"}) is None


def test_between_wallets_amount_and_time_decide():
    sent = SentFunds(amount=D("1.5"), sent_at_ms=NOW_MS)
    record = replace(RECORD, address=None, fee=None)

    assert find_withdrawal(sent, [record]) == record


@pytest.mark.parametrize(
    ("change", "is_found"),
    [
        ({}, True),
        ({"tx_id": "feed"}, True),
        ({"tx_id": "beef"}, False),
        ({"tx_id": None}, False),
        ({"amount": D("0.9")}, True),  # less than was sent still arrived
        ({"address": "0xdef"}, False),  # another customer's part of the same transaction
        ({"address": None}, True),
        ({"status": VenueTransferStatus.FAILED}, False),
    ],
)
def test_a_deposit_is_found_by_the_id_on_the_network(change, is_found):
    record = replace(DEPOSIT, **change)
    sent = replace(SENT, tx_id="0xfeed")

    assert (find_deposit(sent, [record]) is record) is is_found


@pytest.mark.parametrize(
    ("change", "fee", "is_found"),
    [
        ({}, D("0.1"), True),
        ({}, None, False),
        ({"amount": D("1.41")}, D("0.1"), False),
        ({"updated_at_ms": NOW_MS - CLOCK_SKEW_MAX_MS - 1}, D("0.1"), False),
    ],
)
def test_without_an_id_on_the_network_exactly_amount_less_fee_must_arrive(change, fee, is_found):
    record = replace(DEPOSIT, tx_id=None, **change)

    assert (find_deposit(replace(SENT, fee=fee), [record]) is record) is is_found


def test_a_deposit_of_another_transfer_is_passed_over():
    assert find_deposit(replace(SENT, tx_id="feed"), [DEPOSIT], {"d1"}) is None


@pytest.mark.parametrize(
    ("change", "taken", "expected"),
    [
        ({}, set(), True),
        ({"amount": D("1.5")}, set(), True),
        ({"amount": D("1.6")}, set(), False),
        ({"address": "0xdef"}, set(), False),
        ({"status": VenueTransferStatus.FAILED}, set(), False),
        ({"updated_at_ms": NOW_MS - CLOCK_JUMP_MAX_MS}, set(), True),
        ({"updated_at_ms": NOW_MS - CLOCK_JUMP_MAX_MS - 1}, set(), False),
        ({}, {"d1"}, False),
    ],
)
def test_any_deposit_that_may_be_ours_speaks_against_absence(change, taken, expected):
    assert may_have_arrived(SENT, [replace(DEPOSIT, **change)], taken) is expected


@pytest.mark.parametrize(
    ("change", "taken", "expected"),
    [
        ({}, set(), True),
        ({"amount": D("1.3")}, set(), False),
        ({"address": "0xdef"}, set(), False),
        ({"client_transfer_id": "of somebody else"}, set(), False),
        ({"status": VenueTransferStatus.FAILED}, set(), False),
        ({"updated_at_ms": None}, set(), True),
        ({"updated_at_ms": NOW_MS - CLOCK_JUMP_MAX_MS}, set(), True),
        ({"updated_at_ms": NOW_MS - CLOCK_JUMP_MAX_MS - 1}, set(), False),
        ({}, {"w1"}, False),
    ],
)
def test_any_withdrawal_that_may_be_ours_speaks_against_absence(change, taken, expected):
    assert may_have_left(SENT, [replace(RECORD, **change)], taken) is expected


ids = st.sampled_from(["w1", "w2", "w3"])
records = st.builds(
    VenueTransfer,
    venue_transfer_id=ids,
    asset=st.just("BTC"),
    amount=st.sampled_from([D("1.3"), D("1.4"), D("1.5")]),
    fee=st.sampled_from([None, D("0.1")]),
    status=st.sampled_from(VenueTransferStatus),
    client_transfer_id=st.sampled_from([None, "ours", "other"]),
    tx_id=st.sampled_from([None, "0xFEED", "beef"]),
    address=st.sampled_from([None, "0xabc", "0xdef"]),
    updated_at_ms=st.sampled_from([None, NOW_MS - 10 * CLOCK_SKEW_MAX_MS, NOW_MS]),
)


@given(rows=st.lists(records, max_size=6), taken=st.sets(ids))
def test_what_is_found_bears_our_id_or_is_free_and_alike(rows, taken):
    found = find_withdrawal(SENT, rows, taken)

    ours = [row for row in rows if row.client_transfer_id == "ours"]
    if ours:
        assert found == ours[0]
    else:
        alike = [
            row
            for row in rows
            if row.venue_transfer_id not in taken
            and row.client_transfer_id is None
            and row.address in {None, "0xabc"}
            and (row.amount == D("1.5") or (row.amount == D("1.4") and row.fee == D("0.1")))
            and row.updated_at_ms in {None, NOW_MS}
        ]
        assert found == (alike[0] if alike else None)
