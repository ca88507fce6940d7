"""Processors that are kept awake as long as somebody is in a hurry."""

import logging
import os
import struct
from pathlib import Path

import pytest

from arbplatform.background.awake import HASTE, LARGEST, Haste, awake


def test_the_kernel_is_told_for_as_long_as_it_lasts(tmp_path):
    device = tmp_path / "cpu_dma_latency"
    device.touch()

    with awake(20, device=device) as holds:
        assert holds
        assert struct.unpack("=i", device.read_bytes()) == (20,)


def test_nothing_is_asked_for_unless_somebody_wants_it(tmp_path, caplog):
    with awake(-1, device=tmp_path / "absent") as holds:
        assert not holds
    assert caplog.text == ""


def test_a_machine_that_refuses_is_worked_on_all_the_same(tmp_path, caplog):
    absent = tmp_path / "absent"

    with awake(0, device=absent) as holds:
        assert not holds
    assert f"{absent} cannot be written to (No such file or directory)" in caplog.text
    assert "unset CPU_WAKE_US_MAX" in caplog.text
    assert not absent.exists()


def test_a_device_that_takes_nothing_is_worked_without(caplog):
    with awake(0, device=Path("/dev/full")) as holds:
        assert not holds
    assert "/dev/full cannot be written to (No space left on device)" in caplog.text


def test_more_than_the_kernel_can_read_is_the_most_that_it_can(tmp_path):
    device = tmp_path / "cpu_dma_latency"
    device.touch()

    with awake(2**40, device=device) as holds:
        assert holds
        assert struct.unpack("=i", device.read_bytes()) == (2**31 - 1,)


@pytest.fixture
def device(tmp_path):
    """A file in which all that was said stands one after the other."""
    path = tmp_path / "cpu_dma_latency"
    path.touch()
    return path


@pytest.fixture
def haste(device):
    haste = Haste(device)
    yield haste
    haste.close()


def said(device):
    return [number for (number,) in struct.iter_unpack("=i", device.read_bytes())]


def test_processors_are_kept_awake_while_anybody_is_in_a_hurry(device, haste):
    with haste:
        with haste:
            assert said(device) == [0]
        assert said(device) == [0]
    assert said(device) == [0, LARGEST]
    with haste:
        assert said(device) == [0, LARGEST, 0]


def test_a_hurry_that_ends_in_an_error_ends(device, haste):
    with pytest.raises(ZeroDivisionError), haste:
        _ = 1 / 0

    assert said(device) == [0, LARGEST]


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/dev/full", "No space left on device"), ("/dev/absent", "No such file or directory")],
)
def test_whoever_may_not_ask_hurries_all_the_same(path, reason, caplog):
    caplog.set_level(logging.INFO)
    haste = Haste(Path(path))

    for _ in range(2):
        with haste:
            pass

    [record] = caplog.records
    assert reason in record.getMessage()


def test_a_child_does_not_end_the_hurry_of_its_parent(device, monkeypatch):
    HASTE.close()
    monkeypatch.setattr(HASTE, "_device", device)
    HASTE.forget()

    with HASTE:
        child = os.fork()
        if not child:
            HASTE.__exit__(None, None, None)
            os._exit(0)
        assert os.waitpid(child, 0) == (child, 0)
        assert said(device) == [0]
    assert said(device) == [0, LARGEST]
    HASTE.close()
    HASTE.forget()
