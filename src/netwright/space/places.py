"""Where in the user's code a word stands."""

from __future__ import annotations

import sys


def place() -> str:
    """``file:line`` of the innermost frame outside this package; published spaces (the zoo) count as the user's."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith("netwright.") or module.startswith("netwright.zoo"):
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
