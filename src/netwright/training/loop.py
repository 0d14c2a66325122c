"""The training loop: data whole in memory, batches by indexing, everything on the device.

One step is what a loop written by hand would be; nothing is read back from the device before an epoch's end.
"""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.errors import InputError
from netwright.space.traceless import evaluating, generators_kept
from netwright.training.augmentation import augment
from netwright.training.cells import Auxiliary, ScheduledDropPath
from netwright.training.data import Data
from netwright.training.distillation import Teacher
from netwright.training.goals import Goal, read_goal
from netwright.training.recipes import Recipe
from netwright.training.scorers import score_by
from netwright.trial import Report

Reporter = Callable[[int, Mapping[str, float]], None]
Array = np.ndarray[Any, Any]
Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]

EVALUATION_BATCH = 256
ONCE_SECONDS = 0.5
"""Up to so much of the first epoch is what comes once in a process, and says nothing of the next one."""
EVEN = 16
"""The number of rows of features in a batch of an evaluation is a multiple of this."""


@dataclass(frozen=True)
class Fitted:
    """What training gave. The network that was handed in holds the weights, in evaluation mode.

    ``batch_size`` is the largest number of examples that went through the network at once: the recipe's, or less
    after ``halvings`` for want of memory. ``curve`` has a report an epoch. A network for regression answers in
    standardised units: ``outputs * scale + center`` is the target's own (1 and 0 for classification).
    """

    metrics: Mapping[str, float]
    curve: tuple[Report, ...]
    epochs: int
    batch_size: int
    seconds: float
    halvings: int = 0
    center: Array = field(default_factory=lambda: np.zeros(1, np.float32), repr=False)
    scale: Array = field(default_factory=lambda: np.ones(1, np.float32), repr=False)


def fit(
    network: nn.Module,
    X: Array | Tensor,
    y: Array | Tensor,
    recipe: Recipe,
    *,
    X_validation: Array | Tensor | None = None,
    y_validation: Array | Tensor | None = None,
    epochs: int | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
    report: Reporter | None = None,
    task: str | None = None,
    teacher: Teacher | None = None,
    weights: Array | Tensor | None = None,
    scorers: tuple[str, ...] = (),
    seconds: float | None = None,
) -> Fitted:
    """Trains ``network`` in place on all of ``X`` (N, …) and ``y``, which are as ``task`` has them.

    The batches, the augmentation and dropout follow ``seed`` alone, whatever ran before in this process, and the
    global generator is left as it was; on the CPU the same seed gives the same weights for the same number of
    threads. ``epochs`` replaces the recipe's. ``task`` is a goal of :mod:`netwright.training.goals`; where it is
    not given, whole numbers in ``y`` are classes and others numbers to predict. ``report`` is called
    after each epoch, counted from 1; what it raises ends the training. With a ``teacher`` its answers are a part of the
    loss. ``weights`` (N,) say how much an example counts in it; their mean is taken for 1. ``scorers`` are names of
    :mod:`netwright.training.scorers` that are reported of the validation data, too.

    Where it would take longer than ``seconds``, it trains for as many epochs as fit, at least one: whenever an epoch
    has ended, those that are left are counted anew, and the learning rate goes the rest of its way in as many. Then
    what comes out depends on the clock; ``Fitted.epochs`` says how many they were.

    A batch for which memory is missing is tried again in micro-batches of half the size, and so is all that follows;
    their gradients are added with their right weights, so the effective batch stays the same. Only BatchNorm sees a
    difference: it normalises by each micro-batch, and the running statistics also keep what a failed try put in.

    A last batch of a single example is left out of its epoch (BatchNorm could not normalise it).
    Raises FloatingPointError, naming the epoch, when the loss is no longer finite.
    """
    device = torch.device(device)
    epochs = recipe.epochs if epochs is None else epochs
    if epochs < 1:
        raise InputError(f"training takes at least 1 epoch, found {epochs}")
    began = time.perf_counter()
    inputs, targets = _tensor(X, device), _targets(y, device)
    if recipe.augment and inputs.dim() != 4:
        raise InputError(
            f"recipe.augment={recipe.augment} changes images (N, C, H, W), found inputs of shape {tuple(inputs.shape)}",
            hint="Leave augment empty for data that are not images",
        )
    if len(inputs) != len(targets) or len(inputs) == 0:
        raise InputError(f"training needs as many targets as inputs and at least one, found {len(inputs)} inputs "
                         f"and {len(targets)} targets")  # fmt: skip
    task = task or ("regression" if targets.is_floating_point() else "classification")
    judge = _judge(read_goal(task), recipe, targets, scorers)
    targets = judge.prepare(targets)
    counts = None if weights is None else _weights(weights, len(inputs), device)
    validation: tuple[Tensor, Tensor] | None = None
    if X_validation is not None and y_validation is not None:
        validation = _tensor(X_validation, device), _targets(y_validation, device)
    network.to(device)
    with generators_kept(device, seed=seed):
        layout = _layout(network, inputs)
        _arrange(network, layout)
        steps = epochs * _steps(len(inputs), recipe.batch_size)
        with contextlib.ExitStack() as stack:
            paths = None
            if recipe.drop_path:
                paths = stack.enter_context(ScheduledDropPath(network, recipe.drop_path).active())
            second = _second_head(network, recipe, inputs)
            if second is not None:
                stack.enter_context(second.active())
            trainer = _Trainer(network, recipe, judge.loss, layout, device, steps, teacher, paths, second)
            ends = None if seconds is None else began + seconds
            curve, best = _epochs(trainer, inputs, targets, counts, judge, validation, epochs, seed, report, ends)
    if best is not None:
        network.load_state_dict(best.state)
    _arrange(network, torch.contiguous_format)
    network.eval()
    kept = curve[best.step - 1] if best is not None else curve[-1]
    return Fitted(
        metrics=dict(kept.metrics),
        curve=tuple(curve),
        epochs=len(curve),
        batch_size=min(trainer.micro, len(inputs)),
        seconds=time.perf_counter() - began,
        halvings=trainer.halvings,
        center=judge.center.reshape(-1).cpu().numpy(),
        scale=judge.scale.reshape(-1).cpu().numpy(),
    )


def predict(
    network: nn.Module,
    X: Array | Tensor,
    *,
    batch_size: int = EVALUATION_BATCH,
    device: str | torch.device = "cpu",
) -> Array:
    """The network's own outputs (logits, or standardised numbers) for all of ``X``, float32, in evaluation mode.

    Whether the network was training is as it was afterwards.
    """
    device = torch.device(device)
    inputs = _tensor(X, device)
    if any(tensor.device != device for tensor in (*network.parameters(), *network.buffers())):
        network.to(device)
    layout = _layout(network, inputs)
    with evaluating(network), torch.inference_mode():
        outputs = _outputs(network, inputs, batch_size, layout)
    array: Array = outputs.float().cpu().numpy()
    return array


def train_network(
    network: nn.Module,
    data: Data,
    indices: Array,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: str = "cpu",
    epochs: int | None = None,
    report: Reporter | None = None,
    teacher: Teacher | None = None,
    seconds: float | None = None,
) -> Fitted:
    """Trains ``network`` on the examples ``indices`` of ``data`` without validation: for finalists and baselines."""
    X, y = np.asarray(data.X[indices]), np.asarray(data.y[indices])
    weights = None if data.weights is None else np.asarray(data.weights[indices])
    return fit(
        network, X, y, recipe, epochs=epochs, seed=seed, device=device, report=report, task=data.task, teacher=teacher,
        weights=weights, seconds=seconds,
    )  # fmt: skip


def credits(
    network: nn.Module,
    X: Array | Tensor,
    y: Array | Tensor,
    *,
    task: str | None = None,
    fitted: Fitted | None = None,
    device: str = "cpu",
) -> Array:
    """What each example counts for, (N,) float64, more is better: see :meth:`netwright.training.goals.Goal.credits`.

    ``task`` is read off ``y`` as :func:`fit` does. ``fitted`` gives the targets' own unit back.
    """
    outputs = predict(network, X, device=device)
    truth = np.asarray(y)
    judged = read_goal(task or ("classification" if np.issubdtype(truth.dtype, np.integer) else "regression"))
    if fitted is not None and judged.standardised:
        outputs = outputs.astype(np.float64).reshape(truth.shape) * fitted.scale + fitted.center
    return judged.credits(outputs, truth)


def learning_rate(schedule: str, peak: float, step: float, steps: float) -> float:
    """The learning rate of step ``step`` (from 0) of ``steps``.

    One-cycle (Smith and Topin 2018) rises from peak/25 over the first 30 % of the steps and falls to peak/250,000,
    both along a cosine; cosine (Loshchilov and Hutter 2017, one period) falls from the peak to 0. The numbers are
    those of ``torch.optim.lr_scheduler``'s OneCycleLR and CosineAnnealingLR, without the cycled momentum.
    """
    if schedule == "constant":
        return peak
    if schedule == "cosine":
        return half_cosine(peak, 0.0, step / steps)
    summit, last = 0.3 * steps - 1, steps - 1
    if step <= summit:
        return half_cosine(peak / 25, peak, step / summit if summit > 0 else 1.0)
    return half_cosine(peak, peak / 25e4, (step - summit) / (last - summit) if last > summit else 0.0)


def half_cosine(start: float, end: float, part: float) -> float:
    """From ``start`` to ``end`` along half a cosine (Loshchilov and Hutter 2017); ``part`` is from 0 to 1."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * part))


@dataclass
class _Best:
    """The best epoch so far, for early stopping."""

    score: float
    step: int
    state: dict[str, Tensor]


def _epochs(
    trainer: _Trainer,
    inputs: Tensor,
    targets: Tensor,
    counts: Tensor | None,
    judge: _Judge,
    validation: tuple[Tensor, Tensor] | None,
    epochs: int,
    seed: int,
    report: Reporter | None,
    ends: float | None = None,
) -> tuple[list[Report], _Best | None]:
    recipe, device = trainer.recipe, inputs.device
    shuffle = torch.Generator().manual_seed(seed)
    noise = torch.Generator(device).manual_seed(seed + 1)
    patience = recipe.patience if validation is not None else None
    curve: list[Report] = []
    best: _Best | None = None
    durations: list[float] = []
    planned, epoch = epochs, 0
    while epoch < epochs:
        epoch += 1
        began = time.perf_counter()
        trainer.network.train()
        order = torch.randperm(len(inputs), generator=shuffle).to(device)
        total = torch.zeros((), device=device)
        seen = 0
        for batch in _batches(order, recipe.batch_size):
            x = inputs[batch]
            if recipe.augment:
                x = augment(x, recipe, noise)
            total += trainer.step(x, targets[batch], None if counts is None else counts[batch]) * len(batch)
            seen += len(batch)
        loss = float(total) / seen
        if not math.isfinite(loss):
            raise FloatingPointError(f"the training loss is {loss} in epoch {epoch} of {epochs} (lr={recipe.lr:g})")
        took = time.perf_counter() - began
        # The first one has what comes once, such as the choice of kernels: of a long one it is little.
        once = 0.0 if durations or took > 4 * ONCE_SECONDS else min(ONCE_SECONDS, 0.75 * took)
        durations.append(took - once)
        # Where the schedule has come to its end nothing is added, even if there were time by now.
        if ends is not None and epoch < epochs:
            # Medians: one slow epoch says nothing; three in a row say that the machine has become slower.
            usual = max(statistics.median(durations), statistics.median(durations[-3:]))
            fitting = epoch + max(0, int((ends - time.perf_counter()) / usual))
            if min(planned, fitting) != epochs:
                epochs = min(planned, fitting)
                trainer.pace((epochs - epoch) * _steps(len(inputs), recipe.batch_size))
        metrics = {"train_loss": loss}
        if validation is not None and (report is not None or patience is not None or epoch == epochs):
            metrics |= _validate(trainer.network, *validation, judge, trainer.layout)
            if not math.isfinite(metrics["val_loss"]):
                raise FloatingPointError(f"the validation loss is {metrics['val_loss']} in epoch {epoch} of {epochs}")
        curve.append(Report(epoch, metrics))
        if report is not None:
            report(epoch, metrics)
        if patience is not None:
            score = judge.score(metrics)
            if best is None or score > best.score:
                state = {name: tensor.detach().clone() for name, tensor in trainer.network.state_dict().items()}
                best = _Best(score, epoch, state)
            elif epoch - best.step >= patience:
                break
    return curve, best


def _steps(count: int, batch_size: int) -> int:
    """The number of batches an epoch."""
    return sum(1 for _ in _batches(range(count), batch_size))


def _batches(order: Any, batch_size: int) -> Iterator[Any]:
    count = len(order)
    end = count - 1 if count > batch_size > 1 and count % batch_size == 1 else count
    for start in range(0, end, batch_size):
        yield order[start : min(start + batch_size, end)]


class _Trainer:
    """One optimiser's step after another, in micro-batches where memory asks for it."""

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        loss: Loss,
        layout: torch.memory_format,
        device: torch.device,
        steps: float,
        teacher: Teacher | None,
        paths: ScheduledDropPath | None = None,
        second: Auxiliary | None = None,
    ) -> None:
        self.network, self.recipe, self.loss, self.layout, self.steps = network, recipe, loss, layout, steps
        self.teacher, self.paths, self.second = teacher, paths, second
        self.optimizer = optimizer(network if second is None else nn.ModuleList([network, second.head]), recipe)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.micro, self.halvings = recipe.batch_size, 0
        self.taken = 0.0
        self.half: torch.dtype | None = None
        if recipe.precision == "auto" and device.type == "cuda":
            self.half = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.half is torch.float16)

    def pace(self, left: int) -> None:
        """Lets the schedules go the rest of their way, from where they are, in as many steps as are ``left``."""
        way = 1.0 - self.taken / self.steps
        self.steps = left / way if left else self.taken
        self.taken = self.steps - left

    def step(self, x: Tensor, y: Tensor, counts: Tensor | None = None) -> Tensor:
        """One step on a batch whose examples count so much each; its mean loss, still on the device."""
        rate = learning_rate(self.recipe.schedule, self.recipe.lr, self.taken, self.steps)
        if self.paths is not None:
            self.paths.progress = self.taken / self.steps
        self.taken += 1
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self._gradients(x, y, counts)
        if self.recipe.clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss

    def _gradients(self, x: Tensor, y: Tensor, counts: Tensor | None) -> Tensor:
        while True:
            self.optimizer.zero_grad(set_to_none=True)
            try:
                return self._accumulate(x, y, counts)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error) or min(self.micro, len(x)) < 2:
                    raise
            # Out of the handler: the error's traceback would keep the activations alive.
            self.micro = min(self.micro, len(x)) // 2
            self.halvings += 1
            if x.device.type == "cuda":
                torch.cuda.empty_cache()

    def _accumulate(self, x: Tensor, y: Tensor, counts: Tensor | None) -> Tensor:
        if len(x) <= self.micro:
            return self._backward(x, y, counts, 1.0)
        parts = math.ceil(len(x) / self.micro)
        all_counts = [None] * parts if counts is None else counts.tensor_split(parts)
        losses = [
            self._backward(xs, ys, ws, len(xs) / len(x))
            for xs, ys, ws in zip(x.tensor_split(parts), y.tensor_split(parts), all_counts, strict=True)
        ]
        return torch.stack(losses).sum()

    def _backward(self, x: Tensor, y: Tensor, counts: Tensor | None, weight: float) -> Tensor:
        x = _laid_out(x, self.layout)
        if self.half is None:
            loss = self._loss(x, y, counts)
        else:
            with torch.autocast("cuda", dtype=self.half):
                loss = self._loss(x, y, counts)
        if weight != 1.0:
            loss = loss * weight
        torch.autograd.backward(self.scaler.scale(loss))
        return loss.detach()

    def _loss(self, x: Tensor, y: Tensor, counts: Tensor | None) -> Tensor:
        outputs = self.network(x)
        if isinstance(outputs, tuple):
            # A network with an auxiliary head of its own.
            outputs, more = outputs
        else:
            more = None if self.second is None else self.second()
        loss = self.loss(outputs, y, counts)
        if more is not None and self.recipe.auxiliary:
            loss = loss + self.recipe.auxiliary * self.loss(more, y, counts)
        return loss if self.teacher is None else self.teacher.mixed(loss, outputs, x, y)


def _second_head(network: nn.Module, recipe: Recipe, inputs: Tensor) -> Auxiliary | None:
    """The auxiliary head that the recipe asks for, if the network has none of its own."""
    if not recipe.auxiliary or isinstance(getattr(network, "auxiliary", None), nn.Module):
        return None
    with evaluating(network), torch.no_grad():
        return Auxiliary(network, inputs[:2])


def optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over the network's trainable parameters; biases and norms without weight decay."""
    trainable = [p for p in network.parameters() if p.requires_grad]
    if not trainable:
        raise InputError(f"{type(network).__name__} has no parameters to train")
    decayed = [p for p in trainable if p.dim() >= 2]
    spared = [p for p in trainable if p.dim() < 2]
    groups: list[dict[str, Any]] = [
        {"params": params, "weight_decay": decay}
        for params, decay in ((decayed, recipe.weight_decay), (spared, 0.0))
        if params
    ]
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in trainable)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.lr, fused=fused)
    nesterov = recipe.momentum > 0
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=nesterov, fused=fused)


@dataclass(frozen=True)
class _Judge:
    """How outputs are compared with targets, which training has standardised where the goal says so."""

    goal: Goal
    smoothing: float
    center: Tensor
    scale: Tensor
    scorers: tuple[str, ...] = ()

    def prepare(self, targets: Tensor) -> Tensor:
        return (targets - self.center) / self.scale if self.goal.standardised else targets

    def loss(self, outputs: Tensor, targets: Tensor, counts: Tensor | None) -> Tensor:
        return self.goal.loss(outputs, targets, self.smoothing, counts)

    def score(self, metrics: Mapping[str, float]) -> float:
        """By which an epoch is better: more."""
        value = metrics[self.goal.metric]
        return value if self.goal.way == "maximize" else -value


def standardisation(goal: Goal, y: Array) -> tuple[Array, Array]:
    """The center and the scale by which :func:`fit` standardises targets such as ``y`` (N,) or (N, K); else 0 and 1."""
    judge = _judge(goal, Recipe(), _targets(np.asarray(y), torch.device("cpu")))
    return judge.center.reshape(-1).numpy(), judge.scale.reshape(-1).numpy()


def _judge(goal: Goal, recipe: Recipe, targets: Tensor, scorers: tuple[str, ...] = ()) -> _Judge:
    one = torch.ones((), device=targets.device)
    if not goal.standardised:
        return _Judge(goal, recipe.label_smoothing, 0 * one, one, scorers)
    center = targets.mean(0)
    scale = targets.std(0, correction=0)
    return _Judge(goal, 0.0, center, torch.where(scale > 0, scale, torch.ones_like(scale)), scorers)


def _validate(
    network: nn.Module, inputs: Tensor, targets: Tensor, judge: _Judge, layout: torch.memory_format
) -> dict[str, float]:
    with evaluating(network), torch.inference_mode():
        outputs = _outputs(network, inputs, EVALUATION_BATCH, layout).float()
        scores = judge.goal.scores(outputs, targets, judge.center, judge.scale)
    if judge.scorers and math.isfinite(scores["val_loss"]):
        answers = outputs * judge.scale + judge.center if judge.goal.standardised else outputs
        for name in judge.scorers:
            scores[f"val_{name}"] = score_by(name, answers.cpu().numpy(), targets.cpu().numpy(), judge.goal.name)
    return scores


def _outputs(network: nn.Module, inputs: Tensor, batch_size: int, layout: torch.memory_format) -> Tensor:
    """The outputs for all inputs; a batch for which memory is missing is halved, and so are those after it.

    Rows of features are filled up to a multiple of :data:`EVEN` with zeros, whose outputs are left out: how sums are
    added up depends on how many rows there are, and a row's outputs are to be the same beside any others. They are, bit
    for bit, where layers have widths that are multiples of 8, or 1; else up to rounding.
    """
    parts: list[Tensor] = []
    start = 0
    while start < len(inputs):
        x = inputs[start : start + batch_size]
        missing = -len(x) % EVEN if x.dim() == 2 and batch_size >= EVEN else 0
        try:
            parts.append(network(_laid_out(functional.pad(x, (0, 0, 0, missing)), layout))[: len(x)])
            start += len(x)
            continue
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error) or len(x) < 2:
                raise
        batch_size = len(x) // 2
    if not parts:
        raise InputError("there is nothing to predict: the inputs are empty")
    return torch.cat(parts)


def _layout(network: nn.Module, inputs: Tensor) -> torch.memory_format:
    """Channels last for images where the network can take it: 1.3 to 1.6 times as fast on a CPU, measured.

    A network that calls ``view`` on its features cannot; two images are tried, and leave no trace.
    """
    if inputs.dim() != 4 or not any(isinstance(module, nn.Conv2d) for module in network.modules()):
        return torch.contiguous_format
    probe = _laid_out(inputs[:2], torch.channels_last)
    try:
        # Not inference_mode: what a network caches in its first forward could then not be trained.
        with evaluating(network), torch.no_grad(), generators_kept(probe.device):
            network(probe)
    except RuntimeError:
        # Not our affair here: whatever is wrong for every layout is raised by the training itself.
        return torch.contiguous_format
    return torch.channels_last


def _laid_out(x: Tensor, layout: torch.memory_format) -> Tensor:
    """A batch in this layout. With one channel both layouts are the same memory, and torch goes by the strides."""
    if layout is not torch.channels_last:
        return x
    x = x.contiguous(memory_format=layout)
    _, channels, height, width = x.shape
    return x.as_strided(x.shape, (height * width, 1, width, 1)) if channels == 1 else x


def _arrange(network: nn.Module, layout: torch.memory_format) -> None:
    """Not ``contiguous``: a weight of one input channel would keep its strides, and torch would take the slow path."""
    network.to(memory_format=layout)  # type: ignore[call-overload]


def out_of_memory(error: BaseException) -> bool:
    """Whether it is the lack of memory: torch's CPU allocator only says so in words."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text


def _tensor(values: Array | Tensor, device: torch.device) -> Tensor:
    if not isinstance(values, Tensor):
        # A copy where the array is read-only (a memory map): a tensor over it would be undefined if written to.
        array = np.asarray(values, dtype=np.float32)
        values = torch.from_numpy(array if array.flags.writeable else array.copy())
    return values.to(device=device, dtype=torch.float32)


def _targets(values: Array | Tensor, device: torch.device) -> Tensor:
    if not isinstance(values, Tensor):
        array = np.array(values)
        values = torch.from_numpy(array)
    dtype = torch.float32 if values.is_floating_point() else torch.int64
    return values.to(device=device, dtype=dtype)


def _weights(values: Array | Tensor, count: int, device: torch.device) -> Tensor:
    """How much each example counts, with mean 1; InputError where they do not fit."""
    weights = _tensor(values, device)
    if weights.shape != (count,) or not bool((weights >= 0).all()) or float(weights.sum()) <= 0:
        raise InputError(
            f"weights are {count:,} numbers of at least 0 and not all 0, found a tensor of shape {tuple(weights.shape)}"
        )
    return weights / weights.mean()
