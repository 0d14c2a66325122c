"""What every store keeps and refuses, whichever kind it is."""

from __future__ import annotations

import math
import sqlite3
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from store_events import claimed, configured, ended, study

from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.stores import ClaimRefused, Event, LateResult, MemoryStore, SQLiteStore

AnyStore = MemoryStore | SQLiteStore


def kinds(store: AnyStore) -> list[str]:
    return [event.kind for event in store.read()]


def test_events_are_read_back_in_order_and_numbered_from_one(store: AnyStore) -> None:
    """What was appended comes back with the same bodies, numbered 1, 2, 3."""
    store.append([Event("noted", {"topic": "début", "nested": [1, {"a": None}]}), Event("noted", {"topic": "b"})])
    assert [(1, "study"), (2, "noted"), (3, "noted")] == [(event.sequence, event.kind) for event in store.read()]
    assert {"topic": "début", "nested": [1, {"a": None}]} == list(store.read())[1].body


def test_reading_after_a_number_leaves_out_what_came_before(store: AnyStore) -> None:
    """``read(after=2)`` begins at event 3, and beyond the end there is nothing."""
    store.append([Event("noted", {"n": n}) for n in range(3)])
    assert [3, 4] == [event.sequence for event in store.read(after=2)]
    assert [] == list(store.read(after=4))
    assert [] == list(store.read(after=99))


def test_appending_nothing_changes_nothing(store: AnyStore) -> None:
    """An empty append is no transaction."""
    store.append([])
    assert ["study"] == kinds(store)


def test_a_body_that_changes_later_is_not_changed_in_the_store(store: AnyStore) -> None:
    """A store keeps what it was given at that moment."""
    body = {"topic": "x", "list": [1]}
    store.append([Event("noted", body)])
    body["list"].append(2)  # type: ignore[attr-defined]
    assert [1] == list(store.read())[1].body["list"]


def test_a_claim_is_a_running_trial(store: AnyStore) -> None:
    """A claimed trial has its number, attempt, proposal and seed, and no metrics."""
    store.append([claimed(7, budget="proxy", inherits=3, seed=-1)])
    (row,) = store.trials()
    assert (7, 1, "running", {"width": 16, "op": "conv3"}) == (row.number, row.attempt, row.state, row.architecture)
    assert ("proxy", 3, -1, {}, None, None) == (
        row.budget, row.inherits, row.seed, row.metrics, row.seconds, row.error,
    )  # fmt: skip


def test_an_ending_is_the_final_state(store: AnyStore) -> None:
    """An ended trial has its state, metrics, seconds and error."""
    error = {"kind": "died", "message": "SIGKILL"}
    store.append([claimed(0)])
    store.append([ended(0, state="failed", metrics={}, error=error, seconds=2)])
    (row,) = store.trials()
    assert ("failed", {}, error, 2.0) == (row.state, row.metrics, row.error, row.seconds)


def test_a_reused_trial_is_claimed_and_ended_at_once(store: AnyStore) -> None:
    """Claim and ending may come in one append."""
    store.append([claimed(0), ended(0, state="reused")])
    assert ["reused"] == [row.state for row in store.trials()]


def test_an_architecture_may_be_handed_over_as_it_is(store: AnyStore) -> None:
    """Mappings and tuples that are not dicts and lists are written as those."""
    store.append([claimed(0, architecture=Architecture({"edges": (0, 1), "width": 8}))])
    assert [{"edges": [0, 1], "width": 8}] == [row.architecture for row in store.trials()]


@pytest.mark.parametrize(
    ("events", "refusal"),
    [
        ([ended(5)], LateResult),
        ([claimed(5), ended(5), ended(5)], LateResult),
        ([claimed(5), ended(5, attempt=2)], LateResult),
        ([claimed(5), claimed(5, attempt=2), ended(5, attempt=1)], LateResult),
        ([claimed(5), claimed(5)], ClaimRefused),
        ([claimed(5, attempt=2)], ClaimRefused),
        ([claimed(5), claimed(5, attempt=3)], ClaimRefused),
        ([claimed(5), ended(5), claimed(5, attempt=2)], ClaimRefused),
        ([claimed(5), claimed(5, attempt=2, seed=99)], ClaimRefused),
        ([claimed(5), claimed(5, attempt=2, architecture={"width": 99})], ClaimRefused),
        ([claimed(5), claimed(5, attempt=2, inherits=1)], ClaimRefused),
    ],
    ids=str,
)
@pytest.mark.parametrize("together", [True, False])
def test_what_does_not_fit_its_trial_is_refused(
    store: AnyStore, events: list[Event], refusal: type[Exception], together: bool
) -> None:
    """A late, double or foreign result and a wrong claim are refused, in one transaction with others or alone."""
    if together:
        with pytest.raises(refusal, match="trial 5"):
            store.append([claimed(1), *events])
        assert ["study"] == kinds(store)
        assert [] == store.trials()
    else:
        for event in events[:-1]:
            store.append([event])
        with pytest.raises(refusal, match="trial 5"):
            store.append(events[-1:])
        assert len(events) == len(kinds(store))


def test_a_store_goes_on_after_a_refusal(store: AnyStore) -> None:
    """A refused append leaves no trace: the next one gets the next number."""
    with pytest.raises(LateResult):
        store.append([claimed(0), ended(1)])
    store.append([claimed(0)])
    assert [1, 2] == [event.sequence for event in store.read()]


def test_a_retry_is_an_attempt_under_the_same_number(store: AnyStore) -> None:
    """Attempt 2 follows attempt 1 of a running trial, and its result is the one that counts."""
    store.append([claimed(0)])
    store.append([claimed(0, attempt=2)])
    store.append([ended(0, attempt=2)])
    assert [(0, 2, "finished")] == [(row.number, row.attempt, row.state) for row in store.trials()]


@pytest.mark.parametrize(
    "value",
    [np.float32(0.5), np.float64(0.5), np.float16(0.5), np.array(0.5), 0.5, np.float32(0.5).reshape(())],
    ids=repr,
)
def test_numbers_of_other_kinds_become_floats(store: AnyStore, value: object) -> None:
    """NumPy's scalars and arrays of no dimension are the same float to everybody."""
    store.append([claimed(0), ended(0, metrics={"score": value})])
    (row,) = store.trials()
    assert (0.5, float) == (row.metrics["score"], type(row.metrics["score"]))


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)], ids=repr)
def test_whole_metrics_become_floats(store: AnyStore, value: object) -> None:
    """A count of parameters is stored as a float."""
    store.append([claimed(0), ended(0, metrics={"params": value})])
    assert float is type(store.trials()[0].metrics["params"])


def test_a_tensor_of_no_dimension_becomes_a_float(store: AnyStore) -> None:
    """What ``loss.mean()`` gives is a number."""
    torch = pytest.importorskip("torch")
    store.append([claimed(0), ended(0, metrics={"loss": torch.tensor(0.25)})])
    assert {"loss": 0.25} == dict(store.trials()[0].metrics)


@pytest.mark.parametrize(
    "value",
    [
        math.nan, math.inf, -math.inf, np.float32("nan"), np.array(np.inf), None, "0.5", True, np.bool_(True), 1j,
        [0.5], np.zeros(1), 10**400, Decimal("0.5"), object(),
    ],
    ids=lambda value: str(type(value).__name__) + str(value)[:8],
)  # fmt: skip
def test_what_is_no_finite_number_is_refused(store: AnyStore, value: object) -> None:
    """NaN, infinities, truth values, texts, lists: refused by the metric's name, and nothing is written."""
    store.append([claimed(0)])
    with pytest.raises(InputError, match=r"metric 'score' is .*, a finite number was expected"):
        store.append([ended(0, metrics={"score": value})])
    assert ["study", "claimed"] == kinds(store)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (Event("noted", {"x": math.nan}), "event 'noted' cannot be written as JSON"),
        (Event("noted", {"x": object()}), "event 'noted' holds a object"),
        (Event("noted", {"x": {1: 2, None: 3, "a": 1}}), "event 'noted' has the name 1, names are strings"),
        (Event("noted", {"x": "\ud800"}), "event 'noted' holds a lone surrogate"),
        (Event("", {}), "the kind of an event is a non-empty string"),
        (claimed(-1), "'number' is a whole number from 0"),
        (claimed(2**63), "'number' is a whole number from 0"),
        (claimed(True), "'number' is a whole number, found bool"),
        (claimed(0, attempt=0), "'attempt' is a whole number from 1"),
        (claimed(0, seed=2**64), "'seed' is a whole number"),
        (ended(0, state="running"), "the state of an ended trial is one of failed, finished, .*, found 'running'"),
        (ended(0, state="done"), "found 'done'"),
        (ended(0, metrics=[1]), "metrics are names and numbers, found list"),
        (ended(0, seconds=math.nan), "'seconds' is nan"),
    ],
)
def test_what_no_store_may_hold_is_refused_by_name(store: AnyStore, event: Event, message: str) -> None:
    """The message says which field, what was found and what was expected."""
    with pytest.raises(InputError, match=message):
        store.append([event])
    assert ["study"] == kinds(store)


def test_both_kinds_hold_the_same(tmp_path: Path) -> None:
    """The same events make the same journal and the same trials' table in memory and on disk."""
    events = [configured(), claimed(0), claimed(1), claimed(0, 2), ended(1), ended(0, 2, state="pruned"), claimed(2)]
    memory = MemoryStore()
    memory.append(events)
    with SQLiteStore(tmp_path, create=True) as disk:
        disk.append(events)
        assert list(memory.read()) == list(disk.read())
        assert memory.trials() == disk.trials()


def test_the_tables_are_strict_and_hold_real_numbers(tmp_path: Path) -> None:
    """In the file every metric is a REAL, and a text or NULL in its place is refused by the database itself."""
    folder = study(tmp_path / "one", 2)
    database = sqlite3.connect(folder / "study.db")
    try:
        assert [("real",)] == database.execute("SELECT DISTINCT typeof(value) FROM metrics").fetchall()
        for wrong in (None, "a", float("inf"), b"1"):
            with pytest.raises(sqlite3.IntegrityError):
                database.execute("INSERT INTO metrics VALUES (0, 'other', ?)", (wrong,))
    finally:
        database.close()
