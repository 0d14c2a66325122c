"""What asking costs as the history grows: milliseconds an ask after 100 and after 5,000 trials, and their ratio.

    python benchmarks/ask_cost.py [--only evolution,local-search] [--trials 5000]

plays each strategy on a space of twenty decisions of four options each: the median and the mean of a hundred asks.
Some asks are dear and most are cheap (local search lists a neighbourhood once in sixty), so look at both.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from netwright import strategies
from netwright.strategies.making import split
from netwright.testing import toy
from netwright.trial import State, Trial

EARLY, LATE, MEASURED = 100, 5_000, 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default=",".join(strategies.STRATEGIES), help="names, with arguments if need be")
    parser.add_argument("--trials", type=int, default=LATE)
    arguments = parser.parse_args()
    late = f"at {arguments.trials:,}"
    print(f"{'strategy':32} {f'at {EARLY}':>9} {late:>9} {'ratio':>6} {'mean':>9}   (ms an ask; medians, late mean)")
    for name in split(arguments.only):
        early, later, mean = play(strategies.make(name), arguments.trials)
        print(f"{name:32} {early:9.3f} {later:9.3f} {later / early:6.2f} {mean:9.3f}", flush=True)


def play(strategy, late: int = LATE) -> tuple[float, float, float]:
    """The median cost of an ask, early and late, and the mean late, in milliseconds."""
    strategy.start(toy.SPACES["dials"](), (toy.OBJECTIVE,))
    costs = []
    for number in range(late + MEASURED):
        rng = np.random.default_rng([0, number])
        begin = time.perf_counter()
        proposal = strategy.ask(rng)
        costs.append(1e3 * (time.perf_counter() - begin))
        strategy.tell(Trial(number, proposal, State.FINISHED, toy.digest_of(proposal.architecture)))
    last = costs[late : late + MEASURED]
    return statistics.median(costs[EARLY : EARLY + MEASURED]), statistics.median(last), statistics.mean(last)


if __name__ == "__main__":
    main()
