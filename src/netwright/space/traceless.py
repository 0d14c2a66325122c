"""Networks that run and leave no trace: modes, and torch's generators of random numbers, are put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

CPU = torch.device("cpu")


@contextmanager
def modes_kept(*networks: nn.Module) -> Iterator[None]:
    """Afterwards every module is training or not as it was, each for itself."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; afterwards every module has the mode that it had."""
    with modes_kept(network):
        network.eval()
        yield


@contextmanager
def generators_kept(device: torch.device = CPU, *, seed: int | None = None) -> Iterator[None]:
    """Afterwards torch's generators are as they were: that of the CPU, and that of ``device`` if it is another.

    With ``seed`` both begin with it (:func:`seed_generators`).
    """
    others = [] if device.type in ("cpu", "meta") else [device]
    with torch.random.fork_rng(others, device_type=others[0].type if others else "cuda"):
        if seed is not None:
            seed_generators(seed, device)
        yield


def seed_generators(seed: int, device: torch.device = CPU) -> None:
    """Seeds the generator of the CPU, and that of ``device`` if it is another.

    Not by ``torch.manual_seed``: that seeds all devices of the machine, among them those whose generators nobody keeps,
    and looks for every kind of device, which takes longer than a small network.
    """
    torch.default_generator.manual_seed(seed)
    if device.type not in ("cpu", "meta"):
        there: Any = torch.get_device_module(device)
        with there.device(device) if device.type == "cuda" else nullcontext():
            there.manual_seed(seed)
