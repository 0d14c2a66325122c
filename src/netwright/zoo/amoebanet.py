"""The cells of AmoebaNet (Real, Aggarwal, Huang & Le, AAAI 2019), in the network of NASNet.

Five blocks of two states and two of eight operations, added up, in a normal and a reduction cell: 3·10²⁹ pairs. The
output joins the states that no block takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from netwright.space import SearchSpace
from netwright.zoo import nasnet
from netwright.zoo.pnas import OPERATIONS


class AmoebaNet(nasnet.Stack):
    """The network of NASNet without its choice of sum or join; the defaults are for CIFAR-10, 18 cells of 36 channels.

    Input (N, C, H, W), output (N, classes). The arguments are as of :class:`netwright.zoo.nasnet.NASNet`.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 32, 32),
        classes: int = 10,
        channels: int = 36,
        cells: int = 18,
        stem: str = "cifar",
        stem_channels: int | None = None,
        join: Literal["loose", "all"] = "loose",
    ) -> None:
        super().__init__(
            OPERATIONS, input_shape, classes, channels, cells,
            between=True, stem=stem, stem_channels=3 * channels if stem_channels is None else stem_channels, join=join,
        )  # fmt: skip


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`AmoebaNet`, and ``where`` and ``same``."""
    return SearchSpace(AmoebaNet, **arguments)


AMOEBANET_A = nasnet.architecture_of(
    {
        "normal": (
            ("avg_pool_3x3", 0, "max_pool_3x3", 1),
            ("sep_conv_3x3", 0, "sep_conv_5x5", 2),
            ("sep_conv_3x3", 0, "avg_pool_3x3", 3),
            ("sep_conv_3x3", 1, "identity", 1),
            ("identity", 0, "avg_pool_3x3", 1),
        ),
        "reduction": (
            ("avg_pool_3x3", 0, "sep_conv_3x3", 1),
            ("max_pool_3x3", 0, "sep_conv_7x7", 2),
            ("sep_conv_7x7", 0, "avg_pool_3x3", 1),
            ("max_pool_3x3", 0, "max_pool_3x3", 1),
            ("conv_1x7_7x1", 0, "sep_conv_3x3", 5),
        ),
    },
    OPERATIONS,
    combine=None,
)
"""Figure 5 of the paper, as the authors of DARTS write it."""

AMOEBANET_STARTS: tuple[Mapping[str, Any], ...] = (AMOEBANET_A,)
