"""Runs a written model.py without Netwright: a script for a process of its own, which imports nothing of ours.

Its only argument is JSON: ``folder`` with model.py and weights.safetensors, ``inputs`` and ``outputs`` (safetensors
files), ``path`` (where modules are found) and ``threads``. The tensors of ``inputs`` are named ``<batch>.<place>``.
"""

import importlib.util
import json
import runpy
import sys
from pathlib import Path


class Refuse:
    """Finds no module of Netwright: what is checked has to do without."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] == "netwright":
            raise ImportError(f"{name} is imported by a file that has to work without Netwright")


def main() -> None:
    job = json.loads(sys.argv[1])
    sys.path[:] = job["path"]
    sys.meta_path.insert(0, Refuse())

    import torch
    from safetensors.torch import load_file, save_file
    from torch.utils._pytree import tree_leaves

    torch.set_num_threads(job["threads"])
    source = Path(job["folder"]) / "model.py"
    spec = importlib.util.spec_from_file_location("model", source)
    assert spec is not None
    assert spec.loader is not None
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    network = model.load(job["folder"])
    batches: dict[str, dict[int, torch.Tensor]] = {}
    for name, value in load_file(job["inputs"]).items():
        batch, _, place = name.partition(".")
        batches.setdefault(batch, {})[int(place)] = value
    outputs = {}
    with torch.no_grad():
        for batch, values in batches.items():
            leaves = tree_leaves(network(*(values[place] for place in sorted(values))))
            for place, value in enumerate(leaves):
                outputs[f"{batch}.{place}"] = torch.as_tensor(value).contiguous().clone()
    save_file(outputs, job["outputs"])
    runpy.run_path(str(source), run_name="__main__")


main()
