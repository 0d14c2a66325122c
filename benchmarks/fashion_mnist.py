"""Fashion-MNIST: the first 10,000 training images, the whole test set, ten minutes on two cores.

    python benchmarks/fashion_mnist.py [--seeds 2] [--time-limit 10m] [--jobs 2] [--rows 10000] [--params 200000]

Aims: test accuracy at least 0.900, and no worse than the pinned baseline trained for the same epochs within the
interval at no more than half of its MACs, or better at no more. With ``--params`` the network may have as many
parameters, and any number of MACs: then at least 0.912 with 200,000. The images are those of Debian's package
``dataset-fashion-mnist``, or of ``$NETWRIGHT_DATA/fashion-mnist``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from digits import report
from netwright.tasks import read


def main(seeds: int, time_limit: str, jobs: int, rows: int, params: int | None) -> None:
    """Writes the part of the data into a file and searches it like any user's."""
    loaded = read("fashion-mnist")
    assert loaded.raw_test is not None
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / f"fashion-{rows}.npz"
        np.savez(file, X=loaded.raw.X[:rows], y=loaded.raw.y[:rows], X_test=loaded.raw_test.X, y_test=loaded.raw_test.y)
        asked = [] if params is None else ["--constraint", f"params={params}"]
        report(str(file), seeds, time_limit, jobs, asked)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--time-limit", default="10m")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--params", type=int)
    options = parser.parse_args()
    main(options.seeds, options.time_limit, options.jobs, options.rows, options.params)
