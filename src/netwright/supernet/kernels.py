"""Smaller kernels made of larger ones by matrices that learn (Cai et al. 2020, once-for-all, section 3.3).

Weights in the middle of a large kernel also have to be a small kernel of their own, which asks for other numbers. So a
kernel of the next smaller size is the middle of the larger one times a matrix, 7×7 to 5×5 by one of 25×25, 5×5 to 3×3
by one of 9×9. Each layer has one for every two sizes that follow each other, used for all of its channels. They are
identities at first: without training a kernel is the middle of the larger one, as it is without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from netwright.supernet.slicing import CONVOLUTIONS, middle, part_of, ruled

Kernel = tuple[int, ...]
"""The size of a kernel in each of its dimensions."""


def chain(layer: nn.Module, kernels: Iterable[Kernel]) -> tuple[Kernel, ...]:
    """The sizes of a layer's kernels, the largest first; none where matrices cannot lead from one to the next.

    That is so where there is one size, where one is no part of another (1×7 and 7×1), and for a class whose tensors
    are cut by a rule of its own.
    """
    if not isinstance(layer, CONVOLUTIONS) or ruled(layer):
        return ()
    found = sorted(set(kernels), reverse=True)
    nested = all(size >= other for before, after in pairwise(found) for size, other in zip(before, after, strict=True))
    return tuple(found) if len(found) > 1 and nested else ()


def name_of(large: Kernel, small: Kernel) -> str:
    """What a matrix is called: ``7to5``, ``7x1to5x1``."""
    return "to".join(
        str(kernel[0]) if len(set(kernel)) == 1 else "x".join(map(str, kernel)) for kernel in (large, small)
    )


def transformed(
    shared: Tensor, shape: Sequence[int], large: nn.Module, small: nn.Module, name: str,
    matrices: Iterable[tuple[Kernel, Tensor]],
) -> Tensor:  # fmt: skip
    """:func:`~netwright.supernet.slicing.sliced` of a convolution's weight whose kernels are made by ``matrices``.

    These are the smaller sizes, the largest of them first, each with the matrix that leads to it. A size that is not
    among them is the middle of the next larger one.
    """
    kernel = tuple(shape[2:])
    weight = part_of(shared, (*shape[:2], *shared.shape[2:]), large, small, name)
    for size, matrix in matrices:
        if any(have < want for have, want in zip(size, kernel, strict=True)):
            break
        weight = (middle(weight, size).flatten(2) @ matrix.T).reshape(*weight.shape[:2], *size)
    return middle(weight, kernel).contiguous()


def identity(kernel: Kernel, like: Tensor) -> nn.Parameter:
    """The matrix that leads to ``kernel`` before it learns, where and as ``like`` is."""
    return nn.Parameter(torch.eye(torch.Size(kernel).numel(), dtype=like.dtype, device=like.device))
