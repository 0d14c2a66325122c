"""Tables: columns of numbers and of categories, and the constants that turn them into inputs of a network."""

from __future__ import annotations

import csv
import gzip
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

from netwright.errors import DataError, InputError, MissingExtra, nearest
from netwright.tasks.checks import (
    as_array,
    batch,
    check_finite,
    check_memory,
    check_names,
    collected,
    is_frame,
    numbers,
    one_line,
    shorten,
    slabs,
)
from netwright.tasks.columns import (
    PARTS,
    UNKNOWN,
    WORDS,
    bag_of_words,
    dates,
    is_text,
    looks_like,
    number,
    part_name,
    written_numbers,
)

PACKED = (".csv", ".tsv")
"""Files that are read where gzip has packed them, too: ``.csv.gz``."""
CATEGORIES = 32
"""A category of at most so many values has a column for each; one of more values is a single column of numbers."""
CODES = 4096
"""At most so many values of a category have a number of their own; the others share one."""
BINS, MANY_BINS = 16, 32
"""Into so many parts, of equally many rows, a column of numbers is cut for the encodings of a network."""
MANY_ROWS, MANY_COLUMNS = 2_000, 64
"""Into ``MANY_BINS`` from so many rows on, where there are at most so many columns of numbers."""
BINNED_COLUMNS = 256
"""With more columns of numbers than this none is cut: their encodings would be wider than a network can use."""
BINNED_ROWS = 100_000
"""Edges are the quantiles of at most so many rows."""


NO_NAME = re.compile(r"Unnamed: \d+(?:\.\d+)*")
"""What pandas calls a column that has no name in a file."""


@dataclass(frozen=True)
class Table:
    """N rows: ``numbers`` (N, columns), NaN where missing, and ``categories``, arrays of str or None.

    ``dates`` names the columns whose parts are among the numbers, ``commas`` those whose numbers were written with
    decimal commas; ``notes`` tell what was read otherwise than somebody may think.
    """

    numbers: np.ndarray
    number_names: tuple[str, ...]
    categories: tuple[np.ndarray, ...] = ()
    category_names: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    commas: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    kind: ClassVar[str] = "tables"

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def names(self) -> tuple[str, ...]:
        return self.number_names + self.category_names

    @property
    def given(self) -> tuple[str, ...]:
        """The columns of the user: of a date it is one."""
        parts = {part_name(name, part): name for name in self.dates for part in PARTS}
        return tuple(dict.fromkeys(parts.get(name, name) for name in self.names))

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.numbers), len(self.given)


def from_matrix(X: np.ndarray, name: str = "X") -> Table:
    """An array (N, F) as a table; strings in an array of objects make categories. Missing numbers are refused."""
    if X.dtype.kind in "biuf":
        check_finite(X, name)
        return Table(X, tuple(f"column {i}" for i in range(X.shape[1])))
    columns: list[np.ndarray] = []
    for index in range(X.shape[1]):
        column = X[:, index]
        if all(isinstance(value, str) or value is None for value in column) and not _numeric(column):
            columns.append(np.array([None if value is None else str(value) for value in column], dtype=object))
        else:
            columns.append(numbers(X[:, index : index + 1], name)[:, 0])
    table = _assemble([f"column {i}" for i in range(X.shape[1])], columns, dated=False)
    check_finite(table.numbers, name)
    return table


def from_frame(frame: Any, what: str = "X", words: Collection[str] | None = None) -> Table:
    """A data frame as a table. Missing values stay missing; infinite ones raise DataError with their row.

    Of new rows the type of a column is that of training, whatever stands in these few: ``words`` are the columns that
    were categories or texts there.
    """
    new = words is not None
    if type(frame).__module__.partition(".")[0] == "polars":
        frame = as_pandas(collected(frame))
    names = [str(name) for name in frame.columns]
    check_names(names, what)
    columns, commas, notes = [], [], []
    index = () if new else index_names(frame)
    if index and len(index) < len(names):
        frame = frame.drop(columns=[frame.columns[names.index(name)] for name in index])
        names = [name for name in names if name not in index]
        notes.append(f"left out: {', '.join(map(shorten, index))} (numbers of rows)")
    for position, name in enumerate(names):
        column = _column(frame.iloc[:, position], name, what)
        if not new and column.dtype.kind == "O" and str(frame.dtypes.iloc[position]) != "category":
            column, comma, note = _mended(column, name)
            commas += [name] * comma
            notes += [note] * bool(note)
        _check_range(column, name, what)
        columns.append(column)
    return replace(_assemble(names, columns, words=words or ()), commas=tuple(commas), notes=tuple(notes))


def index_names(frame: Any) -> list[str]:
    """The names of columns that hold numbers of rows alone, as pandas writes them beside a frame without saying so."""
    return [name for place, name in enumerate(map(str, frame.columns)) if numbers_rows(name, frame.iloc[:, place])]


def numbers_rows(name: str, column: Any) -> bool:
    """Whether a column, of a frame or an array, has no name and holds whole numbers that differ."""
    return NO_NAME.fullmatch(name) is not None and column.dtype.kind in "iu" and len({*column}) == len(column)


def _mended(column: np.ndarray, name: str) -> tuple[np.ndarray, bool, str]:
    """A column of texts, as numbers where these are such; whether with decimal commas; and a note, or nothing."""
    found = written_numbers(column)
    known = [value for value in column if value is not None]
    if found is not None:
        example = next((value for value in known if "," in value), "")
        how = f" with decimal commas ({shorten(example)})" if found.comma else ""
        holes = f", and {UNKNOWN!r} in {found.unknown:,} rows as missing" if found.unknown else ""
        return found.values, found.comma, f"{shorten(name)} is read as numbers{how}{holes}"
    like = looks_like(known) if dates(column) is None else None
    if like is None:
        return column, False, ""
    what, odd, count = like
    row = next(row for row, value in enumerate(column, 1) if value is not None and value.strip() == odd)
    hint = "write dates as 2021-03-31" if what == "dates" else "write plain numbers, or leave these cells empty"
    return (
        column,
        False,
        (
            f"{shorten(name)} is read as words, not as {what}: {count:,} of {len(known):,} values"
            f" {'is' if count == 1 else 'are'} written otherwise, the first in row {row} ({shorten(odd)}); {hint}"
        ),
    )


def _check_range(column: np.ndarray, name: str, what: str) -> None:
    """Raises DataError for infinity in a column of numbers and for what float32 cannot hold, with the first row."""
    if column.dtype.kind != "f":
        return
    limit = float(np.finfo(np.float32).max)
    for kind, beyond, hint in (
        ("infinity", np.isinf(column), "Replace or leave out these values"),
        ("numbers too large for float32", np.abs(column) > limit, "Rescale the column, or leave out these values"),
    ):
        places = np.flatnonzero(beyond)
        if len(places):
            raise DataError(
                f"Input {what} contains {kind}: {len(places):,} values in column {shorten(name)},"
                f" the first in row {places[0] + 1}",
                hint=hint,
            )


def as_pandas(frame: Any) -> Any:
    """A polars data frame as one of pandas, column by column."""
    try:
        import pandas
    except ImportError:
        raise MissingExtra("pandas", "data", "Reading a data frame of polars") from None
    return pandas.DataFrame({name: frame[name].to_list() for name in frame.columns})


def from_records(records: Sequence[Mapping[str, Any]], what: str = "X") -> Table:
    """Rows as mappings from names to values, as JSON has them; what a row lacks, and None, is missing."""
    names = list(dict.fromkeys(str(name) for record in records for name in record))
    columns = []
    for name in names:
        values = [record.get(name) for record in records]
        kinds = {type(value) for value in values if value is not None}
        if kinds <= {int, float, bool}:
            column = np.array([np.nan if value is None else float(value) for value in values])
            _check_range(column, name, what)
            columns.append(column)
            continue
        if not kinds <= {int, float, bool, str}:
            raise DataError(f"column {shorten(name)} of {what} holds something that is neither a number nor a text")
        columns.append(np.array([None if value is None else str(value) for value in values], dtype=object))
    return _assemble(names, columns)


def read_file(path: Path, words: Collection[str] | None = ()) -> Any:
    """A CSV or Parquet file, by its name, as a pandas data frame; ``words`` as in :func:`read_csv`."""
    return read_parquet(path) if ending(path) in (".parquet", ".pq") else read_csv(path, words)


def ending(path: Path) -> str:
    """How a file's name ends, in small letters: ``.csv``, and ``.csv`` too where gzip has packed it (``.csv.gz``)."""
    packed = path.suffix.lower() == ".gz" and Path(path.stem).suffix.lower() in PACKED
    return Path(path.stem).suffix.lower() if packed else path.suffix.lower()


def opened(path: Path) -> IO[str]:
    """The text of a file, of one that gzip has packed, too, from its beginning; UTF-8, with or without a mark."""
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def read_parquet(path: Path) -> Any:
    """A Parquet file as a pandas data frame; MissingExtra without pandas or pyarrow."""
    try:
        import pandas
    except ImportError:
        raise MissingExtra("pandas", "data", "Reading a Parquet file") from None
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise InputError("Reading a Parquet file needs pyarrow", hint="Install it: pip install pyarrow") from None
    try:
        frame = pandas.read_parquet(path, engine="pyarrow")
    except Exception as error:  # pyarrow has its own errors
        raise DataError(
            f"{path} cannot be read as Parquet: {one_line(error)}", hint="Write or fetch it again"
        ) from None
    if not len(frame):
        raise DataError(f"{path} has no rows")
    return frame.reset_index() if any(frame.index.names) else frame


def read_csv(path: Path, words: Collection[str] | None = ()) -> Any:
    """A CSV file as a pandas data frame: UTF-8, a header line, separated by comma, semicolon, tab or bar.

    The columns ``words`` (None: all) stay as they are written, also where numbers alone stand there: ``007``.
    """
    try:
        import pandas
    except ImportError:
        raise MissingExtra("pandas", "data", "Reading a CSV file") from None
    separator = _check_header(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            frame = pandas.read_csv(
                path, sep=separator, encoding="utf-8-sig", index_col=False, low_memory=False,
                dtype=str if words is None else dict.fromkeys(words, str),
            )  # fmt: skip
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {one_line(error)}", hint="Save it as UTF-8") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged or cut off: {one_line(error)}", hint="Write or fetch it again") from None
    except (pandas.errors.ParserError, pandas.errors.ParserWarning, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as CSV: {one_line(error).removeprefix('Error tokenizing data. C error: ')}",
            hint="Each line needs as many values as the first one has names",
        ) from None
    if not len(frame):
        raise DataError(f"{path} has a header line and no rows", hint="Is it the right file?")
    return frame


def read_pair(path: Path, target: str | None, na: str = "missing") -> tuple[Any, Any]:
    """The frame in a file without its target column, and that column.

    Words such as ``NA`` and ``None``, which pandas reads as missing, are classes of the target where ``na`` is
    "class". DataError for a column that is not there, and for rows without a target.
    """
    if na not in ("missing", "class"):
        raise InputError(f"na says what words such as NA are in a target, missing or class, found {shorten(na)}")
    frame, what = read_file(path), str(path)
    names = [str(name) for name in frame.columns]
    index = index_names(frame)
    if target is None:
        free = [name for name in names if name not in index] or names
        raise DataError(
            f"which column of {what} is to be predicted? It has {_listed(free)}",
            hint=f"Name it: --target {_quoted(free[-1])} (y= in Python)",
        )
    if target not in names:
        close = nearest(target, names)
        hint = close[0].upper() + close[1:] if close.startswith("did") else f"It has {_listed(names)}"
        raise DataError(f"{what} has no column {shorten(target)}", hint=hint)
    if not set(names) - {target, *index}:
        raise DataError(
            f"{what} has no column beside the target {shorten(target)}", hint="Nothing is left to predict it from"
        )
    column = frame.iloc[:, names.index(target)]
    if column.isna().any() and ending(path) in PACKED:
        written = _as_written(path, names.index(target))
        column = written.mask(written == "") if na == "class" else column
        _check_there(column, target, what, written)
    else:
        _check_there(column, target, what)
    return frame.drop(columns=frame.columns[names.index(target)]), column


def _as_written(path: Path, place: int) -> Any:
    """A column of a CSV file as it stands there, an empty cell as an empty text."""
    import pandas

    column = pandas.read_csv(
        path, sep=_check_header(path), encoding="utf-8-sig", index_col=False, usecols=[place], dtype=str,
        keep_default_na=False,
    )  # fmt: skip
    return column.iloc[:, 0]


def _check_there(column: Any, target: str, what: str, written: Any = None) -> None:
    """DataError with the first row that has no target, and the words that count as none."""
    missing = np.flatnonzero(column.isna().to_numpy())
    if not len(missing):
        return
    words = [] if written is None else sorted(set(written.iloc[missing]) - {""})
    classes = bool(words) and column.dtype.kind not in "biuf"
    said = f" ({', '.join(words[:3])})" if words else ""
    hint = "Fill in or leave out these rows"
    kept = "--option na=class (in Python pass the rows of pandas.read_csv(…, keep_default_na=False))"
    raise DataError(
        f"the target {shorten(target)} of {what} is missing in {len(missing):,} of {len(column):,} rows,"
        f" the first is row {missing[0] + 1}{said}",
        hint=f"If {words[0]} is a class: {kept}; else f{hint[1:]}" if classes else hint,
    )


def learn(table: Table, rows: np.ndarray | None = None) -> dict[str, Any]:
    """The constants of a table, learned on ``rows`` alone (all when None).

    Of a column of numbers: mean and standard deviation of what is there; the mean stands in for a missing value, and a
    column that has some gets a second one that says so. ``edges`` cut each column (standardised) into at most ``BINS``
    parts (``MANY_BINS`` of many rows) of about equally many rows: no input follows from them, a network may encode
    numbers by them. Of a date: its parts that change, and once whether it is missing. Of a category: its values that
    occur at least twice, the most frequent first. If they are at most ``CATEGORIES``, each is a column of zeros and
    ones, and where others occur one column is for all of those, also for what was never seen. If they are more,
    ``codes`` is how many numbers their one column holds: 0 is a missing value, then follow at most ``CODES`` values,
    and the last is all others. Of a text: its bag of words.
    """
    mean, std, missing = _moments(table.numbers, rows)
    parts = {part_name(name, part): (name, part) for name in table.dates for part in PARTS}
    constants: dict[str, Any] = {"numbers": [], "categories": [], "edges": []}
    cut = len(table.number_names) <= BINNED_COLUMNS
    bins = _parts(len(table) if rows is None else len(rows), len(table.number_names))
    for i, name in enumerate(table.number_names):
        entry = {"name": name, "mean": float(mean[i]), "std": float(std[i]), "missing": bool(missing[i])}
        if name in table.commas:
            entry["comma"] = True
        edges = _edges(table.numbers[:, i], rows, entry, bins) if cut or name in parts else []
        if name in parts:
            source, part = parts[name]
            if len(edges) < 2:
                continue
            entry |= {"date": source, "part": part, "missing": bool(missing[i]) and part == PARTS[0]}
        constants["numbers"].append(entry)
        if cut:
            constants["edges"].append(edges)
    for name, column in zip(table.category_names, table.categories, strict=True):
        known = [value for value in (column if rows is None else column[rows]) if value is not None]
        constants["categories"].append(_words(name, known))
    if not width(constants):
        raise DataError(
            f"no column of the table tells anything: {_listed(table.given)}",
            hint="Give a column of numbers, or a category whose values occur more than once",
        )
    return constants


def width(constants: Mapping[str, Any]) -> int:
    """How many inputs a network for this table has."""
    columns = sum(2 if entry["missing"] else 1 for entry in constants["numbers"])
    return columns + sum(map(_columns_of, constants["categories"]))


def unused(constants: Mapping[str, Any]) -> list[str]:
    """The names of columns that tell a network nothing: no value of them occurs twice, and they are no texts."""
    return [entry["name"] for entry in constants["categories"] if not _columns_of(entry)]


def remarks(table: Table, y: np.ndarray, classes: int | None) -> list[str]:
    """Notes on columns that are the target, that are empty, and that have one value, over all rows.

    ``y`` are the codes of so many classes, or numbers where ``classes`` is None.
    """
    first = np.unique(y, return_index=True)[1]

    def is_target(column: np.ndarray, rows: slice) -> bool:
        """Whether the same number stands in each row, or another value for each class."""
        if y.ndim > 1 or classes is None:
            return bool(np.array_equal(column[rows], y[rows]))
        values = column[first]
        return len({*values.tolist()}) == classes and bool((column[rows] == values[y[rows]]).all())

    def is_empty(column: np.ndarray, rows: slice) -> bool:
        return column.dtype.kind == "f" and bool(np.isnan(column[rows]).all())

    def is_constant(column: np.ndarray, rows: slice) -> bool:
        return bool((column[rows] == column[0]).all())

    parts = {part_name(name, part): (name, part) for name in table.dates for part in PARTS}
    columns = {}
    for name, column in zip(table.names, (*table.numbers.T, *table.categories), strict=True):
        source, part = parts.get(name, (name, PARTS[0]))
        if part == PARTS[0]:
            columns[source] = column
    found = []
    for what, holds, hint in (
        ("the same as the target in all rows", is_target, " (leave out what is not known beforehand)"),
        ("empty", is_empty, ""),
        ("the same value in all rows", is_constant, ""),
    ):
        # Most columns are told by their first rows.
        names = [name for name, column in columns.items() if all(holds(column, slice(0, end)) for end in (1000, None))]
        if names:
            found.append(f"{what}: {', '.join(map(shorten, names[:5]))}{', …' if len(names) > 5 else ''}{hint}")
    return found


def facts(constants: Mapping[str, Any]) -> dict[str, Any]:
    """What networks for tables may know of the inputs.

    ``edges`` are those of each column of numbers, which are the first inputs. ``categories`` are the place of the first
    column of each category that has columns of zeros and ones, and how many it has; ``texts`` the same of each text.
    ``codes`` are the place of each category that has one column of numbers, and how many numbers there are.
    """
    place = sum(2 if entry["missing"] else 1 for entry in constants["numbers"])
    found: dict[str, list[list[int]]] = {"categories": [], "texts": [], "codes": []}
    for entry in constants["categories"]:
        count = _columns_of(entry)
        if "codes" in entry:
            found["codes"].append([place, entry["codes"]])
        elif count:
            found["texts" if "words" in entry else "categories"].append([place, count])
        place += count
    return {"edges": [list(edges) for edges in constants.get("edges", [])], **found}


def take(X: Any, name: str = "X") -> Table:
    """A table of a user, checked: a data frame, an array (N, F), lists of rows."""
    if isinstance(X, Table):
        return X
    if not is_frame(X):
        array = batch(X, name)
        return from_matrix(_flat(array), name)
    table = from_frame(X, name)
    if not table.names:
        raise DataError(f"{name} has 0 feature(s) (shape={X.shape}) while a minimum of 1 is required.")
    return table


def describe(constants: Mapping[str, Any]) -> str:
    """How raw rows become inputs of the network."""
    text = "table columns encoded as in manifest.json (numbers standardised, categories as columns of 0 and 1"
    if any("codes" in entry for entry in constants["categories"]):
        text += ", those of many values as one column with a number for each"
    if any("date" in entry for entry in constants["numbers"]):
        text += ", dates as numbers"
    if any("words" in entry for entry in constants["categories"]):
        text += ", texts as bags of words"
    return text + ")"


def apply(constants: Mapping[str, Any], X: Any, name: str = "X") -> np.ndarray:
    """A table as inputs of a network: float32 (N, width); columns are found by name, or by place in a plain array."""
    table = _arrange(constants, _new(X, words_of(constants), name), name)
    rows = len(table)
    check_memory(rows, width(constants), name)
    result = np.empty((rows, width(constants)), dtype=np.float32)
    entries = constants["numbers"]
    count = len(entries)
    if count:
        mean = np.array([entry["mean"] for entry in entries])
        std = np.array([entry["std"] for entry in entries])
        flagged = np.flatnonzero([entry["missing"] for entry in entries])
        for slab in slabs(rows, count):
            part = np.asarray(table.numbers[slab], dtype=np.float64)
            holes = np.isnan(part)
            result[slab, :count] = np.where(holes, 0.0, (part - mean) / std)
            result[slab, count : count + len(flagged)] = holes[:, flagged]
        count += len(flagged)
    for entry, column in zip(constants["categories"], table.categories, strict=True):
        column = _as_known(column, entry["values"])
        if "words" in entry:
            result[:, count : count + entry["words"]] = bag_of_words(column, entry["words"])
            count += entry["words"]
            continue
        if "codes" in entry:
            codes = {None: 0, **{value: code for code, value in enumerate(entry["values"], 1)}}
            result[:, count] = [codes.get(value, entry["codes"] - 1) for value in column]
            count += 1
            continue
        first = count
        for value in entry["values"]:
            result[:, count] = column == value
            count += 1
        if entry.get("other"):
            there = np.array([value is not None for value in column])
            result[:, count] = there & (result[:, first:count].sum(1) == 0)
            count += 1
    return result


def _columns_of(entry: Mapping[str, Any]) -> int:
    """How many inputs a category or a text has."""
    return 1 if "codes" in entry else int(entry.get("words", len(entry["values"]) + bool(entry.get("other"))))


def _words(name: str, known: Sequence[str]) -> dict[str, Any]:
    """The constants of a category or a text, from its values that are there."""
    if is_text(known):
        return {"name": name, "values": [], "words": WORDS}
    seen = Counter(known)
    ranked = sorted((-count, value) for value, count in seen.items() if count > 1)
    values = [value for _, value in ranked[:CODES]]
    entry: dict[str, Any] = {"name": name, "values": values}
    if len(values) > CATEGORIES:
        return {**entry, "codes": len(values) + 2}
    return {**entry, "other": True} if values and len(seen) > len(values) else entry


def _edges(column: np.ndarray, rows: np.ndarray | None, entry: Mapping[str, Any], most: int) -> list[float]:
    """Quantiles of a column, standardised, ``most`` parts between them; empty where nothing is there.

    A value so frequent that several quantiles fall on it is one edge, and the others are quantiles of all other values:
    else a column of mostly zeros would have hardly any.
    """
    places = np.arange(len(column)) if rows is None else np.asarray(rows)
    some = np.asarray(column[places[:: -(-len(places) // BINNED_ROWS)]], dtype=np.float64)
    some = some[~np.isnan(some)]
    if not len(some):
        return []
    values, counts = np.unique(np.quantile(some, np.linspace(0, 1, most + 1)), return_counts=True)
    frequent = values[counts > 1]
    others = some[~np.isin(some, frequent)]
    if len(frequent) and len(others):
        shares = np.linspace(0, 1, max(2, most + 1 - len(frequent)))
        values = np.concatenate([frequent, np.quantile(others, shares)])
    return [float(edge) for edge in np.unique(np.float32((values - entry["mean"]) / entry["std"]))]


def _parts(rows: int, columns: int) -> int:
    """Into how many parts a column of numbers is cut: more where there are many rows, and not many columns."""
    return MANY_BINS if rows >= MANY_ROWS and columns <= MANY_COLUMNS else BINS


def words_of(constants: Mapping[str, Any]) -> list[str]:
    """The names of the columns that were categories or texts in training."""
    return [entry["name"] for entry in constants["categories"]]


def _new(X: Any, words: Collection[str], what: str) -> Table:
    """Rows to predict as a table."""
    if isinstance(X, Table):
        return X
    if is_frame(X):
        return from_frame(X, what, words)
    array = as_array(X, what)
    if array.ndim == 1:
        raise DataError(
            f"Expected 2D array, got 1D array instead: {what} has shape {array.shape}",
            hint="Reshape your data: X.reshape(1, -1) for one row, X.reshape(-1, 1) for one column",
        )
    return from_matrix(_flat(array), what)


def _flat(array: np.ndarray) -> np.ndarray:
    """(N, F), also where N is 0."""
    return array.reshape(len(array), int(np.prod(array.shape[1:], dtype=np.int64)))


def _numeric(column: np.ndarray) -> bool:
    try:
        column.astype(np.float64)
    except (TypeError, ValueError):
        return False
    return True


def _column(series: Any, name: str, what: str) -> np.ndarray:
    """A column of a frame as float64 with NaN, or as an array of str and None."""
    kind = getattr(series.dtype, "kind", "O")
    if kind == "m":
        return np.asarray(series.dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan))
    if kind == "c":
        raise DataError(f"Complex data not supported: column {shorten(name)} of {what} has dtype {series.dtype}")
    if kind in "biuf" and str(series.dtype) != "category":
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    holes = series.isna().to_numpy()
    if holes.all():
        return np.full(len(series), np.nan)
    # Without gaps they would be numbers, too.
    if all(isinstance(value, bool | np.bool_) for value, hole in zip(series, holes, strict=True) if not hole):
        return np.array([np.nan if hole else float(value) for value, hole in zip(series, holes, strict=True)])
    return np.array([None if hole else str(value) for value, hole in zip(series, holes, strict=True)], dtype=object)


def _assemble(
    names: Sequence[str], columns: Sequence[np.ndarray], dated: bool = True, words: Collection[str] = ()
) -> Table:
    """The table of these columns; where ``dated``, those of dates become several of numbers, but for ``words``."""
    found: tuple[str, ...] = ()
    if dated:
        names, columns, found = _take_apart(names, columns, words)
    plain = [i for i, column in enumerate(columns) if column.dtype.kind != "O"]
    other = [i for i, column in enumerate(columns) if column.dtype.kind == "O"]
    rows = len(columns[0]) if columns else 0
    matrix = np.column_stack([columns[i] for i in plain]) if plain else np.empty((rows, 0))
    return Table(
        matrix,
        tuple(names[i] for i in plain),
        tuple(columns[i] for i in other),
        tuple(names[i] for i in other),
        found,
    )


def _take_apart(
    names: Sequence[str], columns: Sequence[np.ndarray], words: Collection[str]
) -> tuple[Sequence[str], Sequence[np.ndarray], tuple[str, ...]]:
    """The columns with dates as their parts, and which those were; ``words`` are none."""
    new_names: list[str] = []
    new_columns: list[np.ndarray] = []
    found: list[str] = []
    for name, column in zip(names, columns, strict=True):
        parts = dates(column) if column.dtype.kind == "O" and name not in words else None
        if parts is None or any(part_name(name, part) in names for part in parts):
            new_names.append(name)
            new_columns.append(column)
            continue
        found.append(name)
        new_names += [part_name(name, part) for part in parts]
        new_columns += parts.values()
    return new_names, new_columns, tuple(found)


def _check_header(path: Path) -> str:
    """The separator of a CSV file; raises DataError for an empty file and for a name that stands twice."""
    try:
        with opened(path) as file:
            line = next((line for line in file if line.strip()), "")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {one_line(error)}", hint="Save it as UTF-8") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged or cut off: {one_line(error)}", hint="Write or fetch it again") from None
    if not line:
        raise DataError(f"{path} is empty")
    separator = max(",;\t|", key=line.count)
    names = next(csv.reader([line], delimiter=separator))
    check_names(names, str(path))
    return separator


def _moments(X: np.ndarray, rows: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation and whether something is missing, by column; in two passes over slabs of rows."""
    chosen = np.arange(len(X)) if rows is None else np.asarray(rows)
    columns = X.shape[1]
    count, total, spread = np.zeros(columns), np.zeros(columns), np.zeros(columns)
    for slab in slabs(len(chosen), columns):
        part = np.asarray(X[chosen[slab]], dtype=np.float64)
        count += (~np.isnan(part)).sum(0)
        total += np.nansum(part, axis=0)
    mean = np.divide(total, count, out=np.zeros(columns), where=count > 0)
    for slab in slabs(len(chosen), columns):
        part = np.asarray(X[chosen[slab]], dtype=np.float64) - mean
        spread += np.nansum(part * part, axis=0)
    std = np.sqrt(np.divide(spread, count, out=np.zeros(columns), where=count > 0))
    # A column that never changes is left at zero: its rounding errors are no signal.
    std[std <= 1e-12 * np.maximum(1e-300, np.abs(mean))] = 1.0
    return mean, std, count < len(chosen)


def _arrange(constants: Mapping[str, Any], table: Table, what: str) -> Table:
    """The columns of ``table`` in the order of ``constants``."""
    expected_numbers = [entry["name"] for entry in constants["numbers"]]
    expected_categories = [entry["name"] for entry in constants["categories"]]
    if list(table.number_names) == expected_numbers and list(table.category_names) == expected_categories:
        return table
    expected = expected_numbers + expected_categories
    unnamed = all(name == f"column {i}" for i, name in enumerate(sorted(table.names, key=_place)))
    if unnamed and len(table.names) != len(expected):
        raise DataError(
            f"{what} has {len(table.names)} features, but Netwright is expecting {len(expected)} features as input"
        )
    columns: dict[str, np.ndarray] = {name: table.numbers[:, i] for i, name in enumerate(table.number_names)}
    columns.update(zip(table.category_names, table.categories, strict=True))
    if unnamed and not all(name in columns for name in expected) and not expected_categories:
        columns = {name: columns[f"column {i}"] for i, name in enumerate(expected)}
    for entry in constants["numbers"]:
        if "date" in entry and entry["name"] not in columns and entry["date"] in columns:
            columns[entry["name"]] = _date(columns[entry["date"]], entry, what)
    absent = [name for name in expected if name not in columns]
    if absent:
        sources = {entry["name"]: entry["date"] for entry in constants["numbers"] if "date" in entry}
        absent = list(dict.fromkeys(sources.get(name, name) for name in absent))
        known = list(dict.fromkeys(sources.get(name, name) for name in expected))
        raise DataError(
            f"{what} has no column {shorten(absent[0])}" + (f" and {len(absent) - 1} more" if len(absent) > 1 else ""),
            hint=f"The network was trained with {_listed(known)}",
        )
    for entry in constants["numbers"]:
        if columns[entry["name"]].dtype.kind == "O":
            columns[entry["name"]] = _again_numbers(columns[entry["name"]], entry, what)
    rows = len(table)
    matrix = np.column_stack([columns[name] for name in expected_numbers]) if expected_numbers else np.empty((rows, 0))
    return Table(
        matrix,
        tuple(expected_numbers),
        tuple(_text(columns[name]) for name in expected_categories),
        tuple(expected_categories),
    )


def _date(column: np.ndarray, entry: Mapping[str, Any], what: str) -> np.ndarray:
    """The part of a date, of a column that is no date throughout: all of it may be missing."""
    if column.dtype.kind != "O" and np.isnan(column).all():
        return column
    wrong = ((i, value) for i, value in enumerate(column) if value is not None and dates([value]) is None)
    row, value = next(wrong, (0, column[0]))
    raise DataError(
        f"column {shorten(entry['date'])} of {what} holds {shorten(value)} in row {row + 1},"
        " expected dates as in training",
        hint="Write them as 2026-11-26 or 2026-11-26 14:30",
    )


def _place(name: str) -> int:
    digits = name.rpartition(" ")[2]
    return int(digits) if digits.isdigit() else -1


def _again_numbers(column: np.ndarray, entry: Mapping[str, Any], what: str) -> np.ndarray:
    """Numbers that are written as texts, NaN where one is missing; DataError for the first that is none."""
    name, comma = entry["name"], bool(entry.get("comma"))
    truth = {"true": 1.0, "false": 0.0}
    made = np.full(len(column), np.nan)
    for row, value in enumerate(column):
        if value is None:
            continue
        try:
            made[row] = truth[value.lower()] if value.lower() in truth else number(value, comma=comma)
        except ValueError:
            raise DataError(
                f"column {shorten(name)} of {what} holds {shorten(value)} in row {row + 1},"
                " expected numbers as in training"
            ) from None
        if np.isinf(made[row]):
            raise DataError(f"column {shorten(name)} of {what} holds {shorten(value)} in row {row + 1}, infinity")
    return made


def _text(column: np.ndarray) -> np.ndarray:
    """A column as categories: whole numbers are written without a point."""
    if column.dtype.kind == "O":
        return column
    written = (None if value != value else str(int(value)) if value == int(value) else str(value) for value in column)
    return np.array(list(written), dtype=object)


def _as_known(column: np.ndarray, values: Sequence[str]) -> np.ndarray:
    """Values of a category as training has them: ``1.0`` is ``1``, and ``true`` is ``True``, where these are known."""
    known = set(values)
    return np.array([value if value is None or value in known else _alike(value, known) for value in column], object)


def _alike(value: str, known: Collection[str]) -> str:
    """The known value that says the same, or the value itself."""
    try:
        number = float(value)
        other = str(int(number)) if number == int(number) else str(number)
    except (ValueError, OverflowError):
        other = value.capitalize() if value.lower() in ("true", "false") else value
    return other if other in known else value


def _listed(names: Sequence[str], limit: int = 8) -> str:
    shown = ", ".join(_quoted(name) for name in names[:limit])
    return f"{len(names)} column{'s' * (len(names) != 1)}: {shown}{', …' if len(names) > limit else ''}"


def _quoted(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else shorten(name)
