"""Serializer fields that keep money exact, and name what they would have taken."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from arbplatform.authors import keep_author
from arbplatform.core.decimals import (
    STORED_DECIMAL_PLACES,
    STORED_DIGITS_MAX,
    to_decimal,
    to_plain,
)
from arbplatform.core.errors import InvalidInput, Message
from arbplatform.core.sentences import message_from_json
from arbplatform.wording import render, render_values

FLOAT_DIGITS_MAX = 15
"""Significant digits that survive a JSON number; a longer one was already rounded on its way."""

TEXT_LENGTH_MAX = 64
FIELDS_MAX = 20
"""Unknown fields that one refusal names."""
NO_SUCH_FIELD = _("There is no such field. Known here: {known}.")
AMOUNT_PATTERN = r"^-?\d{1,22}(\.\d{1,18})?$"


class BodySerializer(serializers.Serializer[Any]):
    """What a client sends; a field that is not known is refused.

    Nobody is to believe that a limit was set, or that only one venue was halted, because a name
    was misspelt.
    """

    def to_internal_value(self, data: Any) -> Any:
        """Return what was sent.

        Raises:
            ValidationError: something in it is wrong, or not known.
        """
        unknown = (
            [name for name in data if name not in self.fields] if isinstance(data, Mapping) else []
        )
        if unknown:
            known = ", ".join(self.fields)
            complaint = NO_SUCH_FIELD.format(known=known)
            raise serializers.ValidationError({name: [complaint] for name in unknown[:FIELDS_MAX]})
        return super().to_internal_value(data)


class ChoiceField(serializers.ChoiceField):
    """One value of a list; who sends another one is told the list."""

    default_error_messages = {"invalid_choice": _("Must be one of {expected}.")}

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        """Raise the error of that key."""
        super().fail(key, expected=", ".join(str(choice) for choice in self.choices), **kwargs)


@extend_schema_field({"type": "string", "pattern": AMOUNT_PATTERN, "example": "0.015"})
class AmountField(serializers.Field):  # type: ignore[type-arg]
    """An exact decimal, written and best read as a JSON string of plain digits.

    A JSON number is taken as well as long as it has so few digits that nothing was lost.

    Args:
        positive: refuse zero and below.
        minimum: smallest value that is accepted.
    """

    default_error_messages = {
        "invalid": _('Give a number as a string of plain digits, for instance "0.015".'),
        "inexact": _("This JSON number has lost digits. Send it as a string."),
        "too_long": _("At most 22 digits before and 18 after the point can be stored."),
        "not_positive": _("Give a number above zero."),
        "too_small": _("Give a number that is not below {minimum}."),
    }

    def __init__(
        self, *, positive: bool = False, minimum: Decimal | None = None, **kwargs: Any
    ) -> None:
        self.positive = positive
        self.minimum = minimum
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        """Return the decimal that a client sent."""
        number = self._read(data)
        _sign, digits, exponent = number.as_tuple()
        places = max(0, -int(exponent))
        if places > STORED_DECIMAL_PLACES or len(digits) + max(0, int(exponent)) - places > (
            STORED_DIGITS_MAX - STORED_DECIMAL_PLACES
        ):
            self.fail("too_long")
        if self.positive and number <= 0:
            self.fail("not_positive")
        if self.minimum is not None and number < self.minimum:
            self.fail("too_small", minimum=to_plain(self.minimum))
        return number

    def _read(self, data: Any) -> Decimal:
        if isinstance(data, str) and len(data) > TEXT_LENGTH_MAX:
            self.fail("too_long")
        try:
            number = to_decimal(data.strip() if isinstance(data, str) else data)
        except InvalidInput:
            self.fail("invalid")
        if isinstance(data, float) and len(number.as_tuple().digits) > FLOAT_DIGITS_MAX:
            self.fail("inexact")
        return number

    def to_representation(self, value: Decimal) -> str:
        """Return plain digits: no exponent, no trailing zeros."""
        return to_plain(value)


@extend_schema_field(str)
class SentenceField(serializers.Field):  # type: ignore[type-arg]
    """A sentence in the reader's language: what went wrong, if no other help text is given."""

    def __init__(self, **kwargs: Any) -> None:
        text = "What went wrong, in the reader's language; empty if nothing did."
        super().__init__(**{"read_only": True, "help_text": text, **kwargs})

    def to_representation(self, value: Message) -> str:
        """Return the sentence."""
        return render(value)


class SentenceValuesField(serializers.DictField):
    """The values of a sentence; those that are sentences themselves in the reader's language."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, help_text="The values in the message.", **kwargs)

    def to_representation(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values by name."""
        return render_values(message_from_json({"context": value}))


class AuthorField(serializers.CharField):
    """A person by name, as histories tell it: nobody passes for the platform, which is null."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, allow_null=True, **kwargs)

    def to_representation(self, value: Any) -> str:
        """Return what a person is called; with their number if as the platform is."""
        return keep_author(value)
