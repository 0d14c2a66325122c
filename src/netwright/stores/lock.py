"""The lock of a study: one writer at a time.

``flock`` on ``study.lock``: the kernel frees it when the holder dies, by whatever death. The file holds who has it,
for the message alone. A takeover puts a new file in the place of the held one, so that the old holder keeps a lock on
nothing; what stops its writing is the epoch in the database (see ``sqlite.py``).
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import time
from pathlib import Path

from netwright.errors import ResourceError, StudyInUseError
from netwright.stores.refusals import no_room, shown

NAME = "study.lock"

_NETWORK = re.compile(
    r"nfs4?|cifs|smb[23]?|smbfs|afs|ncpfs|ceph|lustre|gpfs|beegfs|ocfs2|gfs2|pvfs2|orangefs|davfs"
    r"|fuse\.(sshfs|glusterfs|ceph|davfs2?|s3fs|rclone|gcsfuse)"
)


class StudyLock:
    """Held from construction to :meth:`release`; raises StudyInUseError, naming the holder, when another has it."""

    def __init__(self, folder: Path, *, takeover: bool = False) -> None:
        self._path = folder / NAME
        try:
            self._file = _take(folder, self._path, takeover)
        except OSError as error:
            raise no_room(error, folder) from error

    def release(self) -> None:
        """Removes the file if it is still ours, and frees it."""
        if self._file < 0:
            return
        try:
            if _is(self._path, self._file):
                self._path.unlink()
            fcntl.flock(self._file, fcntl.LOCK_UN)
        finally:
            os.close(self._file)
            self._file = -1


def is_held(folder: Path) -> bool:
    """Whether a process holds the study in ``folder`` at this moment; nothing is changed."""
    try:
        file = os.open(folder / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def refuse_network(folder: Path) -> None:
    """Raises ResourceError for a folder on a network file system, where SQLite's shared memory does not work."""
    kind = file_system(folder)
    if kind is not None and _NETWORK.fullmatch(kind):
        raise ResourceError(
            f"folder {shown(folder)} is on a network file system ({kind}), where the store cannot be kept safe",
            hint="Choose a local one",
        )


def file_system(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The type of the file system that holds the folder; None where the system does not say."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    real = Path(os.path.realpath(folder))
    found, longest = None, -1
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4]))
        if (real == point or point in real.parents) and len(point.parts) >= longest:
            found, longest = after.split(" ")[0], len(point.parts)
    return found


def _take(folder: Path, path: Path, takeover: bool) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(file)
            os.close(file)
            if takeover:
                return _replace(path)
            raise StudyInUseError(
                f"study {shown(folder)} is in use by {holder}", hint="Wait for its end, or use --takeover"
            ) from None
        if _is(path, file):
            _sign(file)
            return file
        os.close(file)


def _replace(path: Path) -> int:
    temporary = path.with_name(f"{NAME}.{os.getpid()}")
    file = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _sign(file)
    os.replace(temporary, path)
    return file


def _is(path: Path, file: int) -> bool:
    """Whether the path still leads to the open file: its last holder may have removed it, or a takeover replaced it."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(file))
    except FileNotFoundError:
        return False


def _sign(file: int) -> None:
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S%z")}
    os.ftruncate(file, 0)
    os.pwrite(file, json.dumps(holder).encode(), 0)


def _holder(file: int) -> str:
    try:
        holder = json.loads(os.pread(file, 4096, 0))
        return f"pid {int(holder['pid'])} on {str(holder['host'])[:30]} since {str(holder['since'])[:24]}"
    except (ValueError, TypeError, KeyError):
        return "another process"
