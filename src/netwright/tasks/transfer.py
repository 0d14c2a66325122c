"""Beginning from another study: its best architectures, what its trials tell about others, and their weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.architecture import Architecture
from netwright.errors import InputError, StoreError, nearest
from netwright.space import SearchSpace
from netwright.tasks.spaces import possible

if TYPE_CHECKING:
    from netwright.strategies.base import Strategy
    from netwright.study.ancestors import Ancestor
    from netwright.study.history import History
    from netwright.training.weights import Loaded
    from netwright.trial import Trial

BEST = 3
"""So many architectures of the other study come first."""
MOST = 200
"""So many of its trials are learnt from at most: the best half and the latest of the others."""
WEIGHTS = 20
"""The weights of so many of its trials are taken at most, the best."""
COPIES = "ancestors"
"""The folder beside a study in which the weights lie that its trials begin from."""


def read_ranking(folder: str | Path, *, kind: str, space: SearchSpace, weights: bool = False) -> dict[str, Any]:
    """What the study in ``folder`` knows about architectures of ``space``, as JSON that this study keeps.

    ``starts`` are its best, the one that it chose first; ``known`` all that were trained to the largest budget, each
    ``[answers, score]``, larger being better. An answer that ``space`` does not have is left out; what is then open is
    drawn. With ``weights=True`` it also has ``weights``, read into memory for :func:`keep`: those of the best trials
    that kept theirs, and only where none did those of the refitted winner, which has seen validation rows as well.

    InputError for a folder that is no study or has no scores, for data of another kind, and where no decision is in
    common. StoreError for weights that are damaged, or missing though the study keeps those of its best trial.
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
        if len(starts) < BEST and answers not in starts and possible(answers, space):
            starts.append(answers)
    half = ordered[: MOST // 2]
    rest = sorted(ordered[MOST // 2 :], key=lambda trial: trial.number)[-(MOST - len(half)) :]
    known_here = []
    for trial in [*half, *rest]:
        if trial.architecture in space:
            known_here.append([dict(trial.architecture), worth[trial.number]])
    ranking = {"folder": str(folder), "trials": len(scored), "starts": starts, "known": known_here}
    if weights:
        ranking["weights"] = _read_weights(folder, history, ordered, chosen)
    return ranking


def keep(ranking: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The ranking as JSON, its weights copied beside the study in ``folder``, which needs the other one no more."""
    from netwright.training.weights import save_weights

    listed = []
    for trial, loaded in ranking.get("weights", ()):
        file = f"{trial.number}.safetensors"
        (folder / COPIES).mkdir(exist_ok=True)
        digest = save_weights(folder / COPIES / file, loaded.state)
        architecture = dict(trial.architecture)
        listed.append({"trial": trial.number, "architecture": architecture, "file": file, "sha256": digest})
    return {**ranking, "weights": listed}


def ancestors(ranking: Mapping[str, Any], folder: Path) -> list[Ancestor]:
    """The networks whose weights the trials of the study in ``folder`` begin from."""
    from netwright.study.ancestors import Ancestor

    return [
        Ancestor(
            str(ranking["folder"]),
            int(each["trial"]),
            Architecture.from_value(each["architecture"]),
            folder / COPIES / each["file"],
            str(each["sha256"]),
        )
        for each in ranking.get("weights", ())
    ]


def told(ranking: Mapping[str, Any]) -> str:
    """What is begun from, in a sentence."""
    known = len(ranking["known"])
    learnt = (
        f"its ranking of {known} architectures" if known else "no ranking: its architectures are none of this space"
    )
    held = len(ranking.get("weights", ()))
    taken = f", and the weights of {held} where tensors are alike" if held else ""
    return f"starting from {ranking['folder']}: its best {len(ranking['starts'])} first, {learnt}{taken}"


def begin(strategy: Strategy, ranking: Mapping[str, Any]) -> Strategy:
    """``strategy`` with the starts of a ranking before it and, where it predicts scores, with what was learnt there."""
    from netwright.strategies import Auto, Bananas, Bayesian, StartingFrom

    # The user's own stays as it was handed in.
    strategy = copy.copy(strategy)
    known = [(answers, score) for answers, score in ranking["known"]]
    if isinstance(strategy, Auto | Bananas | Bayesian):
        strategy.known = tuple(known)
    if isinstance(strategy, Auto):
        strategy.starts = (*strategy.starts, *ranking["starts"])
        return strategy
    return StartingFrom(strategy, ranking["starts"])


def _read_weights(
    folder: Path, history: History, ordered: Sequence[Trial], chosen: Sequence[Trial]
) -> list[tuple[Trial, Loaded]]:
    """The trials whose weights are there, the best first, with their weights."""
    from netwright.training.weights import load_weights

    files: list[tuple[Trial, Path, str]] = []
    for place, trial in enumerate(ordered):
        number = history.source.get(trial.number, trial.number)
        kept = history.weights.get(number)
        if kept is None or number in {other.number for other, _, _ in files}:
            continue
        file = folder / "weights" / Path(kept["file"]).name
        # A search removes what nothing inherits from any more, but never the weights of its best trial.
        if file.exists() or place == 0:
            files.append((history.trials[number], file, kept["sha256"]))
    if not files:
        begins = f"refit-{chosen[0].architecture.key}-" if chosen else "…"
        refits = [note for note in history.noted("trained") if note["key"].startswith(begins)]
        files = [(chosen[0], folder / "finals" / Path(note["file"]).name, note["sha256"]) for note in refits[:1]]
    found = []
    for trial, file, digest in files[:WEIGHTS]:
        try:
            loaded = load_weights(file, digest)
        except StoreError as error:
            raise _unsound(trial, error.message) from None
        if loaded.problem is not None:
            raise _unsound(trial, loaded.problem)
        found.append((trial, loaded))
    return found


def _unsound(trial: Trial, problem: str) -> StoreError:
    return StoreError(
        f"the weights of trial {trial.number} cannot be begun from: {problem}",
        hint="Begin without weights: add --fresh-weights (start_weights=False in Python)",
    )


def _some(names: Any) -> str:
    listed = sorted(names)
    return ", ".join(listed[:4]) + (", …" if len(listed) > 4 else "")
