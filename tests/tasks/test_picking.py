"""Other networks of a search than the one it chose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.tasks.conftest import save

from netwright import tasks
from netwright.errors import InputError
from netwright.export import read_manifest
from netwright.tasks import picking
from netwright.testing.toy import blobs


def shown(points: list[tuple[float, float]], front: list[int]) -> dict[str, Any]:
    """A study of trials with these accuracies and latencies."""
    trials = [
        {"number": number, "metrics": {"val_accuracy": accuracy, "latency_ms": latency}, "architecture": {}}
        for number, (accuracy, latency) in enumerate(points)
    ]
    objectives = [["val_accuracy", "maximize"], ["latency_ms", "minimize"]]
    best = max(trials, key=lambda trial: trial["metrics"]["val_accuracy"])
    return {"study": {"objectives": objectives}, "trials": trials, "best": best, "pareto": front}


POINTS = [(0.90, 5.0), (0.99, 9.0), (0.98, 3.0), (0.80, 1.0), (0.70, 2.0)]
STUDY = shown(POINTS, [1, 2, 3])


@pytest.mark.parametrize(("pick", "number"), [("best", 1), ("knee", 2), ("fastest", 3), (0, 0), ("4", 4)])
def test_what_a_pick_means(pick: str | int, number: int) -> None:
    """The most accurate, the one where more of one costs much of the other, the quickest, any by its number."""
    assert number == picking.picked(STUDY, pick)


def test_the_fastest_is_by_operations_where_no_latency_is_known() -> None:
    """Of a front by the number of parameters the one with the fewest multiplications."""
    study = shown(POINTS, [1, 2, 3])
    for trial, macs in zip(study["trials"], (5, 4, 2, 3, 1), strict=True):
        trial["metrics"] = {"val_accuracy": trial["metrics"]["val_accuracy"], "params": 1.0, "macs": macs}
    assert 2 == picking.picked(study, "fastest")


@pytest.mark.parametrize("pick", ["slowest", "-1", "1.5", "5", 17])
def test_what_cannot_be_picked(pick: str | int) -> None:
    """A line with what can be asked for, or with the numbers of the trials."""
    with pytest.raises(InputError, match=r"best, knee, fastest or the number of a trial|its trials are 0 to 4"):
        picking.picked(STUDY, pick)


def test_the_front_as_a_table() -> None:
    """A line a network, the most accurate first, with what to call it."""
    assert [
        "trial  val_accuracy  latency_ms",
        "    1          0.99           9  best",
        "    2          0.98           3  knee",
        "    3           0.8           1  fastest",
    ] == picking.front_table(STUDY)


def test_the_best_is_what_the_search_chose() -> None:
    """A cheaper network that scores as well, within the noise, is handed over: it is the one that is called so."""
    study = {**STUDY, "study": {**STUDY["study"], "chosen": 2}}
    assert 2 == picking.picked(study, "best")
    assert [[], ["best", "knee"], ["fastest"]] == [row["known_as"] for row in picking.rows(study)]


@pytest.mark.parametrize(
    ("chosen", "front", "name"), [(1, [1, 2, 3], "knee"), (2, [1, 2, 3], "fastest"), (1, [1], None)]
)
def test_another_network_of_the_front(chosen: int, front: list[int], name: str | None) -> None:
    """By a name where one means another network than the chosen one; nothing where there is no other."""
    study = shown(POINTS, front)
    study["study"]["chosen"] = chosen
    assert name == picking.another(study)


def test_one_objective_has_no_front_to_show() -> None:
    """Nothing is added to what ``show`` prints then."""
    assert [] == picking.front_table({**STUDY, "study": {}})


def test_a_front_of_which_no_speed_is_known_is_shown_all_the_same() -> None:
    """Studies of before, and of evaluators that measure nothing: then none is called the fastest."""
    study = shown(POINTS, [1, 2, 3])
    study["study"]["objectives"] = [["val_accuracy", "maximize"], ["price", "minimize"]]
    for trial in study["trials"]:
        trial["metrics"]["price"] = trial["metrics"].pop("latency_ms")
    assert [["best"], ["knee"], []] == [row["known_as"] for row in picking.rows(study)]
    assert "knee" == picking.another(study)


def test_the_knee_of_one_objective_is_what_the_search_chose(tmp_path: Path, quick: None) -> None:
    """Though another trial has a higher score."""
    X, y = blobs(96)
    source = save(tmp_path / "spots.npz", X=X, y=y)
    one = tasks.search(source, max_trials=4, n_jobs=1, out=tmp_path / "run")
    assert one.out / "best" == picking.take(one.out, "knee")


@pytest.fixture
def two(tmp_path: Path, quick: None) -> tasks.Outcome:
    """A search for accuracy and few parameters."""
    X, y = blobs(96)
    source = save(tmp_path / "spots.npz", X=X, y=y)
    return tasks.search(source, minimize="params", max_trials=6, n_jobs=1, out=tmp_path / "run")


def test_a_picked_network_is_trained_once_and_kept(two: tasks.Outcome) -> None:
    """It lies in a folder of its own, and what the search chose, and its verdict, stay as they were."""
    before = (two.out / "best" / "manifest.json").read_bytes()
    study = tasks.show(two.out)
    chosen = json.loads((two.out / "best" / "architecture.json").read_bytes())
    other = next(trial["number"] for trial in study["trials"] if trial["architecture"] != chosen)
    folder = picking.take(two.out, other)
    written = (folder / "manifest.json").stat().st_mtime_ns
    assert folder == picking.take(two.out, str(other)) == two.out / "picks" / f"trial-{other}"
    assert written == (folder / "manifest.json").stat().st_mtime_ns
    assert study["trials"][other]["architecture"] == json.loads((folder / "architecture.json").read_bytes())
    assert {"model.py", "weights.safetensors"} <= set(read_manifest(folder)["files"])
    assert before == (two.out / "best" / "manifest.json").read_bytes()
    assert two.text_of_verdict == tasks.resume(two.out).text_of_verdict


def test_the_chosen_network_is_not_trained_again(two: tasks.Outcome) -> None:
    """Its trial's number, and ``best``, mean the folder that is there."""
    assert two.out / "best" == picking.take(two.out) == picking.take(two.out, two.best.number)


def test_what_is_chosen_is_on_the_front(two: tasks.Outcome) -> None:
    """A network that another one beats in accuracy and in size is never what a search with both hands over."""
    shown = tasks.show(two.out)
    assert two.best.number in shown["pareto"]
    assert two.best.number == shown["study"]["chosen"] == picking.picked(shown, "best")
    assert any("params" in line for line in two.front)
    assert (two.another is not None) == (f"--pick {two.another}" in two.text())


def test_an_unfinished_search_has_nothing_to_pick(tmp_path: Path) -> None:
    """The line says how to go on."""
    (tmp_path / "study.db").touch()
    with pytest.raises(InputError, match=r"has not ended\. Go on with: netwright resume"):
        picking.take(tmp_path, "knee")
