"""How a network is trained, as a value."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netwright.errors import InputError, nearest
from netwright.space.decisions import RECIPE

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("one_cycle", "cosine", "constant")
AUGMENTATIONS = ("crop", "flip", "cutout", "affine")
PRECISIONS = ("float32", "auto")


@dataclass(frozen=True)
class Recipe:
    """Everything about training that is not the network or the data; the constructor refuses what makes no sense.

    ``lr`` is the largest learning rate of the schedule. ``momentum`` is Nesterov's, of SGD alone. ``weight_decay``
    spares biases and norms (all tensors of fewer than two dimensions). ``label_smoothing`` is ignored for regression.
    ``augment`` is for images: ``"crop"`` shifts by up to ``padding`` pixels, ``"flip"`` mirrors left and right,
    ``"cutout"`` blanks a square of ``cutout`` times the shorter side, ``"affine"`` turns, scales, shears and shifts
    with the strength ``affine``. ``patience`` is the number of epochs without a better validation score after which
    training stops, and then the best epoch's weights are kept. ``precision`` ``"auto"`` is mixed precision on CUDA and
    single precision elsewhere. ``clip`` is the largest norm of the gradient.

    Of networks of cells alone: ``drop_path`` is the probability with which a path of the last cell is dropped at the
    end of training, less before and in earlier cells (ScheduledDropPath); ``auxiliary`` is the weight of the loss of a
    second head at two thirds of the depth (Zoph et al. 2018 weigh it 0.4). Neither is a part of the network: see
    :mod:`netwright.training.cells`.
    """

    epochs: int = 20
    batch_size: int = 128
    optimizer: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "one_cycle"
    label_smoothing: float = 0.0
    augment: tuple[str, ...] = ()
    padding: int = 2
    cutout: float = 0.25
    affine: float = 1.0
    patience: int | None = None
    precision: str = "auto"
    clip: float | None = None
    drop_path: float = 0.0
    auxiliary: float = 0.0

    def __post_init__(self) -> None:
        augment: Any = self.augment
        if isinstance(augment, list):
            object.__setattr__(self, "augment", tuple(augment))
        problems = [problem for problem in self._problems() if problem]
        if problems:
            raise InputError("; ".join(problems))

    def replace(self, **changes: Any) -> Recipe:
        """A copy with some fields changed; an unknown field is an error that names the closest known one."""
        for name in changes:
            if name not in FIELDS:
                raise InputError(f"a recipe has no field '{name}'", hint=f"{nearest(name, FIELDS)}".capitalize())
        return dataclasses.replace(self, **changes)

    def override(self, architecture: Mapping[str, Any]) -> Recipe:
        """The recipe with the answers to the decisions named ``recipe.<field>`` in place of its own fields."""
        changes = {name[len(RECIPE) :]: answer for name, answer in architecture.items() if name.startswith(RECIPE)}
        return self.replace(**changes) if changes else self

    def to_value(self) -> dict[str, Any]:
        """The fields as JSON can hold them; ``Recipe(**value)`` reads them back."""
        value = dataclasses.asdict(self)
        return {**value, "augment": list(self.augment)}

    @classmethod
    def images(cls, *, flip: bool = True, padding: int = 1, **changes: Any) -> Recipe:
        """For pictures: one-cycle SGD with random crops, and mirrored where a mirrored picture keeps its meaning.

        Digits and letters do not: ``flip=False``. ``padding=0`` leaves the crops out.
        """
        augment = (("crop",) if padding else ()) + (("flip",) if flip else ())
        fields: dict[str, Any] = {"lr": 0.1, "label_smoothing": 0.05, "augment": augment, "padding": padding}
        return cls().replace(**{**fields, **changes})

    @classmethod
    def tables(cls, **changes: Any) -> Recipe:
        """For rows of features and classes: one-cycle AdamW."""
        fields: dict[str, Any] = {"optimizer": "adamw", "lr": 3e-3, "weight_decay": 1e-2, "epochs": 40, "clip": 1.0}
        return cls().replace(**{**fields, **changes})

    @classmethod
    def regression(cls, **changes: Any) -> Recipe:
        """For rows of features and numbers: one-cycle AdamW on the standardised target."""
        return cls.tables(**{"epochs": 60, **changes})

    def _problems(self) -> list[str | None]:
        return [
            _integer("epochs", self.epochs, 1),
            _integer("batch_size", self.batch_size, 1),
            _one_of("optimizer", self.optimizer, OPTIMIZERS),
            _number("lr", self.lr, 0.0, math.inf, open_low=True),
            _number("momentum", self.momentum, 0.0, 1.0),
            _number("weight_decay", self.weight_decay, 0.0, math.inf),
            _one_of("schedule", self.schedule, SCHEDULES),
            _number("label_smoothing", self.label_smoothing, 0.0, 1.0),
            _augment(self.augment),
            _integer("padding", self.padding, 0),
            _number("cutout", self.cutout, 0.0, 1.0, open_low=True),
            _number("affine", self.affine, 0.0, 10.0, open_low=True),
            None if self.patience is None else _integer("patience", self.patience, 1),
            _one_of("precision", self.precision, PRECISIONS),
            None if self.clip is None else _number("clip", self.clip, 0.0, math.inf, open_low=True),
            _number("drop_path", self.drop_path, 0.0, 1.0),
            _number("auxiliary", self.auxiliary, 0.0, math.inf),
        ]


FIELDS = tuple(field.name for field in dataclasses.fields(Recipe))


def _integer(name: str, value: Any, low: int) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and value >= low:
        return None
    return f"recipe.{name} is a whole number of at least {low}, found {value!r}"


def _number(name: str, value: Any, low: float, high: float, *, open_low: bool = False) -> str | None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if number and (low < value if open_low else low <= value) and (value < high):
        return None
    least = f"more than {low:g}" if open_low else f"at least {low:g}"
    most = "" if math.isinf(high) else f" and less than {high:g}"
    return f"recipe.{name} is a number of {least}{most}, found {value!r}"


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> str | None:
    if isinstance(value, str) and value in known:
        return None
    return f"recipe.{name} is one of {', '.join(known)}, found {value!r}"


def _augment(value: Any) -> str | None:
    if not isinstance(value, tuple):
        return f"recipe.augment is a tuple of {', '.join(AUGMENTATIONS)}, found {value!r}"
    for name in value:
        if problem := _one_of("augment", name, AUGMENTATIONS):
            return problem
    return None
