"""Once-for-all: Cai et al. 2020, one set of weights for all sizes; and the sandwich rule of Yu and Huang 2019."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.architecture import Answer, Architecture
from netwright.arguments import not_negative, one_of_these, positive, share_below_one, whole
from netwright.errors import InputError, SpaceError
from netwright.space import Decision, SearchSpace
from netwright.space.drawing import answered
from netwright.space.traceless import modes_kept
from netwright.strategies.oneshot import resolutions as elastic
from netwright.strategies.oneshot.method import Batch, Course, Method
from netwright.strategies.oneshot.rewards import batch_statistics
from netwright.supernet.share import largest
from netwright.supernet.sorting import sort_channels
from netwright.supernet.supernet import Supernet
from netwright.supernet.tensors import smallest
from netwright.training.loop import half_cosine

RULES = ("shrink", "sandwich")
STAGES = (("kernel",), ("depth",), ("expan", "width"))
"""Parts of the names of the decisions that open together, in the published order."""
FULL, WHOLE, SHORT, WARM = 180, 125, 25, 5
"""Epochs of the largest network, of a stage, of a stage's phases before its last; and of these, those that warm up."""
COLD = 1 / 32
"""A learning rate that warms up begins at this part of itself: that of one of the authors' 32 GPUs."""
PHASES = 4
"""A stage with longer lists of options than so many and one opens several at a time."""
TRIED = 8
"""On so many networks that are drawn it is tried how small images may be."""
TRIES = 100
"""So many draws may the rules of a space refuse in a row before the largest network is trained instead."""


@final
@dataclass(frozen=True)
class Phase:
    """From step ``begin`` on the options in ``open`` are drawn; a decision that is not there stays at its largest.

    ``open`` has None for a decision of which every value may be drawn. ``paths`` networks a step learn, with a rate
    that begins at ``rate`` and reaches 0 at the end, after ``length`` steps; ``warm`` of these it rises first. In the
    first phase nothing is open.
    """

    begin: int
    length: int
    open: Mapping[str, Sequence[Answer] | None]
    paths: int
    rate: float
    warm: float

    def factor(self, number: int) -> float:
        """The learning rate at a step."""
        step, warm = number - self.begin, self.warm * self.length
        if step < warm:
            return self.rate * (COLD + (1 - COLD) * step / warm)
        return self.rate * half_cosine(1.0, 0.0, min(1.0, (step - warm) / max(1.0, self.length - warm)))


@final
class OFA(Method):
    """OFA, once-for-all: trains one set of weights for networks of all sizes, the largest first, then smaller ones.

    Architectures are found on the supernet, by evolution as published.

    ``rule="shrink"``, progressive shrinking: the largest network alone first; then ever smaller ones as well, which
    also learn the outputs of a frozen copy of it (cross-entropy with its probabilities, or the squared difference of
    numbers, times ``distillation``, beside the usual loss). Kernels open first, all at once; then depths and then
    widths, each with its next smaller option first. The decisions of a stage are those whose names have one of its
    parts in them; all others open in the last stage, those without an order last of all. ``paths`` says how many
    networks a step learn in each stage, their gradients added. Options are drawn uniformly decision by decision, as
    published.

    The epochs are the published 180, 125, 25 and 125, 25 and 125 in proportion; the learning rates those of one of the
    authors' 32 GPUs with its 64 examples: .08125 (2.6 for all 2,048), .03, .0025 and .0075, .0025 and .0075, each along
    a cosine to 0 after five epochs of warming up (none in the phases of 25). SGD (Nesterov, momentum .9), weight decay
    3e-5 on all but norms and biases.

    Kernels of ``choose`` are the middle of larger ones times matrices that learn (:mod:`netwright.supernet.kernels`;
    without ``matrices`` the middle alone). Before the options of a width open its channels are sorted by their
    importance (:mod:`netwright.supernet.sorting`; not without ``sort``), within what is open already; :attr:`unsorted`
    says where that would change the network. Each batch of images has another size, drawn uniformly from
    ``resolutions``: the published ones are 128 to 224 pixels of 224 in steps of 4, here in proportion to the data's own
    size, for images of at least 32 pixels; others are a list of the shorter side in pixels, or None. Sizes that the
    largest network cannot take, or the smallest of them some other, are left out, and :attr:`left_out` says why (an
    InputError if they were listed).

    What differs: only channels are sorted whose number follows from one decision alone, and all with the same sizes of
    one decision have one order, where the authors sort a layer at a time; batches are resized after augmentation, where
    the authors' crops have that size from the start; and networks are scored in the data's own size.

    ``rule="sandwich"`` (Yu and Huang 2019, universally slimmable networks; Yu et al. 2020, BigNAS): every step trains
    the largest network with the labels, then the smallest and ``randoms`` random ones with the outputs of the largest;
    the gradients are added for one step, and only the largest has dropout. Defaults are those of the former: 250
    epochs, a learning rate down a line to 0 from .03125 for 64 examples (.5 for its 1,024), weight decay 1e-4, no
    matrices, and one resolution unless others are listed.

    SpaceError where no number is open, and where the rules of the space refuse the largest network (or, for the
    sandwich, the smallest).
    """

    epochs, batch_size, halves, ranks = 605, 64, False, False

    def __init__(
        self,
        rule: str = "shrink",
        *,
        lr: float | None = None,
        rates: tuple[float, float, float] = (0.03, 0.0025, 0.0075),
        momentum: float = 0.9,
        weight_decay: float | None = None,
        distillation: float = 1.0,
        stages: Sequence[Sequence[str]] = STAGES,
        paths: Sequence[int] = (1, 2, 4),
        randoms: int = 2,
        matrices: bool | None = None,
        sort: bool = True,
        resolutions: str | Sequence[int] | None = elastic.WORD,
    ) -> None:
        one_of_these("OFA", "rule", rule, RULES)
        sandwich = rule == "sandwich"
        if sandwich:
            self.epochs = 250
        self.rule, self.lr = rule, (0.03125 if sandwich else 0.08125) if lr is None else lr
        self.weight_decay = (1e-4 if sandwich else 3e-5) if weight_decay is None else weight_decay
        owner = self._owner
        for name, value in {"rates": rates, "stages": stages, "paths": paths}.items():
            _listed(owner, name, value)
        for place, stage in enumerate(stages):
            _listed(owner, f"stages[{place}]", stage)
            if not all(isinstance(part, str) and part for part in stage):
                raise InputError(f"{owner}: stages[{place}] has parts of names of decisions, found {stage!r}")
        self.rates, self.momentum, self.distillation, self.randoms = rates, momentum, distillation, randoms
        self.stages, self.paths = tuple(tuple(stage) for stage in stages), tuple(paths)
        for name, flag in {"matrices": matrices, "sort": sort}.items():
            if not isinstance(flag, bool) and (flag is not None or name == "sort"):
                raise InputError(f"{owner}: {name} is true or false, found {flag!r}")
        self.matrices, self.sort = not sandwich if matrices is None else matrices, sort
        self.resolutions = elastic.checked(owner, resolutions)
        if sandwich and self.resolutions == elastic.WORD:
            self.resolutions = None
        positive(owner, lr=self.lr, **{f"rates[{place}]": rate for place, rate in enumerate(rates)})
        share_below_one(owner, momentum=momentum)
        not_negative(owner, weight_decay=self.weight_decay, distillation=distillation)
        whole(owner, 0, randoms=randoms)
        whole(owner, **{f"paths[{place}]": count for place, count in enumerate(self.paths)})
        if not self.stages or len(self.stages) != len(self.paths) or len(rates) != 3:
            raise InputError(
                f"{owner}: each stage has its number of paths, and there are three rates; found {len(self.stages)} "
                f"stages, {len(self.paths)} paths and {len(rates)} rates"
            )

    def start(self, supernet: Supernet, course: Course) -> None:
        self._supernet, self._course, self._space = supernet, course, supernet.space
        self._largest = _extreme(self._space, largest, "largest")
        if self.rule == "sandwich":
            self._smallest = _extreme(self._space, smallest, "smallest")
        self._phases = self._planned(course.steps)
        self._sizes: list[elastic.Size] | None = None
        self._unsorted: dict[str, str] = {}
        self._left_out: dict[str, str] = {}
        if self.matrices:
            supernet.transform_kernels()
        self._optimizer = (course.optimizer or self._sgd)(list(supernet.network.parameters()))
        self.stateful = {"weights_optimizer": self._optimizer}
        if self.rule == "shrink":
            self._teacher = supernet.extract(self._largest).requires_grad_(False)
            self.stateful = {**self.stateful, "teacher": self._teacher}

    @property
    def _owner(self) -> str:
        """Its name in errors. The rule is half of what this is: who wrote ``sandwich(…)`` asked for that."""
        return 'OFA("sandwich")' if self.rule == "sandwich" else "OFA"

    @property
    def unsorted(self) -> Mapping[str, str]:
        """The decisions of widths whose channels could not all be sorted so far, and why."""
        return self._unsorted

    @property
    def left_out(self) -> Mapping[str, str]:
        """The published sizes of images, such as ``20×20``, that no batch has, and why; known after the first step."""
        return self._left_out

    def said(self) -> Mapping[str, Any]:
        return {"unsorted": self._unsorted, "left_out": self._left_out}

    def recall(self, said: Mapping[str, Any]) -> None:
        self._unsorted, self._left_out = dict(said["unsorted"]), dict(said.get("left_out", {}))

    def step(self, number: int, train: Batch, valid: Batch | None) -> Tensor:
        if self._sizes is None:
            self._sizes = self._usable(train[0])
        example, train = train[0], (elastic.drawn(self._sizes, train[0], self._course.seed, number), train[1])
        if self.rule == "sandwich":
            self._course.pace(self._optimizer, number, lambda part: 1 - part)
            self._optimizer.zero_grad(set_to_none=True)
            loss = self._sandwich(number, train)
        else:
            phase = next(phase for phase in reversed(self._phases) if phase.begin <= number)
            if number == phase.begin:
                self._enter(phase, example)
            self._course.pace(self._optimizer, number, lambda _: phase.factor(number) / self.lr)
            self._optimizer.zero_grad(set_to_none=True)
            loss = self._shrunk(phase, number, train)
        self._optimizer.step()
        return loss

    def _planned(self, steps: int) -> list[Phase]:
        """The phases of progressive shrinking, those of the stages that have decisions."""
        decisions = [d for d in self._space.decisions if d.cardinality > 1 and not d.of_training]
        if not any(decision.numeric for decision in decisions):
            raise SpaceError(
                "there is nothing to shrink: no number, such as a kernel, a width or a depth, is open",
                hint="Use spos, which takes any space.",
            )
        of_stage: list[list[Decision]] = [[] for _ in self.stages]
        for decision in decisions:
            matches = (place for place, parts in enumerate(self.stages) if any(part in decision.name for part in parts))
            of_stage[next(matches, -1)].append(decision)
        planned = [(FULL, Phase(0, 0, {}, 1, self.lr, WARM / FULL))]
        before: Mapping[str, Sequence[Answer] | None] = {}
        for place, (stage, paths) in enumerate(zip(of_stage, self.paths, strict=True)):
            if not stage:
                continue
            most = max((len(d.options) for d in stage if d.numeric and d.options is not None), default=2)
            count = min(most - 1, PHASES) if place else 1
            for phase in range(1, count + 1):
                before = {**before, **{d.name: _opened(d, phase / count) for d in stage}}
                last = phase == count
                rate = self.rates[2 if last else 1] if place else self.rates[0]
                shape = Phase(0, 0, before, paths, rate, WARM / WHOLE if last else 0.0)
                planned.append((WHOLE if last else SHORT, shape))
        total = sum(epochs for epochs, _ in planned)
        # The largest network learns for a step at least: it is the teacher.
        ends = [max(1, round(steps * done / total)) for done in accumulate(epochs for epochs, _ in planned)]
        return [
            replace(phase, begin=begin, length=end - begin)
            for begin, end, (_, phase) in zip([0, *ends], ends, planned, strict=False)
        ]

    def _usable(self, images: Tensor) -> list[elastic.Size]:
        """The sizes that batches like this one may have."""
        wanted = elastic.sizes(self._owner, images, self.resolutions)
        if not wanted:
            return []
        rng, space = np.random.default_rng(self._course.seed), self._space
        others = [answered(space.decisions, smallest)]
        others = [architecture for architecture in others if architecture in space]
        for _ in range(TRIED):
            architecture = _drawn(space, dict.fromkeys(decision.name for decision in space.decisions), rng)
            others += [] if architecture is None else [architecture]
        kept, self._left_out = elastic.usable(
            self._owner, wanted, self._supernet, self._course, images, self._largest, others,
            strict=self.resolutions != elastic.WORD,
        )  # fmt: skip
        return kept

    def _enter(self, phase: Phase, example: Tensor) -> None:
        """At the first step of a phase: the largest network is copied when it was trained, channels are sorted.

        And momenta begin anew.
        """
        if phase.begin == 0:
            return
        if phase.begin == self._phases[1].begin:
            self._teacher.load_state_dict(self._supernet.extract(self._largest).state_dict())
        if self.sort:
            # Phases may be shorter than a step: the last of those that were not.
            before = [former for former in self._phases if former.begin < phase.begin][-1].open
            learnt = {
                decision.name: before.get(decision.name) or [largest(decision)]
                for decision in self._supernet.values
                if phase.open.get(decision.name, ()) != before.get(decision.name, ())
            }
            self._unsorted |= sort_channels(self._supernet, example, learnt, seed=self._course.seed)
        self._optimizer.state.clear()

    def _shrunk(self, phase: Phase, number: int, train: Batch) -> Tensor:
        course, losses = self._course, []
        lesson: Tensor | None = None
        if phase.open and self.distillation:
            with torch.no_grad(), batch_statistics(self._teacher):
                lesson = course.outputs_of(self._teacher, train[0])
        for path in range(phase.paths):
            rng = np.random.default_rng([course.seed, number, path])
            architecture = _drawn(self._space, phase.open, rng) or self._largest
            outputs = course.outputs_of(self._supernet.at(architecture), train[0])
            loss = course.loss(outputs, train[1])
            whole_loss = loss if lesson is None else loss + self.distillation * taught(outputs, lesson, train[1])
            torch.autograd.backward(whole_loss)
            losses.append(loss.detach())
        return torch.stack(losses).mean()

    def _sandwich(self, number: int, train: Batch) -> Tensor:
        """The gradients of the largest, the smallest and some random networks; the loss of the largest."""
        course = self._course
        lesson = course.outputs_of(self._supernet.at(self._largest), train[0])
        loss = course.loss(lesson, train[1])
        torch.autograd.backward(loss)
        rng = np.random.default_rng([course.seed, number])
        every: dict[str, Sequence[Answer] | None] = dict.fromkeys(decision.name for decision in self._space.decisions)
        others = [self._smallest, *(_drawn(self._space, every, rng) or self._largest for _ in range(self.randoms))]
        for architecture in others:
            network = self._supernet.at(architecture)
            with without_dropout(network):
                outputs = course.outputs_of(network, train[0])
            torch.autograd.backward(taught(outputs, lesson.detach(), train[1]))
        return loss.detach()

    def _sgd(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        groups = [
            {"params": [weight for weight in weights if weight.dim() > 1], "weight_decay": self.weight_decay},
            {"params": [weight for weight in weights if weight.dim() <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.SGD(
            [group for group in groups if group["params"]], self.lr, momentum=self.momentum, nesterov=self.momentum > 0
        )


def taught(outputs: Tensor, lesson: Tensor, targets: Tensor) -> Tensor:
    """How far outputs are from those of a teacher: of classes the cross-entropy with its probabilities.

    Of numbers the mean squared difference.
    """
    if targets.is_floating_point():
        return functional.mse_loss(outputs, lesson)
    return functional.cross_entropy(outputs.movedim(-1, 1), lesson.softmax(-1).movedim(-1, 1))


@contextmanager
def without_dropout(network: nn.Module) -> Iterator[nn.Module]:
    """``network`` with its dropouts in evaluation mode, and afterwards as it was."""
    with modes_kept(network):
        for module in network.modules():
            if isinstance(module, nn.modules.dropout._DropoutNd):
                module.training = False
        yield network


def _listed(owner: str, name: str, value: object) -> None:
    """Refuses what is no list: the letters of a word are not meant one by one."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise InputError(f"{owner}: {name} is a list, found {value!r}")


def _extreme(space: SearchSpace, option: Callable[[Decision], Answer], what: str) -> Architecture:
    """The architecture with that option of every decision; a decision about training has its first value."""
    architecture = answered(space.decisions, option)
    if architecture not in space:
        raise SpaceError(
            f"the rules of the space refuse the {what} network, {architecture}, which has to be trained",
            hint="Take the rule out of the space and give it as a constraint of the search that follows.",
        )
    return architecture


def _opened(decision: Decision, part: float) -> Sequence[Answer] | None:
    """The options that are open when ``part`` of a stage's phases have begun, the largest first."""
    if not decision.numeric or decision.options is None:
        return None if part == 1 else [largest(decision)]
    ordered = sorted(decision.options, reverse=True)
    return ordered[: math.ceil(1 + (len(ordered) - 1) * part - 1e-9)]


def _drawn(
    space: SearchSpace, opened: Mapping[str, Sequence[Answer] | None], rng: np.random.Generator
) -> Architecture | None:
    """An architecture with an option of each decision, drawn from those that are open; None if the rules refuse all."""

    def answer(decision: Decision) -> Answer:
        options = opened.get(decision.name, ())
        if options is None:
            return decision.draw(float(rng.random()))
        return options[int(rng.integers(len(options)))] if options else largest(decision)

    for _ in range(TRIES):
        architecture = answered(space.decisions, answer)
        if architecture in space:
            return architecture
    return None
