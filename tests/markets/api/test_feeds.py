"""The feeds of all engines, over the API and in the console."""

import re
from datetime import datetime

import pytest
import redis
from django.conf import settings

from arbplatform.core.clock import SYSTEM_CLOCK, from_ms
from arbplatform.core.errors import Message
from markets.domain.feeds import FeedState, FeedStatus
from markets.feed.store import BookStore
from markets.models import Venue
from tests.processes import redis_server

__all__ = ["redis_server"]

pytestmark = pytest.mark.django_db
PAGE = "/admin/markets/market/feeds/"


@pytest.fixture
def venues(db):
    return [
        Venue.objects.create(code=code, name=code.title(), ccxt_id="binance")
        for code in ("alpha", "beta")
    ]


@pytest.fixture
def told(redis_server, venues, monkeypatch):
    """Two engines that follow three markets through a Redis of our own."""
    monkeypatch.setattr(settings, "REDIS_URL", redis_server.url)
    now_ms = SYSTEM_CLOCK.now_ms()
    lost = Message("The connection failed: {cause}.", {"cause": "TimeoutError"})
    with redis.Redis.from_url(redis_server.url) as client:
        BookStore(client, writer="one").write_many(
            [],
            gone=[],
            alive_at_ms={"alpha": now_ms - 40},
            statuses=[
                FeedStatus(
                    *("alpha", "BTC/USDT", FeedState.HEALTHY, None, now_ms, now_ms - 900),
                    proven_at_ms=now_ms - 300,
                ),
                FeedStatus("alpha", "ETH/USDT", FeedState.DOWN, lost, now_ms, gap_count=2),
            ],
            now_ms=now_ms,
        )
        BookStore(client, writer="two").write_many(
            [],
            gone=[],
            alive_at_ms={},
            statuses=[FeedStatus("beta", "BTC/USDT", FeedState.CONNECTING, None, now_ms)],
            now_ms=now_ms,
        )
    return now_ms


def listed(api, **query):
    response = api.get("/api/markets/feeds", query)
    assert response.status_code == 200, response.json()
    return response.json()["data"]


def test_feeds_are_listed_with_state_reason_and_age(user_api, told):
    page = listed(user_api)

    assert page["count"] == 3
    healthy, down, other = page["results"]
    assert (healthy["venue"], healthy["symbol"], healthy["engine"]) == ("alpha", "BTC/USDT", "one")
    assert (healthy["state"], healthy["reason"], healthy["is_polled"]) == ("healthy", None, False)
    assert 40 <= healthy["age_ms"] < 10_000
    assert datetime.fromisoformat(healthy["proven_at"]) == from_ms(told - 300)
    assert down["proven_at"] is None
    assert (down["state"], down["reason"]) == ("down", "The connection failed: TimeoutError.")
    assert (down["age_ms"], down["updated_at"], down["gap_count"]) == (None, None, 2)
    assert (other["venue"], other["engine"], other["state"]) == ("beta", "two", "connecting")


def test_feeds_are_chosen_by_venue_and_state(user_api, told):
    assert [row["symbol"] for row in listed(user_api, venue="beta")["results"]] == ["BTC/USDT"]
    assert [row["symbol"] for row in listed(user_api, state="down")["results"]] == ["ETH/USDT"]
    assert listed(user_api, page_size=1, page=2)["results"][0]["state"] == "down"


def test_a_venue_that_is_not_known_and_a_state_that_is_none_are_refused(user_api, told):
    assert user_api.get("/api/markets/feeds?venue=gamma").json()["code"] == 2010
    assert user_api.get("/api/markets/feeds?state=fine").status_code == 400


def test_without_redis_it_says_that_redis_is_away(user_api, told, redis_server):
    redis_server.stop()

    response = user_api.get("/api/markets/feeds")

    assert response.status_code == 503
    assert "start Redis again" in response.json()["msg"]


def test_strangers_see_no_feeds(anonymous_api, told):
    assert anonymous_api.get("/api/markets/feeds").status_code == 401


def test_the_page_shows_what_is_wrong_first(console, told):
    page = console.get(PAGE).content.decode()

    assert page.index("ETH/USDT") < page.index("BTC/USDT")
    assert "The connection failed: TimeoutError." in page
    assert "down: 1 · connecting: 1 · healthy: 1" in page


def test_the_head_of_the_page_names_the_feeds_and_not_the_markets(console, venues):
    page = console.get(PAGE).content.decode()

    head = page[page.index("header-inner") :].partition("</h1>")[0]
    assert re.findall(r">\s*([A-Z]\w+)\s*</(?:a|span)", head) == ["Feeds"]


def test_the_page_of_one_venue_and_the_one_without_feeds(console, told, venues):
    one = console.get(PAGE, {"venue": "beta"}).content.decode()
    nothing = console.get(PAGE, {"venue": "gamma"}).content.decode()

    assert "ETH/USDT" not in one
    assert "Show all venues" in one
    assert "No venue has the code gamma" in nothing


def test_the_page_says_what_to_do_when_nothing_is_followed(console, venues):
    assert "No engine follows any market." in console.get(PAGE).content.decode()
