"""Random changes to a batch of images, as a few tensor operations on the device where the batch lies."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from netwright.training.recipes import Recipe


def augment(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """What ``recipe.augment`` asks for, drawn for each image by itself; ``images`` (N, C, H, W) stay as they are.

    A crop moves the picture by up to ``padding`` pixels each way and repeats its edge into the gap (a blank of zeros
    would be grey, not background, after normalisation). An affine change turns by up to 10 degrees, scales by up to a
    tenth, shears by up to a tenth and shifts by up to an eighth of the side, all times ``recipe.affine``, between
    pixels too; the gap is as dark as the darkest pixel of the batch. A cutout's centre is uniform over the picture, so
    that the square may reach over the edge (DeVries and Taylor 2017); it is filled with zeros, the mean of normalised
    pixels.
    """
    crop, flip = "crop" in recipe.augment and recipe.padding > 0, "flip" in recipe.augment
    if crop or flip:
        images = _gather(images, recipe.padding if crop else 0, flip, generator)
    if "affine" in recipe.augment:
        images = _affine(images, recipe.affine, generator)
    if "cutout" in recipe.augment:
        images = _cutout(images, recipe.cutout, generator)
    return images


def _gather(images: Tensor, padding: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Crop and flip in one indexing: each image has its own order of rows and of columns."""
    count, _, height, width = images.shape
    device = images.device
    rows = torch.arange(height, device=device).expand(count, height)
    columns = torch.arange(width, device=device).expand(count, width)
    if flip:
        mirrored = torch.rand(count, 1, generator=generator, device=device) < 0.5
        columns = torch.where(mirrored, width - 1 - columns, columns)
    if padding:
        shift = torch.randint(-padding, padding + 1, (2, count, 1), generator=generator, device=device)
        rows = (rows + shift[0]).clamp_(0, height - 1)
        columns = (columns + shift[1]).clamp_(0, width - 1)
    picture = torch.arange(count, device=device)
    gathered: Tensor = images.permute(0, 2, 3, 1)[picture[:, None, None], rows[:, :, None], columns[:, None, :]]
    return gathered.permute(0, 3, 1, 2)


def _affine(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    count, device = len(images), images.device

    def draw(most: float) -> Tensor:
        return (torch.rand(count, generator=generator, device=device) * 2 - 1) * (most * strength)

    angle, scale, stretch, shear = draw(math.radians(10)), 1 + draw(0.1), 1 + draw(0.1), draw(0.1)
    # The grid runs from -1 to 1, so a shift of an eighth of the side is a quarter.
    across, down = draw(0.25), draw(0.25)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    first = torch.stack([cosine * scale, shear - sine * scale, across], 1)
    second = torch.stack([sine * scale * stretch, cosine * scale * stretch, down], 1)
    grid = functional.affine_grid(torch.stack([first, second], 1), list(images.shape), align_corners=False)
    darkest = images.amin((0, 2, 3), keepdim=True)
    return functional.grid_sample(images - darkest, grid, align_corners=False) + darkest


def _cutout(images: Tensor, part: float, generator: torch.Generator) -> Tensor:
    count, _, height, width = images.shape
    device = images.device
    side = max(1, round(part * min(height, width)))
    top = torch.randint(0, height, (count, 1), generator=generator, device=device) - side // 2
    left = torch.randint(0, width, (count, 1), generator=generator, device=device) - side // 2
    row, column = torch.arange(height, device=device), torch.arange(width, device=device)
    rows = (row >= top) & (row < top + side)
    columns = (column >= left) & (column < left + side)
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)
