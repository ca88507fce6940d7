"""The strategy types that are installed, and the guard at their parameters.

Plugins come from the packages named in ``settings.STRATEGY_PACKAGES`` and from the entry points of
other distributions in the group ``arbplatform.strategies``. They are looked up once per process; a
broken or ambiguous plugin stops the start with a sentence that names it.
"""

import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, TypeGuard

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import ErrorDetails, core_schema

from arbplatform.core.decimals import to_decimal, to_plain
from arbplatform.core.errors import Message
from strategies.errors import InvalidParams, UnknownStrategyType
from strategies.sdk import PARAM_ERROR, Params, StrategyPlugin

ENTRY_POINT_GROUP = "arbplatform.strategies"

Plugin = type[StrategyPlugin[Any]]

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MODULES_MAX = 200


def list_plugins() -> Sequence[Plugin]:
    """Return every installed strategy type, sorted by slug.

    Raises:
        ImproperlyConfigured: a plugin is broken, or two have the same slug.
    """
    return tuple(_load(tuple(settings.STRATEGY_PACKAGES)).values())


def get_plugin(slug: str) -> Plugin:
    """Return the strategy type with this slug.

    Raises:
        UnknownStrategyType: none is installed under it.
        ImproperlyConfigured: a plugin is broken, or two have the same slug.
    """
    try:
        return _load(tuple(settings.STRATEGY_PACKAGES))[slug]
    except KeyError:
        raise UnknownStrategyType(type=slug) from None


def validate_params(slug: str, params: object) -> Params:
    """Return parameters as the strategy type wants them.

    Args:
        slug: of the strategy type.
        params: JSON values by name, as a person or a program sent them.

    Raises:
        UnknownStrategyType: no strategy type has this slug.
        InvalidParams: what is wrong with each field, under ``params.<name>``.
    """
    plugin = get_plugin(slug)
    try:
        return plugin.params_class.model_validate(params)
    except ValidationError as error:
        known = sorted(plugin.params_class.model_fields)
        fields: dict[str, list[Message]] = {}
        for detail in _innermost(error.errors(include_url=False)):
            name = ".".join(("params", *map(str, detail["loc"])))
            fields.setdefault(name, []).append(_to_message(detail, known))
        raise InvalidParams(fields=fields) from None


def describe(plugin: Plugin) -> dict[str, Any]:
    """Return a strategy type as JSON, for forms, API and documentation.

    Decimal parameters are strings with ``format: decimal``; so are their defaults and limits. The
    parameters that belong to the type itself come first, those that it shares with others after.
    """
    schema = plugin.params_class.model_json_schema(
        mode="validation", schema_generator=_ParamsSchema
    )
    own = list(plugin.params_class.__annotations__)
    properties = schema["properties"]
    order = [name for name in own if name in properties]
    order += [name for name in properties if name not in order]
    schema["properties"] = {name: properties[name] for name in order}
    return {
        "slug": plugin.slug,
        "title": plugin.title,
        "description": plugin.description,
        "venues_min": plugin.venues_min,
        "venues_max": plugin.venues_max,
        "schema": schema,
    }


def list_texts(plugin: Plugin) -> Iterator[str]:
    """Yield every text of a strategy type that people see, so that none stays untranslated."""
    yield plugin.title
    yield plugin.description
    for field in plugin.params_class.model_fields.values():
        yield from (text for text in (field.title, field.description) if text)


class _ParamsSchema(GenerateJsonSchema):
    """JSON schema in which decimals are strings: a JSON number would be read as a float."""

    _LIMITS = {
        "ge": "minimum",
        "gt": "exclusiveMinimum",
        "le": "maximum",
        "lt": "exclusiveMaximum",
    }

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        limits = {
            keyword: to_plain(to_decimal(schema[name]))  # type: ignore[literal-required]
            for name, keyword in self._LIMITS.items()
            if name in schema
        }
        return {"type": "string", "format": "decimal", **limits}

    def encode_default(self, dft: Any) -> Any:
        return _plain(dft) if isinstance(dft, Decimal) else super().encode_default(dft)


_NUMBER = "Must be a number, for instance 0.5."
_WHOLE_NUMBER = "Must be a whole number."
_TEXT = "Must be text."
_LIST = "Must be a list."

_SENTENCES: Mapping[str, str] = {
    "missing": "This parameter is required.",
    "extra_forbidden": "There is no such parameter. Known ones are {known}.",
    "greater_than_equal": "Must be at least {ge}.",
    "greater_than": "Must be more than {gt}.",
    "less_than_equal": "Must be at most {le}.",
    "less_than": "Must be less than {lt}.",
    "multiple_of": "Must be a multiple of {multiple_of}.",
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "finite_number": "Must be a finite number.",
    "decimal_max_digits": "Must not have more than {max_digits} digits.",
    "decimal_max_places": "Must not have more than {decimal_places} decimal places.",
    "decimal_whole_digits": "Must not have more than {whole_digits} digits before the point.",
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "bool_type": "Must be true or false.",
    "bool_parsing": "Must be true or false.",
    "string_type": _TEXT,
    "string_too_short": "Must have at least {min_length} characters.",
    "string_too_long": "Must have at most {max_length} characters.",
    "string_pattern_mismatch": "Does not have the right form.",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "too_short": "Must have {min_length} or more entries.",
    "too_long": "Must have {max_length} or fewer entries.",
    "enum": "Must be one of {expected}.",
    "literal_error": "Must be one of {expected}.",
    "model_type": "Must be an object with the parameters by name.",
    "model_attributes_type": "Must be an object with the parameters by name.",
}
_OTHER = "Is not valid: {cause}."


def _innermost(details: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Yield the errors that are not mere consequences of one further inside."""
    places = [detail["loc"] for detail in details]
    for detail in details:
        loc = detail["loc"]
        if not any(len(place) > len(loc) and place[: len(loc)] == loc for place in places):
            yield detail


def _to_message(detail: ErrorDetails, known: Sequence[str]) -> Message:
    """Return the sentence for one pydantic error, chosen by its type."""
    context = {name: _plain(value) for name, value in detail.get("ctx", {}).items()}
    if detail["type"] == PARAM_ERROR:
        return Message(context["template"], context["context"])
    if detail["type"] not in _SENTENCES:
        return Message(_OTHER, {"cause": detail["msg"]})
    context["known"] = ", ".join(known)
    needed = _placeholders(_SENTENCES[detail["type"]])
    return Message(_SENTENCES[detail["type"]], {name: context[name] for name in needed})


def _placeholders(template: str) -> list[str]:
    return re.findall(r"{(\w+)}", template)


def _plain(value: Any) -> Any:
    return to_plain(value) if isinstance(value, Decimal) else value


@lru_cache(maxsize=8)
def _load(packages: tuple[str, ...]) -> Mapping[str, Plugin]:
    """Return all plugins by slug; ``packages`` is the key of the cache."""
    found: dict[str, Plugin] = {}
    for plugin in (*_from_packages(packages), *_from_entry_points()):
        _check(plugin)
        other = found.get(plugin.slug)
        if other is not None and other is not plugin:
            raise ImproperlyConfigured(
                f"Two strategy types have the slug {plugin.slug!r}: {_name(other)} and "
                f"{_name(plugin)}. Rename or remove one of them."
            )
        found[plugin.slug] = plugin
    return dict(sorted(found.items()))


def _from_packages(packages: Sequence[str]) -> Iterator[Plugin]:
    for name in packages:
        for module in _modules_of(name):
            for value in vars(module).values():
                if _is_plugin(value) and value.__module__ == module.__name__:
                    yield value


def _modules_of(name: str) -> Iterator[ModuleType]:
    try:
        package = import_module(name)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"STRATEGY_PACKAGES names {name!r}, which cannot be imported: {error}."
        ) from error
    yield package
    infos = list(pkgutil.iter_modules(getattr(package, "__path__", ()), f"{name}."))
    if len(infos) > _MODULES_MAX:
        raise ImproperlyConfigured(
            f"The strategy package {name!r} has more than {_MODULES_MAX} modules."
        )
    for info in infos:
        yield import_module(info.name)


def _from_entry_points() -> Iterator[Plugin]:
    for point in entry_points(group=ENTRY_POINT_GROUP):
        value = point.load()
        if not _is_plugin(value):
            raise ImproperlyConfigured(
                f"The entry point {point.name!r} ({point.value}) in {ENTRY_POINT_GROUP!r} is not a "
                "concrete subclass of StrategyPlugin."
            )
        yield value


def _is_plugin(value: object) -> TypeGuard[Plugin]:
    return (
        inspect.isclass(value)
        and issubclass(value, StrategyPlugin)
        and not inspect.isabstract(value)
    )


def _check(plugin: Plugin) -> None:
    """Check what every strategy type must say about itself.

    Raises:
        ImproperlyConfigured: something is missing or malformed.
    """
    for attribute in ("slug", "title", "description", "params_class"):
        if not getattr(plugin, attribute, None):
            raise ImproperlyConfigured(f"The strategy type {_name(plugin)} has no {attribute}.")
    if not _SLUG.fullmatch(plugin.slug):
        raise ImproperlyConfigured(
            f"The slug {plugin.slug!r} of {_name(plugin)} is not lower-case words with hyphens."
        )
    params_class: object = plugin.params_class
    if not (inspect.isclass(params_class) and issubclass(params_class, Params)):
        raise ImproperlyConfigured(
            f"The params_class of {_name(plugin)} is not a subclass of strategies.sdk.Params."
        )


def _name(plugin: Plugin) -> str:
    return f"{plugin.__module__}.{plugin.__qualname__}"
