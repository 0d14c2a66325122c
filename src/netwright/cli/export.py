"""``netwright export DIR --to FORMAT``: the network of a search in another form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netwright.cli.options import Debug, Folder, Json
from netwright.cli.output import answer, answer_json, plain
from netwright.errors import InputError, ResourceError, nearest

NAMES = {"torch": "model.pt2", "source": "source"}
"""What is written for each format, below DIR/export."""


def export(
    folder: Folder,
    to: Annotated[
        str,
        typer.Option("--to", metavar="FORMAT", help="torch (a .pt2 program) or source (plain PyTorch)."),
    ],
    out: Annotated[str | None, typer.Option(metavar="PATH", help="Where it goes. Default: DIR/export/….")] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the network in DIR as a torch.export program or as source.

    It is compared with the network that was found before it is written.
    """
    from netwright.export import FORMATS

    if to not in FORMATS:
        close = nearest(to, FORMATS)
        raise InputError(f"--to {to!r} is no format that can be written", hint=close[:1].upper() + close[1:])
    package = finished(Path(folder))
    destination = Path(out) if out is not None else Path(folder) / "export" / NAMES[to]
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"cannot make the folder {destination.parent}: {error.strerror}") from None
    from netwright.export import to as write

    written = write(package, to, destination)
    if json:
        answer_json({"out": str(written), "format": to})
    else:
        answer(f"wrote {plain(written)}")


def finished(folder: Path) -> Path:
    """The package of a search that has ended; raises InputError for anything else."""
    if (folder / "best" / "architecture.json").is_file():
        return folder / "best"
    if (folder / "study.db").exists():
        raise InputError(f"the search in {folder} has not ended", hint=f"Go on with: netwright resume {folder}")
    from netwright.bench.folders import refuse

    refuse(folder)
    raise InputError(
        f"{folder} is no study (no study.db in it)", hint="Give the folder that a search printed, such as runs/digits-1"
    )
