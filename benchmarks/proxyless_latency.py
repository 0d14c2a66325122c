"""ProxylessNAS with a latency limit on this host: is the limit met, and is what it finds worth the search?

``python benchmarks/proxyless_latency.py [--seeds 2] [--random 24] [--share 0.3] [--epochs N] [--train]``

The space is digits-cells on scikit-learn's digits (8×8): 4,096 cells, of which the slowest take four times as long as
the fastest. The limit is the 30 % quantile of the measured latencies of 40 random cells. What the loss works with is
what it works with in any search (:func:`netwright.tasks.one_shot.costs_in_loss`). Of the ranked cells
the first eight are taken whose measured latency is within the limit; as in a search, they are trained once, and the
best on validation data is what was found. Its latency is measured once more in a process of its own. It and random
cells within the limit, those that are not connected left out, are looked up in the table, where all were trained with
one recipe and the same seeds; with ``--train`` they are trained here, which takes some minutes more. What the same
choice by validation gives among the first eight random ones is said, too.

All latencies are the least of many rounds, in each of which every network is timed: other work on the machine makes a
network slower, never faster, and comes over all of them alike. Where the whole machine was slow meanwhile, nothing is
known but how much: whatever is compared with the limit is timed together with five of the 40 cells, and divided by how
much slower these were than when the limit was set (the median). The factor is printed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from scipy.stats import kendalltau, mannwhitneyu, t

import netwright as nw
from netwright import zoo
from netwright.costs import Latency
from netwright.evaluators.tables import open_table
from netwright.strategies.oneshot import OneShot
from netwright.supernet.operations import OperationTable
from netwright.tasks.one_shot import costs_in_loss
from netwright.tasks.readers import read
from netwright.training.data import Data
from netwright.training.loop import fit, predict
from netwright.training.recipes import Recipe
from netwright.training.splits import Split, split
from netwright.zoo.baselines import baseline
from netwright.zoo.digits_cells import function_of

SHAPE = (1, 8, 8)
PROBES = 40
ROUNDS, SECONDS = 8, 4.0
TIMER = Latency(repeats=9, warmup=2, on="torch")
RANKED, TRAINED = 24, 8
RECIPE = Recipe(**baseline("digits").recipe)
TRAIN_SEEDS = (0, 1, 2)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--random", type=int, default=24)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--train", action="store_true", help="train here instead of looking up")
    parser.add_argument("--measure", help="print the latencies of these architectures, a JSON list, and end")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    space = zoo.SPACES["digits-cells"].space(input_shape=SHAPE, classes=10)
    if arguments.measure:
        print(json.dumps(timed(space, [nw.Architecture(answers) for answers in json.loads(arguments.measure)])))
        return
    loaded = read("digits")
    parts = split(loaded.raw.y, 0, test=0.3, selection=0.0, validation=0.3 / 0.7)
    data = loaded.learned_on(parts.development).data

    rng = np.random.default_rng(0)
    probes = [space.sample(rng) for _ in range(PROBES)]
    latencies = np.array(timed(space, probes))
    limit = float(np.quantile(latencies, arguments.share))
    print(
        f"latencies of {PROBES} random cells: {latencies.min():.3f} to {latencies.max():.3f} ms, median "
        f"{np.median(latencies):.3f}; the limit is {limit:.3f} ms",
        flush=True,
    )
    anchors = Anchors(probes[:5], latencies[:5].tolist())
    searches = [
        searched(space, data, parts, limit, seed, arguments.epochs, probes, latencies, anchors)
        for seed in range(arguments.seeds)
    ]

    drawn = [space.sample(rng) for _ in range(10 * arguments.random)]
    connected = [cell for cell in drawn if function_of(cell)]
    within = [c for c, latency in zip(connected, anchors.timed(space, connected), strict=True) if latency <= limit]
    within = within[: arguments.random]
    began = time.perf_counter()
    score_of = looked_up()
    if arguments.train:
        score_of = partial(accuracy, space, data, parts.development, parts.test)
    scores = np.array([score_of(cell) for cell in within])
    quantiles = " ".join(f"{100 * value:.2f}" for value in np.quantile(scores, (0, 0.25, 0.5, 0.75, 1)))
    half = t.ppf(0.975, len(scores) - 1) * scores.std(ddof=1) / np.sqrt(len(scores))
    print(
        f"\n{len(within)} random cells within the limit: mean test accuracy "
        f"{100 * scores.mean():.2f} ± {100 * half:.2f} (t, 95 %), quantiles 0 ¼ ½ ¾ 1: {quantiles}  "
        f"({time.perf_counter() - began:.0f} s)",
        flush=True,
    )
    found = np.array([score_of(cell) for cell in searches])
    for seed, score in enumerate(found):
        print(
            f"search seed {seed}: test accuracy {100 * score:.2f}, {100 * (score - scores.mean()):+.2f} points from "
            f"the mean of random cells, {int((scores > score).sum())} of {len(scores)} are better"
        )
    place = within.index(best(space, data, parts, within[:TRAINED]))
    print(f"the best by validation of {TRAINED} random cells: test accuracy {100 * scores[place]:.2f}")
    test = mannwhitneyu(found, scores, alternative="greater")
    print(f"Mann-Whitney, found cells better than random ones: p {test.pvalue:.3f}")


def timed(space: nw.SearchSpace, cells: Sequence[nw.Architecture]) -> list[float]:
    """Their latencies in milliseconds: the least of some rounds over all of them."""
    example = torch.zeros(1, *SHAPE)
    networks = [space.build(cell) for cell in cells]
    rounds: list[list[float]] = []
    began = time.monotonic()
    while len(rounds) < ROUNDS or time.monotonic() - began < SECONDS:
        rounds.append([TIMER(network, example) for network in networks])
    return [min(row) for row in zip(*rounds, strict=True)]


@final
class Anchors:
    """Cells whose latencies were known when the limit was set."""

    def __init__(self, cells: Sequence[nw.Architecture], latencies: Sequence[float]) -> None:
        self.cells, self.latencies = list(cells), np.array(latencies)

    def slower(self, now: Sequence[float]) -> float:
        """How much slower the machine is, from what they take now."""
        return float(np.median(np.array(now) / self.latencies))

    def timed(self, space: nw.SearchSpace, cells: Sequence[nw.Architecture]) -> list[float]:
        """Latencies as they would have been then."""
        now = timed(space, [*cells, *self.cells])
        slower = self.slower(now[len(cells) :])
        return [latency / slower for latency in now[: len(cells)]]


def searched(
    space: nw.SearchSpace,
    data: Data,
    parts: Split,
    limit: float,
    seed: int,
    epochs: int | None,
    probes: Sequence[nw.Architecture],
    latencies: np.ndarray,
    anchors: Anchors,
) -> nw.Architecture:
    """The best by validation of the first of the ranking within the limit; prints how it was come by."""
    about: dict[str, Any] = {"constraints": {"latency_ms": limit}, "objectives": []}
    train = nw.evaluators.Train(data, split=parts)
    with tempfile.TemporaryDirectory() as folder:
        hardware = costs_in_loss(about, train, Path(folder))
        assert hardware is not None
        one_shot = OneShot(
            space, "proxyless", data, split=parts, epochs=epochs, recipe=RECIPE, seed=seed, hardware=hardware,
            alarm=False,
        )  # fmt: skip
        table, penalty = one_shot.supernet and one_shot.hardware.terms[0]
    print(f"\nsearch seed {seed}: the table says {table.least():.3f} to {table.most():.3f} ms", flush=True)
    judge("  as it is", table, probes, latencies)
    fifths = {-(-one_shot.epochs * part // 5): part for part in range(1, 6)}

    def watch(progress: Any) -> None:
        if len(one_shot.losses) in fifths:
            expected = float(table.expected(one_shot.method.probabilities()).detach())
            print(
                f"  {fifths[len(one_shot.losses)]}/5 of the epochs: expected {expected:.3f} ms, {expected / limit:.2f} "
                f"of the limit; multiplier {penalty.weight:.2f}",
                flush=True,
            )

    one_shot.fit(watch=watch)
    # As a search does it: further down the ranking until enough keep the limit.
    count = RANKED
    while True:
        ranked = one_shot.ranked(count)
        measured = anchors.timed(space, ranked)
        kept = [c for c, latency in zip(ranked, measured, strict=True) if latency <= limit][:TRAINED]
        if len(kept) == TRAINED or len(ranked) < count:
            break
        count *= 2
    cell = best(space, data, parts, kept)
    place = ranked.index(cell)
    said = subprocess.run(
        [sys.executable, __file__, "--measure", json.dumps([dict(one) for one in (cell, *anchors.cells)])],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    fresh, *known = json.loads(said.stdout)
    slower = anchors.slower(known)
    share = fresh / slower / limit
    print(
        f"  {one_shot.seconds:.0f} s, {one_shot.steps} steps{'; ' + one_shot.stopped if one_shot.stopped else ''}; "
        f"the first of the ranking has {measured[0]:.3f} ms (table {table.of(ranked[0]):.3f}), taken: place "
        f"{place + 1} with {measured[place]:.3f} ms (table {table.of(cell):.3f}), "
        f"{len(kept)} trained\n"
        f"  in a process of its own: {fresh:.3f} ms on a machine {slower:.2f} times as slow, {share:.2f} of the limit\n"
        f"  {dict(cell)}",
        flush=True,
    )
    return cell


def best(space: nw.SearchSpace, data: Data, parts: Split, cells: Sequence[nw.Architecture]) -> nw.Architecture:
    """The best of them on the validation part, each trained once on the training part."""
    return max(cells, key=lambda cell: accuracy(space, data, parts.train, parts.validation, cell, TRAIN_SEEDS[:1]))


def judge(name: str, table: OperationTable, probes: Sequence[nw.Architecture], latencies: np.ndarray) -> None:
    """How near the sums of operations are to whole networks."""
    sums = np.array([table.of(probe) for probe in probes])
    errors = np.abs(sums / latencies - 1)
    print(
        f"{name}: against {len(probes)} whole networks a median error of {100 * np.median(errors):.1f} %, at most "
        f"{100 * errors.max():.1f} %, Kendall's τ {kendalltau(sums, latencies).statistic:.2f}",
        flush=True,
    )


def looked_up() -> Callable[[nw.Architecture], float]:
    """The test accuracy of a cell in the table: all were trained with one recipe and the same two seeds."""
    table = open_table("digits-cells")
    tested = table.find("test_accuracy", table.fidelities("test_accuracy")[-1]).mean
    rows = {table.architecture(row): row for row in range(len(table))}
    return lambda cell: float(tested[rows[cell]])


def accuracy(
    space: nw.SearchSpace,
    data: Data,
    learned: np.ndarray,
    asked: np.ndarray,
    cell: nw.Architecture,
    seeds: Sequence[int] = TRAIN_SEEDS,
) -> float:
    """On the examples ``asked``, after training on those ``learned``: the mean of the seeds."""
    X, y = np.asarray(data.X), np.asarray(data.y)
    scores = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = space.build(cell)
        fit(network, X[learned], y[learned], RECIPE, seed=seed)
        scores.append(float((predict(network, X[asked]).argmax(1) == y[asked]).mean()))
    return float(np.mean(scores))


if __name__ == "__main__":
    main()
