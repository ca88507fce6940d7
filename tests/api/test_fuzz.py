"""A property-based fuzzer over the whole API document: no crash, nothing outside of the envelope.

The venues behind it are simulated ones, reached over real HTTP, so that also the addresses that
ask a venue answer as they would in the product.
"""

import pytest
import schemathesis
from django.contrib.auth import get_user_model
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, settings
from knox.models import AuthToken
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from accounts.models import VenueAccount
from accounts.services.accounts import create_account
from accounts.services.balances import sync_balances
from arbplatform.background.heartbeat import BEAT, WORKER, Pulse
from ledger.models import Entry, Order
from ledger.services.equity import take_snapshot
from markets.gateway.factory import close_all
from markets.services.markets import sync_markets
from markets.services.venues import create_venue
from markets.simulator.demo import DEMO_VENUES, demo_config
from markets.simulator.running import start_in_thread
from strategies.domain.states import StrategyDriver
from strategies.models import Execution, Opportunity, Strategy
from strategies.services.runs import start_strategy
from strategies.services.setups import SETUPS
from strategies.services.strategies import create_strategy
from strategies.services.ticks import run_tick
from tests.documented import document

KEYS = {code: (f"key-of-{code}-0123456789", f"secret-of-{code}-0123456789") for code in DEMO_VENUES}
UNREACHABLE = "http://127.0.0.1:9"
EXAMPLES_PER_OPERATION = 25


def _closed_document():
    """Return the API document with answers that may hold nothing but what it names."""
    found = document()
    for name, schema in found["components"]["schemas"].items():
        if "properties" in schema and not name.endswith("Request"):
            schema.setdefault("additionalProperties", False)
    return found


DOCUMENT = schemathesis.openapi.from_dict(_closed_document())
DOCUMENT.app = get_wsgi_application()

IDS: dict[str, list[int]] = {}
"""Ids of rows that exist, by the first part of the address."""


@DOCUMENT.hook
def map_path_parameters(context, path_parameters):
    """Name a row that exists about every second time: behind a 404 nothing is tested."""
    if path_parameters and "id" in path_parameters:
        known = IDS.get(context.operation.path.split("/")[2], [])
        number = path_parameters["id"]
        if known and isinstance(number, int) and number % 2:
            path_parameters["id"] = known[number % len(known)]
    if path_parameters and "key" in path_parameters and len(str(path_parameters["key"])) % 2:
        path_parameters["key"] = "alpha"
    return path_parameters


@DOCUMENT.hook
def map_query(context, query):
    """Ask for a symbol that exists about every second time."""
    for name, value in (("symbol", "BTC/USDT"), ("venue", "beta")):
        if query and name in query and len(str(query[name])) % 2:
            query[name] = value
    return query


@DOCUMENT.hook
def map_body(context, body):
    """Let no address of a venue lead out of this machine: the tests have no network."""
    if isinstance(body, dict):
        for name, origin in (("rest_origin", UNREACHABLE), ("ws_origin", "ws://127.0.0.1:9")):
            if isinstance(body.get(name), str) and body[name].startswith(("http", "ws")):
                body[name] = origin
    return body


def answers_in_the_envelope(context, response, case):
    """Every answer is JSON of the one shape, errors with a code and a sentence."""
    body = response.json()
    assert set(body) == {"code", "msg", "data"}, body
    assert isinstance(body["msg"], str)
    assert body["msg"]
    assert (body["code"] == 0) == (response.status_code < 400), body


@pytest.fixture(scope="module")
def simulator():
    """Three simulated venues."""
    running = start_in_thread(demo_config(seed=7, keys=KEYS))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def login(django_db_setup, django_db_blocker, simulator):
    """A platform on them, with rows of every kind; the headers of somebody who may do all.

    It is built once, inside a transaction that is rolled back in the end.
    """
    signals.request_started.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_old_connections)
    SETUPS.clear()
    with django_db_blocker.unblock(), transaction.atomic():
        _populate(simulator.url)
        person = get_user_model().objects.create_superuser("fuzzer")
        _row, token = AuthToken.objects.create(user=person)
        yield {"Authorization": f"Token {token}"}
        transaction.set_rollback(True)
    SETUPS.clear()
    close_all()
    signals.request_started.connect(close_old_connections)
    signals.request_finished.connect(close_old_connections)


def _populate(url):
    accounts = [_register(code, url) for code in DEMO_VENUES]
    strategies = [
        create_strategy(
            name=name,
            slug="cross-venue",
            params={"symbols": ["BTC/USDT"], "max_notional": "1000", "min_edge_bps": "0.01"},
            account_ids=[account.pk for account in accounts],
            driver=StrategyDriver.SCHEDULE,
        )
        for name in ("runs", "idle", "spare")
    ]
    start_strategy(strategy_id=strategies[0].pk, user=None)
    run_tick(strategy_id=strategies[0].pk)
    take_snapshot()
    for model in (VenueAccount, Strategy, Execution, Opportunity, Order, Entry):
        name = str(model._meta.verbose_name_plural).split()[-1]
        IDS[name] = list(model.objects.values_list("pk", flat=True))


def _register(code, url):
    venue = create_venue(code=code, ccxt_id="binance", rest_origin=f"{url}/{code}")
    sync_markets(venue_id=venue.pk)
    key, secret = KEYS[code]
    account = create_account(venue=venue, label="demo", api_key=key, api_secret=secret)
    sync_balances(account_id=account.pk)
    return account


@pytest.mark.django_db  # each operation starts from the same platform
@DOCUMENT.parametrize()
@settings(
    max_examples=EXAMPLES_PER_OPERATION,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_the_api(case, login):
    for part in (WORKER, BEAT):
        Pulse(part).show()
    # logging out would end the fuzzer's own login
    headers = login if "logout" not in case.path else {}

    case.call_and_validate(
        headers={**headers, "Accept-Language": "en"},
        checks=[
            checks.not_a_server_error,
            openapi_checks.status_code_conformance,
            openapi_checks.content_type_conformance,
            openapi_checks.response_schema_conformance,
            openapi_checks.response_headers_conformance,
            answers_in_the_envelope,
        ],
    )
