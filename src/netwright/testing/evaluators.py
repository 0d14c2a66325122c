"""The conformance suite of evaluators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netwright.architecture import Architecture
from netwright.evaluators.base import Candidate, Evaluator
from netwright.space import SearchSpace
from netwright.testing import toy
from netwright.trial import Budget


def check_evaluator(
    evaluator: Evaluator,
    space: SearchSpace | None = None,
    *,
    budget: Budget = None,
    expects: Sequence[str] = (),
    samples: int = 3,
) -> None:
    """Tries an evaluator on architectures of ``space`` (a toy one if none is given); AssertionError says what broke.

    Tried are: it answers with names and finite numbers, ``expects`` among the names; the same candidate with the same
    seed gets the same numbers; its reports count upwards and are finite too; the architecture is left as it was.
    """
    space = toy.SPACES["flat"]() if space is None else space
    rng = np.random.default_rng(0)
    for seed in range(samples):
        architecture = space.sample(rng)
        first, reports = _evaluate(evaluator, space, architecture, budget, seed)
        second, _ = _evaluate(evaluator, space, architecture, budget, seed)
        missing = [name for name in expects if name not in first]
        _expect(not missing, f"answers without {', '.join(missing)}, found {', '.join(first)}")
        _expect(first == second, f"the same candidate and seed got {first}, then {second}")
        steps = [step for step, _ in reports]
        _expect(steps == sorted(set(steps)), f"its reports do not count upwards: steps {steps}")
        for step, metrics in reports:
            _check_metrics(metrics, f"its report at step {step}")


def _evaluate(
    evaluator: Evaluator, space: SearchSpace, architecture: Architecture, budget: Budget, seed: int
) -> tuple[Mapping[str, float], list[tuple[int, Mapping[str, float]]]]:
    reports: list[tuple[int, Mapping[str, float]]] = []
    text = Architecture(dict(architecture)).to_json()
    candidate = Candidate(
        architecture, space, budget, seed, on_report=lambda step, metrics: reports.append((step, dict(metrics)))
    )
    try:
        answer = evaluator(candidate)
    except Exception as error:
        raise AssertionError(f"evaluator: raised {type(error).__name__} for [{architecture}]: {error}") from error
    _check_metrics(answer, "its answer")
    _expect(len(answer) > 0, "answers with no metric at all")
    _expect(Architecture(dict(architecture)).to_json() == text, "changed the architecture it was given")
    return answer, reports


def _check_metrics(metrics: Any, what: str) -> None:
    _expect(isinstance(metrics, Mapping), f"{what} is a mapping of names to numbers, found {type(metrics).__name__}")
    for name, value in metrics.items():
        _expect(isinstance(name, str), f"{what} has the name {name!r}, names are strings")
        plain = value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
        number = isinstance(plain, int | float) and not isinstance(plain, bool)
        _expect(number and math.isfinite(plain), f"{what} has {name}={value!r}, a finite number was expected")


def _expect(held: bool, sentence: str) -> None:
    if not held:
        raise AssertionError(f"evaluator: {sentence}")
