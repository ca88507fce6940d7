"""Which networks lead from one venue to another, and what can travel on them."""

from decimal import Decimal as D

import pytest

from accounts.domain.addresses import is_same_place
from accounts.domain.routes import Side, check_open, check_size, choose_way, list_ways, names_of
from accounts.errors import InvalidTransfer, NetworkSuspended
from markets.domain.funds import NetworkState


def state(name, **changes):
    values = {"can_deposit": True, "can_withdraw": True} | changes
    return NetworkState(name, **values)


def side(venue, *states):
    return Side(venue, names_of(states), states or None, is_simulated=True)


def test_only_networks_that_both_venues_list_are_ways():
    ways = list_ways(
        side("a", state("TRC20"), state("ERC20")), side("b", state("Tron"), state("BSC"))
    )

    assert [(way.network, way.source_name, way.target_name) for way in ways] == [
        ("TRX", "TRC20", "Tron")
    ]


def test_the_only_way_is_taken_without_being_named():
    way = choose_way(side("a", state("BTC")), side("b", state("BTC")), wanted="", asset="BTC")

    assert (way.network, way.is_open) == ("BTC", True)


def test_two_venues_that_say_nothing_use_their_default():
    way = choose_way(side("a"), side("b"), wanted="", asset="BTC")

    assert (way.network, way.source_name, way.is_open, way.fee) == ("", None, True, None)


@pytest.mark.parametrize("told", [None, True])
def test_a_venue_that_does_not_tell_does_not_close_a_network(told):
    source, target = side("a", state("BTC", can_withdraw=told)), side("b", state("BTC"))

    check_open(list_ways(source, target)[0], source, target, asset="BTC")


def test_if_nothing_else_is_open_that_is_said():
    source, target = side("a", state("BTC", can_withdraw=False)), side("b", state("BTC"))

    with pytest.raises(NetworkSuspended, match="No other network is open"):
        check_open(list_ways(source, target)[0], source, target, asset="BTC")


@pytest.mark.parametrize(
    ("amount", "complaint"),
    [
        ("0.001", None),
        ("0.0009", "at least 0.001 BTC"),
        ("0.0010001", "multiples of 0.000001"),
    ],
)
def test_the_sending_venue_bounds_the_amount(amount, complaint):
    limits = {"fee": D("0.0001"), "withdraw_min": D("0.001"), "withdraw_step": D("0.000001")}
    way = list_ways(side("a", state("BTC", **limits)), side("b", state("BTC")))[0]

    if complaint is None:
        check_size(way, amount=D(amount), asset="BTC")
    else:
        with pytest.raises(InvalidTransfer, match=complaint):
            check_size(way, amount=D(amount), asset="BTC")


def test_what_the_fee_eats_up_does_not_leave():
    way = list_ways(side("a", state("BTC", fee=D(1))), side("b", state("BTC")))[0]

    with pytest.raises(InvalidTransfer, match="leaves nothing"):
        check_size(way, amount=D(1), asset="BTC")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("0xAbC", ""), ("0xabc", ""), True),
        (("1abc", ""), ("1Abc", ""), False),
        (("1abc", "1"), ("1abc", "2"), False),
        (("1abc", ""), ("1abc ", ""), False),
    ],
)
def test_addresses_are_one_only_to_the_letter(one, other, expected):
    assert is_same_place(one, other) is expected
