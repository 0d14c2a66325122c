"""Writing to people and to programs, whatever becomes of the stream: a search outlives its terminal."""

from __future__ import annotations

import os
import select
import sys
import unicodedata
from typing import Any, TextIO

from netwright import strict_json

PATIENCE = 2.0
"""Seconds that a writer waits for a stream that takes nothing before what it wanted to say is dropped."""
CHUNK = 4096
"""A pipe that is ready takes so many bytes without making the writer wait."""


def plain(text: object) -> str:
    """``text`` on one line and without power over a terminal: control and other unprintable characters are escaped."""
    shown = []
    for character in str(text):
        if character in "\n\r\t":
            shown.append(" ")
        elif unicodedata.category(character)[0] == "C" or character in "\u2028\u2029":
            code = ord(character)
            shown.append(f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}")
        else:
            shown.append(character)
    return "".join(shown)


def answer(text: str) -> None:
    """Prints a result on standard output; a closed or full one is no error."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        silence(sys.stdout)


def answer_json(value: Any) -> None:
    """Prints one JSON object, always as UTF-8, on standard output."""
    text = strict_json.dumps(value)
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        answer(text)
        return
    try:
        sys.stdout.flush()
        buffer.write(text.encode("utf-8") + b"\n")
        buffer.flush()
    except (OSError, ValueError):
        silence(sys.stdout)


def prepare_streams() -> None:
    """Makes sure that standard output and error exist and can take any character.

    A process may be started with them closed; then the next file to be opened, a study's store, would get their
    numbers, and all that is printed.
    """
    if os.name == "posix":
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(number)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def silence(stream: TextIO) -> None:
    """Points a broken stream at nothing, so that what lies in its buffer raises no error at the end of the process."""
    try:
        number = stream.fileno()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, number)
        os.close(nothing)
    except (OSError, ValueError, AttributeError):
        pass  # no real stream: nothing is flushed at the end either


def settle(stream: TextIO) -> None:
    """Flushes a stream, or silences it."""
    try:
        stream.flush()
    except (OSError, ValueError):
        silence(stream)


class Careful:
    """Standard error for news: writing never raises and never waits for long.

    A stream that fails is given up. While one takes nothing (a pipe that nobody reads, a terminal held by Ctrl-S),
    what is written is dropped.
    """

    def __init__(self, stream: TextIO, patience: float = PATIENCE) -> None:
        self.stream = stream
        self.encoding = getattr(stream, "encoding", None) or "utf-8"
        self.working = True
        self._patience = patience
        self._stalled = False
        self._number = _descriptor(stream)

    def write(self, text: str) -> int:
        if self.working and text:
            try:
                self._write(text)
            except (OSError, ValueError):
                self.working = False
                silence(self.stream)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        try:
            return self.stream.isatty()
        except (OSError, ValueError, AttributeError):
            return False

    def fileno(self) -> int:
        return self.stream.fileno()

    def _write(self, text: str) -> None:
        if self._number is None:
            self.stream.write(text)
            self.stream.flush()
            return
        data = text.encode(self.encoding, "replace")
        while data:
            ready = select.select([], [self._number], [], 0 if self._stalled else self._patience)[1]
            self._stalled = not ready
            if not ready:
                return
            data = data[os.write(self._number, data[:CHUNK]) :]


def _descriptor(stream: TextIO) -> int | None:
    """The number of a stream that ``select`` can wait for."""
    if os.name == "nt":
        return None
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
