"""What asking costs as the history grows: milliseconds an ask after 100 and after 5,000 trials, and their ratio.

``python benchmarks/ask_cost.py`` plays each strategy on a space of twenty decisions of four options each.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from netwright.strategies import STRATEGIES
from netwright.testing import toy
from netwright.trial import State, Trial

EARLY, LATE, MEASURED = 100, 5_000, 100


def main() -> None:
    print(f"{'strategy':12} {'ask at 100':>12} {'at 5,000':>12} {'ratio':>7}   (median ms, 20 decisions)")
    for name, strategy in STRATEGIES.items():
        early, late = play(strategy())
        print(f"{name:12} {early:12.3f} {late:12.3f} {late / early:7.2f}")


def play(strategy) -> tuple[float, float]:
    """The median cost of an ask, early and late, in milliseconds."""
    strategy.start(toy.SPACES["dials"](), (toy.OBJECTIVE,))
    costs = []
    for number in range(LATE + MEASURED):
        rng = np.random.default_rng([0, number])
        begin = time.perf_counter()
        proposal = strategy.ask(rng)
        costs.append(1e3 * (time.perf_counter() - begin))
        strategy.tell(Trial(number, proposal, State.FINISHED, toy.digest_of(proposal.architecture)))
    return statistics.median(costs[EARLY : EARLY + MEASURED]), statistics.median(costs[LATE : LATE + MEASURED])


if __name__ == "__main__":
    main()
