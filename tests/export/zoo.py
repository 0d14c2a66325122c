"""Every space of the zoo, small enough to be exported in a second."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from netwright.space import SearchSpace
from netwright.zoo import SPACES

DIGITS: dict[str, Any] = {"input_shape": (1, 8, 8), "classes": 4}
CELLS: dict[str, Any] = {**DIGITS, "channels": 4, "cells": 3}
WORDS = torch.arange(6).reshape(2, 3)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "compact-images": DIGITS,
    "compact-tables": {"input_shape": (7,), "outputs": 3},
    "nasbench201": {**DIGITS, "channels": 4, "cells": 1},
    "digits-cells": DIGITS,
    "nasbench101": {**DIGITS, "vertices": 4, "channels": 8, "modules": 1},
    "nats-size": DIGITS,
    "nasbench-macro": {**DIGITS, "channels": 4, "features": 8},
    "darts": CELLS,
    "nasnet": CELLS,
    "amoebanet": CELLS,
    "pnas": CELLS,
    "darts-rnn": {"vocabulary": 11, "hidden": 6},
    "zoph-rnn": {"vocabulary": 11, "hidden": 6},
    "proxyless": {**DIGITS, "widths": (4, 4, 4, 6, 6, 8, 8, 12, 16), "blocks": 2},
    "enas-macro": {**DIGITS, "channels": 4, "layers": 4},
    "enas-micro": {**CELLS, "cells": 1},
    "fbnet": {**DIGITS, "widths": (4, 4, 4, 6, 6, 8, 8, 12), "features": 16, "layers": 1},
    "mobilenetv3": {**DIGITS, "width": 0.1, "family": "small", "most": 1},
    "ofa": {**DIGITS, "widths": (0.1,), "depths": (1, 2)},
    "shufflenetv2": DIGITS,
    "autoformer": {
        **DIGITS, "patch": 4, "widths": (6, 8), "heads": (1, 2), "ratios": (1.0, 2.0), "depths": (1, 2), "features": 4,
    },
    "compact-language": {"vocabulary": 11, "context": 8},
    "language-transformer": {"vocabulary": 11, "context": 8, "widths": (6, 12), "depths": (1, 2), "heads": (1, 3)},
    "tables": {
        "input_shape": (7,), "outputs": 3, "edges": [[-2.0, -1.0, 0.0, 3.0], [0.0, 1.0], [-1.0, 0.5, 1.0]],
        "categories": [[3, 2]], "codes": [[5, 40], [6, 35]],
    },
    "table-networks": {"input_shape": (8,), "outputs": 3},
    "series": {"input_shape": (2, 12), "outputs": 3},
    "compact-audio": {"input_shape": (1, 16, 20), "classes": 3},
    "compact-forecast": {"input_shape": (2, 16), "outputs": 4, "season": 3, "positive": True},
    "compact-text": {"input_shape": (7,), "outputs": 3, "vocabulary": 1100},
    "several-inputs": {
        "input_shape": (19,), "outputs": 3,
        "parts": [
            {"name": "picture", "kind": "images", "shape": [1, 4, 4], "facts": {}},
            {"name": "about", "kind": "tables", "shape": [3], "facts": {}},
        ],
    },
}  # fmt: skip
"""What the network of each space is made with. NAS-Bench-Graph is declared, and has no network to be built."""

KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "compact-text": ("network", ("bag", "convolutions", "recurrent", "transformer")),
    "tables": ("numbers", ("plain", "ranks", "piecewise", "periodic", "transformer")),
    "table-networks": ("network", ("mlp", "resnet", "transformer")),
    "compact-language": ("network", ("lstm", "gru", "convolutions", "transformer")),
    "series": ("network", ("resnet", "tcn", "lstm", "inception")),
    "compact-forecast": ("network", ("blend", "linear", "split", "perceptron", "pooled", "convolutions")),
}
"""Spaces with several families of networks: the decision between them, and its answers."""

CASES = [
    case
    for name in ARGUMENTS
    for case in ([(name, kind) for kind in KINDS[name][1]] if name in KINDS else [(name, "")])
]

FEW = [
    (name, kinds[0] if kinds else "")
    for name in ARGUMENTS
    if name not in ("amoebanet", "pnas")  # their network is that of nasnet
    for kinds in [KINDS.get(name, ("", ()))[1]]
]
"""One network of each space, for what takes seconds a network."""


def make(name: str, kind: str = "", seed: int = 0) -> tuple[nn.Module, torch.Tensor]:
    """A network of a random architecture, in evaluation mode, and three examples for it."""
    space: SearchSpace = SPACES[name].space(**ARGUMENTS[name])
    rng = np.random.default_rng(seed)
    architecture = space.sample(rng)
    if kind:
        # A transformer for tables has other numbers than the other kinds of network.
        architecture = space.complete({"network" if kind == "transformer" else KINDS[name][0]: kind}, rng)
    torch.manual_seed(seed)
    network = space.build(architecture)
    shape = ARGUMENTS[name].get("input_shape")
    example = WORDS[[0, 1, 0]] if shape is None else torch.randn(3, *shape)
    with torch.no_grad():
        # Running statistics that are not those of a fresh norm.
        network.train()
        network(example)
    return network.eval(), example
