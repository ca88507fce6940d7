"""How the processes are asked whether they answer."""

import asyncio

import pytest

from arbplatform.management import probes, stack


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("", "localhost"),
        ("arb.example.org,127.0.0.1", "arb.example.org"),
        (".example.org", "example.org"),
        ("*", "localhost"),
    ],
)
async def test_the_web_server_is_asked_by_a_name_that_it_lets_in(
    tmp_path, monkeypatch, allowed, host
):
    monkeypatch.setenv("ALLOWED_HOSTS", allowed)
    monkeypatch.setattr(probes, "PROBE_TIMEOUT_S", 60.0)
    asked: list[bytes] = []

    async def answer(reader, writer):
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        ask = stack.web({}, tmp_path, descriptor=0, url=f"http://127.0.0.1:{port}").is_ready

        assert ask is not None
        assert await ask()

    assert asked[0].startswith(b"GET /healthz HTTP/1.1\r\nHost: " + host.encode() + b"\r\n")
