"""``netwright predict DIR DATA``: what the network of a search says of new data."""

from __future__ import annotations

from typing import Annotated

import typer

from netwright.cli.options import Debug, Folder, Json
from netwright.cli.output import answer, answer_json, plain


def predict(
    folder: Folder,
    data: Annotated[str, typer.Argument(metavar="DATA", help="New data of the same kind, with or without labels.")],
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column of a CSV file to pass over; not needed.")
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Predict DATA with the network in DIR.

    One line for each row; --json adds the probabilities.
    """
    from netwright import tasks

    value = tasks.predict(folder, data, target=target)
    if json:
        answer_json(value)
    else:
        answer("\n".join(plain(prediction) for prediction in value["predictions"]))
