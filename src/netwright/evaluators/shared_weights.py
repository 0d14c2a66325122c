"""SharedWeights: the score of an architecture is what a trained supernet gives with its weights."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from netwright.errors import InputError
from netwright.evaluators.base import Candidate, OfData
from netwright.evaluators.train import Train
from netwright.space.describing import difference
from netwright.supernet.recalibration import recalibrated
from netwright.supernet.supernet import Supernet
from netwright.training.data import Data
from netwright.training.goals import read_goal
from netwright.training.loop import predict
from netwright.training.metrics import Direction, direction
from netwright.training.splits import Split

RECALIBRATION = 20_000
"""So many training examples set the statistics of the norms, where there are as many (Guo et al. 2020)."""


class SharedWeights(OfData):
    """Scores a candidate on ``split.validation`` with the weights that it has in ``supernet``; nothing is trained.

    Answers with ``val_accuracy`` and ``val_loss``; for regression with ``val_r2``, ``val_rmse`` and ``val_loss``, where
    the supernet answers in standardised units (``outputs * scale + center``, as :class:`~netwright.strategies.oneshot.
    OneShot` trains it). Norms are recalibrated on the first ``recalibration`` of the training examples; 0 leaves them
    as training left them. The supernet is as it was afterwards. InputError for a candidate of another space, and for
    a budget, which means nothing here.

    ``train`` is what trains finalists for a verdict, ``epoch_seconds`` about how long an epoch of that takes.
    """

    inherits = False
    weightless = True
    in_process = True
    costs = ("params", "macs", "memory")

    def __init__(
        self,
        supernet: Supernet,
        data: Data,
        *,
        split: Split,
        recalibration: int = RECALIBRATION,
        batch_size: int = 256,
        center: Any = 0.0,
        scale: Any = 1.0,
        train: Train | None = None,
        epoch_seconds: float | None = None,
    ) -> None:
        if recalibration < 0:
            raise InputError(f"SharedWeights: recalibration is a number of examples, found {recalibration!r}")
        self.supernet, self.data, self.split = supernet, data, split
        self.batch_size = batch_size
        self.center, self.scale = (torch.as_tensor(np.asarray(value, dtype=np.float32)) for value in (center, scale))
        self.epoch_seconds = epoch_seconds
        if train is not None:
            self.train = train
        self._calibration = _tensor(data.X, split.train[:recalibration])
        self._inputs = _tensor(data.X, split.validation)
        self._targets = torch.from_numpy(np.asarray(data.y[split.validation]))
        self._one_at_a_time = threading.Lock()

    @property
    def metric(self) -> str:
        """The metric that a search improves where nothing else is asked for."""
        return read_goal(self.data.task).metric

    @property
    def metrics(self) -> dict[str, Direction]:
        """The names of what it answers with, and the direction in which each is better."""
        return {name: direction(name) for name in (*read_goal(self.data.task).metrics, "val_loss")}

    def __call__(self, candidate: Candidate) -> dict[str, float]:
        if candidate.budget is not None:
            raise InputError(f"SharedWeights: shared weights know no budget, found {candidate.budget!r}")
        if candidate.space.signature != self.supernet.space.signature:
            said = difference(self.supernet.space.describe(), candidate.space.describe())
            raise InputError(
                "SharedWeights: the candidate is of another space than the supernet" + (f" ({said})" if said else "")
            )
        with self._one_at_a_time, self.supernet.path(candidate.architecture) as network:
            return self.score(network)

    def score(self, network: nn.Module) -> dict[str, float]:
        """What a network is worth after its norms were recalibrated; it is as it was afterwards."""
        with recalibrated(network, self._calibration, batch_size=self.batch_size):
            outputs = torch.from_numpy(predict(network, self._inputs, batch_size=self.batch_size))
        return read_goal(self.data.task).scores(outputs, self._targets, self.center, self.scale)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_one_at_a_time": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "_one_at_a_time": threading.Lock()})


def _tensor(values: Any, places: Any) -> Tensor:
    return torch.from_numpy(np.array(values[places], dtype=np.float32))
