"""What all estimators do in ``fit``: a folder, a seed, and a search that leaves a network also where it is stopped."""

from __future__ import annotations

import numbers
import os
import shutil
import tempfile
import warnings
import weakref
from pathlib import Path
from typing import Any

from netwright.errors import DataError, InfeasibleError, InputError, NetwrightError
from netwright.tasks.checks import shorten
from netwright.tasks.job import search, so_far
from netwright.tasks.outcome import Outcome


def folder_of(estimator: object, out: Any) -> Path:
    """The folder of the study; without ``out`` a temporary one, which is removed with the estimator."""
    if out is None:
        temporary = tempfile.mkdtemp(prefix="netwright-")
        weakref.finalize(estimator, shutil.rmtree, temporary, ignore_errors=True)
        return Path(temporary) / "study"
    if not isinstance(out, str | os.PathLike):
        raise InputError(f"out is the path of a folder or None, found {shorten(out)}")
    return Path(out)


def seed_of(random_state: Any) -> int:
    """The seed of a search; None is 0, and InputError for what is no whole number from 0 on."""
    if random_state is None:
        return 0
    whole = isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool)
    if not (whole and random_state >= 0):
        raise InputError(f"random_state is a whole number from 0 on or None, found {random_state!r}")
    return int(random_state)


def searched(out: Path, X: Any, y: Any = None, **arguments: Any) -> Outcome:
    """The outcome of a search; of one that was stopped, or whose retraining failed, that of its best network so far."""
    try:
        return search(X, y, out=out, **arguments)
    except NetwrightError as error:
        if isinstance(error, InputError | DataError | InfeasibleError) or not (out / "study.db").exists():
            raise
        try:
            outcome = so_far(out)
        except Exception as other:
            raise error from other
        if outcome is None:
            raise
        warnings.warn(f"{error.message}: the best network so far is kept, trained on a part of the data", stacklevel=3)
        return outcome
