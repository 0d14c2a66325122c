"""The main job: from a data set to a shipped network.

The time limit covers reading, searching, retraining and writing; the baseline is trained outside of it. Reading,
splitting and the plan of epochs are decided once and kept with the study, so that a search which was interrupted
anywhere goes on from there with :func:`resume`.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright import costs
from netwright.arguments import as_workers
from netwright.durations import parse_duration
from netwright.errors import InfeasibleError, InputError, ResourceError, StoreError, nearest, sentence
from netwright.progress import Phase, Progress, Watch
from netwright.study import Study
from netwright.study.signals import Signals
from netwright.study.study import callback_functions
from netwright.tasks import ensembles, pacing, presets, profiles, transfer
from netwright.tasks.checks import shorten
from netwright.tasks.kinds import KINDS
from netwright.tasks.outcome import Outcome
from netwright.tasks.readers import Loaded, from_arrays, read
from netwright.tasks.spaces import Found, find_again, find_space, like
from netwright.training.metrics import SCORERS

if TYPE_CHECKING:
    from netwright.costs import Latency, Profile
    from netwright.evaluators.base import Evaluator
    from netwright.evaluators.train import Train
    from netwright.strategies.base import Strategy
    from netwright.strategies.oneshot.one_shot import OneShot
    from netwright.study.selection import Scored, Selected
    from netwright.training.data import Data
    from netwright.training.goals import Goal
    from netwright.training.recipes import Recipe
    from netwright.training.splits import Split
    from netwright.trial import Trial
    from netwright.zoo.trees import Branch

DEFAULT_TIME_LIMIT = 600.0
"""Seconds of a search that was given no limit at all."""
SEARCH_SHARE = 0.5
"""At least this part of a time limit is search."""
LEAST_BATCH, LEAST_STEPS = 16, 10
"""Batches are smaller where an epoch would have fewer steps, but never smaller than this."""
TARGET_TRIALS = 20
"""As many full trials a search plans for; inherited weights make it about twice as many."""
TELLING_STEPS, FEWEST_TRIALS = 60, 5
"""A trial has so many steps rather than that there are more trials than these: after a dozen all networks guess."""
KEPT_BACK = 0.2
"""This part of a time limit the search leaves to the retraining, whatever still runs."""
WRITING_SECONDS = 4.0
"""About how long it takes to write the network and to check it in a process of its own, on a machine that is free."""
METRICS = {
    "accuracy": "val_accuracy", "r2": "val_r2", "rmse": "val_rmse", "perplexity": "val_perplexity",
    "mase": "val_mase", "loss": "val_loss",
    **{name: f"val_{name}" for names in SCORERS.values() for name in names},
}  # fmt: skip
"""Names that users know, and the metric that a trial reports on its validation data."""


@dataclass(frozen=True)
class Schedule:
    """How long networks train: ``epochs`` for finalists and the baseline, ``trial_epochs`` for a trial from scratch."""

    epochs: int
    trial_epochs: int


@dataclass
class Job:
    """A search that is ready to run: all that :func:`search` and :func:`resume` have to find out first."""

    folder: Path
    about: dict[str, Any]
    loaded: Loaded | None
    found: Found
    train: Train
    options: dict[str, Any] = field(default_factory=dict)
    began: float = 0.0


def search(
    source: Any,
    y: Any = None,
    *,
    target: str | None = None,
    task: str = "auto",
    options: Mapping[str, Any] | None = None,
    space: Any = None,
    strategy: Any = "auto",
    metric: str | None = None,
    maximize: str | Sequence[str] = (),
    minimize: str | Sequence[str] = (),
    constraints: Mapping[str, float] | None = None,
    time_limit: float | str | None = None,
    max_trials: int | None = None,
    preset: str | None = None,
    evaluate: str = "train",
    n_jobs: int | None = None,
    parallel: int = 4,
    asynchronous: bool = False,
    seed: int = 0,
    device: str = "auto",
    on: str | Latency | Profile | None = None,
    out: str | Path | None = None,
    command: str | None = None,
    watch: Watch | None = None,
    baseline: str | None = None,
    X_test: Any = None,
    y_test: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    callbacks: Iterable[Any] = (),
    dry_run: bool = False,
    ensemble: int = 0,
    start_from: str | Path | None = None,
    start_weights: bool = True,
) -> Outcome:
    """Searches a network for ``source`` and writes it to ``out`` (by default a new folder below ``runs``).

    ``source`` is whatever :func:`netwright.tasks.readers.read` takes, arrays with ``y``, or rows in memory from which
    the targets follow (a :class:`netwright.tasks.language.Text`). With neither a time limit nor a number of trials the
    limits are those of ``preset``, a word of :data:`netwright.tasks.presets.PRESETS`, or else ten minutes. For images
    with the default space, and where no constraint or second objective is given, the network may use at most half the
    multiplications of the hand-made baseline. ``on``
    says where ``latency_ms`` is from, where that is a limit or an objective: a runtime of this host, or a profile (or
    its file) of any device.

    ``sample_weight`` says how much each row of the arrays counts in training, ``class_weight`` how much each class does
    (a mapping, or ``"balanced"``: all classes alike); scores count every row once. ``callbacks`` are functions
    ``f(study, trial)``, called after each trial. ``ensemble`` is how many of the finalists are averaged at most, one as
    often as it helps (Caruana et al. 2004); the ensemble is written beside the single network.

    ``start_from`` is the folder of another study of the same kind of data, whose best architectures are tried first,
    whose ranking the strategies that predict scores begin with, and from whose weights trials begin that inherit none
    here, tensors of the same name and shape alone (see :mod:`netwright.tasks.transfer`); they train as long as from
    scratch, and finalists begin from scratch. ``start_weights=False`` takes no weights.

    ``evaluate`` is what candidates are evaluated by: ``train``, each is trained; or a one-shot method that does not
    rank itself (``spos``, ``fairnas``, ``ofa``, ``sandwich``), whose supernet ``strategy`` then searches.

    ``dry_run`` is one trial of one epoch and all that follows it, to see
    that everything works.

    Raises the errors of :mod:`netwright.errors`, each with one line that says what to do.
    """
    began = time.monotonic()
    time_limit, max_trials = presets.limits(preset, time_limit, max_trials)
    limit = None if time_limit is None else parse_duration(time_limit)
    if dry_run:
        limit, max_trials = None, 1
    if limit is None and max_trials is None:
        limit = DEFAULT_TIME_LIMIT

    def left() -> float:
        return math.inf if limit is None else limit - (time.monotonic() - began)

    _check_strategy(strategy)
    _check_forms(metric, constraints)
    callbacks = callback_functions(callbacks)
    searcher = _searcher(strategy, evaluate)
    if searcher is not None:
        strategy = evaluate
    _announce(watch, "prepare", "reading the data")
    if y is None and isinstance(source, str | os.PathLike):
        if sample_weight is not None:
            raise InputError("sample_weight is for arrays, and the data are in a file", hint="Pass X and y")
        loaded = read(source, target=target, task=task, options=options)
    else:
        loaded = from_arrays(source, y, X_test=X_test, y_test=y_test, task=task, weights=sample_weight)
    loaded = _weighted(loaded, class_weight)
    if space is None:
        space = _space_for(loaded.kind, strategy)
    loaded, parts, found = _ready(loaded, space, seed)
    shape = loaded.data.input_shape
    ensembles.check_size(ensemble, loaded.data.task)
    objectives = _objectives(loaded, metric, maximize, minimize)
    _check_scorers(objectives, loaded, parts, strategy)
    baseline = baseline or _baseline_name(loaded)
    constraints = dict(constraints or {})
    _check_metrics(constraints, objectives)
    asked = [*constraints, *(name for name, _ in objectives)]
    latency = _latency(on, found, shape, asked)
    costs.require(asked, latency)
    default_limit = loaded.kind == "images" and space is None and not constraints and len(objectives) == 1
    if default_limit:
        constraints = {"macs": _baseline_macs(baseline, loaded.data) // 2}
    device = _device(device)
    jobs = _jobs(n_jobs, parallel)
    folder, fresh = _new_folder(out, loaded.name)
    study = None
    try:
        cut, seconds = None, None
        if limit is not None and hasattr(loaded.raw.X, "first"):
            seconds, rows = _pace(found, baseline, loaded, parts, limit, jobs, device)
            if rows < len(loaded.raw):
                unit = "windows" if loaded.kind == "language" else "rows"
                cut = f"the first {rows:,} of {len(loaded.raw):,} {unit} alone are used, to keep the time limit"
                _announce(watch, "prepare", cut)
                seconds *= rows / len(loaded.raw)
                loaded, parts, found = _ready(pacing.first_rows(loaded, rows), space, seed)
        schedule = _schedule(baseline, loaded, limit, jobs, device, seconds)
        if dry_run:
            schedule = Schedule(1, 1)
        about: dict[str, Any] = {
            "source": str(source) if y is None and isinstance(source, str | os.PathLike) else "arrays",
            "name": loaded.name,
            "kind": loaded.kind,
            "target": target,
            "space": dict(found.origin),
            "strategy": _strategy_name(strategy),
            "objectives": objectives,
            "constraints": constraints,
            "default_limit": default_limit,
            "time_limit": limit,
            "max_trials": max_trials,
            "n_jobs": jobs,
            "parallel": parallel,
            "asynchronous": asynchronous,
            "seed": seed,
            "device": device,
            "baseline": baseline,
            "flip": loaded.flip,
            "epochs": schedule.epochs,
            "trial_epochs": schedule.trial_epochs,
            "command": command,
        }
        if searcher is not None:
            about["searcher"] = searcher
        if ensemble:
            about["ensemble"] = ensemble
        if start_from is not None:
            ranking = _ranking(start_from, strategy, loaded.kind, found, start_weights)
            about["start_from"] = transfer.keep(ranking, folder)
            _announce(watch, "prepare", transfer.told(about["start_from"]))
        if cut is not None:
            about["cut"] = cut
        if latency is not None:
            about["on"] = profiles.kept(latency, folder)
        if "latency_ms" in asked:
            about["where"] = _where(about.get("on"))
        about["preprocessing"] = loaded.preprocessing
        about["words"] = _words(loaded, strategy)
        train = _prepare(loaded, parts, about, folder)
        if _is_one_shot(strategy):
            from netwright.tasks import one_shot

            _announce(watch, "prepare", "making the supernet")
            usual = 0.5 * _baseline_epoch_seconds(baseline, loaded, device)
            kept = one_shot.values_kept(strategy, found.space, found.starts, train, about)
            if kept:
                text = ", ".join(f"{name}={value}" for name, value in kept.items())
                _announce(watch, "prepare", f"keeping {text}: {strategy} mixes weights, which do not depend on it")
            shared = one_shot.space_with(kept, found.space)
            one_shot.check_limits(shared, train, about, latency, left)
            planned = one_shot.plan(strategy, shared, train, about, None if limit is None else left, usual)
            about["one_shot"] = {**planned, "kept": kept}
        if watch is not None:
            for words in about["words"]:
                watch(Progress(phase="prepare", metric="", warning=words))
        study, supernet = _study(about, found, train, folder, strategy, left, callbacks=callbacks)
        return _run(study, supernet, found, train, about, folder, began, limit, max_trials, jobs, watch)
    except BaseException as error:
        # Nothing is left behind of what never began, or was refused before anything was tried.
        refused = isinstance(error, InputError | InfeasibleError)
        if fresh and (study is None or (refused and not study.trials)):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def resume(
    folder: str | Path,
    *,
    time_limit: float | str | None = None,
    max_trials: int | None = None,
    n_jobs: int | None = None,
    watch: Watch | None = None,
    takeover: bool = False,
    accept_loss: bool = False,
) -> Outcome:
    """Goes on with the search in ``folder`` to its end.

    Without new limits it has what remains of the old ones: ``max_trials`` counts all trials of the study, a new
    ``time_limit`` is that of this run. A search that had ended is judged again from what it kept; with new limits it
    searches on first.
    """
    began = time.monotonic()
    folder = Path(folder)
    about = configuration(folder, accept_loss=accept_loss)
    found, train, study, supernet = opened(about, folder, takeover=takeover, accept_loss=accept_loss)
    used = max(study.history.seconds, sum(note["seconds"] for note in study.noted("job")))
    if time_limit is not None:
        limit: float | None = used + parse_duration(time_limit)
    elif max_trials is not None:
        limit = None
    else:
        limit, max_trials = about["time_limit"], about["max_trials"]
    jobs = _jobs(n_jobs, about["parallel"]) if n_jobs is not None else about["n_jobs"]
    more = time_limit is not None or max_trials is not None
    return _run(study, supernet, found, train, about, folder, began, limit, max_trials, jobs, watch, more)


def so_far(folder: str | Path) -> Outcome | None:
    """Writes the best network that a search in ``folder`` has trained until now, as the search trained it.

    For a search that was stopped before its end; :func:`resume` goes on with it and replaces what is written here.
    Where no trial has ended, a small network is trained for a moment. None where a supernet is trained.
    """
    from netwright.study.selection import so_far as selected_so_far

    folder = Path(folder)
    about = configuration(folder)
    found, train, study, supernet = opened(about, folder)
    with study:
        selected = None if supernet is not None else selected_so_far(study)
        if selected is None:
            return None
        seconds = max(study.history.seconds, sum(note["seconds"] for note in study.noted("job")))
        outcome = outcome_of(study, selected, about, folder, seconds)
        outcome = _write(study, selected, found, train, about, folder, outcome)
    return outcome


def opened(about: Mapping[str, Any], folder: Path, **options: bool) -> tuple[Found, Train, Study, OneShot | None]:
    """The space, the evaluator and the study of a search that was begun, and its supernet, if it has one."""
    found = find_again(about["space"], **like(about))
    train = evaluator_of(about, folder)
    study, supernet = _study(about, found, train, folder, about["strategy"], None, **options)
    return found, train, study, supernet


def configuration(folder: str | Path, *, accept_loss: bool = False) -> dict[str, Any]:
    """What a search was asked for, as its study keeps it."""
    from netwright.stores import open_readonly

    folder = Path(folder)
    with open_readonly(folder, accept_loss=accept_loss) as reader:
        first = next(iter(reader.read()), None)
    if first is None or first.kind != "study":
        raise StoreError(f"the study in {folder} ends before its first event", hint="Start a new search")
    about = dict(first.body.get("about") or {})
    if "source" not in about:
        raise InputError(
            f"the study in {folder} was made by a script, not by a search",
            hint="Run the script again: with the same folder it goes on",
        )
    return about


def goal_of(about: Mapping[str, Any]) -> Goal:
    """What a search predicts; former versions kept the number of classes alone."""
    from netwright.training.goals import read_goal

    usual = "regression" if about["classes"] is None else "classification"
    return read_goal(about.get("goal", usual))


def _run(
    study: Study,
    supernet: OneShot | None,
    found: Found,
    train: Train,
    about: Mapping[str, Any],
    folder: Path,
    began: float,
    limit: float | None,
    max_trials: int | None,
    n_jobs: int,
    watch: Watch | None,
    more: bool = False,
) -> Outcome:
    from netwright.study.selection import epoch_seconds, fullest_plan, ranked, select
    from netwright.tasks import one_shot

    before = max(study.history.seconds, sum(note["seconds"] for note in study.noted("job")))
    writing = 0.0 if limit is None else WRITING_SECONDS * pacing.crowding()
    kept_back = 0.0 if limit is None else min(KEPT_BACK * limit + writing, (1 - SEARCH_SHARE) * limit)

    def left() -> float:
        return math.inf if limit is None else limit - before - (time.monotonic() - began)

    def enough() -> bool:
        """Whether the search must end so that the retraining fits into the limit; at least half of it is search."""
        if limit is None or left() > limit * (1 - SEARCH_SHARE):
            return False
        some = ranked(study)[:8]
        if not some:
            return False
        members = max(0, about.get("ensemble", 0) - 1)
        fullest = fullest_plan(study, about["epochs"], len(some), members)
        # What runs when the search ends may finish.
        trial = float(np.median([trial.seconds for trial in some]))
        return left() - writing - trial <= fullest.seconds(epoch_seconds(study, some), n_jobs)

    with study, one_shot.one_thread() if supernet is not None else nullcontext():
        if supernet is not None and (more or not study.noted("plan")):
            # What the preparation took is not taken off the supernet's half alone.
            half = left() * (1 - SEARCH_SHARE)
            one_shot.train_supernet(
                study, supernet, train, about, n_jobs=n_jobs, left=left, late=lambda: left() < half, watch=watch
            )
            if max_trials is None:
                max_trials = one_shot.EVALUATIONS
        if more or not study.noted("plan"):
            study.run(
                max_trials=max_trials,
                time_limit=None if limit is None else max(0.1, left() - kept_back) + study.history.seconds,
                n_jobs=n_jobs,
                watch=watch,
                stop=enough,
                # One trial is the least that can be judged, however short the time.
                least=1,
            )
        selected = select(
            study,
            baseline=about["baseline"],
            epochs=about["epochs"],
            n_jobs=n_jobs,
            deadline=None if limit is None else lambda: left() - writing,
            watch=watch,
            ensemble=about.get("ensemble", 0),
        )
        _announce(watch, "export", "writing the network")
        spent = time.monotonic() - began - selected.outside
        seconds = before + spent
        outcome = outcome_of(study, selected, about, folder, seconds)
        try:
            outcome = _write(study, selected, found, train, about, folder, outcome)
        except KeyboardInterrupt:
            raise study.interrupted(Signals(), " while writing the network: all trainings are kept") from None
        study.note("job", seconds=round(spent, 3))
    _announce(watch, "done", None)
    return outcome


def _hurried(selected: Selected) -> list[str]:
    """Says that the time did not reach for the training that the network found was to have."""
    trained, planned = selected.fitted["epochs"], selected.plan.epochs
    if 2 * trained >= planned:
        return []
    return [f"The final network was trained for {trained} of {planned} epochs, for want of time. Give it more time."]


def _blind(study: Study, winner: Scored) -> list[str]:
    """Says that a network that tells classes is not shown to be better than one that always gives the same answer."""
    train: Any = getattr(study.evaluator, "train", study.evaluator)
    if train.data.task != "classification":
        return []
    targets = train.test.y if train.test is not None else train.data.y[train.split.test]
    share = float(np.bincount(np.asarray(targets)).max() / len(targets))
    # Of one class alone nothing can be shown.
    if winner.low > share or share == 1.0:
        return []
    return [
        f"The network found is not shown to be better than always answering the most frequent class:"
        f" accuracy {winner.score:.4f} and {share:.4f}."
    ]


def outcome_of(study: Study, selected: Selected, about: Mapping[str, Any], folder: Path, seconds: float) -> Outcome:
    """What a search ends with, after its selection; ``seconds`` are those of all its runs."""
    from netwright.zoo import trees

    tree = _tree(about, selected.trial)
    trials = study.history.ended()
    states = [str(trial.state) for trial in trials]
    return Outcome(
        out=folder,
        metric=goal_of(about).shown,
        winner=selected.winner,
        baseline=selected.baseline,
        best=selected.trial,
        verdict=selected.verdict.result,
        text_of_verdict=selected.verdict.text,
        trials=len(trials),
        failed=states.count("failed"),
        reused=states.count("reused"),
        infeasible=states.count("infeasible"),
        seconds=seconds,
        saved=_saved(study),
        limits=_limits_text(about),
        kept=about.get("one_shot", {}).get("kept", {}),
        **(_front(folder) if len(about["objectives"]) > 1 else {}),
        warnings=(
            *about.get("words", ()),
            *([about["cut"]] if "cut" in about else ()),
            *(word for note in study.noted("health")[-1:] for word in note["words"]),
            *_hurried(selected),
            *_blind(study, selected.winner),
        ),
        tree=None if tree is None else trees.text(tree),
        together=None if selected.together is None else selected.together.scored,
        text_together=None if selected.together is None else selected.together.verdict.text,
        verdict_together=None if selected.together is None else selected.together.verdict.result,
        where=about.get("where") or _where(about.get("on")),
        measured={name: selected.trial.metrics[name] for name in ("latency_ms",) if name in selected.trial.metrics},
    )


def _tree(about: Mapping[str, Any], trial: Trial) -> Branch | None:
    """What was found as a tree, where it is a cell that is one."""
    from netwright.zoo import SPACES

    entry = SPACES.get(str(about["space"].get("name")))
    return None if entry is None or entry.tree is None else entry.tree(trial.architecture)


def _draw(tree: Branch | None, folder: Path) -> None:
    """The picture of a tree, and its text for pages that draw it themselves, beside the study."""
    from netwright.zoo import trees

    if tree is not None:
        (folder / "cell.svg").write_text(trees.svg(tree), encoding="utf-8")
        (folder / "cell.mmd").write_text(trees.mermaid(tree) + "\n", encoding="utf-8")


def _where(on: Mapping[str, Any] | None) -> str:
    """Where a latency was measured, for reading; kept with the study when it is made.

    Former versions kept no words: then the runtime may not be installed on this host, and its name is all there is.
    """
    from netwright.costs.runtimes import Place

    if on is not None and "profile" in on:
        return f"by the profile of {on['processor']}, {on['on']}"
    place = "auto" if on is None else str(on["on"])
    with suppress(InputError):
        place = str(Place.read(place))
    return f"measured here, {place}"


def _front(folder: Path) -> dict[str, Any]:
    """The front as an :class:`Outcome` has it."""
    from netwright.tasks.overview import show
    from netwright.tasks.picking import another, front_table

    shown = show(folder)
    return {"front": tuple(front_table(shown)), "another": another(shown)}


def _limits_text(about: Mapping[str, Any]) -> str | None:
    limits = ", ".join(f"{name} {value:,.6g}" for name, value in about["constraints"].items())
    if about.get("default_limit"):
        return f"{limits} (half of the baseline's; --constraint macs=… asks for another)"
    return limits or None


def _saved(study: Study) -> str | None:
    """What inheriting weights saved, in epochs and in seconds at each trial's own speed."""
    epochs = seconds = 0.0
    children = promotions = 0
    architectures = {trial.number: trial.architecture for trial in study.history.ended()}
    train = study.evaluator
    for trial in study.history.ended():
        inherited = trial.metrics.get("lineage_epochs", 0.0) > trial.metrics.get("epochs", 0.0)
        if trial.proposal.inherits is None or not inherited or str(trial.state) != "finished":
            continue
        given = trial.metrics["epochs"]
        full = float(trial.proposal.budget or train.recipe.epochs)  # type: ignore[attr-defined]
        promoted = architectures.get(trial.proposal.inherits) == trial.architecture
        promotions += promoted
        children += not promoted
        epochs += full - given
        seconds += (full - given) * trial.seconds / given
    subjects = [
        f"{children} {'child' if children == 1 else 'children'} inherited weights" if children else "",
        f"{promotions} promotion{'s' * (promotions != 1)} went on from their own" if promotions else "",
    ]
    if not any(subjects):
        return None
    subject = " and ".join(filter(None, subjects))
    return f"{subject}, which saved {epochs:.0f} epochs ({seconds:.0f} s of training)"


def _write(
    study: Study,
    selected: Selected,
    found: Found,
    train: Train,
    about: Mapping[str, Any],
    folder: Path,
    outcome: Outcome,
) -> Outcome:
    """Writes what was found; the outcome, with a warning where an ensemble was asked for and there is none."""
    from netwright.tasks.shipping import ship

    ship(study, selected, found, train, about, folder / "best", outcome)
    _draw(_tree(about, selected.trial), folder)
    missing = ensembles.ship(study, selected, found, train, about, folder, outcome)
    if missing is None:
        return outcome
    warnings = (*outcome.warnings, missing)
    return replace(outcome, warnings=warnings, together=None, text_together=None, verdict_together=None)


def _study(
    about: Mapping[str, Any],
    found: Found,
    train: Train,
    folder: Path,
    strategy: Any,
    left: Callable[[], float] | None = None,
    **options: Any,
) -> tuple[Study, OneShot | None]:
    """The study, and the supernet that has to be trained for it, if there is one.

    ``left`` says how many seconds there are; what is measured for the supernet's loss ends with them.
    """
    evaluator: Evaluator
    supernet, space = None, found.space
    if _is_one_shot(strategy):
        from netwright.tasks import one_shot

        space = one_shot.space_with(about["one_shot"].get("kept", {}), space)
        supernet = one_shot.make_one_shot(about, space, train, folder, left)
        strategy, evaluator = one_shot.sides(supernet, train, about)
        if "searcher" in about:
            strategy = _strategy(about["searcher"], about, found)
    else:
        if isinstance(strategy, str):
            strategy = _strategy(strategy, about, found)
        if "start_from" in about:
            strategy = transfer.begin(strategy, about["start_from"])
        evaluator = _with_proxies(train, strategy)
    names = dict(about["objectives"])
    study = Study(
        space,
        strategy,
        evaluator,
        maximize=[metric for metric, way in names.items() if way == "maximize"],
        minimize=[metric for metric, way in names.items() if way == "minimize"],
        constraints=about["constraints"],
        store=folder,
        seed=about["seed"],
        parallel=about["parallel"],
        asynchronous=about["asynchronous"],
        device=about["device"],
        latency=profiles.again(about.get("on"), folder),
        ancestors=transfer.ancestors(about.get("start_from", {}), folder),
        name=about["name"],
        about=about,
        **options,
    )
    return study, supernet


def _latency(
    on: str | Latency | Profile | None, found: Found, shape: tuple[int, ...], asked: Sequence[str]
) -> Latency | Profile | None:
    """Where latencies are from; InputError where that does not fit, or nothing asks for them."""
    from netwright.costs import Profile

    if on is None:
        return None
    latency = profiles.read_on(on) if isinstance(on, str) else on
    if isinstance(latency, Profile):
        latency.check(found.space, shape)
    if "latency_ms" not in asked:
        raise InputError(
            "--on says where latency is from, and nothing asks for it",
            hint="Add --minimize latency_ms, or a limit such as --constraint latency_ms=5",
        )
    return latency


def _with_proxies(train: Train, strategy: Any) -> Evaluator:
    """The evaluator, with proxies where the strategy asks for them (``uses_proxies``, the names in ``proxies``)."""
    names: Any = getattr(strategy, "proxies", True)
    named = isinstance(names, tuple | list)
    if not named and not (getattr(strategy, "uses_proxies", False) and names):
        return train
    from netwright.evaluators.proxies import WithProxies

    # A strategy marks a number that is better when smaller with a minus sign.
    return WithProxies(train, [name.lstrip("-") for name in names]) if named else WithProxies(train)


def _strategy(text: str, about: Mapping[str, Any], found: Found) -> Strategy:
    """The strategy that ``text`` names, with what it would not know of itself: starts, and budgets in epochs.

    Budgets reach up to twice the epochs of a trial where all are trained whole (at most those of a finalist), for most
    trials of such a strategy stop early; then a round of all brackets of Hyperband still fits into the time that is
    planned. They begin at a ninth of that.
    """
    from netwright.strategies import STRATEGIES, make
    from netwright.strategies.auto import Auto
    from netwright.strategies.making import read as read_strategy

    name, arguments = read_strategy(text)
    if name == "auto":
        return Auto(**{"starts": found.starts, "portfolio": found.portfolio, **arguments})
    kind: Any = STRATEGIES[name]
    if not getattr(kind, "multi_fidelity", False) or arguments.keys() & {"min_budget", "max_budget", "budgets"}:
        return make(text)
    longest = min(about["epochs"], max(3, 2 * about["trial_epochs"]))
    made: Strategy = kind(**arguments, min_budget=max(1, longest // 9), max_budget=longest)
    return made


def _ranking(folder: str | Path, strategy: Any, kind: str, found: Found, weights: bool) -> dict[str, Any]:
    """What another study knows about this space; InputError where that, or this strategy, does not fit."""
    from netwright.strategies import STRATEGIES
    from netwright.strategies.making import read as read_strategy

    if _is_one_shot(strategy):
        raise InputError(
            f"{strategy} trains all networks of a space at once, and has no use for another study's ranking",
            hint="Leave out --start-from, or search with --strategy auto",
        )
    if isinstance(strategy, str):
        name, _ = read_strategy(strategy)
        if getattr(STRATEGIES[name], "multi_fidelity", False) is True:
            raise InputError(
                f"{name} trains networks for different budgets and takes no starts",
                hint="Leave out --start-from, or search with --strategy auto",
            )
    return transfer.read_ranking(folder, kind=kind, space=found.space, weights=weights)


def _is_one_shot(strategy: Any) -> bool:
    """Whether a strategy's text names a one-shot method."""
    from netwright.strategies.oneshot.making import METHODS

    return isinstance(strategy, str) and strategy.partition("(")[0].strip() in METHODS


def _searcher(strategy: Any, evaluate: str) -> str | None:
    """The strategy that searches the supernet of the method ``evaluate``; None where candidates are trained.

    InputError for what evaluates nothing, and for a strategy that cannot search a supernet.
    """
    from netwright.strategies import STRATEGIES
    from netwright.strategies.making import read as read_strategy
    from netwright.strategies.oneshot.making import METHODS
    from netwright.strategies.oneshot.making import make as make_method

    if evaluate == "train":
        return None
    name = evaluate.partition("(")[0].strip()
    if not _is_one_shot(evaluate) or make_method(evaluate).ranks:
        known = ", ".join(("train", *(each for each in METHODS if not make_method(each).ranks)))
        if _is_one_shot(evaluate):
            raise InputError(
                f"{name} ranks the networks of its supernet itself and evaluates none for others",
                hint=f"Search with --strategy {name}, or evaluate by one of {known}",
            )
        raise InputError(f"nothing evaluates by '{evaluate}'", hint=f"Give one of {known}")
    if not isinstance(strategy, str) or _is_one_shot(strategy):
        said = _strategy_name(strategy)
        raise InputError(
            f"{said} cannot search the supernet of {name}",
            hint="Name a strategy that proposes one network after another, such as --strategy evolution",
        )
    if getattr(STRATEGIES[read_strategy(strategy)[0]], "multi_fidelity", False) is True:
        raise InputError(
            f"{strategy} trains networks for different budgets, and shared weights know none",
            hint="Leave out --evaluate, or search with --strategy evolution",
        )
    return strategy


def _check_strategy(strategy: Any) -> None:
    from netwright.strategies import make

    if _is_one_shot(strategy):
        from netwright.strategies.oneshot.making import make as make_method

        make_method(strategy)
    elif isinstance(strategy, str):
        make(strategy)


def _prepare(loaded: Loaded, parts: Split, about: dict[str, Any], folder: Path) -> Train:
    """Keeps the data, whose constants are learned without the test part, and their split beside the study."""
    data = loaded.data.save(folder / "data")
    test = loaded.test
    if test is not None:
        test = test.save(folder / "data" / "test")
    about["input_shape"] = list(data.input_shape)
    about["outputs"] = data.outputs
    about["classes"] = None if data.classes is None else len(data.classes)
    about["goal"] = data.task
    np.savez(
        folder / "data" / "split.npz",
        train=parts.train,
        validation=parts.validation,
        selection=parts.selection,
        test=parts.test,
        **{name: rows for name in ("between", "origins") if len(rows := getattr(parts, name))},
    )
    about["sizes"] = {
        "train": len(parts.train),
        "validation": len(parts.validation),
        "selection": len(parts.selection),
        "test": len(test) if test is not None else len(parts.test),
    }
    return evaluator_of(about, folder)


def evaluator_of(about: Mapping[str, Any], folder: Path) -> Train:
    """The evaluator over the data that lie beside the study."""
    from netwright.evaluators.train import Train
    from netwright.training.data import Data
    from netwright.training.scorers import scorers_of
    from netwright.training.splits import Split

    data = Data.load(folder / "data")
    test_folder = folder / "data" / "test"
    with np.load(folder / "data" / "split.npz", allow_pickle=False) as arrays:
        names = ("train", "validation", "selection", "test", "between", "origins")
        parts = Split(**{name: arrays[name] for name in names if name in arrays})
    labelled, rows = about["classes"] is not None, len(parts.development)
    return Train(
        data,
        _recipe(about["baseline"], about["kind"], labelled, about["flip"], about["epochs"], rows),
        split=parts,
        epochs=about["trial_epochs"],
        test=Data.load(test_folder) if test_folder.exists() else None,
        scorers=scorers_of(data.task, [name for name, _ in about["objectives"]]),
    )


def _recipe(baseline: str, kind: str, classification: bool, flip: bool, epochs: int, rows: int) -> Recipe:
    """The baseline's own recipe, so that both are trained alike; few rows in smaller batches.

    An epoch of them would else be a step or two, and a trial over before it learnt anything.
    """
    from netwright.training.recipes import Recipe
    from netwright.zoo import baselines

    fields = dict(baselines.baseline(baseline).recipe)
    if kind == "images":
        others = [name for name in fields.get("augment", ()) if name != "flip"]
        fields["augment"] = tuple(others) + (("flip",) if flip else ())
    batch = max(LEAST_BATCH, 2 ** int(math.log2(max(1, rows / LEAST_STEPS))))
    fields["batch_size"] = min(fields["batch_size"], batch)
    recipe = Recipe(**fields).replace(epochs=epochs)
    return recipe if classification else recipe.replace(label_smoothing=0.0)


def _space_for(kind: str, strategy: Any) -> str | None:
    """The space of a search that names none, where that depends on the strategy; None for the kind's own."""
    own = KINDS[kind].maybe("space_for")
    return None if own is None else own(_strategy_name(strategy).partition("(")[0].strip())


def _ready(loaded: Loaded, space: Any, seed: int) -> tuple[Loaded, Split, Found]:
    """The data with their constants, which are learned without the test part, their split, and the space for them."""
    parts = loaded.split(seed)
    loaded = loaded.learned_on(parts.development)
    shape, outputs, facts = loaded.data.input_shape, loaded.data.outputs, loaded.data.facts
    return loaded, parts, find_space(space, kind=loaded.kind, input_shape=shape, outputs=outputs, facts=facts)


def _pace(
    found: Found, baseline: str, loaded: Loaded, parts: Split, limit: float, jobs: int, device: str
) -> tuple[float, int]:
    """How long an epoch on all rows takes what is found, and how many of the rows fit into the time."""
    recipe = _recipe(baseline, loaded.kind, loaded.data.classes is not None, loaded.flip, 1, len(loaded.data))
    seconds = pacing.found_epoch_seconds(found, loaded.data, recipe, device)
    trained = len(parts.train) / len(loaded.raw)
    share = pacing.share_in_time(seconds, SEARCH_SHARE * limit * jobs / TARGET_TRIALS, 0.4 * limit, trained)
    least = min(len(loaded.raw), 16 * recipe.batch_size)
    return seconds, max(least, int(share * len(loaded.raw)))


def _schedule(
    baseline: str, loaded: Loaded, limit: float | None, jobs: int, device: str, seconds: float | None = None
) -> Schedule:
    """Epochs that fit the time: one final training in about a quarter of it, the trials of a search in its half.

    The speed is measured on this machine with a few batches of the baseline, unless it is known how many ``seconds``
    an epoch takes what is found; the study keeps what was decided.
    """
    from netwright.zoo import baselines

    usual = int(baselines.baseline(baseline).recipe["epochs"])
    if limit is None:
        return Schedule(usual, max(1, usual // 4))
    if seconds is None:
        # What is found costs about half of the baseline.
        seconds = 0.5 * _baseline_epoch_seconds(baseline, loaded, device)
    # More than a quarter is given only up to the usual epochs.
    epochs = _clamp(0.25 * limit / seconds, min(usual, _clamp(0.4 * limit / seconds, 3, usual)), 4 * usual)
    most = max(1, min(epochs // 3, 2 * usual // 3))
    search = SEARCH_SHARE * limit * jobs / seconds
    recipe = _recipe(baseline, loaded.kind, loaded.data.classes is not None, loaded.flip, 1, len(loaded.data))
    telling = math.ceil(TELLING_STEPS * recipe.batch_size / len(loaded.data))
    few = max(search / TARGET_TRIALS, min(telling, search / FEWEST_TRIALS))
    return Schedule(epochs, _clamp(few, 1, most))


def _baseline_epoch_seconds(baseline: str, loaded: Loaded, device: str) -> float:
    """About how long the baseline takes for an epoch on all rows, from a few steps of it."""
    from netwright.zoo import baselines

    data = loaded.data
    recipe = _recipe(baseline, loaded.kind, data.classes is not None, loaded.flip, 1, len(data))
    network = baselines.baseline(baseline).build(data.input_shape, data.outputs, data.facts)
    return pacing.seconds_a_row(network, data, recipe, device) * len(data)


def _baseline_name(loaded: Loaded) -> str:
    known = KINDS[loaded.kind].baseline
    if known is not None:
        return known
    return "digits" if min(loaded.data.input_shape[1:]) <= 12 else "images"


def _baseline_macs(name: str, data: Data) -> int:
    import torch

    from netwright.costs import COSTS
    from netwright.zoo import baselines

    with torch.device("meta"):
        network = baselines.baseline(name).build(data.input_shape, data.outputs, data.facts)
        example = torch.zeros(1, *data.input_shape)
    return int(COSTS["macs"](network, example))


def _objectives(
    loaded: Loaded, metric: str | None, maximize: str | Sequence[str], minimize: str | Sequence[str]
) -> list[list[str]]:
    from netwright.training.goals import GOALS, read_goal
    from netwright.training.metrics import METRICS as KNOWN

    goal = read_goal(loaded.task)
    known = {**{name: KNOWN[METRICS[name]] for name in METRICS}, **KNOWN}
    ways: dict[str, str] = {}
    for way, names in (("maximize", maximize), ("minimize", minimize)):
        for name in [names] if isinstance(names, str) else names:
            if name not in known:
                raise _no_metric(name, goal)
            ways[METRICS.get(name, name)] = way
    if metric is not None and metric not in known:
        raise _no_metric(metric, goal)
    first = METRICS.get(metric, metric) if metric else None
    if first is None and not any(name.startswith("val_") for name in ways):
        first = goal.metric
    wrong = {name for other in GOALS.values() for name in other.metrics} - set(goal.metrics)
    for name in [*ways, *([first] if first else [])]:
        if name in wrong:
            raise InputError(f"the metric '{name}' is not one of {goal.name}, which the data are for")
    if first is not None:
        ways = {first: ways.get(first, KNOWN[first]), **ways}
    ordered = sorted(ways.items(), key=lambda pair: not pair[0].startswith("val_"))
    return [[name, way] for name, way in ordered]


def _no_metric(name: str, goal: Goal) -> InputError:
    """The error for a name that is no metric, with the nearest of those that a search for this goal takes, or all."""
    scores = [short for short, metric in METRICS.items() if metric in (*goal.metrics, "val_loss")]
    known = (*scores, *SCORERS.get(goal.name, ()), *costs.NAMES)
    return InputError(f"unknown metric '{name}'", hint=sentence(nearest(name, known)))


def _check_scorers(objectives: Sequence[Sequence[str]], loaded: Loaded, parts: Split, strategy: Any) -> None:
    """Refuses a scorer that cannot judge these data, or that the search would not compute."""
    from netwright.training.scorers import check_scorers, scorers_of

    names = scorers_of(loaded.task, [name for name, _ in objectives])
    if names and _is_one_shot(strategy):
        raise InputError(
            f"a supernet's candidates are judged by the metrics of their goal, and '{names[0]}' is none of them",
            hint="Choose another strategy, or leave metric out",
        )
    for part in (parts.validation, parts.selection):
        check_scorers(names, np.asarray(loaded.data.y[part]), loaded.data.outputs, loaded.task)


def _weighted(loaded: Loaded, class_weight: Any) -> Loaded:
    """The data with rows that count as their class asks."""
    from netwright.tasks.labels import balanced

    if class_weight is None:
        return loaded
    if class_weight != "balanced" and not isinstance(class_weight, Mapping):
        raise InputError(f"class_weight is 'balanced' or maps classes to numbers, found {class_weight!r}")
    weights = None if class_weight == "balanced" else class_weight
    return replace(loaded, raw=replace(loaded.raw, labels=balanced(loaded.raw.labels, weights)))


def _words(loaded: Loaded, strategy: Any) -> list[str]:
    """What a user has to know of how the data are used."""
    words = [*loaded.notes, *getattr(loaded.raw.X, "notes", ())]
    tell = KINDS[loaded.kind].maybe("unused")
    names = [] if tell is None else tell(loaded.preprocessing["inputs"])
    if names:
        shown = ", ".join(map(str, names[:5])) + (", …" if len(names) > 5 else "")
        words.append(f"left out: {shown} (no value occurs twice, and it is no text)")
    if loaded.raw.labels.weights is not None and _is_one_shot(strategy):
        words.append("the supernet counts every row once; what it finds is trained with the weights of rows")
    return words


def _check_forms(metric: Any, constraints: Any) -> None:
    """InputError for a metric that is no name, and for constraints that do not map names to numbers."""
    if not (metric is None or isinstance(metric, str)):
        raise InputError(
            f"metric is a name, found {shorten(metric)}",
            hint="Name one of netwright's, such as 'accuracy', or a scorer of scikit-learn, such as 'roc_auc'",
        )
    names = constraints if isinstance(constraints, Mapping) else {}
    odd = next((name for name in names if not isinstance(name, str)), None)
    if odd is not None or not (constraints is None or isinstance(constraints, Mapping)):
        raise InputError(
            f"constraints map names of metrics to numbers, found {shorten(constraints)}",
            hint="Write for example constraints={'params': 1e5}",
        )


def _check_metrics(constraints: Mapping[str, float], objectives: Sequence[Sequence[str]]) -> None:
    from netwright.costs import NAMES as COSTS
    from netwright.training.metrics import METRICS as KNOWN

    for name, value in constraints.items():
        if name not in KNOWN:
            raise InputError(f"unknown metric '{name}' in a constraint", hint=sentence(nearest(name, COSTS)))
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            raise InputError(f"the constraint on '{name}' is {value!r}, not a finite number")
        if name in COSTS and value <= 0:
            raise InputError(f"the constraint on '{name}' is {value!r}, every network costs something")


def _device(device: str) -> str:
    from netwright.training.devices import device_here  # torch is loaded when it is needed

    return device_here(device)


def _jobs(n_jobs: int | None, parallel: int) -> int:
    return min(as_workers("n_jobs", n_jobs), parallel)


def _strategy_name(strategy: Any) -> str:
    return strategy if isinstance(strategy, str) else type(strategy).__name__


def _new_folder(out: str | Path | None, name: str) -> tuple[Path, bool]:
    """A folder without a study, by default the next number below ``runs``; and whether it was made here."""
    from netwright.names import slug

    if out is not None:
        folder = Path(out)
        if (folder / "study.db").exists():
            raise InputError(f"{folder} holds a study already", hint=f"Go on with: netwright resume {folder}")
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file, not a folder", hint="Name a new folder with --out (out= in Python)")
        return _made(folder)
    stem = name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else slug(name)
    number = 1
    while (Path("runs") / f"{stem}-{number}").exists():
        number += 1
    return _made(Path("runs") / f"{stem}-{number}")


def _made(folder: Path) -> tuple[Path, bool]:
    fresh = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"cannot make the folder {folder}: {error.strerror}", hint="Choose another with --out"
        ) from None
    return folder, fresh


def _announce(watch: Watch | None, phase: Phase, message: str | None) -> None:
    if watch is not None:
        watch(Progress(phase=phase, metric="", message=message))


def _clamp(value: float, low: int, high: int) -> int:
    return int(max(low, min(high, value)))
