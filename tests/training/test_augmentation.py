"""Augmentation is checked against plain loops over single images."""

import numpy as np
import pytest
import torch

from netwright.training import Recipe, augment


def images(count=64, channels=2, height=5, width=6):
    return torch.arange(count * channels * height * width, dtype=torch.float32).reshape(count, channels, height, width)


def shifted(image, down, right, flip):
    """One image moved and mirrored by numpy, its edge repeated into the gap."""
    array = image.numpy()[..., ::-1] if flip else image.numpy()
    # The mirror is applied to what is read, so a shift moves the other way.
    right = -right if flip else right
    padded = np.pad(array, ((0, 0), (2, 2), (2, 2)), mode="edge")
    height, width = array.shape[1:]
    return padded[:, 2 + down : 2 + down + height, 2 + right : 2 + right + width]


def candidates(image, flips):
    return [shifted(image, d, r, f) for d in range(-2, 3) for r in range(-2, 3) for f in flips]


@pytest.mark.parametrize(("augmentations", "flips"), [(("crop",), [False]), (("crop", "flip"), [False, True])])
def test_every_image_is_one_of_the_shifts_that_numpy_makes(augmentations, flips):
    """Each result equals the image padded by its edge, cropped, and mirrored where flips are allowed."""
    before = images()
    after = augment(before, Recipe(augment=augmentations, padding=2), torch.Generator().manual_seed(0))
    for old, new in zip(before, after, strict=True):
        assert any(np.array_equal(new.numpy(), candidate) for candidate in candidates(old, flips))


def test_images_of_a_batch_move_by_themselves():
    """All 25 shifts occur in a large batch, so they are drawn for each image."""
    before = images(1).expand(2000, 2, 5, 6)
    after = augment(before, Recipe(augment=("crop",), padding=2), torch.Generator().manual_seed(0))
    assert 25 == len({new.contiguous().numpy().tobytes() for new in after})


def test_half_of_the_images_are_mirrored():
    """A flip leaves an image or mirrors its columns, each in about half of the cases."""
    before = images(1).expand(2000, 2, 5, 6)
    after = augment(before, Recipe(augment=("flip",)), torch.Generator().manual_seed(0))
    same = sum(torch.equal(new, before[0]) for new in after)
    mirrored = sum(torch.equal(new, before[0].flip(-1)) for new in after)
    assert 2000 == same + mirrored
    assert 900 < mirrored < 1100


def test_cutout_blanks_a_square_and_nothing_else():
    """All blanks lie in one square of the asked side, in all channels; the rest is untouched."""
    before = images(500, 2, 8, 8) + 1
    after = augment(before, Recipe(augment=("cutout",), cutout=0.5), torch.Generator().manual_seed(0))
    largest = 0
    for old, new in zip(before, after, strict=True):
        blank = new == 0
        assert torch.equal(new[~blank], old[~blank])
        assert torch.equal(blank[0], blank[1])
        rows, columns = blank[0].any(1).nonzero().flatten(), blank[0].any(0).nonzero().flatten()
        assert len(rows) * len(columns) == int(blank[0].sum())
        assert max(rows.max() - rows.min(), columns.max() - columns.min()) < 4
        largest = max(largest, int(blank[0].sum()))
    assert 16 == largest


def test_the_batch_that_was_given_stays_as_it_was():
    """Augmentation makes new tensors."""
    before = images()
    kept = before.clone()
    augment(before, Recipe(augment=("crop", "flip", "cutout")), torch.Generator().manual_seed(0))
    assert torch.equal(kept, before)


def test_an_affine_change_of_no_strength_is_none():
    """As the strength goes to zero, so do the angle, the scale, the shear and the shift."""
    before = torch.rand(16, 2, 5, 7, generator=torch.Generator().manual_seed(0))
    after = augment(before, Recipe(augment=("affine",), affine=1e-6), torch.Generator().manual_seed(0))
    assert torch.allclose(before, after, atol=1e-4)


def test_an_affine_change_is_drawn_for_each_image_and_by_the_generator():
    """Equal images become different ones, the same again from the same seed."""
    before = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)).expand(8, 1, 8, 8)
    first, second = (augment(before, Recipe(augment=("affine",)), torch.Generator().manual_seed(1)) for _ in "ab")
    assert torch.equal(first, second)
    assert 8 == len({image.numpy().tobytes() for image in first})


def test_an_affine_change_invents_no_value():
    """Between pixels values are interpolated, and the gap is the batch's darkest: none leaves the range there was."""
    before = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0)) + 5
    after = augment(before, Recipe(augment=("affine",)), torch.Generator().manual_seed(0))
    assert after.amin() >= before.amin() - 1e-5
    assert torch.all(after.amax((1, 2, 3)) <= before.amax((1, 2, 3)) + 1e-5)


def test_an_affine_change_shifts_by_an_eighth_of_the_side_at_most():
    """The brightest spot of a blurred dot in the middle stays within an eighth of the side of it."""
    grid = torch.arange(64.0) - 31.5
    dot = torch.exp(-(grid[:, None] ** 2 + grid[None, :] ** 2) / 18)[None, None].expand(300, 1, 64, 64)
    after = augment(dot, Recipe(augment=("affine",)), torch.Generator().manual_seed(0)).flatten(1).argmax(1)
    offsets = torch.stack([after // 64, after % 64]) - 31.5
    assert 6 < offsets.abs().max() <= 8 * 1.25
