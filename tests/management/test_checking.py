"""What `up` checks before it starts anything, in a process of its own as `up` does it."""

import json
import subprocess

import pytest

from arbplatform.management import stack
from arbplatform.management.errors import ConfigurationRefused, DatabaseUnusable
from arbplatform.management.preflight import SELF_SUFFICIENT


def check(data_dir, **environment):
    """Return the report, and what else was written."""
    given = stack.StackOptions(data_dir).environment("redis://127.0.0.1:1/0") | {
        "DJANGO_SETTINGS_MODULE": SELF_SUFFICIENT,
        "LC_ALL": "C.UTF-8",
    }
    ended = subprocess.run(
        stack.check(),
        cwd=data_dir,
        env=given | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ended.stdout), ended.stderr


def test_sound_settings_pass_without_a_server_of_redis_and_without_tables(tmp_path):
    assert check(tmp_path) == ({"problems": []}, "")


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        (
            {"ARB_INSTALL_ID": "planted"},
            (
                "ARB_INSTALL_ID has to be 5 letters or digits. Make one up, and keep it: it is "
                "part of every client order id. (accounts.E002)"
            ),
        ),
        ({"API_PROXY_COUNT": "planted"}, "API_PROXY_COUNT cannot be read: it has the wrong form."),
        ({"ARB_TIME_ZONE": "Mars"}, "Incorrect timezone setting: Mars."),
    ],
)
def test_what_has_to_be_mended_is_named_and_no_text_that_may_be_secret(
    tmp_path, environment, problem
):
    report, written = check(tmp_path, **environment)

    assert report == {
        "error": {
            "code": ConfigurationRefused.code,
            "template": ConfigurationRefused.summary,
            "context": {"problems": problem},
        }
    }
    assert written == ""


def test_what_has_to_be_mended_is_told_in_the_language_of_the_terminal(tmp_path):
    report, _written = check(tmp_path, ARB_INSTALL_ID="arb", LC_ALL="zh_CN.UTF-8")

    assert "ARB_INSTALL_ID 必须是 5 个字母或数字。" in report["error"]["context"]["problems"]


def test_a_database_that_cannot_be_opened_is_told_as_such(tmp_path):
    report, _written = check(tmp_path, DATABASE_URL="sqlite:////nowhere/at/all.db")

    assert report["error"]["code"] == DatabaseUnusable.code
