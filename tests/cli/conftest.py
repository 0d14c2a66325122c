"""The command line run inside the test's own process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from netwright.cli.app import run


@dataclass(frozen=True)
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str


@pytest.fixture
def netwright(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """``netwright("search", "digits")`` runs the command line and gives what it did."""

    def call(*arguments: str) -> Ran:
        code = run(arguments)
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return call
