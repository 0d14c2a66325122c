"""The command line: one verb a file, each one call of the Python API. Torch is imported by the verbs that need it."""

from __future__ import annotations

import sys


def main() -> None:
    """The command ``netwright``: runs a verb and ends the process with its exit code."""
    from netwright.cli.app import run

    sys.exit(run(sys.argv[1:]))


__all__ = ["main"]
