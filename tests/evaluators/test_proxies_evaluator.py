"""Proxies as evaluators: what they answer with, what they look at, what stands beside training."""

from __future__ import annotations

import math
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import netwright as nw
from netwright.architecture import Architecture
from netwright.costs import measure
from netwright.errors import InputError
from netwright.evaluators import Candidate, Train
from netwright.evaluators.proxies import PROXIES, Proxies, ProxyFailed, WithProxies
from netwright.testing import check_evaluator, toy
from netwright.training import Data, split

X, Y = toy.blobs(60)
DATA = Data(X, Y, classes=("left", "right"))
PARTS = split(DATA.y, 0)
SPACE = nw.SearchSpace(toy.Flat)
CHOSEN = Architecture({"width": 3, "kernel": 3, "bias": True, "activation": "relu"})


def candidate(budget: Any = "proxy", **fields: Any) -> Candidate:
    """One candidate of the toy space."""
    return Candidate(CHOSEN, SPACE, budget, **fields)


def test_the_conformance_suite() -> None:
    """The same numbers twice, finite ones, for every architecture."""
    names = ("synflow", "jacob_cov")
    check_evaluator(Proxies(DATA, names, split=PARTS), expects=(*names, "params", "macs"))
    check_evaluator(WithProxies(Train(DATA, split=PARTS, epochs=1), ["synflow"]), budget="proxy", expects=("synflow",))


def test_it_answers_with_the_proxies_and_always_with_the_counts() -> None:
    """The named ones of the fresh network, parameters and multiply-adds."""
    evaluator = Proxies(DATA, ["snip", "synflow"], split=PARTS, batch=32, seed=7)
    answer = evaluator(candidate(seed=5))
    assert list(answer) == ["snip", "synflow", "params", "macs"]
    network = candidate(seed=5).network()
    inputs, targets = evaluator.minibatch()
    for name in answer:
        generator = torch.Generator().manual_seed(7)
        assert answer[name] == PROXIES[name](network, inputs, targets, generator=generator)
    costs = measure(SPACE, CHOSEN, DATA.input_shape, ("params", "macs"))
    assert {name: answer[name] for name in costs} == costs


def test_it_looks_at_the_training_part_alone() -> None:
    """Whatever stands in the other parts, the minibatch and its answers are the same."""
    spoilt = X.copy()
    spoilt[np.setdiff1d(np.arange(len(X)), PARTS.train)] = 1e6
    clean, other = (Proxies(Data(x, Y, DATA.classes), ["snip"], split=PARTS, batch=64) for x in (X, spoilt))
    assert clean(candidate()) == other(candidate())
    inputs, _ = other.minibatch()
    assert len(inputs) == len(PARTS.train)
    assert float(inputs.max()) < 1e3


def test_the_minibatch_follows_the_seed() -> None:
    """The same seed, the same examples with their own targets; another, others."""
    one, same, other = (Proxies(DATA, ["snip"], split=PARTS, batch=16, seed=seed).minibatch() for seed in (0, 0, 1))
    assert torch.equal(one[0], same[0])
    assert not torch.equal(one[0], other[0])
    for image, target in zip(*one, strict=True):
        (place,) = np.flatnonzero((image.numpy() == X).all((1, 2, 3)))
        assert Y[place] == target


def test_one_proxy_more_does_not_change_the_others() -> None:
    """Each has its own draws."""
    alone = Proxies(DATA, ["meco"], split=PARTS)(candidate())
    beside = Proxies(DATA, ["zen", "jacob_cov", "meco"], split=PARTS)(candidate())
    assert beside["meco"] == alone["meco"]


def test_values_as_targets_are_standardised() -> None:
    """A regression's proxies do not depend on the unit of its target."""
    x, y = toy.plane(64)

    class Line(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, nw.choose("width", 8, 16)), nn.ReLU())
            self.head = nn.Linear(nw.choose("width", 8, 16), 1)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.head(self.body(x))
            return out

    space = nw.SearchSpace(Line)
    both = []
    for scale in (1, 1000):
        data = Data(x, (y * scale + 5).astype(np.float32))
        answer = Proxies(data, ["snip", "synflow"])(Candidate(Architecture({"width": 8}), space, "proxy"))
        both.append(answer)
    assert both[0]["snip"] == pytest.approx(both[1]["snip"], rel=1e-3)


class Deaf(nn.Module):
    """Without activations; its width is open."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(36, nw.choose("width", 4, 8)))
        self.head = nn.Linear(nw.choose("width", 4, 8), 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(x))
        return out


def test_a_failed_proxy_is_missing_and_all_failed_are_an_error() -> None:
    """What has no number is left out; where nothing is left the reasons are given."""
    deaf = Candidate(Architecture({"width": 4}), nw.SearchSpace(Deaf), "proxy")
    assert list(Proxies(DATA, ["naswot", "synflow"], split=PARTS)(deaf)) == ["synflow", "params", "macs"]
    with pytest.raises(ProxyFailed, match=r"naswot: .*; swap: the network calls no activation"):
        Proxies(DATA, ["naswot", "swap"], split=PARTS)(deaf)


def test_a_budget_of_proxy_asks_for_proxies_and_any_other_for_training() -> None:
    """Both through one evaluator; without a budget the training is what it was without it."""
    train = Train(DATA, split=PARTS, epochs=1)
    evaluator = WithProxies(train, ["synflow"])
    assert list(evaluator(candidate("proxy"))) == ["synflow", "params", "macs"]
    for budget in (None, 1):
        assert evaluator(candidate(budget)) == train(candidate(budget))


def test_it_has_what_the_wrapped_evaluator_has() -> None:
    """Metrics and costs of both; everything else is the wrapped one's."""
    train = Train(DATA, split=PARTS, epochs=3)
    evaluator = WithProxies(train, ["ntk"])
    assert evaluator.metrics == {"ntk": "minimize", "params": "minimize", "macs": "minimize", **train.metrics}
    assert evaluator.costs == ("params", "macs", "memory")
    for name in ("input_shape", "fingerprint", "inherits", "metric", "split", "data", "recipe", "test", "keep"):
        assert getattr(evaluator, name) is getattr(train, name) or getattr(evaluator, name) == getattr(train, name)
    with pytest.raises(AttributeError, match="colour"):
        _ = evaluator.colour
    assert not hasattr(evaluator, "in_process")


def test_it_travels() -> None:
    """A copy that went to another process answers alike."""
    evaluator = WithProxies(Train(DATA, split=PARTS, epochs=1), ["synflow"])
    copy = cloudpickle.loads(cloudpickle.dumps(evaluator))
    assert copy(candidate()) == evaluator(candidate())


def test_wrong_arguments() -> None:
    """An evaluator without data, another split, a batch of one, an unknown name."""
    with pytest.raises(InputError, match="needs an evaluator with data, found function"):
        WithProxies(toy.digest, ["synflow"])
    with pytest.raises(InputError, match="the split is of 60 examples, the data have 10"):
        Proxies(DATA.subset(np.arange(10)), ["synflow"], split=PARTS)
    with pytest.raises(InputError, match="a batch has 2 examples or more, found 1"):
        Proxies(DATA, ["synflow"], batch=1)
    with pytest.raises(InputError, match="Did you mean 'synflow'"):
        WithProxies(Train(DATA, split=PARTS), ["synflo"])


def test_a_study_of_proxies_alone() -> None:
    """Proxies are an evaluator like any other: the direction comes with the name, and the costs are noted."""
    study = nw.Study(SPACE, nw.strategies.Random(), Proxies(DATA, ["synflow"], split=PARTS), maximize="synflow",
                     executor="in_process", seed=0)  # fmt: skip
    study.run(max_trials=4)
    scores = {trial.metrics["synflow"] for trial in study.trials}
    assert study.best is not None
    assert study.best.metrics["synflow"] == max(scores)
    assert len(scores) > 1
    assert all(math.isfinite(trial.metrics["macs"]) for trial in study.trials)
