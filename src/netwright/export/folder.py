"""The folder of a finished network: model.py, weights.safetensors, architecture.json, card.md and a manifest."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
import textwrap
from collections.abc import Mapping
from importlib.abc import ExecutionLoader
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from netwright import strict_json
from netwright.architecture import Architecture
from netwright.errors import CheckError, InputError
from netwright.export.checking import TOLERANCE, difference, state_of
from netwright.graphs import write_source

SCHEMA = 1
MANIFEST = "manifest.json"
MAX_ROWS = 64


def package(
    network: nn.Module,
    architecture: Architecture,
    example: torch.Tensor | tuple[torch.Tensor, ...],
    folder: Path | str,
    card: str,
    extra: Mapping[str, Any] | None = None,
    note: str = "",
) -> Path:
    """Writes the network into ``folder``: model.py, weights.safetensors, architecture.json, card.md, manifest.json.

    Before anything is written the source runs in a process that cannot import Netwright, and its outputs are compared
    with the network's on up to 64 rows of ``example``, which should be real data; a difference above 1e-5 is a
    :class:`CheckError`. The folder appears whole or not at all, and replaces one of an earlier package. ``extra`` is
    kept in the manifest: anything JSON that predictions need, such as the constants of a preprocessing.
    ``note`` is added to the docstring of model.py.
    """
    folder = Path(folder)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder} is no folder that a network can be written to")
    inputs = tuple(value.detach().cpu()[:MAX_ROWS] for value in (example if isinstance(example, tuple) else (example,)))
    source = _checked_source(network, inputs, note)
    files = {
        "model.py": source.encode(),
        "weights.safetensors": save(state_of(network), metadata={"format": "pt"}),
        "architecture.json": f"{architecture.to_json()}\n".encode(),
        "card.md": card.encode(),
    }
    manifest = {
        "schema": SCHEMA,
        "netwright": version("netwright"),
        "torch": torch.__version__,
        "inputs": [
            {"shape": list(value.shape[1:]), "dtype": str(value.dtype).removeprefix("torch.")} for value in inputs
        ],
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        },
        "extra": dict(extra or {}),
    }
    write_folder(folder, {**files, MANIFEST: f"{strict_json.dumps(manifest, indent=2)}\n".encode()})
    return folder


def read_manifest(folder: Path | str) -> dict[str, Any]:
    """The manifest of a package, after every file has been compared with its size and hash; else InputError."""
    folder = Path(folder)
    try:
        text = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise InputError(f"{folder} is no folder of an exported network: it has no readable {MANIFEST}") from error
    manifest = strict_json.loads(text, what=str(folder / MANIFEST))
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise InputError(f"{folder / MANIFEST} is no manifest of an exported network")
    if manifest.get("schema") != SCHEMA:
        raise InputError(
            f"{folder} was written in version {manifest.get('schema')!r} of this format, version {SCHEMA} is read"
        )
    for name, entry in manifest["files"].items():
        # A name is a name: nothing outside the folder is opened.
        if Path(name).name != name:
            raise InputError(f"{folder / MANIFEST} names a file outside its folder: {name!r}")
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise InputError(f"{folder / name} is missing", hint=_anew(folder)) from error
        if not isinstance(entry, dict) or hashlib.sha256(content).hexdigest() != entry.get("sha256"):
            raise InputError(f"{folder / name} is not as it was written", hint=_anew(folder))
    if not isinstance(manifest.get("inputs"), list) or not isinstance(manifest.get("extra"), dict):
        raise InputError(f"{folder / MANIFEST} is not as it was written", hint=_anew(folder))
    return manifest


def load_network(folder: Path | str, manifest: Mapping[str, Any] | None = None) -> nn.Module:
    """The network of a package by its own ``model.py``, in evaluation mode; its hash has shown that it is as written.

    Raises InputError for files that are not, and for weights that do not fit.
    """
    folder = Path(folder)
    manifest = read_manifest(folder) if manifest is None else manifest
    if not {"model.py", "weights.safetensors"} <= set(manifest["files"]):
        raise InputError(f"{folder} has no manifest of its model.py and weights", hint="Export the network again.")
    path = folder.resolve() / "model.py"
    specification = importlib.util.spec_from_file_location(
        "netwright_best", path, loader=_Text(path, path.read_text(encoding="utf-8"))
    )
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    network: nn.Module = module.Network()
    load_state(network, folder)
    return network.eval()


def load_state(network: nn.Module, folder: Path | str) -> None:
    """Puts the weights of a package into ``network``; InputError where they are damaged or of other shapes."""
    path = Path(folder) / "weights.safetensors"
    try:
        network.load_state_dict(load(path.read_bytes()))
    except (OSError, SafetensorError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path} is no whole file of weights: {first}", hint=_anew(path.parent)) from None
    except RuntimeError as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise InputError(f"{path} does not fit the network: {first}", hint=_anew(path.parent)) from None


class _Text(ExecutionLoader):
    """Loads a module from a text at hand: no cached bytecode, which no hash covers, is read or written."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = path, text

    def get_filename(self, fullname: str) -> str:
        return str(self.path)

    def get_source(self, fullname: str) -> str:
        return self.text


def _anew(folder: Path) -> str:
    """How a damaged package is replaced: that of a search by the search itself, which still has the weights."""
    study = folder.parent
    if folder.name == "best" and (study / "study.db").exists():
        return f"Write it anew: netwright resume {study}"
    return "Bring back the folder as it was written"


def _checked_source(network: nn.Module, inputs: tuple[torch.Tensor, ...], note: str) -> str:
    """The first source that answers as the network does: that of torch.fx, or else that of torch.export."""
    problems: list[str] = []
    refusals: list[CheckError] = []
    methods: tuple[Literal["fx", "export"], ...] = ("fx", "export")
    for method in methods:
        try:
            source = _with_note(write_source(network, inputs, method=method), note)
        except CheckError as error:
            refusals.append(error)
            continue
        try:
            worst = difference(source, network, inputs)
        except CheckError as error:
            problems.append(error.message)
            continue
        if worst <= TOLERANCE:
            return source
        problems.append(f"by torch.{method} its outputs differ by {worst:.3g}, at most {TOLERANCE:g} is allowed")
    if not problems:
        # That of torch.fx knows the line best, and begins with it.
        raise refusals[0]
    problems += [error.message for error in refusals]
    raise CheckError(
        f"the source of {type(network).__name__} does not equal the network: {'; '.join(problems)}",
        hint="Replace conditions on the values of tensors by operations on tensors, such as torch.where.",
    )


def _with_note(source: str, note: str) -> str:
    """``source`` with a paragraph more at the end of its docstring; whatever the text holds, it stays text."""
    if not note.strip():
        return source
    harmless = note.replace("\\", "/").replace('"', "'")
    return source.replace('\n"""\n', f'\n\n{textwrap.fill(harmless, 110)}\n"""\n', 1)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """All files, the manifest last, in a new folder that takes the name of the old one when it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    old = folder.with_name(f".{folder.name}-replaced")
    try:
        # Made by mkdtemp for its owner alone, but a package is an ordinary folder.
        new.chmod(0o777 & ~_umask())
        for name, content in files.items():
            with (new / name).open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _sync(new)
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        new.rename(folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if not folder.exists() and old.exists():
            old.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
