"""Makes src/netwright/zoo/portfolio.json: known-good starts for spaces of several kinds, from searches on many sets.

    python benchmarks/make_portfolio.py --out FOLDER [--kinds tables,text,series,images] [--data FOLDER]
        [--sets iris,wine,…] [--trials 24] [--epochs 10] [--rows 2000] [--candidates 3] [--most 4] [--seed 0] [--file F]

Searches each set, trains the best of each search on all sets of its kind, and takes a few that complement each other
(``netwright.zoo.portfolio``). With ``--pool N`` the candidates are N random architectures instead, and are judged by
the rows that neither training nor validation saw.

Each search is a study in FOLDER, and each score is kept there: ended at any moment, the same command goes on. What
other spaces have in the file stays.

Printed, and kept with the starts: on each set what the starts are worth that were chosen without it, beside the best
of those chosen by hand, from 0 (the worst of the candidates) to 1 (the best). ``transfer.py`` says what they save.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import netwright as nw
from netwright.zoo.portfolio import SCHEMA, greedy, left_out, read_portfolio
from transfer_sets import Task, arguments, best_of, chosen, matrix

FILE = Path(__file__).parents[1] / "src" / "netwright" / "zoo" / "portfolio.json"


def made(tasks: list[Task], options: argparse.Namespace) -> dict[str, Any]:
    """The starts for the space of these sets, with where they come from."""
    candidates: list[Mapping[str, Any]] = []
    owners: list[int] = []
    metric = "judged_loss" if options.pool else "val_loss"
    if options.pool:
        rng = np.random.default_rng(options.seed)
        candidates = [tasks[0].space.sample(rng) for _ in range(options.pool)]
        owners = [-1] * options.pool
    for place, task in enumerate(tasks if not options.pool else ()):
        store = options.out / f"{task.kind}-{task.name}-{options.trials}-{options.epochs}-{options.rows}-{options.seed}"
        found = task.search(options.trials, options.seed, store=store)
        best = best_of(found, options.candidates)
        candidates += best
        owners += [place] * len(best)
        print(f"{task.name}: {max(score for _, score in found):.4f} after {len(found)} trials", flush=True)
    known = {json.dumps(dict(start), sort_keys=True): start for task in tasks for start in task.by_hand}
    by_hand = list(known.values())
    every = matrix(tasks, [*candidates, *by_hand], metric)
    scores, rivals = every[:, : len(candidates)], every[:, len(candidates) :]
    taken = greedy(scores, options.most)
    low, high = scores.min(1), scores.max(1)
    span = np.where(high > low, high - low, 1.0)
    apart = left_out(scores, owners, options.most) if len(tasks) > 1 else np.full(len(tasks), np.nan)
    sets = {}
    for place, task in enumerate(tasks):
        hand = float(rivals[place].max()) if len(by_hand) else None
        sets[task.name] = {
            "rows": len(task.train.data),
            "scores": [round(float(scores[place, each]), 5) for each in taken],
            "by_hand": None if hand is None else round(hand, 5),
            "left_out": None if np.isnan(apart[place]) else round(float(apart[place]), 3),
            "by_hand_there": None if hand is None else round((hand - float(low[place])) / float(span[place]), 3),
        }
    return {
        "starts": [dict(sorted(candidates[place].items())) for place in taken],
        "data": sets,
        "metric": f"{'loss on rows that no trial saw' if options.pool else 'validation loss'}, with its sign turned",
        "architectures": len(candidates),
        "trials": options.pool or options.trials,
        "epochs": options.epochs,
        "seeds": [options.seed],
        "version": nw.__version__,
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "command": "python " + " ".join(["benchmarks/make_portfolio.py", *_told(sys.argv[1:])]),
    }


def _told(words: list[str]) -> list[str]:
    """The command without the folders of a machine."""
    kept = list(words)
    for name in ("--out", "--data", "--file"):
        if name in kept:
            kept[kept.index(name) + 1] = "…"
    return kept


def main(options: argparse.Namespace) -> None:
    """Searches, and writes the file after each kind."""
    for _, tasks in chosen(options):
        if not tasks:
            continue
        entry = made(tasks, options)
        known = json.loads(options.file.read_text("utf-8")) if options.file.exists() else dict(read_portfolio())
        spaces = {**known["spaces"], tasks[0].space_name: entry}
        options.file.write_text(
            json.dumps({"schema": SCHEMA, "spaces": spaces}, indent=1, ensure_ascii=False) + "\n", "utf-8"
        )
        print(f"{tasks[0].space_name}: {len(entry['starts'])} starts")
        for name, facts in entry["data"].items():
            print(f"  {name:20} chosen without it {facts['left_out']}, by hand {facts['by_hand_there']}")


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="where searches and scores are kept")
    parser.add_argument("--pool", type=int, default=0, help="take so many random architectures instead of searching")
    parser.add_argument("--file", type=Path, default=FILE, help="what is written")
    parsed = parser.parse_args()
    parsed.cache = parsed.out / "scores"
    main(parsed)
