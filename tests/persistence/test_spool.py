"""Facts on the disk: whole or not at all, taken over once or kept."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from arbplatform.persistence import spool as module
from arbplatform.persistence.spool import Spool, decode, encode


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool" / f"{os.getpid()}.spool"


def take_all(spool):
    taken: list[int] = []
    report = spool.replay(lambda fact: taken.append(fact["n"]))
    assert report.taken == len(taken)
    return taken


def test_facts_are_taken_over_in_their_order_and_once(spool):
    for n in range(5):
        spool.append({"n": n})
    assert spool.count_files() == (1, 0)

    assert take_all(spool) == [0, 1, 2, 3, 4]

    assert take_all(spool) == []
    assert spool.count_files() == (0, 0)


def test_a_spool_that_nobody_needed_is_empty(spool):
    assert (take_all(spool), spool.count_files()) == ([], (0, 0))


def test_what_is_written_while_a_file_is_read_comes_next(spool):
    spool.append({"n": 0})

    spool.replay(lambda _fact: spool.append({"n": 1}))

    assert take_all(spool) == [1]


def test_a_database_that_goes_away_again_leaves_everything_where_it_is(spool):
    for n in range(3):
        spool.append({"n": n})

    def take(fact):
        if fact["n"] == 1:
            raise ConnectionError("gone again")

    with pytest.raises(ConnectionError):
        spool.replay(take)

    assert take_all(spool) == [0, 1, 2]


def test_a_fact_that_makes_no_sense_is_put_aside_and_the_others_are_taken(spool):
    for n in range(3):
        spool.append({"n": n})

    def take(fact):
        if fact["n"] == 1:
            raise ValueError("no sense")

    report = spool.replay(take)

    assert (report.taken, report.rejected) == (2, 1)
    assert spool.count_files() == (0, 1)
    assert take_all(spool) == []


def test_a_damaged_line_is_told_from_a_whole_one():
    line = encode({"n": 1})

    assert decode(line) == {"n": 1}
    for damaged in (line[:-1], line[1:], line.replace(b"1}", b"2}")):
        with pytest.raises(ValueError, match="damaged or was cut off"):
            decode(damaged)


def test_the_next_writer_cuts_off_what_a_crash_left_half_written(spool, path):
    spool.append({"n": 0})
    with path.open("ab") as file:
        file.write(encode({"n": 1})[:-5])

    spool.append({"n": 2})

    assert take_all(spool) == [0, 2]


def test_a_line_that_a_crash_left_half_written_is_put_aside(spool, path):
    spool.append({"n": 0})
    with path.open("ab") as file:
        file.write(encode({"n": 1})[:-5])

    assert take_all(spool) == [0]

    assert spool.count_files() == (0, 1)


@pytest.mark.parametrize("name", ["write", "fsync"])
def test_a_disk_that_is_full_leaves_nothing_half_written(spool, path, monkeypatch, name):
    spool.append({"n": 0})
    before = path.read_bytes()
    really = getattr(os, name)

    def fail(descriptor, *data):
        if name == "write":
            really(descriptor, data[0][:3])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        with pytest.raises(OSError, match="No space left"):
            spool.append({"n": 1})

    assert path.read_bytes() == before
    assert take_all(spool) == [0]


def test_threads_of_a_process_do_not_mix_their_lines(spool):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: spool.append({"n": n}), range(40)))

    assert sorted(take_all(spool)) == list(range(40))


def test_two_replays_at_once_take_each_fact_over_once(spool):
    for n in range(20):
        spool.append({"n": n})
    taken: list[int] = []

    def replay(_number):
        spool.replay(lambda fact: taken.append(fact["n"]))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(replay, range(4)))

    assert sorted(taken) == list(range(20))


def test_a_fact_that_is_far_too_long_is_refused(spool):
    with pytest.raises(ValueError, match="too long"):
        spool.append({"n": "x" * module.LINE_BYTES_MAX})
