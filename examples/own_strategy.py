"""A strategy of one's own: threshold accepting (Dueck and Scheuer 1990), which takes a worse step while it is small.

It passes the public suite, and then searches beside random search on a space that needs no training.

python examples/own_strategy.py [TRIALS]
"""

import sys

import netwright as nw
from netwright.strategies import Strategy
from netwright.testing import check_strategy, toy


class ThresholdAccepting(Strategy):
    """Mutates where it stands, and goes there if that is at most ``threshold`` worse; the threshold shrinks."""

    def __init__(self, threshold=0.2, shrink=0.9):
        self.threshold = threshold
        self.shrink = shrink

    def start(self, space, objectives):
        super().start(space, objectives)
        self.here = None
        self.slack = self.threshold

    def ask(self, rng):
        if self.here is None:
            return nw.Proposal(self.space.sample(rng))
        if self.space.size == 1:
            return None
        return nw.Proposal(self.space.mutate(self.here.architecture, rng), inherits=self.here.number)

    def tell(self, trial):
        if not trial.scored:
            return
        if self.here is None or self.score(trial) >= self.score(self.here) - self.slack:
            self.here = trial
        self.slack *= self.shrink

    def heirs(self):
        return [] if self.here is None else [self.here.number]

    def score(self, trial):
        return self.objectives[0].score(trial.metrics)


check_strategy(ThresholdAccepting)

trials = int(sys.argv[1]) if len(sys.argv) > 1 else 200
for strategy in (ThresholdAccepting(), nw.strategies.Random()):
    study = nw.Study(toy.SPACES["dials"](), strategy, toy.sum_of_answers, maximize="score", executor="in_process")
    study.run(max_trials=trials)
    print(f"{type(strategy).__name__:<20} {study.best.metrics['score']:.0f} of 60 after {trials} trials")
