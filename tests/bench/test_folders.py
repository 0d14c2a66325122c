"""Folders of a bench and of a table's training are told from those of a search."""

import shutil
from contextlib import nullcontext
from pathlib import Path

import bench_toys as toys
import pytest

from netwright.bench import compare
from netwright.bench.folders import FINGERPRINT, refuse
from netwright.bench.race import Race
from netwright.cli.app import run
from netwright.errors import StoreError, StudyInUseError
from netwright.executors import InProcess
from netwright.space import SearchSpace
from netwright.stores.lock import StudyLock
from netwright.study import Study
from netwright.testing import toy

OPTIONS = {"seeds": 2, "queries": 5, "jobs": 1, "report": False}


@pytest.fixture
def benched(tmp_path, monkeypatch):
    """The folder of a bench of two runs, made in this process."""
    monkeypatch.setattr("netwright.bench.comparing._workers", lambda count: nullcontext(InProcess()))
    monkeypatch.chdir(tmp_path)
    compare(toys.table(), "random", out="b", **OPTIONS)
    return Path("b")


def searched(folder, **more):
    return Study(
        SearchSpace(toy.Flat),
        "random",
        toy.sum_of_answers,
        maximize="score",
        store=folder,
        executor="in_process",
        **more,
    )


@pytest.mark.parametrize(("verb", "place"), [("show", "."), ("resume", "."), ("resume", "random"), ("export", ".")])
def test_the_folder_of_a_bench_is_named(benched, capfd, verb, place):
    """With the command that goes on with it, of whichever folder of it one asks."""
    assert 2 == run([verb, str(benched / place), *(("--to", "torch") if verb == "export" else ())])
    said = capfd.readouterr().err
    assert "error: b holds the runs of a bench on the table 'toy', not a search. Go on with" in said
    assert said.endswith("netwright bench command, and --out b\n")


@pytest.mark.parametrize("verb", ["show", "resume"])
def test_the_folder_of_a_tables_training_is_named(tmp_path, monkeypatch, capfd, verb):
    """With the command that goes on with it."""
    monkeypatch.chdir(tmp_path)
    searched("t.making/seed0").run(max_trials=1)
    Path("t.making/settings.json").write_text("{}")
    assert 2 == run([verb, "t.making"])
    said = capfd.readouterr().err
    assert "error: t.making holds the training of a table, not a search. Go on with the same netwright tables" in said
    assert said.endswith("make command, and --out t.npz\n")


def test_other_folders_are_left_alone(tmp_path):
    """One that is empty, and one of searches beside a file of settings."""
    searched(tmp_path / "one", about={"source": "digits"}).run(max_trials=1)
    (tmp_path / "settings.json").write_text("{}")
    for folder in (tmp_path, tmp_path / "one", tmp_path / "none"):
        refuse(folder)


def test_a_damaged_run_is_made_again(benched):
    """A bench has no salvage: what it lost it can compute."""
    (benched / "random" / "study.db").write_bytes(b"no database" * 900)
    with pytest.raises(StoreError, match=r"is damaged.* Remove that study's folder in .*; the same command runs again"):
        compare(toys.table(), "random", out=benched, **OPTIONS)
    shutil.rmtree(benched / "random")
    assert (0, 1) == compare(toys.table(), "random", out=benched, **OPTIONS).runs["random"].seeds


def test_a_bench_in_use(benched):
    """It has no takeover: another folder will do."""
    lock = StudyLock(benched / "random")
    with pytest.raises(StudyInUseError, match=r"in use by .* Wait for its end, or give another --out"):
        compare(toys.table(), "random", out=benched, **{**OPTIONS, "seeds": 3})
    lock.release()


def test_a_run_is_known_by_its_fingerprint():
    """The keys by which a folder is recognised are those that a race writes."""
    assert set(Race(toys.table(), "random", (toys.ACC,), 5, 1).fingerprint) == FINGERPRINT
