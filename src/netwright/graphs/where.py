"""The line of the user's own code that an error came through."""

from __future__ import annotations

import linecache
import sysconfig
import traceback
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


def where(error: BaseException) -> str:
    """``file:line: source: message``; the message alone if no line outside torch and this package took part."""
    message = (str(error).strip() or type(error).__name__).splitlines()[0]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(_SKIPPED) and "site-packages" not in frame.filename:
            source = linecache.getline(frame.filename, frame.lineno or 0).strip()
            return f"{frame.filename}:{frame.lineno}: `{source}`: {message}"
    return message
