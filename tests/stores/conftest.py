from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_events import configured

from netwright.stores import MemoryStore, SQLiteStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryStore | SQLiteStore]:
    """An open store of each kind that holds the study's first event."""
    made = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "study", create=True)
    with made:
        made.append([configured()])
        yield made
