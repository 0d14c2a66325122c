"""AZ-NAS: three properties of a network's blocks, and its MACs, put together by their ranks in a population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from torch import Tensor, nn
from torch.nn import functional

from netwright.errors import InputError
from netwright.evaluators.proxies.base import Loss, ProxyFailed, noise, proxy, reinitialise
from netwright.evaluators.proxies.features import block_features, by_channel, channels_first

COMPONENTS = ("az_expressivity", "az_progressivity", "az_trainability", "macs")
"""What :func:`az_nas` ranks; more of each is better."""


@proxy("az_expressivity", wants=("shape",), passes=1, source="Lee and Ham 2024")
def az_expressivity(
    network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator
) -> float:
    """Σ over blocks of the entropy of their features' principal components.

    As all of AZ-NAS: Kaiming's normal weights, standard normal inputs, the blocks of
    :func:`~netwright.evaluators.proxies.features.block_features`. Fails with less than two blocks.
    """
    return float(sum(_entropies(*_features(network, inputs, generator))))


@proxy("az_progressivity", wants=("shape",), passes=1, source="Lee and Ham 2024")
def az_progressivity(
    network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator
) -> float:
    """The least growth of that entropy from one block to the next."""
    return float(np.diff(_entropies(*_features(network, inputs, generator))).min())


@proxy("az_trainability", wants=("shape",), passes=3, source="Lee and Ham 2024")
def az_trainability(
    network: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, generator: torch.Generator
) -> float:
    """The mean over blocks of −σ − 1/σ + 2, at most 0, σ the largest singular value of the block's mean Jacobian.

    The Jacobian is estimated from one vector of random signs at the block's output, brought back to its input. A block
    that hands it back as it was (an identity) has nothing to train: the network fails.
    """
    features, first = _features(network, inputs, generator)
    scores = []
    for before, after in pairwise(features):
        if not after.requires_grad or not before.requires_grad:
            raise ProxyFailed("a block depends on no weights")
        signs = torch.randint(0, 2, after.shape, generator=generator, device=generator.device).to(after) * 2 - 1
        (back,) = torch.autograd.grad(after, before, signs, retain_graph=True, allow_unused=True)
        if back is None:
            raise ProxyFailed("a block does not depend on the one before it")
        if back.shape == signs.shape and torch.equal(back, signs):
            raise ProxyFailed("a block is an identity")
        largest = float(torch.linalg.matrix_norm(_jacobian(back, signs, first), 2))
        scores.append(-largest - 1 / (largest + 1e-6) + 2)
    return float(np.mean(scores))


def az_nas(components: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """The AZ-NAS score of each network of a population: :func:`rank_sum` over its four components.

    ``components`` names the values of :data:`COMPONENTS`, one a network; NaN where a component failed.
    """
    missing = [name for name in COMPONENTS if name not in components]
    if missing:
        raise InputError(f"az_nas ranks {', '.join(COMPONENTS)}; there is no {', '.join(missing)}")
    return rank_sum([components[name] for name in COMPONENTS])


def rank_sum(components: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """Σ over components of log(rank / m), the best of m networks having rank m; NaN ranks last.

    The logarithm makes one bad rank weigh more than one good rank can mend. Ties share their mean rank.
    """
    total = np.zeros(len(np.asarray(components[0])))
    for component in components:
        values = np.asarray(component, dtype=np.float64)
        if values.shape != total.shape:
            raise InputError(f"the components are of one length, found {len(total)} and {values.size}")
        ranks = rankdata(np.where(np.isnan(values), -np.inf, values))
        total += np.log(ranks / len(values))
    return total


def _features(network: nn.Module, inputs: Tensor, generator: torch.Generator) -> tuple[list[Tensor], bool]:
    reinitialise(network, "kaiming", generator)
    example = noise(inputs.shape, inputs, generator) if inputs.is_floating_point() else inputs
    features = block_features(network, example)
    if len(features) < 2:
        raise ProxyFailed(f"it compares two blocks or more, found {len(features)}")
    return features, channels_first(network)


def _rows(features: Tensor, first: bool) -> Tensor:
    """A row a position: (N · positions, channels)."""
    return by_channel(features, first).transpose(1, 2).flatten(0, 1).double()


def _entropies(features: list[Tensor], first: bool) -> list[float]:
    found = []
    for each in features:
        rows = _rows(each.detach(), first)
        centred = rows - rows.mean(0, keepdim=True)
        spectrum = torch.linalg.eigvalsh(centred.T @ centred / len(rows)).clamp_min(0.0)
        whole = spectrum.sum()
        if not bool(torch.isfinite(whole)) or whole == 0:
            raise ProxyFailed("the features of a block are constant")
        share = spectrum / whole
        found.append(float(-(share * torch.log(share + 1e-8)).sum()))
    return found


def _jacobian(back: Tensor, signs: Tensor, first: bool) -> Tensor:
    """The mean over positions of (input gradient) ⊗ (output signs).

    A pixel of a coarser output sees its square of the input; what does not fit at the edge is cut off.
    """
    if back.dim() == 4 and signs.dim() == 4 and back.shape[2:] != signs.shape[2:]:
        height, width = signs.shape[2:]
        step = min(back.shape[2] // height, back.shape[3] // width)
        if step < 1:
            raise ProxyFailed(f"a block turns {tuple(back.shape[2:])} pixels into {(height, width)}")
        back = functional.pixel_unshuffle(back[:, :, : step * height, : step * width], step)
    inner, outer = _rows(back, first), _rows(signs, first)
    if len(inner) != len(outer):
        raise ProxyFailed(f"a block turns {len(inner)} positions into {len(outer)}")
    return inner.T @ outer / len(outer)
