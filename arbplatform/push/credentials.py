"""Who is behind a connection, and whether that still holds."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.utils.crypto import constant_time_compare
from knox.auth import TokenAuthentication
from knox.models import AuthToken
from rest_framework.exceptions import AuthenticationFailed

from arbplatform.core.clock import Clock
from arbplatform.push.errors import SocketTokenInvalid


class Method(StrEnum):
    """How somebody logged in."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105  a word, no secret


@dataclass(frozen=True, slots=True)
class Credential:
    """What a connection was opened with.

    Attributes:
        method: how somebody logged in.
        key: of the session, or digest of the token; never to be shown.
    """

    method: Method
    key: str

    def __repr__(self) -> str:
        """Return what may be written into a log."""
        return f"Credential({self.method.value})"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is behind a connection.

    Attributes:
        user_id: of the person.
        is_staff: whether they may change things.
        credential: what they came with.
    """

    user_id: int
    is_staff: bool
    credential: Credential


def identify_by_session(user: Any, session: Any) -> Identity | None:
    """Return who is logged in to a session; ``None``: nobody.

    Args:
        user: what Channels found in the session.
        session: the session.
    """
    if user is None or not user.is_authenticated or not session.session_key:
        return None
    return Identity(user.pk, user.is_staff, Credential(Method.SESSION, session.session_key))


def identify_by_token(token: str) -> Identity:
    """Return whose token it is.

    Raises:
        SocketTokenInvalid: unknown, expired or revoked.
    """
    if not token.isalnum() or not token.isascii():
        raise SocketTokenInvalid
    try:
        user, row = TokenAuthentication().authenticate_credentials(token.encode())
    except AuthenticationFailed:
        raise SocketTokenInvalid from None
    return Identity(user.pk, user.is_staff, Credential(Method.TOKEN, row.digest))


def select_valid(credentials: Collection[Credential], *, clock: Clock) -> set[Credential]:
    """Return those credentials that still let their person in, by a few queries for all.

    Args:
        credentials: of the connections there are.
        clock: tells what has expired.
    """
    tokens = [each.key for each in credentials if each.method is Method.TOKEN]
    sessions = [each.key for each in credentials if each.method is Method.SESSION]
    valid = {Credential(Method.TOKEN, key) for key in _valid_tokens(tokens, clock)}
    return valid | {Credential(Method.SESSION, key) for key in _valid_sessions(sessions, clock)}


def _valid_tokens(digests: Collection[str], clock: Clock) -> list[str]:
    if not digests:
        return []
    alive = Q(expiry__isnull=True) | Q(expiry__gt=clock.now())
    rows = AuthToken.objects.filter(alive, digest__in=digests, user__is_active=True)
    return list(rows.values_list("digest", flat=True))


def _valid_sessions(keys: Collection[str], clock: Clock) -> list[str]:
    if not keys:
        return []
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=clock.now())
    contents = {row.session_key: store.decode(row.session_data) for row in rows}
    ids = {content[SESSION_KEY] for content in contents.values() if SESSION_KEY in content}
    people = {
        str(user.pk): user for user in get_user_model().objects.filter(pk__in=ids, is_active=True)
    }
    return [
        key
        for key, content in contents.items()
        if _lets_in(content, people.get(str(content.get(SESSION_KEY))))
    ]


def _lets_in(content: dict[str, Any], user: Any) -> bool:
    """Return whether a session is of this user and not from before a change of password."""
    if user is None or content.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return False
    known = content.get(HASH_SESSION_KEY, "")
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(known, each) for each in hashes)
