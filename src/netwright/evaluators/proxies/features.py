"""The feature maps of a network, found in any network by what its modules answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from netwright.evaluators.proxies.base import ProxyFailed, answer

LAYERS = (nn.Linear, nn.modules.conv._ConvNd, nn.RNNBase, nn.MultiheadAttention, nn.Embedding)
"""Modules with weights of their own; each begins a block of a plain sequence."""


def channels_first(network: nn.Module) -> bool:
    """Whether tensors of three dimensions are (N, C, L), as one-dimensional convolutions have them, not (N, L, C)."""
    return any(isinstance(module, nn.Conv1d | nn.ConvTranspose1d) for module in network.modules())


def by_channel(features: Tensor, first: bool) -> Tensor:
    """The features as (N, channels, positions); ``first`` is that of :func:`channels_first`."""
    if features.dim() == 2:
        return features[:, :, None]
    if features.dim() == 3 and not first:
        return features.transpose(1, 2)
    return features.flatten(2)


@dataclass
class Called:
    """A call of a module: what it answered, if that was one tensor, and the calls inside."""

    module: nn.Module
    out: Tensor | None = None
    inside: list[Called] = field(default_factory=list)


def trace(network: nn.Module, inputs: Tensor) -> Called:
    """Runs the network and writes down the tree of its modules' calls.

    The hooks stay until the network is given back; see :func:`~netwright.evaluators.proxies.base.untouched`.
    """
    root = Called(network)
    stack = [root]
    handles = []

    def enter(module: nn.Module, args: Any) -> None:
        call = Called(module)
        stack[-1].inside.append(call)
        stack.append(call)

    def leave(module: nn.Module, args: Any, out: Any) -> None:
        value = out[0] if isinstance(out, tuple | list) and out else out
        stack.pop().out = value if isinstance(value, Tensor) else None

    for module in network.modules():
        if module is not network:
            handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
    try:
        root.out = answer(network, inputs)
    finally:
        for handle in handles:
            handle.remove()
    return root


def last_feature_map(network: nn.Module, inputs: Tensor) -> Tensor:
    """The last tensor (N, C, H, W), (N, L, C), … with more than one position that a module answers with.

    For a network without any, the input of its last linear layer: what its classifier sees.
    """
    latest: list[Tensor] = []
    classifier: list[Tensor] = []
    first = channels_first(network)

    def leave(module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        value = out[0] if isinstance(out, tuple | list) and out else out
        if isinstance(value, Tensor) and value.dim() > 2 and by_channel(value, first)[0].shape[1] > 1:
            latest[:] = [value]
        if isinstance(module, nn.Linear) and args:
            classifier[:] = [args[0]]

    handles = [module.register_forward_hook(leave) for module in network.modules() if module is not network]
    try:
        answer(network, inputs)
    finally:
        for handle in handles:
            handle.remove()
    if latest or classifier:
        return (latest or classifier)[0]
    raise ProxyFailed("the network has no feature map: no module answers with one, and it has no linear layer")


def each_feature_map(network: nn.Module, inputs: Tensor, see: Callable[[Tensor], None]) -> None:
    """Runs the network and hands on each tensor of more than one position that a module answers with, once."""
    # Held, so that no other tensor gets the place in memory by which it is known.
    seen: dict[int, Tensor] = {}

    def leave(module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        value = out[0] if isinstance(out, tuple | list) and out else out
        if isinstance(value, Tensor) and value.dim() > 2 and id(value) not in seen:
            seen[id(value)] = value
            see(value.detach())

    handles = [module.register_forward_hook(leave) for module in network.modules() if module is not network]
    try:
        with torch.no_grad():
            answer(network, inputs)
    finally:
        for handle in handles:
            handle.remove()


def block_features(network: nn.Module, inputs: Tensor) -> list[Tensor]:
    """The features after each block of the network's spine, with their graph, in the order of the forward pass.

    The spine is the sequence of the modules that the network itself calls, ``nn.Sequential`` opened; where there are
    less than three blocks the largest is opened too. A module that calls others is a block; a layer with weights begins
    one, to which the modules after it that keep its shape belong (norms, activations). Those after a module that calls
    others are left out, as are pooling, answers whose first dimension is not the batch, and the network's own answer.
    """
    root = trace(network, inputs)
    spine = _opened(root.inside)
    while len(_ends(spine)) < 3:
        composite = [call for call in spine if call.inside]
        if not composite:
            break
        largest = max(composite, key=lambda call: sum(1 for _ in call.module.modules()))
        place = spine.index(largest)
        spine[place : place + 1] = _opened(largest.inside)
    features = [call.out for call in _ends(spine)]
    found: list[Tensor] = []
    for value in features:
        fits = value is not None and value.dim() > 1 and len(value) == len(inputs) and value is not root.out
        if value is not None and fits and not any(value is other for other in found):
            found.append(value)
    return found


def _opened(calls: list[Called]) -> list[Called]:
    spine = []
    for call in calls:
        plain = type(call.module) is nn.Sequential
        spine += _opened(call.inside) if plain else [call]
    return spine


def _ends(spine: list[Called]) -> list[Called]:
    """The last call of each block."""
    ends: list[Called] = []
    for call in spine:
        if call.inside or isinstance(call.module, LAYERS):
            ends.append(call)
        elif ends and not ends[-1].inside and _shape(call) == _shape(ends[-1]):
            ends[-1] = call
    return ends


def _shape(call: Called) -> tuple[int, ...] | None:
    return None if call.out is None else tuple(call.out.shape)
