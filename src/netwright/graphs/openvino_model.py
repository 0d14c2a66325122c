"""A network as a model of OpenVINO: ``model.xml`` and ``model.bin``."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from netwright.errors import CheckError
from netwright.graphs.exported import program, quiet
from netwright.graphs.source import Example, two_rows
from netwright.graphs.where import refusal


def openvino_files(network: nn.Module, example: Example, metadata: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """Both files by their names; any batch, weights in float32. A network that cannot be followed is a CheckError.

    ``metadata`` stands in the model's runtime information, under ``netwright``.
    """
    import openvino

    pair = two_rows(example)
    twin = copy.deepcopy(network).cpu().eval()
    try:
        with quiet(), torch.no_grad():
            model = openvino.convert_model(program(twin, pair))
    except Exception as error:
        raise CheckError(
            refusal(f"{type(network).__name__} has no model of OpenVINO", {"openvino": error}),
            hint="The readable source is another form: export --to source.",
        ) from error
    for key, value in (metadata or {}).items():
        model.set_rt_info(value, ["netwright", key])
    with tempfile.TemporaryDirectory(prefix="netwright-openvino-") as folder:
        path = Path(folder) / "model.xml"
        with quiet():
            openvino.save_model(model, path, compress_to_fp16=False)
        return {name: (Path(folder) / name).read_bytes() for name in ("model.xml", "model.bin")}


def openvino_run(files: Mapping[str, bytes]) -> Callable[[tuple[torch.Tensor, ...]], Sequence[Any]]:
    """The model on the CPU, in float32: OpenVINO may take a shorter type by itself."""
    import numpy as np
    import openvino

    core = openvino.Core()
    with tempfile.TemporaryDirectory(prefix="netwright-openvino-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        model = core.read_model(Path(folder) / "model.xml")
        compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(batch: tuple[torch.Tensor, ...]) -> list[Any]:
        found = compiled([value.numpy() for value in batch])
        return [np.array(found[place]) for place in range(len(compiled.outputs))]

    return run
