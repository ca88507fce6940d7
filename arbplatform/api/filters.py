"""Filters that several lists share."""

from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django_filters.fields import IsoDateTimeField

FLAGS = {"true": True, "1": True, "false": False, "0": False}


class MomentField(IsoDateTimeField):
    """An ISO 8601 time, made UTC: databases do not take every offset that the standard allows."""

    default_error_messages = {"invalid": _("Give a time such as 2026-01-31T12:00:00Z.")}

    def to_python(self, value: Any) -> datetime | None:
        """Return the moment in UTC.

        Raises:
            ValidationError: not a time, or one that no calendar reaches in UTC.
        """
        try:
            moment: datetime | None = super().to_python(value)
            return moment.astimezone(UTC) if moment else None
        except (OverflowError, ValueError):
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None


class MomentFilter(django_filters.IsoDateTimeFilter):
    """``?since=2026-01-31T12:00:00Z``."""

    field_class = MomentField


class FlagField(forms.Field):
    """True or false; Django's own takes whatever else is sent for no filter at all."""

    widget = forms.TextInput
    default_error_messages = {"invalid": _("Give true or false.")}

    def to_python(self, value: Any) -> bool | None:
        """Return the truth of a text; None if there is none.

        Raises:
            ValidationError: it is another text.
        """
        if value in (None, ""):
            return None
        flag = FLAGS.get(str(value).lower())
        if flag is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return flag


class FlagFilter(django_filters.BooleanFilter):
    """``?is_open=true``."""

    field_class = FlagField


def since_filter(field_name: str, **options: Any) -> MomentFilter:
    """Return a filter for rows of that moment or later."""
    return MomentFilter(field_name=field_name, lookup_expr="gte", **options)


def until_filter(field_name: str, **options: Any) -> MomentFilter:
    """Return a filter for rows before that moment."""
    return MomentFilter(field_name=field_name, lookup_expr="lt", **options)
