"""Secrets of accounts come out nowhere: not in logs, errors, answers, the spool or the tables."""

import logging
from decimal import Decimal as D

import pytest
from django.db import OperationalError, connection

from accounts.models import VenueAccount
from arbplatform.alarms import read_conditions
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import Message
from arbplatform.logs import JsonFormatter, LineFormatter
from arbplatform.notices.channels import create_channel
from arbplatform.notices.delivering import deliver_due
from arbplatform.notices.errors import NoticeRefused
from arbplatform.notices.models import Alarm, NoticeChannel
from arbplatform.notices.raising import keep_alarms
from arbplatform.notices.rules import Incident, Severity
from ledger.models import LogEntry
from ledger.services import journal
from markets.errors import OutcomeUnknown, VenueUnavailable
from strategies.models import Decision, Opportunity, Reason, Run, Strategy
from strategies.sdk import ExecutionMode, Intent, MarketView
from strategies.services.failures import explain
from strategies.services.opportunities import LeftIntent, Sighting, record_left
from strategies.services.runs import fault_strategy
from strategies.services.ticks import TickOutcome, run_tick

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


LEAK = f"POST ?api_key={KEY}&signature={SECRET} passphrase='{PHRASE}'"


def everything():
    """Return what all tables hold, as it stands there."""
    texts = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608  ours
            texts.append(repr(cursor.fetchall()))
    return "\n".join(texts)


def leave_intent(strategy_id, denial):
    """Write down an opportunity that was denied with some words."""
    sighting = Sighting(
        strategy_id=strategy_id,
        run_id=Run.objects.get().pk,
        detected_at=SYSTEM_CLOCK.now(),
        view=MarketView(now_ms=0, books={}, rules={}, free={}),
        params={},
        depth=1,
        markets={},
        offsets_ms={},
    )
    intent = Intent(
        summary="all of it",
        legs=(),
        mode=ExecutionMode.PARALLEL,
        edge_bps=D(1),
        notional=D(1),
        expected_profit=D(1),
        profit_asset="USDT",
    )
    left = [LeftIntent(intent, Decision.DENIED, Reason.FUNDS_RESERVED, denial)]
    assert record_left(sighting=sighting, left=left) == 1


def test_no_row_keeps_what_an_error_says_of_one(planted, edge, clock):
    """A book that cannot be had, a strategy that fails, its alarm, and a service of notices."""

    def leak(_symbol):
        raise VenueUnavailable(venue="beta", cause=LEAK)

    def refuse(*, address, letter):
        raise NoticeRefused(status=500, answer=LEAK)

    edge["beta"].before_book = leak
    assert run_tick(strategy_id=planted.pk).outcome is TickOutcome.NOTHING
    leave_intent(planted.pk, Message("{cause}", {"cause": LEAK}))
    failure = explain(VenueUnavailable(venue="alpha", cause=LEAK))
    fault_strategy(strategy_id=planted.pk, failure=failure)
    incident = Incident(
        "log:error", Severity.WARNING, Message("{error}", {"error": LEAK}), mark=1, at=clock.now()
    )
    create_channel(
        name="first",
        address="https://hooks.example.org/x",
        language="en",
        heartbeat_at=None,
        clock=clock,
    )
    keep_alarms(conditions=read_conditions(clock.now(), set()), incidents=[incident], clock=clock)
    deliver_due(clock=clock, bring=refuse)

    assert Opportunity.objects.get().evidence["denial"] != {}
    assert Strategy.objects.get(pk=planted.pk).last_decision["missing_books"] != []
    assert Strategy.objects.get(pk=planted.pk).last_error_code == VenueUnavailable.code
    assert Run.objects.get().fault != {}
    assert {"log:error", f"strategy:{planted.pk}"} <= {alarm.key for alarm in Alarm.objects.all()}
    assert NoticeChannel.objects.get().error_code == NoticeRefused.code
    assert LogEntry.objects.filter(event="strategy_faulted").exists()
    assert_clean(everything(), of=PLANTED)
