"""What the hub is told about one client, without sockets."""

import asyncio

import pytest

from arbplatform.push.credentials import Credential, Identity, Method
from arbplatform.push.endpoint import Connection

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
    while len(blocked_s) < 3:  # noqa: ASYNC110  the pump needs a turn
        await asyncio.sleep(0)
    pump.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pump

    assert blocked_s == [6, 6, 6]
