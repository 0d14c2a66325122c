"""What ``transfer.py`` and ``make_portfolio.py`` share: data sets, searches on them, and scores that are kept on disk.

A score is that of an architecture, on a data set, with a seed: whichever search asks for it, and as its trial of
whatever number, it is the same, and it is trained for once. So a search that begins from what others found is compared
with one from nothing by what it tries, and not by the luck of a training.

Sets of tables and images come with scikit-learn and with Debian's package ``dataset-fashion-mnist``; others are read
from a folder (``--data``, or $NETWRIGHT_DATA): ``tabular/*.csv.gz`` (see ``tables.py``),
``text_classification/sentences.tsv.gz`` (see ``text.py``), ``time_series/*.npz`` (see ``series.py``) and
``time_series/univariate/*.csv`` (see ``forecast.py``; the others are of the packages aeon and sktime),
``fsdd/fsdd.npz`` (spoken digits, see ``examples/audio.py``: each speaker is a set). Of each at most so many rows are
taken (``--rows``), drawn once; of a series to forecast so many steps. None are rows that ``tables.py`` and ``text.py``
test on with the seed 0, of the test part of series, images or sounds, or of the last fifth of a series to forecast:
starts that were chosen on them would be no news there. Of kinds that a search
sets no limit on MACs for, tables apart, architectures with more than half of the space have are left out: the largest
make the most of a few epochs, and cost every user's search the most.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import netwright as nw
from netwright.architecture import Architecture
from netwright.costs import COSTS
from netwright.errors import NetwrightError
from netwright.evaluators.base import Candidate
from netwright.space import SearchSpace
from netwright.strategies import Auto
from netwright.study.candidates import measure_costs, seeded
from netwright.tasks import audio, forecast
from netwright.tasks.kinds import KINDS
from netwright.tasks.readers import Loaded, from_arrays, read
from netwright.tasks.spaces import find_space, fitting
from netwright.training.goals import read_goal
from netwright.training.loop import predict, standardisation
from netwright.zoo import SPACES
from netwright.zoo.baselines import baseline

SETS = {
    "tables": (
        "iris", "wine", "breast_cancer", "digits", "diabetes", "spambase", "adult", "california_housing", "satellite",
        "letters", "dna", "vowel", "vehicle", "boston_housing", "household_income",
    ),
    "text": ("MR", "TREC", "SST2"),
    "series": (
        "GunPoint", "ItalyPowerDemand", "BasicMotions", "JapaneseVowels", "ArrowHead", "OSULeaf", "ACSF1",
        "PickupGestureWiimoteZ",
    ),
    "images": ("digits", "coloured digits", "fashion-mnist"),
    "audio": ("george", "jackson", "lucas", "nicolas", "theo", "yweweler"),
    "forecast": ("airline", "lynx", "bus", "rail", "shampoo", "scripts", "consumption", "seatbelts"),
}  # fmt: skip
FORECASTS = {
    "airline": ("univariate/Airline.csv", "Passengers", 12),
    "lynx": ("univariate/Lynx.csv", "0", 10),
    "bus": ("cta_ridership_daily.csv.gz", "bus", 14),
    "rail": ("cta_ridership_daily.csv.gz", "rail_boardings", 14),
    "shampoo": ("univariate/ShampooSales.csv", "Sales", 3),
    "scripts": ("univariate/PBS_dataset.csv", "Scripts", 12),
    "consumption": ("univariate/Uschange.csv", "Consumption", 4),
    "seatbelts": ("univariate/seatbelts.csv", "KSI", 12),
}
"""A file, its column, and how many steps ahead."""
Found = list[tuple[Architecture, float]]


@dataclass(frozen=True)
class Scores:
    """The evaluator of a set: each architecture trained once with ``seed``, its loss kept in a file of ``folder``."""

    train: nw.evaluators.Train
    space: SearchSpace
    seed: int
    folder: Path
    inherits = False
    costs = ("params", "macs")

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.train.data.input_shape

    @property
    def fingerprint(self) -> str:
        """Whatever a score depends on but the architecture."""
        recipe, split = self.train.recipe, self.train.split
        rows = hashlib.sha256(np.concatenate([split.train, split.validation]).tobytes()).hexdigest()
        facts = [self.train.data.fingerprint, rows, self.space.signature, repr(recipe), self.seed]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def file(self, architecture: Architecture) -> Path:
        """Where its score is kept."""
        digest = hashlib.sha256(architecture.to_json().encode()).hexdigest()
        return self.folder / self.fingerprint[:16] / f"{digest}.json"

    def __call__(self, candidate: Candidate) -> Mapping[str, float]:
        file = self.file(candidate.architecture)
        if file.is_file():
            kept: dict[str, float] = json.loads(file.read_text("utf-8"))
            return kept
        weights: dict[str, Any] = {}
        once = replace(candidate, seed=self.seed, heritage=None, on_keep=weights.update)
        with seeded(self.seed):
            metrics = dict(self.train(once))
        metrics["judged_loss"] = self.judged(once, weights)
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(metrics), "utf-8")
        temporary.replace(file)
        return metrics

    def judged(self, candidate: Candidate, weights: Mapping[str, Any]) -> float:
        """The loss of a trained network on the rows that neither its training nor its score saw."""
        data, split = self.train.data, self.train.split
        goal = read_goal(data.task)
        network = candidate.network()
        network.load_state_dict(weights)
        rows = np.sort(np.concatenate([split.selection, split.test]))
        center, scale = standardisation(goal, np.asarray(data.y[split.train]))
        outputs, targets = predict(network, np.asarray(data.X[rows])), np.asarray(data.y[rows])
        tensors = map(torch.from_numpy, (outputs, targets, center, scale))
        return goal.scores(*tensors)["val_loss"]


@dataclass(frozen=True)
class Task:
    """A data set, split, with the space that a search of its kind has, and how networks are trained on it.

    ``by_hand`` are the starts of the space that were chosen by hand; ``limits`` those that a search has by default;
    ``seed`` is that of every training.
    """

    name: str
    kind: str
    space_name: str
    space: SearchSpace
    by_hand: tuple[Mapping[str, Any], ...]
    train: nw.evaluators.Train
    limits: Mapping[str, float]
    seed: int
    cache: Path

    def search(self, trials: int, seed: int, store: Path | None = None, **known: Any) -> Found:
        """The architectures of a search by ``auto`` in their order, each with its score: minus its validation loss.

        By the loss, since a tenth of a small set tells more of it than the number of right answers does. What failed
        has the lowest score. With ``store`` the search is a study on disk, which goes on where it ended.
        """
        scores = Scores(self.train, self.space, self.seed, self.cache)
        options: dict[str, Any] = {"seed": seed, "parallel": 1, "executor": "in_process", "store": store}
        study = nw.Study(self.space, Auto(**known), scores, minimize="val_loss", constraints=self.limits, **options)
        study.run(max_trials=trials, n_jobs=1)
        return [(trial.architecture, -trial.metrics.get("val_loss", np.inf)) for trial in study.trials]

    def score(self, architecture: Architecture, metric: str = "val_loss") -> float:
        """Minus a loss of one architecture; the lowest for what breaks a limit or cannot be trained."""
        if not within(self.limits, self.space, self.train.data.input_shape, architecture):
            return -np.inf
        try:
            return -Scores(self.train, self.space, self.seed, self.cache)(Candidate(architecture, self.space))[metric]
        except (NetwrightError, RuntimeError, ValueError) as error:
            print(f"{self.name}: {architecture} cannot be trained: {error}")
            return -np.inf

    def course(self, found: Found) -> np.ndarray:
        """After each trial the loss of the best network so far on rows that no trial saw; infinite where none is."""
        scores, best, course = Scores(self.train, self.space, self.seed, self.cache), -np.inf, [np.inf]
        for architecture, score in found:
            better = score > best
            best = max(best, score)
            kept = scores(Candidate(architecture, self.space))["judged_loss"] if better else course[-1]
            course.append(kept)
        return np.array(course[1:])

    def start(self, answers: Mapping[str, Any], seed: int = 0) -> Architecture | None:
        """An architecture of this space with those of the answers that it has; None where a search would take none."""
        own = fitting(answers, self.space)
        return self.space.complete(own, np.random.default_rng(seed)) if own else None


def within(limits: Mapping[str, float], space: SearchSpace, shape: tuple[int, ...], architecture: Architecture) -> bool:
    """Whether an architecture keeps the limits."""
    costs = measure_costs(space, shape, tuple(limits), architecture) if limits else {}
    return all(costs[name] <= limit for name, limit in limits.items())


def usual_macs(space: SearchSpace, shape: tuple[int, ...], count: int = 64) -> float:
    """The median of the MACs of architectures drawn at random."""
    rng = np.random.default_rng(0)
    drawn = [measure_costs(space, shape, ("macs",), space.sample(rng))["macs"] for _ in range(count)]
    return float(np.median(drawn))


def tasks_of(names: Sequence[str], kind: str, options: argparse.Namespace) -> list[Task]:
    """The data sets of a kind that are there, each split by the seed 0."""
    return [task for name in names for task in _task(name, kind, options)]


def _task(name: str, kind: str, options: argparse.Namespace) -> Iterator[Task]:
    try:
        loaded = load(name, kind, options.data, options.rows)
    except FileNotFoundError as error:
        print(f"{name}: left out, {error.filename} is not there")
        return
    parts = loaded.split(0)
    loaded = loaded.learned_on(parts.development)
    data = loaded.data
    found = find_space(None, kind=kind, input_shape=data.input_shape, outputs=data.outputs, facts=data.facts)
    rival = KINDS[kind].baseline or ("digits" if min(data.input_shape[1:]) <= 12 else "images")
    recipe = nw.training.Recipe(**{**dict(baseline(rival).recipe), "epochs": options.epochs})
    if data.task == "regression":
        recipe = recipe.replace(label_smoothing=0.0)
    limits = {}
    if kind == "images":
        with torch.device("meta"):
            network = baseline(rival).build(data.input_shape, data.outputs, data.facts)
            limits = {"macs": float(COSTS["macs"](network, torch.zeros(1, *data.input_shape)) // 2)}
    elif kind != "tables":
        limits = {"macs": usual_macs(found.space, data.input_shape)}
    train = nw.evaluators.Train(data, recipe, split=parts)
    entry = SPACES[str(found.origin["name"])]
    by_hand = tuple(
        answers
        for each in entry.starts
        if (answers := found.space.answers_of(each))
        and within(limits, found.space, data.input_shape, found.space.complete(answers, np.random.default_rng(0)))
    )
    space_name = str(found.origin["name"])
    yield Task(name, kind, space_name, found.space, by_hand, train, limits, options.seed, options.cache)


def load(name: str, kind: str, folder: Path, most: int) -> Loaded:
    """The rows of a set, at most so many, drawn once; FileNotFoundError where its file is not there."""
    if kind == "tables":
        from sklearn.model_selection import train_test_split

        from tables import NUMBERS, rows

        X, y = rows(name, folder / "tabular")
        X, _, y, _ = train_test_split(X, y, test_size=0.25, random_state=0, stratify=None if name in NUMBERS else y)
        y, task = np.asarray(y), "tables"
    elif kind == "text":
        from text import read as read_texts
        from text import test_rows

        X, y, parts = read_texts(folder / "text_classification" / "sentences.tsv.gz")[name]
        kept = ~test_rows(parts, 0)
        X, y, task = X[kept], y[kept], "text-classification"
    elif kind == "series":
        with np.load(folder / "time_series" / f"{name}.npz") as arrays:
            X, y = arrays["X_train"], arrays["y_train"]
        task = "series-classification"
    elif kind == "audio":
        with np.load(folder / "fsdd" / "fsdd.npz") as arrays:
            sound, offsets, label, test = (arrays[each] for each in ("audio", "offsets", "label", "is_test"))
            own = (arrays["speaker"] == arrays["speakers"].astype(str).tolist().index(name)) & ~test
        own = np.random.default_rng(0).permutation(np.flatnonzero(own))[:most]
        X = audio.take([sound[offsets[row] : offsets[row + 1]] for row in own], rate=8000)
        y, task = label[own], "audio-classification"
    elif kind == "forecast":
        import pandas

        file, target, horizon = FORECASTS[name]
        frame = pandas.read_csv(folder / "time_series" / file)[[target]]
        cut = forecast.windows(frame[: 4 * len(frame) // 5].tail(most), target=target, horizon=horizon)
        return from_arrays(cut, None, task="forecast", name=name)
    elif name == "coloured digits":
        loaded = read("digits")
        X, y = coloured(np.asarray(loaded.raw.X)), np.asarray(loaded.raw.y)
        task = "image-classification"
    else:
        loaded = read(name)
        X, y, task = loaded.raw.X, np.asarray(loaded.raw.y), "image-classification"
    if len(y) > most:
        chosen = np.sort(np.random.default_rng(0).permutation(len(y))[:most])
        X, y = (X.iloc[chosen] if hasattr(X, "iloc") else X[chosen]), y[chosen]
    return from_arrays(X, y, task=task, name=name)


def coloured(images: np.ndarray) -> np.ndarray:
    """Pictures (N, 1, 8, 8) of two colours each, four times as large: (N, 3, 32, 32)."""
    rng = np.random.default_rng(0)
    masks = np.kron(images / images.max(), np.ones((1, 1, 4, 4)))
    ink, paper = rng.uniform(0, 1, (2, len(images), 3, 1, 1))
    return (masks * ink + (1 - masks) * paper).astype(np.float32)


def best_of(found: Found, count: int) -> list[Architecture]:
    """The best different architectures of a search."""
    ordered = sorted((pair for pair in found if np.isfinite(pair[1])), key=lambda pair: -pair[1])
    return list(dict.fromkeys(architecture for architecture, _ in ordered))[:count]


def matrix(tasks: Sequence[Task], candidates: Sequence[Mapping[str, Any]], metric: str = "val_loss") -> np.ndarray:
    """The score of each candidate on each data set; what a set cannot train is as bad there as the worst."""
    rows = []
    for task in tasks:
        starts = [task.start(candidate) for candidate in candidates]
        row = np.array([-np.inf if start is None else task.score(start, metric) for start in starts])
        if not np.isfinite(row).any():
            raise SystemExit(f"{task.name}: none of the candidates can be trained on it")
        rows.append(np.where(np.isfinite(row), row, row[np.isfinite(row)].min()))
    return np.stack(rows)


def needed(course: np.ndarray, loss: float) -> int:
    """After how many trials a loss is as low as that; one more than there are if never."""
    return next((place for place, each in enumerate(course, 1) if each <= loss), len(course) + 1)


def print_ratios(ratios: Mapping[str, Sequence[float]]) -> None:
    """For each way to begin the ratios of the sets, their median, and how many are at half or less."""
    print()
    for arm, some in ratios.items():
        if some:
            print(
                f"{arm:10} median of {len(some)} sets {np.median(some):.2f} of the trials, half or less on "
                f"{sum(ratio <= 0.5 for ratio in some)}; " + ", ".join(f"{ratio:.2f}" for ratio in some)
            )


def arguments(document: str | None) -> argparse.ArgumentParser:
    """What both programs are told."""
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default="tables", help=f"of {', '.join(SETS)}")
    parser.add_argument("--sets", default="", help="those of the kinds' sets that are meant; all by default")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("NETWRIGHT_DATA", ".")))
    parser.add_argument("--rows", type=int, default=2000, help="of each set at most")
    parser.add_argument("--trials", type=int, default=24, help="of each search")
    parser.add_argument("--epochs", type=int, default=10, help="of each training")
    parser.add_argument("--candidates", type=int, default=3, help="the best so many of each search may become starts")
    parser.add_argument("--most", type=int, default=4, help="starts of a space at most")
    parser.add_argument("--seed", type=int, default=0, help="of every training")
    return parser


def chosen(options: argparse.Namespace) -> Iterator[tuple[str, list[Task]]]:
    """Each kind that is meant with its sets; SystemExit for a name that is none."""
    wanted = [name for name in options.sets.split(",") if name]
    kinds = options.kinds.split(",")
    unknown = [kind for kind in kinds if kind not in SETS]
    unknown += [name for name in wanted if not any(name in SETS[kind] for kind in kinds if kind in SETS)]
    if unknown:
        raise SystemExit(f"'{unknown[0]}' is neither a kind ({', '.join(SETS)}) nor a set of {options.kinds}")
    torch.set_num_threads(1)
    for kind in kinds:
        yield kind, tasks_of([name for name in SETS[kind] if not wanted or name in wanted], kind, options)
