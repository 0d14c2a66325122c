"""Text to be continued: windows of tokens, of which a network predicts at each place the next one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from netwright.errors import DataError, InputError
from netwright.tasks.checks import check_memory, shorten
from netwright.tasks.kinds import Source

if TYPE_CHECKING:
    from netwright.training.splits import Split

WINDOW = 64
"""Tokens of a window where nothing else is asked for."""
MIN_WINDOWS = 32
"""With fewer there is too little to train, validate, select and test on."""
JUDGED_VALUES = 1 << 25
"""At most so many scores of a network (places times tokens) are made for each part that is judged: 128 MiB."""
WORDS = 5_000
"""The most frequent words are tokens, all others the unknown one."""
UNKNOWN = "\ufffd"
"""The token for whatever the training part does not have, always the first."""
WAYS = ("characters", "words")


@dataclass(frozen=True)
class Text:
    """A text as tokens: ``places`` (int32) are those of each token in ``names``.

    A row is a window of ``window`` tokens, and what is predicted of it are those that stand one later. ``way`` is how
    the text was cut: into ``"characters"``, or ``"words"`` (runs of letters and digits, other marks, ends of lines).
    """

    places: np.ndarray
    names: tuple[str, ...]
    window: int = WINDOW
    way: str = "characters"

    kind: ClassVar[str] = "language"

    @classmethod
    def of(cls, text: str, *, tokens: str = "characters", window: int = WINDOW, name: str = "the text") -> Text:
        """A text cut into tokens; DataError where it is too short or always the same."""
        if tokens not in WAYS:
            raise InputError(f"tokens are {' or '.join(WAYS)}, found {tokens!r}")
        if isinstance(window, bool) or not isinstance(window, int) or window < 2:
            raise InputError(f"a window has at least 2 tokens, found {window!r}")
        names, places = _cut(text, tokens)
        needed = MIN_WINDOWS * window + 1
        if len(places) < needed:
            looks = len(text.split()) == 1 and Path(text).suffix[1:].isalnum()
            raise DataError(
                f"{name} has {len(places):,} {tokens}, a search for a language model needs at least {needed:,}"
                f" ({MIN_WINDOWS} windows of {window})",
                hint=f"To read a file give Path({shorten(text)})" if looks else "Give more text, or put files together",
            )
        if len(names) < 2:
            raise DataError(f"{name} consists of {shorten(names[0])} alone", hint="There is nothing to predict")
        return cls(places, names, window, tokens)

    def __len__(self) -> int:
        return (len(self.places) - 1) // self.window

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self), self.window

    def first(self, count: int) -> Text:
        """The beginning: so many windows."""
        return Text(self.places[: count * self.window + 1], self.names, self.window, self.way)


def take(X: Any, name: str = "X") -> Text:
    """A text of a user: a string, or what :meth:`Text.of` made of it."""
    if isinstance(X, Text):
        return X
    if isinstance(X, bytes | bytearray):
        X = _decoded(bytes(X), name)
    if not isinstance(X, str):
        raise DataError(f"{name} is {type(X).__name__}, expected a text", hint="Give one string, or the path of a file")
    return Text.of(X, name=name)


def learn(X: Text, places: np.ndarray | None = None) -> dict[str, Any]:
    """The tokens that occur in these windows (None: in all), the unknown one first, and the length of a window."""
    rows = X.places[: len(X) * X.window].reshape(len(X), X.window)
    counts = np.bincount((rows if places is None else rows[places]).ravel(), minlength=len(X.names))
    kept = np.flatnonzero(counts)
    if X.way == "words":
        kept = np.sort(kept[np.argsort(-counts[kept], kind="stable")][:WORDS])
    names = [X.names[place] for place in kept if X.names[place] != UNKNOWN]
    return {"way": X.way, "window": X.window, "tokens": [UNKNOWN, *names]}


def apply(constants: Mapping[str, Any], X: Any, name: str = "X") -> np.ndarray:
    """Numbers of tokens as inputs of a network, float32 (N, window).

    Of a :class:`Text` its windows. Of a string all of it, in windows of which the last ends where the string does; of
    a list of strings the end of each. What is shorter than a window is filled up in front with ends of lines.
    """
    window = constants["window"]
    if isinstance(X, Text):
        rows = _numbers(constants, X.names, X.places)[: len(X) * window]
        return np.asarray(rows.reshape(len(X), window), dtype=np.float32)
    whole = isinstance(X, str)
    if not whole and not (isinstance(X, Sequence | np.ndarray) and all(isinstance(each, str) for each in X)):
        raise DataError(f"{name} holds no text", hint="Give a string, or a list of strings")
    made = []
    for text in [X] if whole else X:
        row = encode(constants, text)
        count = max(1, -(-len(row) // window)) if whole else 1
        check_memory(count, window * len(constants["tokens"]), f"what the network answers for {name}")
        row = row[-count * window :]
        filled = np.full(count * window, filler(constants), dtype=np.float32)
        filled[len(filled) - len(row) :] = row
        made.append(filled.reshape(count, window))
    return np.concatenate(made) if made else np.zeros((0, window), dtype=np.float32)


def targets(constants: Mapping[str, Any], X: Text) -> np.ndarray:
    """The token after each token of each window: int64 (N, window)."""
    window = constants["window"]
    rows = _numbers(constants, X.names, X.places)[1 : len(X) * window + 1]
    return np.asarray(rows.reshape(len(X), window), dtype=np.int64)


def facts(constants: Mapping[str, Any]) -> dict[str, Any]:
    """``vocabulary``, the number of tokens, and ``context``, the length of a window."""
    return {"vocabulary": len(constants["tokens"]), "context": constants["window"]}


def describe(constants: Mapping[str, Any]) -> str:
    """How a text becomes inputs of the network."""
    one = "character" if constants["way"] == "characters" else "word or mark"
    return (
        f"text as numbers of tokens (N, {constants['window']}), a {one} each; there are {len(constants['tokens']):,},"
        " in manifest.json, and number 0 is whatever is not among them"
    )


def split(X: Text, seed: int, own: bool) -> Split:
    """Blocks in the order of the text: training, validation, selection, test, in the usual shares.

    The windows of a part that is judged are at most so many that a network's scores of them take 128 MiB; what is
    left over is for training. Nothing is drawn: every ``seed`` gives the same.
    """
    from netwright.training.splits import SELECTION, TEST, VALIDATION, Split

    most = max(MIN_WINDOWS // 4, JUDGED_VALUES // (X.window * min(len(X.names), WORDS)))
    ends = [len(X)]
    for share in (TEST, SELECTION, VALIDATION):
        ends.insert(0, ends[0] - min(most, max(1, round(share * ends[0]))))
    parts = [np.arange(begin, end) for begin, end in zip([0, *ends], ends, strict=False)]
    return Split(train=parts[0], validation=parts[1], selection=parts[2], test=parts[3])


def answers(preprocessing: Mapping[str, Any], outputs: np.ndarray) -> dict[str, Any]:
    """``predictions``, the most probable token after each row, ``classes``, all tokens, and their ``probabilities``."""
    tokens = preprocessing["inputs"]["tokens"]
    last = outputs[:, -1].astype(np.float64)
    weights = np.exp(last - last.max(1, keepdims=True))
    return {
        "predictions": [tokens[place] for place in last.argmax(1)],
        "classes": list(tokens),
        "probabilities": (weights / weights.sum(1, keepdims=True)).tolist(),
    }


def space_for(strategy: str) -> str | None:
    """The space of a search that names none, where that depends on the strategy: Zoph and Le's is one of both."""
    return "zoph-rnn" if strategy == "reinforce" else None


def read(path: Path, target: str | None) -> Source:
    """A file of text in UTF-8."""
    return Source(Text.of(read_text(path, target), name=str(path)))


def read_new(path: Path, preprocessing: Mapping[str, Any] | None = None) -> str:
    """A text to be continued."""
    return read_text(path)


def read_text(path: Path, target: str | None = None) -> str:
    """The text of a file in UTF-8, every end of a line a single character."""
    if target is not None:
        raise InputError(f"--target names a column of a CSV file, {path} is read as text", hint="Leave it out")
    if path.is_dir():
        raise DataError(f"{path} is a folder, a language model learns from a file of text", hint="Name the file")
    if not path.exists():
        raise InputError(f"there is no file {path}", hint="Give the path of a file of text")
    return _decoded(path.read_bytes(), str(path))


def encode(constants: Mapping[str, Any], text: str) -> np.ndarray:
    """The numbers of a text's tokens, int64."""
    names, places = _cut(text, constants["way"])
    return _numbers(constants, names, places)


def join(constants: Mapping[str, Any], tokens: Sequence[str]) -> str:
    """A text of its tokens; between words stands a space."""
    return ("" if constants["way"] == "characters" else " ").join(tokens)


def filler(constants: Mapping[str, Any]) -> int:
    """The number of what stands before a text: an end of a line where the network knows it, else a space."""
    tokens = constants["tokens"]
    return next((tokens.index(each) for each in ("\n", " ") if each in tokens), 0)


def _decoded(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is no text in UTF-8: byte {content[error.start]:#04x} at place {error.start:,}",
            hint="Convert it first, as by: iconv -f latin1 -t utf-8",
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _cut(text: str, way: str) -> tuple[tuple[str, ...], np.ndarray]:
    """The different tokens in order, and the place of each of the text's among them, int32."""
    if way == "words":
        words = np.array(re.findall(r"\w+|[^\w\s]|\n", text), dtype=object)
        if not len(words):
            return (), np.zeros(0, dtype=np.int32)
        names, places = np.unique(words, return_inverse=True)
        return tuple(names), places.astype(np.int32)
    codes, places = np.unique(np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32), return_inverse=True)
    return tuple(map(chr, codes)), places.astype(np.int32)


def _numbers(constants: Mapping[str, Any], names: Sequence[str], places: np.ndarray) -> np.ndarray:
    """From places in ``names`` to the network's numbers of these tokens, 0 for those that it does not know."""
    known = {token: number for number, token in enumerate(constants["tokens"])}
    table = np.array([known.get(name, 0) for name in names], dtype=np.int64)
    return table[places] if len(table) else np.zeros(0, dtype=np.int64)
