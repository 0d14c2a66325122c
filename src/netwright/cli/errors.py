"""What went wrong, in one line on standard error and in the exit code."""

from __future__ import annotations

import errno
import sys
import traceback
from typing import Any

from netwright.cli.output import Careful, answer_json, plain
from netwright.errors import Interrupted, NetwrightError

WIDTH = 200
"""A line of an error is shortened to so many characters, at the cost of its message and never of its hint."""
WORD = 20
"""The longest word, which is a path as a rule, is shortened to so many characters before the rest is."""


def report(error: BaseException, *, as_json: bool = False, debug: bool = False, verb: str = "") -> int:
    """Prints ``error`` and answers with the exit code of the process."""
    code, message, hint = explain(error, verb)
    stream = Careful(sys.stderr)
    if debug:
        stream.write("".join(traceback.format_exception(error)))
    kind = "" if isinstance(error, Interrupted | KeyboardInterrupt) else "error: "
    stream.write(
        line(f"netwright: {kind}{plain(message)}", plain(hint) if hint else None, None if debug else WIDTH) + "\n"
    )
    if as_json:
        answer_json({"error": {"code": code, "message": _whole(message), "hint": hint and _whole(hint)}})
    return code


def explain(error: BaseException, verb: str = "") -> tuple[int, str, str | None]:
    """Exit code, message and hint."""
    if isinstance(error, NetwrightError):
        return error.code, error.message, error.hint
    if isinstance(error, KeyboardInterrupt):
        return 130, "stopped by Ctrl-C", None
    usage = getattr(error, "format_message", None)
    if usage is not None and hasattr(error, "exit_code"):
        command = f"netwright {verb}".strip()
        return int(error.exit_code), _lowered(_plainly(usage(), error.__cause__)), f"See: {command} --help"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = f" for {error.filename}" if error.filename else ""
        return 7, f"no space left{place}", "Make room, then go on with: netwright resume DIR"
    if isinstance(error, MemoryError):
        return 7, "not enough memory", "Use fewer workers (--jobs) or less data"
    text = str(error).strip() if not isinstance(error, KeyError) else f"key {error}"
    name = type(error).__name__
    return 1, f"unexpected {name}: {text}" if text else f"unexpected {name}", "Add --debug for the traceback"


def line(message: str, hint: str | None, width: int | None) -> str:
    """Message and hint as one line; of a message too long for ``width`` the middle of its longest word is left out, or
    if that is not enough its own.
    """
    mark = "" if message[-1:] in ".!?" or hint is None else "."
    tail = f"{mark} {hint}" if hint else ""
    if width is not None and len(message) + len(tail) > width:
        room = max(80, width - len(tail))
        word = max(message.split(), key=len)
        message = message.replace(word, _shortened(word, max(WORD, len(word) - max(0, len(message) - room))))
        message = _shortened(message, room)
    return message + tail


def _shortened(text: str, room: int) -> str:
    """A text without its middle where it is longer than that."""
    front = room * 2 // 3
    return text if len(text) <= room else f"{text[:front]}…{text[len(text) - (room - front - 1) :]}"


def _plainly(text: str, cause: Any) -> str:
    """The parser's message; where pydantic, which Typer may ask, found something wrong, in our own words."""
    found = cause.errors()[0] if hasattr(cause, "errors") else {}
    kind, bounds = found.get("type"), found.get("ctx", {})
    expected = {
        "int_parsing": "a whole number",
        "float_parsing": "a number",
        "greater_than_equal": f"a number from {bounds.get('ge')} on",
        "greater_than": f"a number above {bounds.get('gt')}",
        "less_than_equal": f"a number up to {bounds.get('le')}",
    }.get(str(kind))
    if expected is None:
        return text
    return f"{text.split(': ', 1)[0]}: {expected} was expected, found {found['input']!r}"


def _lowered(text: str) -> str:
    """The message of the parser of arguments as one clause."""
    clause = " ".join(text.split()).rstrip(".")
    return clause[:1].lower() + clause[1:]


def _whole(text: str) -> str:
    """Text that can stand in UTF-8: lone surrogates (of undecodable names of files) are escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
