"""Bayesian optimisation."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from netwright import pareto
from netwright.architecture import Architecture
from netwright.arguments import one_of_these, whole
from netwright.errors import SpaceError
from netwright.predictors import GaussianProcess, RandomForest
from netwright.predictors.warping import normal_scores
from netwright.space import SearchSpace
from netwright.strategies.base import Known, Strategy
from netwright.strategies.ehvi import expected_excess, expected_hypervolume_improvement
from netwright.strategies.limits import first_allowed
from netwright.strategies.unseen import Unseen
from netwright.trial import Objective, Proposal, Trial

Floats = NDArray[np.float64]
Rows = NDArray[Any]

SURROGATES = ("gp", "random-forest")
ACQUISITIONS = ("ei", "ucb", "its", "thompson", "ehvi")

POOL = 200
"""So many candidates are kept from one ask to the next."""

FRESH, FIRST_FRESH = 50, 200
PARENTS = 10
TREES = 30
GROWTH = 10
"""Weights of the process are tuned, and trees grown, whenever the trials have grown by a tenth."""

UCB = 0.5
AUGMENTED = 0.05
BELOW = 0.1
"""The reference of a hypervolume lies below the worst scores by this part of their range."""


@final
class Bayesian(Strategy):
    """Bayesian optimisation: a surrogate of the scores, and the candidate that promises most (Jones et al. 1998).

    The first ``initial`` proposals are random. Then a surrogate learns the scores: a Gaussian process over the
    decisions, or over the graphs of a space that declares them (``"gp"``:
    :class:`~netwright.predictors.GaussianProcess`), or the trees of SMAC (``"random-forest"``:
    :class:`~netwright.predictors.RandomForest`). It sees the normal quantiles of the ranks of the scores, so that
    collapsed networks do not rule it.

    The candidate of the greatest ``acquisition`` is proposed: expected improvement over the best score (``"ei"``), mean
    plus half a spread (``"ucb"``), an independent draw for each (``"its"``, White et al. 2021) or a joint draw of all
    (``"thompson"``; a tree at random, with a forest). Candidates are mutations of the ten best, one or two upon the
    other, and random architectures; the most promising stay candidates for the next ask. A mutation of a trial
    inherits from it. Nothing is proposed twice while there are others.

    Asking stays cheap: the surrogate learns at most ``points`` trials, half of them the best and half the latest of the
    others; its weights are tuned (or its trees grown) anew when the trials have grown by a tenth. Pending proposals
    count as what the surrogate expects of them (the kriging believer, Ginsbourger et al. 2010).

    With several objectives each ask maximises another scalarisation, drawn at random: the augmented Tchebycheff
    distance of the normal scores (Knowles 2006, ParEGO). With ``"ehvi"`` there is a process for each objective instead,
    and the expected improvement of the hypervolume is exact
    (:func:`~netwright.strategies.ehvi.expected_hypervolume_improvement`); its reference is a tenth of the range below
    the worst normal scores.

    ``known`` are architectures of another study with what they were worth there. With one objective the surrogate
    learns them, too, each study's scores by their own ranks, and decides from the third trial on.
    """

    def __init__(
        self,
        surrogate: Literal["gp", "random-forest"] = "gp",
        *,
        acquisition: Literal["ei", "ucb", "its", "thompson", "ehvi"] = "ei",
        initial: int = 10,
        points: int = 200,
        known: Known = (),
    ) -> None:
        one_of_these("Bayesian", "surrogate", surrogate, SURROGATES)
        one_of_these("Bayesian", "acquisition", acquisition, ACQUISITIONS)
        whole("Bayesian", initial=initial)
        whole("Bayesian", 4, points=points)
        self.surrogate = surrogate
        self.acquisition = acquisition
        self.initial = initial
        self.points = points
        self.known = tuple(known)

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        super().start(space, objectives)
        self._unseen = Unseen(space)
        self._anywhere = space.unrestricted
        count = len(self.objectives) if self.acquisition == "ehvi" else 1
        self._models: list[GaussianProcess | RandomForest] = [
            GaussianProcess(space, warp=False, points=2 * self.points)
            if self.surrogate == "gp"
            else RandomForest(space, warp=False, trees=TREES)
            for _ in range(count)
        ]
        self._encode = self._models[0].encode
        self._best: list[_Known] = []
        self._others: deque[_Known] = deque(maxlen=self.points - self.points // 2)
        self._count = 0  # trials with a score
        self._learnt = 0  # so many of them when weights were tuned or trees grown
        self._pending: dict[Architecture, Rows] = {}
        self._pool: list[_Candidate] = []
        self._pool_rows: Rows = self._encode([])
        self._weights = np.ones(len(self.objectives))
        pairs = [(Architecture(answers), score) for answers, score in self.known if answers in space]
        pairs = sorted(pairs, key=lambda pair: -pair[1])[: self.points] if len(self.objectives) == 1 else []
        self._elsewhere = (
            self._encode([a for a, _ in pairs]),
            normal_scores(np.array([s for _, s in pairs])) if pairs else np.empty(0),
        )
        self._first = min(2, self.initial) if pairs else self.initial

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        proposal = self._propose(rng)
        if proposal is not None:
            self._unseen.add(proposal.architecture)
            self._pending[proposal.architecture] = self._encode([proposal.architecture])
        return proposal

    def tell(self, trial: Trial) -> None:
        row = self._pending.pop(trial.architecture, None)
        self._unseen.add(trial.architecture)
        if not trial.scored:
            return
        if row is None:
            row = self._encode([trial.architecture])
        scores = np.array([objective.score(trial.metrics) for objective in self.objectives])
        self._count += 1
        self._best.append(_Known(trial.number, trial.architecture, row, scores))
        if len(self._best) > self.points // 2:
            self._others.append(self._best.pop(_worst(np.array([known.scores for known in self._best]))))

    def heirs(self) -> Collection[int]:
        return {known.number for known in self._best} | {one.parent for one in self._pool if one.parent is not None}

    def _propose(self, rng: np.random.Generator) -> Proposal | None:
        if not self._best or self._count + len(self._pending) < self._first:
            return self._random(rng)
        known = sorted([*self._best, *self._others], key=lambda one: one.number)
        due = self._count - self._learnt >= max(1, self._learnt // GROWTH)
        if len(self.objectives) > 1 and (due or self.surrogate == "gp"):
            self._weights = rng.dirichlet(np.ones(len(self.objectives)))
        scores = _scalarised(np.array([one.scores for one in known]), self._weights)
        self._refresh(known, scores, rng)
        if not self._pool:
            return self._random(rng)
        columns = scores[:, None]
        if self.acquisition == "ehvi":
            columns = _normal(np.array([one.scores for one in known]))
        self._learn(np.concatenate([one.row for one in known]), columns, due, rng)
        promise = self._promise(self._pool_rows, columns, rng)
        order = np.argsort(-promise, kind="stable")
        found, refused = first_allowed(self.space, (self._pool[place].architecture for place in order))
        chosen = None if found is None else self._pool[order[found]]
        for place in order[:refused]:
            self._unseen.add(self._pool[place].architecture)
        taken = refused + (found is not None)
        kept = order[taken : taken + POOL]
        self._pool = [self._pool[place] for place in kept]
        self._pool_rows = self._pool_rows[kept]
        return self._random(rng) if chosen is None else Proposal(chosen.architecture, inherits=chosen.parent)

    def _random(self, rng: np.random.Generator) -> Proposal | None:
        architecture = self._unseen.draw(rng)
        return None if architecture is None else Proposal(architecture)

    def _refresh(self, known: Sequence[_Known], scores: Floats, rng: np.random.Generator) -> None:
        """Adds new candidates to the pool: a quarter random, the others mutations of the best."""
        parents = [known[place] for place in np.argsort(-scores, kind="stable")[:PARENTS]]
        there = {one.architecture for one in self._pool}
        added: list[_Candidate] = []
        for kind in rng.random(FRESH if self._pool else FIRST_FRESH).tolist():
            parent = parents[int(rng.integers(len(parents)))]
            try:
                if kind < 0.25:
                    candidate = _Candidate(self._anywhere.sample(rng), None)
                else:
                    child = self._anywhere.mutate(parent.architecture, rng)
                    if kind < 0.5:
                        child = self._anywhere.mutate(child, rng)
                    candidate = _Candidate(child, parent.number)
            except SpaceError:  # the parent has no neighbour
                continue
            if candidate.architecture not in there and candidate.architecture not in self._unseen:
                there.add(candidate.architecture)
                added.append(candidate)
        if added:
            self._pool += added
            rows = self._encode([one.architecture for one in added])
            self._pool_rows = np.concatenate([self._pool_rows, rows])

    def _learn(self, rows: Rows, columns: Floats, due: bool, rng: np.random.Generator) -> None:
        if due:
            self._learnt = self._count
        pending = np.concatenate(list(self._pending.values())) if self._pending else None
        if len(self._elsewhere[0]):
            rows = np.concatenate([self._elsewhere[0], rows])
            columns = np.concatenate([self._elsewhere[1][:, None], columns])
        for model, scores in zip(self._models, columns.T, strict=True):
            if isinstance(model, RandomForest):
                if not due:
                    continue
                model.seed = rng
                model.fit(rows, scores)
            elif due:
                model.fit(rows, scores)
            else:
                model.condition(rows, scores)
            if pending is not None:
                expected = model.latent(pending)[0] if isinstance(model, RandomForest) else model.predict(pending)[0]
                model.update(pending, expected)

    def _promise(self, rows: Rows, columns: Floats, rng: np.random.Generator) -> Floats:
        """What the acquisition function says of each candidate."""
        if self.acquisition == "ehvi":
            reference = columns.min(axis=0) - BELOW * np.maximum(np.ptp(columns, axis=0), 1.0)
            if self._pending:
                pending = np.concatenate(list(self._pending.values()))
                columns = np.concatenate([columns, self._expected(pending)[0]])
            return expected_hypervolume_improvement(*self._expected(rows), columns, reference)
        (model,) = self._models
        if self.acquisition == "thompson":
            return model.drawn(rows, rng)
        mean, spread = model.latent(rows)
        if self.acquisition == "ucb":
            return mean + UCB * spread
        if self.acquisition == "its":
            return rng.normal(mean, spread)
        return expected_excess(mean, spread, columns.max())

    def _expected(self, rows: Rows) -> tuple[Floats, Floats]:
        """Means and spreads of the rows, a column an objective."""
        answers = [model.latent(rows) for model in self._models]
        mean, spread = (np.stack([answer[side] for answer in answers], axis=1) for side in (0, 1))
        return mean, spread


@dataclass(frozen=True, slots=True)
class _Known:
    number: int
    architecture: Architecture
    row: Rows  # an array of one row
    scores: Floats


@dataclass(frozen=True, slots=True)
class _Candidate:
    architecture: Architecture
    parent: int | None


def _scalarised(scores: Floats, weights: Floats) -> Floats:
    """One number for each row: the normal score of a single objective, or their augmented Tchebycheff distance."""
    columns = _normal(scores)
    if columns.shape[1] == 1:
        return columns[:, 0]
    short = weights * (columns.max(axis=0) - columns)
    return normal_scores(-(short.max(axis=1) + AUGMENTED * short.sum(axis=1)))


def _normal(scores: Floats) -> Floats:
    """The normal scores of each objective."""
    return np.stack([normal_scores(column) for column in scores.T], axis=1)


def _worst(scores: Floats) -> int:
    """The row to leave: of the lowest score, or of the last front the most crowded."""
    if scores.shape[1] == 1:
        return int(np.argmin(scores[:, 0]))
    ranks = pareto.ranks(scores)
    last = np.flatnonzero(ranks == ranks.max())
    return int(last[np.argmin(pareto.crowding(scores[last]))])
