"""Files of recorded sessions: what is written is read back, whatever happens in between."""

import gzip
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.core.errors import InvalidInput
from markets.feed import sessions
from markets.feed.sessions import (
    Entry,
    EntryKind,
    SessionWriter,
    is_session,
    list_parts,
    read_session,
    write_session,
)

HEAD, FRAME = EntryKind.HEAD, EntryKind.FRAME


def frames(count, size=10):
    return [Entry(n, FRAME, "alpha", b'{"n":%d,"x":"%s"}' % (n, b"x" * size)) for n in range(count)]


@given(
    payload=st.binary().map(lambda raw: raw.replace(b"\n", b" ").replace(b"\r", b" ")),
    kind=st.sampled_from(EntryKind),
    received_ns=st.integers(0, 2**63),
)
def test_an_entry_survives_its_line(payload, kind, received_ns):
    entry = Entry(received_ns, kind, "alpha-1", payload)

    assert Entry.from_line(entry.to_line()) == entry


def test_what_is_written_is_read_back_in_order(tmp_path):
    write_session(tmp_path / "one", frames(5_000))

    assert list(read_session(tmp_path / "one")) == frames(5_000)
    [part] = list_parts(tmp_path / "one")
    assert gzip.decompress(part.read_bytes()) == b"".join(each.to_line() for each in frames(5_000))


def test_line_breaks_inside_a_message_do_not_break_lines(tmp_path):
    write_session(tmp_path / "one", [Entry(1, FRAME, "alpha", b'{\n"a": 1\n}')])

    assert [entry.payload for entry in read_session(tmp_path / "one")] == [b'{ "a": 1 }']


def test_parts_are_bounded_and_each_can_be_read_alone(tmp_path):
    head = Entry(0, HEAD, "alpha", b"{}")
    writer = SessionWriter(tmp_path, file_bytes_max=2_000, block_bytes=500)
    for entry in [head, *frames(1_500)]:
        writer.add(entry)
    writer.close()

    parts = list_parts(tmp_path)
    assert len(parts) > 2
    assert all(part.stat().st_size <= 2_000 for part in parts)
    assert writer.written_bytes == sum(part.stat().st_size for part in parts)
    assert [next(read_session(part)) for part in parts] == [head] * len(parts)
    assert [entry for entry in read_session(tmp_path) if entry.kind is FRAME] == frames(1_500)


def test_the_oldest_parts_make_room_for_the_newest(tmp_path):
    writer = SessionWriter(tmp_path, file_bytes_max=2_000, session_bytes_max=6_000, block_bytes=500)
    for entry in frames(2_000):
        writer.add(entry)
    writer.close()

    assert sum(part.stat().st_size for part in list_parts(tmp_path)) <= 6_000
    kept = list(read_session(tmp_path))
    assert kept == frames(2_000)[-len(kept) :]
    assert 0 < len(kept) < 2_000


def test_a_session_is_continued_with_a_new_part(tmp_path):
    write_session(tmp_path, frames(2))
    write_session(tmp_path, frames(3))

    assert [part.name for part in list_parts(tmp_path)] == [
        "000000.session.gz",
        "000001.session.gz",
    ]
    assert list(read_session(tmp_path)) == frames(2) + frames(3)


def test_nothing_added_makes_no_file(tmp_path):
    write_session(tmp_path / "one", [])

    assert not is_session(tmp_path / "one")
    with pytest.raises(InvalidInput, match="There is no session in"):
        list(read_session(tmp_path / "one"))


@pytest.mark.parametrize("lost", [1, 7, 8, 9, 30])
def test_a_part_that_was_cut_is_read_up_to_its_last_complete_block(tmp_path, lost):
    writer = SessionWriter(tmp_path)
    for entry in frames(6):
        writer.add(entry)
        if entry.received_ns == 2:
            writer.flush()
    writer.close()
    [part] = list_parts(tmp_path)
    part.write_bytes(part.read_bytes()[:-lost])

    assert list(read_session(tmp_path)) == frames(3)


KILLED = """
import sys
from pathlib import Path
from markets.feed.sessions import Entry, EntryKind, SessionWriter

writer = SessionWriter(Path(sys.argv[1]), block_bytes=4_000)
for n in range(10**9):
    writer.add(Entry(n, EntryKind.FRAME, "alpha", b'{"n":%d,"x":"%s"}' % (n, b"x" * 10)))
    if n == 20_000:
        print("enough", flush=True)
"""


def test_a_session_whose_writer_was_killed_is_read_without_a_hole(tmp_path):
    root = Path(sessions.__file__).parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, cwd=root
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"enough\n"
        child.send_signal(signal.SIGKILL)

    entries = list(read_session(tmp_path))
    assert len(entries) > 19_000
    assert [entry.received_ns for entry in entries] == list(range(len(entries)))


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"no gzip at all", "incorrect header check"),
        (gzip.compress(b"no line of ours\n"), "not enough values|invalid literal"),
        (gzip.compress(b"1 dance alpha x\n"), "is not a valid EntryKind"),
    ],
    # compressed content tells the time: two test processes would give it different names
    ids=["no gzip", "no line of ours", "no kind of ours"],
)
def test_what_is_no_session_is_refused_in_a_sentence(tmp_path, content, cause):
    path = tmp_path / "000000.session.gz"
    path.write_bytes(content)

    assert is_session(path)
    with pytest.raises(InvalidInput, match=cause) as refused:
        list(read_session(path))
    assert str(path) in str(refused.value)


def test_a_block_larger_than_any_of_ours_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(sessions, "BLOCK_BYTES_MAX", 1_000)
    write_session(tmp_path, frames(100))

    with pytest.raises(InvalidInput, match="a block is too large"):
        list(read_session(tmp_path))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read"):
        list(read_session(tmp_path / "nothing.session.gz"))
