"""Values written as Python text that gives them back exactly."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
import torch

from netwright.graphs.layout import Group, Text

MAX_ELEMENTS = 10_000


class Unwritable(Exception):
    """Something has no exact form as source; the message says what."""


def literal(value: Any) -> Text:
    """The text of a number, a string, a container of such or one of torch's constants; else :class:`Unwritable`."""
    if value is None or isinstance(value, bool | bytes):
        return repr(value)
    if value is Ellipsis:
        return "..."
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, numbers.Integral):
        return repr(int(value))
    if isinstance(value, numbers.Real):
        return _real(float(value))
    if isinstance(value, torch.dtype | torch.memory_format | torch.layout):
        return str(value)
    if isinstance(value, torch.device):
        return f"torch.device({str(value)!r})"
    if isinstance(value, slice):
        return Group("slice(", tuple(("", literal(part)) for part in (value.start, value.stop, value.step)), ")")
    if isinstance(value, range):
        return Group("range(", tuple(("", literal(part)) for part in (value.start, value.stop, value.step)), ")")
    if isinstance(value, tuple) and (type(value) is tuple or isinstance(value, torch.Size)):
        return Group("(", tuple(("", literal(item)) for item in value), ")")
    if type(value) is list:
        return Group("[", tuple(("", literal(item)) for item in value), "]")
    if isinstance(value, dict) and all(isinstance(key, str | int) for key in value):
        return Group("{", tuple((f"{literal(key)}: ", literal(item)) for key, item in value.items()), "}")
    raise Unwritable(f"a value of {type(value).__module__}.{type(value).__qualname__}")


def quoted(value: str) -> str:
    """A string as Python text, in double quotes where it is plain."""
    plain = value.isascii() and value.isprintable() and not {'"', "\\"} & {*value}
    return f'"{value}"' if plain else repr(str(value))


def tensor(value: torch.Tensor) -> Text:
    """A constructor of a tensor with exactly these elements on the CPU; :class:`Unwritable` if there are too many."""
    value = value.detach().cpu()
    shape, dtype = literal(tuple(value.shape)), f"dtype={value.dtype}"
    if value.numel() == 0:
        return Group("torch.empty(", (("", shape), ("", dtype)), ")")
    if value.layout is not torch.strided or value.is_quantized or value.is_complex():
        raise Unwritable(f"a constant tensor of {value.dtype}, {value.layout}")
    first = value.flatten()[0]
    if value.dim() and bool((value == first).all()):
        return Group("torch.full(", (("", shape), ("", _number(first)), ("", dtype)), ")")
    steps = torch.arange(value.numel())
    if value.dim() == 1 and value.numel() > 2 and torch.equal(value, steps.to(value.dtype)):
        return f"torch.arange({value.numel()}, {dtype})"
    if value.numel() > MAX_ELEMENTS:
        raise Unwritable(
            f"a constant tensor of {value.numel():,} elements that is not in the state_dict "
            "(register it as a persistent buffer)"
        )
    return Group("torch.tensor(", (("", _nested(value)), ("", dtype)), ")")


def zeros(shape: tuple[int, ...], dtype: torch.dtype) -> Text:
    """A constructor of a tensor of zeros."""
    items: list[tuple[str, Text]] = [("", literal(size)) for size in shape] or [("", "()")]
    if dtype is not torch.float32:
        items.append(("", f"dtype={dtype}"))
    return Group("torch.zeros(", tuple(items), ")")


def _nested(value: torch.Tensor) -> Text:
    if value.dim() == 0:
        return _number(value)
    if value.dim() == 1:
        # Sixteen numbers a line would need another layout: a row is one item.
        return "[" + ", ".join(_number(item) for item in value) + "]" if len(value) <= 8 else _rows(value)
    return Group("[", tuple(("", _nested(row)) for row in value), "]")


def _rows(value: torch.Tensor) -> Text:
    return Group("[", tuple(("", _number(item)) for item in value), "]")


def _number(value: torch.Tensor) -> str:
    if value.dtype is torch.float32:
        # The shortest decimal that float32 reads back, not that of the double beside it.
        single = np.float32(value.item())
        return _real(float(str(single))) if np.isfinite(single) else _real(float(single))
    number = value.item()
    return _real(number) if isinstance(number, float) else repr(number)


def _real(value: float) -> str:
    return repr(value) if math.isfinite(value) else f'float("{value}")'
