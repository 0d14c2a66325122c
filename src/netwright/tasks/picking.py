"""Another network of a finished search than the one it chose: the fastest of the front, its knee, any trial."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.errors import InputError
from netwright.progress import Progress, Watch
from netwright.tasks import ensembles
from netwright.tasks.overview import show

if TYPE_CHECKING:
    from netwright.tasks.outcome import Outcome

PICKS = ("best", "knee", "fastest")
"""What can be asked for besides the number of a trial."""
FOLDER = "picks"
"""Where the packages of picked networks lie, in the folder of their study."""
COMPRESSED = "compressed"
"""And of those that were pruned or taught (:mod:`netwright.tasks.compressing`)."""
SPEEDS = ("latency_ms", "macs", "params")
"""What says which network is the fastest: the first of these that all of the front have."""


def picked(value: Mapping[str, Any], pick: str | int) -> int:
    """The number of the trial that ``pick`` means in a study as :func:`~netwright.tasks.show` gives it.

    ``"best"`` is the one that the search chose, or until then the best by the first objective; ``"knee"`` the point of
    the front where a little more of one objective begins to cost much of another (:func:`netwright.pareto.knee`), with
    one objective the same as ``"best"``;
    ``"fastest"`` the point of the front with the least measured latency (or MACs where none was measured). InputError
    for anything else that is no trial.
    """
    if isinstance(pick, str) and pick not in PICKS and not pick.isdecimal():
        raise InputError(
            f"what to pick is one of {', '.join(PICKS)} or the number of a trial, found {pick!r}",
            hint="See the trials: netwright show DIR",
        )
    if value["best"] is None:
        raise InputError("no trial of the study has a score within the limits: there is nothing to pick")
    if pick == "best":
        return int(value["study"].get("chosen", value["best"]["number"]))
    if pick in ("knee", "fastest"):
        return (_knee(value) if _several(value) else picked(value, "best")) if pick == "knee" else _fastest(value)
    number = int(pick)
    if number >= len(value["trials"]):
        raise InputError(f"the study has no trial {number}: its trials are 0 to {len(value['trials']) - 1}")
    return number


def take(
    folder: str | Path, pick: str | int = "best", *, n_jobs: int | None = None, watch: Watch | None = None
) -> Path:
    """The folder with the network that ``pick`` means (:func:`picked`), as ``best`` has the one that was chosen.

    A network that was not chosen has not been trained to its end yet. That is done here, from scratch, with the seeds
    and epochs of the one that was, and it is judged by the same test data beside the same baseline. It stays in
    ``picks``, for the next time. Where the search made an ensemble, ``"best"`` is that, and the number of the chosen
    trial is the single network. The name of a network in ``compressed`` means that one. InputError where the search
    has not ended.
    """
    folder = Path(folder)
    best = folder / "best"
    if not best.is_dir():
        if not (folder / "study.db").exists():
            raise InputError(
                f"{folder} is no study (no study.db in it)",
                hint="Give the folder that a search printed, such as runs/digits-1",
            )
        raise InputError(f"the search in {folder} has not ended", hint=f"Go on with: netwright resume {folder}")
    if pick == "best":
        return ensembles.place(folder) or best
    small = folder / COMPRESSED / str(pick)
    if Path(str(pick)).name == str(pick) and (small / "manifest.json").is_file():
        return small
    value = show(folder)
    if pick == "knee" and not _several(value):
        return ensembles.place(folder) or best
    number = picked(value, pick)
    if value["trials"][number]["architecture"] == json.loads((best / "architecture.json").read_bytes()):
        return best
    destination = folder / FOLDER / f"trial-{number}"
    if (destination / "manifest.json").is_file():
        return destination
    _train(folder, number, destination, n_jobs, watch)
    return destination


def rows(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The front of a study with several objectives, by the first: a row a trial, with what it is known as.

    ``{"trial": number, "metrics": {objective: value}, "known_as": ["knee", …]}``; empty where there is one objective.
    """
    if not _several(value) or not value["pareto"]:
        return []
    objectives: Sequence[Sequence[str]] = value["study"]["objectives"]
    names: dict[int, list[str]] = {}
    for pick, number in _named(value).items():
        names.setdefault(number, []).append(pick)
    first, way = objectives[0]
    trials = [value["trials"][number] for number in value["pareto"]]
    ordered = sorted(trials, key=lambda trial: trial["metrics"][first], reverse=way == "maximize")
    return [
        {
            "trial": trial["number"],
            "metrics": {name: trial["metrics"][name] for name, _ in objectives},
            "known_as": names.get(trial["number"], []),
        }
        for trial in ordered
    ]


def front_table(value: Mapping[str, Any]) -> list[str]:
    """:func:`rows` as lines of text with a head; empty where there is one objective."""
    found = rows(value)
    if not found:
        return []
    names = list(found[0]["metrics"])
    table = [("trial", *names, "")]
    table += [
        (str(row["trial"]), *(f"{row['metrics'][name]:,.6g}" for name in names), ", ".join(row["known_as"]))
        for row in found
    ]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = []
    for line in table:
        cells = [cell.rjust(width) for cell, width in zip(line[:-1], widths, strict=False)]
        lines.append("  ".join([*cells, line[-1]]).rstrip())
    return lines


def another(value: Mapping[str, Any]) -> str | None:
    """What to pick for another network of the front than the chosen one; None where there is none."""
    meant = _named(value)
    chosen = meant["best"]
    names = [name for name, number in meant.items() if number != chosen]
    return next(iter([*names, *(str(number) for number in value["pareto"] if number != chosen)]), None)


def _several(value: Mapping[str, Any]) -> bool:
    return len(value["study"].get("objectives") or ()) > 1


def _named(value: Mapping[str, Any]) -> dict[str, int]:
    """The trial of each name; without ``"fastest"`` where nothing says which that is."""
    meant = {}
    for pick in PICKS:
        try:
            meant[pick] = picked(value, pick)
        except InputError:
            if pick != "fastest":
                raise
    return meant


def _knee(value: Mapping[str, Any]) -> int:
    from netwright.pareto import knee

    numbers = value["pareto"]
    objectives = value["study"]["objectives"]
    points = [[value["trials"][number]["metrics"][name] for name, _ in objectives] for number in numbers]
    return int(numbers[knee(points, [way for _, way in objectives])])


def _fastest(value: Mapping[str, Any]) -> int:
    trials = [value["trials"][number] for number in value["pareto"]]
    for name in SPEEDS:
        if all(name in trial["metrics"] for trial in trials):
            return int(min(trials, key=lambda trial: (trial["metrics"][name], trial["number"]))["number"])
    raise InputError(
        "which network is the fastest is not known: no trial has a latency or a number of operations",
        hint="Search with --minimize latency_ms",
    )


def _train(folder: Path, number: int, destination: Path, n_jobs: int | None, watch: Watch | None) -> Outcome:
    from netwright.study.selection import select
    from netwright.tasks import job
    from netwright.tasks.shipping import ship

    began = time.monotonic()
    about = job.configuration(folder)
    found, train, study, _ = job.opened(about, folder)
    with study:
        if not study.noted("verdict"):
            raise InputError(f"the search in {folder} has not ended", hint=f"Go on with: netwright resume {folder}")
        selected = select(
            study,
            baseline=about["baseline"],
            epochs=about["epochs"],
            n_jobs=about["n_jobs"] if n_jobs is None else n_jobs,
            watch=watch,
            trial=number,
        )
        outcome = job.outcome_of(study, selected, about, folder, study.history.seconds + time.monotonic() - began)
        if watch is not None:
            watch(Progress(phase="export", metric="", message="writing the network"))
        ship(study, selected, found, train, about, destination, outcome)
    return outcome
