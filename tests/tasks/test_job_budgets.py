"""Searches by a multi-fidelity strategy: its budgets, what is finalist, what is shown, and going on after a stop."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.tasks.conftest import save
from tests.tasks.test_job_resume import Stop, stop_when

from netwright import tasks
from netwright.cli.show import describe, ranked
from netwright.strategies import CurveStopping, Random
from netwright.tasks import job
from netwright.testing.toy import blobs

ABOUT = {"epochs": 40, "trial_epochs": 6}


def made(text: str, **about: int) -> Any:
    return job._strategy(text, {**ABOUT, **about}, SimpleNamespace(starts=()))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["successive-halving", "hyperband", "asha", "bohb", "curve-stopping"])
@pytest.mark.parametrize(
    ("epochs", "trial_epochs", "ladder"),
    [(40, 6, (1, 12)), (80, 26, (5, 52)), (6, 2, (1, 4)), (15, 9, (1, 15)), (3, 1, (1, 3))],
)
def test_budgets_follow_the_schedule(name: str, epochs: int, trial_epochs: int, ladder: tuple[int, int]) -> None:
    """Up to twice the epochs of a usual trial, at most a finalist's; from a ninth of that on."""
    strategy = made(name, epochs=epochs, trial_epochs=trial_epochs)
    assert ladder == (strategy.min_budget, strategy.max_budget)


def test_what_the_user_says_stays() -> None:
    """Budgets that are given are not changed; other arguments keep the schedule's budgets."""
    assert (1, 12) == (made("asha(max_budget=12)").min_budget, made("asha(max_budget=12)").max_budget)
    assert (2, 5) == made("hyperband(budgets=(2, 5))").budgets
    assert (1, 12, 4) == tuple(getattr(made("hyperband(eta=4)"), name) for name in ("min_budget", "max_budget", "eta"))
    assert isinstance(made("random"), Random)
    strategy = made("curve-stopping(rule=sotl, startup=2)")
    assert isinstance(strategy, CurveStopping)
    assert ("sotl", 2, 12) == (strategy.rule, strategy.startup, strategy.max_budget)


@pytest.mark.usefixtures("quick")
def test_a_search(tmp_path: Path) -> None:
    """Its best is one of the largest budget, and what promotions saved is said; a stop changes nothing of it."""
    X, y = blobs(60)
    source = save(tmp_path / "spots.npz", X=X, y=y)
    whole = tasks.search(source, strategy="asha", max_trials=14, seed=1, out=tmp_path / "whole")
    shown = tasks.show(tmp_path / "whole")
    budgets = [trial["budget"] for trial in shown["trials"]]
    assert {1, 4} == set(budgets)
    assert max(budgets) == shown["best"]["budget"]
    assert "went on from their own" in str(whole.saved)
    with pytest.raises(Stop):
        tasks.search(
            source,
            strategy="asha",
            max_trials=14,
            seed=1,
            n_jobs=1,
            out=tmp_path / "parts",
            watch=stop_when(lambda progress: progress.phase == "search" and progress.trials == 7),
        )
    tasks.resume(tmp_path / "parts")
    again = tasks.show(tmp_path / "parts")
    assert [_without_time(trial) for trial in shown["trials"]] == [_without_time(trial) for trial in again["trials"]]


def _without_time(trial: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in trial.items() if name != "seconds"}


def trial(number: int, score: float, budget: Any, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "architecture": {"width": number},
        "budget": budget,
        "state": "finished",
        "metrics": {"val_accuracy": score},
        "params": None,
        "macs": None,
        "error": None,
        "seconds": 1.0,
        "inherits": None,
        **more,
    }


def test_the_table_of_show() -> None:
    """Trials of the largest budget come first, whatever smaller ones scored, and the budget stands beside the score."""
    trials = [trial(0, 0.99, 1), trial(1, 0.5, 9), trial(2, 0.6, 9, inherits=0), trial(3, 0.7, 3)]
    assert [2, 1, 3, 0] == [row["number"] for row in ranked(trials, trials[2], "val_accuracy")]
    assert [1, 2, 3, 0] == [row["number"] for row in ranked(trials, trials[1], "val_accuracy")]  # less is better
    study = {"name": "s", "state": "done", "seed": 0, "parallel": 4, "space": "S", "metric": "val_accuracy"}
    text = describe({"study": study, "trials": trials, "best": trials[2], "pareto": [2]})
    assert "best    trial 2: val_accuracy 0.6000 at budget 9" in text
    assert "trial  val_accuracy  budget" in text
    alone = describe({"study": study, "trials": [trial(0, 0.9, None)], "best": trial(0, 0.9, None), "pareto": [0]})
    assert "budget" not in alone
