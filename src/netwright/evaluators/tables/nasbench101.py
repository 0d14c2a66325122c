"""NAS-Bench-101: the official TFRecord files, and the cells of EC-NAS with their energy.

Accuracies are fractions; ``valid``, ``test`` and ``train`` are after the last epoch of a run of that length, and each
of the lengths has its own runs.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright import strict_json
from netwright.errors import InputError
from netwright.evaluators.tables.rows import Rows, options_of
from netwright.evaluators.tables.table import Table
from netwright.evaluators.tables.tfrecord import fields, records

ABOUT = {
    "source": "NAS-Bench-101 (Ying et al., ICML 2019), CIFAR-10",
    "licence": "Apache-2.0",
    "units": "accuracies as fractions, train_seconds of one run",
}
EC_ABOUT = {
    "source": "EC-NAS (Bakhtiarifard et al., ICASSP 2024): NAS-Bench-101's cells of few vertices after 4 epochs",
    "licence": "MIT",
    "units": "accuracies as fractions, seconds, kWh, grams of CO2 equivalent",
}
EC_COLUMNS = {
    "val_acc": "valid@4", "test_acc": "test@4", "train_acc": "train@4", "train_time_s": "train_seconds@4",
    "energy_kwh": "energy_kwh@4", "co2eq_g": "co2eq_g@4", "params": "params",
}  # fmt: skip
_FIELDS = {2: "train_seconds", 3: "train", 4: "valid", 5: "test"}


def of_ec_nas(arrays: Mapping[str, NDArray[Any]], name: str, path: Path) -> Table:
    """The table of EC-NAS's cells; its space has as many vertices as its largest cell."""
    from netwright.zoo import nasbench101

    missing = [key for key in ("hash", "n_vertices", "adjacency", "ops", *EC_COLUMNS) if key not in arrays]
    if missing:
        raise InputError(f"the table {path} is not EC-NAS's: it has no '{missing[0]}'")
    vertices = int(arrays["adjacency"].shape[1])
    names = {**dict(enumerate(nasbench101.OPERATIONS)), -1: nasbench101.INPUT, -2: nasbench101.OUTPUT}
    specs = [
        nasbench101.Spec(matrix[:count, :count].tolist(), [names[op] for op in ops[:count].tolist()])
        for count, matrix, ops in zip(arrays["n_vertices"].tolist(), arrays["adjacency"], arrays["ops"], strict=True)
    ]
    return _of_specs(
        name, specs, [text.decode() for text in arrays["hash"].tolist()], vertices,
        {column: arrays[key] for key, column in EC_COLUMNS.items()}, EC_ABOUT,
    )  # fmt: skip


def read_tfrecord(path: Path) -> Table:
    """The table of ``nasbench_full.tfrecord`` or ``nasbench_only108.tfrecord`` (some minutes for the whole)."""
    from netwright.zoo import nasbench101

    specs: dict[str, Any] = {}
    params: dict[str, int] = {}
    runs: dict[int, dict[str, list[dict[str, float]]]] = {}
    for data in records(path):
        try:
            cell, epochs, adjacency, operations, metrics = strict_json.loads(data, what="a record")
            count = len(operations.split(","))
            if cell not in specs:
                matrix = [[int(digit) for digit in adjacency[i * count : (i + 1) * count]] for i in range(count)]
                specs[cell] = nasbench101.Spec(matrix, operations.split(","))
            final, size = _final(base64.b64decode(metrics, validate=True))
        except (ValueError, TypeError, AttributeError, IndexError, binascii.Error) as error:
            raise InputError(f"{path} is not a file of NAS-Bench-101: {error}") from None
        params[cell] = size
        runs.setdefault(int(epochs), {}).setdefault(cell, []).append(final)
    if not specs:
        raise InputError(f"{path} holds no record")
    columns: dict[str, NDArray[Any]] = {}
    for epochs, by_cell in sorted(runs.items()):
        if len(by_cell) < len(specs):
            continue  # a metric that some cells lack could not be searched
        repeats = max(map(len, by_cell.values()))
        for metric in ("valid", "test", "train", "train_seconds"):
            columns[f"{metric}@{epochs}"] = np.array(
                [
                    [run[metric] for run in by_cell[cell]] + [np.nan] * (repeats - len(by_cell[cell]))
                    for cell in specs
                ]
            )
    columns["params"] = np.array([params[cell] for cell in specs])
    return _of_specs(
        "nasbench101", list(specs.values()), list(specs), nasbench101.MAX_VERTICES, columns, ABOUT
    )


def _final(message: bytes) -> tuple[dict[str, float], int]:
    """The metrics after the last epoch, and the parameters, of a message ``ModelMetrics``."""
    evaluations = []
    params = 0
    for number, value in fields(message):
        if number == 1:
            evaluations.append(value)
        elif number == 2:
            params = int(value)
    # At the start, half-way and at the end.
    if len(evaluations) < 3:
        raise ValueError(f"a run has {len(evaluations)} evaluations, expected 3")
    final = {_FIELDS[number]: float(value) for number, value in fields(evaluations[2]) if number in _FIELDS}
    missing = [name for name in _FIELDS.values() if name not in final]
    if missing:
        raise ValueError(f"a run has no {missing[0]}")
    return final, params


def _of_specs(
    name: str,
    specs: list[Any],
    hashes: list[str],
    vertices: int,
    columns: Mapping[str, NDArray[Any]],
    about: Mapping[str, str],
) -> Table:
    from netwright.zoo import nasbench101

    space = nasbench101.space(vertices=vertices)
    options = options_of(space.decisions)
    places = {key: {option: place for place, option in enumerate(values)} for key, values in options.items()}
    choices = np.array(
        [[places[key][answer] for key, answer in spec.answers(vertices).items()] for spec in specs], dtype=np.int8
    )
    wrong = next((i for i in range(min(len(specs), 100)) if specs[i].hash != hashes[i]), None)
    if wrong is not None:
        raise InputError(f"cell {wrong} has the hash {specs[wrong].hash}, the file says {hashes[wrong]}")
    return Table(
        name,
        space,
        choices,
        columns,
        key=nasbench101.hash_of,
        keys=hashes,
        about=about,
        rows=Rows(options, choices),
    )
