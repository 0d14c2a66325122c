"""The energy of a forward pass, where the processor counts what it uses (RAPL: Intel, and AMD since Zen)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from torch import nn

from netwright.costs.base import Example, as_inputs
from netwright.costs.runtimes import Place, rows_of
from netwright.errors import InputError

COUNTERS = Path("/sys/class/powercap")
FEWEST = 20
"""Passes, however long they take."""


@final
@dataclass(frozen=True)
class Energy:
    """Joules of one forward pass, of the whole processor and less what it uses at rest.

    Passes go through on the runtime ``on`` for about ``seconds``; before them the processor is watched at rest for a
    third of that. Other work on the machine is counted, too. InputError with the reason where nothing counts energy.
    """

    on: str = "auto"
    batch: int = 1
    seconds: float = 1.5

    def __call__(self, network: nn.Module, example: Example) -> float:
        return self.counted(network, example, Counters.found())

    def require(self) -> None:
        """Raises InputError or MissingExtra where energy cannot be measured here."""
        Counters.found()
        Place.read(self.on)

    def counted(self, network: nn.Module, example: Example, counter: Callable[[], float]) -> float:
        """By a counter of joules, such as :class:`Counters`."""
        place, rows = Place.read(self.on), rows_of(as_inputs(example), self.batch)
        with place.runtime.running(place.number):
            program = place.runtime.program(network, rows, place.number)
            for _ in range(3):
                program()
            began, before = time.monotonic(), counter()
            time.sleep(self.seconds / 3)
            idle = (counter() - before) / (time.monotonic() - began)
            passes, began, before = 0, time.monotonic(), counter()
            while passes < FEWEST or time.monotonic() - began < self.seconds:
                program()
                passes += 1
            return max(0.0, counter() - before - idle * (time.monotonic() - began)) / passes


@final
class Counters:
    """Called, the joules that all processors have used since the first call.

    Each is counted in a file, in microjoules, that begins again at some number: it must be asked within minutes.
    """

    def __init__(self, files: Mapping[Path, int]) -> None:
        self._most, self._last, self._total = dict(files), dict.fromkeys(files, -1), 0

    @classmethod
    def found(cls, folder: Path = COUNTERS) -> Counters:
        """Those of this machine; InputError that says why there are none."""
        reason = missing(folder)
        if reason is not None:
            raise InputError(f"energy cannot be measured here: {reason}", hint="Take latency_ms or macs instead")
        return cls({zone / "energy_uj": int((zone / "max_energy_range_uj").read_text()) for zone in _zones(folder)})

    def __call__(self) -> float:
        for file, most in self._most.items():
            now = int(file.read_text())
            if self._last[file] >= 0:
                self._total += (now - self._last[file]) % (most + 1)
            self._last[file] = now
        return self._total / 1e6


def missing(folder: Path = COUNTERS) -> str | None:
    """Why energy cannot be measured on this machine; None where it can."""
    if not folder.is_dir():
        return f"there is no {folder} (RAPL is read on Linux alone, and seldom within a virtual machine)"
    zones = _zones(folder)
    if not zones:
        return f"{folder} has no counter of a processor (intel-rapl:0)"
    try:
        for zone in zones:
            (zone / "energy_uj").read_text()
            (zone / "max_energy_range_uj").read_text()
    except OSError as error:
        return f"{zone / 'energy_uj'} cannot be read: {error.strerror} (the system lets only its administrator)"
    return None


def _zones(folder: Path) -> list[Path]:
    """Those of whole processors: their parts (cores, memory) are counted in them."""
    return sorted(each for each in folder.glob("intel-rapl:*") if each.name.count(":") == 1)
