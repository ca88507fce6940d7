"""Sessions: what venues said about their books, in compressed files that survive a crash.

A session is a directory of parts. A part is a sequence of blocks, each a complete gzip member, so
``zcat`` reads it, and whatever kills the writer costs the last, unfinished block only. A line is
when something came [ns since epoch], of which kind it is, of which venue, and what came: raw
messages of the stream as the venue wrote them, and beside them what cannot be seen in the stream.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

from arbplatform.core.errors import InvalidInput

SUFFIX: Final = ".session.gz"
BLOCK_BYTES: Final = 256 * 1024
"""A block is closed when its lines have this size [bytes, before compression]."""
BLOCK_BYTES_MAX: Final = 64 * 1024 * 1024
"""No block that we have written is larger [bytes]."""
FILE_BYTES_MAX: Final = 64 * 1024 * 1024
SESSION_BYTES_MAX: Final = 2 * 1024 * 1024 * 1024
_CHUNK_BYTES: Final = 256 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS


class EntryKind(StrEnum):
    """What a line of a session holds."""

    HEAD = "head"
    """How to read the venue: JSON of :class:`~markets.feed.playback.VenueHead`."""
    FRAME = "frame"
    """A message of the stream, as the venue wrote it."""
    SNAPSHOT = "snapshot"
    """A book that came by REST, as JSON of ``BookText``."""
    BOOK = "book"
    """A whole book of a venue whose protocol only ccxt knows, as JSON of ``BookText``."""
    LOST = "lost"
    """The connection of some symbols was lost: a JSON list of them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a session.

    Attributes:
        received_ns: when it came [ns since epoch, our clock].
        kind: what it is.
        venue: code of the venue.
        payload: what came; no line breaks.
    """

    received_ns: int
    kind: EntryKind
    venue: str
    payload: bytes

    def to_line(self) -> bytes:
        """Return the line, with its end."""
        head = f"{self.received_ns} {self.kind} {self.venue} ".encode()
        return b"%s%s\n" % (head, self.payload.replace(b"\n", b" "))

    @classmethod
    def from_line(cls, line: bytes) -> "Entry":
        """Return what a line says.

        Raises:
            ValueError: it is no line of a session.
        """
        received, kind, venue, payload = line.rstrip(b"\n").split(b" ", 3)
        return cls(int(received), EntryKind(kind.decode()), venue.decode(), payload)


class SessionWriter:
    """Writes a session; used by one thread.

    Args:
        directory: of the session; made if need be. A session that is there already is continued
            with a new part.
        file_bytes_max: a part is not made larger [bytes].
        session_bytes_max: the oldest parts go when all together are larger [bytes].
        block_bytes: a block is closed at this size [bytes, before compression].

    Raises:
        OSError: the directory cannot be written.
    """

    def __init__(
        self,
        directory: Path,
        *,
        file_bytes_max: int = FILE_BYTES_MAX,
        session_bytes_max: int = SESSION_BYTES_MAX,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self.directory = directory
        self.written_bytes = 0
        self._file_bytes_max = file_bytes_max
        self._session_bytes_max = session_bytes_max
        self._block_bytes = block_bytes
        self._heads: dict[str, bytes] = {}
        self._new_heads: dict[str, bytes] = {}
        self._lines: list[bytes] = []
        self._size = 0
        self._file: IO[bytes] | None = None
        self._file_bytes = 0
        directory.mkdir(parents=True, exist_ok=True)
        parts = list_parts(directory)
        self._sizes = {part: part.stat().st_size for part in parts}
        self._number = 1 + int(parts[-1].name.removesuffix(SUFFIX)) if parts else 0

    def add(self, entry: Entry) -> None:
        """Add a line.

        Raises:
            OSError: a block cannot be written.
        """
        line = entry.to_line()
        if entry.kind is EntryKind.HEAD:
            self._new_heads[entry.venue] = line
        self._lines.append(line)
        self._size += len(line)
        if self._size >= self._block_bytes:
            self.flush()

    def flush(self) -> None:
        """Close the block: what was added so far survives whatever happens to this process.

        Raises:
            OSError: it cannot be written.
        """
        if not self._lines:
            return
        block = self._take_block()
        if self._file is not None and self._file_bytes + len(block) > self._file_bytes_max:
            self._close_part()
        self._write(self._file or self._open_part(), block)
        self._heads |= self._new_heads
        self._new_heads = {}
        self._forget_oldest()

    def close(self) -> None:
        """Write what is left.

        Raises:
            OSError: it cannot be written.
        """
        self.flush()
        self._close_part()

    def _take_block(self) -> bytes:
        block = gzip.compress(b"".join(self._lines), 6, mtime=0)
        self._lines, self._size = [], 0
        return block

    def _open_part(self) -> IO[bytes]:
        """Begin a part with the heads of all venues: each part can be read alone."""
        path = self.directory / f"{self._number:06}{SUFFIX}"
        self._file = file = path.open("xb")
        self._number += 1
        self._file_bytes = 0
        if self._heads:
            self._write(file, gzip.compress(b"".join(self._heads.values()), 6, mtime=0))
        return file

    def _write(self, file: IO[bytes], block: bytes) -> None:
        file.write(block)
        file.flush()
        self._file_bytes += len(block)
        self.written_bytes += len(block)
        self._sizes[Path(file.name)] = self._file_bytes

    def _close_part(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _forget_oldest(self) -> None:
        while sum(self._sizes.values()) > self._session_bytes_max and len(self._sizes) > 1:
            oldest = min(self._sizes)
            oldest.unlink(missing_ok=True)
            del self._sizes[oldest]


def list_parts(path: Path) -> list[Path]:
    """Return the files of a session in order; a file is a session of its own."""
    return sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]


def is_session(path: Path) -> bool:
    """Return whether a path is a session or a part of one."""
    return path.name.endswith(SUFFIX) or (path.is_dir() and bool(list_parts(path)))


def read_session(path: Path) -> Iterator[Entry]:
    """Yield the entries of a session, or of one part, up to the last complete block of each part.

    Raises:
        InvalidInput: a file cannot be read, or is no part of a session.
    """
    parts = list_parts(path)
    if not parts:
        raise InvalidInput("There is no session in {path}.", path=str(path))
    for part in parts:
        try:
            for block in _read_blocks(part):
                yield from map(Entry.from_line, block.splitlines())
        except (OSError, zlib.error, ValueError) as error:
            raise InvalidInput(
                "The recording {path} cannot be read: {cause}.", path=str(part), cause=str(error)
            ) from None


def _read_blocks(path: Path) -> Iterator[bytes]:
    """Yield the content of every complete gzip member of a file."""
    with path.open("rb") as file:
        rest, block, member = b"", bytearray(), zlib.decompressobj(_GZIP)
        while data := rest or file.read(_CHUNK_BYTES):
            block += member.decompress(data, BLOCK_BYTES_MAX)
            if len(block) > BLOCK_BYTES_MAX or member.unconsumed_tail:
                raise ValueError("a block is too large")
            rest = member.unused_data
            if member.eof:
                yield bytes(block)
                block, member = bytearray(), zlib.decompressobj(_GZIP)


def write_session(directory: Path, entries: Iterable[Entry]) -> None:
    """Write a whole session at once.

    Raises:
        OSError: it cannot be written.
    """
    writer = SessionWriter(directory)
    for entry in entries:
        writer.add(entry)
    writer.close()
