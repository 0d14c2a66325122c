"""What is to be predicted, and how answers are judged: one class a goal, on one contract.

================ ============================== ================================= ==========================
goal             targets                        outputs                           judged by
================ ============================== ================================= ==========================
classification   int64 (N,), codes of classes   scores (N, classes)               accuracy
labels           float32 (N, K) of 0 and 1      scores (N, K), one a label        share of labels told right
tokens           int64 (N, T), the next tokens  scores (N, T, tokens)             perplexity
regression       float32 (N,) or (N, K)         numbers, standardised             R²
forecast         float32 (N, H)                 numbers (N, H)                    mean absolute scaled error
several(10,1)    float32 (N, heads)             the heads' one beside the other   mean of accuracies and R²
================ ============================== ================================= ==========================

A forecast's targets come in units of the error of the seasonal naive forecast on the training part, so that their mean
absolute error is the scaled error of Hyndman and Koehler (2006).
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from netwright.errors import InputError
from netwright.training.metrics import Direction

Array = np.ndarray[Any, Any]


class Goal(ABC):
    """How the outputs of a network are compared with targets.

    ``metrics`` are the names of what :meth:`scores` gives beside ``val_loss``, the first that by which a search is
    better where nothing else is asked for; ``way`` is the direction of that one. ``shown`` is its name for people.
    """

    name: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    way: ClassVar[Direction] = "maximize"
    shown: ClassVar[str]
    credit: ClassVar[str]
    """What :meth:`credits` are, in a sentence about a difference of two."""
    standardised: ClassVar[bool] = False
    """Whether training standardises the targets once more."""
    whole: ClassVar[bool] = False
    """Whether targets are whole numbers."""
    ordered: ClassVar[bool] = False
    """Whether examples follow each other in time, so that none may be judged by a network that saw later ones."""
    overlapping: ClassVar[bool] = False
    """Whether what is predicted of an example is in part what is predicted of the next one: steps in time."""
    least: float = -math.inf
    """The score that no answers fall short of."""

    @property
    def metric(self) -> str:
        """The metric by which a search is better."""
        return self.metrics[0]

    @abstractmethod
    def losses(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """The loss of each example, (N,)."""

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
        """The mean loss; with ``weights`` (N,) the weighted one, the weights taken as they are."""
        losses = self.losses(outputs, targets, smoothing)
        return losses.mean() if weights is None else (losses * weights).mean()

    @abstractmethod
    def scores(
        self, outputs: Tensor, targets: Tensor, center: Tensor | float = 0.0, scale: Tensor | float = 1.0
    ) -> dict[str, float]:
        """The metrics and ``val_loss``; ``outputs · scale + center`` is in the targets' unit."""

    @abstractmethod
    def credits(self, outputs: Array, targets: Array) -> Array:
        """What each example counts for, (N,) float64, more is better; both are in the targets' unit."""

    def worth(self, credit: float) -> float:
        """What a mean credit at one time counts for, where a network is judged at several times; more is better."""
        return credit

    def shown_score(self, credit: float) -> float:
        """The score that people read, from the mean of the credits (or a bound of its interval).

        No accuracy and no R² is more than 1, and no accuracy less than 0, which a bootstrap over examples and seeds
        does not know.
        """
        return min(1.0, max(self.least, credit))


@final
class Classification(Goal):
    """One class of several: cross-entropy, accuracy."""

    name, metrics, shown, whole = "classification", ("val_accuracy",), "accuracy", True
    credit, least = "accuracy", 0.0

    def losses(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        return functional.cross_entropy(outputs, targets, label_smoothing=smoothing, reduction="none")

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
        if weights is not None:
            return super().loss(outputs, targets, smoothing, weights)
        return functional.cross_entropy(outputs, targets, label_smoothing=smoothing)

    def scores(
        self, outputs: Tensor, targets: Tensor, center: Tensor | float = 0.0, scale: Tensor | float = 1.0
    ) -> dict[str, float]:
        loss = functional.cross_entropy(outputs, targets)
        return {"val_accuracy": float((outputs.argmax(1) == targets).float().mean()), "val_loss": float(loss)}

    def credits(self, outputs: Array, targets: Array) -> Array:
        return np.asarray(outputs.argmax(1) == targets, dtype=np.float64)


@final
class Labels(Goal):
    """Any number of labels at once: binary cross-entropy of each; a label is given where its score is above 0."""

    name, metrics, shown = "labels", ("val_accuracy",), "accuracy of labels"
    credit, least = "accuracy of labels", 0.0

    def losses(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        if smoothing:
            targets = targets * (1 - smoothing) + 0.5 * smoothing
        return functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(1)

    def scores(
        self, outputs: Tensor, targets: Tensor, center: Tensor | float = 0.0, scale: Tensor | float = 1.0
    ) -> dict[str, float]:
        right = ((outputs > 0) == (targets > 0.5)).float().mean()
        return {"val_accuracy": float(right), "val_loss": float(self.loss(outputs, targets))}

    def credits(self, outputs: Array, targets: Array) -> Array:
        return np.asarray(((outputs > 0) == (targets > 0.5)).mean(1), dtype=np.float64)


@final
class Tokens(Goal):
    """The next token at each place: cross-entropy; its exponential is the perplexity. An example is a window."""

    name, metrics, shown, whole, ordered = "tokens", ("val_perplexity",), "perplexity", True, True
    credit = "nats a token"
    way = "minimize"

    def losses(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        scores = outputs.movedim(-1, 1)
        return functional.cross_entropy(scores, targets, label_smoothing=smoothing, reduction="none").mean(1)

    def scores(
        self, outputs: Tensor, targets: Tensor, center: Tensor | float = 0.0, scale: Tensor | float = 1.0
    ) -> dict[str, float]:
        loss = float(self.loss(outputs, targets))
        # A network that diverged is beyond what a float can hold.
        return {"val_perplexity": float(np.exp(min(loss, 700.0))), "val_loss": loss}

    def credits(self, outputs: Array, targets: Array) -> Array:
        losses = self.losses(torch.from_numpy(np.asarray(outputs)), torch.from_numpy(np.asarray(targets)))
        return -losses.numpy().astype(np.float64)

    def shown_score(self, credit: float) -> float:
        return float(np.exp(min(-credit, 700.0)))


@final
class Regression(Goal):
    """Numbers: the mean squared error; R², the mean over columns."""

    name, metrics, shown, standardised = "regression", ("val_r2", "val_rmse"), "r2", True
    credit = "R²"

    def losses(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        squares = functional.mse_loss(outputs.reshape(targets.shape), targets, reduction="none")
        return squares.reshape(len(targets), -1).mean(1)

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
        if weights is not None:
            return super().loss(outputs, targets, smoothing, weights)
        return functional.mse_loss(outputs.reshape(targets.shape), targets)

    def scores(
        self, outputs: Tensor, targets: Tensor, center: Tensor | float = 0.0, scale: Tensor | float = 1.0
    ) -> dict[str, float]:
        """Of a constant column R² is 0 (or 1 where every answer is exact), as in scikit-learn."""
        loss = self.loss(outputs, (targets - center) / scale)
        outputs = outputs.reshape(targets.shape) * scale + center
        errors = ((outputs - targets) ** 2).reshape(len(targets), -1).sum(0)
        spread = ((targets - targets.mean(0)) ** 2).reshape(len(targets), -1).sum(0)
        exact = (errors == 0).to(errors.dtype)
        r2 = torch.where(spread > 0, 1 - errors / torch.where(spread > 0, spread, 1.0), exact)
        rmse = (errors.sum() / targets.numel()).sqrt()
        return {"val_r2": float(r2.mean()), "val_rmse": float(rmse), "val_loss": float(loss)}

    def credits(self, outputs: Array, targets: Array) -> Array:
        """An example's part of the squared error in R²: the mean over the examples is R² itself."""
        truth = np.asarray(targets, dtype=np.float64).reshape(len(targets), -1)
        errors = ((np.asarray(outputs, dtype=np.float64).reshape(truth.shape) - truth) ** 2).mean(1)
        return np.asarray(1.0 - errors / max(float(truth.var(0).mean()), 1e-12))


@final
class Forecast(Goal):
    """Numbers to come: the mean absolute error, in units of the seasonal naive forecast's."""

    name, metrics, shown, ordered, overlapping = "forecast", ("val_mase",), "mase", True, True
    credit = "scaled error less"
    way = "minimize"

    def losses(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        return (outputs.reshape(targets.shape) - targets).abs().mean(1)

    def scores(
        self, outputs: Tensor, targets: Tensor, center: Tensor | float = 0.0, scale: Tensor | float = 1.0
    ) -> dict[str, float]:
        loss = float(self.loss(outputs, targets))
        return {"val_mase": loss, "val_loss": loss}

    def credits(self, outputs: Array, targets: Array) -> Array:
        truth = np.asarray(targets, dtype=np.float64)
        return np.asarray(-np.abs(np.asarray(outputs, dtype=np.float64).reshape(truth.shape) - truth).mean(1))

    def worth(self, credit: float) -> float:
        """Less the logarithm of the error: a time at which all forecasts are far off does not decide alone."""
        return -math.log(max(-credit, 1e-9))

    def shown_score(self, credit: float) -> float:
        return -credit


@final
class Several(Goal):
    """Several things at once: ``heads`` has the number of classes of each, 1 for a number.

    Outputs are the heads' one beside the other; a target has a column for each, the code of a class or a standardised
    number. The loss is the sum of the heads' losses; the score the mean of their accuracies and R².
    """

    name, metrics, shown = "several", ("val_score",), "mean of accuracies and R²"
    credit = "mean of accuracies and R²"

    def __init__(self, heads: tuple[int, ...]) -> None:
        if not heads or min(heads) < 1:
            raise InputError(f"heads have at least one output each, found {heads}")
        self.heads = heads
        self.least = -math.inf if 1 in heads else 0.0

    def losses(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        parts = zip(torch.split(outputs, list(self.heads), 1), targets.unbind(1), self.heads, strict=True)
        losses = [
            functional.cross_entropy(out, wanted.long(), label_smoothing=smoothing, reduction="none")
            if size > 1
            else (out.squeeze(1) - wanted) ** 2
            for out, wanted, size in parts
        ]
        return torch.stack(losses).sum(0)

    def scores(
        self, outputs: Tensor, targets: Tensor, center: Tensor | float = 0.0, scale: Tensor | float = 1.0
    ) -> dict[str, float]:
        credits = self.credits(outputs.cpu().numpy(), targets.cpu().numpy())
        return {"val_score": float(credits.mean()), "val_loss": float(self.loss(outputs, targets))}

    def credits(self, outputs: Array, targets: Array) -> Array:
        return np.asarray(np.mean(self.by_head(outputs, targets), axis=0), dtype=np.float64)

    def by_head(self, outputs: Array, targets: Array) -> list[Array]:
        """The credits of each head, (N,)."""
        ends = np.cumsum(self.heads)
        parts = np.split(np.asarray(outputs), ends[:-1], axis=1)
        return [
            _CLASSES.credits(part, targets[:, place]) if size > 1 else _NUMBERS.credits(part[:, 0], targets[:, place])
            for place, (part, size) in enumerate(zip(parts, self.heads, strict=True))
        ]


_CLASSES, _NUMBERS = Classification(), Regression()

GOALS: Mapping[str, Goal] = {
    goal.name: goal for goal in (Classification(), Labels(), Tokens(), Regression(), Forecast())
}
"""Every goal by its name."""


def read_goal(name: str) -> Goal:
    """The goal of this name, such as ``"several(10,1)"``; InputError where there is none."""
    if name in GOALS:
        return GOALS[name]
    found = re.fullmatch(r"several\((\d+(?:,\d+)*)\)", name)
    if found is None:
        raise InputError(f"no goal is called '{name}'", hint=f"Goals are {', '.join(GOALS)} and several(10,1)")
    return Several(tuple(map(int, found[1].split(","))))
