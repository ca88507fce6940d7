"""Filters that several lists share, and the order of all of them.

What they refuse they answer with what they would have taken.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django_filters.fields import ChoiceField, IsoDateTimeField, MultipleChoiceField
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request

from arbplatform.core.errors import InvalidInput, Message

FLAGS = {"true": True, "1": True, "false": False, "0": False}
ID_MAX = 2**63 - 1
ONE_OF = _("Must be one of %(expected)s.")


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


class IdFilter(django_filters.NumberFilter):
    """A primary key: a whole number that the database can compare with."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=1, max_value=ID_MAX, **kwargs)


class NamingChoiceField(ChoiceField):
    """One value of a list."""

    def validate(self, value: Any) -> None:
        """Name the list to who chose something else.

        Raises:
            ValidationError: the value is not in the list.
        """
        _check_choices([value] if value else [], self)


class NamingMultipleChoiceField(MultipleChoiceField):
    """Several values of a list."""

    def validate(self, value: Any) -> None:
        """Name the list to who chose something else.

        Raises:
            ValidationError: one of the values is not in the list.
        """
        _check_choices(value, self)


class ChoiceFilter(django_filters.ChoiceFilter):
    """``?side=buy``."""

    field_class = NamingChoiceField


class MultipleChoiceFilter(django_filters.MultipleChoiceFilter):
    """``?state=open&state=unknown``."""

    field_class = NamingMultipleChoiceField


class StrictOrdering(OrderingFilter):
    """``?ordering=-created_at,id``; a name that cannot be ordered by is an error."""

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> Any:
        """Return the order that was asked for, made total.

        Rows that are equal in it would otherwise change places between two pages, and be read
        twice or never.
        """
        ordering = super().get_ordering(request, queryset, view)
        if not ordering or {"id", "-id"} & set(ordering):
            return ordering
        return [*ordering, "-pk" if ordering[-1].startswith("-") else "pk"]

    def remove_invalid_fields(
        self, queryset: QuerySet[Any], fields: Any, view: Any, request: Request
    ) -> list[str]:
        """Return the fields, if all of them can be ordered by.

        Raises:
            InvalidInput: one of them cannot.
        """
        valid = super().remove_invalid_fields(queryset, fields, view, request)
        if len(valid) != len(fields):
            known = ", ".join(view.ordering_fields)
            complaint = Message("Order by one or more of: {known}.", {"known": known})
            raise InvalidInput(fields={self.ordering_param: [complaint]})
        return valid

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the parameter for the API document, if the view's rows can be ordered."""
        if not getattr(view, "ordering_fields", None):
            return []
        (parameter,) = super().get_schema_operation_parameters(view)
        names = ", ".join(view.ordering_fields)
        parameter["description"] = f"One or more of {names}; with - before it, descending."
        return [parameter]


def since_filter(field_name: str, **options: Any) -> MomentFilter:
    """Return a filter for rows of that moment or later."""
    return MomentFilter(field_name=field_name, lookup_expr="gte", **options)


def until_filter(field_name: str, **options: Any) -> MomentFilter:
    """Return a filter for rows before that moment."""
    return MomentFilter(field_name=field_name, lookup_expr="lt", **options)


def _check_choices(values: Iterable[Any], field: Any) -> None:
    if all(field.valid_value(value) for value in values):
        return
    names = ", ".join(str(key) for key, _label in field.choices if key != "")
    raise ValidationError(ONE_OF, code="invalid_choice", params={"expected": names})
