"""Row 4: does the harness see bugs? Each of these is planted in the drivers, and a check must turn red.

A plant is a change to one name of the package, made in a driver after its fork and gone with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from tests.faults import candidates, damage
from tests.faults.crashes import Trouble, dying_at, uninterrupted
from tests.faults.drivers import Plan
from tests.faults.records import Record, folder, record

from netwright.failpoints import failpoint
from netwright.stores import Event
from netwright.trial import State

# The planted code stands in for the package's own, whatever the types of that are.
Anything = Any


def acknowledged_before_committed() -> None:
    driver: Anything = _driver()
    append = driver.Driver._append

    def planted(self: Anything, events: list[Event]) -> None:
        for event in events:
            if event.kind == "ended":
                body = event.body
                trial = SimpleNamespace(number=body["number"], state=body["state"], metrics=body["metrics"])
                for callback in self.callbacks:
                    callback.on_trial_end(self.study, trial)
        append(self, events)

    driver.Driver._append = planted


def late_results_seen() -> None:
    driver: Anything = _driver()
    ask = driver.Driver._next

    def planted(self: Anything) -> bool:
        while self.told in self.history.trials:
            self._tell(self.history.trials[self.told])
        return bool(ask(self))

    driver.Driver._next = planted


def randomness_from_the_system() -> None:
    driver: Anything = _driver()
    driver.generator = lambda seed, number: np.random.default_rng()


def requeued_under_a_new_number() -> None:
    driver: Anything = _driver()
    replay = driver.Driver._replay

    def planted(self: Anything) -> None:
        replay(self)
        for claim in list(self.requeued):
            again = replace(claim, number=len(self.history.claims), attempt=1)
            self._append([self._claimed(again)])
            self._submit(self.history.claims[again.number])
        self.requeued.clear()

    driver.Driver._replay = planted


def ended_trial_run_again() -> None:
    driver: Anything = _driver()
    replay = driver.Driver._replay

    def planted(self: Anything) -> None:
        replay(self)
        done = [number for number, trial in self.history.trials.items() if trial.state is State.FINISHED]
        if done:
            self.requeued.append(self.history.claims[max(done)])

    driver.Driver._replay = planted


def metrics_rounded_after_a_resume() -> None:
    driver: Anything = _driver()
    ended = driver.Driver._ended

    def planted(self: Anything, claim: Anything, state: State, metrics: dict[str, float], **more: Any) -> Event:
        rounded = {name: round(value, 4) for name, value in metrics.items()} if self.this_run else metrics
        return ended(self, claim, state, rounded, **more)  # type: ignore[no-any-return]

    driver.Driver._ended = planted


def another_seed_for_each_attempt() -> None:
    driver: Anything = _driver()
    submit = driver.Driver._submit
    driver.Driver._submit = lambda self, claim: submit(self, replace(claim, seed=claim.seed + claim.attempt - 1))


def inheritance_forgotten_after_a_resume() -> None:
    driver: Anything = _driver()
    heritage = driver.Driver._heritage
    driver.Driver._heritage = lambda self, claim: None if self.this_run else heritage(self, claim)


def duplicates_forgotten_after_a_resume() -> None:
    driver: Anything = _driver()
    replay = driver.Driver._replay

    def planted(self: Anything) -> None:
        replay(self)
        if self.this_run:
            self.history.by_work.clear()

    driver.Driver._replay = planted


def failures_dropped() -> None:
    driver: Anything = _driver()
    outcome = driver.Driver._outcome

    def planted(self: Anything, claim: Anything, future: Anything) -> Event | None:
        event = outcome(self, claim, future)
        if event is not None and event.body["state"] == "failed" and self.this_run:
            return None
        return event  # type: ignore[no-any-return]

    driver.Driver._outcome = planted


def weights_named_before_they_are_written() -> None:
    weights: Anything = _weights()
    save = weights.save_weights
    waiting: list[Callable[[], Any]] = []

    def planted(path: Anything, state: Anything) -> str:
        while waiting:
            waiting.pop()()
        waiting.append(partial(save, path, state))
        import hashlib

        return hashlib.sha256(weights.serialize(weights._plain(state))).hexdigest()

    weights.save_weights = planted


def weights_written_in_place() -> None:
    weights: Anything = _weights()
    save = weights.save_weights

    def planted(path: Anything, state: Anything) -> str:
        content = weights.serialize(weights._plain(state))
        with open(path, "wb", buffering=0) as file:
            file.write(content[: len(content) // 2])
            failpoint("checkpoint_written")
            file.write(content[len(content) // 2 :])
        return str(save(path, state))

    weights.save_weights = planted


def strays_left() -> None:
    driver: Anything = _driver()
    driver.Driver._remove_strays = lambda self: None


def head_never_written() -> None:
    from netwright.stores import head

    class Silent(head.HeadFile):
        def write(self, *arguments: Any, **more: Any) -> None:
            pass

    import netwright.stores.sqlite as sqlite

    sqlite.HeadFile = Silent  # type: ignore[misc]


def lock_never_taken() -> None:
    import fcntl

    fcntl.flock = lambda *_: None  # type: ignore[assignment]


def epoch_never_checked() -> None:
    import netwright.stores.sqlite as sqlite

    sqlite.SQLiteStore._check_epoch = lambda *_: None  # type: ignore[method-assign, assignment]


def failed_counted_as_finished() -> None:
    driver: Anything = _driver()
    outcome = driver.Driver._outcome

    def planted(self: Anything, claim: Anything, future: Anything) -> Event | None:
        if future.exception() is not None:
            return self._ended(claim, State.FINISHED, {"score": 0.0})  # type: ignore[no-any-return]
        return outcome(self, claim, future)  # type: ignore[no-any-return]

    driver.Driver._outcome = planted


def failure_ends_the_study() -> None:
    driver: Anything = _driver()
    driver.Driver._outcome = lambda self, claim, future: self._ended(claim, State.FINISHED, future.result()["metrics"])


@dataclass(frozen=True)
class Bug:
    """A plant and what hunts it: a function from the plant to the violations that it provokes."""

    name: str
    plant: Callable[[], None]
    hunt: Callable[[Callable[[], None]], list[str]]


def _dying(*deaths: list[tuple[str, int]]) -> Callable[[Callable[[], None]], list[str]]:
    """Hunts by deaths at points; the table to compare with is that of the same plant, never interrupted."""

    def hunt(plant: Callable[[], None]) -> list[str]:
        with folder() as place:
            plan = Plan(place / "study", "weights", trials=50, plant=plant)
            try:
                expected, _ = uninterrupted(place, plan)
            except Trouble as trouble:
                return [str(trouble)]
            for points in deaths:
                _, found = dying_at(plan, expected, points)
                shutil.rmtree(plan.folder, ignore_errors=True)
                if found:
                    return found
        return []

    return hunt


_HERE_AND_THERE = _dying(
    [("after_claim", 14), ("in_complete", 8)], [("after_evaluate", 9), ("after_claim", 11)], [("in_claim", 30)]
)
_WRITING = _dying([("checkpoint_written", 12)], [("checkpoint_written", 13)], [("after_ack", 19)], [("after_ack", 23)])

BUGS = (
    Bug("acknowledged before committed", acknowledged_before_committed, _dying([("in_complete", 9)])),
    Bug("the strategy sees late results", late_results_seen, _HERE_AND_THERE),
    Bug("randomness from the system", randomness_from_the_system, _HERE_AND_THERE),
    Bug("requeued under a new number", requeued_under_a_new_number, _HERE_AND_THERE),
    Bug("an ended trial run again", ended_trial_run_again, _HERE_AND_THERE),
    Bug("metrics rounded after a resume", metrics_rounded_after_a_resume, _HERE_AND_THERE),
    Bug("another seed for each attempt", another_seed_for_each_attempt, _HERE_AND_THERE),
    Bug("inheritance forgotten after a resume", inheritance_forgotten_after_a_resume, _HERE_AND_THERE),
    Bug("duplicates forgotten after a resume", duplicates_forgotten_after_a_resume, _HERE_AND_THERE),
    Bug("failures dropped after a resume", failures_dropped, _dying([("after_claim", 4)], [("after_claim", 20)])),
    Bug("weights named before they are written", weights_named_before_they_are_written, _WRITING),
    Bug("weights written in place", weights_written_in_place, _WRITING),
    Bug("what the dead were writing stays", strays_left, _WRITING),
    Bug("the head file is never written", head_never_written, damage.violations),
    Bug("the lock is never taken", lock_never_taken, lambda plant: damage.two_drivers_violations(plant)[0]),
    Bug("the epoch is never checked", epoch_never_checked, lambda plant: damage.two_drivers_violations(plant)[0]),
    Bug("failed counted as finished", failed_counted_as_finished, candidates.in_process_violations),
    Bug("one failure ends the study", failure_ends_the_study, candidates.in_process_violations),
)


def planted(bugs: tuple[Bug, ...] = BUGS) -> list[Record]:
    """Every bug must be caught, and what hunts it must find nothing where none is planted."""
    records = []
    for hunt in {bug.hunt: bug for bug in bugs}.values():
        found = hunt.hunt(_nothing)
        if found:
            records.append(record("4", f"no bug, hunted as '{hunt.name}'", 1, found))
    for bug in bugs:
        found = bug.hunt(bug.plant)
        missed = [] if found else [f"nothing turned red with '{bug.name}' planted"]
        red = found[0].split("\n")[0] if found else "not caught"
        records.append(record("4", f"planted: {bug.name}", 1, missed, red[:100], planted=1, caught=len(found) > 0))
    return records


def _nothing() -> None:
    pass


def _driver() -> Any:
    import netwright.study.driver

    return netwright.study.driver


def _weights() -> Any:
    import netwright.training.weights

    return netwright.training.weights
