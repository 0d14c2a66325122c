"""Selection: finalists retrained from scratch, judged on data that the search never saw, and the verdict.

The search's own score is biased upwards by having been chosen. So the best of the search train again on the search
data with several seeds and are judged on the selection data; the winner is refitted on search and selection data
together, and so is the pinned baseline, with the same recipe, seeds and split; both are compared on the test data.
Where the selection data are few, finalists are judged by cross-validation over all but the test data instead; of
examples in an order, by what came next at several times. Each training is journaled when it ends, so an interrupted
selection goes on where it stopped.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.architecture import Architecture
from netwright.errors import DataError, InfeasibleError, InputError, NetwrightError
from netwright.executors import TaskFailed
from netwright.progress import Phase, Progress, Watch
from netwright.statistics import Difference, Verdict, paired_bootstrap, score_interval, verdict
from netwright.study.budgets import extent, front
from netwright.study.driver import too_many_failures
from netwright.study.signals import Signals
from netwright.study.study import Study
from netwright.study.trainings import as_they_end
from netwright.trial import PROXY, Objective, Proposal, State, Trial

if TYPE_CHECKING:
    from netwright.evaluators.train import Train
    from netwright.space import SearchSpace
    from netwright.training.goals import Goal
    from netwright.training.loop import Fitted

Array = np.ndarray[Any, Any]

MARGIN = 0.01
"""Two scores are called equal when the interval of their difference lies within ± this (one point of accuracy)."""
FIRST_SEED = 1000
"""The seeds of retraining start here, so that none is the seed of a trial by accident."""


@dataclass(frozen=True)
class Training:
    """One training from scratch: of a finalist (``architecture``) or of the baseline (None).

    ``params`` is the size that the baseline is to have, where it has none of its own.
    """

    part: str
    architecture: Architecture | None
    seed: int
    epochs: int
    params: int | None = None
    outputs: bool = False
    """Whether the outputs for the examples that judge it are kept, too, for an ensemble."""
    fold: int | None = None
    """Which part of a cross-validation judges it; it trains on the others. None: the selection data judge it."""
    least: float = field(default=0.0, compare=False)
    """Seconds that it may train even where they do not fit into the time: as long as the trial did."""

    @property
    def key(self) -> str:
        """Its name in the journal."""
        name = f"baseline{self.params or ''}" if self.architecture is None else self.architecture.key
        part = self.part if self.fold is None else f"{self.part}{self.fold}of{FOLDS}"
        return f"{part}-{name}-{self.seed}-{self.epochs}"


@dataclass(frozen=True)
class Plan:
    """How many finalists, on how many seeds each, and on how many seeds the winner is refitted for ``epochs``.

    The finalists are judged after half as many epochs: their order is the same, and twice as many can stand; and as
    those of :meth:`shorter` are, which tells whether training is too long. With ``crossed`` they are judged by
    cross-validation, one seed a part: ``judged_seeds`` is the number of parts.
    """

    finalists: int
    judged_seeds: int
    refit_seeds: int
    epochs: int
    members: int = 0
    """As many networks more are refitted at most for an ensemble."""
    crossed: bool = False

    @property
    def judged_epochs(self) -> int:
        """The epochs of a finalist on the search data."""
        return -(-self.epochs // 2)

    def shorter(self) -> Plan | None:
        """The same with a quarter of the epochs; None where too few of them would be left."""
        return dataclasses.replace(self, epochs=self.epochs // SHORTER) if self.epochs >= 4 * SHORTER else None

    def seconds(self, epoch_seconds: float, workers: int) -> float:
        """About how long it takes when an epoch on all data takes ``epoch_seconds``."""
        judged = _rounds(self.finalists * self.judged_seeds, workers)
        refit = _rounds(self.refit_seeds + self.members, workers)
        shorter = self.shorter()
        judged_epochs = self.judged_epochs + (shorter.judged_epochs if shorter else 0)
        return (judged * judged_epochs + refit * self.epochs) * epoch_seconds

    def judged_share(self, workers: int) -> float:
        """What part of that time it takes to judge the finalists."""
        judged = dataclasses.replace(self, refit_seeds=0, members=0)
        return judged.seconds(1.0, workers) / self.seconds(1.0, workers)


SHORTER = 4
"""Whether so many times fewer epochs are better is tried on the finalists: some data are soon learnt by heart."""
PLANS = ((6, 2, 2), (4, 2, 2), (4, 1, 2), (2, 1, 2), (1, 1, 1), (1, 0, 1))
"""Finalists, seeds for judging, seeds for refitting: from the best to the least that is still honest."""
FOLDS, FEW = 5, 150
"""Fewer examples than FEW to judge the finalists by tell them apart too badly: then so many parts of all are judged."""
OF_FEW = ((8, 2), (6, 2), (4, 2), (2, 2))
"""Finalists and seeds for refitting with few examples; where not even the last fits, one of the others is taken."""
QUICK_DRAWS, QUICK_ROWS, QUICK_EPOCHS = 48, 2_000, 3
"""What a network is chosen from and trained on that is to be there within seconds."""
MAX_REFITS = 6
"""Seeds of a refit at most; more than the plan's are trained while there is time."""


@dataclass(frozen=True)
class Scored:
    """A network's test score with its 95 % interval, its costs, and the seconds that its trainings took."""

    name: str
    score: float
    low: float
    high: float
    params: int
    macs: int
    seconds: float
    seeds: tuple[int, ...]
    examples: np.ndarray[Any, Any] = field(repr=False)
    named: Mapping[str, float] = field(default_factory=dict)
    """By scikit-learn's scorers that were asked for."""
    unnamed: Mapping[str, str] = field(default_factory=dict)
    """Scorers that were asked for and cannot judge these examples, with the reason of each."""


@dataclass(frozen=True)
class Member:
    """One network of an ensemble: of which trial, how often it counts, and its refitted weights."""

    trial: Trial
    seed: int
    count: int
    weights: Path


@dataclass(frozen=True)
class Together:
    """An ensemble of the finalists, its score on the test data, and what came of comparing it with the winner."""

    members: tuple[Member, ...]
    scored: Scored
    difference: Difference
    verdict: Verdict


@dataclass(frozen=True)
class Selected:
    """What selection found: the winner, its refitted weights, its score beside the baseline's, the verdict.

    The baseline and the difference are None where nothing was retrained: see :func:`so_far`.
    """

    trial: Trial
    winner: Scored
    baseline: Scored | None
    difference: Difference | None
    verdict: Verdict
    weights: Path
    fitted: Mapping[str, Any]
    plan: Plan
    ranking: tuple[tuple[int, float], ...]
    outside: float
    """Seconds that the baseline took of this run's clock."""
    together: Together | None = None
    """The ensemble, where one was asked for and at least two networks were judged."""


def choose_plan(
    seconds_left: float | None,
    epoch_seconds: float,
    epochs: int,
    workers: int,
    available: int,
    usual: int | None = None,
    members: int = 0,
    few: int = 0,
) -> Plan:
    """The fullest plan that fits into the time that is left; the least one if none does.

    Before finalists are given up the epochs are halved, as long as they stay at the ``usual`` number or above.
    With ``few``, the number of its parts, the plans that judge by cross-validation come first.
    """
    shorter = [epochs]
    while usual is not None and shorter[-1] // 2 >= usual:
        shorter.append(shorter[-1] // 2)
    orders = [((finalists, few, refit), count, True) for count in shorter for finalists, refit in OF_FEW if few]
    orders += [(plan, count, False) for count in shorter for plan in PLANS if plan[0] > 1]
    orders += [(plan, count, False) for plan in PLANS if plan[0] == 1 for count in shorter]
    for (finalists, judged, refit), count, crossed in orders:
        judged_seeds = judged if available > 1 else 0
        others = members if judged_seeds else 0
        plan = Plan(min(finalists, available), judged_seeds, refit, count, others, crossed and judged_seeds > 0)
        if seconds_left is None or plan.seconds(epoch_seconds, workers) <= seconds_left:
            return plan
    return Plan(1, 0, 1, shorter[-1])


def fullest_plan(study: Study, epochs: int, available: int, members: int = 0) -> Plan:
    """What a selection does that has time for all, with so many networks to choose from."""
    train: Any = getattr(study.evaluator, "train", study.evaluator)
    return choose_plan(None, 0.0, epochs, 1, available, None, members, _few(train))


def select(
    study: Study,
    *,
    baseline: str | None = None,
    plan: Plan | None = None,
    epochs: int | None = None,
    n_jobs: int = 1,
    deadline: Callable[[], float] | None = None,
    margin: float = MARGIN,
    watch: Watch | None = None,
    trial: int | None = None,
    ensemble: int = 0,
) -> Selected:
    """Selects, refits and judges; see the module. ``deadline`` gives the seconds that are left for the study's half.

    ``epochs`` is how long a refit trains, the recipe's number by default; ``plan`` fixes that and all else.
    ``trial`` is the number of one that was chosen already: it is refitted and judged in place of the best one, with
    the same seeds and epochs, and the study's verdict stays as it is.
    ``baseline`` names one of :data:`netwright.zoo.baselines.BASELINES`; by default the one of the data's kind.
    With ``ensemble`` above 0 the finalists are also averaged (:mod:`netwright.training.ensembles`): as many draws on
    the selection data say which of them count and how often, those are refitted as the winner is, and what they answer
    together is compared with the winner on the test data.

    Raises InputError for a study that does not train on data or has no finished trial.
    """
    run = _Selection(study, baseline, plan, epochs, n_jobs, deadline, watch, trial, ensemble)
    return run.run(margin)


def so_far(study: Study) -> Selected | None:
    """The best trial's network as the search trained it, judged on the test data: for a search that was stopped.

    Where no trial has a score and weights yet, a small network is trained for a moment. Nothing is compared with a
    baseline. None for a study that does not train on a data set.
    """
    from netwright.evaluators.train import Train
    from netwright.training.goals import read_goal
    from netwright.training.loop import Fitted, standardisation
    from netwright.training.weights import load_weights

    train: Any = getattr(study.evaluator, "train", study.evaluator)
    if not isinstance(train, Train) or study.folder is None:
        return None
    data, split = train.data, train.split
    goal = read_goal(data.task)
    trial, weights = study.best, study.weights()
    what = "the smallest of some networks, trained for a moment"
    if trial is None or weights is None:
        trial, weights, fitted = _quick(study, train, study.folder / "weights" / "quick.safetensors")
    else:
        epochs = int(trial.metrics.get("lineage_epochs", trial.metrics.get("epochs", 1)))
        center, scale = standardisation(goal, data.y[split.train])
        what = f"the network of trial {trial.number}"
        fitted = Fitted(trial.metrics, trial.curve, epochs, 0, trial.seconds, center=center, scale=scale)
    network = study.space.build(trial.architecture)
    network.load_state_dict(dict(load_weights(weights).state))
    judges = train.test if train.test is not None else data.subset(split.test)
    answers, targets = _answers(network, judges, goal, fitted), np.asarray(judges.y)
    named, unnamed = _named(train.scorers, answers, targets, data.task)
    scored = _scored_of("so far", goal.credits(answers, targets)[None], (), trial.metrics, trial.seconds, goal)
    epochs = fitted.epochs
    text = f"Stopped early: {what}, {epochs} epoch{'s' * (epochs != 1)}; no baseline was trained beside it."
    if study.ancestors:
        text += " It may go back to weights of another study, and these to rows that it is judged on here."
    return Selected(
        trial=trial,
        winner=dataclasses.replace(scored, named=named, unnamed=unnamed),
        baseline=None,
        difference=None,
        verdict=Verdict("undecided", text),
        weights=weights,
        fitted={"center": fitted.center.tolist(), "scale": fitted.scale.tolist(), "epochs": epochs},
        plan=Plan(1, 0, 0, epochs),
        ranking=(),
        outside=0.0,
    )


def _quick(study: Study, train: Train, file: Path) -> tuple[Trial, Path, Fitted]:
    """The cheapest of the known-good starts and some drawn networks, trained for a moment, and the file of its weights.

    Those that keep the limits on parameters and multiplications come first.
    """
    import torch

    from netwright.study.candidates import measure_costs
    from netwright.training.loop import train_network
    from netwright.training.weights import save_weights

    data, rng = train.data, np.random.default_rng(study.seed)
    starts = [study.space.complete(start, rng) for start in study.strategy.known_good()]
    space = study.feasible_space(study.check_feasible())
    drawn = [*starts, *(space.sample(rng) for _ in range(QUICK_DRAWS))]
    costs = [measure_costs(study.space, data.input_shape, ("params", "macs"), each) for each in drawn]
    known = [limit for limit in study.limits if limit.metric in ("params", "macs")]
    best = min(range(len(drawn)), key=lambda place: (
        sum(limit.broken(costs[place]) for limit in known), costs[place]["macs"], place
    ))  # fmt: skip
    torch.manual_seed(FIRST_SEED)
    network = study.space.build(drawn[best])
    rows = np.sort(rng.permutation(train.split.train)[:QUICK_ROWS])
    recipe = train.recipe.override(drawn[best])
    fitted = train_network(network, data, rows, recipe, seed=FIRST_SEED, epochs=QUICK_EPOCHS)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_weights(file, network.state_dict())
    metrics = {**costs[best], "epochs": float(QUICK_EPOCHS)}
    proposal = Proposal(drawn[best], budget=float(QUICK_EPOCHS))
    return Trial(len(study.trials), proposal, State.FINISHED, metrics, seconds=fitted.seconds), file, fitted


@dataclass(frozen=True)
class _Judged:
    """By the numbers of the finalists' trials their scores and losses; ``count`` is how many examples judged each.

    ``worths`` are of a cross-validation what each example counts, or each origin where examples are in an order.
    """

    scores: Mapping[int, float]
    losses: Mapping[int, float]
    worths: Mapping[int, Array]
    count: int


class _Selection:
    def __init__(
        self,
        study: Study,
        baseline: str | None,
        plan: Plan | None,
        epochs: int | None,
        n_jobs: int,
        deadline: Callable[[], float] | None,
        watch: Watch | None,
        chosen: int | None,
        ensemble: int,
    ) -> None:
        from netwright.evaluators.train import Train
        from netwright.zoo import baselines

        # An evaluator may stand around the one that trains, as WithProxies does.
        train: Any = getattr(study.evaluator, "train", study.evaluator)
        if not isinstance(train, Train):
            raise InputError(
                "a verdict needs a study that trains on a data set",
                hint="Use nw.evaluators.Train(data, split=split) as its evaluator",
            )
        self.study, self.n_jobs, self.deadline, self.watch = study, n_jobs, deadline, watch
        self.train: Train = train
        kind = "tables" if len(self.train.data.input_shape) == 1 else "images"
        self.baseline = baselines.baseline(baseline or kind)
        self.candidates = ranked(study)
        if not self.candidates:
            raise nothing_found(study)
        self.epochs = epochs or self.train.recipe.epochs
        self.plan = plan
        self.chosen = None if chosen is None else self._trial(chosen)
        self.ensemble = ensemble

    def _trial(self, number: int) -> Trial:
        """One that can be chosen by its number."""
        eligible = {trial.number: trial for trial in self.study._eligible()}
        if number not in eligible:
            raise InputError(
                f"trial {number} has no score within the limits, and cannot be chosen",
                hint="See which have one: netwright show DIR --top 100",
            )
        return eligible[number]

    def run(self, margin: float) -> Selected:
        with Signals() as signals:
            self.signals = signals
            if self.study._entered is not None:
                return self._run(margin)
            with self.study:
                return self._run(margin)

    def _run(self, margin: float) -> Selected:
        from netwright.training.goals import read_goal

        entered = self.study._entered
        assert entered is not None
        self.folder = entered.weights.parent / "finals"
        self.executor = entered.executor(min(self.n_jobs, self.study.parallel), "finals")
        plan = self._plan()
        trial, ranking = self._judge(plan) if self.chosen is None else (self.chosen, ())
        plan = self._shortened(plan)
        # Before the winner's seeds, which are more while there is time.
        parts = self._parts(plan) if self.chosen is None and self.ensemble else []
        refits, records = self._refit(trial, plan)
        winner = self._scored("found", records, refits, trial.metrics)
        # One network that counts alone is no ensemble: that one is better by itself on the selection data.
        together = self._together(parts, winner, margin) if len(parts) > 1 else None
        size = int(trial.metrics["params"]) if self.baseline.sized else None
        # As long as the network found was trained, where the time was too short for all epochs.
        spans = [records[each.key]["fitted"]["epochs"] if each.key in records else plan.epochs for each in refits]
        twins = [Training("refit", None, each.seed, epochs, size) for each, epochs in zip(refits, spans, strict=True)]
        began = time.monotonic()
        rivals = self._train(twins, "baseline")
        outside = time.monotonic() - began
        rival = self._scored(self.baseline.name, rivals, twins, self._baseline_costs(size))
        difference = paired_bootstrap(winner.examples, rival.examples)
        credit = read_goal(self.train.data.task).credit
        judged = verdict(difference, margin, metric=credit, theirs=f"the baseline {self.baseline.name}")
        first = next(records[training.key] for training in refits if training.key in records)
        selected = Selected(
            trial,
            winner,
            rival,
            difference,
            judged,
            self.folder / first["file"],
            first["fitted"],
            plan,
            ranking,
            outside,
            together,
        )
        told = self.study.noted("verdict")
        if self.chosen is None and (not told or (told[-1]["trial"], told[-1]["text"]) != (trial.number, judged.text)):
            self.study.note("verdict", trial=trial.number, result=judged.result, text=judged.text)
        return selected

    def _plan(self) -> Plan:
        """The plan, journaled: a decision by the clock is replayed, not taken again."""
        noted = self.study.noted("plan")
        if noted:
            body = noted[-1]
            members = body.get("members", 0)
            crossed = body.get("crossed", False)
            return Plan(body["finalists"], body["judged_seeds"], body["refit_seeds"], body["epochs"], members, crossed)
        plan = self.plan
        if plan is None:
            left = None if self.deadline is None else self.deadline()
            seconds = epoch_seconds(self.study, self.candidates[:8])
            usual = int(self.baseline.recipe["epochs"])
            members = max(0, self.ensemble - 1)
            plan = choose_plan(
                left, seconds, self.epochs, self.n_jobs, len(self.candidates), usual, members, _few(self.train)
            )
        self.study.note(
            "plan",
            finalists=plan.finalists,
            judged_seeds=plan.judged_seeds,
            refit_seeds=plan.refit_seeds,
            epochs=plan.epochs,
            **({"members": plan.members} if plan.members else {}),
            **({"crossed": True} if plan.crossed else {}),
        )
        return plan

    def _judge(self, plan: Plan) -> tuple[Trial, tuple[tuple[int, float], ...]]:
        finalists = self._finalists(plan)
        if self._blind(plan):
            return self._plainest(), ()
        shorter = plan.shorter() if self.plan is None and not self._ordered() else None
        if plan.judged_seeds == 0 or (len(finalists) == 1 and shorter is None):
            return finalists[0], ()
        plans = [plan] if shorter is None else [plan, shorter]
        todo = [
            training if each is plan else dataclasses.replace(training, least=0.0)
            for each in plans
            for some in self._judgements(finalists, each).values()
            for training in some
        ]
        records = self._train(todo, "finalists", self._left(plan.judged_share(self.n_jobs)))
        judgements = [self._as_judged(finalists, each, records) for each in plans]
        if not judgements[0].scores:
            return finalists[0], ()
        best_plan = int(shorter is not None and self._is_better(judgements[1], judgements[0]))
        if best_plan and not self.study.noted("length"):
            self.study.note("length", epochs=plans[best_plan].epochs)
        judged = judgements[best_plan]
        scores, losses, worths, count = judged.scores, judged.losses, judged.worths, judged.count
        asked = self._asked()
        error = standard_error(max(scores.values()), self.train, count) if asked is None else 0.0
        alike = [number for number in scores if scores[number] >= max(scores.values()) - error]
        sizes = dict.fromkeys(scores, 0.0)
        if plan.crossed and self._ordered():
            # The smallest of them is taken: a few origins do not tell a large network's luck from its merit. Two
            # errors, since the search has chosen by some of these examples already.
            alike = _alike(worths, 2.0)
            sizes = {trial.number: trial.metrics["params"] for trial in finalists}
        elif plan.crossed:
            alike = _alike(worths, 1.0) if asked is None else alike
            # The others were found with most of the data that judge them here.
            known = {trial.number for trial in self._known()}
            alike = [number for number in alike if number in known] or alike
        prices = _prices([trial for trial in finalists if trial.number in alike], self.study.objectives[1:])
        best = min(alike, key=lambda number: (prices[number], sizes[number], losses[number], number))
        return self.study.history.trials[best], tuple(sorted(scores.items(), key=lambda pair: -pair[1]))

    def _as_judged(self, finalists: Sequence[Trial], plan: Plan, records: Mapping[str, Mapping[str, Any]]) -> _Judged:
        """How good the finalists are that were trained as the plan has it; without those that failed."""
        from netwright.training.goals import read_goal

        trainings = self._judgements(finalists, plan)
        judged = {
            trial.number: [records[training.key] for training in trainings[trial.number]]
            for trial in finalists
            if all(training.key in records for training in trainings[trial.number])
        }
        asked, goal = self._asked(), read_goal(self.train.data.task)
        worths: dict[int, Array] = {}
        if plan.crossed and goal.ordered:
            worths = {n: np.array([goal.worth(each["score"]) for each in some]) for n, some in judged.items()}
            scores = {number: float(some.mean()) for number, some in worths.items()}
            losses = {number: -score for number, score in scores.items()}
            count = len(self.train.split.selection)
        elif plan.crossed:
            whole = {number: self._joined(trainings[number]) for number in judged}
            targets = np.asarray(self.train.data.y[_judged(self.train)])
            told = {number: _judgement(outputs, targets, goal, self.train.scorers) for number, outputs in whole.items()}
            scores = {number: _score(each, asked) for number, each in told.items()}
            losses = {number: float(each["loss"]) for number, each in told.items()}
            worths = {number: goal.credits(outputs, targets) for number, outputs in whole.items()}
            count = len(targets)
        else:
            scores = {number: float(np.mean([_score(each, asked) for each in some])) for number, some in judged.items()}
            losses = {number: float(np.mean([each["loss"] for each in some])) for number, some in judged.items()}
            count = len(self.train.split.selection)
        return _Judged(scores, losses, worths, count)

    def _is_better(self, shorter: _Judged, longer: _Judged) -> bool:
        """Whether shorter training is better for the finalists on average, by half a standard error of an accuracy."""
        both = sorted(shorter.scores.keys() & longer.scores.keys())
        if not both:
            return False
        means = [float(np.mean([judged.scores[number] for number in both])) for judged in (shorter, longer)]
        error = standard_error(means[1], self.train, longer.count) if self._asked() is None else 0.0
        return means[0] > means[1] + error / 2

    def _shortened(self, plan: Plan) -> Plan:
        """The plan with the epochs that were found to be better; journaled."""
        noted = self.study.noted("length")
        return dataclasses.replace(plan, epochs=noted[-1]["epochs"]) if noted and self.plan is None else plan

    def _asked(self) -> str | None:
        """The scorer that was asked for, if one was."""
        name = self.study.objectives[0].metric.removeprefix("val_")
        return name if name in self.train.scorers else None

    def _ordered(self) -> bool:
        from netwright.training.goals import read_goal

        return read_goal(self.train.data.task).ordered

    def _blind(self, plan: Plan) -> bool:
        """Whether what follows one time alone would judge: examples that share steps, hardly more than one has."""
        from netwright.training.goals import read_goal

        few = len(self.train.split.selection) <= 2 * self.train.data.outputs
        return few and read_goal(self.train.data.task).overlapping and not plan.crossed

    def _plainest(self) -> Trial:
        """The smallest of the known-good starts, of equal ones the best: what to take where nothing can be told."""
        known = self._known()
        return min(known, key=lambda trial: trial.metrics["params"]) if known else self.candidates[0]

    def _known(self) -> list[Trial]:
        """The trials of known-good starts, the best first."""
        starts = self.study.strategy.known_good()
        return [trial for trial in self.candidates if any(_begins(trial.architecture, start) for start in starts)]

    def _finalists(self, plan: Plan) -> list[Trial]:
        """The best of the search; the last place is kept for the best of the known-good starts.

        A start is known to be good when it is trained whole, which the short training of a trial cannot tell. Of few
        examples the search knows still less: then half of the places are kept, and where examples are in an order one
        of them for the smallest start, which is taken unless another one is clearly better.
        """
        if plan.finalists < 2:
            return self.candidates[: plan.finalists]
        known = self._known()
        if known and plan.crossed and self._ordered():
            smallest = self._plainest()
            known = [smallest, *(trial for trial in known if trial is not smallest)]
        kept = known[: plan.finalists // 2 if plan.crossed else 1]
        others = [trial for trial in self.candidates if trial not in kept]
        chosen = [*kept, *others[: plan.finalists - len(kept)]]
        return [trial for trial in self.candidates if trial in chosen]

    def _judgements(self, finalists: Sequence[Trial], plan: Plan) -> dict[int, list[Training]]:
        """The trainings by which the finalists are judged, by the number of their trial."""
        return {
            trial.number: [
                Training(
                    "judge",
                    trial.architecture,
                    FIRST_SEED + index,
                    plan.judged_epochs,
                    outputs=self.ensemble > 0 or plan.crossed,
                    fold=index if plan.crossed else None,
                    least=trial.seconds,
                )
                for index in range(plan.judged_seeds)
            ]
            for trial in finalists
        }

    def _parts(self, plan: Plan) -> list[tuple[Trial, Training, int]]:
        """Which finalists make the ensemble, refitted, and how often each counts; empty where none were judged.

        Which of them were chosen is journaled. One whose refit fails is left out.
        """
        from netwright.training.ensembles import choose
        from netwright.training.goals import read_goal

        finalists = self._finalists(plan)
        if plan.judged_seeds == 0 or len(finalists) < 2:
            return []
        noted = self.study.noted("ensemble")
        if noted:
            chosen = [(each["trial"], each["seed"], each["count"]) for each in noted[-1]["members"]]
        else:
            trainings = self._judgements(finalists, plan)
            # Of a cross-validation all parts together are one network's answers.
            judged = [
                (number, part)
                for number, some in trainings.items()
                for part in ([some] if plan.crossed else [[each] for each in some])
            ]
            # A training that failed, or one of a version that kept no outputs, cannot take part.
            kept = [(number, some) for number, some in judged if all(self._outputs_file(t).is_file() for t in some)]
            if len(kept) < 2:
                return []
            data = self.train.data
            outputs = [self._joined(some) for _, some in kept]
            places = _judged(self.train) if plan.crossed else self.train.split.selection
            counts = choose(outputs, np.asarray(data.y[places]), read_goal(data.task), self.ensemble).counts
            pairs = zip(kept, counts, strict=True)
            chosen = [(number, some[0].seed, count) for (number, some), count in pairs if count]
            members = [{"trial": number, "seed": seed, "count": count} for number, seed, count in chosen]
            self.study.note("ensemble", members=members)
        trials = self.study.history.trials
        parts = [
            (
                trials[number],
                Training(
                    "refit", trials[number].architecture, seed, plan.epochs, outputs=True, least=trials[number].seconds
                ),
                count,
            )
            for number, seed, count in chosen
        ]
        share = len(parts) / (len(parts) + plan.refit_seeds)
        self._train([training for _, training, _ in parts], "refit", self._left(share))
        return [part for part in parts if self._outputs_file(part[1]).is_file()]

    def _together(self, parts: Sequence[tuple[Trial, Training, int]], winner: Scored, margin: float) -> Together:
        """The ensemble on the test data, beside the winner alone."""
        from netwright.training.ensembles import mixed
        from netwright.training.goals import read_goal

        train = self.train
        goal = read_goal(train.data.task)
        judges = train.test if train.test is not None else train.data.subset(train.split.test)
        targets = np.asarray(judges.y)
        outputs = [np.load(self._outputs_file(training), allow_pickle=False) for _, training, _ in parts]
        answers = mixed(outputs, [count for *_, count in parts], goal)
        # A network that counts with two seeds is two networks: it takes the room and the time of both.
        costs = {name: sum(float(trial.metrics[name]) for trial, *_ in parts) for name in ("params", "macs")}
        seconds = sum(
            float(note["seconds"])
            for note in self.study.noted("trained")
            if note["key"] in {training.key for _, training, _ in parts}
        )
        seeds = tuple(training.seed for _, training, _ in parts)
        scored = _scored_of("ensemble", goal.credits(answers, targets)[None], seeds, costs, seconds, goal)
        named, unnamed = _named(train.scorers, answers, targets, train.data.task)
        difference = paired_bootstrap(scored.examples, winner.examples)
        judged = verdict(difference, margin, metric=goal.credit, ours="the ensemble", theirs="the network found, alone")
        members = tuple(
            Member(trial, training.seed, count, self.folder / f"{training.key}.safetensors")
            for trial, training, count in parts
        )
        return Together(members, dataclasses.replace(scored, named=named, unnamed=unnamed), difference, judged)

    def _joined(self, trainings: Sequence[Training]) -> np.ndarray[Any, Any]:
        """The outputs of trainings that were judged by different examples, below each other."""
        return np.concatenate([np.load(self._outputs_file(each), allow_pickle=False) for each in trainings])

    def _outputs_file(self, training: Training) -> Path:
        return self.folder / f"{training.key}.outputs.npy"

    def _refit(self, trial: Trial, plan: Plan) -> tuple[list[Training], dict[str, dict[str, Any]]]:
        """Trains the winner with the plan's seeds, and with more while there is time; how many is journaled.

        With fewer where it is so slow that they do not fit: seeds are given up before epochs.
        """
        noted = self.study.noted("refits")
        count = noted[-1]["count"] if noted else plan.refit_seeds
        least = _seconds_with_promotions(self.study, trial)

        def trainings() -> list[Training]:
            return [
                Training("refit", trial.architecture, FIRST_SEED + seed, plan.epochs, least=least)
                for seed in range(count)
            ]

        left = self._left()
        if not noted and left is not None:
            own = epoch_seconds(self.study, [trial])
            while count > 1 and _rounds(count, self.n_jobs) * plan.epochs * own > left:
                count -= 1
        records = self._train(trainings(), "refit", left)
        while not noted and self.deadline is not None and count < MAX_REFITS:
            longest = max(record["seconds"] for record in records.values() if record["part"] == "refit")
            if 1.2 * longest > self.deadline():
                break
            count = min(MAX_REFITS, count + self.n_jobs)
            records = self._train(trainings(), "refit", self._left())
        if not noted:
            self.study.note("refits", count=count)
        return trainings(), records

    def _left(self, share: float = 1.0) -> float | None:
        """Seconds that the next trainings have, a share of the time; None where none is shortened: for a given plan."""
        return None if self.deadline is None or self.plan is not None else share * self.deadline()

    def _train(
        self, trainings: Sequence[Training], phase: Phase, seconds: float | None = None
    ) -> dict[str, dict[str, Any]]:
        """Trains what is not journaled yet, in so many ``seconds``; one that fails is left out, unless all do."""
        records = {
            note["key"]: dict(note) for note in self.study.noted("trained") if (self.folder / note["file"]).exists()
        }
        todo = [training for training in trainings if training.key not in records]
        ends = _ends(time.time(), seconds, [training.epochs for training in todo], self.n_jobs)
        jobs = ((training, self._job(training, end)) for training, end in zip(todo, ends, strict=True))
        failures: list[TaskFailed] = []
        began, done = time.monotonic(), len(trainings) - len(todo)
        self._show(phase, done, len(trainings), began)
        for ended in as_they_end(self.executor, jobs, self.n_jobs, self.signals):
            if ended is None:
                self._show(phase, done, len(trainings), began)
            elif isinstance(ended[1], TaskFailed):
                failures.append(ended[1])
            else:
                training, result = ended
                record = {**result, "key": training.key, "part": training.part}
                self.study.note("trained", **record)
                records[training.key] = record
                done += 1
        if todo and self.signals.count:
            kept = f" while retraining: {done} of {len(trainings)} trainings kept"
            raise self.study.interrupted(self.signals, kept)
        if failures and not any(training.key in records for training in trainings):
            raise NetwrightError(f"every retraining failed ({failures[0].failure})")
        return records

    def _job(self, training: Training, ends: float | None) -> Callable[[], dict[str, Any]]:
        from functools import partial

        return partial(
            train_final,
            self.study.space,
            self.train,
            training,
            self.baseline.name,
            str(self.folder / f"{training.key}.safetensors"),
            self.study.device,
            ends,
        )

    def _scored(
        self,
        name: str,
        records: Mapping[str, Mapping[str, Any]],
        trainings: Sequence[Training],
        costs: Mapping[str, float],
    ) -> Scored:
        from netwright.training.goals import read_goal

        kept = [training for training in trainings if training.key in records]
        files = [self.folder / records[training.key]["file"] for training in kept]
        examples = np.stack([np.load(file.with_suffix(".npy"), allow_pickle=False) for file in files])
        seconds = float(sum(records[training.key]["seconds"] for training in kept))
        seeds = tuple(training.seed for training in kept)
        scored = _scored_of(name, examples, seeds, costs, seconds, read_goal(self.train.data.task))
        told = [records[training.key].get("named", {}) for training in kept]
        unnamed = {scorer: why for training in kept for scorer, why in records[training.key].get("unnamed", {}).items()}
        named = {scorer: float(np.mean([each[scorer] for each in told])) for scorer in told[0] if scorer not in unnamed}
        return dataclasses.replace(scored, named=named, unnamed=unnamed)

    def _baseline_costs(self, size: int | None) -> dict[str, float]:
        import torch

        from netwright.costs import COSTS

        with torch.device("meta"):
            data = self.train.data
            network = self.baseline.build(data.input_shape, data.outputs, data.facts, size)
            example = torch.zeros(1, *self.train.data.input_shape)
        return {name: float(COSTS[name](network, example)) for name in ("params", "macs")}

    def _show(self, phase: Phase, done: int, count: int, began: float) -> None:
        if self.watch is None:
            return
        left = None if self.deadline is None or phase == "baseline" else max(0.0, self.deadline())
        self.watch(
            Progress(
                phase=phase,
                metric=self.study.objectives[0].metric,
                trials=len(self.study.history.trials),
                best=self.study.best,
                elapsed=time.monotonic() - began,
                remaining=left,
                fraction=done / max(1, count),
                message=f"{done} of {count} trained",
            )
        )


def _scored_of(
    name: str,
    examples: np.ndarray[Any, Any],
    seeds: tuple[int, ...],
    costs: Mapping[str, float],
    seconds: float,
    goal: Goal,
) -> Scored:
    """A network's score from the credits (seeds, examples), in the unit that people read."""
    interval = score_interval(examples)
    low, high = sorted((goal.shown_score(interval.low), goal.shown_score(interval.high)))
    score = goal.shown_score(float(examples.mean()))
    return Scored(name, score, low, high, int(costs["params"]), int(costs["macs"]), seconds, seeds, examples)


def ranked(study: Study) -> list[Trial]:
    """The different architectures of the study that have a score and keep the limits, the best first.

    Scores within one standard error of the best are alike, as far as the validation data can tell (Breiman et al.
    1984); their order is that of the loss, which tells more of few examples than the number of right answers does.

    With several objectives those of the front come first, and of those that are alike the ones that are better by the
    other objectives.

    Scores of different budgets are never compared: those of the largest come first, then, should there be too few of
    them, those that got to the next smaller one and no further.
    """
    objective = study.objectives[0]
    first: dict[Architecture, Trial] = {}
    for trial in study._eligible():
        other = first.get(trial.architecture)
        if other is None or _beats(trial, other, objective):
            first[trial.architecture] = trial
    groups: dict[float, list[Trial]] = {}
    for trial in first.values():
        groups.setdefault(extent(trial.proposal.budget), []).append(trial)
    return [trial for budget in sorted(groups, reverse=True) for trial in _in_order(study, groups[budget])]


def _score(record: Mapping[str, Any], scorer: str | None) -> float:
    """By which a finalist is better: by the scorer that was asked for, if one was.

    Raises DataError where that cannot judge what the finalist answered.
    """
    if scorer is not None and scorer in record.get("unnamed", {}):
        raise DataError(record["unnamed"][scorer])
    return float(record["score"] if scorer is None else record["named"][scorer])


def _beats(trial: Trial, other: Trial, objective: Objective) -> bool:
    """Whether of two trials of one architecture the first tells more: a larger budget, or a better score at it."""
    budget, another = extent(trial.proposal.budget), extent(other.proposal.budget)
    if budget != another:
        return budget > another
    return objective.better(trial.metrics[objective.metric], other.metrics[objective.metric])


def _in_order(study: Study, trials: Sequence[Trial]) -> list[Trial]:
    """Trials of one budget, the best first."""
    objective = study.objectives[0]
    top = max(objective.score(trial.metrics) for trial in trials)
    error = 0.0
    if objective.metric == "val_accuracy":
        train: Any = study.evaluator
        error = standard_error(top, train, len(train.split.validation))

    others = study.objectives[1:]
    best = {trial.number for trial in front(trials, study.objectives)} if others else set()
    prices = _prices([t for t in trials if objective.score(t.metrics) >= top - error], others)

    def place(trial: Trial) -> tuple[bool, float, float, float, float, int]:
        score = objective.score(trial.metrics)
        alike = score >= top - error
        loss = trial.metrics.get("val_loss", 0.0) if alike else 0.0
        first = bool(others) and trial.number not in best
        price = prices.get(trial.number, 0.0)
        return first, -top if alike else -score, price, loss, trial.metrics.get("macs", 0.0), trial.number

    return sorted(trials, key=place)


def _prices(trials: Sequence[Trial], others: Sequence[Objective]) -> dict[int, float]:
    """By the number of each trial its mean place by the objectives but the first, the best 0; 0 where there is one."""
    prices = {trial.number: 0.0 for trial in trials}
    for objective in others:
        values = sorted({-objective.score(trial.metrics) for trial in trials})
        for trial in trials:
            prices[trial.number] += values.index(-objective.score(trial.metrics)) / len(others)
    return prices


def nothing_found(study: Study) -> NetwrightError:
    """Why nothing of the study can be selected: everything failed, or nothing keeps the limits (the nearest miss)."""
    trials = [trial for trial in study.history.ended() if trial.proposal.budget != PROXY]
    failed = [trial for trial in trials if trial.state is State.FAILED]
    others = [trial for trial in trials if trial.state is not State.FAILED]
    if failed and not others:
        return too_many_failures(failed, more=" with more trials or more time")
    asked = " and ".join(str(limit) for limit in study.limits)
    measured = [trial for trial in others if any(limit.metric in trial.metrics for limit in study.limits)]
    if not measured:
        return InputError("no trial of the study has ended yet", hint="Give it more time, or more trials")
    nearest = min(measured, key=lambda trial: sum(limit.broken(trial.metrics) for limit in study.limits))
    has = ", ".join(
        f"{limit.metric} {nearest.metrics[limit.metric]:,.6g}"
        for limit in study.limits
        if limit.metric in nearest.metrics
    )
    return InfeasibleError(
        f"none of {len(trials)} trial{'s' * (len(trials) != 1)} meets {asked};"
        f" the nearest, trial {nearest.number}, has {has}",
        hint="Loosen the limit, or search for longer",
    )


def standard_error(accuracy: float, train: Train, examples: int) -> float:
    """Of an accuracy on so many examples; 0 for regression, whose scores are compared as they are.

    With one right and one wrong answer more than there were (Laplace): a perfect score on few examples is no proof.
    """
    if train.data.task != "classification":
        return 0.0
    share = (accuracy * examples + 1) / (examples + 2)
    return float((share * (1 - share) / (examples + 2)) ** 0.5)


def epoch_seconds(study: Study, trials: Sequence[Trial]) -> float:
    """The median of the trials' seconds an epoch, scaled to all data that a refit trains on.

    An evaluator whose trials are no trainings says itself what an epoch takes.
    """
    train = study.evaluator
    own: float | None = getattr(train, "epoch_seconds", None)
    if own is not None:
        return own
    split, batch = train.split, train.recipe.batch_size  # type: ignore[attr-defined]
    # A batch that is not full takes about as long.
    scale = -(-len(split.development) // batch) / -(-len(split.train) // batch)
    rates = [trial.seconds / max(1.0, trial.metrics.get("epochs", 1.0)) for trial in trials if trial.seconds > 0]
    return float(np.median(rates)) * scale if rates else 0.0


def _seconds_with_promotions(study: Study, trial: Trial) -> float:
    """What the trial took, with the trials of the same architecture that it went on from."""
    seconds, parent = trial.seconds, trial.proposal.inherits
    while parent is not None and (before := study.history.trials[parent]).architecture == trial.architecture:
        seconds, parent = seconds + before.seconds, before.proposal.inherits
    return seconds


def train_final(
    space: SearchSpace, train: Train, training: Training, baseline: str, file: str, device: str, ends: float | None
) -> dict[str, Any]:
    """One training from scratch, in a worker: its score, the score of each example, and the file of its weights.

    ``ends`` is when it is to be done (seconds of :func:`time.time`): what does not fit is trained for fewer epochs.
    """
    import torch

    from netwright.training.goals import read_goal
    from netwright.training.loop import train_network
    from netwright.training.weights import save_weights
    from netwright.zoo import baselines

    data, split = train.data, train.split
    torch.manual_seed(training.seed)
    if training.architecture is None:
        network = baselines.baseline(baseline).build(data.input_shape, data.outputs, data.facts, training.params)
        # Both are about cells, which it has none of.
        recipe = train.recipe.replace(drop_path=0.0, auxiliary=0.0)
    else:
        network = space.build(training.architecture)
        recipe = train.recipe.override(training.architecture)
    indices = split.search
    if training.part == "refit":
        indices = split.development
        judges = train.test if train.test is not None else data.subset(split.test)
    elif training.fold is not None:
        indices, judging = cross_parts(train)[training.fold]
        judges = data.subset(judging)
    else:
        judges = data.subset(split.selection)
    seconds = None if ends is None else max(training.least, ends - time.time())
    fitted = train_network(
        network, data, indices, recipe, seed=training.seed, device=device, epochs=training.epochs, seconds=seconds
    )
    network.to("cpu")
    goal = read_goal(data.task)
    outputs, targets = _answers(network, judges, goal, fitted), np.asarray(judges.y)
    judged = _judgement(outputs, targets, goal, train.scorers)
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = save_weights(path, network.state_dict())
    np.save(path.with_suffix(".npy"), goal.credits(outputs, targets))
    if training.outputs:
        np.save(path.with_suffix(".outputs.npy"), outputs)
    return {
        "file": path.name,
        "sha256": digest,
        **judged,
        "seconds": fitted.seconds,
        "fitted": {"center": fitted.center.tolist(), "scale": fitted.scale.tolist(), "epochs": fitted.epochs},
    }


def few_to_judge(train: Train) -> bool:
    """Whether finalists are better judged by cross-validation: few examples to select by."""
    from netwright.training.goals import read_goal

    if len(train.split.selection) >= FEW:
        return False
    if read_goal(train.data.task).ordered:
        return len(train.split.origins) > 1
    return len(train.split.development) >= 2 * FOLDS


def _few(train: Train) -> int:
    """In how many parts finalists are judged; 0 where the selection data judge them."""
    return len(cross_parts(train)) if few_to_judge(train) else 0


def cross_parts(train: Train) -> tuple[tuple[Array, Array], ...]:
    """What trains and what judges in each part of the cross-validation of finalists, always dealt alike.

    All but the test data judge once; of examples in an order those after each origin, and what came before trains.
    """
    from netwright.training.goals import read_goal
    from netwright.training.splits import folds

    if read_goal(train.data.task).ordered:
        return tuple((np.flatnonzero(row == 1), np.flatnonzero(row == 2)) for row in train.split.origins)
    parts = folds(train.data.y, train.split.development, FOLDS, FIRST_SEED)
    return tuple((np.sort(np.concatenate([*parts[:fold], *parts[fold + 1 :]])), parts[fold]) for fold in range(FOLDS))


def _alike(worths: Mapping[int, Array], errors: float) -> list[int]:
    """Those that are behind the best by no more than so many standard errors of the difference.

    ``worths`` are what each has at the same origins or examples. One error is the rule of Breiman et al. (1984).
    """
    best = max(worths.values(), key=lambda each: float(each.mean()))
    behind = {number: best - each for number, each in worths.items()}
    return [number for number, gaps in behind.items() if gaps.mean() <= errors * gaps.std(ddof=1) / len(gaps) ** 0.5]


def _judged(train: Train) -> Array:
    """What judges in all parts, one part after the other."""
    return np.concatenate([judges for _, judges in cross_parts(train)])


def _judgement(
    outputs: np.ndarray[Any, Any], targets: np.ndarray[Any, Any], goal: Goal, scorers: Sequence[str]
) -> dict[str, Any]:
    """Mean credit, loss, and the scores by scikit-learn's scorers, of outputs in the targets' own unit."""
    import torch

    # A copy of the targets: a file that is mapped into memory cannot be written to, of which torch warns.
    loss = (
        float(np.mean((outputs - targets) ** 2))
        if goal.standardised
        else float(goal.loss(torch.from_numpy(outputs), torch.tensor(targets)))
    )
    named, unnamed = _named(scorers, outputs, targets, goal.name)
    score = float(goal.credits(outputs, targets).mean())
    return {"score": score, "loss": loss, "named": named, **({"unnamed": unnamed} if unnamed else {})}


def _answers(network: Any, judges: Any, goal: Goal, fitted: Fitted) -> np.ndarray[Any, Any]:
    """The outputs for the examples of ``judges``, numbers in the targets' own unit."""
    from netwright.training.loop import predict

    outputs = predict(network, judges.X)
    if not goal.standardised:
        return outputs
    return np.asarray(outputs.astype(np.float64).reshape(np.shape(judges.y)) * fitted.scale + fitted.center)


def _named(
    scorers: Sequence[str], outputs: np.ndarray[Any, Any], targets: np.ndarray[Any, Any], task: str
) -> tuple[dict[str, float], dict[str, str]]:
    """The scores by scikit-learn's scorers that were asked for, and why others of them have none.

    A test part of its own may lack a class, which is no reason to lose the training.
    """
    from netwright.training.scorers import score_by

    named: dict[str, float] = {}
    unnamed: dict[str, str] = {}
    for name in scorers:
        try:
            named[name] = score_by(name, outputs, targets, task)
        except DataError as error:
            unnamed[name] = error.message
    return named, unnamed


def _begins(architecture: Architecture, start: Mapping[str, Any]) -> bool:
    """Whether an architecture answers as a start does, as far as the start answers."""
    return all(name in architecture and architecture[name] == answer for name, answer in start.items())


def _ends(now: float, seconds: float | None, epochs: Sequence[int], workers: int) -> list[float | None]:
    """When trainings of so many epochs are to be done: each round of workers has its share of the seconds, if any."""
    if seconds is None:
        return [None] * len(epochs)
    longest = [max(epochs[first : first + workers]) for first in range(0, len(epochs), max(1, workers))]
    passed = np.cumsum(longest) / max(1, sum(longest))
    return [now + seconds * float(passed[place // max(1, workers)]) for place in range(len(epochs))]


def _rounds(jobs: int, workers: int) -> int:
    return -(-jobs // max(1, workers))
