"""REINFORCE: its gradient against enumeration, its history against the published algorithm."""

import itertools

import numpy as np
import pytest
from tests.strategies.player import dial_sum, play, started, trial

from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.space import SearchSpace, choose, one_of
from netwright.strategies import Reinforce
from netwright.testing import check_strategy, toy
from netwright.trial import Objective, Proposal, State, Trial


class Two(toy.Point):
    """Two decisions: six architectures."""

    def __init__(self, input_shape=toy.INPUT_SHAPE, classes=toy.CLASSES):
        super().__init__(input_shape, classes)
        choose("a", 1, 2)
        one_of("b", x=toy.nn.Identity, y=toy.nn.Identity, z=toy.nn.Identity)


REWARDS = {(1, "x"): 0.3, (1, "y"): 0.9, (1, "z"): 0.1, (2, "x"): 0.7, (2, "y"): 0.2, (2, "z"): 0.5}


class Recorder:
    """Takes Adam's place and keeps the gradients that it was given."""

    def __init__(self):
        self.ascents = []

    def step(self, theta, gradient):
        self.ascents.append(-gradient)


def recording(strategy, space):
    """The started strategy, asked once and given larger weights, with its recorder."""
    started(strategy, space).ask(np.random.default_rng(0))
    theta = strategy._policy.theta
    theta[:] = np.random.default_rng(1).normal(size=len(theta)) * 0.5
    strategy._adam = Recorder()
    return strategy, strategy._adam


def reward(architecture):
    return REWARDS[architecture["a"], architecture["b"]]


def expected_reward(policy, space):
    walks = [policy.steps.walk(architecture) for architecture in space.enumerate()]
    probabilities = np.exp(policy.forward(walks).log_probabilities.sum(axis=0))
    return probabilities @ [reward(architecture) for architecture in space.enumerate()]


@pytest.mark.parametrize("controller", ["lstm", "independent"])
def test_the_estimator_is_unbiased(controller):
    """Over all architectures by their probability it is the exact gradient of the expected reward.

    The baseline holds the reward itself, with the weight w = 0.1 / 0.19: what is left of the gradient is 1 − w.
    """
    space = SearchSpace(Two)
    mean = 0.0
    for architecture in space.enumerate():
        strategy, recorder = recording(Reinforce(controller, decay=0.9, hidden=5), space)
        policy = strategy._policy
        strategy.tell(trial(0, architecture, score=0.42))  # whatever the baseline was, it cancels out
        probability = np.exp(policy.forward([policy.steps.walk(architecture)]).log_probabilities.sum())
        strategy.tell(trial(1, architecture, score=reward(architecture)))
        mean = mean + probability * recorder.ascents[1]
    exact = np.zeros_like(policy.theta)
    for place in range(len(exact)):
        before = policy.theta[place]
        policy.theta[place] = before + 1e-6
        exact[place] = expected_reward(policy, space)
        policy.theta[place] = before - 1e-6
        exact[place] -= expected_reward(policy, space)
        policy.theta[place] = before
    np.testing.assert_allclose(mean / (1 - 0.1 / 0.19), exact / 2e-6, atol=1e-8)
    assert np.abs(exact / 2e-6).max() > 0.01


def nats_reinforce(space, score, trials, seed, lr=0.01, decay=0.9):
    """The reduced REINFORCE of NAS-Bench-201, line by line, with our order of random numbers; flat spaces."""
    sizes = [int(decision.cardinality) for decision in space.decisions]
    logits, mean, square = None, None, None
    numerator = denominator = 0.0
    history = []
    for number in range(trials):
        rng = np.random.default_rng([seed, number])
        if logits is None:
            flat = 1e-3 * rng.standard_normal(sum(sizes))
            logits = [np.array(flat[start : start + size]) for start, size in zip(_starts(sizes), sizes, strict=True)]
            mean, square = [np.zeros(size) for size in sizes], [np.zeros(size) for size in sizes]
        uniform = rng.random(2 * len(sizes))[::2]
        probabilities = [np.exp(row) / np.exp(row).sum() for row in logits]
        pairs = zip(probabilities, uniform, strict=True)
        action = [int(np.searchsorted(p.cumsum(), u, side="right")) for p, u in pairs]
        architecture = {d.name: d.value(a) for d, a in zip(space.decisions, action, strict=True)}
        history.append(architecture)
        reward = score(Architecture(architecture))["score"]
        numerator = decay * numerator + (1 - decay) * reward
        denominator = decay * denominator + (1 - decay)
        advantage = reward - numerator / denominator
        for k, a in enumerate(action):
            gradient = -advantage * (np.eye(sizes[k])[a] - probabilities[k])
            mean[k] = 0.9 * mean[k] + 0.1 * gradient
            square[k] = 0.999 * square[k] + 0.001 * gradient**2
            first, second = 1 - 0.9 ** (number + 1), 1 - 0.999 ** (number + 1)
            logits[k] -= lr * (mean[k] / first) / (np.sqrt(square[k] / second) + 1e-8)
    return history


def _starts(sizes):
    return [0, *itertools.accumulate(sizes)][:-1]


@pytest.mark.parametrize("space", ["flat", "dials"])
def test_the_reduced_form_is_the_published_one(space):
    """A categorical a decision, 1e-3 · randn, Adam .01, an average of .9 without bias, one architecture a step."""
    space = toy.SPACES[space]()
    score = toy.digest_of if space.name == "Flat" else dial_sum
    expected = nats_reinforce(space, score, 250, seed=4)
    found = play(started(Reinforce("independent"), space), 250, seed=4, score=score)
    assert expected == [dict(proposal.architecture) for proposal in found]


def test_published_defaults():
    """Two layers of 35 units, ±0.08, 6e-4, 0.95 for the LSTM; 0.01, 0.9 for the independent policy."""
    lstm, independent = started(Reinforce()), started(Reinforce("independent"))
    assert (lstm.hidden, lstm.layers, lstm._lr, lstm._baseline._decay) == (35, 2, 6e-4, 0.95)
    assert (independent._lr, independent._baseline._decay) == (0.01, 0.9)
    lstm.ask(np.random.default_rng(0))
    assert 0.0799 < np.abs(lstm._policy.theta).max() <= 0.08


@pytest.mark.parametrize("make", [lambda: Reinforce("independent", lr=0.1), lambda: Reinforce(lr=0.01)])
@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_it_learns(make, direction):
    """On the sum of twenty dials the last proposals are far better than the first, in either direction."""
    strategy = started(make(), objectives=(Objective("score", direction),))
    sums = [dial_sum(proposal.architecture)["score"] for proposal in play(strategy, 250, score=dial_sum)]
    gain = np.mean(sums[-50:]) - np.mean(sums[:50])
    assert (gain if direction == "maximize" else -gain) > 8.0


def test_the_scale_of_the_reward_does_not_matter():
    """Adam divides it out: percent or share, the history is the same."""
    small = play(started(Reinforce(lr=0.01)), 40, score=dial_sum)
    large = play(started(Reinforce(lr=0.01)), 40, score=lambda a: {"score": 1_000 * dial_sum(a)["score"] + 7_000})
    assert small == large


def test_a_batch_is_one_step():
    """With ``batch=3`` the third reward makes a step, by the mean of the three gradients."""
    space = SearchSpace(Two)
    architectures = list(space.enumerate())[:3]
    each, single = recording(Reinforce(hidden=5), space)
    together, batched = recording(Reinforce(hidden=5, batch=3), space)
    for number, architecture in enumerate(architectures):
        each.tell(trial(number, architecture, score=reward(architecture)))
        assert batched.ascents == []
        together.tell(trial(number, architecture, score=reward(architecture)))
    np.testing.assert_allclose(batched.ascents, [np.mean(single.ascents, axis=0)], atol=1e-15)


def test_entropy_flattens():
    """Where every reward is the same, the entropy alone moves the policy: towards even probabilities."""
    space = SearchSpace(Two)
    strategy = started(Reinforce("independent", entropy=1.0, init=1.0, lr=0.05), space)
    play_on = {"score": 1.0}
    strategy.ask(np.random.default_rng(0))
    before = np.ptp(strategy._policy.theta[2:])
    for number in range(60):
        strategy.tell(Trial(number, strategy.ask(np.random.default_rng(number)), State.FINISHED, play_on))
    assert np.ptp(strategy._policy.theta[2:]) < before / 2


def probability(strategy, architecture):
    policy = strategy._policy
    return float(np.exp(policy.forward([policy.steps.walk(architecture)]).log_probabilities.sum()))


@pytest.mark.parametrize(
    ("state", "changes"),
    [(State.FAILED, True), (State.INFEASIBLE, True), (State.PRUNED, False)],
)
def test_who_is_learned_from(state, changes):
    """What failed becomes less likely, without touching the baseline; what was pruned is not learned from."""
    strategy = started(Reinforce(lr=0.01), SearchSpace(Two))
    rng = np.random.default_rng(0)
    for number, (architecture, score) in enumerate(zip(strategy.space.enumerate(), (0.2, 0.9, 0.8), strict=False)):
        strategy.ask(rng)
        strategy.tell(trial(number, architecture, score=score))
    strategy._adam = type(strategy._adam)(len(strategy._policy.theta), 0.01)  # without momentum from before
    architecture = list(strategy.space.enumerate())[-1]
    before, baseline = probability(strategy, architecture), strategy._baseline.value
    strategy.tell(trial(3, architecture, state))
    assert (probability(strategy, architecture) < before) == changes
    assert strategy._baseline.value == baseline


def test_reused_trials_count():
    """A repetition is a reward like any other."""
    strategy, recorder = recording(Reinforce(), SearchSpace(Two))
    architecture = next(strategy.space.enumerate())
    for number, state in enumerate((State.FINISHED, State.REUSED)):
        strategy.tell(trial(number, architecture, state, score=float(number)))
    assert len(recorder.ascents) == 2


def test_what_was_told_before_the_first_ask_is_learned():
    """As when another strategy hands over its trials; the weights come with the first ask."""
    space = SearchSpace(Two)
    early = started(Reinforce("independent", lr=0.5), space)
    best = max(space.enumerate(), key=reward)
    for number, architecture in enumerate([*space.enumerate(), best, best]):
        early.tell(trial(number, architecture, score=reward(architecture)))
    plain = started(Reinforce("independent", lr=0.5), space)
    for strategy in (early, plain):
        strategy.ask(np.random.default_rng(0))
    assert probability(early, best) > probability(plain, best)


def test_one_architecture_is_proposed_once():
    """Then nothing is left."""
    assert len(play(started(Reinforce(), "point"), 10)) == 1


def test_nothing_is_inherited():
    """Proposals carry no parent and no budget."""
    proposals = play(started(Reinforce()), 5)
    assert proposals == [Proposal(proposal.architecture) for proposal in proposals]
    assert started(Reinforce()).heirs() == ()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Reinforce("independent", lr=0.1), id="independent"),
        pytest.param(lambda: Reinforce(batch=3, entropy=0.01, lr=0.01, hidden=8, layers=1), id="batches and entropy"),
    ],
)
def test_conformance(make):
    """Other parameters than the defaults keep the contract too."""
    check_strategy(make, {name: toy.SPACES[name]() for name in ("conditional", "mixed")}, incremental=False)


def test_several_objectives_are_refused():
    """It says which there are and what to use."""
    objectives = (toy.OBJECTIVE, Objective("macs", "minimize"))
    with pytest.raises(InputError, match=r"Reinforce learns from one objective, found 2: score, macs\. Use"):
        Reinforce().start(toy.SPACES["flat"](), objectives)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"controller": "lstmm"}, r"controller 'lstmm' is unknown \(did you mean 'lstm'\?\)"),
        ({"lr": 0}, "lr is a number above 0"),
        ({"decay": 1.0}, "decay is a number from 0 to below 1"),
        ({"batch": 0}, "batch is a whole number of at least 1"),
        ({"entropy": -1.0}, "entropy is a number of at least 0"),
    ],
)
def test_bad_parameters_are_named(arguments, sentence):
    """Each says what was found and what is expected."""
    with pytest.raises(InputError, match=f"Reinforce: .*{sentence}"):
        Reinforce(**arguments)


@pytest.mark.parametrize(("perplexity", "expected"), [(4.0, 5.0), (80.0, 0.0125), (1e304, 8e-199)])
def test_the_reward_of_a_perplexity(perplexity, expected):
    """80 / perplexity², as in section 4.2 of the paper; of a network that diverged next to nothing."""
    strategy = Reinforce()
    space = SearchSpace(Two)
    strategy.start(space, [Objective("val_perplexity", "minimize")])
    architecture = next(iter(space.enumerate()))
    told = Trial(0, Proposal(architecture), State.FINISHED, {"val_perplexity": perplexity})
    assert expected == pytest.approx(strategy._reward(told))
    strategy.tell(told)
    assert np.isfinite(strategy._baseline.value)
