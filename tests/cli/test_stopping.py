"""A search that is stopped by signals, on the command line."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.tasks.conftest import hurry

from netwright.cli.live import Live
from netwright.progress import Progress
from netwright.study import selection
from netwright.tasks import job, shipping

SEARCH = ("search", "iris", "--max-trials", "3", "--jobs", "1", "--quiet", "--out", "run")


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Trials and finals are short and run in this process; no second Python compares the source."""
    monkeypatch.chdir(tmp_path)
    hurry(monkeypatch)
    monkeypatch.setattr(selection, "PLANS", ((1, 1, 1),))
    monkeypatch.setattr(job, "_schedule", lambda *arguments: job.Schedule(epochs=2, trial_epochs=1))


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``signals(2)``: two of Ctrl-C come once a trial has ended."""

    def plan(count: int, trials: int = 1) -> None:
        def watched(live: Live, progress: Progress) -> None:
            nonlocal count
            while count and progress.trials >= trials:
                count -= 1
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(Live, "__call__", watched)

    return plan


def test_the_best_network_so_far_is_written(netwright, signals) -> None:
    """It predicts, and how to go on is said; so much is done by one Ctrl-C."""
    signals(1)
    ran = netwright(*SEARCH)
    assert 130 == ran.code
    assert "Stopped early: the network of trial 0" in ran.out
    assert "the best network so far is in run/best. Go on with: netwright resume run" in ran.err
    assert 0 == netwright("predict", "run", "iris").code


def test_programs_are_told_once(netwright, signals) -> None:
    """Their one object is that of the error."""
    signals(1)
    ran = netwright(*SEARCH, "--json")
    assert "the best network so far is in" in json.loads(ran.out)["error"]["message"]


def test_a_second_signal_ends_at_once(netwright, signals) -> None:
    """Nothing more is written; what has ended is kept."""
    signals(2)
    ran = netwright(*SEARCH)
    assert (130, "") == (ran.code, ran.out)
    assert "netwright resume run" in ran.err
    assert not Path("run/best").exists()


def test_what_keeps_it_from_being_written_is_said(netwright, signals, monkeypatch) -> None:
    """Beside that it was stopped, and how to go on."""
    signals(1)
    monkeypatch.setattr("netwright.tasks.shipping.ship", lambda *arguments: 1 / 0)
    ran = netwright(*SEARCH)
    assert "the best network so far could not be written (division by zero). Go on with" in ran.err


def test_a_network_that_was_retrained_stays(netwright, signals) -> None:
    """Where a search that has ended goes on and is stopped."""
    assert 0 == netwright(*SEARCH).code
    before = Path("run/best/weights.safetensors").read_bytes()
    signals(1, trials=4)
    ran = netwright("resume", "run", "--max-trials", "9", "--jobs", "1", "--quiet")
    assert 130 == ran.code
    assert "so far" not in ran.err
    assert before == Path("run/best/weights.safetensors").read_bytes()


@pytest.fixture
def stopped_after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``stopped_after(job, "_prepare")``: Ctrl-C comes once that function has done its work."""

    def plan(owner: Any, name: str) -> None:
        whole = getattr(owner, name)

        def stopped(*arguments: Any, **options: Any) -> None:
            whole(*arguments, **options)
            raise KeyboardInterrupt

        monkeypatch.setattr(owner, name, stopped)

    return plan


@pytest.mark.parametrize("name", ["_schedule", "_prepare"])
def test_nothing_is_left_of_what_never_began(netwright, stopped_after, name: str) -> None:
    """No folder, in which there is nothing to go on with."""
    stopped_after(job, name)
    ran = netwright(*SEARCH)
    assert (130, "netwright: stopped by Ctrl-C\n") == (ran.code, ran.err)
    assert not Path("run").exists()


def test_a_folder_that_was_there_stays(netwright, stopped_after) -> None:
    """It is the user's."""
    Path("run").mkdir()
    Path("run/mine.txt").touch()
    stopped_after(job, "_schedule")
    netwright(*SEARCH)
    assert Path("run/mine.txt").exists()


def test_writing_goes_on_another_time(netwright, stopped_after) -> None:
    """Where Ctrl-C comes while the final network is written it is said how."""
    stopped_after(shipping, "ship")
    ran = netwright(*SEARCH)
    assert 130 == ran.code
    assert "while writing the network: all trainings are kept. Go on with: netwright resume run" in ran.err
