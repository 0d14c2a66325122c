"""Any sampler of Optuna as a strategy."""

from __future__ import annotations

import copy
import importlib.util
import json
import logging
import warnings
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

import numpy as np

from netwright.architecture import Answer, Architecture
from netwright.arguments import one_objective
from netwright.errors import ArchitectureError, InfeasibleError, InputError, MissingExtra, SpaceError, nearest
from netwright.space import Decision, SearchSpace
from netwright.space.conditions import asked
from netwright.strategies.base import Strategy
from netwright.trial import Objective, Proposal, State, Trial

SAMPLERS = {
    "cmaes": "CmaEsSampler",
    "gp": "GPSampler",
    "nsga2": "NSGAIISampler",
    "nsga3": "NSGAIIISampler",
    "qmc": "QMCSampler",
    "random": "RandomSampler",
    "tpe": "TPESampler",
}
"""Optuna's samplers by their short names."""

REFUSED = 20
"""Proposals that the rules of a space may refuse in a row before ``SearchSpace.complete`` decides."""


@final
class Optuna(Strategy):
    """A sampler of Optuna (Akiba et al. 2019; version 5), by its ask and tell.

    ``sampler`` is a short name (``tpe``, ``gp``, ``cmaes``, ``nsga2``, ``nsga3``, ``random``, ``qmc``) with whatever
    ``arguments`` Optuna's class takes, its own defaults otherwise; or a function of a seed that makes a sampler; or a
    sampler, of which a copy is taken. The sampler is seeded at the first ask, by a number drawn from the generator
    handed in, so that a resumed study goes on as it would have; a seed of its own is not asked for.

    Decisions are suggested define-by-run, so a conditional one only where it is asked: ``one_of``, ``inputs`` and
    unordered choices as categories, ranges, ``repeat`` and ascending numbers as whole numbers or floats with their
    step and logarithm. CMA-ES moves numbers only and draws categories at random; on a space without numbers it is
    random search, as it is in Optuna.

    A failed or infeasible trial is told as failed, a pruned one as pruned. What the rules of the space refuse is told
    as pruned (as failed, with several objectives) and asked again, at most :data:`REFUSED` times; then half of the
    last answers are kept and the space draws the rest. Repetitions are proposed as they come.

    Asking costs more and more with the history: Optuna fits its models anew each time. Several objectives are taken
    where the sampler takes them. Needs the extra ``optuna``.
    """

    def __init__(self, sampler: Any = "tpe", **arguments: Any) -> None:
        if isinstance(sampler, str) and sampler not in SAMPLERS:
            raise InputError(f"Optuna has no sampler '{sampler}' here", hint=nearest(sampler, SAMPLERS).capitalize())
        if not isinstance(sampler, str):
            if arguments:
                raise InputError(
                    f"Optuna: {', '.join(sorted(arguments))} can be given with the name of a sampler only",
                    hint="Give them to the sampler itself.",
                )
            if not callable(sampler) and not hasattr(sampler, "sample_independent"):
                raise InputError(
                    f"Optuna: a sampler is a name, a sampler of Optuna or a function of a seed, found {sampler!r}",
                    hint="For example lambda seed: optuna.samplers.TPESampler(seed=seed).",
                )
        if "seed" in arguments:
            raise InputError(
                "Optuna: the sampler's seed is drawn from the study's own",
                hint="Leave seed out, and give the study another seed.",
            )
        self.sampler = sampler
        self.arguments = arguments

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        if self.sampler == "cmaes":
            one_objective("CMA-ES", objectives, verb="optimises", instead="Use nsga3, tpe or gp")
        _optuna()
        super().start(space, objectives)
        self._distributions = {
            decision.name: _distribution(decision) for decision in space.decisions if decision.cardinality > 1
        }
        self._study: Any = None
        self._pending: dict[tuple[str, Any], deque[Any]] = {}
        self._early: list[Trial] = []
        self._asked = False

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        if not self._distributions and self._asked:
            return None
        self._asked = True
        with _quietly():
            if self._study is None:
                self._begin(int(rng.integers(2**32)))
            architecture, asked_trial = self._proposed(rng)
        self._pending.setdefault((architecture.to_json(), None), deque()).append(asked_trial)
        return Proposal(architecture)

    def tell(self, trial: Trial) -> None:
        if self._study is None:
            self._early.append(trial)
            return
        with _quietly():
            key = (trial.architecture.to_json(), trial.proposal.budget)
            waiting = self._pending.get(key)
            known = waiting.popleft() if waiting else None
            if not waiting:
                self._pending.pop(key, None)
            if known is None:
                self._add(trial)
            else:
                self._study.tell(known, *self._outcome(trial, known))

    def heirs(self) -> Collection[int]:
        return ()

    def _begin(self, seed: int) -> None:
        directions = [objective.direction for objective in self.objectives]
        self._study = _optuna().create_study(sampler=_made(self.sampler, self.arguments, seed), directions=directions)
        for trial in self._early:
            self._add(trial)
        self._early = []

    def _proposed(self, rng: np.random.Generator) -> tuple[Architecture, Any]:
        """An architecture, and the trial of Optuna that it comes from (None where the space itself drew it)."""
        states = _optuna().trial.TrialState
        refused = states.PRUNED if len(self.objectives) == 1 else states.FAIL
        for _ in range(REFUSED):
            suggesting = self._study.ask()
            answers: dict[str, Answer] = {}
            for decision in self.space.decisions:
                if not decision.conditions or asked(decision, answers):
                    answers[decision.name] = self._suggested(suggesting, decision)
            architecture = Architecture(answers)
            if architecture in self.space:
                return architecture, suggesting
            self._study.tell(suggesting, state=refused)
        names = list(answers)
        try:
            return self.space.complete({name: answers[name] for name in names[: len(names) // 2]}, rng), None
        except (ArchitectureError, InfeasibleError, SpaceError):
            return self.space.sample(rng), None

    def _suggested(self, suggesting: Any, decision: Decision) -> Answer:
        if decision.name not in self._distributions:
            return decision.first
        distribution, value, _ = self._distributions[decision.name]
        kind = type(distribution).__name__
        if kind == "CategoricalDistribution":
            return value(suggesting.suggest_categorical(decision.name, distribution.choices))
        suggest = suggesting.suggest_int if kind == "IntDistribution" else suggesting.suggest_float
        step = {} if distribution.step is None or distribution.log else {"step": distribution.step}
        return value(suggest(decision.name, distribution.low, distribution.high, log=distribution.log, **step))

    def _outcome(self, trial: Trial, known: Any) -> tuple[list[float] | None, Any]:
        states = _optuna().trial.TrialState
        if trial.scored:
            return [float(trial.metrics[objective.metric]) for objective in self.objectives], states.COMPLETE
        if trial.state is not State.PRUNED or len(self.objectives) > 1:
            return None, states.FAIL
        metric = self.objectives[0].metric
        for report in trial.curve:
            if metric in report.metrics:
                known.report(report.metrics[metric], report.step)
        return None, states.PRUNED

    def _add(self, trial: Trial) -> None:
        """A trial that was not asked of the sampler; only one with a score teaches it anything."""
        if not trial.scored or any(objective.metric not in trial.metrics for objective in self.objectives):
            return
        found = {name: self._distributions[name] for name in trial.architecture if name in self._distributions}
        self._study.add_trial(
            _optuna().trial.create_trial(
                params={name: back(trial.architecture[name]) for name, (_, _, back) in found.items()},
                distributions={name: distribution for name, (distribution, _, _) in found.items()},
                values=[float(trial.metrics[objective.metric]) for objective in self.objectives],
            )
        )


_Translated = tuple[Any, Callable[[Any], Answer], Callable[[Answer], Any]]


def _distribution(decision: Decision) -> _Translated:
    """A decision as one of Optuna's distributions, with the way from its values to answers and back."""
    of = _optuna().distributions
    if decision.options is not None and not _ordered(decision):
        return _categories(decision, of)
    if decision.kind != "range":
        last = int(decision.cardinality) - 1
        return of.IntDistribution(0, last), lambda value: decision.value(int(value)), decision.position
    if decision.continuous:
        return of.FloatDistribution(decision.low, decision.high, log=decision.log), float, float
    top = decision.value(int(decision.cardinality) - 1)
    if isinstance(decision.low, int) and (decision.step == 1 or not decision.log):
        return of.IntDistribution(decision.low, top, log=decision.log, step=decision.step), int, int
    step = None if decision.log else decision.step  # Optuna knows no steps in a logarithm
    low, high = float(decision.low or 0), float(top)
    return of.FloatDistribution(low, high, log=decision.log, step=step), _nearest(decision), float


def _ordered(decision: Decision) -> bool:
    if not decision.numeric or decision.kind != "choose":
        return decision.numeric
    assert decision.options is not None
    return all(a < b for a, b in zip(decision.options, decision.options[1:], strict=False))


def _categories(decision: Decision, of: Any) -> _Translated:
    """Options as they are where Optuna takes them for different categories; else their JSON (tuples; 1 and True)."""
    assert decision.options is not None
    options = decision.options
    plain = all(option is None or isinstance(option, bool | int | float | str) for option in options)
    if plain and len(set(options)) == len(options):
        return of.CategoricalDistribution(options), lambda value: value, lambda answer: answer
    texts = {json.dumps(option): option for option in options}
    return of.CategoricalDistribution(list(texts)), texts.__getitem__, json.dumps


def _nearest(decision: Decision) -> Callable[[Any], Answer]:
    assert decision.low is not None
    assert decision.step is not None
    low, step, last = float(decision.low), float(decision.step), int(decision.cardinality) - 1
    return lambda value: decision.value(min(max(round((value - low) / step), 0), last))


def _made(sampler: Any, arguments: Mapping[str, Any], seed: int) -> Any:
    if isinstance(sampler, str):
        if sampler == "cmaes" and importlib.util.find_spec("cmaes") is None:
            raise MissingExtra("cmaes", "optuna", "Optuna's CMA-ES")
        try:
            return getattr(_optuna().samplers, SAMPLERS[sampler])(seed=seed, **arguments)
        except (TypeError, ValueError) as error:
            given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
            raise InputError(f"Optuna's {SAMPLERS[sampler]} refuses {given or 'its defaults'}: {error}") from error
    if not hasattr(sampler, "sample_independent") or isinstance(sampler, type):
        return sampler(seed=seed) if isinstance(sampler, type) else sampler(seed)
    own = copy.deepcopy(sampler)
    generators = list(_generators(own, set()))
    if not generators:
        raise InputError(
            f"Optuna: no random generator was found in {type(sampler).__name__}, so it cannot be seeded",
            hint="Give a function of a seed that makes it: lambda seed: …",
        )
    for generator, state in zip(generators, np.random.SeedSequence(seed).generate_state(len(generators)), strict=True):
        generator.seed(int(state))
    return own


def _generators(thing: Any, seen: set[int]) -> Iterator[np.random.RandomState]:
    """The generators inside a sampler, in the order of its attributes; Optuna has no public way to seed one."""
    from optuna.samplers._lazy_random_state import LazyRandomState

    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, LazyRandomState):
        yield thing.rng
    elif isinstance(thing, np.random.RandomState):
        yield thing
    elif type(thing).__module__.partition(".")[0] == "optuna" or hasattr(thing, "sample_independent"):
        for part in vars(thing).values() if hasattr(thing, "__dict__") else ():
            yield from _generators(part, seen)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra("optuna", "optuna", "the strategy Optuna") from error
    return optuna


@contextmanager
def _quietly() -> Iterator[None]:
    """Without Optuna's log and its warnings of experiments, here alone."""
    optuna = _optuna()
    log = logging.getLogger("optuna")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.filterwarnings("ignore", module=r"optuna\.")
            yield
    finally:
        log.setLevel(before)
