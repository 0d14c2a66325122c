"""The default strategy."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.architecture import Architecture
from netwright.errors import InfeasibleError, InputError, SpaceError
from netwright.predictors import GaussianProcess
from netwright.space import SearchSpace
from netwright.strategies.base import Known, Strategy
from netwright.strategies.informed import Informed
from netwright.strategies.limits import first_allowed
from netwright.strategies.rungs import ladder
from netwright.strategies.unseen import Unseen
from netwright.trial import PROXY, Budget, Objective, Proposal, Trial

Floats = NDArray[np.float64]
Rows = NDArray[Any]
Places = NDArray[np.int64]

FIRST = 5
"""Starts and random architectures together at least, before the surrogate decides."""

OWN = 3
"""Random architectures that follow the starts at least: what the starts have in common must not decide."""

PROBES = 48
"""Architectures of which the proxies are asked; what they say of others is predicted from these."""

PAIRS, TRUSTED = 8, 0.3
"""A cheap budget is given up when, of at least so many pairs, its rank correlation with the full one is below this."""

POINTS = 200
"""What the surrogate learns from at most: half the best, a quarter the latest, a quarter from the whole history."""

POOL = 500
"""Candidates that are kept from one ask to the next."""

RANDOM, LOCAL, NEIGHBOURS = 20, 40, 200
"""New candidates of an ask: random ones, mutations of what is good, all neighbours (at most so many) of a new best."""

PARENTS = 10
"""The best trials, and as many of the most promising candidates, around which is looked."""

HEIRS = 20
"""The best trials of a budget whose weights are kept."""


@final
class Auto(Strategy):
    """A Gaussian process over the decisions, led by local moves; needs no tuning, from ten trials to ten thousand.

    1. ``starts`` come first, as they are. Each is a mapping from decisions to answers, which may leave some open:
       these are drawn. One that breaks the limits of the space is left out; one that is none of its
       architectures is refused before the search begins. Those of the ``portfolio`` follow in the same way: they were
       found by short trainings on other data, so they are not known to be good where they are trained whole.
    2. With ``proxies=True`` what costs nothing is asked of 48 architectures (budget ``"proxy"``: parameters,
       multiplications, whatever proxies the evaluator has), and predicted for the others. Where the first of them
       brings nothing, no more are asked. None, the default, leaves it to whoever pairs strategy and evaluator: a bench
       says yes where its table knows costs.
    3. Random architectures follow: at least 3, and until there are 5 with the starts.
    4. Then :class:`~netwright.strategies.informed.Informed`, a Gaussian process with what costs nothing as its prior
       mean, learns the ranks of the scores, and of a pool of candidates the one with the largest expected improvement
       is proposed. The pool holds random architectures, all neighbours of the best, and what is one or two mutations
       away from the ten best trials and the ten most promising candidates; what promises most stays in it.

    With a ladder of ``budgets`` a candidate begins at the smallest, and is among the candidates again for the next one,
    with what was found; so only what still promises most climbs. What is expected at a smaller budget is a hint for the
    larger ones. A budget whose ranking turns out to have little to do (below .3) with that of the largest is given up.

    Pending proposals count with what the surrogate expects of them, failed and infeasible ones with the worst score.
    With several objectives each ask draws weights and scalarises the ranks of the scores by them (augmented
    Chebyshev; Knowles 2006, ParEGO). Nothing is proposed twice at one budget; it ends when the space is exhausted. What
    an ask costs does not grow with the history: the surrogate learns from at most 200 of its trials.

    ``known`` are architectures of another study with what they were worth there. A process of its own learns them, and
    what it expects is one more hint: how much it counts the scores of this study say themselves, and if it is nothing.
    No random architectures are needed then before the surrogate decides.

    A promotion inherits from its own trial at the smaller budget; a new candidate that differs in one decision from one
    of the twenty best inherits from that.
    """

    multi_fidelity = "optional"
    """Takes a ladder of ``budgets`` where there is one."""

    def __init__(
        self,
        starts: Sequence[Mapping[str, Any]] = (),
        *,
        budgets: Sequence[Budget] | None = None,
        proxies: bool | None = None,
        known: Known = (),
        portfolio: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        if budgets is not None:
            budgets = ladder("Auto", 1, 1, 2, budgets)
        if proxies is not None and not isinstance(proxies, bool):
            raise InputError(f"Auto: proxies is true, false or none, found {proxies!r}")
        self.starts = tuple(starts)
        self.budgets = budgets
        self.proxies = proxies
        self.known = tuple(known)
        self.portfolio = tuple(portfolio)

    def known_good(self) -> Sequence[Mapping[str, Any]]:
        return self.starts

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        super().start(space, objectives)
        self._unseen = Unseen(space)
        self._anywhere = space.unrestricted
        self._starts = [partial for partial in (*self.starts, *self.portfolio) if self._fits(partial)]
        self._first = max(FIRST, len(self._starts) + OWN)
        process = GaussianProcess(space, kernel="hamming")
        self._encode = process.encode
        self._elsewhere = _elsewhere(process, space, self.known)
        if self._elsewhere is not None:
            self._first = max(2, len(self._starts))
        self._levels = [
            _Level(process.sibling(warp=False), budget, len(objectives)) for budget in self.budgets or (None,)
        ]
        self._free = _Free(process, PROBES if self.proxies else 0)
        self._pending: dict[tuple[Architecture, Budget], Rows] = {}
        self._reached: dict[Architecture, int] = {}  # the level that comes next for it
        self._pool = _Pool()
        self._centre: int | None = None  # the trial whose neighbours are in the pool

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        proposal = self._propose(rng)
        if proposal is not None:
            row = self._encode([proposal.architecture])
            self._pending[proposal.architecture, proposal.budget] = row
        return proposal

    def tell(self, trial: Trial) -> None:
        architecture, budget = trial.architecture, trial.proposal.budget
        row = self._pending.pop((architecture, budget), None)
        if row is None:
            row = self._encode([architecture])
        lacking = {objective.metric for objective in self.objectives} - trial.metrics.keys()
        if budget == PROXY and lacking:
            self._free.add(trial, row)
            return
        self._unseen.add(architecture)
        scores = None
        if trial.scored and not lacking:
            scores = [objective.score(trial.metrics) for objective in self.objectives]
        place = next((i for i, level in enumerate(self._levels) if level.budget == budget), len(self._levels) - 1)
        self._levels[place].add(trial, row, scores)
        if scores is None:
            self._reached[architecture] = len(self._levels)
        elif place + 1 < len(self._levels) and self._reached.get(architecture, 0) <= place + 1:
            self._reached[architecture] = place + 1
            self._pool.add([architecture], self._encode)

    def heirs(self) -> Collection[int]:
        return [trial.number for level in self._levels for trial in level.heirs()]

    # Where it begins

    def _fits(self, partial: Mapping[str, Any]) -> bool:
        """Whether a start keeps the limits of the space; what is drawn for the check is thrown away."""
        return self._completed(partial, np.random.default_rng(0)) is not None

    def _completed(self, partial: Mapping[str, Any], rng: np.random.Generator) -> Architecture | None:
        try:
            return self.space.complete(partial, rng)
        except InfeasibleError:
            return None

    def _propose(self, rng: np.random.Generator) -> Proposal | None:
        while self._starts:
            architecture = self._completed(self._starts.pop(0), rng)
            if architecture is not None and self._unseen.add(architecture):
                return self._proposal(architecture, len(self._levels) - 1)
        if self._free.wanted and (self._free.answered or not any(budget == PROXY for _, budget in self._pending)):
            self._free.wanted -= 1
            return Proposal(self.space.sample(rng), budget=PROXY)
        for place, level in enumerate(self._levels):
            enough = self._first if place == 0 else 3
            under_way = sum(1 for _, budget in self._pending if budget == level.budget)
            if level.scored >= 2 and level.scored + under_way >= enough:
                continue
            chosen = self._unseen.draw(rng) if place == 0 else self._promoted(place)
            if chosen is not None:
                return self._proposal(chosen, place)
        if self._levels[-1].scored >= 2:
            chosen = self._improving(rng)
            if chosen is not None:
                return self._proposal(chosen, self._next(chosen))
        chosen = self._unseen.draw(rng)
        return None if chosen is None else self._proposal(chosen, self._next(chosen))

    def _next(self, architecture: Architecture) -> int:
        """The level at which an architecture comes next: the lowest that it has not reached and that is trusted."""
        place = min(self._reached.get(architecture, 0), len(self._levels) - 1)  # a draw of last resort may be known
        while place + 1 < len(self._levels) and not self._levels[place].trusted(self._levels[-1]):
            place += 1
        return place

    def _proposal(self, architecture: Architecture, place: int) -> Proposal:
        self._unseen.add(architecture)
        self._reached[architecture] = place + 1
        return Proposal(architecture, self._levels[place].budget, self._parent(architecture, place))

    def _parent(self, architecture: Architecture, place: int) -> int | None:
        """Its own trial at the largest smaller budget, or the best at this budget that differs in one decision."""
        for level in reversed(self._levels[:place]):
            own = next((trial for trial in level.heirs() if trial.architecture == architecture), None)
            if own is not None:
                return own.number
        heirs = self._levels[place].heirs()
        return next((t.number for t in heirs if _differences(t.architecture, architecture) <= 1), None)

    def _promoted(self, place: int) -> Architecture | None:
        """The best of the level below that has not been proposed at this one."""
        below = self._levels[place - 1]
        value = below.scalar(np.ones(len(self.objectives)))
        ready = [below.trials[i].architecture for i in below.places(value, below.scored)] if below.scored else []
        return next((architecture for architecture in ready if self._reached[architecture] == place), None)

    # Where it goes on

    def _improving(self, rng: np.random.Generator) -> Architecture | None:
        """The candidate with the largest expected improvement."""
        top = self._levels[-1]
        weights = rng.dirichlet(np.ones(len(self.objectives)))
        value = top.scalar(weights)
        self._refill([top.trials[place] for place in top.places(value, PARENTS)], rng)
        if not len(self._pool):
            return None
        below: list[_Level] = []
        for level in self._levels:
            if level is top or (level.scored >= 2 and level.trusted(top)):
                self._learn(level, weights, below)
                below.append(level)
        below.pop()
        rows = self._pool.rows
        mean, spread = top.surrogate.expect(rows, self._hints(rows, below))
        gain = _log_expected_improvement(mean, spread, top.surrogate.incumbent)
        chosen, refused = self._pool.take(gain + 1e-9 * rng.random(len(gain)), self.space)
        for architecture in refused:
            self._unseen.add(architecture)
        return self._beside(top, value, rng) if chosen is None else chosen

    def _beside(self, top: _Level, value: Floats, rng: np.random.Generator) -> Architecture | None:
        """A neighbour, within the limits, of one of the best: where all that promises most breaks them."""
        best = top.places(value, PARENTS)
        parent = top.trials[best[int(rng.integers(len(best)))]].architecture
        around = [child for child in self._anywhere.neighbours(parent, rng) if child not in self._unseen]
        order = rng.permutation(len(around))
        found, _ = first_allowed(self.space, (around[place] for place in order))
        return None if found is None else around[order[found]]

    def _learn(self, level: _Level, weights: Floats, below: Sequence[_Level]) -> None:
        value = level.scalar(weights)
        chosen = _informative(value, POINTS)
        rows = level.rows[chosen]
        level.surrogate.learn(rows, self._hints(rows, below), value[chosen], len(value))
        pending = [row for (_, budget), row in self._pending.items() if budget == level.budget]
        if pending:
            rows = np.concatenate(pending)
            level.surrogate.believe(rows, self._hints(rows, below))

    def _hints(self, rows: Rows, below: Sequence[_Level]) -> Floats:
        """What proxies say of each row, and what is expected of it at cheaper budgets."""
        hints = self._free.hints(rows)
        if self._elsewhere is not None:
            hints = np.concatenate([hints, self._elsewhere.latent(rows)[0][:, None]], axis=1)
        for level in below:
            mean, _ = level.surrogate.expect(rows, hints)
            hints = np.concatenate([hints, mean[:, None]], axis=1)
        return hints

    def _refill(self, best: Sequence[Trial], rng: np.random.Generator) -> None:
        """Puts new candidates into the pool."""
        fresh = [self._anywhere.sample(rng) for _ in range(POOL - len(self._pool) if self._centre is None else RANDOM)]
        if best[0].number != self._centre:
            self._centre = best[0].number
            fresh += islice(self._anywhere.neighbours(best[0].architecture, rng), NEIGHBOURS)
        parents = [trial.architecture for trial in best] + self._pool.promising(len(best))
        try:
            for place in rng.integers(len(parents), size=LOCAL):
                child = self._anywhere.mutate(parents[place], rng)
                fresh.append(child if rng.random() < 0.5 else self._anywhere.mutate(child, rng))
        except SpaceError:
            pass  # a parent without a neighbour
        self._pool.add([architecture for architecture in fresh if architecture not in self._unseen], self._encode)


@final
class _Level:
    """What was told at one budget: rows and scores in arrays that grow, the best few of each objective."""

    def __init__(self, process: GaussianProcess, budget: Budget, objectives: int) -> None:
        self.budget = budget
        self.surrogate = Informed(process)
        self.trials: list[Trial] = []
        self.scored = 0
        self._rows: Rows = np.empty(0)
        self._scores: Floats = np.empty((0, objectives))
        self._best: list[list[tuple[float, int, Trial]]] = [[] for _ in range(objectives)]
        self._first: dict[Architecture, float] = {}  # scores by the first objective
        self._trust = (0, True)

    def add(self, trial: Trial, row: Rows, scores: Sequence[float] | None) -> None:
        count = len(self.trials)
        if count == len(self._scores):
            room = np.empty((max(64, count), *row.shape[1:]), dtype=row.dtype)
            self._rows = np.concatenate([self._rows, room]) if count else room
            self._scores = np.resize(self._scores, (len(self._rows), self._scores.shape[1]))
        self._rows[count : count + 1] = row
        self._scores[count] = np.nan if scores is None else scores
        self.trials.append(trial)
        if scores is None:
            return
        self.scored += 1
        self._first[trial.architecture] = scores[0]
        for score, best in zip(scores, self._best, strict=True):
            bisect.insort(best, (-score, trial.number, trial), key=lambda entry: entry[:2])
            del best[max(1, HEIRS // len(self._best)) :]

    @property
    def rows(self) -> Rows:
        return self._rows[: len(self.trials)]

    def scalar(self, weights: Floats) -> Floats:
        """One number for each trial, larger being better; the worst there is for those without a score."""
        scores = self._scores[: len(self.trials)]
        if scores.shape[1] == 1:
            value = scores[:, 0].copy()
        else:
            ranks = _ranks(scores)
            value = (weights * (ranks - 1)).min(axis=1) + 0.05 * (weights * ranks).sum(axis=1)
        lacking = np.isnan(value)
        if lacking.any():
            value[lacking] = value[~lacking].min()
        return value

    def places(self, value: Floats, count: int) -> Places:
        """Where the best are that have a score, the best first; of equal ones the earliest."""
        value = np.where(np.isnan(self._scores[: len(value), 0]), -np.inf, value)
        count = min(count, self.scored)
        cut = np.partition(value, len(value) - count)[len(value) - count]
        among = np.flatnonzero(value >= cut)
        return among[np.argsort(-value[among], kind="stable")][:count]

    def heirs(self) -> Iterable[Trial]:
        """The best trials of each objective."""
        return {number: trial for best in self._best for _, number, trial in best}.values()

    def trusted(self, top: _Level) -> bool:
        """Whether its ranking has something to do with that of the largest budget, as far as is known."""
        if self is top:
            return True
        if self._trust[0] != top.scored:
            pairs = [(self._first[a], score) for a, score in top._first.items() if a in self._first]
            self._trust = (top.scored, len(pairs) < PAIRS or _correlation(np.array(pairs)) >= TRUSTED)
        return self._trust[1]


@final
class _Free:
    """What is known without training: asked of some architectures, predicted for the others."""

    def __init__(self, process: GaussianProcess, probes: int) -> None:
        self._process = process
        self.wanted = probes
        self.answered = False
        self._rows: list[Rows] = []
        self._metrics: list[Mapping[str, float]] = []
        self._processes: list[GaussianProcess] | None = []

    def add(self, trial: Trial, row: Rows) -> None:
        """Learns from a proxy trial; a first one that brings nothing ends the asking."""
        if not trial.scored or not trial.metrics:
            if not self.answered:
                self.wanted = 0
            return
        self.answered = True
        self._rows.append(row)
        self._metrics.append(trial.metrics)
        self._processes = None

    def hints(self, rows: Rows) -> Floats:
        """What each proxy is expected to be, as normal scores: a column for each that is not always the same."""
        if self._processes is None:
            self._processes = self._fitted()
        columns = [process.latent(rows)[0] for process in self._processes]
        return np.stack(columns, axis=1) if columns else np.zeros((len(rows), 0))

    def _fitted(self) -> list[GaussianProcess]:
        fitted = []
        for name in dict.fromkeys(name for metrics in self._metrics for name in metrics):
            having = [place for place, metrics in enumerate(self._metrics) if name in metrics]
            values = np.array([self._metrics[place][name] for place in having])
            if len(values) > 2 and np.ptp(values) > 0:
                process = self._process.sibling(warp=True)
                process.fit(np.concatenate([self._rows[place] for place in having]), values)
                fitted.append(process)
        return fitted


@final
class _Pool:
    """Candidates with their rows; the most promising stay."""

    def __init__(self) -> None:
        self._architectures: list[Architecture] = []
        self._known: set[Architecture] = set()
        self.rows: Rows = np.empty(0)

    def __len__(self) -> int:
        return len(self._architectures)

    def add(self, architectures: Sequence[Architecture], encode: Callable[[Sequence[Architecture]], Rows]) -> None:
        fresh = [architecture for architecture in dict.fromkeys(architectures) if architecture not in self._known]
        if not fresh:
            return
        rows = encode(fresh)
        self.rows = np.concatenate([self.rows, rows]) if self._architectures else rows
        self._architectures += fresh
        self._known.update(fresh)

    def promising(self, count: int) -> list[Architecture]:
        """Those that had the largest gain at the last ask."""
        return self._architectures[:count]

    def take(self, gain: Floats, space: SearchSpace) -> tuple[Architecture | None, list[Architecture]]:
        """The one with the largest gain that keeps the limits, and those before it that do not.

        All of them leave; so do those beyond the size of the pool with the least gain.
        """
        order = np.argsort(-gain, kind="stable")
        found, refused = first_allowed(space, (self._architectures[place] for place in order))
        chosen = None if found is None else self._architectures[int(order[found])]
        outside = [self._architectures[place] for place in order[:refused]]
        taken = refused + (found is not None)
        kept = order[taken : taken + POOL]
        self._architectures = [self._architectures[place] for place in kept]
        self._known = set(self._architectures)
        self.rows = self.rows[kept]
        return chosen, outside


def _elsewhere(process: GaussianProcess, space: SearchSpace, known: Known) -> GaussianProcess | None:
    """What has learnt another study's scores; None where there are too few that this space has, or all are equal."""
    pairs = [(Architecture(answers), score) for answers, score in known if answers in space]
    scores = np.array([score for _, score in pairs])
    if len(pairs) < 3 or np.ptp(scores) == 0:
        return None
    chosen = _informative(scores, POINTS)
    learner = process.sibling(warp=True)
    learner.fit(process.encode([pairs[place][0] for place in chosen]), scores[chosen])
    return learner


def _informative(value: Floats, most: int) -> Places:
    """All places, or half of ``most`` the best, a quarter the latest, and a quarter evenly over the history."""
    count = len(value)
    if count <= most:
        return np.arange(count)
    best = np.argpartition(-value, most // 2)[: most // 2]
    latest = np.arange(count - most // 4, count)
    even = np.linspace(0, count - 1, most // 4).astype(np.int64)
    return np.unique(np.concatenate([best, latest, even]))


def _ranks(scores: Floats) -> Floats:
    """Ranks of each column scaled to [0, 1], the largest 1; NaN stays."""
    from scipy.stats import rankdata

    ranks = rankdata(scores, axis=0, nan_policy="omit")
    scaled: Floats = (ranks - 1) / max(1, int((~np.isnan(scores[:, 0])).sum()) - 1)
    return scaled


def _correlation(pairs: Floats) -> float:
    """Spearman's rank correlation; 0 where one side is always the same."""
    from scipy.stats import spearmanr

    if np.ptp(pairs, axis=0).min() == 0:
        return 0.0
    return float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)


def _log_expected_improvement(mean: Floats, spread: Floats, best: float) -> Floats:
    """The logarithm of the expected improvement over ``best``; far below it by its asymptote (Ament et al. 2023)."""
    from scipy.special import ndtr

    z = (mean - best) / spread
    near = z > -6
    log_density = -0.5 * z * z - 0.5 * np.log(2 * np.pi)
    inner = np.where(near, z * ndtr(z) + np.exp(log_density), 1.0)
    far = log_density - 2 * np.log(np.where(near, 1.0, -z))
    gain: Floats = np.log(spread) + np.where(near, np.log(np.maximum(inner, 1e-300)), far)
    return gain


def _differences(a: Architecture, b: Architecture) -> int:
    """How many of the decisions that both answer they answer otherwise."""
    return sum(1 for name, answer in a.items() if name in b and b[name] != answer)
