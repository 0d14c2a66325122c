"""The graph network: its messages, written out."""

import numpy as np
import torch

from netwright.predictors import GraphNetwork
from netwright.testing import toy
from netwright.zoo import nasbench201


def test_messages_go_along_and_against_the_edges():
    """The same as node by node: what it is, what comes before it, what comes after it, each through its own matrix."""
    space = nasbench201.space()
    rng = np.random.default_rng(0)
    asked = [space.sample(rng) for _ in range(6)]
    predictor = GraphNetwork(space, layers=2, width=5)
    generator = torch.Generator().manual_seed(0)
    parameters = [p.detach() + 0.1 for p in predictor._parameters(2, generator)]
    found = predictor._found(parameters, predictor.encode(asked))
    names = predictor._adjacency.operations
    for member in range(2):
        embed, shift, *layers, hidden, hidden_shift, last = [p[member].double().numpy() for p in parameters]
        for place, architecture in enumerate(asked):
            graph = space.graph(architecture).without({"none", "zero"})
            at = [embed[names.index(operation)] + shift[0] for operation in graph.operations]
            for weight, bias in zip(layers[::2], layers[1::2], strict=True):
                own, into, out = np.split(weight, 3, axis=1)
                at = [
                    state
                    + np.maximum(
                        state @ own
                        + sum((at[a] for a, b in graph.edges if b == node), np.zeros(5)) @ into
                        + sum((at[b] for a, b in graph.edges if a == node), np.zeros(5)) @ out
                        + bias[0],
                        0,
                    )
                    for node, state in enumerate(at)
                ]
            total = np.sum(at, axis=0)
            pooled = np.concatenate([total / len(at), total / predictor._adjacency.nodes])
            expected = np.maximum(pooled @ hidden + hidden_shift[0], 0) @ last
            np.testing.assert_allclose(found[member, place], expected[0], rtol=1e-4)


def test_networks_of_a_fold_do_not_see_it():
    """What the ensemble is calibrated by are errors on architectures left out: for noise they are as large as it."""
    space = toy.SPACES["conditional"]()
    rng = np.random.default_rng(0)
    known = [space.sample(rng) for _ in range(24)]
    predictor = GraphNetwork(space, members=2, width=12, epochs=40, warp=False).fit(known, rng.normal(size=24))
    assert predictor.predict(known)[1].mean() > 0.8
