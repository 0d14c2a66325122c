"""What holds for all tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# What a function does first, such as importing scipy, takes seconds where other tests run beside it.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ROOT = Path(__file__).parents[1]


@cache
def shares(file: str) -> bool:
    """Whether tests of a file share what is made once for all of them, such as a search of many seconds."""
    return 'scope="module"' in (ROOT / file).read_text("utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of a file that share something run in one process, and all others wherever there is room."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return file if shares(file) else nodeid

    return ByFile(config, log)
