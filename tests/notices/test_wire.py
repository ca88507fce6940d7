"""One attempt over HTTP: what was taken, what was refused, and where nothing is sent."""

import asyncio
import socket
from threading import Event

import aiohttp
import pytest

from arbplatform.notices import wire
from arbplatform.notices.errors import ChannelForbidden, ChannelUnreachable, NoticeRefused
from arbplatform.notices.robots import Letter
from arbplatform.notices.rules import Severity
from arbplatform.notices.wire import ANSWER_BYTES_MAX, post, request

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


def test_a_name_server_that_does_not_answer_is_given_up(monkeypatch):
    asked, told, gone = Event(), Event(), Event()

    def wait(*_args):
        asked.set()
        told.wait(20)
        gone.set()
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    monkeypatch.setattr(wire, "TIMEOUT", aiohttp.ClientTimeout(total=0.2))

    with pytest.raises(ChannelUnreachable) as failure:
        post(address="https://hooks.example.org/x", letter=LETTER)

    assert asked.wait(20)
    assert not gone.is_set()  # nobody waits for it
    assert "TimeoutError" in str(failure.value)
    told.set()
    assert gone.wait(20)


def test_a_name_that_is_not_known_is_no_answer(monkeypatch):
    def refuse(*_args):
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    with pytest.raises(ChannelUnreachable):
        post(address="https://hooks.example.org/x", letter=LETTER)


def test_a_name_of_which_one_address_is_private_is_not_connected_to(monkeypatch):
    def answer(_host, port, *_args):
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (host, port)) for host in ("1.1.1.1", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answer)

    with pytest.raises(ChannelForbidden):
        post(address="https://hooks.example.org/x", letter=LETTER)


def test_of_an_endless_answer_only_the_beginning_is_read(service):
    service.answer(200, "x" * 1_000_000)

    status, answer = asyncio.run(request(service.url, b"{}"))

    assert (status, answer) == (200, "x" * ANSWER_BYTES_MAX)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nothing_is_sent_into_a_private_network(service, settings, host):
    settings.NOTICES_PRIVATE = False

    with pytest.raises(ChannelForbidden):
        post(address=service.url.replace("127.0.0.1", host), letter=LETTER)

    assert service.requests == []


@pytest.mark.parametrize(
    "host",
    [
        "[::1]",
        "10.0.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fec0::1]",
        "[::ffff:127.0.0.1]",
        "[::7f00:1]",
        "[2002:7f00:1::]",
        "[64:ff9b::7f00:1]",
        "0.0.0.1",
        "127.1",
        "2130706433",
    ],
)
def test_no_private_address_is_connected_to(host):
    with pytest.raises(ChannelForbidden):
        post(address=f"https://{host}/x", letter=LETTER)
