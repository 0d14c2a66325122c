"""A network as a program of torch.export, a ``.pt2`` file."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from netwright.errors import CheckError
from netwright.graphs.exported import program
from netwright.graphs.source import Example, two_rows
from netwright.graphs.where import refusal

TOLERANCE = 1e-5


def write_program(network: nn.Module, example: Example, path: Path | str) -> None:
    """Writes the network, in evaluation mode, as a program whose first dimension has any size.

    The file is read back and compared with the network, on one and on three examples, before it has its name; a
    network that cannot be exported, or whose program answers differently, is a :class:`CheckError`.
    """
    path = Path(path)
    pair = two_rows(example)
    twin = copy.deepcopy(network).cpu().eval()
    try:
        made = program(twin, pair)
    except Exception as error:
        raise CheckError(
            refusal(f"{type(network).__name__}.forward cannot be followed", {"torch.export": error}),
            hint="The readable source is another form: export --to source.",
        ) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    # torch.export insists on the suffix.
    temporary = path.with_name(f".{path.stem}.writing.pt2")
    try:
        torch.export.save(made, temporary)
        read = torch.export.load(temporary).module()
        for count in (1, 3):
            inputs = tuple(torch.cat([value] * 2)[:count] for value in pair)
            with torch.no_grad():
                expected, found = tree_leaves(twin(*inputs)), tree_leaves(read(*inputs))
            worst = max(
                float((one.double() - two.double()).abs().max()) for one, two in zip(expected, found, strict=True)
            )
            if not worst <= TOLERANCE:
                raise CheckError(
                    f"the exported program differs from the network by {worst:.3g} on {count} examples, "
                    f"at most {TOLERANCE:g} is allowed"
                )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
