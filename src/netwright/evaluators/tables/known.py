"""The tables known by name, where their files are looked for, and how each is read."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright import strict_json
from netwright.errors import InputError, nearest, sentence
from netwright.evaluators.tables.own import read_json, read_npz, table_of_arrays
from netwright.evaluators.tables.table import Curves, Table

FOLDER = "NETWRIGHT_TABLES"
"""The environment variable that names the folder of tables; without it, ``tables`` here."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
EMBEDDED = "digits-cells"
"""The table that comes with the package."""


@dataclass(frozen=True)
class Known:
    """A table by name: its condensed files, the folder that they may stand in, and how a user gets the numbers."""

    name: str
    summary: str
    file_names: tuple[str, ...]
    get: str
    folder: str = ""
    read: Callable[[Mapping[str, NDArray[np.generic]], str, Path], Table] | None = field(default=None, repr=False)


def open_table(name: str | os.PathLike[str]) -> Table:
    """A table by its name (:data:`TABLES`, or a file in the folder of tables), or by the path of its file.

    InputError where there is none: it says where it was looked for and how to get it.
    """
    path = Path(name)
    if (
        isinstance(name, os.PathLike)
        or len(path.parts) > 1
        or os.sep in str(name)
        or (path.suffix and str(name) not in TABLES)
    ):
        if not path.exists():
            raise InputError(f"there is no table file {path}", hint="netwright tables show lists those that are there")
        return read_table(path)
    text = str(name)
    found = find_table(text)
    if found is not None:
        return read_table(found, text)
    known = TABLES.get(text)
    if known is None:
        names = [*TABLES, *imported_names()]
        raise InputError(f"no table is called '{text}'", hint=sentence(nearest(text, names)))
    # Folders alone, and few: a line has little room beside the hint.
    looked = [str(place) for place in places(known) if place.name != (known.folder or known.name)][:3]
    raise InputError(
        f"no {' or '.join(known.file_names)} in {', '.join(looked)}",
        hint=known.get,
    )


def read_table(path: Path, name: str | None = None) -> Table:
    """The table in a file (or folder) of any known format; its name is the file's where it has none of its own."""
    from netwright.evaluators.tables.nats import is_nats, read_nats

    if is_nats(path):
        return read_nats(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder, and none of NATS-Bench's", hint="Name a file in it")
    if path.suffix == ".tfrecord":
        from netwright.evaluators.tables.nasbench101 import read_tfrecord

        return read_tfrecord(path)
    if _is_json(path):
        return _of_json(path, name)
    arrays = read_npz(path)
    for known in TABLES.values():
        if path.name in known.file_names and known.read is not None and "choices" not in arrays:
            return known.read(arrays, known.name if name is None else name, path)
    if "choices" not in arrays:
        for marker, known_name in _MARKERS.items():
            read = TABLES[known_name].read
            if marker in arrays and read is not None:
                return read(arrays, known_name if name is None else name, path)
    return table_of_arrays(arrays, name or path.stem, str(path))


def find_table(name: str) -> Path | None:
    """The file of a table by name, in the first of the places that has it."""
    known = TABLES.get(name) or Known(name, "", (), "")
    for place in places(known) if name in TABLES else folders():
        for file in (f"{name}.npz", *known.file_names):
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
    around = [*folders(), Path("data"), Path("..", "shared", "data")]
    return [place for folder in around for place in (folder, folder / (known.folder or known.name))]


def imported_names() -> list[str]:
    """The names of the tables in the folders of imported tables."""
    return sorted({file.stem for folder in folders() if folder.is_dir() for file in folder.glob("*.npz")})


def import_table(path: Path, *, name: str | None = None, out: Path | None = None) -> tuple[Table, Path]:
    """Reads a table of any known format and writes it condensed; answers with both.

    It is written to ``out``, or as ``NAME.npz`` into the folder of tables, where :func:`open_table` finds it.
    InputError where a file is there already.
    """
    if not path.exists():
        raise InputError(f"there is no table file {path}")
    if out is not None:
        _refuse_existing(out)
    table = read_table(path)
    if name is not None:
        if not _NAME.fullmatch(name):
            raise InputError(
                f"{name!r:.60} cannot be the name of a table",
                hint="Use letters, digits, hyphens, dots and underscores, as in my-table",
            )
        table = table.named(name)
    if out is None:
        out = folders()[0] / f"{table.name}.npz"
        _refuse_existing(out)
    return table, table.save(out)


# Below: helpers in the order of use


def _refuse_existing(out: Path) -> None:
    # Not Path.exists, which raises in a folder that may not be entered.
    if os.path.lexists(out):
        raise InputError(f"there is a file {out} already", hint="Choose another --out or --name, or remove it")


def _is_json(path: Path) -> bool:
    """Whether it begins as JSON does, or is called so: then what is wrong with it is said in JSON's words."""
    try:
        with path.open("rb") as file:
            return file.read(64).lstrip()[:1] in (b"{", b"[") or path.suffix == ".json"
    except OSError as error:
        raise InputError(f"the table {path} cannot be read: {error.strerror}") from None


def _of_json(path: Path, name: str | None) -> Table:
    """NAS-Bench-Macro's JSON, or a table of one's own."""
    if b'"mean_acc"' in path.read_bytes()[:10_000]:
        from netwright.evaluators.tables.nasbench_macro import read_macro

        return read_macro(path, name or "nasbench-macro")
    return read_json(path, name or path.stem)


def _nasbench201(arrays: Mapping[str, NDArray[np.generic]], name: str, path: Path) -> Table:
    """The condensed file, with the latencies and the curves that stand beside it."""
    from netwright.evaluators.tables import nasbench201

    latencies: dict[str, NDArray[np.generic]] = {}
    for file in _beside(path, "nasbench201_latency_ms.npz", "help_latency"):
        latencies = nasbench201.of_latencies(read_npz(file), file)
    curves = next(iter(_beside(path, "nats_tss_3archs_full_curves.json.gz", path.parent.name)), None)
    return nasbench201.of_condensed(
        arrays, name, path, latencies, None if curves is None else lambda: _curves(arrays, curves)
    )


def _curves(arrays: Mapping[str, NDArray[np.generic]], path: Path) -> Curves:
    from netwright.evaluators.tables import nasbench201

    try:
        with gzip.open(path, "rb") as file:
            value = strict_json.loads(file.read(2**28), what=f"the curves {path}", max_bytes=2**28)
    except (OSError, EOFError) as error:
        raise InputError(f"the curves {path} are damaged: {error}") from None
    return nasbench201.curves_of(value, arrays, path)


def _beside(path: Path, name: str, folder: str) -> list[Path]:
    """The file of this name beside a table's, or in the folder beside its folder."""
    return [file for file in (path.parent / name, path.parent.parent / folder / name) if file.is_file()][:1]


def _nasbench101(arrays: Mapping[str, NDArray[np.generic]], name: str, path: Path) -> Table:
    from netwright.evaluators.tables.nasbench101 import of_ec_nas

    return of_ec_nas(arrays, name, path)


def _nasbench_graph(arrays: Mapping[str, NDArray[np.generic]], name: str, path: Path) -> Table:
    from netwright.evaluators.tables.nasbench_graph import of_condensed

    return of_condensed(arrays, name, path)


_IMPORT = "then: netwright tables import FILE"
_MARKERS = {
    "arch_str": "nasbench201",
    "n_vertices": "ec-nas",
    "link": "nasbench-graph",
    "proteins_perf": "nasbench-graph-proteins",
}

TABLES: Mapping[str, Known] = {
    known.name: known
    for known in (
        Known(
            "nasbench201",
            "cells of six edges on CIFAR-10, CIFAR-100 and ImageNet16-120: 15,625 architectures",
            ("nasbench201.npz",),
            "Get the folder NATS-tss-v1_0-3ffb9-simple or the file NAS-Bench-201-v1_1-096897.pth from its authors, "
            + _IMPORT,
            read=_nasbench201,
        ),
        Known(
            "nasbench101",
            "cells of seven vertices on CIFAR-10: 423,624 architectures, four lengths of training",
            ("nasbench101.npz",),
            f"Get nasbench_only108.tfrecord or nasbench_full.tfrecord from its authors, {_IMPORT}",
        ),
        Known(
            "ec-nas",
            "NAS-Bench-101's cells of at most five vertices after 4 epochs, with their energy: 2,532 architectures",
            ("ecnas_5V9E_4epochs.npz",),
            f"Get the condensed file ecnas_5V9E_4epochs.npz, {_IMPORT}",
            folder="ec_nas_bench",
            read=_nasbench101,
        ),
        Known(
            "nats-size",
            "the channels of five layers on CIFAR-10, CIFAR-100 and ImageNet16-120: 32,768 architectures",
            ("nats-size.npz",),
            f"Get the folder NATS-sss-v1_0-50262-simple from its authors, {_IMPORT}",
        ),
        Known(
            "nasbench-macro",
            "eight layers of three kinds on CIFAR-10: 6,561 architectures",
            ("nas-bench-macro_cifar10.json",),
            f"Get nas-bench-macro_cifar10.json from its authors, {_IMPORT}",
        ),
        Known(
            "nasbench-graph",
            "graph networks on eight graphs: 26,206 architectures",
            ("nas_bench_graph.npz",),
            "Get the condensed file nas_bench_graph.npz; its numbers are those of pip install nas-bench-graph",
            folder="nas_bench_graph",
            read=_nasbench_graph,
        ),
        Known(
            "nasbench-graph-proteins",
            "graph networks on the largest graph, with five operations: 2,021 architectures",
            ("nas_bench_graph_proteins.npz",),
            "Get the condensed file nas_bench_graph_proteins.npz; its numbers are those of pip install nas-bench-graph",
            folder="nas_bench_graph",
            read=_nasbench_graph,
        ),
        Known(
            EMBEDDED,
            "a table of this project's own, in the package: cells of NAS-Bench-201's kind trained on digits",
            ("digits_cells.npz",),
            "It comes with the package; make it again: netwright tables make",
        ),
    )
}
