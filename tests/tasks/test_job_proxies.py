"""A search whose strategy asks for proxies gets them, and ships a network like any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.errors import InputError
from netwright.evaluators import Train, WithProxies
from netwright.stores import open_readonly
from netwright.strategies import ProxyStart, Random
from netwright.tasks.job import _with_proxies, search
from netwright.testing import toy
from netwright.training import Data, split


def train() -> Train:
    """An evaluator over toy data."""
    X, y = toy.blobs(40)
    return Train(Data(X, y, ("a", "b")), split=split(y, 0), epochs=1)


def test_the_evaluator_is_wrapped_when_the_strategy_asks() -> None:
    """By the names that it knows, without their sign; a strategy that does not ask gets the evaluator itself."""
    evaluator = train()
    assert _with_proxies(evaluator, Random()) is evaluator
    wrapped = _with_proxies(evaluator, ProxyStart(proxies=["synflow", "-macs", "-ntk"]))
    assert isinstance(wrapped, WithProxies)
    assert wrapped.train is evaluator
    assert wrapped.proxies.names == ("synflow", "macs", "ntk")

    class Asks:
        uses_proxies = True

    assert isinstance(_with_proxies(evaluator, Asks()), WithProxies)

    class AsksNot:
        uses_proxies = True
        proxies = False

    assert _with_proxies(evaluator, AsksNot()) is evaluator


def test_an_unknown_proxy_is_refused_before_anything_is_tried() -> None:
    """With the nearest name."""
    with pytest.raises(InputError, match="Did you mean 'synflow'"):
        _with_proxies(train(), ProxyStart(proxies=["synflo"]))


@pytest.mark.usefixtures("quick")
def test_a_search_begins_with_proxies_and_ends_with_a_network(tmp_path: Path) -> None:
    """Proxy trials carry proxies and no score, and no limit counts them; finalists are trained, one is shipped."""
    strategy = ProxyStart(proxies=["synflow", "jacob_cov"], pool=4, keep=2)
    outcome = search(*toy.blobs(48), strategy=strategy, max_trials=4, n_jobs=1, out=tmp_path / "run")
    with open_readonly(tmp_path / "run") as reader:
        ended = [event.body["metrics"] for event in reader.read() if event.kind == "ended"]
    proxies = [metrics for metrics in ended if "synflow" in metrics]
    assert len(proxies) == 4
    assert all("val_accuracy" not in metrics and np.isfinite(metrics["jacob_cov"]) for metrics in proxies)
    assert sum("val_accuracy" in metrics for metrics in ended) + outcome.reused == 4
    assert outcome.trials == 8
    assert (tmp_path / "run" / "best").exists()


@pytest.mark.usefixtures("quick")
def test_a_limit_too_short_for_the_proxies(tmp_path: Path) -> None:
    """A trial that was trained is waited for, however many proxies come before."""
    strategy = ProxyStart(proxies=["synflow"], pool=3, keep=2)
    outcome = search(*toy.blobs(48), strategy=strategy, time_limit=0.001, n_jobs=1, out=tmp_path / "run")
    assert "val_accuracy" in outcome.best.metrics
    assert outcome.trials >= 4
