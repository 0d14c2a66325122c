"""BatchNorm statistics of one architecture in a supernet: those that training left are of all paths together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from netwright.space.traceless import evaluating

BATCH = 128


@contextmanager
def recalibrated(network: nn.Module, inputs: Tensor, *, batch_size: int = BATCH) -> Iterator[nn.Module]:
    """``network`` in evaluation mode, its norms with the statistics of ``inputs``; afterwards all is as it was.

    The published way (Guo et al. 2020, single path one-shot, section 3.4; Yu et al. 2019): reset, then the cumulative
    average over forward passes in training mode without gradients. Dropout stays off. Only buffers change.
    """
    norms = [
        module
        for module in network.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None
    ]
    before = [(norm, norm.momentum, {name: b.clone() for name, b in norm._buffers.items() if b is not None})
              for norm in norms]  # fmt: skip
    try:
        with evaluating(network):
            with torch.no_grad():
                for norm in norms:
                    norm.reset_running_stats()
                    norm.momentum = None
                    norm.training = True
                if norms:
                    for start in range(0, len(inputs), batch_size):
                        network(inputs[start : start + batch_size])
                for norm in norms:
                    norm.training = False
            yield network
    finally:
        with torch.no_grad():
            for norm, momentum, buffers in before:
                norm.momentum = momentum
                for name, buffer in buffers.items():
                    own = norm._buffers[name]
                    assert own is not None
                    own.copy_(buffer)
