"""What a study's folder says."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.stores.base import Event
from netwright.tasks.overview import show


@pytest.mark.parametrize("more", [[], [["params", "minimize"]]])
def test_the_chosen_trial_is_said(more: list[list[str]], tmp_path: Path) -> None:
    """Once the search has ended, with however many objectives; it need not be the best."""
    begun = Event("study", {"name": "digits", "objectives": [["val_accuracy", "maximize"], *more]})
    ended = Event("noted", {"topic": "verdict", "trial": 3})
    assert "chosen" not in show(tmp_path, events=[begun])["study"]
    assert 3 == show(tmp_path, events=[begun, ended])["study"]["chosen"]
