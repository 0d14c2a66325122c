"""A small study with budgets, so that tests can look at multi-fidelity strategies at work."""

import hashlib

import numpy as np

from netwright.testing import toy
from netwright.trial import State, Trial


def noisy(architecture, budget):
    """A number in [0, 1) that depends on architecture and budget and on nothing else."""
    text = f"{architecture.to_json()} {budget}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


def play(strategy, trials, *, space="dials", window=1, seed=0, score=noisy, fails=lambda number: False, curve=None):
    """The trials of a study in which proposal n is told trials 0 … n − window; the strategy is started here."""
    strategy.start(toy.SPACES[space]() if isinstance(space, str) else space, (toy.OBJECTIVE,))
    made = []
    told = 0
    while len(made) < trials:
        number = len(made)
        while told <= number - window:
            strategy.tell(made[told])
            told += 1
        proposal = strategy.ask(np.random.default_rng([seed, number]))
        if proposal is None and told < number:  # asked again when everything pending has ended
            for trial in made[told:]:
                strategy.tell(trial)
            told = number
            proposal = strategy.ask(np.random.default_rng([seed, number]))
        if proposal is None:
            break
        assert proposal.inherits is None or made[proposal.inherits].architecture == proposal.architecture
        state = State.FAILED if fails(number) else State.FINISHED
        metrics = {} if fails(number) else {"score": score(proposal.architecture, proposal.budget)}
        made.append(Trial(number, proposal, state, metrics, curve(proposal) if curve else ()))
    for trial in made[told:]:
        strategy.tell(trial)
    return made


def steps(trials):
    """What was proposed, as plain tuples."""
    return [(trial.architecture, trial.proposal.budget, trial.proposal.inherits) for trial in trials]
