"""The store against a model of a few dicts, in random sequences of all that may happen to it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from store_events import claimed, configured, ended

from netwright.errors import InputError, StudyInUseError
from netwright.stores import ClaimRefused, Event, LateResult, SQLiteStore, check, open_readonly

NUMBERS = st.integers(0, 5)
ATTEMPTS = st.integers(1, 3)
STATES = st.sampled_from(["finished", "failed", "reused", "infeasible", "pruned"])


class StoreMachine(RuleBasedStateMachine):
    """``trials`` is what must be in the table: number to (attempt, state, epoch of the claim); ``count`` the events."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="store-model-"))
        self.store = SQLiteStore(self.folder, create=True)
        self.trials: dict[int, tuple[int, str, int]] = {}
        self.journal: list[Event] = []
        self.fenced: SQLiteStore | None = None
        self.append([configured()])

    def append(self, events: list[Event]) -> None:
        self.store.append(events)
        self.journal.extend(events)

    def allowed(self, event: Event, trials: dict[int, tuple[int, str, int]]) -> bool:
        """Whether the event fits, by the contract's own words; changes ``trials`` if so."""
        number, attempt = event.body["number"], event.body["attempt"]
        known = trials.get(number)
        if event.kind == "claimed":
            fits = known is None if attempt == 1 else known is not None and known[:2] == (attempt - 1, "running")
            if fits:
                trials[number] = (attempt, "running", self.store.epoch)
            return fits
        if known != (attempt, "running", self.store.epoch):
            return False
        trials[number] = (attempt, event.body["state"], self.store.epoch)
        return True

    def attempt_append(self, events: list[Event]) -> None:
        trials = dict(self.trials)
        if all(self.allowed(event, trials) for event in events):
            self.append(events)
            self.trials = trials
        else:
            with pytest.raises((LateResult, ClaimRefused)):
                self.store.append(events)

    @rule(number=NUMBERS, attempt=ATTEMPTS)
    def claim(self, number: int, attempt: int) -> None:
        self.attempt_append([claimed(number, attempt)])

    @rule(number=NUMBERS, attempt=ATTEMPTS, state=STATES)
    def end(self, number: int, attempt: int, state: str) -> None:
        self.attempt_append([ended(number, attempt, state)])

    @rule(number=NUMBERS)
    def requeue(self, number: int) -> None:
        if number in self.trials:
            self.attempt_append([claimed(number, self.trials[number][0] + 1)])

    @rule(first=NUMBERS, second=NUMBERS, state=STATES)
    def end_one_and_claim_another(self, first: int, second: int, state: str) -> None:
        attempt = self.trials.get(first, (1,))[0]
        self.attempt_append([ended(first, attempt, state), claimed(second)])

    @rule(number=NUMBERS)
    def spoil(self, number: int) -> None:
        with pytest.raises(InputError):
            self.store.append([claimed(number), ended(number, metrics={"loss": float("nan")})])

    @rule()
    def close_and_open(self) -> None:
        self.store.close()
        self.store = SQLiteStore(self.folder, create=False)

    @rule()
    def lose_the_process(self) -> None:
        """What a SIGKILL leaves: the files as they are, the lock freed."""
        copy = Path(tempfile.mkdtemp(prefix="store-model-"))
        shutil.copytree(self.folder, copy, dirs_exist_ok=True)
        self.store.close()
        shutil.rmtree(self.folder)
        self.folder = copy
        self.store = SQLiteStore(self.folder, create=False)

    @rule(number=NUMBERS)
    def second_writer(self, number: int) -> None:
        with pytest.raises(StudyInUseError):
            SQLiteStore(self.folder, create=False)
        first, self.store = self.store, SQLiteStore(self.folder, create=False, takeover=True)
        with pytest.raises(StudyInUseError):
            first.append([claimed(number, 99)])
        first.close()

    @invariant()
    def the_table_is_the_model(self) -> None:
        if hasattr(self, "store"):
            rows = {row.number: (row.attempt, row.state, row.epoch) for row in self.store.trials()}
            assert self.trials == rows

    @invariant()
    def the_journal_is_what_was_appended(self) -> None:
        if hasattr(self, "store"):
            found = [(event.kind, dict(event.body)) for event in self.store.read()]
            assert [(event.kind, dict(event.body)) for event in self.journal] == found

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        with open_readonly(self.folder) as reader:
            assert len(self.journal) == len(list(reader.read()))
        self.store.close()
        assert [] == check(self.folder)
        shutil.rmtree(self.folder)


StoreMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
TestStoreModel = StoreMachine.TestCase
