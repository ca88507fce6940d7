"""No secret that a venue or chat service repeats is found in anything that real processes let out.

What is searched is all that leaves a process: what it writes at the level DEBUG, its files, every
table, every command that reaches Redis (messages with their arguments, events about them, what is
cached and published), and the answers of the API.
"""

import os
import re
import threading
from base64 import b64decode

import pytest
import redis
from django.db import connection

from accounts.models import VenueAccount
from accounts.services.accounts import create_account
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.notices import channels
from arbplatform.notices.models import NoticeChannel
from markets.gateway import factory
from markets.services.markets import sync_markets
from markets.services.venues import create_venue
from markets.simulator.running import start_in_thread
from strategies.domain.states import StrategyDriver
from tests.notices.conftest import Service
from tests.processes import send, sender, wait_until
from tests.strategies.simulated import begin, market, quote_cheap_and_dear, venue

PATIENCE_S = 60.0
VENUES = ("alpha", "beta")
KEYS = {code: f"HUNTEDkey0{code}0123456789abcdef" for code in VENUES}
SECRETS = {code: f"HUNTED/sec+ret0{code}0123456789==" for code in VENUES}
HOOK = "PLANTEDTOKEN0123456789"
BODY = re.compile(r'"body": "([A-Za-z0-9+/=]+)"')
SIGNED = re.compile(r"signature=(?!\*\*\*)")
TASKS = (
    *("accounts.test_connection", "accounts.sync_balances"),
    *("ledger.open_account", "ledger.reconcile_account"),
)
PATHS = (
    "health", "accounts", "executions", "logs", "opportunities", "orders", "overview",
    "strategies", "transfers", "venues",
)  # fmt: skip


class Monitor:
    """Hears every command that reaches a Redis server.

    Attributes:
        commands: as the server tells them.
    """

    def __init__(self, url):
        self.commands: list[str] = []
        self._url = url
        self._client = redis.Redis.from_url(url, socket_timeout=None)
        self._is_listening = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        assert self._is_listening.wait(PATIENCE_S)

    def _listen(self):
        with self._client.monitor() as monitor:
            self._is_listening.set()
            for command in monitor.listen():
                self.commands.append(command["command"])
                if command["command"] == "PING the end":
                    return

    def stop(self):
        """Return when everything that was sent before has been heard."""
        with redis.Redis.from_url(self._url) as client:
            client.execute_command("PING", "the end")
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        self._client.close()


@pytest.fixture
def monitor(redis_server):
    listening = Monitor(redis_server.url)
    yield listening
    listening.stop()


@pytest.fixture
def simulator():
    """Two venues that know planted keys."""
    funds = {"BTC": "5", "USDT": "500000"}
    configs = [venue(code, markets=[market("BTC/USDT")], funds=funds) for code in VENUES]
    for config in configs:
        code = config["code"]
        config["accounts"][0] |= {"api_key": KEYS[code], "api_secret": SECRETS[code]}
    running = start_in_thread({"seed": 7, "venues": configs})
    quote_cheap_and_dear(running)
    yield running
    factory.close_all()
    running.stop()


@pytest.fixture
def accounts(transactional_db, simulator):
    """Their accounts, as people enter them."""
    made = []
    for code in VENUES:
        row = create_venue(
            code=code,
            ccxt_id="binance",
            rest_origin=f"{simulator.url}/{code}",
            ws_origin=f"{simulator.ws_url}/{code}",
        )
        sync_markets(venue_id=row.pk)
        made.append(
            create_account(venue=row, label="main", api_key=KEYS[code], api_secret=SECRETS[code])
        )
    return made


@pytest.fixture
def channel(transactional_db, settings):
    """A chat service that repeats its token."""
    settings.NOTICES_PRIVATE = True
    service = Service()
    for _ in range(9):
        service.answer(404, f'{{"errcode": 1, "errmsg": "no hook {HOOK}"}}')
    yield channels.create_channel(
        name="chat", address=service.url, language="en", heartbeat_at=None, clock=SYSTEM_CLOCK
    )
    service.stop()


def repeat_secrets(simulator, code, endpoint):
    """Let a venue refuse requests, and repeat key and secret in ways that no name gives away."""
    in_php = SECRETS[code].replace("/", r"\/")
    simulator.control.add_fault(
        code,
        "refuse",
        endpoint=endpoint,
        code=-2015,
        status=401,
        text=f"{KEYS[code]} is no key to {SECRETS[code]} nor to {in_php}. Mend it.",
        times=None,
    )


def read_messages(commands):
    """Return what the bodies of all messages say; they are quoted to look like nothing."""
    bodies = (BODY.findall(command.replace("\\", "")) for command in commands)
    return "\n".join(b64decode(body).decode() for found in bodies for body in found)


def assert_clean(text, what):
    plain = text.replace("\\", "")  # what is escaped is as easy to read
    for secret in (*KEYS.values(), *SECRETS.values(), HOOK, os.environ["FIELD_ENCRYPTION_KEYS"]):
        for spelling in (secret, secret.replace("/", "%2F")):
            at = plain.find(spelling)
            assert at < 0, f"{what}: {plain[max(0, at - 300) : at + 100]}"
    found = SIGNED.search(text)
    assert found is None, f"{what}: {text[max(0, found.start() - 300) : found.end() + 100]}"


def tables():
    """Yield every table with what it holds."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608  ours
            yield table, repr(cursor.fetchall())


@pytest.fixture
def search(transactional_db, monitor, staff_api, tmp_path):
    """Search everything that the platform has let out."""

    def search():
        for path in PATHS:
            answer = staff_api.get(f"/api/{path}")
            assert answer.status_code in {200, 503}, path
            assert_clean(answer.content.decode(), path)
        for table, rows in tables():
            assert_clean(rows, table)
        assert_clean("\n".join(monitor.commands), "Redis")
        assert_clean(read_messages(monitor.commands), "messages")
        for file in tmp_path.rglob("*"):
            if file.is_file() and file.name != "secrets.env":
                assert_clean(file.read_text(errors="replace"), file.name)

    return search


@pytest.fixture
def stream(accounts, simulator, channel):
    """A strategy whose first venue refuses everything from now on, and a notice to send."""
    begin(
        "cross-venue",
        accounts,
        driver=StrategyDriver.STREAM,
        symbols=["BTC/USDT"],
        max_notional="20000",
    )
    for endpoint in ("account", "listen_key", "order.*"):
        repeat_secrets(simulator, "alpha", endpoint)
    channels.test_channel(channel_id=channel.pk)


@pytest.mark.usefixtures("stream")
def test_no_secret_that_others_repeat_is_found_anywhere(start_part, redis_server, monitor, search):
    url = redis_server.url
    worker = start_part("worker", LOG_LEVEL="DEBUG", NOTICES_PRIVATE="true")
    engine = start_part("engine", LOG_LEVEL="DEBUG")
    with sender(url) as app:
        wait_until(lambda: app.control.enable_events(reply=True), lambda: worker.output, PATIENCE_S)
    for account in VenueAccount.objects.all():
        for task in TASKS:
            send(url, task, account_id=account.pk)
    send(url, "notices.sweep")

    wait_until(
        lambda: (
            VenueAccount.objects.exclude(sync_error="").exists()
            and NoticeChannel.objects.exclude(error={}).exists()
            and " runs" in engine.output
        ),
        lambda: f"{worker.output}\n{engine.output}",
        PATIENCE_S,
    )
    for part in (worker, engine):
        part.end()
    monitor.stop()

    search()
    # all of it was there to be found
    assert "is no key to ***" in VenueAccount.objects.get(venue__code="alpha").sync_error
    assert "urllib3.connectionpool" in worker.output
    assert "arb:engine" in "".join(monitor.commands)
    assert "task-received" in read_messages(monitor.commands)
    assert "accounts.sync_balances" in read_messages(monitor.commands)
