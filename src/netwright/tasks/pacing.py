"""How long an epoch takes here, and what part of the data a time limit allows."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.tasks.labels import Labels
from netwright.tasks.preprocessing import Raw

if TYPE_CHECKING:
    from netwright.tasks.readers import Loaded
    from netwright.tasks.spaces import Found
    from netwright.training.data import Data
    from netwright.training.recipes import Recipe

MEASURED_SECONDS = 1.0
"""For about so long a speed is measured."""
CROWDING_SECONDS = 0.1
"""So much of a processor's time shows how crowded the machine is."""
FINAL_EPOCHS = 3
"""As many epochs at least are to fit into the time of the last training."""


def crowding() -> float:
    """How many times as long as its processor takes what a thread does here now, since others run, too; at least 1."""
    began, spent = time.perf_counter(), time.thread_time()
    while time.thread_time() - spent < CROWDING_SECONDS:
        pass
    return max(1.0, (time.perf_counter() - began) / (time.thread_time() - spent))


def seconds_a_row(network: Any, data: Data, recipe: Recipe, device: str, steps: int = 6) -> float:
    """About how long the network trains on one row, by one thread, from a few ``steps``, repeated up to three times."""
    import torch

    from netwright.training.loop import fit

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        count = min(len(data), steps * recipe.batch_size)
        X, y = np.asarray(data.X[:count]), np.asarray(data.y[:count])
        fit(network, X, y, recipe, epochs=1, device=device, task=data.task)
        repeats = 0
        began = time.perf_counter()
        while repeats < 3 and time.perf_counter() - began < MEASURED_SECONDS * steps / 6:
            fit(network, X, y, recipe, epochs=1, device=device, task=data.task)
            repeats += 1
        return (time.perf_counter() - began) / (repeats * count)
    finally:
        torch.set_num_threads(threads)


def found_epoch_seconds(found: Found, data: Data, recipe: Recipe, device: str) -> float:
    """About how long an epoch on all rows takes what a search finds: the mean of a start and of a sample.

    For spaces whose networks are much slower than the baseline, such as cells that are computed step by step.
    """
    rng = np.random.default_rng(0)
    drawn: list[Any] = [found.space.complete(start, rng) for start in found.starts[:1]]
    rates = [
        seconds_a_row(found.space.build(one), data, recipe, device, steps=2)
        for one in (*drawn, found.space.sample(rng))
    ]
    return float(np.mean(rates)) * len(data)


def share_in_time(seconds: float, trial_seconds: float, final_seconds: float, trained: float) -> float:
    """The part of the rows on which one epoch of a trial and a few of the last training fit; at most 1.

    ``seconds`` are those of an epoch on all rows, of which a trial trains on the share ``trained``.
    """
    return min(1.0, trial_seconds / (trained * seconds), final_seconds / (FINAL_EPOCHS * seconds))


def first_rows(loaded: Loaded, count: int) -> Loaded:
    """The beginning of data whose targets follow from the rows, and whose container has ``first``."""
    labels = loaded.raw.labels
    part = Labels(labels.y[:count], labels.classes, labels.goal)
    return replace(loaded, raw=Raw(loaded.raw.X.first(count), part), rows=None)
