"""Everything that needs a person is found where it stands anyway."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone, translation

from accounts.domain.addresses import AddressState
from accounts.models import AddressEntry, Transfer
from arbplatform.alarms import (
    COMMIT_MAX,
    EACH_MAX,
    LOOK_BACK,
    TOLD_BY_STATE,
    AlarmWatch,
    describe_platform,
    read_conditions,
    read_incidents,
)
from arbplatform.background.heartbeat import BEAT, WORKER, Pulse
from arbplatform.core.clock import FixedClock, to_ms
from arbplatform.core.errors import Conflict
from arbplatform.core.sentences import message_to_json
from arbplatform.notices.models import Alarm
from arbplatform.notices.rules import Severity
from arbplatform.wording import render
from ledger.domain.halts import EVERYTHING, HaltLevel, HaltScope, TradingEvent
from ledger.models import Discrepancy, LogEntry, LogLevel
from ledger.services.halts import change_trading
from strategies.domain.states import ExecutionState, StrategyState
from strategies.models import Execution, Strategy
from tests.populated import populated

pytestmark = pytest.mark.django_db
ADVICE = "Flatten or acknowledge it."


@pytest.fixture
def there(db):
    """A platform in which something has happened and nothing is wrong."""
    Pulse(WORKER).show()
    Pulse(BEAT).show()
    with populated() as made:
        LogEntry.objects.all().delete()
        Transfer.objects.all().delete()
        Alarm.objects.all().delete()
        yield made


def found():
    """Return everything that is wrong: key, severity and text."""
    conditions = list(read_conditions(timezone.now(), set()))
    assert len({one.key for one in conditions}) == len(conditions)
    return [(one.key, one.severity, render(one.message)) for one in conditions]


def test_where_nothing_is_wrong_nothing_is_found(there):
    assert found() == []


def test_the_kill_switch(there):
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="storm")

    assert found() == [
        (
            "trading:global:halted",
            Severity.CRITICAL,
            "Trading is halted for the whole platform: storm",
        )
    ]


@pytest.mark.parametrize(
    ("level", "event", "severity", "text"),
    [
        (HaltLevel.VENUE_STATE, TradingEvent.REDUCE, Severity.WARNING, "venue alpha, by its state"),
        (HaltLevel.ACCOUNT_KEY, TradingEvent.HALT, Severity.CRITICAL, "alpha/main, by its key"),
        (HaltLevel.STRATEGY, TradingEvent.HALT, Severity.WARNING, "the strategy cross"),
    ],
)
def test_a_venue_that_is_ill_and_a_key_that_is_revoked(there, level, event, severity, text):
    targets = {
        HaltLevel.VENUE_STATE: there.accounts[0].venue_id,
        HaltLevel.ACCOUNT_KEY: there.accounts[0].pk,
        HaltLevel.STRATEGY: there.strategies[0].pk,
    }
    change_trading(event=event, scope=HaltScope(level, targets[level]), reason="because")

    ((_key, found_severity, sentence),) = found()

    assert found_severity == severity
    assert text in sentence
    assert sentence.endswith(": because")


def test_a_guard_of_the_platform(there):
    scope = HaltScope(HaltLevel.GUARD, guard="disk@here")
    change_trading(event=TradingEvent.REDUCE, scope=scope, reason="97 % of the disk are in use.")

    ((key, severity, _text),) = found()

    assert (key, severity) == ("trading:guard:disk@here:reducing", Severity.CRITICAL)


def test_of_many_halts_those_of_everything_are_told_and_none_is_taken_for_over(there):
    kept: set[str] = set()
    for number in range(EACH_MAX):
        scope = HaltScope(HaltLevel.GUARD, guard=f"disk@m{number}")
        change_trading(event=TradingEvent.REDUCE, scope=scope, reason="full")
    first = HaltScope(HaltLevel.ACCOUNT_KEY, there.accounts[0].pk)
    change_trading(event=TradingEvent.HALT, scope=first, reason="refused")
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="storm")

    conditions = list(read_conditions(timezone.now(), kept))

    keys = [one.key for one in conditions]
    assert len(keys) == EACH_MAX
    assert keys[0] == "trading:global:halted"
    assert all(key.startswith("trading:guard:") for key in keys[1:])
    assert kept == {"trading"}


def test_an_alarm_beyond_those_that_are_looked_at_is_not_over(there):
    clock = FixedClock(at_ms=to_ms(timezone.now()))
    row = there.accounts[0]
    scope = HaltScope(HaltLevel.ACCOUNT_KEY, row.pk)
    change_trading(event=TradingEvent.HALT, scope=scope, reason="refused")
    watch = AlarmWatch()
    watch.look(clock=clock)
    alarm = Alarm.objects.get(key__startswith="trading:")
    for number in range(EACH_MAX):
        guard = HaltScope(HaltLevel.GUARD, guard=f"disk@m{number}")
        change_trading(event=TradingEvent.REDUCE, scope=guard, reason="full")
    for _ in range(2):
        clock.advance_ms(180_000)
        watch.look(clock=clock)

    alarm.refresh_from_db()
    assert alarm.ended_at is None
    for one in (scope, HaltScope(HaltLevel.GUARD, guard="disk@m0")):
        change_trading(event=TradingEvent.RESUME, scope=one, reason="fine again")
    watch.look(clock=clock)

    alarm.refresh_from_db()
    assert alarm.ended_at == clock.now()


def test_strategies_that_stopped_are_told_in_the_order_of_their_ids(there):
    Strategy.objects.update(state=StrategyState.FAULTED, last_error={"template": "broken"})

    keys = [key for key, _severity, _text in found() if key.startswith("strategy:")]

    assert keys == [f"strategy:{pk}" for pk in sorted(row.pk for row in there.strategies)]


def test_an_exposure_that_is_held_until_somebody_took_note(there):
    execution = Execution.objects.get(strategy__name="cross")
    Execution.objects.filter(pk=execution.pk).update(
        state=ExecutionState.HELD, residuals={"BTC": "0.5"}
    )

    assert found() == [
        (
            f"execution:{execution.pk}:held",
            Severity.CRITICAL,
            f"cross: execution {execution.pk} is held with an exposure of 0.5 BTC. {ADVICE}",
        )
    ]
    Execution.objects.filter(pk=execution.pk).update(acknowledged_at=timezone.now())
    assert found() == []


def test_an_execution_that_does_not_end(there):
    execution = Execution.objects.get(strategy__name="cross")
    Execution.objects.filter(pk=execution.pk).update(state=ExecutionState.UNKNOWN)
    assert found() == []

    past = timezone.now() - timedelta(minutes=3)
    Execution.objects.filter(pk=execution.pk).update(created_at=past)

    ((key, severity, _text),) = found()
    assert (key, severity) == (f"execution:{execution.pk}", Severity.CRITICAL)


def test_a_strategy_that_a_fault_has_stopped(there):
    row = there.strategies[2]
    error = message_to_json(Conflict().message)
    Strategy.objects.filter(pk=row.pk).update(state=StrategyState.FAULTED, last_error=error)

    assert found() == [
        (f"strategy:{row.pk}", Severity.WARNING, f"idle was stopped by a fault: {Conflict.summary}")
    ]


def test_an_alarm_of_reconciliation(there):
    now = timezone.now()
    row = Discrepancy.objects.create(
        account=there.accounts[0],
        kind="balance",
        subject="spot:BTC",
        state="alarmed",
        template="The venue says {stated}, the books say {booked}.",
        context={"stated": "1", "booked": "2"},
        first_seen_at=now,
        last_seen_at=now,
    )

    assert found() == [
        (
            f"discrepancy:{row.pk}",
            Severity.CRITICAL,
            "Books and venue differ at alpha/main: The venue says 1, the books say 2.",
        )
    ]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"state": "in_transit", "alarmed_at": timezone.now()}, "overdue"),
        ({"state": "disputed"}, "needs a person"),
    ],
)
def test_a_transfer_that_needs_a_person(there, values, word):
    row = Transfer.objects.create(
        idempotency_key="k",
        client_transfer_id="arbtestsk",
        from_account=there.accounts[0],
        from_wallet="spot",
        to_account=there.accounts[1],
        to_wallet="spot",
        asset_id=there.accounts[0].balances.first().asset_id,
        amount=5,
        **values,
    )

    ((key, severity, text),) = found()

    assert key.startswith(f"transfer:{row.pk}:")
    assert severity == Severity.CRITICAL
    assert "alpha/main to beta/main" in text
    assert word in text


def test_an_address_that_a_venue_has_changed(there):
    AddressEntry.objects.create(
        account=there.accounts[0],
        asset_id=there.accounts[0].balances.first().asset_id,
        network="BTC",
        address="x",
        state=AddressState.SUSPENDED,
    )

    ((key, severity, text),) = found()

    assert (key, severity) == ("addresses", Severity.CRITICAL)
    assert text == "Addresses that are suspended because a venue states other ones: 1."


def test_a_part_that_does_not_work(there):
    cache.clear()  # nobody shows himself any more

    assert {key for key, _severity, _text in found()} == {"part:worker", "part:beat"}


def log(event, *, level=LogLevel.ERROR, strategy=None, template="It went wrong: {why}"):
    return LogEntry.objects.create(
        event=event, level=level, strategy=strategy, template=template, context={"why": "so"}
    )


def test_errors_in_the_log_are_incidents_the_newest_of_each_kind(there):
    cross = there.strategies[0]
    log("fill_conflict", strategy=cross)
    newest = log("fill_conflict", strategy=cross)
    of_nobody = log("fill_conflict")
    log("order_rejected", level=LogLevel.WARNING)
    for event in TOLD_BY_STATE:
        log(event)

    one, other = read_incidents(timezone.now() - timedelta(minutes=1))

    assert (one.key, one.mark) == (f"log:fill_conflict:{cross.pk}", newest.pk)
    assert render(one.message) == "cross: It went wrong: so"
    assert render(other.message) == "The platform: It went wrong: so"
    assert (other.key, other.mark) == ("log:fill_conflict:0", of_nobody.pk)
    assert one.severity == Severity.WARNING


def test_a_process_finds_what_went_wrong_before_it_began_and_then_only_what_is_new(there):
    def age(entry, span):
        LogEntry.objects.filter(pk=entry.pk).update(created_at=start.now() - span)

    start = FixedClock(at_ms=to_ms(timezone.now()))
    age(log("old"), LOOK_BACK - timedelta(minutes=1))
    age(log("older"), LOOK_BACK + timedelta(minutes=1))
    watch = AlarmWatch()
    watch.look(clock=start)
    assert list(Alarm.objects.values_list("key", flat=True)) == ["log:old:0"]

    start.advance_ms(60_000)
    age(log("late"), COMMIT_MAX)  # its transaction took so long
    watch.look(clock=start)
    watch.look(clock=start)

    assert set(Alarm.objects.values_list("key", flat=True)) == {"log:old:0", "log:late:0"}


def test_the_sign_of_life_says_how_things_are(there):
    change_trading(event=TradingEvent.HALT, scope=EVERYTHING, reason="storm")
    AlarmWatch().look()

    text = render(describe_platform())

    assert text.startswith("Still at work. Made today (UTC): ")
    assert "Strategies that run: 2. Open alarms: 1. Channels that fail: 0." in text


def test_texts_are_kept_as_their_keys_whatever_language_looks(there):
    cache.clear()
    with translation.override("zh-hans"):
        AlarmWatch().look()

    messages = [alarm.message["context"]["part"] for alarm in Alarm.objects.all()]
    assert {message["template"] for message in messages} == {"Worker", "Scheduler"}
