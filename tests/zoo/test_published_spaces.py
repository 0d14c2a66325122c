"""The published spaces: sizes, texts, networks as their authors built them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netwright.costs import measure
from netwright.errors import ArchitectureError
from netwright.testing import check_space
from netwright.zoo import SPACES, nasbench201, nasbench_graph, nasbench_macro, nats_size

SMALL: dict[str, dict[str, Any]] = {
    "nasbench201": {"input_shape": (1, 8, 8), "classes": 4, "channels": 4, "cells": 1},
    "nasbench101": {"input_shape": (1, 8, 8), "classes": 4, "vertices": 4, "channels": 8, "modules": 1},
    "nats-size": {"input_shape": (1, 8, 8), "classes": 4},
    "nasbench-macro": {"input_shape": (1, 8, 8), "classes": 4, "channels": 4, "features": 8},
    "nasbench-graph": {"operations": ("gcn", "fc", "skip")},
}


@pytest.mark.parametrize("name", SMALL)
def test_the_suite_of_spaces(name: str) -> None:
    """Every sample of each builds, runs, survives JSON and moves by one decision."""
    check_space(SPACES[name].space(**SMALL[name]), samples=6)


@pytest.mark.parametrize(
    ("name", "size"), [("nasbench201", 15_625), ("nats-size", 32_768), ("nasbench-macro", 6_561)]
)
def test_the_published_sizes(name: str, size: int) -> None:
    """Of those without rules."""
    assert size == SPACES[name].space().size


@pytest.mark.parametrize("name", SMALL)
def test_starts_are_in_their_space(name: str) -> None:
    """Known-good answers are answers."""
    entry = SPACES[name]
    space = entry.space(**SMALL[name])
    for start in entry.starts:
        assert start in space


# NAS-Bench-201


def test_texts_of_cells() -> None:
    """Every architecture survives its text."""
    assert 15_625 == len({nasbench201.to_string(one) for one in nasbench201.architectures()})
    for one in nasbench201.architectures()[::97]:
        assert one == nasbench201.from_string(nasbench201.to_string(one))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("|nor_conv_3x3~0|+|none~0|none~1|", "does not say the operation of edge_03, edge_13, edge_23"),
        ("|nor_conv_5x5~0|+|none~0|none~1|+|none~0|none~1|none~2|", "no operation 'nor_conv_5x5'.*Did you mean 'nor_c"),
        ("|none~0|+|none~0|none~0|+|none~0|none~1|none~2|", "'none~0' at node 2"),
        ("|none~1|+|none~0|none~1|+|none~0|none~1|none~2|", "'none~1' at node 1"),
        ("none~0", "node 1 of the text"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_cell(text: str, message: str) -> None:
    """Says what is wrong with it."""
    with pytest.raises(ArchitectureError, match=message):
        nasbench201.from_string(text)


@pytest.mark.parametrize(
    ("dataset", "shape", "classes", "flops"),
    [("cifar10", (3, 32, 32), 10, 1), ("imagenet16-120", (3, 16, 16), 120, 4)],
)
def test_built_networks_have_the_benchmarks_costs(dataset: str, shape: Any, classes: int, flops: int) -> None:
    """Parameters and multiply-adds of built networks, on the meta device, are those of the formula."""
    space = nasbench201.space(input_shape=shape, classes=classes)
    for one in nasbench201.architectures()[5000::6000]:
        costs = measure(space, one, shape, ["params", "macs"])
        assert (nasbench201.params(one, classes=classes), nasbench201.macs(one, side=shape[1], classes=classes)) == (
            costs["params"], costs["macs"],
        )  # fmt: skip


def test_none_gives_zeros_with_gradients() -> None:
    """A cell of nothing hands on zeros, and its input's gradient is zero, not missing."""
    space = nasbench201.space(**SMALL["nasbench201"])
    network = space.build(dict.fromkeys(nasbench201.EDGES, "none"))
    x = torch.ones(2, 1, 8, 8, requires_grad=True)
    network(x).sum().backward()
    assert network.body[0].weight.grad is not None
    assert 0 == x.grad.abs().max()


def test_isomorphic_cells_compute_the_same() -> None:
    """A path by way of node 1 and the same path by way of node 2 are one function; other operations are another."""
    nothing = dict.fromkeys(nasbench201.EDGES, "none")
    first = {**nothing, "edge_01": "nor_conv_3x3", "edge_13": "skip_connect"}
    other = {**nothing, "edge_01": "skip_connect", "edge_13": "nor_conv_3x3"}
    different = {**first, "edge_13": "avg_pool_3x3"}
    assert nasbench201.function_of(first) == nasbench201.function_of(other)
    assert nasbench201.function_of(first) != nasbench201.function_of(different)


# NATS-Bench's sizes, NAS-Bench-Macro


@pytest.mark.parametrize(
    ("text", "known"), [("8:8:8:8:8", 11_714), ("8:8:16:40:40", 107_826), ("64:64:64:64:64", 713_674)]
)
def test_parameters_of_the_size_space(text: str, known: int) -> None:
    """Those that the benchmark recorded."""
    one = nats_size.from_string(text)
    assert text == nats_size.to_string(one)
    assert known == sum(parameter.numel() for parameter in nats_size.space().build(one).parameters())


def test_texts_of_sizes_and_layers() -> None:
    """What is none is refused."""
    for wrong in ("8:8:8:8", "8:8:8:8:9", "8:8:8:8:eight"):
        with pytest.raises(ArchitectureError):
            nats_size.from_string(wrong)
    one = nasbench_macro.from_string("01201200")
    assert "01201200" == nasbench_macro.to_string(one)
    for wrong in ("0120120", "01201203"):
        with pytest.raises(ArchitectureError):
            nasbench_macro.from_string(wrong)


def test_a_layer_of_the_macro_space_by_hand() -> None:
    """Parameters of the network of identities: stem, three 1×1 convolutions, the last layer and the head."""
    network = nasbench_macro.space().build(nasbench_macro.from_string("00000000"))
    stem = 27 * 32 + 64
    halvings = sum(c * 2 * c + 4 * c for c in (32, 64, 128))
    assert stem + halvings + 256 * 1280 + 2560 + 12_810 == sum(p.numel() for p in network.parameters())
    assert (1, 10) == network(torch.zeros(1, 3, 32, 32)).shape


# NAS-Bench-Graph


def test_trees_that_compute_the_same() -> None:
    """The order of brothers, the place of a skip in a chain, and a skip of the input do not matter."""
    of = lambda link, *ops: nasbench_graph.function_of(nasbench_graph.architecture_of(link, ops))  # noqa: E731
    assert of([0, 0, 1, 2], "gcn", "gat", "fc", "gin") == of([0, 0, 2, 1], "gcn", "gat", "gin", "fc")
    assert of([0, 1, 2, 3], "gcn", "skip", "gat", "fc") == of([0, 1, 2, 3], "skip", "gcn", "gat", "fc")
    assert of([0, 0, 0, 0], "skip", "gcn", "gat", "fc") == of([0, 1, 1, 1], "skip", "gcn", "gat", "fc")
    assert of([0, 1, 1, 2], "gcn", "gat", "skip", "fc") != of([0, 1, 2, 3], "gcn", "skip", "gat", "fc")


def test_every_row_of_the_benchmark_is_another_function() -> None:
    """The 26,206 published architectures have as many different texts."""
    path = Path(__file__).parents[3] / "shared" / "data" / "nas_bench_graph" / "nas_bench_graph.npz"
    if not path.is_file():
        pytest.skip(f"the real table is not there ({path})")
    with np.load(path) as file:
        links, ops = file["link"].tolist(), file["ops"].tolist()
    functions = {
        nasbench_graph._function_of(tuple(link), tuple(nasbench_graph.OPERATIONS[op] for op in row))
        for link, row in zip(links, ops, strict=True)
    }
    assert 26_206 == len(functions)
