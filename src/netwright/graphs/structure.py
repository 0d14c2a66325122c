"""The modules of a network written as the statements of a constructor, with the names of its state_dict kept."""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Set

import torch
from torch import nn

from netwright.graphs.constructors import constructor
from netwright.graphs.layout import Group, Text, lines
from netwright.graphs.literals import Unwritable, quoted, tensor, zeros

_PLAIN = set(dir(nn.Module()))


class Structure:
    """How the modules below ``root`` are made and called in the text that is written.

    ``called`` are the paths of the modules that the graph calls; of the others those are written that hold tensors.
    Layers of torch.nn are written with their arguments and Sequential as itself. A class of the user's own becomes
    a ModuleDict of the same names, which only holds what its ``forward``, spelled out, refers to.
    """

    def __init__(self, root: nn.Module, called: Set[str]) -> None:
        self.root = root
        self._called = called
        self.base = "nn.Sequential" if isinstance(root, nn.Sequential) and _numbered(root) else "nn.Module"
        self._shared = _met_twice(root)
        self._names: dict[int, str] = {}
        self._after: list[str] = []

    def statements(self) -> list[str]:
        """The lines of the constructor, not indented, ``super().__init__`` first."""
        before: list[str] = []
        for number, (path, module) in enumerate(self._shared.items()):
            # Made first, and named in every place where it stands.
            name = f"shared_{number}" if len(self._shared) > 1 else "shared"
            before += lines(f"{name} = ", self._expression(module, path), "", 0)
            self._names[id(module)] = name
        if self.base == "nn.Sequential":
            items = tuple(("", self._child(child, name)) for name, child in self.root._modules.items())
            body = lines("", Group("super().__init__(", items, ")"), "", 0)
        else:
            body = ["super().__init__()"]
            for name, child in self.root._modules.items():
                if child is not None and self._kept(child, name):
                    body += _assignment("self", name, self._child(child, name))
        own: list[str] = []
        self._tensors(self.root, "", own)
        return [*before, *body, *own, *self._after, *self._ties()]

    def reference(self, path: str) -> str:
        """The expression of the module or tensor at this path, for instance ``self.body[0].weight``."""
        if not path:
            return "self"
        found, module = "self", self.root
        *parents, last = path.split(".")
        for name in parents:
            found += self._step(module, name)
            child = module._modules[name]
            assert child is not None
            module = child
        return found + self._step(module, last)

    def _step(self, module: nn.Module, name: str) -> str:
        if isinstance(module, nn.Sequential | nn.ModuleList) and _numbered(module) and name in module._modules:
            return f"[{name}]"
        if isinstance(module, nn.ParameterList) and name.isdigit():
            return f"[{name}]"
        if isinstance(module, nn.ParameterDict):
            return f"[{quoted(name)}]"
        if isinstance(module, nn.ModuleDict) and name in module._modules:
            return f"[{quoted(name)}]"
        if _identifier(name):
            return f".{name}"
        kind = "submodule" if name in module._modules else "parameter" if name in module._parameters else "buffer"
        return f".get_{kind}({quoted(name)})"

    def _kept(self, module: nn.Module, path: str) -> bool:
        if any(True for _ in module.parameters()) or any(True for _ in module.buffers()):
            return True
        return any(name == path or name.startswith(f"{path}.") for name in self._called)

    def _child(self, module: nn.Module | None, path: str) -> Text:
        if module is None:
            return "None"
        if id(module) in self._names:
            return self._names[id(module)]
        return self._expression(module, path)

    def _expression(self, module: nn.Module, path: str) -> Text:
        kind = type(module)
        children = {name: child for name, child in module._modules.items() if child is not None}
        try:
            text = constructor(module)
        except Unwritable:
            pass
        else:
            self._freeze(module, path)
            return text
        if isinstance(module, nn.ParameterList) and all(isinstance(value, nn.Parameter) for value in module):
            return Group("nn.ParameterList([", tuple(("", _blank(value)) for value in module), "])")
        if isinstance(module, nn.ParameterDict) and all(isinstance(value, nn.Parameter) for value in module.values()):
            items = tuple((f"{quoted(name)}: ", _blank(value)) for name, value in module.items())
            return Group("nn.ParameterDict({", items, "})")
        self._tensors(module, path, self._after)
        if isinstance(module, nn.Sequential | nn.ModuleList) and _numbered(module):
            items = tuple(("", self._child(child, f"{path}.{name}")) for name, child in children.items())
            if issubclass(kind, nn.Sequential):
                return Group("nn.Sequential(", items, ")")
            return Group("nn.ModuleList([", items, "])")
        kept = {name: child for name, child in children.items() if self._kept(child, f"{path}.{name}")}
        if kept and all(name not in _DICT for name in kept):
            items = tuple((f"{quoted(name)}: ", self._child(child, f"{path}.{name}")) for name, child in kept.items())
            return Group("nn.ModuleDict({", items, "})")
        for name, child in kept.items():
            after, self._after = self._after, []
            after += _assignment(self.reference(path), name, self._child(child, f"{path}.{name}"))
            # What completes the child comes after the child itself.
            self._after = after + self._after
        return "nn.Module()"

    def _tensors(self, module: nn.Module, path: str, out: list[str]) -> None:
        """The parameters and buffers that a module holds itself."""
        holder = self.reference(path)
        for name, parameter in module._parameters.items():
            if parameter is None:
                continue
            if _identifier(name):
                out += lines(f"{holder}.{name} = ", _blank(parameter), "", 0)
            else:
                out += lines(f"{holder}.register_parameter({quoted(name)}, ", _blank(parameter), ")", 0)
        for name, buffer in module._buffers.items():
            if buffer is None:
                continue
            if name in module._non_persistent_buffers_set:
                call = Group(
                    f"{holder}.register_buffer(",
                    (("", quoted(name)), ("", tensor(buffer)), ("persistent=", "False")),
                    ")",
                )
            else:
                blank = zeros(tuple(buffer.shape), buffer.dtype)
                call = Group(f"{holder}.register_buffer(", (("", quoted(name)), ("", blank)), ")")
            out += lines("", call, "", 0)

    def _freeze(self, module: nn.Module, path: str) -> None:
        frozen = [name for name, value in module.named_parameters() if not value.requires_grad]
        if frozen and len(frozen) == sum(1 for _ in module.parameters()):
            self._after.append(f"{self.reference(path)}.requires_grad_(False)")
        else:
            self._after += [f"{self.reference(f'{path}.{name}')}.requires_grad_(False)" for name in frozen]

    def _ties(self) -> list[str]:
        first: dict[int, str] = {}
        ties: list[str] = []
        # Each module once: what a shared one holds is shared with it.
        for path, module in self.root.named_modules():
            for name, value in module._parameters.items():
                if value is None:
                    continue
                here = f"{path}.{name}" if path else name
                if id(value) in first:
                    ties.append(f"{self.reference(here)} = {self.reference(first[id(value)])}")
                else:
                    first[id(value)] = here
        return ties


def _numbered(module: nn.Module) -> bool:
    return list(module._modules) == [str(number) for number in range(len(module._modules))]


def _met_twice(root: nn.Module) -> dict[str, nn.Module]:
    """The modules that stand in several places, by their first path, without those inside another of them."""
    places = Counter(id(module) for _, module in root.named_modules(remove_duplicate=False))
    found: dict[str, nn.Module] = {}
    for path, module in root.named_modules():
        inside = any(path.startswith(f"{other}.") for other in found)
        if places[id(module)] > 1 and not inside:
            found[path] = module
    return found


def _assignment(holder: str, name: str, value: Text) -> list[str]:
    if _identifier(name):
        return lines(f"{holder}.{name} = ", value, "", 0)
    return lines("", Group(f"{holder}.add_module(", (("", quoted(name)), ("", value)), ")"), "", 0)


def _identifier(name: str) -> bool:
    return name.isidentifier() and name.isascii() and not keyword.iskeyword(name) and name not in _PLAIN


def _blank(parameter: torch.Tensor) -> Text:
    """A parameter of this shape, to be filled by the weights: constant ones as they are, others zero."""
    value: Text = zeros(tuple(parameter.shape), parameter.dtype)
    items: tuple[tuple[str, Text], ...] = (("", value),)
    if not parameter.requires_grad:
        items = (*items, ("requires_grad=", "False"))
    return Group("nn.Parameter(", items, ")")


_DICT = set(dir(nn.ModuleDict()))
