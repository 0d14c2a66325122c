"""OneShot: the loop around a one-shot method, from data to the architectures that it prefers."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from netwright.architecture import Architecture
from netwright.arguments import as_whole
from netwright.errors import InputError
from netwright.progress import Progress, Watch
from netwright.space import SearchSpace
from netwright.space.describing import difference
from netwright.space.traceless import generators_kept, seed_generators
from netwright.strategies.oneshot import checkpoints
from netwright.strategies.oneshot.making import described, fresh, make
from netwright.strategies.oneshot.method import Batch, Course, Hardware, MakeOptimizer, Method, Schedule
from netwright.strategies.oneshot.rewards import best_by, reward
from netwright.supernet.health import Health
from netwright.supernet.supernet import Supernet
from netwright.training.augmentation import augment
from netwright.training.data import Data
from netwright.training.devices import device_here
from netwright.training.goals import read_goal
from netwright.training.recipes import Recipe
from netwright.training.splits import Split, split

PRECISIONS = ("float32", "bfloat16", "auto")
STEPS_AN_EPOCH = 12
"""The published batches are for large data sets; there are at least so many steps an epoch, with a smaller batch."""
SMALLEST_BATCH = 16
PAUSE = 60.0
"""Seconds between two checkpoints within an epoch."""
FARTHEST = 30.0
"""Where steps are fewer than the published, the numbers' learning rate grows in proportion, at most so many times."""
DRAWN = 500
"""Architectures that are scored by a supernet's weights where its numbers collapsed."""
FILE = "supernet.safetensors"


@final
class OneShot:
    """Trains a supernet of ``space`` on ``data`` by ``method``, and ranks architectures.

    Parameters
    ----------
    space, method:
        A :class:`~netwright.space.SearchSpace`, and a method or its name (``"darts"``, ``"spos(lr=0.2)"``).
    data, split:
        What it learns from: the training part of the split. Methods whose numbers learn from data of their own take
        half of it for that, as published. Without a split the usual one is made with ``seed``.
    epochs, batch_size:
        The method's by default. A batch that would leave fewer than twelve steps an epoch is made smaller, and the
        learning rate of the weights with it, in proportion (Goyal et al. 2017). Where there are fewer steps than in
        the method's paper, the numbers of the architecture learn faster in proportion, at most thirty times.
    recipe:
        Of it augmentation and label smoothing are taken; by default there is neither.
    optimizer, numbers_optimizer, schedule:
        In place of the method's own: functions of a list of parameters, and of the part of the course that is over (0
        to 1) to a factor of the learning rate.
    precision:
        ``"float32"``, ``"bfloat16"``, or ``"auto"``: bfloat16 where a CUDA device has it.
    hardware:
        What networks cost where they will run, for the loss: a
        :class:`~netwright.strategies.oneshot.hardware.Costs`, or a function that makes one for the supernet.
    alarm:
        Whether a collapse into skip connections ends the training early (:mod:`netwright.supernet.health`).
    supernet:
        One that is made already, of this space and seed; it is trained in place.
    folder:
        Where checkpoints go, at each epoch's end and each minute; a folder that has one is gone on with, exactly.

    The global generator is left as it was, and the same seed gives the same search for the same number of threads.
    """

    def __init__(
        self,
        space: SearchSpace,
        method: Method | str,
        data: Data,
        *,
        split: Split | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        recipe: Recipe | None = None,
        optimizer: MakeOptimizer | None = None,
        numbers_optimizer: MakeOptimizer | None = None,
        schedule: Schedule | None = None,
        precision: str = "float32",
        hardware: Hardware | Callable[[Supernet], Hardware] | None = None,
        alarm: bool = True,
        seed: int = 0,
        device: str = "cpu",
        folder: str | Path | None = None,
        supernet: Supernet | None = None,
    ) -> None:
        if not isinstance(space, SearchSpace):
            raise InputError(
                f"OneShot needs a SearchSpace, found {type(space).__name__}",
                hint="Wrap the network: nw.SearchSpace(Net, input_shape=(1, 8, 8), classes=10)",
            )
        if precision not in PRECISIONS:
            raise InputError(f"OneShot: precision is one of {', '.join(PRECISIONS)}, found {precision!r}")
        self.space, self.data = space, data
        self.method = make(method) if isinstance(method, str) else method
        if not isinstance(self.method, Method):
            raise InputError(
                f"a one-shot method is an object or a name, found {method!r}", hint="Make one: nw.oneshot.DARTS()"
            )
        self.split = split if split is not None else _usual_split(data, seed)
        if len(self.split) != len(data):
            raise InputError(f"OneShot: the split is of {len(self.split)} examples, the data have {len(data)}")
        self.seed, self.device = as_whole("seed", seed, 0), device_here(device)
        self.recipe = recipe if recipe is not None else Recipe(augment=())
        self.folder = None if folder is None else Path(folder)
        self.alarm = alarm
        self.epochs = as_whole("epochs", self.method.epochs if epochs is None else epochs, 1)
        self._own_batch = None if batch_size is None else as_whole("batch_size", batch_size, 1)
        self._options: dict[str, Any] = {
            "optimizer": optimizer,
            "numbers_optimizer": numbers_optimizer,
            "schedule": schedule,
            "precision": _precision(precision, self.device),
        }
        self._make_hardware: Any = hardware if not hasattr(hardware, "penalized") else None
        self.hardware: Any = hardware if hasattr(hardware, "penalized") else None
        self._description = described(self.method)
        self._given = supernet
        self._supernet: Supernet | None = None
        self._sum = torch.zeros(())
        self.steps = 0
        """Steps that were taken."""
        self.losses: list[float] = []
        """The mean loss of each epoch on training data."""
        self.health = Health()
        self.stopped: str | None = None
        """Why the training ended before its last epoch; None where it did not."""
        self.seconds = 0.0

    # What it works with

    @property
    def supernet(self) -> Supernet:
        """The supernet; made, and the method started, when it is first asked for."""
        if self._supernet is None:
            self._begin()
        assert self._supernet is not None
        return self._supernet

    @property
    def batch_size(self) -> int:
        """Examples a step."""
        if self._own_batch is not None:
            return min(self._own_batch, self._train_size)
        batch, most = self.method.batch_size, max(SMALLEST_BATCH, self._train_size // STEPS_AN_EPOCH)
        while batch > most and batch > SMALLEST_BATCH:
            batch //= 2
        return min(batch, self._train_size)

    @property
    def steps_an_epoch(self) -> int:
        """Batches of an epoch; what is left over waits for the next one, in which the order is another."""
        return max(1, self._train_size // self.batch_size)

    @property
    def all_steps(self) -> int:
        """Steps in all."""
        return self.epochs * self.steps_an_epoch

    @cached_property
    def center(self) -> Any:
        """The mean of the targets where they are standardised, as in regression, else 0."""
        return self._targets.mean(0) if read_goal(self.data.task).standardised else 0.0

    @cached_property
    def scale(self) -> Any:
        """Their deviation, 1 where they are not standardised."""
        if not read_goal(self.data.task).standardised:
            return 1.0
        deviation = self._targets.std(0)
        return np.where(deviation > 0, deviation, 1.0)

    @property
    def _targets(self) -> Any:
        return np.asarray(self.data.y[self.split.train], dtype=np.float64)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        return self.stopped is not None or self.steps >= self.all_steps

    @property
    def _train_size(self) -> int:
        count = len(self.split.train)
        return count // 2 if self.method.halves else count

    # What it does

    def fit(
        self, *, stop: Callable[[], bool] | None = None, watch: Watch | None = None, seconds: float | None = None
    ) -> OneShot:
        """Trains to the end and returns itself; called again, or with a folder of before, it goes on.

        ``stop`` is asked after each step, and ``seconds`` bounds this call; both leave a checkpoint. Raises
        FloatingPointError, with the epoch, when the loss is no longer finite: the checkpoint stays that of before.
        """
        supernet, began, before = self.supernet, time.monotonic(), self.seconds
        supernet.train()
        saved = began
        parts = self._parts()
        batches: Iterator[tuple[Batch, Batch | None]] | None = None
        device = torch.device(self.device)
        with generators_kept(device):
            while not self.finished:
                epoch, place = divmod(self.steps, self.steps_an_epoch)
                if batches is None or place == 0:
                    batches = self._batches(parts, epoch, place)
                if place == 0:
                    self._sum = torch.zeros(())
                # Dropout and augmentation follow the step alone, wherever the training was begun.
                seed_generators(_mixed(self.seed, self.steps), device)
                self._sum = self._sum + self.method.step(self.steps, *next(batches)).cpu()
                self.steps += 1
                now = time.monotonic()
                self.seconds = before + now - began
                over = self.steps % self.steps_an_epoch == 0
                if over:
                    self._end_epoch(float(self._sum) / self.steps_an_epoch)
                enough = (stop is not None and stop()) or (seconds is not None and now - began >= seconds)
                if over or enough or now - saved >= PAUSE:
                    _finite(float(self._sum), epoch)
                    self._save()
                    saved = now
                if over:
                    self._tell(watch)
                if enough:
                    break
        return self

    def end(self, reason: str) -> None:
        """Ends the training where it is; what is done stays the answer."""
        self.stopped = reason
        self._save()

    def ranked(
        self, count: int = 1, space: SearchSpace | None = None, *, stop: Callable[[], bool] | None = None
    ) -> list[Architecture]:
        """The ``count`` architectures that the method prefers, the best first; trains first where that was not done.

        ``space`` may be a part of the supernet's. Where a collapse ended the training nothing is known of the numbers
        that could be trusted: then :data:`DRAWN` architectures are drawn uniformly and ordered by the supernet's
        weights, on the data that the numbers learnt from. ``stop`` is asked before each architecture that is scored for
        this: once ``count`` are scored it may end that. InputError for a method that leaves the choice to a search on
        the supernet.
        """
        count = as_whole("count", count, 1)
        if not self.finished:
            self.fit()
        found = self.method.ranked(count, space, stop)
        if found is not None and self.health.taken_back and not self.supernet.narrowed:
            found = self._ranked_by_weights(count, self.space if space is None else space, stop)
        if found is None:
            name = type(self.method).__name__
            raise InputError(
                f"{name} trains weights and ranks nothing itself",
                hint="Search its supernet: nw.Study(space, nw.strategies.Evolution(), "
                "nw.evaluators.SharedWeights(one_shot.supernet, data, split=one_shot.split), maximize='val_accuracy')",
            )
        return found

    def _ranked_by_weights(self, count: int, space: SearchSpace, stop: Callable[[], bool] | None) -> list[Architecture]:
        rng = np.random.default_rng([self.seed, 17])
        drawn = {space.key(each): each for each in (space.sample(rng) for _ in range(max(DRAWN, count)))}
        X, y = self._parts()[-1]
        size = max(SMALLEST_BATCH, self.method.batch_size)
        batches = list(zip(torch.split(X, size), torch.split(y, size), strict=True))
        # What networks cost is left to the limits: a price that was all that counted would choose the collapse again.
        supernet, course = self.supernet, dataclasses.replace(self._course(), hardware=None)
        return best_by(lambda each: reward(supernet, each, course, batches), drawn.values(), count, stop)

    def seconds_a_step(self, count: int = 3) -> float:
        """About how long a step takes on average, from a few steps of a twin of its own; nothing here changes.

        They are taken in ``count`` equal parts of the course: in some methods only weights learn at first, or one small
        network a step, and later steps take three times as long.
        """
        twin = OneShot(
            self.space, fresh(self.method), self.data, split=self.split, epochs=self.epochs,
            batch_size=self._own_batch, recipe=self.recipe, seed=self.seed, device=self.device,
            supernet=copy.deepcopy(self._given),
        )  # fmt: skip
        twin._options = self._options
        twin.supernet.train()
        parts, period, seconds = twin._parts(), twin.method.period, 0.0
        with generators_kept(torch.device(self.device)):
            for place in range(count):
                first = (2 * place + 1) * self.epochs // (2 * count) * self.steps_an_epoch
                # What a part of the course begins with is done once, and is not what a step takes.
                for after in range(period + 1):
                    began = time.perf_counter()
                    number = min(first + after, self.all_steps - 1)
                    twin.method.step(number, *next(twin._batches(parts, number, 0)))
                    seconds += time.perf_counter() - began if after else 0.0
        return seconds / (count * period)

    # Below: helpers in the order of use

    def _begin(self) -> None:
        held = None if self.folder is None or not (self.folder / FILE).exists() else checkpoints.read(self._file)
        if held is not None:
            self._same(held[0])
        made = Supernet(self.space.unrestricted, seed=self.seed) if self._given is None else self._given
        supernet = made.to(self.device)
        if self._make_hardware is not None:
            self.hardware = self._make_hardware(supernet)
        if self.method.arranged:
            first = np.array(self.data.X[self.split.train[:2]], dtype=np.float32)
            supernet.arrange(torch.from_numpy(first).to(self.device))
        self.method.start(supernet, self._course())
        if held is not None:
            about, tensors = held
            checkpoints.put_back(about, tensors, supernet, self.method)
            self.steps, self.losses = about["steps"], list(about["losses"])
            self._sum = torch.tensor(about["running"])
            self.stopped, self.seconds = about["stopped"], about["seconds"]
            self.health = Health.from_value(about["health"])
            if self.hardware is not None and about["hardware"] is not None:
                self.hardware.recall(about["hardware"])
        self._supernet = supernet

    @property
    def _file(self) -> Path:
        assert self.folder is not None
        return self.folder / FILE

    def _identity(self) -> dict[str, Any]:
        """What a checkpoint must have in common with the search that goes on from it."""
        return {
            "space": self.space.unrestricted.signature,
            "method": self._description,
            "data": self.data.fingerprint,
            "examples": hashlib.sha256(np.ascontiguousarray(self.split.train).tobytes()).hexdigest()[:16],
            "recipe": self.recipe.to_value(),
            "precision": str(self._options["precision"]),
            "own optimisers": [name for name in ("optimizer", "numbers_optimizer", "schedule") if self._options[name]],
            "costs": self._make_hardware is not None or self.hardware is not None,
            "seed": self.seed,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
        }

    def _shown(self) -> dict[str, Any]:
        """What a checkpoint says of its space to people, where it is given to another one."""
        space = self.space.unrestricted
        rows = [{key: row[key] for key in ("name", "values", "asked")} for row in space.describe()]
        return {"network": space.name, "decisions": rows}

    def _same(self, about: dict[str, Any]) -> None:
        mine = self._identity()
        other = [key for key, value in mine.items() if about.get(key) != value]
        if not other:
            return
        told = {key: _difference(key, about.get(key), mine[key]) for key in other}
        if "space" in told and "decisions" in about:
            here = self._shown()
            names = f"{about['network']}, now {here['network']}" if about["network"] != here["network"] else ""
            # Where all that people are shown is the same there are still the hashes.
            said = [each for each in (names, difference(about["decisions"], here["decisions"])) if each]
            told["space"] = "; ".join(said) or told["space"]
        kinds = " and another ".join(key.replace("_", " ") for key in other)
        raise InputError(
            f"the checkpoint in {self.folder} is of another {kinds} ({', '.join(told.values())})",
            hint="Give the same or another folder; to train it anew in a study that goes on, remove this one",
        )

    def _course(self) -> Course:
        judged, smoothing = read_goal(self.data.task), self.recipe.label_smoothing
        usual = self.method.batch_size if self._own_batch is None else self.batch_size
        scale = min(1.0, self.batch_size / usual) if self._options["optimizer"] is None else 1.0

        def loss(outputs: Tensor, targets: Tensor) -> Tensor:
            return judged.loss(outputs, targets, smoothing)

        farther = min(FARTHEST, max(1.0, self.method.published_steps / self.all_steps))
        return Course(
            self.all_steps,
            self.epochs,
            loss,
            self.seed,
            scale=scale,
            numbers_scale=farther,
            hardware=self.hardware,
            **self._options,
        )

    def _parts(self) -> list[tuple[Tensor, Tensor]]:
        """The examples on the device: those that weights learn from, and those of the numbers, if they have their own.

        Which are which follows the seed.
        """
        places = np.random.default_rng([self.seed, 7]).permutation(self.split.train)
        half = self._train_size
        parts = (places[:half], places[half : 2 * half]) if self.method.halves else (places,)
        made = []
        for part in parts:
            y = np.array(self.data.y[np.sort(part)])
            if read_goal(self.data.task).standardised:
                y = ((y - self.center) / self.scale).astype(np.float32)
            X = torch.from_numpy(np.array(self.data.X[np.sort(part)], dtype=np.float32))
            made.append((X.to(self.device), torch.from_numpy(y).to(self.device)))
        return made

    def _batches(
        self, parts: Sequence[tuple[Tensor, Tensor]], epoch: int, place: int
    ) -> Iterator[tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor] | None]]:
        """The batches of an epoch from step ``place`` of it; their order follows the seed and the epoch."""
        orders = []
        for number, (X, _) in enumerate(parts):
            generator = torch.Generator().manual_seed(_mixed(self.seed, epoch, 11 + number))
            orders.append(torch.randperm(len(X), generator=generator).to(X.device))
        for step in range(place, self.steps_an_epoch):
            chosen = []
            for (X, y), order in zip(parts, orders, strict=True):
                rows = order[step * self.batch_size : (step + 1) * self.batch_size]
                x = X[rows]
                if self.recipe.augment and x.dim() == 4:
                    noise = torch.Generator(x.device).manual_seed(_mixed(self.seed, epoch, step, 13))
                    x = augment(x, self.recipe, noise)
                chosen.append((x, y[rows]))
            yield chosen[0], chosen[1] if len(chosen) > 1 else None

    def _end_epoch(self, loss: float) -> None:
        epoch = len(self.losses)
        _finite(loss, epoch)
        self.losses.append(loss)
        alarmed = self.health.note_epoch(epoch, self.supernet, self.method.relaxation)
        if alarmed is not None and self.alarm and self.steps < self.all_steps:
            self.stopped = alarmed
            self.health.take_back(self.method.relaxation)

    def _save(self) -> None:
        if self.folder is None:
            return
        about = {
            **self._identity(),
            **self._shown(),
            "steps": self.steps,
            "losses": self.losses,
            "running": float(self._sum),
            "stopped": self.stopped,
            "seconds": round(self.seconds, 3),
            "health": self.health.to_value(),
            "hardware": None if self.hardware is None else self.hardware.said(),
        }
        checkpoints.save(self._file, self.supernet, self.method, about)

    def _tell(self, watch: Watch | None) -> None:
        if watch is None:
            return
        part = self.steps / self.all_steps
        watch(
            Progress(
                phase="supernet",
                metric="loss",
                elapsed=self.seconds,
                remaining=self.seconds * (1 - part) / part,
                fraction=part,
                message=f"epoch {len(self.losses)} of {self.epochs} · loss {self.losses[-1]:.4g}{self.health.line}",
            )
        )


def _difference(key: str, before: Any, now: Any) -> str:
    """What is other, as short as it can be said."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = [name for name in now if before.get(name) != now[name]]
        return ", ".join(_difference(name, before.get(name), now[name]) for name in names)
    return f"{key.replace('_', ' ')} {before!s:.24}, now {now!s:.24}"


def _usual_split(data: Data, seed: int) -> Split:
    return split(data.y, seed, stratify=data.classes is not None)


def _precision(name: str, device: str) -> torch.dtype | None:
    if name == "auto":
        return torch.bfloat16 if device.startswith("cuda") and torch.cuda.is_bf16_supported() else None
    return torch.bfloat16 if name == "bfloat16" else None


def _finite(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss of the supernet is {loss} in epoch {epoch + 1}: lower the learning rate of the weights"
        )


def _mixed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) >> 1
