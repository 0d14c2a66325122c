"""MeCo: how far the channels of each feature map are from saying the same."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netwright.evaluators.proxies.base import Loss, ProxyFailed, noise, proxy
from netwright.evaluators.proxies.features import by_channel, channels_first, each_feature_map


@proxy("meco", wants=("shape",), batch=1, passes=1, source="Jiang et al. 2023")
def meco(network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator) -> float:
    """Σ over feature maps of the least eigenvalue of the correlations between their channels, for one random input.

    One forward pass of one example. The maps are all that modules answer with, each counted once; one with less
    positions than channels adds (nearly) nothing, its correlations being singular. A constant channel correlates with
    none, not even itself. Whole numbers as inputs are used as they are. Fails without feature maps.
    """
    return _sum(network, inputs, generator, None)


@proxy("meco_opt", wants=("shape",), batch=1, passes=1, source="Jiang et al. 2023")
def meco_opt(
    network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator, *, channels: int = 8
) -> float:
    """MeCo on ``channels`` channels drawn of each feature map, its eigenvalue times (all channels) / (those drawn)."""
    return _sum(network, inputs, generator, channels)


def _sum(network: nn.Module, inputs: Tensor, generator: torch.Generator, sample: int | None) -> float:
    eigenvalues: list[float] = []
    first = channels_first(network)

    def see(features: Tensor) -> None:
        rows = by_channel(features, first)[0].double().cpu()
        channels = len(rows)
        if rows.shape[1] < 2 or channels < 2:
            return
        if sample is not None and channels > sample:
            rows = rows[torch.randperm(channels, generator=generator)[:sample].to(rows.device)]
        centred = rows - rows.mean(1, keepdim=True)
        lengths = centred.norm(dim=1, keepdim=True)
        unit = torch.where(lengths > 1e-12, centred / lengths.clamp_min(1e-12), 0.0)
        least = float(torch.linalg.eigvalsh(unit @ unit.T)[0])
        eigenvalues.append(max(0.0, least) * channels / len(rows))

    for module in network.modules():
        # In training they want more than one value a channel, which one example does not have.
        if isinstance(module, nn.BatchNorm1d):
            module.eval()
    example = noise(inputs[:1].shape, inputs, generator) if inputs.is_floating_point() else inputs[:1]
    each_feature_map(network, example, see)
    if not eigenvalues:
        raise ProxyFailed("no module answers with a feature map of several positions")
    return sum(eigenvalues)
