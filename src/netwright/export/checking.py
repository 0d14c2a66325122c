"""Whether a written network answers as the network that was found."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils._pytree import tree_leaves

from netwright.errors import CheckError
from netwright.graphs.comparing import distance

TOLERANCE = 1e-5
TIME_LIMIT = 300.0


def state_of(network: nn.Module) -> dict[str, torch.Tensor]:
    """The state_dict as safetensors takes it: on the CPU, contiguous, each tensor with memory of its own."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}


def difference(
    source: str,
    network: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    state: Mapping[str, torch.Tensor] | None = None,
) -> float:
    """The largest difference between the network's outputs and those of its source, on ``inputs`` and their first row.

    It is relative to the largest output where that is above one. The source runs in a process of its own that cannot
    import Netwright, with ``state``, or the network's own weights; what goes wrong there is a :class:`CheckError`.
    """
    twin = copy.deepcopy(network).cpu().eval()
    rows = tuple(value.detach().cpu().contiguous() for value in inputs)
    batches = {"all": rows, "one": tuple(value[:1].clone() for value in rows)}
    expected: dict[str, torch.Tensor] = {}
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for batch, values in batches.items():
            for place, leaf in enumerate(tree_leaves(twin(*(value.clone() for value in values)))):
                expected[f"{batch}.{place}"] = torch.as_tensor(leaf)
    found = _run(source, state_of(network) if state is None else state, batches)
    if found.keys() != expected.keys():
        raise CheckError(f"the written network has {len(found)} outputs, the network itself {len(expected)}")
    return max((distance(expected[name], found[name]) for name in expected), default=0.0)


def _run(
    source: str, state: Mapping[str, torch.Tensor], batches: Mapping[str, tuple[torch.Tensor, ...]]
) -> dict[str, torch.Tensor]:
    with tempfile.TemporaryDirectory(prefix="netwright-check-") as name:
        folder = Path(name)
        (folder / "model.py").write_text(source, encoding="utf-8")
        save_file(dict(state), folder / "weights.safetensors")
        save_file(
            {f"{batch}.{place}": value for batch, values in batches.items() for place, value in enumerate(values)},
            folder / "inputs.safetensors",
        )
        job = {
            "folder": name,
            "inputs": str(folder / "inputs.safetensors"),
            "outputs": str(folder / "outputs.safetensors"),
            "path": [entry for entry in sys.path if entry],
            "threads": torch.get_num_threads(),
        }
        script = str(Path(__file__).with_name("_child.py"))
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-B", script, json.dumps(job)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIME_LIMIT,
                cwd=name,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CheckError(f"the written network did not answer within {TIME_LIMIT:g} s") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise CheckError(f"the written network does not run: {last}")
        return dict(load_file(folder / "outputs.safetensors"))
