"""``netwright profile``: a space's latencies from one command, and a search by them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from netwright.costs import Profile
from netwright.tasks import profiles

NETWORK = """
import netwright as nw
from torch import nn

class Net(nn.Module):
    def __init__(self, input_shape, classes):
        super().__init__()
        width = nw.choose("width", 8, 16, 32, 64)
        layers = [nn.Flatten(), nn.Linear(input_shape[0] * input_shape[1] * input_shape[2], width), nn.ReLU()]
        layers.append(nw.repeat("depth", lambda i: nn.Sequential(nn.Linear(width, width), nn.ReLU()), 0, 4))
        self.body, self.head = nn.Sequential(*layers), nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.body(x))
"""


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of twenty networks for images, in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NETWORK)
    return "net.py:Net"


def quick(*arguments: str) -> tuple[str, ...]:
    """In eager PyTorch, for a moment."""
    return (*arguments, "--device", "torch", "--networks", "10", "--time", "1s")


def test_a_space_is_profiled_by_one_command(netwright: Callable[..., Any], space: str) -> None:
    """The file says where it was made and how far it is off; judged again here, it is told."""
    ran = netwright("profile", space, "--input", "1x8x8", "--outputs", "10", *quick(), "--json")
    assert 0 == ran.code, ran.err
    value = json.loads(ran.out)
    assert ("Net.torch.json", 10, [1, 8, 8]) == (value["out"], value["networks"], value["space"]["input_shape"])
    assert {"networks", "median", "p95", "tau"} == set(value["error"])
    profile = Profile.load("Net.torch.json")
    assert (value["kernels"], "torch:1") == (len(profile.kernels), profile.host["on"])
    ran = netwright("profile", space, "--data", "digits", "--check", "Net.torch.json")
    assert 0 == ran.code, ran.err
    assert "Net.torch.json: median error " in ran.out


def test_a_profile_is_told_in_words(netwright: Callable[..., Any], space: str) -> None:
    """The host with its load, the error, and what to do with it."""
    ran = netwright("profile", space, "--data", "digits", *quick("--out", "here.json"))
    assert 0 == ran.code, ran.err
    for word in ("host      ", "kernels   ", "error     median error", "--on here.json"):
        assert word in ran.out


@pytest.mark.slow
def test_a_search_by_a_profile(netwright: Callable[..., Any], space: str) -> None:
    """What is over the limit on the device is never proposed; the file lies in the study."""
    digits = load_digits()
    np.savez("few.npz", X=digits.images[:300], y=digits.target[:300])
    made = profiles.make(profiles.subject(space, data="few.npz"), on="torch", networks=10, seconds=1)
    made.save("phone.json")
    limit = sorted(whole.timing.median for whole in made.wholes)[5]
    ran = netwright(
        "search", "few.npz", "--space", space, "--strategy", "random", "--max-trials", "4", "--on", "phone.json",
        "--constraint", f"latency_ms={limit}", "--out", "one", "--jobs", "1",
    )  # fmt: skip
    assert 0 == ran.code, ran.err
    assert "(by the profile of " in ran.out
    shown = json.loads(netwright("show", "one", "--json").out)
    assert all(limit >= trial["metrics"]["latency_ms"] for trial in shown["trials"])
    assert made.digest == Profile.load("one/profile.json").digest
    Path("phone.json").unlink()
    assert 0 == netwright("resume", "one", "--max-trials", "5", "--jobs", "1").code


def test_a_folder_for_a_device(netwright: Callable[..., Any], space: str) -> None:
    """One script in it does the rest, and its file serves a search here."""
    arguments = ["--input", "1x8x8", "--device", "torch-exported", "--networks", "8", "--for-device", "parts"]
    ran = netwright("profile", space, *arguments)
    assert 0 == ran.code, ran.err
    assert "python profile_device.py --out phone.json" in ran.out
    done = subprocess.run(
        [sys.executable, "profile_device.py", "--seconds", "0.5", "--out", "../phone.json"],
        cwd="parts", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    assert "torch-exported:1" == Profile.load("phone.json").host["on"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compact-imges", "--input", "1x8x8"), "unknown space 'compact-imges'. Did you mean 'compact-images'?"),
        (("compact-images",), "'compact-images' is made for the inputs of some data, and none are known. Give --data"),
        (("compact-images", "--input", "3by8"), "--input is the shape of one example, found '3by8'"),
        (("compact-images", "--input", "0x8x8"), "--input has a size of 0"),
        (("compact-images", "--data", "digits", "--input", "1x8x8"), "--data says what the inputs and outputs are"),
        (("compact-images", "--data", "iris"), "the space 'compact-images' is for images, the data are tables"),
        (("compact-images", "--data", "digits", "--device", "tpu"), "networks cannot be timed on 'tpu'. Here are: "),
        (("compact-images", "--data", "digits", "--check", "no.json"), "cannot read the profile no.json"),
        (("compact-images", "--data", "digits", "--check", "no.json", "--for-device", "x"), "are two things"),
        (("compact-images", "--data", "digits", "--for-device", "x", "--device", "torch"), "not 'torch'"),
        (("compact-images", "--data", "digits", "--time", "soon"), "--time"),
    ],
)
def test_nonsense_ends_in_one_line(
    netwright: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...],
    message: str,
) -> None:  # fmt: skip
    """With exit code 2, and nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    ran = netwright("profile", *arguments)
    assert (2, "") == (ran.code, ran.out)
    assert message in ran.err
    assert 1 == len(ran.err.splitlines())
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--on", "torch:2"), "--on says where latency is from, and nothing asks for it"),
        (("--on", "phone.json", "--minimize", "latency_ms"), "cannot read the profile phone.json"),
        (("--on", "abacus", "--minimize", "latency_ms"), "timed on 'abacus'. Here are: "),
    ],
)
def test_a_search_refuses_what_it_cannot_time_on(
    netwright: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...],
    message: str,
) -> None:  # fmt: skip
    """Before a folder is made."""
    monkeypatch.chdir(tmp_path)
    ran = netwright("search", "digits", *arguments)
    assert (2, "") == (ran.code, ran.out)
    assert message in ran.err
    assert [] == list(tmp_path.iterdir())


def test_published_spaces_have_inputs_of_their_own() -> None:
    """Those of the paper; with --input it is another one."""
    assert (3, 224, 224) == profiles.subject("proxyless").input_shape
    small = profiles.subject("proxyless", input_shape=(3, 64, 64), outputs=10)
    assert ((3, 64, 64), 10) == (small.input_shape, small.space.arguments["classes"])
