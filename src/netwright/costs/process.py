"""The memory that a network takes as a process of its own: measured, beside what is predicted."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import final

import cloudpickle
import torch
from torch import nn

from netwright.costs.base import Example, as_inputs
from netwright.costs.runtimes import rows_of
from netwright.errors import InputError, NetwrightError, ResourceError

PASSES = 3
PATIENCE = 300.0
"""Seconds."""


@final
@dataclass(frozen=True)
class ProcessMemory:
    """By how many bytes a worker grows, at its peak, from holding nothing to having run ``batch`` examples in torch.

    That is the network with its weights, its input, what is alive at once, and whatever kernels and the allocator take
    beside that, which :func:`~netwright.costs.peak_memory` leaves out. Memory of the system is counted, in pages, and
    the first passes let torch load code: small networks seem to take some megabytes. Linux alone tells the peak of a
    process and forgets it on request; elsewhere it is an InputError.
    """

    batch: int = 1

    def __call__(self, network: nn.Module, example: Example) -> float:
        if missing() is not None:
            raise InputError(
                f"the memory of a process cannot be measured here: {missing()}", hint="Take memory instead"
            )
        inputs = as_inputs(example)
        if any(value.is_meta for value in (*network.parameters(), *inputs)):
            raise InputError("measured memory needs a network and an example with values, not on the meta device")
        with torch.random.fork_rng(devices=[]):
            task = cloudpickle.dumps((network, rows_of(inputs, self.batch)))
        # A process of its own that does not run the caller's script again, with the caller's ways to its modules.
        command = [sys.executable, "-c", "from netwright.costs.process import work; work()", *sys.path]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as worker:
            try:
                answer, noise = worker.communicate(task, timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                raise ResourceError(f"the worker that measures memory did not end in {PATIENCE:.0f} seconds") from None
            finally:
                worker.kill()
        if worker.returncode != 0:
            last = (
                noise.decode(errors="replace").strip().splitlines() or ["it was killed, perhaps for want of memory"]
            )[-1]
            raise NetwrightError(f"the network does not run in a worker: {last[:300]}")
        return float(answer)


def missing() -> str | None:
    """Why it cannot be measured here; None where it can."""
    if not sys.platform.startswith("linux") or not os.path.exists("/proc/self/clear_refs"):
        return "the system does not tell the peak of a process (Linux does)"
    return None


def work() -> None:
    """In the worker: first everything that is no part of the answer, then the network."""
    sys.path[:] = sys.argv[1:]
    answer, sys.stdout = sys.stdout, sys.stderr
    content = sys.stdin.buffer.read()
    torch.set_num_threads(1)
    with torch.inference_mode():
        # Torch loads code at the first convolution, and again at the first product.
        nn.Conv2d(3, 8, 3)(torch.zeros(1, 3, 8, 8))
        nn.Linear(8, 8)(torch.zeros(1, 8))
        # What the network was packed in is there before and after.
        before = _forget_peak()
        network, inputs = pickle.loads(content)  # noqa: S301  # from the parent, through its own pipe
        network.eval()
        for _ in range(PASSES):
            network(*inputs)
    answer.write(str(max(0, _status("VmHWM") - before)))


def _forget_peak() -> int:
    """Sets the peak to what is held now, in bytes, and answers with it."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    raise OSError(f"no {name} in /proc/self/status")
