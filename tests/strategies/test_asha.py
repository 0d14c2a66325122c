"""ASHA, against the paper's get_job."""

import numpy as np
import pytest
from tests.strategies.fidelities import noisy, play, steps

from netwright.strategies import ASHA
from netwright.testing import toy
from netwright.trial import State, Trial


def algorithm_2(budgets, eta, trials, window, fails, seed=0):
    """Li et al. 2020, algorithm 2: every rung is sorted anew at each call of get_job."""
    space = toy.SPACES["dials"]()
    ended = [[] for _ in budgets]  # (configuration, number, loss), what has been told
    promoted = [set() for _ in budgets]
    jobs = []

    def get_job():
        for k in range(len(budgets) - 2, -1, -1):
            rung = sorted(ended[k], key=lambda job: (job[2], job[1]))
            candidates = rung[: len(rung) // eta]
            promotable = [job for job in candidates if job[1] not in promoted[k] and job[2] < np.inf]
            if promotable:
                configuration, number, _ = promotable[0]
                promoted[k].add(number)
                return configuration, number, k + 1
        return space.sample(np.random.default_rng([seed, len(jobs)])), None, 0

    for number in range(trials):
        if number >= window:
            configuration, _, k = jobs[number - window]
            loss = np.inf if fails(number - window) else -noisy(configuration, budgets[k])
            ended[k].append((configuration, number - window, loss))
        jobs.append(get_job())
    return [(configuration, budgets[k], parent) for configuration, parent, k in jobs]


@pytest.mark.parametrize("window", [1, 4, 9])
@pytest.mark.parametrize(
    ("strategy", "budgets", "eta"),
    [(ASHA(1, 27), (1, 3, 9, 27), 3), (ASHA(1, 8, 2), (1, 2, 4, 8), 2), (ASHA(budgets=(12, 200)), (12, 200), 3)],
)
def test_algorithm_2(strategy, budgets, eta, window):
    """The history is that of the pseudo-code, with failures, whatever is pending."""

    def fails(number):
        return number % 7 == 3

    assert algorithm_2(budgets, eta, 300, window, fails) == steps(play(strategy, 300, window=window, fails=fails))


def test_it_never_waits():
    """With everything pending it begins another one at the smallest budget."""
    strategy = ASHA(1, 9)
    strategy.start(toy.SPACES["dials"](), (toy.OBJECTIVE,))
    proposals = [strategy.ask(np.random.default_rng(number)) for number in range(50)]
    assert [1] * 50 == [proposal.budget for proposal in proposals]


def test_the_top_rung_comes_first():
    """Where two rungs have something to promote, the higher one does."""
    strategy = ASHA(1, 9)
    strategy.start(toy.SPACES["dials"](), (toy.OBJECTIVE,))

    def ask(numbers):
        return [Trial(n, strategy.ask(np.random.default_rng(n)), State.FINISHED, {"score": 0.5}) for n in numbers]

    for numbers, budget in ((range(12), 1), (range(12, 15), 3)):
        trials = ask(numbers)
        assert [budget] * len(trials) == [trial.proposal.budget for trial in trials]
        for trial in trials:
            strategy.tell(trial)
    assert [(9, 12), (3, 3), (1, None)] == [(t.proposal.budget, t.proposal.inherits) for t in ask((15, 16, 17))]


def test_heirs_are_those_that_wait():
    """Everything that has a score and was not promoted may be; what was promoted, or has reached the top, may not."""
    strategy = ASHA(1, 3)
    made = play(strategy, 16, fails=lambda number: number == 5)
    promoted = {trial.proposal.inherits for trial in made}
    expected = [t.number for t in made if t.proposal.budget == 1 and t.scored and t.number not in promoted]
    assert expected == sorted(strategy.heirs())


def test_an_exhausted_space():
    """When nothing new is left the best that wait go on after all, until all of a small space has been to the top."""
    made = play(ASHA(1, 9), 1_000, space="flat", window=4)
    assert [24, 24, 24] == [sum(trial.proposal.budget == budget for trial in made) for budget in (1, 3, 9)]
