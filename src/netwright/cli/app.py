"""The verbs together, and the only place where errors end."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from netwright.cli.bench import bench
from netwright.cli.compress import compress
from netwright.cli.errors import report
from netwright.cli.export import export
from netwright.cli.output import answer, prepare_streams, settle
from netwright.cli.predict import predict
from netwright.cli.profile import profile
from netwright.cli.resume import resume
from netwright.cli.search import search
from netwright.cli.serve import serve
from netwright.cli.show import show
from netwright.cli.spaces import spaces
from netwright.cli.strategies import strategies
from netwright.cli.tables import tables

app = typer.Typer(
    name="netwright",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

VERBS = (search, resume, show, predict, export, compress, serve, profile, spaces, strategies, bench)

for verb in VERBS:
    app.command()(verb)
app.add_typer(tables)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Neural architecture search: find the best network for a data set and write it, ready to use.

    Begin with: netwright search digits --time-limit 60s
    """
    if version:
        from netwright import __version__

        answer(f"netwright {__version__}")
    elif context.invoked_subcommand is None:
        answer(context.get_help())


def run(arguments: Sequence[str]) -> int:
    """Runs the command line and answers with its exit code; every error ends here as one line."""
    arguments = list(arguments)
    flags = set(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    verbs = {*(function.__name__ for function in VERBS), "tables"}
    verb = next((word for word in arguments if word in verbs), "")
    prepare_streams()
    try:
        return _invoke(arguments)
    except (Exception, KeyboardInterrupt) as error:
        return report(error, as_json="--json" in flags, debug="--debug" in flags, verb=verb)
    finally:
        settle(sys.stdout)


def _invoke(arguments: list[str]) -> int:
    command: Any = typer.main.get_command(app)
    try:
        code = command.main(
            args=arguments,
            prog_name="netwright",
            standalone_mode=False,
            obj=shlex.join(["netwright", *arguments]),
        )
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except SystemExit as error:
        code = error.code
    # The parser turns Ctrl-C into this number and says nothing.
    if code == 130:
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0
