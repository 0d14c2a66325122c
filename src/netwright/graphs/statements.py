"""A recorded forward pass as Python text, a statement a node."""

from __future__ import annotations

import inspect
import keyword
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx
from torch.nn import functional

from netwright.graphs.layout import WIDTH, Group, Text, lines
from netwright.graphs.literals import Unwritable, literal
from netwright.graphs.tracing import guard


class SelfTraining:
    """Stands in an argument where ``self.training`` is to be written."""


class Writer:
    """Writes the body of ``forward`` from a graph.

    ``names`` are those of the inputs, ``reference`` gives the expression of a module or tensor by its path, and the
    values under ``node.meta["value"]``, where there are any, become comments on shapes.
    """

    def __init__(
        self, graph: fx.Graph, names: Sequence[str], reference: Callable[[str], str], batch: int | None = None
    ) -> None:
        self._graph = graph
        self._reference = reference
        self._batch = batch
        self.uses_functional = False
        self._taken = {*_USED, *_BUILTINS}
        self._nodes = [node for node in graph.nodes if node.op != "placeholder"]
        self._inlined = self._find_inlined()
        self._last = self._last_uses()
        self._variables: dict[fx.Node, str] = {}
        self.parameters: list[str] = []
        for node, name in zip((node for node in graph.nodes if node.op == "placeholder"), names, strict=True):
            self._variables[node] = self._fresh(name)
            self.parameters.append(self._variables[node])

    def body(self) -> list[str]:
        """The lines of the body, not indented."""
        body: list[str] = []
        for place, node in enumerate(self._nodes):
            if node.op == "output":
                body += lines("return ", self._value(node.args[0]), "", 0)
            elif node.op != "get_attr" and node not in self._inlined:
                body += self._statement(node, place)
        return body

    def _statement(self, node: fx.Node, place: int) -> list[str]:
        if node.target is guard:
            return self._guard(node)
        if node.target is operator.setitem:
            place_of = self._subscript(self._value(node.args[0]), node.args[1])
            return lines(f"{place_of} = ", self._value(node.args[2]), "", 0)
        text = self._expression(node)
        dying = [each for each in self._sources(node) if self._last.get(each, -1) <= place and each in self._variables]
        if not node.users:
            # Kept for what it does: an operation in place.
            written = lines("", text, "", 0)
        else:
            heirs = [each for each in dying if self._same_kind(each, node)]
            # The trunk keeps the name of the input.
            heirs.sort(key=lambda each: self._variables[each] != self.parameters[0])
            heir = heirs[0] if heirs else None
            name = self._variables[heir] if heir is not None else self._fresh(self._wish(node))
            written = self._commented(lines(f"{name} = ", text, "", 0), node)
            self._variables[node] = name
        for each in dying:
            if self._variables[each] != self._variables.get(node):
                self._taken_by_nobody(self._variables[each])
        return written

    def _wish(self, node: fx.Node) -> str:
        if node.target is operator.getitem and isinstance(node.args[0], fx.Node) and isinstance(node.args[1], int):
            return f"{self._variables.get(node.args[0], 'part')}_{node.args[1]}".replace("-", "from_end_")
        return node.name

    def _commented(self, written: list[str], node: fx.Node) -> list[str]:
        value = node.meta.get("value")
        if not isinstance(value, torch.Tensor):
            return written
        sizes = ["N" if place == 0 and size == self._batch else str(size) for place, size in enumerate(value.shape)]
        comment = f"# ({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
        if len(written[-1]) + 2 + len(comment) <= WIDTH - 8:
            return [*written[:-1], f"{written[-1]}  {comment}"]
        return [comment, *written]

    def _guard(self, node: fx.Node) -> list[str]:
        value, expected = self._value(node.args[0]), node.args[1]
        message = '"the network was written for other sizes of its input"'
        if expected is True:
            return [f"assert {value}, {message}"]
        if expected is False:
            return [f"assert not {self._operand(node.args[0])}, {message}"]
        return [f"assert {self._operand(node.args[0])} == {literal(expected)}, {message}"]

    def _expression(self, node: fx.Node) -> Text:
        args, kwargs = node.args, node.kwargs
        if node.op == "call_module":
            return self._call(self._reference(str(node.target)), args, kwargs)
        if node.op == "call_method":
            owner = self._value(args[0])
            return self._call(f"{self._atom(owner, args[0])}.{node.target}", args[1:], kwargs)
        target = node.target
        assert callable(target)
        name = getattr(target, "__name__", "")
        if target is getattr:
            return f"{self._atom(self._value(args[0]), args[0])}.{args[1]}"
        if target is operator.getitem:
            return self._subscript(self._value(args[0]), args[1])
        if getattr(operator, name, None) is target or getattr(operator, f"_{name}", None) is target:
            if name in _BINARY and len(args) == 2:
                left, right = (self._operand(each) for each in args)
                return f"{left} {_BINARY[name]} {right}"
            if name in _UNARY and len(args) == 1:
                return f"{_UNARY[name]}{self._operand(args[0])}"
        return self._call(self._function(target), args, _without_defaults(target, kwargs))

    def _call(self, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Text:
        items = [("", self._value(each)) for each in args]
        items += [(f"{key}=", self._value(each)) for key, each in kwargs.items()]
        return Group(f"{name}(", tuple(items), ")")

    def _function(self, target: Any) -> str:
        found = function_name(target)
        self.uses_functional = self.uses_functional or found.startswith("F.")
        return found

    def _value(self, value: Any) -> Text:
        if isinstance(value, fx.Node):
            if value.op == "get_attr":
                return self._reference(str(value.target))
            if value in self._inlined:
                return self._expression(value)
            return self._variables[value]
        if value is SelfTraining:
            return "self.training"
        if isinstance(value, slice):
            parts = (("", self._value(part)) for part in (value.start, value.stop, value.step))
            return Group("slice(", tuple(parts), ")")
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            raise Unwritable(f"a value of {type(value).__name__}")
        if isinstance(value, tuple):
            return Group("(", tuple(("", self._value(each)) for each in value), ")")
        if isinstance(value, list):
            return Group("[", tuple(("", self._value(each)) for each in value), "]")
        if isinstance(value, dict):
            return Group("{", tuple((f"{literal(key)}: ", self._value(each)) for key, each in value.items()), "}")
        if callable(value) and not isinstance(value, type):
            return self._function(value)
        return literal(value)

    def _operand(self, value: Any) -> str:
        text = str(self._value(value))
        simple = not (isinstance(value, int | float) and value < 0)
        return text if simple and not self._is_operation(value) else f"({text})"

    def _atom(self, text: Text, value: Any) -> str:
        return f"({text})" if self._is_operation(value) or not isinstance(value, fx.Node) else str(text)

    def _is_operation(self, value: Any) -> bool:
        return isinstance(value, fx.Node) and value in self._inlined and value.target not in (getattr, operator.getitem)

    def _subscript(self, owner: Text, index: Any) -> str:
        parts = index if isinstance(index, tuple) and index else (index,)
        inside = ", ".join(self._index(part) for part in parts)
        if isinstance(index, tuple) and len(index) == 1:
            inside += ","
        return f"{owner}[{inside}]"

    def _index(self, part: Any) -> str:
        if not isinstance(part, slice):
            return str(self._value(part))
        start, stop, step = (
            "" if each is None else str(self._value(each)) for each in (part.start, part.stop, part.step)
        )
        return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"

    # Names of variables: a value takes over the name of an argument that is not needed any more, so that a chain
    # reads `x = …`, `x = …`, and the memory of what is done with is free.

    def _find_inlined(self) -> set[fx.Node]:
        """``x.shape`` and ``x.shape[0]`` are written where they are used."""
        if any(node.op == "call_method" and node.target in _RESHAPING for node in self._nodes):
            return set()
        found: set[fx.Node] = set()
        for node in self._nodes:
            shape = node.op == "call_function" and node.target is getattr and node.args[1] in ("shape", "device")
            size = node.op == "call_method" and node.target == "size" and isinstance(node.meta.get("value"), int)
            entry = node.target is operator.getitem and node.args[0] in found
            # A comparison that is only asserted stands in the assertion.
            asked = bool(node.users) and all(user.target is guard for user in node.users)
            if shape or size or entry or (asked and node.op == "call_function"):
                found.add(node)
        return found

    def _sources(self, node: fx.Node) -> list[fx.Node]:
        """The variables that the statement of this node reads."""
        found: list[fx.Node] = []
        for each in node.all_input_nodes:
            found += self._sources(each) if each in self._inlined else [each]
        return found

    def _last_uses(self) -> dict[fx.Node, int]:
        return {each: place for place, node in enumerate(self._nodes) for each in self._sources(node)
                if node not in self._inlined}  # fmt: skip

    def _same_kind(self, one: fx.Node, two: fx.Node) -> bool:
        kinds = [type(each.meta.get("value")) for each in (one, two)]
        return kinds[0] is kinds[1] or (issubclass(kinds[0], torch.Tensor) and issubclass(kinds[1], torch.Tensor))

    def _fresh(self, wish: str) -> str:
        base = re.sub(r"\W", "_", wish, flags=re.ASCII).strip("_") or "value"
        if base[0].isdigit() or keyword.iskeyword(base) or keyword.issoftkeyword(base):
            base = f"value_{base}"
        name, number = base, 1
        while name in self._taken:
            name, number = f"{base}_{number}", number + 1
        self._taken.add(name)
        return name

    def _taken_by_nobody(self, name: str) -> None:
        if name not in self.parameters:
            self._taken.discard(name)


def _without_defaults(target: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Functions of torch written in Python hand on every default; read, they are noise."""
    if not inspect.isfunction(target):
        return kwargs
    given = inspect.signature(target).parameters
    return {
        name: value
        for name, value in kwargs.items()
        if name not in given or type(value) is not type(given[name].default) or value != given[name].default
    }


def function_name(target: Any) -> str:
    """The public name of one of torch's functions, for instance ``F.relu``; :class:`Unwritable` for any other."""
    if isinstance(target, torch._ops.OpOverload):
        return f"torch.ops.{target._schema.name.replace('::', '.')}.{target._overloadname}"
    name = getattr(target, "__name__", "")
    for prefix, place in _PLACES:
        if getattr(place, name, None) is target:
            return f"{prefix}.{name}"
    if _BUILTINS.get(name) is target:
        return str(name)
    raise Unwritable(f"the function {getattr(target, '__module__', '')}.{name or target!r}")


_PLACES = (
    ("F", functional),
    ("torch", torch),
    ("torch.linalg", torch.linalg),
    ("torch.fft", torch.fft),
    ("torch.special", torch.special),
    ("torch._C._nn", torch._C._nn),
)
_BUILTINS: dict[str, Any] = {
    "abs": abs, "float": float, "int": int, "len": len, "max": max, "min": min, "round": round, "sum": sum,
}  # fmt: skip
_USED = ("self", "torch", "nn", "F", "slice", "range")
_RESHAPING = {"squeeze_", "unsqueeze_", "t_", "transpose_", "swapaxes_", "swapdims_", "resize_", "resize_as_", "set_"}
_BINARY = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@",
    "and_": "&", "or_": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "is_": "is", "is_not": "is not",
}  # fmt: skip
_UNARY = {"neg": "-", "pos": "+", "invert": "~", "not_": "not "}
