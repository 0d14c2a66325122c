"""A packaged network in another form."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from netwright.errors import CheckError, InputError, nearest
from netwright.export import FORMATS
from netwright.export.folder import MANIFEST, read_manifest

TIME_LIMIT = 600.0

# The packaged source is code, and runs in a process of its own.
_WRITE_PROGRAM = """
import importlib.util, json, sys
job = json.loads(sys.argv[1])
sys.path[:] = job["path"]
import torch
torch.set_num_threads(job["threads"])
from netwright.errors import NetwrightError
from netwright.graphs import write_program
spec = importlib.util.spec_from_file_location("model", job["model"])
model = importlib.util.module_from_spec(spec)
spec.loader.exec_module(model)
network = model.load(job["folder"])
inputs = []
for each in job["inputs"]:
    dtype = getattr(torch, each["dtype"])
    shape = (2, *each["shape"])
    inputs.append(torch.randn(shape).to(dtype) if dtype.is_floating_point else torch.zeros(shape, dtype=dtype))
try:
    write_program(network, tuple(inputs), job["destination"])
except NetwrightError as error:
    print(json.dumps(error.message), file=sys.stderr)
    sys.exit(4)
"""


def to(folder: Path | str, format: str, destination: Path | str) -> Path:
    """Writes the network of a packaged ``folder`` as ``format`` at ``destination``, which is answered.

    ``"source"`` copies the package to a folder; ``"torch"`` makes a ``.pt2`` program of torch.export whose batch has
    any size, compared with the network before it has its name (:class:`CheckError` otherwise). The package's files
    are compared with its manifest first.
    """
    folder, destination = Path(folder), Path(destination)
    if format not in FORMATS:
        raise InputError(f"a network cannot be exported to '{format}'", hint=f"{nearest(format, FORMATS)}.")
    manifest = read_manifest(folder)
    if format == "source":
        if destination.exists():
            raise InputError(f"{destination} exists already", hint="Name a folder that does not exist.")
        destination.mkdir(parents=True)
        for name in (*manifest["files"], MANIFEST):
            shutil.copyfile(folder / name, destination / name)
        return destination
    if destination.suffix != ".pt2":
        raise InputError(f"a program of torch.export ends in .pt2, found {destination.name}")
    _write_program(folder, manifest["inputs"], destination)
    return destination


def _write_program(folder: Path, inputs: list[dict[str, object]], destination: Path) -> None:
    import torch

    job = {
        "folder": str(folder.resolve()),
        "model": str((folder / "model.py").resolve()),
        "inputs": inputs,
        "destination": str(destination.absolute()),
        "path": [entry or "." for entry in sys.path],
        "threads": torch.get_num_threads(),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-B", "-c", _WRITE_PROGRAM, json.dumps(job)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CheckError(f"torch.export took longer than {TIME_LIMIT:g} s") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise CheckError(json.loads(last) if done.returncode == 4 else f"torch.export failed: {last}")
