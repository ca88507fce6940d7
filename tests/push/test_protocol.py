"""What clients say and what they are told."""

from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.core.errors import NotFound
from arbplatform.push.credentials import Credential, Method
from arbplatform.push.errors import MalformedMessage
from arbplatform.push.outbox import Outbox
from arbplatform.push.protocol import (
    ID_MAX,
    MESSAGE_MAX,
    TOPICS_PER_MESSAGE_MAX,
    Command,
    answer,
    heartbeat,
    parse_command,
    refusal,
)

NAMES = st.one_of(st.none(), st.integers(-(2**53), 2**53), st.text(max_size=ID_MAX))


def dumped(**message):
    return orjson.dumps(message).decode()


@given(NAMES, st.lists(st.text(max_size=60), min_size=1, max_size=20))
def test_what_a_client_says_is_read(name, topics):
    command = parse_command(dumped(op="subscribe", topics=topics, id=name))

    assert command == Command("subscribe", topics=tuple(dict.fromkeys(topics)), id=name)


@given(st.text())
def test_no_text_whatever_is_more_than_malformed(text):
    with suppress(MalformedMessage):
        parse_command(text)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"op": "dance"},
        {"op": "ping", "id": True},
        {"op": "ping", "id": 1.5},
        {"op": "ping", "id": "x" * (ID_MAX + 1)},
        {"op": "ping", "id": []},
        {"op": "subscribe"},
        {"op": "subscribe", "topics": "logs"},
        {"op": "subscribe", "topics": []},
        {"op": "subscribe", "topics": [1]},
        {"op": "subscribe", "topics": ["x" * 121]},
        {"op": "unsubscribe", "topics": ["x"] * (TOPICS_PER_MESSAGE_MAX + 1)},
        {"op": "login"},
        {"op": "login", "token": ""},
        {"op": "login", "token": "with space"},
        {"op": "login", "token": "x" * 257},
        {"op": "login", "token": 7},
    ],
)
def test_what_is_wrong_is_refused(message):
    with pytest.raises(MalformedMessage):
        parse_command(dumped(**message))


def test_what_is_too_long_is_refused_unread():
    with pytest.raises(MalformedMessage, match="longer"):
        parse_command(" " * (MESSAGE_MAX + 1))


def test_neither_a_refusal_nor_a_log_line_repeats_a_secret():
    with pytest.raises(MalformedMessage) as refused:
        parse_command(dumped(op="login", token="pl4nt3d secret"))
    credential = Credential(Method.TOKEN, "pl4nt3d")

    assert "pl4nt3d" not in str(refused.value)
    assert "pl4nt3d" not in repr(Command("login", token="pl4nt3d"))
    assert "pl4nt3d" not in repr(credential)


def test_an_answer_has_the_shape_of_the_api_and_the_name_of_its_question():
    assert orjson.loads(answer({"op": "ping"}, "a")) == {
        "code": 0,
        "msg": "success",
        "data": {"op": "ping"},
        "id": "a",
    }
    assert "id" not in orjson.loads(answer({"op": "ping"}))


def test_a_refusal_has_the_code_of_its_error():
    refused = orjson.loads(refusal(NotFound("No {thing}.", thing="market"), 7))

    assert refused == {"code": 1002, "msg": "No market.", "data": None, "id": 7}


def test_a_sign_of_life_says_whether_messages_come_in():
    assert orjson.loads(heartbeat(at_ms=5, is_live=False, dropped=3)) == {
        "topic": "heartbeat",
        "at_ms": 5,
        "data": {"is_live": False, "dropped": 3},
    }


async def test_an_outbox_keeps_the_order_and_of_a_topic_the_newest():
    outbox = Outbox()
    outbox.put("one")
    outbox.put_newest("ticker", "old")
    outbox.put("two")
    outbox.put_newest("ticker", "new")
    outbox.put_newest("book", "gone")
    outbox.forget("book")

    assert await outbox.take() == ["one", "two", "new"]


async def test_a_full_outbox_drops_its_oldest_and_counts():
    outbox = Outbox(queue_max=2)
    for frame in ("one", "two", "three"):
        outbox.put(frame)

    assert (await outbox.take(), outbox.dropped) == (["two", "three"], 1)
