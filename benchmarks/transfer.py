"""What a portfolio of starts and another study's ranking save: trials until the same quality, on held-out data sets.

    python benchmarks/transfer.py [--kinds tables,text,series] [--data FOLDER] [--sets iris,wine,…] [--trials 24]
        [--seeds 3] [--epochs 10] [--rows 2000] [--candidates 3] [--most 4] [--cache FOLDER]

Leave-one-out: for each data set the portfolio is made of the searches on the others of its kind alone, and the ranking
is what these searches learnt. Searches by ``auto`` of the same number of trials then begin

    nothing    from random architectures, as it does without starts
    random     from as many random architectures as the portfolio has starts: the control
    by hand    from those starts of the space that were chosen by hand
    portfolio  from the portfolio's
    ranking    from the ranking of the set that is most alike in size, its best three first

and of each is told after how many trials it has a validation loss as good as the best of the one from nothing, ``>24``
where it never has (counted as one trial more than there are). The ratio to the trials that the one from nothing needs
itself is a geometric mean over the seeds for each set; of the sets the median, and how many are at half or less. Aim:
at most half, on at least five held-out sets; and the control not.

With ``--cache`` each architecture is trained once on a set with a seed, whichever search asks for it, also by the next
call and by ``make_portfolio.py --out`` of the folder above.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netwright.zoo.portfolio import greedy
from transfer_sets import Found, Task, arguments, best_of, chosen, matrix

ARMS = ("random", "by hand", "portfolio", "ranking")


def needed(found: Found, quality: float) -> int:
    """After how many trials a search has a score as good as that; one more than it has trials if never."""
    return next((place for place, (_, score) in enumerate(found, 1) if score >= quality), len(found) + 1)


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
    }


def main(options: Any) -> None:
    """Searches each set from nothing, then each again from what is random, known by hand, or found on the others."""
    ratios: dict[str, dict[str, list[float]]] = {arm: {} for arm in ARMS}
    print(f"{'held out':20}{'seed':>5}{'nothing':>9}" + "".join(f"{arm:>11}" for arm in ARMS))
    for _, tasks in chosen(options):
        if len(tasks) < 2:
            print("of one set alone nothing can be held out")
            continue
        for seed in range(options.seeds):
            plain = [task.search(options.trials, seed) for task in tasks]
            best = [best_of(found, options.candidates) for found in plain]
            everyone = [architecture for some in best for architecture in some]
            owners = [place for place, some in enumerate(best) for _ in some]
            scores = matrix(tasks, everyone, seed)
            for place, task in enumerate(tasks):
                known = beginnings(tasks, place, plain, scores, everyone, owners, seed, options.most)
                quality = max(score for _, score in plain[place])
                usual = needed(plain[place], quality)
                counts = {arm: needed(task.search(options.trials, seed, **known[arm]), quality) for arm in ARMS}
                for arm, count in counts.items():
                    ratios[arm].setdefault(f"{task.kind} {task.name}", []).append(count / usual)
                told = [f">{options.trials}" if count > options.trials else str(count) for count in counts.values()]
                print(f"{task.name:20}{seed:5}{usual:9}" + "".join(f"{text:>11}" for text in told), flush=True)
    print()
    for arm, by_set in ratios.items():
        if by_set:
            of_sets = [float(np.exp(np.mean(np.log(each)))) for each in by_set.values()]
            print(
                f"{arm:10} median of {len(of_sets)} sets {np.median(of_sets):.2f} of the trials, half or less on "
                f"{sum(ratio <= 0.5 for ratio in of_sets)}; " + ", ".join(f"{ratio:.2f}" for ratio in of_sets)
            )


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="a folder where scores are kept; by default one that is removed")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        parsed.cache = parsed.cache or Path(folder)
        main(parsed)
