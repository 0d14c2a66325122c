"""What a store refuses, and how the database's own errors read to a user."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from netwright.errors import NetwrightError, ResourceError, StoreError, StudyInUseError

DATABASE = "study.db"

_LONGEST = 48


class LateResult(StoreError):
    """A result for a trial that is not running, or not in this attempt, or not under this epoch: late, or a second one.

    Nothing of its transaction was written.
    """


class ClaimRefused(StoreError):
    """A claim of a number that is taken, or of an attempt that does not follow the last one."""


def taken(number: int) -> ClaimRefused:
    """The error for a second first claim."""
    return ClaimRefused(f"trial {number} is claimed already; a retry is attempt 2 or more of a trial that still runs")


def out_of_turn(number: int, attempt: int) -> ClaimRefused:
    """The error for a retry of what does not run, of another proposal, or with a gap in the attempts."""
    return ClaimRefused(
        f"attempt {attempt} of trial {number} is refused: "
        f"it follows attempt {attempt - 1} of the same proposal while that one runs"
    )


def late(number: int, attempt: int) -> LateResult:
    """The error for a result that nobody waits for."""
    return LateResult(f"a result of trial {number}, attempt {attempt}, is refused: no such attempt is running")


def shown(folder: Path) -> str:
    """The folder in one short line: its end where it is long, escapes where it holds control characters."""
    text = str(folder)
    if not text.isprintable():
        text = repr(text)
    return text if len(text) <= _LONGEST else "…" + text[1 - _LONGEST :]


def damaged(folder: Path, what: str) -> StoreError:
    """The error for a store that cannot be trusted: one line, with the command that saves what is readable."""
    name = shown(folder)
    place = name if not name.startswith(("…", "'")) else "DIR"
    return StoreError(
        f"study {name} is damaged: {what[:70]}",
        hint=f"Save what is readable: netwright show {place} --salvage",
    )


def lost(folder: Path, what: str) -> StoreError:
    """The error for a store that is sound but behind what was acknowledged."""
    return StoreError(f"study {shown(folder)}: {what}", hint="To go on without them, resume with --accept-loss")


def translate(error: BaseException, folder: Path) -> NetwrightError:
    """The database's own error as one of ours: no space, in use, or damaged."""
    original = getattr(error, "orig", None) or error
    code = (getattr(original, "sqlite_errorcode", None) or 0) & 0xFF
    name = shown(folder)
    if code == sqlite3.SQLITE_FULL:
        return ResourceError(f"no space is left for study {name}", hint="Make room and resume; what ended is kept")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StudyInUseError(f"the database of study {name} is locked by another process")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
        return ResourceError(f"the database of study {name} cannot be read or written: {original}")
    return damaged(folder, f"{DATABASE}: {original}")


def no_room(error: OSError, folder: Path) -> ResourceError:
    """The operating system's refusal to write into the folder."""
    return ResourceError(
        f"folder {shown(folder)} cannot be written: {error.strerror or error}", hint="Choose another one or make room"
    )
