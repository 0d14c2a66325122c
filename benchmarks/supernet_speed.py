"""What a step on a supernet takes, against the same step on a network written plainly from the papers.

Both are trained in turns in one process on one thread; the figures are processor seconds. A product of matrices of
1,024 × 1,024 is timed beside them, so that machines can be compared. Memory is that of processes of their own, less
what they had before the network was made.

    python benchmarks/supernet_speed.py [--repeats 7] [--only darts] [--second-order]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional

from netwright.strategies.oneshot.darts import DARTS
from netwright.strategies.oneshot.method import Course
from netwright.strategies.oneshot.spos import SPOS
from netwright.supernet import Supernet
from netwright.supernet.relaxations import Softmax
from netwright.zoo import darts, nasbench201
from reference_darts import CELL, OPERATIONS, CellSearch, Darts, DartsSearch


def batches(count, size):
    """Images and labels that are drawn."""
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.randn(size, 3, 32, 32, generator=generator), torch.randint(10, (size,), generator=generator))
        for _ in range(count)
    ]


def supernet_of(space, example):
    """A supernet, ready for training."""
    supernet = Supernet(space).train()
    supernet.arrange(example)
    return supernet


def search(size, order, same=False):
    """A step of DARTS on its own space: of the paper's network, and of the supernet."""
    train, valid = batches(2, size)

    def plain():
        method = Darts(DartsSearch(same=same), order)
        return lambda number: method.step(train, valid)

    def ours():
        method = DARTS(order)
        method.start(
            supernet_of(darts.space(channels=16, cells=5), train[0]), Course(1000, 1, functional.cross_entropy)
        )
        return lambda number: method.step(number, train, valid)

    return plain, ours


def mixture(size):
    """Forward and backward of the mixtures of NAS-Bench-201, with gradients for weights and numbers."""
    ((x, y),) = batches(1, size)

    def plain():
        network = CellSearch()
        return lambda number: gradients(functional.cross_entropy(network(x), y), network)

    def ours():
        supernet = supernet_of(nasbench201.space(), x)
        numbers, generator = Softmax(supernet), torch.Generator()

        def step(number):
            loss = functional.cross_entropy(supernet.mixed(numbers.ways(generator))(x), y)
            gradients(loss, supernet, numbers)

        return step

    return plain, ours


def gradients(loss, *modules):
    """All gradients, anew."""
    for module in modules:
        module.zero_grad(set_to_none=True)
    loss.backward()


class PlainPath(torch.nn.Module):
    """The DARTS search network with one operation on each of the two connections of a node."""

    NAMES: ClassVar = {"sep_conv_3x3": "sep3", "sep_conv_5x5": "sep5", "dil_conv_3x3": "dil3", "dil_conv_5x5": "dil5",
             "max_pool_3x3": "max", "avg_pool_3x3": "avg", "skip_connect": "skip"}  # fmt: skip

    def __init__(self):
        super().__init__()
        self.network = DartsSearch(same=True)

    def forward(self, x, architecture):
        before = last = self.network.stem(x)
        for index, cell in enumerate(self.network.cells):
            kind = "reduction" if index in self.network.reductions else "normal"
            states, edge = [cell.before(before), cell.last(last)], 0
            for node in range(2, 6):
                states.append(
                    sum(
                        cell.edges[edge + j].operations[self.position(architecture[f"{kind}.node{node}.edge{j}"])](
                            states[j]
                        )
                        for j in architecture[f"{kind}.node{node}"]
                    )
                )
                edge += node
            before, last = last, torch.cat(states[2:], 1)
        return self.network.head(last.mean((2, 3)))

    def position(self, name):
        return OPERATIONS.index(self.NAMES[name]) - 1


class PlainCells(torch.nn.Module):
    """The NAS-Bench-201 search network with one operation on each edge."""

    NAMES: ClassVar = {"none": "none", "skip_connect": "skip", "nor_conv_1x1": "conv1", "nor_conv_3x3": "conv3",
             "avg_pool_3x3": "avg"}  # fmt: skip
    ORDER = ("edge_01", "edge_02", "edge_12", "edge_03", "edge_13", "edge_23")

    def __init__(self):
        super().__init__()
        self.network = CellSearch()

    def forward(self, x, architecture):
        return self.network(x, [CELL.index(self.NAMES[architecture[edge]]) for edge in self.ORDER])


def single(space, network, size):
    """A step of SPOS: plainly, by the supernet, and the same paths as networks of their own."""
    ((x, y),) = batches(1, size)

    def sampled(number):
        return space.sample(np.random.default_rng([0, number]))

    def plain():
        supernet = network()
        optimizer = sgd(supernet)

        def step(number):
            optimizer.zero_grad(set_to_none=True)
            functional.cross_entropy(supernet(x, sampled(number)), y).backward()
            optimizer.step()

        return step

    def ours():
        method = SPOS()
        method.start(supernet_of(space, x), Course(1000, 1, functional.cross_entropy))
        return lambda number: method.step(number, (x, y), None)

    def bare():
        """Of each path the quicker of both layouts, made and warmed up beforehand."""
        made = {}
        for number in range(PATHS):
            found = []
            for layout in (torch.contiguous_format, torch.channels_last):
                built = space.build(sampled(number)).to(memory_format=layout)
                optimizer, images = sgd(built), x.contiguous(memory_format=layout)

                def step(built=built, optimizer=optimizer, images=images):
                    optimizer.zero_grad(set_to_none=True)
                    functional.cross_entropy(built(images), y).backward()
                    optimizer.step()

                step()
                found.append((min(timed(step) for _ in range(3)), step))
            made[number] = min(found, key=lambda pair: pair[0])[1]
        return lambda number: made[number]()

    return plain, ours, bare


PATHS = 8


def sgd(network):
    return torch.optim.SGD(network.parameters(), 0.5, momentum=0.9, weight_decay=4e-5)


def timed(run, *arguments):
    """Processor seconds."""
    began = time.process_time()
    run(*arguments)
    return time.process_time() - began


def product():
    """Seconds of a product of matrices, the best of several."""
    a = torch.randn(1024, 1024)
    return min(timed(torch.mm, a, a) for _ in range(10))


SPACES = {"darts": darts.space(channels=16, cells=5), "nasbench201": nasbench201.space()}
CASES = {
    "DARTS, first order, 16": (lambda: search(16, 1), 0.35, None),
    "the same operations": (lambda: search(16, 1, same=True), 0.35, None),
    "DARTS, second order, 16": (lambda: search(16, 2), 0.35, None),
    "NAS-Bench-201 mixtures, 16": (lambda: mixture(16), 0.75, None),
    "NAS-Bench-201 mixtures, 64": (lambda: mixture(64), 0.75, None),
    "SPOS, NAS-Bench-201, 16": (lambda: single(SPACES["nasbench201"], PlainCells, 16), 0.9, 1.3),
    "SPOS, NAS-Bench-201, 64": (lambda: single(SPACES["nasbench201"], PlainCells, 64), 0.9, 1.3),
    "SPOS, DARTS, 16": (lambda: single(SPACES["darts"], PlainPath, 16), 0.9, 1.3),
}


def memory(name, place):
    """Megabytes at the most that two steps take, in a process of its own."""
    words = [sys.executable, __file__, "--memory", name, str(place)]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def measured_memory(name, place):
    """As :func:`memory`, in this process."""
    before = peak()
    step = CASES[name][0]()[place]()
    for number in range(2):
        step(number)
    return (peak() - before) / 1024


def peak():
    """Kilobytes of this process at the most; ru_maxrss would count those of the process that started it."""
    words = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return next(int(word[1]) for word in words if word[0] == "VmHWM:")


def row(name, repeats):
    """Times one case, all of its parts in turns."""
    make, goal, bare_goal = CASES[name]
    steps = [part() for part in make()]
    count = PATHS if bare_goal else 1
    for step in steps:
        step(0)
    found = []
    for _ in range(repeats):
        # Single paths differ much: a repeat is the same few of them for each.
        taken = np.zeros(len(steps))
        for number in range(count):
            taken += [timed(step, number) for step in steps]
        found.append(taken / count)
    columns = list(zip(*found, strict=True))
    ratio = statistics.median(ours / plain for plain, ours, *_ in found)
    cells = [f"{statistics.median(column):7.3f} ± {deviation(column):5.3f}" for column in columns[:2]]
    line = f"{name:28} {cells[0]:>16} {cells[1]:>16} {ratio:6.2f}  ≤ {goal:4}"
    if bare_goal:
        bare = statistics.median(ours / bare for _, ours, bare in found)
        line += f"  {statistics.median(columns[2]):7.3f} {bare:5.2f}  ≤ {bare_goal}"
    else:
        line += " " * 23
    megabytes = [memory(name, place) for place in (0, 1)]
    print(f"{line}  {megabytes[0]:6.0f} {megabytes[1]:6.0f}", flush=True)


def deviation(values):
    """Half of the distance between the quartiles."""
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (0, 0, 0)
    return (high - low) / 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", default="")
    parser.add_argument("--memory", nargs=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if options.memory:
        print(measured_memory(options.memory[0], int(options.memory[1])))
        return
    print(f"a product of 1024 × 1024 matrices: {1000 * product():.1f} ms; {options.repeats} repeats, processor seconds")
    print(f"{'case, batch':28} {'plain':>16} {'netwright':>16} {'ratio':>6}  {'goal':>6}  {'bare':>7} {'ratio':>5}"
          f"  goal   {'MB plain':>6} {'ours':>5}")  # fmt: skip
    for name in CASES:
        if options.only.lower() in name.lower():
            row(name, options.repeats)


if __name__ == "__main__":
    main()
