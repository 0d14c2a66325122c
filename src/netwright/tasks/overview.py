"""What a study's folder says, for people and for programs; nothing is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from netwright.stores import is_held
from netwright.stores.base import Event
from netwright.study.budgets import best_of, front, fullest
from netwright.study.candidates import make_limits
from netwright.study.history import History
from netwright.trial import Objective


def show(folder: str | Path, *, events: list[Event] | None = None) -> dict[str, Any]:
    """The study in ``folder`` as the JSON object of the command line.

    ``events`` replaces what the store holds, for a damaged one of which a part was salvaged.
    """
    folder = Path(folder)
    if events is None:
        from netwright.stores import open_readonly

        with open_readonly(folder) as reader:
            events = list(reader.read())
    history = History.of(events)
    configuration = dict(history.configuration or {})
    objectives = [Objective(metric, way) for metric, way in configuration.get("objectives", [])]
    trials = history.all_trials()
    limits = make_limits(configuration.get("constraints") or {})
    scored = fullest(
        trial
        for trial in trials
        if objectives
        and all(objective.metric in trial.metrics for objective in objectives)
        and all(limit.broken(trial.metrics) == 0 for limit in limits)
    )
    best = best_of(scored, objectives)
    return {
        "study": {
            "name": configuration.get("name"),
            "state": _state(history, folder),
            "seed": configuration.get("seed"),
            "parallel": configuration.get("parallel"),
            "space": (configuration.get("space") or {}).get("name"),
            "metric": objectives[0].metric if objectives else None,
            **_more(objectives, history),
        },
        "trials": [trial.to_value() for trial in trials],
        "best": None if best is None else best.to_value(),
        "pareto": sorted(trial.number for trial in front(scored, objectives)),
        **_one_shot(history),
    }


def _more(objectives: list[Objective], history: History) -> dict[str, Any]:
    """Several objectives, with their directions; and of a search that has ended the trial that it chose.

    It is often another one than the best: finalists are judged on other data.
    """
    several = [[objective.metric, str(objective.direction)] for objective in objectives]
    chosen = history.noted("verdict")
    return {
        **({"objectives": several} if len(several) > 1 else {}),
        **({"chosen": chosen[-1]["trial"]} if chosen else {}),
    }


def _one_shot(history: History) -> dict[str, Any]:
    """What is known of the supernet of a one-shot search; nothing of another."""
    trained, examined = history.noted("supernet"), history.noted("health")
    if not trained:
        return {}
    found = {key: trained[-1][key] for key in ("method", "epochs", "steps", "loss", "stopped", "seconds")}
    if examined:
        last = examined[-1]
        found |= {key: last[key] for key in ("correlation", "gap", "words")}
        found["epoch"] = last["epochs"][-1] if last["epochs"] else None
    return {"supernet": found}


def _state(history: History, folder: Path) -> str:
    """``running`` while a process holds the study; else ``new``, ``stopped``, ``searched`` or ``done``, as noted."""
    state = "new"
    for note in history.notes:
        if note["topic"] == "run":
            state = "running"
        elif note["topic"] == "run ended":
            state = "stopped" if note["reason"] == "stopped" else "searched"
        elif note["topic"] == "verdict":
            state = "done"
    if is_held(folder):
        return "running"
    return "stopped" if state == "running" else state
