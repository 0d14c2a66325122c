"""Networks for several inputs at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from netwright.errors import InputError
from netwright.space import SearchSpace
from netwright.testing import check_space
from netwright.zoo import compact, several
from netwright.zoo.baselines import baseline

PARTS: list[dict[str, Any]] = [
    {"name": "picture", "kind": "images", "shape": [1, 4, 4], "facts": {}},
    {"name": "about", "kind": "tables", "shape": [3], "facts": {}},
]


def made(parts: list[dict[str, Any]] = PARTS) -> SearchSpace:
    return several.space(input_shape=(19,), outputs=2, parts=parts)


def test_the_suite_of_spaces() -> None:
    """Every sample builds, runs, survives JSON and moves by one decision."""
    check_space(made(), samples=10)


def test_the_number_of_networks() -> None:
    """Three rates and dropouts, a linear layer or one of three widths before it, four numbers of features an input."""
    images = SearchSpace(compact.CompactImages, input_shape=(1, 4, 4), classes=2)
    rows = 4 * 3
    assert 3 * 3 * (1 + 3) * 4 * int(images.size) * 4 * rows == int(made().size)


def test_an_input_reaches_its_branch_alone() -> None:
    """Another table changes what the branch of the table says, not what that of the picture does."""
    network = made().build(made().complete(several.STARTS[0], np.random.default_rng(0))).eval()
    heard: list[torch.Tensor] = []
    network.branches[0].register_forward_hook(lambda *call: heard.append(call[2]))
    x = torch.randn(5, 19)
    other = x.clone()
    other[:, 16:] += 1.0
    first, second = network(x), network(other)
    assert torch.equal(heard[0], heard[1])
    assert not torch.allclose(first, second)


def test_a_branch_for_every_kind() -> None:
    """Words and series beside pictures and tables, all of which learn."""
    words = {"name": "title", "kind": "text", "shape": [5], "facts": {"vocabulary": 9}}
    song = {"name": "song", "kind": "series", "shape": [2, 6], "facts": {}}
    space = several.space(input_shape=(19 + 5 + 12,), outputs=2, parts=[*PARTS, words, song])
    x = torch.randn(3, 36)
    x[:, 19:24] = torch.randint(1, 9, (3, 5)).float()
    for kind in ("bag", "convolutions"):
        network = space.build(space.complete({"title.words": kind}, np.random.default_rng(1)))
        assert (3, 2) == tuple(network(x).shape)


def test_what_does_not_fit_is_refused() -> None:
    """Other sizes than the inputs, and a kind that has no branch."""
    with pytest.raises(InputError, match="the parts have 16 numbers, the inputs 19"):
        made(PARTS[:1])
    with pytest.raises(InputError, match="'about' is of the kind language, which no branch is made for"):
        made([PARTS[0], {**PARTS[1], "kind": "language"}])


def test_the_baseline() -> None:
    """A small network for each kind of input."""
    words = {"name": "title", "kind": "text", "shape": [5], "facts": {"vocabulary": 9}}
    song = {"name": "song", "kind": "series", "shape": [2, 6], "facts": {}}
    network = baseline("several").build((19 + 5 + 12,), 2, {"parts": [*PARTS, words, song]}).eval()
    x = torch.randn(3, 36)
    x[:, 19:24] = torch.randint(0, 9, (3, 5)).float()
    assert (3, 2) == tuple(network(x).shape)
