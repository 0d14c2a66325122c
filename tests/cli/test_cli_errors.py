"""What goes wrong ends in one line and an exit code."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from netwright import errors
from netwright.cli.errors import explain, line
from netwright.cli.output import plain

KINDS = [
    (errors.InputError("no such file: a.csv", hint="Give a file"), 2),
    (errors.DataError("y has one class"), 2),
    (errors.InfeasibleError("nothing meets params=1"), 3),
    (errors.CheckError("outputs differ"), 4),
    (errors.StudyInUseError("in use by pid 1"), 5),
    (errors.StoreError("damaged"), 6),
    (errors.ResourceError("no space"), 7),
    (errors.TooManyFailures("all failed"), 8),
    (errors.NetwrightError("odd"), 1),
    (RuntimeError("boom"), 1),
    (OSError(errno.ENOSPC, "No space left on device", "x.db"), 7),
    (MemoryError(), 7),
]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Makes every search end in this error."""

    def fail(error: BaseException) -> None:
        def search(*arguments: Any, **options: Any) -> None:
            raise error

        monkeypatch.setattr("netwright.tasks.search", search, raising=False)

    return fail


@pytest.mark.parametrize(("error", "code"), KINDS, ids=lambda value: type(value).__name__)
def test_one_line_and_the_exit_code(netwright: Any, failing: Any, error: BaseException, code: int) -> None:
    """Each kind of error has its exit code, one line on standard error, and no traceback."""
    failing(error)
    ran = netwright("search", "digits", "--quiet")
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("netwright: error: ")
    assert ran.err.count("\n") == 1
    assert "Traceback" not in ran.err


def test_message_and_hint(netwright: Any, failing: Any) -> None:
    """What was found, then what to do."""
    failing(errors.InputError("no such file: a.csv", hint="Give a file"))
    assert netwright("search", "x", "--quiet").err == "netwright: error: no such file: a.csv. Give a file\n"


def test_errors_for_programs(netwright: Any, failing: Any) -> None:
    """--json prints the error as an object on standard output."""
    failing(errors.StoreError("damaged", hint="Salvage it"))
    ran = netwright("search", "digits", "--json")
    assert json.loads(ran.out) == {"error": {"code": 6, "message": "damaged", "hint": "Salvage it"}}
    assert ran.code == 6


def test_usage_errors_for_programs(netwright: Any) -> None:
    """An unknown option is an object too."""
    ran = netwright("search", "digits", "--json", "--sed", "3")
    assert ran.code == 2
    error = json.loads(ran.out)["error"]
    assert (error["code"], error["hint"]) == (2, "See: netwright search --help")
    assert "--sed" in error["message"]
    assert "--seed" in error["message"]


def test_debug_prints_the_traceback(netwright: Any, failing: Any) -> None:
    """The line stays the last one."""
    failing(RuntimeError("boom"))
    ran = netwright("search", "digits", "--debug", "--quiet")
    assert "Traceback" in ran.err
    assert ran.err.splitlines()[-1] == "netwright: error: unexpected RuntimeError: boom. Add --debug for the traceback"


def test_stopped_by_a_signal(netwright: Any, failing: Any) -> None:
    """The message says how to go on; it is not called an error."""
    failing(errors.Interrupted("Stopped by SIGTERM: 4 trials kept", hint="Go on with: netwright resume r", code=143))
    ran = netwright("search", "digits", "--quiet")
    assert ran.code == 143
    assert ran.err == "netwright: Stopped by SIGTERM: 4 trials kept. Go on with: netwright resume r\n"


def test_ctrl_c_before_the_search(netwright: Any, failing: Any) -> None:
    """Ctrl-C while the data are read."""
    failing(KeyboardInterrupt())
    ran = netwright("search", "digits", "--quiet")
    assert (ran.code, ran.err) == (130, "netwright: stopped by Ctrl-C\n")


INTERRUPTED = """
import runpy
import sys
module = sys.argv.pop()
class Stop:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stop())
runpy.run_module("netwright", run_name="__main__")
"""


@pytest.mark.parametrize("module", ["netwright.cli", "netwright.cli.app", "typer"])
def test_ctrl_c_during_the_imports(module: str) -> None:
    """The first moments of the command end in one line too, and in the exit code of a Ctrl-C."""
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED, module], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "netwright: stopped by Ctrl-C\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("serach", "digits"), r"no such command 'serach'. Did you mean 'search'? See: netwright --help"),
        (("search",), "missing argument 'DATA'. See: netwright search --help"),
        (("search", "digits", "--time-limt", "3"), "no such option: --time-limt"),
        (
            ("search", "digits", "--max-trials", "0"),
            "'--max-trials': a number from 1 on was expected, found '0'. See: ",
        ),
        (
            ("search", "digits", "--max-trials", "two"),
            "'--max-trials': a whole number was expected, found 'two'. See: ",
        ),
        (("search", "digits", "--max-trials", "1.5"), "'--max-trials'"),
        (("search", "nope.parquet"), "no such file or folder: nope.parquet. Give the path of one that is there"),
        (("search", "digits", "--seed", "-1"), "'--seed'"),
        (("search", "digits", "--jobs", "true"), "'--jobs'"),
        (("search", "digits", "--jobs", "0"), "--jobs is a whole number of at least 1, or -1 for all cores, found 0"),
        (("search", "no-such-data", "--jobs", "-1"), "no-such-data"),
        (("search", "digits", "extra"), "unexpected extra argument"),
        (("search", "digits", "--time-limit", "-5m"), "--time-limit is a number with s, m, h or d, found '-5m'"),
        (("search", "digits", "--time-limit", "0"), "--time-limit is above zero and finite, found '0'"),
        (("search", "digits", "--constraint", "params"), "--constraint is METRIC=VALUE, found 'params'"),
        (("search", "digits", "--constraint", "parms=1"), "unknown metric 'parms'. Did you mean 'params'?"),
        (
            ("search", "digits", "--constraint", "nonsense=1"),
            "unknown metric 'nonsense'. Known: activations, energy_j, flops, latency_ms, macs, memory, params, ",
        ),
        (("search", "digits", "--constraint", "params=nan"), "--constraint params is a number above zero, found 'nan'"),
        (("search", "digits", "--constraint", "params=-1"), "found '-1'. Write for example params=1e5"),
        (("search", "digits", "--constraint", "params=1_0"), "found '1_0'"),
        (("search", "digits", "--constraint", "params=true"), "found 'true'"),
        (("search", "digits", "--constraint", "params=1", "--constraint", "params=2"), "params is given twice"),
        (("search", "digits", "--maximize", "macs", "--minimize", "macs"), "'macs' is to be maximized and minimized"),
        (("search", "digits", "--out", ""), "--out names no folder"),
        (("export", "x"), "missing option '--to'"),
        (("export", "x", "--to", "torhc"), "--to 'torhc' is no format that can be written. Did you mean 'torch'? Ins"),
        (("export", "no/where", "--to", "torch"), "no/where is no study (no study.db in it)"),
        (("show", "no/where"), "no/where"),
    ],
)
def test_wrong_arguments(netwright: Any, arguments: tuple[str, ...], message: str) -> None:
    """Each is refused before any work with exit code 2 and a line that says what to do."""
    ran = netwright(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert ran.err.startswith("netwright: error: ")
    assert ran.err.count("\n") == 1


def test_a_line_is_shortened_in_its_middle() -> None:
    """The beginning, the end and the hint stay."""
    text = line("netwright: error: " + "a" * 300 + "/data.csv", "Give a file", 200)
    assert len(text) == 200
    assert text.startswith("netwright: error: aaa")
    assert text.endswith("a/data.csv. Give a file")


def test_of_a_line_with_a_path_the_path_is_shortened() -> None:
    """The sentence is whole, as far as the path has enough to give; then it is shortened, too."""
    text = line(f"netwright: error: 3 rows of /home/{'somebody/' * 20}rows.csv are {'very ' * 10}odd", "Mend them", 150)
    assert 150 == len(text)
    assert text.startswith("netwright: error: 3 rows of /home/somebody/")
    assert text.endswith(f"/rows.csv are {'very ' * 10}odd. Mend them")
    text = line(f"netwright: error: 3 rows of /home/{'somebody/' * 20}rows.csv are {'very ' * 30}odd", "Mend them", 150)
    assert 150 == len(text)
    assert "/home/somebod…ws.csv" in text
    short = "netwright: error: 3 rows of /home/somebody/documents/rows.csv are odd"
    assert f"{short}. Mend them" == line(short, "Mend them", 150)


def test_control_characters_have_no_power() -> None:
    """Escape sequences, line breaks and marks that turn the direction of text are shown, not obeyed."""
    assert plain("a\x1b[31mb\nc\u202ed\u2028\udcff") == "a\\x1b[31mb c\\u202ed\\u2028\\udcff"


def test_messages_with_odd_characters(netwright: Any, failing: Any) -> None:
    """A name of a file that is no UTF-8 and one with rich's markup are printed as they are."""
    failing(errors.InputError("no such file: \udcff[red]x[/red]\x1b[2J"))
    ran = netwright("search", "digits", "--json", "--quiet")
    assert ran.err == "netwright: error: no such file: \\udcff[red]x[/red]\\x1b[2J\n"
    assert json.loads(ran.out)["error"]["message"] == "no such file: \\udcff[red]x[/red]\x1b[2J"


def test_an_error_without_a_text() -> None:
    """The name of its kind stands for it."""
    assert explain(ZeroDivisionError())[1] == "unexpected ZeroDivisionError"
    assert explain(KeyError("x"))[1] == "unexpected KeyError: key 'x'"
