"""The live view of a search: a panel on a terminal, plain lines elsewhere.

The search only leaves its snapshots here; a thread of the view draws them, so that a terminal that stands still or
goes away costs the search nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from netwright.cli.output import Careful, plain
from netwright.durations import format_duration
from netwright.progress import Phase, Progress
from netwright.trial import Trial

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PHASES: dict[Phase, str] = {
    "prepare": "preparing",
    "supernet": "training the supernet",
    "search": "searching",
    "finalists": "retraining finalists",
    "refit": "training the final network",
    "baseline": "training the baseline",
    "export": "writing the network",
    "done": "done",
}

FRAME = 0.2
"""Seconds between two pictures of the panel."""
PAUSE = 3.0
"""Seconds between two lines about improvements."""
SILENCE = 60.0
"""A line comes after so many seconds even when nothing has improved."""
PREPARATION = 10.0
"""A preparation is worth a line after so many seconds: what is refused before leaves one line, that of the error."""


class View(Protocol):
    """Something that shows news. ``show`` is called with what came since the last call, perhaps nothing."""

    def show(self, news: Sequence[Progress]) -> None: ...

    def end(self) -> None: ...


class Live:
    """Watches a search: ``with Live("digits") as live: search(…, watch=live)``.

    ``quiet`` shows nothing. Where standard error is no terminal, ``programs`` (the output is for a program) shows
    nothing either.
    """

    def __init__(self, title: str, *, quiet: bool = False, programs: bool = False) -> None:
        self._news: deque[Progress] = deque(maxlen=256)
        self._wake = threading.Event()
        self._over = False
        self._thread: threading.Thread | None = None
        stream = Careful(sys.stderr)
        terminal = stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
        self._view: View | None = None
        if not quiet and (terminal or not programs):
            self._view = Panel(title, stream) if terminal else Lines(stream)

    def __call__(self, progress: Progress) -> None:
        self._news.append(progress)
        self._wake.set()

    def __enter__(self) -> Live:
        if self._view is not None:
            self._thread = threading.Thread(target=self._run, args=(self._view,), name="netwright-live", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._wake.set()
        if self._thread is not None:
            # A view that is stuck is left behind: it is a daemon.
            self._thread.join(timeout=5.0)

    def _run(self, view: View) -> None:
        while not self._over:
            self._wake.wait(FRAME)
            self._wake.clear()
            self._show(view)
            if not self._over:
                time.sleep(FRAME / 4)
        self._show(view)
        view.end()

    def _show(self, view: View) -> None:
        news = [self._news.popleft() for _ in range(len(self._news))]
        view.show(news)


class Lines:
    """One line for each phase and each improvement, at most one every few seconds."""

    def __init__(self, stream: Careful, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._began = clock()
        self._phase: Phase | None = None
        self._announced = False
        self._best: int | None = None
        self._spoke = self._began - PAUSE
        self._last: Progress | None = None
        self._told: str | None = None

    def show(self, news: Sequence[Progress]) -> None:
        for progress in news:
            if progress.warning is not None:
                self._say(f"warning: {plain(progress.warning)}")
                continue
            if progress.phase != self._phase:
                self._improvement()
                self._phase = progress.phase
                self._announced = progress.phase != "prepare"
                if self._announced:
                    self._say(_phase(progress))
            self._last = progress
        last = self._last
        long = last is not None and last.phase == "prepare" and self._clock() - self._began >= PREPARATION
        # Each step of a long preparation has its line.
        if last is not None and long and (not self._announced or last.message != self._told):
            self._announced, self._told = True, last.message
            self._say(_phase(last))
        if self._clock() - self._spoke >= PAUSE:
            self._improvement()
        if self._announced and self._last is not None and self._clock() - self._spoke >= SILENCE:
            self._say(" · ".join([PHASES[self._last.phase], *_counts(self._last)]))

    def end(self) -> None:
        self._improvement()

    def _improvement(self) -> None:
        progress = self._last
        if progress is None or progress.best is None or progress.best.number == self._best:
            return
        self._best = progress.best.number
        best = progress.best
        facts = " · ".join([_score(progress.metric, best), *_size(best)])
        self._say(f"trial {best.number}: {facts} ({', '.join(_counts(progress))}) {plain(best.architecture)}")

    def _say(self, text: str) -> None:
        self._spoke = self._clock()
        self._stream.write(f"[{format_duration(self._spoke - self._began):>6}] {text}\n")


class Panel:
    """A picture of a few lines on a terminal, drawn anew a few times a second and removed at the end."""

    def __init__(self, title: str, stream: Careful) -> None:
        from rich.console import Console

        self._stream = stream
        self.console: Console = Console(file=stream, highlight=False, markup=False, emoji=False)  # type: ignore[arg-type]
        self._live: Any = None
        self._picture = Picture(title)

    def show(self, news: Sequence[Progress]) -> None:
        from rich.live import Live as RichLive

        warnings = [progress.warning for progress in news if progress.warning is not None]
        for progress in news:
            if progress.warning is None:
                self._picture.take(progress)
        if not self._stream.working or not self._picture.begun:
            return
        if self._live is None:
            self._live = RichLive(
                console=self.console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        for warning in warnings:
            self.console.print(f"warning: {plain(warning)}", style="dim")
        self._live.update(self._picture.draw(self.console.width), refresh=True)

    def end(self) -> None:
        if self._live is not None:
            self._live.stop()


class Picture:
    """What the panel shows, drawn from snapshots; time goes on between them."""

    def __init__(self, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._title = plain(title)
        self._clock = clock
        self._began = clock()
        self._taken = self._began
        self._now: Progress | None = None
        self._counted: Progress | None = None
        self._best: tuple[str, Trial] | None = None

    @property
    def begun(self) -> bool:
        return self._now is not None

    def take(self, progress: Progress) -> None:
        self._now = progress
        self._taken = self._clock()
        # Later phases count no trials: what the search had counted stays in sight.
        if progress.phase == "search":
            self._counted = progress
        if progress.best is not None:
            self._best = (progress.metric, progress.best)

    def draw(self, width: int) -> RenderableType:
        """The panel as it is at this moment, for a terminal of ``width`` columns."""
        from rich import box
        from rich.console import Group
        from rich.panel import Panel as Frame
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        progress = self._now
        assert progress is not None
        fraction, remaining = self._position(progress)
        top = Table.grid(expand=True, padding=(0, 1))
        top.add_column(ratio=1)
        top.add_column(justify="right", no_wrap=True)
        bar = ProgressBar(
            total=1.0, completed=fraction or 0.0, pulse=fraction is None, animation_time=self._clock(), style="dim"
        )
        passed = format_duration(self._clock() - self._began)
        clock = f"{remaining} left" if remaining else f"{passed} so far"
        top.add_row(bar, Text(f"{fraction:4.0%}  {clock}" if fraction is not None else clock))
        facts = Table.grid(expand=True, padding=(0, 2))
        facts.add_column(style="dim", no_wrap=True, width=6)
        facts.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        if self._counted is not None:
            counts = _counts(self._counted, searching=progress.phase == "search", time_left=False)
            # The row has the word already.
            counts[0] = str(self._counted.trials)
            facts.add_row("trials", Text(" · ".join(counts), no_wrap=True, overflow="ellipsis"))
        if self._best is not None:
            metric, best = self._best
            score = Text(_score(metric, best), style="bold green")
            score.append(" · ".join(["", *_size(best), f"trial {best.number}"]), style="not bold default")
            facts.add_row("best", score)
            facts.add_row("", Text(plain(best.architecture), style="cyan", no_wrap=True, overflow="ellipsis"))
        if _message(progress):
            facts.add_row("now", Text(plain(progress.message), no_wrap=True, overflow="ellipsis"))
        return Frame(
            Group(top, facts),
            title=Text(f" netwright · {self._title} ", style="bold"),
            title_align="left",
            subtitle=Text(f" {PHASES[progress.phase]} "),
            subtitle_align="right",
            box=box.ROUNDED,
            border_style="blue",
            # Room at the right for the ^C that a terminal echoes: on a full line it would move the picture.
            width=max(20, min(120, width - 4)),
        )

    def _position(self, progress: Progress) -> tuple[float | None, str | None]:
        """The part of the phase that is done and the time that is left of it, by now."""
        passed = self._clock() - self._taken
        fraction, remaining = progress.fraction, progress.remaining
        if remaining is None:
            return fraction, None
        left = max(0.0, remaining - passed)
        if fraction is not None and remaining > 0:
            fraction = min(1.0, fraction + (1 - fraction) * (remaining - left) / remaining)
        return fraction, format_duration(left) if left >= 10 else f"{left:.0f}s"


def _phase(progress: Progress) -> str:
    message = _message(progress)
    return f"{PHASES[progress.phase]}: {plain(message)}" if message else PHASES[progress.phase]


def _message(progress: Progress) -> str | None:
    """The message of a snapshot, unless it only repeats the phase."""
    return None if progress.message == PHASES[progress.phase] else progress.message


def _counts(progress: Progress, *, searching: bool = True, time_left: bool = True) -> list[str]:
    facts = [f"{progress.trials} trial{'s' * (progress.trials != 1)}"]
    for number, word in (
        (progress.failed, "failed"),
        (progress.reused, "reused"),
        (progress.infeasible, "over a limit"),
        (progress.running if searching else 0, "running"),
    ):
        if number:
            facts.append(f"{number} {word}")
    if searching and progress.per_minute:
        facts.append(f"{progress.per_minute:.{1 if progress.per_minute < 10 else 0}f}/min")
    if time_left and progress.remaining:
        facts.append(f"{format_duration(progress.remaining)} left")
    return facts


def _score(metric: str, trial: Trial) -> str:
    value = trial.metrics.get(metric)
    name = plain(metric)
    if value is None:
        return name
    # Of trials at different budgets the best is one of the largest, so it may be less than the best before.
    at = "" if trial.proposal.budget is None else f" at budget {trial.proposal.budget}"
    return f"{name} {value:.4f}{at}" if abs(value) < 1000 else f"{name} {value:.5g}{at}"


def _size(trial: Trial) -> list[str]:
    """Parameters and multiplications of a trial, where they are known."""
    return [
        f"{count(trial.metrics[name])} {word}"
        for name, word in (("params", "params"), ("macs", "MACs"))
        if name in trial.metrics
    ]


def count(number: float) -> str:
    """A count in three digits: 842, 8.84k, 211k, 1.2M."""
    for unit in ("", "k", "M", "G", "T"):
        if abs(number) < 999.5 or unit == "T":
            return f"{number:.0f}" if not unit else f"{number:.3g}{unit}"
        number /= 1000
    raise AssertionError
