"""BANANAS: Bayesian optimisation with an ensemble of perceptrons over path encodings."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Collection, Sequence
from typing import Literal, final

import numpy as np

from netwright.architecture import Architecture
from netwright.arguments import one_objective, one_of_these, whole
from netwright.errors import SpaceError
from netwright.predictors import MLPEnsemble
from netwright.predictors.warping import normal_scores
from netwright.space import SearchSpace
from netwright.strategies.base import Known, Strategy
from netwright.strategies.limits import first_allowed
from netwright.strategies.unseen import Unseen
from netwright.trial import Objective, Proposal, Trial

ACQUISITIONS = ("its", "ucb", "ei", "mean")
MUTATIONS = 8
"""Mutations, one upon the other, that may all be known before a candidate is given up."""

GROWTH = 5
"""Beyond ``points`` trials the ensemble learns anew when they have grown by a fifth."""

UCB = 0.5
EI_SPREAD = 0.2


@final
class Bananas(Strategy):
    """BANANAS: White, Neiswanger and Savani 2021.

    The first ``initial`` proposals are random. Then, round by round, an ensemble of ``members`` perceptrons (ten
    layers of twenty units) learns the scores; ``mutants`` candidates are made by one mutation of the ``parents`` best
    trials; each is given a score drawn from the ensemble's mean and spread (independent Thompson sampling, ``"its"``),
    and the ``batch`` best of them are proposed. Architectures are encoded by their paths, the ``paths`` most frequent
    of them, where the space declares graphs, and otherwise one-hot. The other acquisition functions are those of the
    paper's ablation: ``"ucb"`` with half a spread, ``"ei"`` with a fifth of it, ``"mean"``.

    What the paper leaves open: a candidate that was proposed before is mutated once more. Once ``points`` trials have
    scores the ensemble learns from ``points`` of them, half of them the best and half the latest, and anew only when
    their number has grown by a fifth: asking stays cheap. A proposal inherits from its parent. It ends when the space
    is exhausted.

    ``known`` are architectures of another study with what they were worth there; the ensemble learns them, too, each
    study's scores by the normal quantiles of their ranks, and decides from the third trial on.

    One objective only: candidates are neighbours of a single best.
    """

    def __init__(
        self,
        initial: int = 10,
        *,
        batch: int = 10,
        mutants: int = 100,
        parents: int = 1,
        members: int = 5,
        acquisition: Literal["its", "ucb", "ei", "mean"] = "its",
        paths: int = 40,
        points: int = 150,
        known: Known = (),
    ) -> None:
        whole("Bananas", initial=initial, batch=batch, mutants=mutants, parents=parents)
        whole("Bananas", members=members, paths=paths, points=points)
        one_of_these("Bananas", "acquisition", acquisition, ACQUISITIONS)
        self.initial = initial
        self.batch = batch
        self.mutants = mutants
        self.parents = parents
        self.members = members
        self.acquisition = acquisition
        self.paths = paths
        self.points = points
        self.known = tuple(known)

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        one_objective("Bananas", objectives, instead="Use the strategy gp, NSGA2 or Auto")
        super().start(space, objectives)
        self._unseen = Unseen(space)
        self._anywhere = space.unrestricted
        self._best: list[_Scored] = []  # a heap, the worst first
        self._latest: deque[_Scored] = deque(maxlen=self.points - self.points // 2)
        self._count = 0  # trials with a score
        self._learnt = 0  # so many of them when the ensemble learnt
        self._pending = 0
        self._queue: deque[Proposal] = deque()
        self._ensemble: MLPEnsemble | None = None
        pairs = [(Architecture(answers), score) for answers, score in self.known if answers in space]
        pairs = sorted(pairs, key=lambda pair: -pair[1])[: self.points]
        self._elsewhere = [architecture for architecture, _ in pairs]
        self._worth = normal_scores(np.array([score for _, score in pairs])).tolist() if pairs else []
        self._first = min(2, self.initial) if pairs else self.initial
        self._top = -math.inf  # the best of what the ensemble learnt of this study

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        proposal = self._propose(rng)
        if proposal is not None:
            self._pending += 1
        return proposal

    def tell(self, trial: Trial) -> None:
        self._pending = max(0, self._pending - 1)
        self._unseen.add(trial.architecture)
        if not trial.scored:
            return
        self._count += 1
        scored = (self.objectives[0].score(trial.metrics), -trial.number, trial.architecture)
        if len(self._best) < max(1, self.points // 2):
            heapq.heappush(self._best, scored)
        else:
            self._latest.append(heapq.heappushpop(self._best, scored))

    def heirs(self) -> Collection[int]:
        waiting = {proposal.inherits for proposal in self._queue if proposal.inherits is not None}
        return waiting | {-number for _, number, _ in self._best}

    def _propose(self, rng: np.random.Generator) -> Proposal | None:
        if self._queue:
            return self._queue.popleft()
        if self._best and self._count + self._pending >= self._first:
            candidates = self._candidates(rng)
            if candidates:
                values = self._values([candidate.architecture for candidate in candidates], rng)
                left = [candidates[place] for place in np.argsort(-values, kind="stable")]
                while left and len(self._queue) < self.batch:
                    found, refused = first_allowed(self.space, (proposal.architecture for proposal in left))
                    for proposal in left[: refused + (found is not None)]:
                        self._unseen.add(proposal.architecture)
                    if found is None:
                        break
                    self._queue.append(left[found])
                    left = left[found + 1 :]
                if self._queue:
                    return self._queue.popleft()
        architecture = self._unseen.draw(rng)
        return None if architecture is None else Proposal(architecture)

    def _candidates(self, rng: np.random.Generator) -> list[Proposal]:
        """New architectures, each one mutation away from one of the best; further, where those are known."""
        parents = heapq.nlargest(self.parents, self._best, key=_rank)
        made: dict[Architecture, Proposal] = {}
        for _ in range(self.mutants):
            _, number, child = parents[int(rng.integers(len(parents)))]
            try:
                for _ in range(MUTATIONS):
                    child = self._anywhere.mutate(child, rng)
                    if child not in self._unseen:
                        made.setdefault(child, Proposal(child, inherits=-number))
                        break
            except SpaceError:  # no neighbour
                continue
        return list(made.values())

    def _values(self, architectures: Sequence[Architecture], rng: np.random.Generator) -> np.ndarray:
        """What the acquisition function says of each candidate; larger is better."""
        every = max(1, self._learnt // GROWTH) if self._count > self.points else 1
        if self._ensemble is None or self._count - self._learnt >= every:
            self._learn(rng)
        assert self._ensemble is not None
        mean, spread = self._ensemble.predict(architectures)
        if self.acquisition == "its":
            return rng.normal(mean, spread)
        if self.acquisition == "ucb":
            return mean + UCB * spread
        if self.acquisition == "mean":
            return mean
        from scipy.special import ndtr

        best = self._top
        spread = np.maximum(EI_SPREAD * spread, 1e-12)
        above = (mean - best) / spread
        improvement: np.ndarray = spread * (above * ndtr(above) + np.exp(-0.5 * above**2) / np.sqrt(2 * np.pi))
        return improvement

    def _learn(self, rng: np.random.Generator) -> None:
        if self._ensemble is None:
            graphs = self.space.declares_graph
            self._ensemble = MLPEnsemble(
                self.space,
                encoding="paths" if graphs else "one-hot",
                paths=self.paths,
                members=self.members,
                warp=False,
                calibrate=False,
            )
        self._learnt = self._count
        self._ensemble.seed = rng
        known = sorted([*self._best, *self._latest], key=_number)
        scores = [score for score, _, _ in known]
        if self._elsewhere:
            scores = normal_scores(np.array(scores)).tolist()
        self._top = max(scores)
        architectures = [architecture for _, _, architecture in known]
        self._ensemble.fit([*self._elsewhere, *architectures], [*self._worth, *scores])


_Scored = tuple[float, int, Architecture]
"""Score, the trial's number with its sign turned (of equal ones the earlier is better), architecture."""


def _rank(scored: _Scored) -> tuple[float, int]:
    return scored[:2]


def _number(scored: _Scored) -> int:
    return -scored[1]
