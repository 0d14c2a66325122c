"""Where the real tables stand, and small ones made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.evaluators.tables import Table
from netwright.evaluators.tables.own import declared_space

DATA = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of the real tables."""
    if not DATA.is_dir():
        pytest.skip(f"the real tables are not there ({DATA})")
    return DATA


@pytest.fixture(scope="session")
def nasbench201(data: Path) -> Table:
    """The real NAS-Bench-201."""
    from netwright.evaluators.tables import read_table

    return read_table(data / "nasbench201" / "nasbench201.npz")


OPTIONS: dict[str, tuple[Any, ...]] = {"width": (8, 16, 32), "kind": ("plain", "deep"), "bias": (False, True)}


@pytest.fixture
def small() -> Table:
    """Twelve architectures, two lengths of training, two seeds at the longer, seconds and parameters."""
    choices = np.array([(a, b, c) for a in range(3) for b in range(2) for c in range(2)])
    row = np.arange(12.0)
    return Table(
        "small",
        declared_space(OPTIONS),
        choices,
        {
            "accuracy@3": row / 100,
            "accuracy@9": np.stack([row / 10, row / 10 + 0.02], 1),
            "train_seconds@3": row + 1,
            "train_seconds@9": 3 * row + 5,
            "params": 100 * row,
        },
        about={"source": "a test"},
    )
