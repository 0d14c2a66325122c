"""What a step of the policy-gradient controllers costs beside torch, and what they and proxies find on NAS-Bench-201.

    python benchmarks/policies.py [--runs 200] [--data cifar10,cifar100] [--only NAME]

Without --runs only the costs are printed. With it each strategy searches the table from so many seeds on the
validation accuracy after 12 epochs; printed is the mean test accuracy after 200 epochs of the best by then, and its
deviation. Proxy trials answer with the number of parameters and are not counted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from netwright import strategies
from netwright.evaluators.tables import open_table
from netwright.space.decisions import of_candidates
from netwright.strategies.controllers import Adam, Autoregressive, Steps
from netwright.trial import Objective, State, Trial

MARKS = (25, 50, 100, 200, 500)
STRATEGIES = (
    "reinforce(controller=independent)",
    "reinforce",
    "reinforce(lr=0.003,decay=0.9)",
    "reinforce(lr=0.01,decay=0.9)",
    "ppo",
    "evolution(population=10,tournament=3)",
    "proxy-start(proxies=(params,))",
    "proxy-start(proxies=(params,),pool=100)",
    "proxy-start(proxies=(params,),pool=100,moves=5)",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--data", default="cifar10,cifar100")
    parser.add_argument("--only")
    arguments = parser.parse_args()
    costs(hidden=35, layers=2)
    costs(hidden=100, layers=1)
    if arguments.runs:
        table = open_table("nasbench201")
        for data in arguments.data.split(","):
            print(f"{data}, {arguments.runs} runs, at {', '.join(map(str, MARKS))} trainings")
            for name in [arguments.only] if arguments.only else STRATEGIES:
                found = np.array([search(table, data, name, seed) for seed in range(arguments.runs)])
                cells = zip(found.mean(axis=0), found.std(axis=0, ddof=1), strict=True)
                print(f"  {name:50}" + "  ".join(f"{mean:6.2f} ±{spread:5.2f}" for mean, spread in cells), flush=True)


def costs(hidden: int, layers: int) -> None:
    """Processor milliseconds of six decisions with five options: the least of seven turns."""
    rng = np.random.default_rng(0)
    steps = Steps([of_candidates(f"edge{index}", "abcde") for index in range(6)])
    policy = Autoregressive(steps, rng, hidden, layers, 0.1)
    walk = steps.walk(steps.draw(policy.reader(), rng))
    done = policy.forward([walk])
    gradient = policy.gradient(done, np.ones(1))
    adam = Adam(len(policy.theta), 1e-3)
    lstm, inputs = torch.nn.LSTM(hidden, hidden, layers), torch.randn(6, 1, hidden)
    heads = [torch.nn.Linear(hidden, 5) for _ in range(6)]

    def by_torch() -> None:
        outputs, _ = lstm(inputs)
        sum(torch.log_softmax(head(outputs[t]), -1)[0, 0] for t, head in enumerate(heads)).backward()

    print(
        f"LSTM of {layers} × {hidden}: drawing {least(lambda: steps.draw(policy.reader(), rng)):.3f} ms, "
        f"forward {least(lambda: policy.forward([walk])):.3f}, "
        f"backward {least(lambda: policy.gradient(done, np.ones(1))):.3f}, "
        f"Adam {least(lambda: adam.step(policy.theta, gradient)):.3f}; "
        f"torch forward and backward {least(by_torch):.3f}"
    )


def least(call: Callable[[], object], turns: int = 7, calls: int = 40) -> float:
    found = []
    for _ in range(turns):
        began = time.process_time()
        for _ in range(calls):
            call()
        found.append((time.process_time() - began) / calls * 1_000)
    return min(found)


def search(table, data: str, name: str, seed: int) -> list[float]:
    """The test accuracy of the incumbent at each of the marks."""
    searched, judged = table.column(f"{data}.valid@12").mean, table.column(f"{data}.test@200").mean
    params = table.column(f"{data}.params").mean
    strategy = strategies.make(name)
    strategy.start(table.space, (Objective("score"),))
    best, incumbent, trainings, number, found = -np.inf, 0, 0, 0, []
    while trainings < MARKS[-1]:
        proposal = strategy.ask(np.random.default_rng([seed, number, 0]))
        row = table.row(proposal.architecture)
        if proposal.budget == "proxy":
            metrics = {"params": float(params[row])}
        else:
            metrics = {"score": float(searched[row])}
            trainings += 1
            if metrics["score"] > best:
                best, incumbent = metrics["score"], row
            if trainings in MARKS:
                found.append(float(judged[incumbent]))
        strategy.tell(Trial(number, proposal, State.FINISHED, metrics))
        number += 1
    return found


if __name__ == "__main__":
    main()
