"""What runs in a worker: one candidate from its architecture to a record."""

from __future__ import annotations

import inspect
import operator
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.evaluators.base import Candidate, Evaluator, Heritage
from netwright.metrics import BadResult, check_metrics
from netwright.space import SearchSpace
from netwright.trial import PROXY, Budget

if TYPE_CHECKING:
    from netwright.costs import Latency, Profile

CHEAP = ("params", "macs")
"""What is known of every network without training, and is the answer to the budget ``"proxy"`` where no more is."""

Record = dict[str, Any]
"""JSON: ``metrics``, ``curve``, ``seconds``, ``weights`` (file, sha256), or ``infeasible`` (the limit broken)."""


@dataclass(frozen=True)
class Task:
    """One attempt at a trial, as it travels to a worker."""

    number: int
    attempt: int
    architecture: Mapping[str, Any]
    budget: Budget
    seed: int
    device: str
    heritage: Heritage | None
    weights: str | None
    costs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Limit:
    """A bound that a metric must keep: at most ``value`` for what is minimised, at least for what is maximised."""

    metric: str
    value: float
    upper: bool = True

    def broken(self, metrics: Mapping[str, float]) -> float:
        """By how much, relative to the bound; 0 when it is kept or the metric is not there."""
        if self.metric not in metrics:
            return 0.0
        excess = metrics[self.metric] - self.value if self.upper else self.value - metrics[self.metric]
        return max(0.0, excess / (abs(self.value) or 1.0))

    def __str__(self) -> str:
        return f"{self.metric} {'≤' if self.upper else '≥'} {self.value:g}"


def make_limits(constraints: Mapping[str, float]) -> tuple[Limit, ...]:
    """The limits of a study, each with the side that its metric has; InputError for what is no finite number."""
    from netwright.training.metrics import METRICS, PROXY_METRICS

    sides = {**PROXY_METRICS, **METRICS}
    limits = []
    for metric, value in constraints.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
            raise InputError(f"the constraint on '{metric}' is {value!r}, not a finite number")
        limits.append(Limit(metric, float(value), sides.get(metric, "minimize") == "minimize"))
    return tuple(limits)


@dataclass(frozen=True)
class Evaluation:
    """The whole way of a candidate; callable in a worker. ``report`` streams the reports to the driver.

    ``needed`` are the metrics that every answer holds, but that of the budget ``"proxy"``: proxies are no objective.
    An evaluator that knows nothing of proxies (no attribute ``answers_proxies``) is not asked for them: parameters and
    MACs are the answer. ``latency`` says where latencies are from, if they are asked for.
    """

    space: SearchSpace
    evaluator: Evaluator
    costs: tuple[str, ...]
    limits: tuple[Limit, ...]
    needed: tuple[str, ...]
    input_shape: tuple[int, ...] | None
    latency: Latency | Profile | None = None

    def __call__(self, task: Task) -> Record:
        from netwright.executors import report

        began = time.perf_counter()
        architecture = Architecture(task.architecture)
        metrics = dict(task.costs)
        alone = task.budget == PROXY and not getattr(self.evaluator, "answers_proxies", False)
        costs = dict.fromkeys((*self.costs, *(CHEAP if alone else ())))
        missing = [name for name in costs if name not in metrics]
        if missing:
            metrics |= measure_costs(self.space, self.input_shape, missing, architecture, self.latency)
        for limit in self.limits:
            if limit.broken(metrics) > 0:
                return {"metrics": metrics, "infeasible": str(limit), "seconds": time.perf_counter() - began}
        if alone:
            return {"metrics": check_metrics(metrics), "curve": [], "seconds": time.perf_counter() - began}
        curve: list[list[Any]] = []
        kept: dict[str, Any] = {}

        def on_report(step: int, values: Mapping[str, float]) -> None:
            point = [int(step), check_metrics(values)]
            curve.append(point)
            report({"number": task.number, "step": point[0], "metrics": point[1]})

        def on_keep(state: Mapping[str, Any]) -> None:
            if task.weights is None:
                return
            from netwright.training.weights import save_weights

            path = Path(task.weights)
            path.parent.mkdir(parents=True, exist_ok=True)
            kept.update(file=path.name, sha256=save_weights(path, dict(state)))

        candidate = Candidate(
            architecture, self.space, task.budget, task.seed, task.device, task.heritage, on_report, on_keep
        )
        # What asks for no chance is spared the states of three generators, which take longer than a look-up.
        with nullcontext() if getattr(self.evaluator, "deterministic", False) else seeded(task.seed):
            answer = check_metrics(self.evaluator(candidate))
        needed = () if task.budget == PROXY else self.needed
        lacking = [name for name in needed if name not in answer and name not in metrics]
        if lacking:
            raise BadResult(
                "bad_result", f"no metric '{lacking[0]}' in the evaluator's answer (it has {', '.join(sorted(answer))})"
            )
        record: Record = {"metrics": {**metrics, **answer}, "curve": curve, "seconds": time.perf_counter() - began}
        if kept:
            record["weights"] = kept
        return record


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Every usual source of chance follows the trial's seed, whatever ran before; afterwards all are as they were."""
    torch = sys.modules.get("torch")
    before = random.getstate(), np.random.get_state(), None if torch is None else torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    if torch is not None:
        # Not torch.manual_seed, which looks for every kind of device and takes longer than a small evaluation.
        torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        if torch is not None:
            torch.set_rng_state(before[2])


def measure_costs(
    space: SearchSpace,
    input_shape: Sequence[int] | None,
    names: Sequence[str],
    architecture: Architecture,
    latency: Latency | Profile | None = None,
) -> dict[str, float]:
    """The named costs of an architecture, on the meta device where they allow it; a worker's function too."""
    from netwright.costs import measure

    if input_shape is None:
        raise InputError(
            f"the costs {', '.join(names)} need to know the shape of an input",
            hint="Give the evaluator an input_shape, or the space input_shape=(channels, height, width)",
        )
    found = measure(space, architecture, tuple(input_shape), names, latency=latency)
    return {name: float(value) for name, value in found.items()}


def as_evaluator(function: Callable[..., Any], metric: str) -> Evaluator:
    """``function`` as an evaluator.

    An object whose class defines ``__call__`` and a function whose first parameter is called ``candidate`` are
    evaluators already; any other function is one of a network. A bare number is the value of ``metric``.
    """
    if not callable(function):
        raise InputError(
            f"an evaluator is a function of a candidate or of a network, found {type(function).__name__}",
            hint="For example nw.evaluators.Train(data, split=split), or def evaluate(network): return {'score': 0.5}",
        )
    plain = inspect.isroutine(function) or isinstance(function, partial)
    if not plain:
        return function
    parameters = [*inspect.signature(function).parameters] if not isinstance(function, type(operator.add)) else []
    of_candidate = bool(parameters) and parameters[0] == "candidate"
    return _FunctionEvaluator(function, metric, of_candidate)


@dataclass(frozen=True)
class _FunctionEvaluator:
    function: Callable[..., Any]
    metric: str
    of_candidate: bool

    def __call__(self, candidate: Candidate) -> Mapping[str, float]:
        answer = self.function(candidate if self.of_candidate else candidate.network())
        return answer if isinstance(answer, Mapping) else {self.metric: answer}
