"""Rungs: what the strategies share that begin cheaply and promote the best to larger budgets."""

from __future__ import annotations

import bisect
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, final

import numpy as np

from netwright.architecture import Architecture
from netwright.arguments import is_number, positive, whole
from netwright.errors import InputError
from netwright.trial import Budget, Objective, Proposal, Trial

Entry = tuple[float, int, Architecture]
"""A trial in a rung: its score with the sign turned, its number, its architecture. The best sorts first, and of equal
ones the first by number."""

Draw = Callable[[np.random.Generator], Architecture | None]
Plan = tuple[int, tuple[Budget, ...]]
"""A bracket: how many architectures begin, and the budgets of its rungs, the smallest first."""

T = TypeVar("T")


def ladder(
    owner: str, min_budget: float, max_budget: float, eta: int, budgets: Sequence[Budget] | None
) -> tuple[Budget, ...]:
    """The budgets of the rungs, ascending: ``budgets`` where they are given, else max·eta^−k for k = s_max … 0.

    s_max = ⌊log_eta(max/min)⌋ is found by multiplying: log(243)/log(3) is 4.999… in floating point. Whole ends give
    whole budgets, the nearest ones. InputError, in the name of ``owner``, for what is no ladder.
    """
    whole(owner, 2, eta=eta)
    if budgets is not None:
        return _given(owner, tuple(budgets))
    positive(owner, min_budget=min_budget, max_budget=max_budget)
    if min_budget > max_budget:
        raise InputError(f"{owner}: min_budget is at most max_budget, found {min_budget!r} and {max_budget!r}")
    exact = isinstance(min_budget, int) and isinstance(max_budget, int)
    slack = 1.0 if exact else 1.0 + 1e-9
    steps = 0
    while min_budget * eta ** (steps + 1) <= max_budget * slack:
        steps += 1
    parts = [eta**step for step in range(steps, -1, -1)]
    if exact:
        return tuple((2 * int(max_budget) + part) // (2 * part) for part in parts)
    return tuple(max_budget / part for part in parts)


def entry(trial: Trial, objective: Objective) -> Entry:
    """The place of a trial in its rung. One without a score (failed, infeasible, pruned) is behind all others."""
    score = objective.score(trial.metrics) if trial.scored else -math.inf
    return -score, trial.number, trial.architecture


@final
class Pending(Generic[T]):
    """What was proposed and not told yet, and what each was proposed for.

    A strategy does not know the number of its proposal; architecture and budget tell which it was. Of two proposals of
    the same work the first is told first.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[Architecture, Budget], deque[T]] = {}

    def add(self, proposal: Proposal, purpose: T) -> Proposal:
        self._waiting.setdefault((proposal.architecture, proposal.budget), deque()).append(purpose)
        return proposal

    def take(self, trial: Trial) -> T | None:
        """What the trial was proposed for; None for one that was not proposed here."""
        key = trial.architecture, trial.proposal.budget
        purposes = self._waiting.get(key)
        if purposes is None:
            return None
        purpose = purposes.popleft()
        if not purposes:
            del self._waiting[key]
        return purpose


@final
class Brackets:
    """Brackets of successive halving, one after the other without end.

    Each begins with new architectures at the smallest of its budgets. When all of a rung have ended, its best
    ⌊size/eta⌋ are promoted to the next budget, each starting from its own weights. While a rung waits for results the
    next bracket begins, so there is always something to propose; what the oldest bracket can go on with comes first.
    A rung that is short because the space is exhausted promotes at least one.
    """

    def __init__(self, plans: Iterator[Plan], eta: int, objective: Objective, draw: Draw) -> None:
        self._plans, self._eta, self._objective, self._draw = plans, eta, objective, draw
        self._open: list[_Bracket] = []
        self._pending: Pending[_Bracket] = Pending()
        self._exhausted = False

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        """The next proposal; None when no rung has anything to go on with and the space is exhausted."""
        for bracket in self._open:
            proposal = self._continue(bracket, rng)
            if proposal is not None:
                return proposal
        if self._exhausted:
            return None
        bracket = _Bracket(*next(self._plans))
        proposal = self._continue(bracket, rng)
        if proposal is not None:
            self._open.append(bracket)
        return proposal

    def tell(self, trial: Trial) -> None:
        bracket = self._pending.take(trial)
        if bracket is None:
            return
        bisect.insort(bracket.ended, entry(trial, self._objective))
        bracket.close(self._eta)
        if bracket.over:
            self._open.remove(bracket)

    def heirs(self) -> list[int]:
        """The trials that are promoted or may be: those that wait for it, and the best of each unfinished rung."""
        found: list[int] = []
        for bracket in self._open:
            found += [number for number, _ in bracket.promoted]
            found += [number for _, number, _ in bracket.best(self._eta)]
        return found

    def _continue(self, bracket: _Bracket, rng: np.random.Generator) -> Proposal | None:
        if bracket.promoted:
            number, architecture = bracket.promoted.popleft()
            bracket.asked += 1
            proposal = Proposal(architecture, budget=bracket.budgets[bracket.level], inherits=number)
            return self._pending.add(proposal, bracket)
        if bracket.level > 0 or bracket.asked == bracket.size:
            return None
        drawn = None if self._exhausted else self._draw(rng)
        if drawn is None:
            self._exhausted = True
            bracket.size = bracket.asked
            bracket.close(self._eta)
            self._open = [other for other in self._open if not other.over]
            # What has just been closed may have something to promote.
            return self._continue(bracket, rng) if bracket.promoted else None
        bracket.asked += 1
        return self._pending.add(Proposal(drawn, budget=bracket.budgets[0]), bracket)


@final
class _Bracket:
    """One bracket: the rung that it is at, what of it was asked, has ended, and waits to be promoted into it."""

    def __init__(self, size: int, budgets: tuple[Budget, ...]) -> None:
        self.size, self.budgets = size, budgets
        self.level = self.asked = 0
        self.ended: list[Entry] = []
        self.promoted: deque[tuple[int, Architecture]] = deque()
        self.over = False

    def best(self, eta: int) -> list[Entry]:
        """Those of the rung that may go on, by what is known; none of the last rung."""
        if self.level == len(self.budgets) - 1:
            return []
        return [ended for ended in self.ended[: max(1, self.size // eta)] if ended[0] < math.inf]

    def close(self, eta: int) -> None:
        """Goes on to the next rung where all of this one have ended."""
        if self.over or len(self.ended) < self.size:
            return
        winners = self.best(eta)
        self.over = not winners
        self.level += 1
        self.size, self.asked, self.ended = len(winners), 0, []
        self.promoted.extend((number, architecture) for _, number, architecture in winners)


def _given(owner: str, budgets: tuple[Budget, ...]) -> tuple[Budget, ...]:
    numbers = budgets[:-1] if budgets and budgets[-1] is None else budgets
    if not budgets or not all(is_number(budget) and budget > 0 for budget in numbers):
        raise InputError(
            f"{owner}: budgets are numbers above 0, the last may be None (the full budget), found {budgets!r}"
        )
    if any(a >= b for a, b in itertools.pairwise(numbers)):  # type: ignore[operator]
        raise InputError(f"{owner}: budgets ascend, found {', '.join(map(str, budgets))}")
    return budgets
