"""Why a strategy failed: a sentence that is kept so that each reader gets it in their language."""

from dataclasses import dataclass
from typing import Final

from arbplatform.core.errors import ArbError, Message
from arbplatform.core.masking import redact
from arbplatform.core.sentences import message_from_json
from arbplatform.core.texts import one_line
from arbplatform.persistence.sentences import keep_document

ERROR_LENGTH_MAX: Final = 2000


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong.

    Attributes:
        message: for people, still to be translated.
        code: of one of our own errors; None: of one that nobody foresaw.
    """

    message: Message
    code: int | None = None


def explain(error: Exception) -> Failure:
    """Return what is kept of an error: the sentence of one of our own, else its kind and text.

    Plugins and venues may say anything: what is too long is cut, and then stays as they said it.
    What looks like a secret is masked.
    """
    if not isinstance(error, ArbError):
        return Failure(Message(_cut(f"{type(error).__name__}: {error}")))
    text = str(error.message)
    if len(text) > ERROR_LENGTH_MAX:
        return Failure(Message(_cut(text)), error.code)
    return Failure(message_from_json(keep_document(error.message)), error.code)


def _cut(text: str) -> str:
    return one_line(redact(text))[:ERROR_LENGTH_MAX]
