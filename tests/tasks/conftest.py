"""Small searches, from data to a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netwright import tasks
from netwright.testing.toy import blobs


@dataclass(frozen=True)
class Searched:
    """A search that has ended: its data, its folder, what it answered."""

    X: np.ndarray
    y: np.ndarray
    source: Path
    folder: Path
    outcome: tasks.Outcome


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Tests run beside each other; and a training is the same only for the same number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials and finals in this process, few epochs and few retrainings, and no second Python that compares the source.

    All of these are as they are for users in ``searched``, and in the tests of their own rooms.
    """
    hurry(monkeypatch)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    from netwright.export import folder
    from netwright.study import selection, study
    from netwright.tasks import job

    monkeypatch.setattr(folder, "difference", lambda *arguments: 0.0)
    monkeypatch.setattr(study, "_usual_executor", lambda evaluator: "in_process")
    monkeypatch.setattr(study, "FINALS", "in_process")
    monkeypatch.setattr(selection, "PLANS", ((2, 1, 2),))
    monkeypatch.setattr(selection, "FEW", 0)
    monkeypatch.setattr(job, "_schedule", lambda *arguments: job.Schedule(epochs=6, trial_epochs=2))


def save(path: Path, **arrays: Any) -> Path:
    """The arrays as an .npz."""
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """Spots on the left and on the right, searched as a user would: worker processes, the usual epochs and finals."""
    folder = tmp_path_factory.mktemp("searched")
    X, y = blobs(96)
    source = save(folder / "spots.npz", X=X, y=y)
    command = f"netwright search {source} --max-trials 4"
    outcome = tasks.search(source, max_trials=4, n_jobs=2, out=folder / "run", command=command)
    return Searched(X, y, source, folder / "run", outcome)
