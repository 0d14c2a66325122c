"""Data sets from names, files, folders and arrays, checked before anything is trained.

===================== ============================================================================================
bundled               ``digits``, ``breast_cancer``, ``diabetes``, ``iris``, ``wine``, ``fashion-mnist``
``.npz``              arrays ``X``, ``y`` (or ``X_train``, ``y_train``) and perhaps ``X_test``, ``y_test``; nothing is
                      ever unpickled
IDX                   a folder with ``train-images-idx3-ubyte[.gz]`` …, or the file of images with its labels beside it
folder                one sub-folder of images a class; or ``train`` and ``test`` with such sub-folders each
``.csv``, ``.tsv``    a header line; the target is named; packed by gzip, too (``.csv.gz``)
``.parquet``          the same, by pandas and pyarrow
===================== ============================================================================================
"""

from __future__ import annotations

import inspect
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from netwright.errors import DataError, InputError, nearest, sentence
from netwright.tasks import images, tables
from netwright.tasks.checks import as_array, check_memory, collected, is_frame, one_line, shorten
from netwright.tasks.idx import find_pair, is_idx, labels_beside, read_idx
from netwright.tasks.kinds import KINDS, Source, kind_of
from netwright.tasks.labels import FEW, Goal, Labels, code, plain_numbers, read_labels
from netwright.tasks.preprocessing import Raw, apply, fit_preprocessing, to_data
from netwright.tasks.tables import Table

if TYPE_CHECKING:
    from netwright.training.data import Data
    from netwright.training.splits import Split

MIN_ROWS = 8
"""With fewer rows there is nothing to search, select and test on."""

_WORDS = (("image", "images"), ("table", "tables"), ("series", "series"), ("text", "text"), ("audio", "audio"))
_GOALS: tuple[tuple[str, Goal], ...] = (
    ("classification", "classification"), ("regression", "regression"), ("multilabel", "labels"),
)  # fmt: skip

TASKS: dict[str, tuple[str | None, Goal | None]] = {
    "auto": (None, None),
    **{word: (None, goal) for word, goal in _GOALS},
    **{kind: (kind, None) for _, kind in _WORDS},
    "language": ("language", None),
    "forecast": ("forecast", None),
    "several": ("several", None),
    **{f"{word}-{suffix}": (kind, goal) for word, kind in _WORDS for suffix, goal in _GOALS},
}
"""What a task fixes: the kind of the data and what is predicted; None where the data decide."""

BUNDLED = ("digits", "breast_cancer", "diabetes", "iris", "wine", "fashion-mnist")

TABLES = (".csv", ".tsv", ".parquet", ".pq")
"""How the name of a file with a table ends."""

SUPPORTED = (
    f"{', '.join(TABLES[:3])} (or .csv.gz), .npz, IDX files (train-images-idx3-ubyte.gz),"
    " or a folder with one sub-folder of images a class"
)

NO_TASK = "Leave --task out (task='auto' in Python)"
OTHER_NAMES = {"X": ("X_train", "x", "x_train"), "y": ("y_train",), "X_test": ("x_test",)}
"""What the arrays of an archive are called, too."""

_UNREADABLE = (zipfile.BadZipFile, EOFError, ValueError, zlib.error)


@dataclass(frozen=True)
class Loaded:
    """A data set as it was read, and what a network takes of it.

    ``raw`` and ``raw_test`` (None when the source has no test part of its own) are rows as they stand in the source,
    checked. ``data``, ``test`` and ``preprocessing`` follow from constants that are learned on all rows of ``raw``;
    where a part of ``raw`` is held out, take them of :meth:`learned_on`, so that nothing of that part leaks.
    ``flip`` says whether mirror images are natural; ``notes`` what was mended or left out in reading.
    """

    raw: Raw
    name: str
    raw_test: Raw | None = None
    flip: bool = False
    target: str | None = None
    rows: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def learned_on(self, rows: np.ndarray) -> Loaded:
        """The same data set with the constants learned on these rows of ``raw`` alone."""
        return replace(self, rows=np.asarray(rows))

    @property
    def kind(self) -> str:
        return self.raw.kind

    @property
    def task(self) -> str:
        """What is predicted: one of :data:`netwright.training.goals.GOALS`."""
        return self.raw.labels.task

    @property
    def labels(self) -> np.ndarray | None:
        """The classes as they were given, in the order of the codes; None for regression."""
        return self.raw.labels.classes

    def split(self, seed: int, **fractions: float) -> Split:
        """The split of ``raw``; without a test part where the source has one of its own."""
        from netwright.training.splits import split

        own_test = self.raw_test is not None
        special = KINDS[self.kind].maybe("split")
        if special is not None:
            made: Split = special(self.raw.X, seed, own_test)
            return made
        if own_test:
            fractions = {**fractions, "test": 0.0}
        return split(self.raw.y, seed, stratify=self.task == "classification", **fractions)

    @cached_property
    def preprocessing(self) -> dict[str, Any]:
        """The constants, a JSON object: see :func:`~netwright.tasks.preprocessing.fit_preprocessing`."""
        return fit_preprocessing(self.raw, self.rows, target=self.target)

    @cached_property
    def data(self) -> Data:
        """All rows of ``raw`` as a network takes them."""
        return to_data(self.preprocessing, self.raw)

    @cached_property
    def test(self) -> Data | None:
        """The test part of the source as a network takes it."""
        return None if self.raw_test is None else to_data(self.preprocessing, self.raw_test)


def read(
    source: str | os.PathLike[str],
    *,
    target: str | None = None,
    task: str = "auto",
    options: Mapping[str, Any] | None = None,
) -> Loaded:
    """The data set that ``source`` names: a bundled one, a file or a folder (``./digits`` is a folder).

    ``target`` is the column to predict, of a table in a file. ``task`` is one of ``TASKS``; ``auto`` reads it off the
    data. ``options`` are those of the kind's own reading, such as the ``horizon`` of a forecast.

    Raises InputError or DataError with one line that says what is wrong, where, and what to do.
    """
    kind, goal = parse_task(task)
    text = os.fspath(source)
    if not text:
        raise InputError("no data named", hint=f"Give one of {', '.join(BUNDLED)}, or {SUPPORTED}")
    if (bundled := _bundled(text)) is not None:
        _no_target(target, text)
        _no_options(options, kind)
        return bundled(kind, goal)
    path = Path(text)
    try:
        return _read_path(path, target, kind, goal, options or {})
    except OSError as error:
        raise DataError(f"cannot read {error.filename or path}: {error.strerror or one_line(error)}") from None


def from_arrays(
    X: Any,
    y: Any,
    *,
    X_test: Any = None,
    y_test: Any = None,
    task: str = "auto",
    name: str = "data",
    flip: bool | None = None,
    target: str | None = None,
    weights: Any = None,
) -> Loaded:
    """A data set of arrays, lists, torch tensors, or a data frame and its target.

    (N, H, W), (N, C, H, W) and (N, H, W, C) are images, (N, F) is a table; rows of pixels are images when ``task``
    says so, and arrays are of other kinds when it does. Missing values are allowed in data frames alone. ``flip``
    None: colour images may be mirrored. ``weights`` (N,) say how much a row counts in training.
    """
    kind, goal = parse_task(task)
    X, y, X_test, y_test = map(collected, (X, y, X_test, y_test))
    return _from_arrays(X, y, X_test, y_test, kind, goal, name=name, flip=flip, target=target, weights=weights)


def read_new(source: str | os.PathLike[str], preprocessing: dict[str, Any]) -> np.ndarray:
    """Rows to predict, as inputs of a network with these constants: float32. Labels, where there are any, are not read.

    Of a source with a test part, that part; of a folder, its images by name (those of sub-folders by sub-folder); of a
    table the columns that the network knows, other columns are passed over.
    """
    text = os.fspath(source)
    if not text:
        raise InputError("no data named", hint=f"Give one of {', '.join(BUNDLED)}, or {SUPPORTED}")
    if (bundled := _bundled(text)) is not None:
        loaded = bundled(None, None)
        X: Any = (loaded.raw_test or loaded.raw).X
    else:
        path = Path(text)
        own = KINDS[preprocessing["kind"]].maybe("read_new")
        try:
            if own is not None:
                _check_exists(path)
                return apply(preprocessing, own(path, preprocessing), text)
            X = _read_inputs(path, preprocessing)
        except OSError as error:
            raise DataError(f"cannot read {error.filename or path}: {error.strerror or one_line(error)}") from None
    if isinstance(X, Table) != (preprocessing["kind"] == "tables") and (isinstance(X, Table) or X.ndim > 2):
        found = "a table" if isinstance(X, Table) else "images"
        raise DataError(f"{text} holds {found}, the network was trained on {preprocessing['kind']}")
    return apply(preprocessing, X, text)


def parse_task(task: str) -> tuple[str | None, Goal | None]:
    """What a name of ``TASKS`` fixes: the kind of data and what is predicted, None where the data decide."""
    if task not in TASKS:
        raise InputError(f"unknown task {shorten(task)}", hint=sentence(nearest(str(task), TASKS)))
    return TASKS[task]


def _from_arrays(
    X: Any,
    y: Any,
    X_test: Any,
    y_test: Any,
    kind: str | None,
    goal: Goal | None,
    *,
    name: str,
    flip: bool | None = None,
    target: str | None = None,
    names: tuple[str, str, str, str] = ("X", "y", "X_test", "y_test"),
    weights: Any = None,
) -> Loaded:
    inputs = KINDS[kind or _kind_of_rows(X)].take(X, names[0])
    known = KINDS[kind_of(inputs)]
    count = len(inputs)
    if count < MIN_ROWS:
        shape = getattr(inputs, "shape", (count,))
        raise DataError(f"{names[0]} has {count} sample(s) (shape={shape}) while a minimum of {MIN_ROWS} is required.")
    if known.goal is not None:
        raw = Raw(inputs, Labels(np.zeros(count), None, known.goal))
        return Loaded(raw, name, None, False, target)
    few = None if known.name == "images" else FEW
    y, note = plain_numbers(y, goal, names[1], known.name)
    labels = read_labels(y, rows=count, goal=goal, few=few, name=names[1], X=names[0], weights=weights, kind=known.name)
    raw = Raw(inputs, labels)
    raw_test = None
    if (X_test is None) != (y_test is None):
        absent = names[2] if X_test is None else names[3]
        raise DataError(
            f"{absent} is missing beside {names[3] if X_test is None else names[2]}", hint="Give both or none"
        )
    if X_test is not None:
        raw_test = _test_part(X_test, y_test, raw, names)
    if flip is None:
        flip = known.name == "images" and inputs.shape[1] == 3
    tell = known.maybe("remarks")
    classes = None if labels.classes is None else len(labels.classes)
    remarks = [] if tell is None else tell(inputs, labels.y, classes)
    return Loaded(raw, name, raw_test, flip, target, notes=(*([] if note is None else [note]), *remarks))


def _kind_of_rows(X: Any) -> str:
    """What rows are taken for where no task says it: arrays of more than two dimensions are images, others a table."""
    if isinstance(X, Mapping):
        return "several"
    if kind_of(X) != "images":
        return kind_of(X)
    if is_frame(X):
        return "tables"
    array = as_array(X)
    if array.ndim == 1 and len(array) and all(isinstance(value, str) for value in array.tolist()):
        return "text"
    return "images" if array.ndim > 2 else "tables"


def _test_part(X_test: Any, y_test: Any, raw: Raw, names: tuple[str, str, str, str]) -> Raw:
    inputs = KINDS[raw.kind].take(X_test, names[2])
    if not len(inputs):
        raise DataError(f"{names[2]} has 0 sample(s)", hint="Leave it out, and a part of the data is held out instead")
    if isinstance(inputs, Table) and isinstance(raw.X, Table):
        same = sorted(inputs.names) == sorted(raw.X.names)
    else:
        same = raw.kind != "images" or inputs.shape[1:] == raw.X.shape[1:]
    if not same:
        part = f"{names[2]} (eval_set of an estimator)" if names[2] == "X_test" else names[2]
        odd = ""
        if isinstance(inputs, Table) and isinstance(raw.X, Table):
            odd = f": {_odd_columns(inputs.names, raw.X.names)}"
        raise DataError(
            f"{part} of shape {inputs.shape} does not fit {names[0]} of shape {raw.X.shape}{odd}",
            hint=f"Give both the same {'columns' if odd else 'shape'}",
        )
    y = code(y_test, raw.labels, rows=len(inputs), name=names[3], X=names[2])
    if raw.labels.parts:
        parts = tuple((key, replace(each, y=y[:, place])) for place, (key, each) in enumerate(raw.labels.parts))
        return Raw(inputs, Labels(y, None, raw.labels.goal, parts=parts))
    return Raw(inputs, Labels(y, raw.labels.classes, raw.labels.goal))


def _odd_columns(names: Sequence[str], expected: Sequence[str]) -> str:
    """In what the columns of a part differ from those of the training part."""
    said = []
    for which, some in (
        ("missing", [name for name in expected if name not in names]),
        ("new", [name for name in names if name not in expected]),
    ):
        if some:
            shown = ", ".join(map(shorten, some[:5])) + (", …" if len(some) > 5 else "")
            said.append(f"{which} {'is' if len(some) == 1 else 'are'} {shown}")
    return "; ".join(said)


def _bundled(name: str) -> Callable[[str | None, Goal | None], Loaded] | None:
    plain = name.lower()
    if plain in ("fashion-mnist", "fashion_mnist"):
        return _fashion_mnist
    if plain == "digits":
        return _digits
    table = plain.replace("-", "_")
    if table in BUNDLED:
        return lambda kind, goal: _bundled_table(table, kind, goal)
    return None


def _digits(kind: str | None, goal: Goal | None) -> Loaded:
    """1,797 digits of 8×8 pixels from 0 to 16, as scikit-learn gives them."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    X = bunch.images.astype(np.float32)
    return _from_arrays(X, bunch.target, None, None, kind, goal, name="digits", flip=False)


def _bundled_table(name: str, kind: str | None, goal: Goal | None) -> Loaded:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    y = np.asarray(bunch.target_names)[bunch.target].astype(str) if "target_names" in bunch else bunch.target
    if kind == "images":
        raise DataError(f"{name} is a table, not images", hint=NO_TASK)
    X = bunch.data
    table = Table(X, tuple(str(column) for column in bunch.feature_names))
    if goal is None and name == "diabetes":
        goal = "regression"
    return _from_arrays(table, y, None, None, kind, goal, name=name)


def _fashion_mnist(kind: str | None, goal: Goal | None) -> Loaded:
    places = [Path("/usr/share/datasets/fashion-mnist")]
    if os.environ.get("NETWRIGHT_DATA"):
        places.insert(0, Path(os.environ["NETWRIGHT_DATA"]) / "fashion-mnist")
    for folder in places:
        if folder.is_dir() and find_pair(folder, "train"):
            return _read_idx_folder(folder, kind, goal, name="fashion-mnist")
    raise InputError(
        f"fashion-mnist is not on this machine (looked in {', '.join(map(str, places))})",
        hint="Install Debian's package dataset-fashion-mnist, or put its IDX files into $NETWRIGHT_DATA/fashion-mnist",
    )


def _read_path(
    path: Path, target: str | None, kind: str | None, goal: Goal | None, options: Mapping[str, Any]
) -> Loaded:
    _check_exists(path)
    name = path.resolve().name
    if kind is None and path.suffix.lower() == ".txt" and path.is_file():
        kind = "language"
    own = None if kind is None else KINDS[kind].maybe("read")
    if own is not None:
        try:
            inspect.signature(own).bind(path, target, **options)
        except TypeError:
            known = list(inspect.signature(own).parameters)[2:]
            _no_options({key: value for key, value in options.items() if key not in known}, kind, known)
        source: Source = own(path, target, **options)
        return _from_arrays(
            source.X, source.y, source.X_test, source.y_test, kind, goal, name=path.stem, target=target,
            names=(str(path), f"the target {shorten(target)}" if target else "y", "the test part", "its target"),
        )  # fmt: skip
    if path.is_dir() and not find_pair(path, "train"):
        _no_target(target, path)
        _no_tables(kind, path)
        _no_options({key: value for key, value in options.items() if key != "skip_bad"}, kind, ("skip_bad",))
        return _read_image_folder(path, goal, name=name, skip_bad=bool(options.get("skip_bad")))
    suffix = tables.ending(path)
    known = ["na"] if suffix in TABLES else []
    _no_options({key: value for key, value in options.items() if key not in known}, kind, known)
    if path.is_dir():
        _no_target(target, path)
        return _read_idx_folder(path, kind, goal, name=name)
    if suffix in TABLES:
        if kind == "images":
            raise DataError(f"{path} is a table, not images", hint=NO_TASK)
        frame, column = tables.read_pair(path, target, **options)
        names = (str(path), f"the target {shorten(target)}", "", "")
        return _from_arrays(
            tables.from_frame(frame, str(path)),
            column,
            None,
            None,
            kind,
            goal,
            name=path.stem,
            target=target,
            names=names,
        )
    _no_target(target, path)
    if suffix == ".npz":
        return _from_arrays(*read_pairs(path), kind, goal, name=path.stem)
    if is_idx(path):
        labels = labels_beside(path)
        X, y = read_idx(path), read_idx(labels)
        short = path.name.removesuffix(".gz")
        return _from_arrays(X, y, None, None, kind, goal, name=short, names=(str(path), str(labels), "", ""))
    raise InputError(_unsupported(path), hint=f"Supported: {SUPPORTED}")


def _read_inputs(path: Path, preprocessing: dict[str, Any]) -> np.ndarray | Table:
    _check_exists(path)
    shape = preprocessing["inputs"].get("shape")
    if path.is_dir():
        pair = find_pair(path, "t10k") or find_pair(path, "test") or find_pair(path, "train")
        if pair:
            return read_idx(pair[0])
        _no_images(preprocessing, path)
        files = images.visible(path, folders=False)
        for folder in images.visible(path, folders=True):
            files += images.visible(folder, folders=False)
        if not files:
            raise DataError(f"{path} holds no images")
        return images.read_files(files, shape)
    suffix = tables.ending(path)
    if suffix in TABLES:
        words = tables.words_of(preprocessing["inputs"]) if preprocessing["kind"] == "tables" else ()
        return tables.from_frame(tables.read_file(path, words), str(path), words)
    if suffix == ".npz":
        return _plain_inputs(read_rows(path), path)
    if suffix == ".npy":
        return _plain_inputs(read_array(path), path)
    if is_idx(path):
        return read_idx(path)
    if preprocessing["kind"] == "images" and suffix in (
        ".png",
        ".jpg",
        ".jpeg",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".webp",
    ):
        return images.read_files([path], shape)
    raise InputError(_unsupported(path), hint=f"Supported: {SUPPORTED}, an image, or .npy")


def _plain_inputs(X: np.ndarray, path: Path) -> np.ndarray:
    array = as_array(X, str(path))
    if array.ndim < 2:
        raise DataError(f"Expected 2D array, got {array.ndim}D array instead: {path} has shape {array.shape}")
    return array


def _check_exists(path: Path) -> None:
    if path.is_dir() or path.is_file():
        if path.is_file() and path.stat().st_size == 0:
            raise DataError(f"{path} is empty", hint="Is it the right file, and was it written to its end?")
        return
    if path.exists():
        raise InputError(f"{path} is neither a file nor a folder")
    word = str(path)
    if os.sep in word or path.suffix:
        raise InputError(f"no such file or folder: {word}", hint="Give the path of one that is there")
    close = nearest(word, BUNDLED)
    hint = (
        sentence(close)
        if close.startswith("did")
        else f"Give one of {', '.join(BUNDLED)}, or the path of a file or folder"
    )
    raise InputError(f"no such file or folder, and no bundled data set: {word}", hint=hint)


def _unsupported(path: Path) -> str:
    if path.suffix.lower() in (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npy"):
        why = (
            "it has no labels" if path.suffix.lower() == ".npy" else "pickles can run foreign code and are never opened"
        )
        return f"{path} is not read: {why}"
    return f"{path} has an unknown format ({path.suffix or 'no extension'})"


def _no_target(target: str | None, source: object) -> None:
    if target is not None:
        raise InputError(f"--target names a column of a CSV or Parquet file, {source} is none", hint="Leave it out")


def _no_options(options: Mapping[str, Any] | None, kind: str | None, known: Sequence[str] = ()) -> None:
    """InputError for an option that is left of those that are not ``known``."""
    if options:
        name = next(iter(options))
        other = sentence(nearest(name, known)) if known else "Leave it out"
        raise InputError(
            f"the option '{name}' is not one of {kind or 'such data'}",
            hint="A horizon is that of a forecast: --task forecast" if name == "horizon" else other,
        )


def _no_tables(kind: str | None, path: Path) -> None:
    if kind == "tables":
        raise DataError(f"{path} is a folder of images, not a table", hint=NO_TASK)


def _no_images(preprocessing: dict[str, Any], path: Path) -> None:
    if preprocessing["kind"] == "tables":
        raise DataError(f"{path} is a folder, the network was trained on a table", hint="Give a CSV or .npz file")


def _read_idx_folder(folder: Path, kind: str | None, goal: Goal | None, *, name: str) -> Loaded:
    train = find_pair(folder, "train")
    test = find_pair(folder, "t10k") or find_pair(folder, "test")
    assert train is not None
    arrays = [read_idx(path) for path in (*train, *(test or ()))]
    arrays += [None] * (4 - len(arrays))  # type: ignore[list-item]
    paths = [str(path) for path in (*train, *(test or ()))] + [""] * (0 if test else 2)
    flip = True if "fashion" in name.lower() else None
    return _from_arrays(
        arrays[0],
        arrays[1],
        arrays[2],
        arrays[3],
        kind,
        goal,
        name=name,
        flip=flip,
        names=(paths[0], paths[1], paths[2], paths[3]),
    )


def _read_image_folder(folder: Path, goal: Goal | None, *, name: str, skip_bad: bool = False) -> Loaded:
    bad: list[str] | None = [] if skip_bad else None
    loaded = _read_images(folder, goal, name, bad)
    return replace(loaded, notes=tuple(f"left out: {reason}" for reason in bad or ()))


def _read_images(folder: Path, goal: Goal | None, name: str, bad: list[str] | None) -> Loaded:
    parts = {path.name.lower(): path for path in images.visible(folder, folders=True)}
    if set(parts) == {"train", "test"} and all(images.visible(part, folders=True) for part in parts.values()):
        images.check_classes(parts["train"])
        X, y = images.read_folder(parts["train"], bad)
        X_test, y_test = images.read_folder(parts["test"], bad)
        if X_test.shape[1:] != X.shape[1:]:
            raise DataError(
                f"images in {parts['test']} are {X_test.shape[1:]}, in {parts['train']} {X.shape[1:]}"
                " (channels, height, width)"
            )
        where = (str(parts["train"]), "the class", str(parts["test"]), "the class in test")
        return _from_arrays(X, y, X_test, y_test, "images", goal, name=name, names=where)
    images.check_classes(folder)
    X, y = images.read_folder(folder, bad)
    return _from_arrays(X, y, None, None, "images", goal, name=name, names=(str(folder), "the class", "", ""))


def read_npz(path: Path, needed: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The named arrays of an archive, which may have one of :data:`OTHER_NAMES` there; nothing is unpickled.

    Raises DataError when it is damaged or one is not there.
    """
    with path.open("rb") as file:
        archive = _load(path, file)
        if isinstance(archive, np.ndarray):
            raise DataError(
                f"{path} holds a single array, expected an archive with X and y", hint="Write it by numpy.savez"
            )
        with archive:
            names = {name: _name_in(archive.files, name) for name in (*needed, *optional)}
            for name in needed:
                if names[name] is None:
                    known = ", ".join(archive.files[:8]) or "nothing"
                    raise DataError(
                        f"{path} has no array {name!r} (it has {known})", hint="Write it by numpy.savez(path, X=X, y=y)"
                    )
            chosen = {name: found for name, found in names.items() if found is not None}
            announced = sum(member.file_size for member in archive.zip.infolist())
            check_memory(1, announced // 4, str(path))
            return {name: _member(archive, found, path) for name, found in chosen.items()}


def _name_in(names: Sequence[str], name: str) -> str | None:
    """The name itself, or the first of its other names that is there."""
    return next((each for each in (name, *OTHER_NAMES.get(name, ())) if each in names), None)


def read_pairs(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """X and y of an archive, and those of its test part, each None where it has none."""
    arrays = read_npz(path, ("X", "y"), ("X_test", "y_test"))
    return arrays["X"], arrays["y"], arrays.get("X_test"), arrays.get("y_test")


def read_rows(path: Path) -> np.ndarray:
    """The rows to predict of an archive: those of its test part, where it has one."""
    arrays = read_npz(path, (), ("X", "X_test"))
    if not arrays:
        raise DataError(f"{path} has neither an array 'X' nor 'X_test'")
    return arrays["X_test"] if "X_test" in arrays else arrays["X"]


def read_array(path: Path) -> np.ndarray:
    """The array of an .npy file; nothing is unpickled."""
    check_memory(1, path.stat().st_size // 4, str(path))
    with path.open("rb") as file:
        return np.asarray(_load(path, file))


def _load(path: Path, file: IO[bytes]) -> Any:
    try:
        return np.load(file, allow_pickle=False)
    except _UNREADABLE as error:
        raise _broken(path, error) from None


def _member(archive: Any, name: str, path: Path) -> np.ndarray:
    try:
        array = archive[name]
    except (*_UNREADABLE, KeyError, OSError, MemoryError, NotImplementedError) as error:
        raise _broken(path, error, f"array {name!r} of ") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{name!r} of {path} is no array", hint="Write it by numpy.savez(path, X=X, y=y)")
    return array


def _broken(path: Path, error: Exception, part: str = "") -> DataError:
    text = str(error).lower()
    if "allow_pickle" in text or "pickle" in text:
        return DataError(
            f"{part}{path} holds pickled objects, which can run foreign code and are never read",
            hint="Save arrays of numbers or strings",
        )
    return DataError(f"{part}{path} is damaged or cut off: {one_line(error, 60)}", hint="Write or fetch it again")
