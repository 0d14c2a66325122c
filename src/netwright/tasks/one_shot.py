"""A one-shot search as a job: the supernet is trained within the study, examined, and ranked or searched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from netwright.errors import Interrupted
from netwright.evaluators.base import Evaluator
from netwright.evaluators.shared_weights import SharedWeights
from netwright.evaluators.train import Train
from netwright.progress import Watch
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.evolution import Evolution
from netwright.strategies.oneshot.making import make
from netwright.strategies.oneshot.one_shot import OneShot
from netwright.strategies.oneshot.ranked import Ranked
from netwright.study import Study
from netwright.study.examination import FEWEST, PROBES, examine
from netwright.study.signals import Signals

FOLDER = "supernet"
SUPERNET_SHARE = 0.3
"""Of a time limit, for the training of the supernet."""
PROBE_SHARE = 0.1
"""And at most so much for training probe architectures alone."""
MOST_STEPS = 20_000
"""Where there is time, a supernet trains up to so many steps, or the epochs of the paper if those are more."""
RANKED = 8
"""So many of what a method prefers are trained as trials, where nothing else limits their number."""
EVALUATIONS = 1_000
"""And a supernet is searched with so many evaluations at most, as published (Guo et al. 2020)."""
POPULATION, TOURNAMENT = 50, 10


def plan(
    text: str, space: SearchSpace, train: Train, about: Mapping[str, Any], limit: float | None, epoch_seconds: float
) -> dict[str, Any]:
    """Decides once what the clock decides: the epochs of the supernet and the number of probes; JSON.

    ``epoch_seconds`` is what an epoch of a usual network takes. SpaceError where the space cannot be shared, or the
    method cannot take it.
    """
    one_shot = OneShot(
        space, make(text), train.data, split=train.split, recipe=train.recipe, seed=about["seed"],
        device=about["device"],
    )  # fmt: skip
    with one_thread():
        seconds = one_shot.seconds_a_step()
    if limit is None:
        return {"epochs": one_shot.epochs, "probes": PROBES, "epoch_seconds": epoch_seconds}
    affordable = int(SUPERNET_SHARE * limit / (seconds * one_shot.steps_an_epoch))
    most = max(one_shot.epochs, -(-MOST_STEPS // one_shot.steps_an_epoch))
    alone = max(1e-3, about["trial_epochs"] * epoch_seconds)
    probes = min(PROBES, int(PROBE_SHARE * limit * about["n_jobs"] / alone))
    return {
        "epochs": max(1, min(affordable, most)),
        "probes": probes if probes >= FEWEST else 0,
        "epoch_seconds": epoch_seconds,
    }


def make_one_shot(about: Mapping[str, Any], space: SearchSpace, train: Train, folder: Path) -> OneShot:
    """The search of a study, as it was planned; its checkpoint lies in the study's folder."""
    return OneShot(
        space, make(about["strategy"]), train.data, split=train.split, epochs=about["one_shot"]["epochs"],
        recipe=train.recipe, seed=about["seed"], device=about["device"], folder=folder / FOLDER,
    )  # fmt: skip


def sides(one_shot: OneShot, train: Train, about: Mapping[str, Any]) -> tuple[Strategy, Evaluator]:
    """What the study asks and what it evaluates with.

    A method with numbers of its own ranks, and its best are trained; the supernet of the others is searched by
    evolution.
    """
    if one_shot.method.ranks:
        return Ranked(one_shot, about["max_trials"] or RANKED), train
    return Evolution(POPULATION, TOURNAMENT), shared_weights(one_shot, train, about)


def shared_weights(one_shot: OneShot, train: Train, about: Mapping[str, Any]) -> SharedWeights:
    """The evaluator over the supernet."""
    supernet = one_shot.supernet
    return SharedWeights(
        supernet, train.data, split=train.split, center=one_shot.center, scale=one_shot.scale, train=train,
        epoch_seconds=about["one_shot"]["epoch_seconds"],
    )  # fmt: skip


def train_supernet(
    study: Study,
    one_shot: OneShot,
    train: Train,
    about: Mapping[str, Any],
    *,
    n_jobs: int,
    late: Callable[[], bool],
    watch: Watch | None,
) -> None:
    """Trains the supernet to its end, or until it is ``late``, and examines it; goes on where it was.

    Raises Interrupted after a signal, with the checkpoint kept.
    """
    with Signals() as signals, one_thread():
        if not one_shot.finished:
            one_shot.fit(stop=lambda: bool(signals.count) or late(), watch=watch)
            if not signals.count and not one_shot.finished:
                one_shot.end("the time limit")
        if not signals.count and not study.noted("supernet"):
            study.note(
                "supernet", method=about["strategy"], steps=one_shot.steps, epochs=len(one_shot.losses),
                loss=one_shot.losses[-1] if one_shot.losses else None, stopped=one_shot.stopped,
                seconds=round(one_shot.seconds, 3),
            )  # fmt: skip
        if not signals.count:
            probes = about["one_shot"]["probes"]
            shared = shared_weights(one_shot, train, about)
            examine(study, one_shot, shared, train, probes=probes, n_jobs=n_jobs, signals=signals)
        if signals.count:
            raise Interrupted(
                f"Stopped by {signals.name} while training the supernet: "
                f"{len(one_shot.losses)} of {one_shot.epochs} epochs kept",
                hint=study._resume_hint(),
                code=signals.code,
            )


class one_thread:
    """Torch on one thread: two processes that take all cores stand in each other's way."""

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *error: object) -> None:
        torch.set_num_threads(self._before)
