"""Many small networks as ONNX models in one go: an exporter takes a second before it does anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from netwright.errors import CheckError
from netwright.graphs.exported import quiet
from netwright.graphs.onnx_model import forget_this_machine, require_onnx
from netwright.graphs.onnx_registry import operators_once
from netwright.graphs.where import refusal

TOGETHER = 100
"""So many are written at once: the time grows faster than their number beyond."""


def onnx_parts(
    networks: Sequence[tuple[nn.Module, tuple[Tensor, ...]]], copies: Sequence[int] | None = None
) -> list[bytes]:
    """A model of each network, for inputs of exactly the shapes that are given with it.

    Each answers with one tensor; of which there are ``copies`` in a model, one after the other, it has as many times
    the inputs, all those of the first copy first. CheckError where the exporter cannot follow one of them.
    """
    require_onnx()
    found: list[Any] = []
    for start in range(0, len(networks), TOGETHER):
        found += _written(networks[start : start + TOGETHER])
    for model, number in zip(found, copies or [1] * len(found), strict=True):
        _multiply(model.graph, number)
    return [model.SerializeToString() for model in found]


def _written(networks: Sequence[tuple[nn.Module, tuple[Tensor, ...]]]) -> list[Any]:
    from onnx.utils import Extractor

    row = _Row(networks).eval()
    names = [[f"input_{place}_{number}" for number in range(len(given))] for place, (_, given) in enumerate(networks)]
    try:
        with quiet(), operators_once(), torch.no_grad(), torch.random.fork_rng(devices=[]):
            inputs = tuple(value for _, given in networks for value in given)
            program = torch.export.export(row, inputs, strict=False)
            exported = torch.onnx.export(
                program,
                input_names=[name for each in names for name in each],
                output_names=[f"output_{place}" for place in range(len(networks))],
                dynamo=True,
                optimize=True,
                verbose=False,
            )
            assert exported is not None
            model: Any = exported.model_proto
    except Exception as error:
        raise CheckError(refusal("a part of a network has no ONNX model", {"torch.onnx": error})) from error
    forget_this_machine(model)
    extractor = Extractor(model)
    parts = [extractor.extract_model(each, [f"output_{place}"]) for place, each in enumerate(names)]
    constants = {each.name: each for each in model.graph.initializer}
    for place, part in enumerate(parts):
        _answer(part.graph, f"output_{place}", constants)
    return parts


def _answer(graph: Any, output: str, constants: Mapping[str, Any]) -> None:
    """Adds the node that answers where the exporter found that the answer is always the same."""
    if any(output in node.output for node in graph.node):
        return
    if output not in constants:
        raise CheckError(f"the ONNX exporter wrote nothing that answers {output}")
    value = graph.initializer.add()
    value.CopyFrom(constants[output])
    value.name = f"{output}_value"
    kept = [each for each in graph.initializer if each.name != output]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    node = graph.node.add()
    node.op_type, node.name = "Identity", f"{output}_is"
    node.input.append(value.name)
    node.output.append(output)


def _multiply(graph: Any, copies: int) -> None:
    """Adds copies of a graph to it, with inputs and outputs of their own and the same weights."""
    nodes, inputs, outputs = list(graph.node), list(graph.input), list(graph.output)
    own = {each.name for each in inputs} | {name for node in nodes for name in node.output}
    del graph.value_info[:]
    for number in range(1, copies):
        names = {name: f"{name}_{number}" for name in own if name}
        for node in nodes:
            other = graph.node.add()
            other.CopyFrom(node)
            other.name = f"{node.name}_{number}"
            other.input[:] = [names.get(name, name) for name in node.input]
            other.output[:] = [names.get(name, name) for name in node.output]
        for given, kept in ((inputs, graph.input), (outputs, graph.output)):
            for each in given:
                other = kept.add()
                other.CopyFrom(each)
                other.name = names.get(each.name, each.name)


@final
class _Row(nn.Module):
    """Networks beside each other, each with inputs of its own."""

    def __init__(self, networks: Sequence[tuple[nn.Module, tuple[Tensor, ...]]]) -> None:
        super().__init__()
        self.networks = nn.ModuleList([network for network, _ in networks])
        self.counts = [len(given) for _, given in networks]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        answers, start = [], 0
        for network, count in zip(self.networks, self.counts, strict=True):
            answers.append(network(*inputs[start : start + count]))
            start += count
        return tuple(answers)
