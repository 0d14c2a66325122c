"""Costs against formulas worked out by hand."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from netwright.architecture import Architecture
from netwright.costs import (
    COSTS,
    NAMES,
    activation_memory,
    energy,
    flops,
    macs,
    measure,
    parameters,
    peak_memory,
    process,
)
from netwright.costs.base import measured
from netwright.costs.memory import run_memory
from netwright.costs.operations import Operations, run_flops, run_macs
from netwright.errors import InputError


class Values(nn.Module):
    """Reads the value of a tensor in its forward."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        return self.linear(x) if float(x.sum()) > -1e9 else x


class Product(nn.Module):
    def forward(self, x):
        return F.scaled_dot_product_attention(x, x, x) + torch.einsum("bhij,bhkj->bhik", x, x) @ x


# Multiply-accumulates of one example, each as a formula.
MACS = {
    "linear": (nn.Linear(7, 5), (7,), 7 * 5),
    "linear over a sequence": (nn.Linear(7, 5), (3, 7), 3 * 7 * 5),
    "conv": (nn.Conv2d(3, 8, 5, padding=2, stride=2), (3, 9, 9), 5 * 5 * 3 * 8 * 25),
    "grouped conv": (nn.Conv2d(4, 8, 3, groups=4), (4, 5, 5), 8 * 9 * 1 * 9),
    "transposed conv": (nn.ConvTranspose2d(3, 2, 2, stride=2), (3, 4, 4), 3 * 2 * 4 * 16),
    "conv1d": (nn.Conv1d(2, 4, 3, dilation=2), (2, 10), 4 * 2 * 3 * 6),
    # A step of an LSTM has four gates, each with the input and the hidden state; of a GRU three.
    "lstm": (nn.LSTM(8, 16, 2, batch_first=True), (5, 8), 5 * (4 * 16 * (8 + 16) + 4 * 16 * (16 + 16))),
    "gru": (nn.GRU(8, 6, batch_first=True, bidirectional=True), (5, 8), 2 * 5 * 3 * 6 * (8 + 6)),
    "rnn": (nn.RNN(8, 6, batch_first=True), (5, 8), 5 * 6 * (8 + 6)),
    # Three projections in, one out, scores and sums over five places.
    "encoder layer": (
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        (5, 8),
        5 * 4 * 8 * 8 + 2 * 5 * 5 * 8 + 2 * 5 * 8 * 16,
    ),
    "attention and einsum": (Product(), (2, 5, 4), 2 * (5 * 5 * 4) * 4),
    "reads values": (Values(), (4,), 12),
    "no arithmetic": (nn.Flatten(), (4, 2), 0),
}


@pytest.mark.parametrize("name", list(MACS))
def test_macs_are_those_of_the_formula(name: str) -> None:
    """Half of what torch's counter says, for one example whatever the batch is."""
    network, shape, expected = MACS[name]
    assert expected == macs(network, torch.zeros(3, *shape))


@pytest.mark.parametrize("name", ["conv", "lstm", "encoder layer", "attention and einsum"])
def test_macs_are_half_of_torchs_counter(name: str) -> None:
    """The counter itself, on the same network on the meta device, agrees."""
    network, shape, _ = MACS[name]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.to("meta").eval()(torch.empty(1, *shape, device="meta"))
    assert counter.get_total_flops() / 2 == macs(network, torch.empty(1, *shape, device="meta"))


def test_flops_add_what_is_pointwise() -> None:
    """Two for a multiply-accumulate, one for an element of a sum or an activation."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 6, bias=False)

        def forward(self, x):
            x = self.linear(x)
            return F.relu(x) + x

    assert flops(Net(), torch.zeros(1, 4)) == 2 * 24 + 6 + 6


def test_parameters_count_shared_ones_once() -> None:
    """Tied weights and frozen ones count once; buffers do not count."""
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4, bias=False))
    network[2].weight = network[0].weight
    network[1].requires_grad_(False)
    assert parameters(network) == 16 + 4 + 4 + 4


def test_lazy_parameters_are_refused() -> None:
    """What has no size yet has no count."""
    with pytest.raises(InputError, match=r"0\.weight.*not known yet"):
        parameters(nn.Sequential(nn.LazyLinear(3)))


class Body(nn.Module):
    """A forward without parameters."""

    def __init__(self, run) -> None:
        super().__init__()
        self.run = run

    def forward(self, x):
        return self.run(x)


def _branch(x):
    y = torch.relu(x)
    z = torch.relu(y)
    del y
    return x + z


# Peak bytes of one example of 100 float32, 400 bytes: how many such are alive at once, input and output included.
ALIVE = {
    "one operation": (torch.relu, 2),
    "in place": (torch.relu_, 1),
    "views": (lambda x: x.view(2, 50).t()[0], 1),
    "copy of a view": (lambda x: torch.relu(x.view(-1, 2, 50)[:, 0]), 1.5),
    "chain in one frame": (lambda x: torch.relu(torch.relu(torch.relu(x))), 3),
    "input kept for a sum": (_branch, 3),
    "freed before the peak": (lambda x: torch.cat([torch.cat([x, x])[:, :1].contiguous().flatten(), x[0]]), 3.02),
    "list": (lambda x: [x + 1 for _ in range(5)], 6),
    "expanded": (lambda x: x[None].expand(50, -1, -1), 1),
}


@pytest.mark.parametrize("name", list(ALIVE))
def test_memory_is_what_is_alive_at_once(name: str) -> None:
    """Storages count, not tensors, and only while something holds them."""
    run, alive = ALIVE[name]
    assert 400 * alive == peak_memory(Body(run), torch.zeros(1, 100))


def test_memory_of_a_network() -> None:
    """Parameters, buffers, the input, and the two largest neighbours along the chain."""
    network = nn.Sequential(nn.Linear(10, 100), nn.ReLU(), nn.BatchNorm1d(100), nn.Linear(100, 10))
    weights = 4 * (1000 + 100 + 4 * 100 + 1000 + 10) + 8
    assert weights + 4 * (10 + 100 + 100) == peak_memory(network, torch.zeros(1, 10))
    network[1].inplace = True
    network[2] = nn.Identity()
    weights = 4 * (1000 + 100 + 1000 + 10)
    assert weights + 4 * (10 + 100 + 10) == peak_memory(network, torch.zeros(1, 10))


def test_activations_are_memory_without_weights() -> None:
    """The input and the two largest neighbours along the chain; the weights are not in it, tied ones neither."""
    network = nn.Sequential(nn.Linear(10, 100), nn.ReLU(), nn.Linear(100, 10))
    assert 4 * (10 + 100 + 100) == activation_memory(network, torch.zeros(1, 10))
    tied = nn.Sequential(nn.Linear(10, 10), nn.Linear(10, 10))
    tied[1].weight = tied[0].weight
    assert 4 * (10 + 10 + 10) == activation_memory(tied, torch.zeros(1, 10))


def test_memory_of_training() -> None:
    """Backward through a linear layer and a ReLU: what is kept for it, and the gradients of the parameters."""
    network = nn.Sequential(nn.Linear(10, 100, bias=False), nn.ReLU())
    weight, row = 4 * 1000, 4 * 100
    # At the end: weight, input, output (the ReLU's result is kept and is the output), the ones that go backward and
    # their product through the ReLU, and the weight's gradient.
    assert weight + 4 * 10 + 3 * row + weight == peak_memory(network, torch.zeros(1, 10), training=True)
    assert network[0].weight.grad is None


def _skip_where_absent(name: str) -> None:
    reason = energy.missing() if name == "energy_j" else process.missing() if name == "peak_memory" else None
    if reason is not None:
        pytest.skip(reason)


@pytest.mark.parametrize("name", NAMES)
def test_costs_leave_the_network_alone(name: str) -> None:
    """Modes, buffers, gradients, devices and torch's generator are as before."""
    _skip_where_absent(name)
    # A graph has no place for values that are read.
    last = nn.Linear(4, 3) if name in ("latency_ms", "energy_j") else Values()
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(), last)
    network[1].eval()
    network[0].weight.grad = torch.ones(4, 4)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    state, modes = torch.random.get_rng_state(), [module.training for module in network.modules()]
    COSTS[name](network, torch.randn(2, 4))
    assert not torch.equal(state, torch.empty_like(state))
    assert modes == [module.training for module in network.modules()]
    assert torch.equal(network[0].weight.grad, torch.ones(4, 4))
    for key, value in network.state_dict().items():
        assert torch.equal(before[key], value)


@pytest.mark.parametrize("name", NAMES)
def test_costs_draw_nothing(name: str) -> None:
    """The generator goes on as if nothing had been measured."""
    _skip_where_absent(name)
    network, x = nn.Sequential(nn.Linear(4, 4), nn.Dropout()), torch.zeros(2, 4)
    state = torch.random.get_rng_state()
    COSTS[name](network, x)
    assert torch.equal(state, torch.random.get_rng_state())


class Space:
    """What ``measure`` needs of a space: it counts the builds, and on which device they happen."""

    def __init__(self, build) -> None:
        self._build = build
        self.devices: list[str] = []

    def build(self, architecture: Architecture) -> nn.Module:
        self.devices.append(torch.empty(0).device.type)
        return self._build()


def _reading_constructor() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.Dropout(torch.linspace(0, 0.5, 3)[1].item()))


@pytest.mark.parametrize(
    ("build", "devices"),
    [
        (lambda: nn.Linear(4, 3), ["meta"]),
        (_reading_constructor, ["meta", "cpu"]),
        (Values, ["meta", "cpu"]),
    ],
)
def test_measure_builds_on_meta_where_it_can(build, devices: list[str]) -> None:
    """One build on the meta device, and one on the CPU only where values are read."""
    space = Space(build)
    found = measure(space, Architecture({}), (4,), ("params", "macs", "memory"))
    expected = {"params": 15.0, "macs": 12.0, "memory": 4.0 * (15 + 4 + 3)}
    assert list(found) == ["params", "macs", "memory"]
    assert expected["params"] == found["params"]
    assert expected["macs"] == found["macs"]
    assert expected["memory"] <= found["memory"]
    assert devices == space.devices


def test_measure_equals_the_single_costs() -> None:
    """All at once gives what each gives alone."""
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    names = ("memory", "flops", "macs", "params", "activations", "size_mb")
    found = measure(Space(lambda: network.to_empty(device="meta")), Architecture({}), (1, 8, 8), names)
    assert {name: COSTS[name](network, torch.zeros(1, 1, 8, 8)) for name in names} == found


def test_measure_takes_tokens() -> None:
    """Inputs that are whole numbers have their dtype."""
    found = measure(Space(lambda: nn.Embedding(10, 4)), Architecture({}), (6,), ("memory",), dtype=torch.int64)
    assert found == {"memory": 4.0 * 40 + 8 * 6 + 4 * 24}


def test_unknown_costs_are_named() -> None:
    """The error names the nearest cost."""
    with pytest.raises(InputError, match=r"no cost 'param'\. did you mean 'params'"):
        measure(Space(lambda: nn.Linear(2, 2)), Architecture({}), (2,), ("param",))


def test_errors_of_the_network_are_its_own() -> None:
    """A network that does not take its input raises what it raises without us."""
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        measure(Space(lambda: nn.Linear(3, 2)), Architecture({}), (4,), ("macs",))


def test_names_are_those_of_the_registry() -> None:
    """What is known without torch is what there is."""
    assert tuple(COSTS) == NAMES


def _depthwise() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Conv2d(4, 4, 3, groups=4), nn.Hardswish())


class Joined(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = _depthwise()

    def forward(self, x):
        y = self.body(x)
        gate = y.mean((2, 3), keepdim=True).sigmoid()
        y = torch.cat([y * gate, y + y, y.transpose(2, 3)], 1)
        return y.mean((-1, -2)) + y.mean(dim=[2, 3]) * y.flatten(2).mean(2)


def test_the_meta_device_answers_as_the_cpu() -> None:
    """The same operations and the same peak, whichever of the two the network runs on."""
    found = []
    for device in ("meta", "cpu"):
        network = Joined().to(device).eval()
        rows = (torch.zeros(1, 2, 9, 9, device=device),)
        found.append([measured(network, rows, run) for run in (run_macs, run_flops, run_memory)])
    assert found[0] == found[1]


SHAPES = {
    "mean": lambda x, y: x.mean((1, -1)),
    "mean of all": lambda x, y: x.mean(),
    "mean of a wrong dimension": lambda x, y: x.mean(7),
    "cat": lambda x, y: torch.cat([x, x, y], 2),
    "cat of unequal": lambda x, y: torch.cat([x, y], 1),
    "cat of dtypes": lambda x, y: torch.cat([x, x.double()], 1),
    "sum broadcast": lambda x, y: x + x[:, :1],
    "sum of unequal": lambda x, y: x + y,
    "sum of dtypes": lambda x, y: x + x.long(),
    "sum of strides": lambda x, y: x.transpose(0, 1) * x.permute(1, 0, 2).contiguous(),
    "expanded": lambda x, y: torch.relu(x[:1].expand(6, -1, -1)),
    "product": lambda x, y: torch.addmm(x[0, 0], x[:, 0, :3], x[0]),
    "product of unequal": lambda x, y: torch.addmm(y[0, 0], x[:, 0, :3], x[0]),
    "product of dtypes": lambda x, y: torch.addmm(x[0, 0], x[:, 0, :3].double(), x[0].double()),
    "sigmoid of whole numbers": lambda x, y: x.long().sigmoid(),
}


@pytest.mark.parametrize("name", list(SHAPES))
def test_shapes_are_those_of_torch(name: str) -> None:
    """Shape, dtype and strides, or the error, are those of the operation without us."""
    x, y = torch.zeros(2, 3, 4, device="meta"), torch.zeros(2, 3, 5, device="meta")

    def outcome() -> object:
        try:
            found = SHAPES[name](x, y)
        except (RuntimeError, IndexError) as error:
            return type(error)
        return found.shape, found.dtype, found.stride()

    expected = outcome()
    with Operations():
        assert outcome() == expected


def test_costs_do_not_import_the_compiler() -> None:
    """A network of usual layers is measured without torch's compiler, whose import takes a second."""
    code = """
import sys, torch
from torch import nn
from netwright.costs import measure
class Space:
    def build(self, architecture):
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
print(measure(Space(), None, (1, 8, 8), ("params", "macs"))["macs"], "torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{4 * 9 * 36 + 144 * 3}.0 False\n"
