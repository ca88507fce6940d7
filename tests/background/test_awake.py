"""Processors that are kept awake as long as somebody is in a hurry."""

import struct
from pathlib import Path

from arbplatform.background.awake import awake


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
