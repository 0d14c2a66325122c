"""Frames over a socket: between driver and nursery, and between nursery and worker."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from enum import IntEnum

# Magic, kind, flag, task number, length of the body. The magic tells a frame from what a candidate wrote into a file
# descriptor that it did not open.
_HEADER = struct.Struct("<4sBBxxQQ")
_MAGIC = b"nwF1"
_CHUNK = 256 * 2**10


class Kind(IntEnum):
    """What a frame says."""

    CONFIGURE = 1  # driver → nursery: the settings, as JSON
    FUNCTION = 2  # driver → nursery → worker: digest and pickled function
    FORGET = 3  # driver → nursery → worker: the digest of a function that is not needed any more
    TASK = 4  # driver → nursery → worker: digest of the function, pickled arguments
    PAUSE = 5  # driver → nursery, answered by PAUSED
    RESUME = 6
    STARTED = 7  # worker → nursery: the function is loaded, the task's time begins
    REPORT = 8  # worker → nursery → driver: JSON
    OUTCOME = 9  # worker → nursery → driver: JSON; flag: the worker is not fit for another task
    PAUSED = 10
    HELLO = 11  # nursery → driver, and worker → nursery: ready
    UP = 12  # nursery → driver: a worker was born, its process id in place of the task's number
    DOWN = 13  # nursery → driver: a worker is gone
    LOST = 14  # nursery → driver: how many reports of a task were dropped, as JSON
    END = 15  # driver → nursery: the task is not wanted any more


@dataclass(frozen=True, slots=True)
class Frame:
    """One message; ``number`` is the task's."""

    kind: Kind
    number: int = 0
    body: bytes = b""
    flag: int = 0


class Garbage(Exception):
    """The bytes that came are no frame."""


class Channel:
    """Both directions of one socket, without ever waiting; ``limit`` bounds the body of a frame that is read."""

    def __init__(self, connection: socket.socket, *, limit: int = 2**62) -> None:
        connection.setblocking(False)
        self.socket = connection
        self.limit = limit
        self.closed = False
        self._incoming = bytearray()
        self._outgoing: list[memoryview] = []
        self.waiting = 0
        self.received = 0

    def send(self, frame: Frame) -> None:
        """Queues a frame and writes what the socket takes now."""
        for part in (pack(frame.kind, frame.number, len(frame.body), frame.flag), frame.body):
            if part:
                self._outgoing.append(memoryview(part))
                self.waiting += len(part)
        self.flush()

    def flush(self) -> None:
        """Writes what the socket takes now; a socket that the other side closed takes everything and keeps nothing."""
        while self._outgoing and not self.closed:
            try:
                written = self.socket.send(self._outgoing[0])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.closed = True
                break
            self.waiting -= written
            rest = self._outgoing[0][written:]
            if rest:
                self._outgoing[0] = rest
            else:
                self._outgoing.pop(0)
        if self.closed:
            self._outgoing.clear()
            self.waiting = 0

    def receive(self) -> list[Frame]:
        """The frames that are whole by now; sets ``closed`` at the end. Raises :class:`Garbage`."""
        try:
            data = self.socket.recv(_CHUNK)
            if not data:
                self.closed = True
            self._incoming += data
            self.received += len(data)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            self.closed = True
        frames = []
        while len(self._incoming) >= _HEADER.size:
            kind, flag, number, length = unpack(self._incoming)
            if length > self.limit:
                raise Garbage(f"a frame of {length:,} bytes, at most {self.limit:,} are taken")
            end = _HEADER.size + length
            if len(self._incoming) < end:
                break
            frames.append(Frame(kind, number, bytes(self._incoming[_HEADER.size : end]), flag))
            del self._incoming[:end]
        return frames

    def close(self) -> None:
        self.closed = True
        self.socket.close()


def write(connection: socket.socket, frame: Frame) -> None:
    """Sends a frame over a socket that waits."""
    connection.sendall(pack(frame.kind, frame.number, len(frame.body), frame.flag) + frame.body)


def read(connection: socket.socket) -> Frame:
    """The next frame of a socket that waits; raises EOFError at its end."""
    kind, flag, number, length = unpack(_exactly(connection, _HEADER.size))
    return Frame(kind, number, bytes(_exactly(connection, length)), flag)


def pack(kind: Kind, number: int, length: int, flag: int) -> bytes:
    return _HEADER.pack(_MAGIC, kind, flag, number, length)


def unpack(data: bytes | bytearray) -> tuple[Kind, int, int, int]:
    magic, kind, flag, number, length = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise Garbage("bytes that no task's result begins with")
    try:
        return Kind(kind), flag, number, length
    except ValueError:
        raise Garbage(f"a frame of unknown kind {kind}") from None


def _exactly(connection: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    filled = 0
    while filled < size:
        count = connection.recv_into(view[filled:])
        if count == 0:
            raise EOFError
        filled += count
    return data
