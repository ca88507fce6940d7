"""Identifiers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.core.ids import (
    CLIENT_ID_LENGTH,
    INSTALL_ID_LENGTH,
    derive_client_id,
    is_own_client_id,
    new_install_id,
)

PARTS = st.lists(st.integers(0, 10**9) | st.text("abcz0189", max_size=8), min_size=1, max_size=4)


def test_install_ids_are_short_plain_and_different():
    ids = {new_install_id() for _ in range(50)}

    assert len(ids) > 45
    assert all(re.fullmatch(rf"[0-9a-z]{{{INSTALL_ID_LENGTH}}}", name) for name in ids)


@given(PARTS)
def test_a_client_id_is_always_the_same_and_every_venue_takes_it(parts):
    first = derive_client_id("abcde", *parts)

    assert first == derive_client_id("abcde", *parts)
    assert re.fullmatch(rf"arbabcde[0-9a-z]{{{CLIENT_ID_LENGTH - 8}}}", first)


@pytest.mark.parametrize(
    ("parts", "client_id"),
    [
        (("order", 1, 0, 0), "arbabcdeou62nz4m6u8iqxyl"),
        (("order", 12345, 1, 0), "arbabcde436jxbq3ja1oima8"),
        (("order", 987654321, 1, 2), "arbabcdeb5uezqarwuadbpl0"),
    ],
)
def test_a_version_to_come_finds_what_this_one_has_sent(parts, client_id):
    assert derive_client_id("abcde", *parts) == client_id


@pytest.mark.parametrize("name", ["ABC12", "aBc12"])
def test_an_installation_with_capitals_knows_its_own_orders_and_nobody_elses(name):
    own = derive_client_id(name, "order", 1)

    assert re.fullmatch(rf"arb{name}[0-9a-z]{{{CLIENT_ID_LENGTH - 8}}}", own)
    assert is_own_client_id(own, name)
    assert not is_own_client_id(own, "abc12")
    assert not is_own_client_id(derive_client_id("abc12", "order", 1), name)


@given(PARTS, PARTS)
def test_different_parts_have_different_client_ids(left, right):
    is_same = [str(part) for part in left] == [str(part) for part in right]

    assert (derive_client_id("abcde", *left) == derive_client_id("abcde", *right)) == is_same


def test_joined_parts_do_not_collide():
    assert derive_client_id("abcde", "order", 1, 23) != derive_client_id("abcde", "order", 12, 3)


def test_an_own_client_id_is_told_from_those_of_others():
    own = derive_client_id("abcde", "order", 1)

    assert is_own_client_id(own, "abcde")
    assert not is_own_client_id(own, "zzzzz")
    assert not is_own_client_id(own + "0", "abcde")
    assert not is_own_client_id("x-" + own[2:], "abcde")
