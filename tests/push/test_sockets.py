"""``/ws/`` over real sockets, with a real Redis between publisher and clients."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest
import websockets
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.utils import timezone
from knox.models import AuthToken

from arbplatform.push import endpoint, hub, topics
from arbplatform.push.publisher import publish
from arbplatform.push.topics import Delivery, TopicKind, TopicRule, book_topic, ticker_topic
from markets.models import Venue
from tests.markets.conftest import alpha, venues  # noqa: F401  fixtures
from tests.push.conftest import PATIENCE_S, connect, cookie_of, in_thread

pytestmark = pytest.mark.django_db(transaction=True)

TICKER = ticker_topic("alpha", "BTC/USDT")


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  another thread changes it
            await asyncio.sleep(0.01)


# who may come in ---------------------------------------------------------------------------------


async def test_a_token_in_the_header_lets_in(server, token):
    async with connect(server, token=token) as socket:
        assert (await socket.hear(code=0))["data"]["op"] == "login"


async def test_a_token_as_a_subprotocol_lets_in_and_is_not_repeated(server, token):
    protocols = ["arb.v1", f"token.{token}"]
    async with connect(server, subprotocols=protocols) as socket:
        assert (await socket.hear(code=0))["data"]["op"] == "login"
        assert socket.connection.subprotocol == "arb.v1"


async def test_a_token_in_the_first_message_lets_in(server, token):
    async with connect(server) as socket:
        await socket.say(op="login", token=token)

        assert (await socket.hear(code=0))["data"]["op"] == "login"


async def test_a_token_in_the_address_is_not_looked_at(server, token, monkeypatch):
    monkeypatch.setattr(endpoint, "LOGIN_S", 0.1)
    async with connect(server, url=f"{server.url}?token={token}") as socket:
        assert (await socket.hear())["code"] == 1035
        assert await socket.closed() == (4401, "1035")


async def test_who_does_not_log_in_is_sent_away(server, monkeypatch):
    monkeypatch.setattr(endpoint, "LOGIN_S", 0.1)
    async with connect(server) as socket:
        assert (await socket.hear())["code"] == 1035
        assert await socket.closed() == (4401, "1035")
    assert server.hub.client_count == 0


async def test_strangers_are_bounded_and_keep_nobody_out_who_brings_a_login(
    server, token, browser, monkeypatch
):
    monkeypatch.setattr(endpoint, "STRANGERS_MAX", 2)
    monkeypatch.setattr(endpoint, "LOGIN_S", 60)
    async with connect(server) as first, connect(server):
        async with connect(server) as third:
            assert await third.closed() == (4429, "1038")
        async with connect(server, token=token) as known:
            assert (await known.hear(code=0))["data"]["op"] == "login"
        async with connect(server, headers=cookie_of(browser), origin=server.origin) as page:
            assert (await page.hear(code=0))["data"]["op"] == "login"
        await first.say(op="login", token=token)
        assert (await first.hear(code=0))["data"]["op"] == "login"
        async with connect(server) as again:
            await again.say(op="login", token=token)
            assert (await again.hear(code=0))["data"]["op"] == "login"


@pytest.mark.parametrize("wrong", ["a" * 64, "not-a-token", ""])
async def test_a_wrong_token_is_refused(server, wrong):
    async with connect(server, token=wrong) as socket:
        assert (await socket.hear())["code"] == 1036
        assert await socket.closed() == (4401, "1036")


async def test_a_first_message_that_is_no_login_is_refused(server):
    async with connect(server) as socket:
        await socket.say(op="subscribe", topics=["logs"])

        assert await socket.closed() == (4401, "1035")


async def test_a_first_message_that_cannot_be_read_is_refused(server):
    async with connect(server) as socket:
        await socket.connection.send("hello")

        assert await socket.closed() == (4400, "1033")


async def test_a_page_of_the_console_comes_in_by_its_session(server, browser):
    async with connect(server, headers=cookie_of(browser), origin=server.origin) as socket:
        assert (await socket.hear(code=0))["data"]["op"] == "login"


async def test_a_page_of_another_origin_is_refused_although_the_session_is_good(server, browser):
    for origin in ("http://evil.example", "http://127.0.0.1:1", "null", "http://[broken"):
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with connect(server, headers=cookie_of(browser), origin=origin):
                pass
        assert refused.value.response.status_code == 403
    assert server.hub.client_count == 0


async def test_a_session_without_an_origin_counts_for_nothing(server, browser, monkeypatch):
    monkeypatch.setattr(endpoint, "LOGIN_S", 0.1)
    async with connect(server, headers=cookie_of(browser)) as socket:
        assert await socket.closed() == (4401, "1035")


async def test_an_address_beside_is_refused(server, token):
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connect(server, token=token, url=server.url + "elsewhere"):
            pass
    assert refused.value.response.status_code == 403


async def test_more_connections_of_one_person_than_allowed_are_refused(server, token, settings):
    settings.PUSH_CLIENTS_PER_USER_MAX = 2
    async with connect(server, token=token), connect(server, token=token):
        await until(lambda: server.hub.client_count == 2)
        async with connect(server, token=token) as third:
            assert await third.closed() == (4429, "1038")
    await until(lambda: server.hub.client_count == 0)
    async with connect(server, token=token) as again:
        assert (await again.hear(code=0))["data"]["op"] == "login"


# topics ------------------------------------------------------------------------------------------


async def test_what_is_published_reaches_who_has_subscribed_and_nobody_else(server, token):
    async with connect(server, token=token) as reader, connect(server, token=token) as other:
        answered = await reader.ask(op="subscribe", topics=["executions", "logs"])
        assert answered == {
            "code": 0,
            "msg": "success",
            "data": {"op": "subscribe", "topics": ["executions", "logs"]},
            "id": 1,
        }
        await other.ask(op="subscribe", topics=["logs"])
        publish("executions", {"id": 7, "state": "completed"})
        publish("logs", {"id": 8})

        event = await reader.hear(topic="executions")
        assert event["data"] == {"id": 7, "state": "completed"}
        assert isinstance(event["at_ms"], int)
        assert (await reader.hear(topic="logs"))["data"] == {"id": 8}
        assert (await other.hear(topic="logs"))["data"] == {"id": 8}


async def test_what_is_not_wanted_any_more_does_not_come(server, token):
    async with connect(server, token=token) as socket:
        await socket.ask(op="subscribe", topics=["executions", "logs"])
        answered = await socket.ask(op="unsubscribe", topics=["executions"])
        assert answered["data"] == {"op": "unsubscribe", "topics": ["logs"]}
        publish("executions", {"id": 7})
        publish("logs", {"id": 8})

        assert (await socket.hear(topic="logs"))["data"] == {"id": 8}
        await socket.ask(op="ping")


async def test_the_latest_state_of_a_market_comes_with_the_subscription(server, token, alpha):  # noqa: F811
    async with connect(server, token=token) as first:
        await first.ask(op="subscribe", topics=[TICKER])
        publish(TICKER, {"bid": "1"})
        assert (await first.hear(topic=TICKER))["data"] == {"bid": "1"}
        async with connect(server, token=token) as second:
            await second.ask(op="subscribe", topics=[TICKER])

            assert (await second.hear(topic=TICKER))["data"] == {"bid": "1"}


async def test_markets_that_clients_watch_are_registered_as_of_interest(server, token, alpha):  # noqa: F811
    async with connect(server, token=token) as socket:
        watched = [TICKER, book_topic("alpha", "ETH/USDT"), "logs"]
        await socket.ask(op="subscribe", topics=watched)

        await until(lambda: server.interest)
    assert {topic.name for topic in server.interest[0]} == set(watched[:2])


async def test_a_market_that_does_not_exist_is_refused_and_nothing_is_subscribed(
    server,
    token,
    alpha,  # noqa: F811
):
    async with connect(server, token=token) as socket:
        wrong = ticker_topic("alpha", "DOGE/USDT")
        refused = await socket.ask(op="subscribe", topics=["logs", wrong])
        assert (refused["code"], refused["data"]) == (1031, None)

        answered = await socket.ask(op="subscribe", topics=["executions"])
        assert answered["data"]["topics"] == ["executions"]
    assert server.interest == []


@pytest.mark.parametrize("topic", ["kline:alpha:BTC/USDT:7m", "trades:muted:BTC/USDT"])
async def test_what_a_venue_does_not_stream_is_refused_when_it_is_asked_for(
    server,
    token,
    alpha,  # noqa: F811
    topic,
):
    await in_thread(lambda: mute_venue(alpha))
    async with connect(server, token=token) as socket:
        refused = await socket.ask(op="subscribe", topics=["trades:alpha:BTC/USDT", topic])
        assert (refused["code"], topic in refused["msg"]) == (1041, True)

        good = ["kline:alpha:BTC/USDT:1m", "trades:alpha:BTC/USDT"]
        answered = await socket.ask(op="subscribe", topics=good)
        assert answered["data"]["topics"] == good
        await until(lambda: server.interest)
    assert {named.name for named in server.interest[0]} == set(good)


def mute_venue(alpha):  # noqa: F811
    """Add a venue of a class without streams, with the markets of ``alpha``."""
    muted = Venue.objects.create(code="muted", name="Muted", ccxt_id="zebpay")
    for market in alpha.markets.all():
        market.pk, market.venue = None, muted
        market._state.adding = True
        market.save()


async def test_a_topic_that_does_not_exist_is_refused(server, token):
    async with connect(server, token=token) as socket:
        refused = await socket.ask(op="subscribe", topics=["nonsense"])

    assert (refused["code"], "nonsense" in refused["msg"]) == (1030, True)


async def test_a_topic_for_staff_is_refused_to_others(server, token, browser, monkeypatch):
    rule = TopicRule(Delivery.QUEUE, is_staff_only=True)
    monkeypatch.setattr(topics, "RULES", {**topics.RULES, TopicKind.LOGS: rule})
    async with connect(server, token=token) as reader:
        assert (await reader.ask(op="subscribe", topics=["logs"]))["code"] == 1034
    async with connect(server, headers=cookie_of(browser), origin=server.origin) as staff:
        assert (await staff.ask(op="subscribe", topics=["logs"]))["code"] == 0


async def test_more_topics_than_allowed_are_refused(server, token, alpha, monkeypatch):  # noqa: F811
    monkeypatch.setattr(endpoint, "MARKETS_MAX", 1)
    async with connect(server, token=token) as socket:
        both = [TICKER, book_topic("alpha", "BTC/USDT")]
        assert (await socket.ask(op="subscribe", topics=both))["code"] == 0
        more = [ticker_topic("alpha", "ETH/USDT")]
        assert (await socket.ask(op="subscribe", topics=more))["code"] == 1032


# talking -----------------------------------------------------------------------------------------


async def test_what_cannot_be_read_is_answered_and_the_connection_stays(server, token):
    async with connect(server, token=token) as socket:
        for text in ("hello", "[]", '{"op": "dance"}', '{"op": "subscribe"}', b"\x00"):
            await socket.connection.send(text)
            assert (await socket.hear(code=1033))["data"] is None
        assert (await socket.ask(op="ping"))["data"] == {"op": "ping"}
        assert (await socket.ask(op="login", token="a"))["code"] == 0


async def test_who_talks_too_much_is_sent_away(server, token):
    async with connect(server, token=token) as socket:
        with suppress(websockets.ConnectionClosed):
            for _ in range(15 * endpoint.MESSAGES_PER_S):  # at the pace allowed: 15 s
                await socket.say(op="ping")

        assert await socket.closed() == (4429, "1039")


async def test_refusals_are_in_the_language_of_the_reader(server, token):
    async with connect(server, token=token, headers={"Accept-Language": "zh-CN,zh"}) as socket:
        refused = await socket.ask(op="subscribe", topics=["nonsense"])
        await socket.connection.send("hello")
        unread = await socket.hear(code=1033)

    assert refused["msg"].startswith("没有主题 nonsense")
    assert unread["msg"].startswith("无法读取该消息：不是 JSON。")


# health ------------------------------------------------------------------------------------------


async def test_a_sign_of_life_comes_at_once_and_again(server, token, monkeypatch):
    monkeypatch.setattr(hub, "BEAT_S", 0.05)
    async with connect(server, token=token) as socket:
        for _ in range(3):
            beat = await socket.hear(topic="heartbeat")
        beat = await socket.hear(topic="heartbeat", data={"is_live": True, "dropped": 0})

    assert isinstance(beat["at_ms"], int)


async def test_clients_hear_that_redis_is_away_and_that_it_is_back(server, token, broker):
    async with connect(server, token=token) as socket:
        await socket.ask(op="subscribe", topics=["logs"])
        await socket.hear(topic="heartbeat", data={"is_live": True, "dropped": 0})
        await asyncio.to_thread(broker.stop)
        await socket.hear(topic="heartbeat", data={"is_live": False, "dropped": 0})
        await asyncio.to_thread(broker.start)
        await socket.hear(topic="heartbeat", data={"is_live": True, "dropped": 0})
        await asyncio.to_thread(server.call, server.hub.settled)
        publish("logs", {"id": 1})

        assert (await socket.hear(topic="logs"))["data"] == {"id": 1}


def revoke_token():
    AuthToken.objects.all().delete()


def expire_token():
    AuthToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))


def deactivate():
    get_user_model().objects.update(is_active=False)


def log_out():
    Session.objects.all().delete()


def expire_session():
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def change_password():
    person = get_user_model().objects.get(username="root")
    person.set_password("another one")
    person.save()


@pytest.mark.parametrize("end", [revoke_token, expire_token, deactivate])
async def test_a_token_that_has_ended_ends_its_connections(server, token, end, monkeypatch):
    monkeypatch.setattr(hub, "BEAT_S", 0.05)
    async with connect(server, token=token) as socket:
        await socket.hear(topic="heartbeat")
        await in_thread(end)

        assert await socket.closed() == (4401, "1037")
    await until(lambda: server.hub.client_count == 0)


@pytest.mark.parametrize("end", [log_out, expire_session, change_password, deactivate])
async def test_a_session_that_has_ended_ends_its_connections(server, browser, end, monkeypatch):
    monkeypatch.setattr(hub, "BEAT_S", 0.05)
    async with connect(server, headers=cookie_of(browser), origin=server.origin) as socket:
        await socket.hear(topic="heartbeat")
        await in_thread(end)

        assert await socket.closed() == (4401, "1037")


async def test_the_others_stay_when_one_login_ends(server, token, browser, monkeypatch):
    monkeypatch.setattr(hub, "BEAT_S", 0.05)
    own = {"headers": cookie_of(browser), "origin": server.origin}
    async with connect(server, token=token) as gone, connect(server, **own) as stays:
        await stays.hear(topic="heartbeat")
        await in_thread(revoke_token)
        assert await gone.closed() == (4401, "1037")

        assert (await stays.ask(op="ping"))["code"] == 0


async def test_who_does_not_read_is_cut_off_and_holds_up_nobody(server, token, monkeypatch):
    monkeypatch.setattr(hub, "SLOW_S", 0.2)
    monkeypatch.setattr(hub, "BEAT_S", 0.1)
    monkeypatch.setattr(endpoint, "CLOSE_S", 0.1)
    async with connect(server, token=token) as reader:
        await reader.ask(op="subscribe", topics=["logs"])
        async with connect(server, token=token, max_queue=1, close_timeout=0.1) as sleeper:
            await sleeper.ask(op="subscribe", topics=["logs"])
            big = "x" * 60_000
            for number in range(200):
                publish("logs", {"id": number, "text": big})
                assert (await reader.hear(topic="logs"))["data"]["id"] == number

            await until(lambda: server.hub.client_count == 1)
            assert (await reader.ask(op="ping"))["code"] == 0


async def test_a_client_that_goes_leaves_nothing_behind(server, token):
    async with connect(server, token=token) as socket:
        await socket.ask(op="subscribe", topics=["logs"])
        assert server.hub.client_count == 1
    await until(lambda: server.hub.client_count == 0)

    assert (server.hub._readers, server.hub._by_channel, server.hub._tasks) == ({}, {}, [])


async def test_a_server_that_ends_says_so(server, token):
    async with connect(server, token=token) as socket:
        await socket.ask(op="ping")
        await asyncio.to_thread(server.close)

        assert (await socket.closed())[0] == 1012
