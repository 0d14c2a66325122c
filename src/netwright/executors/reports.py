"""What a running task says on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from netwright.executors.results import MAX_REPORT, encode

Sink = Callable[[bytes], None]

# A worker runs one task at a time, and the threads that a task starts report for it too: a plain variable. In one
# process several tasks may run in several threads: a context variable, which stands above it.
_here: ContextVar[Sink | None] = ContextVar("netwright_report", default=None)
_everywhere: Sink | None = None


def report(message: Mapping[str, Any]) -> None:
    """Sends a JSON object to whoever runs this task; does nothing outside a task.

    Raises ``BadResult`` for what JSON cannot hold, for NaN and infinities, and for more than 64 kB.
    """
    sink = _here.get() or _everywhere
    if sink is not None:
        sink(encode(message, limit=MAX_REPORT, what="the report"))


def listen(sink: Sink | None) -> None:
    """Sends the reports of this whole process to ``sink``."""
    global _everywhere
    _everywhere = sink


@contextmanager
def listening(sink: Sink) -> Iterator[None]:
    """Sends the reports of this context to ``sink``."""
    token = _here.set(sink)
    try:
        yield
    finally:
        _here.reset(token)
