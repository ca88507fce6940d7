"""How long the stages of the engine took."""

from threading import Thread

import pytest

from arbplatform.core.stages import Stage, StageRecorder


@pytest.fixture
def recorder(clock):
    return StageRecorder(clock)


def counts(stages):
    return {stage: histogram.count for stage, histogram in stages.items()}


def test_only_stages_that_happened_are_read(recorder):
    recorder.record(Stage.SEND, 400.0)
    recorder.record(Stage.BOOK, 3.0)
    recorder.record(Stage.BOOK, 5.0)

    figures = recorder.read()

    assert list(counts(figures.total).items()) == [(Stage.BOOK, 2), (Stage.SEND, 1)]
    assert counts(figures.recent) == counts(figures.total)


def test_what_was_read_does_not_change_any_more(recorder):
    recorder.record(Stage.BOOK, 3.0)
    figures = recorder.read()

    recorder.record(Stage.BOOK, 3.0)

    assert counts(figures.total) == {Stage.BOOK: 1}


def test_durations_of_all_threads_are_added_up_also_of_those_that_have_ended(recorder):
    def work():
        for _ in range(100):
            recorder.record(Stage.COMMIT, 900.0)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.record(Stage.COMMIT, 900.0)

    assert counts(recorder.read().total) == {Stage.COMMIT: 401}
    assert counts(recorder.read().total) == {Stage.COMMIT: 401}
    assert len(recorder._shards) == 1


def test_recent_is_the_last_minute(recorder, clock):
    recorder.record(Stage.ACK, 1_000.0)
    for _ in range(90):
        clock.advance_ms(1_000)
        recorder.read()
    recorder.record(Stage.ACK, 50.0)

    figures = recorder.read()

    assert counts(figures.total) == {Stage.ACK: 2}
    assert counts(figures.recent) == {Stage.ACK: 1}
    assert figures.recent[Stage.ACK].max_us == pytest.approx(50.0, rel=0.1)


def test_a_stage_that_rests_for_a_minute_is_not_recent(recorder, clock):
    recorder.record(Stage.ACK, 1_000.0)
    for _ in range(90):
        clock.advance_ms(1_000)
        recorder.read()

    assert counts(recorder.read().recent) == {}


def test_the_marks_of_an_hour_are_bounded(recorder, clock):
    for _ in range(3_600):
        clock.advance_ms(1_000)
        recorder.record(Stage.BOOK, 1.0)
        recorder.read()

    assert len(recorder._marks) <= 7
    assert 50 <= counts(recorder.read().recent)[Stage.BOOK] <= 70
