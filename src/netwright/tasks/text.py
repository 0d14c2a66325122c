"""Texts: rows of one text each, and the constants that turn them into numbers of words, or of pieces of words.

A text is cut into words and punctuation marks, in small letters. The words that occur at least twice have a number
each, the most frequent first; all others share numbers by a hash of their letters, so that no word is without one. 0 is
no word: shorter texts are filled up with it.

Cut by byte pairs (Sennrich, Haddow and Birch 2016, on bytes as GPT-2 has it) it consists of pieces that were learned
from the texts: a rare word is several of them, at the worst its bytes, so that all of them have a number of their own.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from netwright import strict_json
from netwright.errors import DataError, InputError, MissingExtra
from netwright.tasks.checks import as_array, check_memory, is_frame, is_missing, one_line, shorten
from netwright.tasks.kinds import Source

WORDS = 20_000
"""At most so many words have a number of their own."""
BUCKETS = 8192
"""At most so many numbers are shared by all other words; as many as there are in training, where that is less."""
PIECES = 8_000
"""At most so many pieces are learned as byte pairs, the 256 bytes among them."""
LENGTHS = 99.0
"""The percentile of the lengths of texts in training that a network sees whole."""
LENGTH = 512
"""At most so many words of a text are read."""
TITLE = 0.2
"""A column of strings is part of the text where it is at least so long as the longest, on average."""

WAYS = ("words", "bpe")
"""How a text may be cut."""

_WORD = re.compile(r"\w+(?:'\w+)*|[^\w\s]")


@dataclass(frozen=True)
class Texts:
    """N texts: ``values`` (N,), an array of str. ``columns`` are the names of those that they were joined from.

    ``tokens`` is how they are to be cut: into ``"words"``, or pieces of them by byte pairs, ``"bpe"``.
    """

    values: np.ndarray
    columns: tuple[str, ...] = ()
    tokens: str = "words"

    kind: ClassVar[str] = "text"

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)

    def cut_into(self, tokens: str) -> Texts:
        """The same texts, to be cut so; InputError for a way that is none, MissingExtra where ``tokenizers`` is."""
        if tokens not in WAYS:
            raise InputError(f"tokens of texts are {' or '.join(WAYS)}, found {shorten(tokens)}")
        if tokens == "bpe":
            _tokenizers()
        return replace(self, tokens=tokens)


def take(X: Any, name: str = "X") -> Texts:
    """Texts of a user, checked: a list, an array or a series of str, or a data frame.

    Of a frame the longest column of strings is the text, on average, with those beside it that are at least a fifth as
    long (a title, a summary); they are joined in their order. An empty string is a text, None and NaN are refused.
    """
    if isinstance(X, Texts):
        return X
    if is_frame(X):
        columns = _text_columns(X, name)
        return _joined({column: _column(X, column, name) for column in columns})
    if isinstance(X, str | bytes):
        raise DataError(f"{name} is a single {type(X).__name__}, expected a list of texts", hint=f"Give [{name}]")
    if isinstance(X, Iterable) and not isinstance(X, np.ndarray):
        X = list(X)
        values = np.empty(len(X), dtype=object)
        values[:] = X
    else:
        values = as_array(X, name)
        if values.ndim == 2 and values.size == len(values):
            values = values.reshape(-1)
        if values.ndim != 1:
            raise DataError(f"{name} of shape {values.shape} holds no texts", hint="Give one text a row")
    return Texts(_strings(values, name))


def learn(X: Texts, places: np.ndarray | None = None) -> dict[str, Any]:
    """``words``, ``buckets``, ``length`` and ``columns``, learned at these places alone (None: all).

    By byte pairs ``pairs`` are what the library ``tokenizers`` knows a tokenizer by, ``words`` all its pieces, those
    that occur most often first, and there are no buckets. Raises DataError for texts without any word, and for texts
    that are all alike.
    """
    values = X.values if places is None else X.values[places]
    pairs = _pairs(values.tolist()) if X.tokens == "bpe" else None
    texts = [words_of(value) if pairs is None else _pieces(pairs, value) for value in values.tolist()]
    if not any(texts):
        raise DataError(
            f"{_where(X)} is empty: there is no word in the {len(texts):,} texts to learn from",
            hint="Give texts with words" if not X.columns else "Is it the right column?",
        )
    if len(texts) > 1 and all(text == texts[0] for text in texts):
        raise DataError(
            f"the {len(texts):,} texts to learn from are alike: {shorten(str(values[0]))}",
            hint="There is nothing to learn from them",
        )
    counts = Counter(word for text in texts for word in text)
    length = int(np.ceil(np.percentile([len(text) for text in texts], LENGTHS)))
    shape = {"length": max(2, min(length, LENGTH)), "columns": list(X.columns)}
    if pairs is not None:
        pieces = sorted(_tokenizer(pairs).get_vocab(), key=lambda piece: (-counts[piece], piece))
        return {"words": pieces, "buckets": 0, **shape, "pairs": strict_json.loads(pairs)}
    ranked = sorted((-count, word) for word, count in counts.items() if count > 1)
    words = [word for _, word in ranked[:WORDS]]
    return {"words": words, "buckets": max(1, min(BUCKETS, len(counts) - len(words))), **shape}


def apply(constants: Mapping[str, Any], X: Any, name: str = "X") -> np.ndarray:
    """Texts as inputs of a network: float32 (N, length), the numbers of their first words (pieces), 0 after the end.

    Of a frame the columns of training; where it has a single column, that; the longest column of strings where training
    had no frame.
    """
    texts = _again(constants, X, name)
    words, length = constants["words"], constants["length"]
    check_memory(len(texts), length, "the texts")
    numbers = {word: place for place, word in enumerate(words, 1)}
    inputs = np.zeros((len(texts), length), dtype=np.float32)
    pairs = strict_json.dumps(constants["pairs"]) if "pairs" in constants else None
    for row, text in enumerate(texts.values.tolist()):
        found = words_of(text, length) if pairs is None else _pieces(pairs, text)[:length]
        inputs[row, : len(found)] = [
            numbers.get(word) or 1 + len(words) + zlib.crc32(word.encode()) % constants["buckets"] for word in found
        ]
    return inputs


def facts(constants: Mapping[str, Any]) -> dict[str, Any]:
    """``vocabulary``: how many numbers there are, 0 and the shared ones among them; ``known``, without the shared."""
    known = 1 + len(constants["words"])
    return {"vocabulary": known + constants["buckets"], "known": known}


def describe(constants: Mapping[str, Any]) -> str:
    """How raw rows become inputs of the network."""
    if "pairs" in constants:
        return (
            f"texts as the numbers (N, {constants['length']}) of their first pieces, cut by byte pairs as in"
            f" manifest.json: there are {len(constants['words']):,}, and 0 is what comes after the end"
        )
    return (
        f"texts as the numbers (N, {constants['length']}) of their first words: {len(constants['words']):,} words have"
        f" a number of their own as in manifest.json, others one of {constants['buckets']:,} by a hash, 0 after the end"
    )


def words_of(text: str, most: int | None = None) -> list[str]:
    """The words and punctuation marks of a text in small letters, at most so many of them.

    >>> words_of("It's GOOD, isn't it?")
    ["it's", 'good', ',', "isn't", 'it', '?']
    """
    words: list[str] = []
    for found in _WORD.finditer(text.lower()):
        if most is not None and len(words) == most:
            break
        words.append(_sound(found.group()))
    return words


def read(path: Path, target: str | None, tokens: str = "words", na: str = "missing") -> Source:
    """A CSV or Parquet file with a column of texts, or a folder with one sub-folder of .txt files a class.

    A folder may have ``train`` and ``test`` with such sub-folders each. ``tokens`` is how they are cut: see
    :class:`Texts`; ``na`` is as of :func:`netwright.tasks.tables.read_pair`.
    """
    source = _read(path, target, na)
    return replace(source, X=source.X.cut_into(tokens))


def _read(path: Path, target: str | None, na: str) -> Source:
    from netwright.tasks import tables

    if path.is_dir():
        if target is not None:
            raise DataError(f"{path} is a folder, whose sub-folders are the classes", hint="Leave --target out")
        parts = {part.name.lower(): part for part in _visible(path, folders=True)}
        if set(parts) == {"train", "test"}:
            X, y = _read_classes(parts["train"])
            X_test, y_test = _read_classes(parts["test"])
            return Source(Texts(X), y, Texts(X_test), y_test)
        X, y = _read_classes(path)
        return Source(Texts(X), y)
    if tables.ending(path) in (".csv", ".tsv", ".parquet", ".pq"):
        frame, column = tables.read_pair(path, target, na)
        return Source(take(_filled(frame), str(path)), column)
    raise DataError(
        f"{path} holds no texts and answers",
        hint="Give a CSV or Parquet file with a column of texts, or a folder with one sub-folder of .txt files a class",
    )


def read_new(path: Path, preprocessing: Mapping[str, Any] | None = None) -> Any:
    """Texts to predict: a CSV or Parquet file, .txt files (each a text) of a folder and its sub-folders, by name."""
    from netwright.tasks import tables

    suffix = tables.ending(path)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*.txt") if not file.name.startswith("."))
        if not files:
            raise DataError(f"{path} holds no .txt files")
        return Texts(_array([_read_text(file) for file in files]))
    if suffix == ".txt":
        return Texts(_array([_read_text(path)]))
    if suffix in (".csv", ".tsv", ".parquet", ".pq"):
        return _filled(tables.read_file(path, words=None))
    raise DataError(f"{path} holds no texts", hint="Give a CSV or Parquet file, a .txt file or a folder of them")


def _tokenizers() -> Any:
    """The library that learns and cuts byte pairs."""
    try:
        import tokenizers
    except ImportError:
        raise MissingExtra("tokenizers", "text", "Cutting texts by byte pairs") from None
    return tokenizers


def _pairs(texts: list[str]) -> str:
    """What a tokenizer is known by, learned from these texts: JSON as ``tokenizers`` writes it.

    It cuts small letters at spaces and marks, and then merges the most frequent pairs of neighbours, which occur at
    least twice.
    """
    library = _tokenizers()
    # With a space before it the first word of a text is like any other.
    cut = library.pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.normalizer = library.normalizers.Sequence([library.normalizers.Lowercase(), library.normalizers.Strip()])
    tokenizer.pre_tokenizer = cut
    trainer = library.trainers.BpeTrainer(
        vocab_size=PIECES, min_frequency=2, show_progress=False, initial_alphabet=sorted(cut.alphabet())
    )
    tokenizer.train_from_iterator(map(_sound, texts), trainer)
    written: str = tokenizer.to_str()
    return written


@lru_cache(maxsize=4)
def _tokenizer(pairs: str) -> Any:
    return _tokenizers().Tokenizer.from_str(pairs)


def _pieces(pairs: str, text: str) -> list[str]:
    """The pieces of a text, each byte as a letter of its own."""
    pieces: list[str] = _tokenizer(pairs).encode(_sound(text)).tokens
    return pieces


def _sound(text: str) -> str:
    """What is no letter of any writing, half of a pair of surrogates, has no bytes."""
    return text.encode(errors="replace").decode()


def _again(constants: Mapping[str, Any], X: Any, name: str) -> Texts:
    """New rows, of a frame by the columns that the network was trained on; the longest where it was on no frame."""
    columns = constants["columns"]
    if not is_frame(X):
        return take(X, name)
    if not columns:
        lengths = _lengths(X, name)
        columns = [max(lengths, key=lambda column: lengths[column])]
    names = [str(column) for column in X.columns]
    absent = [column for column in columns if column not in names]
    if not absent:
        return _joined({column: _column(X, column, name) for column in columns})
    if len(names) == len(columns) == 1:
        return take(X, name)
    raise DataError(
        f"{name} has no column {shorten(absent[0])}, from which the network reads texts",
        hint=f"It was trained on {', '.join(map(shorten, columns))}",
    )


def _text_columns(frame: Any, what: str) -> list[str]:
    """The names of the columns that are the text, in their order."""
    lengths = _lengths(frame, what)
    longest = max(lengths.values())
    return [name for name, length in lengths.items() if length >= TITLE * longest]


def _lengths(frame: Any, what: str) -> dict[str, float]:
    """How long the texts of each column of strings are, on average; DataError where there is nothing in any."""
    lengths: dict[str, float] = {}
    empty: list[str] = []
    for place, name in enumerate(map(str, frame.columns)):
        values = _values(frame, place)
        there = [value for value in values if not is_missing(value)]
        if not there:
            empty.append(name)
        elif any(isinstance(value, str) for value in there) and (len(frame.columns) == 1 or _mostly(there)):
            lengths[name] = float(np.mean([len(str(value)) for value in there]))
    if max(lengths.values(), default=0.0) > 0:
        return lengths
    if lengths or empty:
        named = (*lengths, *empty)[0]
        raise DataError(
            f"the text column {shorten(named)} of {what} is empty in all {len(frame):,} rows",
            hint="Is it the right column?",
        )
    raise DataError(
        f"{what} has no column of texts",
        hint="Give a column of strings; for numbers alone: --task tables (in Python TabularClassifier)",
    )


def _mostly(values: list[Any]) -> bool:
    """Whether at least half of them are strings: a column of texts with a number among them is still one."""
    return 2 * sum(isinstance(value, str) for value in values) >= len(values)


def _values(frame: Any, place: int) -> list[Any]:
    column = frame.iloc[:, place] if hasattr(frame, "iloc") else frame[frame.columns[place]]
    return list(column.to_list())


def _column(frame: Any, name: str, what: str) -> np.ndarray:
    place = [str(each) for each in frame.columns].index(name)
    return _strings(_array(_values(frame, place)), f"{what}[{name!r}]")


def _joined(columns: Mapping[str, np.ndarray]) -> Texts:
    """Columns as one text a row, a line each."""
    if len(columns) == 1:
        ((name, values),) = columns.items()
        return Texts(values, (name,))
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    return Texts(_array(["\n".join(row) for row in rows]), tuple(columns))


def _filled(frame: Any) -> Any:
    """A frame of a file with an empty text for an empty cell, in columns of texts and in empty ones."""
    filled = {}
    for name in frame.columns:
        values = list(frame[name])
        if any(isinstance(value, str) for value in values) or all(map(is_missing, values)):
            filled[name] = [_plain(value) for value in values]
    return frame.assign(**{str(name): values for name, values in filled.items()})


def _plain(value: Any) -> Any:
    return "" if is_missing(value) else value


def _strings(values: np.ndarray, name: str) -> np.ndarray:
    """An array of objects that are all strings; DataError with the first row that is none."""
    if values.dtype.kind == "U":
        return values.astype(object)
    for row, value in enumerate(values):
        if isinstance(value, str):
            continue
        if is_missing(value):
            count = sum(1 for each in values if is_missing(each))
            raise DataError(
                f"Input {name} contains NaN: {count:,} of {len(values):,} texts are missing,"
                f" the first in row {row + 1}",
                hint="Leave these rows out, or give an empty string, which is a text",
            )
        raise DataError(
            f"{name} holds {shorten(value)} in row {row + 1}, expected a text", hint="Give strings: str(value)"
        )
    return _array(values.tolist())


def _array(values: list[Any]) -> np.ndarray:
    """Objects one by one: numpy would pad strings to the longest."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _where(X: Texts) -> str:
    return f"the text column {', '.join(map(shorten, X.columns))}" if X.columns else "the text"


def _visible(folder: Path, *, folders: bool) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir() == folders)


def _read_classes(folder: Path) -> tuple[np.ndarray, list[str]]:
    """The texts of a folder and the class of each, the name of the sub-folder that it lies in."""
    classes = _visible(folder, folders=True)
    if not classes:
        raise DataError(f"{folder} has no sub-folders, expected one sub-folder of .txt files a class")
    texts: list[str] = []
    labels: list[str] = []
    for sub in classes:
        files = [file for file in _visible(sub, folders=False) if file.suffix.lower() == ".txt"]
        if not files:
            raise DataError(f"the class folder {sub} holds no .txt files", hint="Fill or remove it")
        texts += [_read_text(file) for file in files]
        labels += [sub.name] * len(files)
    return _array(texts), labels


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {one_line(error, 60)}", hint="Save it as UTF-8") from None
