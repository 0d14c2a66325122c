"""Many runs: kept, gone on with, refused, and compared."""

import os
import signal
import subprocess
import sys
import time

import bench_toys as toys
import pytest

import netwright.executors
from netwright.bench import compare
from netwright.bench.comparing import InOrder, check_folder, folder_name, going_on, read_strategies, split
from netwright.bench.race import Race
from netwright.errors import InputError, TooManyFailures
from netwright.evaluators.tables import save_table
from netwright.stores import open_readonly
from netwright.strategies import Evolution
from netwright.study.history import History

LIST = ("random", "evolution(population=4,tournament=2)")


def bodies(folder, strategy):
    """What the store holds of a strategy's ended runs, by number."""
    with open_readonly(folder / folder_name(strategy)) as reader:
        return {event.body["number"]: dict(event.body) for event in reader.read() if event.kind == "ended"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with the runs of two strategies, five of each, and what came of them."""
    folder = tmp_path_factory.mktemp("bench") / "out"
    told = []
    made = compare(
        toys.table(), LIST, seeds=5, queries=15, maximize="acc@9", score="test@9", jobs=2, out=folder,
        watch=told.append,
    )  # fmt: skip
    return folder, made, told


@pytest.fixture
def no_workers(monkeypatch):
    """Nothing may be computed any more."""

    def submit(self, function, /, *args, **kwargs):
        raise AssertionError("a run was computed again")

    monkeypatch.setattr(netwright.executors.Processes, "submit", submit)


def test_commas_in_brackets_and_quotes_do_not_separate():
    """They belong to the arguments."""
    assert ["a(b=1,c=[2,3])", "d"] == split("a(b=1,c=[2,3]),d")
    assert ["a(b='x,(')", "d"] == split("a(b='x,('),d")
    assert LIST == read_strategies("random, evolution(population=4, tournament=2)")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", r'found none. Give for example --strategies "random,evolution\(population=10,tournament=3\)"'),
        ([], "at least one strategy, found none"),
        ("random,,evolution", "name is empty"),
        ("random,evolution,random", "'random' is given twice"),
        ("evolution(population=4", "do not close"),
        ("evolution)", "do not close"),
    ],
)
def test_a_list_that_is_none_is_refused(given, message):
    """Empty, with a hole, with a repetition, with a bracket left open."""
    with pytest.raises(InputError, match=message):
        read_strategies(given)


def test_runs_in_processes_are_the_runs_themselves(finished):
    """What a worker found from a seed is what the same race finds here."""
    _, made, _ = finished
    for name in LIST:
        assert (0, 1, 2, 3, 4) == made.runs[name].seeds
        here = Race(toys.table(), name, (toys.ACC,), 15).run(3)
        last = list(here.incumbents.values())[-1]["row"]
        assert last == made.runs[name].rows[3, -1]


def test_it_tells_how_far_it_is(finished):
    """Runs of a strategy and of all, up to the last."""
    _, _, told = finished
    assert ("random", 5, 5, 10) == (told[0].strategy, told[0].seeds, max(one.done for one in told), told[0].runs)
    assert (10, 10) == (told[-1].total, told[-1].runs)


def test_the_same_again_computes_nothing(finished, no_workers):
    """And gives the same numbers; fewer seeds are the first of them, another score is looked up."""
    folder, made, _ = finished
    options = {"queries": 15, "maximize": "acc@9", "out": folder, "report": False}
    again = compare(toys.table(), LIST, seeds=5, score="test@9", **options)
    assert made.to_value()["strategies"] == again.to_value()["strategies"]
    fewer = compare(toys.table(), LIST[:1], seeds=2, score="acc@1", **options)
    assert (0, 1) == fewer.runs["random"].seeds
    assert toys.table().column("acc@1").mean[made.runs["random"].rows[:2, -1]].tolist() == (
        fewer.scores["random"][:, -1].tolist()
    )


def test_more_seeds_and_strategies_are_added(finished):
    """What was there stays as it is."""
    folder, _, _ = finished
    before = bodies(folder, "random")
    made = compare(
        toys.table(), ("random", "local-search"), seeds=6, queries=15, maximize="acc@9", jobs=1, out=folder,
        report=False,
    )  # fmt: skip
    after = bodies(folder, "random")
    assert (6, 6) == (len(made.runs["random"].seeds), len(made.runs["local-search"].seeds))
    assert before == {number: after[number] for number in before}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"maximize": "acc@3"}, r"searched metric acc@9 \(maximized\), now acc@3 \(maximized\)"),
        ({"queries": 16}, "queries 15, now 16"),
        ({"workers": 2}, "workers 1, now 2"),
        ({"table": toys.table("other")}, "table 'toy', now 'other'"),
    ],
)
def test_another_bench_is_refused_by_name(finished, no_workers, changed, message):
    """Its runs cannot stand beside those of the folder."""
    given = {"table": toys.table(), "queries": 15, "maximize": "acc@9", "out": finished[0], **changed}
    with pytest.raises(InputError, match=message):
        compare(strategies="random", seeds=5, **given)


def test_other_numbers_under_the_same_name_are_refused(finished):
    """The folder knows the content of its table."""
    fingerprint = {**Race(toys.table(), "random", (toys.ACC,), 15).fingerprint, "content": "0"}
    with pytest.raises(InputError, match="the table 'toy' with other numbers"):
        check_folder(finished[0], fingerprint)


def test_the_score_is_the_test_metric_of_what_is_searched(tmp_path):
    """Unless it is given; several searched metrics are judged by their hypervolume."""
    options = {"seeds": 1, "queries": 3, "jobs": 1, "out": tmp_path / "out", "report": False}
    for score, judged in ((None, "test_accuracy@4"), ("val_accuracy@4", "val_accuracy@4")):
        made = compare("digits-cells", "random", maximize="val_accuracy@4", score=score, **options)
        assert ("val_accuracy@4", judged) == (made.searched_name, made.score_name)
    options["out"] = tmp_path / "both"
    both = compare("digits-cells", "random", maximize="val_accuracy@4", minimize="params", **options)
    assert "hypervolume" == both.score_name


def test_the_smallest_network_is_the_best_by_its_parameters(tmp_path):
    """Though accuracy is maximized: regret counts from the fewest parameters of the table."""
    made = compare(
        toys.table(), "random", seeds=2, queries=3, jobs=1, maximize="acc@9", score="params",
        out=tmp_path / "out", report=False,
    )  # fmt: skip
    assert 10 == made.best_score
    assert (made.scores["random"] - 10 == made.regrets["random"]).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seeds": 0}, "seeds is a whole number from 1"),
        ({"queries": 0}, "queries is a whole number from 1"),
        ({"jobs": 0}, "jobs is a whole number from 1"),
        ({"workers": 1.5}, "workers is a whole number from 1"),
        ({"strategies": "randum"}, "unknown strategy 'randum'. Did you mean 'random'"),
        ({"score": "tset@9"}, "no metric 'tset'. Did you mean 'test'"),
        ({"score": "hypervolume"}, "of several searched metrics"),
        ({"score": 5}, "the score is named by text, found 5"),
        ({"maximize": 5}, "a metric is named by text, found 5"),
        ({"minimize": ["params", None, 3]}, "a metric is named by text, found"),
        ({"table": None}, "a bench takes a table, its name or its file, found None"),
        ({"table": 3}, "a bench takes a table, its name or its file, found 3"),
        ({"strategies": 5}, "takes the names of strategies as text, found 5. Give for example"),
        ({"strategies": [None]}, "takes the names of strategies as text, found None"),
        ({"strategies": [Evolution()]}, "names of strategies as text, found an object of the class Evolution"),
        ({"strategies": Evolution()}, "names of strategies as text, found an object of the class Evolution"),
        ({"table": "digits-sells"}, "Did you mean 'digits-cells'"),
    ],
)
def test_bad_input_leaves_no_folder(tmp_path, given, message):
    """It is refused before anything is made."""
    with pytest.raises(InputError, match=message):
        compare(**{"table": toys.table(), "strategies": "random", "out": tmp_path / "out", **given})
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_kind_is_refused(tmp_path):
    """A file, and the study of a search."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        compare(toys.table(), "random", out=tmp_path / "file")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "study.db").write_text("")
    with pytest.raises(InputError, match="holds the study of a search"):
        compare(toys.table(), "random", out=tmp_path / "study")


def test_a_folder_is_named_after_its_strategy():
    """Plainly where that can be, else by a name that is safe and its own."""
    assert "local-search" == folder_name("local-search")
    assert folder_name("evolution(population=4)") != folder_name("evolution(population=5)")
    assert folder_name("evolution(population=4)").startswith("evolution-population-4-")


def test_the_command_that_goes_on():
    """It has the folder, once."""
    assert "netwright bench t --out 'a b'" == going_on("netwright bench t", "a b")
    assert "netwright bench t --out c" == going_on("netwright bench t --out c", "d")


def test_seeds_come_in_order():
    """Whatever was told."""
    strategy = InOrder()
    strategy.start(None, ())
    assert [0, 1, 2] == [strategy.ask(None).architecture["seed"] for _ in range(3)]


def test_a_strategy_that_always_fails_is_told(tmp_path, monkeypatch):
    """With the cause, after every run of it; nothing is made up for it."""
    monkeypatch.setattr("netwright.bench.comparing._workers", in_process)
    monkeypatch.setattr("netwright.bench.race.Account.metrics", lambda self: {"searched": float("nan")})
    with pytest.raises(TooManyFailures, match=r"all 2 runs of random failed \(.*nan"):
        compare(toys.table(), "random", seeds=2, queries=3, out=tmp_path / "out")


def in_process(count):
    """Runs here, so that what a test replaces is replaced in them too."""
    from contextlib import nullcontext

    return nullcontext(netwright.executors.InProcess())


def command(table, out, *more):
    """The command line of a bench that takes a while."""
    return [
        *(sys.executable, "-m", "netwright", "bench", str(table), "--strategies", "random", "--seeds", "40"),
        *("--queries", "60", "--maximize", "acc@9", "--jobs", "1", "--out", str(out), *more),
    ]


def kept(out):
    """How many runs are durable by now."""
    if not (out / "random" / "study.db").exists():
        return 0
    try:
        with open_readonly(out / "random") as reader:
            return len(History.of(reader.read()).trials)
    except Exception:
        return 0  # it is being made just now


def interrupt(table, out, number):
    """Starts a bench, sends it a signal once five runs are kept, and answers with what it did."""
    process = subprocess.Popen(
        command(table, out, "--quiet"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 100
    while kept(out) < 5 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.fixture
def slow(tmp_path):
    """A table in a file."""
    return save_table(toys.table(), tmp_path / "toy.npz")


@pytest.mark.slow
def test_a_killed_bench_goes_on(tmp_path, slow):
    """kill -9 loses no run that had ended; the rest is computed, and all is as if nothing had happened."""
    out = tmp_path / "out"
    code, _ = interrupt(slow, out, signal.SIGKILL)
    assert -signal.SIGKILL == code
    before = bodies(out, "random")
    assert 5 <= len(before) < 40
    made = compare(str(slow), "random", seeds=40, queries=60, maximize="acc@9", jobs=2, out=out, report=False)
    after = bodies(out, "random")
    assert before == {number: after[number] for number in before}
    assert 40 == len(made.runs["random"].seeds)
    for seed in (0, len(before), 39):
        whole = Race(toys.table(), "random", (toys.ACC,), 60).run(seed)
        assert list(whole.incumbents.values())[-1]["row"] == made.runs["random"].rows[seed, -1]


@pytest.mark.slow
def test_ctrl_c_keeps_what_has_ended(tmp_path, slow):
    """Exit code 130, how many runs are kept, and the command that goes on."""
    out = tmp_path / "out"
    code, err = interrupt(slow, out, signal.SIGINT)
    count = kept(out)
    assert 130 == code
    assert f"Stopped by Ctrl-C: {count} of 40 runs kept" in err
    assert f"Go on with: netwright bench {slow}" in err
    assert 5 <= count < 40
