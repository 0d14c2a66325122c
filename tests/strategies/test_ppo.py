"""PPO: the clipped objective against numbers worked out by hand."""

import numpy as np
import pytest
from tests.strategies.player import dial_sum, play, started, trial

from netwright.errors import InputError
from netwright.strategies import PPO, Reinforce
from netwright.strategies.ppo import clipped_slope
from netwright.testing import check_strategy, toy
from netwright.trial import Objective, State, Trial


class Recorder:
    """Takes Adam's place and keeps the gradients that it was given."""

    def __init__(self):
        self.ascents = []

    def step(self, theta, gradient):
        self.ascents.append(-gradient)


def recording(strategy, space="flat", seed=0):
    started(strategy, space).ask(np.random.default_rng(0))
    theta = strategy._policy.theta
    theta[:] = np.random.default_rng(seed).normal(size=len(theta)) * 0.5
    strategy._adam = Recorder()
    strategy._pending.clear()
    return strategy, strategy._adam


@pytest.mark.parametrize(
    ("ratio", "advantage", "slope"),
    [
        (1.0, 2.0, 2.0),  # untouched: the plain policy gradient
        (1.1, 2.0, 2.2),  # within 0.8 … 1.2
        (1.2, 2.0, 2.4),  # at the border both terms are equal
        (1.3, 2.0, 0.0),  # good and already likelier by more: min is the clipped 1.2 · 2
        (0.5, 2.0, 1.0),  # good and less likely: min is 0.5 · 2, so it is drawn back
        (0.9, -3.0, -2.7),
        (0.7, -3.0, 0.0),  # bad and already less likely: min(−2.1, −2.4) is the clipped one
        (1.5, -3.0, -4.5),  # bad and likelier: min(−4.5, −3.6) is the unclipped one
        (1.0, 0.0, 0.0),
    ],
)
def test_the_clip(ratio, advantage, slope):
    """d min(rA, clip(r, .8, 1.2)A) / d log π."""
    assert clipped_slope(np.array([ratio]), np.array([advantage]), 0.2) == pytest.approx([slope])


def test_the_slope_is_the_objectives():
    """By finite differences over many ratios and advantages away from the border."""
    rng = np.random.default_rng(0)
    logs, advantages = rng.normal(scale=0.4, size=500), rng.normal(size=500)
    away = np.abs(np.abs(np.exp(logs) - 1.0) - 0.2) > 1e-3

    def objective(log_ratio):
        ratio = np.exp(log_ratio)
        return np.minimum(ratio * advantages, np.clip(ratio, 0.8, 1.2) * advantages)

    expected = (objective(logs + 1e-6) - objective(logs - 1e-6)) / 2e-6
    np.testing.assert_allclose(clipped_slope(np.exp(logs), advantages, 0.2)[away], expected[away], atol=1e-8)


def test_published_defaults():
    """One layer of 100 units, ±0.1, 3.5e-4, a clip of 0.2, entropy 1e-5, decay 0.95, batches of 20."""
    ppo = PPO()
    assert (ppo.hidden, ppo.layers, ppo.init, ppo.lr) == (100, 1, 0.1, 3.5e-4)
    assert (ppo.clip, ppo.entropy, ppo.decay, ppo.batch) == (0.2, 1e-5, 0.95, 20)


@pytest.mark.parametrize("space", ["flat", "conditional"])
def test_the_first_step_is_reinforces(space):
    """At a ratio of 1 the gradient is that of REINFORCE over the same batch, also where slots differ."""
    shape = {"hidden": 6, "layers": 1, "decay": 0.95, "batch": 5, "entropy": 0.1}
    ppo, ours = recording(PPO(epochs=3, **shape), space)
    other, reference = recording(_WithPending(Reinforce(**shape)), space)
    rng = np.random.default_rng(1)
    for number in range(5):
        told = trial(number, ppo.space.sample(rng), score=float(rng.random()))
        ppo.tell(told)
        other.tell(told)
    assert len(ours.ascents) == 3  # a step an epoch; the recorder leaves the weights as they are
    for ascent in ours.ascents:
        np.testing.assert_allclose(ascent, reference.ascents[0], atol=1e-14)


def _WithPending(strategy):
    strategy._pending = {}
    return strategy


def test_the_old_probability_is_that_of_the_proposal():
    """An answer proposed when it had half the probability has twice the slope while it is not clipped."""
    strategy, recorder = recording(PPO(hidden=6, batch=2, epochs=1, clip=0.9999, entropy=0.0))
    bad, good = list(strategy.space.enumerate())[:2]
    walk = strategy._steps.walk(good)
    now = strategy._policy.forward([walk])
    strategy._pending[good.to_json(), None] = type("Queue", (list,), {"popleft": lambda self: self.pop(0)})(
        [now.log_probabilities[:, 0] - np.log(1.5)]
    )
    strategy.tell(trial(0, bad, score=0.0))  # the first reward is its own baseline: no advantage
    strategy.tell(trial(1, good, score=1.0))
    advantage = 1.0 - 1.0 / 1.95
    expected = strategy._policy.gradient(now, np.array([1.5 * advantage])) / 2
    np.testing.assert_allclose(recorder.ascents[0], expected, atol=1e-14)


def test_many_epochs_stay_within_the_clip():
    """However many steps are made of one batch, no answer moves far beyond the clip; without it, it does."""

    def furthest(clip):
        strategy = started(PPO(hidden=10, batch=10, epochs=200, lr=3e-3, entropy=0.0, clip=clip), "flat")
        rng = np.random.default_rng(0)
        proposals = [strategy.ask(rng) for _ in range(10)]
        walks = [strategy._steps.walk(proposal.architecture) for proposal in proposals]
        before = strategy._policy.forward(walks).log_probabilities
        for number, proposal in enumerate(proposals):
            strategy.tell(Trial(number, proposal, State.FINISHED, toy.digest_of(proposal.architecture)))
        return np.exp(np.abs(strategy._policy.forward(walks).log_probabilities - before)).max()

    assert furthest(0.1) < furthest(0.99) / 2


def test_it_learns():
    """On the sum of twenty dials the last proposals are far better than the first."""
    strategy = started(PPO(lr=0.01, hidden=20))
    sums = [dial_sum(proposal.architecture)["score"] for proposal in play(strategy, 300, score=dial_sum)]
    assert np.mean(sums[-50:]) - np.mean(sums[:50]) > 8.0


def test_nothing_is_remembered_of_what_was_told():
    """The probabilities of the pending proposals alone are kept, and repetitions among them one by one."""
    strategy = started(PPO(hidden=5), "flat")
    rng = np.random.default_rng(0)
    pending = [strategy.ask(rng) for _ in range(60)]  # of 24 architectures
    assert sum(len(queue) for queue in strategy._pending.values()) == 60
    for number, proposal in enumerate(pending):
        state = State.FAILED if number % 3 == 0 else State.FINISHED
        metrics = {} if state is State.FAILED else {"score": 0.5}
        strategy.tell(Trial(number, proposal, state, metrics))
    assert strategy._pending == {}


@pytest.mark.parametrize("state", [State.FAILED, State.INFEASIBLE, State.PRUNED])
def test_who_is_learned_from(state):
    """What failed has the worst reward so far, what was pruned none; neither touches the baseline."""
    strategy, recorder = recording(PPO(hidden=5, batch=3, epochs=1, entropy=0.0))
    architectures = list(strategy.space.enumerate())
    for number, score in enumerate((0.2, 0.9)):
        strategy.tell(trial(number, architectures[number], score=score))
    baseline = strategy._baseline.value
    strategy.tell(trial(2, architectures[2], state))
    assert len(recorder.ascents) == (state is not State.PRUNED)
    assert strategy._baseline.value == baseline


def test_one_architecture_is_proposed_once():
    """Then nothing is left."""
    assert len(play(started(PPO(), "point"), 10)) == 1


def test_conformance():
    """Updates well within the suite's trials keep the contract too."""
    spaces = {name: toy.SPACES[name]() for name in ("conditional", "mixed", "constrained")}
    check_strategy(lambda: PPO(batch=4, epochs=2, hidden=6), spaces, incremental=False)


def test_several_objectives_are_refused():
    """It says which there are and what to use."""
    with pytest.raises(InputError, match=r"PPO learns from one objective, found 2: score, macs\. Use"):
        PPO().start(toy.SPACES["flat"](), (toy.OBJECTIVE, Objective("macs", "minimize")))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"clip": 1.5}, "clip is below 1, found 1.5"),
        ({"clip": 0}, "clip is a number above 0"),
        ({"epochs": 1.5}, "epochs is a whole number"),
        ({"batch": True}, "batch is a whole number"),
    ],
)
def test_bad_parameters_are_named(arguments, sentence):
    """Each says what was found and what is expected."""
    with pytest.raises(InputError, match=f"PPO: {sentence}"):
        PPO(**arguments)
