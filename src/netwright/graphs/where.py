"""The line of the user's own code that an error came through."""

from __future__ import annotations

import contextlib
import linecache
import sysconfig
import traceback
from collections.abc import Mapping
from pathlib import Path

import torch

_OURS = Path(__file__).resolve().parent
_SKIPPED = (
    str(_OURS),
    str(Path(torch.__file__).resolve().parent),
    sysconfig.get_path("stdlib"),
    "<eval_with",
    "<frozen",
)


MAX_PATH = 40
LIMIT = 200
"""Characters of the message of a refusal."""


def refusal(what: str, errors: Mapping[str, BaseException]) -> str:
    """What is refused, by the name of who refused it, in at most 200 characters.

    It begins with the user's line, so that whoever shortens it loses the words of torch and not the line.
    """
    found = {name: where(error) for name, error in errors.items()}
    places = dict.fromkeys(place for place, _ in found.values() if place)
    first = next(iter(places), "")
    reasons = "; ".join(
        f"{name}: {message if place in ('', first) else f'{place}: {message}'}"
        for name, (place, message) in found.items()
    )
    text = f"{first}: {what}: {reasons}" if first else f"{what}: {reasons}"
    return text if len(text) <= LIMIT else f"{text[: LIMIT - 1]}…"


def where(error: BaseException) -> tuple[str, str]:
    """``file:line: `source``` and the message; no place if no line outside torch and this package took part."""
    message = (str(error).strip() or type(error).__name__).splitlines()[0]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(_SKIPPED) and "site-packages" not in frame.filename:
            source = linecache.getline(frame.filename, frame.lineno or 0).strip()
            return f"{_short(frame.filename)}:{frame.lineno}: `{source}`", message
    return "", message


def _short(file: str) -> str:
    """The file as seen from the working directory; of a long path the end."""
    path = Path(file)
    with contextlib.suppress(ValueError):
        path = path.relative_to(Path.cwd())
    return str(path) if len(str(path)) <= MAX_PATH else f"…/{path.name}"
