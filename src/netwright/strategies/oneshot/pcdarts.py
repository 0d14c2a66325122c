"""PC-DARTS: Xu et al. 2020: DARTS on a part of the channels, with weights for the connections, too."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from netwright.arguments import not_negative, positive, positive_or_none, share_below_one, whole
from netwright.strategies.oneshot.duo import Duo
from netwright.strategies.oneshot.method import Batch, Course, Method
from netwright.supernet.partial_channels import EdgeNormalised, narrow
from netwright.supernet.supernet import Supernet
from netwright.training.loop import half_cosine


@final
class PCDARTS(Method):
    """PC-DARTS: DARTS of first order on a part of the channels, with numbers for the connections, too.

    One channel in ``parts`` goes through the mixtures. The numbers of operations and connections rest for the first
    ``rest`` of the epochs (15 of 50), while the weights learn under the even mixture. SGD from .1 along a cosine to 0,
    momentum .9, weight decay 3e-4, gradients cut at 5; Adam with 6e-4, β (.5, .999) and weight decay 1e-3, as
    published. Each mixture takes and gives as many channels, and their number can be divided by ``parts``; SpaceError
    by name for what cannot (:func:`~netwright.supernet.partial_channels.narrow`). The candidates of the supernet become
    narrower when this starts: architectures are found with it, and trained from scratch. What networks cost has a
    gradient by both kinds of numbers (:meth:`~netwright.supernet.partial_channels.EdgeNormalised.chances`).

    A quarter is for networks of many channels (16 and more in the paper): of eight, two are left to tell operations
    apart. There ``parts=2`` found better cells with each of three seeds, though no better than drawn ones on average:
    on ``digits-cells`` in 30 epochs 46 ± 31 % of all cells are better, with a quarter 72 ± 24 %.

    What differs: pooling is followed by no BatchNorm, and norms have scales and shifts that learn, as in the network
    that is searched.
    """

    epochs, batch_size = 50, 256
    arranged = False
    published_steps = 4_850

    def __init__(
        self,
        parts: int = 4,
        *,
        lr: float = 0.1,
        min_lr: float = 0.0,
        momentum: float = 0.9,
        weight_decay: float = 3e-4,
        clip: float | None = 5.0,
        alpha_lr: float = 6e-4,
        alpha_weight_decay: float = 1e-3,
        rest: float = 15 / 50,
    ) -> None:
        whole("PCDARTS", 2, parts=parts)
        positive("PCDARTS", lr=lr, alpha_lr=alpha_lr)
        not_negative("PCDARTS", min_lr=min_lr, weight_decay=weight_decay, alpha_weight_decay=alpha_weight_decay)
        share_below_one("PCDARTS", momentum=momentum, rest=rest)
        positive_or_none("PCDARTS", clip=clip)
        self.parts, self.lr, self.min_lr, self.momentum = parts, lr, min_lr, momentum
        self.weight_decay, self.clip, self.rest = weight_decay, clip, rest
        self.alpha_lr, self.alpha_weight_decay = alpha_lr, alpha_weight_decay

    def start(self, supernet: Supernet, course: Course) -> None:
        self.relaxation = relaxation = EdgeNormalised(supernet, seed=course.seed)
        narrow(supernet, self.parts, relaxation)
        self._duo = Duo(
            supernet,
            relaxation,
            course,
            weights=lambda w: torch.optim.SGD(w, self.lr, momentum=self.momentum, weight_decay=self.weight_decay),
            numbers=lambda a: torch.optim.Adam(
                a, self.alpha_lr, betas=(0.5, 0.999), weight_decay=self.alpha_weight_decay
            ),
            clip=self.clip,
        )
        self.stateful = self._duo.stateful

    def step(self, number: int, train: Batch, valid: Batch | None) -> Tensor:
        assert valid is not None
        duo = self._duo
        duo.course.pace(duo.weights_optimizer, number, lambda part: half_cosine(1.0, self.min_lr / self.lr, part))
        if number >= self.rest * duo.course.steps:
            duo.learn_numbers(valid)
        return duo.learn_weights(train)
