"""Secrets of accounts come out nowhere: not in logs, errors, answers, the spool or the tables."""

import logging

import pytest
from django.db import OperationalError, connection

from accounts.models import VenueAccount
from arbplatform.logs import JsonFormatter, LineFormatter
from ledger.models import LogEntry
from ledger.services import journal
from markets.errors import OutcomeUnknown
from strategies.services.ticks import run_tick

KEY, SECRET, PHRASE = "PLANTEDKEY0123456789", "PLANTEDSECRET0123456789", "PLANTEDPHRASE0123456789"
PLANTED = (KEY, SECRET, PHRASE)
PATHS = (
    "health", "accounts", "orders", "fills", "logs", "executions", "opportunities", "strategies",
    "risk", "overview", "venues", "balances",
)  # fmt: skip


@pytest.fixture
def planted(cross, edge, accounts, settings, tmp_path):
    """Accounts with planted secrets, one of whose venues repeats them in its errors."""
    settings.SPOOL_DIR = tmp_path / "spool"
    for account in accounts:
        row = VenueAccount.objects.get(pk=account.pk)
        row.api_secret, row.passphrase = SECRET, PHRASE
        row.save()

    def leak(_request):
        cause = f"POST ?api_key={KEY}&signature={SECRET} passphrase='{PHRASE}'"
        raise OutcomeUnknown(venue="alpha", cause=cause)

    edge["alpha"].after_submit = leak
    return cross


def assert_clean(text, *, of=(SECRET, PHRASE)):
    for secret in of:
        assert secret not in text


@pytest.fixture
def lines():
    """What the platform's formatters made of every log record."""
    written: list[str] = []
    formatters = (LineFormatter("{message}", style="{"), JsonFormatter())

    class Collect(logging.Handler):
        def emit(self, record):
            written.extend(formatter.format(record) for formatter in formatters)

    handler = Collect(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


def test_no_log_line_and_no_answer_shows_a_secret(planted, lines, user_api, staff_api):
    run_tick(strategy_id=planted.pk)
    logging.getLogger("test").error("api_secret=%s passphrase: '%s'", SECRET, PHRASE)

    assert_clean("\n".join(lines), of=PLANTED)
    for path in PATHS:
        for client in (user_api, staff_api):
            assert_clean(client.get(f"/api/{path}").content.decode(), of=PLANTED)
    assert LogEntry.objects.exists()


def test_the_spool_holds_none(planted, settings, monkeypatch):
    def fail(*_args, **_kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(journal, "record", fail)
    assert "kept on the disk" in run_tick(strategy_id=planted.pk).error

    spooled = "".join(p.read_text() for p in settings.SPOOL_DIR.rglob("*") if p.is_file())
    assert "reported" in spooled or "lost" in spooled
    assert_clean(spooled, of=PLANTED)


def test_the_database_holds_only_what_is_encrypted(planted):
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_key, api_secret, passphrase FROM accounts_venueaccount")
        text = repr(cursor.fetchall())

    assert_clean(text, of=PLANTED)
    assert "gAAAA" in text
