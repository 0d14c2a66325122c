"""The time of a forward pass: how it is found, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from netwright.costs import COSTS, Latency, measure
from netwright.costs.runtimes import RUNTIMES, Place
from netwright.errors import CheckError, InputError, MissingExtra
from netwright.space import SearchSpace, choose

HERE = [name for name, runtime in RUNTIMES.items() if runtime.missing() is None]


class Branching(nn.Module):
    """Reads the value of a tensor."""

    def forward(self, x):
        return x if float(x.sum()) > 0 else -x


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))


@pytest.mark.parametrize("on", HERE)
def test_each_runtime_times_a_network(on: str) -> None:
    """In milliseconds; the median lies in its interval, and the 95th percentile is not below it."""
    found = Latency(5, 1, batch=3, on=on).timing(network(), torch.zeros(1, 1, 8, 8))
    assert 0 < found.low <= found.median <= found.high
    assert found.median <= found.p95 < 1000


@pytest.mark.parametrize("on", HERE)
def test_each_runtime_times_many_small_networks(on: str) -> None:
    """For the shapes of their inputs alone, a program for each."""
    place = Place.read(on)
    pairs = [(network().eval(), (torch.zeros(size, 1, 8, 8),)) for size in (1, 2)]
    with place.runtime.running(place.number):
        assert all(program() > 0 for program in place.runtime.parts(pairs, place.number))


def test_latency_says_how_it_was_found() -> None:
    """The record names runtime with threads, batch and repeats; so many rows went through so often."""
    cost = Latency(repeats=3, warmup=1, batch=4, on="torch:2")
    seen: list[int] = []

    class Net(nn.Linear):
        def forward(self, x):
            seen.append(len(x))
            return super().forward(x)

    assert cost(Net(2, 2), torch.zeros(3, 2)) > 0
    assert seen == [4] * 4
    assert {
        "on": "torch:2",
        "batch": 4,
        "repeats": 3,
        "warmup": 1,
        "statistic": "median",
    }.items() <= cost.record.items()
    assert torch.__version__ == cost.record["versions"]["torch"]


def test_threads_are_those_that_are_asked_for() -> None:
    """While it runs, and not afterwards."""
    seen: list[int] = []

    class Net(nn.Linear):
        def forward(self, x):
            seen.append(torch.get_num_threads())
            return super().forward(x)

    before = torch.get_num_threads()
    Latency(1, 0, on="torch:3")(Net(2, 2), torch.zeros(1, 2))
    assert (seen, before) == ([3], torch.get_num_threads())


def test_the_usual_runtime_is_that_of_the_exported_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime where it is installed, else eager PyTorch."""
    pytest.importorskip("onnxruntime")
    assert str(Place.read("auto")) == "onnxruntime:1"
    monkeypatch.setattr(type(RUNTIMES["onnxruntime"]), "modules", ("no_such_module",))
    assert str(Place.read("auto")) == "torch:1"


def test_larger_networks_take_longer() -> None:
    """Timed in turns, a hundred times the work is several times the time."""
    networks = [nn.Conv2d(16, 16, 3), nn.Conv2d(16, 64, 5)]
    small, large = Latency(on="torch").compare(networks, torch.zeros(1, 16, 32, 32), seconds=0.1)
    assert 2 * small.median < large.median


def test_the_cost_of_an_architecture_may_be_measured_elsewhere() -> None:
    """``measure`` takes where latency is measured."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, choose("width", 2, 3))

        def forward(self, x):
            return self.layer(x)

    space = SearchSpace(Net)
    seen: list[str] = []

    class Recorded(Latency):
        def __call__(self, network, example):
            seen.append(self.on)
            return super().__call__(network, example)

    found = measure(space, next(space.enumerate()), (4,), ["latency_ms"], latency=Recorded(2, 0, on="torch"))
    assert (["torch"], True) == (seen, found["latency_ms"] > 0)


def test_what_has_no_graph_is_refused_with_its_line() -> None:
    """A network that reads values cannot be timed as a graph; the hint is where it can."""
    pytest.importorskip("onnxruntime")
    with pytest.raises(CheckError, match=r"(?s)Branching has no ONNX model.*time it in eager PyTorch"):
        COSTS["latency_ms"](Branching(), torch.ones(1, 2))
    assert Latency(1, 0, on="torch")(Branching(), torch.ones(1, 2)) > 0


def test_latency_refuses_nonsense() -> None:
    """No repeats give no median, and the meta device computes nothing."""
    with pytest.raises(InputError, match="repeats of a latency is at least 1, found 0"):
        Latency(repeats=0)
    with pytest.raises(InputError, match="not one on the meta device"):
        Latency(on="torch")(nn.Linear(2, 2, device="meta"), torch.zeros(1, 2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("onnxruntim", r"timed on 'onnxruntim' \(did you mean 'onnxruntime'\?\)\. Here are: .*torch"),
        ("torch:0", "ends in '0', which is not a number of threads"),
        ("torch:two", "ends in 'two', which is not a number of threads"),
        ("", "networks cannot be timed on ''"),
    ],
)
def test_unknown_places_are_refused_with_what_there_is(text: str, message: str) -> None:
    """The runtimes that are here, and for those that are not the extra that brings them."""
    with pytest.raises(InputError, match=message):
        Place.read(text)


def test_a_missing_runtime_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is asked for, and among those that are listed."""
    monkeypatch.setattr(type(RUNTIMES["openvino"]), "modules", ("no_such_module",))
    with pytest.raises(MissingExtra, match=r"pip install 'netwright\[openvino\]'"):
        Place.read("openvino:2")
    with pytest.raises(InputError, match=r"Not here: .*openvino \(pip install 'netwright\[openvino\]'\)"):
        Place.read("abacus")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_says_why() -> None:
    """CUDA is no extra."""
    with pytest.raises(InputError, match="nothing can be timed on 'cuda' here: no CUDA device"):
        Place.read("cuda:1")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_is_timed_by_its_own_events() -> None:
    """More work takes longer, by the device's clock."""
    networks = [nn.Conv2d(64, 64, 3), nn.Conv2d(64, 512, 7)]
    small, large = Latency(on="cuda", batch=16).compare(networks, torch.zeros(1, 64, 64, 64), seconds=0.5)
    assert small.median < large.median
