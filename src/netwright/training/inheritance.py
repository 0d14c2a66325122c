"""A network that starts from the weights of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Inherited:
    """What became of each tensor of the heir, by name."""

    matched: tuple[str, ...]
    overlapped: tuple[str, ...]
    fresh: tuple[str, ...]


def inherit(network: nn.Module, state: Mapping[str, Tensor], *, overlap: bool = True) -> Inherited:
    """Copies into ``network`` what fits of ``state``, by name.

    A tensor of the same shape is copied whole. One with as many dimensions but other sizes is copied where the two
    overlap, from index 0 on (Net2Net's naming of units, without its function preservation), and keeps its fresh values
    elsewhere. Parameters and buffers are treated alike, so BatchNorm's running statistics come along; a tensor of
    whole numbers (a table of indices, a count) is copied only whole. Names of ``state`` that the network has not are
    left out. With ``overlap=False`` only what has the same shape is copied.
    """
    matched, overlapped, fresh = [], [], []
    with torch.no_grad():
        for name, own in network.state_dict(keep_vars=True).items():
            given = state.get(name)
            if given is None or given.dtype.is_floating_point != own.dtype.is_floating_point:
                fresh.append(name)
            elif given.shape == own.shape:
                own.copy_(given)
                matched.append(name)
            elif overlap and given.dim() == own.dim() and own.dtype.is_floating_point and own.numel() and given.numel():
                region = tuple(slice(0, min(a, b)) for a, b in zip(own.shape, given.shape, strict=True))
                own[region].copy_(given[region])
                overlapped.append(name)
            else:
                fresh.append(name)
    return Inherited(tuple(matched), tuple(overlapped), tuple(fresh))
