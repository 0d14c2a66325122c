"""Once-for-all: its stages, its steps and their gradients by hand, the sandwich rule, and exact resume."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from tests.strategies.oneshot.learning import begun, goes_on_exactly, labelled, took
from torch import nn
from torch.nn import functional

import netwright as nw
from netwright.architecture import Architecture
from netwright.errors import InputError, SpaceError
from netwright.strategies.oneshot import OFA, Course
from netwright.strategies.oneshot.ofa import _drawn, _extreme
from netwright.strategies.oneshot.rewards import batch_statistics
from netwright.supernet import Supernet
from netwright.supernet.share import largest
from netwright.supernet.tensors import smallest
from netwright.zoo import ofa


class Elastic(nn.Module):
    """A kernel, a depth and two widths that are elastic, and an activation without an order; three classes."""

    def __init__(self):
        super().__init__()
        width = nw.choose("width", 4, 8)
        kernel = nw.choose("kernel", 1, 3, 5)
        self.stem = nn.Sequential(nn.Conv1d(1, width, kernel, padding=kernel // 2), nn.BatchNorm1d(width))
        self.body = nw.repeat("depth", self.block(width), 1, 3)
        self.act = nw.one_of("act", relu=nn.ReLU, tanh=nn.Tanh)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(width, 3)

    @staticmethod
    def block(width):
        def made(index):
            inner = nw.choose(f"expansion{index}", 2, 4, 6)
            return nn.Sequential(nn.Conv1d(width, inner, 1), nn.BatchNorm1d(inner), nn.Conv1d(inner, width, 1))

        return made

    def forward(self, x):
        return self.head(self.drop(self.act(self.body(self.stem(x.unsqueeze(1))))).mean(2))


class Plain(nn.Module):
    """A width and a depth; no norm and no dropout."""

    def __init__(self):
        super().__init__()
        width = nw.choose("width", 2, 4, 6)
        self.stem = nn.Linear(3, width)
        self.body = nw.repeat("depth", lambda i: nn.Sequential(nn.Tanh(), nn.Linear(width, width)), 1, 2)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        return self.head(self.body(self.stem(x)))


LARGEST = {"width": 8, "kernel": 5, "depth": 3, "act": "relu", "expansion0": 6, "expansion1": 6, "expansion2": 6}


def drawn(method, supernet):
    """A list of the architectures of every step, as it will grow."""
    steps = []
    at, step = supernet.at, method.step
    supernet.at = lambda architecture: (steps[-1].append(architecture), at(architecture))[1]
    method.step = lambda *arguments: (steps.append([]), step(*arguments))[1]
    return steps


def planned(method, steps=605):
    begun(method, Elastic, steps=steps, epochs=1)
    return method._phases


def test_the_phases_are_the_published():
    """Kernels at once, then depths and widths by their next smaller options; epochs, paths and rates in proportion."""
    phases = planned(OFA())
    assert [phase.begin for phase in phases] == [0, 180, 305, 330, 455, 480]
    assert [phase.length for phase in phases] == [180, 125, 25, 125, 25, 125]
    assert [phase.paths for phase in phases] == [1, 1, 2, 2, 4, 4]
    assert [phase.rate for phase in phases] == [0.08125, 0.03, 0.0025, 0.0075, 0.0025, 0.0075]
    assert [dict(phase.open).get("kernel") for phase in phases] == [None] + [[5, 3, 1]] * 5
    assert [phase.open.get("depth") for phase in phases] == [None, None, [3, 2], *[[3, 2, 1]] * 3]
    assert [phase.open.get("expansion1") for phase in phases] == [None] * 4 + [[6, 4], [6, 4, 2]]
    assert [phase.open.get("width") for phase in phases] == [None] * 4 + [[8, 4], [8, 4]]


def test_what_has_no_order_opens_last():
    """Until then its first option runs."""
    phases = planned(OFA())
    assert [phase.open.get("act", "closed") for phase in phases] == ["closed"] * 4 + [["relu"], None]


def test_learning_rates_warm_up_and_fall():
    """Five epochs of each long phase from a 32nd, then a cosine to 0; the short phases begin at their rate."""
    phases = planned(OFA(), steps=60_500)
    assert [phase.factor(phase.begin) for phase in phases] == pytest.approx(
        [0.08125 / 32, 0.03 / 32, 0.0025, 0.0075 / 32, 0.0025, 0.0075 / 32]
    )
    assert phases[1].factor(18_000 + 500) == pytest.approx(0.03)
    assert phases[1].factor(18_000 + 500 + 6_000) == pytest.approx(0.015)
    assert phases[1].factor(30_499) == pytest.approx(0.0, abs=1e-4)
    method = OFA()
    supernet = begun(method, Elastic, steps=605, epochs=1)
    took(method, supernet, range(2), labelled(2))
    assert method._optimizer.param_groups[0]["lr"] == pytest.approx(phases[0].factor(100))


def test_each_step_draws_from_what_is_open():
    """The largest network alone at first; then every open option, in as many networks a step as published."""
    method = OFA(lr=0.1, rates=(0.01, 0.01, 0.01), sort=False)
    supernet = begun(method, Elastic, steps=121, epochs=1)
    steps = drawn(method, supernet)
    batch = labelled(1)[0]
    for number in range(121):
        method.step(number, batch, None)
    for phase, end in zip(method._phases, [*(p.begin for p in method._phases[1:]), 121], strict=True):
        assert {len(paths) for paths in steps[phase.begin : end]} == {phase.paths}
        for name, value in LARGEST.items():
            seen = {path[name] for paths in steps[phase.begin : end] for path in paths if name in path}
            opened = phase.open.get(name, [value])
            assert seen == set(supernet.space.declared[name].options if opened is None else opened)


def test_options_are_uniform_decision_by_decision():
    """A depth of one is drawn as often as one of three, although far fewer architectures have it."""
    space, last = nw.SearchSpace(Elastic), planned(OFA())[-1]
    rng = np.random.default_rng(0)
    counts = Counter(_drawn(space, last.open, rng)["depth"] for _ in range(500))
    assert all(120 < counts[depth] < 215 for depth in (1, 2, 3))


def test_a_step_adds_the_gradients_of_its_networks():
    """Each learns the labels and the teacher's probabilities; one step of SGD with the sum."""
    method = OFA(momentum=0.0, weight_decay=0.0, sort=False)
    supernet = begun(method, Plain, steps=605, epochs=1)
    (train, *_), twin = labelled(1), Supernet(nw.SearchSpace(Plain), seed=1)
    last = method._phases[-1]
    steps = drawn(method, supernet)
    lesson = twin.extract({"width": 6, "depth": 2})(train[0]).detach().softmax(1)
    method.step(last.begin, train, None)
    assert len(steps[0]) == 4
    for architecture in steps[0]:
        outputs = twin.at(architecture)(train[0])
        soft = -(lesson * outputs.log_softmax(1)).sum(1).mean()
        (functional.cross_entropy(outputs, train[1]) + soft).backward()
    for mine, theirs in zip(supernet.network.parameters(), twin.network.parameters(), strict=True):
        torch.testing.assert_close(theirs.detach() - last.factor(last.begin) * theirs.grad, mine.detach())


def test_the_teacher_is_the_largest_network_when_it_was_trained():
    """A frozen copy, in its state of the end of the first phase whatever comes later; without dropout."""
    method = OFA(lr=0.1, rates=(0.1, 0.1, 0.1))
    supernet = begun(method, Elastic, steps=20, epochs=1)
    data = labelled(20)
    first = method._phases[1].begin
    took(method, supernet, range(first), data)
    trained = supernet.extract(LARGEST)
    took(method, supernet, range(first, 20), data)
    for name, tensor in trained.state_dict().items():
        assert torch.equal(tensor, method._teacher.state_dict()[name])
    x = data[0][0]
    with batch_statistics(method._teacher):
        assert torch.equal(method._teacher(x), method._teacher(x))
    assert not any(weight.requires_grad for weight in method._teacher.parameters())
    assert not torch.equal(next(iter(supernet.extract(LARGEST).parameters())), next(iter(trained.parameters())))


def test_norms_and_biases_do_not_decay():
    """Weights do, by 3e-5."""
    method = OFA()
    begun(method, Elastic)
    sizes = [
        (group["weight_decay"], {weight.dim() > 1 for weight in group["params"]})
        for group in method._optimizer.param_groups
    ]
    assert sizes == [(3e-5, {True}), (0.0, {False})]


def test_the_sandwich_adds_four_gradients():
    """The largest with labels, the smallest and two random ones with its probabilities; one step with the sum."""
    method = OFA("sandwich", lr=0.5, momentum=0.0, weight_decay=0.0)
    supernet = begun(method, Plain, steps=10)
    steps, train = drawn(method, supernet), labelled(1)[0]
    method.step(0, train, None)
    twin = Supernet(nw.SearchSpace(Plain), seed=1)
    outputs = twin.at({"width": 6, "depth": 2})(train[0])
    functional.cross_entropy(outputs, train[1]).backward()
    lesson = outputs.detach().softmax(1)
    for architecture in steps[0][1:]:
        soft = -(lesson * twin.at(architecture)(train[0]).log_softmax(1)).sum(1).mean()
        soft.backward()
    assert [dict(a) for a in steps[0][:2]] == [{"width": 6, "depth": 2}, {"width": 2, "depth": 1}]
    assert len(steps[0]) == 4
    for mine, theirs in zip(supernet.network.parameters(), twin.network.parameters(), strict=True):
        torch.testing.assert_close(theirs.detach() - 0.5 * theirs.grad, mine.detach())


def test_only_the_largest_has_dropout():
    """And it has it again in the next step."""
    method = OFA("sandwich")
    supernet = begun(method, Elastic, steps=10)
    supernet.train()
    seen, at = [], supernet.at

    def watched(architecture):
        network = at(architecture)
        hook = network.drop.register_forward_hook(lambda module, *_: seen.append(module.training))
        watched.hooks.append(hook)
        return network

    watched.hooks, supernet.at = [], watched
    for number in range(2):
        method.step(number, labelled(1)[0], None)
        for hook in watched.hooks:
            hook.remove()
    assert seen == [True, False, False, False] * 2


def test_the_sandwich_has_its_own_defaults():
    """250 epochs, a rate of .5 for 1,024 examples down a line, and a weight decay of 1e-4."""
    method = OFA("sandwich")
    supernet = begun(method, Plain, steps=10)
    took(method, supernet, range(5), labelled(5))
    assert (method.epochs, OFA.epochs) == (250, 605)
    assert [group["lr"] for group in method._optimizer.param_groups] == pytest.approx([0.6 * 0.5 / 16] * 2)
    assert method._optimizer.param_groups[0]["weight_decay"] == 1e-4
    assert method.ranked(3) is None
    assert not method.ranks


@pytest.mark.parametrize(("rule", "network"), [("shrink", Elastic), ("sandwich", Elastic)])
def test_a_checkpoint_goes_on_exactly(rule, network):
    """Ten steps, a checkpoint and five more are as fifteen, with the teacher and across the phases."""
    assert goes_on_exactly(lambda: OFA(rule, lr=0.1), network, steps=16, epochs=4)


@pytest.mark.parametrize("first", [5, 6])
def test_a_checkpoint_at_the_border_of_phases_goes_on_exactly(first):
    """Just before and just after the largest network became the teacher."""
    method = OFA(lr=0.1)
    begun(method, Plain, steps=16, epochs=4)
    assert method._phases[1].begin == 6
    assert goes_on_exactly(lambda: OFA(lr=0.1), Plain, first=first, more=5, steps=16, epochs=4)


def test_numbers_are_distilled_by_their_squared_difference():
    """In a regression the teacher's outputs are targets, too."""

    class Line(nn.Module):
        def __init__(self):
            super().__init__()
            width = nw.choose("width", 2, 4)
            self.body = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 1))

        def forward(self, x):
            return self.body(x)

    method = OFA(momentum=0.0, weight_decay=0.0, paths=(1, 1, 1), sort=False)
    supernet = begun(method, Line, steps=605, epochs=1, loss=functional.mse_loss)
    x = labelled(1)[0][0]
    y = x.sum(1, keepdim=True)
    twin = Supernet(nw.SearchSpace(Line), seed=1)
    steps = drawn(method, supernet)
    last = method._phases[-1]
    method.step(last.begin, (x, y), None)
    outputs = twin.at(steps[0][0])(x)
    lesson = twin.extract({"width": 4})(x).detach()
    ((outputs - y).square().mean() + (outputs - lesson).square().mean()).backward()
    for mine, theirs in zip(supernet.network.parameters(), twin.network.parameters(), strict=True):
        torch.testing.assert_close(theirs.detach() - last.factor(last.begin) * theirs.grad, mine.detach())


def test_the_published_space_is_taken():
    """With its names: kernels, depths and expansions open in their stages."""
    method = OFA()
    method._space = space = ofa.space(input_shape=(3, 32, 32), classes=3)
    phases = method._planned(605)
    assert _extreme(space, largest, "largest") == ofa.OFA_LARGEST
    assert _extreme(space, smallest, "smallest") == ofa.OFA_SMALLEST
    assert [phase.open.get("stage2.block1.kernel") for phase in phases[:2]] == [None, [7, 5, 3]]
    assert [phase.open.get("stage3.depth") for phase in phases[1:4]] == [None, [4, 3], [4, 3, 2]]
    assert [phase.open.get("stage5.block3.expansion") for phase in phases[3:]] == [None, [6, 4], [6, 4, 3]]


def test_rules_are_kept():
    """What the rules of the space refuse is not drawn; a refused largest or smallest network is an error."""
    space = nw.SearchSpace(Plain, where=lambda a: a["width"] != 4)
    supernet, method = Supernet(space, seed=1), OFA(lr=0.1)
    method.start(supernet, Course(40, 1, functional.cross_entropy, 3))
    steps, batch = drawn(method, supernet), labelled(1)[0]
    for number in range(40):
        method.step(number, batch, None)
    assert {path["width"] for paths in steps for path in paths} == {2, 6}
    refusing = Supernet(nw.SearchSpace(Plain, where=lambda a: a["width"] < 6))
    with pytest.raises(SpaceError, match="refuse the largest network"):
        OFA().start(refusing, Course(1, 1, functional.cross_entropy))
    refusing = Supernet(nw.SearchSpace(Plain, where=lambda a: a["width"] > 2))
    with pytest.raises(SpaceError, match="refuse the smallest network"):
        OFA("sandwich").start(refusing, Course(1, 1, functional.cross_entropy))


def test_other_stages_and_their_paths():
    """Widths before depths, if it is asked for; the number of networks goes with its stage."""
    method = OFA(stages=(("width",), ("depth",)), paths=(3, 5))
    begun(method, Plain, steps=455, epochs=1)
    assert [(sorted(phase.open), phase.paths) for phase in method._phases] == [
        ([], 1), (["width"], 3), (["depth", "width"], 5)
    ]  # fmt: skip


def test_kernels_have_matrices_that_learn():
    """From identities; of the rule as published, not of the sandwich, and not where they are left out."""
    method = OFA(lr=0.1, rates=(0.1, 0.1, 0.1))
    supernet = begun(method, Elastic, steps=30, epochs=1)
    took(method, supernet, range(30), labelled(30))
    weights = supernet.checkpoint()
    assert not torch.equal(weights["stem.0.weight.5to3"], torch.eye(3))
    assert not torch.equal(weights["stem.0.weight.3to1"], torch.eye(1))
    for without in (OFA(matrices=False), OFA("sandwich")):
        assert "stem.0.weight.5to3" not in begun(without, Elastic).checkpoint()


def test_matrices_decay_as_weights():
    """As the authors have it: only norms and biases do not."""
    method = OFA()
    supernet = begun(method, Elastic)
    matrix = dict(supernet.network.named_parameters())["stem/0/weight/5to3"]
    decays = [g["weight_decay"] for g in method._optimizer.param_groups if any(matrix is p for p in g["params"])]
    assert decays == [3e-5]


def test_channels_are_sorted_when_widths_open():
    """The largest network is the same to rounding before and after, and the first channels are the weightiest."""
    method = OFA(lr=0.1, rates=(1e-12, 1e-12, 1e-12))
    supernet = begun(method, Elastic, steps=605, epochs=1)
    data, widths = labelled(605), next(phase for phase in method._phases if "width" in phase.open)
    took(method, supernet, [*range(20), widths.begin - 1], data)
    before = supernet.extract(LARGEST).eval()
    took(method, supernet, [widths.begin], data)
    after = supernet.extract(LARGEST).eval()
    x = data[0][0]
    with batch_statistics(before), batch_statistics(after):
        torch.testing.assert_close(before(x), after(x), rtol=0, atol=1e-5)
    importance = after.body[1][2].weight.detach().abs().sum((0, 2))
    assert importance.tolist() == pytest.approx(sorted(importance.tolist(), reverse=True))
    assert method.unsorted == {}


def test_channels_that_are_open_already_keep_their_part():
    """In the second phase of widths those of the first stay among themselves: its networks are what they were."""
    method = OFA(lr=0.1, rates=(1e-12, 1e-12, 1e-12))
    supernet = begun(method, Elastic, steps=605, epochs=1)
    data, last = labelled(605), method._phases[-1]
    took(method, supernet, [*range(20), method._phases[-2].begin], data)
    smaller = {**LARGEST, "width": 4, **{f"expansion{block}": 4 for block in range(3)}}
    before = [supernet.extract(architecture).eval() for architecture in (LARGEST, smaller)]
    took(method, supernet, [last.begin], data)
    for network, architecture in zip(before, (LARGEST, smaller), strict=True):
        after = supernet.extract(architecture).eval()
        with batch_statistics(network), batch_statistics(after):
            torch.testing.assert_close(network(data[0][0]), after(data[0][0]), rtol=0, atol=1e-5)


def test_channels_stay_where_sorting_is_left_out():
    """The weights of the next step are those of before it."""
    method = OFA(lr=0.1, rates=(1e-12, 1e-12, 1e-12), sort=False)
    supernet = begun(method, Plain, steps=605, epochs=1)
    data, widths = labelled(605), next(phase for phase in method._phases if "width" in phase.open)
    before = took(method, supernet, range(5), data)[1][0]
    after = took(method, supernet, [widths.begin], data)[1][0]
    torch.testing.assert_close(before, after)


def test_what_cannot_be_sorted_is_said():
    """By the name of the decision, and kept in a checkpoint."""

    class Grouped(nn.Module):
        def __init__(self):
            super().__init__()
            width = nw.choose("width", 4, 8)
            self.body = nn.Sequential(nn.Linear(3, width), nn.GroupNorm(2, width), nn.Linear(width, 3))

        def forward(self, x):
            return self.body(x)

    method = OFA(lr=0.1)
    supernet = begun(method, Grouped, steps=20, epochs=1)
    took(method, supernet, range(20), labelled(20))
    assert set(method.unsorted) == {"width"}
    again = OFA(lr=0.1)
    begun(again, Grouped, steps=20, epochs=1)
    again.recall(method.said())
    assert again.unsorted == method.unsorted


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_few_steps_leave_phases_out(steps):
    """The largest network is the teacher, whichever phase comes next."""
    method = OFA(lr=0.1)
    supernet = begun(method, Plain, steps=steps, epochs=1)
    first = method._phases[1].begin
    took(method, supernet, range(first), labelled(steps))
    trained = supernet.extract({"width": 6, "depth": 2}).state_dict()
    took(method, supernet, range(first, steps), labelled(steps))
    teacher = method._teacher.state_dict()
    assert steps == first or all(torch.equal(tensor, teacher[name]) for name, tensor in trained.items())


def test_nonsense_is_refused():
    """A space without numbers, an unknown rule, and stages without their paths."""

    class Names(nn.Module):
        def __init__(self):
            super().__init__()
            self.op = nw.one_of("op", p=lambda: nn.Linear(3, 3), q=nn.Identity)

        def forward(self, x):
            return self.op(x)

    with pytest.raises(SpaceError, match=r"nothing to shrink"):
        begun(OFA(), Names)
    with pytest.raises(InputError, match="sandwich"):
        OFA("grow")
    with pytest.raises(InputError, match="matrices is true or false, found 'no'"):
        OFA(matrices="no")
    with pytest.raises(InputError, match="sort is true or false, found None"):
        OFA(sort=None)
    with pytest.raises(InputError, match="3 stages, 2 paths"):
        OFA(paths=(1, 2))


def test_the_first_phase_is_the_largest_with_labels_alone():
    """No lesson is learned from a network that has learned nothing."""
    method = OFA(momentum=0.0, weight_decay=0.0)
    supernet = begun(method, Plain, steps=605, epochs=1)
    twin, train = Supernet(nw.SearchSpace(Plain), seed=1), labelled(1)[0]
    functional.cross_entropy(twin.at(Architecture({"width": 6, "depth": 2}))(train[0]), train[1]).backward()
    method.step(0, train, None)
    for mine, theirs in zip(supernet.network.parameters(), twin.network.parameters(), strict=True):
        torch.testing.assert_close(theirs.detach() - 0.08125 / 32 * theirs.grad, mine.detach())
