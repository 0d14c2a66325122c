"""NAS-Bench-Graph: the condensed file of the light benchmark; accuracies as fractions, latencies in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import InputError
from netwright.evaluators.tables.rows import Rows, options_of
from netwright.evaluators.tables.table import Table

DATASETS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")
ABOUT = {
    "source": "NAS-Bench-Graph (Qin et al., NeurIPS 2022 datasets and benchmarks)",
    "licence": "Apache-2.0",
    "units": "accuracies as fractions (ROC-AUC on proteins), latency in milliseconds",
}


def of_condensed(arrays: Mapping[str, NDArray[Any]], name: str, path: Path) -> Table:
    """The table of the condensed file; of proteins, which has five of the nine operations, where it is that one.

    Several trees are one network; a row is found by what the network computes.
    """
    from netwright.zoo import nasbench_graph

    datasets = [dataset for dataset in DATASETS if f"{dataset}_perf" in arrays]
    if "hash" not in arrays or not datasets:
        raise InputError(f"the table {path} is not NAS-Bench-Graph's: it has no 'hash' or no data set")
    operations: tuple[str, ...] = nasbench_graph.OPERATIONS
    digits = arrays["hash"].astype(np.int64)
    if (digits < 0).any() or (digits >= 90_000).any():
        raise InputError(f"the table {path} has hashes that are none of NAS-Bench-Graph's")
    if datasets == ["proteins"]:
        operations = tuple(op for op in operations if op in nasbench_graph.PROTEIN_OPERATIONS)
    space = nasbench_graph.space(operations)
    options = options_of(space.decisions)
    places = {key: {option: place for place, option in enumerate(values)} for key, values in options.items()}
    choices = []
    for number in digits.tolist():
        link = nasbench_graph.LINKS[number // 10_000]
        ops = [nasbench_graph.OPERATIONS[number // 10**power % 10] for power in (3, 2, 1, 0)]
        one = nasbench_graph.architecture_of(link, ops)
        try:
            choices.append([places[key][one[key]] for key in options])
        except KeyError:
            raise InputError(f"the table {path} has the hash {number}, which is no architecture of its space") from None
    columns: dict[str, NDArray[Any]] = {}
    for dataset in datasets:
        for key, column in (("valid_perf", "valid"), ("perf", "test")):
            columns[f"{dataset}.{column}"] = arrays[f"{dataset}_{key}"]
        if f"{dataset}_latency" in arrays:
            columns[f"{dataset}.latency_ms"] = arrays[f"{dataset}_latency"].astype(np.float64) * 1000
        if f"{dataset}_para" in arrays:
            columns[f"{dataset}.params"] = np.rint(arrays[f"{dataset}_para"].astype(np.float64) * 1e6)
    held = np.array(choices)
    return Table(
        name, space, held, columns, key=nasbench_graph.function_of, about=ABOUT, rows=Rows(options, held)
    )
