"""A search goes on after any stop, and ends as if there had been none."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tasks.conftest import Searched, save
from torch import nn

import netwright as nw
from netwright import tasks
from netwright.errors import InputError
from netwright.progress import Progress
from netwright.stores import open_readonly
from netwright.study import selection
from netwright.testing.toy import Flat, blobs

OWN_SPACE = """
import netwright as nw
from torch import nn

class Net(nn.Module):
    def __init__(self, input_shape, classes):
        super().__init__()
        width = nw.choose("width", 2, 3, 4)
        self.stem = nn.Conv2d(input_shape[0], width, 3, padding=1)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.stem(x).relu().mean((2, 3)))
"""


class Stop(Exception):
    """Stands for whatever ends a process."""


def stop_when(condition: Callable[[Progress], bool]) -> Callable[[Progress], None]:
    def watch(progress: Progress) -> None:
        if condition(progress):
            raise Stop

    return watch


def notes(folder: Path, topic: str) -> list[dict[str, Any]]:
    """What the journal holds of a topic."""
    with open_readonly(folder) as reader:
        return [event.body for event in reader.read() if event.kind == "noted" and event.body["topic"] == topic]


def history(folder: Path) -> list[tuple[Any, ...]]:
    """Every trial but for its seconds."""
    return [(t["number"], t["architecture"], t["state"], t["metrics"]) for t in tasks.show(folder)["trials"]]


@pytest.fixture
def spots(tmp_path: Path) -> Path:
    X, y = blobs(48)
    return save(tmp_path / "spots.npz", X=X, y=y)


@pytest.fixture
def ended(searched: Searched, tmp_path: Path) -> Path:
    """A copy of a search that has ended."""
    return Path(shutil.copytree(searched.folder, tmp_path / "run"))


def test_resume_of_a_search_that_has_ended(searched: Searched, ended: Path) -> None:
    """Nothing is trained again, and the answer is the same."""
    again = tasks.resume(ended, n_jobs=1)
    assert history(searched.folder) == history(ended)
    assert len(notes(searched.folder, "trained")) == len(notes(ended, "trained"))
    assert len(notes(ended, "plan")) == len(notes(ended, "verdict")) == 1
    assert (again.winner.score, again.text_of_verdict) == (
        searched.outcome.winner.score,
        searched.outcome.text_of_verdict,
    )


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "condition",
    [
        pytest.param(lambda p: p.phase == "search" and p.trials == 2, id="search"),
        pytest.param(lambda p: p.phase == "refit" and p.fraction > 0, id="refit"),
        pytest.param(lambda p: p.phase == "export", id="export"),
    ],
)
def test_resume_after_a_stop(
    spots: Path, tmp_path: Path, once: tasks.Outcome, condition: Callable[[Progress], bool]
) -> None:
    """Stopped in any phase, it ends with the trials, the network and the verdict of a search never stopped."""
    with pytest.raises(Stop):
        tasks.search(spots, max_trials=4, n_jobs=1, out=tmp_path / "run", watch=stop_when(condition))
    before = len(notes(tmp_path / "run", "trained"))
    outcome = tasks.resume(tmp_path / "run", n_jobs=1)
    assert history(once.out) == history(outcome.out)
    assert (once.best.number, once.text_of_verdict) == (outcome.best.number, outcome.text_of_verdict)
    assert once.winner.score == outcome.winner.score
    trained = [note["key"] for note in notes(outcome.out, "trained")]
    assert len(trained) == len(set(trained)) >= before
    assert (once.out / "best" / "model.py").read_text() == (outcome.out / "best" / "model.py").read_text()


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tasks.Outcome:
    """The search that was never stopped."""
    from tests.tasks.conftest import hurry

    folder = tmp_path_factory.mktemp("once")
    X, y = blobs(48)
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        return tasks.search(save(folder / "spots.npz", X=X, y=y), max_trials=4, n_jobs=1, out=folder / "run")


@pytest.mark.usefixtures("quick")
def test_the_plan_is_kept(spots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was decided before a stop holds after it, whatever the clock would say by then."""
    stop = stop_when(lambda progress: progress.phase == "finalists")
    with pytest.raises(Stop):
        tasks.search(spots, max_trials=3, n_jobs=1, out=tmp_path / "run", watch=stop)
    monkeypatch.setattr(selection, "PLANS", ((1, 0, 1),))
    outcome = tasks.resume(tmp_path / "run", n_jobs=1)
    (plan,) = notes(tmp_path / "run", "plan")
    assert (plan["finalists"], plan["judged_seeds"], plan["refit_seeds"], plan["epochs"]) == (2, 1, 2, 6)
    assert len(outcome.winner.seeds) == 2


@pytest.mark.usefixtures("quick")
def test_resume_with_more(ended: Path) -> None:
    """A larger number of trials searches on from where it ended, and judges again."""
    before = history(ended)
    outcome = tasks.resume(ended, max_trials=6, n_jobs=1)
    assert history(ended)[:4] == before
    assert (outcome.trials, len(history(ended))) == (6, 6)
    assert notes(ended, "verdict")[-1]["text"] == outcome.text_of_verdict


@pytest.mark.usefixtures("quick")
def test_the_space_of_a_file(tmp_path: Path, spots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found again from another folder; once it has changed it is refused by its name."""
    file = tmp_path / "mine.py"
    file.write_text(OWN_SPACE)
    monkeypatch.chdir(tmp_path)
    outcome = tasks.search(spots, space="mine.py:Net", max_trials=2, n_jobs=1, out=tmp_path / "run")
    assert set(outcome.best.architecture) == {"width"}
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert tasks.resume(tmp_path / "run", n_jobs=1).text_of_verdict == outcome.text_of_verdict
    assert len(tasks.predict(tmp_path / "run", spots)["predictions"]) == 48
    file.write_text(OWN_SPACE.replace("2, 3, 4", "2, 3, 5"))
    with pytest.raises(InputError, match=r"mine\.py has changed since the study was made. Bring back"):
        tasks.resume(tmp_path / "run")
    file.unlink()
    with pytest.raises(InputError, match=r"no such file: .*mine\.py"):
        tasks.resume(tmp_path / "run")


@pytest.mark.usefixtures("quick")
def test_a_space_that_was_an_object(tmp_path: Path, spots: Path) -> None:
    """Only its own script has it, and the message says so."""
    tasks.search(spots, space=Flat, max_trials=1, n_jobs=1, out=tmp_path / "run")
    with pytest.raises(InputError, match=r"the space 'Flat' was given as an object.*Run the script again"):
        tasks.resume(tmp_path / "run")


def test_a_study_of_a_script(tmp_path: Path) -> None:
    """A study that no search made is not for ``resume``."""
    space = nw.SearchSpace(Flat, input_shape=(1, 6, 6), classes=2)

    def widths(network: nn.Module) -> float:
        return float(np.sum([parameter.numel() for parameter in network.parameters()]))

    study = nw.Study(space, "random", widths, maximize="size", store=tmp_path / "run", executor="in_process")
    study.run(max_trials=1)
    with pytest.raises(InputError, match=f"{re.escape('run was made by a script')}.*Run the script again"):
        tasks.resume(tmp_path / "run")
