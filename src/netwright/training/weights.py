"""Weights in files: written whole or not at all, and checked when they are read.

Beside ``weights.safetensors`` lie ``weights.safetensors.previous``, the copy before this one, and
``weights.safetensors.json``, the manifest with size and SHA-256 of both. The manifest is written last. Whatever the
moment at which a writer dies, a reader finds the new copy or the old one, and no mixture.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as deserialize
from safetensors.torch import save as serialize
from torch import Tensor

from netwright import strict_json
from netwright.errors import InputError, StoreError
from netwright.failpoints import failpoint


@dataclass(frozen=True, eq=False)
class Loaded(Mapping[str, Tensor]):
    """Weights that were verified, by name: ``network.load_state_dict(loaded)`` takes them.

    ``problem`` says why they are those of the previous copy; it is None where they are not.
    """

    state: Mapping[str, Tensor] = field(repr=False)
    sha256: str
    problem: str | None = None

    @property
    def previous(self) -> bool:
        """Whether the previous copy had to serve."""
        return self.problem is not None

    def __getitem__(self, name: str) -> Tensor:
        return self.state[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.state)

    def __len__(self) -> int:
        return len(self.state)


def save_weights(path: str | os.PathLike[str], state: Mapping[str, Tensor]) -> str:
    """Writes ``state`` to ``path`` and answers with its SHA-256; durable when it returns.

    The bytes go to a temporary file in the same folder, which is synced and then renamed over ``path``.
    """
    path = Path(path)
    content = serialize(_plain(state))
    digest = hashlib.sha256(content).hexdigest()
    with _temporary(path) as temporary:
        _write(temporary, content)
        failpoint("checkpoint_written")
        before = _keep_previous(path)
        os.replace(temporary, path)
    failpoint("checkpoint_renamed")
    _sync(path.parent)
    failpoint("checkpoint_synced")
    manifest = {"version": 1, "sha256": digest, "size": len(content), "previous": before}
    with _temporary(_manifest(path)) as temporary:
        _write(temporary, strict_json.dumps(manifest).encode())
        os.replace(temporary, _manifest(path))
    _sync(path.parent)
    return digest


def load_weights(path: str | os.PathLike[str], sha256: str | None = None) -> Loaded:
    """The weights of ``path``, verified by ``sha256`` (what :func:`save_weights` said) or else by the manifest.

    A file that is damaged, cut off or another's is never returned: the previous copy serves where it is sound, and
    ``problem`` says so. Raises StoreError where no copy is sound, or where the manifest belongs to another file.
    """
    path = Path(path)
    manifest, trouble = _read_manifest(path)
    known = [manifest["sha256"], (manifest["previous"] or {}).get("sha256")] if manifest else []
    if manifest and sha256 is not None and sha256 not in known:
        raise StoreError(
            f"{path} is not the file that was asked for: its manifest knows SHA-256 {str(known[0])[:12]}…, "
            f"expected {sha256[:12]}…",
            hint="The files of two trials may have been swapped",
        )
    expected = sha256 if sha256 is not None else (known[0] if known else None)
    if expected is None:
        raise StoreError(f"{path} cannot be verified: {trouble}")
    state, problem = _read(path, expected)
    if state is not None:
        return Loaded(state, expected)
    reserve = _previous(path)
    for digest in dict.fromkeys([expected, *known]):
        if digest is not None and (state := _read(reserve, digest)[0]) is not None:
            return Loaded(state, digest, f"{path.name} {problem}: the previous copy was read")
    raise StoreError(
        f"{path} {problem}, and no sound previous copy is there", hint="Train again: these weights are lost"
    )


def remove_weights(path: str | os.PathLike[str]) -> None:
    """Removes the weights, their previous copy and their manifest, where they are there; the manifest first."""
    path = Path(path)
    for file in (_manifest(path), path, _previous(path), *path.parent.glob(f".{path.name}.*.tmp")):
        file.unlink(missing_ok=True)


def _previous(path: Path) -> Path:
    return path.with_name(path.name + ".previous")


def _manifest(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous tensors on the CPU, none sharing memory with another: safetensors refuses anything else."""
    plain: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in state.items():
        if not isinstance(tensor, Tensor):
            raise InputError(f"a state to be saved maps names to tensors, found {type(tensor).__name__} for '{name}'")
        tensor = tensor.detach().cpu().contiguous()
        storage = tensor.untyped_storage().data_ptr()
        plain[name] = tensor.clone() if storage in seen else tensor
        seen.add(storage)
    return plain


def _keep_previous(path: Path) -> dict[str, Any] | None:
    """Makes the present copy, if it is sound, the previous one; what the manifest says of it."""
    manifest, _ = _read_manifest(path)
    if manifest is None:
        return None
    present = {"sha256": manifest["sha256"], "size": manifest["size"]}
    if not path.exists() or _digest(path) != present["sha256"]:
        kept: dict[str, Any] | None = manifest["previous"]
        if not _previous(path).exists():
            return None
        # A writer died between renaming and the manifest: the previous copy may be what the manifest calls present.
        return present if _digest(_previous(path)) == present["sha256"] else kept
    with _temporary(_previous(path)) as temporary:
        try:
            os.link(path, temporary)
        except OSError:
            shutil.copyfile(path, temporary)
            _write(temporary, temporary.read_bytes())
        os.replace(temporary, _previous(path))
    return present


def _read(path: Path, sha256: str) -> tuple[dict[str, Tensor] | None, str]:
    """The tensors, or None and what is wrong."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return None, f"cannot be read ({error.strerror})"
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        return None, f"is damaged ({len(content):,} bytes of SHA-256 {found[:12]}…, expected {sha256[:12]}…)"
    try:
        return deserialize(content), ""
    except SafetensorError as error:
        return None, f"is no safetensors file ({error})"


def _read_manifest(path: Path) -> tuple[dict[str, Any] | None, str]:
    try:
        manifest = strict_json.loads(_manifest(path).read_bytes(), what="the manifest")
    except OSError as error:
        return None, f"its manifest cannot be read ({error.strerror})"
    except InputError as error:
        return None, f"its manifest is damaged ({error})"
    sound = _sound(manifest) and manifest.get("version") == 1
    if not sound or not (manifest.get("previous") is None or _sound(manifest["previous"])):
        return None, "its manifest is not one of version 1"
    return {**manifest, "previous": manifest.get("previous")}, ""


def _sound(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("sha256"), str) and isinstance(entry.get("size"), int)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
