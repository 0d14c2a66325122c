"""One-shot methods: a supernet is trained once, and architectures are found by its weights. One method a file.

Each is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.strategies.oneshot.darts import DARTS
    from netwright.strategies.oneshot.drnas import DrNAS
    from netwright.strategies.oneshot.enas import ENAS
    from netwright.strategies.oneshot.fairnas import FairNAS
    from netwright.strategies.oneshot.gdas import GDAS
    from netwright.strategies.oneshot.hardware import Costs
    from netwright.strategies.oneshot.making import METHODS, make
    from netwright.strategies.oneshot.method import Course, Method
    from netwright.strategies.oneshot.ofa import OFA
    from netwright.strategies.oneshot.one_shot import OneShot
    from netwright.strategies.oneshot.pcdarts import PCDARTS
    from netwright.strategies.oneshot.proxyless import Proxyless
    from netwright.strategies.oneshot.random_weights import RandomWeights
    from netwright.strategies.oneshot.ranked import Ranked
    from netwright.strategies.oneshot.snas import SNAS
    from netwright.strategies.oneshot.spos import SPOS

_WHERE = {
    "DARTS": "darts",
    "ENAS": "enas",
    "METHODS": "making",
    "OFA": "ofa",
    "PCDARTS": "pcdarts",
    "GDAS": "gdas",
    "SNAS": "snas",
    "SPOS": "spos",
    "Costs": "hardware",
    "Course": "method",
    "DrNAS": "drnas",
    "FairNAS": "fairnas",
    "Method": "method",
    "OneShot": "one_shot",
    "Proxyless": "proxyless",
    "RandomWeights": "random_weights",
    "Ranked": "ranked",
    "make": "making",
}

__all__ = [
    "DARTS",
    "ENAS",
    "GDAS",
    "METHODS",
    "OFA",
    "PCDARTS",
    "SNAS",
    "SPOS",
    "Costs",
    "Course",
    "DrNAS",
    "FairNAS",
    "Method",
    "OneShot",
    "Proxyless",
    "RandomWeights",
    "Ranked",
    "make",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
