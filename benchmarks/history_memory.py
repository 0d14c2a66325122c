"""What a long history costs in memory: peak megabytes after 100,000 trials of twenty decisions.

    python benchmarks/history_memory.py [--trials 100000] [--only random,evolution] [--studies memory,sqlite]

Each strategy is played alone (asked and told, nobody else keeps the trials) and each kind of study runs ``random``;
every measurement is a process of its own. ``peak`` is the largest resident set, ``import`` what the process had before
the first trial (Python, NumPy, torch and the space), ``a trial`` their difference over the trials.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STRATEGIES = "random,grid,local-search,evolution,genetic,nsga2"
STUDIES = "memory,sqlite"
MEGABYTE = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--only", default=STRATEGIES)
    parser.add_argument("--studies", default=STUDIES)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        kind, name = arguments.one
        print(json.dumps(played(name, arguments.trials) if kind == "strategy" else studied(name, arguments.trials)))
        return
    print(f"{'':22} {'import':>8} {'peak':>8} {'a trial':>9} {'seconds':>8}   (MB, bytes; {arguments.trials:,} trials)")
    from netwright.strategies.making import split

    for kind, names in (("strategy", split(arguments.only)), ("study", split(arguments.studies))):
        for name in names:
            command = [sys.executable, __file__, "--trials", str(arguments.trials), "--one", kind, name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            before, after, seconds = json.loads(done.stdout.splitlines()[-1])
            each = (after - before) / arguments.trials
            print(
                f"{kind + ' ' + name:22} {before / MEGABYTE:8.0f} {after / MEGABYTE:8.0f} {each:9.0f} {seconds:8.0f}",
                flush=True,
            )


def peak() -> int:
    """The largest resident set of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def played(name: str, trials: int) -> tuple[int, int, float]:
    """Peak before and after, and seconds, of a strategy that is asked and told."""
    import numpy as np

    from netwright import strategies
    from netwright.testing import toy
    from netwright.trial import State, Trial

    strategy = strategies.make(name)
    strategy.start(toy.SPACES["dials"](), (toy.OBJECTIVE,))
    strategy.ask(np.random.default_rng(0))
    strategy.start(strategy.space, (toy.OBJECTIVE,))
    before, began = peak(), time.perf_counter()
    for number in range(trials):
        proposal = strategy.ask(np.random.default_rng([0, number, 0]))
        if proposal is None:
            break
        strategy.tell(Trial(number, proposal, State.FINISHED, toy.digest_of(proposal.architecture)))
    return before, peak(), time.perf_counter() - began


def studied(kind: str, trials: int) -> tuple[int, int, float]:
    """The same of a study with its store, in memory or in a file."""
    import netwright as nw
    from netwright.testing import toy

    space = toy.SPACES["dials"]()
    with tempfile.TemporaryDirectory() as folder:
        store = None if kind == "memory" else str(Path(folder) / "study")
        warm = nw.Study(space, "random", toy.digest, maximize="score", executor="in_process", parallel=1)
        warm.run(max_trials=2)
        study = nw.Study(
            space, "random", toy.digest, maximize="score", executor="in_process", parallel=1, store=store,
            durability="normal",
        )  # fmt: skip
        before, began = peak(), time.perf_counter()
        study.run(max_trials=trials)
        return before, peak(), time.perf_counter() - began


if __name__ == "__main__":
    main()
