"""Zero-cost proxies: numbers for untrained networks that go with how well they will do, and their evaluators."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.evaluators.proxies.base import Proxy, ProxyFailed, untouched
    from netwright.evaluators.proxies.blocks import az_nas, rank_sum
    from netwright.evaluators.proxies.evaluator import Proxies, WithProxies
    from netwright.evaluators.proxies.registry import PROXIES

_WHERE = {
    "PROXIES": "registry",
    "Proxies": "evaluator",
    "Proxy": "base",
    "ProxyFailed": "base",
    "WithProxies": "evaluator",
    "az_nas": "blocks",
    "rank_sum": "blocks",
    "untouched": "base",
}

__all__ = ["PROXIES", "Proxies", "Proxy", "ProxyFailed", "WithProxies", "az_nas", "rank_sum", "untouched"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
