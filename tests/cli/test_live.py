"""The live view: lines, the panel, and what becomes of them when the stream does not play along."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import replace
from typing import Any

import pytest

from netwright.architecture import Architecture
from netwright.cli.live import Lines, Live, Panel, Picture, count
from netwright.cli.output import Careful
from netwright.progress import Progress
from netwright.trial import Proposal, State, Trial


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def trial(number: int, score: float, **answers: Any) -> Trial:
    answers = answers or {"width": 16, "depth": 3}
    metrics = {"val_accuracy": score, "params": 8842.0, "macs": 211345.0}
    return Trial(number, Proposal(Architecture(answers)), State.FINISHED, metrics)


def searching(best: Trial | None = None, **fields: Any) -> Progress:
    return Progress("search", "val_accuracy", best=best, **fields)


def lines() -> tuple[Lines, io.StringIO, Clock]:
    stream, clock = io.StringIO(), Clock()
    return Lines(Careful(stream), clock), stream, clock


def drawn(picture: Picture, width: int = 100) -> str:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=width, color_system=None, markup=False)
    console.print(picture.draw(width))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_line_for_each_phase() -> None:
    """With its message, unless that says the same."""
    view, stream, _ = lines()
    view.show([searching(), searching()])
    view.show([Progress("finalists", "", message="1 of 6 trainings")])
    view.show([Progress("export", "", message="writing the network"), Progress("done", "")])
    said = [text.split("] ")[1] for text in stream.getvalue().splitlines()]
    assert said == ["searching", "retraining finalists: 1 of 6 trainings", "writing the network", "done"]


def test_a_short_preparation_has_no_line() -> None:
    """What is refused at once leaves the line of its error alone; a long preparation is told."""
    view, stream, clock = lines()
    view.show([Progress("prepare", "", message="reading the data")])
    clock.now += 9
    view.show([])
    assert stream.getvalue() == ""
    clock.now += 1
    view.show([])
    view.show([])
    assert stream.getvalue() == "[   10s] preparing: reading the data\n"
    clock.now += 5
    view.show([Progress("prepare", "", message="making the supernet")])
    view.show([])
    assert stream.getvalue().splitlines()[1:] == ["[   15s] preparing: making the supernet"]


def test_a_warning_has_its_line_at_once() -> None:
    """Of what is found in the data a user wants to know before the search, not after it."""
    view, stream, clock = lines()
    view.show([Progress("prepare", "", message="reading"), Progress("prepare", "", warning="empty: b\x1b[2J")])
    assert stream.getvalue() == "[  0.0s] warning: empty: b\\x1b[2J\n"
    clock.now += 10
    view.show([])
    assert stream.getvalue().splitlines()[1:] == ["[   10s] preparing: reading"]


def test_a_line_for_an_improvement() -> None:
    """Score, size, counts and architecture."""
    view, stream, clock = lines()
    view.show([searching()])
    clock.now += 5
    view.show([searching(trial(7, 0.975), trials=9, failed=1, per_minute=38.2, remaining=52.0)])
    assert stream.getvalue().splitlines()[1] == (
        "[  5.0s] trial 7: val_accuracy 0.9750 · 8.84k params · 211k MACs"
        " (9 trials, 1 failed, 38/min, 52s left) width=16 depth=3"
    )


def test_the_budget_of_the_best() -> None:
    """Where trials differ in their budget it stands beside the score, which may be less than one before."""
    view, stream, clock = lines()
    for number, score, budget in ((0, 0.95, 1), (1, 0.9, 9)):
        best = trial(number, score)
        view.show([searching(replace(best, proposal=replace(best.proposal, budget=budget)), trials=number + 1)])
        clock.now += 10
        view.show([])
    said = stream.getvalue()
    assert "trial 0: val_accuracy 0.9500 at budget 1 · 8.84k params" in said
    assert "trial 1: val_accuracy 0.9000 at budget 9 · 8.84k params" in said


def test_improvements_wait_for_each_other() -> None:
    """Several within seconds become one line, the last; none is lost at the end."""
    view, stream, clock = lines()
    view.show([searching()])
    for number in range(5):
        clock.now += 0.1
        view.show([searching(trial(number, 0.9 + number / 100))])
    assert stream.getvalue().count("trial ") == 0
    view.end()
    assert stream.getvalue().count("trial 4:") == 1


def test_nothing_new_for_a_minute() -> None:
    """A sign of life."""
    view, stream, clock = lines()
    view.show([searching(trial(1, 0.9), trials=3)])
    clock.now += 5
    view.show([])
    clock.now += 61
    view.show([])
    assert stream.getvalue().splitlines()[-1] == "[1m 06s] searching · 3 trials"


def test_the_panel_shows_all_that_matters() -> None:
    """Title, phase, time left, counts, the best and its architecture."""
    picture = Picture("digits", Clock())
    picture.take(
        searching(
            trial(28, 0.9845), trials=34, failed=3, reused=2, running=2, per_minute=38.2, remaining=23.0, fraction=0.62
        )
    )
    text = drawn(picture)
    for part in (
        "netwright · digits",
        "searching",
        "62%  23s left",
        "trials  34 · 3 failed · 2 reused · 2 running · 38/min",
        "val_accuracy 0.9845 · 8.84k params · 211k MACs · trial 28",
        "width=16 depth=3",
    ):
        assert part in text


def test_time_goes_on_between_snapshots() -> None:
    """The bar and the time left do not wait for a trial to end."""
    clock = Clock()
    picture = Picture("digits", clock)
    picture.take(searching(remaining=40.0, fraction=0.5))
    clock.now += 20
    assert " 75%  20s left" in drawn(picture)


def test_the_counts_of_the_search_stay_in_sight() -> None:
    """Later phases count no trials of their own."""
    picture = Picture("digits", Clock())
    picture.take(searching(trial(3, 0.9), trials=34, failed=3, running=2))
    picture.take(Progress("finalists", "val_accuracy", message="1 of 6 trained", fraction=1 / 6))
    text = drawn(picture)
    assert "trials  34 · 3 failed " in text
    assert "1 of 6 trained" in text
    assert "retraining finalists" in text


def test_a_long_architecture_ends_in_an_ellipsis() -> None:
    """The panel keeps its height, and its labels."""
    picture = Picture("digits", Clock())
    picture.take(searching(trial(1, 0.9, **{f"decision{i}": "separable5" for i in range(30)})))
    text = drawn(picture, 80)
    assert len(text.splitlines()) == 6
    assert "best  " in text
    assert "…" in text


def test_names_have_no_power_over_the_terminal() -> None:
    """Control characters and markup in titles and answers are shown as they are."""
    picture = Picture("[red]x\x1b[2J", Clock())
    picture.take(searching(trial(1, 0.9, op="[bold]\x1b]0;owned\x07")))
    text = drawn(picture)
    assert "\x1b" not in text
    assert "[bold]" in text


def test_the_panel_leaves_the_terminal_as_it_was() -> None:
    """At the end it is erased and the cursor is back."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    view = Panel("digits", Careful(stream))
    view.show([Progress("prepare", "", warning="empty: b"), searching(trial(1, 0.9))])
    view.end()
    assert "searching" in stream.getvalue()
    assert stream.getvalue().count("warning: empty: b") == 1
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")


def test_the_view_of_a_search(capfd: pytest.CaptureFixture[str]) -> None:
    """Everything told before the end is shown at the end."""
    with Live("digits") as live:
        live(Progress("prepare", ""))
        live(searching(trial(1, 0.9)))
    assert "trial 1: val_accuracy 0.9000" in capfd.readouterr().err


@pytest.mark.parametrize("options", [{"quiet": True}, {"programs": True}])
def test_silence(capfd: pytest.CaptureFixture[str], options: dict[str, bool]) -> None:
    """--quiet shows nothing, and neither does --json where standard error is no terminal."""
    with Live("digits", **options) as live:
        live(searching(trial(1, 0.9)))
    assert capfd.readouterr() == ("", "")


def test_a_search_whose_view_goes_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken pipe ends the view, not the search."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with Live("digits") as live:
            for number in range(100):
                live(searching(trial(number, 0.9)))
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (999, "999"), (8842, "8.84k"), (211345, "211k"), (999_600, "1M"), (1.2e6, "1.2M")]
)
def test_counts(number: float, text: str) -> None:
    """Three digits are enough to compare."""
    assert count(number) == text
