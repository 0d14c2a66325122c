"""A one-shot search whose process dies goes on exactly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
import numpy as np, torch
from torch import nn
import netwright as nw
from netwright.training.data import Data

torch.set_num_threads(1)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        make = {key: lambda: nn.Linear(4, 4) for key in "pq"}
        self.a, self.last = nw.one_of("a", **make, skip=nn.Identity), nn.Linear(4, 2)

    def forward(self, x):
        return self.last(torch.relu(self.a(x)))

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 4)).astype(np.float32)
data = Data(X, (X[:, 0] > 0).astype(np.int64), ("no", "yes"))
search = nw.OneShot(nw.SearchSpace(Net), sys.argv[1], data, epochs=6, folder=sys.argv[2] or None).fit()
weights = {name: tensor.tolist() for name, tensor in search.supernet.network.state_dict().items()}
print(json.dumps([search.losses, weights]))
"""


def run(method, folder, failpoint=""):
    environment = {**os.environ, "NETWRIGHT_FAILPOINT": failpoint, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, method, str(folder)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=200,
    )


@pytest.mark.parametrize("method", ["gdas", "spos"])
def test_a_process_that_is_killed_while_it_writes_goes_on_exactly(method, tmp_path):
    """SIGKILL at three places of writing a checkpoint, one after the other; the end is that of an untouched search."""
    whole = run(method, "")
    assert whole.returncode == 0, whole.stderr
    for failpoint in ("checkpoint_written:2", "checkpoint_renamed:1", "checkpoint_synced:2"):
        died = run(method, tmp_path, failpoint)
        assert died.returncode == -signal.SIGKILL, died.stderr
    again = run(method, tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == json.loads(whole.stdout)
