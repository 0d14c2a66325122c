"""Many small networks as ONNX models in one go: an exporter takes a second before it does anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from netwright.errors import CheckError
from netwright.graphs.exported import quiet
from netwright.graphs.onnx_model import forget_this_machine, require_onnx
from netwright.graphs.where import refusal

TOGETHER = 100
"""So many are written at once: the time grows faster than their number beyond."""


def onnx_parts(networks: Sequence[tuple[nn.Module, tuple[Tensor, ...]]]) -> list[bytes]:
    """A model of each network, for inputs of exactly the shapes that are given with it.

    Each answers with one tensor. CheckError where the exporter cannot follow one of them.
    """
    require_onnx()
    found: list[bytes] = []
    for start in range(0, len(networks), TOGETHER):
        found += _written(networks[start : start + TOGETHER])
    return found


def _written(networks: Sequence[tuple[nn.Module, tuple[Tensor, ...]]]) -> list[bytes]:
    from onnx.utils import Extractor

    row = _Row(networks).eval()
    names = [[f"input_{place}_{number}" for number in range(len(given))] for place, (_, given) in enumerate(networks)]
    try:
        with quiet(), torch.no_grad(), torch.random.fork_rng(devices=[]):
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
    return [extractor.extract_model(each, [f"output_{place}"]).SerializeToString() for place, each in enumerate(names)]


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
