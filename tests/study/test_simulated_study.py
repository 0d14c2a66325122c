"""Studies on simulated workers: a table replays days in seconds."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import netwright as nw
from netwright.evaluators.tables import Table
from netwright.evaluators.tables.own import declared_space
from netwright.executors import Simulated
from netwright.trial import State


@pytest.fixture(scope="module")
def table() -> Table:
    """625 architectures whose training takes an hour to eleven."""
    rng = np.random.default_rng(0)
    choices = np.array(np.meshgrid(*[range(5)] * 4)).reshape(4, -1).T
    score = choices @ np.array([1.0, 0.5, 0.3, 0.1]) + rng.normal(0, 0.1, 625)
    space = declared_space({f"d{i}": tuple(range(5)) for i in range(4)})
    return Table("hours", space, choices, {"score@10": score, "train_seconds@10": rng.uniform(3600, 40_000, 625)})


def study(table: Table, executor: Simulated | None = None, **options: Any) -> nw.Study:
    clock = {} if executor is None else {"clock": executor.clock}
    evaluate = table.evaluator("score", fidelity=10, seed="mean")
    return nw.Study(
        table.space, nw.strategies.Evolution(population=10, tournament=3), evaluate, maximize="score", seed=3,
        executor=executor, **clock, **options,
    )  # fmt: skip


def history(made: nw.Study) -> list[Any]:
    return [(trial.number, trial.proposal, trial.state, dict(trial.metrics)) for trial in made.trials]


def test_the_history_is_that_of_one_process(table: Table) -> None:
    """For any number of simulated workers: a synchronous study depends on the numbers of its trials alone."""
    plain = study(table, parallel=4).run(max_trials=60)
    for workers in (1, 2, 4):
        simulated = Simulated(workers)
        replayed = study(table, simulated, parallel=4).run(max_trials=60, n_jobs=workers)
        assert history(plain) == history(replayed)
        spent = sum(trial.seconds for trial in replayed.trials)
        assert spent == pytest.approx(sum(trial.metrics["train_seconds"] for trial in replayed.trials if
                                          trial.state is State.FINISHED))  # fmt: skip
        assert spent / workers <= simulated.clock() * (1 + 1e-9)
        assert workers > 1 or pytest.approx(spent) == simulated.clock()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_time_limit_ends_at_the_simulated_time(table: Table, asynchronous: bool) -> None:
    """Neither before nor after it, in no time of ours; what had not ended has not ended."""
    simulated, began = Simulated(8), time.perf_counter()
    made = study(table, simulated, parallel=8, asynchronous=asynchronous)
    made.run(time_limit="2d", n_jobs=8)
    assert pytest.approx(2 * 86_400) == simulated.clock()
    assert time.perf_counter() - began < 20
    done = [trial for trial in made.trials if trial.state is State.FINISHED]
    running = [trial for trial in made.trials if trial.state is State.RUNNING]
    assert 0 < len(running) <= 8
    spent = sum(trial.seconds for trial in done)
    # Eight workers are busy for two days: what ended, and at most 40,000 seconds of each that had not.
    assert spent <= 8 * 2 * 86_400
    if asynchronous:
        assert spent + 8 * 40_000 >= 8 * 2 * 86_400


def test_asynchronous_trials_are_told_as_they_end(table: Table) -> None:
    """By the simulated moments of their ends, and sooner done than a study that waits."""
    waiting, never = Simulated(8), Simulated(8)
    study(table, waiting, parallel=8).run(max_trials=80, n_jobs=8)
    made = study(table, never, parallel=8, asynchronous=True).run(max_trials=80, n_jobs=8)
    clocks = [event for event in made.history.order if event[0] == "ended"]
    assert 80 == len(clocks)
    assert sorted(clocks) != clocks
    assert never.clock() < waiting.clock()


def test_a_study_goes_on_where_its_time_ended(table: Table) -> None:
    """The limit is one for all runs together, in simulated seconds too; the history is that of a single run."""
    once = Simulated(4)
    whole = study(table, once, parallel=4).run(time_limit="2d", n_jobs=4)
    twice = Simulated(4)
    parts = study(table, twice, parallel=4)
    parts.run(time_limit="1d", n_jobs=4)
    assert pytest.approx(86_400) == twice.clock()
    parts.run(time_limit="2d", n_jobs=4)
    assert pytest.approx(2 * 86_400, abs=1e-2) == twice.clock()
    ended = [row for row in history(parts) if row[2] is not State.RUNNING]
    assert [row[1] for row in ended] == [row[1] for row in history(whole)][: len(ended)]


def test_a_stop_lets_what_runs_end(table: Table) -> None:
    """At its simulated end, without waiting."""
    simulated = Simulated(4)
    made = study(table, simulated, parallel=4)
    made.run(n_jobs=4, stop=lambda: len(made.history.trials) >= 10)
    assert all(trial.state is not State.RUNNING for trial in made.trials)
    assert 10 <= len(made.trials) <= 14


def test_costs_of_a_table_are_not_measured(table: Table) -> None:
    """A table that has parameters answers for them, though its space has no network."""
    space = declared_space({"a": (0, 1, 2)})
    own = Table("own", space, np.array([[0], [1], [2]]), {"score": [1.0, 2.0, 3.0], "params": [10, 20, 30]})
    made = nw.Study(
        space, "random", own.evaluator(["score", "params"], fidelity=None, seed="mean"),
        maximize="score", minimize="params", parallel=1,
    ).run()  # fmt: skip
    assert [10, 20, 30] == sorted(trial.metrics["params"] for trial in made.trials)
