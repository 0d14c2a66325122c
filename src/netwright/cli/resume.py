"""``netwright resume DIR``: goes on with a search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netwright.cli.live import Live
from netwright.cli.options import Debug, Folder, Jobs, Json, MaxTrials, Quiet, TimeLimit, seconds
from netwright.cli.output import answer, answer_json
from netwright.cli.stopping import handing_over


def resume(
    folder: Folder,
    time_limit: TimeLimit = None,
    max_trials: MaxTrials = None,
    jobs: Jobs = None,
    takeover: Annotated[bool, typer.Option("--takeover", help="Take the study from a process that holds it.")] = False,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Go on with a store that has lost its last trials.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Go on with the search in DIR where it stopped.

    Without new limits it has what remains of its own.
    """
    limit = seconds(time_limit)
    from netwright import tasks
    from netwright.bench.folders import refuse

    refuse(Path(folder))

    with handing_over(quiet=quiet, programs=json), Live(folder, quiet=quiet, programs=json) as live:
        outcome = tasks.resume(
            folder,
            time_limit=limit,
            max_trials=max_trials,
            n_jobs=jobs,
            watch=live,
            takeover=takeover,
            accept_loss=accept_loss,
        )
    if json:
        answer_json(outcome.to_value())
    else:
        answer(outcome.text())
