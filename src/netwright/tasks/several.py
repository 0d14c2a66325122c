"""Several inputs at once: an image, a row of a table and a text for each example, each of its own kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from netwright.errors import DataError, InputError, nearest, sentence
from netwright.tasks.checks import is_frame, shorten


@dataclass(frozen=True)
class Several:
    """N examples: by the name of each input a container of its kind."""

    parts: Mapping[str, Any]

    kind: ClassVar[str] = "several"

    def __len__(self) -> int:
        return len(next(iter(self.parts.values())))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was read otherwise than somebody may think, of all inputs."""
        return tuple(note for part in self.parts.values() for note in getattr(part, "notes", ()))

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), len(self.parts))


def take(X: Any, name: str = "X") -> Several:
    """A mapping from names to inputs; what kind an input is, is read off it, or said: ``("series", beats)``.

    Frames and arrays (N, F) are tables, arrays of more dimensions images, lists and arrays of strings texts. Of sounds
    a third value is how many samples there are a second: ``("audio", clips, 8000)``, by default 16,000.
    """
    if isinstance(X, Several):
        return X
    if not isinstance(X, Mapping) or not X:
        empty = isinstance(X, Mapping)
        found = (
            "a mapping without any inputs"
            if empty
            else f"a {type(X).__name__}, expected a mapping from names to inputs"
        )
        raise DataError(f"{name} is {found}", hint=f'{name}={{"picture": images, "about": table}}')
    for key, value in X.items():
        _check_kind(value, f"{name}[{key!r}]")
    _check_lengths(X, name)
    return Several({_named(key): _part(value, f"{name}[{key!r}]") for key, value in X.items()})


def learn(X: Several, places: np.ndarray | None = None) -> dict[str, Any]:
    """The constants of each input, its kind, and the shape that a network gets of it."""
    parts = []
    for name, part in X.parts.items():
        known = _kinds()[_kind_of(part)]
        constants = known.learn(part, places)
        shape = list(known.apply(constants, part).shape[1:])
        parts.append({"name": name, "kind": known.name, "shape": shape, "inputs": constants})
    return {"parts": parts}


def apply(constants: Mapping[str, Any], X: Any, name: str = "X") -> np.ndarray:
    """All inputs one beside the other: float32 (N, numbers). DataError for one that is missing or unknown."""
    known = [part["name"] for part in constants["parts"]]
    given = X.parts if isinstance(X, Several) else X
    if not isinstance(given, Mapping) or set(given) != set(known):
        found = f"inputs {', '.join(map(str, given))}" if isinstance(given, Mapping) else f"a {type(X).__name__}"
        raise DataError(f"{name} has {found}, the network was trained on inputs {', '.join(known)}")
    arrays = []
    for part in constants["parts"]:
        value = given[part["name"]]
        if _is_said(value):
            value = value[1] if len(value) == 2 else _part(value, f"{name}[{part['name']!r}]")
        inputs = _kinds()[part["kind"]].apply(part["inputs"], value, f"{name}[{part['name']!r}]")
        arrays.append(inputs.reshape(len(inputs), int(np.prod(inputs.shape[1:], dtype=np.int64))))
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1:
        raise DataError(f"the inputs of {name} have different numbers of rows: {sorted(lengths)}")
    return np.concatenate(arrays, axis=1)


def facts(constants: Mapping[str, Any]) -> dict[str, Any]:
    """``parts``: for each input its name, kind, shape, and what a network for its kind has to know."""
    return {
        "parts": [
            {
                "name": part["name"],
                "kind": part["kind"],
                "shape": part["shape"],
                "facts": _kinds()[part["kind"]].facts(part["inputs"]),
            }
            for part in constants["parts"]
        ]
    }


def describe(constants: Mapping[str, Any]) -> str:
    """How raw rows become inputs of the network."""
    parts = (f"{part['name']}: {_kinds()[part['kind']].describe(part['inputs'])}" for part in constants["parts"])
    return "several inputs one beside the other as numbers; " + "; ".join(parts)


def _kinds() -> Any:
    from netwright.tasks.kinds import KINDS

    return KINDS


def _kind_of(part: Any) -> str:
    from netwright.tasks.kinds import kind_of

    return kind_of(part)


def _is_said(value: Any) -> bool:
    """Whether the kind is said: ``("series", beats)``, ``("audio", clips, 8000)``."""
    if not (isinstance(value, tuple) and value and isinstance(value[0], str) and value[0] in _kinds()):
        return False
    return len(value) == 2 or (len(value) == 3 and value[0] == "audio")


def _check_kind(value: Any, name: str) -> None:
    """Refuses ``("serie", beats)``, which is not two rows."""
    if not isinstance(value, tuple) or len(value) not in (2, 3) or _is_said(value):
        return
    kind, rows = value[:2]
    if isinstance(kind, str) and hasattr(rows, "__len__") and not isinstance(rows, str):
        raise InputError(f"{name} has the unknown kind {kind!r}", hint=sentence(nearest(kind, _kinds())))


def _part(value: Any, name: str) -> Any:
    """An input in the container of its kind."""
    if _is_said(value):
        from netwright.tasks import audio

        return audio.take(value[1], name, value[2]) if len(value) == 3 else _kinds()[value[0]].take(value[1], name)
    if is_frame(value):
        return _kinds()["tables"].take(value, name)
    if isinstance(value, Mapping) or not hasattr(value, "__len__"):
        raise DataError(f"{name} is a {type(value).__name__}, expected rows", hint="Give an array, a frame or a list")
    # One that is missing, or no text, is then told by its row.
    if any(isinstance(each, str) for each in value):
        return _kinds()["text"].take(value, name)
    return _kinds()["images" if np.ndim(value) > 2 else "tables"].take(value, name)


def _named(name: Any) -> str:
    if not isinstance(name, str) or not name.isidentifier():
        raise InputError(f"an input is named by a word of letters, digits and _, found {shorten(name)}")
    return name


def _check_lengths(X: Mapping[str, Any], name: str) -> None:
    rows = {key: value[1] if _is_said(value) else value for key, value in X.items()}
    lengths = {key: len(value) for key, value in rows.items() if hasattr(value, "__len__")}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{key} {length:,}" for key, length in lengths.items())
        raise DataError(
            f"the inputs of {name} have different numbers of rows: {listed}", hint="Give one row an example in each"
        )
