"""The memory that a network takes while it runs: measured, beside what is predicted."""

from __future__ import annotations

import ctypes
import gc
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from torch import nn

from netwright.costs.base import Example, as_inputs
from netwright.costs.runtimes import Place, rows_of
from netwright.errors import InputError
from netwright.space.traceless import evaluating

PASSES = 3
FORGET = Path("/proc/self/clear_refs")


@final
@dataclass(frozen=True)
class ProcessMemory:
    """Bytes of the network and its input, and by how much this process grows at most while ``batch`` examples go
    through in eager PyTorch, on one thread.

    That is what is alive at once and whatever kernels and the allocator take beside, which
    :func:`~netwright.costs.peak_memory` leaves out. A study measures it in a process that does nothing else. Memory is
    counted in pages of the system. Linux alone tells the peak of a process and forgets it on request; elsewhere it is
    an InputError.
    """

    batch: int = 1

    def require(self) -> None:
        """Raises InputError where it cannot be measured here."""
        reason = missing()
        if reason is not None:
            raise InputError(f"the memory of a process cannot be measured here: {reason}", hint="Take memory instead")

    def __call__(self, network: nn.Module, example: Example) -> float:
        self.require()
        inputs = as_inputs(example)
        tensors = [*network.parameters(), *network.buffers()]
        if any(value.is_meta for value in (*tensors, *inputs)):
            raise InputError("measured memory needs a network and an example with values, not on the meta device")
        rows = rows_of(inputs, self.batch)
        storages = {value.untyped_storage()._cdata: value.untyped_storage() for value in (*tensors, *rows)}
        held = sum(storage.nbytes() for storage in storages.values())
        with Place.read("torch").runtime.running(1), evaluating(network):
            # Torch loads code at the first convolution, and at the first product; that is no part of any network.
            nn.Conv2d(3, 8, 3)(torch.zeros(1, 3, 8, 8))
            nn.Linear(8, 8)(torch.zeros(1, 8))
            before = _forget_peak()
            for _ in range(PASSES):
                network(*rows)
            return float(held + max(0, _status("VmHWM") - before))


def missing() -> str | None:
    """Why it cannot be measured here; None where it can."""
    if not sys.platform.startswith("linux") or not FORGET.exists():
        return "the system does not tell the peak of a process (Linux does)"
    return None


def _forget_peak() -> int:
    """Gives freed memory back to the system and sets the peak to what is left, in bytes; answers with it."""
    gc.collect()
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:
        give_back(0)
    FORGET.write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    raise OSError(f"no {name} in /proc/self/status")
