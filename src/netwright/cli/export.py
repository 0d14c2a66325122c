"""``netwright export DIR --to FORMAT``: the network of a search in another form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netwright.cli.options import Debug, Folder, Json
from netwright.cli.output import answer, answer_json, plain
from netwright.errors import InputError, ResourceError
from netwright.names import slug


def export(
    folder: Folder,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="source (plain PyTorch), torch (.pt2), onnx, int8 (ONNX in eight bits), openvino, executorch.",
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="A new folder, or a file such as net.onnx. Default: DIR/export/FORMAT[-PICK]."
        ),
    ] = None,
    pick: Annotated[
        str,
        typer.Option(metavar="best|knee|fastest|N", help="Which network of the search; another one is trained first."),
    ] = "best",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the network in DIR as source, or for another runtime, with a predict.py that takes raw data.

    It is compared with the network that was found, on real rows, before it is written; the largest difference is
    printed, of int8 accuracy, size and latency beside float32.
    """
    from netwright.export import FORMATS, unknown_format

    if to not in FORMATS:
        raise unknown_format(to)
    finished(Path(folder))
    # Networks that were picked do not take one another's place.
    name = to if pick == "best" else f"{to}-{pick if pick.isascii() and pick.isalnum() else slug(pick)}"
    destination = Path(out) if out is not None else Path(folder) / "export" / name
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"cannot make the folder {destination.parent}: {error.strerror}") from None
    from netwright.tasks.shipping import write

    written = write(folder, to, destination, pick=pick, anew=out is None)
    if json:
        answer_json(written.to_value())
    else:
        answer("\n".join(plain(line) for line in written.text().splitlines()))


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
