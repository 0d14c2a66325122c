"""``netwright serve DIR``: the network of a search answers over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from netwright.cli.options import Debug, Folder
from netwright.cli.output import answer, plain


def serve(
    folder: Folder,
    host: Annotated[str, typer.Option(metavar="HOST", help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="On which port.")] = 8000,
    pick: Annotated[str, typer.Option(metavar="WHICH", help="best, knee, fastest, or the number of a trial.")] = "best",
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="Threads of ONNX Runtime.")] = 1,
    debug: Debug = False,
) -> None:
    """Answer JSON over HTTP with the network in DIR, until it is stopped.

    POST /predict takes {"inputs": [row, ...]}; GET / says what a row is.
    """
    from netwright.tasks.serving import serve as run

    def ready(address: str) -> None:
        answer(f"serving {plain(folder)} at {address} - stop it with Ctrl-C")

    run(folder, host=host, port=port, pick=pick, threads=threads, ready=ready)
