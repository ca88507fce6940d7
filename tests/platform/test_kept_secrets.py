"""What others say is masked before it is kept, passed through Redis, logged or shown."""

import logging
import subprocess
import sys
import threading

import pytest
from django.db import connection
from django.test import RequestFactory

from arbplatform.console.error_reports import MaskingReporter
from arbplatform.core.errors import Message
from arbplatform.core.masking import forget_secrets, know_secret, redact
from arbplatform.logs import LineFormatter, install_hooks
from arbplatform.notices.channels import create_channel
from arbplatform.notices.heartbeats import write_heartbeats
from arbplatform.notices.models import Notice
from arbplatform.persistence.fields import EncryptedTextField
from arbplatform.settings.base import passwords_in
from ledger.models import LogLevel
from ledger.services.logs import write_log
from markets.domain.health import Pulse
from markets.services.shared_pulses import _to_json
from strategies.domain.repair import Action, Verdict
from strategies.models import Execution
from strategies.sdk import Rejection
from strategies.services import repairs
from strategies.services.decisions import _rejection_to_json
from strategies.services.scan_rows import to_rows
from strategies.services.scan_store import scan_to_json
from strategies.services.sightings import Failure, Scan, Source

SECRET = "PLANTEDSECRET0123456789"
SAID = f"POST ?signature={SECRET}"
SENTENCE = Message("It says: {cause}", {"cause": SAID})


def scan_of(clock):
    return Scan(
        source=Source.STREAM,
        scanned_at=clock.now(),
        took_ms=1,
        venue_count=1,
        markets=1,
        pairs=0,
        cycles=0,
        nominated=0,
        sightings=(),
        errors={"alpha": Failure(2001, SENTENCE)},
        feeds={},
    )


def assert_masked(kept):
    assert SECRET not in repr(kept)
    assert "***" in repr(kept)


def test_what_engines_pass_on_of_venues_is_masked():
    assert_masked(_to_json(Pulse(cause=SENTENCE)))
    assert_masked(_to_json(Pulse(cause=SAID)))


def test_what_the_scanner_passes_on_and_tells_is_masked(clock):
    assert_masked(scan_to_json(scan_of(clock)))
    assert_masked(to_rows(scan_of(clock), ()))


def test_why_a_plugin_rejects_something_is_masked():
    assert_masked(_rejection_to_json(Rejection(SAID, "odd", SENTENCE)))
    assert_masked(_rejection_to_json(Rejection("BTC/USDT", SAID, Message("no"))))


def test_why_a_repair_does_something_is_masked():
    execution = Execution(steps=[])

    repairs._note(execution, Verdict(Action.WAIT, SENTENCE), None, "now", is_held=False)

    assert_masked(execution.steps)


@pytest.mark.django_db
def test_a_plain_text_in_a_line_of_a_log_is_masked():
    entry = write_log(
        strategy_id=None, level=LogLevel.INFO, event="odd", template="{said}", said=SAID
    )

    assert_masked(entry.context)


@pytest.mark.django_db
def test_a_sign_of_life_is_masked(clock):
    create_channel(
        name="chat",
        address="https://hooks.example.org/x",
        language="en",
        heartbeat_at=clock.now().time(),
        clock=clock,
    )
    clock.advance_ms(86_400_000)

    assert write_heartbeats(lambda: SENTENCE, clock=clock) == 1
    assert_masked(Notice.objects.get().message)


def test_what_a_process_has_encrypted_or_decrypted_it_masks():
    field, said = EncryptedTextField(), "It was planted-0123456789."

    stored = field.get_db_prep_save("planted-0123456789", connection)
    assert redact(said) == "It was ***."

    forget_secrets()
    assert redact(said) == said
    field.from_db_value(stored, None, connection)
    assert redact(said) == "It was ***."


def test_the_password_of_an_address_is_known_as_it_is_written_and_as_it_is_meant():
    assert passwords_in("postgres://arb:p%40ss@db/arb") == {"p%40ss", "p@ss"}
    assert passwords_in("sqlite:////tmp/db") == {""}


def test_an_error_that_nobody_catches_is_printed_masked():
    code = (
        f"from arbplatform.logs import install_hooks; install_hooks()\nraise ValueError({SAID!r})"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert "ValueError: POST ?signature=***" in ended.stderr
    assert SECRET not in ended.stderr.splitlines()[-1]


def test_the_crash_of_a_thread_is_logged_masked(monkeypatch):
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    lines: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record):
            lines.append(LineFormatter().format(record))

    handler = Collect()
    logging.getLogger("arbplatform.logs").addHandler(handler)

    def crash():
        raise ValueError(SAID)

    try:
        install_hooks()
        thread = threading.Thread(target=crash, name="odd")
        thread.start()
        thread.join()
    finally:
        logging.getLogger("arbplatform.logs").removeHandler(handler)

    assert lines[0].startswith("The thread odd has crashed")
    assert_masked(lines)


def test_the_hook_of_a_test_runner_is_left_alone(monkeypatch):
    monkeypatch.setattr(threading, "excepthook", print)

    install_hooks()

    assert threading.excepthook is print


def fail_with(passphrase, harmless):
    raise ValueError(f"{SAID} {harmless} {len(passphrase)}")


@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
def test_no_page_of_debug_shows_a_secret(settings, accept):
    settings.DEBUG = True
    settings.DATABASE_URL = "postgres://arb:p4ssw0rd-of-db@db/arb"
    know_secret("known-0123456789")
    request = RequestFactory().post("/", {"new_api_secret": SECRET, "label": "main"})

    with pytest.raises(ValueError, match="POST") as caught:
        fail_with(SECRET, "known-0123456789")
    reporter = MaskingReporter(request, caught.type, caught.value, caught.tb)
    is_html = accept == "text/html"
    page = reporter.get_traceback_html() if is_html else reporter.get_traceback_text()

    assert f"{MaskingReporter.__module__}.MaskingReporter" == settings.DEFAULT_EXCEPTION_REPORTER
    assert "ValueError" in page
    for secret in (SECRET, "p4ssw0rd-of-db", "known-0123456789"):
        assert secret not in page
