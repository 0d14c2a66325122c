"""What a task printed, bounded."""

from __future__ import annotations

from netwright.executors.failures import escape, last_lines

MAX_LOG = 2**20


class Log:
    """The first and the last 512 kB of a stream of bytes; shown with control characters written out."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self.size = 0

    def append(self, data: bytes) -> None:
        self.size += len(data)
        room = MAX_LOG // 2 - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        # Cut now and then, not at every write: cutting the front moves the rest.
        if len(self._tail) > MAX_LOG:
            del self._tail[: -MAX_LOG // 2]

    def text(self) -> str:
        """At most 1 MB; says what is left out."""
        head = _shown(self._head)[: MAX_LOG // 2]
        tail = _shown(self._tail[-MAX_LOG // 2 :])[-MAX_LOG // 2 :]
        left_out = self.size - len(self._head) - min(len(self._tail), MAX_LOG // 2)
        return head + (f"\n[… {left_out:,} bytes left out …]\n" if left_out else "") + tail

    def last_lines(self) -> str:
        """The last twenty lines."""
        return last_lines((bytes(self._head[-8192:]) + bytes(self._tail[-8192:]))[-8192:].decode("utf-8", "replace"))


def _shown(data: bytearray) -> str:
    return escape(data.decode("utf-8", "backslashreplace"))
