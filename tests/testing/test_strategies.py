"""The suite of strategies catches what it says it catches: each wrong strategy here breaks one rule."""

import random
import time

import numpy as np
import pytest
import torch

from netwright.architecture import Architecture
from netwright.strategies import Evolution
from netwright.strategies.base import Strategy
from netwright.testing import check_strategy, toy
from netwright.trial import Proposal


class Plain(Strategy):
    """Random search in two lines: right."""

    def ask(self, rng):
        return Proposal(self.space.sample(rng))


class Unseeded(Strategy):
    def ask(self, rng):
        return Proposal(self.space.sample(np.random.default_rng()))


class SeededOnce(Strategy):
    def __init__(self):
        self.own = np.random.default_rng(0)

    def ask(self, rng):
        return Proposal(self.space.sample(self.own))


class SeededAtStart(Strategy):
    def start(self, space, objectives):
        super().start(space, objectives)
        self.own = np.random.default_rng(0)

    def ask(self, rng):
        return Proposal(self.space.sample(self.own))


class PythonsGenerator(Plain):
    def ask(self, rng):
        random.random()
        return super().ask(rng)


class NumpysGenerator(Plain):
    def ask(self, rng):
        np.random.random()
        return super().ask(rng)


class TorchsGenerator(Plain):
    def tell(self, trial):
        torch.rand(1)


class Clock(Strategy):
    def ask(self, rng):
        return Proposal(self.space.sample(np.random.default_rng([int(time.monotonic()) // 1_000, rng.integers(1_000)])))


class Outside(Strategy):
    def ask(self, rng):
        return Proposal(Architecture({"width": 99}))


class Dictionary(Strategy):
    def ask(self, rng):
        return Proposal(dict(self.space.sample(rng)))


class BareArchitecture(Strategy):
    def ask(self, rng):
        return self.space.sample(rng)


class Remembering(Strategy):
    def __init__(self):
        self.seen = set()

    def ask(self, rng):
        architecture = self.space.sample(rng)
        if architecture in self.seen:
            architecture = self.space.sample(rng)
        self.seen.add(architecture)
        return Proposal(architecture)


class Trusting(Plain):
    def tell(self, trial):
        trial.metrics["score"] > 0  # noqa: B015


class TrustingScores(Plain):
    """Takes every trial that did not fail for one with a score."""

    def tell(self, trial):
        if trial.error is None:
            trial.metrics["score"] > 0  # noqa: B015


class Meddling(Plain):
    def tell(self, trial):
        trial.metrics.clear()


class MeddlingObjectives(Plain):
    def start(self, space, objectives):
        super().start(space, objectives)
        objectives.clear()


class Scanning(Strategy):
    """Looks through all it was told at every ask."""

    def start(self, space, objectives):
        super().start(space, objectives)
        self.told = []

    def ask(self, rng):
        if not self.told:
            return Proposal(self.space.sample(rng))
        best = max(self.told, key=lambda trial: trial.metrics.get("score", 0.0))
        return Proposal(self.space.complete(best.architecture, rng)) if rng.random() < 0.1 else self._sample(rng)

    def _sample(self, rng):
        return Proposal(self.space.sample(rng))

    def tell(self, trial):
        self.told.append(trial)


class TrustingProxies(Strategy):
    """Takes a proxy trial for one with the objective."""

    def ask(self, rng):
        return Proposal(self.space.sample(rng), budget="proxy")

    def tell(self, trial):
        if trial.scored:
            trial.metrics["score"] > 0  # noqa: B015


class Orphan(Plain):
    def ask(self, rng):
        return Proposal(self.space.sample(rng), inherits=10_000)


class OfFailed(Plain):
    def start(self, space, objectives):
        super().start(space, objectives)
        self.last = None

    def ask(self, rng):
        return Proposal(self.space.sample(rng), inherits=self.last)

    def tell(self, trial):
        self.last = trial.number


class Disowning(OfFailed):
    def tell(self, trial):
        if trial.scored:
            self.last = trial.number

    def heirs(self):
        return ()


class Silent(Strategy):
    def ask(self, rng):
        return None


class Stubborn(Strategy):
    """Breaks when asked again after it had nothing left."""

    def start(self, space, objectives):
        super().start(space, objectives)
        self.left = [Proposal(architecture) for architecture in toy.SPACES["shared"]().enumerate()]

    def ask(self, rng):
        proposal = self.left.pop()
        return proposal if self.left else None


SHARED = {"shared": toy.SPACES["shared"]()}


def test_a_right_strategy_passes():
    """The plainest strategy there is keeps the contract."""
    check_strategy(Plain)


def test_a_strategy_that_draws_nothing():
    """A grid passes when it says that it draws nothing, and only then."""

    class Grid(Strategy):
        def start(self, space, objectives):
            super().start(space, objectives)
            self.first = next(iter(space.enumerate()))

        def ask(self, rng):
            return Proposal(self.first)

    check_strategy(Grid, SHARED, deterministic=True)
    with pytest.raises(AssertionError, match="under another seed"):
        check_strategy(Grid, SHARED)


def test_a_strategy_that_goes_through_its_history():
    """It passes when it says so, and only then; a proxy trial of it brings the proxies that are named."""

    class Proxies(Scanning):
        def tell(self, trial):
            super().tell(trial)
            assert not trial.scored or set(trial.metrics) == {"score"} or trial.proposal.budget == "proxy"

        def _sample(self, rng):
            return Proposal(self.space.sample(rng), budget="proxy")

    check_strategy(Proxies, SHARED, incremental=False, proxies=("score", "macs"))
    with pytest.raises(AssertionError, match="an ask after 1,500 trials"):
        check_strategy(Scanning, SHARED)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (Unseeded, "the same history and generators gave other proposals; number"),
        (SeededOnce, "after a second start it did not propose what a new one proposes"),
        (SeededAtStart, "proposed the same under another seed"),
        (PythonsGenerator, "the global generator of random;"),
        (NumpysGenerator, "the global generator of numpy.random;"),
        (TorchsGenerator, "the global generator of torch;"),
        (Clock, "the same history and generators gave other proposals"),
        (Outside, "does not fit the space: .*'width'"),
        (Dictionary, "a proposal holds an Architecture"),
        (BareArchitecture, "ask gave Architecture, it gives a Proposal or None"),
        (Remembering, "after a second start"),
        (Trusting, "tell of a trial in state 'failed' raised KeyError"),
        (TrustingScores, "tell of a trial in state '(infeasible|pruned)' raised KeyError"),
        (TrustingProxies, "tell of a trial in state 'finished' raised KeyError: 'score'"),
        (Meddling, "changed what it was told"),
        (MeddlingObjectives, "changed what it was told"),
        (Scanning, r"an ask after 1,500 trials takes \d+,\d+ steps of Python"),
        (Orphan, "inherits from 10000, which is not a trial with a score that it was told"),
        (OfFailed, "inherits from .*, which is not a trial with a score"),
        (Disowning, "which heirs did not name"),
        (Silent, "proposed nothing at all"),
        (Stubborn, "ask raised IndexError: pop from empty list"),
    ],
)
def test_a_wrong_strategy_is_caught(wrong, sentence):
    """The rule that it breaks is named, with the strategy and the space."""
    with pytest.raises(AssertionError, match=rf"strategy {wrong.__name__} on the space '\w+': .*{sentence}"):
        check_strategy(wrong, SHARED)


def test_parallel_is_tried_too():
    """A strategy that expects to be told of each proposal before the next one is caught."""

    class Impatient(Plain):
        def start(self, space, objectives):
            super().start(space, objectives)
            self.asked = self.told = 0

        def ask(self, rng):
            if self.asked != self.told:
                raise RuntimeError("where is my trial?")
            self.asked += 1
            return super().ask(rng)

        def tell(self, trial):
            self.told += 1

    with pytest.raises(AssertionError, match="ask raised RuntimeError: where is my trial"):
        check_strategy(Impatient, SHARED)


def test_global_generators_and_clocks_are_left_alone():
    """The suite itself draws from no global generator and gives the clocks back."""
    clock = time.time
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    check_strategy(lambda: Evolution(5, 2), SHARED)
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert clock is time.time
