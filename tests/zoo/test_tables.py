"""The space for tables: its encodings of numbers against their definitions, and what becomes of its networks."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
import torch

import netwright as nw
from netwright.export.examples import Examples, Rows
from netwright.export.int8 import quantise
from netwright.graphs import OnnxSession, onnx_bytes
from netwright.supernet import Supernet
from netwright.zoo.tables import MOST_TOKENS, TABLES_STARTS, Periodic, PiecewiseLinear, RankToNormal, Tables

EDGES = [[-2.0, -1.0, 0.0, 3.0], [0.0, 1.0], [-1.0, 0.5, 1.0]]
"""Three columns of numbers, the second with two values; features beyond are categories."""


def space() -> nw.SearchSpace:
    return nw.SearchSpace(Tables, input_shape=(5,), outputs=2, edges=EDGES)


def test_piecewise_linear() -> None:
    """Equation 1 of the paper, part by part, for the columns of more than two values."""
    x = torch.tensor([[-1.5, 1.0, 0.75, 1.0, 0.0], [9.0, 0.0, -9.0, 0.0, 1.0]])
    encoded = PiecewiseLinear(EDGES)(x)
    torch.testing.assert_close(encoded[:, 5:], x)
    torch.testing.assert_close(encoded[:, :5], torch.tensor([[0.5, 0, 0, 1, 0.5], [1.0, 1, 1, 0, 0]]))


def test_ranks() -> None:
    """An edge is the normal quantile of its rank; half of a part is half of the way; two values stay as they are."""
    quantiles = [NormalDist().inv_cdf((rank + 0.5) / 4) for rank in range(4)]
    x = torch.tensor([[value, 1.0, 0.5, 1.0, 0.0] for value in (*EDGES[0], 1.5, 99.0)])
    ranked = RankToNormal(EDGES)(x)
    torch.testing.assert_close(ranked[:, 2:], x[:, [1, 3, 4]])
    expected = [*quantiles, (quantiles[2] + quantiles[3]) / 2, quantiles[3]]
    torch.testing.assert_close(ranked[:, 0], torch.tensor(expected))
    torch.testing.assert_close(ranked[:, 1], torch.zeros(6), atol=1e-6, rtol=0)


def test_periodic() -> None:
    """Sines and cosines of 2π times a frequency times the number."""
    layer = Periodic(3, 0.2)
    x = torch.randn(4, 5)
    encoded = layer(x).detach().numpy()
    angles = 2 * np.pi * x[:, :3].numpy()[:, :, None] * layer.frequencies.weight.detach().numpy()
    np.testing.assert_allclose(encoded[:, :24], np.sin(angles).reshape(4, -1), atol=1e-5)
    np.testing.assert_allclose(encoded[:, 24:48], np.cos(angles).reshape(4, -1), atol=1e-5)


def test_edges_make_the_decision() -> None:
    """Without edges, or with columns of two values alone, there is nothing to encode."""
    names = [{decision.name for decision in each.decisions} for each in (
        space(), nw.SearchSpace(Tables, input_shape=(5,), outputs=2),
        nw.SearchSpace(Tables, input_shape=(5,), outputs=2, edges=[[0.0, 1.0]]),
    )]  # fmt: skip
    assert ["numbers" in each for each in names] == [True, False, False]


WITH_CODES = {"input_shape": (8,), "outputs": 2, "edges": EDGES, "categories": [[3, 3]], "codes": [[6, 40], [7, 35]]}
"""Three numbers, a category of three columns, and two that come as numbers."""


BLOCKS = TABLES_STARTS[2]
TRANSFORMER = {
    "network": "transformer", "transformer.numbers": "ranks", "transformer.width": "w16", "transformer.depth": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    "start",
    [*TABLES_STARTS, TRANSFORMER],
    ids=["additive", "linear", "piecewise", "plain", "residual", "ranks", "transformer"],
)
def test_starts_are_of_the_space(start: dict[str, object]) -> None:
    """The known-good starts build and answer, and all that they say is asked."""
    coded = nw.SearchSpace(Tables, **WITH_CODES)
    architecture = coded.complete(start, np.random.default_rng(0))
    assert {name: architecture[name] for name in start} == start
    assert coded.build(architecture)(torch.randn(3, 8)).shape == (3, 2)


def test_embeddings_follow_the_numbers() -> None:
    """Whatever encodes the numbers, the layer's last inputs are the embedded categories: all of them are told apart."""
    coded = nw.SearchSpace(Tables, **WITH_CODES)
    for numbers in ("plain", "ranks", "piecewise", "periodic"):
        answers = {**BLOCKS, "numbers": numbers, "embedding": 4}
        network = coded.build(coded.complete(answers, np.random.default_rng(0)))
        layer = network.network.entry[1] if numbers == "plain" else network.network.entry[1][1]
        x = torch.randn(1, 8).repeat(2, 1)
        x[:, 6], x[:, 7] = 5.0, torch.tensor([3.0, 4.0])
        given: list[torch.Tensor] = []
        layer.register_forward_hook(lambda _, inputs, __, given=given: given.append(inputs[0]))
        network(x)
        places = given[0].shape[1] - torch.tensor([7, 5, 3, 1])
        assert (given[0][0] != given[0][1]).nonzero().flatten().tolist() == places.tolist()


@pytest.mark.parametrize(("width", "depth", "factor"), [(8, 1, 2.0), (32, 3, 4 / 3)])
def test_parameters_of_the_transformer_by_hand(width: int, depth: int, factor: float) -> None:
    """The paper's: a vector for each number and each value, one bias a feature, a class token, blocks, a head."""
    coded = nw.SearchSpace(Tables, **WITH_CODES)
    answers = {"network": "transformer", "transformer.width": f"w{width}", "transformer.depth": depth,
               "transformer.factor": factor}  # fmt: skip
    network = coded.build(coded.complete(answers, np.random.default_rng(0)))
    numbers, cardinalities = 3, (3, 40, 35)
    tokens = (numbers + sum(cardinalities) + numbers + len(cardinalities) + 1) * width
    hidden = int(width * factor)
    attention = 4 * (width * width + width)
    reglu = 2 * (width * hidden + hidden) + hidden * width + width
    # The first attention has no norm before it.
    norms = (2 * depth - 1 + 1) * 2 * width
    assert tokens + depth * (attention + reglu) + norms + 2 * width + 2 == sum(
        parameter.numel() for parameter in network.parameters()
    )


def test_many_columns_have_no_transformer() -> None:
    """Its attention would cost the square of their number; a category counts once, and so does a text."""
    most = nw.SearchSpace(Tables, input_shape=(MOST_TOKENS + 2,), outputs=2, categories=[[5, 2]], texts=[[7, 2]])
    more = nw.SearchSpace(Tables, input_shape=(MOST_TOKENS + 1,), outputs=2)
    kinds = [next(each for each in space.decisions if each.name == "network").options for space in (most, more)]
    assert [len(each) for each in kinds] == [3, 2]
    assert "transformer" not in kinds[1]


def test_an_additive_model_by_hand() -> None:
    """A curve for each column: on the parts of its range, linear within each, and 0 before anything is learnt."""
    space = nw.SearchSpace(Tables, input_shape=(2,), outputs=1, edges=[[-1.0, 0.0, 2.0], [0.0, 1.0]])
    answers = {"network": "linear", "linear.numbers": "piecewise"}
    network = space.build(space.complete(answers, np.random.default_rng(0)))
    x = torch.tensor([[0.5, 3.0], [-5.0, 0.0]])
    assert network(x).tolist() == [[0.0], [0.0]]
    layer = network.network.body[0][1]
    layer.weight.data = torch.tensor([[10.0, 100.0, 1.0, 2.0]])
    layer.bias.data = torch.tensor([0.25])
    # The first column has passed its first part, and a quarter of the second; the columns themselves come after.
    torch.testing.assert_close(network(x)[:, 0], torch.tensor([10 + 25 + 0.5 + 6 + 0.25, -5 + 0.25]))


def test_a_supernet_shares_the_space() -> None:
    """By slices and switches, embeddings of any size too: what is extracted gives what the supernet gives."""
    coded = nw.SearchSpace(Tables, **WITH_CODES)
    supernet = Supernet(coded).eval()
    x = torch.randn(4, 8)
    x[:, 6:] = torch.tensor([[0.0, 34.0], [7.0, 1.0], [39.0, 2.0], [11.0, 12.0]])
    for size in (2, 32):
        architecture = coded.complete({**BLOCKS, "embedding": size}, np.random.default_rng(0))
        assert torch.equal(supernet.at(architecture)(x), supernet.extract(architecture)(x))
    transformer = coded.complete(TRANSFORMER, np.random.default_rng(0))
    assert torch.equal(supernet.at(transformer)(x), supernet.extract(transformer)(x))


@pytest.mark.parametrize(
    "start", [*TABLES_STARTS[:2], BLOCKS, TRANSFORMER], ids=["additive", "linear", "blocks", "transformer"]
)
def test_categories_in_onnx(start: dict[str, object]) -> None:
    """ONNX Runtime finds the same vectors, also of a missing and of an unknown value."""
    pytest.importorskip("onnxruntime")
    coded = nw.SearchSpace(Tables, **WITH_CODES)
    network = coded.build(coded.complete(start, np.random.default_rng(0))).eval()
    x = torch.randn(3, 8)
    x[:, 6:] = torch.tensor([[0.0, 34.0], [39.0, 1.0], [7.0, 0.0]])
    session = OnnxSession(onnx_bytes(network, x))
    torch.testing.assert_close(torch.as_tensor(session(x.numpy())[0]), network(x).detach(), atol=1e-4, rtol=1e-4)


def test_numbers_of_values_survive_eight_bits() -> None:
    """A thousand values are told apart in int8, where an activation has 256 steps."""
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    space = nw.SearchSpace(Tables, input_shape=(2,), outputs=2, edges=[[-1.0, 0.0, 1.0]], codes=[[1, 1000]])
    network = space.build(space.complete(TRANSFORMER, np.random.default_rng(0))).eval()
    X = np.stack([np.zeros(200), np.arange(400, 600)], 1).astype(np.float32)
    with torch.no_grad():
        # Every second value is another one, and the middle between both is where answers change.
        for half in (0, 1):
            network.network.tokens.vectors.table.weight[half::2] = 2.0 * torch.randn(16)
        outputs = network(torch.from_numpy(X[:2])).numpy()
        network.network.exit[2].bias -= torch.from_numpy(outputs.mean(0))
        y = network(torch.from_numpy(X)).argmax(1).numpy()
    assert sorted([y[0], y[1]] * 100) == sorted(y.tolist())
    assert y[0] != y[1]
    rows = Rows(X, y)
    assert quantise(onnx_bytes(network, torch.from_numpy(X[:8])), Examples(X[:8], X, rows, rows)).after == 1.0
