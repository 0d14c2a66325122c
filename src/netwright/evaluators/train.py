"""Train: the score of an architecture is that of its network, trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netwright.errors import InputError
from netwright.evaluators.base import Candidate, OfData
from netwright.training.data import Data
from netwright.training.goals import read_goal
from netwright.training.inheritance import inherit
from netwright.training.loop import fit
from netwright.training.metrics import Direction, direction
from netwright.training.recipes import Recipe
from netwright.training.scorers import check_scorers, scorers_of
from netwright.training.splits import Split
from netwright.training.weights import load_weights


class Train(OfData):
    """Trains a candidate on ``split.train`` and scores it on ``split.validation``.

    Answers with the metrics of the data's goal (``val_accuracy``; ``val_r2`` and ``val_rmse`` for regression; see
    :mod:`netwright.training.goals`), ``val_loss``, ``train_loss``,
    ``epochs`` (trained now) and ``lineage_epochs`` (with those of the ancestors whose weights were the start). The
    same of the kept epoch are reported after each epoch.

    The candidate's budget is a number of epochs, rounded up; without one it is ``epochs``, and without that the
    recipe's. Answers to decisions named ``recipe.<field>`` replace that field. A child that inherits from its parent
    trains ⌈``inherit_factor`` × budget⌉ epochs; a promotion trains what its lineage has not yet, at least one epoch,
    under a schedule of its own. What begins from weights of another study takes the tensors of the same name and shape
    alone (``inherited_tensors`` says how many) and trains its whole budget. ``keep=False`` keeps no weights, so that
    nothing can inherit from them.

    ``test`` is a test set of its own, for data whose split has no test part; only the verdict looks at it.

    ``scorers`` are names of scikit-learn's scorers, such as ``"roc_auc"``: it answers with ``val_roc_auc``, too.
    """

    inherits = True
    costs = ("params", "macs", "memory")

    def __init__(
        self,
        data: Data,
        recipe: Recipe | None = None,
        *,
        split: Split,
        epochs: int | None = None,
        inherit_factor: float = 0.5,
        keep: bool = True,
        test: Data | None = None,
        scorers: Sequence[str] = (),
    ) -> None:
        if not 0 < inherit_factor <= 1:
            raise InputError(f"Train: inherit_factor is more than 0 and at most 1, found {inherit_factor!r}")
        if len(split) != len(data):
            raise InputError(f"Train: the split is of {len(split)} examples, the data have {len(data)}")
        if len(split.validation) == 0:
            raise InputError("Train: the split has no validation part", hint="Give validation= a fraction above 0")
        if test is not None and (test.input_shape, test.classes) != (data.input_shape, data.classes):
            raise InputError(
                f"Train: the test set has inputs of shape {test.input_shape} and the classes {test.classes}, "
                f"the data have {data.input_shape} and {data.classes}"
            )
        if recipe is None:
            recipe = Recipe.tables() if data.classes is not None else Recipe.regression()
            recipe = Recipe.images() if len(data.input_shape) == 3 else recipe
        self.data, self.test, self.split = data, test, split
        self.keep, self.inherit_factor = keep, inherit_factor
        self.scorers = scorers_of(data.task, [f"val_{name}" for name in scorers])
        if unknown := set(scorers) - set(self.scorers):
            raise InputError(f"Train: no scorer is called '{min(unknown)}'")
        check_scorers(self.scorers, np.asarray(data.y[split.validation]), data.outputs, data.task)
        self.recipe = recipe if epochs is None else recipe.replace(epochs=epochs)
        self._parts: dict[str, tuple[Tensor, Tensor, Tensor, Tensor]] = {}

    @property
    def metric(self) -> str:
        """The metric that a search improves where nothing else is asked for."""
        return read_goal(self.data.task).metric

    @property
    def metrics(self) -> dict[str, Direction]:
        """The names of what it answers with, and the direction in which each is better."""
        named = tuple(f"val_{name}" for name in self.scorers)
        names = (*read_goal(self.data.task).metrics, *named, "val_loss", "train_loss", "epochs", "lineage_epochs")
        return {name: direction(name) for name in names}

    def budget(self, candidate: Candidate) -> int:
        """The whole budget of a candidate in epochs, before anything is inherited."""
        if candidate.budget is None:
            return self.recipe.override(candidate.architecture).epochs
        if isinstance(candidate.budget, str) or not (math.isfinite(candidate.budget) and candidate.budget > 0):
            raise InputError(f"Train: a budget is a number of epochs above 0, found {candidate.budget!r}")
        return math.ceil(candidate.budget)

    def epochs(self, candidate: Candidate) -> int:
        """How many epochs a candidate trains now."""
        budget, heritage = self.budget(candidate), candidate.heritage
        if heritage is None or heritage.study is not None:
            return budget
        if heritage.same:
            return max(1, math.ceil(budget - heritage.epochs))
        return math.ceil(self.inherit_factor * budget)

    def __call__(self, candidate: Candidate) -> dict[str, float]:
        recipe, epochs = self.recipe.override(candidate.architecture), self.epochs(candidate)
        network = candidate.network()
        extra: dict[str, float] = {}
        before = 0.0
        if candidate.heritage is not None:
            loaded = load_weights(candidate.heritage.weights, candidate.heritage.sha256)
            foreign = candidate.heritage.study is not None
            inherited = inherit(network, loaded, overlap=not foreign)
            before = candidate.heritage.epochs
            if foreign:
                extra["inherited_tensors"] = float(len(inherited.matched))
            if loaded.previous:
                extra["inherited_previous_copy"] = 1.0
        X, y, X_validation, y_validation = self._tensors(candidate.device)
        weights = None if self.data.weights is None else np.asarray(self.data.weights[self.split.train])
        fitted = fit(
            network,
            X,
            y,
            recipe,
            X_validation=X_validation,
            y_validation=y_validation,
            epochs=epochs,
            seed=candidate.seed,
            device=candidate.device,
            report=lambda step, metrics: candidate.report(step, **metrics),
            task=self.data.task,
            weights=weights,
            scorers=self.scorers,
        )
        if self.keep:
            candidate.keep(network.state_dict())
        lineage = before + fitted.epochs
        return {**fitted.metrics, "epochs": float(fitted.epochs), "lineage_epochs": lineage, **extra}

    def _tensors(self, device: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The two parts on the device, made once a process."""
        if device not in self._parts:
            X, y, split = self.data.X, self.data.y, self.split
            parts = [np.asarray(array[part]) for part in (split.train, split.validation) for array in (X, y)]
            a, b, c, d = (torch.from_numpy(part).to(device) for part in parts)
            self._parts[device] = (a, b, c, d)
        return self._parts[device]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_parts": {}}
