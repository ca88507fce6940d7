"""One attempt over HTTP: what was taken, what was refused, and where nothing is sent."""

import socket

import aiohttp
import pytest

from arbplatform.notices import wire
from arbplatform.notices.errors import ChannelForbidden, ChannelUnreachable, NoticeRefused
from arbplatform.notices.robots import Letter
from arbplatform.notices.rules import Severity
from arbplatform.notices.wire import post

LETTER = Letter("严重：交易已停止", Severity.CRITICAL)


def test_a_webhook_gets_text_and_severity(service):
    post(address=service.url, letter=LETTER)

    assert service.requests == [
        ("/hook/PLANTEDTOKEN0123456789", {"text": "严重：交易已停止", "severity": "critical"})
    ]


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_a_refusal_is_told_with_its_status(service, status):
    service.answer(status, "go away")

    with pytest.raises(NoticeRefused) as refusal:
        post(address=service.url, letter=LETTER)

    assert f"status {status}" in str(refusal.value)
    assert len(service.requests) == 1


def test_nothing_is_followed_elsewhere(service):
    service.answer(302, Location=service.url)

    with pytest.raises(NoticeRefused):
        post(address=service.url, letter=LETTER)

    assert len(service.requests) == 1


def test_a_connection_that_breaks_is_no_answer(service):
    service.answers.append((None, "", {}))

    with pytest.raises(ChannelUnreachable) as failure:
        post(address=service.url, letter=LETTER)

    assert "PLANTED" not in f"{failure.value} {failure.value!r} {failure.value.__cause__}"
    assert failure.value.__suppress_context__


def test_nobody_who_listens_is_no_answer(settings):
    settings.NOTICES_PRIVATE = True
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    with pytest.raises(ChannelUnreachable):
        post(address=f"http://127.0.0.1:{port}/x", letter=LETTER)


def test_a_service_that_does_not_answer_is_given_up(settings, monkeypatch):
    settings.NOTICES_PRIVATE = True
    monkeypatch.setattr(wire, "TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        with pytest.raises(ChannelUnreachable) as failure:
            post(address=f"http://127.0.0.1:{port}/x", letter=LETTER)

    assert "TimeoutError" in str(failure.value)


def test_of_an_endless_answer_only_the_beginning_is_read(service):
    service.answer(200, "x" * 1_000_000)

    post(address=service.url, letter=LETTER)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nothing_is_sent_into_a_private_network(service, settings, host):
    settings.NOTICES_PRIVATE = False

    with pytest.raises(ChannelForbidden):
        post(address=service.url.replace("127.0.0.1", host), letter=LETTER)

    assert service.requests == []


@pytest.mark.parametrize(
    "host", ["[::1]", "10.0.0.1", "169.254.169.254", "[fe80::1]", "[::ffff:127.0.0.1]", "0.0.0.1"]
)
def test_no_private_address_is_connected_to(host):
    with pytest.raises(ChannelForbidden):
        post(address=f"https://{host}/x", letter=LETTER)
