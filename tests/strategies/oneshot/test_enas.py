"""ENAS: the controller's gradient against enumeration, the turns that it takes, and exact resume."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from tests.strategies.oneshot.learning import PAIRS, begun, goes_on_exactly, labelled, took
from tests.strategies.oneshot.toys import Toy
from torch import nn

import netwright as nw
from netwright.architecture import Architecture
from netwright.errors import InputError, SpaceError
from netwright.strategies.anchors import Anchored
from netwright.strategies.controllers import Autoregressive
from netwright.strategies.oneshot import ENAS, make
from netwright.strategies.oneshot.rewards import reward

BATCH = labelled(1)[0]
ARCHITECTURES = [Architecture(pair) for pair in PAIRS]


def chances(method):
    """The probabilities of the four architectures."""
    walks = [method._policy.steps.walk(architecture) for architecture in ARCHITECTURES]
    return np.exp(method._policy.forward(walks).log_probabilities.sum(0))


def by_differences(method, value, width=1e-6):
    """The gradient of ``value()`` by the controller's parameters."""
    theta, found = method._policy.theta, []
    for place in range(len(theta)):
        before, sides = theta[place], []
        for sign in (1, -1):
            theta[place] = before + sign * width
            sides.append(value())
        theta[place] = before
        found.append((sides[0] - sides[1]) / (2 * width))
    return np.array(found)


def test_the_mean_gradient_is_that_of_reward_and_entropy():
    """Over all architectures with their probabilities: ∇ (E[R] + entropy · H), by finite differences of the sums."""
    # The baseline stays: the next number, 1, is no decay.
    method = ENAS(hidden=3, entropy=0.2, decay=math.nextafter(1.0, 0.0), init=1.0)
    supernet = begun(method)
    rewards = np.array([reward(supernet, a, method._course, [BATCH]) for a in ARCHITECTURES])
    method._baseline = 0.3

    def objective():
        share = chances(method)
        return share @ rewards - 0.2 * share @ np.log(share)

    found = sum(
        share * method._ascent(architecture, [BATCH])
        for share, architecture in zip(chances(method), ARCHITECTURES, strict=True)
    )
    assert len(set(rewards)) > 2
    np.testing.assert_allclose(found, by_differences(method, objective), atol=1e-7)


class Joined(nn.Module):
    """Two nodes that take one of the states before them, and a layer with a skip or none; three classes."""

    def __init__(self):
        super().__init__()
        self.pick2, self.pick3 = nw.inputs("node2.pick", 2), nw.inputs("node3.pick", 3)
        self.op2, self.op3 = (self.operation(f"node{node}.op") for node in (2, 3))
        self.ops = nn.ModuleList(self.operation(f"layer{layer}.op") for layer in range(2))
        self.skip = nw.one_of("layer1.skip0", none=lambda: nn.Hardtanh(0.0, 1e-9), take=nn.Identity)
        self.head = nn.Linear(3, 3)

    @staticmethod
    def operation(name):
        return nw.one_of(name, p=nn.Tanh, q=lambda: nn.Linear(3, 3))

    def forward(self, x):
        states = [x, -x]
        states.append(self.op2(self.pick2(states)))
        x = self.op3(self.pick3(states))
        first = self.ops[0](x)
        return self.head(self.ops[1](first) + self.skip(x))


def test_connections_are_learned_of_by_attention():
    """The mean gradient over all architectures is that of reward, entropy and pull, by differences of the sums."""
    method = ENAS(hidden=2, entropy=0.2, decay=math.nextafter(1.0, 0.0), init=1.0, skip_weight=0.0)
    supernet = begun(method, Joined)
    everything = list(supernet.space.enumerate())
    rewards = np.array([reward(supernet, a, method._course, [BATCH]) for a in everything])
    method._baseline = 0.3

    def shares():
        walks = [method._policy.steps.walk(architecture) for architecture in everything]
        return np.exp(method._policy.forward(walks).log_probabilities.sum(0))

    def objective():
        return shares() @ rewards - 0.2 * shares() @ np.log(shares())

    found = sum(share * method._ascent(each, [BATCH]) for share, each in zip(shares(), everything, strict=True))
    assert isinstance(method._policy, Anchored)
    np.testing.assert_allclose(found, by_differences(method, objective), atol=1e-7)


def test_skips_are_pulled_to_their_target():
    """Where all rewards are alike the controller takes as many skips as it is told to; without a pull it stays."""
    for weight, expected in ((0.8, 0.2), (0.0, 0.5)):
        method = ENAS(hidden=8, skip_target=0.2, skip_weight=weight, entropy=0.0, updates=1, controller_lr=0.02)
        begun(method, Joined)
        method._last.add(BATCH)
        method._reward = lambda architecture, batches: 0.5
        for number in range(60):
            method._learn(np.random.default_rng(number))
        slot = next(iter(method._switches))
        walk = method._policy.steps.walk(method._space.sample(np.random.default_rng(0)))
        assert method._policy.forward([walk]).probabilities[slot, 0, 1] == pytest.approx(expected, abs=0.03)


def test_without_anchors_each_decision_has_a_softmax():
    """And in a space without connections there is nothing else."""
    kinds = []
    for method, network in ((ENAS(anchors=False), Joined), (ENAS(), Joined), (ENAS(), Toy)):
        begun(method, network, loss=nn.functional.mse_loss)
        kinds.append(type(method._policy))
    assert [Autoregressive, Anchored, Autoregressive] == kinds


def test_options_are_favoured_by_name():
    """A bias is added to what the controller learns; a name that the space does not have is refused."""
    method = ENAS(hidden=4, bias={"q": 3.0})
    begun(method)
    method._policy.theta[:] = 0.0
    assert chances(method)[0] == pytest.approx((1 / (1 + math.exp(3.0))) ** 2)
    with pytest.raises(SpaceError, match="bias has 'conv', which no decision of the space has"):
        begun(ENAS(bias=(("conv", 1.0),)))


def test_the_presets_are_the_authors_scripts():
    """What is given is taken before them, and the command line reaches all of it."""
    micro, macro = ENAS(), make("enas(preset=macro, updates=2, bias=((p, 0.25),))")
    assert (150, 160, 1e-4, 0.0035, 30, 10, 1.1, 2.5) == (
        micro.epochs, micro.batch_size, micro.weight_decay, micro.controller_lr,
        micro.updates, micro.aggregate, micro.bound, micro.reduce,
    )  # fmt: skip
    assert (310, 128, 2.5e-4, 0.001, 2, 20, 1.5, 1.0) == (
        macro.epochs, macro.batch_size, macro.weight_decay, macro.controller_lr,
        macro.updates, macro.aggregate, macro.bound, macro.reduce,
    )  # fmt: skip
    assert {"p": 0.25} == macro.bias
    assert 31 * 10 == sum(2**cycle for cycle in range(macro.cycles)) * 10


def test_an_update_is_adam_on_the_mean():
    """Of ``aggregate`` architectures, each on another of the last batches, the baseline following each of them."""
    method, twin = (ENAS(hidden=4, aggregate=3, decay=0.5) for _ in range(2))
    for each in (method, twin):
        begun(each)
        for batch in labelled(2):
            each._last.add(batch)
    method._learn(np.random.default_rng(7))
    rng, ascents = np.random.default_rng(7), []
    for place in (-1, -2, -1):
        architecture = twin._policy.steps.draw(twin._policy.reader(), rng)
        ascents.append(twin._ascent(architecture, [twin._last.batches[place]]))
    theta = nn.Parameter(torch.from_numpy(twin._policy.theta.copy()))
    theta.grad = torch.from_numpy(-np.mean(ascents, axis=0))
    torch.optim.Adam([theta], 0.0035).step()
    np.testing.assert_allclose(method._policy.theta, theta.detach().numpy(), rtol=1e-12)
    assert method._baseline == twin._baseline


def test_the_controller_learns_after_each_epoch():
    """It rests while weights learn, and the weights rest while it learns; both in the published numbers."""
    method = ENAS(updates=3, aggregate=2)
    supernet = begun(method, steps=12, epochs=3)
    moves, seen = [], Counter()
    score = method._reward
    method._reward = lambda architecture, batches: (seen.update([architecture]), score(architecture, batches))[1]
    for number, batch in enumerate(labelled(12)):
        theta = method._policy.theta.copy()
        method.step(number, batch, batch)
        moves.append(not np.array_equal(theta, method._policy.theta))
    assert moves == [False, False, False, True] * 3
    assert sum(seen.values()) == 3 * 3 * 2
    assert method._learner.state[method._theta]["step"] == 9
    assert supernet.network.norm.num_batches_tracked == 12


def test_logits_are_within_their_bounds():
    """Connections within ±1.1, all else within 2.5 times less, whatever the weights."""

    class Node(nn.Module):
        def __init__(self):
            super().__init__()
            self.pick = nw.inputs("pick", 2, pick=1)
            self.op = nw.one_of("op", p=nn.Identity, q=lambda: nn.Linear(3, 3))

        def forward(self, x):
            return self.op(self.pick([x, -x]))

    method = ENAS(hidden=4)
    begun(method, Node)
    method._policy.weights()["head_bias"][:] = [50.0, -50.0, 50.0, -50.0]
    walk = method._policy.steps.walk(Architecture({"pick": (0,), "op": "p"}))
    shares = method._policy.forward([walk]).probabilities[:, 0]
    np.testing.assert_allclose(np.log(shares[:, 0] / shares[:, 1]), [2.2, 0.88], rtol=1e-6)
    np.testing.assert_allclose(method._policy.reader().probabilities(0, 2), shares[0])


def test_weights_are_drawn_by_the_controller():
    """A controller that is sure trains one path alone."""
    method = ENAS(hidden=4, bound=50.0, reduce=1.0)
    supernet = begun(method)
    method._policy.weights()["head"][:] = 0.0
    method._policy.weights()["head_bias"][:] = [-50.0, 50.0, 50.0, -50.0]
    before = supernet.checkpoint()
    took(method, supernet, range(5), labelled(5))
    moved = {name for name, tensor in supernet.checkpoint().items() if not torch.equal(before[name], tensor)}
    assert {name for name in moved if "norm" not in name} == {"b.candidates.0.weight", "b.candidates.0.bias"}


def test_the_learning_rate_restarts():
    """At .05 after one, three and seven of fifteen parts of the course; near .0005 before."""
    method = ENAS()
    begun(method)
    rates = [0.05 * method._restarted(part / 15) for part in (0, 1, 3, 7, 11, 15)]
    assert rates == pytest.approx([0.05, 0.05, 0.05, 0.05, 0.02525, 0.0005])
    assert 0.05 * method._restarted(6.999 / 15) == pytest.approx(0.0005, rel=1e-3)


def test_the_best_of_what_it_draws_is_the_answer():
    """By the batches that are kept; in a part of the space, of that part; again the same."""
    method = ENAS(updates=1)
    supernet = begun(method, steps=12, epochs=3)
    took(method, supernet, range(12), labelled(12))
    scores = {a: reward(supernet, a, method._course, method._last.batches) for a in ARCHITECTURES}
    found = method.ranked(4)
    assert sorted(scores.values(), reverse=True) == [scores[architecture] for architecture in found]
    assert method.ranked(4) == found
    part = supernet.space.restrict(lambda architecture: architecture["a"] == "q")
    assert {architecture["a"] for architecture in method.ranked(4, part)} == {"q"}


def test_what_is_better_becomes_more_probable():
    """The controller finds the option that alone can answer."""

    class Clear(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nw.one_of("a", dead=lambda: nn.Hardtanh(0.0, 1e-6), right=nn.Identity)
            self.head = nn.Linear(3, 3)

        def forward(self, x):
            return self.head(self.a(x))

    method = ENAS(lr=0.5, updates=10)
    supernet = begun(method, Clear, steps=40, epochs=8)
    took(method, supernet, range(40), labelled(40))
    assert method.ranked(1) == [Architecture({"a": "right"})]
    walk = method._policy.steps.walk(Architecture({"a": "right"}))
    assert method._policy.forward([walk]).probabilities[0, 0, 1] > 0.6


def test_a_checkpoint_goes_on_exactly():
    """Ten steps, a checkpoint in the middle of an epoch, and five more are as fifteen, bit for bit."""
    assert goes_on_exactly(lambda: ENAS(updates=2, aggregate=2), steps=16, epochs=4)


def test_a_checkpoint_with_anchors_goes_on_exactly():
    """As one without them."""
    assert goes_on_exactly(lambda: ENAS(updates=2, aggregate=2), Joined, steps=16, epochs=4)


def test_scoring_ends_when_it_is_told_to():
    """With the best of those that were scored, which are at least as many as are wanted."""
    method = ENAS(updates=1, samples=50)
    begun(method, steps=12, epochs=3)
    method._last.add(BATCH)
    scored = []
    method._reward = lambda architecture, batches: scored.append(architecture) or float(len(scored))
    found = method.ranked(2, stop=lambda: True)
    assert [scored[1], scored[0]] == found
    assert len(method.ranked(4)) == 4


def test_another_seed_is_another_search():
    """And the same is the same, whatever the global generator did."""
    found = []
    for seed in (3, 3, 4):
        torch.manual_seed(len(found))
        method = ENAS(updates=2, aggregate=2)
        supernet = begun(method, seed=seed, steps=8, epochs=2)
        took(method, supernet, range(8), labelled(8))
        found.append(method._policy.theta.copy())
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_decisions_about_training_have_their_first_value():
    """No network depends on them, and nothing is learned of them."""

    class Trained(nn.Module):
        def __init__(self):
            super().__init__()
            nw.choose("recipe.lr", 0.1, 0.2)
            self.a = nw.one_of("a", p=nn.Identity, q=nn.Tanh)
            self.head = nn.Linear(3, 3)

        def forward(self, x):
            return self.head(self.a(x))

    method = ENAS(updates=1)
    supernet = begun(method, Trained, steps=4, epochs=1)
    took(method, supernet, range(4), labelled(4))
    assert {architecture["recipe.lr"] for architecture in method.ranked(2)} == {0.1}
    assert method._policy.steps.sizes == [2]


def test_it_needs_something_open():
    """A space whose decisions are all fixed, and nonsense in the constructor, are refused in words."""
    from netwright.strategies.oneshot import Course
    from netwright.supernet import Supernet

    with pytest.raises(SpaceError, match="every decision of the space is fixed"):
        ENAS().start(Supernet(nw.SearchSpace(Toy).fix(a="r", b="p")), Course(1, 1, nn.functional.mse_loss))
    with pytest.raises(InputError, match="updates"):
        ENAS(updates=0)
    with pytest.raises(InputError, match="preset 'makro' is unknown"):
        ENAS("makro")
    with pytest.raises(InputError, match="skip_target is a probability above 0 and below 1, found 1"):
        ENAS(skip_target=1)
    with pytest.raises(InputError, match="bias is pairs of an option's name and a number, found 3"):
        ENAS(bias=3)
