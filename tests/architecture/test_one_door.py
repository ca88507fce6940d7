"""Between a decision and an order there is one way, and it leads through the risk gate."""

import ast
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
APPS = ("arbplatform", "accounts", "ledger", "markets", "strategies")

DOORS = {
    "submit_order": {"ledger/services/sending.py"},
    "write_orders": {"strategies/services/execution.py", "strategies/services/repairs.py"},
    "submit_orders": {"strategies/services/execution.py", "strategies/services/repairs.py"},
    "execute_intent": {"strategies/services/deciding.py"},
    "carry_out": {"strategies/services/streaming.py", "strategies/services/ticks.py"},
}
"""Who may call what, from the venue back to the decision. A repair only brings exposures down."""

OWN = {
    "submit_order": {"markets/gateway/base.py", "markets/gateway/ccxt_rest.py"},
    "write_orders": {"ledger/services/journal.py"},
    "submit_orders": {"ledger/services/journal.py"},
    "execute_intent": {"strategies/services/execution.py"},
    "carry_out": {"strategies/services/deciding.py"},
}
"""Where these functions are defined, or offered under their names."""


def callers_of(name, sources):
    """Return the files that call or import a function, however they spell it."""
    return {
        path
        for path, source in sources.items()
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.Name) and node.id == name)
        or (isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names})
        or (isinstance(node, ast.Constant) and node.value == name)
    }


@pytest.fixture(scope="module")
def sources():
    """Every source file but migrations, by its path."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        if "migrations" not in path.parts and "simulator" not in path.parts
    }


@pytest.mark.parametrize("name", DOORS)
def test_only_the_door_before_it_leads_to_a_door(name, sources):
    assert callers_of(name, sources) - OWN[name] == DOORS[name]


@pytest.mark.parametrize(
    "way",
    [
        "from ledger.services.journal import write_orders",
        "from ledger.services.journal import write_orders as innocent",
        "import ledger.services.journal as j\nj.write_orders(plans=[])",
        "getattr(journal, 'write_orders')(plans=[])",
    ],
)
def test_a_plugin_that_takes_another_way_is_found(way):
    assert callers_of("write_orders", {"strategies/plugins/sly.py": way}) == {
        "strategies/plugins/sly.py"
    }


def test_the_gate_is_asked_before_an_intent_is_carried_out(sources):
    tree = ast.parse(sources["strategies/services/deciding.py"])
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}

    def calls(name):
        return {
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for node in ast.walk(functions[name])
            if isinstance(node, ast.Call)
        }

    assert {"reason_against", "denial_of", "extend_claim"} <= calls("_choose")
    assert {name for name in functions if "_try" in calls(name)} == {"_carry_out"}
    assert {name for name in functions if "_carry_out" in calls(name)} == {"carry_out"}
    assert "_choose" in calls("carry_out") & calls("_carry_out")


@pytest.mark.parametrize("module", ["ledger", "accounts", "markets.gateway", "strategies.services"])
def test_no_plugin_imports_what_could_send(module, sources):
    plugins = {
        path: text for path, text in sources.items() if path.startswith("strategies/plugins")
    }
    found = {
        path
        for path, source in plugins.items()
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{module}."))
        or (
            isinstance(node, ast.Import)
            and any(f"{alias.name}.".startswith(f"{module}.") for alias in node.names)
        )
    }

    assert len(plugins) > 3
    assert found == set()
