"""A built network written out: as readable PyTorch source, as a program of torch.export, and from there on."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.graphs.onnx_model import OnnxSession, onnx_bytes
    from netwright.graphs.program import write_program
    from netwright.graphs.source import write_source

_WHERE = {
    "OnnxSession": "onnx_model",
    "onnx_bytes": "onnx_model",
    "write_program": "program",
    "write_source": "source",
}

__all__ = ["OnnxSession", "onnx_bytes", "write_program", "write_source"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"netwright.graphs.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'netwright.graphs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
