"""The tables known by name, where their files are looked for, and how each is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from netwright.errors import InputError, nearest
from netwright.evaluators.tables.own import read_npz, read_own, table_of_arrays
from netwright.evaluators.tables.table import Table

FOLDER = "NETWRIGHT_TABLES"
"""The environment variable that names the folder of tables; without it, ``tables`` here."""

EMBEDDED = "digits-cells"
"""The table that comes with the package."""


@dataclass(frozen=True)
class Known:
    """A table by name: the condensed file that is looked for, and how an ordinary user gets the numbers."""

    name: str
    summary: str
    files: tuple[str, ...]
    get: str
    read: Callable[[Path], Table] = field(repr=False)


def open_table(name: str | os.PathLike[str]) -> Table:
    """A table by its name (:data:`TABLES`, or a file in the folder of tables), or by the path of its file.

    InputError where there is none: it says where it was looked for and how to get it.
    """
    path = Path(name)
    if path.suffix or len(path.parts) > 1 or isinstance(name, os.PathLike):
        if not path.exists():
            raise InputError(f"there is no table file {path}", hint="netwright tables show lists those that are there")
        return read_table(path)
    text = str(name)
    imported = next((folder / f"{text}.npz" for folder in folders() if (folder / f"{text}.npz").is_file()), None)
    known = TABLES.get(text)
    if known is None:
        if imported is None:
            known_names = [*TABLES, *imported_names()]
            raise InputError(f"no table is called '{text}'", hint=_sentence(nearest(text, known_names)))
        return read_own(imported)
    found = find_file(known)
    if found is None:
        looked = ", ".join(str(place) for place in places(known))
        raise InputError(
            f"the file of the table '{text}' is not there (looked for {', '.join(known.files) or text + '.npz'} in "
            f"{looked})",
            hint=known.get,
        )
    return known.read(found)


def read_table(path: Path) -> Table:
    """The table in a file of any format that is known."""
    for known in TABLES.values():
        if path.name in known.files:
            return known.read(path)
    return read_own(path)


def find_file(known: Known) -> Path | None:
    """The file of a table, in the first of the places that has it."""
    for place in places(known):
        for file in (f"{known.name}.npz", *known.files):
            if (place / file).is_file():
                return place / file
    return None


def folders() -> list[Path]:
    """The folders of imported tables, the one to write to first."""
    given = os.environ.get(FOLDER)
    return ([Path(given)] if given else []) + [Path("tables")]


def places(known: Known) -> list[Path]:
    """Where the file of a table is looked for, in order."""
    if known.name == EMBEDDED:
        return [*folders(), Path(str(files("netwright.evaluators.tables")))]
    subfolder = _SUBFOLDERS.get(known.name, known.name)
    found: list[Path] = []
    for folder in (*folders(), Path("data"), Path("..", "shared", "data")):
        found += [folder, folder / subfolder]
    return found


def imported_names() -> list[str]:
    """The names of the tables in the folders of imported tables."""
    return sorted({file.stem for folder in folders() if folder.is_dir() for file in folder.glob("*.npz")})


def _sentence(clause: str) -> str:
    return clause[:1].upper() + clause[1:]


def _digits_cells(path: Path) -> Table:
    return table_of_arrays(read_npz(path), "digits-cells", path.name)


def _nasbench201(path: Path) -> Table:
    from netwright.evaluators.tables import nasbench201

    arrays = read_npz(path)
    if "choices" in arrays:
        return table_of_arrays(arrays, "nasbench201", str(path))
    return nasbench201.of_condensed(arrays, "nasbench201", path)


_SUBFOLDERS: Mapping[str, str] = {}

TABLES: Mapping[str, Known] = {
    known.name: known
    for known in (
        Known(
            "nasbench201",
            "cells of six edges on CIFAR-10, CIFAR-100 and ImageNet16-120; 15,625 architectures",
            ("nasbench201.npz",),
            "Get NATS-tss-v1_0-3ffb9-simple or NAS-Bench-201-v1_1-096897.pth as its authors say, then: "
            "netwright tables import FILE",
            _nasbench201,
        ),
        Known(
            "digits-cells",
            "a table of this project's own, in the package: cells of NAS-Bench-201's kind trained on digits",
            ("digits_cells.npz",),
            "It comes with the package; make it again: netwright tables make digits-cells",
            _digits_cells,
        ),
    )
}
