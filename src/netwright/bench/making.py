"""A table of one's own: every architecture of a space trained once a seed, and what came of it in one file.

The trainings are those of ordinary studies in a folder beside the file, one a seed: killed at any moment, the same
call goes on where it stopped, and trains nothing twice. Of architectures that are one function (``same``) one is
trained; all of them get a row, so that a search on the table meets the space as it is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright import strict_json
from netwright.architecture import Architecture
from netwright.arguments import whole
from netwright.bench.folders import SETTINGS, repeating
from netwright.errors import InfeasibleError, InputError
from netwright.evaluators.base import Candidate, OfData
from netwright.evaluators.tables import Table
from netwright.evaluators.tables.own import declared_space, writing
from netwright.evaluators.tables.rows import Rows, options_of
from netwright.progress import Watch
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.study import Study
from netwright.training.data import Data
from netwright.training.recipes import Recipe
from netwright.training.splits import Split
from netwright.trial import Proposal, Trial

LARGEST = 100_000
"""The most architectures that a table is made of."""
PARALLEL = 16
COUNTS = ("params", "macs")
COSTS = (*COUNTS, "latency_ms")
MEASURED = 3


def make_table(
    space: SearchSpace,
    data: Data,
    *,
    split: Split,
    epochs: Sequence[int],
    out: str | Path,
    seeds: int = 1,
    recipe: Recipe | None = None,
    test: Data | None = None,
    same: Callable[[Architecture], Hashable] | None = None,
    jobs: int = 1,
    limit: int | None = None,
    name: str | None = None,
    about: Mapping[str, str] | None = None,
    executor: Any = None,
    watch: Watch | None = None,
) -> Table:
    """Trains the architectures of ``space`` on ``split.train`` and writes their table to ``out`` (an ``.npz``).

    Each is trained ``seeds`` times for the last of ``epochs``, and scored on ``split.validation`` and on ``split.test``
    (or on ``test``, a set of its own) at every one of them: what a smaller number says is the same run, stopped on its
    way along the schedule. Columns: ``val_accuracy@E``, ``test_accuracy@E`` (R² for regression), ``train_loss@E`` and
    ``cost@E`` (seconds of processor time of the training alone), a number a seed; ``params``, ``macs`` and
    ``latency_ms``, measured one after another at the end on each row's own network. ``same`` gives equal keys to
    architectures that are one function. ``limit`` trains only so many functions, the first, to try it out.

    The studies stand in ``out`` with ``.making`` in place of ``.npz``; the same call goes on with them, also with more
    seeds, more ``jobs`` or another limit, and refuses other epochs, data or recipe, as it does a file ``out`` that is
    there without them. ``executor`` is that of the studies. An architecture whose every training failed has no row.
    """
    out = Path(out)
    epochs = _checked_epochs(epochs)
    whole("", seeds=seeds, jobs=jobs, limit=1 if limit is None else limit)
    if out.suffix != ".npz":
        raise InputError(f"a table is an .npz file, found {out.name!r}", hint=f"Call it {out.name}.npz")
    recipe = (recipe or usual_recipe(data)).replace(epochs=epochs[-1])
    evaluator = TrainingCurve(data, recipe, split=split, epochs=epochs, test=test)
    groups = functions(space, same)
    _refuse_conditions(space)
    folder = out.with_suffix(".making")
    with writing(folder):
        _same_making(folder, _settings(space, evaluator, len(groups)), out)
        evaluator = evaluator.kept_in(folder / "data")
    if limit is not None:
        groups = groups[:limit]
    first = tuple(group[0] for group in groups)
    rows = tuple(architecture for group in groups for architecture in group)
    with repeating(folder):
        runs = [_trained(space, first, evaluator, seed, folder, jobs, executor, watch) for seed in range(seeds)]
        costs = _measured(space, rows, data.input_shape, folder, executor, watch)
    table = _table(name or out.stem, space, groups, runs, costs, evaluator, dict(about or {}))
    table.save(out)
    return table


def usual_recipe(data: Data) -> Recipe:
    """How a table's networks are trained where nothing else is said: plainly, without augmentation."""
    if data.task == "regression":
        return Recipe.regression()
    if len(data.input_shape) == 3:
        return Recipe(batch_size=64, lr=0.1, schedule="cosine")
    return Recipe.tables()


def functions(
    space: SearchSpace, same: Callable[[Architecture], Hashable] | None = None
) -> list[tuple[Architecture, ...]]:
    """The architectures of a space in groups of equal ``same``, each as the space enumerates them."""
    if not space.size.exact or space.size > LARGEST:
        raise InputError(
            f"the space {space.name} has {space.size} architectures, a table at most {LARGEST:,}",
            hint="Fix some decisions or give ranges a step: space.fix(depth=2)",
        )
    groups: dict[Hashable, list[Architecture]] = {}
    for architecture in space.enumerate():
        groups.setdefault(architecture if same is None else same(architecture), []).append(architecture)
    return [tuple(group) for group in groups.values()]


@final
class TrainingCurve(OfData):
    """Trains a candidate once and scores it at several epochs of that training, on validation and on test.

    Answers with ``val_accuracy@E``, ``test_accuracy@E`` (``val_r2@E``, ``test_r2@E`` for regression), ``train_loss@E``
    and ``cost@E`` for each of ``epochs``. The cost is processor time without the scoring.
    """

    def __init__(
        self, data: Data, recipe: Recipe, *, split: Split, epochs: tuple[int, ...], test: Data | None = None
    ) -> None:
        for part in ("train", "validation", *(() if test is not None else ("test",))):
            if not len(getattr(split, part)):
                raise InputError(f"a table needs a {part} part, the split has none")
        if len(split) != len(data):
            raise InputError(f"the split is of {len(split)} examples, the data have {len(data)}")
        self.data, self.recipe, self.split, self.epochs, self.test = data, recipe, split, epochs, test
        self.score = "accuracy" if data.task == "classification" else "r2"

    def kept_in(self, folder: Path) -> TrainingCurve:
        """The same over data in files, which workers map into their memory."""
        data = Data.load(folder) if (folder / "data.json").exists() else self.data.save(folder)
        return TrainingCurve(data, self.recipe, split=self.split, epochs=self.epochs, test=self.test)

    def __call__(self, candidate: Candidate) -> dict[str, float]:
        from netwright.training.loop import fit

        network = candidate.network()
        X, y = _part(self.data, self.split.train)
        parts = {
            "val": _part(self.data, self.split.validation),
            "test": _part(self.data, self.split.test) if self.test is None else (self.test.X, self.test.y),
        }
        answer: dict[str, float] = {}
        scoring = 0.0
        began = time.process_time()

        def report(epoch: int, metrics: Mapping[str, float]) -> None:
            nonlocal scoring
            if epoch not in self.epochs:
                return
            now = time.process_time()
            answer[f"cost@{epoch}"] = now - began - scoring
            answer[f"train_loss@{epoch}"] = metrics["train_loss"]
            for part, (inputs, targets) in parts.items():
                answer[f"{part}_{self.score}@{epoch}"] = _score(network, inputs, targets, y)
            scoring += time.process_time() - now

        recipe = self.recipe.override(candidate.architecture)
        fit(
            network,
            X,
            y,
            recipe,
            epochs=self.epochs[-1],
            seed=candidate.seed,
            device=candidate.device,
            report=report,
            task=self.data.task,
        )
        return answer


@final
class _Costs:
    """Answers with the costs of a candidate alone: nothing is trained.

    Whatever else the machine does makes a latency longer, never shorter: it is the least of :data:`MEASURED` medians.
    """

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        self.input_shape = input_shape

    def __call__(self, candidate: Candidate) -> dict[str, float]:
        import torch

        from netwright.costs import Latency, measure

        network, example, latency = candidate.network(), torch.zeros(1, *self.input_shape), Latency(on="torch")
        counted = measure(candidate.space, candidate.architecture, self.input_shape, COUNTS)
        return {**counted, "latency_ms": min(latency(network, example) for _ in range(MEASURED))}


@final
class _Listed(Strategy):
    """Proposes the architectures of a list, in its order."""

    def __init__(self, architectures: Sequence[Architecture]) -> None:
        self._architectures = architectures
        self._next = 0

    def start(self, space: SearchSpace, objectives: Any) -> None:
        super().start(space, objectives)
        self._next = 0

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        if self._next == len(self._architectures):
            return None
        self._next += 1
        return Proposal(self._architectures[self._next - 1])

    def heirs(self) -> tuple[int, ...]:
        return ()


def _checked_epochs(epochs: Sequence[int]) -> tuple[int, ...]:
    if not epochs or any(isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 1 for epoch in epochs):
        raise InputError(f"epochs are whole numbers of at least 1, found {list(epochs)!r}")
    return tuple(sorted(set(epochs)))


def _refuse_conditions(space: SearchSpace) -> None:
    """What a table's file says of a space of one's own are its decisions, each of them always asked."""
    name = next((decision.name for decision in space.decisions if decision.conditional), None)
    if name is not None:
        raise InputError(
            f"a table's decisions are always asked, '{name}' of the space {space.name} is not",
            hint="Fix the decision that it depends on: space.fix(depth=2)",
        )


def _settings(space: SearchSpace, evaluator: TrainingCurve, count: int) -> dict[str, Any]:
    """What must be the same when a table is gone on with."""
    split, test = evaluator.split, evaluator.test
    return {
        "space": space.name,
        "decisions": space.signature,
        "functions": count,
        "data": evaluator.data.fingerprint,
        "test set": None if test is None else test.fingerprint,
        "split": [_digest(part) for part in (split.train, split.validation, split.test)],
        "epochs": list(evaluator.epochs),
        "recipe": evaluator.recipe.to_value(),
    }


def _digest(part: NDArray[np.int64]) -> str:
    return f"{len(part)} examples, {sha256(part.tobytes()).hexdigest()[:16]}"


def _same_making(folder: Path, settings: dict[str, Any], out: Path) -> None:
    """Notes what the table is made of, or refuses to go on with another one; names every difference."""
    file = folder / SETTINGS
    if not file.exists():
        if os.path.lexists(out):
            raise InputError(
                f"there is a file {out} already, which is not of this making", hint="Choose another --out or remove it"
            )
        folder.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".tmp")
        temporary.write_text(strict_json.dumps(settings), encoding="utf-8")
        temporary.replace(file)
        return
    stored = strict_json.loads(file.read_bytes(), what=str(file))
    stored = stored if isinstance(stored, dict) else {}
    odd = [key for key, value in strict_json.loads(strict_json.dumps(settings)).items() if stored.get(key) != value]
    if odd:
        short = ", ".join(f"{key} ({str(stored.get(key))[:40]}, now {str(settings[key])[:40]})" for key in odd)
        raise InputError(
            f"the table in {folder} was begun with another {short}", hint="Give the same, or write to another file"
        )


def _trained(
    space: SearchSpace,
    architectures: Sequence[Architecture],
    evaluator: TrainingCurve,
    seed: int,
    folder: Path,
    jobs: int,
    executor: Any,
    watch: Watch | None,
) -> Study:
    metric = f"val_{evaluator.score}@{evaluator.epochs[-1]}"
    study = Study(
        space,
        _Listed(architectures),
        evaluator,
        maximize=metric,
        store=folder / f"seed{seed}",
        seed=seed,
        parallel=PARALLEL,
        inherit=False,
        executor=executor,
    )
    return study.run(max_trials=len(architectures), n_jobs=jobs, watch=watch)


def _measured(
    space: SearchSpace,
    architectures: Sequence[Architecture],
    input_shape: tuple[int, ...],
    folder: Path,
    executor: Any,
    watch: Watch | None,
) -> Study:
    """The costs, in one worker while nothing else of this table runs."""
    study = Study(
        space,
        _Listed(architectures),
        _Costs(input_shape),
        minimize="params",
        store=folder / "costs",
        parallel=1,
        inherit=False,
        executor=executor,
    )
    return study.run(max_trials=len(architectures), watch=watch)


def _table(
    name: str,
    space: SearchSpace,
    groups: Sequence[Sequence[Architecture]],
    runs: Sequence[Study],
    costs: Study,
    evaluator: TrainingCurve,
    about: dict[str, str],
) -> Table:
    score, epochs = evaluator.score, evaluator.epochs
    words = (f"val_{score}", f"test_{score}", "train_loss", "cost")
    metrics = [f"{word}@{epoch}" for word in words for epoch in epochs]
    trials = [study.trials[: len(groups)] for study in runs]
    numbers = {metric: _numbers(trials, metric) for metric in metrics}
    sound = np.isfinite(numbers[metrics[0]]).any(1)
    measured = costs.trials
    there = np.repeat(sound, [len(group) for group in groups])
    there &= np.array([trial.scored for trial in measured[: len(there)]])
    if not there.any():
        raise InfeasibleError("every training of this table failed", hint="See the errors of its studies")
    of_row = np.repeat(np.arange(len(groups)), [len(group) for group in groups])[there]
    columns: dict[str, NDArray[Any]] = {
        metric: _rounded(values) if metric.startswith(("train_loss", "cost")) else values.astype(np.float32)
        for metric, values in ((metric, every[of_row]) for metric, every in numbers.items())
    }
    for cost in COSTS:
        values = np.array([trial.metrics.get(cost, np.nan) for trial in measured[: len(there)]])[there]
        columns[cost] = _rounded(values) if cost == "latency_ms" else values
    rows = [architecture for group in groups for architecture in group]
    choices = _choices(space, [row for row, kept in zip(rows, there, strict=True) if kept])
    if not there.all() or sum(map(len, groups)) != space.size:
        # The space has architectures that the table has not, and its strategies must know.
        options = options_of(space.decisions)
        space = declared_space(options, Rows(options, choices))
    split, recipe = evaluator.split, evaluator.recipe
    tested = len(split.test) if evaluator.test is None else len(evaluator.test)
    about |= {
        "training": f"{len(split.train)} examples, {recipe.optimizer}, learning rate {recipe.lr:g}, {recipe.schedule}, "
        f"batch {recipe.batch_size}, {epochs[-1]} epoch{'s' * (epochs[-1] > 1)}; "
        "smaller fidelities are stops of the same run",
        "scores": f"fractions, on {len(split.validation)} (val) and {tested} (test) examples",
        "seeds": str(len(runs)),
        "functions": f"{int(sound.sum())} trained, {int((~sound).sum())} failed; equal ones share their numbers",
        "seconds": f"{sum(trial.seconds for seed in trials for trial in seed):.0f} of trials, all seeds together",
    }
    return Table(name, space, choices, columns, about=about)


def _numbers(trials: Sequence[Sequence[Trial]], metric: str) -> NDArray[np.float64]:
    """(functions, seeds): NaN where a training failed."""
    return np.array([[trial.metrics.get(metric, np.nan) for trial in seed] for seed in trials]).T


def _choices(space: SearchSpace, architectures: Sequence[Architecture]) -> NDArray[np.int64]:
    """(N, D): the position of each answer among the options of its decision, −1 where it is not asked."""
    return np.array(
        [
            [-1 if decision.name not in row else decision.position(row[decision.name]) for decision in space.decisions]
            for row in architectures
        ]
    )


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """To eleven bits, which is more than such a measurement is worth and compresses well."""
    return values.astype(np.float16).astype(np.float32)


def _part(data: Data, indices: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.asarray(data.X[indices]), np.asarray(data.y[indices])


def _score(network: Any, X: NDArray[Any], y: NDArray[Any], y_train: NDArray[Any]) -> float:
    """The accuracy, or R²; the network of a regression answers in units of the training targets' spread."""
    from netwright.training.loop import predict

    outputs = predict(network, X)
    if np.issubdtype(y.dtype, np.integer):
        return float((outputs.argmax(1) == y).mean())
    from sklearn.metrics import r2_score

    spread = y_train.std(0)
    outputs = outputs.reshape(y.shape) * np.where(spread > 0, spread, 1.0) + y_train.mean(0)
    return float(r2_score(y, outputs))
