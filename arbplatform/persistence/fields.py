"""Columns that keep what they are given: exact decimals and encrypted secrets."""

from decimal import Decimal
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from arbplatform.core.decimals import STORED_DECIMAL_PLACES, STORED_DIGITS_MAX
from arbplatform.core.errors import Unavailable
from arbplatform.core.masking import know_secret


class AmountField(models.DecimalField):  # type: ignore[type-arg]
    """An exact decimal of 22 digits before and 18 after the point.

    SQLite's own decimals are 8-byte floats (10000000.00000001 comes back changed), so there the
    column is text with a numeric collation; elsewhere it is a plain NUMERIC. ``Sum`` and ``F()``
    arithmetic are floats on SQLite: use ``ExactSum`` and compute in Python.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", STORED_DIGITS_MAX)
        kwargs.setdefault("decimal_places", STORED_DECIMAL_PLACES)
        super().__init__(*args, **kwargs)

    def get_internal_type(self) -> str:
        """Keep SQLite's float converter, which is chosen by this name, away."""
        return "AmountField"

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """Return the column type of ``connection``'s database."""
        if connection.vendor == "sqlite":
            return "text COLLATE EXACTDEC"
        return f"numeric({self.max_digits}, {self.decimal_places})"

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        """Return ``value`` as the database takes it: on SQLite plain digits."""
        number = self.to_python(value)
        if number is None or connection.vendor != "sqlite":
            return number
        return format(number, "f")

    def from_db_value(
        self, value: Any, expression: Any, connection: BaseDatabaseWrapper
    ) -> Decimal | None:
        """Return the column's content as a decimal without trailing zeros."""
        return None if value is None else trim_zeros(Decimal(value))


def trim_zeros(value: Decimal) -> Decimal:
    """Return an equal decimal without trailing zeros after the point and without exponent."""
    if value == value.to_integral_value():
        return value.quantize(Decimal(1))
    return value.normalize()


class ExactSum(models.Aggregate):
    """Sum of an ``AmountField``, exact on every database; NULL when there are no rows."""

    name = "ExactSum"
    function = "SUM"
    output_field = AmountField()

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        """Use the aggregate that ``sqlite`` registers on every connection."""
        return super().as_sql(compiler, connection, function="exact_sum", **context)


class DocumentField(models.JSONField):
    """JSON that is only ever read as a whole.

    It is kept as text: on PostgreSQL, taking a document apart and packing it as ``jsonb`` takes
    longer than writing the row. So there are no lookups by key.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """Return the column type, the same on every database."""
        return "text"

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        """Return ``value`` as the text that is stored."""
        return None if value is None else to_document(value)

    def get_transform(self, lookup_name: str) -> Any:
        """Refuse lookups by key: databases would answer them differently."""
        return None


def to_document(value: Any) -> str:
    """Return a JSON value as a ``DocumentField`` stores it."""
    return orjson.dumps(value).decode()


class Secret(str):
    """A string that does not show itself when something prints its representation."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"


class SecretUnreadable(Unavailable):
    """A stored secret does not open with any of the configured keys."""

    code = 1011
    summary = (
        "A stored secret cannot be decrypted with the configured FIELD_ENCRYPTION_KEYS. "
        "Put the key that it was saved with back into the list."
    )


def secret_box() -> MultiFernet:
    """Return the cipher over all configured keys, newest first: the first one encrypts."""
    keys = settings.FIELD_ENCRYPTION_KEYS
    if not keys:
        raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS is empty: secrets cannot be stored.")
    return MultiFernet([Fernet(key) for key in keys])


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text that is encrypted at rest and fails closed; no lookups but ``isnull``.

    Whatever a process has read or written of it, it masks wherever it comes up again.

    To rotate: put a new key in front of FIELD_ENCRYPTION_KEYS, restart, run
    ``manage.py rotate_secrets``, then drop the old key.
    """

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        """Return the ciphertext; the empty string stays empty."""
        if value in (None, ""):
            return value
        know_secret(str(value))
        return secret_box().encrypt(str(value).encode()).decode()

    def from_db_value(
        self, value: Any, expression: Any, connection: BaseDatabaseWrapper
    ) -> Secret | None:
        """Return the plain text.

        Raises:
            SecretUnreadable: none of the keys opens it.
        """
        if value is None or value == "":
            return None if value is None else Secret()
        try:
            secret = Secret(secret_box().decrypt(value.encode()).decode())
        except InvalidToken:
            raise SecretUnreadable from None
        know_secret(secret)
        return secret

    def get_lookup(self, lookup_name: str) -> Any:
        """Refuse comparisons: equal plain texts have different ciphertexts."""
        if lookup_name != "isnull":
            return None
        return super().get_lookup(lookup_name)
