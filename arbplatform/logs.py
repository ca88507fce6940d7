"""How log lines look, and that no secret gets into them.

Redaction works on the finished text, tracebacks included: whatever a library or a person puts
into a message has to pass here.
"""

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

MASK: Final = "***"

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the web request that the present code serves."""
task_id: ContextVar[str] = ContextVar("task_id", default="")
"""Id of the background task that the present code serves."""

_NAMES: Final = (
    r"[\w-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|apikey|encryption[_-]?key|signature|credential)"
    r"[\w-]*|authorization|cookie|sessionid|csrfmiddlewaretoken|x-mbx-apikey"
    r"|(?:ok-access|bx|kc-api)-[\w-]+"
)
# name=value, name: value, "name": "value", 'name': b'value', and "Authorization: Token value"
_PAIR: Final = re.compile(
    rf"(?i)(?P<name>['\"]?\b(?:{_NAMES})['\"]?\s*(?:=>|[:=])\s*)"
    r"(?P<value>(?:token|bearer|basic)\s+[^\s'\",;]+|b?'[^']*'|b?\"[^\"]*\"|[^\s'\"&,;)}\]]+)"
)
_URL_LOGIN: Final = re.compile(r"(?P<scheme>\w+://[^\s:/@]*):[^\s@/]+@")
_FERNET: Final = re.compile(r"gAAAA[\w-]{60,}={0,2}")


def redact(text: str) -> str:
    """Return ``text`` with everything masked that looks like a secret.

    Values of names such as ``api_secret`` or ``signature``, authorization headers, passwords in
    URLs, and encrypted columns.
    """
    text = _PAIR.sub(lambda match: match["name"] + MASK, text)
    text = _URL_LOGIN.sub(lambda match: f"{match['scheme']}:{MASK}@", text)
    return _FERNET.sub(MASK, text)


class LineFormatter(logging.Formatter):
    """One readable line per record, with the ids of the request or task it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished, redacted text."""
        ids = " ".join(
            f"{name}={value}"
            for name, value in (("request", request_id.get()), ("task", task_id.get()))
            if value
        )
        record.ids = f"[{ids}] " if ids else ""
        return redact(super().format(record))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the record's time in UTC."""
        return datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds")


class JsonFormatter(logging.Formatter):
    """One JSON object per record, for log collectors."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished, redacted text."""
        fields = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
            "request_id": request_id.get(),
            "task_id": task_id.get(),
            "process": record.process,
        }
        if record.exc_info:
            fields["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(
            {name: value for name, value in fields.items() if value}, ensure_ascii=False
        )
