"""Every space of the zoo as a supernet that is arranged: what it shares comes out bit for bit; the rest is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from netwright import zoo
from netwright.errors import SpaceError
from netwright.supernet import Supernet
from netwright.supernet.layout import laid_out

PICTURE: dict[str, Any] = {"input_shape": (3, 8, 8), "classes": 4}
CELLS = {**PICTURE, "channels": 4, "cells": 3}
SMALL: dict[str, dict[str, Any]] = {
    "compact-images": PICTURE,
    "compact-tables": {"input_shape": (7,), "outputs": 4},
    "nasbench201": {**PICTURE, "channels": 4, "cells": 1},
    "digits-cells": PICTURE,
    "nasbench101": {**PICTURE, "vertices": 4, "channels": 8, "modules": 1},
    "nats-size": PICTURE,
    "nasbench-macro": {**PICTURE, "channels": 4, "features": 8},
    "darts": CELLS,
    "nasnet": {**CELLS, "join": "all"},
    "amoebanet": {**CELLS, "join": "all"},
    "pnas": CELLS,
    "darts-rnn": {"vocabulary": 11, "hidden": 6},
    "zoph-rnn": {"vocabulary": 11, "hidden": 6},
    "proxyless": {**PICTURE, "widths": (8, 4, 4, 8, 8, 8, 12, 12, 16), "blocks": 2},
    "enas-macro": {**PICTURE, "channels": 4, "layers": 4},
    "enas-micro": {**CELLS, "join": "all"},
    "fbnet": {**PICTURE, "widths": (4, 4, 4, 6, 6, 8, 8, 12), "features": 16, "layers": 2},
    "mobilenetv3": {**PICTURE, "width": 0.1, "most": 1},
    "ofa": {**PICTURE, "widths": (0.1,), "depths": (1, 2)},
    "shufflenetv2": {**PICTURE, "widths": (4, 6, 8, 12, 16, 20), "blocks": 2},
    "autoformer": {**PICTURE, "patch": 4, "widths": (6, 8), "heads": (1, 2), "ratios": (1.0, 2.0), "depths": (1, 2),
                   "features": 4},
    "compact-language": {"vocabulary": 11, "context": 8},
    "language-transformer": {"vocabulary": 11, "context": 8, "widths": (6, 12), "depths": (1, 2), "heads": (1, 3)},
    "tables": {"input_shape": (7,), "outputs": 2, "edges": [[-2.0, -1.0, 0.0, 3.0], [0.0, 1.0], [-1.0, 0.5, 1.0]],
               "categories": [[3, 2]], "codes": [[5, 40], [6, 35]]},
    "table-networks": {"input_shape": (7,), "outputs": 4},
    "series": {"input_shape": (2, 12), "outputs": 3},
    "several-inputs": {"input_shape": (67,), "outputs": 4, "parts": [
        {"name": "picture", "kind": "images", "shape": [1, 8, 8], "facts": {}},
        {"name": "about", "kind": "tables", "shape": [3], "facts": {}},
    ]},
    "compact-audio": {"input_shape": (1, 16, 20), "classes": 4},
    "compact-forecast": {"input_shape": (2, 16), "outputs": 4, "season": 3, "positive": True},
    "compact-text": {"input_shape": (7,), "outputs": 4, "vocabulary": 20},
}  # fmt: skip
"""Arguments that make each of them small."""

LOOSE = r"'normal\.(block|node)2\.left' picks was looked at in the constructor"
"""What a cell joins in the end are the states that nothing took, and so its width follows from its connections."""
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nasnet": (CELLS, LOOSE),
    "amoebanet": (CELLS, LOOSE),
    "enas-micro": (CELLS, LOOSE),
}
"""Those that are refused as published, with the reason; they can be shared where all states are joined."""
DECLARED = {"nasbench-graph"}
"""Those that are the space of a table alone: there is no network to run."""


def made(name):
    """A small supernet of a space, arranged, with the statistics of some path; and two inputs."""
    arguments, draw = SMALL[name], torch.Generator().manual_seed(0)
    words = torch.randint(11, (2, 8), generator=draw)
    x = torch.randn(2, *arguments["input_shape"], generator=draw) if "input_shape" in arguments else words
    supernet = Supernet(zoo.SPACES[name].space(**arguments), seed=1)
    supernet.arrange(x)
    outputs(supernet.at(supernet.space.unrestricted.sample(np.random.default_rng(7))), x)
    # As images lie in an arranged supernet, where it is one.
    return supernet, laid_out(x) if supernet.board.laid_out else x


def outputs(network, x):
    torch.manual_seed(0)  # dropout
    with torch.no_grad():
        return network(x)


@pytest.mark.parametrize("name", SMALL)
def test_what_is_extracted_is_the_supernet_there(name):
    """Bit for bit, training and then with the statistics of that, after it was arranged; and twice the same."""
    supernet, x = made(name)
    rng = np.random.default_rng(1)
    for architecture in [supernet.space.sample(rng) for _ in range(2)]:
        plain = supernet.train().extract(architecture)
        assert torch.equal(outputs(plain, x), outputs(supernet.at(architecture), x))
        assert torch.equal(outputs(plain.eval(), x), outputs(supernet.eval().at(architecture), x))
        again = supernet.extract(architecture).state_dict()
        assert plain.state_dict().keys() == again.keys()
        assert all(torch.equal(tensor, again[key]) for key, tensor in plain.state_dict().items())


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_shared_is_refused_by_name(name):
    """At once, with the decision whose answer the constructor looks at, and what to do."""
    arguments, reason = REFUSED[name]
    with pytest.raises(SpaceError, match=reason) as refused:
        Supernet(zoo.SPACES[name].space(**arguments))
    assert "Call it on all states" in str(refused.value.hint)


def test_every_space_is_in_these_tests():
    """A new one has to be shared, or refused with a reason."""
    assert set(zoo.SPACES) == set(SMALL) | DECLARED
