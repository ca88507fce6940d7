"""What the supervisor shows: its own sentences, and the lines of its children with their names."""

import os
import sys
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import TextIO

from arbplatform.core.errors import Message
from arbplatform.management.speech import render

LOG_BYTES_MAX = 5_000_000
"""A child's log is turned at this size; one older file is kept."""

_COLOURS = {
    "redis": 35,
    "simulator": 33,
    "bootstrap": 36,
    "web": 32,
    "worker": 34,
    "engine": 31,
    "scanner": 35,
    "beat": 36,
}
_NAME_WIDTH = max(map(len, _COLOURS))


class Terminal:
    """Writes to the standard output, in colour when a person is looking.

    Attributes:
        is_quiet: whether the children's lines go to their log files only.
    """

    def __init__(self, stream: TextIO | None = None, *, is_quiet: bool = False) -> None:
        self._stream = stream or sys.stdout
        self._is_colourful = self._stream.isatty() and "NO_COLOR" not in os.environ
        self._is_gone = False
        self.is_quiet = is_quiet

    def say(self, message: Message) -> None:
        """Show a sentence of the supervisor, in the terminal's language."""
        self.write(render(message))

    def write(self, line: str = "") -> None:
        """Show a line as it is."""
        self._write(f"{line}\n")

    def relay(self, name: str, line: str) -> None:
        """Show a line that the child ``name`` wrote."""
        if self.is_quiet:
            return
        label = name.ljust(_NAME_WIDTH)
        if self._is_colourful:
            label = f"\x1b[{_COLOURS.get(name, 37)}m{label}\x1b[0m"
        self._write(f"{label} | {line}\n")

    def _write(self, text: str) -> None:
        if self._is_gone:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # The terminal was closed. The platform goes on without it; the logs have every line.
            self._is_gone = True


class BoundedLog:
    """A log file that never grows beyond twice ``size_max``."""

    def __init__(self, path: Path, size_max: int = LOG_BYTES_MAX) -> None:
        self._path = path
        self._size_max = size_max
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = self._open()

    def write(self, line: str) -> None:
        """Append one line, or lose it when the disk is full: who wrote it must not wait for us."""
        data = f"{line}\n".encode(errors="replace")
        with suppress(OSError):
            if self._file.tell() + len(data) > self._size_max:
                self._turn()
            self._file.write(data)

    def _turn(self) -> None:
        with suppress(FileNotFoundError):  # it was renamed already, and no new one could be made
            self._path.replace(self._path.with_suffix(".old.log"))
        full, self._file = self._file, self._open()
        full.close()

    def _open(self) -> FileIO:
        return self._path.open("ab", buffering=0)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
