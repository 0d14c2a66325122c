"""Latencies of operations whose sums are those of whole networks, on a machine that does other work, too."""

import numpy as np
import pytest
import torch
from torch import nn

import netwright as nw
from netwright.supernet.supernet import Supernet
from netwright.tasks.one_shot import line, timed

EXAMPLE = torch.zeros(1, 4)


class Rows(nn.Module):
    """Three layers, each with a bias or without one or left out."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(*(self.layer(name) for name in "abc"))

    @staticmethod
    def layer(name):
        return nw.one_of(
            name, skip=nn.Identity, plain=lambda: nn.Linear(4, 4, bias=False), full=lambda: nn.Linear(4, 4)
        )

    def forward(self, x):
        return self.body(x) + 1


def parameters(network, inputs):
    """A latency of as many milliseconds as there are parameters, and 7 more for what a whole network does between."""
    return 7.0 * isinstance(network, Rows) + sum(value.numel() for value in network.parameters())


class Disturbed:
    """Three in ten of all measurements take three times as long."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def __call__(self, network, inputs):
        return parameters(network, inputs) * (3 if self.rng.random() < 0.3 else 1)


@pytest.mark.parametrize("latency", [parameters, Disturbed()])
def test_sums_of_operations_are_what_whole_networks_take(latency):
    """For every architecture, what stands between the operations too, and whatever else the machine does."""
    space = nw.SearchSpace(Rows)
    table = timed(Supernet(space), EXAMPLE, latency, seconds=0)
    whole = [parameters(space.build(architecture), EXAMPLE) for architecture in space.enumerate()]
    assert whole == pytest.approx([table.of(architecture) for architecture in space.enumerate()])


def test_what_runs_in_a_network_may_be_slower_than_alone():
    """A factor of whole networks is one of each operation."""
    space = nw.SearchSpace(Rows)

    def slower(network, inputs):
        return parameters(network, inputs) * (1.5 if isinstance(network, Rows) else 1)

    table = timed(Supernet(space), EXAMPLE, slower, seconds=0)
    assert [1.5 * 7, 1.5 * (7 + 60)] == pytest.approx([table.least(), table.most()])


def test_timing_leaves_the_generator_as_it_was():
    """The networks that are built for it draw no numbers that another would have."""
    supernet = Supernet(nw.SearchSpace(Rows))
    before = torch.get_rng_state()
    timed(supernet, EXAMPLE, parameters, seconds=0)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("sums", "whole", "expected"),
    [
        ([1, 2, 4, 8], [5, 7, 11, 19], (3, 2)),  # whole = 3 + 2 · sum
        ([1, 2, 3, 4, 5, 6], [5, 7, 9, 99, 13, 15], (3, 2)),  # one measurement was disturbed
        ([1, 2, 4], [1, 4, 10], (0, 2)),  # the line would begin below 0: the median of 1, 2 and 2.5
        ([1, 2, 4], [4, 2, 1], (0, 1)),  # it would fall: the median of 4, 1 and 1/4
        ([2, 2, 2], [6, 8, 6], (0, 3)),  # there is no line
        ([0, 0], [0, 0], (0, 0)),
    ],
)
def test_a_line_through_sums_and_wholes(sums, whole, expected):
    """It begins at 0 or above and rises; a single measurement that is far off does not move it."""
    assert expected == pytest.approx(line(sums, whole))
