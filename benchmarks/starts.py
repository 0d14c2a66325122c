"""What known-good starts are worth in trials, on sets that they were chosen without, and without the luck of searches.

    python benchmarks/starts.py --data FOLDER [--kinds tables] [--sets satellite,vehicle,…] [--trials 16] [--pool 60]
        [--repeats 3] [--epochs 10] [--rows 2000] [--cache FOLDER]

For each set a pool of random architectures is trained, and each start with several seeds. A random search draws from
the pool, and knows its best network so far by the loss on a small validation part; what that network is worth is its
loss on all rows that no trial saw. Of that loss the mean over all orders of drawing is computed, not sampled. Then the
same for searches that try some starts first and draw from the pool afterwards:

    by hand    the starts of the space that were chosen by hand
    left out   the portfolio that ``make_portfolio.py --pool`` makes of all other sets (leave-one-out)
    all        those chosen by hand and then the portfolio, as a user's search does

Told is after how many trials each has the mean loss that random search has after ``--trials``, and the ratio. Aim: at
most half, on at least five sets.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import comb

from netwright.architecture import Architecture
from netwright.evaluators.base import Candidate
from netwright.zoo.portfolio import greedy
from transfer_sets import Scores, Task, arguments, chosen, needed, print_ratios

ARMS = ("by hand", "left out", "all")


def mean_course(pool: np.ndarray, first: np.ndarray, trials: int) -> np.ndarray:
    """The mean judged loss of the network so far after each trial, over all orders of drawing from the pool.

    ``pool`` and ``first`` are pairs (n, 2) of a validation loss and a judged loss; ``first`` are tried before.
    """
    course = [first[np.argmin(first[:count, 0]), 1] for count in range(1, min(len(first), trials) + 1)]
    ordered = pool[np.argsort(pool[:, 0])]
    best = first[np.argmin(first[:, 0])] if len(first) else np.array([np.inf, np.inf])
    ahead = ordered[:, 0] < best[0]
    for drawn in range(1, trials - len(first) + 1):
        # The chance that the best of those drawn is the one at this place of the order.
        chances = comb(len(pool) - 1 - np.arange(len(pool)), drawn - 1) / comb(len(pool), drawn)
        rest = 1.0 - chances[ahead].sum()
        course.append(float(chances[ahead] @ ordered[ahead, 1]) + (rest * best[1] if len(first) else 0.0))
    return np.array(course)


def losses(task: Task, architectures: Sequence[Architecture], seed: int) -> np.ndarray:
    """For each the validation loss and the judged loss (n, 2)."""
    scores = Scores(task.train, task.space, seed, task.cache)
    found = [scores(Candidate(each, task.space)) for each in architectures]
    return np.array([[each["val_loss"], each["judged_loss"]] for each in found]).reshape(-1, 2)


def main(options: Any) -> None:
    """A line a set, then the ratios."""
    ratios: dict[str, list[float]] = {arm: [] for arm in ARMS}
    print(f"{'set':20}{'random':>9}" + "".join(f"{arm:>11}" for arm in ARMS) + "   trials to the loss of random search")
    for _, tasks in chosen(options):
        rng = np.random.default_rng(options.seed)
        drawn = [tasks[0].space.sample(rng) for _ in range(options.pool)]
        pools = np.stack([losses(task, [task.start(each) for each in drawn], options.seed) for task in tasks])
        for place, task in enumerate(tasks):
            others = [row for row in range(len(tasks)) if row != place]
            taken = greedy(-pools[others, :, 1], options.most) if others else []
            by_hand = [task.start(each) for each in task.by_hand]
            found = [task.start(drawn[each]) for each in taken]
            arms = dict(zip(ARMS, (by_hand, found, [*by_hand, *found]), strict=True))
            random = mean_course(pools[place], pools[place][:0], options.trials)
            counts = []
            for arm, starts in arms.items():
                some = [each for each in starts if each is not None]
                courses = [
                    mean_course(pools[place], losses(replace(task, seed=seed), some, seed), options.trials)
                    for seed in range(options.seed, options.seed + options.repeats)
                ]
                mean = np.mean(courses, axis=0)
                counts.append(needed(mean, random[-1]))
                ratios[arm].append(counts[-1] / options.trials)
            print(f"{task.name:20}{options.trials:9}" + "".join(f"{n:11}" for n in counts)
                  + f"   {random[-1]:.4f}", flush=True)  # fmt: skip
    print_ratios(ratios)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.set_defaults(trials=16)
    parser.add_argument("--pool", type=int, default=60, help="random architectures of each set")
    parser.add_argument("--repeats", type=int, default=3, help="seeds of each start")
    parser.add_argument("--cache", type=Path, help="a folder where scores are kept; by default one that is removed")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        parsed.cache = parsed.cache or Path(folder)
        main(parsed)
