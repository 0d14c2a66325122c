"""What an array must be before a network may learn from it: real, finite, and small enough for the machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from netwright.errors import DataError

SLAB = 16 * 2**20
"""How many numbers are looked at in one go: a memory-mapped file is never read whole at once."""


class NotNumbers(DataError, TypeError):
    """An array holds something that is no number."""


def slabs(rows: int, width: int) -> Iterator[slice]:
    """Consecutive slices over ``rows`` rows of ``width`` numbers, each of about ``SLAB`` numbers."""
    step = max(1, SLAB // max(1, width))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def check_names(names: Sequence[str], what: str) -> None:
    """Raises DataError where two columns of ``what`` have the same name."""
    name, count = max(Counter(names).items(), key=lambda pair: pair[1], default=("", 0))
    if count > 1:
        raise DataError(f"{what} has {count} columns named {shorten(name)}", hint="Give each column a name of its own")


def alike(rows: Sequence[np.ndarray] | np.ndarray) -> bool:
    """Whether each of these rows, two or more, has the values of the first; two that miss a value there are alike."""
    return len(rows) > 1 and all(np.array_equal(rows[0], row, equal_nan=row.dtype.kind == "f") for row in rows)


def check_finite(X: np.ndarray, name: str = "X") -> None:
    """Raises DataError with the count and first place of NaN, infinity or what float32 cannot hold in ``X``."""
    if X.dtype.kind != "f":
        return
    limit = float(np.finfo(np.float32).max)
    nan = infinite = large = 0
    first: tuple[int, ...] | None = None
    width = int(np.prod(X.shape[1:], dtype=np.int64))
    for slab in slabs(len(X), width):
        part = np.asarray(X[slab])
        # NaN compares false with everything, so one comparison finds all three kinds.
        with np.errstate(invalid="ignore"):
            bad = ~(np.abs(part) <= limit)
        if not bad.any():
            continue
        nan += int(np.isnan(part).sum())
        infinite += int(np.isinf(part).sum())
        large += int(bad.sum()) - int(np.isnan(part).sum()) - int(np.isinf(part).sum())
        if first is None:
            place = tuple(int(i) for i in np.argwhere(bad)[0])
            first = (place[0] + slab.start, *place[1:])
    if first is None:
        return
    where = f"{name}[{', '.join(map(str, first))}]"
    if nan:
        also = f" and {infinite:,} infinite" if infinite else ""
        raise DataError(
            f"Input {name} contains NaN: {nan:,}{also} of {X.size:,} values, the first at {where}",
            hint="Fill in or leave out these values",
        )
    if infinite:
        raise DataError(
            f"Input {name} contains infinity or a value too large for {X.dtype!r}: {infinite:,} of {X.size:,} values,"
            f" the first at {where}",
            hint="Replace or leave out these values",
        )
    raise DataError(
        f"Input {name} contains {large:,} values too large for float32, the first at {where}", hint="Rescale them"
    )


def check_memory(rows: int, width: int, name: str = "X") -> None:
    """Raises DataError when ``rows`` × ``width`` numbers as float32 do not fit into the memory that is free."""
    import psutil

    needed = rows * width * 4
    free = int(psutil.virtual_memory().available)
    if needed > free:
        raise DataError(
            f"{name} of {rows:,} rows of {width:,} numbers needs {size(needed)} of memory as float32,"
            f" {size(free)} are free",
            hint="Search on a part of the rows",
        )


def as_array(X: Any, name: str = "X") -> np.ndarray:
    """``X`` as a numpy array without a copy where it is one already; lists, torch tensors and frames are taken too."""
    if type(X).__module__.partition(".")[0] == "torch":
        X = X.detach().cpu()
        X = (X.float() if X.is_floating_point() and X.element_size() < 4 else X).numpy()
    if type(X).__module__.startswith("scipy.sparse"):
        raise NotNumbers(f"{name} is a sparse matrix, dense data is required", hint=f"Use {name}.toarray()")
    try:
        array = np.asanyarray(X)
    except ValueError as error:
        if "inhomogeneous" in str(error):
            raise DataError(
                f"the rows of {name} have different lengths", hint="Give every row the same number of values"
            ) from None
        raise DataError(f"{name} cannot be read as an array: {one_line(error)}") from None
    if np.ma.isMaskedArray(array):
        raise DataError(
            f"{name} is a masked array, whose masked values would be taken for numbers", hint=f"Use {name}.filled(...)"
        )
    if array.dtype.kind == "c":
        raise DataError(
            f"Complex data not supported: {name} has dtype {array.dtype}",
            hint="Give real and imaginary parts as columns",
        )
    if array.dtype.kind in "mMV":
        raise NotNumbers(f"{name} has dtype {array.dtype}, expected numbers", hint="Turn it into numbers first")
    result: np.ndarray = array
    return result


def batch(X: Any, name: str = "X") -> np.ndarray:
    """``X`` as an array of two to four dimensions with at least one value a row, which fits into memory."""
    array = as_array(X.to_numpy() if is_frame(X) else X, name)
    if array.ndim < 2:
        raise DataError(
            f"Expected 2D array, got {array.ndim}D array instead: {name} has shape {array.shape}",
            hint=f"Reshape your data: {name}.reshape(-1, 1) for a single feature",
        )
    if array.ndim > 4:
        raise DataError(
            f"{name} has {array.ndim} dimensions, shape {array.shape}",
            hint="Expected a table (N, F) or images (N, H, W), (N, C, H, W) or (N, H, W, C)",
        )
    if 0 in array.shape[1:]:
        raise DataError(f"{name} has 0 feature(s) (shape={array.shape}) while a minimum of 1 is required.")
    check_memory(len(array), int(np.prod(array.shape[1:], dtype=np.int64)), name)
    return array


def is_frame(X: Any) -> bool:
    """Whether ``X`` is a data frame of pandas or polars, without importing either."""
    return type(X).__module__.partition(".")[0] in ("pandas", "polars") and hasattr(X, "columns")


def collected(X: Any) -> Any:
    """A lazy frame of polars as a data frame; anything else as it is."""
    lazy = type(X).__name__ == "LazyFrame" and type(X).__module__.partition(".")[0] == "polars"
    return X.collect() if lazy else X


def is_missing(value: object) -> bool:
    """Whether ``value`` stands for none: None, NaN, NaT, or ``pandas.NA``, which all comparisons with it give, too."""
    unequal = value != value
    return value is None or (bool(unequal) if isinstance(unequal, bool | np.bool_) else unequal is value)


def numbers(array: np.ndarray, name: str = "X") -> np.ndarray:
    """``array`` with a dtype of real numbers; an array of objects is converted when each of them is a number."""
    if array.dtype.kind in "biuf":
        return array
    for place, value in np.ndenumerate(array):
        try:
            float(value)
        except (TypeError, ValueError):
            where = ", ".join(map(str, place))
            raise NotNumbers(
                f"{name}[{where}] is {shorten(value)}: argument must be a string or a real number of float()"
                if not isinstance(value, str)
                else f"{name}[{where}] is {shorten(value)}, expected a number",
                hint="Give numbers, or a table with columns of categories",
            ) from None
    converted: np.ndarray = array.astype(np.float64)
    return converted


def size(count: float) -> str:
    """A number of bytes for reading."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def one_line(error: object, limit: int = 120) -> str:
    """The text of an error on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shorten(value: object, limit: int = 40) -> str:
    """``value`` as Python writes it, in at most ``limit`` characters."""
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
