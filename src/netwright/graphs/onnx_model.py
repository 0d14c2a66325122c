"""A network as an ONNX model: one file, any batch, checked where it will run."""

from __future__ import annotations

import copy
import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from netwright.errors import CheckError, MissingExtra
from netwright.graphs.exported import program, quiet
from netwright.graphs.onnx_registry import operators_once
from netwright.graphs.source import Example, two_rows
from netwright.graphs.where import refusal

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
Arrays = Sequence[np.ndarray[Any, Any]]


def onnx_bytes(
    network: nn.Module,
    example: Example,
    metadata: Mapping[str, str] | None = None,
    made: torch.export.ExportedProgram | None = None,
) -> bytes:
    """The network, in evaluation mode, as an ONNX model whose first dimension (``batch``) has any size.

    Inputs are called ``input`` (``input_0``, ``input_1``, … where there are several), outputs ``output`` likewise.
    The weights are inside. ``metadata`` becomes the model's ``metadata_props``; what the exporter notes of source
    files on this machine is left out. ``made`` is what torch.export gave of the network, where that is there already.
    A network that the exporter cannot follow is a :class:`CheckError` that names
    the line of its ``forward``, and packages that are missing are a :class:`MissingExtra`.
    """
    require_onnx()
    pair = two_rows(example)
    twin = copy.deepcopy(network).cpu().eval()
    try:
        made = program(twin, pair) if made is None else made
        with quiet(), operators_once(), torch.no_grad():
            exported = torch.onnx.export(
                made,
                input_names=_names("input", len(pair)),
                dynamo=True,
                optimize=True,
                verbose=False,
            )
            assert exported is not None
            model: Any = exported.model_proto
    except Exception as error:
        raise CheckError(
            refusal(f"{type(network).__name__} has no ONNX model", {"torch.onnx": error}),
            hint="The readable source is another form: export --to source.",
        ) from error
    _name_outputs(model.graph)
    _name_batch(model.graph)
    forget_this_machine(model)
    model.producer_name, model.producer_version = "netwright", ""
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    content: bytes = model.SerializeToString()
    return content


class OnnxSession:
    """An ONNX model in ONNX Runtime on the CPU: called with arrays, answers with the list of its outputs.

    ``model`` is a file or its bytes, ``threads`` those of one operation.
    """

    def __init__(self, model: Path | str | bytes, threads: int = 1) -> None:
        require_onnx()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Errors alone: it warns of initialisers that its own fusions leave unused.
        options.log_severity_level = 3
        source = model if isinstance(model, bytes) else str(model)
        self.session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self.names = [each.name for each in self.session.get_inputs()]

    def __call__(self, *inputs: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
        found: list[np.ndarray[Any, Any]] = self.session.run(None, dict(zip(self.names, inputs, strict=True)))
        return found


def require_onnx() -> None:
    """Raises :class:`MissingExtra` where a package of the extra ``onnx`` is missing."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(" and ".join(missing), "onnx", "Writing ONNX models")


def _names(word: str, count: int) -> list[str]:
    return [word] if count == 1 else [f"{word}_{place}" for place in range(count)]


def _name_outputs(graph: Any) -> None:
    """Outputs by their place. An input that is handed on as an output keeps its name."""
    given = {each.name for each in graph.input} | {each.name for each in graph.initializer}
    names = dict(zip([each.name for each in graph.output], _names("output", len(graph.output)), strict=True))
    names = {old: new for old, new in names.items() if old not in given}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for each in graph.output:
        each.name = names.get(each.name, each.name)


def _name_batch(graph: Any) -> None:
    """``batch`` in the place of the exporter's symbol for it. What it knew of values in between is left out."""
    del graph.value_info[:]
    sizes = [size for each in (*graph.input, *graph.output) for size in each.type.tensor_type.shape.dim]
    symbol = sizes[0].dim_param if sizes else ""
    for size in sizes:
        if symbol and size.dim_param:
            size.dim_param = re.sub(rf"\b{re.escape(symbol)}\b", "batch", size.dim_param)


def forget_this_machine(model: Any) -> None:
    """Notes of the exporter: names of files, lines of source, the whole signature on every value."""
    graphs = [model.graph, *model.functions]
    while graphs:
        graph = graphs.pop()
        kinds = ("node", "value_info", "input", "output", "initializer")
        for each in (graph, *(entry for kind in kinds for entry in getattr(graph, kind, ()))):
            if isinstance(each, str):
                continue
            each.ClearField("doc_string")
            if hasattr(each, "metadata_props"):
                del each.metadata_props[:]
        for node in graph.node:
            graphs += [each.g for each in node.attribute if each.HasField("g")]
    del model.metadata_props[:]
    model.ClearField("doc_string")
