"""The cells of PNASNet (Liu et al., ECCV 2018): one kind of cell, eight operations, all blocks joined.

A cell that halves the resolution is the same cell with stride 2. Five blocks of two states and two operations, added
up, are 5.6·10¹⁴ cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netwright.space import SearchSpace
from netwright.zoo import nasnet

OPERATIONS: Mapping[str, nasnet.Make] = {
    name: nasnet.OPERATIONS[name]
    for name in (
        "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "conv_1x7_7x1",
        "identity", "avg_pool_3x3", "max_pool_3x3", "dil_conv_3x3",
    )
}  # fmt: skip


class PNASNet(nasnet.Stack):
    """The paper's network; the defaults are for CIFAR-10, nine cells of 48 channels. Input (N, C, H, W).

    The first cell of the second and the third stage has stride 2.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 32, 32),
        classes: int = 10,
        channels: int = 48,
        cells: int = 9,
        stem: str = "cifar",
        stem_channels: int | None = None,
    ) -> None:
        super().__init__(
            OPERATIONS, input_shape, classes, channels, cells,
            between=False, stem=stem, stem_channels=3 * channels if stem_channels is None else stem_channels,
            join="all",
        )  # fmt: skip


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`PNASNet`, and ``where`` and ``same``."""
    return SearchSpace(PNASNet, **arguments)


PNASNET_5 = nasnet.architecture_of(
    {
        "cell": (
            ("sep_conv_5x5", 0, "max_pool_3x3", 0),
            ("sep_conv_7x7", 1, "max_pool_3x3", 1),
            ("sep_conv_5x5", 1, "sep_conv_3x3", 1),
            ("sep_conv_3x3", 4, "max_pool_3x3", 1),
            ("sep_conv_3x3", 0, "identity", 1),
        )
    },
    OPERATIONS,
    combine=None,
)
"""Figure 1 of the paper, as in the authors' program."""

PNAS_STARTS: tuple[Mapping[str, Any], ...] = (PNASNET_5,)
