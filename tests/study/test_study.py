"""What a study promises of its history, its folder and its answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netwright.architecture import Architecture
from netwright.costs import Latency
from netwright.errors import (
    InfeasibleError,
    InputError,
    NetwrightError,
    ResourceError,
    StoreError,
    StudyInUseError,
    TooManyFailures,
)
from netwright.evaluators.base import Candidate
from netwright.executors import InProcess
from netwright.space import SearchSpace, choose
from netwright.stores import Event, SQLiteStore, check, open_readonly
from netwright.strategies import Evolution, Random
from netwright.strategies.base import Strategy
from netwright.study import Study
from netwright.study.driver import trial_seed
from netwright.testing import toy
from netwright.trial import Objective, Proposal, State, Trial


def score(candidate: Candidate) -> dict[str, float]:
    """A function of the architecture and the seed."""
    return {"score": float(int(candidate.architecture.key[:6], 16) + candidate.seed % 7)}


def make(store: Path | None = None, strategy: Strategy | str | None = None, **options: Any) -> Study:
    settings: dict[str, Any] = {"maximize": "score", "executor": "in_process", "seed": 1, "store": store, **options}
    space = settings.pop("space", None) or toy.SPACES["conditional"]()
    return Study(space, strategy or Evolution(population=6, tournament=3), settings.pop("evaluator", score), **settings)


def history(study: Study) -> list[tuple[Any, ...]]:
    return [
        (trial.number, trial.architecture.to_json(), str(trial.state), dict(trial.metrics), trial.proposal.inherits)
        for trial in study.trials
    ]


class Scrambled(Executor):
    """Finishes what it was given in an order of its own: a thread ends one task, drawn at random, at a time."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.inner = InProcess()
        self.waiting: list[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = []
        self.arrived = threading.Condition()
        self.closed = False
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self.arrived:
            self.waiting.append((future, function, args))
            self.arrived.notify()
        return future

    def _work(self) -> None:
        while True:
            with self.arrived:
                # Waits a moment for more, so that there is an order to be scrambled.
                self.arrived.wait_for(lambda: self.closed or len(self.waiting) > 2, 0.005)
                if self.closed:
                    return
                if not self.waiting:
                    continue
                future, function, args = self.waiting.pop(int(self.rng.integers(len(self.waiting))))
            done = self.inner.submit(function, *args)
            error = done.exception()
            if error is None:
                future.set_result(done.result())
            else:
                future.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self.arrived:
            self.closed = True
            self.arrived.notify()
        self.thread.join()


@pytest.fixture
def scrambled() -> Iterator[Callable[[int], Scrambled]]:
    made: list[Scrambled] = []

    def make_one(seed: int) -> Scrambled:
        made.append(Scrambled(seed))
        return made[-1]

    yield make_one
    for executor in made:
        executor.shutdown()


class Scripted(Strategy):
    """Proposes what it is given, in that order, and writes down what it was told before each proposal."""

    def __init__(self, architectures: Sequence[Architecture]) -> None:
        self._architectures = architectures

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        super().start(space, objectives)
        self._told: list[int] = []
        self._known: list[list[int]] = []

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        if len(self._known) == len(self._architectures):
            return None
        self._known.append(list(self._told))
        return Proposal(self._architectures[len(self._known) - 1])

    def tell(self, trial: Trial) -> None:
        self._told.append(trial.number)


def drawn(count: int) -> list[Architecture]:
    space = toy.SPACES["conditional"]()
    architectures: dict[Architecture, None] = {}
    rng = np.random.default_rng(0)
    while len(architectures) < count:
        architectures[space.sample(rng)] = None
    return list(architectures)


@pytest.mark.parametrize("parallel", [1, 3, 4])
def test_a_proposal_knows_the_trials_before_its_window(parallel: int, scrambled: Callable[[int], Scrambled]) -> None:
    """Proposal n is asked for after exactly the trials 0 … n − parallel were told, in their order."""
    strategy = Scripted(drawn(14))
    make(None, strategy, parallel=parallel, executor=scrambled(parallel)).run(n_jobs=parallel)
    assert [list(range(max(0, number - parallel + 1))) for number in range(14)] == strategy._known


@pytest.mark.parametrize(("n_jobs", "seed"), [(2, 0), (4, 1), (4, 2)])
def test_the_history_does_not_depend_on_workers(n_jobs: int, seed: int, scrambled: Callable[[int], Scrambled]) -> None:
    """The same for one worker and for several that finish in any order."""
    alone = make().run(max_trials=60)
    several = make(executor=scrambled(seed)).run(max_trials=60, n_jobs=n_jobs)
    assert history(alone) == history(several)


def test_a_shorter_run_is_a_prefix() -> None:
    """A time limit, read off a clock that is handed in, only ends the history earlier."""
    whole = make().run(max_trials=50)
    ticks = iter(range(10**6))
    short = make(clock=lambda: 0.1 * next(ticks)).run(time_limit=20)
    ended = [row for row in history(short) if row[2] != "running"]
    assert 0 < len(ended) < 50
    assert history(whole)[: len(ended)] == ended


def test_a_duplicate_is_reused_and_not_evaluated() -> None:
    """Its trial carries the first one's metrics and no seconds."""
    first, second = drawn(2)
    asked: list[str] = []

    def evaluator(candidate: Candidate) -> dict[str, float]:
        asked.append(candidate.architecture.key)
        return score(candidate)

    study = make(None, Scripted([first, second, first]), evaluator=evaluator, parallel=1).run()
    assert [first.key, second.key] == asked
    assert (State.REUSED, 0.0) == (study.trials[2].state, study.trials[2].seconds)
    assert study.trials[0].metrics == study.trials[2].metrics


def test_a_duplicate_of_a_pending_trial_waits_for_it(scrambled: Callable[[int], Scrambled]) -> None:
    """It is not evaluated either, and ends with the one that it waits for."""
    first, second = drawn(2)
    study = make(None, Scripted([first, first, second, first]), executor=scrambled(0)).run(n_jobs=4)
    assert ["finished", "reused", "finished", "reused"] == [str(trial.state) for trial in study.trials]


def test_a_duplicate_of_a_failure_fails_as_well() -> None:
    """A study does not try again what failed."""

    def evaluator(candidate: Candidate) -> float:
        raise ValueError("never")

    study = make(None, Scripted(drawn(1) * 2), evaluator=evaluator, parallel=1).run()
    assert ["failed", "failed"] == [str(trial.state) for trial in study.trials]


@pytest.mark.parametrize("stops", [(1,), (7, 20), (3, 4, 5, 30)])
def test_a_resumed_search_is_the_uninterrupted_one(tmp_path: Path, stops: tuple[int, ...]) -> None:
    """Whether the same object goes on or another process's."""
    whole = make().run(max_trials=60)
    for stop in (*stops, 60):
        study = make(tmp_path / "study").run(max_trials=stop)
    assert history(whole) == history(study)
    assert [] == check(tmp_path / "study")


def test_a_study_at_rest_is_a_plain_file(tmp_path: Path) -> None:
    """No log, no lock, no temporary file stays when a run has ended."""
    make(tmp_path / "study").run(max_trials=40)
    assert ["study.db", "study.head"] == sorted(path.name for path in (tmp_path / "study").iterdir())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"seed": 2}, r"another seed \(1, now 2\)"),
        ({"space": toy.SPACES["flat"]()}, r"another search space \(Conditional \w{8}, now Flat \w{8}\)"),
        ({"parallel": 2}, r"another parallel \(4, now 2\)"),
        ({"maximize": None, "minimize": "score"}, "another objectives"),
        ({"strategy": Random()}, "another strategy .*Evolution.*, now Random"),
        ({"constraints": {"score": 5.0}}, "another constraints"),
    ],
)
def test_another_study_is_not_gone_on_with(tmp_path: Path, options: dict[str, Any], named: str) -> None:
    """The error names what is different, and the folder stays as it was."""
    make(tmp_path / "study").run(max_trials=3)
    with pytest.raises(InputError, match=named):
        make(tmp_path / "study", **options)


def changing(**decisions: Any) -> SearchSpace:
    """A space of one name with these decisions and their options."""

    class Changing(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, options in decisions.items():
                choose(name, *options)

    return SearchSpace(Changing)


@pytest.mark.parametrize(
    ("decisions", "said"),
    [
        ({"width": (2, 3), "depth": (1, 2), "norm": (0, 1)}, "it also decides norm"),
        ({"width": (2, 3)}, "it has no decision depth any more"),
        ({"width": (5, 6), "depth": (1, 2)}, r"it has no option width=\d any more"),
        ({"width": (2, 3, 4), "depth": (1, 2)}, "it has other decisions or options"),
    ],
)
def test_a_space_that_has_changed(tmp_path: Path, decisions: dict[str, Any], said: str) -> None:
    """What is new or gone is told in a sentence, and of a search what to do with its folder."""
    folder = tmp_path / "study"
    make(folder, space=changing(width=(2, 3), depth=(1, 2))).run(max_trials=3)
    message = rf"the space Changing has changed since the study in \S+ was made: {said}\. Give the same, or another"
    with pytest.raises(InputError, match=message):
        make(folder, space=changing(**decisions))


def test_what_to_do_with_the_folder_of_a_search_whose_space_has_changed(tmp_path: Path) -> None:
    """Its best networks are where another search may begin."""
    make(tmp_path / "a", space=changing(width=(2, 3)), about={"source": "digits"}).run(max_trials=2)
    with pytest.raises(InputError, match=r"Search anew, from its best networks: --start-from \S+a; show, predict and"):
        make(tmp_path / "a", space=changing(width=(3, 4)), about={"source": "digits"})


def test_other_data_are_refused(tmp_path: Path) -> None:
    """An evaluator's fingerprint is the identity of its data."""

    class OfData:
        def __init__(self, fingerprint: str) -> None:
            self.fingerprint = fingerprint

        def __call__(self, candidate: Candidate) -> dict[str, float]:
            return score(candidate)

    make(tmp_path / "study", evaluator=OfData("a" * 64)).run(max_trials=2)
    with pytest.raises(InputError, match=r"another data set \(aaaa.*, now bbbb"):
        make(tmp_path / "study", evaluator=OfData("b" * 64))


class Costed:
    """An evaluator that knows the shape of an input, so that costs can be measured."""

    input_shape = toy.INPUT_SHAPE

    def __init__(self) -> None:
        self.seen: list[Architecture] = []

    def __call__(self, candidate: Candidate) -> dict[str, float]:
        self.seen.append(candidate.architecture)
        return score(candidate)


def _params(space: SearchSpace, architecture: Architecture) -> int:
    return sum(parameter.numel() for parameter in space.build(architecture).parameters())


@pytest.mark.parametrize("strategy", [Random(), Evolution(population=4, tournament=2)])
def test_what_breaks_a_constraint_is_never_evaluated(strategy: Strategy) -> None:
    """The costs are known before; every trial keeps the limit."""
    evaluator = Costed()
    study = make(None, strategy, evaluator=evaluator, constraints={"params": 40}).run(max_trials=20)
    assert [True] * len(evaluator.seen) == [_params(study.space, seen) <= 40 for seen in evaluator.seen]
    assert evaluator.seen
    assert [float(_params(study.space, trial.architecture)) for trial in study.trials] == [
        trial.metrics["params"] for trial in study.trials
    ]


def test_what_is_proposed_against_a_constraint_ends_infeasible() -> None:
    """A strategy that does not draw from the space it was given cannot have it trained either."""
    space, evaluator = toy.SPACES["conditional"](), Costed()
    architectures = sorted(drawn(30), key=lambda architecture: _params(space, architecture))
    study = make(None, Scripted([architectures[0], architectures[-1]]), evaluator=evaluator, constraints={"params": 40})
    study.run()
    assert ["finished", "infeasible"] == [str(trial.state) for trial in study.trials]
    assert [architectures[0]] == evaluator.seen


def test_an_impossible_constraint_names_the_nearest_miss() -> None:
    """Before anything is evaluated; the nearest has the fewest parameters of the whole space."""
    space, evaluator = toy.SPACES["conditional"](), Costed()
    least = min(_params(space, architecture) for architecture in space.enumerate())
    sentence = f"No architecture of the space meets params ≤ 1; the nearest has params {least}. Loosen"
    with pytest.raises(InfeasibleError, match=sentence):
        make(None, evaluator=evaluator, constraints={"params": 1}).run(max_trials=5)
    assert [] == evaluator.seen


def test_a_constrained_search_resumes_as_it_was(tmp_path: Path) -> None:
    """What was refused is remembered in the journal."""
    whole = make(evaluator=Costed(), constraints={"params": 60}).run(max_trials=40)
    for stop in (5, 6, 21, 40):
        study = make(tmp_path / "study", evaluator=Costed(), constraints={"params": 60}).run(max_trials=stop)
    assert history(whole) == history(study)


def test_a_study_in_memory_goes_on_as_well() -> None:
    """Without a folder run() goes on where it stopped."""
    study = make()
    study.run(max_trials=10)
    assert history(make().run(max_trials=30)) == history(study.run(max_trials=30))


def test_callbacks_are_called_once_a_trial_when_it_is_durable(tmp_path: Path) -> None:
    """Functions, and objects with on_trial_end; what they see is in the store already."""
    seen: list[tuple[int, bool]] = []

    def callback(study: Study, trial: Trial) -> None:
        with open_readonly(tmp_path / "study") as reader:
            states = {row.number: row.state for row in reader.trials()}
        seen.append((trial.number, states[trial.number] == str(trial.state)))

    make(tmp_path / "study", callbacks=[callback]).run(max_trials=12)
    assert [(number, True) for number in range(12)] == sorted(seen)


def test_best_is_the_first_of_the_best_that_keeps_the_constraints() -> None:
    """A bound on a metric of the evaluator takes trials out of the running."""
    study = make(constraints={"score": 2e6}, minimize=None, parallel=1)
    study.run(max_trials=30)
    scored = [trial for trial in study.trials if trial.scored and trial.metrics["score"] <= 2e6]
    best = max(trial.metrics["score"] for trial in scored)
    first = next(trial for trial in scored if trial.metrics["score"] == best)
    assert study.best == first


def test_the_front_holds_what_no_other_beats() -> None:
    """By brute force over all pairs."""

    def evaluator(candidate: Candidate) -> dict[str, float]:
        key = int(candidate.architecture.key[:6], 16)
        return {"score": float(key % 11), "price": float(key % 13)}

    study = make(None, Random(), maximize="score", minimize="price", evaluator=evaluator).run(max_trials=40)
    points = {trial.number: (trial.metrics["score"], -trial.metrics["price"]) for trial in study.trials}

    def beaten(number: int) -> bool:
        mine = points[number]
        return any(other != mine and other[0] >= mine[0] and other[1] >= mine[1] for other in points.values())

    front = [number for number in points if not beaten(number)]
    first = [number for number in front if points[number] not in [points[other] for other in range(number)]]
    assert first == [trial.number for trial in study.pareto]


def test_the_frame_has_a_row_a_trial() -> None:
    """Decisions and metrics are columns."""
    pytest.importorskip("pandas")
    study = make().run(max_trials=8)
    frame = study.frame()
    assert [trial.metrics["score"] for trial in study.trials] == frame["score"].tolist()
    assert [trial.architecture["width"] for trial in study.trials] == frame["architecture.width"].tolist()


def test_an_asynchronous_search_resumes_by_its_journal(tmp_path: Path, scrambled: Callable[[int], Scrambled]) -> None:
    """What ended when is journaled: a resume replays it and asks for no other architectures."""
    options: dict[str, Any] = {"asynchronous": True}
    before = make(tmp_path / "study", executor=scrambled(0), **options).run(max_trials=30, n_jobs=4)
    kept = history(before)
    after = make(tmp_path / "study", executor=scrambled(1), **options).run(max_trials=60, n_jobs=4)
    assert kept == history(after)[:30]
    assert 60 == len(after.trials)


def test_weights_that_nobody_can_inherit_are_removed(tmp_path: Path) -> None:
    """What stays belongs to members of the population, pending parents, or the best."""

    class Keeping:
        inherits = True

        def __call__(self, candidate: Candidate) -> dict[str, float]:
            candidate.keep({"w": torch.ones(2)})
            return score(candidate)

    study = make(tmp_path / "study", evaluator=Keeping()).run(max_trials=100)
    files = {int(path.name.split("-")[0]) for path in (tmp_path / "study" / "weights").glob("*.safetensors")}
    assert study.best is not None
    finished = [trial.number for trial in study.trials if trial.state is State.FINISHED]
    # Every sixteenth trial told is a time to clear up; between two of them weights may gather.
    assert len(files) <= 6 + 16 + 4 + 1
    assert files <= set(finished)
    assert {number for number in finished if number >= 96} <= files


def test_inheritance_can_be_left_out() -> None:
    """Then no proposal names a parent."""
    study = make(inherit=False).run(max_trials=30)
    assert {None} == {trial.proposal.inherits for trial in study.trials}


def test_failures_in_a_row_end_a_study_with_their_causes() -> None:
    """The message counts the causes."""

    def evaluator(candidate: Candidate) -> float:
        raise ValueError("no good" if candidate.architecture["width"] == 2 else "bad")

    with pytest.raises(TooManyFailures, match=r"5 trials in a row failed \(\d× exception: ValueError: ") as caught:
        make(None, Random(), evaluator=evaluator, max_consecutive_failures=5).run(max_trials=50)
    assert 8 == caught.value.code


def test_a_run_that_is_to_leave_a_trial_tries_again_after_a_failure(tmp_path: Path) -> None:
    """However short the time: what failed, now or before, is nothing to choose from."""

    def fail(candidate: Candidate) -> float:
        raise ValueError("no good")

    with pytest.raises(TooManyFailures, match=r"3 trials in a row failed \(3× exception: ValueError: no good\)"):
        make(tmp_path / "study", evaluator=fail, max_consecutive_failures=3).run(time_limit=0.001, least=1)
    study = make(tmp_path / "study").run(time_limit=0.001, least=1)
    assert [State.FAILED] * 3 + [State.FINISHED] == [trial.state for trial in study.trials]


def test_two_studies_of_one_folder_do_not_run_at_once(tmp_path: Path) -> None:
    """The second is refused while the first runs, and says who has it."""
    refused: list[NetwrightError] = []

    def callback(study: Study, trial: Trial) -> None:
        if not refused:
            with pytest.raises(StudyInUseError, match=r"in use by pid \d+ on ") as caught:
                make(tmp_path / "study").run(max_trials=30)
            refused.append(caught.value)

    make(tmp_path / "study", callbacks=[callback]).run(max_trials=10)
    assert 5 == refused[0].code


def test_a_loss_is_accepted_on_request_alone(tmp_path: Path) -> None:
    """A store behind its head file is refused; accepted, the search goes on to the same history."""
    whole = make(tmp_path / "whole").run(max_trials=20)
    make(tmp_path / "study").run(max_trials=10)
    (tmp_path / "study" / "study.head").unlink()
    with pytest.raises(StoreError, match="--accept-loss"):
        make(tmp_path / "study")
    assert history(whole) == history(make(tmp_path / "study", accept_loss=True).run(max_trials=20))


def test_equal_architectures_in_another_order_do_not_change_the_search(tmp_path: Path) -> None:
    """The journal sorts the names of decisions; a resumed evolution mutates the same decisions all the same."""
    whole = make(strategy=Evolution(population=3, tournament=3)).run(max_trials=30)
    for stop in range(1, 31, 4):
        study = make(tmp_path / "study", strategy=Evolution(population=3, tournament=3)).run(max_trials=stop)
    ended = history(study)
    assert history(whole)[: len(ended)] == ended


class _Deserted(InProcess):
    """Has no workers any more after three tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 3

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.left -= 1
        if self.left >= 0:
            return super().submit(function, *args, **kwargs)
        future: Future[Any] = Future()
        future.set_exception(ResourceError("No worker can be had"))
        return future


def test_trials_for_which_there_is_no_worker_run_when_the_search_goes_on(tmp_path: Path) -> None:
    """They have not failed: the search ends with the reason, and its history in the end is the usual one."""
    whole = make(tmp_path / "whole").run(max_trials=9)
    with pytest.raises(ResourceError, match="No worker can be had"):
        make(tmp_path / "stopped", executor=_Deserted()).run(max_trials=9)
    study = make(tmp_path / "stopped")
    assert [State.RUNNING] == [trial.state for trial in study.trials if trial.number not in study.history.trials]
    assert history(whole) == history(study.run(max_trials=9))


def test_a_claimed_duplicate_that_never_ended_ends_after_a_resume(tmp_path: Path) -> None:
    """A driver that died between the claim of a duplicate and its end leaves work for the next one."""
    first, second = drawn(2)
    strategy = Scripted([first, second, first])
    study = make(tmp_path / "study", strategy, parallel=1)
    study.run(max_trials=2)
    with SQLiteStore(tmp_path / "study", create=False) as store:
        body = {"number": 2, "attempt": 1, "architecture": dict(first), "budget": None, "inherits": None}
        store.append([Event("claimed", {**body, "seed": trial_seed(1, 2), "clock": 0.0, "run": 1})])
    resumed = make(tmp_path / "study", strategy, parallel=1).run()
    assert ["finished", "finished", "reused"] == [str(trial.state) for trial in resumed.trials]


def test_the_time_limit_holds_where_every_candidate_breaks_a_limit() -> None:
    """They are measured one after the other and fill no worker: the clock is asked between them, too."""

    class Slow(torch.nn.Module):
        def __init__(self, input_shape: tuple[int, ...]) -> None:
            super().__init__()
            time.sleep(0.05)
            self.layer = torch.nn.Linear(*input_shape, choose("width", *range(1, 100)))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(self.layer(x))

    study = make(
        space=SearchSpace(Slow, input_shape=(4,)), constraints={"latency_ms": 1e-9}, latency=Latency(on="torch")
    )
    study.run(time_limit=1.0)
    assert {State.INFEASIBLE} == {trial.state for trial in study.trials}
    assert len(study.trials) < 25
