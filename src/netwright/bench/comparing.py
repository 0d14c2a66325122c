"""Comparing: many seeds of several strategies on one table, each finished run kept."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from netwright.architecture import Architecture
from netwright.bench.comparison import Comparison, Runs
from netwright.bench.folders import repeating
from netwright.bench.measures import HYPERVOLUME, Measure, counterpart, read_objectives, read_score
from netwright.bench.race import Race, check_strategy
from netwright.errors import InputError, Interrupted, ResourceError, TooManyFailures
from netwright.progress import Progress
from netwright.strategies.base import Strategy
from netwright.trial import Proposal, State, Trial

if TYPE_CHECKING:
    from netwright.evaluators.tables import Table
    from netwright.executors import Processes
    from netwright.space import SearchSpace
    from netwright.study import Study

MOST_SEEDS = 2**31 - 1
MOST_JOBS = 256
"""Runs under way at once; part of what a bench's folder holds, so it does not follow the number of workers."""
DEFAULT = ("auto", "evolution(population=20,tournament=5)", "local-search", "random")
"""The strategies of a bench that names none. The paper's population of 100 would be random search until query 100."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a bench is: runs of one strategy that have ended, and of all together."""

    strategy: str
    done: int
    seeds: int
    total: int
    runs: int


def compare(
    table: Table | str,
    strategies: str | Sequence[str] | None = None,
    *,
    seeds: int = 20,
    queries: int = 100,
    maximize: str | Sequence[str] | None = None,
    minimize: str | Sequence[str] | None = None,
    score: str | None = None,
    jobs: int | None = None,
    workers: int = 1,
    out: str | os.PathLike[str] | None = None,
    report: bool = True,
    command: str | None = None,
    watch: Callable[[Standing], None] | None = None,
) -> Comparison:
    """Runs every strategy from the seeds 0 to ``seeds − 1`` and compares what they found.

    Parameters
    ----------
    table:
        A :class:`~netwright.evaluators.tables.Table`, its name, or a file.
    strategies:
        Names with or without arguments: ``"random"``, ``"evolution(population=10,tournament=3)"``; by default
        :data:`DEFAULT`.
    maximize, minimize:
        What is searched, as ``metric@fidelity``; the table's first metric at its largest fidelity by default.
    score:
        What the incumbent is judged by. By default the test metric of a searched validation metric (``X.test`` of
        ``X.valid``, ``test_Y`` of ``val_Y``, ``test`` of ``valid``), at the same fidelity or else at its largest;
        where the table has none what is searched, and the hypervolume where that is several. What is searched keeps
        its direction; else a cost, a time, a loss or an error is better small and an accuracy large, by its name,
        and any other follows what is searched.
    jobs:
        Worker processes, by default one a core.
    workers:
        Simulated workers of each run: so many trials are under way at once, on the table's own clock.
    out:
        A folder in which every finished run is kept at once, by default a new one below ``runs``. Called again with
        it, what is there is not computed again; other strategies and more seeds are added, another table, metric or
        number of queries is refused.
    report:
        Whether ``results.json``, the pictures and ``report.html`` are written there too. Where matplotlib is missing
        the rest is written, and ``missing`` of the result says so.

    Raises InputError before anything runs, TooManyFailures, and Interrupted after a signal: what has ended is kept.
    """
    opened, source = _opened(table)
    names = read_strategies(DEFAULT if strategies is None else strategies)
    for name, value in (("seeds", seeds), ("queries", queries), ("workers", workers), ("jobs", jobs)):
        _check_count(name, value)
    objectives = read_objectives(opened, _texts(maximize), _texts(minimize))
    judged = _judged(opened, score, objectives)
    for name in names:
        check_strategy(name, opened, objectives)
    races = {name: Race(source, name, objectives, queries, workers) for name in names}
    folder = _folder(out, opened.name)
    with repeating(folder):
        check_folder(folder, next(iter(races.values())).fingerprint)
    runs: dict[str, Runs] = {}
    with (
        _stopping(folder, command, lambda: _kept(folder, races, seeds)),
        _workers(min(_jobs(jobs), seeds)) as executor,
        repeating(folder),
    ):
        for place, (name, race) in enumerate(races.items()):
            study = _study(race, executor, folder / folder_name(name))

            def show(progress: Progress, name: str = name, place: int = place) -> None:
                if watch is not None:
                    done = min(progress.trials, seeds)
                    watch(Standing(name, done, seeds, place * seeds + done, len(races) * seeds))

            study.run(max_trials=seeds, n_jobs=_jobs(jobs), watch=show)
            show(Progress("search", "searched", trials=len(study.history.trials)))
            runs[name] = _read(study, seeds, queries)
        comparison = Comparison(opened, objectives, judged, queries, seeds, workers, runs, folder, command)
        if report:
            from netwright.bench.writing import write

            write(comparison, folder)
    return comparison


def read_strategies(strategies: str | Sequence[str]) -> tuple[str, ...]:
    """The strategies of a list, or of a text in which commas separate them (not those inside parentheses).

    Raises InputError for an empty list, for one that names the same strategy twice, and for what is no text.
    """
    parts = split(strategies) if isinstance(strategies, str) else _listed(strategies)
    names = tuple("".join(part.split()) for part in parts)
    if not names or not all(names):
        raise InputError(
            "a bench compares at least one strategy, found none" if not any(names) else "a strategy's name is empty",
            hint='Give for example --strategies "random,evolution(population=10,tournament=3)"',
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"strategy '{twice}' is given twice", hint="Name each once; seeds repeat it")
    return names


def _listed(strategies: Any) -> list[str]:
    """The items of a list of names; a strategy that is already made cannot be started afresh from each seed."""
    found = list(strategies) if isinstance(strategies, Iterable) else [strategies]
    wrong = [one for one in found if not isinstance(one, str)]
    if wrong:
        raise InputError(
            f"a bench takes the names of strategies as text, found {_kind(wrong[0])}",
            hint='Give for example ["random", "evolution(population=10,tournament=3)"]',
        )
    return found


def _kind(value: Any) -> str:
    plain = value is None or isinstance(value, bool | int | float)
    return str(value) if plain else f"an object of the class {type(value).__name__}"


def split(text: str) -> list[str]:
    """The parts of ``text`` between commas that stand outside of all brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    if depth != 0 or quote:
        raise InputError(f"the brackets of {text!r} do not close", hint="Put the whole list between quotes")
    return parts if text.strip() else []


def folder_name(strategy: str) -> str:
    """The name of the folder of a strategy's runs."""
    from netwright.names import slug

    return strategy if strategy.replace("-", "").isalnum() and strategy.isascii() else slug(strategy)


def check_folder(folder: Path, fingerprint: dict[str, Any]) -> None:
    """Raises InputError, naming what differs, for a folder whose runs are of another bench."""
    from netwright.stores import open_readonly

    if (folder / "study.db").exists():
        raise InputError(f"{folder} holds the study of a search", hint="Give another folder with --out")
    for place in sorted(folder.glob("*/study.db")):
        with open_readonly(place.parent) as reader:
            first = next(iter(reader.read()), None)
        stored = None if first is None else first.body.get("data")
        if first is None:
            continue
        if not isinstance(stored, dict) or set(stored) != set(fingerprint):
            raise InputError(f"{place.parent} holds a study that is no bench", hint="Give another folder with --out")
        differing = [name for name in fingerprint if stored[name] != fingerprint[name]]
        if differing:
            told = [f"{_WORDS[name]} {_shown(stored[name])}, now {_shown(fingerprint[name])}" for name in differing]
            if differing == ["content"]:
                told = [f"the table '{fingerprint['table']}' with other numbers than it has now"]
            raise InputError(
                f"the runs in {folder} are of {'; '.join(text for text in told if 'content' not in text)}",
                hint="Give the same, or another folder with --out",
            )


_WORDS = {"table": "table", "content": "content", "searched": "searched metric", "queries": "queries",
          "workers": "workers"}  # fmt: skip


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(f"{name} ({direction}d)" for direction, name in value)
    return f"'{value}'" if isinstance(value, str) else str(value)


def _opened(table: Table | str) -> tuple[Table, Table | str]:
    """The table, and what a worker gets: a name or a file that it opens itself, else the table."""
    from netwright.evaluators.tables import Table

    if isinstance(table, Table):
        return table, table
    if not isinstance(table, str | os.PathLike):
        raise InputError(
            f"a bench takes a table, its name or its file, found {_kind(table)}",
            hint='Give for example "digits-cells", "small.npz", or what open_table answers',
        )
    from netwright.bench import race

    path = Path(table)
    source = str(path.absolute()) if path.suffix or len(path.parts) > 1 else str(table)
    return race.opened(source), source


def _texts(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    found = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    wrong = [one for one in found if not isinstance(one, str)]
    if wrong:
        raise InputError(
            f"a metric is named by text, found {_kind(wrong[0])}", hint='Give for example "val_accuracy@8", or a list'
        )
    return found


def _judged(table: Table, score: str | None, objectives: tuple[Measure, ...]) -> Measure | None:
    """What the incumbent is judged by; None for the hypervolume."""
    if score is not None and not isinstance(score, str):
        raise InputError(f"the score is named by text, found {_kind(score)}", hint='Give for example "test_accuracy@8"')
    if score is None or score == HYPERVOLUME:
        if len(objectives) > 1:
            return None
        if score == HYPERVOLUME:
            raise InputError("the hypervolume is of several searched metrics, found one", hint="Add a --minimize")
        return counterpart(table, objectives[0])
    return read_score(table, score, objectives)


def _check_count(name: str, value: int | None) -> None:
    if value is None:
        return
    most = {"seeds": MOST_SEEDS, "jobs": MOST_JOBS}.get(name, 10**9)
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 1 <= value <= most:
        raise InputError(f"{name} is a whole number from 1 to {most:,}, found {value!r}")


def _jobs(jobs: int | None) -> int:
    if jobs is not None:
        return jobs
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_JOBS)


def _folder(out: str | os.PathLike[str] | None, table: str) -> Path:
    from netwright.names import slug

    if out is not None:
        folder = Path(out)
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file, not a folder", hint="Name a folder with --out")
    else:
        plain = table.replace("-", "").replace("_", "").isalnum() and table.isascii()
        stem, number = f"bench-{table if plain else slug(table)}", 1
        while (Path("runs") / f"{stem}-{number}").exists():
            number += 1
        folder = Path("runs") / f"{stem}-{number}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"cannot make the folder {folder}: {error.strerror}", hint="Choose another with --out"
        ) from None
    return folder


@contextmanager
def _workers(count: int) -> Iterator[Processes]:
    """The executor of a bench's runs: processes, in which Ctrl-C is not the run's to handle."""
    from netwright.executors import Processes

    executor = Processes(count, preload=PRELOAD)
    try:
        yield executor
    finally:
        executor.kill()


PRELOAD = (
    *("torch", "numpy", "cloudpickle", "netwright.executors.worker", "netwright.bench.race", "netwright.study.study"),
    *("netwright.evaluators.tables.evaluator", "netwright.executors.in_process", "netwright.stores.memory"),
)
"""Imported once, by the process that the workers are forked from."""


@contextmanager
def _stopping(folder: Path, command: str | None, kept: Callable[[], tuple[int, int]]) -> Iterator[None]:
    """Says after a signal what is kept and what goes on."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as error:
        done, all_ = kept()
        name = "Ctrl-C" if getattr(error, "code", 130) == 130 else "a signal"
        raise Interrupted(
            f"Stopped by {name}: {done} of {all_} runs kept in {folder}",
            hint=f"Go on with: {going_on(command, folder)}" if command else f"Call it again with out={str(folder)!r}",
            code=getattr(error, "code", 130),
        ) from None


def going_on(command: str, folder: Path) -> str:
    """The command that goes on in ``folder``."""
    words = shlex.split(command)
    if any(word == "--out" or word.startswith("--out=") for word in words):
        return command
    return f"{command} --out {shlex.quote(str(folder))}"


def _kept(folder: Path, races: Iterable[str], seeds: int) -> tuple[int, int]:
    """How many of the asked runs have ended, and how many there are."""
    from netwright.stores import open_readonly
    from netwright.study.history import History

    done = all_ = 0
    for name in races:
        all_ += seeds
        place = folder / folder_name(name)
        if (place / "study.db").exists():
            with open_readonly(place) as reader:
                done += sum(number < seeds for number in History.of(reader.read()).trials)
    return done, all_


@cache
def _seeds() -> SearchSpace:
    """The space of a strategy's runs: one decision, the seed."""
    from torch import nn

    from netwright.space import SearchSpace, choose

    class Seeds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            choose("seed", low=0, high=MOST_SEEDS - 1)

    return SearchSpace(Seeds)


@final
class InOrder(Strategy):
    """The seeds 0, 1, 2, …: the runs of a bench are the trials of a study that learns nothing."""

    def start(self, space: SearchSpace, objectives: Sequence[Any]) -> None:
        super().start(space, objectives)
        self._next = 0

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        self._next += 1
        return Proposal(Architecture({"seed": self._next - 1}))

    def heirs(self) -> Collection[int]:
        return ()


def _study(race: Race, executor: Any, folder: Path) -> Study:
    from netwright.study import Study

    first = race.objectives[0]
    return Study(
        _seeds(),
        InOrder(),
        race,
        maximize="searched" if first.sign > 0 else None,
        minimize="searched" if first.sign < 0 else None,
        store=folder,
        parallel=MOST_JOBS,
        inherit=False,
        executor=executor,
        name=race.strategy,
    )


def _read(study: Study, seeds: int, queries: int) -> Runs:
    """The runs of a strategy from its study; TooManyFailures where none has a result."""
    trials = [trial for trial in study.history.ended() if trial.number < seeds]
    finished = [trial for trial in trials if trial.state is State.FINISHED]
    failed = [trial for trial in trials if trial.state is State.FAILED]
    if failed and not finished:
        raise TooManyFailures(
            f"all {len(failed)} runs of {study.name} failed ({failed[0].error})",
            hint=f"Mend the cause and remove {study.folder}; --debug shows the traceback",
        )
    return Runs.of(study.name, [_facts(trial) for trial in finished], queries, len(failed))


def _facts(trial: Trial) -> dict[str, Any]:
    return {
        "seed": trial.number,
        "steps": [(report.step, report.metrics) for report in trial.curve],
        "metrics": dict(trial.metrics),
        "seconds": trial.seconds,
    }
