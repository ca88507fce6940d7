"""The services that carry notices: what each takes, and how it says that it has taken it. Pure.

Most chat robots answer 200 to what they refuse and put the refusal into the body: a status alone
proves nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from arbplatform.notices.rules import Severity

HTTP_OK: Final = range(200, 300)
ELLIPSIS: Final = "…"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message on its way.

    Attributes:
        text: what it says.
        severity: of the gravest notice in it.
    """

    text: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class Robot:
    """A service that takes messages at an address.

    Attributes:
        name: one word, kept with the channel.
        title: for people.
        hosts: whose addresses are its own; none: any other's.
        bytes_max: longest text that it takes [bytes of UTF-8].
        write: makes the body of a request of a letter and the parameters of the address.
        fields: of the answer, the first of which that is there says whether it was taken; none:
            the status says it.
        accepted: the value that says yes.
    """

    name: str
    title: str
    hosts: tuple[str, ...]
    bytes_max: int
    write: Callable[[Letter, Mapping[str, str]], dict[str, Any]]
    fields: tuple[str, ...] = ()
    accepted: object = None

    def find_refusal(self, status: int, body: str) -> str | None:
        """Return the service's own code of its refusal; None if it took the message.

        Args:
            status: of the answer.
            body: of the answer.
        """
        answer = _read(body)
        code = next((answer[name] for name in self.fields if name in answer), None)
        if status in HTTP_OK and (not self.fields or code == self.accepted):
            return None
        return str(code)[:20] if isinstance(code, int) and not isinstance(code, bool) else "-"

    def write_body(self, letter: Letter, address: str) -> bytes:
        """Return the body of the request that brings a letter."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        fitting = Letter(cut(letter.text, self.bytes_max), letter.severity)
        return json.dumps(self.write(fitting, query), ensure_ascii=False).encode()


def find_robot(address: str) -> Robot:
    """Return the service that an address belongs to."""
    host = urlsplit(address).hostname or ""
    return next((robot for robot in ROBOTS if host in robot.hosts), WEBHOOK)


def cut(text: str, bytes_max: int) -> str:
    """Return as much of ``text`` as fits into so many bytes of UTF-8, and a mark where it ends.

    >>> cut("abcdef", 6), cut("abcdef", 5), cut("套利机会", 10)
    ('abcdef', 'ab…', '套利…')
    """
    whole = text.encode()
    if len(whole) <= bytes_max:
        return text
    room = bytes_max - len(ELLIPSIS.encode())
    return whole[:room].decode(errors="ignore") + ELLIPSIS


def _read(body: str) -> Mapping[str, object]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _write_webhook(letter: Letter, _query: Mapping[str, str]) -> dict[str, Any]:
    return {"text": letter.text, "severity": letter.severity.name.lower()}


def _write_text(letter: Letter, _query: Mapping[str, str]) -> dict[str, Any]:
    return {"msgtype": "text", "text": {"content": letter.text}}


def _write_feishu(letter: Letter, _query: Mapping[str, str]) -> dict[str, Any]:
    # it would read <at user_id="all"> as a call to everybody, and knows no escape
    return {"msg_type": "text", "content": {"text": letter.text.replace("<", "＜")}}


def _write_telegram(letter: Letter, query: Mapping[str, str]) -> dict[str, Any]:
    return {"chat_id": query.get("chat_id", ""), "text": letter.text}


def _write_slack(letter: Letter, _query: Mapping[str, str]) -> dict[str, Any]:
    return {"text": escape(letter.text, quote=False)}  # <!channel> would call everybody


def _write_discord(letter: Letter, _query: Mapping[str, str]) -> dict[str, Any]:
    return {"content": letter.text, "allowed_mentions": {"parse": []}}


TELEGRAM: Final = Robot(
    "telegram",
    "Telegram",
    ("api.telegram.org",),
    4_000,
    _write_telegram,
    fields=("ok",),
    accepted=True,
)
ROBOTS: Final = (
    Robot(
        "dingtalk",
        "DingTalk",
        ("oapi.dingtalk.com",),
        15_000,
        _write_text,
        fields=("errcode",),
        accepted=0,
    ),
    Robot(
        "feishu",
        "Feishu",
        ("open.feishu.cn", "open.larksuite.com"),
        15_000,
        _write_feishu,
        fields=("code", "StatusCode"),
        accepted=0,
    ),
    Robot(
        "wecom",
        "WeCom",
        ("qyapi.weixin.qq.com",),
        2_000,
        _write_text,
        fields=("errcode",),
        accepted=0,
    ),
    TELEGRAM,
    Robot("slack", "Slack", ("hooks.slack.com",), 15_000, _write_slack),
    Robot("discord", "Discord", ("discord.com", "discordapp.com"), 2_000, _write_discord),
)
WEBHOOK: Final = Robot("webhook", "Webhook", (), 15_000, _write_webhook)
"""Any other address: it gets the text and its severity as JSON, and its status is believed."""
