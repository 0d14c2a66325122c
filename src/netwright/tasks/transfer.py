"""Beginning from another study: its best architectures first, and what its trials tell about others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.errors import ArchitectureError, InfeasibleError, InputError, nearest
from netwright.space import SearchSpace

if TYPE_CHECKING:
    from netwright.strategies.base import Strategy

BEST = 3
"""So many architectures of the other study come first."""
MOST = 200
"""So many of its trials are learnt from at most: the best half and the latest of the others."""


def read_ranking(folder: str | Path, *, kind: str, space: SearchSpace) -> dict[str, Any]:
    """What the study in ``folder`` knows about architectures of ``space``, as JSON that this study keeps.

    ``starts`` are its best, the one that it chose first; ``known`` all that were trained to the largest budget, each
    ``[answers, score]``, larger being better. An answer that ``space`` does not have is left out; what is then open is
    drawn. InputError for a folder that is no study or has no scores, for data of another kind, and where no decision is
    in common.
    """
    from netwright.stores import open_readonly
    from netwright.study.budgets import fullest
    from netwright.study.history import History
    from netwright.trial import Objective

    folder = Path(folder)
    with open_readonly(folder) as reader:
        history = History.of(list(reader.read()))
    configuration = dict(history.configuration or {})
    about = dict(configuration.get("about") or {})
    theirs = about.get("kind", kind)
    if theirs != kind:
        raise InputError(
            f"the study in {folder} is about {theirs}, the data are {kind}: its ranking says nothing here",
            hint="Start from a study of the same kind of data",
        )
    objectives = [Objective(metric, way) for metric, way in configuration.get("objectives", [])]
    scored = [trial for trial in fullest(history.all_trials()) if objectives and objectives[0].metric in trial.metrics]
    if not scored:
        raise InputError(f"the study in {folder} has no trial with a score yet", hint="Let it run for longer")
    names = {name for trial in scored for name in trial.architecture}
    if not names & {decision.name for decision in space.decisions}:
        first = sorted(names)[0]
        known = [decision.name for decision in space.decisions]
        raise InputError(
            f"the study in {folder} has no decision in common with {space.name}: it decides {_some(names)}, here are "
            f"{_some(known)}",
            hint=f"Search the same space with --space, or leave out --start-from ('{first}': {nearest(first, known)})",
        )
    worth = {trial.number: objectives[0].score(trial.metrics) for trial in scored}
    ordered = sorted(scored, key=lambda trial: (-worth[trial.number], trial.number))
    verdict = history.noted("verdict")
    chosen = [trial for trial in scored if verdict and trial.number == verdict[-1]["trial"]]
    starts: list[dict[str, Any]] = []
    for trial in [*chosen, *ordered]:
        answers = space.answers_of(trial.architecture)
        if len(starts) < BEST and answers not in starts and _possible(answers, space):
            starts.append(answers)
    half = ordered[: MOST // 2]
    rest = sorted(ordered[MOST // 2 :], key=lambda trial: trial.number)[-(MOST - len(half)) :]
    known_here = []
    for trial in [*half, *rest]:
        if trial.architecture in space:
            known_here.append([dict(trial.architecture), worth[trial.number]])
    return {"folder": str(folder), "trials": len(scored), "starts": starts, "known": known_here}


def told(ranking: Mapping[str, Any]) -> str:
    """What is begun from, in a sentence."""
    known = len(ranking["known"])
    learnt = (
        f"its ranking of {known} architectures" if known else "no ranking: its architectures are none of this space"
    )
    return f"starting from {ranking['folder']}: its best {len(ranking['starts'])} first, and {learnt}"


def begin(strategy: Strategy, ranking: Mapping[str, Any]) -> Strategy:
    """``strategy`` with the starts of a ranking before it and, where it predicts scores, with what was learnt there."""
    from netwright.strategies import Auto, Bananas, Bayesian, StartingFrom

    known = [(answers, score) for answers, score in ranking["known"]]
    if isinstance(strategy, Auto | Bananas | Bayesian):
        strategy.known = tuple(known)
    if isinstance(strategy, Auto):
        strategy.starts = (*strategy.starts, *ranking["starts"])
        return strategy
    return StartingFrom(strategy, ranking["starts"])


def _possible(answers: Mapping[str, Any], space: SearchSpace) -> bool:
    """Whether some architecture of the space has these answers."""
    try:
        space.complete(answers, np.random.default_rng(0))
    except (ArchitectureError, InfeasibleError):
        return False
    return bool(answers)


def _some(names: Any) -> str:
    listed = sorted(names)
    return ", ".join(listed[:4]) + (", …" if len(listed) > 4 else "")
