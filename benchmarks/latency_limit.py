"""Whether networks that were searched under a limit on latency keep it: measured again, in a process of its own.

    python benchmarks/latency_limit.py [DATA] [--seeds 2] [--share 0.3] [--time-limit 3m] [--jobs 2]

The limit X is a quantile (``--share``) of the latencies of 30 random networks of the default space. A search with
``--minimize latency_ms --constraint latency_ms=X`` follows. The chosen network, the knee and the fastest of its front
are then measured in a fresh process, five times with the median said, together with three of the random networks by
which the limit was set: where the machine is slower or faster than it was then, that is divided out, and printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from netwright import tasks, zoo
from netwright.architecture import Architecture
from netwright.costs import COSTS
from netwright.export import load_network
from netwright.tasks.picking import PICKS, take

RANDOM, ANCHORS, TIMES = 30, 3, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="digits")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--time-limit", default="3m")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.measure:
        print(json.dumps(measured(*options.measure)))
        return
    data = tasks.read(options.data).data
    space = zoo.SPACES["compact-images"].space(input_shape=data.input_shape, classes=data.outputs)
    rng = np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(RANDOM)]
    example = torch.zeros(1, *data.input_shape)
    latencies = [COSTS["latency_ms"](space.build(each), example) for each in drawn]
    limit = float(np.quantile(latencies, options.share))
    print(f"{RANDOM} random networks: {min(latencies):.3f} to {max(latencies):.3f} ms; the limit is {limit:.3f} ms")
    with tempfile.TemporaryDirectory() as scratch:
        anchors = Path(scratch) / "anchors.json"
        anchors.write_text(json.dumps([json.loads(each.to_json()) for each in drawn[:ANCHORS]]))
        for seed in range(options.seeds):
            folder = Path(scratch) / str(seed)
            outcome = tasks.search(
                options.data, minimize="latency_ms", constraints={"latency_ms": limit}, time_limit=options.time_limit,
                seed=seed, n_jobs=options.jobs, out=folder,
            )  # fmt: skip
            places = {str(take(folder, pick)): pick for pick in PICKS}
            said = subprocess.run(
                [sys.executable, __file__, options.data, "--measure", str(anchors), *places],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            known, found = json.loads(said.stdout)
            slower = statistics.median(now / then for now, then in zip(known, latencies[:ANCHORS], strict=True))
            shares = ", ".join(
                f"{pick} {ms:.3f} ms, {ms / slower / limit:.2f} of the limit"
                for pick, ms in zip(places.values(), found, strict=True)
            )
            print(
                f"seed {seed}: {outcome.trials} trials, accuracy {outcome.winner.score:.4f}; in a fresh process, on a "
                f"machine {slower:.2f} times as slow: {shares} (the search measured "
                f"{outcome.measured['latency_ms']:.3f} ms of the best)",
                flush=True,
            )


def measured(anchors: str, *folders: str) -> tuple[list[float], list[float]]:
    """The latencies of the anchors and of the packages in the folders."""
    data = tasks.read(sys.argv[1]).data
    space = zoo.SPACES["compact-images"].space(input_shape=data.input_shape, classes=data.outputs)
    example = torch.zeros(1, *data.input_shape)
    networks = [space.build(Architecture.from_value(each)) for each in json.loads(Path(anchors).read_text())]
    networks += [load_network(Path(folder)) for folder in folders]
    rounds = [[COSTS["latency_ms"](network, example) for network in networks] for _ in range(TIMES)]
    medians = [statistics.median(row) for row in zip(*rounds, strict=True)]
    return medians[:ANCHORS], medians[ANCHORS:]


if __name__ == "__main__":
    main()
