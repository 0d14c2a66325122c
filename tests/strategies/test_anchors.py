"""Connections by attention to anchors: what is read off names, and the gradient by differences and enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from netwright.architecture import Architecture
from netwright.space import Decision
from netwright.space.decisions import of_candidates, of_inputs
from netwright.strategies.anchors import Anchored, Anchors, biases, skip_pull, switches
from netwright.strategies.controllers import Steps
from netwright.zoo import SPACES


def cell():
    """Two nodes that each take one of the states before, a third that takes two of four."""
    return [
        of_inputs("node2.left", 2, 1),
        of_candidates("node2.op", "ab"),
        of_inputs("node3.left", 3, 1),
        of_candidates("node3.op", "ab"),
        of_inputs("node4", 4, 2),
    ]


def chain():
    """Three layers, each with a skip or none from the states before it."""
    decisions = []
    for layer in range(3):
        decisions.append(of_candidates(f"layer{layer}.op", "ab"))
        decisions += [of_candidates(f"layer{layer}.skip{source}", ["none", "take"]) for source in range(layer)]
    return decisions


def anchored(decisions, *, hidden=4, layers=1, seed=0, **options):
    steps = Steps(decisions)
    return Anchored(Anchors(decisions, steps), steps, np.random.default_rng(seed), hidden, layers, 0.9, **options)


def everything(decisions):
    """All architectures."""
    values = [decision.options for decision in decisions]
    return [
        Architecture(dict(zip([decision.name for decision in decisions], answers, strict=True)))
        for answers in itertools.product(*values)
    ]


def by_differences(policy, value, width=1e-6):
    found = []
    for place in range(len(policy.theta)):
        before, sides = policy.theta[place], []
        for sign in (1, -1):
            policy.theta[place] = before + sign * width
            sides.append(value())
        policy.theta[place] = before
        found.append((sides[0] - sides[1]) / (2 * width))
    return np.array(found)


def wants(decisions):
    """The candidates' anchors of each slot by name, a number for one that is learnt."""
    anchors = Anchors(decisions, Steps(decisions))
    names = [*range(anchors.free), *(place.name for place in anchors.places)]
    return [None if choice is None else [names[row] for row in choice.sources] for choice in anchors.choices]


def test_the_last_candidates_are_the_nodes_before():
    """The inputs of the cell, which no decision made, have anchors that are learnt, the same for all nodes."""
    assert [[0, 1], None, [0, 1, "node2"], None, [0, 1, "node2", "node3"]] == wants(cell())


def test_a_set_of_switches_is_attended_layer_by_layer():
    """As in the authors' program skip i looks at the anchor of layer i."""
    assert [None, None, ["layer0"], None, ["layer0"], ["layer1"]] == wants(chain())


def test_names_without_numbers_have_a_plain_softmax():
    """And so has a graph of a single node, and a list of tuples that is longer than a softmax."""
    assert [None] == wants([of_inputs("pick", 5, 1)])
    assert [None, None] == wants([of_inputs("node3", 3, 1), of_candidates("op", "ab")])
    long = [of_candidates("node1.op", "ab"), of_inputs("node2", 12, 6), of_inputs("node3", 3, 1)]
    assert [None, None, None, [0, "node1", "node2"]] == wants(long)


@pytest.mark.parametrize(
    ("name", "slots", "attended", "free"),
    [
        ("enas-micro", 40, 20, 4),
        ("enas-macro", 78, 66, 0),
        ("nasnet", 50, 20, 4),
        ("darts", 34, 6, 6),
        ("darts-rnn", 15, 7, 1),
        ("nasbench-graph", 7, 3, 2),
        ("mobilenetv3", 65, 0, 0),
    ],
)
def test_published_spaces(name, slots, attended, free):
    """So many of their slots are connections between nodes; a squeeze of ``none`` is no switch."""
    decisions = SPACES[name].space().decisions
    anchors = Anchors(decisions, Steps(decisions))
    counted = len(anchors.choices), sum(choice is not None for choice in anchors.choices), anchors.free
    assert (slots, attended, free) == counted


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("decisions", [cell(), chain()], ids=["inputs", "switches"])
def test_gradients_by_finite_differences(decisions, layers):
    """Of log-probabilities, entropies and the pull of skips, for several walks at once, bounded and biased."""
    steps = Steps(decisions)
    bias = np.random.default_rng(1).normal(size=steps.total)
    policy = anchored(decisions, layers=layers, bounds=np.linspace(0.8, 2.0, len(steps.sizes)), bias=bias)
    rng = np.random.default_rng(2)
    walks = [policy.steps.walk(policy.steps.draw(policy.reader(), rng)) for _ in range(5)]
    weights = rng.normal(size=(len(steps.sizes), len(walks)))
    known = switches(decisions, steps)

    def value():
        done = policy.forward(walks)
        pulled = skip_pull(done, known, 0.3)[0]
        return (weights * done.log_probabilities).sum() + 0.7 * done.entropies.sum() - 1.3 * pulled

    done = policy.forward(walks)
    found = policy.gradient(done, weights, 0.7, -1.3 * skip_pull(done, known, 0.3)[1])
    np.testing.assert_allclose(found, by_differences(policy, value), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("decisions", [cell(), chain()], ids=["inputs", "switches"])
def test_reinforce_on_average_is_the_gradient_of_the_expectation(decisions):
    """Over all architectures: Σ p · R · ∇ log p is ∇ Σ p · R, and the p sum to one."""
    policy = anchored(decisions, hidden=3)
    walks = [policy.steps.walk(architecture) for architecture in everything(decisions)]
    rewards = np.random.default_rng(4).normal(size=len(walks))

    def shares():
        return np.exp(policy.forward(walks).log_probabilities.sum(0))

    found = policy.gradient(policy.forward(walks), shares() * rewards)
    assert shares().sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found, by_differences(policy, lambda: shares() @ rewards), atol=1e-8)


@pytest.mark.parametrize("decisions", [cell(), chain()], ids=["inputs", "switches"])
def test_what_is_drawn_is_what_is_learned_of(decisions):
    """The probabilities of drawing are those of the forward pass of the same walk."""
    policy = anchored(decisions, layers=2)
    for architecture in everything(decisions)[::7]:
        walk = policy.steps.walk(architecture)
        done, reader = policy.forward([walk]), policy.reader()
        for turn, (slot, action, open_) in enumerate(zip(walk.slots, walk.actions, walk.opens, strict=True)):
            np.testing.assert_allclose(reader.probabilities(slot, open_), done.probabilities[turn, 0, :open_])
            reader.took(slot, action)


def test_what_is_read_after_switches_by_hand():
    """The sum of the anchors that are on, over one more than their number: none leave nothing, three a quarter each.

    As the authors' program divides by ``1.0 + tf.reduce_sum(skip)``.
    """
    decisions = [*chain(), of_candidates("layer3.op", "ab")]
    decisions += [of_candidates(f"layer3.skip{source}", ["take", "none"]) for source in range(3)]
    anchors = Anchors(decisions, Steps(decisions))
    none, first, outer, every = [1, 1, 1], [0, 1, 1], [0, 1, 0], [0, 0, 0]
    found = anchors.read([7, 8, 9], np.transpose([none, first, outer, every]))
    expected = [[0, 0, 0], [1 / 2, 0, 0], [1 / 3, 0, 1 / 3], [1 / 4, 1 / 4, 1 / 4]]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_what_is_read_after_inputs_by_hand():
    """The mean of the anchors that were picked; those that are learnt come first in the bank."""
    decisions = cell()
    anchors = Anchors(decisions, Steps(decisions))
    picks = [(0, 1), (0, 3), (2, 3)]
    found = anchors.read([4], np.array([[decisions[4].options.index(pick) for pick in picks]]))
    np.testing.assert_array_equal(found, [[0.5, 0.5, 0, 0], [0.5, 0, 0, 0.5], [0, 0, 0.5, 0.5]])
    alone = anchors.read([2], np.array([[decisions[2].options.index((1,))]]))
    np.testing.assert_array_equal(alone, [[0, 1, 0, 0]])


def test_the_next_step_reads_that_by_hand():
    """With on and off the LSTM reads ``h₁ / 2`` and nothing: the gates of the step after are those of that input."""
    decisions = chain()[:4]
    policy = anchored(decisions, hidden=2)
    weights = policy.weights()
    for skip, part in (("take", 0.5), ("none", 0.0)):
        reader = policy.reader()
        for slot, action in enumerate((0, 0, 1 if skip == "take" else 0)):
            reader.probabilities(slot, 2)
            reader.took(slot, action)
        # What was there before the step, and the anchor of layer 0, which is row 0 of the bank.
        x, h, c = part * reader._bank[0], reader._h[0], reader._c[0]
        gates = weights["weight_ih_l0"] @ x + weights["weight_hh_l0"] @ h + weights["bias_l0"]
        enter, forget, leave = (1 / (1 + np.exp(-gates[begin : begin + 2])) for begin in (0, 2, 6))
        state = leave * np.tanh(forget * c + enter * np.tanh(gates[4:6]))
        logits = weights["head"][6:8] @ state + weights["head_bias"][6:8]
        expected = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(reader.probabilities(3, 2), expected, rtol=1e-12)


def test_a_decision_that_is_not_asked_leaves_no_anchor():
    """Its place counts as nothing where it was left out, and draws stay what is learned of."""
    width = Decision("node2.width", "choose", (1, 2), conditions=((("kind", ("with",)),),))
    policy = anchored([of_candidates("kind", ["with", "without"]), width, of_inputs("node3", 3, 1)])
    done = policy.forward([policy.steps.walk({"kind": "without", "node3": (2,)})])
    assert (0, 2) == done.slots
    reader = policy.reader()
    np.testing.assert_allclose(reader.probabilities(0, 2), done.probabilities[0, 0, :2])
    reader.took(0, 1)
    np.testing.assert_allclose(reader.probabilities(2, 3), done.probabilities[1, 0])


def test_attention_to_the_same_anchors_is_even():
    """With weights of zero every state is as good, and a switch is on half the time."""
    for decisions in (cell(), chain()):
        policy = anchored(decisions)
        policy.theta[:] = 0.0
        walk = policy.steps.walk(everything(decisions)[0])
        shares = policy.forward([walk]).probabilities[:, 0]
        assert all(set(row[row > 0].round(12)) == {round(1 / (row > 0).sum(), 12)} for row in shares)


def test_the_pull_of_skips_by_hand():
    """KL of each switch, summed within a layer, the mean of the layers; nothing where all are on as often as wished."""
    decisions = chain()
    policy = anchored(decisions)
    policy.theta[:] = 0.0
    done = policy.forward([policy.steps.walk(everything(decisions)[0])])
    known = switches(decisions, policy.steps)
    one = 0.5 * np.log(0.5 / 0.4) + 0.5 * np.log(0.5 / 0.6)
    assert {2: (0, 1), 4: (1, 1), 5: (1, 1)} == known
    assert skip_pull(done, known, 0.4)[0] == pytest.approx((one + 2 * one) / 2)
    assert skip_pull(done, known, 0.5)[0] == pytest.approx(0.0, abs=1e-15)


def test_options_may_be_favoured_by_name():
    """A bias is a constant of the logits; a name that no option has is told."""
    decisions = [of_candidates("a", ["conv", "skip"]), of_candidates("b", ["skip", "pool", "none"])]
    found, missing = biases({"skip": 0.5, "pool": -1.0, "other": 2.0}, Steps(decisions))
    assert [0.0, 0.5, 0.5, -1.0, 0.0] == found.tolist()
    assert {"other"} == missing
