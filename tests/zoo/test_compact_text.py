"""Linear models, bags, convolutions, recurrent networks and transformers for texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from netwright.graphs.source import write_source
from netwright.space import SearchSpace
from netwright.supernet import Supernet
from netwright.testing import check_space
from netwright.training import Data, Recipe, predict, train_network
from netwright.zoo import baselines, compact_text

KINDS = ("linear", "bag", "convolutions", "recurrent", "transformer")


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    """For seven words of a vocabulary of 1,100, and three outputs."""
    return compact_text.space(input_shape=(7,), outputs=3, vocabulary=1100)


def texts(length: int = 7) -> torch.Tensor:
    """A text of seven words, one of three and one of none; the rest is filled up."""
    x = torch.zeros(3, length)
    x[0, :7] = torch.tensor([5.0, 1099.0, 1.0, 7.0, 1050.0, 3.0, 2.0])
    x[1, :3] = torch.tensor([4.0, 2.0, 9.0])
    return x


def test_the_suite_of_spaces(space: SearchSpace) -> None:
    """Every sample builds, runs on numbers of words, survives JSON and moves by one decision."""
    check_space(space, samples=8)


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_after_the_end_changes_nothing(kind: str) -> None:
    """Of a longer input with the same words the answers are the same."""
    short, long = (compact_text.space(input_shape=(n,), outputs=3, vocabulary=1100) for n in (7, 12))
    architecture = short.complete({"network": kind}, np.random.default_rng(3))
    network, wider = short.build(architecture).eval(), long.build(architecture).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.5)
    state = network.state_dict()
    if kind == "transformer":
        state["network.places.weight"] = torch.cat(
            [
                state["network.places.weight"],
                torch.ones(5, 32)[:, :1].expand(5, state["network.places.weight"].shape[1]),
            ]
        )
    wider.load_state_dict(state)
    torch.testing.assert_close(wider(texts(12)), network(texts()), atol=1e-5, rtol=1e-4)


def test_words_above_the_size_share_embeddings() -> None:
    """The most frequent keep theirs; no number is out of the table."""
    words = compact_text.Words(1000, 1, 0.0)
    words.table.weight.data = torch.arange(1256.0)[:, None]
    assert [0, 7, 999, 1000, 1000, 1255] == words(torch.tensor([0, 7, 999, 1024, 1280, 1023]))[:, 0].tolist()


def test_pairs_of_one_word_say_nothing() -> None:
    """A pair is there where both of its words are; what is hashed stays in the table."""
    pairs = compact_text.Pairs(2**14, 1)
    torch.nn.init.ones_(pairs.table.weight)
    numbers = torch.tensor([[60_000, 0, 0], [60_000, 59_999, 0], [60_000, 1, 2]])
    there = (numbers > 0).float()[:, :, None]
    torch.testing.assert_close(pairs(numbers, there)[:, 0], torch.tensor([0.0, 1.0, 2**0.5]))


def test_rare_words_count_more() -> None:
    """By the logarithm of their place; what is not there still counts nothing."""
    numbers = torch.tensor([[1, 3, 7, 0]])
    there = torch.tensor([1.0, 1.0, 0.5, 0.0])[None, :, None]
    # log 2, log 4 and half of log 8, by log 8.
    expected = torch.tensor([1 / 3, 2 / 3, 1 / 2, 0.0])[None, :, None]
    torch.testing.assert_close(compact_text.Rare(7)(numbers, there), expected)


def test_a_bag_knows_no_order() -> None:
    """Without pairs."""
    space = compact_text.space(input_shape=(7,), outputs=3, vocabulary=1100)
    network = space.build(space.complete({"network": "bag", "bag.pairs": "none"}, np.random.default_rng(0))).eval()
    torch.nn.init.normal_(network.network.words.table.weight)
    x = texts()[:1]
    torch.testing.assert_close(network(x), network(x.flip(1)))


def test_a_linear_model_adds_up_words_and_pairs() -> None:
    """By hand: 64 times the bias, the weighted words over their length, and a share of the pairs over theirs."""
    space = compact_text.space(input_shape=(7,), outputs=2, vocabulary=1100, known=1000)
    answers = {"network": "linear", "linear.weigh": "alike", "linear.share": 0.5, "linear.forget": 0.0}
    network = space.build(space.complete(answers, np.random.default_rng(0))).eval()
    linear = network.network
    torch.nn.init.normal_(linear.words.table.weight)
    torch.nn.init.normal_(linear.pairs.table.weight)
    torch.nn.init.normal_(linear.bias)
    x = texts()[1:2]
    words = linear.words.table.weight[[4, 2, 9]].sum(0) / 3**0.5
    places = [
        (4 * compact_text.FACTOR + 2) % linear.pairs.buckets,
        (2 * compact_text.FACTOR + 9) % linear.pairs.buckets,
    ]
    pairs = linear.pairs.table.weight[places].sum(0) / 2**0.5
    torch.testing.assert_close(network(x)[0], 64 * (linear.bias + words + 0.5 * pairs), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("lr", [5e-4, 2.4e-3, 1e-2])
def test_a_linear_model_of_numbers_converges(lr: float) -> None:
    """At any learning rate of the space: what it learns is the sum of the values of the words."""
    rng = np.random.default_rng(0)
    X = rng.integers(1, 40, size=(600, 6)).astype(np.float32)
    values = rng.normal(size=40)
    y = values[X.astype(int)].sum(1)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    space = compact_text.space(input_shape=(6,), outputs=1, vocabulary=40, regression=True)
    answers = {**compact_text.TEXT_STARTS[0], "linear.weigh": "alike", "linear.share": 0.25, "recipe.lr": lr}
    architecture = space.complete({**answers, "recipe.weight_decay": 0.1}, rng)
    recipe = Recipe(**baselines.baseline("text").recipe).override(architecture)
    torch.manual_seed(0)
    network = space.build(architecture)
    train_network(network, Data(X, y), np.arange(500), recipe, epochs=20)
    error = np.mean((predict(network, X[500:])[:, 0] - y[500:]) ** 2)
    assert error < 0.15


def test_shared_numbers_are_of_use_to_sums_alone() -> None:
    """Linear models and bags of all words learn from each of them; of other networks they share a few embeddings."""
    space = compact_text.space(input_shape=(7,), outputs=2, vocabulary=9000, known=1100)
    rng = np.random.default_rng(0)
    sizes = {}
    for kind, words in (("linear", {}), ("bag", {"bag.words": "all"}), ("convolutions", {"convolutions.words": "all"})):
        network = space.build(space.complete({"network": kind, **words}, rng)).network
        sizes[kind] = getattr(network, "embedding", network).words.table.weight.shape[0] - compact_text.SHARED
    assert sizes == {"linear": 9000, "bag": 9000, "convolutions": 1100}


def test_both_ways_read_the_last_word_first() -> None:
    """The second layer has the words of each text turned round, whatever its length."""
    layer = compact_text.BothWays(2, 3)
    layer.back = layer.onward
    features = torch.randn(1, 4, 2)
    there = torch.tensor([1.0, 1.0, 1.0, 0.0])[None, :, None]
    turned = torch.cat([features[:, :3].flip(1), features[:, 3:]], 1)
    torch.testing.assert_close(layer(features, there)[:, :3, 3:], layer(turned, there)[:, :3, :3])


@pytest.mark.parametrize("start", compact_text.TEXT_STARTS, ids=lambda one: one["network"])
def test_starts_learn_and_are_written_out(space: SearchSpace, start: Mapping[str, Any]) -> None:
    """Every parameter has a gradient, and the network is plain source."""
    network = space.build(space.complete(start, np.random.default_rng(0)))
    network(texts()).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert "class Network" in write_source(network.eval(), texts())


def test_a_supernet_shares_the_space(space: SearchSpace) -> None:
    """By slices and switches: what is extracted gives what the supernet gives."""
    supernet = Supernet(space).eval()
    for kind in KINDS:
        architecture = space.complete({"network": kind}, np.random.default_rng(1))
        assert torch.equal(supernet.at(architecture)(texts()), supernet.extract(architecture)(texts()))
