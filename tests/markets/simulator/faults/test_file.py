"""Plans of faults in files: for the command line, and named in the configuration."""

import json
import signal
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from arbplatform.core.errors import InvalidInput
from markets.simulator.config import parse_config
from markets.simulator.faults.file import load_faults
from markets.simulator.running import start_in_thread
from tests.markets.simulator.worlds import RawClient, ask, two_venues

PLAN = {"alpha": [{"kind": "refuse", "endpoint": "ping"}], "beta": [{"kind": "maintenance"}]}


@pytest.fixture
def plan(tmp_path):
    def write(value):
        path = tmp_path / "plan.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return path

    return write


def load(path):
    return load_faults(path, parse_config(two_venues()).venues)


def test_a_plan_is_read_by_venue(plan):
    found = load(plan(PLAN))

    assert {code: [f.kind.value for f in faults] for code, faults in found.items()} == {
        "alpha": ["refuse"],
        "beta": ["maintenance"],
    }


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("{", "it is not JSON"),
        ([], "it must be an object of lists of faults, by venue code"),
        ({"alpha": {}}, "it must be an object of lists of faults, by venue code"),
        ({"delta": []}, "there is no venue delta, only alpha, beta"),
        (
            {"alpha": [{"kind": "maintenance"}, {"kind": "explode"}]},
            "fault 2 of alpha: The fault is not valid: kind: Input should be 'refuse'",
        ),
        (
            {"beta": [{"kind": "refuse", "account": "other"}]},
            "fault 1 of beta: The fault is not valid: account: the venue has no other, only ours.",
        ),
    ],
)
def test_what_is_wrong_with_a_plan_is_told(plan, value, complaint):
    path = plan(value)

    with pytest.raises(InvalidInput) as refusal:
        load(path)

    assert str(refusal.value).startswith(f"The fault plan {path} cannot be used: ")
    assert complaint in str(refusal.value)


def test_a_plan_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InvalidInput, match="No such file or directory"):
        load(tmp_path / "missing.json")


def test_the_configuration_names_a_plan(plan):
    with start_in_thread(two_venues(faults_file=str(plan(PLAN)))) as simulator:
        kinds = {
            code: [row["fault"]["kind"] for row in simulator.control.list_faults(code)]
            for code in ("alpha", "beta")
        }
        client = RawClient(simulator.url)
        statuses = [client.get("api/v3/ping")[0] for _ in range(2)]
        client.close()

    assert kinds == {"alpha": ["refuse"], "beta": ["maintenance"]}
    assert statuses == [503, 200]


@pytest.mark.parametrize("entry", [["-m", "markets.simulator"], ["manage.py", "simulate"]])
def test_the_command_line_takes_a_plan(plan, tmp_path, entry):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(two_venues()))
    options = ["--config", config, "--port", "0", "--faults", plan(PLAN)]

    process = subprocess.Popen(
        [sys.executable, *entry, *options], cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    status, shown = ask(f"{url}/control/beta/faults")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)

    assert (status, [row["fault"]["kind"] for row in shown["faults"]]) == (200, ["maintenance"])


def test_the_command_line_says_what_is_wrong_with_a_plan(plan, tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(two_venues()))

    with pytest.raises(CommandError, match="there is no venue delta"):
        call_command(
            "simulate", config=config, port=0, faults=plan({"delta": [{"kind": "maintenance"}]})
        )
