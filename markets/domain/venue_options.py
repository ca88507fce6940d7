"""What of a venue's options nobody is to read: credentials, and the passwords of proxies.

Options go to ccxt as they are. Credentials belong to accounts, where they are encrypted, and are
refused at any depth; rows from before are used as they are. A proxy's password has no other place:
it is kept, and masked wherever options are shown. So is one in a venue's origins, of which no new
one is taken.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from arbplatform.core.masking import MASK

SECRET_NAMES: Final = frozenset(
    {
        *("apikey", "apisecret", "secret", "secretkey", "password", "passphrase", "uid"),
        *("privatekey", "walletaddress", "token", "accesstoken", "authorization"),
        "proxyauthorization",
    }
)
"""Names of credentials, of ccxt's or of headers, in lower case and without ``-`` and ``_``."""
COINS_BY_NAME: Final = "commonCurrencies"
"""An option whose keys are coins: some of them are called as credentials are."""

_LOGIN: Final = re.compile(r"(?P<before>^(?:\w+://)?[^\s:/@]*:)(?P<password>[^\s]+)(?=@)")


def find_credentials(options: Mapping[str, Any]) -> list[str]:
    """Return the dotted names of the credentials among ``options``, sorted."""
    return sorted(name for name, _value in _credentials_in(options))


def list_secrets(options: Any) -> list[str]:
    """Return every value among ``options`` that nobody is to read."""
    credentials = [str(value) for _name, value in _credentials_in(options)]
    logins = (_LOGIN.match(text) for text in _texts_in(options))
    return credentials + [login["password"] for login in logins if login]


def mask_options(options: Any) -> Any:
    """Return ``options`` as they may be shown."""
    return _mask(options, is_secret=False)


def unmask_options(shown: Any, kept: Any) -> Any:
    """Return options with what a person has left masked as it is kept.

    Args:
        shown: options as somebody sends them back.
        kept: the options that were shown masked.
    """
    return _unmask(shown, kept, mask_options(kept))


def has_mask(options: Mapping[str, Any]) -> bool:
    """Return whether a mask stands where a password would be."""
    return MASK in list_secrets(options)


def _credentials_in(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            below = (*path, str(name))
            if _is_credential(name, part, is_nested=bool(path)):
                yield ".".join(below), part
            elif name != COINS_BY_NAME:
                yield from _credentials_in(part, below)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _credentials_in(part, (*path, str(number)))


def _is_credential(name: object, value: Any, *, is_nested: bool) -> bool:
    """Say so of a name; below the top, ``{"uid": True}`` says only what a class asks for."""
    is_named = re.sub(r"[-_]", "", str(name)).lower() in SECRET_NAMES
    return is_named and (not is_nested or (isinstance(value, str) and value != ""))


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts_in(part)


def _mask(value: Any, *, is_secret: bool, is_nested: bool = False) -> Any:
    if is_secret:
        return MASK
    if isinstance(value, str):
        return _LOGIN.sub(rf"\g<before>{MASK}", value)
    if isinstance(value, Mapping):
        return {
            name: part
            if name == COINS_BY_NAME
            else _mask(
                part, is_secret=_is_credential(name, part, is_nested=is_nested), is_nested=True
            )
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_mask(part, is_secret=False, is_nested=True) for part in value]
    return value


def _unmask(shown: Any, kept: Any, masked: Any) -> Any:
    if shown == masked:
        return kept
    if isinstance(shown, Mapping) and isinstance(kept, Mapping):
        return {
            name: _unmask(part, kept[name], masked[name]) if name in kept else part
            for name, part in shown.items()
        }
    return shown
