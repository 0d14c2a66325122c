"""What a search that is stopped leaves to the user."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from netwright.cli.output import Careful, answer
from netwright.errors import Interrupted


@contextmanager
def handing_over(*, quiet: bool, programs: bool) -> Iterator[None]:
    """After a signal the best network so far is written, as an estimator keeps it; after a second one nothing is.

    Where the search had ended once and went on, its retrained network stays. What is written is described on
    standard output, unless that is for ``programs``: they read the error.
    """
    try:
        yield
    except Interrupted as error:
        if error.folder is None or error.at_once:
            raise
        from netwright.tasks import show
        from netwright.tasks.job import so_far

        if "chosen" in show(error.folder)["study"]:
            raise
        if not quiet:
            Careful(sys.stderr).write("writing the best network so far; Ctrl-C ends at once\n")
        try:
            outcome = so_far(error.folder)
        except KeyboardInterrupt:
            raise error from None
        except Exception as other:
            raise _told(error, f"the best network so far could not be written ({other})") from other
        if outcome is None:
            raise
        if not programs:
            answer(outcome.text() + "\n")
        raise _told(error, f"the best network so far is in {error.folder / 'best'}") from None


def _told(error: Interrupted, what: str) -> Interrupted:
    return Interrupted(f"{error.message}; {what}", hint=error.hint, code=error.code)
