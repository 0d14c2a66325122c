"""What the executors ask of the operating system. Linux gives all of it; elsewhere psutil stands in where it can."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PAGE = os.sysconf("SC_PAGE_SIZE")
# A kernel may be built without it; then psutil reads all processes of the machine instead.
_LISTS_CHILDREN = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists()


def adopt_orphans() -> None:
    """Makes this process the parent of descendants whose own parent dies (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Has the kernel kill this process when ``parent`` ends (Linux), even if that happened already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def children(pid: int) -> list[int]:
    """The processes whose parent is ``pid``, ended but unreaped ones too."""
    if not _LISTS_CHILDREN:
        return _children_by_psutil(pid)
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except (FileNotFoundError, ProcessLookupError):
        # It ended while we looked.
        pass
    return found


def descendants(pid: int) -> Iterator[int]:
    """The children of ``pid``, theirs, and so on; not ``pid`` itself."""
    seen = {pid}
    waiting = [pid]
    while waiting:
        for child in children(waiting.pop()):
            if child not in seen:
                seen.add(child)
                waiting.append(child)
                yield child


def is_zombie(pid: int) -> bool:
    """Whether ``pid`` has ended and only waits to be reaped, or is gone."""
    return _state(pid) in "ZX"


def is_stopped(pid: int) -> bool:
    """Whether ``pid`` stands still, be it for ever."""
    return _state(pid) in "TtZX"


def resident(pid: int) -> int:
    """The bytes of memory that ``pid`` holds, pages shared with others counted whole; 0 when it is gone."""
    if not _LINUX:
        import psutil

        try:
            return int(psutil.Process(pid).memory_info().rss)
        except psutil.Error:
            return 0
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0


def proportional(pid: int) -> int:
    """The bytes of memory that ``pid`` holds, each shared page divided by the number of its holders."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        # Not Linux, an old kernel, or the process is gone: the plain count is the best there is.
        pass
    return resident(pid)


def limit_data(extra: int) -> None:
    """Lets this process have at most ``extra`` bytes more of private writable memory than now (Linux without a GPU).

    Not the limit on address space, which would count a data set that is mapped from a file. The driver of a GPU maps
    memory by the hundreds of gigabytes.
    """
    if not _LINUX or Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists():
        return
    with open("/proc/self/statm", "rb") as file:
        held = int(file.read().split()[5]) * _PAGE
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = held + extra
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def offer_to_memory_killer() -> None:
    """Makes this process, and not the driver, the one that the kernel kills when the machine's memory is full."""
    if _LINUX:
        try:
            Path("/proc/self/oom_score_adj").write_text("800")
        except OSError:
            # Some containers forbid it; then the kernel chooses by size, which is the same in most cases.
            pass


def send_signal(pids: Iterable[int], number: int) -> None:
    """Sends a signal to each process that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass


def send_group(leader: int, number: int) -> None:
    """Sends a signal to a worker and its process group."""
    try:
        os.killpg(leader, number)
        if os.getpgid(leader) == leader:
            return
    except (ProcessLookupError, PermissionError):
        # It left its group, or has none of its own yet.
        pass
    send_signal([leader], number)


def kill_marked(mark: str) -> None:
    """Kills every process of this user that was started with ``mark`` in its environment."""
    import psutil

    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and mark in process.environ():
                process.kill()
        except (psutil.Error, OSError):
            # Another user's process, or one that ended meanwhile.
            pass


def _state(pid: int) -> str:
    """The letter of the kernel's for the state of a process; X for one that is gone."""
    if not _LINUX:
        import psutil

        letters = {psutil.STATUS_ZOMBIE: "Z", psutil.STATUS_STOPPED: "T", psutil.STATUS_DEAD: "X"}
        try:
            return letters.get(psutil.Process(pid).status(), "S")
        except psutil.Error:
            return "X"
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name before it, in parentheses, may hold anything.
            return file.read().rpartition(b")")[2].split()[0].decode()
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def _prctl(option: int, value: int) -> None:
    if not _LINUX:
        return
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")


def _children_by_psutil(pid: int) -> list[int]:
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.Error:
        return []
