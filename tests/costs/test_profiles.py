"""Profiles of spaces: against times that are made up, and on this host."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import netwright as nw
from netwright.costs import Profile, profiling
from netwright.costs.kernels import Kernel
from netwright.costs.profiles import Error, crossed
from netwright.costs.timing import Timing
from netwright.errors import InputError
from netwright.space import choose, one_of, repeat


class Net(nn.Module):
    """Some convolutions of an open width and kernel, and something between."""

    def __init__(self, input_shape=(3, 16, 16), classes=4):
        super().__init__()
        width = choose("width", 8, 12, 16)
        layers = [nn.Conv2d(input_shape[0], width, 3, padding=1)]
        layers.append(repeat("depth", lambda i: self.block(i, width), 1, 4))
        self.body, self.head = nn.Sequential(*layers), nn.Linear(width, classes)

    @staticmethod
    def block(index, width):
        def conv(kernel, groups=1):
            return nn.Sequential(nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=groups), nn.ReLU())

        return one_of(
            f"op{index}",
            conv3=lambda: conv(3),
            conv5=lambda: conv(5),
            depthwise=lambda: conv(3, width),
            pool=lambda: nn.MaxPool2d(3, 1, 1),
        )

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


SPACE = nw.SearchSpace(Net)
SHAPE = (3, 16, 16)
HOST = {"on": "torch:1", "processor": "abacus", "system": "Linux", "machine": "wood", "versions": {"torch": "2.6"}}


@cache
def planned(networks: int = 24) -> profiling.Plan:
    return profiling.plan(SPACE, SHAPE, networks=networks)


def truth(kernel: Kernel) -> float:
    """Milliseconds alone: a call of 20 microseconds, and ten gigaflops a second."""
    return 0.02 + kernel.products / 1e7


def whole(counts: Any, of: Any = truth) -> float:
    """A network calls once, for 30 microseconds, and is a fifth slower."""
    return 0.03 + 1.2 * sum(number * (of(kernel) - 0.018) for kernel, number in counts.items())


def exact(time: float) -> Timing:
    return Timing(time, time, time, time)


@cache
def made_up(networks: int = 24) -> Profile:
    plan = planned(networks)
    times = [exact(truth(kernel)) for kernel in plan.kernels]
    return plan.timed([*times, *(exact(whole(counts)) for _, counts, _ in plan.wholes)], HOST)


def test_a_plan_meets_every_kernel_of_a_space() -> None:
    """Those of all 1,020 architectures, found by drawing some of them."""
    kernels = set(planned().kernels)
    rng = np.random.default_rng(5)
    for _ in range(50):
        found = profiling._kernels(SPACE, SPACE.sample(rng), SHAPE, 1)
        assert set(found) <= kernels
    assert 24 == len({architecture for architecture, _, _ in planned().wholes})
    assert 12 == sum(uniform for _, _, uniform in planned().wholes)


def test_whole_networks_are_predicted_where_sums_are_far_off() -> None:
    """What a call costs alone, and what a network costs between, is learned: errors of two percent at most."""
    profile = made_up()
    rng = np.random.default_rng(1)
    for architecture in (SPACE.sample(rng) for _ in range(20)):
        counts = profiling._kernels(SPACE, architecture, SHAPE, 1)
        assert whole(counts) == pytest.approx(profile(SPACE, architecture), rel=0.02)
    assert 0.02 > profile.error.median
    assert 0.97 < profile.error.tau
    assert 0.2 < profile.error_of_sums.median


def test_a_prediction_is_a_sum_over_kernels() -> None:
    """So that each has a price of its own."""
    profile = made_up()
    counts = planned().wholes[0][1]
    total = profile.between + sum(number * profile.share(kernel) for kernel, number in counts.items())
    assert total == pytest.approx(profile.predict(counts))


def test_without_whole_networks_kernels_are_added_up() -> None:
    """There is nothing to learn from, and nothing to be judged by."""
    profile = replace(made_up(), wholes=())
    counts = planned().wholes[0][1]
    assert sum(number * truth(kernel) for kernel, number in counts.items()) == pytest.approx(profile.predict(counts))
    assert profile.error is None


def test_kernels_that_were_not_timed_are_estimated() -> None:
    """From those of their kind, to a tenth, where times follow sizes."""
    profile = made_up()
    lost = [kernel for kernel in profile.kernels if kernel.kind == "convolution"][::4]
    fewer = replace(profile, kernels={k: t for k, t in profile.kernels.items() if k not in lost}, wholes=())
    for kernel in lost:
        assert truth(kernel) == pytest.approx(fewer.time(kernel), rel=0.1)
    assert 1 == fewer.unknown({lost[0]: 1})


def test_each_network_is_judged_by_a_correction_without_it() -> None:
    """One that is unlike all others is as far off as if it had never been seen."""
    rng = np.random.default_rng(0)
    rows = made_up()._rows
    times = rows @ rng.random(rows.shape[1]) * np.exp(0.05 * rng.normal(size=len(rows)))
    predicted = crossed(rows, times, 8)
    times[0] *= 100
    assert predicted[0] == crossed(rows, times, 8)[0]


def test_errors_are_relative() -> None:
    """And their ranking is Kendall's."""
    found = Error.between([1.0, 2.2, 3.0, 5.0], [1.0, 2.0, 4.0, 4.0])
    assert (4, 0.175) == (found.networks, pytest.approx(found.median))
    assert "median error 17.5 %" in str(found)


def test_profiles_are_carried_in_a_file(tmp_path) -> None:
    """And say the same there."""
    made_up().save(tmp_path / "abacus.json")
    again = Profile.load(tmp_path / "abacus.json")
    architecture = SPACE.sample(np.random.default_rng(0))
    assert made_up()(SPACE, architecture) == pytest.approx(again(SPACE, architecture), rel=1e-3)
    assert ["abacus.json"] == [file.name for file in tmp_path.iterdir()]
    assert again.digest == Profile.from_value(again.to_value()).digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: {"kind": "table"}, "is no profile of latencies"),
        (lambda value: [], "is no profile of latencies"),
        (lambda value: {**value, "format": 7}, "has the format 7, this version reads 1"),
        (lambda value: {**value, "kernels": []}, "is damaged"),
        (lambda value: {**value, "batch": 0}, "is damaged: ValueError"),
        (lambda value: {**value, "space": {**value["space"], "input_shape": "abc"}}, "is damaged: ValueError"),
        (lambda value: {**value, "host": {**value["host"], "versions": [1]}}, "is damaged: ValueError"),
        (lambda value: {**value, "kernels": [{**value["kernels"][0], "median_ms": -1}]}, "is damaged: ValueError"),
        (lambda value: {name: part for name, part in value.items() if name != "host"}, "is damaged: KeyError: 'host'"),
    ],
)
def test_what_is_no_profile_is_refused(change: Any, message: str) -> None:
    """In one line that says what it is."""
    with pytest.raises(InputError, match=message):
        Profile.from_value(change(made_up().to_value()))


def test_profiles_of_other_spaces_are_refused() -> None:
    """With the difference: another network, other decisions, other inputs; not for some decisions answered."""

    def other(input_shape=(3, 16, 16)):
        return nn.Linear(choose("width", 1, 2), 1)

    with pytest.raises(InputError, match="it is of the space Net, not other"):
        made_up().check(nw.SearchSpace(other))
    with pytest.raises(InputError, match="it is of inputs of 3×16×16, not 1×8×8"):
        made_up().check(SPACE, (1, 8, 8))
    made_up().check(SPACE.fix(width=8), SHAPE)
    renamed = replace(made_up(), space={**made_up().space, "signature": "0"})
    with pytest.raises(InputError, match="the decisions of Net are others than when it was made"):
        renamed(SPACE, SPACE.sample(np.random.default_rng(0)))


def test_networks_of_other_sizes_are_refused() -> None:
    """Of which most kernels are unknown."""
    with pytest.raises(InputError, match=r"knows 0 of the \d+ kernels of this network"):
        made_up().of(nn.Sequential(nn.Conv2d(3, 30, 3), nn.Conv2d(30, 30, 7)), torch.zeros(1, 3, 16, 16))


def test_profiles_of_other_hosts_are_named() -> None:
    """Where figures of this host would be set beside theirs."""
    with pytest.raises(
        InputError, match=r"another host: processor abacus there, quartz here, torch 2\.6 there, 2\.7 here"
    ):
        made_up().check_host({**HOST, "processor": "quartz", "versions": {"torch": "2.7"}})
    made_up().check_host(HOST)
    with pytest.raises(InputError, match="processor abacus there"):
        profiling.check(made_up(), SPACE)


def test_a_profile_of_this_host_ranks_its_networks() -> None:
    """In eager PyTorch; how well depends on what else runs, so that little is asked here."""
    profile = profiling.profile(SPACE, SHAPE, on="torch", networks=16, seconds=2)
    assert profile.error.median < 0.5
    assert profile.host["on"] == "torch:1"
    smallest = SPACE.complete({"width": 8, "depth": 1, "op0": "pool"}, np.random.default_rng(0))
    largest = SPACE.complete(
        {"width": 16, "depth": 4, **{f"op{i}": "conv5" for i in range(4)}}, np.random.default_rng(0)
    )
    assert profile(SPACE, smallest) < profile(SPACE, largest)
    assert profiling.check(profile, SPACE, networks=6, seconds=0.5).networks == 6


@pytest.mark.parametrize("on", ["onnxruntime", "torch-exported"])
def test_a_device_needs_the_script_alone(on: str, tmp_path) -> None:
    """It writes a profile that a search takes, without Netwright (and for ONNX without torch)."""
    if on == "onnxruntime":
        pytest.importorskip("onnxruntime")
    small = nw.SearchSpace(Net).fix(width=8, depth=1)
    plan = profiling.plan(small, SHAPE, networks=8)
    assert len(plan.kernels) + len(plan.wholes) == profiling.write_for_device(plan, tmp_path / "parts", on)
    absent = "netwright" if on != "onnxruntime" else "netwright torch"
    code = (
        f"import sys, runpy; sys.modules.update(dict.fromkeys({absent.split()!r})); sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    script = str(tmp_path / "parts" / "profile_device.py")
    arguments = ["--seconds", "0.5", "--threads", "1", "--out", str(tmp_path / "device.json")]
    done = subprocess.run([sys.executable, "-c", code, script, *arguments], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    assert "carry it back" in done.stdout
    profile = Profile.load(tmp_path / "device.json")
    assert f"{on}:1" == profile.host["on"]
    assert 0 < profile(small, small.sample(np.random.default_rng(0)))


def test_folders_for_devices_are_new(tmp_path) -> None:
    """And of a runtime that the script has."""
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is not an empty folder"):
        profiling.write_for_device(planned(), tmp_path)
    with pytest.raises(InputError, match="runs onnxruntime or torch-exported, not 'openvino'"):
        profiling.write_for_device(planned(), tmp_path / "new", "openvino")


def test_inputs_that_do_not_fit_are_refused() -> None:
    """With what the network says of them."""
    with pytest.raises(InputError, match=r"Net cannot run on inputs of 4×16×16: .*channels"):
        profiling.plan(SPACE, (4, 16, 16))


def test_limits_are_kept_by_what_a_profile_says(tmp_path) -> None:
    """No network is proposed that is too slow on the device, and each trial has its latency from the profile."""
    profile = made_up()
    limit = float(np.median([each.timing.median for each in profile.wholes]))
    study = nw.Study(
        SPACE, nw.strategies.Random(), lambda network: {"score": 1.0}, maximize="score", executor="in_process",
        constraints={"latency_ms": limit}, latency=profile, store=tmp_path / "one",
    )  # fmt: skip
    study.run(max_trials=6)
    for trial in study.trials:
        assert trial.metrics["latency_ms"] == pytest.approx(profile(SPACE, trial.architecture))
        assert limit >= trial.metrics["latency_ms"]
    with pytest.raises(InputError, match="another latency"):
        nw.Study(SPACE, nw.strategies.Random(), lambda network: 1.0, maximize="score", store=tmp_path / "one",
                 executor="in_process", constraints={"latency_ms": limit})  # fmt: skip


def test_a_study_takes_a_profile_of_its_own_space() -> None:
    """Another one is refused before anything runs, and so is what is none."""
    space = nw.SearchSpace(Net, input_shape=(1, 8, 8))
    with pytest.raises(InputError, match="the profile does not fit: it is of inputs of 3×16×16, not 1×8×8"):
        nw.Study(space, "random", lambda network: 1.0, maximize="score", latency=made_up())
    with pytest.raises(InputError, match="latency is a Latency or a Profile, found 'phone'"):
        nw.Study(SPACE, "random", lambda network: 1.0, maximize="score", latency="phone")


def test_what_cannot_be_timed_is_not_trained() -> None:
    """The trial fails at once, with the line of its forward."""
    pytest.importorskip("onnxruntime")
    trained: list[object] = []

    class Branching(nn.Module):
        def __init__(self, input_shape=(4,)):
            super().__init__()
            self.layer = nn.Linear(4, choose("width", 2, 3))

        def forward(self, x):
            return self.layer(x) if float(x.sum()) > 0 else x

    def evaluate(network):
        trained.append(network)
        return 1.0

    space = nw.SearchSpace(Branching, input_shape=(4,))
    study = nw.Study(space, "random", evaluate, maximize="score", minimize="latency_ms", executor="in_process")
    study.run(max_trials=1)
    assert ("failed", []) == (str(study.trials[0].state), trained)
    assert "has no ONNX model" in str(study.trials[0].error)
