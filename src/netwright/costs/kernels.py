"""What a network does, as a list of kernels: a convolution with its norm and activation, a matrix product, a pooling.

A kernel is what a runtime does about in one go: an operation that computes, and the cheap ones that follow it at once
(norms, activations, sums). Networks of one space are made of the same kernels again and again, so that the time of
each has to be measured once. They are read off one pass on the meta device, in the words of ATen, and written down as
plain JSON, from which each can be made again as a small network of its own.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from netwright.costs import shapes
from netwright.costs.base import Example, Inputs, as_inputs, measured, on_meta
from netwright.errors import InputError

_aten = torch.ops.aten

KINDS = ("convolution", "1x1 convolution", "depthwise convolution", "product", "other")
"""What a kernel mainly does: see :attr:`Kernel.kind`."""

_NORMS = {
    _aten.native_batch_norm,
    _aten._native_batch_norm_legit,
    _aten._native_batch_norm_legit_no_training,
    _aten.cudnn_batch_norm,
}
_COPIES = {_aten.clone, _aten._unsafe_view, _aten._to_copy, _aten.dropout, _aten.native_dropout}
_ACTIVATIONS = {_aten.hardswish, _aten.hardswish_, _aten.prelu, _aten._prelu_kernel, _aten.rrelu_with_noise}
# These, and what is tagged as pointwise, go along with the kernel that made their input.
_CHEAP = _NORMS | _COPIES | _ACTIVATIONS


@final
@dataclass(frozen=True)
class Kernel:
    """Some steps of ATen on inputs and parameters of known shapes.

    ``inputs`` and ``parameters`` are shapes and types. A step is the name of an operator, its arguments and keywords:
    ``{"x": i}`` stands for an input, ``{"p": i}`` for a parameter, ``{"v": [step, place]}`` for what a step answered.
    The last step's answer (at ``place``) is the kernel's. ``products`` counts two for a multiply-accumulate.
    """

    inputs: tuple[tuple[tuple[int, ...], str], ...]
    parameters: tuple[tuple[tuple[int, ...], str], ...]
    steps: tuple[str, ...]
    place: int = 0
    products: int = 0
    output: tuple[tuple[int, ...], str] = ((), "float32")

    @cached_property
    def key(self) -> str:
        """Equal for kernels that do the same work."""
        text = json.dumps([self.inputs, self.parameters, self.steps, self.place])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def operators(self) -> tuple[str, ...]:
        """The names of its steps."""
        return tuple(json.loads(step)[0] for step in self.steps)

    @cached_property
    def kind(self) -> str:
        """One of :data:`KINDS`, by its first step that multiplies."""
        for step in self.steps:
            name, args, _ = json.loads(step)
            if name.startswith("aten.convolution"):
                shape = self.parameters[args[1]["p"]][0] if isinstance(args[1], dict) and "p" in args[1] else ()
                if args[8] > 1 and shape and shape[1] == 1:
                    return "depthwise convolution"
                return "1x1 convolution" if math.prod(shape[2:]) == 1 else "convolution"
        return "product" if self.products else "other"

    @cached_property
    def moved(self) -> int:
        """Bytes that come in and go out, without parameters."""
        return sum(_bytes(*each) for each in (*self.inputs, self.output))

    @cached_property
    def held(self) -> int:
        """Bytes of its parameters."""
        return sum(_bytes(*each) for each in self.parameters)

    def __str__(self) -> str:
        names = " ".join(name.split(".")[1] for name in self.operators)
        return f"{names} on {' and '.join('×'.join(map(str, shape)) for shape, _ in self.inputs)}"

    def network(self, seed: int = 0) -> tuple[nn.Module, Inputs]:
        """The kernel as a network of its own, with numbers drawn at random, and an input for it."""
        draw = torch.Generator().manual_seed(seed)
        made = _KernelNetwork(self, [_filled(*each, draw) for each in self.parameters])
        return made.eval(), tuple(_filled(*each, draw) for each in self.inputs)

    def to_value(self) -> dict[str, Any]:
        """As JSON; :meth:`from_value` reads it."""
        return {
            "key": self.key,
            "inputs": [[list(shape), dtype] for shape, dtype in self.inputs],
            "parameters": [[list(shape), dtype] for shape, dtype in self.parameters],
            "steps": [json.loads(step) for step in self.steps],
            "place": self.place,
            "products": self.products,
            "output": [list(self.output[0]), self.output[1]],
        }

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> Kernel:
        """What :meth:`to_value` gave; KeyError, TypeError or ValueError for anything else."""
        found = cls(
            tuple(_typed(each) for each in value["inputs"]),
            tuple(_typed(each) for each in value["parameters"]),
            tuple(json.dumps(step) for step in value["steps"]),
            int(value["place"]),
            int(value["products"]),
            _typed(value["output"]),
        )
        if found.key != value["key"]:
            raise ValueError(f"the kernel {value['key']} is not what it was when it was written")
        return found


Count = Mapping[Kernel, int]
"""How often each kernel runs."""


def kernels_of(network: nn.Module, example: Example, batch: int = 1) -> Counter[Kernel]:
    """The kernels of one pass over ``batch`` examples like the first one, and how often each runs.

    The network may be on the meta device. One that asks for the values of its tensors runs on the CPU instead.
    """
    rows = tuple(value.detach()[:1].expand(batch, *value.shape[1:]) for value in as_inputs(example))
    try:
        twin = network if all(value.is_meta for value in network.parameters()) else on_meta(network)
        return measured(twin, tuple(torch.empty(row.shape, dtype=row.dtype, device="meta") for row in rows), _read)
    except (RuntimeError, TypeError, ValueError):
        if any(value.is_meta for value in network.parameters()):
            raise
    return measured(network, tuple(row.cpu().contiguous() for row in rows), _read)


def _read(network: nn.Module, rows: Inputs) -> Counter[Kernel]:
    with torch.no_grad(), _Reading(network, rows) as reading:
        network(*rows)
    found: Counter[Kernel] = reading.kernels()
    return found


# Reading


@final
@dataclass(eq=False)
class _Lazy:
    """What costs nothing until it is used: an operation on parameters alone, or another view of a tensor."""

    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    place: int


@final
@dataclass(eq=False)
class _Value:
    """What a step of a kernel answers (at a place), or an input of the network (a kernel of None)."""

    kernel: _Draft | None
    step: int
    place: int


@final
@dataclass(eq=False)
class _Parameter:
    tensor: Tensor


_Origin = _Lazy | _Value | _Parameter


@final
class _Draft:
    """A kernel that is being written."""

    def __init__(self) -> None:
        self.inputs: list[tuple[_Origin, Tensor]] = []
        self.parameters: list[Tensor] = []
        self.steps: list[str] = []
        self.inlined: dict[tuple[int, int], list[int]] = {}
        self.products = 0
        self.place = 0
        self.output: Any = None

    def finished(self) -> Kernel:
        return Kernel(
            tuple((tuple(tensor.shape), _named(tensor.dtype)) for _, tensor in self.inputs),
            tuple((tuple(tensor.shape), _named(tensor.dtype)) for tensor in self.parameters),
            tuple(self.steps),
            self.place,
            self.products,
            (tuple(self.output.shape), _named(self.output.dtype)),
        )


class _Reading(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
    """Writes kernels while a network runs inside it."""

    def __init__(self, network: nn.Module, rows: Inputs) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._drafts: list[_Draft] = []
        self._origins: dict[int, tuple[_Origin, Tensor]] = {}
        for row in rows:
            self._origins[id(row)] = _Value(None, 0, 0), row

    def kernels(self) -> Counter[Kernel]:
        return Counter(draft.finished() for draft in self._drafts)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise the first operation imports the compiler, a second of work that no cost needs.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = shapes.run(func, args, kwargs)
        self._note(func, args, kwargs, result)
        return result

    def _note(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        origins = [self._origin(tensor) for tensor in tensors]
        answers = [(place, value) for place, value in enumerate(_listed(result)) if isinstance(value, Tensor)]
        if not answers:
            return
        if func.is_view or all(self._constant(origin) for origin in origins):
            for place, value in answers:
                self._origins[id(value)] = _Lazy(func, args, kwargs, place), value
            return
        draft = self._goes_with(func, origins)
        step = self._write(draft, func, args, kwargs)
        packet = func.overloadpacket
        if packet in flop_registry:
            draft.products += int(flop_registry[packet](*args, **kwargs, out_val=result))
        draft.place, draft.output = answers[0]
        for place, value in answers:
            # An operation in place makes a new value of the same tensor.
            self._origins[id(value)] = _Value(draft, step, place), value

    def _origin(self, tensor: Tensor) -> _Origin:
        if id(tensor) not in self._origins:
            # Whatever no operation made is held by the network.
            self._origins[id(tensor)] = _Parameter(tensor), tensor
        return self._origins[id(tensor)][0]

    def _constant(self, origin: _Origin) -> bool:
        if isinstance(origin, _Lazy):
            return all(
                self._constant(self._origin(value))
                for value in tree_leaves((origin.args, origin.kwargs))
                if isinstance(value, Tensor)
            )
        return isinstance(origin, _Parameter)

    def _goes_with(self, func: Any, origins: Sequence[_Origin]) -> _Draft:
        """The kernel that made an input of a cheap operation last; else a new one."""
        packet = func.overloadpacket
        if torch.Tag.pointwise in func.tags or packet in _CHEAP:
            made = [value.kernel for value in map(self._root, origins) if value is not None and value.kernel is not None
                    and value.step == len(value.kernel.steps) - 1]  # fmt: skip
            if made:
                return max(made, key=self._drafts.index)
        draft = _Draft()
        self._drafts.append(draft)
        return draft

    def _root(self, origin: _Origin) -> _Value | None:
        """The value of which something is a view."""
        while isinstance(origin, _Lazy):
            tensors = [value for value in tree_leaves(origin.args) if isinstance(value, Tensor)]
            if not tensors:
                return None
            origin = self._origin(tensors[0])
        return origin if isinstance(origin, _Value) else None

    def _write(self, draft: _Draft, func: Any, args: Any, kwargs: Any) -> int:
        written = [_functional(func), self._told(draft, list(args)), self._told(draft, dict(kwargs))]
        draft.steps.append(json.dumps(written))
        return len(draft.steps) - 1

    def _told(self, draft: _Draft, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self._referred(draft, value)
        if isinstance(value, list | tuple):
            return [self._told(draft, each) for each in value]
        if isinstance(value, dict):
            return {name: self._told(draft, each) for name, each in value.items() if name != "device"}
        if isinstance(value, torch.dtype):
            return {"dtype": _named(value)}
        if isinstance(value, float) and not math.isfinite(value):
            return {"float": str(value)}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        # Layouts, formats of memory and devices are as they come.
        return None

    def _referred(self, draft: _Draft, tensor: Tensor) -> dict[str, Any]:
        origin = self._origin(tensor)
        if isinstance(origin, _Parameter):
            places = [place for place, each in enumerate(draft.parameters) if each is origin.tensor]
            if not places:
                draft.parameters.append(origin.tensor)
                places = [len(draft.parameters) - 1]
            return {"p": places[0]}
        if isinstance(origin, _Lazy):
            known = draft.inlined.get((id(origin), 0))
            if known is None:
                step = self._write(draft, origin.func, origin.args, origin.kwargs)
                known = draft.inlined[id(origin), 0] = [step, origin.place]
            return {"v": known}
        if origin.kernel is draft:
            return {"v": [origin.step, origin.place]}
        for place, (other, _) in enumerate(draft.inputs):
            if other is origin:
                return {"x": place}
        draft.inputs.append((origin, tensor))
        return {"x": len(draft.inputs) - 1}


def _functional(func: Any) -> str:
    """The name of an operator; of one that works in place that of the one that does not."""
    name, _, overload = str(func).removeprefix("aten.").partition(".")
    if name.endswith("_") and not name.endswith("__") and hasattr(_aten, name[:-1]):
        plain = getattr(_aten, name[:-1])
        if overload in plain.overloads():
            name = name[:-1]
    return f"aten.{name}.{overload}" if str(func).startswith("aten.") else str(func)


# Making


@final
class _KernelNetwork(nn.Module):
    """Runs the steps of a kernel."""

    def __init__(self, kernel: Kernel, parameters: Sequence[Tensor]) -> None:
        super().__init__()
        for place, value in enumerate(parameters):
            self.register_buffer(f"p{place}", value)
        self.place = kernel.place
        self.steps = [(_operator(name), args, kwargs) for name, args, kwargs in map(json.loads, kernel.steps)]

    def forward(self, *inputs: Tensor) -> Any:
        values: list[Any] = []
        for operator, args, kwargs in self.steps:
            values.append(operator(*self._read(args, inputs, values), **self._read(kwargs, inputs, values)))
        return _listed(values[-1])[self.place]

    def _read(self, told: Any, inputs: tuple[Tensor, ...], values: list[Any]) -> Any:
        if isinstance(told, list):
            return [self._read(each, inputs, values) for each in told]
        if isinstance(told, dict):
            match told:
                case {"x": int(place)}:
                    return inputs[place]
                case {"p": int(place)}:
                    return getattr(self, f"p{place}")
                case {"v": [int(step), int(place)]}:
                    return _listed(values[step])[place]
                case {"dtype": str(name)}:
                    return getattr(torch, name)
                case {"float": str(text)}:
                    return float(text)
            return {name: self._read(each, inputs, values) for name, each in told.items()}
        return told


def _operator(name: str) -> Callable[..., Any]:
    """What runs a step; where an exporter knows a layer better than its parts, the layer."""
    packet = name.rpartition(".")[0].removeprefix("aten.")
    if packet in _LAYERS:
        return _LAYERS[packet]
    if not name.startswith("aten."):
        raise InputError(f"a kernel has the step {name}, which is none of ATen")
    _, packet, overload = name.split(".")
    operator: Callable[..., Any] = getattr(getattr(_aten, packet), overload)
    return operator


def _batch_norm(x: Tensor, weight: Any, bias: Any, mean: Any, variance: Any, *rest: Any) -> tuple[Tensor]:
    # `training`, if it is there, then momentum and epsilon.
    return (F.batch_norm(x, mean, variance, weight, bias, False, 0.0, rest[-1]),)


def _max_pool(x: Tensor, *rest: Any) -> tuple[Tensor]:
    return (F.max_pool2d(x, *rest),)


_LAYERS: dict[str, Callable[..., Any]] = {
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "max_pool2d_with_indices": _max_pool,
}


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _filled(shape: tuple[int, ...], dtype: str, draw: torch.Generator) -> Tensor:
    """Numbers between a half and one and a half, so that they are a variance, too; zeros of whole numbers."""
    kind: torch.dtype = getattr(torch, dtype)
    if not kind.is_floating_point:
        return torch.zeros(shape, dtype=kind)
    return (torch.rand(shape, generator=draw) + 0.5).to(kind)


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _bytes(shape: tuple[int, ...], dtype: str) -> int:
    kind: torch.dtype = getattr(torch, dtype)
    return math.prod(shape) * kind.itemsize


def _typed(value: Any) -> tuple[tuple[int, ...], str]:
    shape, dtype = value
    if not isinstance(getattr(torch, dtype, None), torch.dtype):
        raise ValueError(f"{dtype!r} is no type of numbers")
    return tuple(int(size) for size in shape), dtype
