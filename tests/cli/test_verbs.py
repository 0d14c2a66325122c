"""Each verb is one call of the Python API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from netwright.cli.live import Live
from netwright.errors import StoreError
from netwright.progress import Progress


class FakeOutcome:
    """What a search answers with."""

    def to_value(self) -> dict[str, Any]:
        return {"out": "runs/a", "metric": "accuracy"}

    def text(self) -> str:
        return "found\nbaseline – 0.99"


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Records the calls of search and resume, which end at once."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def record(*arguments: Any, **options: Any) -> FakeOutcome:
        options["watch"](Progress("search", "val_accuracy"))
        calls.append((arguments, options))
        return FakeOutcome()

    for name in ("search", "resume"):
        monkeypatch.setattr(f"netwright.tasks.{name}", record, raising=False)
    return calls


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "netwright", *arguments], text=True, timeout=120, check=False, **options
    )


def test_search_with_nothing_but_data(netwright: Any, called: Any) -> None:
    """The defaults are those of the Python API."""
    ran = netwright("search", "digits")
    ((arguments, options),) = called
    assert isinstance(options.pop("watch"), Live)
    assert (arguments, options) == (
        ("digits",),
        {
            "target": None,
            "task": "auto",
            "options": {},
            "space": None,
            "strategy": "auto",
            "evaluate": "train",
            "metric": None,
            "maximize": (),
            "minimize": (),
            "constraints": {},
            "time_limit": None,
            "max_trials": None,
            "preset": None,
            "dry_run": False,
            "class_weight": None,
            "n_jobs": None,
            "parallel": 4,
            "asynchronous": False,
            "seed": 0,
            "device": "auto",
            "on": None,
            "out": None,
            "command": "netwright search digits",
            "ensemble": 0,
            "start_from": None,
            "start_weights": True,
        },
    )
    assert (ran.code, ran.out) == (0, "found\nbaseline – 0.99\n")
    assert "searching" in ran.err


def test_search_with_all_options(netwright: Any, called: Any) -> None:
    """Every option reaches the search."""
    text = (
        "search t.csv --task tables --target y --space a.py:Net --strategy random --evaluate spos --metric accuracy"
        " --maximize val_r2 --minimize macs --minimize params --constraint params=1e5 --constraint macs=2000000"
        " --time-limit 1.5h --max-trials 7 --jobs 2 --parallel 3 --asynchronous --seed 5 --device cpu --out o --quiet"
        " --horizon 3 --option season=7 --option date=day --skip-bad --ensemble 4 --start-from runs/a"
        " --fresh-weights --preset tiny --dry-run --class-weight a=2 --class-weight b=c=0.5"
    )
    ran = netwright(*text.split())
    ((arguments, options),) = called
    options.pop("watch")
    assert arguments == ("t.csv",)
    assert options == {
        "target": "y",
        "task": "tables",
        "options": {"horizon": 3, "season": 7, "date": "day", "skip_bad": True},
        "space": "a.py:Net",
        "strategy": "random",
        "evaluate": "spos",
        "metric": "accuracy",
        "maximize": ("val_r2",),
        "minimize": ("macs", "params"),
        "constraints": {"params": 1e5, "macs": 2e6},
        "time_limit": 5400.0,
        "max_trials": 7,
        "preset": "tiny",
        "dry_run": True,
        "class_weight": {"a": 2.0, "b=c": 0.5},
        "n_jobs": 2,
        "parallel": 3,
        "asynchronous": True,
        "seed": 5,
        "device": "cpu",
        "on": None,
        "out": "o",
        "command": f"netwright {text}",
        "ensemble": 4,
        "start_from": "runs/a",
        "start_weights": False,
    }
    assert ran.err == ""


def test_classes_that_count_alike(netwright: Any, called: Any) -> None:
    """The word of scikit-learn."""
    netwright("search", "t.csv", "--class-weight", "balanced", "--quiet")
    assert called[0][1]["class_weight"] == "balanced"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--class-weight", "even"], "--class-weight is balanced or CLASS=W, found 'even'"),
        (["--class-weight", "a=many"], "--class-weight is balanced or CLASS=W, found 'a=many'"),
        (["--class-weight", "a=nan"], "--class-weight is balanced or CLASS=W, found 'a=nan'"),
        (["--class-weight", "balanced", "--class-weight", "a=1"], "CLASS=W, found 'balanced'"),
        (["--class-weight", "a=1", "--class-weight", "a=2"], "--class-weight a is given twice"),
    ],
)
def test_weights_of_classes_that_are_none(netwright: Any, called: Any, words: list[str], message: str) -> None:
    """Told in a line, and nothing is searched."""
    ran = netwright("search", "t.csv", "--quiet", *words)
    assert ran.code == 2
    assert message in ran.err
    assert called == []


def test_the_command_can_be_typed_again(netwright: Any, called: Any) -> None:
    """Arguments with spaces are quoted in the command that the card shows."""
    netwright("search", "my data.csv", "--target", "it's", "--quiet")
    assert called[0][1]["command"] == "netwright search 'my data.csv' --target 'it'\"'\"'s' --quiet"


def test_search_for_programs(netwright: Any, called: Any) -> None:
    """Standard output holds the JSON object alone, standard error nothing."""
    ran = netwright("search", "digits", "--json")
    assert json.loads(ran.out) == {"out": "runs/a", "metric": "accuracy"}
    assert ran.err == ""


def test_resume(netwright: Any, called: Any) -> None:
    """Without limits it has those of the study; every option reaches it."""
    netwright("resume", "runs/a", "--quiet")
    netwright(
        "resume",
        "runs/a",
        *["--time-limit", "90", "--max-trials", "9", "--jobs", "1", "--takeover", "--accept-loss", "--json"],
    )
    for _, options in called:
        options.pop("watch")
    assert called == [
        (
            ("runs/a",),
            {"time_limit": None, "max_trials": None, "n_jobs": None, "takeover": False, "accept_loss": False},
        ),
        (("runs/a",), {"time_limit": 90.0, "max_trials": 9, "n_jobs": 1, "takeover": True, "accept_loss": True}),
    ]


def trial(number: int, score: float | None, state: str = "finished", **fields: Any) -> dict[str, Any]:
    return {
        "number": number,
        "architecture": {"width": 16 + number},
        "budget": None,
        "state": state,
        "metrics": {} if score is None else {"val_accuracy": score, "epochs": 3.0},
        "params": 8842,
        "macs": 211345,
        "error": None,
        "seconds": 2.5,
        "inherits": None,
        **fields,
    }


TRIALS = [
    trial(0, 0.9),
    trial(1, 0.98, inherits=0),
    trial(2, None, "failed", error="exception: boom\x1b[2J"),
    trial(3, 0.9, "reused", seconds=0.0),
    trial(4, None, "failed", error="exception: boom\x1b[2J"),
]

SHOWN = {
    "study": {
        "name": "digits", "state": "stopped", "seed": 0, "parallel": 4, "space": "compact", "metric": "val_accuracy",
    },
    "trials": TRIALS,
    "best": TRIALS[1],
    "pareto": [0, 1],
}  # fmt: skip


def test_show(netwright: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """State, best, the trials by score, and why others failed."""
    monkeypatch.setattr("netwright.tasks.show", lambda folder: SHOWN, raising=False)
    ran = netwright("show", "runs/a")
    assert ran.code == 0
    assert ran.out == (
        "study   digits\n"
        "state   stopped\n"
        "space   compact, seed 0, parallel 4\n"
        "trials  5 (2 finished, 2 failed, 1 reused)\n"
        "best    trial 1: val_accuracy 0.9800\n"
        "        width=17\n"
        "pareto  trials 0, 1\n"
        "\n"
        "trial  val_accuracy  params  MACs  epochs    time  from  architecture\n"
        "    1        0.9800   8.84k  211k       3    2.5s     0  width=17\n"
        "    0        0.9000   8.84k  211k       3    2.5s        width=16\n"
        "    3        0.9000   8.84k  211k       3  reused        width=19\n"
        "\n"
        "failed\n"
        "    2 × exception: boom\\x1b[2J\n"
    )


def test_show_marks_the_chosen_trial(netwright: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the network in best, beside the one with the best score."""
    shown = {**SHOWN, "study": {**SHOWN["study"], "chosen": 0}}
    monkeypatch.setattr("netwright.tasks.show", lambda folder: shown, raising=False)
    lines = netwright("show", "runs/a").out.splitlines()
    assert "chosen  trial 0: retrained and judged on other data, its network is in best" in lines


def test_show_tells_the_last_failure_whole(netwright: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to do stands at the end of a message: it is not cut."""
    long = f"memory: {'the candidate needs more than there is, ' * 4}use fewer workers"
    shown = {**SHOWN, "trials": [*TRIALS, trial(5, None, "failed", error=long)]}
    monkeypatch.setattr("netwright.tasks.show", lambda folder: shown, raising=False)
    lines = netwright("show", "runs/a").out.splitlines()
    assert lines[-1] == f"trial 5: {long}"
    assert lines[-2] == f"    1 × {long[:99]}…"


def test_show_the_first_few(netwright: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """--top N, and how many more there are; what is minimized is sorted the other way."""
    shown = {**SHOWN, "best": TRIALS[0]}
    monkeypatch.setattr("netwright.tasks.show", lambda folder: shown, raising=False)
    lines = netwright("show", "runs/a", "--top", "1").out.splitlines()
    assert "    0        0.9000   8.84k  211k       3  2.5s  width=16" in lines
    assert "… and 2 more with a score: --top 3" in lines


def test_show_an_empty_study(netwright: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to rank is no error."""
    shown = {**SHOWN, "trials": [], "best": None, "pareto": []}
    monkeypatch.setattr("netwright.tasks.show", lambda folder: shown, raising=False)
    assert netwright("show", "runs/a").out.splitlines()[-1] == "trials  0"


def test_show_for_programs(netwright: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value as it is."""
    monkeypatch.setattr("netwright.tasks.show", lambda folder: SHOWN, raising=False)
    assert json.loads(netwright("show", "runs/a", "--json").out) == SHOWN


def test_a_damaged_study_points_to_salvage(netwright: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the store without advice of its own gets one."""

    def damaged(folder: str) -> dict[str, Any]:
        raise StoreError("the journal is broken at event 7")

    monkeypatch.setattr("netwright.tasks.show", damaged, raising=False)
    ran = netwright("show", "runs/a")
    assert ran.code == 6
    assert "See what is readable: netwright show runs/a --salvage" in ran.err


def test_salvage_shows_what_is_readable(netwright: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sound beginning of the journal is shown; nothing readable is exit 6."""
    events: list[Any] = ["event"]
    monkeypatch.setattr("netwright.stores.salvage", lambda folder: events, raising=False)
    monkeypatch.setattr("netwright.tasks.overview.show", lambda folder, *, events: {**SHOWN, "trials": events})
    assert json.loads(netwright("show", "runs/a", "--salvage", "--json").out)["trials"] == ["event"]
    events.clear()
    ran = netwright("show", "runs/a", "--salvage")
    assert ran.code == 6
    assert "nothing of the store in runs/a can be read" in ran.err


def test_predict(netwright: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each row, or all of it for programs."""
    value = {"predictions": ["cat", "a\nb"], "classes": ["a\nb", "cat"], "probabilities": [[0.2, 0.8], [0.9, 0.1]]}
    monkeypatch.setattr("netwright.tasks.predict", lambda folder, source, target: value, raising=False)
    assert netwright("predict", "runs/a", "x.csv").out == "cat\na b\n"
    assert json.loads(netwright("predict", "runs/a", "x.csv", "--json").out) == value


def test_export_of_an_unfinished_search(netwright: Any, tmp_path: Path) -> None:
    """The command that finishes it is named."""
    (tmp_path / "study.db").touch()
    ran = netwright("export", str(tmp_path), "--to", "torch", "--json")
    assert ran.code == 2
    assert json.loads(ran.out)["error"]["hint"] == f"Go on with: netwright resume {tmp_path}"


def test_spaces_and_strategies(netwright: Any) -> None:
    """Every name stands with a line about it, a strategy's arguments below."""
    from netwright.strategies import STRATEGIES
    from netwright.strategies.oneshot import METHODS
    from netwright.zoo import SPACES

    for verb, names in (("spaces", SPACES), ("strategies", [*STRATEGIES, *METHODS])):
        rows = json.loads(netwright(verb, "--json").out)[verb]
        assert [row["name"] for row in rows] == list(names)
        assert all(row["summary"] for row in rows)
        assert not [row["name"] for row in rows if row["summary"].endswith(f": {row['name'].split('-')[-1]}.")]
        lines = [text for text in netwright(verb).out.splitlines() if not text.startswith(" ")]
        assert [text.split()[0] for text in lines] == list(names)


def test_help_names_every_verb(netwright: Any) -> None:
    """With or without --help."""
    text = netwright("--help").out
    for verb in ("search", "resume", "show", "predict", "export", "spaces", "strategies"):
        assert f"\n  {verb} " in text
    assert netwright().out == text


def test_version(netwright: Any) -> None:
    """The version of the package."""
    import netwright as package

    assert netwright("--version").out == f"netwright {package.__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["search", "--help"], ["spaces"], ["search", "digits", "--sed", "1"]]
)
def test_cheap_commands_import_nothing_heavy(arguments: list[str]) -> None:
    """Help, lists and wrong usage answer without torch, numpy, scikit-learn or SQLAlchemy."""
    code = (
        "import sys\nfrom netwright.cli.app import run\nrun(sys.argv[1:])\n"
        "heavy = {'torch', 'numpy', 'sklearn', 'sqlalchemy', 'pandas', 'scipy', 'rich'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_as_a_module() -> None:
    """``python -m netwright`` is the command."""
    ran = command("search", "--no-such", capture_output=True)
    assert ran.returncode == 2
    assert ran.stderr.startswith("netwright: error: no such option")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize(("arguments", "code"), [(["spaces"], 0), (["spaces", "--json"], 0), (["serch"], 2)])
def test_a_full_disk_changes_no_exit_code(arguments: list[str], code: int) -> None:
    """Neither does it end in a traceback."""
    with open("/dev/full", "w") as full:
        assert command(*arguments, stdout=full, stderr=full).returncode == code
        assert command(*arguments, stdout=full, stderr=subprocess.PIPE).stderr.count("\n") == (code != 0)


def test_a_reader_that_has_gone_changes_no_exit_code() -> None:
    """As in ``netwright spaces | head -0``."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        ran = command("spaces", stdout=stream, stderr=subprocess.PIPE)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_closed_streams() -> None:
    """Started without standard output and standard error, as some services are."""
    script = f"exec '{sys.executable}' -m netwright spaces >&- 2>&-"
    ran = subprocess.run(["sh", "-c", script], check=False)
    assert ran.returncode == 0
