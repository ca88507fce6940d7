"""How log lines look, and that no secret gets into them.

Redaction works on the finished text, tracebacks included: whatever a library or a person puts
into a message has to pass here; what Python would print by itself does, too.
"""

import json
import logging
import sys
import threading
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType

from arbplatform.core.masking import redact

logger = logging.getLogger(__name__)

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the web request that the present code serves."""
task_id: ContextVar[str] = ContextVar("task_id", default="")
"""Id of the background task that the present code serves."""


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


class RefusalFilter(logging.Filter):
    """Takes the traceback off what says that a person may not do something: that is no fault."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass; one of a 403 without the traceback."""
        if getattr(record, "status_code", None) == HTTPStatus.FORBIDDEN:
            record.exc_info = record.exc_text = None
        return True


def install_hooks() -> None:
    """Mask what Python prints of errors that nobody has caught, in every thread.

    Hooks of others, for instance those of a test runner, are left alone.
    """
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _print_error
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _log_crash
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _log_unraisable


def _print_error(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))


def _log_crash(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is None or isinstance(crash.exc_value, SystemExit):
        return
    name = crash.thread.name if crash.thread else ""
    logger.error("The thread %s has crashed", name, exc_info=crash.exc_value)


def _log_unraisable(failure: "sys.UnraisableHookArgs") -> None:
    what = failure.err_msg or "Exception ignored in"
    logger.error("%s: %r", what, failure.object, exc_info=failure.exc_value)
