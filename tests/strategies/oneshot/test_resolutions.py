"""Elastic resolution: the published sizes in proportion, one a batch for all networks, and only what they take."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import torch
from tests.strategies.oneshot.learning import begun, goes_on_exactly
from torch import nn

import netwright as nw
from netwright.errors import InputError
from netwright.strategies.oneshot import OFA
from netwright.strategies.oneshot.resolutions import drawn, resized, sizes


class Picture(nn.Module):
    """A width is open, and pictures of any size are taken; three classes."""

    def __init__(self):
        super().__init__()
        width = nw.choose("width", 2, 4)
        self.conv = nn.Conv2d(1, width, 3, padding=1)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        return self.head(self.conv(x).relu().mean((2, 3)))


class Patches(Picture):
    """Sides have to be multiples of four."""

    def forward(self, x):
        return super().forward(x.unflatten(3, (-1, 4)).flatten(3).unflatten(2, (-1, 4)).flatten(2, 3))


class Halved(Picture):
    """A network of a second block has no picture left where it was smaller than 24 pixels."""

    def __init__(self):
        super().__init__()
        self.more = nw.one_of("more", no=nn.Identity, yes=lambda: nn.Conv2d(1, 1, 24))

    def forward(self, x):
        return super().forward(self.more(x))


def pictures(count=1, side=32, examples=6):
    draw = torch.Generator().manual_seed(0)
    return [(torch.randn(examples, 1, side, side, generator=draw), torch.arange(examples) % 3) for _ in range(count)]


def seen(method, supernet, steps, batches):
    """For each step the sizes of the pictures that its networks, the teacher among them, were given."""
    course, found = method._course, []
    original = type(course).outputs_of
    watched = type("Watched", (type(course),), {
        "outputs_of": lambda self, network, x: (found[-1].append(tuple(x.shape[2:])), original(self, network, x))[1]
    })  # fmt: skip
    method._sizes = method._usable(batches[0][0])
    object.__setattr__(method, "_course", watched(**vars(course)))
    for number in steps:
        found.append([])
        method.step(number, batches[number % len(batches)], None)
    return found


def test_the_published_sizes():
    """128 to 224 pixels in steps of four; of other images the same parts of their sides."""
    assert [(side, side) for side in range(128, 225, 4)] == sizes("OFA", torch.zeros(1, 3, 224, 224), "published")
    assert [(side, side) for side in range(18, 33)] == sizes("OFA", torch.zeros(1, 3, 32, 32), "published")
    wide = sizes("OFA", torch.zeros(1, 3, 64, 128), "published")
    assert wide[0] == (37, 73)
    assert wide[-1] == (64, 128)


def test_sizes_that_are_listed_are_those_of_the_shorter_side():
    """The other keeps the proportion; the same size twice is one."""
    assert [(12, 24), (16, 32), (20, 40)] == sizes("OFA", torch.zeros(1, 3, 16, 32), (16, 12, 20, 16))


@pytest.mark.parametrize(
    ("inputs", "asked"),
    [
        (torch.zeros(1, 1, 28, 28), "published"),
        (torch.zeros(1, 3, 224, 31), "published"),
        (torch.zeros(4, 7), "published"),
        (torch.zeros(1, 3, 64, 64), None),
    ],
)
def test_the_others_stay_as_they_are(inputs, asked):
    """Small images, what is no image, and where none are wanted."""
    assert sizes("OFA", inputs, asked) == []


def triangles(before, after):
    """The weights by which ``after`` pixels in a row are made of so many before them (after, before), by hand.

    A triangle around the middle of each, as wide as two of the larger of both pixels, cut off at the edges; their sum
    is 1.
    """
    step = before / after
    width = max(step, 1.0)
    middles = [(place + 0.5) * step for place in range(after)]
    rows = [[max(0.0, 1 - abs(pixel + 0.5 - middle) / width) for pixel in range(before)] for middle in middles]
    found = torch.tensor(rows, dtype=torch.float64)
    return found / found.sum(1, keepdim=True)


@pytest.mark.parametrize("size", [(4, 6), (8, 3), (5, 5), (11, 12), (16, 9)])
def test_a_batch_is_resized_as_a_whole(size):
    """Bilinear, by triangles that grow with the step where images become smaller: none of their pixels is passed over.

    Smaller and larger, by whole steps and others, each side for itself.
    """
    images = torch.randn(2, 3, 8, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    down, across = triangles(8, size[0]), triangles(9, size[1])
    torch.testing.assert_close(resized(images, size), down @ images @ across.T)


def test_a_line_does_not_vanish_where_images_become_smaller():
    """A fourth of the width: plain bilinear would look at pixels 13 and 14, 17 and 18, and never at the 16th."""
    line = torch.zeros(1, 1, 32, 32)
    line[..., 16] = 1.0
    assert [0, 0, 0, 3 / 32, 5 / 32, 0, 0, 0] == resized(line, (32, 8))[0, 0, 0].tolist()


def test_its_own_size_is_the_very_same_tensor():
    """Nothing is copied."""
    images = torch.zeros(2, 1, 32, 30)
    assert resized(images, (32, 30)) is images


def test_sizes_are_drawn_uniformly_by_seed_and_step():
    """Over many steps each as often, in another order with another seed, the same with the same."""
    images, found = torch.zeros(1, 1, 4, 4), [(2, 2), (3, 3), (4, 4)]
    sequence = [[drawn(found, images, seed, step).shape[2] for step in range(600)] for seed in (1, 1, 2)]
    assert sequence[0] == sequence[1] != sequence[2]
    assert all(160 < count < 240 for count in Counter(sequence[0]).values())


def test_all_networks_of_a_step_have_one_size():
    """And the teacher too; over the steps all sizes occur."""
    method = OFA(resolutions=(16, 24, 32), sort=False)
    supernet = begun(method, Picture, steps=40, epochs=1)
    found = seen(method, supernet, range(40), pictures(4))
    assert all(len(set(step)) == 1 for step in found)
    assert {side for step in found for side, _ in step} == {16, 24, 32}
    assert max(map(len, found)) == 5


def test_other_data_are_left_alone():
    """Rows of numbers, small pictures, and the sandwich without a list."""
    for method, batch in [
        (OFA(), pictures(side=16)[0]), (OFA(resolutions=None), pictures()[0]), (OFA("sandwich"), pictures()[0])
    ]:  # fmt: skip
        begun(method, Picture)
        assert method._usable(batch[0]) == []


def test_the_sandwich_takes_a_list():
    """Its networks have one size a step, too."""
    method = OFA("sandwich", resolutions=(8, 16))
    supernet = begun(method, Picture)
    found = seen(method, supernet, range(12), pictures(side=16))
    assert {step[0] for step in found} == {(8, 8), (16, 16)}
    assert all(len(step) == 4 and len(set(step)) == 1 for step in found)


def test_sizes_that_the_largest_network_cannot_take_are_left_out():
    """Of the published ones those that are no multiples of its patch."""
    method = OFA()
    begun(method, Patches)
    assert [(20, 20), (24, 24), (28, 28), (32, 32)] == method._usable(pictures()[0][0])


def test_what_is_left_out_is_said():
    """By the size, with the network and its reason; a checkpoint knows it, too."""
    method = OFA()
    begun(method, Patches)
    assert method.left_out == {}
    method.step(0, pictures()[0], None)
    expected = {f"{side}×{side}" for side in range(18, 33) if side % 4}
    assert expected == set(method.left_out)
    assert "the network width=4 cannot take: " in method.left_out["18×18"]
    again = OFA()
    begun(again, Patches)
    again.recall(method.said())
    assert again.left_out == method.left_out


def test_sizes_too_small_for_other_networks_are_left_out():
    """Where a candidate that the largest has not needs more pixels."""
    method = OFA()
    begun(method, Halved)
    assert [(side, side) for side in range(24, 33)] == method._usable(pictures()[0][0])


def test_listed_sizes_that_no_network_can_take_are_an_error():
    """By name, with the network and what it said, for the method that runs; the supernet is as it was."""
    for rule, name in [("shrink", "OFA"), ("sandwich", 'OFA("sandwich")')]:
        method = OFA(rule, resolutions=(30, 32))
        supernet = begun(method, Patches)
        message = rf"^{re.escape(name)}: resolutions has 30×30 pixels, which the network width=4 cannot take: .*"
        with pytest.raises(InputError, match=message) as refused:
            method.step(0, pictures()[0], None)
        assert refused.value.hint == "List sides that all networks take, or none: resolutions=None"
        assert supernet.training


def test_trying_leaves_every_mode_as_it_was():
    """A norm that is frozen stays so, and what was tried learns in its turn."""
    method = OFA()
    supernet = begun(method, Patches)
    small, large = (supernet.at({"width": width}) for width in (2, 4))
    large.head.eval()
    method._usable(pictures()[0][0])
    assert (small.training, large.training, large.conv.training, large.head.training) == (True, True, True, False)


def test_a_checkpoint_goes_on_exactly():
    """Sizes are those of an uninterrupted course."""
    data = pictures(15)
    assert goes_on_exactly(lambda: OFA(lr=0.1), Picture, data=data, steps=16, epochs=4)


@pytest.mark.parametrize(
    ("resolutions", "message"),
    [
        ("all", "'published', none, or a list of sides in pixels, found 'all'"),
        ((), "found ()"),
        (16, "found 16"),
        ((16, 0), r"resolutions[1] is a whole number of at least 1, found 0"),
        ((16.5,), r"resolutions[0] is a whole number of at least 1, found 16.5"),
    ],
)
def test_nonsense_is_refused(resolutions, message):
    """Before anything is trained."""
    with pytest.raises(InputError) as refused:
        OFA(resolutions=resolutions)
    assert message in str(refused.value)


def test_listed_sizes_of_rows_are_an_error():
    """There is nothing to resize; the method that runs is named."""
    for rule, name in [("shrink", "OFA"), ("sandwich", 'OFA("sandwich")')]:
        method = OFA(rule, resolutions=(16,))
        begun(method, Picture)
        message = rf"^{re.escape(name)}: .* of images \(N, C, H, W\), found inputs of the shape \(24, 3\)"
        with pytest.raises(InputError, match=message):
            method.step(0, (torch.zeros(24, 3), torch.zeros(24, dtype=torch.long)), None)
