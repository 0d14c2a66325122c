"""A network as a file of plain PyTorch: readable, and independent of the package that wrote it."""

from __future__ import annotations

import ast
import copy
import inspect
import keyword
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import fx, nn
from torch.utils._pytree import tree_leaves

from netwright.errors import CheckError, InputError
from netwright.graphs.exported import exported
from netwright.graphs.layout import INDENT, lines
from netwright.graphs.literals import Unwritable, zeros
from netwright.graphs.statements import SelfTraining, Writer
from netwright.graphs.structure import Structure
from netwright.graphs.tracing import Inputs, trace
from netwright.graphs.where import refusal

Example = torch.Tensor | Inputs


def write_source(
    network: nn.Module,
    example: Example,
    *,
    class_name: str = "Network",
    method: Literal["auto", "fx", "export"] = "auto",
) -> str:
    """The text of a file that holds the network: one class, one statement an operation, the same state_dict keys.

    The file imports torch, and safetensors to load ``weights.safetensors`` from its folder; run by itself it prints
    the shape of its output. ``example`` is what the network is called with: a tensor or a tuple of tensors, whose
    first dimension counts examples. ``method`` "fx" keeps the layers of torch.nn and works in training mode too;
    "export" writes the operations of torch.export, for evaluation alone; "auto" is the first that can. A network
    that neither can follow, because it branches on the values of its tensors, is a :class:`CheckError` that names
    the line of its ``forward``. The network stays as it is.
    """
    if not class_name.isidentifier() or keyword.iskeyword(class_name) or not class_name.isascii():
        raise InputError(f"'{class_name}' is no name for a class")
    inputs = two_rows(example)
    problems: dict[str, BaseException] = {}
    for name, build in (("fx", _traced), ("export", _exported)):
        if method not in ("auto", name):
            continue
        try:
            written = build(network, inputs)
        except Exception as error:
            # Whatever the forward raises with stand-ins for its tensors ends this way of reading it.
            problems[f"torch.{name}"] = error
            continue
        text = _file(written, inputs, class_name)
        ast.parse(text)
        return text
    raise CheckError(
        refusal(f"{type(network).__name__}.forward has no one graph", problems),
        hint="Replace conditions on the values of tensors by operations on tensors, such as torch.where.",
    )


def two_rows(example: Example) -> Inputs:
    """The first two examples, on the CPU; one alone is doubled, since a batch of one is a special case to many."""
    values = example if isinstance(example, tuple) else (example,)
    if not values or not all(isinstance(value, torch.Tensor) and value.dim() for value in values):
        raise InputError("an example is a tensor, or a tuple of tensors, whose first dimension counts examples")
    return tuple(torch.cat([value.detach().cpu()] * 2)[:2].clone() if len(value) < 2 else
                 value.detach().cpu()[:2].clone() for value in values)  # fmt: skip


@dataclass(frozen=True)
class Written:
    """The parts of a file: the base class, constructor, arguments, and the bodies of ``forward`` by method name."""

    base: str
    constructor: list[str]
    arguments: list[str]
    bodies: dict[str, list[str]]
    functional: bool
    notes: list[str]
    output: Any


def _traced(network: nn.Module, inputs: Inputs) -> Written:
    names = _argument_names(network, len(inputs))
    root, graph = _trace(network, inputs, training=False)
    notes: list[str] = []
    other: fx.Graph | None = None
    try:
        root_training, other = _trace(network, inputs, training=True)
    except Exception:
        # Training may draw in ways that have no graph; evaluation is what a finished network is for.
        notes.append("It is for evaluation alone: in training its forward has no one graph.")
    if other is not None and _merge(graph, other):
        other = None
    graphs = {"forward": graph} if other is None else {"forward_evaluating": graph, "forward_training": other}
    if other is not None:
        _constants_as_buffers(root_training, other)
        for path in _attributes(other):
            _adopt(root, root_training, path)
    _constants_as_buffers(root, graph)
    called = {str(node.target) for each in graphs.values() for node in each.nodes if node.op == "call_module"}
    structure = Structure(root, called)
    writers = {name: Writer(each, names, structure.reference, batch=2) for name, each in graphs.items()}
    bodies = {name: writer.body() for name, writer in writers.items()}
    first = next(iter(writers.values()))
    if len(bodies) > 1:
        given = ", ".join(first.parameters)
        bodies = {
            "forward": [
                "if self.training:",
                f"{INDENT}return self.forward_training({given})",
                f"return self.forward_evaluating({given})",
            ],
            **bodies,
        }
    output = next(node for node in graph.nodes if node.op == "output").args[0]
    return Written(
        base=structure.base,
        constructor=structure.statements(),
        arguments=first.parameters,
        bodies=bodies,
        functional=any(writer.uses_functional for writer in writers.values()),
        notes=notes,
        output=output,
    )


def _trace(network: nn.Module, inputs: Inputs, *, training: bool) -> tuple[nn.Module, fx.Graph]:
    root = copy.deepcopy(network).cpu().train(training)
    judge = copy.deepcopy(root)
    state = torch.random.get_rng_state()
    with _no_other_noise():
        graph = trace(root, tuple(value.clone() for value in inputs))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(state)
        expected = tree_leaves(judge(*(value.clone() for value in inputs)))
    output = next(node for node in graph.nodes if node.op == "output")
    found = tree_leaves(fx.node.map_aggregate(output.args[0], lambda each: _seen(each)))
    if len(expected) != len(found) or not all(_equal(one, two) for one, two in zip(expected, found, strict=True)):
        # Python asked for a type, say, and got that of a stand-in.
        raise Unwritable("a forward that gives something else when it is recorded")
    return root, graph


@contextmanager
def _no_other_noise() -> Iterator[None]:
    """What is drawn from the generators of Python or NumPy would be a constant of the file."""
    python, numpy = random.getstate(), np.random.get_state(legacy=False)
    try:
        yield
        after = np.random.get_state(legacy=False)
        if python != random.getstate() or not _same_state(numpy, after):
            raise Unwritable("noise from the generator of Python or NumPy (torch's is written)")
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _same_state(one: Any, two: Any) -> bool:
    return bool(np.array_equal(one["state"]["key"], two["state"]["key"])) and one["state"]["pos"] == two["state"]["pos"]


def _seen(value: Any) -> Any:
    return value.meta["value"] if isinstance(value, fx.Node) else value


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        return one.shape == two.shape and one.dtype == two.dtype and torch.allclose(one, two, atol=1e-6, equal_nan=True)
    return bool(one == two)


def _merge(graph: fx.Graph, training: fx.Graph) -> bool:
    """Makes one graph of two that differ at most in arguments False and True, which become ``self.training``."""
    ours, theirs = list(graph.nodes), list(training.nodes)
    if len(ours) != len(theirs):
        return False
    pairs = dict(zip(theirs, ours, strict=True))
    changes: list[tuple[fx.Node, Any, Any]] = []
    for one, two in zip(ours, theirs, strict=True):
        if one.op != two.op or one.target != two.target:
            return False
        try:
            args = _both(one.args, two.args, pairs)
            kwargs = _both(one.kwargs, two.kwargs, pairs)
        except _Different:
            return False
        changes.append((one, args, kwargs))
    for node, args, kwargs in changes:
        node.args, node.kwargs = args, kwargs
    return True


class _Different(Exception):
    pass


def _both(one: Any, two: Any, pairs: dict[fx.Node, fx.Node]) -> Any:
    if isinstance(one, fx.Node):
        if isinstance(two, fx.Node) and pairs[two] is one:
            return one
    elif one is False and two is True:
        return SelfTraining
    elif isinstance(one, tuple | list) and type(one) is type(two) and len(one) == len(two):
        return type(one)(_both(*each, pairs) for each in zip(one, two, strict=True))
    elif isinstance(one, dict) and isinstance(two, dict) and one.keys() == two.keys():
        return {name: _both(each, two[name], pairs) for name, each in one.items()}
    elif isinstance(one, slice) and isinstance(two, slice):
        parts = ((one.start, two.start), (one.stop, two.stop), (one.step, two.step))
        return slice(*(_both(*each, pairs) for each in parts))
    elif type(one) is type(two) and bool(one == two):
        return one
    raise _Different


def _attributes(graph: fx.Graph) -> list[str]:
    return list(dict.fromkeys(str(node.target) for node in graph.nodes if node.op == "get_attr"))


def _constants_as_buffers(root: nn.Module, graph: fx.Graph) -> None:
    """Tensors that are plain attributes become buffers outside the state_dict."""
    for path in _attributes(graph):
        parent, _, name = path.rpartition(".")
        holder = root.get_submodule(parent)
        value = holder.__dict__.get(name)
        if isinstance(value, torch.Tensor):
            del holder.__dict__[name]
            holder.register_buffer(name, value, persistent=False)


def _adopt(root: nn.Module, other: nn.Module, path: str) -> None:
    parent, _, name = path.rpartition(".")
    holder = root.get_submodule(parent)
    if not hasattr(holder, name):
        holder.register_buffer(name, getattr(other.get_submodule(parent), name), persistent=False)


def _argument_names(network: nn.Module, count: int) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [
        name for name, each in inspect.signature(network.forward).parameters.items() if each.kind in kinds
    ][:count]
    return names + [f"input_{place}" for place in range(len(names), count)]


def _exported(network: nn.Module, inputs: Inputs) -> Written:
    root = copy.deepcopy(network).cpu().eval()
    graph, values = exported(root, inputs)
    structure = Structure(root, set())
    writer = Writer(graph, _argument_names(network, len(inputs)), structure.reference, batch=2)
    return Written(
        base=structure.base,
        constructor=structure.statements(),
        arguments=writer.parameters,
        bodies={"forward": writer.body()},
        functional=writer.uses_functional,
        notes=["It is for evaluation alone: its operations are those of torch.export."],
        output=values,
    )


def _file(written: Written, inputs: Inputs, class_name: str) -> str:
    examples = [str(zeros((1, *value.shape[1:]), value.dtype)) for value in inputs]
    notes = "".join(f"\n{note}" for note in written.notes)
    head = [
        f'"""{class_name}: a network that Netwright found, as plain PyTorch.',
        "",
        "`load()` gives it with the weights of the file `weights.safetensors` in this folder. Run by itself,",
        f"this file prints the shape of the output. In the comments N is the size of a batch.{notes}",
        '"""',
        "",
        "from pathlib import Path",
        "",
        "import torch",
        "from safetensors.torch import load_file",
        "from torch import nn",
        *(["from torch.nn import functional as F"] if written.functional else []),
        "",
        "",
        f"class {class_name}({written.base}):",
        f"{INDENT}def __init__(self):",
        *_indented(written.constructor, 2),
    ]
    for name, body in written.bodies.items():
        head += ["", f"{INDENT}def {name}({', '.join(['self', *written.arguments])}):", *_indented(body, 2)]
    single = isinstance(written.output, fx.Node)
    head += [
        "",
        "",
        "def load(folder=Path(__file__).resolve().parent):",
        f'{INDENT}"""The network with the weights in `folder`, on the CPU, for evaluation."""',
        f"{INDENT}network = {class_name}()",
        f'{INDENT}network.load_state_dict(load_file(Path(folder) / "weights.safetensors"))',
        f"{INDENT}return network.eval()",
        "",
        "",
    ]
    if not single:
        head += [
            "def shapes(value):",
            f'{INDENT}"""The shapes of the tensors in a nested output."""',
            f"{INDENT}if isinstance(value, dict):",
            f"{INDENT * 2}return {{name: shapes(each) for name, each in value.items()}}",
            f"{INDENT}if isinstance(value, (tuple, list)):",
            f"{INDENT * 2}return [shapes(each) for each in value]",
            f'{INDENT}return tuple(getattr(value, "shape", ()))',
            "",
            "",
        ]
    head += [
        'if __name__ == "__main__":',
        f'{INDENT}there = (Path(__file__).resolve().parent / "weights.safetensors").exists()',
        f"{INDENT}network = load() if there else {class_name}().eval()",
        f"{INDENT}with torch.no_grad():",
        *lines("output = network(", ", ".join(examples), ")", 2),
        f"{INDENT}print({'tuple(output.shape)' if single else 'shapes(output)'})",
    ]
    return "\n".join(head) + "\n"


def _indented(body: list[str], depth: int) -> list[str]:
    return [f"{INDENT * depth}{line}" if line else "" for line in body]
