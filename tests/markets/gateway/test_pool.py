import threading
from typing import Any

import pytest

from markets.gateway.pool import ClientPool, PoolExhausted


class FakeClient:
    def __init__(self) -> None:
        self.session = self
        self.calls = 0
        self.is_closed = False

    def begin_call(self) -> None:
        self.calls += 1

    def close(self) -> None:
        self.is_closed = True


class Maker:
    def __init__(self) -> None:
        self.made: list[Any] = []

    def __call__(self) -> FakeClient:
        self.made.append(FakeClient())
        client: FakeClient = self.made[-1]
        return client


def _pool(maker: Maker, size: int = 2, wait_s: float = 0.01) -> ClientPool:
    return ClientPool(maker, size=size, wait_s=wait_s)


def test_an_instance_serves_one_call_after_the_other() -> None:
    maker = Maker()
    pool = _pool(maker)

    for _call in range(3):
        with pool.lend():
            pass

    assert len(maker.made) == 1
    assert maker.made[0].calls == 3


def test_calls_that_overlap_get_an_instance_each() -> None:
    maker = Maker()
    pool = _pool(maker)

    with pool.lend() as first, pool.lend() as second:
        assert first is not second


def test_the_one_used_last_is_lent_first_so_that_its_connection_is_warm() -> None:
    maker = Maker()
    pool = _pool(maker)
    with pool.lend(), pool.lend():
        pass
    with pool.lend() as warm:
        pass

    with pool.lend() as again:
        assert again is warm


def test_there_are_no_more_instances_than_the_bound() -> None:
    maker = Maker()
    pool = _pool(maker, size=1)

    with pool.lend(), pytest.raises(PoolExhausted), pool.lend():
        pass

    with pool.lend():
        pass
    assert len(maker.made) == 1


def test_a_waiting_caller_gets_the_instance_that_comes_back() -> None:
    maker = Maker()
    pool = _pool(maker, size=1, wait_s=5)
    got = threading.Event()

    def wait() -> None:
        with pool.lend():
            got.set()

    with pool.lend():
        thread = threading.Thread(target=wait)
        thread.start()
        assert not got.wait(0.02)
    assert got.wait(30)
    thread.join(5)
    assert len(maker.made) == 1


def test_an_instance_comes_back_from_a_call_that_failed() -> None:
    maker = Maker()
    pool = _pool(maker, size=1)

    with pytest.raises(RuntimeError), pool.lend():
        raise RuntimeError

    with pool.lend():
        pass
    assert len(maker.made) == 1


def test_a_failure_to_make_one_gives_its_place_back() -> None:
    def fail() -> Any:
        raise RuntimeError("cannot be made")

    pool = ClientPool(fail, size=1, wait_s=0.01)

    for _attempt in range(2):
        with pytest.raises(RuntimeError, match="cannot be made"), pool.lend():
            pass


def test_closing_closes_what_is_idle_and_what_comes_back_later() -> None:
    maker = Maker()
    pool = _pool(maker)
    with pool.lend() as late:
        with pool.lend() as idle:
            pass
        pool.close()
        assert idle.is_closed
        assert not late.is_closed

    assert late.is_closed
