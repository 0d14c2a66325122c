"""A forward pass recorded by torch.fx, with torch.nn's layers as leaves and every value known while it is recorded.

Plain fx knows no values, so that a rank, a size compared or a loop over ``chunk`` ends it. Here the example goes along:
ranks and dtypes are answered at once, sizes stay symbolic as long as they are only computed with, and where Python
itself asks for one (a condition, a range) the answer is given and recorded as a guard. The value of a tensor is never
given: a network that branches on it has no one graph.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import fx, nn
from torch.fx.node import map_aggregate
from torch.fx.proxy import TraceError

from netwright.graphs.constructors import constructor
from netwright.graphs.literals import Unwritable

Inputs = tuple[torch.Tensor, ...]
Answer = TypeVar("Answer", bool, int, float)


def guard(value: Any, expected: Any) -> None:
    """The target of a recorded guard: ``value`` has to be ``expected`` in every later call too."""


def trace(network: nn.Module, inputs: Inputs) -> fx.Graph:
    """The graph of ``network(*inputs)``; each node has its value of this run in ``meta["value"]``.

    The network is changed (constants are added, buffers may be updated): hand in a copy. Raises whatever the
    network's ``forward`` raises when its tensors are stand-ins.
    """
    if len(inputs) >= len(_ARITIES):
        raise TraceError(f"a forward of {len(inputs)} arguments")
    tracer = _Tracer(inputs)
    cls = type(network)
    # The arguments that the example does not have keep their defaults, and are not part of the graph.
    network.__class__ = type(cls.__name__, (cls,), {"forward": _ARITIES[len(inputs)](cls.forward)})
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), tracer.recorded_factories():
            return tracer.trace(network)
    finally:
        network.__class__ = cls


class _Tracer(fx.Tracer):
    # Otherwise what is computed from a buffer alone would be a constant of this run.
    proxy_buffer_attributes = True

    def __init__(self, inputs: Inputs) -> None:
        # `math` is not to be wrapped: a number that Python's functions ask for is a guard.
        super().__init__(autowrap_modules=())  # type: ignore[arg-type]  # any number of them
        self._inputs = list(inputs)
        self._leaves: dict[nn.Module, bool] = {}
        self._inside = False
        self._factories: dict[str, Any] = {}

    def is_leaf_module(self, module: nn.Module, path: str) -> bool:
        if module not in self._leaves:
            with self._plain():
                self._leaves[module] = self._is_leaf(module, path)
        return self._leaves[module]

    def _is_leaf(self, module: nn.Module, path: str) -> bool:
        # A class that only names a Sequential of its own works as one.
        if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
            hooks = any(held for name, held in module.__dict__.items() if name.endswith("_hooks"))
            return not hooks and bool(module._modules) and all(
                self.is_leaf_module(child, f"{path}.{name}") for name, child in module.named_children()
            )
        try:
            constructor(module)
        except Unwritable:
            return False
        return True

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Known(node, self)

    def create_node(self, kind: str, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(kind, *args, **kwargs)
        if kind != "output":
            with self._plain():
                node.meta["value"] = self._value(node)
        return node

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        # One that is made on the way, a slice of a Sequential for instance, has no name: it is spelled out.
        through = self._inside or m not in (self.submodule_paths or {})
        return forward(*args, **kwargs) if through else super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        return attr_val if self._inside else super().getattr(attr, attr_val, parameter_proxy_cache)

    @contextmanager
    def _plain(self) -> Iterator[None]:
        """Nothing is recorded: true values are at work, and torch is as it was.

        What torch imports or caches on the way would otherwise keep our stand-ins for its functions.
        """
        if self._inside:
            yield
            return
        self._inside = True
        patched = {name: getattr(torch, name) for name in self._factories}
        _put(self._factories)
        try:
            yield
        finally:
            _put(patched)
            self._inside = False

    def _value(self, node: fx.Node) -> Any:
        args = map_aggregate(node.args, _known)
        kwargs = map_aggregate(node.kwargs, _known)
        match node.op:
            case "placeholder":
                return self._inputs.pop(0)
            case "get_attr":
                return _reach(self.root, str(node.target))
            case "call_module":
                return self.root.get_submodule(str(node.target))(*args, **kwargs)
            case "call_method":
                return getattr(args[0], str(node.target))(*args[1:], **kwargs)
            case _:
                assert callable(node.target)
                return node.target(*args, **kwargs)

    def to_bool(self, obj: fx.Proxy) -> bool:
        value = obj.node.meta["value"]
        if isinstance(value, torch.Tensor):
            raise TraceError("a condition on the value of a tensor")
        answer = bool(value)
        self.ask(obj, answer)
        return answer

    def iter(self, obj: fx.Proxy) -> Iterator[Any]:
        value = obj.node.meta["value"]
        count = len(value)
        assert isinstance(obj, _Known)
        item: Any = obj
        if isinstance(value, torch.Tensor):
            self.ask(obj.size(0), count)
        return iter([item[index] for index in range(count)])

    def ask(self, obj: fx.Proxy, answer: Answer) -> Answer:
        """Python asks for the number behind ``obj``: it is given, and from here on guarded."""
        value = obj.node.meta["value"]
        if isinstance(value, torch.Tensor):
            raise TraceError("a number read from the value of a tensor")
        known = any(node.target is guard and node.args[0] is obj.node for node in obj.node.users)
        if not known:
            self.create_proxy("call_function", guard, (obj, answer), {})
        return answer

    @contextmanager
    def recorded_factories(self) -> Iterator[None]:
        """Functions that make tensors are recorded too: drawn once and kept, noise would be a constant."""
        # Filled once, and for good, with the functions that torch has at that time.
        torch.overrides.is_tensor_method_or_property(torch.Tensor.add)
        before = self._factories = {name: getattr(torch, name) for name in _FACTORIES}
        contexts = {context: context.__enter__ for context in _CONTEXTS}
        _put({name: self._recording(function) for name, function in before.items()})
        for context, enter in contexts.items():
            context.__enter__ = self._refusing(enter)
        try:
            yield
        finally:
            _put(before)
            for context, enter in contexts.items():
                context.__enter__ = enter

    def _recording(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def factory(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return function(*args, **kwargs)
            return self.create_proxy("call_function", function, args, kwargs)

        return factory

    def _refusing(self, enter: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A graph has no place for a context: fx would pass it over without a word."""

        def refuse(context: Any) -> Any:
            autocast = isinstance(context, torch.amp.autocast_mode.autocast)
            if not self._inside and (autocast or self.root.training):
                raise TraceError(f"a block under torch.{type(context).__name__}")
            return enter(context)

        return refuse


class _Known(fx.Proxy):
    """A proxy whose value in the example's run is known."""

    tracer: _Tracer

    def __getattr__(self, name: str) -> Any:
        value = self.node.meta["value"]
        # An AttributeError comes now, for `hasattr`.
        found = getattr(value, name)
        if isinstance(value, torch.Tensor) and name in _STATIC:
            return found
        return _Attribute(self, name)

    def __iter__(self) -> Iterator[Any]:
        return self.tracer.iter(self)

    def __bool__(self) -> bool:
        return self.tracer.to_bool(self)

    def __len__(self) -> int:
        value = self.node.meta["value"]
        if isinstance(value, torch.Tensor):
            self.tracer.ask(self.size(0), len(value))
        return len(value)

    def __index__(self) -> int:
        return self.tracer.ask(self, operator.index(self._number()))

    def __int__(self) -> int:
        return self.tracer.ask(self, int(self._number()))

    def __float__(self) -> float:
        return self.tracer.ask(self, float(self._number()))

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tracer.create_proxy("call_function", operator.setitem, (self, index, value), {})

    def _number(self) -> Any:
        value = self.node.meta["value"]
        if isinstance(value, torch.Tensor):
            raise TraceError("a number read from the value of a tensor")
        return value


class _Attribute(_Known):
    """``proxy.name``: recorded as a call if it is called, else as getattr when it is used."""

    def __init__(self, root: _Known, attribute: str) -> None:
        self.root = root
        self.attr = attribute
        self.tracer = root.tracer
        self._node: fx.Node | None = None

    @property
    def node(self) -> fx.Node:  # type: ignore[override]  # read only when it is used
        if self._node is None:
            self._node = self.tracer.create_proxy("call_function", getattr, (self.root, self.attr), {}).node
        return self._node

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.attr in ("item", "tolist", "numpy", "__array__"):
            raise TraceError(f"a tensor's {self.attr}()")
        return self.tracer.create_proxy("call_method", self.attr, (self.root, *args), kwargs)


def _put(functions: dict[str, Any]) -> None:
    for name, function in functions.items():
        setattr(torch, name, function)


def _known(value: Any) -> Any:
    return value.meta["value"] if isinstance(value, fx.Node) else value


def _reach(root: nn.Module, path: str) -> Any:
    parent, _, name = path.rpartition(".")
    return getattr(root.get_submodule(parent), name)


# What a graph may rely on: the same for all inputs of one rank, dtype and device.
_STATIC = {
    "dim", "dtype", "is_complex", "is_cuda", "is_floating_point", "is_meta", "is_mps", "is_nested", "is_quantized",
    "is_sparse", "layout", "ndim", "ndimension",
}  # fmt: skip
_FACTORIES = (
    "arange", "bernoulli", "empty", "eye", "full", "linspace", "logspace", "normal", "ones", "rand", "randint",
    "randn", "randperm", "tensor", "zeros",
)  # fmt: skip

_CONTEXTS: tuple[Any, ...] = (torch.no_grad, torch.enable_grad, torch.amp.autocast_mode.autocast)

_ARITIES: tuple[Callable[[Any], Callable[..., Any]], ...] = (
    lambda forward: lambda self: forward(self),
    lambda forward: lambda self, x: forward(self, x),
    lambda forward: lambda self, x, y: forward(self, x, y),
    lambda forward: lambda self, x, y, z: forward(self, x, y, z),
    lambda forward: lambda self, x, y, z, u: forward(self, x, y, z, u),
    lambda forward: lambda self, x, y, z, u, v: forward(self, x, y, z, u, v),
    lambda forward: lambda self, x, y, z, u, v, w: forward(self, x, y, z, u, v, w),
)
