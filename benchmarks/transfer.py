"""What a portfolio of starts and another study's ranking save: trials until the same quality, on held-out data sets.

    python benchmarks/transfer.py [--kinds tables,text,series] [--data FOLDER] [--sets iris,wine,…] [--trials 24]
        [--searches 3] [--epochs 10] [--rows 2000] [--candidates 3] [--most 4] [--held-out iris,…] [--cache FOLDER]

Leave-one-out: for each data set the portfolio is made of the searches on the others of its kind alone, and the
ranking is what one of these learnt. Searches by ``auto`` of the same number of trials then begin

    nothing    from random architectures, as it does without starts
    random     from as many random architectures as the portfolio has starts: the control
    by hand    from those starts of the space that were chosen by hand
    portfolio  from the portfolio's
    ranking    from the ranking of the set that is most alike in size, its best three first
    all        from those chosen by hand and the portfolio's, in the order of a user's search

A search knows its best network so far by a small validation part; what that network is worth is told by the loss on
all rows that no trial saw, and of that the mean over several searches. So the luck of the best of many scores, which
differs from search to search by more than architectures do, counts for nothing. Told is after how many trials each way
has such a mean as low as those from nothing end with; never counts as one trial more than there are. The ratio is to
when those from nothing had it first. Of the sets are told the median, and how many are at half or less. Aim: at most
half, on at least five held-out sets; and the control near one.

With ``--cache`` each architecture is trained once on a set, whichever search asks for it, also by the next
call and by ``make_portfolio.py --out`` of the folder above.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netwright.zoo.portfolio import greedy
from transfer_sets import Found, Task, arguments, best_of, chosen, matrix, needed, print_ratios

ARMS = ("random", "by hand", "portfolio", "ranking", "all")


def beginnings(tasks: list[Task], place: int, plain: list[Found], scores: np.ndarray, everyone: list[Any],
               owners: list[int], seed: int, most: int) -> dict[str, Mapping[str, Any]]:  # fmt: skip
    """What each search on the set at ``place`` begins with, of which the searches on the others alone decide."""
    task, others = tasks[place], [row for row in range(len(tasks)) if row != place]
    columns = [column for column, owner in enumerate(owners) if owner != place]
    taken = greedy(scores[np.ix_(others, columns)], most)
    starts = [start for each in taken if (start := task.start(everyone[columns[each]])) is not None]
    rng = np.random.default_rng([seed, 1])
    size = len(task.train.data)
    near = min(others, key=lambda row: abs(np.log(len(tasks[row].train.data) / size)))
    there = [pair for pair in plain[near] if np.isfinite(pair[1])]
    first = [start for each in best_of(there, 3) if (start := task.start(each)) is not None]
    return {
        "random": {"starts": [task.space.sample(rng) for _ in starts]},
        "by hand": {"starts": task.by_hand},
        "portfolio": {"starts": starts},
        "ranking": {"starts": first, "known": [(dict(a), score) for a, score in there if a in task.space]},
        "all": {"starts": task.by_hand, "portfolio": starts},
    }


def main(options: Any) -> None:
    """Searches each set from nothing, then each again from what is random, known by hand, or found on the others."""
    ratios: dict[str, list[float]] = {arm: [] for arm in ARMS}
    seeds = range(options.searches)
    print(f"{'held out':20}" + "".join(f"{arm:>11}" for arm in ("nothing", *ARMS)) + f"   of {options.trials} trials")
    for _, tasks in chosen(options):
        if len(tasks) < 2:
            print("of one set alone nothing can be held out")
            continue
        plain = [[task.search(options.trials, seed) for task in tasks] for seed in seeds]
        found_best = [[best_of(found, options.candidates) for found in some] for some in plain]
        everyone = [[architecture for own in best for architecture in own] for best in found_best]
        owners = [[place for place, own in enumerate(best) for _ in own] for best in found_best]
        scores = [matrix(tasks, architectures) for architectures in everyone]
        meant = options.held_out.split(",") if options.held_out else [task.name for task in tasks]
        for place, task in enumerate(tasks):
            if task.name not in meant:
                continue
            courses: dict[str, list[np.ndarray]] = {arm: [] for arm in ("nothing", *ARMS)}
            for seed in seeds:
                known = beginnings(
                    tasks, place, plain[seed], scores[seed], everyone[seed], owners[seed], seed, options.most
                )
                courses["nothing"].append(task.course(plain[seed][place]))
                for arm in ARMS:
                    courses[arm].append(task.course(task.search(options.trials, seed, **known[arm])))
            means = {arm: np.mean(some, axis=0) for arm, some in courses.items()}
            counts = {arm: needed(mean, means["nothing"][-1]) for arm, mean in means.items()}
            for arm in ARMS:
                ratios[arm].append(counts[arm] / counts["nothing"])
            losses = " ".join(f"{mean[-1]:.4f}" for mean in means.values())
            print(f"{task.name:20}" + "".join(f"{n:11}" for n in counts.values()) + f"   losses {losses}", flush=True)
    print_ratios(ratios)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--searches", type=int, default=3, help="of each way to begin, on each set")
    parser.add_argument("--held-out", default="", help="the sets that are searched so; all by default")
    parser.add_argument("--cache", type=Path, help="a folder where scores are kept; by default one that is removed")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        parsed.cache = parsed.cache or Path(folder)
        main(parsed)
