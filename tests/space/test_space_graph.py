"""Architectures as graphs."""

import itertools

import numpy as np
import pytest
from torch import nn

from netwright.errors import SpaceError
from netwright.space import Graph, SearchSpace, one_of
from netwright.testing import toy

DIAMOND = Graph(("input", "a", "none", "b", "output"), ((0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (0, 4)))


def test_adjacency_and_ends():
    """The matrix of the edges; where the graph begins and ends."""
    assert [(0, 1), (0, 2), (0, 4), (1, 3), (2, 3), (3, 4)] == [*zip(*np.nonzero(DIAMOND.adjacency), strict=True)]
    assert ((0,), (4,)) == DIAMOND.ends


def test_paths_are_the_ways_through():
    """Each way from input to output once; equal operations are one path."""
    assert {("input", "output"), ("input", "a", "b", "output"), ("input", "none", "b", "output")} == DIAMOND.paths()
    twins = Graph(("input", "a", "a", "output"), ((0, 1), (0, 2), (1, 3), (2, 3)))
    assert {("input", "a", "output")} == twins.paths()


def test_too_many_paths_are_refused():
    """Their number grows exponentially; the message says what to use."""
    count = 12
    dense = Graph(tuple(str(i) for i in range(count)), tuple(itertools.combinations(range(count), 2)))
    assert 2 ** (count - 2) == len(dense.paths())
    with pytest.raises(SpaceError, match=r"more than 1,000 paths\. Encode it by its adjacency"):
        dense.paths(1_000)


def test_what_carries_nothing_goes():
    """And with it all that only it led to; the ends stay."""
    assert Graph(("input", "a", "b", "output"), ((0, 1), (1, 2), (2, 3), (0, 3))) == DIAMOND.without({"none"})
    chain = Graph(("input", "a", "none", "b", "output"), ((0, 1), (1, 2), (2, 3), (3, 4)))
    assert Graph(("input", "output"), ()) == chain.without({"none"})
    assert chain == chain.without({"zero"})


def test_where_a_graph_begins_it_begins_whatever_its_operation():
    """A first or last node of such an operation stays, with its edges."""
    graph = Graph(("none", "a", "none"), ((0, 1), (1, 2)))
    assert graph == graph.without({"none"})


@pytest.mark.parametrize("edges", [((1, 0),), ((0, 0),), ((0, 5),), ((-1, 1),), ((0, 1, 2),)])
def test_a_wrong_edge_is_refused(edges):
    """Backward, to itself, outside, or no pair."""
    with pytest.raises(SpaceError, match="from a lower to a higher node"):
        Graph(("a", "b", "c"), edges)


def test_an_edge_twice_is_refused():
    """A graph, not a multigraph."""
    with pytest.raises(SpaceError, match="an edge twice"):
        Graph(("a", "b"), ((0, 1), (0, 1)))


def test_the_tree_of_the_decisions():
    """What is always asked under the root, the rest under what asked for it, the last of several."""
    space = toy.SPACES["conditional"]()
    architecture = space.complete(
        {"width": 4, "depth": 2, "block0": "convolution", "block0.kernel": 3, "block1": "skip"},
        np.random.default_rng(0),
    )
    graph = space.graph(architecture)
    edges = {(graph.operations[a], graph.operations[b]) for a, b in graph.edges}
    assert edges == {
        ("network", "width=4"),
        ("network", "depth=2"),
        ("network", "block0=convolution"),
        ("block0=convolution", "block0.kernel=3"),
        ("depth=2", "block1=skip"),
    }
    assert not space.declares_graph


def test_a_continuous_value_is_told_by_its_tenth():
    """In the logarithm where the range is logarithmic."""
    space = toy.SPACES["mixed"]()
    architecture = space.complete({"slope": 0.1, "scale": 1.0}, np.random.default_rng(0))
    assert {"slope=5/10", "scale=9/10"} < set(space.graph(architecture).operations)


class Declaring(nn.Module):
    def __init__(self):
        super().__init__()
        one_of("middle", a=nn.Identity, b=nn.Identity)

    @classmethod
    def graph(cls, architecture):
        return Graph(("input", architecture["middle"], "output"), ((0, 1), (1, 2)))


def test_a_network_may_declare_its_graph():
    """By a class method; an instance's method of that name is another thing."""
    space = SearchSpace(Declaring)
    architecture = space.sample(np.random.default_rng(0))
    assert ("input", architecture["middle"], "output") == space.graph(architecture).operations
    assert space.declares_graph

    class Other(Declaring):
        def graph(self):
            raise AssertionError

    assert "network" == SearchSpace(Other).graph(architecture).operations[0]


def test_what_is_no_graph_is_refused():
    """The message says whose method it was."""

    class Wrong(Declaring):
        graph = staticmethod(lambda architecture: [])

    space = SearchSpace(Wrong)
    with pytest.raises(SpaceError, match=r"Wrong.graph made \[\]"):
        space.graph(space.sample(np.random.default_rng(0)))
