"""Redis is away: each process keeps to a cautious part, and never asks Redis twice."""

import socketserver
import threading

import pytest

from markets.gateway import budget, factory
from markets.gateway.budget import AWAY_MS, LOCAL_SHARE, Redis, SharedLimiter
from markets.gateway.limiter import BURST_MS, WAIT_MS_MAX, TooManyRequests
from markets.models import Venue
from tests.markets.faults.play import UNIT_MS, Sleeps, make_budget, process

AWAY = "unix:///nowhere/redis.sock"


def spend(limiter):
    for count in range(1_000):
        try:
            limiter.acquire(1)
        except TooManyRequests:
            return count
    return None


def test_a_process_that_cannot_see_the_others_takes_a_quarter():
    limiter, _ = process(AWAY)
    # nothing flows in: the sleeps are only noted
    made_ms = limiter._local._now_ms()
    limiter._local._now_ms = lambda: made_ms

    assert spend(limiter) == (BURST_MS + WAIT_MS_MAX) // UNIT_MS // LOCAL_SHARE


@pytest.mark.usefixtures("time_stands_still")
def test_the_shared_budget_is_used_again_as_soon_as_redis_is_back(redis_server):
    now_ms = [0.0]
    store = Redis(redis_server.url, now_ms=lambda: now_ms[0])
    limiter = SharedLimiter(make_budget(), store, sleep=Sleeps())
    redis_server.stop()
    limiter.acquire(1)
    assert store.look(make_budget()) is None
    redis_server.start()
    assert store.look(make_budget()) is None, "it is left alone for a moment"

    now_ms[0] += AWAY_MS

    limiter.acquire(25)
    health = store.look(make_budget())
    assert health is not None
    assert health.free_percent == 50


def test_a_step_whose_reply_is_lost_is_not_taken_twice(monkeypatch):
    monkeypatch.setattr(budget, "TIMEOUT_S", 30.0)  # what is lost is lost at once
    commands = []

    class Losing(socketserver.BaseRequestHandler):
        def handle(self):
            while data := self.request.recv(65_536):
                if b"EVALSHA" in data:
                    commands.append(data)
                    return  # taken, but never answered
                self.request.sendall(b"+OK\r\n" * data.count(b"CLIENT"))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Losing) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        url = f"redis://127.0.0.1:{server.server_address[1]}/0?protocol=2"
        store = Redis(url, now_ms=lambda: 0.0)
        limiter = SharedLimiter(make_budget(), store, sleep=Sleeps())

        limiter.acquire(1)
        limiter.acquire(1)

        store.close()
        server.shutdown()
    assert len(commands) == 1


@pytest.mark.django_db
def test_it_is_shown_that_each_process_keeps_to_its_part(user_api, console):
    factory.configure(timeout_ms=1_000, redis_url=AWAY)
    venue = Venue.objects.create(code="alpha", name="Alpha", ccxt_id="binance")

    budget = user_api.get("/api/venues/alpha").json()["data"]["budget"]
    page = console.get(f"/admin/markets/venue/{venue.pk}/change/").content.decode()

    assert (budget["state"], budget["free_percent"]) == ("local", None)
    assert "Redis is away" in page
