"""NAS-Bench-201 and the topology space of NATS-Bench: the condensed file and the official ones.

Accuracies are in percent. ``valid`` on CIFAR-10 is of the run on half of the training images, ``test`` of the run on
all of them; on the other two both are of the same run, halves of the same held-out images. Seconds of training are
those of the runs behind ``valid``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import InputError
from netwright.evaluators.tables.runs import Run, table_of_runs
from netwright.evaluators.tables.table import Curves, Table

DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16_120": "imagenet16-120"}
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "cifar10": {"input_shape": (3, 32, 32), "classes": 10},
    "cifar100": {"input_shape": (3, 32, 32), "classes": 100},
    "imagenet16-120": {"input_shape": (3, 16, 16), "classes": 120},
}
SIZE = 15_625
ABOUT = {
    "source": "NAS-Bench-201 (Dong & Yang, ICLR 2020) and NATS-Bench (Dong et al., TPAMI 2021), topology space",
    "licence": "MIT",
    "units": "accuracies in percent, train_seconds of the run behind the validation accuracy",
}
TIMES = {
    metric: f"{dataset}.train_seconds"
    for dataset in DATASETS.values()
    for metric in (f"{dataset}.valid", *((f"{dataset}.test", f"{dataset}.valtest") if dataset != "cifar10" else ()))
}


def of_condensed(
    arrays: Mapping[str, NDArray[Any]],
    name: str,
    path: Path,
    latencies: Mapping[str, NDArray[Any]] | None = None,
    curves: Callable[[], Curves] | None = None,
) -> Table:
    """The table of the condensed file: one row for each architecture, in the benchmark's own order."""
    from netwright.zoo.nasbench201 import space

    need = ["ops", *(f"{key}_{split}_acc_{epochs}" for key in DATASETS for split in ("val", "test")
                     for epochs in (12, 200))]  # fmt: skip
    missing = [key for key in need if key not in arrays]
    if missing:
        raise InputError(f"the table {path} is not NAS-Bench-201's condensed file: it has no '{missing[0]}'")
    columns: dict[str, NDArray[Any]] = {}
    for key, dataset in DATASETS.items():
        for split, word in (("val", "valid"), ("test", "test")):
            for epochs in (12, 200):
                array = arrays[f"{key}_{split}_acc_{epochs}"]
                # The short runs have one seed, but for the mean of two on CIFAR-10's validation.
                one = epochs == 12 and (dataset, word) != ("cifar10", "valid")
                columns[f"{dataset}.{word}@{epochs}"] = array[:, None] if one else array
        for split, word in (("val", "valid"), ("valtest", "valtest")):
            if f"{key}_{split}_acc_200_seeds" in arrays:
                columns[f"{dataset}.{word}@200"] = arrays[f"{key}_{split}_acc_200_seeds"]
        if f"{key}_train_time_200" in arrays:
            seconds = arrays[f"{key}_train_time_200"].astype(np.float64)
            columns[f"{dataset}.train_seconds@12"] = seconds * 12 / 200
            columns[f"{dataset}.train_seconds@200"] = seconds
        for cost, word in (("params", "params"), ("flops", "macs")):
            if f"{key}_{cost}" in arrays:
                columns[f"{dataset}.{word}"] = arrays[f"{key}_{cost}"]
    columns.update(latencies or {})
    times = {metric: time for metric, time in TIMES.items() if f"{time}@200" in columns}
    return Table(
        name,
        space(**ARGUMENTS["cifar10"]),
        arrays["ops"],
        columns,
        times={metric: time for metric, time in times.items() if f"{metric}@200" in columns},
        about=ABOUT,
        curves=curves,
    )


def of_latencies(arrays: Mapping[str, NDArray[Any]], path: Path) -> dict[str, NDArray[Any]]:
    """The columns ``latency_ms.<device>`` of the file of latencies, in the benchmark's order."""
    if not {"devices", "latency_ms"} <= set(arrays) or arrays["latency_ms"].shape[1:] != (SIZE,):
        raise InputError(f"{path} does not hold the latencies of NAS-Bench-201")
    devices = [word.decode() if isinstance(word, bytes) else str(word) for word in arrays["devices"].tolist()]
    return {f"latency_ms.{device}": row for device, row in zip(devices, arrays["latency_ms"], strict=True)}


def curves_of(value: Any, arrays: Mapping[str, NDArray[Any]], path: Path) -> Curves:
    """The curves in the JSON of some architectures, by the rows of the condensed file."""
    from netwright.zoo.nasbench201 import from_string, space

    rows = {text.decode(): row for row, text in enumerate(arrays["arch_str"].tolist())}
    runs = of_curves(value, path)
    texts = list(dict.fromkeys(run.text for run in runs))
    unknown = next((text for text in texts if text not in rows), None)
    if unknown is not None:
        raise InputError(f"{path} has curves of {unknown!r:.100}, which the table lacks")
    few = table_of_runs("curves", space(**ARGUMENTS["cifar10"]), runs, from_string, texts, {})
    return {
        name: {rows[texts[row]]: numbers for row, numbers in by_row.items()} for name, by_row in few.curves.items()
    }


def of_curves(value: Any, path: Path) -> list[Run]:
    """The runs in the JSON of full curves: a list of architectures, each with its runs."""
    runs = []
    try:
        for entry in value:
            for one in entry["runs"]:
                numbers = {"train": one["train_acc"], "train-loss": one["train_loss"]}
                for split, found in one["eval"].items():
                    numbers[split] = found["acc"]
                runs.append(
                    Run(
                        entry["arch_str"],
                        int(one["hp"]),
                        one["dataset"],
                        int(one["seed"]),
                        numbers,
                        sum(one["train_time_s"]),
                        one["params_M"] * 1e6,
                        one["flops_M"] * 1e6,
                    )
                )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} does not hold the curves of NATS-Bench: {type(error).__name__}: {error}") from None
    return runs
