"""The exporter's list of operators, made once a process: it takes a second, and every export makes it anew."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.RLock()


@contextmanager
def operators_once() -> Iterator[None]:
    """Within, torch.onnx.export takes the list of the first export again; where torch has it elsewhere it does not."""
    try:
        from torch.onnx._internal.exporter._registration import ONNXRegistry
    except ImportError:
        yield
        return
    kind: Any = ONNXRegistry
    with _lock:
        original = kind.__dict__.get("from_torchlib")
        if not isinstance(original, classmethod):
            yield
            return
        kind.from_torchlib = _remembered(original, kind)
        try:
            yield
        finally:
            kind.from_torchlib = original


@functools.cache
def _remembered(original: Any, kind: Any) -> Any:
    # The list is read alone: nobody here adds operators of their own to it.
    return staticmethod(functools.cache(functools.partial(original.__func__, kind)))
