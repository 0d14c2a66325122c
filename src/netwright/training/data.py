"""A data set in memory or in a folder, ready for a network."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from netwright import strict_json
from netwright.errors import DataError, InputError
from netwright.training.goals import read_goal

Array = np.ndarray[Any, Any]

_CHUNK = 1 << 24
_DESCRIPTION = "data.json"
_TARGETS = {
    "classification": ((1,), "int64 array (N,) with classes"),
    "labels": ((2,), "float32 array (N, K) of zeros and ones, a column a label"),
    "tokens": ((2,), "int64 array (N, T) of tokens"),
    "regression": ((1, 2), "float32 array (N,) or (N, K) without classes"),
    "forecast": ((2,), "float32 array (N, H)"),
    "several": ((2,), "float32 array, a column for each thing to predict"),
}
"""How many dimensions the targets of a goal have, and what they are."""


@dataclass(frozen=True, eq=False)
class Data:
    """Inputs and targets, already preprocessed.

    ``X`` is float32: images (N, C, H, W), rows of features (N, F), numbers of tokens (N, T), … ``y`` is as ``goal``
    has it (see :mod:`netwright.training.goals`); ``classes`` names the classes, labels or tokens, and is None for
    numbers to predict. Where no goal is given, it is classification with classes and regression without. Raises
    DataError for anything else and for values that are not finite.

    ``facts`` are what a network has to know beside the shape of its input, such as the size of a vocabulary: arguments
    by their names, JSON. ``weights`` (N,) say how much each example counts in training.

    Data that were saved or loaded know their ``folder``: such data travel to another process as a path, and are
    mapped into its memory, not copied.
    """

    X: Array
    y: Array
    classes: tuple[str, ...] | None = None
    folder: Path | None = field(default=None, repr=False)
    goal: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    weights: Array | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.classes is not None:
            object.__setattr__(self, "classes", tuple(str(name) for name in self.classes))
        if problems := _problems(self):
            raise DataError("; ".join(problems))

    def __len__(self) -> int:
        return len(self.X)

    @property
    def task(self) -> str:
        """The name of the goal."""
        return self.goal or ("regression" if self.classes is None else "classification")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input, without the batch."""
        return tuple(int(size) for size in self.X.shape[1:])

    @property
    def outputs(self) -> int:
        """How many numbers a network answers with: one a class, or one a column of the target."""
        if self.classes is not None:
            return len(self.classes)
        if self.task.startswith("several"):
            return sum(getattr(read_goal(self.task), "heads", ()))
        return 1 if self.y.ndim == 1 else int(self.y.shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the values, their shapes and the classes: the identity of the data, wherever they lie."""
        about: tuple[Any, ...] = (self.X.shape, self.y.shape, str(self.y.dtype), self.classes)
        if self.goal is not None:
            about += (self.goal,)
        digest = hashlib.sha256(repr(about).encode())
        for array in (self.X, self.y) if self.weights is None else (self.X, self.y, self.weights):
            step = max(1, _CHUNK // max(1, array[:1].nbytes))
            for start in range(0, len(array), step):
                digest.update(np.ascontiguousarray(array[start : start + step]).data)
        return digest.hexdigest()

    def subset(self, indices: Array) -> Data:
        """The examples at these places, in memory."""
        weights = None if self.weights is None else np.asarray(self.weights[indices])
        X, y = np.asarray(self.X[indices]), np.asarray(self.y[indices])
        return Data(X, y, self.classes, goal=self.goal, facts=self.facts, weights=weights)

    def save(self, folder: str | os.PathLike[str]) -> Data:
        """Writes ``X.npy``, ``y.npy`` (perhaps ``weights.npy``) and ``data.json`` (last) into ``folder``.

        Gives the same data, memory-mapped there.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in (("X", self.X), ("y", self.y), ("weights", self.weights)):
            if array is None:
                continue
            with _replacing(folder / f"{name}.npy") as temporary, open(temporary, "wb") as file:
                np.save(file, array, allow_pickle=False)
        description = {"version": 1, "classes": self.classes, "fingerprint": self.fingerprint, "goal": self.goal,
                       "facts": dict(self.facts), "weighted": self.weights is not None}  # fmt: skip
        with _replacing(folder / _DESCRIPTION) as temporary:
            temporary.write_text(strict_json.dumps(description), encoding="utf-8")
        return Data.load(folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, verify: bool = False) -> Data:
        """What :meth:`save` wrote, memory-mapped and read-only; ``verify`` reads it all and checks the fingerprint."""
        folder = Path(folder).absolute()
        try:
            text = (folder / _DESCRIPTION).read_bytes()
        except OSError as error:
            # A study keeps its data below its own folder, and without them it cannot be gone on with.
            study = (folder.parent / "study.db").exists()
            raise DataError(
                f"{folder} holds no saved data: {error.strerror} for {_DESCRIPTION}",
                hint="The data of this study are gone: start a new search"
                if study
                else "Data.save(folder) writes such a folder",
            ) from None
        description = strict_json.loads(text, what=f"{folder / _DESCRIPTION}")
        if not isinstance(description, dict) or description.get("version") != 1:
            raise DataError(f"{folder / _DESCRIPTION} is not the description of saved data of version 1")
        classes = description.get("classes")
        fingerprint = description.get("fingerprint")
        data = cls(
            _mapped(folder / "X.npy"),
            _mapped(folder / "y.npy"),
            None if classes is None else tuple(classes),
            folder,
            description.get("goal"),
            description.get("facts") or {},
            _mapped(folder / "weights.npy") if description.get("weighted") else None,
        )
        if verify and data.fingerprint != fingerprint:
            raise DataError(f"the data in {folder} are not those that were saved there: their fingerprint differs")
        data.__dict__["fingerprint"] = fingerprint
        return data

    def __reduce__(self) -> tuple[Any, ...]:
        if self.folder is not None:
            return (Data.load, (self.folder,))
        return (Data, (self.X, self.y, self.classes, None, self.goal, self.facts, self.weights))


def _problems(data: Data) -> list[str]:
    X, y, classes = data.X, data.y, data.classes
    problems = []
    if not isinstance(X, np.ndarray) or X.dtype != np.float32 or X.ndim < 2:
        found = f"{X.dtype} {X.shape}" if isinstance(X, np.ndarray) else type(X).__name__
        problems.append(f"X is a float32 array of two dimensions or more, found {found}")
    try:
        whole = read_goal(data.task).whole
    except InputError as error:
        return [*problems, error.message]
    shapes, what = _TARGETS[data.task.partition("(")[0]]
    if not isinstance(y, np.ndarray) or y.dtype != (np.int64 if whole else np.float32) or y.ndim not in shapes:
        found = f"{y.dtype} {y.shape}" if isinstance(y, np.ndarray) else type(y).__name__
        problems.append(f"y is a {what}, found {found}")
    if (classes is None) == (data.task in ("classification", "labels", "tokens")):
        problems.append(f"{data.task} goes {'with' if classes is None else 'without'} classes")
    if problems:
        return problems
    if len(X) != len(y):
        return [f"X and y are of the same length, found {len(X)} inputs and {len(y)} targets"]
    if X.size == 0:
        return [f"X holds values, found shape {X.shape}"]
    if data.folder is not None:
        return []
    if not np.isfinite(X).all():
        problems.append(f"X is finite, found NaN or infinity in {int((~np.isfinite(X)).sum())} values")
    if not whole and not np.isfinite(y).all():
        problems.append(f"y is finite, found NaN or infinity in {int((~np.isfinite(y)).sum())} values")
    if whole and classes is not None and not (y.min() >= 0 and y.max() < len(classes)):
        problems.append(f"y is between 0 and {len(classes) - 1} (a class each), found {y.min()} to {y.max()}")
    if data.task == "labels" and classes is not None and (y.shape[1] != len(classes) or not np.isin(y, (0, 1)).all()):
        problems.append(f"y has a column of 0 and 1 for each of {len(classes)} labels, found shape {y.shape}")
    if data.weights is not None and (data.weights.shape != y.shape[:1] or not (data.weights >= 0).all()):
        problems.append(f"weights are {len(y)} numbers of at least 0, found shape {data.weights.shape}")
    return problems


def _mapped(path: Path) -> Array:
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read as a saved array: {error}") from None
    return array


class _replacing:
    """A temporary path beside ``path`` that takes its place when the block ends well, and goes when it does not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")

    def __enter__(self) -> Path:
        return self.temporary

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            os.replace(self.temporary, self.path)
        else:
            self.temporary.unlink(missing_ok=True)
