"""The graph of torch.export in the shape that :class:`~netwright.graphs.statements.Writer` reads."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx, nn
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind
from torch.utils._pytree import tree_unflatten

from netwright.graphs.literals import Unwritable
from netwright.graphs.tracing import Inputs

# Checks of what export took for granted; they compute nothing.
_CHECKS = ("aten._assert_scalar", "aten._assert_tensor_metadata", "aten._assert_async", "aten.sym_constrain_range")


def program(network: nn.Module, inputs: Inputs) -> ExportedProgram:
    """``network`` through torch.export, with a first dimension of any size; what it refuses, it raises and no more."""
    batch = Dim("batch", min=1)
    shapes = tuple({0: batch} for _ in inputs)
    with quiet(), torch.no_grad(), torch.random.fork_rng(devices=[]):
        # A tuple of dictionaries for every input, whatever the names of the arguments are.
        return torch.export.export(network, inputs, dynamic_shapes=shapes, strict=False)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No word of an exporter on either stream: torch.export writes the whole graph before it raises, others progress.

    It comes partly by print, partly as a log, partly as warnings.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def exported(network: nn.Module, inputs: Inputs) -> tuple[fx.Graph, Any]:
    """The graph, its inputs being those of the user and its state ``get_attr`` nodes; and the structure of its output.

    Constants that are not in the network's state become its buffers, outside the state_dict: hand in a copy.
    """
    found = program(network, inputs)
    graph = fx.Graph()
    mapped: dict[fx.Node, fx.Node] = {}
    kinds = {spec.arg.name: spec for spec in found.graph_signature.input_specs}
    for node in found.graph.nodes:
        if node.op == "placeholder":
            mapped[node] = _input(graph, node, kinds[node.name], network, found)
        elif node.op == "output":
            outputs = _outputs(graph, node, found, mapped)
            graph.output(outputs)
        elif not str(node.target).startswith(_CHECKS):
            if isinstance(node.target, torch._ops.HigherOrderOperator) or node.op != "call_function":
                raise Unwritable(f"the operation {node.target}")
            if node.target is torch.ops.aten.lift_fresh_copy.default:
                mapped[node] = mapped[node.args[0]]
                continue
            mapped[node] = graph.node_copy(node, lambda each: mapped[each])
            mapped[node].meta = {"value": _shown(node.meta.get("val"))}
    return graph, next(node for node in graph.nodes if node.op == "output").args[0]


def _input(graph: fx.Graph, node: fx.Node, spec: Any, network: nn.Module, found: ExportedProgram) -> fx.Node:
    match spec.kind:
        case InputKind.USER_INPUT:
            made = graph.placeholder(node.name)
        case InputKind.PARAMETER | InputKind.BUFFER:
            made = graph.create_node("get_attr", spec.target)
        case InputKind.CONSTANT_TENSOR:
            parent, _, name = spec.target.rpartition(".")
            holder = network.get_submodule(parent)
            value = found.constants[spec.target]
            holder.__dict__.pop(name, None)
            holder.register_buffer(name, value, persistent=False)
            made = graph.create_node("get_attr", spec.target)
        case _:
            raise Unwritable(f"an input of kind {spec.kind.name.lower()}")
    made.meta = {"value": _shown(node.meta.get("val"))}
    return made


def _outputs(graph: fx.Graph, node: fx.Node, found: ExportedProgram, mapped: dict[fx.Node, fx.Node]) -> Any:
    results: list[Any] = []
    values = node.args[0]
    assert isinstance(values, tuple | list)
    for spec, value in zip(found.graph_signature.output_specs, values, strict=True):
        mine = mapped[value] if isinstance(value, fx.Node) else value
        if spec.kind is OutputKind.USER_OUTPUT:
            results.append(mine)
        elif spec.kind is OutputKind.BUFFER_MUTATION:
            graph.call_method("copy_", (graph.create_node("get_attr", spec.target), mine))
        else:
            raise Unwritable(f"an output of kind {spec.kind.name.lower()}")
    spec_of_output = found.call_spec.out_spec
    assert spec_of_output is not None
    return tree_unflatten(results, spec_of_output)


def _shown(value: Any) -> Any:
    """A stand-in with concrete sizes; the dynamic one is two, as in the example."""
    if not isinstance(value, torch.Tensor):
        return value
    sizes = [size if isinstance(size, int) else 2 for size in value.shape]
    return torch.empty(sizes, dtype=value.dtype, device="meta")
