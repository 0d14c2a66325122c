"""A time limit is kept within ten per cent, the baseline apart, also where the machine becomes slower on the way."""

import time

import numpy as np
from torch import nn

import netwright as nw
from netwright import tasks
from netwright.tasks import pacing

LIMIT = 40.0
"""Seconds, of which workers, imports and writing take up to fifteen on a crowded machine."""


class Dawdling(nn.Module):
    """A perceptron whose every training step takes a while: five times as long where a file says so."""

    def __init__(self, mark, inputs, outputs):
        super().__init__()
        self.mark = mark
        width = nw.choose("width", *range(8, 64))
        self.layers = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))

    def forward(self, x):
        if self.training:
            time.sleep(0.05 if self.mark.exists() else 0.01)
        return self.layers(x)


def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 6)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def timed_search(space, out, **options):
    """The outcome, the seconds that it took without its baseline, and the seconds by phase."""
    spans, last = {}, [None, time.monotonic()]

    def watch(progress):
        now = time.monotonic()
        if last[0] is not None:
            spans[last[0]] = spans.get(last[0], 0.0) + now - last[1]
        last[:] = progress.phase, now

    began = time.monotonic()
    outcome = tasks.search(*rows(), space=space, n_jobs=1, out=out, watch=watch, **options)
    return outcome, time.monotonic() - began - spans["baseline"], spans


def test_a_time_limit_is_kept(tmp_path):
    """What was planned takes five times as long as planned, and the epochs become fewer."""
    mark = tmp_path / "slower"
    space = nw.SearchSpace(lambda: Dawdling(mark, 6, 2))

    def slow_down(study, trial):
        if trial.number == 5:
            mark.touch()

    outcome, seconds, spans = timed_search(space, tmp_path / "out", time_limit=LIMIT, callbacks=[slow_down])
    assert seconds <= 1.1 * LIMIT, spans
    assert spans["prepare"] + spans["search"] >= 0.45 * LIMIT, spans
    assert outcome.winner.score > 0.6


def test_a_trial_that_is_longer_than_the_limit_is_the_only_one(tmp_path):
    """One trial is the least; then the network is trained as long as it was."""
    mark = tmp_path / "slower"
    mark.touch()
    space = nw.SearchSpace(lambda: Dawdling(mark, 6, 2))
    outcome, _, _ = timed_search(space, tmp_path / "out", time_limit=0.5)
    assert outcome.trials == 1


def test_crowding_is_wall_time_by_processor_time(monkeypatch):
    """Three seconds pass while the thread has one."""
    wall, spent = iter([10.0, 13.0]), iter([1.0, 1.5, 2.0, 2.0])
    monkeypatch.setattr(pacing.time, "perf_counter", lambda: next(wall))
    monkeypatch.setattr(pacing.time, "thread_time", lambda: next(spent))
    assert pacing.crowding() == 3.0
