"""A finished network packaged: source, weights, architecture and a card, checked before they are written."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from netwright.errors import InputError, nearest

if TYPE_CHECKING:
    from netwright.export.cards import CardFacts, Score, card
    from netwright.export.checking import difference
    from netwright.export.examples import Examples, Rows
    from netwright.export.folder import load_network, load_state, package, read_manifest
    from netwright.export.formats import Written, to, write
    from netwright.export.training import Training

FORMATS = ("source", "torch", "onnx", "int8", "openvino", "executorch")
"""What :func:`to` can write; known without importing torch."""

SUFFIXES = {"source": "", "torch": ".pt2", "onnx": ".onnx", "int8": ".onnx", "openvino": ".xml", "executorch": ".pte"}
"""How a file of each format ends; the source is a folder."""

NEEDS = {
    "onnx": ("onnx", ("onnx", "onnxscript", "onnxruntime")),
    "int8": ("onnx", ("onnx", "onnxscript", "onnxruntime")),
    "openvino": ("openvino", ("openvino",)),
    "executorch": ("executorch", ("executorch",)),
}
"""The extra of each format that needs one, and its packages."""

_WHERE = {
    "CardFacts": "cards",
    "Examples": "examples",
    "Rows": "examples",
    "Score": "cards",
    "card": "cards",
    "difference": "checking",
    "load_network": "folder",
    "load_state": "folder",
    "package": "folder",
    "read_manifest": "folder",
    "Training": "training",
    "Written": "formats",
    "to": "formats",
    "write": "formats",
}

__all__ = [
    "FORMATS",
    "NEEDS",
    "SUFFIXES",
    "CardFacts",
    "Examples",
    "Rows",
    "Score",
    "Training",
    "Written",
    "card",
    "difference",
    "installed",
    "load_network",
    "load_state",
    "package",
    "read_manifest",
    "to",
    "unknown_format",
    "write",
]


def installed(format: str) -> bool:
    """Whether all that a format needs is there; nothing is imported."""
    return all(find_spec(name) is not None for name in NEEDS.get(format, ("", ()))[1])


def unknown_format(name: str) -> InputError:
    """The refusal of a format that nobody knows: the nearest, those that can be written, the extras of the others."""
    close = nearest(name, FORMATS)
    here = [each for each in FORMATS if installed(each)]
    absent = [each for each in FORMATS if not installed(each)]
    hint = f"{close[0].upper()}{close[1:]} " if close.startswith("did") else ""
    hint += f"Installed: {', '.join(here)}"
    if absent:
        extras = ",".join(dict.fromkeys(NEEDS[each][0] for each in absent))
        hint += f". For {', '.join(absent)}: pip install 'netwright[{extras}]'"
    return InputError(f"--to {name!r} is no format that can be written", hint=hint)


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"netwright.export.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'netwright.export' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
