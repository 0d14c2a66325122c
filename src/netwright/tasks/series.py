"""Time series: rows of one or several channels over time, of the same or of different lengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from netwright.errors import DataError
from netwright.tasks.checks import alike, as_array, check_finite, check_memory, numbers, shorten
from netwright.tasks.kinds import Source


@dataclass(frozen=True)
class Series:
    """N series: ``values`` (N, channels, length), NaN after the end of a shorter one; ``notes`` on what was mended."""

    values: np.ndarray
    notes: tuple[str, ...] = ()

    kind: ClassVar[str] = "series"

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)


def take(X: Any, name: str = "X") -> Series:
    """Series of a user, checked: (N, length), (N, channels, length), or a list of arrays of (channels, length).

    NaN at the end of a row means that it is shorter; anywhere else it is refused.
    """
    if isinstance(X, Series):
        return X
    if isinstance(X, list | tuple) and len({np.shape(each) for each in X}) > 1:
        values = _joined(X, name)
    else:
        values = numbers(as_array(X, name), name)
        if values.ndim == 2:
            values = values[:, None]
    if values.ndim != 3 or 0 in values.shape[1:]:
        raise DataError(
            f"{name} of shape {values.shape} holds no series", hint="Give (N, length), (N, channels, length), or a list"
        )
    check_memory(len(values), values.shape[1] * values.shape[2], name)
    if values.dtype.kind == "f":
        holes = np.isnan(values)
        after = np.logical_and.accumulate(holes[:, :, ::-1], axis=2)[:, :, ::-1]
        ended = np.asarray(after.all(axis=1))
        check_finite(np.where(ended[:, None], 0, values), name)
        empty = np.flatnonzero(ended.all(axis=1))
        if len(empty):
            raise DataError(f"{name}[{empty[0]}] is a series without values ({len(empty):,} of {len(values):,})")
    return Series(values)


def learn(X: Series, places: np.ndarray | None = None) -> dict[str, Any]:
    """Mean and deviation of each channel, the longest length, whether lengths differ; at these places (None: all)."""
    if X.shape[2] < 2:
        raise DataError(
            f"the series of X have one step, and nothing follows in time (shape {X.shape})",
            hint="Rows of numbers are a table: --task tables (in Python TabularClassifier)",
        )
    values = X.values if places is None else X.values[places]
    values = values.astype(np.float64)
    mean = np.nanmean(values, axis=(0, 2))
    std = np.nanstd(values, axis=(0, 2))
    std[std <= 1e-12 * np.maximum(1e-300, np.abs(mean))] = 1.0
    return {
        "channels": values.shape[1],
        "length": values.shape[2],
        "varied": bool(np.isnan(values).any()),
        "mean": mean.tolist(),
        "std": std.tolist(),
    }


def apply(constants: Mapping[str, Any], X: Any, name: str = "X") -> np.ndarray:
    """Series as inputs of a network: float32 (N, channels, length), standardised by channel, 0 after a series' end.

    Shorter ones are filled up to the length of training. Of longer ones the first steps are taken where the lengths in
    training differed; where all were of one length, DataError, as for other channels.
    """
    values = take(X, name).values
    while values.shape[2] > constants["length"] and np.isnan(values[:, :, -1]).all():
        values = values[:, :, :-1]
    channels, length = constants["channels"], constants["length"]
    if values.shape[1] != channels:
        raise DataError(f"{name} has series of {values.shape[1]} channels, the network was trained on {channels}")
    if constants.get("varied"):
        values = values[:, :, :length]
    if values.shape[2] > length:
        raise DataError(
            f"{name} has series of {values.shape[2]} steps, the network was trained on {length}",
            hint="Cut or resample them",
        )
    mean, std = (np.array(constants[name])[:, None] for name in ("mean", "std"))
    inputs = np.zeros((len(values), channels, length), dtype=np.float32)
    inputs[:, :, : values.shape[2]] = np.nan_to_num((values.astype(np.float64) - mean) / std, nan=0.0)
    return inputs


def remarks(X: Series, y: np.ndarray, classes: int | None) -> list[str]:
    """A note where all series are the same."""
    return [f"all {len(X):,} series are the same"] if alike(X.values) else []


def describe(constants: Mapping[str, Any]) -> str:
    """How raw rows become inputs of the network."""
    longer = ", of longer ones the first steps" if constants.get("varied") else ""
    return (
        f"series (N, {constants['channels']}, {constants['length']}): channels, steps; each channel standardised as in"
        f" manifest.json, shorter ones filled up with 0{longer}"
    )


def read(path: Path, target: str | None, na: str = "missing") -> Source:
    """An .npz file (X, y or X_train, y_train; perhaps X_test, y_test), or a CSV file with a series a row."""
    from netwright.tasks import tables
    from netwright.tasks.readers import read_pairs

    if path.suffix.lower() == ".npz":
        return Source(*read_pairs(path))
    if tables.ending(path) in (".csv", ".tsv"):
        frame, column = tables.read_pair(path, target, na)
        matrix, left_out = _matrix(frame, str(path))
        notes = (f"left out: {', '.join(left_out)} (numbers of rows)",) if left_out else ()
        return Source(replace(take(matrix, str(path)), notes=notes), column)
    raise DataError(f"{path} holds no series", hint="Give an .npz file with X and y, or a CSV file with a series a row")


def read_new(path: Path, preprocessing: Mapping[str, Any] | None = None) -> Any:
    """Series to predict: the test part of an .npz file where it has one, the numbers of a CSV file, an .npy file.

    The column of a CSV file that was predicted in training is passed over.
    """
    from netwright.tasks import tables
    from netwright.tasks.readers import read_array, read_rows

    suffix = tables.ending(path)
    if suffix == ".npz":
        return read_rows(path)
    if suffix == ".npy":
        return read_array(path)
    if suffix in (".csv", ".tsv"):
        frame = tables.read_csv(path)
        target = (preprocessing or {"target": {}})["target"].get("name")
        return _matrix(frame.drop(columns=[name for name in frame.columns if str(name) == target]), str(path))[0]
    raise DataError(f"{path} holds no series", hint="Give an .npz, .npy or CSV file")


def _matrix(frame: Any, what: str) -> tuple[np.ndarray, list[str]]:
    """The columns of numbers of a frame, in order: a series a row; and the names of those that number the rows."""
    from netwright.tasks import tables

    index = tables.index_names(frame)
    frame = frame.drop(columns=index)
    table = tables.from_frame(frame, what, words=())
    if table.category_names:
        raise DataError(
            f"the column {shorten(table.category_names[0])} of {what} holds no numbers",
            hint="A CSV file of series has a step a column, and the target",
        )
    return np.asarray(table.numbers), index


def _joined(rows: Any, name: str) -> np.ndarray:
    """Arrays of different lengths as one, filled up with NaN."""
    named = ((row, f"{name}[{place}]") for place, row in enumerate(rows))
    arrays = [np.atleast_2d(numbers(as_array(row, each), each)) for row, each in named]
    channels = {array.shape[0] for array in arrays}
    if len(channels) != 1 or any(array.ndim != 2 for array in arrays):
        raise DataError(f"the series of {name} have different numbers of channels: {sorted(channels)}")
    made = np.full((len(arrays), channels.pop(), max(array.shape[1] for array in arrays)), np.nan)
    for place, array in enumerate(arrays):
        made[place, :, : array.shape[1]] = array
    return made
