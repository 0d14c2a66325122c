"""Writing a comparison into its folder: results.json, pictures, the page."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from netwright import strict_json
from netwright.bench import drawing
from netwright.bench.comparison import Comparison
from netwright.bench.page import page
from netwright.errors import MissingExtra, ResourceError


def write(comparison: Comparison, folder: Path) -> None:
    """Writes everything; ``comparison.written`` then names the files, and ``comparison.missing`` says why there are no
    pictures, where there are none.

    The rows come first: results.json is there before anything is drawn. Each file is whole or not there.

    Raises ResourceError for a file that cannot be written: the folder is read-only, the disk full, a folder stands in
    its place. The runs are not touched.
    """
    _put(folder / "results.json", (strict_json.dumps(comparison.to_value(), indent=1) + "\n").encode())
    pictures: dict[str, bytes] = {}
    try:
        pictures["regret"] = drawing.regret(comparison)
        ranks = drawing.critical_difference(comparison)
        if ranks is not None:
            pictures["critical_difference"] = ranks
        pictures["landscape"] = drawing.spread(comparison.landscape)
    except MissingExtra as missing:
        comparison.missing = missing
    for name, picture in pictures.items():
        _put(folder / f"{name}.png", picture)
    note = None if comparison.missing is None else f"There are no pictures: {comparison.missing}"
    _put(folder / "report.html", page(comparison, pictures, note).encode())
    comparison.written = ("report.html", "results.json", *(f"{name}.png" for name in pictures))


def _put(path: Path, data: bytes) -> None:
    try:
        _replace(path, data)
    except OSError as error:
        raise ResourceError(
            f"cannot write {path}: {error.strerror or error}",
            hint="The runs are kept: mend it, and the same again with this folder as --out writes the rest",
        ) from error


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
