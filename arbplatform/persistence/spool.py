"""Facts on the local disk for the time that the database cannot take them.

Every process appends to a file of its own, one line per fact: a checksum, a space, one JSON object.
A line counts once it is on the disk (``fsync``); one that was cut off does not count and is cut
away by the next writer. Who replays takes a whole file aside first, so that nobody appends to what
is being read, and deletes it after every line has been taken over. Taking a line over twice must
do no harm: a process may die between the two.

No secret belongs into a line. The files can be read by their owner only.
"""

import fcntl
import json
import logging
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

logger = logging.getLogger(__name__)

OPEN_SUFFIX: Final = ".spool"
TAKEN_SUFFIX: Final = ".replay"
BROKEN_SUFFIX: Final = ".rejected"
LINE_BYTES_MAX: Final = 1_000_000
FILES_MAX: Final = 100
"""Files that one replay looks at; the next one takes the rest."""
BUSY_TRIES_MAX: Final = 200
BUSY_PAUSE_S: Final = 0.01
"""Another thread's line is on the disk after a moment; a file that is taken aside has gone."""
_CHECKSUM_LENGTH = 8

Fact = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did.

    Attributes:
        taken: facts that the database has now.
        rejected: facts that it refused, or that were damaged; they are kept in a file.
    """

    taken: int = 0
    rejected: int = 0


class Spool:
    """A directory of facts that wait for the database.

    Args:
        directory: made when the first fact is written.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def append(self, fact: Fact) -> None:
        """Write a fact down; it is on the disk when this returns.

        Args:
            fact: anything that JSON can carry, without secrets.

        Raises:
            OSError: the disk is full or cannot be written; nothing of the fact is left behind.
        """
        line = encode(fact)
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / f"{os.getpid()}{OPEN_SUFFIX}"
        _append(path, line)
        _sync_directory(self._directory)

    def count_files(self) -> tuple[int, int]:
        """Return how many files wait to be replayed, and how many hold refused facts."""
        names = [path.suffix for path in self._files()]
        waiting = sum(name in (OPEN_SUFFIX, TAKEN_SUFFIX) for name in names)
        return waiting, names.count(BROKEN_SUFFIX)

    def replay(self, take: Callable[[Fact], None]) -> Replayed:
        """Hand every fact to ``take`` and delete what it has taken.

        Args:
            take: writes one fact to the database. What it raises as ``ValueError`` is about the
                fact, which is then put aside; anything else ends the replay, and the rest waits.
        """
        total = Replayed()
        for path in self._files()[:FILES_MAX]:
            if path.suffix not in (OPEN_SUFFIX, TAKEN_SUFFIX):
                continue
            with _claimed(path) as claimed:
                if claimed is not None:
                    done = self._replay_file(claimed, take)
                    total = Replayed(total.taken + done.taken, total.rejected + done.rejected)
        return total

    def _replay_file(self, path: Path, take: Callable[[Fact], None]) -> Replayed:
        taken = 0
        rejected: list[bytes] = []
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                take(decode(line))
            except ValueError as error:
                logger.error("A spooled fact was put aside: %s", error)  # noqa: TRY400  no bug
                rejected.append(line if line.endswith(b"\n") else line + b"\n")
            else:
                taken += 1
        if rejected:
            self._put_aside(path, rejected)
        path.unlink()
        _sync_directory(self._directory)
        return Replayed(taken, len(rejected))

    def _put_aside(self, path: Path, lines: list[bytes]) -> None:
        target = path.with_suffix(BROKEN_SUFFIX)
        _append(target, b"".join(lines))

    def _files(self) -> list[Path]:
        return sorted(self._directory.iterdir()) if self._directory.is_dir() else []


def encode(fact: Fact) -> bytes:
    """Return a fact as a line with its checksum.

    >>> encode({"id": 7}).decode().strip()
    '12075f43 {"id":7}'
    """
    text = json.dumps(fact, separators=(",", ":"), ensure_ascii=True).encode()
    if len(text) > LINE_BYTES_MAX:
        raise ValueError(f"a fact of {len(text)} bytes is too long")
    return f"{zlib.crc32(text):08x} ".encode() + text + b"\n"


def decode(line: bytes) -> Fact:
    """Return the fact of a line.

    Raises:
        ValueError: the line is damaged or was cut off.
    """
    checksum, text = line[:_CHECKSUM_LENGTH], line[_CHECKSUM_LENGTH + 1 :].rstrip(b"\n")
    if not line.endswith(b"\n") or checksum != f"{zlib.crc32(text):08x}".encode():
        raise ValueError("its line is damaged or was cut off")
    fact: Fact = json.loads(text)
    return fact


def _append(path: Path, line: bytes) -> None:
    """Append whole lines under the file's lock, to a new file if this one was taken aside.

    Raises:
        OSError: they could not be written, and no part of them is left.
    """
    for _ in range(BUSY_TRIES_MAX):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, descriptor):
                _append_whole(descriptor, line)
                return
        except BlockingIOError:
            time.sleep(BUSY_PAUSE_S)
        finally:
            os.close(descriptor)
    raise OSError(f"the file {path.name} is locked by somebody else")


def _append_whole(descriptor: int, line: bytes) -> None:
    whole = _cut_torn_line(descriptor)
    try:
        _write(descriptor, line)
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, whole)
        raise


def _write(descriptor: int, line: bytes) -> None:
    done = 0
    while done < len(line):
        done += os.write(descriptor, line[done:])


def _cut_torn_line(descriptor: int) -> int:
    """Cut a last line off that was not written to its end; return the size that is left."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, LINE_BYTES_MAX, max(0, size - LINE_BYTES_MAX))
    torn = len(tail) - (tail.rfind(b"\n") + 1)
    if torn:
        os.ftruncate(descriptor, size - torn)
    return size - torn


@contextmanager
def _claimed(path: Path) -> Iterator[Path | None]:
    """Take a file aside for the time of its replay; None if somebody else has it."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield None
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield _take_aside(path, descriptor)
    finally:
        os.close(descriptor)


def _take_aside(path: Path, descriptor: int) -> Path | None:
    if not _is_still(path, descriptor):
        return None
    if path.suffix == TAKEN_SUFFIX:  # whoever took it aside has died
        return path
    target = path.with_name(f"{path.stem}-{os.fstat(descriptor).st_ino}{TAKEN_SUFFIX}")
    path.rename(target)
    return target


def _is_still(path: Path, descriptor: int) -> bool:
    """Return whether an open file is the one that its name leads to."""
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return named.st_ino == os.fstat(descriptor).st_ino


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
