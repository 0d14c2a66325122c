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

import numpy as np

from netwright.errors import DataError, DataWarning, InfeasibleError, InputError, NetwrightError
from netwright.progress import Progress
from netwright.tasks.checks import collected, shorten
from netwright.tasks.job import search, so_far
from netwright.tasks.outcome import Outcome

LARGEST_SEED = np.iinfo(np.int32).max
"""Seeds that are drawn from a generator are below it, as scikit-learn draws them."""


def folder_of(estimator: object, out: Any) -> Path:
    """The folder of the study; without ``out`` a temporary one, which is removed with the estimator."""
    if out is None:
        temporary = tempfile.mkdtemp(prefix="netwright-")
        weakref.finalize(estimator, shutil.rmtree, temporary, ignore_errors=True)
        return Path(temporary) / "study"
    if not isinstance(out, str | os.PathLike):
        raise InputError(f"out is the path of a folder or None, found {shorten(out)}")
    return Path(out)


def kept(folder: Path, out: Any) -> Path:
    """The folder of a study that was made; InputError where it was a temporary one (``out`` is None) that is gone."""
    if out is None and not folder.exists():
        raise InputError(
            f"the study was in a temporary folder, {folder}, which is gone",
            hint="Give out= to the estimator, the path of a folder, and fit it again",
        )
    return folder


def seed_of(random_state: Any) -> int:
    """The seed of a search, drawn from a generator of NumPy; None is 0, and InputError for anything else."""
    if random_state is None:
        return 0
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(LARGEST_SEED))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(LARGEST_SEED))
    whole = isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool)
    if not (whole and random_state >= 0):
        raise InputError(f"random_state is a whole number from 0 on or None, found {random_state!r}")
    return int(random_state)


def searched(out: Path, X: Any, y: Any = None, **arguments: Any) -> Outcome:
    """The outcome of a search; of one that was stopped, or whose retraining failed, that of its best network so far."""
    try:
        return search(X, y, out=out, watch=_warn, **arguments)
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


def _warn(progress: Progress) -> None:
    """Passes on what a search tells of its data as a warning of the line that called ``fit``."""
    if progress.warning is not None:
        warnings.warn(progress.warning, DataWarning, stacklevel=5)


def is_path(X: Any) -> bool:
    """Whether the data are in a file or a folder."""
    return isinstance(X, str | os.PathLike)


def is_dataset(X: Any) -> bool:
    """Whether ``X`` is a data set of torch, whose items are pairs of an example and its target."""
    kinds = {f"{kind.__module__}.{kind.__name__}" for kind in type(X).__mro__}
    return "torch.utils.data.dataset.Dataset" in kinds


def items_of(data: Any, name: str = "X") -> tuple[np.ndarray, np.ndarray | None]:
    """The examples (N, …) of a data set of torch and their targets (N,), None where its items are no pairs.

    InputError for one that cannot be counted, and for items of different shapes.
    """
    if not hasattr(data, "__len__"):
        raise InputError(f"{name} is a data set that cannot be counted", hint="Give one with __len__ and __getitem__")
    items = [data[place] for place in range(len(data))]
    paired = bool(items) and all(isinstance(item, tuple | list) and len(item) == 2 for item in items)
    examples = [np.asarray(item[0] if paired else item) for item in items]
    shapes = sorted({each.shape for each in examples})
    if len(shapes) > 1:
        said = f"the items of {name} have different shapes: {shapes[0]} and {shapes[1]}"
        raise InputError(said, hint="Transform them to one size")
    return np.array(examples), np.array([np.asarray(item[1]) for item in items]) if paired else None


def pair_of(eval_set: Any) -> tuple[Any, Any]:
    """The examples of an ``eval_set`` and their targets; a list of one such pair is taken as well.

    InputError for anything else.
    """
    if is_dataset(eval_set):
        eval_set = items_of(eval_set, "eval_set")
    if isinstance(eval_set, list) and len(eval_set) == 1 and isinstance(eval_set[0], tuple | list):
        eval_set = eval_set[0]
    arrays = isinstance(eval_set, list) and all(
        isinstance(each, tuple) and len(each) == 2 and hasattr(each[0], "shape") for each in eval_set
    )
    if arrays and len(eval_set) > 1:
        raise InputError(f"eval_set holds {len(eval_set)} pairs, one is judged on", hint="Give one: eval_set=(X, y)")
    if not isinstance(eval_set, tuple | list) or len(eval_set) != 2:
        many = f" of {len(eval_set)}" if isinstance(eval_set, tuple | list) else ""
        raise InputError(
            f"eval_set is a pair of examples and their targets, found a {type(eval_set).__name__}{many}",
            hint="Give eval_set=(X, y)",
        )
    return collected(eval_set[0]), collected(eval_set[1])
