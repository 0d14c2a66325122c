"""Latencies of operations whose sums are those of whole networks, from a profile of the space."""

import pytest
import torch
from torch import nn

import netwright as nw
from netwright.costs import Latency, Profile
from netwright.costs.kernels import kernels_of
from netwright.costs.profiles import Whole, identity, keyed
from netwright.costs.timing import Timing
from netwright.supernet.supernet import Supernet
from netwright.tasks import one_shot
from netwright.tasks.one_shot import line, priced

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


def made(slower=1.0, between=7.0):
    """A profile in which a kernel takes as many milliseconds as it has parameters, and a network some more."""
    space = nw.SearchSpace(Rows)
    counts = {a: kernels_of(space.build(a), EXAMPLE) for a in space.enumerate()}
    times = {kernel: kernel.held / 4 for each in counts.values() for kernel in each}
    wholes = [
        Whole(a, keyed(each), flat(between + slower * sum(times[k] * n for k, n in each.items())))
        for a, each in counts.items()
    ]
    about = {"name": space.name, "signature": identity(space), "input_shape": [4]}
    host = {"on": "torch:1", "processor": "an abacus"}
    return Profile(about, host, 1, {kernel: flat(time) for kernel, time in times.items()}, tuple(wholes))


def flat(time):
    return Timing(time, time, time, time)


@pytest.mark.parametrize(("slower", "between"), [(1.0, 7.0), (1.5, 7.0), (1.0, 0.5)])
def test_sums_of_operations_are_what_whole_networks_take(slower, between):
    """For every architecture, with what stands between the operations, and slower than its parts alone."""
    space, profile = nw.SearchSpace(Rows), made(slower, between)
    table = priced(Supernet(space), EXAMPLE, profile)
    whole = [whole.timing.median for whole in profile.wholes]
    assert whole == pytest.approx([table.of(whole.architecture) for whole in profile.wholes], rel=0.03)
    assert [min(whole), max(whole)] == pytest.approx([table.least(), table.most()], rel=0.03)


def test_a_profile_is_made_once(tmp_path):
    """And read the second time; one that is given is taken as it is."""
    supernet = Supernet(nw.SearchSpace(Rows))
    first = one_shot._profile(supernet, (4,), tmp_path, Latency(on="torch"), None)
    again = one_shot._profile(supernet, (4,), tmp_path, Latency(on="torch"), None)
    assert first.digest == again.digest
    given = made()
    assert given is one_shot._profile(supernet, (4,), tmp_path, given, None)


def test_pricing_leaves_the_generator_as_it_was():
    """The networks that are built for it draw no numbers that another would have."""
    supernet, profile = Supernet(nw.SearchSpace(Rows)), made()
    before = torch.get_rng_state()
    priced(supernet, EXAMPLE, profile)
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
