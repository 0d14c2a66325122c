"""Signals as a study takes them: once is please, twice is now."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Signals:
    """Counts SIGINT, SIGTERM and SIGHUP while it is entered; outside the main thread it counts nothing."""

    def __init__(self) -> None:
        self.count = 0
        self.code = 130
        self.name = "Ctrl-C"
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            names = ("SIGINT", "SIGTERM", "SIGHUP")
            for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count == 1 and number != signal.SIGINT:
            self.code, self.name = 143, signal.Signals(number).name
