"""Accuracy and a real latency at once: the hypervolume that strategies reach on NAS-Bench-201 with equal trials.

    python benchmarks/several_objectives.py [--seeds 20] [--trials 100] [--devices pixel3,raspi4,…] [--jobs 2]

The accuracies are those of NAS-Bench-201 (CIFAR-10, validation, 200 epochs, mean of the seeds), the latencies those of
HELP (Lee et al. 2021) for its devices. Each objective is scaled to [0, 1] over the table, the reference is the worst of
each, and the volume is given as a share of that of the whole table's front. Strategies are paired by their seeds:
a one-sided Wilcoxon test asks whether each has more than ``random``, and than Optuna's NSGA-II.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from scipy.stats import wilcoxon

from netwright.bench import compare
from netwright.evaluators.tables import open_table

DATA = Path(__file__).parents[2] / "shared" / "data"
STRATEGIES = "random,optuna-nsga2,nsga2,gp,ehvi,auto"
DEVICES = "pixel3,raspi4,fpga,eyeriss,titan_rtx_1"
RIVALS = ("random", "optuna-nsga2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--devices", default=DEVICES)
    parser.add_argument("--strategies", default=STRATEGIES)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    strategies = options.strategies.split(",")
    for device in options.devices.split(","):
        with tempfile.TemporaryDirectory() as folder:
            table = joined(options.data, device, Path(folder) / "table.npz")
            runs = compare(
                str(table), strategies, seeds=options.seeds, queries=options.trials, maximize="accuracy",
                minimize="latency_ms", jobs=options.jobs, out=Path(folder) / "bench", report=False,
            ).runs  # fmt: skip
        volumes = {name: np.asarray(runs[name].volumes)[:, -1] for name in strategies}
        print(f"\n{device}: {options.seeds} seeds, {options.trials} trials")
        for name, volume in volumes.items():
            tests = "  ".join(
                f"more than {rival}: p {wilcoxon(volume, volumes[rival], alternative='greater').pvalue:.2g}"
                for rival in RIVALS
                if rival in volumes and rival != name
            )
            print(f"  {name:24} {volume.mean():.4f} ± {volume.std(ddof=1):.4f}  {tests}", flush=True)


def joined(data: Path, device: str, path: Path) -> Path:
    """The table with the latency of one device as a metric, as a file that anything can be compared on."""
    table = open_table(str(data / "nasbench201" / "nasbench201.npz"))
    with np.load(data / "help_latency" / "nasbench201_latency_ms.npz") as arrays:
        devices = [name.decode() for name in arrays["devices"]]
        latencies = arrays["latency_ms"]
        if device not in devices:
            raise SystemExit(f"no device {device!r}; there are {', '.join(devices)}")
        row = latencies[devices.index(device)]
    decisions = [decision.name for decision in table.space.decisions]
    np.savez(
        path,
        choices=table.choices,
        decisions=np.array(decisions),
        options=np.array([decision.options for decision in table.space.decisions]),
        accuracy=table.find("cifar10.valid", 200).mean,
        latency_ms=row,
    )
    return path


if __name__ == "__main__":
    main()
