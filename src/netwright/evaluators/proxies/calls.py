"""Calls of torch's functions, seen or replaced while a network runs, whether a module makes them or plain code.

A mode of torch sees ``nn.ReLU()(x)``, ``functional.relu(x)`` and ``x.relu()`` alike. It does not see inside fused
layers: the gates of LSTM and GRU, and the projections of ``nn.MultiheadAttention``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Call = Callable[..., Any]
Handler = Callable[[Call, tuple[Any, ...], dict[str, Any]], Any]
"""Gets the function that was called and its arguments, and answers in its place."""


def named(names: Iterable[str]) -> frozenset[Call]:
    """The functions of these names in ``torch``, ``torch.nn.functional`` and among the methods of a tensor."""
    places = (torch, functional, Tensor)
    found = {getattr(place, name) for name in names for place in places if hasattr(place, name)}
    return frozenset(found)


ACTIVATIONS = named(
    f"{name}{end}"
    for name in (
        "relu", "relu6", "gelu", "silu", "mish", "elu", "selu", "celu", "leaky_relu", "prelu", "rrelu", "softplus",
        "hardswish", "hardsigmoid", "hardtanh", "sigmoid", "tanh", "logsigmoid", "softsign", "tanhshrink",
        "hardshrink", "softshrink", "threshold",
    )
    for end in ("", "_")
)  # fmt: skip
NORMS = named(("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"))
BATCH_NORM = frozenset({functional.batch_norm})
LINEAR = named(("linear",))
CONVOLUTIONS = named(f"conv{kind}{size}d" for size in (1, 2, 3) for kind in ("", "_transpose"))
EMBEDDINGS = frozenset({functional.embedding})


class Watch(TorchFunctionMode):
    """Inside, calls of the functions named are answered by their handlers; the rest runs as it is."""

    def __init__(self, handlers: Mapping[frozenset[Call], Handler]) -> None:
        super().__init__()
        self.handlers = {function: handler for functions, handler in handlers.items() for function in functions}

    def __torch_function__(
        self, func: Call, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        handler = self.handlers.get(func)
        if handler is None:
            return func(*args, **(kwargs or {}))
        return handler(func, args, kwargs or {})


def subject(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    """The tensor that a function of torch works on: its first argument, or the one called ``input``."""
    value: Tensor = args[0] if args else kwargs["input"]
    return value


def first(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """A handler that passes a function by: its input is its answer."""
    return subject(args, kwargs)
