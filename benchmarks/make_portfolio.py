"""Makes src/netwright/zoo/portfolio.json: known-good starts for the space of tables, from searches on many data sets.

    python benchmarks/make_portfolio.py [--sets iris,wine,…] [--trials 24] [--epochs 10] [--candidates 3] [--most 4]

Searches each set, trains the best of each search on all of them, and takes a few that complement each other (see
``netwright.zoo.portfolio``). What other spaces have in the file stays. The data sets are those of
``benchmarks/transfer.py``, which says what the starts save on sets that they were not made with.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from netwright.tasks.kinds import KINDS
from netwright.zoo.portfolio import SCHEMA, greedy, read_portfolio
from transfer import SETS, best_of, matrix, tasks_of

FILE = Path(__file__).parents[1] / "src" / "netwright" / "zoo" / "portfolio.json"


def main(names: Sequence[str], trials: int, epochs: int, count: int, most: int, seed: int) -> None:
    """Searches, and writes the file."""
    tasks = list(tasks_of(names, epochs))
    candidates = []
    for task in tasks:
        found = task.search(trials, seed)
        candidates += best_of(found, count)
        print(f"{task.name}: {max(score for _, score in found):.4f} after {len(found)} trials", flush=True)
    candidates = list(dict.fromkeys(candidates))
    scores = matrix(tasks, candidates, seed)
    taken = greedy(scores, most)
    spaces = dict(read_portfolio()["spaces"])
    spaces[str(KINDS["tables"].space)] = {
        "starts": [json.loads(candidates[place].to_json()) for place in taken],
        "data": {task.name: task.fingerprint for task in tasks},
        "scores": {
            task.name: [round(float(row[place]), 5) for place in taken] for task, row in zip(tasks, scores, strict=True)
        },
        "metric": "validation loss, with its sign turned",
        "architectures": len(candidates),
        "trials": trials,
        "epochs": epochs,
        "seeds": [seed],
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "command": "python " + " ".join(["benchmarks/make_portfolio.py", *sys.argv[1:]]),
    }
    FILE.write_text(json.dumps({"schema": SCHEMA, "spaces": spaces}, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for place in taken:
        print(candidates[place])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--candidates", type=int, default=3)
    parser.add_argument("--most", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    main(options.sets.split(","), options.trials, options.epochs, options.candidates, options.most, options.seed)
