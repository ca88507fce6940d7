"""Masks secrets in texts: those that this process has read, and whatever looks like one.

What is known is masked wherever it stands: a venue may repeat a key in a sentence that names no
key, and an exception in anything. Nothing but its look tells the rest: a value beside a telling
name, the password of an address, an encrypted column.
"""

import json
import re
from collections.abc import Iterator
from threading import Lock
from typing import Final
from urllib.parse import quote

MASK: Final = "***"

KNOWN_LENGTH_MIN: Final = 8
"""Shorter secrets, and mere words and numbers of less than twice that, are masked only where they
look like secrets: everywhere else they would blacken what is none."""
PIECE_LENGTH_MIN: Final = 16
"""Parts of addresses and lines of keys that are so long are secret by themselves."""
KNOWN_MAX: Final = 5_000
"""Secrets that are remembered; beyond, the oldest are forgotten."""

_TELLING: Final = (
    *("key", "pass", "secret", "token", "sign", "credential", "authorization", "cookie", "session"),
    *("ok-access-", "bx-", "kc-api-"),
)
"""In a text without any of these no name tells of a secret."""

_NAMES: Final = (
    r"(?:password|passwd|passphrase|secret|token|signature|credential"
    r"|(?:api|access|encryption|private|listen)[_-]?key|\b(?:ok-access|bx|kc-api)-)[\w-]{0,40}"
    r"|authorization|cookie|sessionid|-sign"
)
# a sentence goes on after the secret, in any language: its full stop is no part of it
_BARE: Final = r"[^\s'\"&,;)}\]。，；：！？、）】」]*[^\s'\"&,;)}\]。，；：！？、）】」.:!?…]"
# name=value, name: value, "name": "value", 'name': b'value', and "Authorization: Token value";
# a quote may stand escaped, in JSON within JSON, and its end be missing in a text that was cut
_PAIR: Final = re.compile(
    rf"(?is)(?P<name>(?:{_NAMES})\\*['\"]?\s*(?:=>|[:=]|%3[ad])\s*)"
    rf"(?:(?:token|bearer|basic)\s+{_BARE}"
    rf"|b?'(?:[^'\\]|\\.)*'?|b?\"(?:[^\"\\]|\\.)*\"?|\\+['\"][^'\"\\]*|{_BARE})"
)
# a password may hold any of the signs that end it in a proper address; what is no port is one
_URL_LOGIN: Final = re.compile(r"(?P<scheme>\w{1,20}://[^\s:/@]*):(?!\d{1,5}(?:[/?#]|$))[^\s'\"]+@")
_FERNET: Final = re.compile(r"gAAAA[\w-]{60,}={0,2}")
_ORIGIN: Final = re.compile(r"\w+://[^/?#]*")
_PLAIN: Final = re.compile(r"[\w-]+")
_ENDS_OF_PIECES: Final = re.compile(r"[\s/?&=:#]+")


class _Known:
    """The secrets that this process has read; used by all threads.

    Only long words are looked at, in windows of ``KNOWN_LENGTH_MIN`` characters: so ordinary
    sentences take microseconds, and with a thousand secrets no longer than with one.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_head: dict[str, set[str]] = {}
        self.secrets: dict[str, None] = {}

    def add(self, secret: str) -> None:
        with self._lock:
            self.secrets[secret] = None
            for text in _spellings_of(secret):
                self._by_head.setdefault(_head_of(text), set()).add(text)
            if len(self.secrets) > KNOWN_MAX:
                self._forget(next(iter(self.secrets)))

    def clear(self) -> None:
        with self._lock:
            self._by_head.clear()
            self.secrets.clear()

    def mask(self, text: str) -> str:
        heads = self._by_head.keys()
        if all(heads.isdisjoint(_windows_of(word)) for word in text.split()):
            return text
        with self._lock:
            found = {head for word in text.split() for head in heads & _windows_of(word)}
            known = {spelling for head in found for spelling in self._by_head[head]}
        for spelling in sorted(known, key=len, reverse=True):
            # JSON may escape a slash, and stand within JSON, which escapes that again
            text = re.sub(re.escape(spelling).replace("/", r"\\*/"), MASK, text)
        return text

    def _forget(self, secret: str) -> None:
        del self.secrets[secret]
        for text in _spellings_of(secret):
            head = _head_of(text)
            spellings = self._by_head.get(head, set())
            spellings.discard(text)
            if not spellings:
                self._by_head.pop(head, None)


_KNOWN = _Known()


def know_secret(secret: str) -> None:
    """Mask a text from now on in everything that this process logs, keeps or tells.

    It is remembered as it is, in the memory of a process that has it anyway.

    Args:
        secret: a key, a password, an address that lets in whoever has it.
    """
    if secret not in _KNOWN.secrets:
        _KNOWN.add(str(secret))


def forget_secrets() -> None:
    """Know no secret any more: the next test has others."""
    _KNOWN.clear()


def redact(text: str) -> str:
    """Return ``text`` with every secret masked that is known, or looks like one.

    Values of names such as ``api_secret`` or ``signature``, authorization headers, passwords in
    URLs, and encrypted columns.
    """
    text = _KNOWN.mask(text)
    if _tells(text.lower()):
        text = _PAIR.sub(lambda match: match["name"] + MASK, text)
    if "://" in text:
        text = _URL_LOGIN.sub(lambda match: f"{match['scheme']}:{MASK}@", text)
    return _FERNET.sub(MASK, text) if "gAAAA" in text else text


def _tells(text: str) -> bool:
    """Return whether names may be in a text: to look for them at every word takes far longer."""
    for word in _TELLING:  # noqa: SIM110  a generator takes four times as long
        if word in text:
            return True
    return False


def _spellings_of(secret: str) -> Iterator[str]:
    """Yield what must not be read of a secret, also as it stands in addresses and in JSON."""
    for text in (secret, *_pieces_of(secret)):
        is_plain = (text.isalpha() or text.isdigit()) and len(text) < 2 * KNOWN_LENGTH_MIN
        if len(_longest_word(text)) >= KNOWN_LENGTH_MIN and not is_plain:
            yield from (text, quote(text), quote(text, safe=""), json.dumps(text)[1:-1])


def _pieces_of(secret: str) -> Iterator[str]:
    """Yield the long parts of an address behind its host, or the lines of a key."""
    if _ORIGIN.match(secret) or "\n" in secret:
        pieces = _ENDS_OF_PIECES.split(_ORIGIN.sub("", secret))
        yield from (piece for piece in pieces if len(piece) >= PIECE_LENGTH_MIN)


def _head_of(spelling: str) -> str:
    """Return where to begin to look: what no way of quoting changes, if it is long enough."""
    plain = max(_PLAIN.findall(spelling), key=len, default="")
    word = plain if len(plain) >= KNOWN_LENGTH_MIN else _longest_word(spelling)
    return word[:KNOWN_LENGTH_MIN]


def _windows_of(word: str) -> list[str]:
    count = len(word) - KNOWN_LENGTH_MIN + 1
    return [word[start : start + KNOWN_LENGTH_MIN] for start in range(count)]


def _longest_word(text: str) -> str:
    return max(text.split(), key=len, default="")
