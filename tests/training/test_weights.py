"""Weights in files survive kills, and no damage goes unnoticed (old copy or new copy, never a mixture)."""

import json
import os
import random
import subprocess
import sys

import pytest
import torch

from netwright.errors import InputError, StoreError
from netwright.training import load_weights, remove_weights, save_weights

# Runs in an interpreter of its own, which forks a writer for each kill: importing torch once is enough.
KILLER = """
import os, random, signal, sys, time
import torch
from netwright import failpoints
from netwright.training.weights import load_weights, save_weights

path, kills, points = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(",")
torch.set_num_threads(1)


def fork(start, point):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if point:
                failpoints._armed, _, failpoints._count = point.partition(":")
            for number in range(start, start + 10_000):
                tensors = {"weight": torch.full((2**20,), float(number)), "bias": torch.full((4,), float(number))}
                save_weights(path, tensors)
                os.write(writer, b"%d\\n" % number)
        finally:
            os._exit(1)
    os.close(writer)
    return pid, os.fdopen(reader)


def read():
    numbers = set(load_weights(path)["weight"].tolist()) | set(load_weights(path)["bias"].tolist())
    return int(numbers.pop()) if len(numbers) == 1 else "mixed"


save_weights(path, {"weight": torch.zeros(2**20), "bias": torch.zeros(4)})
acknowledged, waits = 0, random.Random(0)
for kill in range(kills):
    point = points[kill % len(points)]
    pid, lines = fork(acknowledged + 1, point)
    if point:
        told = lines.readlines()
    else:
        # The first line says that the loop is under way; the kill then falls anywhere in it.
        told = [lines.readline()]
        time.sleep(waits.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        told += lines.readlines()
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
    acknowledged = max([acknowledged, *(int(line) for line in told if line.endswith("\\n"))])
    print(acknowledged, read(), len(told), flush=True)
"""


def kill(path, kills, points=""):
    """For each kill: the last number acknowledged, the number read afterwards, how many the writer told of."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", KILLER, path, str(kills), points]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "" == run.stderr
    return [tuple(line.split()) for line in run.stdout.splitlines()]


def state(value):
    return {"weight": torch.full((64, 8), float(value)), "bias": torch.full((8,), float(value))}


def value(loaded):
    """The one number that all tensors of the state hold."""
    numbers = set(torch.cat([tensor.flatten() for tensor in loaded.values()]).tolist())
    assert 1 == len(numbers)
    return numbers.pop()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_saved_is_loaded(tmp_path):
    """Names, values, types and shapes come back, also of a channels-last, a scalar and two that share memory."""
    shared = torch.arange(6.0)
    saved = {
        "a": torch.rand(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        "b": torch.tensor(7),
        "c": shared,
        "d": shared,
    }
    sha256 = save_weights(tmp_path / "w", saved)
    loaded = load_weights(tmp_path / "w", sha256)
    assert (sha256, None, False) == (loaded.sha256, loaded.problem, loaded.previous)
    assert saved.keys() == loaded.keys()
    assert all(torch.equal(saved[name], loaded[name]) for name in saved)


def test_a_network_takes_them(tmp_path):
    """What was loaded is a mapping that load_state_dict accepts."""
    parent, child = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    save_weights(tmp_path / "w", parent.state_dict())
    child.load_state_dict(load_weights(tmp_path / "w"))
    assert torch.equal(parent.weight, child.weight)


def test_the_previous_copy_is_kept(tmp_path):
    """After two saves both copies are there, and no temporary file."""
    path = tmp_path / "w"
    save_weights(path, state(1))
    assert ["w", "w.json"] == names(tmp_path)
    save_weights(path, state(2))
    save_weights(path, state(3))
    assert ["w", "w.json", "w.previous"] == names(tmp_path)
    assert 3 == value(load_weights(path))
    path.unlink()
    assert 2 == value(load_weights(path))


def test_a_fallback_says_so(tmp_path):
    """The loaded weights carry the reason; nothing is printed or warned."""
    path = tmp_path / "w"
    save_weights(path, state(1))
    save_weights(path, state(2))
    path.write_bytes(b"")
    loaded = load_weights(path)
    assert 1 == value(loaded)
    assert loaded.previous
    assert "w is damaged (0 bytes" in loaded.problem


@pytest.mark.parametrize("asked", [True, False], ids=["by the caller's sum", "by the manifest"])
def test_every_truncation_is_noticed(tmp_path, asked):
    """Cut at twenty places, the file is never read; the previous copy is, and says so."""
    path = tmp_path / "w"
    save_weights(path, state(1))
    sha256 = save_weights(path, state(2))
    content = path.read_bytes()
    for part in range(20):
        path.write_bytes(content[: len(content) * part // 20])
        loaded = load_weights(path, sha256 if asked else None)
        assert (1, True) == (value(loaded), loaded.previous)


def test_every_flipped_byte_is_noticed(tmp_path):
    """One bit changed anywhere, in the header or in the numbers: refused each time where no other copy is."""
    path = tmp_path / "w"
    save_weights(path, state(1))
    content = path.read_bytes()
    for place in random.Random(0).sample(range(len(content)), 200):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match="w is damaged"):
            load_weights(path)


def test_swapped_files_are_noticed(tmp_path):
    """Two trials' files exchanged, alone or with their manifests: neither is read for the other."""
    sums = [save_weights(tmp_path / name, state(number)) for number, name in enumerate("ab")]
    exchange(tmp_path, "a", "b")
    for name in "ab":
        with pytest.raises(StoreError, match=f"{name} is damaged"):
            load_weights(tmp_path / name)
    exchange(tmp_path, "a.json", "b.json")
    for name, sha256 in zip("ab", sums, strict=True):
        with pytest.raises(StoreError, match="not the file that was asked for"):
            load_weights(tmp_path / name, sha256)


def exchange(folder, first, second):
    os.rename(folder / first, folder / "third")
    os.rename(folder / second, folder / first)
    os.rename(folder / "third", folder / second)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b'{"version": 2}', b"[]", b'{"version": 1, "sha256": 3, "size": 4}',
        b'{"version": 2, "sha256": "3", "size": 4}',
    ],
)  # fmt: skip
def test_a_damaged_manifest_verifies_nothing(tmp_path, text):
    """Without a sum there is no trust; with the caller's sum the file stands for itself."""
    path = tmp_path / "w"
    sha256 = save_weights(path, state(1))
    (tmp_path / "w.json").write_bytes(text)
    with pytest.raises(StoreError, match="cannot be verified: its manifest"):
        load_weights(path)
    assert 1 == value(load_weights(path, sha256))


def test_a_damaged_copy_does_not_become_the_previous_one(tmp_path):
    """Saving over a damaged file leaves the last sound copy in its place."""
    path = tmp_path / "w"
    save_weights(path, state(1))
    save_weights(path, state(2))
    path.write_bytes(b"damaged")
    save_weights(path, state(3))
    path.write_bytes(b"damaged")
    assert 1 == value(load_weights(path))


def test_removing_leaves_nothing(tmp_path):
    """Weights, previous copy, manifest and what a dead writer left are gone; a second time is no error."""
    path = tmp_path / "w"
    save_weights(path, state(1))
    save_weights(path, state(2))
    (tmp_path / ".w.1.tmp").write_bytes(b"left behind")
    remove_weights(path)
    remove_weights(path)
    assert [] == names(tmp_path)


def test_only_tensors_are_saved(tmp_path):
    """Anything else in a state is refused by its name, and nothing is written."""
    with pytest.raises(InputError, match="found int for 'epoch'"):
        save_weights(tmp_path / "w", {"epoch": 3})
    assert [] == names(tmp_path)


def test_killed_at_each_step_a_writer_leaves_a_whole_copy(tmp_path):
    """Killed at each of the three steps of its first, second and third save, a writer leaves that copy or the last."""
    points = [
        f"{point}:{k}" for point in ("checkpoint_written", "checkpoint_renamed", "checkpoint_synced") for k in (1, 2, 3)
    ]
    results = kill(tmp_path / "w", 9, ",".join(points))
    assert 9 == len(results)
    assert [1, 2, 3] * 3 == [int(told) + 1 for *_, told in results]
    for acknowledged, found, _ in results:
        assert found == acknowledged


def test_killed_at_any_moment_a_writer_leaves_a_whole_copy(tmp_path):
    """Forty kills in a loop of 4 MB writes: what is read is whole, and never older than what was acknowledged."""
    results = kill(tmp_path / "w", 40)
    assert 40 == len(results)
    for acknowledged, found, _ in results:
        assert int(found) - int(acknowledged) in (0, 1)
    assert {"w", "w.json", "w.previous"} == {name for name in names(tmp_path) if not name.endswith(".tmp")}


def test_killed_in_its_first_save_a_writer_leaves_nothing_to_trust(tmp_path):
    """Weights without their manifest are not read unless the caller knows their sum; a later save makes all sound."""
    path = tmp_path / "w"
    sha256 = save_weights(path, state(1))
    (tmp_path / "w.json").unlink()
    with pytest.raises(StoreError, match="cannot be verified"):
        load_weights(path)
    assert 1 == value(load_weights(path, sha256))
    save_weights(path, state(2))
    assert 2 == value(load_weights(path))


def test_the_manifest_names_both_copies(tmp_path):
    """Sums and sizes of the present and the previous copy stand in the manifest."""
    path = tmp_path / "w"
    first, second = save_weights(path, state(1)), save_weights(path, state(2))
    manifest = json.loads((tmp_path / "w.json").read_text())
    assert (second, path.stat().st_size) == (manifest["sha256"], manifest["size"])
    assert first == manifest["previous"]["sha256"]
