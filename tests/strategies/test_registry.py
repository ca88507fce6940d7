import sys
import types
from decimal import Decimal as D
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pydantic import Field

from strategies import registry
from strategies.errors import InvalidParams, UnknownStrategyType
from strategies.plugins.cross_venue import CrossVenue
from strategies.registry import describe, get_plugin, list_plugins, validate_params
from strategies.sdk import (
    BOOK_DEPTH_DEFAULT,
    Evaluation,
    Params,
    StrategyPlugin,
)


class SampleParams(Params):
    size: D = Field(default=D("0.50"), gt=0, lt=9, title="Size", description="How much.")
    count: int = 3
    is_eager: bool = False
    note: str = Field(default="", max_length=5, min_length=0, pattern="^[a-z]*$")


class Sample(StrategyPlugin[SampleParams]):
    slug = "sample"
    title = "Sample"
    description = "Does nothing."
    params_class = SampleParams

    def subscriptions(self, scope):
        return []

    def evaluate(self, view):
        return Evaluation()


@pytest.fixture
def package(settings, monkeypatch):
    """Make a module of plugin classes the only strategy package."""

    def install(*classes):
        module = types.ModuleType("sample_strategies")
        for number, plugin in enumerate(classes):
            plugin.__module__ = "sample_strategies"
            setattr(module, f"plugin_{number}", plugin)
        monkeypatch.setitem(sys.modules, "sample_strategies", module)
        settings.STRATEGY_PACKAGES = ["sample_strategies"]
        registry._load.cache_clear()

    yield install
    registry._load.cache_clear()


def variant(**attributes):
    return type("Variant", (Sample,), attributes)


def entry_points(monkeypatch, value):
    class Loaded(EntryPoint):
        def load(self):
            return value

    point = Loaded("sample", "somewhere:Sample", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])


def test_finds_the_built_in_types():
    assert [plugin.slug for plugin in list_plugins()] == ["cross-venue", "triangular"]
    assert get_plugin("cross-venue").title == "Cross-venue arbitrage"


def test_finds_the_types_of_a_configured_module(package):
    package(Sample)

    assert list_plugins() == (Sample,)
    assert Sample(SampleParams()).book_depth == BOOK_DEPTH_DEFAULT


def test_finds_the_types_of_other_distributions(package, monkeypatch):
    package()
    entry_points(monkeypatch, Sample)

    assert list_plugins() == (Sample,)


def test_a_type_that_is_found_twice_is_one_type(package, monkeypatch):
    package(Sample)
    entry_points(monkeypatch, Sample)

    assert list_plugins() == (Sample,)


def test_leaves_abstract_and_imported_classes_alone(package):
    abstract = type("Abstract", (StrategyPlugin,), {"slug": "abstract"})
    package(Sample, abstract)
    vars(sys.modules["sample_strategies"])["imported"] = CrossVenue

    assert list_plugins() == (Sample,)


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        ((Sample, variant()), "Two strategy types have the slug 'sample'"),
        ((variant(slug="Not A Slug"),), "is not lower-case words with hyphens"),
        ((variant(title=""),), "has no title"),
        ((variant(params_class=dict),), "is not a subclass of strategies.sdk.Params"),
    ],
)
def test_a_broken_or_ambiguous_type_is_named(package, classes, sentence):
    package(*classes)

    with pytest.raises(ImproperlyConfigured, match=sentence):
        list_plugins()


def test_an_entry_point_that_is_no_strategy_type_is_named(package, monkeypatch):
    package()
    entry_points(monkeypatch, dict)

    with pytest.raises(ImproperlyConfigured, match=r"entry point .sample.* is not a concrete"):
        list_plugins()


def test_a_package_that_is_not_there_is_named(settings):
    settings.STRATEGY_PACKAGES = ["no_such_package"]

    with pytest.raises(ImproperlyConfigured, match="names 'no_such_package', which cannot be"):
        list_plugins()


def test_a_package_may_not_have_endless_modules(monkeypatch, settings):
    settings.STRATEGY_PACKAGES = ["strategies.plugins"]
    monkeypatch.setattr(registry, "_MODULES_MAX", 1)
    registry._load.cache_clear()

    with pytest.raises(ImproperlyConfigured, match="more than 1 modules"):
        list_plugins()

    registry._load.cache_clear()


# --- parameters -----------------------------------------------------------------------------------


def errors_of(slug, params):
    with pytest.raises(InvalidParams) as caught:
        validate_params(slug, params)
    return {
        field: [str(message) for message in messages]
        for field, messages in caught.value.fields.items()
    }


def test_an_unknown_type_is_refused_by_name():
    with pytest.raises(UnknownStrategyType) as caught:
        validate_params("nothing", {})

    assert caught.value.message.context == {"type": "nothing"}


def test_parameters_become_exact_decimals():
    params: Any = validate_params("cross-venue", {"symbols": ["BTC/USDT"], "min_profit": 0.1})

    assert (params.min_profit, params.min_edge_bps) == (D("0.1"), 5)


@pytest.mark.parametrize(
    ("params", "field", "sentence"),
    [
        ({}, "symbols", "This parameter is required."),
        ({"symbols": "BTC/USDT"}, "symbols", "Must be a list."),
        ({"symbols": []}, "symbols", "Must have 1 or more entries."),
        ({"symbols": ["A/B"] * 51}, "symbols", "Must have 50 or fewer entries."),
        ({"symbols": [7]}, "symbols.0", "Must be text."),
        (
            {"symbols": ["x"]},
            "symbols",
            "'x' is not a spot symbol. Write it as BASE/QUOTE, for instance BTC/USDT.",
        ),
        ({"min_edge_bps": "-0.5"}, "min_edge_bps", "Must be at least 0."),
        ({"min_edge_bps": 1001}, "min_edge_bps", "Must be at most 1000."),
        ({"max_notional": 0}, "max_notional", "Must be more than 0."),
        ({"max_notional": "much"}, "max_notional", "Must be a number, for instance 0.5."),
        ({"max_notional": True}, "max_notional", "Must be a number, for instance 0.5."),
        ({"max_notional": None}, "max_notional", "Must be a number, for instance 0.5."),
        ({"max_notional": "NaN"}, "max_notional", "Must be a finite number."),
        ({"max_notional": "1" * 41}, "max_notional", "Must not have more than 40 digits."),
        (
            {"max_notional": "0." + "1" * 19},
            "max_notional",
            "Must not have more than 18 decimal places.",
        ),
        ({"depth": "deep"}, "depth", "Must be a whole number."),
        ({"depth": 1.5}, "depth", "Must be a whole number."),
        ({"depth": 0}, "depth", "Must be at least 1."),
        ({"max_edge_bps": 4}, "max_edge_bps", "Must be above the minimum edge of 5 bps."),
    ],
)
def test_each_field_says_what_to_enter_instead(params, field, sentence):
    stated = {"symbols": ["BTC/USDT"], **params} if params else {}

    assert errors_of("cross-venue", stated) == {f"params.{field}": [sentence]}


def test_an_unknown_parameter_is_answered_with_the_known_ones():
    (sentence,) = errors_of("triangular", {"assets": ["A", "B", "USDT"], "speed": 1})[
        "params.speed"
    ]

    assert sentence.startswith("There is no such parameter. Known ones are assets, balance_share,")


@pytest.mark.parametrize("params", [None, [], "text", 5])
def test_parameters_must_be_an_object(params):
    assert errors_of("triangular", params) == {
        "params": ["Must be an object with the parameters by name."]
    }


def test_all_wrong_fields_are_named_at_once():
    assert set(errors_of("triangular", {"depth": 0, "participation": 2, "assets": 1})) == {
        "params.assets",
        "params.depth",
        "params.participation",
    }


def test_messages_of_own_validators_stay_templates_for_translation():
    with pytest.raises(InvalidParams) as caught:
        validate_params("triangular", {"assets": ["A", "B", "C"], "start_assets": ["D"]})

    (message,) = caught.value.fields["params.start_assets"]
    assert message.template == "{asset} is not among the assets."
    assert message.context == {"asset": "D"}


@pytest.mark.parametrize(
    ("params", "field", "sentence"),
    [
        ({"size": 9}, "size", "Must be less than 9."),
        ({"is_eager": "perhaps"}, "is_eager", "Must be true or false."),
        ({"note": "abcdef"}, "note", "Must have at most 5 characters."),
        ({"note": "A"}, "note", "Does not have the right form."),
    ],
)
def test_types_of_others_get_the_same_sentences(package, params, field, sentence):
    package(Sample)

    assert errors_of("sample", params) == {f"params.{field}": [sentence]}


def test_an_error_without_a_sentence_of_its_own_is_still_told(package):
    class DatedParams(Params):
        since: types.SimpleNamespace | None = None

        model_config = {**Params.model_config, "arbitrary_types_allowed": True}

    package(variant(params_class=DatedParams))

    ((sentence,),) = errors_of("sample", {"since": 5}).values()
    assert sentence == "Is not valid: Input should be an instance of SimpleNamespace."


def test_decimals_are_described_as_strings_with_their_limits(package):
    package(Sample)

    properties = describe(Sample)["schema"]["properties"]

    assert properties["size"] == {
        "type": "string",
        "format": "decimal",
        "title": "Size",
        "description": "How much.",
        "default": "0.5",
        "exclusiveMinimum": "0",
        "exclusiveMaximum": "9",
    }
    assert (properties["count"]["type"], properties["count"]["default"]) == ("integer", 3)


def test_the_parameters_of_a_type_itself_come_first():
    assert list(describe(get_plugin("cross-venue"))["schema"]["properties"])[:4] == [
        "symbols",
        "max_notional",
        "max_dust_bps",
        "min_edge_bps",
    ]
