"""What can go wrong, as a tree; the number is the exit code of the command line.

::

    NetwrightError                    1   unexpected failure
    ├── InputError (ValueError)       2   an argument or a file is wrong in itself
    │   ├── SpaceError                    a space is declared wrongly
    │   ├── ArchitectureError             an architecture does not fit its space
    │   ├── DataError                     a data set cannot be used
    │   └── MissingExtra (ImportError)    an optional package is not installed
    ├── InfeasibleError               3   nothing in the space meets the limits
    ├── CheckError                    4   an export failed its check
    ├── StudyInUseError               5   another process holds the study
    ├── StoreError                    6   a store is damaged, or of another version
    ├── ResourceError                 7   no disk space, or no database
    ├── TooManyFailures               8   candidate after candidate failed
    └── Interrupted                 130   stopped by a signal with the state kept

``DataWarning`` is no error but a warning: of data that can be used, and are perhaps not what was meant.

Every message says what was found, what was expected and what to do; ``hint`` is the last of the three.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class NetwrightError(Exception):
    """The base of all errors of this package: ``message``, ``hint`` (what to do next) and an exit ``code``."""

    code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(
            message if hint is None else f"{message}. {hint}" if message[-1:] not in ".!?" else f"{message} {hint}"
        )
        self.message = message
        self.hint = hint


class InputError(NetwrightError, ValueError):
    """An argument or a file is wrong in itself; nothing was done."""

    code = 2


class SpaceError(InputError):
    """A search space is declared wrongly, or was asked for what it does not have."""


class ArchitectureError(InputError):
    """An architecture does not fit its space."""


class DataError(InputError):
    """A data set cannot be used as it is."""


class MissingExtra(InputError, ImportError):
    """An optional package is missed at its use."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}", hint=f"Install it: pip install 'netwright[{extra}]'")


class InfeasibleError(NetwrightError):
    """Nothing in the space meets the limits."""

    code = 3


class CheckError(NetwrightError):
    """What was written does not equal what was found."""

    code = 4


class StudyInUseError(NetwrightError):
    """Another process is writing to the study."""

    code = 5


class StoreError(NetwrightError):
    """A store is damaged, or was written by another version."""

    code = 6


class ResourceError(NetwrightError):
    """The machine lacks something: disk space, a database."""

    code = 7


class TooManyFailures(NetwrightError):
    """Candidate after candidate failed; the message counts the causes."""

    code = 8


class Interrupted(NetwrightError):
    """A signal stopped the work; everything finished is kept. ``code`` is 130 (SIGINT) or 143 (SIGTERM, SIGHUP).

    ``folder`` is that of the study, where it has one; ``at_once`` says that a second signal came, so that nothing more
    is to be done.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: int = 130,
        folder: Path | None = None,
        at_once: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.folder = folder
        self.at_once = at_once


class DataWarning(UserWarning):
    """Something of the data that a user may want to know of: an estimator's ``fit`` warns of it and goes on."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A clause that names the closest known word, or else all of them.

    >>> nearest("evolutoin", ["random", "evolution"])
    "did you mean 'evolution'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}"


def sentence(clause: str) -> str:
    """A clause as a hint stands, with a capital at its beginning.

    >>> sentence("did you mean 'evolution'?")
    "Did you mean 'evolution'?"
    """
    return clause[:1].upper() + clause[1:]
