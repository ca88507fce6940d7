"""No code above the gateway knows a venue: one more is added by configuration alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import ccxt
import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("arbplatform", "markets", "accounts", "ledger", "strategies")
ALLOWED = ("markets/gateway/", "markets/simulator/")
"""The only door to venues, and the process that pretends to be some."""

COMMON_WORDS = {"apex", "backpack", "bullish", "cex", "delta", "derive", "extended", "gate"}
COMMON_WORDS |= {"aster", "lighter"}
VENUES = set(ccxt.exchanges) - COMMON_WORDS
WORD = re.compile(r"[a-z0-9]+")
SENTENCE = re.compile(r"\S+ .+[.…]", re.DOTALL)

SOURCES = [
    path
    for app in APPS
    for path in sorted((ROOT / app).rglob("*.py"))
    if "migrations" not in path.parts and not path.relative_to(ROOT).as_posix().startswith(ALLOWED)
]


def names_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield every identifier and every string that is neither documentation nor for people."""
    told = set(documentation(tree)) | set(for_people(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in told:
                yield node.lineno, node.value
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name


def documentation(tree: ast.Module) -> Iterator[int]:
    """Yield the ids of strings that stand alone: docstrings, also those of attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield id(node.value)


def for_people(tree: ast.Module) -> Iterator[int]:
    """Yield the ids of texts for people, translated or whole sentences: they name examples."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and SENTENCE.fullmatch(str(node.value)):
            yield id(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
            yield from (id(part) for part in ast.walk(node))


def venues_named(source: str) -> list[tuple[int, str]]:
    """Return line and venue of each place that names one."""
    return [
        (line, word)
        for line, text in names_in(ast.parse(source))
        for word in WORD.findall(text.lower())
        if word in VENUES
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_above_the_gateway_names_a_venue(path):
    assert venues_named(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('if ccxt_id == "binance": pass', [(1, "binance")]),
        ('QUIRKS = {"okx": 1}', [(1, "okx")]),
        ("def sign_for_kraken(): pass", [(1, "kraken")]),
        ('"""Speaks to binance."""\nx = 1', []),
        ('help_text = _("for instance binance")', []),
        ('summary = "Use one such as binance."', []),
        ('code = "alpha"', []),
    ],
)
def test_the_search_finds_names_in_code_and_not_in_prose(source, found):
    assert venues_named(source) == found
