"""Clients and the hub without sockets."""

import asyncio

import pytest

from arbplatform.push import hub
from arbplatform.push.credentials import Credential, Identity, Method
from arbplatform.push.endpoint import Connection
from arbplatform.push.hub import Hub

READER = Identity(1, is_staff=False, credential=Credential(Method.SESSION, "key"))


async def test_who_reads_slowly_but_reads_does_not_count_as_blocked_for_all_that_waits():
    now_s = 0.0
    blocked_s = []

    async def send(_event):
        nonlocal now_s
        now_s += 6
        blocked_s.append(connection.blocked_s())

    connection = Connection(READER, send, now_s=lambda: now_s)
    for number in range(3):
        connection.outbox.put(str(number))
    pump = asyncio.create_task(connection.pump())
    async with asyncio.timeout(30):
        while len(blocked_s) < 3:  # noqa: ASYNC110  the pump needs a turn
            await asyncio.sleep(0)
    pump.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pump

    assert blocked_s == [6, 6, 6]


class BrokenSource:
    """Breaks off by a mistake the first time."""

    def __init__(self, announce):
        self.announce = announce
        self.begun = 0
        self.goes_on = asyncio.Event()

    def want(self, channels):
        pass

    async def settled(self):
        pass

    async def run(self):
        self.begun += 1
        if self.begun == 1:
            raise ValueError("a mistake")
        self.announce(True)
        self.goes_on.set()
        await asyncio.Event().wait()


async def test_work_that_breaks_off_by_a_mistake_begins_again(monkeypatch, caplog):
    monkeypatch.setattr(hub, "AGAIN_S", 0)
    sources = []

    def open_source(_deliver, announce):
        sources.append(BrokenSource(announce))
        return sources[0]

    async def send(_event):
        pass

    clients = Hub(open_source=open_source)
    reader = Connection(READER, send)
    clients.add(reader)
    async with asyncio.timeout(30):
        await sources[0].goes_on.wait()
    clients.remove(reader)

    assert sources[0].begun == 2
    assert "broke off and begins again" in caplog.text
