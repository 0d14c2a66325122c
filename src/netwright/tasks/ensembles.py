"""The ensemble of a search, written as one network: ``ensemble`` beside ``best`` in the folder of the study."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.errors import CheckError, InputError
from netwright.tasks.outcome import Outcome
from netwright.tasks.spaces import Found
from netwright.training.goals import read_goal

if TYPE_CHECKING:
    from netwright.evaluators.train import Train
    from netwright.study import Study
    from netwright.study.selection import Selected

FOLDER = "ensemble"
"""Where its package lies."""
MOST = 50
"""Draws at most; few networks of the finals are different."""


def check_size(size: int, goal: str) -> None:
    """InputError where no ensemble can be made: a size that is none, answers that are not averaged."""
    from netwright.training.ensembles import check

    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= MOST:
        raise InputError(f"an ensemble has 2 to {MOST} members, found {size!r}", hint="0 makes none")
    if size == 1:
        raise InputError("an ensemble of 1 is the network itself", hint="Ask for 2 members at least, or for none")
    if size:
        check(read_goal(goal))


def place(folder: Path) -> Path | None:
    """The package of the ensemble of the study in ``folder``; None where it has none."""
    found = folder / FOLDER
    return found if (found / "manifest.json").is_file() else None


def ship(
    study: Study,
    selected: Selected,
    found: Found,
    train: Train,
    about: Mapping[str, Any],
    folder: Path,
    outcome: Outcome,
) -> str | None:
    """Writes the ensemble, if there is one, into the study's ``folder``, and removes that of an earlier run.

    The networks stand side by side in one ``model.py``, and their mean is a part of it. What is wrong where it cannot
    be written, in a sentence; then the search ends with its single network.
    """
    import torch

    from netwright.export import package
    from netwright.tasks.shipping import EXAMPLES, card_of, extra_of, facts_of
    from netwright.training.ensembles import Ensemble
    from netwright.training.weights import load_weights

    destination = folder / FOLDER
    together = selected.together
    if together is None:
        shutil.rmtree(destination, ignore_errors=True)
        return _why_none(study) if about.get("ensemble") else None
    networks = []
    for member in together.members:
        network = found.space.build(member.trial.architecture)
        network.load_state_dict(dict(load_weights(member.weights).state))
        networks.append(network)
    counts = [member.count for member in together.members]
    whole = Ensemble(networks, counts, read_goal(train.data.task)).eval()
    example = torch.from_numpy(np.array(train.data.X[:EXAMPLES], dtype=np.float32))
    extra: dict[str, Any] = extra_of(selected, found, train, about)
    # There is no recipe by which all members are trained again at once.
    del extra["recipe"]
    extra["ensemble"] = [
        {
            "trial": member.trial.number,
            "architecture": json.loads(member.trial.architecture.to_json()),
            "seed": member.seed,
            "count": member.count,
        }
        for member in together.members
    ]
    told = ", ".join(f"trial {m.trial.number} (seed {m.seed}) × {m.count}" for m in together.members)
    more = {**facts_of(selected, extra, about), "Ensemble": told}
    costs = {"params": float(together.scored.params), "macs": float(together.scored.macs)}
    trial = dataclasses.replace(selected.trial, metrics=costs)
    of_all = dataclasses.replace(selected, trial=trial, winner=together.scored)
    text = card_of(
        study, of_all, train, about, dataclasses.replace(outcome, text_of_verdict=together.verdict.text), more
    )
    try:
        package(whole, selected.trial.architecture, example, destination, text, extra, note=f"Input: {more['Input']}.")
    except CheckError as error:
        shutil.rmtree(destination, ignore_errors=True)
        return f"no ensemble is written: {error.message}"
    return None


def _why_none(study: Study) -> str:
    """Why a search that was asked for an ensemble has none."""
    if study.noted("ensemble"):
        return "no ensemble: on the selection data no other finalist makes the best one better"
    return "no ensemble: fewer than two networks could be judged in the time"
