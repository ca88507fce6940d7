"""The form of a strategy, with one field for each parameter that its type's schema names."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.admin.widgets import FilteredSelectMultiple
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from arbplatform.console.refusals import explain
from arbplatform.core.errors import ArbError, InvalidInput
from arbplatform.wording import render
from strategies.errors import UnsuitableAccounts
from strategies.models import Strategy
from strategies.services.strategies import check_strategy

PREFIX = "params__"
WORDS_MAX = 200

Schema = Mapping[str, Any]


class WordsField(forms.CharField):
    """A list of words, typed with commas or spaces between them."""

    def prepare_value(self, value: Any) -> Any:
        """Return a list as it is typed."""
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        """Return what was typed as a list."""
        words = (super().to_python(value) or "").replace(",", " ").split()
        return words[:WORDS_MAX]


class StructureField(forms.JSONField):
    """A parameter of a shape that has no widget of its own: JSON."""

    def prepare_value(self, value: Any) -> Any:
        """Return the value indented."""
        if isinstance(value, str):
            return value
        return json.dumps(value, ensure_ascii=False, indent=2)


def parameter_fields(schema: Schema, values: Mapping[str, Any]) -> dict[str, forms.Field]:
    """Return a form field for each property of a type's JSON schema, in its order.

    Args:
        schema: of the type's parameters.
        values: present values by name; defaults are used for those that are missing.
    """
    required = set(schema.get("required", []))
    fields = {}
    for name, part in schema.get("properties", {}).items():
        field = _field(_resolve(part, schema))
        field.required = name in required and not isinstance(field, forms.BooleanField)
        field.label = render(part.get("title") or name)
        field.help_text = _help(part, schema)
        field.initial = values.get(name, part.get("default"))
        fields[PREFIX + name] = field
    return fields


def _field(part: Schema) -> forms.Field:
    kind = part.get("type")
    if "enum" in part:
        choices = [(str(value), str(value)) for value in part["enum"]]
        return forms.ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget())
    if kind == "boolean":
        return forms.BooleanField(widget=UnfoldBooleanSwitchWidget())
    if kind == "integer":
        return forms.IntegerField(
            min_value=part.get("minimum"),
            max_value=part.get("maximum"),
            widget=UnfoldAdminIntegerFieldWidget(),
        )
    if kind == "array" and part.get("items", {}).get("type") == "string":
        return WordsField(widget=UnfoldAdminTextInputWidget())
    if kind in {"string", "number"}:
        return forms.CharField(widget=UnfoldAdminTextInputWidget())
    return StructureField(widget=UnfoldAdminTextareaWidget())


def _resolve(part: Schema, schema: Schema) -> Schema:
    """Return a property without references, and without its variants but for the best one."""
    if "$ref" in part:
        definitions: Mapping[str, Schema] = schema.get("$defs", {})
        return definitions.get(part["$ref"].rsplit("/", 1)[-1], {})
    variants = [item for item in part.get("anyOf", []) if item.get("type") != "null"]
    if variants:
        texts = [item for item in variants if item.get("type") == "string"]
        return _resolve((texts or variants)[0], schema)
    return part


def _help(part: Schema, schema: Schema) -> str:
    """Return what the parameter means, its bounds and its default."""
    resolved = _resolve(part, schema)
    texts = [render(part["description"])] if part.get("description") else []
    bounds = {**resolved, **part}
    if "minimum" in bounds and "maximum" in bounds:
        texts.append(
            gettext("From {minimum} to {maximum}.").format(
                minimum=bounds["minimum"], maximum=bounds["maximum"]
            )
        )
    elif "minimum" in bounds:
        texts.append(gettext("At least {minimum}.").format(minimum=bounds["minimum"]))
    if resolved.get("type") == "array":
        texts.append(gettext("Several with commas between them."))
    default = part.get("default")
    if default not in (None, "", []):
        shown = ", ".join(map(str, default)) if isinstance(default, list) else str(default)
        texts.append(gettext("Default: {value}.").format(value=shown))
    return " ".join(texts)


class StrategyForm(forms.ModelForm):  # type: ignore[type-arg]  # not at run time
    """Name, accounts, driver and interval; subclasses made per type add the parameters.

    Class attributes:
        slug: the strategy type.
        params_schema: JSON schema of its parameters.
    """

    slug: str = ""
    params_schema: Schema = {}

    class Meta:
        model = Strategy
        fields = ["name", "accounts", "driver", "interval_ms"]
        widgets = {"accounts": FilteredSelectMultiple(_("accounts"), is_stacked=False)}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.slug:  # the page of a new strategy shows it
            self.instance.type = self.slug

    def parameters(self) -> dict[str, Any]:
        """Return the parameters as they were typed; empty ones are left to their defaults."""
        typed: dict[str, Any] = {}
        for name in self.params_schema.get("properties", {}):
            value = self.cleaned_data.get(PREFIX + name)
            if value not in (None, "", []):
                typed[name] = value
        return typed

    def clean(self) -> dict[str, Any]:
        """Check everything as the service will, and put each complaint at its field."""
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        try:
            check_strategy(
                strategy_id=self.instance.pk,
                name=cleaned["name"],
                slug=self.slug,
                params=self.parameters(),
                account_ids=[account.pk for account in cleaned["accounts"]],
                interval_ms=cleaned["interval_ms"],
                driver=cleaned["driver"],
            )
        except UnsuitableAccounts as error:
            self.add_error("accounts", render(error.message))
        except InvalidInput as error:
            self._add_errors(error)
        except ArbError as error:
            self.add_error(None, explain(error, self.slug))
        return cleaned

    def _add_errors(self, error: InvalidInput) -> None:
        if not error.fields:
            self.add_error(None, explain(error, self.slug))
        for name, complaints in error.fields.items():
            field = name.replace("params.", PREFIX, 1).split(".", 1)[0]
            for complaint in complaints:
                text = render(complaint)
                known = field in self.fields
                self.add_error(field if known else None, text if known else f"{name}: {text}")


def make_form(slug: str, schema: Schema, values: Mapping[str, Any]) -> type[StrategyForm]:
    """Return the form class of a strategy type, with its parameters filled in."""
    attributes = {
        "slug": slug,
        "params_schema": schema,
        "__doc__": f"The form of {slug}.",
        **parameter_fields(schema, values),
    }
    return type("TypedStrategyForm", (StrategyForm,), attributes)
