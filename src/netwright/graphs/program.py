"""A network as a program of torch.export, a ``.pt2`` file."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from netwright.errors import CheckError
from netwright.graphs.comparing import TOLERANCE, compare, demand
from netwright.graphs.exported import program, quiet
from netwright.graphs.source import Example, two_rows
from netwright.graphs.where import refusal


def write_program(
    network: nn.Module, example: Example, path: Path | str, made: torch.export.ExportedProgram | None = None
) -> float:
    """Writes the network, in evaluation mode, as a program whose first dimension has any size.

    The file is read back and compared with the network, on one, two and all rows of ``example`` (at least three),
    before it has its name; the largest difference is answered. ``made`` is what torch.export gave of the network, where
    that is there already. A network that cannot be exported, or whose program
    answers differently, is a :class:`CheckError`.
    """
    path = Path(path)
    pair = two_rows(example)
    twin = copy.deepcopy(network).cpu().eval()
    try:
        made = program(twin, pair) if made is None else made
    except Exception as error:
        raise CheckError(
            refusal(f"{type(network).__name__}.forward cannot be followed", {"torch.export": error}),
            hint="The readable source is another form: export --to source.",
        ) from error
    values = example if isinstance(example, tuple) else (example,)
    rows = tuple(value if len(value) > 2 else torch.cat([two] * 2)[:3] for value, two in zip(values, pair, strict=True))
    for node in made.graph.nodes:
        # Lines of source on this machine.
        node.meta.pop("stack_trace", None)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".netwright-") as folder:
        # The archive bears the name of its first file, and torch.export insists on the suffix.
        temporary = Path(folder) / f"{path.stem}.pt2"
        with quiet():
            torch.export.save(made, temporary)
            read = torch.export.load(temporary).module()
        worst = compare(twin, rows, lambda batch: tree_leaves(read(*batch)))
        demand(worst, TOLERANCE)
        temporary.replace(path)
    return worst
