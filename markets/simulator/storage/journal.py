"""The append-only file in which facts about customers survive the process.

One JSON record a line, written with ``write()`` before anyone is answered: what the kernel has,
``SIGKILL`` cannot take back. Records say what is true, not what to do (``facts``), so that reading
one twice changes nothing: that lets a compaction copy the present state into a new file while new
records go to both. A last line without its end was torn by a crash and is passed over.
"""

import asyncio
import fcntl
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from arbplatform.core.errors import Conflict, InvalidInput
from markets.simulator.storage.facts import Facts

logger = logging.getLogger(__name__)

FILE_NAME = "journal.jsonl"
LOCK_NAME = "lock"
COMPACT_ABOVE_BYTES = 64 * 1024 * 1024
"""A file that is larger, and twice as large as after the last compaction, is compacted."""
UNWRITTEN_BYTES_MAX = 16 * 1024 * 1024
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND


class JournalFailed(Exception):
    """A fact could not be written: whoever waits for it must not be told that it is one."""


class Journal:
    """The journal of one state directory, which it keeps to itself until it is closed.

    Attributes:
        size: of the file [bytes].

    Args:
        directory: made when it is not there.

    Raises:
        Conflict: another simulator uses the directory.
        InvalidInput: the directory cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise InvalidInput(
                "The state directory {path} cannot be used: {cause}.",
                path=str(directory),
                cause=error.strerror or str(error),
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise Conflict(
                "Another simulator uses the state directory {path}. Stop it, or choose another.",
                path=str(directory),
            ) from None
        self._file = -1
        self._copy = -1
        self._unwritten = b""
        self.size = 0
        self._compacted_size = 0

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield all records, oldest first.

        Raises:
            InvalidInput: a line in the middle is damaged.
        """
        if not self._path.exists():
            return
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    logger.warning("the last record of %s was torn and is passed over", self._path)
                    return
                try:
                    yield orjson.loads(line)
                except ValueError:
                    raise InvalidInput(
                        "Line {line} of the journal {path} is damaged. Restore a copy, or remove "
                        "the file to start anew.",
                        line=number,
                        path=str(self._path),
                    ) from None

    def rewrite(self, state: Iterable[Facts]) -> None:
        """Replace the file by the given state, at once, and be ready to append."""
        self._begin_copy()
        for facts in state:
            _write_all(self._copy, _to_line(facts))
        self._finish_copy()

    async def compact(self, state: Iterable[Facts]) -> None:
        """Do the same while others go on appending, one record at a time."""
        self._begin_copy()
        try:
            for facts in state:
                _write_all(self._copy, _to_line(facts))
                await asyncio.sleep(0)
        except BaseException:
            os.close(self._copy)
            self._copy = -1
            raise
        self._finish_copy()

    @property
    def is_large(self) -> bool:
        """Whether a compaction is due."""
        return self.size > max(COMPACT_ABOVE_BYTES, 2 * self._compacted_size)

    def append(self, facts: Facts) -> None:
        """Write the facts; return once they survive the death of the process.

        Raises:
            JournalFailed: they do not; they are tried again with the next ones.
        """
        line = _to_line(facts)
        if self._unwritten:
            line = self._unwritten + line
        try:
            _write_all(self._file, line)
            if self._copy >= 0:
                _write_all(self._copy, line)
        except OSError as error:
            if len(line) > UNWRITTEN_BYTES_MAX:
                raise SystemExit(f"The journal {self._path} cannot be written: {error}") from error
            self._unwritten = line
            logger.exception("the journal %s cannot be written", self._path)
            raise JournalFailed from error
        self._unwritten = b""
        self.size += len(line)

    def close(self) -> None:
        """Give the directory back."""
        for number in (self._file, self._copy, self._lock):
            if number >= 0:
                with suppress(OSError):
                    os.close(number)
        self._file = self._copy = self._lock = -1

    def _begin_copy(self) -> None:
        self._copy_path = self._path.with_suffix(".new")
        self._copy_path.unlink(missing_ok=True)
        self._copy = os.open(self._copy_path, _FLAGS, 0o600)

    def _finish_copy(self) -> None:
        self._copy_path.replace(self._path)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._copy = self._copy, -1
        self.size = self._compacted_size = os.fstat(self._file).st_size


def _to_line(facts: Facts) -> bytes:
    return orjson.dumps(facts.to_json_value()) + b"\n"


def _write_all(number: int, data: bytes) -> None:
    """Write ``data`` wholly: a disk that is nearly full may take a part only."""
    view = memoryview(data)
    while view:
        view = view[os.write(number, view) :]
