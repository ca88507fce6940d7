"""What clients say and what they are told, as JSON text; ``docs/websocket.md`` describes it."""

from dataclasses import dataclass
from typing import Any, Final

import orjson
from django.utils.translation import gettext as _

from arbplatform.core.errors import ArbError
from arbplatform.push.errors import MalformedMessage
from arbplatform.push.topics import NAME_MAX
from arbplatform.wording import render

MESSAGE_MAX: Final = 65_536
"""Length of a client's message [characters]."""
TOPICS_PER_MESSAGE_MAX: Final = 500
ID_MAX: Final = 64
TOKEN_MAX: Final = 256
OPS: Final = ("subscribe", "unsubscribe", "login", "ping")
HEARTBEAT: Final = "heartbeat"


@dataclass(frozen=True, slots=True)
class Command:
    """What a client asks for.

    Attributes:
        op: one of ``OPS``.
        topics: names, for ``subscribe`` and ``unsubscribe``.
        token: for ``login``; never to be logged or answered.
        id: the client's own name of the message, given back with the answer.
    """

    op: str
    topics: tuple[str, ...] = ()
    token: str = ""
    id: str | int | None = None

    def __repr__(self) -> str:
        """Return what may be written into a log."""
        return f"Command(op={self.op!r}, topics={self.topics!r}, id={self.id!r})"


def parse_command(text: str) -> Command:
    """Return what a client asks for.

    Raises:
        MalformedMessage: nobody can tell.
    """
    if len(text) > MESSAGE_MAX:
        raise MalformedMessage(
            cause=_("it is longer than {limit} characters").format(limit=MESSAGE_MAX)
        )
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise MalformedMessage(cause=_("it is no JSON")) from None
    if not isinstance(message, dict):
        raise MalformedMessage(cause=_("it is no JSON object"))
    name = message.get("id")
    if name is not None and not _is_name(name):
        raise MalformedMessage(
            cause=_("id is no number and no text of at most {limit} characters").format(
                limit=ID_MAX
            )
        )
    op = message.get("op")
    if op not in OPS:
        raise MalformedMessage(cause=_("op is none of {names}").format(names=", ".join(OPS)))
    if op == "login":
        return Command(op, token=_parse_token(message.get("token")), id=name)
    topics = _parse_topics(message.get("topics")) if op.endswith("subscribe") else ()
    return Command(op, topics=topics, id=name)


def answer(data: Any, name: str | int | None = None) -> str:
    """Return a good answer.

    Args:
        data: what was asked for.
        name: the client's name of the question.
    """
    return _write({"code": 0, "msg": "success", "data": data}, name)


def refusal(error: ArbError, name: str | int | None = None) -> str:
    """Return an answer that says what was wrong, in the active language."""
    return _write({"code": error.code, "msg": render(error.message), "data": None}, name)


def heartbeat(*, at_ms: int, is_live: bool, dropped: int) -> str:
    """Return the sign of life.

    Args:
        at_ms: our time [ms since epoch].
        is_live: whether what is published reaches this process.
        dropped: messages that this client was too slow for, since it connected.
    """
    data = {"is_live": is_live, "dropped": dropped}
    return orjson.dumps({"topic": HEARTBEAT, "at_ms": at_ms, "data": data}).decode()


def _write(body: dict[str, Any], name: str | int | None) -> str:
    return orjson.dumps(body if name is None else {**body, "id": name}).decode()


def _is_name(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, str) and len(value) <= ID_MAX)


def _parse_token(value: object) -> str:
    if isinstance(value, str) and len(value) <= TOKEN_MAX and value.isalnum() and value.isascii():
        return value
    raise MalformedMessage(cause=_("token is no token"))


def _parse_topics(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or len(value) > TOPICS_PER_MESSAGE_MAX:
        raise MalformedMessage(
            cause=_("topics is no list of 1 to {limit} names").format(limit=TOPICS_PER_MESSAGE_MAX)
        )
    if not all(isinstance(name, str) and len(name) <= NAME_MAX for name in value):
        raise MalformedMessage(
            cause=_("a topic is no text of at most {limit} characters").format(limit=NAME_MAX)
        )
    return tuple(dict.fromkeys(value))
