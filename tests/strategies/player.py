"""A small study, so that tests can look at a strategy at work."""

import numpy as np

from netwright.testing import toy
from netwright.trial import Proposal, State, Trial


def started(strategy, space="dials", objectives=(toy.OBJECTIVE,)):
    strategy.start(toy.SPACES[space]() if isinstance(space, str) else space, objectives)
    return strategy


def trial(number, architecture, state=State.FINISHED, **metrics):
    return Trial(number, Proposal(architecture), state, metrics)


def play(strategy, trials, *, seed=0, score=toy.digest_of, state=lambda number: State.FINISHED):
    """Asks and tells ``trials`` times, or until nothing is left; the proposals."""
    proposals = []
    for number in range(trials):
        proposal = strategy.ask(np.random.default_rng([seed, number]))
        if proposal is None:
            break
        proposals.append(proposal)
        metrics = score(proposal.architecture) if state(number) in (State.FINISHED, State.REUSED) else {}
        strategy.tell(Trial(number, proposal, state(number), metrics))
    return proposals


def dial_sum(architecture):
    """The sum of the dials: as smooth as a landscape can be."""
    return {"score": float(sum(architecture.values()))}


def differing(a, b):
    """The decisions that both answer, and differently."""
    return [name for name in a if name in b and a[name] != b[name]]
