"""What training does to networks of cells: ScheduledDropPath and an auxiliary head. Neither is a part of the network.

A cell says by a method ``paths()`` which of its modules are paths, such as the operations on its connections. Cells are
counted in the order in which the network has them. Both work from the outside, by hooks, while a network trains: what
is evaluated, extracted or exported is the plain network.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, final

import torch
from torch import Tensor, nn

from netwright.errors import InputError

DEPTH = 2 / 3
"""Where the auxiliary head stands: after the cell at this part of the depth (Zoph et al. 2018)."""


def cells_of(network: nn.Module) -> list[nn.Module]:
    """The cells of a network, in its order: the modules that have ``paths``."""
    return [module for module in network.modules() if callable(getattr(module, "paths", None))]


@final
class ScheduledDropPath:
    """Drops paths of cells while ``network`` trains, more of them in later cells and later in training.

    In cell c of C at step s of S a path is dropped for an example with the probability ``rate`` · c/C · s/S, and what
    is left is divided by the probability of staying (Zoph, Vasudevan, Shlens and Le 2018; ``rate`` is 1 less their
    probability of keeping a path). An identity is no path: it is never dropped. InputError for a network without cells.
    """

    def __init__(self, network: nn.Module, rate: float) -> None:
        cells = cells_of(network)
        self.rate, self.progress = rate, 0.0
        self.paths: list[tuple[nn.Module, float]] = []
        for place, cell in enumerate(cells, start=1):
            modules: Any = cell.paths
            depth = place / len(cells)
            self.paths += [(path, depth) for path in modules() if not isinstance(path, nn.Identity)]
        if not self.paths:
            raise InputError(
                f"recipe.drop_path={rate:g} drops paths of cells, and {type(network).__name__} has none",
                hint="Leave drop_path at 0, or give each cell a method paths() with the modules that are paths",
            )
        self._handles: list[Any] = []

    @contextlib.contextmanager
    def active(self) -> Iterator[ScheduledDropPath]:
        """Drops paths in training mode until the end of the block; set ``progress`` (0 to 1) before each step."""
        self._handles = [path.register_forward_hook(self._hook(depth)) for path, depth in self.paths]
        try:
            yield self
        finally:
            for handle in self._handles:
                handle.remove()
            self._handles = []

    def probability(self, depth: float) -> float:
        """Of dropping a path in a cell at this part of the depth, now."""
        return self.rate * depth * self.progress

    def _hook(self, depth: float) -> Any:
        def drop(module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
            probability = self.probability(depth)
            if not module.training or probability <= 0:
                return None
            keep = 1 - probability
            shape = (len(output), *(1,) * (output.dim() - 1))
            mask = torch.empty(shape, dtype=output.dtype, device=output.device).bernoulli_(keep)
            return output * (mask / keep)

        return drop


@final
class AuxiliaryHead(nn.Module):
    """A second classifier, on the features after the cell at two thirds of the depth; it serves training alone.

    ReLU, the mean of 2×2 parts of the picture, a 1×1 convolution to 128 channels, a convolution over all of it to 768,
    a linear layer. As in NASNet and DARTS, whose features there are 8×8 pixels; the parts take features of any size.
    """

    def __init__(self, channels: int, outputs: int, parts: tuple[int, int]) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(parts),
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, parts, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
        )
        self.head = nn.Linear(768, outputs)

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(features).flatten(1))
        return result


@final
class Auxiliary:
    """An auxiliary head beside ``network`` while it trains; ``example`` (N, C, H, W) shows the shapes of its features.

    InputError for a network without cells, or whose cells do not give images.
    """

    def __init__(self, network: nn.Module, example: Tensor) -> None:
        cells = cells_of(network)
        if not cells:
            raise InputError(
                f"recipe.auxiliary puts a second head after a cell, and {type(network).__name__} has none",
                hint="Leave auxiliary at 0, or give each cell a method paths() with the modules that are paths",
            )
        self.cell = cells[min(int(DEPTH * len(cells)), len(cells) - 1)]
        self._features: Tensor | None = None
        with self.active(), torch.no_grad():
            outputs: Any = network(example)
            features: Any = self._features
        if not isinstance(features, Tensor) or features.dim() != 4 or outputs.dim() != 2:
            raise InputError(f"recipe.auxiliary is for classes of images, {type(network).__name__} is for others")
        height, width = features.shape[2:]
        parts = (min(2, height), min(2, width))
        self.head: nn.Module = AuxiliaryHead(features.shape[1], outputs.shape[1], parts).to(example.device)

    @contextlib.contextmanager
    def active(self) -> Iterator[Auxiliary]:
        """Keeps the features of each forward until the end of the block."""
        handle = self.cell.register_forward_hook(self._keep)
        try:
            yield self
        finally:
            handle.remove()
            self._features = None

    def __call__(self) -> Tensor:
        """The head's outputs for what the network saw last."""
        features = self._features
        assert features is not None
        self._features = None
        result: Tensor = self.head(features)
        return result

    def _keep(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self._features = output
