"""Whether a written network answers as the network itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from netwright.errors import CheckError

TOLERANCE = 1e-5
"""What a program of torch.export may differ from the network by."""
OTHER_TOLERANCE = 1e-4
"""What another runtime may: it adds up in another order, and folds norms into convolutions."""


def compare(
    network: nn.Module, inputs: tuple[torch.Tensor, ...], run: Callable[[tuple[torch.Tensor, ...]], Sequence[Any]]
) -> float:
    """The largest difference between the network's outputs and what ``run`` answers, for one, two and all rows.

    ``run`` is given a batch and answers with its outputs, tensors or arrays. The difference is relative to the
    largest output where that is above one. Whatever ``run`` raises is a :class:`CheckError`.
    """
    twin = copy.deepcopy(network).cpu().eval()
    worst = 0.0
    for rows in dict.fromkeys(min(count, len(inputs[0])) for count in (1, 2, len(inputs[0]))):
        batch = tuple(value.detach().cpu()[:rows].contiguous() for value in inputs)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            expected = [torch.as_tensor(leaf) for leaf in tree_leaves(twin(*(value.clone() for value in batch)))]
        try:
            with torch.no_grad():
                found = [torch.as_tensor(value) for value in run(batch)]
        except Exception as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise CheckError(f"the written network does not run on a batch of {rows}: {first}") from error
        if len(found) != len(expected):
            raise CheckError(f"the written network has {len(found)} outputs, the network itself {len(expected)}")
        worst = max([worst, *(distance(one, two) for one, two in zip(expected, found, strict=True))])
    return worst


def demand(worst: float, allowed: float) -> None:
    """Raises :class:`CheckError` for a difference that is too large, or is no number."""
    if not worst <= allowed:
        raise CheckError(
            f"the written network differs from the network of the search by {worst:.3g}, at most {allowed:g} is allowed"
        )


def distance(one: torch.Tensor, two: torch.Tensor) -> float:
    """The largest difference, relative to the largest of ``one`` where that is above one.

    It is infinite for another shape or dtype, and where only one of them is NaN.
    """
    if one.shape != two.shape or one.dtype != two.dtype:
        return float("inf")
    if not one.numel():
        return 0.0
    first, second = one.double(), two.double()
    if not torch.equal(first.isnan(), second.isnan()):
        return float("inf")
    # Infinities that are equal have no distance; `inf - inf` would be NaN.
    gap = torch.where(first == second, 0.0, (first - second).abs()).nan_to_num(nan=0.0, posinf=float("inf"))
    scale = first[first.isfinite()].abs()
    return float(gap.max()) / max(1.0, float(scale.max()) if len(scale) else 1.0)
