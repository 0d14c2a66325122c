"""A graph neural network over cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np

from netwright.architecture import Architecture
from netwright.arguments import whole
from netwright.predictors.base import Floats, Predictor, Rows
from netwright.predictors.calibration import Calibration, calibrated, folds
from netwright.predictors.encodings import Adjacency
from netwright.predictors.kernels import EMPTY
from netwright.predictors.warping import warped
from netwright.space import SearchSpace

if TYPE_CHECKING:
    from torch import Tensor

FOLDS = 3
BATCH = 64


@final
class GraphNetwork(Predictor):
    """Message passing along and against the edges of an architecture's graph.

    A node begins as the embedding of its operation. In each of ``layers`` rounds it takes what it is, the sum over the
    nodes before it and the sum over those after it, each through a matrix of its own, and adds what ReLU leaves of that
    (a graph isomorphism network, Xu et al. 2019, with directed edges as in Wen et al. 2020). The mean and the sum over
    the nodes give the score. ``members`` networks that start differently are trained by Adam on the squared error, all
    as one program over stacked tensors, and with them those of a three-fold cross-validation, whose errors calibrate
    the members' spread (:mod:`netwright.predictors.calibration`).

    Nodes whose operation is called ``none`` or ``zero`` are left out. Made for spaces that declare graphs; elsewhere it
    reads the tree of the decisions.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        members: int = 3,
        layers: int = 2,
        width: int = 24,
        rate: float = 0.01,
        epochs: int = 80,
        warp: bool = True,
        seed: int | np.random.Generator = 0,
    ) -> None:
        super().__init__(space, seed=seed)
        whole("GraphNetwork", members=members, layers=layers, width=width, epochs=epochs)
        self.members = members
        self.layers = layers
        self.width = width
        self.rate = rate
        self.epochs = epochs
        self.warp = warp
        self._adjacency = Adjacency(space, empty=EMPTY)

    def encode(self, architectures: Sequence[Architecture]) -> Rows:
        return self._adjacency.encode(architectures)

    def _fit(self, rows: Rows, scores: Floats) -> None:
        import torch

        rng = self._generator()
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        latent, self._map = warped(scores, self.warp)
        count = len(latent)
        fold = folds(count, FOLDS, rng) if count > FOLDS else None
        sets = [np.ones(count), *([] if fold is None else [(fold != part).astype(float) for part in range(FOLDS)])]
        used = torch.tensor(np.repeat(np.stack(sets), self.members, axis=0), dtype=torch.float32)
        parameters = self._parameters(len(used), generator)
        adjacency, operations = self._tensors(rows)
        target = torch.tensor(latent, dtype=torch.float32)
        optimiser = torch.optim.AdamW(parameters, self.rate, weight_decay=1e-3)
        batches = max(1, round(count / BATCH))
        steps = self.epochs * batches
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(self.epochs):
            for batch in torch.randperm(count, generator=generator).chunk(batches):
                optimiser.zero_grad()
                found = self._forward(parameters, adjacency[batch], operations[batch])
                weights = used[:, batch]
                # Each network by the mean of its own examples: their sum keeps them apart.
                errors = (weights * (found - target[batch]) ** 2).sum(1) / weights.sum(1).clamp(min=1)
                torch.autograd.backward(errors.sum())
                optimiser.step()
                schedule.step()
        self._fitted = [parameter.detach() for parameter in parameters]
        self._calibration = Calibration(1.0, 1.0)
        if fold is not None:
            every = self._found(self._fitted, rows).reshape(FOLDS + 1, self.members, count)
            unseen = every[fold + 1, :, np.arange(count)]
            self._calibration = calibrated(unseen.mean(axis=1) - latent, unseen.std(axis=1))
        self._fitted = [parameter[: self.members].clone() for parameter in self._fitted]

    def _predict(self, rows: Rows) -> tuple[Floats, Floats]:
        found = self._found(self._fitted, rows)
        return self._map.moments(found.mean(axis=0), self._calibration(found.std(axis=0)))

    def _found(self, parameters: Sequence[Tensor], rows: Rows) -> Floats:
        import torch

        with torch.no_grad():
            found: Floats = self._forward(parameters, *self._tensors(rows)).double().numpy()
        return found

    def _tensors(self, rows: Rows) -> tuple[Tensor, Tensor]:
        import torch

        adjacency, operations = self._adjacency.matrices(rows)
        return torch.tensor(adjacency, dtype=torch.float32), torch.tensor(operations, dtype=torch.float32)

    def _parameters(self, networks: int, generator: Any) -> list[Tensor]:
        """Matrices and biases of all networks: embedding, layers (three matrices side by side) and the end."""
        import torch

        def matrix(inputs: int, outputs: int, gain: float) -> Tensor:
            drawn = torch.randn(networks, inputs, outputs, generator=generator)
            made: Tensor = drawn * (gain / inputs) ** 0.5
            return made.requires_grad_()

        def bias(outputs: int) -> Tensor:
            return torch.zeros(networks, 1, outputs, requires_grad=True)

        parameters = [matrix(len(self._adjacency.operations), self.width, 4.0), bias(self.width)]
        for _ in range(self.layers):
            parameters += [matrix(self.width, 3 * self.width, 0.7), bias(self.width)]
        return [*parameters, matrix(2 * self.width, self.width, 2.0), bias(self.width), matrix(self.width, 1, 0.5)]

    def _forward(self, parameters: Sequence[Tensor], adjacency: Tensor, operations: Tensor) -> Tensor:
        """Scores, networks × graphs."""
        import torch

        graphs, nodes, names = operations.shape
        there = operations.sum(2).reshape(-1, 1)  # 0 for padding
        embed, shift, *rest = parameters
        networks, width = len(embed), self.width
        at = (operations.reshape(-1, names) @ embed + shift) * there  # networks × (graphs · nodes) × width
        before = adjacency.transpose(1, 2)

        def gathered(of: Tensor, edges: Tensor) -> Tensor:
            """The sums over neighbours, of all networks in one product."""
            side_by_side = of.reshape(networks, graphs, nodes, width).permute(1, 2, 0, 3).reshape(graphs, nodes, -1)
            sums = (edges @ side_by_side).reshape(graphs, nodes, networks, width)
            return sums.permute(2, 0, 1, 3).reshape(networks, -1, width)

        for layer in range(self.layers):
            weight, shift = rest[2 * layer : 2 * layer + 2]
            own, into, out = torch.chunk(torch.bmm(at, weight), 3, dim=2)
            at = at + torch.relu(own + gathered(into, before) + gathered(out, adjacency) + shift) * there
        total = at.reshape(networks, graphs, nodes, width).sum(2)
        sizes = there.reshape(graphs, nodes).sum(1, keepdim=True)
        pooled = torch.cat([total / sizes.clamp(min=1), total / nodes], dim=2)
        hidden, shift, last = rest[2 * self.layers :]
        return (torch.relu(pooled @ hidden + shift) @ last)[..., 0]
