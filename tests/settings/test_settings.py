"""Settings: what they derive, and that each environment can be loaded."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.formats import date_format, localize

from arbplatform.settings.base import broker_url, database
from arbplatform.settings.env import SECRETS_FILE, ensure_local_secrets
from ledger.domain.orders import PLANNED_MAX
from ledger.services import reconciler
from strategies.services import claims

ROOT = Path(settings.BASE_DIR)
SECRETS = {
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "FIELD_ENCRYPTION_KEYS": "dGVzdHMtb25seS1rZXktdGhhdC1ndWFyZHMtbm90aGk=",
    "ARB_INSTALL_ID": "tests",
}


def run(script, module, tmp_path, **environment):
    """Run a script with settings of its own in a process of its own."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in {*SECRETS, "DATABASE_URL", "REDIS_URL", "ARB_DATA_DIR"}
    }
    return subprocess.run(
        [sys.executable, "-c", f"import django; django.setup(); {script}"],
        cwd=ROOT,
        env={
            **clean,
            "DJANGO_SETTINGS_MODULE": module,
            "ARB_DATA_DIR": str(tmp_path / "data"),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("redis", "kombu"),
    [
        ("redis://127.0.0.1:6379/3", "redis://127.0.0.1:6379/3"),
        ("unix:///var/run/redis.sock", "redis+socket:///var/run/redis.sock?virtual_host=0"),
        ("unix:///r.sock?db=2", "redis+socket:///r.sock?virtual_host=2"),
    ],
)
def test_a_redis_address_is_written_as_kombu_reads_it(redis, kombu):
    assert broker_url(redis) == kombu


def test_sqlite_is_made_safe_for_concurrent_writers():
    options = database("sqlite:////data/x.sqlite3")["OPTIONS"]

    assert options["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in options["init_command"]
    assert "synchronous=FULL" in options["init_command"]


def test_postgresql_connections_are_kept_and_checked():
    config = database("postgres://user:pass@127.0.0.1:5432/arb")

    assert (config["CONN_MAX_AGE"], config["CONN_HEALTH_CHECKS"]) == (60, True)
    assert "init_command" not in config["OPTIONS"]
    assert "idle_in_transaction_session_timeout=10000" in config["OPTIONS"]["options"]


def test_a_first_run_makes_its_secrets_once_and_hides_them(tmp_path):
    path = ensure_local_secrets(tmp_path / "new")
    first = path.read_text()

    again = ensure_local_secrets(tmp_path / "new")

    assert (again, again.read_text()) == (path, first)
    assert path.name == SECRETS_FILE
    assert path.stat().st_mode & 0o077 == 0
    assert {line.split("=")[0] for line in first.splitlines()} == set(SECRETS)
    assert list(path.parent.iterdir()) == [path]


def test_printed_secrets_are_those_that_production_needs(tmp_path):
    printed = subprocess.run(
        [sys.executable, "-m", "arbplatform.settings.env"],
        cwd=ROOT,
        env={**os.environ, "ARB_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    given = dict(line.split("=", 1) for line in printed.splitlines())
    script = "from django.core.checks import run_checks; print(run_checks(tags=['security']))"

    done = run(script, "arbplatform.settings.prod", tmp_path, **given)

    assert set(given) == set(SECRETS)
    assert done.stdout == "[]\n", done.stderr
    assert not (tmp_path / "data").exists()


def test_two_installations_never_share_a_secret(tmp_path):
    one, other = (ensure_local_secrets(tmp_path / name).read_text() for name in ("a", "b"))

    assert not set(one.splitlines()) & set(other.splitlines())


def test_a_first_run_needs_nothing_from_the_environment(tmp_path):
    script = "from django.conf import settings as s; print(s.DEBUG, s.LANGUAGE_CODE)"

    done = run(script, "arbplatform.settings.dev", tmp_path)

    assert done.stdout.split() == ["False", "zh-hans"], done.stderr


@pytest.mark.parametrize(
    ("given", "language"),
    [
        ({"LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LC_ALL": "zh_CN.UTF-8"}, "zh-hans"),
        ({"LC_ALL": "en_US.UTF-8", "ARB_LANGUAGE": "zh-hans"}, "zh-hans"),
        ({"LC_ALL": "zh_CN.UTF-8", "ARB_LANGUAGE": "en"}, "en"),
        ({"LC_ALL": "en_US.UTF-8", "ARB_LANGUAGE": ""}, "en"),
    ],
)
def test_commands_speak_as_the_terminal_does_unless_a_language_was_chosen(
    tmp_path, given, language
):
    script = "from django.conf import settings as s; print(s.COMMAND_LANGUAGE)"

    done = run(script, "arbplatform.settings.dev", tmp_path, **given)

    assert done.stdout.split() == [language], done.stderr


def test_production_has_no_default_secrets_and_names_all_that_it_misses(tmp_path):
    given = {"SECRET_KEY": SECRETS["SECRET_KEY"]}

    done = run("", "arbplatform.settings.prod", tmp_path, **given)

    assert done.returncode != 0
    assert done.stderr.splitlines()[-1] == (
        "django.core.exceptions.ImproperlyConfigured: FIELD_ENCRYPTION_KEYS, ARB_INSTALL_ID must "
        "be set in the environment. `python -m arbplatform.settings.env` prints new ones."
    )
    assert not (tmp_path / "data").exists()


def test_production_passes_the_deployment_checks(tmp_path):
    script = (
        "from django.core.management import call_command;"
        "call_command('check', deploy=True, fail_level='WARNING')"
    )

    done = run(script, "arbplatform.settings.prod", tmp_path, **SECRETS)

    assert done.returncode == 0, done.stderr


def test_production_leads_everybody_to_tls_but_those_who_ask_from_inside(tmp_path):
    script = (
        "import django; django.setup();"
        "from django.conf import settings; settings.ALLOWED_HOSTS = ['testserver'];"
        "from django.middleware.security import SecurityMiddleware;"
        "from django.test import RequestFactory;"
        "look = SecurityMiddleware(lambda request: None).process_request;"
        "paths = '/healthz', '/metrics', '/api/health', '/api/health/', '/api/health/x', '/admin/';"
        "print([look(RequestFactory().get(path)) is None for path in paths])"
    )

    done = run(script, "arbplatform.settings.prod", tmp_path, **SECRETS)

    assert done.stdout.strip() == str([True, True, True, True, False, False]), done.stderr


def test_production_logs_json_and_says_in_red_what_it_is(tmp_path):
    script = (
        "import logging; from django.conf import settings as s;"
        "logging.getLogger('x').warning('api_secret=%s', 'pl4nted'); print(s.ARB_ENVIRONMENT)"
    )

    done = run(script, "arbplatform.settings.prod", tmp_path, **SECRETS)

    line = json.loads(done.stderr.splitlines()[-1])
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "x", "api_secret=***")
    assert done.stdout.strip() == "production"


def test_every_variable_is_in_the_example():
    example = (ROOT / ".env.example").read_text()
    used = {
        word.split('"')[1]
        for path in (ROOT / "arbplatform" / "settings").glob("*.py")
        for word in path.read_text().split("env.")[1:]
        if word.split("(")[0] in {"str", "bool", "int", "list", "float"}
        for word in [word[word.index("(") :]]
        if '"' in word
    }

    assert sorted(name for name in used if f"{name}=" not in example) == []


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_times_are_sortable_to_the_second_in_every_language(language):
    moment = datetime(2026, 11, 25, 20, 54, 4, tzinfo=UTC)

    with translation.override(language):
        assert localize(moment) == "2026-11-25 20:54:04"
        assert date_format(moment.date()) == "2026-11-25"


def test_messages_may_go_through_another_broker_that_knows_no_options_of_redis(tmp_path):
    script = (
        "from django.conf import settings as s; "
        "print(s.CELERY_BROKER_URL, s.CELERY_BROKER_TRANSPORT_OPTIONS)"
    )
    module = "arbplatform.settings.dev"

    other = run(script, module, tmp_path, BROKER_URL="amqp://arb@rabbit/arb")
    own = run(script, module, tmp_path)

    assert other.stdout.strip() == "amqp://arb@rabbit/arb {}"
    assert own.stdout.startswith("redis+socket://")
    assert "queue_order_strategy" in own.stdout


def test_no_request_may_take_so_long_that_leases_look_put_off_by_a_clock(tmp_path, monkeypatch):
    script = "from django.conf import settings as s; print(s.VENUE_TIMEOUT_MS)"

    longest, *others = (
        run(script, "arbplatform.settings.dev", tmp_path, VENUE_TIMEOUT_MS=text)
        for text in ("60000", "60001", "0")
    )

    monkeypatch.setattr(settings, "VENUE_TIMEOUT_MS", int(longest.stdout))
    assert max(claims.lease(), reconciler.lease()) < PLANNED_MAX
    for other in others:
        assert "ImproperlyConfigured: VENUE_TIMEOUT_MS is" in other.stderr
