"""Makes a database ready for the platform: reachable, migrated, with somebody who may log in."""

import secrets
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection

from arbplatform.core.errors import ArbError
from arbplatform.management.errors import DatabaseUnusable, RedisUnusable

ADMIN_NAME = "admin"
PASSWORD_BYTES = 12


@dataclass(frozen=True, slots=True)
class Administrator:
    """Somebody who may do everything.

    Attributes:
        username: their name.
        password: the one that was generated just now; empty when it is known already.
    """

    username: str
    password: str = field(default="", repr=False)


def check_database() -> None:
    """Refuse to go on without a database.

    Raises:
        DatabaseUnusable: it cannot be reached or refuses us; the sentence holds no password.
    """
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        raise _refusal_of_database(error) from None


def check_redis() -> None:
    """Refuse to go on without the server that carries the tasks.

    Raises:
        RedisUnusable: it does not answer; the sentence holds no password.
    """
    parts = urlsplit(settings.REDIS_URL)
    try:
        with closing(redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5)) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise RedisUnusable(
            address=f"{parts.hostname}:{parts.port}" if parts.hostname else parts.path,
            reason=_first_line(error, parts.password),
        ) from None


def migrate_database() -> None:
    """Bring the schema up to date.

    Raises:
        DatabaseUnusable: it goes away meanwhile, is locked, or has no room.
    """
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except OperationalError as error:
        raise _refusal_of_database(error) from error


def ensure_administrator(password: str = "") -> Administrator:
    """Make the first administrator, unless there is one.

    Args:
        password: theirs; one is generated when it is empty.
    """
    users = get_user_model().objects
    present = users.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if present is not None:
        return Administrator(present.get_username())
    generated = "" if password else secrets.token_urlsafe(PASSWORD_BYTES)
    users.create_superuser(ADMIN_NAME, password=password or generated)
    return Administrator(ADMIN_NAME, generated)


def to_report(error: ArbError) -> dict[str, object]:
    """Return a refusal as the supervisor takes it, to be told in the terminal's language."""
    context = {name: str(value) for name, value in error.message.context.items()}
    told = {"code": error.code, "template": error.message.template, "context": context}
    return {"error": told}


def describe_database() -> str:
    """Return where the database is, without the password."""
    config = connection.settings_dict
    if connection.vendor == "sqlite":
        return str(config["NAME"])
    host = config["HOST"] or config.get("OPTIONS", {}).get("host", "")
    port = f":{config['PORT']}" if config["PORT"] else ""
    return f"{connection.vendor}://{config['USER']}@{host}{port}/{config['NAME']}"


def _refusal_of_database(error: DatabaseError) -> DatabaseUnusable:
    return DatabaseUnusable(
        address=describe_database(),
        reason=_first_line(error, connection.settings_dict.get("PASSWORD")),
    )


def _first_line(error: Exception, password: str | None) -> str:
    """Return what a driver says, shortened, with the password taken out should it be there."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = lines[0].strip().rstrip(".")
    return text.replace(password, "***") if password else text
