"""Examination of a trained supernet: does its order agree with training alone, and what was lost in deriving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.architecture import Architecture
from netwright.evaluators.base import Candidate
from netwright.evaluators.shared_weights import SharedWeights
from netwright.evaluators.train import Train
from netwright.executors import TaskFailed
from netwright.space import SearchSpace
from netwright.strategies.oneshot.one_shot import OneShot
from netwright.study.study import Study
from netwright.study.trainings import as_they_end
from netwright.supernet.health import mixture

if TYPE_CHECKING:
    from netwright.study.signals import Signals

PROBES = 8
"""Architectures that are trained alone to see whether the supernet orders them alike."""
DRAWN = 5
"""So many are scored by shared weights alone, to see whether those say anything."""
FEWEST = 8
"""A correlation of fewer says next to nothing."""


def examine(
    study: Study,
    one_shot: OneShot,
    shared: SharedWeights,
    train: Train,
    *,
    probes: int = PROBES,
    n_jobs: int = 1,
    signals: Signals | None = None,
) -> None:
    """Fills the health of ``one_shot`` in, and journals it; what was journaled before is not done again.

    ``probes`` uniform draws of the study's space are trained alone by ``train`` and scored by ``shared``. The study is
    entered. A probe that fails is left out.
    """
    noted = study.noted("health")
    if noted:
        one_shot.health = type(one_shot.health).from_value(noted[-1])
        return
    health, metric = one_shot.health, shared.metric
    relaxation = one_shot.method.relaxation
    if relaxation is not None and not one_shot.supernet.values:
        derived = one_shot.ranked(1)[0]
        before = one_shot.supernet.board.ways
        try:
            mixed = shared.score(one_shot.supernet.mixed(mixture(relaxation)))[metric]
        finally:
            one_shot.supernet.board.ways = before
        with one_shot.supernet.path(derived) as network:
            health.gap = (mixed, shared.score(network)[metric])
    if train.data.task == "classification":
        scores = []
        for architecture in _drawn(study, DRAWN):
            with one_shot.supernet.path(architecture) as network:
                scores.append(shared.score(network)[metric])
        labels = np.asarray(train.data.y[train.split.validation])
        health.level = (max(scores), float(np.bincount(labels).max() / len(labels)))
    health.unchecked = probes < FEWEST
    if probes >= FEWEST:
        architectures = _drawn(study, probes)
        alone = _trained(study, train, architectures, n_jobs, signals)
        if signals is not None and signals.count:
            return
        pairs = []
        for architecture in architectures:
            if architecture.key in alone:
                with one_shot.supernet.path(architecture) as network:
                    pairs.append((shared.score(network)[metric], alone[architecture.key][metric]))
        if len(pairs) >= FEWEST:
            health.note_probes([a for a, _ in pairs], [b for _, b in pairs])
    study.note("health", **health.to_value(), words=health.words())


def _drawn(study: Study, count: int) -> list[Architecture]:
    rng = np.random.default_rng([study.seed, 17])
    found: dict[Any, Architecture] = {}
    for _ in range(20 * count):
        architecture = study.space.sample(rng)
        found.setdefault(study.space.key(architecture), architecture)
        if len(found) == count:
            break
    return list(found.values())


def _trained(
    study: Study, train: Train, architectures: Sequence[Architecture], n_jobs: int, signals: Signals | None
) -> dict[str, dict[str, float]]:
    """The metrics of each, by the key of the architecture; each is journaled when it ends."""
    entered = study._entered
    assert entered is not None
    done = {note["key"]: dict(note["metrics"]) for note in study.noted("probe")}
    todo = [(place, each) for place, each in enumerate(architectures) if each.key not in done]
    executor = entered.executor(n_jobs, "finals")
    jobs = ((each, _Probe(study.space, train, each, 2000 + place, study.device)) for place, each in todo)
    for ended in as_they_end(executor, jobs, n_jobs, signals):
        if ended is None or isinstance(ended[1], TaskFailed):
            continue
        architecture, metrics = ended[0], dict(ended[1])
        study.note("probe", key=architecture.key, architecture=dict(architecture), metrics=metrics)
        done[architecture.key] = metrics
    return done


class _Probe:
    """One training alone, in a worker."""

    def __init__(self, space: SearchSpace, train: Train, architecture: Architecture, seed: int, device: str) -> None:
        self.space, self.train, self.architecture, self.seed, self.device = space, train, architecture, seed, device

    def __call__(self) -> dict[str, float]:
        return self.train(Candidate(self.architecture, self.space, seed=self.seed, device=self.device))
