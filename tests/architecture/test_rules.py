"""Rules about the code that no other tool checks."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from importlinter.application import use_cases
from importlinter.configuration import configure

ROOT = Path(settings.BASE_DIR)
APPS = ("markets", "accounts", "ledger", "strategies")

MONEY_MODULES = [
    *sorted((ROOT / "arbplatform" / "core").glob("decimals.py")),
    *sorted((ROOT / "arbplatform" / "persistence").glob("*.py")),
    *(
        path
        for app in APPS
        for part in ("domain", "services", "selectors", "plugins")
        for path in sorted((ROOT / app / part).rglob("*.py"))
    ),
    *(path for app in APPS for path in sorted(ROOT.glob(f"{app}/models.py"))),
    *(path for app in APPS for path in sorted(ROOT.glob(f"{app}/models/*.py"))),
    *sorted((ROOT / "markets" / "simulator").rglob("matching*.py")),
]

HOT_PATH = "finds candidates fast; every decision about one is made again in Decimal"
FLOATS_THAT_ARE_NO_MONEY = {
    "markets/domain/book_side.py": HOT_PATH,
    "markets/domain/live_book.py": HOT_PATH,
    "strategies/domain/cycles.py": HOT_PATH,
    "strategies/domain/kernels/cycles.py": HOT_PATH,
    "strategies/domain/kernels/nominators.py": HOT_PATH,
    "strategies/domain/kernels/pairs.py": HOT_PATH,
    "strategies/domain/kernels/rates.py": HOT_PATH,
    "strategies/domain/live_survey.py": HOT_PATH,
    "strategies/domain/scan.py": HOT_PATH,
    "strategies/domain/triangle.py": HOT_PATH,
    "strategies/plugins/triangular.py": HOT_PATH,
    "strategies/services/watches.py": HOT_PATH,
}
DURATION = re.compile(r"(^|_)m?s(_|$)", re.IGNORECASE)
"""A name that says that it is a time, such as ``timeout_s``: the machine's clocks are floats."""


def floats_in(source: str) -> list[int]:
    """Return the lines in which a float is written or made that is not a duration."""
    tree = ast.parse(source)
    durations = {
        id(part)
        for node in ast.walk(tree)
        if any(DURATION.search(name) for name in names_bound_by(node))
        for part in ast.walk(getattr(node, "value", node))
    }
    return sorted(
        getattr(node, "lineno", 0)
        for node in ast.walk(tree)
        if is_float(node) and id(node) not in durations
    )


def is_float(node):
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float)
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
    )


def names_bound_by(node):
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        return [node.target.id]
    return [node.arg] if isinstance(node, ast.keyword) and node.arg else []


def name_of(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MONEY_MODULES, ids=name_of)
def test_no_float_where_money_is_computed(path):
    found = floats_in(path.read_text(encoding="utf-8"))

    assert bool(found) == (name_of(path) in FLOATS_THAT_ARE_NO_MONEY), found


def test_floats_are_found_but_durations_are_not():
    source = "a = 1.5\nb = 1\nc = float('2')\nd = Decimal('1.5')\nwait_s = 1.5\nf(age_ms=2.0)\n"

    assert floats_in(source) == [1, 3]


def test_the_import_contracts_hold():
    configure()

    assert use_cases.lint_imports(config_filename=str(ROOT / "pyproject.toml")) is True


PURE = ("arbplatform.core", "markets.domain", "ledger.domain", "strategies.sdk")


@pytest.mark.parametrize("module", PURE)
def test_pure_code_runs_without_django(module):
    script = (
        f"import importlib, pkgutil, sys\n"
        f"root = importlib.import_module({module!r})\n"
        f"for part in pkgutil.walk_packages(getattr(root, '__path__', []), {module!r} + '.'):\n"
        f"    importlib.import_module(part.name)\n"
        f"bad = {{'django', 'celery', 'ccxt', 'redis', 'rest_framework'}} & set(sys.modules)\n"
        f"sys.exit(f'imports {{bad}}' if bad else 0)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


SOURCES = [
    path
    for package in ("arbplatform", *APPS)
    for path in sorted((ROOT / package).rglob("*.py"))
    if "migrations" not in path.parts
]


def longest_function(source):
    return max(
        (
            (node.end_lineno or 0) - node.lineno + 1
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ),
        default=0,
    )


def test_files_and_functions_fit_on_a_few_pages():
    too_long = {
        name_of(path): len(lines)
        for path in SOURCES
        if len(lines := path.read_text(encoding="utf-8").splitlines()) > 400
    }
    too_deep = {
        name_of(path): length
        for path in SOURCES
        if (length := longest_function(path.read_text(encoding="utf-8"))) > 70
    }

    assert (too_long, too_deep) == ({}, {})


def test_the_environment_is_read_in_one_place():
    readers = [
        name_of(path)
        for path in SOURCES
        if any(
            isinstance(node, ast.Attribute)
            and node.attr in {"environ", "getenv"}
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
    ]

    allowed = (
        "arbplatform/settings/",
        "arbplatform/management/",
        "arbplatform/asgi.py",
        "arbplatform/wsgi.py",
        "arbplatform/celery.py",
    )
    assert [name for name in readers if not name.startswith(allowed)] == []
