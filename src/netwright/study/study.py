"""Study: the only place where space, strategy, evaluator, executor and store meet."""

from __future__ import annotations

import inspect
import math
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright import strict_json
from netwright.arguments import as_whole
from netwright.costs.profiles import Profile
from netwright.errors import InputError, Interrupted
from netwright.evaluators.base import Evaluator
from netwright.progress import Watch
from netwright.space import SearchSpace
from netwright.stores.base import Event, Store
from netwright.strategies.base import Strategy
from netwright.study.ancestors import Ancestor
from netwright.study.budgets import best_of, front, fullest, ranks
from netwright.study.candidates import Evaluation, as_evaluator, make_limits
from netwright.study.driver import Clock, Driver, Settings
from netwright.study.feasibility import STATIC, Feasibility
from netwright.study.history import History
from netwright.study.signals import Signals
from netwright.trial import Objective, Trial

if TYPE_CHECKING:
    import pandas
    import torch

    from netwright.costs import Latency
    from netwright.statistics import Verdict

FORMAT = 1

FINALS = "processes"
"""Where finalists train: never where the evaluator of a search that trains nothing does."""


class Study:
    """A search: one space, one strategy, one evaluator, and what came of them.

    Parameters
    ----------
    space:
        A :class:`~netwright.space.SearchSpace`.
    strategy:
        A strategy, or its name.
    evaluator:
        An evaluator, or a plain function of a network (or of a ``candidate``) that answers with a number or metrics.
    maximize, minimize:
        Names of metrics, one or several; the first of all is the one that ``best`` goes by.
    constraints:
        Metric to bound: at most, for what is better small (costs, losses); at least, for what is better large. What
        breaks a bound on a cost is never trained.
    store:
        A folder for what happened, or None to keep it in memory. The same folder again goes on with that study.
    seed:
        Fixes every random choice.
    parallel:
        Proposal *n* knows the trials up to *n − parallel*: the most workers that can be busy at once, and the same
        history for any number of them.
    asynchronous:
        Never wait, at the price of histories that differ from run to run.
    inherit:
        Whether a proposal that names a parent starts from its weights; None asks the evaluator.
    ancestors:
        Networks of another study (:mod:`netwright.tasks.transfer` reads them): a trial without a parent here begins
        from the weights of the one whose architecture is nearest, and the journal says whose. Finalists never do.
    executor:
        ``"processes"`` (the default: a candidate can only hurt itself), ``"in_process"``, or an Executor.
    latency:
        Where ``latency_ms`` is from: a :class:`~netwright.costs.Latency` measures it here, before each training and
        with the workers paused (None: on the usual runtime); a :class:`~netwright.costs.Profile` tells what it is on
        another device, and what breaks a limit is not even proposed.
    trial_time_limit, memory_limit:
        Seconds and bytes that one trial may take.
    callbacks:
        Functions ``f(study, trial)``, or objects with ``on_trial_end``, called after a trial's end is durable.
    """

    def __init__(
        self,
        space: SearchSpace,
        strategy: Strategy | str,
        evaluator: Evaluator | Callable[..., Any],
        *,
        maximize: str | Sequence[str] | None = None,
        minimize: str | Sequence[str] | None = None,
        constraints: Mapping[str, float] | None = None,
        store: str | os.PathLike[str] | None = None,
        seed: int = 0,
        parallel: int = 4,
        asynchronous: bool = False,
        inherit: bool | None = None,
        ancestors: Sequence[Ancestor] = (),
        executor: str | Any = None,
        device: str = "cpu",
        latency: Latency | Profile | None = None,
        trial_time_limit: float | None = None,
        memory_limit: int | None = None,
        max_consecutive_failures: int = 10,
        callbacks: Iterable[Any] = (),
        clock: Clock = time.monotonic,
        durability: str = "full",
        takeover: bool = False,
        accept_loss: bool = False,
        name: str | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(space, SearchSpace):
            raise InputError(
                f"a study needs a SearchSpace, found {type(space).__name__}",
                hint="Wrap the network: nw.SearchSpace(Net, input_shape=(1, 8, 8), classes=10)",
            )
        self.space = space
        self.strategy = _strategy(strategy)
        self._strategy_description = _description(self.strategy)
        self.objectives = _objectives(maximize, minimize)
        self.evaluator = as_evaluator(evaluator, self.objectives[0].metric)
        self.limits = make_limits(constraints or {})
        self.seed = as_whole("seed", seed, 0)
        self.parallel = as_whole("parallel", parallel, 1)
        self.asynchronous = asynchronous
        self.inherit = bool(getattr(self.evaluator, "inherits", False)) if inherit is None else inherit
        self.ancestors = tuple(ancestors)
        if self.ancestors and not self.inherit:
            raise InputError("a study that inherits no weights takes none of another study", hint="Leave out ancestors")
        self.device = device
        self.latency = latency
        self._latency_description = _latency_description(latency)
        if isinstance(latency, Profile):
            latency.check(space, self._input_shape())
        self.trial_time_limit = trial_time_limit
        self.memory_limit = memory_limit
        self.max_consecutive_failures = as_whole("max_consecutive_failures", max_consecutive_failures, 1)
        self.callbacks = callback_functions(callbacks)
        self.clock = clock
        self.folder = None if store is None else Path(store)
        self.name = name or (self.folder.name if self.folder is not None else space.name)
        self._executor_kind = executor if executor is not None else _usual_executor(self.evaluator)
        self._finals_kind = executor if executor is not None else FINALS
        self._store_options: dict[str, Any] = {
            "durability": durability,
            "takeover": takeover,
            "accept_loss": accept_loss,
        }
        self._about = dict(about or {})
        self._memory: Store | None = None
        self._temporary: Path | None = None
        self._history = History()
        self._entered: _Entered | None = None
        if self.folder is not None and (self.folder / "study.db").exists():
            from netwright.stores import open_readonly

            with open_readonly(self.folder, accept_loss=accept_loss) as reader:
                self._history = History.of(reader.read())
            self._same_study()

    def run(
        self,
        max_trials: int | None = None,
        time_limit: float | str | None = None,
        n_jobs: int = 1,
        *,
        watch: Watch | None = None,
        stop: Callable[[], bool] | None = None,
        grace: float = 3.0,
        least: int = 0,
    ) -> Study:
        """Runs until a limit is met and returns itself; called again, it goes on.

        ``max_trials`` counts the trials of the study that ended (not proxies), ``time_limit`` (seconds, or ``"10m"``)
        all its runs together; with neither it runs until the strategy has nothing left. ``n_jobs`` is the number of
        workers, at most ``parallel`` of them busy. ``stop`` is asked between trials. Neither a limit of time nor that
        ends a run before ``least`` trials have ended (proxies and failures do not count).

        Raises InfeasibleError when nothing meets the constraints, InputError for a cost that cannot be measured on this
        host, TooManyFailures, StudyInUseError, StoreError, and Interrupted after a signal: everything that ended is
        kept, and the message says how to go on.
        """
        from netwright.costs import require
        from netwright.durations import parse_duration

        if max_trials is not None:
            max_trials = as_whole("max_trials", max_trials, 1)
        limit = None if time_limit is None else parse_duration(time_limit)
        settings = Settings(
            seed=self.seed,
            parallel=self.parallel,
            asynchronous=self.asynchronous,
            inherit=self.inherit,
            n_jobs=min(as_whole("n_jobs", n_jobs, 1), self.parallel),
            objectives=self.objectives,
            max_trials=max_trials,
            time_limit=limit,
            max_consecutive_failures=self.max_consecutive_failures,
            device=self.device,
            grace=grace,
            least=least,
            measured=tuple(name for name in self._costs() if name not in self._static),
        )
        with ExitStack() as stack:
            signals = stack.enter_context(Signals())
            if self._entered is None:
                stack.enter_context(self)
            entered = self._entered
            assert entered is not None
            if self._has_run_out(settings):
                return self
            require(settings.measured, self.latency)
            spent, began = self._history.seconds, self.clock()

            def left() -> float:
                """Seconds of the limit; a signal ends the looking at once."""
                if signals.count:
                    raise self.interrupted(signals, self._trials_kept())
                return math.inf if limit is None else limit - spent - (self.clock() - began)

            feasibility = self.check_feasible(settings, left=left)
            self.strategy.start(self.feasible_space(feasibility), self.objectives)
            driver = Driver(
                strategy=self.strategy,
                evaluation=self._evaluation(),
                store=entered.store,
                history=self._history,
                executor=entered.executor(settings.n_jobs),
                settings=settings,
                weights=entered.weights,
                signals=signals,
                clock=self.clock,
                feasibility=feasibility,
                ancestors=self.ancestors,
                watch=watch,
                callbacks=self.callbacks,
                stop=stop,
                study=self,
            )
            reason = driver.run()
        if reason == "stopped":
            raise self.interrupted(signals, self._trials_kept())
        return self

    def check_feasible(
        self, settings: Settings | None = None, *, left: Callable[[], float] | None = None
    ) -> Feasibility | None:
        """Raises InfeasibleError, with the nearest miss, where nothing can be found that keeps the limits on costs.

        ``left`` says how many seconds there are to look for it. Of a study that has begun nothing is asked. For use
        while the study is entered.
        """
        assert self._entered is not None
        feasibility = self._entered.feasibility(() if settings is None else settings.measured)
        if feasibility is not None and feasibility.limits and not self._history.claims:
            feasibility.require(self.seed, left=left)
        return feasibility

    def feasible_space(self, feasibility: Feasibility | None) -> SearchSpace:
        """The space in which strategies draw: what breaks a limit on costs is not in it."""
        if feasibility is None or not feasibility.limits:
            return self.space
        return self.space.restrict(feasibility, excess=feasibility.excess)

    @property
    def trials(self) -> list[Trial]:
        """Every trial by number, those that a stop left unfinished in state RUNNING."""
        return self._history.all_trials()

    @property
    def best(self) -> Trial | None:
        """The best trial by the first objective, among those that have a score and keep the constraints.

        Scores at different budgets are not compared: it is the best of those at the largest budget so far. Of several
        with the best score it is one that none of them beats by another objective.
        """
        return best_of(fullest(self._eligible()), self.objectives)

    @property
    def pareto(self) -> list[Trial]:
        """The trials that no other beats in all objectives at once, by number; one a point.

        Of those at the largest budget so far, as for :attr:`best`.
        """
        return front(fullest(self._eligible()), self.objectives)

    def frame(self) -> pandas.DataFrame:
        """The trials as a data frame, one row each; decisions as ``architecture.NAME``, metrics under their names."""
        try:
            import pandas
        except ImportError:
            from netwright.errors import MissingExtra

            raise MissingExtra("pandas", "data", "Study.frame") from None
        rows = []
        for trial in self.trials:
            row = trial.to_value()
            decisions = {f"architecture.{name}": answer for name, answer in row.pop("architecture").items()}
            rows.append({**{key: row[key] for key in row if key != "metrics"}, **row["metrics"], **decisions})
        return pandas.DataFrame(rows)

    def network(self, number: int | None = None) -> torch.nn.Module:
        """The network of a trial (the best by default), with the weights that the search kept for it, if it did."""
        trial = self.best if number is None else self._history.trials.get(number)
        if trial is None:
            raise InputError("no trial has a score yet" if number is None else f"no trial {number} has ended")
        network = self.space.build(trial.architecture)
        file = self.weights(trial.number)
        if file is not None:
            from netwright.training.weights import load_weights

            network.load_state_dict(dict(load_weights(file, self._kept(trial.number)["sha256"]).state))
        return network

    def weights(self, number: int | None = None) -> Path | None:
        """The file of a trial's weights (the best's by default), None where the search kept none."""
        trial = self.best if number is None else self._history.trials.get(number)
        kept = {} if trial is None else self._kept(trial.number)
        return self.folder / "weights" / kept["file"] if kept and self.folder is not None else None

    def _kept(self, number: int) -> Mapping[str, Any]:
        return self._history.weights.get(self._history.source.get(number, number), {})

    def verdict(self, **options: Any) -> Verdict:
        """Retrains the finalists and the pinned baseline, and compares them on data that the search never saw.

        For studies whose evaluator trains on a data set (:class:`~netwright.evaluators.Train`). The options are those
        of :func:`netwright.study.selection.select`; what was done before is not done again.
        """
        from netwright.study.selection import select

        return select(self, **options).verdict

    def __enter__(self) -> Study:
        self._entered = _Entered(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        entered, self._entered = self._entered, None
        if entered is not None:
            entered.close()

    def note(self, topic: str, **body: Any) -> None:
        """Journals a fact; for use while the study is entered."""
        assert self._entered is not None
        event = Event("noted", {"topic": topic, **body})
        self._entered.store.append([event])
        self._history.add(event)

    def noted(self, topic: str) -> list[Mapping[str, Any]]:
        """The journaled facts of a topic, oldest first."""
        return self._history.noted(topic)

    def interrupted(self, signals: Signals, what: str) -> Interrupted:
        """The error after a signal: ``what`` was done or is kept, and how to go on."""
        if self.folder is None:
            hint = "Call run() again to go on"
        else:
            hint = f"Go on with: netwright resume {self.folder}" if self._about else "Run it again to go on"
        return Interrupted(
            f"Stopped by {signals.name}{what}",
            hint=hint,
            code=signals.code,
            folder=self.folder,
            at_once=signals.count > 1,
        )

    @property
    def history(self) -> History:
        """What the store holds, read."""
        return self._history

    def _eligible(self) -> list[Trial]:
        """What may be ranked: a score, no proxy, and the constraints kept; at whatever budget."""
        return [
            trial
            for trial in self._history.ended()
            if ranks(trial) and all(limit.broken(trial.metrics) == 0 for limit in self.limits)
        ]

    def _costs(self) -> tuple[str, ...]:
        """The costs to measure before training: what is asked for, and what the evaluator always wants."""
        from netwright.costs import COSTS

        asked = [objective.metric for objective in self.objectives] + [limit.metric for limit in self.limits]
        answered = getattr(self.evaluator, "answers", ())
        names = [name for name in asked if name in COSTS and name not in answered]
        names += getattr(self.evaluator, "costs", ())
        return tuple(dict.fromkeys(names))

    def _input_shape(self) -> tuple[int, ...] | None:
        shape = getattr(self.evaluator, "input_shape", None) or self.space.arguments.get("input_shape")
        if shape is None and isinstance(self.latency, Profile):
            shape = self.latency.space["input_shape"]
        return None if shape is None else tuple(shape)

    def _evaluation(self) -> Evaluation:
        costs = self._costs()
        return Evaluation(
            self.space,
            self.evaluator,
            tuple(name for name in costs if name in self._static),
            self.limits,
            tuple(objective.metric for objective in self.objectives),
            self._input_shape(),
            self.latency,
        )

    @property
    def _static(self) -> tuple[str, ...]:
        """Costs that follow from the architecture alone."""
        return (*STATIC, *(("latency_ms",) if isinstance(self.latency, Profile) else ()))

    def _has_run_out(self, settings: Settings) -> bool:
        limit = settings.max_trials
        return limit is not None and self._history.counted >= limit

    def _configuration(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "name": self.name,
            "space": {"name": self.space.name, "signature": self.space.signature},
            "strategy": self._strategy_description,
            "objectives": [[objective.metric, objective.direction] for objective in self.objectives],
            "constraints": {limit.metric: limit.value for limit in self.limits},
            "seed": self.seed,
            "parallel": self.parallel,
            "asynchronous": self.asynchronous,
            "inherit": self.inherit,
            "ancestors": [ancestor.said() for ancestor in self.ancestors] or None,
            "data": getattr(self.evaluator, "fingerprint", None),
            "latency": self._latency_description,
            "about": self._about,
        }

    def _same_study(self) -> None:
        """Refuses to go on with another study's folder; names every difference."""
        stored = self._history.configuration
        if stored is None:
            return
        mine = self._configuration()
        names = {"space": "search space", "data": "data set", "objectives": "objectives", "parallel": "parallel"}
        differences = [
            f"{names.get(key, key)} ({_short(stored.get(key))}, now {_short(mine[key])})"
            for key in (
                "space",
                "data",
                "strategy",
                "objectives",
                "constraints",
                "seed",
                "parallel",
                "asynchronous",
                "inherit",
                "ancestors",
                "latency",
            )
            if _plain(stored.get(key)) != _plain(mine[key])
        ]
        hint = "Give the same, or another folder"
        if self._about:
            hint = f"Search anew, from its best networks: --start-from {self.folder}; show, predict and export go on"
        same_name = isinstance(stored.get("space"), dict) and stored["space"].get("name") == self.space.name
        if differences and same_name and stored["space"] != mine["space"]:
            raise InputError(
                f"the space {self.space.name} has changed since the study in {self.folder} was made: {self._changed()}",
                hint=hint,
            )
        if differences:
            raise InputError(
                f"the study in {self.folder} was made with another {'; another '.join(differences)}", hint=hint
            )

    def _changed(self) -> str:
        """What is new in the space, or gone, as far as the networks of the study tell."""
        decided = {decision.name: decision for decision in self.space.decisions}
        for claim in self._history.claims:
            architecture = claim.proposal.architecture
            gone = [name for name in architecture if name not in decided]
            if gone:
                return f"it has no decision {_listed(gone)} any more"
            kept = self.space.answers_of(architecture)
            lost = [f"{name}={answer!r}" for name, answer in architecture.items() if name not in kept]
            if lost:
                return f"it has no option {_listed(lost)} any more"
            new = set(self.space.unrestricted.complete(kept, np.random.default_rng(0))) - set(kept)
            if new:
                return f"it also decides {_listed(sorted(new))}"
        return "it has other decisions or options"

    def _trials_kept(self) -> str:
        count = len(self._history.trials)
        best = self.best
        score = (
            f", the best has {self.objectives[0].metric} {best.metrics[self.objectives[0].metric]:.4g}" if best else ""
        )
        return f": {count} trial{'s' * (count != 1)} kept{score}"


class _Entered:
    """What a study holds while it is at work: the open store, the executors, the folder of weights."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.stack = ExitStack()
        self.executors: dict[tuple[str, int], Any] = {}
        self._feasibility: Feasibility | None = None
        try:
            self.store = self._open()
            self.weights = self._folder("weights")
        except BaseException:
            self.stack.close()
            raise

    def _open(self) -> Store:
        study = self.study
        if study.folder is None:
            from netwright.stores import MemoryStore

            if study._memory is None:
                study._memory = MemoryStore()
                study._memory.append([Event("study", study._configuration())])
            store: Store = study._memory
        else:
            from netwright.stores import SQLiteStore

            existed = (study.folder / "study.db").exists()
            store = SQLiteStore(study.folder, create=not existed, **study._store_options)
            self.stack.callback(store.close)
        study._history = History.of(store.read())
        if study._history.configuration is None:
            first = Event("study", study._configuration())
            store.append([first])
            study._history.add(first)
        study._same_study()
        return store

    def _folder(self, name: str) -> Path:
        if self.study.folder is not None:
            return self.study.folder / name
        if self.study._temporary is None:
            self.study._temporary = Path(tempfile.mkdtemp(prefix="netwright-"))
            weakref.finalize(self.study, shutil.rmtree, self.study._temporary, ignore_errors=True)
        return self.study._temporary / name

    def executor(self, workers: int, purpose: str = "trials") -> Any:
        """The executor of that many workers, made when it is first asked for."""
        kind = self.study._finals_kind if purpose == "finals" else self.study._executor_kind
        if not isinstance(kind, str):
            return kind
        if purpose == "finals" and kind == self.study._executor_kind:
            purpose = "trials"
        key = (purpose, workers)
        if key not in self.executors:
            self.executors[key] = self._make(kind, workers, purpose)
        return self.executors[key]

    def _make(self, kind: str, workers: int, purpose: str) -> Any:
        if kind == "in_process":
            from netwright.executors import InProcess

            return self.stack.enter_context(InProcess())
        from netwright.executors import Processes
        from netwright.executors.processes import PRELOAD

        # What every worker will import is imported once, by the process that they are forked from.
        mine = type(self.study.evaluator).__module__
        modules = ("netwright.costs", *((mine,) if mine.startswith("netwright.") else ()))
        executor = Processes(
            workers,
            time_limit=self.study.trial_time_limit,
            memory_limit=self.study.memory_limit,
            log_folder=None if self.study.folder is None else self.study.folder / "logs",
            preload=(("torch", "numpy") if purpose == "costs" else PRELOAD) + modules,
        )
        executor.start()
        self.stack.callback(executor.kill)
        return executor

    def feasibility(self, measured: Sequence[str]) -> Feasibility | None:
        """What knows costs in advance; None when no limit, objective or measurement needs it."""
        study = self.study
        limits = tuple(limit for limit in study.limits if limit.metric in study._static)
        shape = study._input_shape()
        if shape is None or not (limits or measured):
            return None
        if self._feasibility is None:
            names = tuple(name for name in study._costs() if name in study._static)
            executor = self.executor(1, "costs")
            self._feasibility = Feasibility(study.space, shape, limits, executor, names, study.latency)
        return self._feasibility

    def close(self) -> None:
        self.stack.close()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def callback_functions(callbacks: Iterable[Any]) -> tuple[Any, ...]:
    """Callbacks, each something that can be called, or has a method ``on_trial_end``; InputError for anything else."""
    if not isinstance(callbacks, Iterable):
        raise InputError(f"callbacks are a list of functions f(study, trial), found {_short(callbacks)}")
    functions = tuple(callbacks)
    for place, each in enumerate(functions):
        if not (callable(each) or hasattr(each, "on_trial_end")):
            raise InputError(f"callbacks[{place}] is a function f(study, trial), found {_short(each)}")
    return functions


def _latency_description(latency: Any) -> dict[str, Any] | None:
    """Where latencies are from, as JSON; InputError for what gives none."""
    if latency is None or isinstance(latency, Profile):
        return None if latency is None else {"profile": latency.digest, "on": str(latency.host["on"])}
    from netwright.costs import Latency

    if not isinstance(latency, Latency):
        raise InputError(
            f"latency is a Latency or a Profile, found {latency!r:.60}",
            hint="For example nw.costs.Latency(on='torch:2'), or nw.costs.Profile.load('phone.json')",
        )
    return {"on": latency.on, "batch": latency.batch, "repeats": latency.repeats}


def _strategy(strategy: Strategy | str) -> Strategy:
    given: Any = strategy
    if isinstance(given, Strategy):
        return given
    if isinstance(given, str):
        from netwright.strategies import make

        return make(given)
    hint = "Make one: nw.strategies.Evolution()" if inspect.isclass(given) else "See nw.strategies"
    raise InputError(f"a strategy is an object with ask and tell, or a name, found {given!r}", hint=hint)


def _description(strategy: Strategy) -> dict[str, Any]:
    """Its class and what it was made with, as far as JSON can hold it: two of these that differ search differently."""
    parameters = {name: value for name, value in vars(strategy).items() if not name.startswith("_")}
    kept: dict[str, Any] = {}
    for name, value in sorted(parameters.items()):
        try:
            kept[name] = strict_json.loads(strict_json.dumps(value))
        except (TypeError, ValueError):
            continue
    return {"name": type(strategy).__name__, "parameters": kept}


def _objectives(maximize: str | Sequence[str] | None, minimize: str | Sequence[str] | None) -> tuple[Objective, ...]:
    objectives = [Objective(metric, "maximize") for metric in _names("maximize", maximize)]
    objectives += [Objective(metric, "minimize") for metric in _names("minimize", minimize)]
    if not objectives:
        raise InputError("a study needs an objective", hint="Give maximize= or minimize= the name of a metric")
    metrics = [objective.metric for objective in objectives]
    twice = next((metric for metric in metrics if metrics.count(metric) > 1), None)
    if twice is not None:
        raise InputError(f"metric '{twice}' is an objective twice")
    return tuple(objectives)


def _names(what: str, value: str | Sequence[str] | None) -> list[str]:
    names = [] if value is None else [value] if isinstance(value, str) else list(value)
    for name in names:
        if not isinstance(name, str) or not name:
            raise InputError(f"{what} takes names of metrics, found {name!r}")
    return names


def _usual_executor(evaluator: Evaluator) -> str:
    return "in_process" if getattr(evaluator, "in_process", False) else "processes"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _short(value: Any) -> str:
    if isinstance(value, Mapping) and "signature" in value:
        return f"{value['name']} {value['signature'][:8]}"
    if isinstance(value, Mapping) and "parameters" in value:
        value = f"{value['name']} {value['parameters'] or ''}"
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "…"


__all__ = ["Study"]
