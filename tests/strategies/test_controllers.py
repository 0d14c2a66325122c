"""Policies over a space: their walks, their probabilities and their gradients, against torch and finite differences."""

import collections
import itertools
import math

import numpy as np
import pytest
import torch

from netwright.space import Decision
from netwright.space.decisions import of_candidates, of_inputs, of_options, of_range
from netwright.strategies.controllers import (
    BINS,
    Adam,
    Autoregressive,
    Baseline,
    Independent,
    Steps,
    Walk,
    propose,
)
from netwright.testing import toy


def operations(count=6, options=5):
    return [of_candidates(f"edge{index}", [f"op{option}" for option in range(options)]) for index in range(count)]


def autoregressive(steps, *, hidden=7, layers=2, init=0.6, seed=0):
    return Autoregressive(steps, np.random.default_rng(seed), hidden, layers, init)


def drawn(policy, count, seed=1):
    rng = np.random.default_rng(seed)
    return [policy.steps.draw(policy.reader(), rng) for _ in range(count)]


def by_slots(policy, architectures):
    groups = collections.defaultdict(list)
    for architecture in architectures:
        walk = policy.steps.walk(architecture)
        groups[walk.slots].append(walk)
    return list(groups.values())


def differences(policy, value, places, step=1e-6):
    """∂ value / ∂ θ at the places, by central differences."""
    slopes = []
    for place in places:
        before = policy.theta[place]
        policy.theta[place] = before + step
        above = value()
        policy.theta[place] = before - step
        slopes.append((above - value()) / (2 * step))
        policy.theta[place] = before
    return np.array(slopes)


class Torch(torch.nn.Module):
    """The same controller by torch.nn.LSTM, with the weights of ours."""

    def __init__(self, policy):
        super().__init__()
        weights = {name: torch.tensor(value) for name, value in policy.weights().items()}
        self.lstm = torch.nn.LSTM(policy.hidden, policy.hidden, policy.layers, dtype=torch.float64)
        for name, parameter in self.lstm.named_parameters():
            # Torch has two biases that are added to each other; the second is none.
            value = weights[name.replace("bias_ih", "bias")] if "bias_hh" not in name else torch.zeros_like(parameter)
            parameter.data.copy_(value)
        self.embedding = torch.nn.Parameter(weights["embedding"])
        self.head = torch.nn.Parameter(weights["head"])
        self.head_bias = torch.nn.Parameter(weights["head_bias"])
        self.steps = policy.steps

    def log_probabilities(self, walk):
        read = [self.steps.total, *(self.steps.offsets[s] + a for s, a in zip(walk.slots, walk.actions, strict=True))]
        outputs, _ = self.lstm(self.embedding[read[:-1]][:, None])
        found = []
        for output, slot, action, open_ in zip(outputs[:, 0], walk.slots, walk.actions, walk.opens, strict=True):
            rows = slice(self.steps.offsets[slot], self.steps.offsets[slot] + open_)
            found.append(torch.log_softmax(self.head[rows] @ output + self.head_bias[rows], 0)[action])
        return torch.stack(found)

    def gradient(self):
        """In the order of ours: input, state and bias of each layer, embedding, head, its bias."""
        parameters = dict(self.lstm.named_parameters())
        layers = range(self.lstm.num_layers)
        names = [f"{kind}_l{layer}" for layer in layers for kind in ("weight_ih", "weight_hh", "bias_ih")]
        tables = [self.embedding, self.head, self.head_bias]
        return np.concatenate([p.grad.numpy().ravel() for p in (*(parameters[name] for name in names), *tables)])


@pytest.mark.parametrize("space", ["flat", "conditional", "cell", "mixed"])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_lstm_is_torchs(space, layers):
    """Log-probabilities and the gradient of their weighted sum are those of torch's LSTM and autograd."""
    policy = autoregressive(Steps(toy.SPACES[space]().decisions), layers=layers)
    reference = Torch(policy)
    rng = np.random.default_rng(2)
    ours, expected = np.zeros_like(policy.theta), torch.zeros((), dtype=torch.float64)
    for walks in by_slots(policy, drawn(policy, 12)):
        done = policy.forward(walks)
        weights = rng.normal(size=done.log_probabilities.shape)
        ours += policy.gradient(done, weights)
        for k, walk in enumerate(walks):
            logs = reference.log_probabilities(walk)
            np.testing.assert_allclose(done.log_probabilities[:, k], logs.detach().numpy(), rtol=1e-12)
            expected = expected + (torch.tensor(weights[:, k]) * logs).sum()
    expected.backward()
    np.testing.assert_allclose(ours, reference.gradient(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["lstm", "independent"])
def test_gradients_by_finite_differences(kind):
    """The gradient of log-probabilities and entropies together is what small changes of the weights make."""
    steps = Steps([*operations(3, 4), of_options("long", range(1_000, 1_070)), of_candidates("last", "ab")])
    policy = autoregressive(steps) if kind == "lstm" else Independent(steps, np.random.default_rng(0), scale=1.0)
    walks = [steps.walk(architecture) for architecture in drawn(policy, 5)]
    weights = np.random.default_rng(3).normal(size=(len(walks[0].slots), len(walks)))

    def value():
        done = policy.forward(walks)
        return (weights * done.log_probabilities).sum() + 0.7 * done.entropies.sum()

    places = np.random.default_rng(4).choice(len(policy.theta), min(150, len(policy.theta)), replace=False)
    found = policy.gradient(policy.forward(walks), weights, 0.7)
    np.testing.assert_allclose(found[places], differences(policy, value, places), atol=1e-7)
    assert np.count_nonzero(found) > len(found) / 2


@pytest.mark.parametrize("kind", ["lstm", "independent"])
@pytest.mark.parametrize("space", ["flat", "conditional", "cell", "shared"])
def test_probabilities_of_all_architectures_sum_to_one(space, kind):
    """Over a space written out; so conditions are asked as the space asks them, and each walk leads to one."""
    space = toy.SPACES[space]()
    steps = Steps(space.decisions)
    policy = autoregressive(steps) if kind == "lstm" else Independent(steps, np.random.default_rng(0), scale=1.0)
    total = 0.0
    for walks in by_slots(policy, space.enumerate()):
        total += np.exp(policy.forward(walks).log_probabilities.sum(axis=0)).sum()
    assert total == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("kind", ["lstm", "independent"])
def test_draws_follow_the_probabilities(kind):
    """What is drawn step by step has the frequencies that the forward pass says."""
    space = toy.SPACES["shared"]()
    steps = Steps(space.decisions)
    policy = autoregressive(steps, init=2.0) if kind == "lstm" else Independent(steps, np.random.default_rng(0), 1.0)
    counts = collections.Counter(drawn(policy, 2_000))
    for architecture in space.enumerate():
        expected = math.exp(policy.forward([steps.walk(architecture)]).log_probabilities.sum())
        assert counts[architecture] / 2_000 == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 2_000))


def test_one_walk_or_many():
    """A batch has the log-probabilities and the gradient of its walks one by one."""
    policy = autoregressive(Steps(operations()))
    walks = [policy.steps.walk(architecture) for architecture in drawn(policy, 6)]
    weights = np.arange(1.0, 7.0)
    together = policy.forward(walks)
    single = [policy.forward([walk]) for walk in walks]
    np.testing.assert_allclose(
        together.log_probabilities, np.concatenate([done.log_probabilities for done in single], axis=1), rtol=1e-12
    )
    alone = sum(policy.gradient(done, np.array([weight])) for done, weight in zip(single, weights, strict=True))
    np.testing.assert_allclose(policy.gradient(together, weights), alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("space", sorted(toy.SPACES))
def test_architectures_are_of_the_space(space):
    """What is drawn fits the space, and its walk draws it again (of a range: its bin)."""
    space = toy.SPACES[space]()
    policy = autoregressive(Steps(space.decisions))
    rng = np.random.default_rng(0)
    for _ in range(50):
        architecture = propose(policy, space, rng)
        assert space.validate(architecture) == architecture
        assert policy.steps.walk(architecture) == policy.steps.walk(space.validate(dict(architecture)))


def test_decisions_with_one_value_are_no_slot():
    """There is nothing to learn of them."""
    steps = Steps(toy.SPACES["point"]().decisions)
    assert steps.sizes == []
    assert steps.walk({"width": 2}) == Walk((), (), ())


@pytest.mark.parametrize(
    ("decision", "sizes"),
    [
        (of_options("a", [1, 2, 3]), [3]),
        (of_options("a", range(64)), [64]),
        (of_options("a", range(65)), [8, 9]),
        (of_inputs("a", 18, 9), [36, 37, 37]),
        (of_inputs("a", 5, 2), [10]),
        (of_range("a", 1, 64, False, None), [64]),
        (of_range("a", 1, 65, False, None), [BINS]),
        (of_range("a", 0.0, 1.0, False, None), [BINS]),
        (of_range("a", 1e-4, 1.0, True, None), [BINS]),
        (of_range("a", 1, 10**6, False, None), [BINS]),
    ],
)
def test_how_a_decision_is_answered(decision, sizes):
    """Up to 64 values by one softmax, longer lists by digits, longer ranges and those without end by 16 bins."""
    found = Steps([decision]).sizes
    assert found == sizes
    assert math.prod(found) >= min(decision.cardinality, BINS)


@pytest.mark.parametrize("count", [65, 100, 4_097, 5_000])
def test_every_option_of_a_long_list_has_one_walk(count):
    """The digits of all positions are different, their open options are the right ones, and a draw finds them."""
    decision = of_options("a", range(count))
    steps = Steps([decision])
    walks = [steps.walk({"a": option}) for option in range(count)]
    assert len(set(walks)) == count
    uniform = sum(1 / math.prod(walk.opens) for walk in walks)
    assert uniform == pytest.approx(1.0)  # each path's probability when every softmax is even
    policy = Independent(steps, np.random.default_rng(0), scale=0.0)
    assert {architecture["a"] for architecture in drawn(policy, 200)} <= set(range(count))


@pytest.mark.parametrize(
    "decision",
    [
        of_range("a", 0.0, 3.0, False, None),
        of_range("a", 1e-5, 1e-1, True, None),
        of_range("a", 1, 1_000, False, None),
        of_range("a", 1, 1_000, True, None),
        of_range("a", 2, 10**7, True, None),
        of_range("a", -5.0, 5.0, False, 0.01),
    ],
    ids=lambda decision: decision.values_text(),
)
def test_values_are_drawn_inside_their_bin(decision):
    """An even policy draws as the space does: the bins have equal shares, and the values the space's quantiles."""
    steps = Steps([decision])
    policy = Independent(steps, np.random.default_rng(0), scale=0.0)
    values = np.array([architecture["a"] for architecture in drawn(policy, 4_000)])
    assert all(decision.position(value) is not None for value in values.tolist())
    bins = np.array([steps.walk({"a": value}).actions[0] for value in values.tolist()])
    assert bins.min() == 0
    assert bins.max() == steps.sizes[0] - 1
    edges = np.arange(0.125, 1.0, 0.125)
    if not (decision.log and not decision.continuous):  # there the first bins would hold less than a value
        np.testing.assert_allclose(np.bincount(bins) / 4_000, 1 / BINS, atol=0.02)
        expected = [decision.draw(u) for u in edges]
        span = float(decision.high - decision.low)
        scale = np.log if decision.log else lambda x: np.asarray(x) / span
        tolerance = 0.4 if decision.log else 0.03
        np.testing.assert_allclose(scale(np.quantile(values, edges)), scale(expected), atol=tolerance)
    assert np.all(np.diff(bins[np.argsort(values, kind="stable")]) >= 0)


def test_a_bin_is_where_its_value_lies():
    """The ends and both sides of a border are in the bins that they belong to."""
    steps = Steps([of_range("a", 0.0, 16.0, False, None)])
    where = [steps.walk({"a": value}).actions[0] for value in (0.0, 0.999, 1.0, 1.001, 15.0, 16.0)]
    assert where == [0, 0, 1, 1, 15, 15]


def test_refused_architectures_are_drawn_again():
    """A rule that a policy hardly meets by itself is met by the space's own draw."""
    space = toy.SPACES["dials"]().restrict(lambda a: sum(a.values()) >= 1)
    narrow = toy.SPACES["flat"]().restrict(lambda a: (a["width"], a["kernel"]) == (4, 3))
    policy = Independent(Steps(narrow.decisions), np.random.default_rng(0))
    policy.theta[[0, 1, 2]] = [50.0, 0.0, 0.0]  # it wants a width of 2
    rng = np.random.default_rng(0)
    assert all(propose(policy, narrow, rng) in narrow for _ in range(5))
    free = Independent(Steps(space.decisions), np.random.default_rng(0))
    assert propose(free, space, rng) in space


def test_initial_weights():
    """The LSTM's are uniform within ±init; the independent logits are small and normal."""
    steps = Steps(operations())
    theta = autoregressive(steps, hidden=35, init=0.08).theta
    assert np.abs(theta).max() <= 0.08
    assert theta.std() == pytest.approx(0.08 / math.sqrt(3), rel=0.02)
    logits = Independent(steps, np.random.default_rng(0)).theta
    assert len(logits) == 30
    assert np.abs(logits).max() < 5e-3


def test_adam():
    """The steps of Kingma and Ba 2015, algorithm 1, number by number."""
    rng = np.random.default_rng(0)
    theta = rng.normal(size=20)
    expected, adam = theta.tolist(), Adam(20, 0.01)
    means, squares = [0.0] * 20, [0.0] * 20
    for t in range(1, 31):
        gradient = rng.normal(size=20) * 10.0 ** rng.integers(-3, 3, 20)
        adam.step(theta, gradient)
        for i, g in enumerate(gradient.tolist()):
            means[i] = 0.9 * means[i] + 0.1 * g
            squares[i] = 0.999 * squares[i] + 0.001 * g**2
            mean, square = means[i] / (1 - 0.9**t), squares[i] / (1 - 0.999**t)
            expected[i] -= 0.01 * mean / (math.sqrt(square) + 1e-8)
    np.testing.assert_allclose(theta, expected, rtol=1e-9)


def test_the_baseline_has_no_bias():
    """It is the mean with weights 0.9^age; the first reward is its own baseline."""
    baseline, rewards = Baseline(0.9), [3.0, 5.0, -2.0, 7.0]
    advantages = [baseline.advantage(reward) for reward in rewards]
    weights = [0.9**age for age in (3, 2, 1, 0)]
    assert advantages[0] == 0.0
    assert baseline.value == pytest.approx(np.average(rewards, weights=weights))
    assert advantages[-1] == pytest.approx(7.0 - baseline.value)


def test_a_condition_on_a_skipped_decision():
    """Slots of decisions that are not asked are left out of the walk, in whatever order they stand."""
    kernel = Decision("kernel", "choose", (1, 3), conditions=((("block", ("conv",)),),))
    steps = Steps([of_candidates("block", ["conv", "skip"]), kernel, of_candidates("last", "ab")])
    assert steps.walk({"block": "skip", "last": "b"}) == Walk((0, 2), (1, 1), (2, 2))
    found = set(map(str, drawn(Independent(steps, np.random.default_rng(0)), 200)))
    assert found == {
        *(f"block=conv kernel={k} last={last}" for k, last in itertools.product((1, 3), "ab")),
        *(f"block=skip last={last}" for last in "ab"),
    }
