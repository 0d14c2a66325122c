"""``netwright bench`` on the command line."""

import json

import bench_toys as toys
import pytest

import netwright.bench
from netwright.cli.app import run
from netwright.errors import MissingExtra
from netwright.evaluators.tables import save_table
from netwright.executors import Processes


@pytest.fixture
def table(tmp_path):
    return str(save_table(toys.table(), tmp_path / "toy.npz"))


@pytest.fixture
def called(monkeypatch):
    """Records the calls of ``compare``, which ends at once."""
    calls = []

    def compare(*arguments, **options):
        calls.append((arguments, options))
        made = toys.comparison({"random": toys.improving(1), "evolution": toys.improving(2)})
        options["watch"](netwright.bench.Standing("random", 8, 8, 8, 16))
        return made

    monkeypatch.setattr(netwright.bench, "compare", compare, raising=False)
    return calls


def test_one_call_with_the_defaults(called, capfd):
    """Those of the Python API."""
    assert 0 == run(["bench", "nasbench201"])
    ((arguments, options),) = called
    options.pop("watch")
    assert ("nasbench201", None) == arguments
    assert {
        "seeds": 20,
        "queries": 100,
        "maximize": None,
        "minimize": None,
        "score": None,
        "jobs": None,
        "workers": 1,
        "out": None,
        "command": "netwright bench nasbench201",
    } == options
    captured = capfd.readouterr()
    assert "searched by acc@9, judged by test@9" in captured.out
    assert "random 8/8 · 8 of 16 runs" in captured.err


def test_every_option_is_handed_on(called):
    """Under the name that it has in Python."""
    line = "bench t --strategies a,b --seeds 3 --queries 4 --maximize m@1 --maximize n@1 --minimize p --score s@2 "
    assert 0 == run([*line.split(), "--jobs", "2", "--workers", "8", "--out", "d", "--quiet"])
    ((arguments, options),) = called
    names = ("seeds", "queries", "maximize", "minimize", "score", "jobs", "workers", "out")
    assert ("t", "a,b") == arguments
    assert (3, 4, ["m@1", "n@1"], ["p"], "s@2", 2, 8, "d") == tuple(options[name] for name in names)


def test_json_is_one_object_and_nothing_else(called, capfd):
    """Also on standard error nothing, where that is no terminal."""
    assert 0 == run(["bench", "t", "--json"])
    captured = capfd.readouterr()
    assert ["evolution", "random"] == sorted(json.loads(captured.out)["strategies"])
    assert "" == captured.err


def test_pictures_that_are_missing_are_told(monkeypatch, capfd):
    """With the sentence that installs what draws them; the exit code is still 0."""
    made = toys.comparison({"random": toys.improving(1)})
    made.missing = MissingExtra("matplotlib", "plot", "Drawing")
    monkeypatch.setattr(netwright.bench, "compare", lambda *arguments, **options: made, raising=False)
    assert 0 == run(["bench", "t", "--quiet"])
    assert "no pictures. Drawing needs matplotlib. Install it: pip install 'netwright[plot]'" in capfd.readouterr().err


def test_statistics_run_nothing(called, table, capfd):
    """They describe the table, as text and as JSON."""
    assert 0 == run(["bench", table, "--statistics", "--maximize", "acc@3"])
    assert "table toy, acc@3, 81 architectures" in capfd.readouterr().out
    assert 0 == run(["bench", table, "--statistics", "--minimize", "params", "--json"])
    assert 81 == json.loads(capfd.readouterr().out)["size"]
    assert [] == called


def test_a_report_that_cannot_be_written_is_one_line_and_code_seven(table, tmp_path, capfd, monkeypatch):
    """The runs are kept: once it is mended nothing is computed again."""
    (tmp_path / "out" / "report.html").mkdir(parents=True)
    line = ["bench", table, "--strategies", "random", "--seeds", "2", "--queries", "3", "--maximize", "acc@9"]
    line += ["--jobs", "1", "--quiet", "--out", str(tmp_path / "out")]
    assert 7 == run(line)
    err = capfd.readouterr().err
    assert "report.html: Is a directory. The runs are kept" in err
    assert 1 == err.count("\n")
    (tmp_path / "out" / "report.html").rmdir()
    monkeypatch.setattr(Processes, "submit", lambda *arguments, **options: pytest.fail("a run was computed again"))
    assert 0 == run(line)
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--statistics", "--strategies", "random"], "--statistics runs no strategies"),
        (["--statistics", "--maximize", "acc@3", "--minimize", "params"], "--statistics describes one metric"),
        (["--out", " "], "--out names no folder"),
        (["--strategies", "random", "--maximize", "acc@2"], "'acc' is not known at fidelity 2, but at 1, 3, 9"),
        (["--strategies", "random,random"], "strategy 'random' is given twice"),
        (["--strategies", "evolution(popluation=3)"], "popluation"),
        (["--seeds", "0"], "seeds is a whole number from 1"),
    ],
)
def test_bad_input_is_one_line_and_code_two(table, capfd, arguments, message):
    """It says what was found and what to do."""
    assert 2 == run(["bench", table, *arguments])
    err = capfd.readouterr().err
    assert message in err
    assert 1 == err.count("\n")
