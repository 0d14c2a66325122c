"""``netwright bench TABLE``: strategies compared on a table."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer

from netwright.cli.options import Debug, Json, Quiet
from netwright.cli.output import Careful, answer, answer_json, plain
from netwright.durations import format_duration
from netwright.errors import InputError

if TYPE_CHECKING:
    from netwright.bench import Standing


def bench(
    context: typer.Context,
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="A table's name (see netwright tables show) or its file.")
    ],
    strategies: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Names, with arguments if need be: random,evolution(population=10)."),
    ] = None,
    seeds: Annotated[int, typer.Option(metavar="N", help="Runs of each strategy, from the seeds 0 to N-1.")] = 20,
    queries: Annotated[int, typer.Option(metavar="N", help="Evaluations of each run.")] = 100,
    maximize: Annotated[
        list[str] | None,
        typer.Option(metavar="M@F", help="What is searched, at a fidelity. Default: the first metric, at its largest."),
    ] = None,
    minimize: Annotated[
        list[str] | None, typer.Option(metavar="M@F", help="What is searched and better small; may be repeated.")
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(
            metavar="M@F",
            help="What the best by then is judged by. Default: the test metric of a searched validation metric; "
            "where there is none, what is searched.",
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", help="Runs at the same time, each a process. Default: one a core.")
    ] = None,
    workers: Annotated[int, typer.Option(metavar="K", help="Simulated workers in each run, on the table's clock.")] = 1,
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Keeps every run; the same again goes on. Default: a new folder in runs/."),
    ] = None,
    statistics: Annotated[
        bool, typer.Option("--statistics", help="Describe the table instead, and run nothing.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compare search strategies on TABLE, by many seeds and with tests.

    Ctrl-C keeps the runs that have ended; the same command with --out DIR goes on.
    """
    from netwright import bench as room

    if out is not None and not out.strip():
        raise InputError("--out names no folder")
    if statistics:
        if strategies is not None:
            raise InputError("--statistics runs no strategies", hint="Leave --strategies out; a report has both")
        if len(maximize or ()) + len(minimize or ()) > 1:
            raise InputError("--statistics describes one metric", hint="Give one --maximize or one --minimize")
        found = room.landscape(table, next(iter(maximize or ()), None), minimize=next(iter(minimize or ()), None))
        if json:
            answer_json(found.to_value())
        else:
            answer(str(found))
        return
    with Counting(quiet=quiet, programs=json) as counting:
        comparison = room.compare(
            table,
            strategies,
            seeds=seeds,
            queries=queries,
            maximize=maximize,
            minimize=minimize,
            score=score,
            jobs=jobs,
            workers=workers,
            out=out,
            command=context.obj,
            watch=counting,
        )
    if comparison.missing is not None:
        Careful(sys.stderr).write(f"netwright: no pictures. {plain(comparison.missing)}\n")
    if json:
        answer_json(comparison.to_value())
    else:
        answer(str(comparison))


class Counting:
    """Counts the runs on standard error: one line that changes on a terminal, a line a strategy elsewhere.

    ``quiet`` shows nothing. Where standard error is no terminal, ``programs`` (the output is for a program) shows
    nothing either.
    """

    def __init__(self, *, quiet: bool = False, programs: bool = False) -> None:
        self._stream = Careful(sys.stderr)
        self._terminal = self._stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
        self._shown = not quiet and (self._terminal or not programs)
        self._began = time.monotonic()
        self._first: int | None = None
        self._spoke = 0.0
        self._width = 0
        self._told: set[str] = set()

    def __call__(self, standing: Standing) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = standing.total
        ended = standing.done == standing.seeds
        if not self._shown:
            return
        text = f"{plain(standing.strategy)} {standing.done}/{standing.seeds} · {standing.total} of {standing.runs} runs"
        passed = now - self._began
        here = standing.total - self._first
        if here and standing.total < standing.runs:
            text += f" · {format_duration(passed / here * (standing.runs - standing.total))} left"
        if self._terminal and (ended or now - self._spoke >= 0.2):
            self._spoke = now
            self._stream.write(f"\r{text[:100].ljust(self._width)}")
            self._width = len(text[:100])
        elif not self._terminal and ended and standing.strategy not in self._told:
            self._told.add(standing.strategy)
            self._stream.write(f"[{format_duration(passed):>6}] {text}\n")

    def __enter__(self) -> Counting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal and self._width:
            self._stream.write("\r" + " " * self._width + "\r")
