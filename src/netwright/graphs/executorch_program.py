"""A network as a program of ExecuTorch, a ``.pte`` file for phones and small devices."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.export import Dim

from netwright.errors import CheckError
from netwright.graphs.exported import quiet
from netwright.graphs.source import Example, two_rows
from netwright.graphs.where import refusal

MOST = 8
"""Memory is planned ahead: a batch has at most so many rows. XNNPACK's part took 15, whatever was asked."""


def executorch_bytes(network: nn.Module, example: Example) -> bytes:
    """The program, its layers done by XNNPACK where that can; a network that cannot be followed is a CheckError."""
    with quiet():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

    pair = two_rows(example)
    twin = copy.deepcopy(network).cpu().eval()
    batch = Dim("batch", min=1, max=MOST)
    try:
        with quiet(), torch.no_grad(), torch.random.fork_rng(devices=[]):
            made = torch.export.export(twin, pair, dynamic_shapes=tuple({0: batch} for _ in pair), strict=False)
            lowered = to_edge_transform_and_lower(made, partitioner=[XnnpackPartitioner()]).to_executorch()
            content = bytes(lowered.buffer)
    except Exception as error:
        raise CheckError(
            refusal(f"{type(network).__name__} has no program of ExecuTorch", {"executorch": error}),
            hint="The readable source is another form: export --to source.",
        ) from error
    return content


def executorch_run(content: bytes) -> Callable[[tuple[torch.Tensor, ...]], Sequence[Any]]:
    """The program in ExecuTorch's own runtime; a larger batch goes through in parts."""
    from executorch.runtime import Runtime

    program = Runtime.get().load_program(content)
    method = program.load_method("forward")
    assert method is not None

    def run(batch: tuple[torch.Tensor, ...], held: object = (program, content)) -> list[torch.Tensor]:
        # A method does not keep its program: without `held` it would run what is freed.
        parts = []
        for start in range(0, len(batch[0]), MOST):
            found = method.execute([value[start : start + MOST].contiguous() for value in batch])
            parts.append([value.clone() for value in found])
        return [torch.cat(each) for each in zip(*parts, strict=True)]

    return run
