"""The command line: one verb a file, each one call of the Python API. Torch is imported by the verbs that need it."""

from __future__ import annotations

import sys


def main() -> None:
    """The command ``netwright``: runs a verb and ends the process with its exit code."""
    try:
        from netwright.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        # Ctrl-C during the imports, before there is anything that reports errors.
        sys.stderr.write("netwright: stopped by Ctrl-C\n")
        code = 130
    sys.exit(code)


__all__ = ["main"]
