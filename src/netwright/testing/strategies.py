"""The conformance suite of search strategies."""

from __future__ import annotations

import copy
import hashlib
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np
import torch

from netwright.architecture import Architecture
from netwright.errors import NetwrightError
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.testing import toy
from netwright.trial import PROXY, Failure, Objective, Proposal, State, Trial

Make = Callable[[], Strategy]
Fate = Callable[[int], State]

WINDOW = 4
EARLY, LATE, MEASURED = 150, 1_500, 20


def check_strategy(
    make_strategy: Make,
    spaces: Mapping[str, SearchSpace] | None = None,
    *,
    objectives: Sequence[Objective] = (toy.OBJECTIVE,),
    trials: int = 40,
    deterministic: bool = False,
    incremental: bool = True,
    proxies: Sequence[str] = ("synflow", "jacob_cov", "naswot"),
) -> None:
    """Tries a strategy on the contract of :class:`~netwright.strategies.base.Strategy`; AssertionError says what broke.

    ``make_strategy()`` gives a new one each time. ``spaces`` are those it is tried on, by name; without it a small one
    of each kind (:data:`netwright.testing.toy.SPACES`). Give it parameters with which it leaves its first phase well
    within ``trials``. ``deterministic`` is for one that draws nothing, such as a grid; ``incremental=False`` for one
    that hands its history to a library which goes through all of it at every ask, and that says so in its
    documentation. A proposal with the budget ``"proxy"`` comes back with ``proxies`` and without the objectives.

    Tried are: proposals fit the space and inherit from trials that have a score and are among ``heirs``; the same
    history and the same generators give the same proposals, one at a time and with four pending, at whatever time of
    the day; another seed gives others; nothing else is drawn from (the global generators of Python, NumPy and torch
    stay as they are); failed, infeasible, pruned and reused trials are survived, also when nothing ever succeeds, and
    an exhausted space; ``start`` forgets; what is told is left as it was; asking does not cost more as the history
    grows, counted in Python's own steps (a loop inside C code is not seen).
    """
    given = {name: make() for name, make in toy.SPACES.items()} if spaces is None else spaces
    for name, space in given.items():
        suite = _Suite(make_strategy, name, space, tuple(objectives), trials, tuple(proxies))
        suite.plays_valid_proposals()
        suite.replays()
        suite.forgets()
        suite.survives_failure()
    dials = _Suite(make_strategy, "dials", toy.SPACES["dials"](), tuple(objectives), trials, tuple(proxies))
    if not deterministic:
        dials.draws_from_the_generator()
    if incremental:
        dials.stays_incremental()


@dataclass(frozen=True)
class _Suite:
    make: Make
    name: str
    space: SearchSpace
    objectives: tuple[Objective, ...]
    trials: int
    proxies: tuple[str, ...]

    def plays_valid_proposals(self) -> None:
        for window in (1, WINDOW):
            before = _global_generators()
            self.play(self.make(), window=window)
            for owner, old, new in zip(("random", "numpy.random", "torch"), before, _global_generators(), strict=True):
                self.expect(
                    old == new,
                    f"drew from the global generator of {owner}; all randomness comes from the one given to ask",
                )

    def replays(self) -> None:
        for window in (1, WINDOW):
            first = self.play(self.make(), window=window)
            with _another_time():
                second = self.play(self.make(), window=window)
            self.expect_same(
                first,
                second,
                "the same history and generators gave other proposals",
                "its state is what it was told and its randomness the generator given to ask: no clock, no generator "
                "of its own, no order of a set",
            )

    def forgets(self) -> None:
        used = self.make()
        self.play(used, seed=1)
        self.expect_same(
            self.play(self.make()),
            self.play(used),
            "after a second start it did not propose what a new one proposes",
            "start forgets everything of an earlier study",
        )

    def survives_failure(self) -> None:
        self.play(self.make(), fate=lambda number: State.FAILED)
        self.play(self.make(), fate=lambda number: State.INFEASIBLE, window=WINDOW)

    def draws_from_the_generator(self) -> None:
        self.expect(
            self.play(self.make(), seed=0) != self.play(self.make(), seed=1),
            "proposed the same under another seed: it does not draw from the generator given to ask. "
            "One that draws nothing is checked with deterministic=True",
        )

    def stays_incremental(self) -> None:
        work = _Work(windows=((EARLY, 3 * MEASURED), (LATE, MEASURED)))
        self.play(self.make(), trials=LATE + MEASURED, work=work, quick=True)
        # An ask may be dear or cheap by what the strategy is at (a promotion, or the choice of a model), and a short
        # stretch may hold few dear ones: the usual one later is compared with the dearer fifth of the early ones.
        early = statistics.quantiles(work.counts[0], n=5)[-1] if len(work.counts[0]) > 1 else 0.0
        late = statistics.median(work.counts[1]) if work.counts[1] else 0.0
        self.expect(
            late <= 3 * early + 200,
            f"an ask after {LATE:,} trials takes {late:,.0f} steps of Python, after {EARLY} it took {early:,.0f}: "
            "keep what the next ask needs when a trial is told",
        )

    def play(
        self,
        strategy: Strategy,
        *,
        seed: int = 0,
        window: int = 1,
        fate: Fate | None = None,
        trials: int | None = None,
        work: _Work | None = None,
        quick: bool = False,
    ) -> list[Proposal]:
        """The proposals of a small study, in which proposal n has been told trials 0 … n − window."""
        objectives = list(self.objectives)
        with self.blame("start"):
            strategy.start(self.space, objectives)
        history = _History(self.objectives, self.proxies, fate or _mixed)
        proposals: list[Proposal] = []
        told = 0
        for number in range(self.trials if trials is None else trials):
            while told <= number - window:
                self.tell(strategy, history.trials[told])
                told += 1
            heirs = None if quick else strategy.heirs()
            proposal = self.ask(strategy, number, seed, work)
            if proposal is None:
                break
            if not quick:
                self.check(proposal, history.trials[:told], heirs)
            proposals.append(proposal)
            history.add(proposal)
        else:
            number += 1
        for trial in history.trials[told:]:
            self.tell(strategy, trial)
        self.ask(strategy, number, seed, None)
        self.expect(len(proposals) > 0, "proposed nothing at all")
        self.expect(
            history.untouched() and objectives == list(self.objectives), "changed what it was told: trials are shared"
        )
        return proposals

    def ask(self, strategy: Strategy, number: int, seed: int, work: _Work | None) -> Proposal | None:
        rng = np.random.default_rng([seed, number])
        with self.blame("ask"):
            if work is None:
                return strategy.ask(rng)
            with work.counting(number):
                return strategy.ask(rng)

    def tell(self, strategy: Strategy, trial: Trial) -> None:
        with self.blame(f"tell of a trial in state '{trial.state}'"):
            strategy.tell(trial)

    def check(self, proposal: Any, told: Sequence[Trial], heirs: Any) -> None:
        self.expect(isinstance(proposal, Proposal), f"ask gave {type(proposal).__name__}, it gives a Proposal or None")
        self.expect(
            isinstance(proposal.architecture, Architecture),
            f"proposed a {type(proposal.architecture).__name__}, a proposal holds an Architecture",
        )
        try:
            validated = self.space.validate(proposal.architecture)
        except NetwrightError as error:
            raise AssertionError(f"{self.who}: proposed what does not fit the space: {error}") from error
        self.expect(
            validated == proposal.architecture,
            f"proposed {proposal.architecture}, which the space reads as {validated}",
        )
        if proposal.inherits is None:
            return
        parents = {trial.number: trial for trial in told}
        self.expect(
            proposal.inherits in parents and parents[proposal.inherits].scored,
            f"inherits from {proposal.inherits!r}, which is not a trial with a score that it was told",
        )
        self.expect(
            heirs is None or proposal.inherits in heirs,
            f"inherits from trial {proposal.inherits}, which heirs did not name: its weights may be gone",
        )

    def expect_same(self, first: list[Proposal], second: list[Proposal], found: str, expected: str) -> None:
        for number, (one, other) in enumerate(zip(first, second, strict=False)):
            self.expect(
                one == other,
                f"{found}; number {number} was [{one.architecture}] inheriting {one.inherits}, "
                f"then [{other.architecture}] inheriting {other.inherits}. {expected[0].upper()}{expected[1:]}",
            )
        self.expect(len(first) == len(second), f"{found}: {len(first)} of them, then {len(second)}")

    @contextmanager
    def blame(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise AssertionError(f"{self.who}: {what} raised {type(error).__name__}: {error}") from error

    def expect(self, held: bool, sentence: str) -> None:
        if not held:
            raise AssertionError(f"{self.who}: {sentence}")

    @property
    def who(self) -> str:
        return f"strategy {getattr(self.make, '__name__', 'under test')} on the space '{self.name}'"


def _mixed(number: int) -> State:
    for every, state in ((7, State.FAILED), (11, State.INFEASIBLE), (13, State.PRUNED)):
        if number % every == every // 2:
            return state
    return State.FINISHED


@dataclass
class _History:
    """What a study would have recorded: a repetition of a scored trial is reused."""

    objectives: tuple[Objective, ...]
    proxies: tuple[str, ...]
    fate: Fate
    trials: list[Trial] = field(default_factory=list)
    _copies: list[Trial] = field(default_factory=list)
    _scored: set[tuple[Architecture, Any]] = field(default_factory=set)

    def add(self, proposal: Proposal) -> None:
        number = len(self.trials)
        state = self.fate(number)
        known = (proposal.architecture, proposal.budget)
        if known in self._scored:
            state = State.REUSED
        scored = state in (State.FINISHED, State.REUSED)
        if scored:
            self._scored.add(known)
        names = self.proxies if proposal.budget == PROXY else [objective.metric for objective in self.objectives]
        trial = Trial(
            number,
            proposal,
            state,
            metrics=_metrics(proposal.architecture, names) if scored else {},
            error=Failure("exception", "it was meant to fail") if state is State.FAILED else None,
            seconds=0.0 if state is State.REUSED else 1.0,
        )
        self.trials.append(trial)
        self._copies.append(copy.deepcopy(trial))

    def untouched(self) -> bool:
        return self.trials == self._copies


def _metrics(architecture: Architecture, names: Sequence[str]) -> dict[str, float]:
    """A number in [0, 1) for each name that depends on nothing but the architecture."""
    return {
        name: int.from_bytes(hashlib.sha256(f"{name} {architecture.to_json()}".encode()).digest()[:6]) / 2**48
        for name in names
    }


def _global_generators() -> tuple[Any, ...]:
    kind, keys, *rest = np.random.get_state()
    return random.getstate(), (kind, np.asarray(keys).tolist(), *rest), torch.get_rng_state().tolist()


_CLOCKS = ("time", "monotonic", "perf_counter", "process_time")


@contextmanager
def _another_time() -> Iterator[None]:
    """Every clock of the module ``time`` is ahead, by a number that no usual rounding hides."""
    ahead = 123_456_789.123457
    real = {name: getattr(time, name) for name in (*_CLOCKS, *(f"{clock}_ns" for clock in _CLOCKS))}

    def shifted(name: str) -> Callable[[], float]:
        clock, shift = real[name], ahead * 1e9 if name.endswith("_ns") else ahead
        return lambda: type(clock())(clock() + shift)

    try:
        for name in real:
            setattr(time, name, shifted(name))
        yield
    finally:
        for name, clock in real.items():
            setattr(time, name, clock)


@dataclass
class _Work:
    """Counts the steps that Python takes in some asks: of each window, so many from a number of trials on."""

    windows: tuple[tuple[int, int], ...]
    counts: list[list[int]] = field(default_factory=list)
    _steps: int = 0

    def __post_init__(self) -> None:
        self.counts = [[] for _ in self.windows]

    @contextmanager
    def counting(self, number: int) -> Iterator[None]:
        measured = [index for index, (begin, count) in enumerate(self.windows) if begin <= number < begin + count]
        if not measured:
            yield
            return
        before = sys.gettrace()
        self._steps = 0
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)
            self.counts[measured[0]].append(self._steps)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        frame.f_trace_opcodes = True
        self._steps += 1
        return self._trace
