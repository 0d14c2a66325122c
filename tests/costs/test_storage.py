"""Bytes of a file, of a process, and joules: against what files, systems and counters say."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from netwright.costs import Latency, ProcessMemory, peak_memory, process, require, size_mb
from netwright.costs.energy import Counters, Energy, missing
from netwright.errors import InputError
from netwright.training.weights import save_weights


def tied() -> nn.Module:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(6, 6), nn.Linear(6, 6), nn.Embedding(3, 5))
    network[3].weight = network[2].weight
    return network


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_the_size_is_that_of_the_file(tmp_path, dtype) -> None:
    """To the byte, on the meta device too."""
    network = tied().to(dtype)
    save_weights(tmp_path / "weights.safetensors", network.state_dict())
    written = (tmp_path / "weights.safetensors").stat().st_size
    assert written == pytest.approx(1e6 * size_mb(network), abs=0.5)
    assert size_mb(network) == size_mb(network.to("meta"))


needs_proc = pytest.mark.skipif(process.missing() is not None, reason=str(process.missing()))


@needs_proc
def test_a_network_takes_what_is_predicted_and_little_more() -> None:
    """For a network of 64 MB of weights and 64 MB of activations."""
    network = nn.Sequential(nn.Linear(4000, 4000, bias=False), nn.Unflatten(1, (1, 4000)), Widened())
    predicted = peak_memory(network, torch.zeros(1, 4000))
    assert 120e6 < predicted
    assert 0.95 * predicted < ProcessMemory()(network, torch.zeros(1, 4000)) < 1.3 * predicted


class Widened(nn.Module):
    def forward(self, x):
        return x.expand(1, 4000, 4000) + 1


@needs_proc
def test_memory_that_was_freed_before_does_not_count() -> None:
    """Neither as memory that a network takes, nor as memory that it can have for nothing."""
    network = nn.Sequential(nn.Unflatten(1, (1, 4000)), Widened())
    ProcessMemory()(network, torch.zeros(1, 4000))
    torch.ones(50_000_000).sum()
    assert 0.9 < ProcessMemory()(network, torch.zeros(1, 4000)) / 64e6 < 1.2


@needs_proc
def test_a_network_on_the_meta_device_takes_no_memory() -> None:
    """It is refused."""
    with pytest.raises(InputError, match="not on the meta device"):
        ProcessMemory()(nn.Linear(3, 2, device="meta"), torch.zeros(1, 3))


def counters(folder, *zones):
    """A folder as RAPL has it."""
    for zone in zones:
        (folder / zone).mkdir(parents=True)
        (folder / zone / "energy_uj").write_text("999000")
        (folder / zone / "max_energy_range_uj").write_text("999999")
    return folder


def test_energy_is_what_the_counters_of_whole_processors_rise_by(tmp_path) -> None:
    """Parts are within the whole; a counter that reached its end begins again."""
    folder = counters(tmp_path, "intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1")
    joules = Counters.found(folder)
    assert joules() == 0
    for zone in ("intel-rapl:0", "intel-rapl:0:0"):
        (folder / zone / "energy_uj").write_text("500000")
    assert (1_000_000 + 500_000 - 999_000) / 1e6 == joules()


def test_energy_of_a_pass_is_without_that_at_rest() -> None:
    """A processor that uses ten joules a second whatever it does uses none for a network."""
    energy = Energy(on="torch", seconds=0.3)
    assert 1e-3 > energy.counted(nn.Linear(2, 2), torch.zeros(1, 2), lambda: 10 * time.monotonic())


def test_absent_energy_says_why(tmp_path) -> None:
    """No folder, no counter in it, or none that may be read."""
    assert "there is no" in str(missing(tmp_path / "powercap"))
    assert "has no counter of a processor" in str(missing(tmp_path))
    assert missing(counters(tmp_path, "intel-rapl:0")) is None
    (tmp_path / "intel-rapl:0" / "max_energy_range_uj").unlink()
    with pytest.raises(InputError, match=r"energy cannot be measured here: .*energy_uj cannot be read"):
        Counters.found(tmp_path)


def test_what_cannot_be_measured_here_is_refused_beforehand() -> None:
    """With the reason, and only where it is asked for."""
    require(["params", "macs"], Latency(on="abacus"))
    with pytest.raises(InputError, match="networks cannot be timed on 'abacus'"):
        require(["params", "latency_ms"], Latency(on="abacus"))
    if missing() is not None:
        with pytest.raises(InputError, match="energy cannot be measured here: "):
            require(["energy_j"])
