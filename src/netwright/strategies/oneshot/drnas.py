"""DrNAS: Chen, Wang, Cheng, Tang and Hsieh 2021: mixtures drawn from Dirichlet distributions that learn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor

from netwright.arguments import is_number, not_negative, positive, share_below_one, whole
from netwright.errors import InputError
from netwright.strategies.oneshot.duo import Duo
from netwright.strategies.oneshot.method import Batch, Course, Method
from netwright.supernet.partial_channels import narrow, widen
from netwright.supernet.relaxations import Dirichlet
from netwright.supernet.supernet import Supernet
from netwright.training.loop import half_cosine

Stage = tuple[float, int, int | None]
"""A share of the course, one channel in how many is mixed, and how many operations of each decision are left."""
STAGES: tuple[Stage, ...] = ((0.5, 4, None), (0.5, 2, 3))
"""Those of the authors' search of NAS-Bench-201, with 50 epochs each, from five operations to three."""


@final
class DrNAS(Method):
    """DrNAS: in turns as DARTS, with mixtures drawn from Dirichlet distributions that learn.

    The loss of the numbers holds them near the uniform Dirichlet; ``anchor`` is the weight of that divergence (1e-3 in
    the authors' code). Learning rates and epochs are those for NAS-Bench-201.

    ``progressive`` is the paper's scheme for less memory (section 3.3), by which its figures were found, in both
    spaces. Each of the ``stages`` is a share of the course, a number of parts, and the operations that are left: first
    one channel in four goes through the mixtures and all operations are there; then only the three strongest of each
    decision stay, and the candidates become wider, from their own weights, until every second channel goes through
    (:func:`~netwright.supernet.partial_channels.widen`). The numbers that stay go on as they are, and so do momenta and
    the one cosine of the learning rate. Numbers rest for the first ``rest`` of each stage (10 of 50 epochs). For the
    space of DARTS the authors' code has 25 epochs with one channel in six and seven operations, then 25 with one in
    four and four, of which numbers rest for 10: ``stages=((.5, 6, none), (.5, 4, 4)), rest=.4, lr=.1, min_lr=0,
    alpha_lr=6e-4``. Parts of 1 are all channels: then nothing is made narrower, and operations are pruned alone.

    It is not the default because it does not take every space: where mixtures cannot be of a part of the channels, and
    where sizes are open, SpaceError by name when it starts. Nor do small networks gain by it: on ``digits-cells`` (8
    channels, three seeds) 28 ± 17 % of all cells are better than what it found, 15 ± 9 % without it. Pruned operations
    never come back, and an architecture with one of them is no longer trained. While the parts are more than 1 the
    supernet has no weights for whole architectures: what is found is trained from scratch.

    What differs: the authors hold the numbers either by the divergence or by a weight decay of 1e-3, here both are on;
    copies of channels are made as :func:`~netwright.supernet.partial_channels.widen` says; and pooling is followed by
    no BatchNorm in the space of DARTS, as in the network that is searched.
    """

    epochs, batch_size = 100, 64
    published_steps = 39_000

    def __init__(
        self,
        *,
        lr: float = 0.025,
        min_lr: float = 0.001,
        alpha_lr: float = 3e-4,
        anchor: float = 1e-3,
        progressive: bool = False,
        stages: Sequence[Sequence[Any]] = STAGES,
        rest: float = 10 / 50,
    ) -> None:
        positive("DrNAS", lr=lr, alpha_lr=alpha_lr)
        not_negative("DrNAS", min_lr=min_lr, anchor=anchor)
        share_below_one("DrNAS", rest=rest)
        if not isinstance(progressive, bool):
            raise InputError(f"DrNAS: progressive is true or false, found {progressive!r}")
        self.lr, self.min_lr, self.alpha_lr, self.anchor = lr, min_lr, alpha_lr, anchor
        self.progressive, self.stages, self.rest = progressive, _checked(stages), rest
        # Cut mixtures are slower where images lie as is best for whole ones.
        self.arranged = not progressive

    def start(self, supernet: Supernet, course: Course) -> None:
        self.relaxation = self._draws = Dirichlet(supernet, seed=course.seed)
        self._draws.anchor = self.anchor
        self._stage = 0
        parts = [parts for _, parts, _ in self.stages]
        if self.progressive and parts[0] > 1:
            narrow(supernet, parts[0], later=parts[1:])
        self._duo = Duo(
            supernet,
            self._draws,
            course,
            weights=lambda w: torch.optim.SGD(w, self.lr, momentum=0.9, weight_decay=3e-4),
            numbers=lambda a: torch.optim.Adam(a, self.alpha_lr, betas=(0.5, 0.999), weight_decay=1e-3),
            clip=5.0,
        )
        self.stateful = self._duo.stateful

    def step(self, number: int, train: Batch, valid: Batch | None) -> Tensor:
        assert valid is not None
        if self.progressive:
            while self._stage + 1 < len(self.stages) and number >= self._begins(self._stage + 1):
                self._enter(self._stage + 1)
        self._duo.course.pace(
            self._duo.weights_optimizer, number, lambda part: half_cosine(1.0, self.min_lr / self.lr, part)
        )
        if not self._rests(number):
            self._duo.learn_numbers(valid)
        return self._duo.learn_weights(train)

    def said(self) -> Mapping[str, Any]:
        if not self.progressive:
            return {}
        return {"stage": self._stage, "pruned": {name: sorted(gone) for name, gone in self._draws.pruned.items()}}

    def reshape(self, said: Mapping[str, Any]) -> None:
        if self.progressive:
            for stage in range(self._stage + 1, said["stage"] + 1):
                self._widen(stage)

    def recall(self, said: Mapping[str, Any]) -> None:
        if self.progressive:
            self._stage = said["stage"]
            self._draws.pruned = {name: frozenset(gone) for name, gone in said["pruned"].items()}

    # Below: helpers in the order of use

    def _begins(self, stage: int) -> int:
        """The first step of a stage."""
        return _whole(math.fsum(share for share, _, _ in self.stages[:stage]) * self._duo.course.steps)

    def _enter(self, stage: int) -> None:
        kept = self.stages[stage][2]
        if kept is not None:
            self._draws.prune(kept)
        self._widen(stage)
        self._stage = stage

    def _widen(self, stage: int) -> None:
        widen(self._duo.supernet, self.stages[stage][1], self._duo.generator, self._duo.weights_optimizer)

    def _rests(self, number: int) -> bool:
        """Whether the numbers stay as they are in this step: at the beginning of each stage."""
        steps = self.stages[self._stage][0] * self._duo.course.steps
        return self.progressive and number < self._begins(self._stage) + _whole(self.rest * steps)


def _whole(steps: float) -> int:
    """The steps that have begun by then, whatever the rounding of shares."""
    return math.ceil(round(steps, 6))


def _checked(stages: Any) -> tuple[Stage, ...]:
    """The stages; InputError for what cannot follow one another."""
    if not isinstance(stages, Sequence) or isinstance(stages, str) or not stages:
        raise InputError(f"DrNAS: stages are (share, parts, operations) one after the other, found {stages!r}")
    found: list[Stage] = []
    for place, stage in enumerate(stages):
        if not isinstance(stage, Sequence) or isinstance(stage, str) or len(stage) != 3:
            raise InputError(f"DrNAS: stages[{place}] is (share, parts, operations), found {stage!r}")
        share, parts, kept = stage
        positive("DrNAS", **{f"the share of stages[{place}]": share})
        whole("DrNAS", 1, **{f"the number of parts in stages[{place}]": parts})
        if kept is not None:
            whole("DrNAS", 2, **{f"the number of operations in stages[{place}]": kept})
        if found and (parts > found[-1][1] or (found[-1][2] is not None and (kept is None or kept > found[-1][2]))):
            raise InputError(f"DrNAS: stages[{place}] has more parts or operations than the one before, {stage!r}")
        found.append((share, parts, kept))
    if found[0][2] is not None:
        raise InputError(
            f"DrNAS: the first stage has {found[0][2]} operations, and none are strongest yet",
            hint="Give none: all of them",
        )
    total = math.fsum(share for share, _, _ in found)
    if not is_number(total) or abs(total - 1) > 1e-6:
        raise InputError(f"DrNAS: the shares of the stages add up to 1, found {total:g}")
    return tuple(found)
