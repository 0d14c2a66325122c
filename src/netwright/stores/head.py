"""The head file ``study.head``: where the journal ended when it was last acknowledged.

A database that lost its last commits is a sound database; only something outside it can tell. The file has two slots
a disk block apart, written in turn, each with a checksum of its own: a torn write costs one slot, and the other still
holds the commit before. Written in place and synced this took 0.12 to 0.15 ms (a new file, renamed, with its folder
synced: 0.5 to 0.6 ms), and it needs no room on a full disk.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

NAME = "study.head"

_BLOCK = 4096
_RECORD = 512


@dataclass(frozen=True, slots=True)
class Head:
    """The last acknowledged event and its hash, the epoch, and how many trials had ended by then."""

    sequence: int
    chain: str
    epoch: int
    ended: int


class HeadFile:
    """The writer's hand on the head file."""

    def __init__(self, folder: Path, head: Head) -> None:
        """Replaces the file by one whose both slots hold ``head`` (after a loss the old one would be ahead)."""
        self._slot = 0
        path, temporary = folder / NAME, folder / f"{NAME}.new"
        self._file = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
        try:
            os.pwrite(self._file, _encode(head).ljust(_BLOCK, b"\n") + _encode(head).ljust(_BLOCK, b"\n"), 0)
            os.fsync(self._file)
            os.replace(temporary, path)
            sync_folder(folder)
        except BaseException:
            self.close()
            raise

    def write(self, head: Head, *, sync: bool) -> None:
        """Durable when it returns, or, without ``sync``, when the operating system gets to it."""
        os.pwrite(self._file, _encode(head), self._slot * _BLOCK)
        if sync:
            _fdatasync(self._file)
        self._slot = 1 - self._slot

    def close(self) -> None:
        if self._file >= 0:
            _fdatasync(self._file)
            os.close(self._file)
            self._file = -1


def read(folder: Path) -> Head | None:
    """The newest slot that is whole; None where there is none."""
    try:
        content = (folder / NAME).read_bytes()[: 2 * _BLOCK]
    except (FileNotFoundError, NotADirectoryError):
        return None
    heads = [head for start in (0, _BLOCK) if (head := _decode(content[start : start + _RECORD])) is not None]
    return max(heads, key=lambda head: (head.epoch, head.sequence), default=None)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encode(head: Head) -> bytes:
    text = f'{{"sequence":{head.sequence},"chain":"{head.chain}","epoch":{head.epoch},"ended":{head.ended}}}'
    return f"{text}\n{hashlib.sha256(text.encode()).hexdigest()}\n".encode().ljust(_RECORD, b"\n")


def _decode(content: bytes) -> Head | None:
    try:
        text, digest = content.split(b"\n")[:2]
        if hashlib.sha256(text).hexdigest().encode() != digest:
            return None
        return Head(**json.loads(text))
    except (ValueError, TypeError):
        return None


_fdatasync = getattr(os, "fdatasync", os.fsync)
