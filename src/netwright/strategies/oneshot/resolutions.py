"""Elastic resolution: every batch of images has another size (Cai et al. 2020, once-for-all, section 3.3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from netwright.architecture import Architecture
from netwright.arguments import whole
from netwright.errors import InputError
from netwright.space.traceless import generators_kept
from netwright.strategies.oneshot.method import Course
from netwright.supernet.supernet import Supernet

Size = tuple[int, int]
"""Height and width in pixels."""

WORD = "published"
SIDES = range(128, 225, 4)
"""The published sides, of images of 224 pixels."""
LEAST = 8
"""No image is made smaller than that."""
SMALL = 32
"""Images with a shorter side than that are left as they are, where the published sizes are asked for."""
ROWS = 2
"""With so many examples it is tried which sizes the networks take."""
STREAM = 1_000_003
"""Tells the draw of a step's size from those of its networks."""


def checked(owner: str, resolutions: Any) -> str | tuple[int, ...] | None:
    """What was asked for; InputError where it is neither ``"published"`` nor None nor a list of sides in pixels."""
    if resolutions is None or resolutions == WORD:
        return resolutions  # type: ignore[no-any-return]
    if not isinstance(resolutions, Sequence) or isinstance(resolutions, str) or not resolutions:
        raise InputError(
            f"{owner}: resolutions are '{WORD}', none, or a list of sides in pixels, found {resolutions!r}",
            hint="Such as resolutions=(24, 28, 32)",
        )
    whole(owner, **{f"resolutions[{place}]": side for place, side in enumerate(resolutions)})
    return tuple(resolutions)


def sizes(owner: str, images: Tensor, resolutions: str | tuple[int, ...] | None) -> list[Size]:
    """The different sizes that are asked for, the smallest first; none where batches stay as they are.

    The published ones are those of the paper in proportion, from 128/224 of the images' own size up to it. A side that
    is given is that of the shorter one, and the other keeps the proportion. InputError for sides of what is no image.
    """
    if images.dim() != 4:
        if resolutions in (None, WORD):
            return []
        raise InputError(
            f"{owner}: resolutions are of images (N, C, H, W), found inputs of the shape {tuple(images.shape)}",
            hint="Leave resolutions out: other inputs stay as they are",
        )
    height, width = images.shape[2:]
    short = min(height, width)
    if resolutions is None or (resolutions == WORD and short < SMALL):
        return []
    if resolutions == WORD:
        parts = [side / SIDES[-1] for side in SIDES]
    else:
        parts = [int(side) / short for side in resolutions]
    least = LEAST if resolutions == WORD else 1
    return sorted({(max(least, round(height * part)), max(least, round(width * part))) for part in parts})


def usable(
    owner: str, wanted: Sequence[Size], supernet: Supernet, course: Course, images: Tensor, first: Architecture,
    others: Iterable[Architecture], *, strict: bool,
) -> tuple[list[Size], dict[str, str]]:  # fmt: skip
    """Those of the sizes that networks take, and why the others are left out, by names such as ``20×24``.

    They are tried on a few images, in evaluation mode, and nothing is changed.

    All sizes are tried on the ``first`` network, the smallest also on ``others``: what one of these cannot take is left
    out, too, and then the next is the smallest. The images' own size always stays. With ``strict`` a size that would be
    left out is an InputError.
    """
    own = (images.shape[2], images.shape[3])
    others = list(others)
    kept: list[Size] = []
    left_out: dict[str, str] = {}
    with supernet.evaluating(), torch.no_grad(), generators_kept(images.device):
        for size in wanted:
            networks = [first] if kept else [first, *others]
            problem = None if size == own else _problem(supernet, course, resized(images[:ROWS], size), networks)
            name = f"{size[0]}×{size[1]}"
            if problem is None:
                kept.append(size)
            elif strict:
                raise InputError(
                    f"{owner}: resolutions has {name} pixels, which {problem}",
                    hint="List sides that all networks take, or none: resolutions=None",
                )
            else:
                left_out[name] = problem
    return kept, left_out


def drawn(found: Sequence[Size], images: Tensor, seed: int, number: int) -> Tensor:
    """The images of a step in one of the sizes, drawn uniformly; the same seed and step give the same."""
    if not found:
        return images
    place = np.random.default_rng([seed, number, STREAM]).integers(len(found))
    return resized(images, found[int(place)])


def resized(images: Tensor, size: Size) -> Tensor:
    """Images (N, C, H, W) in another size: bilinear, and smoothed first where they become smaller."""
    if tuple(images.shape[2:]) == size:
        return images
    return functional.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)


def _problem(supernet: Supernet, course: Course, images: Tensor, networks: Sequence[Architecture]) -> str | None:
    """Why one of the networks cannot take images; None where all can."""
    for architecture in networks:
        try:
            course.outputs_of(supernet.at(architecture), images)
        except Exception as error:
            return f"the network {architecture!s:.80} cannot take: {error!s:.200}"
    return None
