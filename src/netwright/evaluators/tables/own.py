"""Tables of one's own: ``.npz`` and JSON, read without trusting them.

An ``.npz`` holds ``choices`` (N × D whole numbers) and a float array of length N (or N × seeds) for each
``metric@fidelity``; ``cost`` is in seconds. Optional: ``decisions`` (D names) and ``options``: the answers of each
decision, as a text that holds a JSON list of lists, or as a (D, most) array of texts padded with "". ``version``,
``name``, ``space`` (a space of the zoo and its arguments), ``times`` and ``about`` are what :func:`save_table` adds.
A JSON file is ``{architecture string: {metric: value}}``.
"""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from netwright import strict_json
from netwright.architecture import Answer, freeze
from netwright.errors import InputError, NetwrightError, ResourceError
from netwright.evaluators.tables.rows import Rows, options_of
from netwright.evaluators.tables.table import Table
from netwright.space import SearchSpace, choose

Key = Callable[[Mapping[str, Any]], str]
VERSION = 1
LARGEST = 2 * 2**30
"""Bytes that a file may unpack to."""
MOST_OPTIONS = 100_000
"""Options that a decision of a table has; a larger number among ``choices`` is no place in a list."""
RESERVED = ("choices", "decisions", "options", "version", "name", "space", "times", "about", "keys")


class Declared(nn.Module):
    """Decisions without a network: what a table knows of a space. ``decisions`` are pairs of a name and options."""

    def __init__(self, decisions: tuple[tuple[str, tuple[Answer, ...]], ...]) -> None:
        super().__init__()
        self.answers = {name: choose(name, *options) for name, options in decisions}


def declared_space(options: Mapping[str, Sequence[Answer]], rows: Rows | None = None) -> SearchSpace:
    """The space of decisions with these options, all of them or those with a row."""
    decisions = tuple((name, tuple(values)) for name, values in options.items())
    rule = None if rows is None or rows.complete else rows
    return SearchSpace(Declared, where=rule, decisions=decisions)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an ``.npz``; InputError for a file that is truncated, pickled, or no ``.npz``."""
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as file:
                start = file.read(4)
            if start[:2] == b"PK":
                raise InputError(f"the table {path} is truncated", hint="Copy or make it again")
            if start[:1] == b"\x80":
                raise InputError(
                    f"the table {path} is a pickle, and is none of the official files by its name or its content",
                    hint="Pickles of other programs are never opened: save arrays with numpy.savez",
                )
            raise InputError(f"the table {path} is not an .npz file", hint="Save its arrays with numpy.savez")
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > LARGEST:
                raise InputError(f"the table {path} unpacks to {size:,} bytes, at most {LARGEST:,} are read")
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        odd = next((key for key, array in arrays.items() if not isinstance(array, np.ndarray)), None)
        if odd is not None:
            raise InputError(f"the table {path} holds '{odd}', which is no array", hint="Save it by numpy.savez")
        return arrays
    except NetwrightError:
        raise
    except ValueError as error:
        if "pickle" in str(error).lower() or "object" in str(error).lower():
            raise InputError(
                f"the table {path} holds pickled objects, which are not read", hint="Save plain arrays of numbers"
            ) from None
        raise InputError(f"the table {path} is damaged: {error}", hint="Copy or make it again") from None
    except Exception as error:  # zlib, zipfile, struct and EOF each say it otherwise
        raise InputError(f"the table {path} is damaged: {error}", hint="Copy or make it again") from None


def table_of_arrays(arrays: Mapping[str, NDArray[Any]], name: str, source: str) -> Table:
    """The table that the arrays of an ``.npz`` say; InputError, naming ``source``, for what is not sound."""
    with _said_of(source):
        return _table_of_arrays(arrays, name, source)


def read_json(path: Path, name: str) -> Table:
    """The table in ``{architecture string: {metric: value}}``; InputError for a file that is not a sound one."""
    with _said_of(str(path)):
        return _from_json(path, name)


def _table_of_arrays(arrays: Mapping[str, NDArray[Any]], name: str, source: str) -> Table:
    version = int(_scalar(arrays, "version", VERSION, int))
    if version != VERSION:
        raise InputError(
            f"the table {source} has version {version}, this Netwright reads version {VERSION}",
            hint="Import or make it again with this version",
        )
    if "choices" not in arrays:
        raise InputError(
            f"the table {source} has no array 'choices' (it has {', '.join(sorted(arrays)[:8]) or 'nothing'})",
            hint="choices is N × D whole numbers: the option of each of D decisions",
        )
    choices = arrays["choices"]
    if choices.ndim != 2 or choices.dtype.kind not in "iu" or not choices.size:
        raise InputError(
            f"'choices' of the table {source} is N × D whole numbers, found {choices.dtype} of shape {choices.shape}"
        )
    names = _decisions(arrays, choices.shape[1])
    options = _options(arrays, names, choices)
    rows = Rows(options, choices)
    columns = {key: array for key, array in arrays.items() if key not in RESERVED}
    times = _json(arrays, "times")
    said = _json(arrays, "space")
    space, key = _space(said, options, rows)
    keys = None
    if key is not None and "keys" in arrays:
        keys = arrays["keys"].tolist()
        if len(keys) != len(rows) or keys[0] != key(rows.architecture(0)):
            raise InputError("its 'keys' are not those of its rows")
    return Table(
        str(_scalar(arrays, "name", name, str)),
        space,
        rows.choices,
        columns,
        key=key,
        keys=keys,
        times=times or None,
        about=_json(arrays, "about"),
        rows=rows,
    )


def save_table(table: Table, path: str | os.PathLike[str]) -> Path:
    """Writes a table as an ``.npz``, whole or not at all; answers with its path.

    ResourceError where it cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"a table is saved as .npz, found {path.name!r}", hint=f"Call it {path.stem}.npz")
    options = options_of(table.space.decisions)
    arrays: dict[str, Any] = {
        "version": np.array(VERSION),
        "name": np.array(table.name),
        "decisions": np.array(list(options)),
        "options": np.array(strict_json.dumps([list(values) for values in options.values()])),
        "choices": table.choices.astype(np.int8 if max(map(len, options.values())) < 128 else np.int16),
        "times": np.array(strict_json.dumps(dict(table.times))),
        "about": np.array(strict_json.dumps(dict(table.about))),
    }
    if table.keys is not None:
        arrays["keys"] = np.array(table.keys)
    zoo = _zoo_name(table.space)
    if zoo is not None:
        arrays["space"] = np.array(strict_json.dumps({"name": zoo, "arguments": dict(table.space.arguments)}))
    for column in table.columns.values():
        arrays[column.name] = _smallest(column.values)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(buffer.getvalue())
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    return path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """ResourceError, naming ``path``, where the machine does not let it be written."""
    try:
        yield
    except OSError as error:
        raise ResourceError(
            f"cannot write {path}: {error.strerror or error}", hint="Choose another place with --out"
        ) from None


# Below: helpers in the order of use


@contextmanager
def _said_of(source: str) -> Iterator[None]:
    """Puts the file before what is wrong with it."""
    try:
        yield
    except NetwrightError as error:
        if source in str(error):
            raise
        raise InputError(f"the table {source}: {error.message}", hint=error.hint) from None


def _scalar(arrays: Mapping[str, NDArray[Any]], key: str, default: Any, kind: type) -> Any:
    if key not in arrays:
        return default
    array = arrays[key]
    if array.ndim != 0 or not isinstance(array.item(), kind):
        wanted = "text" if kind is str else "whole number"
        raise InputError(f"'{key}' is one {wanted}, found {array.dtype} of shape {array.shape}")
    return array.item()


def _json(arrays: Mapping[str, NDArray[Any]], key: str) -> dict[str, Any]:
    value = strict_json.loads(_scalar(arrays, key, "{}", str), what=f"'{key}'")
    if not isinstance(value, dict) or (key != "space" and not all(isinstance(item, str) for item in value.values())):
        raise InputError(f"'{key}' is a JSON object of texts, found {str(value)[:60]}")
    return value


def _decisions(arrays: Mapping[str, NDArray[Any]], count: int) -> list[str]:
    if "decisions" not in arrays:
        return [f"decision{index}" for index in range(count)]
    given = arrays["decisions"]
    if given.ndim != 1 or given.dtype.kind != "U":
        raise InputError(f"'decisions' is a list of names, found {given.dtype} of shape {given.shape}")
    names: list[str] = given.tolist()
    if len(names) != count:
        raise InputError(f"'decisions' has {len(names)} names, 'choices' {count} columns")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"the decision '{twice}' is there twice")
    return names


def _options(
    arrays: Mapping[str, NDArray[Any]], names: Sequence[str], choices: NDArray[Any]
) -> dict[str, tuple[Answer, ...]]:
    if "options" not in arrays:
        most = int(choices.max())
        if most >= MOST_OPTIONS:
            raise InputError(
                f"'choices' are the places of options, counted from 0, found {most:,}",
                hint=f"Number the options of each decision one after another (at most {MOST_OPTIONS:,}).",
            )
        return {name: tuple(range(int(choices[:, index].max()) + 1)) for index, name in enumerate(names)}
    given = arrays["options"]
    if given.dtype.kind != "U" or given.ndim not in (0, 2):
        raise InputError(
            f"'options' is a JSON list of lists, or texts padded with '', found {given.dtype} of shape {given.shape}"
        )
    lists: Any
    if given.ndim == 2:
        lists = [[text for text in row if text] for row in given.tolist()]
    else:
        lists = strict_json.loads(given.item(), what="'options'")
    if not isinstance(lists, list) or not all(isinstance(values, list) and values for values in lists):
        raise InputError("'options' is a list for each decision, of its options")
    if len(lists) != len(names):
        raise InputError(f"'options' has {len(lists)} lists, there are {len(names)} decisions")
    return {name: tuple(freeze(value, name) for value in values) for name, values in zip(names, lists, strict=True)}


def _space(
    said: Mapping[str, Any], options: Mapping[str, Sequence[Answer]], rows: Rows
) -> tuple[SearchSpace, Key | None]:
    """The space of the zoo that the table names, where its decisions are the table's; else the decisions alone.

    Beside it what names the network of an architecture, where several of the space are one.
    """
    from netwright.zoo import SPACES

    entry = SPACES.get(str(said.get("name", "")))
    arguments = said.get("arguments", {})
    if entry is None or not isinstance(arguments, dict):
        _refuse_unanswered(rows)
        return declared_space(options, rows), None
    given = {name: _tuples(value) for name, value in arguments.items()}
    made = entry.space(**given)
    if options_of(made.decisions) != dict(options):
        raise InputError(f"its decisions are not those of the space '{entry.name}', which it names")
    if entry.key is None and not rows.complete:
        made = SearchSpace(entry.network, where=rows, **given)
    return made, entry.key


def _refuse_unanswered(rows: Rows) -> None:
    # Declared decisions have no conditions: such a row would be of no architecture of the space.
    unanswered = np.argwhere(rows.choices < 0)
    if len(unanswered):
        row, column = unanswered[0].tolist()
        raise InputError(
            f"row {row} leaves {rows.names[column]} unanswered, which this space always asks",
            hint="Give the decision one more option for the rows without it",
        )


def _zoo_name(space: SearchSpace) -> str | None:
    from netwright.zoo import SPACES

    return next((name for name, entry in SPACES.items() if entry.network is space.network), None)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _smallest(values: NDArray[np.float64]) -> NDArray[Any]:
    """The same numbers in fewer bytes, where that loses nothing."""
    if np.isfinite(values).all() and (values == np.rint(values)).all() and np.abs(values).max() < 2**31:
        return values.astype(np.int32)
    single = values.astype(np.float32)
    return single if np.array_equal(single.astype(np.float64), values, equal_nan=True) else values


def _from_json(path: Path, name: str) -> Table:
    value = strict_json.loads(path.read_bytes(), what=f"the table {path}", max_bytes=LARGEST)
    if not isinstance(value, dict) or not value or not all(isinstance(row, dict) for row in value.values()):
        raise InputError(f'a table is {{"architecture": {{"metric": value}}}}, found {_kind(value)}')
    texts = list(value)
    answers = [_answers(text) for text in texts]
    columns: dict[str, NDArray[np.float64]] = {}
    known = list(value[texts[0]])
    for text, row in value.items():
        if list(row) != known and set(row) != set(known):
            odd = sorted(set(row) ^ set(known))[0]
            raise InputError(f"not every architecture has the metric '{odd}' (see {text[:60]!r})")
        for metric, number in row.items():
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise InputError(f"'{metric}' of {text[:60]!r} is a number, found {number!r:.40}")
            if isinstance(number, int) and abs(number) > sys.float_info.max:
                raise InputError(f"'{metric}' of {text[:60]!r} is larger than any float")
    for metric in known:
        columns[metric] = np.array([float(row[metric]) for row in value.values()])
    options = _options_found(answers)
    places = {
        decision: {_key(option): position for position, option in enumerate(values)}
        for decision, values in options.items()
    }
    choices = np.array(
        [[places[decision][_key(row[decision])] if decision in row else -1 for decision in options] for row in answers]
    )
    if (choices < 0).any():
        raise InputError("not every architecture answers the same decisions", hint="Give them all the same names")
    rows = Rows(options, choices)
    said = {"name": "nasbench201"} if tuple(options) == _edges() else {}
    return Table(name, _space(said, options, rows)[0], rows.choices, columns, rows=rows)


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if not isinstance(value, dict):
        return f"{value!r:.40}"
    odd = next(((key, row) for key, row in value.items() if not isinstance(row, dict)), None)
    return "an empty mapping" if odd is None else f"{odd[1]!r:.40} at {odd[0][:40]!r}"


def _answers(text: str) -> dict[str, Answer]:
    """What a text says of an architecture: JSON, the text of NAS-Bench-201, ``name=value …``, or a digit a decision."""
    if text.startswith("{"):
        value = strict_json.loads(text, what=f"the architecture {text[:60]!r}")
        return {name: freeze(answer, name) for name, answer in value.items()}
    if text.startswith("|"):
        from netwright.zoo.nasbench201 import from_string

        return dict(from_string(text))
    if re.fullmatch(r"[^\s=]+=\S+( [^\s=]+=\S+)*", text):
        return {name: _literal(word) for name, _, word in (part.partition("=") for part in text.split(" "))}
    if re.fullmatch(r"\d+", text):
        return {f"decision{index}": int(digit) for index, digit in enumerate(text)}
    raise InputError(
        f"{text[:60]!r} is not the text of an architecture",
        hint='Write JSON ({"width": 16}), width=16 depth=2, a digit for each decision, or |op~0|+|op~0|op~1|+…',
    )


def _literal(word: str) -> Answer:
    try:
        return int(word)
    except ValueError:
        pass
    try:
        number = float(word)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(word, word)
    return number if np.isfinite(number) else word


def _options_found(answers: Sequence[Mapping[str, Answer]]) -> dict[str, tuple[Answer, ...]]:
    """The answers that occur, in order where they have one; those of NAS-Bench-201 in its own."""
    from netwright.zoo.cell import EDGES
    from netwright.zoo.nasbench201 import OPERATIONS

    found: dict[str, dict[Any, Answer]] = {}
    for row in answers:
        for decision, answer in row.items():
            found.setdefault(decision, {})[_key(answer)] = answer
    if tuple(found) == EDGES:
        return dict.fromkeys(EDGES, OPERATIONS)
    return {decision: tuple(_sorted(list(values.values()))) for decision, values in found.items()}


def _edges() -> tuple[str, ...]:
    from netwright.zoo.cell import EDGES

    return EDGES


def _key(answer: Answer) -> Any:
    return (type(answer), answer)


def _sorted(values: list[Answer]) -> list[Answer]:
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda value: (type(value).__name__, str(value)))
