"""The driver: asks, claims, submits, commits, tells; and nothing of it twice.

The order in which a strategy is asked and told depends on the trials' numbers alone: before proposal *n* is asked the
strategy is told trials 0 … *n − parallel*, so the history is the same for any number of workers and any order of
finishing. An asynchronous study tells each trial as it ends, and journals that order.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from netwright.errors import InputError, TooManyFailures
from netwright.evaluators.base import Heritage
from netwright.executors import TaskFailed
from netwright.failpoints import failpoint
from netwright.progress import Phase, Progress, Watch
from netwright.stores.base import Event, Store
from netwright.strategies.base import Strategy
from netwright.study.ancestors import Ancestor, nearest
from netwright.study.budgets import extent, ranks
from netwright.study.candidates import Evaluation, Task
from netwright.study.feasibility import Feasibility
from netwright.study.history import Claim, History
from netwright.study.signals import Signals
from netwright.trial import PROXY, Failure, Objective, Proposal, State, Trial

Clock = Callable[[], float]
_TICK = 0.1
_BURST = 32
MAX_REPEATS = 500
"""A study ends after so many trials in a row that brought nothing to evaluate: the space is used up."""


def generator(seed: int, number: int) -> np.random.Generator:
    """The randomness of proposal ``number``."""
    return np.random.default_rng([seed, number, 0])


def trial_seed(seed: int, number: int) -> int:
    """The seed of the initial weights and of the training of trial ``number``."""
    return int(np.random.SeedSequence([seed, number, 1]).generate_state(1)[0]) & 0x7FFFFFFF


@dataclass
class Settings:
    """What a run was asked for."""

    seed: int
    parallel: int
    asynchronous: bool
    inherit: bool
    n_jobs: int
    objectives: tuple[Objective, ...]
    max_trials: int | None
    time_limit: float | None
    max_consecutive_failures: int
    device: str
    grace: float
    measured: tuple[str, ...] = ()
    least: int = 0


@dataclass
class Driver:
    """One run over an open store. ``history`` holds what the store holds; both grow together."""

    strategy: Strategy
    evaluation: Evaluation
    store: Store
    history: History
    executor: Executor
    settings: Settings
    weights: Path
    signals: Signals
    clock: Clock = time.monotonic
    feasibility: Feasibility | None = None
    ancestors: tuple[Ancestor, ...] = ()
    watch: Watch | None = None
    callbacks: tuple[Any, ...] = ()
    stop: Callable[[], bool] | None = None
    study: Any = None

    running: dict[Future[Any], Claim] = field(default_factory=dict)
    waiting: dict[int, list[Claim]] = field(default_factory=dict)
    requeued: deque[Claim] = field(default_factory=deque)
    told: int = 0
    seen: set[int] = field(default_factory=set)
    inheritable: set[int] = field(default_factory=set)
    parents: dict[int, int] = field(default_factory=dict)
    exhausted: bool = False
    dry: int = -1
    """The number for which the strategy had nothing to propose while others were pending."""

    def run(self) -> str:
        """Runs until a limit, a signal or the strategy ends it; answers which: why it ended."""
        self.began = self.clock()
        self.before = self.history.seconds
        self.this_run = self.history.runs
        self.ends: deque[float] = deque()
        self.counts = Counter(str(trial.state) for trial in self.history.trials.values())
        self.best = self._best_of(self.history.trials.values())
        self.last_tick = -1.0
        self._note("run", n_jobs=self.settings.n_jobs)
        self.judged = self._prefix()
        self.streak: list[Trial] = []
        self.repeats = 0
        for number in range(self.judged):
            self._count_repeat(self.history.trials[number])
        try:
            self._replay()
            reason = self._loop()
        finally:
            self._abandon(0.0)
        self._note("run ended", reason=reason)
        return reason

    def elapsed(self) -> float:
        """Seconds of this run."""
        return self.clock() - self.began

    def left(self) -> float | None:
        """Seconds until the time limit, which is one for all runs of the study together; None without a limit."""
        limit = self.settings.time_limit
        return None if limit is None else limit - self.before - self.elapsed()

    def _replay(self) -> None:
        """Asks and tells again what the journal holds, in the journal's order, and checks that it is the same."""
        for kind, number in self._journaled_order():
            if kind == "ended":
                self._tell(self.history.trials[number])
                continue
            claim = self.history.claims[number]
            if self.feasibility is not None:
                self.feasibility.remember(claim.proposal.architecture, dict(claim.costs), claim.refused)
            proposal = self._ask(number) or self._ask_again(number)
            if proposal != claim.proposal:
                raise InputError(
                    f"trial {number} would be another architecture than the one in the journal",
                    hint="The study was made with another version of its space or strategy; start a new one",
                )
            self.history.adopt(number, proposal)
        if self.feasibility is not None:
            self.feasibility.take_fresh()
        self._remove_strays()
        for claim in self.history.claims:
            if claim.number in self.history.trials:
                continue
            first = self.history.by_work[self.history.work(claim.proposal)]
            if first == claim.number:
                self.requeued.append(claim)
                continue
            self._claim_again(claim)
            if first in self.history.trials:
                self._end_like(claim, first)
            else:
                self.waiting.setdefault(first, []).append(claim)

    def _journaled_order(self) -> Iterator[tuple[str, int]]:
        if self.settings.asynchronous:
            yield from self.history.order
            return
        for claim in list(self.history.claims):
            while self.told <= claim.number - self.settings.parallel:
                yield "ended", self.told
            yield "claimed", claim.number

    def _loop(self) -> str:
        while True:
            if self.signals.count:
                self._abandon(self.settings.grace)
                return "stopped"
            left, enough = self.left(), self._has_least()
            if enough and left is not None and left <= 0:
                return "time limit"
            if enough and self.stop is not None and self.stop():
                # There is time: what runs may finish, so that its work counts.
                self._abandon(math.inf if left is None else left)
                return "stopped by the caller"
            launched = self._launch()
            if not self.running and not launched:
                return "nothing left" if self.exhausted else "trials done"
            if self.repeats >= MAX_REPEATS and not self.running:
                return "nothing left"
            self._collect(self._tick() if left is None or left <= 0 else min(self._tick(), left))

    def _has_least(self) -> bool:
        """Whether there are as many trials as a limit has to leave; those that failed leave nothing to choose from."""
        useful = (
            trial
            for trial in self.history.trials.values()
            if trial.state is not State.FAILED and trial.proposal.budget != PROXY
        )
        return len(list(islice(useful, self.settings.least))) == self.settings.least

    def _launch(self) -> bool:
        """Sends trials out until the workers are busy; False when there was nothing to send."""
        for launched in range(_BURST):
            if len(self.running) >= self.settings.n_jobs:
                return True
            left = self.left()
            if launched and (self.signals.count or (left is not None and left <= 0)):
                # What breaks a measured limit fills no worker, and took its time.
                return True
            if self.requeued:
                claim = self.requeued.popleft()
                self._claim_again(claim)
                self._submit(claim)
            elif self.repeats >= MAX_REPEATS or not self._next():
                return launched > 0
        return True

    def _next(self) -> bool:
        """Asks for one proposal and sends it on its way; False when none may be asked now."""
        number = len(self.history.claims)
        settings = self.settings
        counted = number - self.history.claimed_proxies
        if self.exhausted or (settings.max_trials is not None and counted >= settings.max_trials):
            return False
        if not settings.asynchronous:
            seen = number - settings.parallel
            if seen >= 0 and self._prefix() <= seen:
                return False
            while self.told <= seen:
                self._tell(self.history.trials[self.told])
        proposal = None if number == self.dry else self._ask(number)
        if proposal is None:
            if not settings.asynchronous:
                self.dry = number
            if self.running:
                return False  # what is pending may bring something to propose
            proposal = self._ask_again(number)
        if proposal is None:
            self.exhausted = True
            return False
        self._claim(number, proposal)
        return True

    def _ask(self, number: int) -> Proposal | None:
        proposal = self.strategy.ask(generator(self.settings.seed, number))
        if proposal is not None and not self.settings.inherit and proposal.inherits is not None:
            proposal = replace(proposal, inherits=None)
        if proposal is not None and proposal.inherits is not None:
            parent = self.history.source.get(proposal.inherits, proposal.inherits)
            if parent in self.inheritable:
                self.parents[number] = parent
        return proposal

    def _ask_again(self, number: int) -> Proposal | None:
        """Asks a strategy that had nothing to propose once more, when it has been told every trial before.

        Such as the promotion of an architecture whose trial was pending, in a space without any others.
        """
        if self.settings.asynchronous:
            return self._ask(number)
        if self.told == number:
            return None
        while self.told < number:
            self._tell(self.history.trials[self.told])
        return self._ask(number)

    def _tell(self, trial: Trial) -> None:
        self.strategy.tell(trial)
        self.told += 1
        self.seen.add(trial.number)
        self.inheritable.add(trial.number)
        if self.told % 16 == 0:
            self._remove_weights()

    def _claim(self, number: int, proposal: Proposal) -> None:
        claim = Claim(number, proposal, trial_seed(self.settings.seed, number))
        first = self.history.by_work.get(self.history.work(proposal))
        if self.feasibility is not None:
            claim.refused = tuple(self.feasibility.take_fresh())
            claim.costs = self.feasibility.costs(proposal.architecture) if first is None else {}
        failpoint("before_claim")
        if first is not None:
            self._append([self._claimed(claim)])
            failpoint("after_claim")
            claim = self.history.adopt(number, proposal)
            if first in self.history.trials:
                self._end_like(claim, first)
            else:
                self.waiting.setdefault(first, []).append(claim)
            return
        failure = self._measure(claim)
        claim.begins = self._begins(claim)
        broken = next((limit for limit in self.evaluation.limits if limit.broken(claim.costs) > 0), None)
        self._append([self._claimed(claim)])
        failpoint("after_claim")
        claim = self.history.adopt(number, proposal)
        if failure is not None:
            self._end([self._ended(claim, State.FAILED, dict(claim.costs), error=failure)])
        elif broken is not None:
            self._end([self._ended(claim, State.INFEASIBLE, dict(claim.costs), note=str(broken))])
        else:
            self._submit(claim)

    def _claim_again(self, claim: Claim) -> None:
        """Claims what another run left unfinished: the store takes its end from the run that claimed it alone."""
        claim.attempt += 1
        self._append([self._claimed(claim)])

    def _measure(self, claim: Claim) -> Failure | None:
        """Measures what may differ from time to time, such as latency, with the workers paused; once.

        What cannot be measured is not worth a training: the failure is the trial's.
        """
        if not self.settings.measured or self.feasibility is None:
            return None
        from netwright.study.candidates import measure_costs

        pause = getattr(self.executor, "pause", nullcontext)
        try:
            with pause():
                costs = self.feasibility.executor.submit(
                    measure_costs,
                    self.evaluation.space,
                    self.feasibility.input_shape,
                    self.settings.measured,
                    claim.proposal.architecture,
                    self.evaluation.latency,
                ).result()
        except TaskFailed as failed:
            return failed.failure
        claim.costs = {**claim.costs, **costs}
        return None

    def _submit(self, claim: Claim) -> None:
        task = Task(
            claim.number,
            claim.attempt,
            dict(claim.proposal.architecture),
            claim.proposal.budget,
            claim.seed,
            self.settings.device,
            self._heritage(claim),
            str(self.weights / f"{claim.number}-{claim.attempt}.safetensors"),
            dict(claim.costs),
        )
        self.running[self.executor.submit(self.evaluation, task)] = claim

    def _heritage(self, claim: Claim) -> Heritage | None:
        """Its parent's weights, or else those of another study that the claim names."""
        if claim.begins is not None:
            known = next(each for each in self.ancestors if each.said() == claim.begins)
            return Heritage(known.trial, known.weights, False, sha256=known.sha256, study=known.study)
        number = self.parents.get(claim.number)
        kept = None if number is None else self.history.weights.get(number)
        weightless = getattr(self.evaluation.evaluator, "weightless", False)
        if number is None or (kept is None and not weightless):
            return None
        parent = self.history.trials[number]
        epochs = parent.metrics.get("lineage_epochs", parent.metrics.get("epochs", 0.0))
        same = parent.architecture == claim.proposal.architecture
        if kept is None:
            return Heritage(number, self.weights, same, epochs)
        return Heritage(number, self.weights / kept["file"], same, epochs, kept["sha256"])

    def _begins(self, claim: Claim) -> dict[str, Any] | None:
        """Whose weights of another study a trial without a parent here begins from: the nearest architecture's."""
        if claim.proposal.budget == PROXY or self._heritage(claim) is not None:
            return None
        ancestor = nearest(self.ancestors, claim.proposal.architecture)
        return None if ancestor is None else ancestor.said()

    def _collect(self, timeout: float) -> None:
        done = [future for future in self.running if future.done()]
        if not done:
            done = self._wait(timeout)
        if done:
            self._finish(done)
        now = self.clock()
        if done or now - self.last_tick > 0.25:
            self.last_tick = now
            if not done:
                self._show(None)

    def _wait(self, timeout: float) -> list[Future[Any]]:
        """What has ended, or ends within so many seconds of the executor's time: a simulated one lets it pass."""
        return list(getattr(self.executor, "wait", wait)(self.running, timeout, FIRST_COMPLETED).done)

    def _tick(self) -> float:
        """How long to wait at most before signals, ``stop`` and the watch are looked at."""
        return float(getattr(self.executor, "tick", _TICK))

    def _finish(self, done: list[Future[Any]]) -> None:
        ended = []
        # What ended at one moment ends in the order of its numbers: sets of futures have none of their own.
        for future in sorted(done, key=lambda future: self.running[future].number):
            claim = self.running.pop(future)
            failpoint("after_evaluate")
            ended.append(self._outcome(claim, future))
        self._end([event for event in ended if event is not None])

    def _outcome(self, claim: Claim, future: Future[Any]) -> Event | None:
        try:
            record = future.result()
        except TaskFailed as failed:
            return self._ended(claim, State.FAILED, dict(claim.costs), error=failed.failure)
        except CancelledError:
            self.requeued.appendleft(claim)
            return None
        if "infeasible" in record:
            return self._ended(
                claim, State.INFEASIBLE, record["metrics"], seconds=record["seconds"], note=record["infeasible"]
            )
        return self._ended(
            claim,
            State.FINISHED,
            record["metrics"],
            seconds=record["seconds"],
            curve=record.get("curve", []),
            weights=record.get("weights"),
        )

    def _end(self, events: list[Event]) -> None:
        """Commits the ends, and only then shows them to anybody."""
        if not events:
            return
        self._append(events)
        numbers = [int(event.body["number"]) for event in events]
        for number in numbers:
            trial = self.history.trials[number]
            self.ends.append(self.clock())
            self.counts[str(trial.state)] += 1
            if ranks(trial) and (self.best is None or self._is_better(trial, self.best)):
                self.best = trial
            if self.settings.asynchronous:
                self._tell(trial)
            self._show(trial)
            for callback in self.callbacks:
                getattr(callback, "on_trial_end", callback)(self.study, trial)
        failpoint("after_ack")
        self._judge()
        for number in numbers:
            for claim in self.waiting.pop(number, ()):
                self._end_like(claim, number)

    def _end_like(self, claim: Claim, first: int) -> None:
        """Ends a trial whose work another trial has done."""
        trial = self.history.trials[first]
        state = State.REUSED if trial.state is State.FINISHED else trial.state
        self._end([self._ended(claim, state, dict(trial.metrics), error=trial.error, of=first)])

    def _judge(self) -> None:
        """Counts failures in a row, in the order of the numbers, and stops the study when they are too many."""
        prefix = self._prefix()
        while self.judged < prefix:
            trial = self.history.trials[self.judged]
            self.judged += 1
            self._count_repeat(trial)
            if trial.state is State.FAILED:
                self.streak.append(trial)
            elif trial.state is State.FINISHED:
                self.streak.clear()
            if len(self.streak) >= self.settings.max_consecutive_failures:
                raise too_many_failures(self.streak)

    def _count_repeat(self, trial: Trial) -> None:
        self.repeats = self.repeats + 1 if trial.state in (State.REUSED, State.INFEASIBLE) else 0

    def _prefix(self) -> int:
        """How many trials have ended without a gap from number 0 on."""
        known = getattr(self, "_prefix_known", 0)
        while known in self.history.trials:
            known += 1
        self._prefix_known = known
        return known

    def _abandon(self, grace: float) -> None:
        """Lets what runs finish for ``grace`` seconds, then ends it; unfinished trials run again on resume."""
        until = time.monotonic() + grace
        while self.running and time.monotonic() < until and self.signals.count < 2:
            done = self._wait(self._tick() / 2)
            if done:
                self._finish(done)
        if self.running:
            cancel_running(self.executor, list(self.running))
            self.running.clear()

    def _claimed(self, claim: Claim) -> Event:
        proposal = claim.proposal
        body: dict[str, Any] = {
            "number": claim.number,
            "attempt": claim.attempt,
            "architecture": dict(proposal.architecture),
            "budget": proposal.budget,
            "inherits": proposal.inherits,
            "seed": claim.seed,
            **self._reading(),
        }
        if claim.costs:
            body["costs"] = dict(claim.costs)
        if claim.refused:
            body["refused"] = list(claim.refused)
        if claim.begins is not None:
            body["begins"] = dict(claim.begins)
        return Event("claimed", body)

    def _ended(
        self,
        claim: Claim,
        state: State,
        metrics: dict[str, float],
        *,
        seconds: float = 0.0,
        curve: list[Any] | None = None,
        error: Failure | None = None,
        weights: dict[str, Any] | None = None,
        of: int | None = None,
        note: str | None = None,
    ) -> Event:
        body: dict[str, Any] = {
            "number": claim.number,
            "attempt": claim.attempt,
            "state": str(state),
            "metrics": metrics,
            "curve": curve or [],
            "error": None,
            "seconds": seconds,
            "weights": weights,
            **self._reading(),
        }
        if error is not None:
            body["error"] = {"kind": error.kind, "message": error.message, "detail": error.detail}
        if of is not None:
            body["of"] = of
        if note is not None:
            body["note"] = note
        return Event("ended", body)

    def _reading(self) -> dict[str, Any]:
        return {"clock": round(self.elapsed(), 3), "run": self.this_run}

    def _note(self, topic: str, **body: Any) -> None:
        self._append([Event("noted", {"topic": topic, **body, **self._reading()})])

    def _append(self, events: list[Event]) -> None:
        self.store.append(events)
        for event in events:
            self.history.add(event)

    def _remove_weights(self) -> None:
        """Removes the weights that no proposal can inherit any more.

        What can be inherited follows from what the strategy was told alone. Some files stay longer, those of pending
        trials' parents and of the best: when they go depends on who ends first, so a trial that reuses one of them
        does not make it inheritable again.
        """
        heirs = self.strategy.heirs()
        if heirs is None:
            return
        needed = {self.history.source.get(number, number) for number in heirs}
        self.inheritable &= needed
        pending = range(self._prefix(), len(self.history.claims))
        needed |= {self.parents[number] for number in pending if number in self.parents}
        if self.best is not None:
            needed.add(self.history.source.get(self.best.number, self.best.number))
        for number in [number for number in self.history.weights if number in self.seen and number not in needed]:
            name = self.history.weights.pop(number)["file"]
            for file in self.weights.glob(f"{name}*"):
                file.unlink(missing_ok=True)

    def _remove_strays(self) -> None:
        """Removes what a driver or worker that died was writing: weights that no trial in the journal names."""
        named = {weights["file"] for weights in self.history.weights.values()}
        for file in self.weights.glob("*.safetensors*"):
            if file.name.removesuffix(".json").removesuffix(".previous") not in named:
                file.unlink(missing_ok=True)
        for file in self.weights.glob(".*.tmp"):
            file.unlink(missing_ok=True)

    def _is_better(self, a: Trial, b: Trial) -> bool:
        """At a larger budget, or at the same with a better score."""
        larger, smaller = extent(a.proposal.budget), extent(b.proposal.budget)
        if larger != smaller:
            return larger > smaller
        objective = self.settings.objectives[0]
        return objective.better(a.metrics[objective.metric], b.metrics[objective.metric])

    def _best_of(self, trials: Any) -> Trial | None:
        best: Trial | None = None
        for trial in sorted(trials, key=lambda trial: trial.number):
            if ranks(trial) and (best is None or self._is_better(trial, best)):
                best = trial
        return best

    def _show(self, ended: Trial | None, phase: Phase = "search") -> None:
        if self.watch is None:
            return
        now = self.clock()
        while self.ends and now - self.ends[0] > 60:
            self.ends.popleft()
        elapsed = self.elapsed()
        settings = self.settings
        left = self.left()
        fractions = [
            (self.before + elapsed) / settings.time_limit if settings.time_limit else None,
            self.history.counted / settings.max_trials if settings.max_trials else None,
        ]
        known = [fraction for fraction in fractions if fraction is not None]
        self.watch(
            Progress(
                phase=phase,
                metric=settings.objectives[0].metric,
                trials=len(self.history.trials),
                finished=self.counts["finished"],
                failed=self.counts["failed"],
                reused=self.counts["reused"],
                infeasible=self.counts["infeasible"],
                running=len(self.running),
                best=self.best,
                ended=ended,
                elapsed=self.before + elapsed,
                remaining=None if left is None else max(0.0, left),
                fraction=min(1.0, max(known)) if known else None,
                per_minute=len(self.ends) * 60 / max(1.0, min(60.0, elapsed)),
            )
        )


def cancel_running(executor: Executor, futures: list[Future[Any]]) -> None:
    """Ends what still runs: at once where the executor can, else by waiting for it."""
    end = getattr(executor, "cancel_running", None)
    if end is not None:
        end(futures)
    else:
        wait(futures)


def too_many_failures(streak: list[Trial], *, more: str = "") -> TooManyFailures:
    """The error that says what failed how often; ``more`` is what a search that goes on is to be given."""
    causes = Counter(str(trial.error)[:60] for trial in streak).most_common(3)
    text = "; ".join(f"{count}× {cause}" for cause, count in causes)
    return TooManyFailures(
        f"{len(streak)} trial{'s in a row' * (len(streak) > 1)} failed ({text})",
        hint=f"Mend the cause, then resume{more}; --debug shows the tracebacks",
    )
