"""How many architectures a second a space samples, mutates, crosses, validates and encodes; no network is built.

Run: python benchmarks/space_speed.py [--repeats N]. The space has about ten conditional decisions, as the demo's.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from torch import nn

import netwright as nw

DRAWS = 5_000


class Net(nn.Module):
    """Three widths, two to six blocks of four operations, two of which have a kernel or an expansion."""

    def __init__(self) -> None:
        super().__init__()
        nw.choose("width", 16, 32, 64)
        nw.choose("recipe.lr", low=0.01, high=1.0, log=True)
        self.body = nw.repeat("depth", self.block, 2, 6)

    def block(self, index: int) -> nn.Module:
        """One block's operation with what hangs on it."""

        def kernel() -> nn.Module:
            nw.choose(f"kernel{index}", 3, 5, 7)
            return nn.Identity()

        def expansion() -> nn.Module:
            nw.choose(f"expansion{index}", 2, 3, 4, 6)
            return nn.Identity()

        return nw.one_of(f"op{index}", conv=kernel, mixer=expansion, pool=nn.Identity, skip=nn.Identity)


def rate(action: Callable[[], object]) -> float:
    """Calls a second of processor time: a busy machine does not make a space slower."""
    start = time.process_time()
    for _ in range(DRAWS):
        action()
    return DRAWS / (time.process_time() - start)


def main() -> None:
    """Prints the median rate of each action over the repeats."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    start = time.perf_counter()
    space = nw.SearchSpace(Net)
    outline = time.perf_counter() - start
    start = time.perf_counter()
    rng = np.random.default_rng(0)
    space.sample(rng)
    compilation = time.perf_counter() - start
    pool = [space.sample(rng) for _ in range(1_000)]
    turn = iter(range(10**9))

    def one() -> nw.Architecture:
        return pool[next(turn) % len(pool)]

    actions: dict[str, Callable[[], object]] = {
        "sample": lambda: space.sample(rng),
        "mutate": lambda: space.mutate(one(), rng),
        "crossover": lambda: space.crossover(one(), one(), rng),
        "validate": lambda: space.validate(one()),
        "encode": lambda: space.encode(one()),
    }
    print(f"{len(space.decisions)} decisions, {sum(d.conditional for d in space.decisions)} of them conditional")
    print(f"outline {outline * 1e3:.1f} ms, automaton {compilation * 1e3:.1f} ms")
    for name, action in actions.items():
        print(f"{name:10s} {statistics.median(rate(action) for _ in range(repeats)):10,.0f} a second of processor time")


if __name__ == "__main__":
    main()
