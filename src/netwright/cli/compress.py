"""``netwright compress DIR``: smaller networks from the one that a search found."""

from __future__ import annotations

from typing import Annotated

import typer

from netwright.cli.options import Debug, Folder, Json
from netwright.cli.output import answer, answer_json, plain
from netwright.errors import InputError


def compress(
    folder: Folder,
    prune: Annotated[
        str, typer.Option(metavar="SHARES", help="Shares of the channels to remove, with commas; none for none.")
    ] = "0.25,0.5,0.75",
    pick: Annotated[
        str, typer.Option(metavar="LIST", help="Networks of the front to set beside: knee, fastest, trials; none.")
    ] = "knee,fastest",
    distill: Annotated[
        bool, typer.Option("--distill", help="Let the small networks learn from the found one, too.")
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Prune the channels of the network in DIR and train it again, beside the networks of its front.

    Each outcome is kept in DIR/compressed and exported by its name: netwright export DIR --pick pruned-50 --to onnx.
    """
    from netwright.tasks.compressing import compress as run
    from netwright.tasks.compressing import table
    from netwright.tasks.job import configuration, goal_of

    found = run(folder, shares=_shares(prune), picks=_listed(pick), distill=distill)
    if json:
        answer_json({"networks": [one.to_value() for one in found]})
        return
    metric = goal_of(configuration(folder)).shown
    answer("\n".join([*table(found, metric), "", f"in           {plain(folder)}/compressed"]))


def _listed(text: str) -> list[str]:
    return [] if text == "none" else [part.strip() for part in text.split(",") if part.strip()]


def _shares(text: str) -> list[float]:
    try:
        return [float(part) for part in _listed(text)]
    except ValueError:
        raise InputError(f"--prune takes shares such as 0.25,0.5, found {text!r}") from None
