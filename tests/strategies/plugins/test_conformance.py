"""What every registered strategy type must do."""

import ast
import inspect
import json
import sys
from collections.abc import Mapping
from decimal import Decimal as D
from typing import Any

import pytest

from markets.domain.book import Book
from markets.domain.rules import MarketRules
from strategies.registry import describe, list_plugins, list_texts, validate_params
from strategies.sdk import (
    MarketKey,
    MarketView,
    Scope,
)
from tests.strategies.builders import make_book, make_rules, make_view

EXAMPLES: Mapping[str, dict[str, object]] = {
    "cross-venue": {"symbols": ["BTC/USDT"]},
    "triangular": {"assets": ["BTC", "ETH", "USDT"]},
}
"""Parameters that suit each type; a new type needs a line here."""

ASSETS = ("BTC", "ETH", "USDT")
SYMBOLS = ("BTC/USDT", "ETH/USDT", "ETH/BTC")
MIDS = {"BTC/USDT": D(60_000), "ETH/USDT": D(3_000), "ETH/BTC": D("0.05")}


def make_plugin(plugin_class: Any) -> Any:
    slug = plugin_class.slug
    return plugin_class(validate_params(slug, EXAMPLES[slug]))


def views() -> list[MarketView]:
    """Return situations that any type must cope with: an edge, none, no books, no funds."""
    found: list[MarketView] = []
    books: list[Book] = []
    rules: list[MarketRules] = []
    free: dict[tuple[str, str], int] = {}
    for shift in (D("1.00"), D("1.01"), D("0.99")):
        books, rules = [], []
        for venue, factor in (("alpha", D(1)), ("beta", shift)):
            for symbol in SYMBOLS:
                mid = MIDS[symbol] * (factor if symbol == "BTC/USDT" else 1)
                spread = [D("0.9999"), D("0.9998")], [D("1.0001"), D("1.0002")]
                bids, asks = ([(mid * part, 3) for part in side] for side in spread)
                books.append(make_book(venue, symbol, bids=bids, asks=asks))
                rules.append(make_rules(venue, symbol, tick="0.000001", lot="0.0001"))
        free = {(venue, asset): 10_000 for venue in ("alpha", "beta") for asset in ASSETS}
        found += [make_view(books, rules, free), make_view(books, rules, {})]
    found.append(make_view([], rules, free))
    found.append(make_view([], [], {}))
    return found


@pytest.fixture(params=list_plugins(), ids=lambda plugin: plugin.slug)
def plugin_class(request):
    return request.param


def test_every_type_has_example_parameters_here():
    assert set(EXAMPLES) == {plugin.slug for plugin in list_plugins()}


def test_every_type_describes_itself_for_forms_and_documents(plugin_class):
    described = json.loads(json.dumps(describe(plugin_class)))

    assert list(described) == [
        "slug",
        "title",
        "description",
        "venues_min",
        "venues_max",
        "schema",
    ]
    assert described["description"].endswith(".")
    assert described["schema"]["additionalProperties"] is False
    for name, field in described["schema"]["properties"].items():
        assert field["title"], name
        assert field["description"].endswith("."), name
        assert field["type"] in {"string", "integer", "boolean", "array"}, name
        if field.get("format") == "decimal":
            limits = (field.get(key) for key in ("default", "minimum", "maximum"))
            assert all(isinstance(limit, str) for limit in limits if limit is not None)


def test_every_type_accepts_its_own_defaults_as_it_describes_them(plugin_class):
    properties = describe(plugin_class)["schema"]["properties"]
    defaults = {name: field["default"] for name, field in properties.items() if "default" in field}

    stated = validate_params(plugin_class.slug, {**defaults, **EXAMPLES[plugin_class.slug]})

    assert stated == validate_params(plugin_class.slug, EXAMPLES[plugin_class.slug])


def test_every_type_survives_json_and_back(plugin_class):
    params = validate_params(plugin_class.slug, EXAMPLES[plugin_class.slug])

    assert validate_params(plugin_class.slug, params.model_dump(mode="json")) == params


def test_every_type_decides_the_same_on_the_same_view(plugin_class):
    for view in views():
        first, again = make_plugin(plugin_class), make_plugin(plugin_class)

        assert first.evaluate(view) == again.evaluate(view) == first.evaluate(view)


def test_every_type_leaves_the_view_as_it_was(plugin_class):
    for view, untouched in zip(views(), views(), strict=True):
        make_plugin(plugin_class).evaluate(view)

        assert view == untouched


def test_every_type_trades_only_what_it_subscribed_to_and_what_is_funded(plugin_class):
    for view in views():
        plugin = make_plugin(plugin_class)
        wanted = plugin.subscriptions(Scope(venues=("alpha", "beta"), rules=view.rules))

        evaluation = plugin.evaluate(view)

        assert set(wanted) <= set(view.rules)
        for intent in evaluation.intents:
            assert {MarketKey(leg.venue, leg.symbol) for leg in intent.legs} <= set(wanted)
            assert intent.expected_profit > 0
            assert json.loads(json.dumps(dict(intent.sizing))) == intent.sizing
        if not view.free:
            assert not evaluation.intents


def test_every_type_finds_the_edge_that_is_there_and_says_why_not_elsewhere(plugin_class):
    outcomes = [make_plugin(plugin_class).evaluate(view) for view in views()]

    assert any(outcome.intents for outcome in outcomes)
    for outcome in outcomes:
        for rejection in outcome.rejections:
            assert str(rejection.message).endswith(".")
            assert json.dumps(dict(rejection.message.context))


def test_no_type_reads_a_clock_or_anything_else_outside_its_view(plugin_class, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a decision may depend on its view only")

    plugins = [(make_plugin(plugin_class), view) for view in views()]
    for target in ("time.time", "time.time_ns", "time.monotonic", "random.random", "os.getenv"):
        monkeypatch.setattr(target, refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("builtins.open", refuse)

    for plugin, view in plugins:
        plugin.evaluate(view)


def test_no_type_imports_a_clock_or_randomness(plugin_class):
    tree = ast.parse(inspect.getsource(sys.modules[plugin_class.__module__]))

    imported = {
        (alias.name if isinstance(node, ast.Import) else str(node.module)).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }

    assert not imported & {"time", "datetime", "random", "secrets", "os", "socket", "django"}


def test_every_text_of_a_type_is_listed_for_translation(plugin_class):
    texts = list(list_texts(plugin_class))

    assert {plugin_class.title, plugin_class.description} <= set(texts)
    for field in describe(plugin_class)["schema"]["properties"].values():
        assert {field["title"], field["description"]} <= set(texts)


def test_no_type_nominates_less_than_it_decides(plugin_class):
    for view in views():
        plugin = make_plugin(plugin_class)
        nominator = plugin.nominator(view.rules)
        if nominator is None:
            continue  # every change is evaluated

        answers = {
            key: nominator.update(key, float(book.bids[0].price), float(book.asks[0].price))
            for key, book in view.books.items()
        }
        for intent in plugin.evaluate(view).intents:
            assert any(answers[MarketKey(leg.venue, leg.symbol)] for leg in intent.legs)
        assert nominator.update(MarketKey("nowhere", "NO/NE"), 1.0, 1.0) is False
        for key in view.books:
            nominator.drop(key)
        for key, book in view.books.items():
            best = float(book.bids[0].price), float(book.asks[0].price)
            nominator.drop(key)
            assert nominator.update(key, *best) is False, "alone, a market makes no round trip"
            nominator.drop(key)
