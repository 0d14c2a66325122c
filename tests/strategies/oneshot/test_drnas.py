"""DrNAS's progressive scheme: what is pruned, what becomes wider, what rests, and that it can be stopped anywhere."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from tests.strategies.oneshot.learning import goes_on_exactly
from torch import nn
from torch.nn import functional

import netwright as nw
from netwright.errors import InputError, SpaceError, StoreError
from netwright.strategies.oneshot import Course, DrNAS, OneShot, checkpoints, make
from netwright.supernet import Supernet
from netwright.supernet.health import Health
from netwright.supernet.relaxations import Dirichlet
from netwright.training.data import Data
from netwright.zoo import darts, nasbench201

THREE = ((0.4, 4, None), (0.3, 2, 3), (0.3, 1, 2))


def small():
    return nasbench201.space(input_shape=(1, 8, 8), classes=3, channels=8, cells=1)


def begun(method, space=None, steps=10):
    supernet = Supernet(small() if space is None else space, seed=1)
    method.start(supernet, Course(steps, 2, functional.cross_entropy, 3))
    return supernet


def batches(count=2, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return [(torch.randn(8, 1, 8, 8, generator=draw), torch.randint(3, (8,), generator=draw)) for _ in range(count)]


def data(count=120):
    X = np.random.default_rng(0).normal(size=(count, 1, 8, 8)).astype(np.float32)
    return Data(X, (X[:, 0, 0, 0] > 0).astype(np.int64) + (X[:, 0, 1, 1] > 0), ("a", "b", "c"))


def search(method, **options):
    return OneShot(small(), method, data(), **{"epochs": 4, "batch_size": 8, **options})


def first_edge(supernet):
    return next(module for module in supernet.network.modules() if getattr(module, "name", None) == "edge_01")


def set_numbers(relaxation, *values):
    with torch.no_grad():
        for row in relaxation.alpha:
            row.copy_(torch.tensor(values)[: len(row)])


# What is pruned


def test_the_strongest_operations_stay():
    """By their numbers, and again by those that are left; probabilities are those of the others' numbers alone."""
    relaxation = Dirichlet(Supernet(small()))
    set_numbers(relaxation, 0.3, -2.0, 1.0, 0.1, 0.2)
    relaxation.prune(3)
    assert relaxation.pruned == dict.fromkeys(relaxation.open, frozenset({1, 3}))
    concentrations = torch.tensor([1.3, 0.0, 2.0, 0.0, 1.2])
    for row in relaxation.probabilities().values():
        torch.testing.assert_close(row, concentrations / concentrations.sum())
    set_numbers(relaxation, 0.0, 9.0, 1.0, 9.0, 0.5)
    relaxation.prune(2)
    assert set(relaxation.pruned.values()) == {frozenset({0, 1, 3})}


def test_what_was_pruned_is_never_ranked():
    """However many are asked for, and when numbers of before are given back after a collapse."""
    relaxation = Dirichlet(Supernet(small()))
    health = Health()
    health.note_epoch(0, Supernet(small()), relaxation)
    set_numbers(relaxation, 3.0, -2.0, 1.0, -1.0, -3.0)
    relaxation.prune(2)
    health.take_back(relaxation)
    ranked = relaxation.ranked(100)
    assert len(set(ranked)) == 2**6
    assert {answer for architecture in ranked for answer in architecture.values()} == {"none", "nor_conv_1x1"}


def test_draws_of_what_is_left_are_the_renormalised_ones():
    """The authors draw all and renormalise those that are left: the same means and deviations."""
    relaxation = Dirichlet(Supernet(small()))
    set_numbers(relaxation, 0.5, -0.4, 1.5, 0.0, 0.2)
    whole, left = [], []
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        whole += [way.weights[[0, 2, 4]] for way in relaxation.ways(generator).values()]
    relaxation.prune(3)
    assert relaxation.pruned["edge_01"] == {1, 3}
    for _ in range(300):
        left += [way.weights for way in relaxation.ways(generator).values()]
    expected, found = (torch.stack(rows).detach() for rows in (whole, left))
    expected = expected / expected.sum(1, keepdim=True)
    torch.testing.assert_close(found.mean(0), expected.mean(0), atol=0.02, rtol=0)
    torch.testing.assert_close(found.std(0), expected.std(0), atol=0.02, rtol=0)


def test_the_anchor_holds_what_is_left():
    """The divergence is between the distributions of the options that are left."""
    relaxation = Dirichlet(Supernet(small()))
    set_numbers(relaxation, 0.5, -0.4, 1.5, 0.0, 0.2)
    relaxation.prune(3)
    own = torch.distributions.Dirichlet(torch.tensor([1.5, 2.5, 1.2]))
    far = torch.distributions.kl_divergence(own, torch.distributions.Dirichlet(torch.ones(3)))
    torch.testing.assert_close(relaxation.penalty(), 1e-3 * 6 * far)


def test_a_connection_may_still_be_nothing():
    """In the space of DARTS the number for nothing is no operation: it is neither counted nor pruned."""
    supernet = Supernet(darts.space(input_shape=(1, 8, 8), classes=3, channels=4, cells=1))
    relaxation = Dirichlet(supernet)
    relaxation.prune(4)
    ways = relaxation.ways(torch.Generator().manual_seed(0))
    for name, row in relaxation.probabilities().items():
        assert int((row > 0).sum()) == 4
        assert float(row.detach().sum()) == pytest.approx(0.8, abs=0.01)
        assert len(ways[name].positions) == 4
        assert float(ways[name].weights.detach().sum()) < 1
    assert relaxation.ranked(1)[0] in supernet.space


def test_a_pruned_operation_gets_no_work_and_no_gradient():
    """It is not called any more, and neither its weights nor its number have a gradient."""
    method = DrNAS(progressive=True, stages=((0.5, 2, None), (0.5, 2, 2)), rest=0.0)
    supernet = begun(method)
    for number in range(5):
        method.step(number, *batches())
    set_numbers(method.relaxation, 0.0, 0.0, 9.0, -0.5, 8.0)
    calls = []
    for place, candidate in enumerate(first_edge(supernet).candidates):
        candidate.register_forward_hook(lambda *_, place=place: calls.append(place))
    before = [tensor.clone() for tensor in first_edge(supernet).candidates[3].state_dict().values()]
    method.step(5, *batches())
    assert calls == [2, 4, 2, 4]
    after = first_edge(supernet).candidates[3].state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all((row.grad[[0, 1, 3]] == 0).all() for row in method.relaxation.alpha)
    assert all((row.grad[[2, 4]] != 0).all() for row in method.relaxation.alpha)


# Stages


def test_stages_follow_one_another():
    """Parts, operations, and which steps move the numbers: the first fifth of each stage they rest."""
    method = DrNAS(progressive=True, stages=THREE, rest=0.5)
    supernet = begun(method, steps=20)
    widths, kept, moved = [], [], []
    for number in range(20):
        before = [row.detach().clone() for row in method.relaxation.alpha]
        method.step(number, *batches())
        widths.append(first_edge(supernet).candidates[3][1].in_channels)
        kept.append(int((method.relaxation.probabilities()["edge_01"] > 0).sum()))
        moved.append(not torch.equal(before[0], method.relaxation.alpha[0]))
    assert widths == [2] * 8 + [4] * 6 + [8] * 6
    assert kept == [5] * 8 + [3] * 6 + [2] * 6
    assert moved == [False] * 4 + [True] * 4 + [False] * 3 + [True] * 3 + [False] * 3 + [True] * 3


def test_numbers_momenta_and_the_cosine_go_on():
    """At the end of a stage the numbers that stay and their moments are not touched, and the rate does not restart."""
    method = DrNAS(progressive=True, rest=0.5)
    begun(method, steps=20)
    for number in range(10):
        method.step(number, *batches())
    before = [row.detach().clone() for row in method.relaxation.alpha]
    moments = copy.deepcopy(method._duo.numbers_optimizer.state_dict())
    method.step(10, *batches())
    assert all(torch.equal(a, b) for a, b in zip(before, method.relaxation.alpha, strict=True))
    after = method._duo.numbers_optimizer.state_dict()
    assert torch.equal(moments["state"][0]["exp_avg"], after["state"][0]["exp_avg"])
    assert method._duo.weights_optimizer.param_groups[0]["lr"] == pytest.approx((0.025 + 0.001) / 2)
    assert all("momentum_buffer" in state for state in method._duo.weights_optimizer.state.values())


@pytest.mark.parametrize(("stages", "width"), [(((0.5, 4, None), (0.5, 2, 3)), 4), (THREE, 8)])
def test_a_search_ends_as_wide_as_it_was_told(stages, width):
    """From data to an architecture of which no answer was pruned; with all channels it can take its weights."""
    one_shot = search(DrNAS(progressive=True, stages=stages)).fit()
    assert first_edge(one_shot.supernet).candidates[3][1].in_channels == width
    best = one_shot.ranked(1)[0]
    places = {name: nasbench201.OPERATIONS.index(answer) for name, answer in best.items()}
    assert not any(place in one_shot.method.relaxation.pruned[name] for name, place in places.items())
    supernet = one_shot.supernet.eval()
    if width < 8:
        with pytest.raises(SpaceError, match="the supernet has no weights for whole architectures"):
            supernet.extract(best)
    else:
        x = torch.randn(2, 1, 8, 8)
        assert torch.equal(supernet.extract(best)(x), supernet.at(best)(x))


def test_the_space_of_darts_takes_the_published_stages():
    """One channel in six, then one in four; of seven operations four."""
    text = "drnas(progressive=true, stages=((.5, 6, none), (.5, 4, 4)), rest=.4, lr=.1, min_lr=0, alpha_lr=6e-4)"
    space, method = darts.space(input_shape=(1, 8, 8), classes=3, channels=24, cells=1), make(text)
    begun(method, space, steps=2)
    for number in range(2):
        assert torch.isfinite(method.step(number, *batches()))
    assert all(int((row > 0).sum()) == 4 for row in method.relaxation.probabilities().values())
    assert method.ranked(1)[0] in space


def test_parts_of_one_prune_alone():
    """Then every space of operations is taken, and nothing is made narrower."""

    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.op = nw.one_of("op", **{name: lambda: nn.Conv2d(1, 3, 8) for name in "pqrs"})

        def forward(self, x):
            return self.op(x).flatten(1)

    method = DrNAS(progressive=True, stages=((0.5, 1, None), (0.5, 1, 2)))
    supernet = begun(method, nw.SearchSpace(Bare), steps=2)
    for number in range(2):
        method.step(number, *batches())
    assert not supernet.narrowed
    assert len(method.ranked(4)) == 2


# Going on


@pytest.mark.parametrize("first", [4, 9])
def test_a_checkpoint_goes_on_exactly(first):
    """Just before a stage begins and within the last one: bit for bit, momenta and draws included."""
    network = lambda: nasbench201.NASBench201(input_shape=(1, 8, 8), classes=3, channels=8, cells=1)  # noqa: E731
    assert goes_on_exactly(
        lambda: DrNAS(progressive=True, stages=THREE, alpha_lr=0.05),
        network,
        first=first,
        more=10 - first,
        data=batches(10),
        steps=10,
    )


def staged(**options):
    return search(DrNAS(progressive=True, stages=THREE, alpha_lr=0.05), **options)


@pytest.fixture(scope="module")
def whole():
    return staged().fit()


@pytest.mark.parametrize("after", [3, 7, 9, 12, 15])
def test_a_search_that_was_stopped_goes_on_exactly(whole, after, tmp_path):
    """From the file of a search that was stopped in any stage; they have 7, 5 and 4 steps."""
    steps = iter(range(1, 100))
    staged(folder=tmp_path).fit(stop=lambda: next(steps) == after)
    again = staged(folder=tmp_path).fit()
    assert whole.all_steps == 16
    assert again.losses == whole.losses
    mine, other = (one.supernet.checkpoint() for one in (again, whole))
    assert all(torch.equal(mine[name], other[name]) for name in other)
    assert again.ranked(5) == whole.ranked(5)


def test_a_checkpoint_that_does_not_say_its_stage_is_refused(tmp_path):
    """Before anything is put back."""
    method = DrNAS(progressive=True)
    supernet = begun(method)
    about = {"said": {}, "values": {}}
    with pytest.raises(StoreError, match="how far the method's stages are"):
        checkpoints.put_back(about, {}, supernet, method)
    assert json.dumps(method.said()) == '{"stage": 0, "pruned": {}}'


# What is refused


def test_the_plain_search_is_the_default():
    """It mixes all channels and prunes nothing."""
    method = DrNAS(rest=0.5)
    supernet = begun(method)
    before = [row.detach().clone() for row in method.relaxation.alpha]
    method.step(0, *batches())
    assert not torch.equal(before[0], method.relaxation.alpha[0])
    method.step(9, *batches())
    assert not supernet.narrowed
    assert method.relaxation.pruned == {}
    assert method.said() == {}


def test_what_partial_channels_refuse_is_refused():
    """By the name of the decision, when it starts, for the parts of later stages too."""
    space = nasbench201.space(input_shape=(1, 8, 8), classes=3, channels=9, cells=1)
    with pytest.raises(
        SpaceError, match=r"decision 'edge_01' .*9 channels of a Conv2d cannot be divided by 2"
    ) as error:
        begun(DrNAS(progressive=True, stages=((0.5, 3, None), (0.5, 2, 3))), space)
    assert "plain drnas" in str(error.value.hint)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"progressive": 1}, "progressive is true or false, found 1"),
        ({"rest": 1}, "rest is a number from 0 to below 1, found 1"),
        ({"stages": ()}, "stages are"),
        ({"stages": ((1, 4),)}, r"stages\[0\] is \(share, parts, operations\)"),
        ({"stages": ((1, 0, None),)}, r"the number of parts in stages\[0\]"),
        ({"stages": ((0, 4, None), (1, 2, 3))}, r"the share of stages\[0\] is a number above 0"),
        ({"stages": ((0.5, 4, None), (0.4, 2, 3))}, "add up to 1, found 0.9"),
        ({"stages": ((0.5, 2, None), (0.5, 4, 3))}, r"stages\[1\] has more parts or operations"),
        ({"stages": ((0.3, 4, None), (0.3, 4, 3), (0.4, 4, 4))}, r"stages\[2\] has more parts or operations"),
        ({"stages": ((0.5, 4, 3), (0.5, 2, 3))}, "first stage has 3 operations"),
        ({"stages": ((0.5, 4, None), (0.5, 2, 1))}, "at least 2, found 1"),
    ],
)
def test_nonsense_is_refused(arguments, message):
    """When it is made, by what was found."""
    with pytest.raises(InputError, match=message):
        DrNAS(**arguments)
