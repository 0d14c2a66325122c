"""What the store costs a trial, by itself and against Optuna's storage on SQLite.

    python benchmarks/store_cost.py [--trials 10000] [--blocks 10] [--folder DIR]

A trial is two appends, claim and ending, each durable when it returns (WAL, synchronous=FULL, head file). First so
many trials in one study, late ones against early ones; then blocks of ours and of Optuna's in turn, in one run, with
the same content: four decisions and one value. Optuna is driven in two ways: as its users do (ask, suggest, tell), and
by the fewest writes that its storage allows (a running trial with its parameters, then state and value).
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from netwright.stores import Event, SQLiteStore, open_readonly

CHOICES = {"width": [16, 32, 64], "depth": [1, 2, 3, 4], "op": ["conv3", "conv5", "skip"], "pool": ["max", "mean"]}


def proposal(number: int) -> dict[str, int | str]:
    return {name: options[number % len(options)] for name, options in CHOICES.items()}


def ours(store: SQLiteStore) -> Callable[[int], None]:
    def trial(number: int) -> None:
        claim = {"architecture": proposal(number), "budget": None, "inherits": None, "seed": number}
        store.append([Event("claimed", {"number": number, "attempt": 1, **claim})])
        end = {"metrics": {"score": number / 7}, "curve": [], "error": None, "seconds": 0.1, "weights": None}
        store.append([Event("ended", {"number": number, "attempt": 1, "state": "finished", **end})])

    return trial


def optuna_as_used(folder: Path) -> Callable[[int], None]:
    import optuna

    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'used.db'}", sampler=optuna.samplers.RandomSampler(seed=0)
    )

    def trial(number: int) -> None:
        asked = study.ask()
        for name, options in CHOICES.items():
            asked.suggest_categorical(name, options)
        study.tell(asked, number / 7)

    return trial


def optuna_in_two_writes(folder: Path) -> Callable[[int], None]:
    import optuna
    from optuna.trial import FrozenTrial, TrialState

    study = optuna.create_study(storage=f"sqlite:///{folder / 'two.db'}")
    storage, key = study._storage, study._study_id
    kinds = {name: optuna.distributions.CategoricalDistribution(options) for name, options in CHOICES.items()}

    def trial(number: int) -> None:
        now = datetime.now()
        template = FrozenTrial(
            number=-1, trial_id=-1, state=TrialState.RUNNING, value=None, values=None, datetime_start=now,
            datetime_complete=None, params=proposal(number), distributions=kinds, user_attrs={}, system_attrs={},
            intermediate_values={},
        )  # fmt: skip
        made = storage.create_new_trial(key, template_trial=template)
        storage.set_trial_state_values(made, TrialState.COMPLETE, values=[number / 7])

    return trial


def timed(trial: Callable[[int], None], first: int, count: int) -> float:
    start = time.perf_counter()
    for number in range(first, first + count):
        trial(number)
    return time.perf_counter() - start


def growth(folder: Path, trials: int) -> None:
    with SQLiteStore(folder / "growth", create=True) as store:
        store.append([Event("study", {"name": "cost"})])
        trial, seconds, processor = ours(store), [], time.process_time()
        for first in range(0, trials, 100):
            seconds.append(timed(trial, first, 100) / 100)
        processor = time.process_time() - processor
        start = time.perf_counter()
        open_readonly(folder / "growth").close()
        opening = time.perf_counter() - start
    thousand = statistics.median(seconds[: max(1, 1000 // 100)])
    late = statistics.median(seconds[-max(1, 1000 // 100) :])
    print(f"ours alone, {trials} trials (claim + ending, both durable)")
    print(
        f"  a trial                 {sum(seconds) / len(seconds) * 1e3:8.3f} ms  ({len(seconds) / sum(seconds):,.0f}/s)"
    )
    print(f"  of it processor time    {processor / trials * 1e3:8.3f} ms")
    print(f"  first 1,000, median     {thousand * 1e3:8.3f} ms")
    print(f"  last 1,000, median      {late * 1e3:8.3f} ms")
    print(f"  late / early            {late / thousand:8.2f}")
    print(f"  opening with all checks {opening:8.3f} s")


def against_optuna(folder: Path, blocks: int) -> None:
    logging.getLogger("optuna").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    rivals = {"Optuna, ask and tell": optuna_as_used(folder), "Optuna, two writes": optuna_in_two_writes(folder)}
    with SQLiteStore(folder / "paired", create=True) as store:
        store.append([Event("study", {"name": "cost"})])
        mine = ours(store)
        ratios: dict[str, list[float]] = {name: [] for name in rivals}
        speeds: dict[str, list[float]] = {name: [] for name in ("ours", *rivals)}
        for block in range(blocks):
            own = timed(mine, block * 100, 100) / 100
            speeds["ours"].append(1 / own)
            for name, rival in rivals.items():
                other = timed(rival, block * 10, 10) / 10
                speeds[name].append(1 / other)
                ratios[name].append(other / own)
    print(f"in turn, {blocks} blocks (100 trials of ours, 10 of each of Optuna's), medians")
    for name, values in speeds.items():
        print(f"  {name:24} {statistics.median(values):8.1f} trials/s")
    for name, values in ratios.items():
        low, high = min(values), max(values)
        print(f"  ours / {name:24} {statistics.median(values):6.1f} times  (blocks {low:.1f} to {high:.1f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="where to write; the system's folder for temporary files otherwise")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        print(f"processors {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")
        growth(Path(name), options.trials)
        against_optuna(Path(name), options.blocks)


if __name__ == "__main__":
    main()
