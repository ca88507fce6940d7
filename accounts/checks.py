"""System checks: a lost encryption key is told at the start, not at the first order."""

from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import connections
from django.utils.translation import gettext

from accounts.models import VenueAccount
from accounts.selectors import count_unreadable_accounts
from arbplatform.core.ids import INSTALL_ID_LENGTH


@register(Tags.security)
def check_encryption_keys(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Refuse a list of keys that cannot encrypt."""
    for position, key in enumerate(settings.FIELD_ENCRYPTION_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            return [
                Error(
                    gettext(
                        "Key number {position} in FIELD_ENCRYPTION_KEYS is not a Fernet key."
                    ).format(position=position),
                    hint=gettext(
                        "`.venv/bin/python -m arbplatform.settings.env` prints a new one; an "
                        "installation that has traded already needs the one it had."
                    ),
                    id="accounts.E001",
                )
            ]
    return []


@register()
def check_install_id(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Refuse a name of this installation by which it would not know its own orders again.

    Capitals pass: ids are compared as they are, and who trades with some must be able to go on.
    """
    install_id = settings.ARB_INSTALL_ID
    if len(install_id) == INSTALL_ID_LENGTH and install_id.isascii() and install_id.isalnum():
        return []
    return [
        Error(
            gettext("ARB_INSTALL_ID has to be {length} letters or digits.").format(
                length=INSTALL_ID_LENGTH
            ),
            hint=gettext("Make one up, and keep it: it is part of every client order id."),
            id="accounts.E002",
        )
    ]


@register(Tags.database)
def check_stored_secrets(
    app_configs: Any, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Warn if the keys do not open what is stored; secrets can be entered again in the console."""
    for alias in databases or ():
        table = VenueAccount._meta.db_table
        if table not in connections[alias].introspection.table_names():
            continue  # before the first migration
        count = count_unreadable_accounts(using=alias)
        if count:
            return [
                CheckWarning(
                    f"The secrets of {count} venue accounts cannot be decrypted with "
                    "FIELD_ENCRYPTION_KEYS.",
                    hint="Put the key that they were saved with back into the list, "
                    "or enter the secrets again.",
                    id="accounts.W001",
                )
            ]
    return []
