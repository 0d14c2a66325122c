"""A table made of a data set by its name: what ``netwright tables make`` does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.progress import Progress, Watch
from netwright.tasks.readers import read
from netwright.tasks.spaces import find_space

if TYPE_CHECKING:
    from netwright.evaluators.tables import Table

TEST, VALIDATION = 0.3, 0.3
"""Parts of all examples. Large, so that two networks are told apart; a set with a test part of its own keeps it."""


def make(
    space: Any,
    source: str | os.PathLike[str],
    *,
    epochs: Sequence[int],
    out: str | os.PathLike[str],
    target: str | None = None,
    task: str = "auto",
    seeds: int = 1,
    jobs: int = 1,
    limit: int | None = None,
    name: str | None = None,
    watch: Watch | None = None,
) -> Table:
    """Trains every architecture of ``space`` on ``source`` and writes their table to ``out``.

    ``space`` is whatever a search takes. Of its architectures that are one function, which the network's ``same``
    tells where it has one, one is trained. The split is that of seed 0, and what data are scaled by is learned on its
    training part. The rest is :func:`netwright.bench.making.make_table`.
    """
    from netwright.bench.making import make_table

    if watch is not None:
        watch(Progress(phase="prepare", metric="", message="reading the data"))
    loaded = read(source, target=target, task=task)
    own_test = loaded.raw_test is not None
    test = 0.0 if own_test else TEST
    parts = loaded.split(0, test=test, selection=0.0, validation=VALIDATION / (1 - test))
    loaded = loaded.learned_on(parts.train)
    data = loaded.data
    found = find_space(space, kind=loaded.kind, input_shape=data.input_shape, outputs=data.outputs, facts=data.facts)
    return make_table(
        found.space,
        data,
        split=parts,
        test=loaded.test,
        epochs=epochs,
        out=Path(out),
        seeds=seeds,
        same=getattr(found.space.network, "same", None),
        jobs=jobs,
        limit=limit,
        name=name,
        about={"data": loaded.name},
        watch=watch,
    )
