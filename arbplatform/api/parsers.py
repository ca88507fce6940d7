"""Reads JSON bodies, and refuses those that a database could not keep."""

import codecs
import json
import math
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext
from rest_framework.parsers import JSONParser

from arbplatform.api.errors import BodyTooLarge, MalformedBody

VALUES_MAX = 100_000
"""Values in one body; far above what any address takes."""


class StrictJSONParser(JSONParser):
    """JSON without the things that would only crash later, on their way into a column.

    Those are numbers beyond a float's range, the NUL character, and halves of surrogate pairs.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the decoded body.

        Raises:
            MalformedBody: it is not JSON, or not JSON that can be stored.
            BodyTooLarge: it is longer than Django reads of a form.
        """
        encoding = (parser_context or {}).get("encoding", settings.DEFAULT_CHARSET)
        sent = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(sent) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise BodyTooLarge
        try:
            body = json.loads(
                codecs.decode(sent, encoding),
                parse_float=_finite,
                parse_constant=_refuse_constant,
            )
        except RecursionError:
            raise MalformedBody(cause=gettext("it is nested too deeply")) from None
        except (ValueError, LookupError) as error:
            raise MalformedBody(cause=str(error)) from None
        if body is None:  # DRF would answer in English whatever the reader's language is
            raise MalformedBody(cause=gettext("it is no JSON object"))
        _refuse_unstorable(body)
        return body


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(gettext("a number is out of range"))
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name}")


def _refuse_unstorable(body: object) -> None:
    pending = [body]
    for _ in range(VALUES_MAX):
        if not pending:
            return
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.keys())
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, str) and not _is_storable(value):
            raise MalformedBody(
                cause=gettext("a text contains a NUL character or half a surrogate pair")
            )
    raise MalformedBody(cause=gettext("it holds too many values"))


def _is_storable(text: str) -> bool:
    return (text.isascii() and "\0" not in text) or not any(
        char == "\0" or "\ud800" <= char <= "\udfff" for char in text
    )
