"""How fast engines are, above their list."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from strategies.services.leases import Engine, renew_leases
from tests.speeds import engine, no_engines  # noqa: F401  fixtures

pytestmark = pytest.mark.django_db
ADDRESS = "/admin/strategies/engineprocess/"


def test_every_stage_is_shown_with_its_percentiles(console, engine):  # noqa: F811
    html = console.get(ADDRESS).content.decode()

    assert "received → book changed" in html
    assert "request sent → answer" in html
    assert "1.50 s" in html
    assert "healthy 40, stale 2" in html
    assert 'data-live-every="2"' in html


def test_states_and_queues_are_named_in_the_language_of_the_reader(console, engine):  # noqa: F811
    html = console.get(ADDRESS, headers={"accept-language": "zh-hans"}).content.decode()

    assert "正常 40, 过旧 2" in html
    assert "决策 " in html


def test_without_redis_the_page_says_so_and_shows_the_list(console, settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"

    html = console.get(ADDRESS).content.decode()

    assert "Redis does not answer" in html


def test_what_engines_hold_is_asked_once_for_all_of_them(console):
    for number in range(5):
        renew_leases(engine=Engine(f"engine-{number}", "here", number), tokens={})

    with CaptureQueriesContext(connection) as few:
        console.get(ADDRESS)
    for number in range(5, 25):
        renew_leases(engine=Engine(f"engine-{number}", "here", number), tokens={})
    with CaptureQueriesContext(connection) as many:
        html = console.get(ADDRESS).content.decode()

    assert "engine-24" in html
    assert len(many) == len(few)


def test_the_api_tells_the_speeds_of_a_living_engine(user_api, engine):  # noqa: F811
    renew_leases(engine=Engine("lives", "here", 7), tokens={})
    renew_leases(engine=Engine("silent", "here", 8), tokens={})

    rows = {row["name"]: row["speed"] for row in user_api.get("/api/engines").json()["data"]}

    assert rows["silent"] is None
    speed = rows["lives"]
    assert [row["stage"] for row in speed["stages"]] == ["book", "decision", "ack"]
    assert speed["stages"][0]["total"]["count"] == 3
    assert speed["stages"][2]["recent"] is None
    assert (speed["feeds"], speed["conflated"]) == ({"healthy": 40, "stale": 2}, 17)
