"""Public conformance suites for what users add, and the toys that they are tried on.

Each suite raises AssertionError with a sentence, so that it serves any test runner::

    from netwright.testing import check_strategy

    def test_mine():
        check_strategy(MyStrategy)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.testing import toy
    from netwright.testing.evaluators import check_evaluator
    from netwright.testing.executors import check_executor
    from netwright.testing.spaces import check_space
    from netwright.testing.stores import check_store
    from netwright.testing.strategies import check_strategy

_WHERE = {
    "check_evaluator": "evaluators",
    "check_executor": "executors",
    "check_space": "spaces",
    "check_store": "stores",
    "check_strategy": "strategies",
}

__all__ = ["check_evaluator", "check_executor", "check_space", "check_store", "check_strategy", "toy"]


def __getattr__(name: str) -> Any:
    if name == "toy":
        return importlib.import_module(f"{__name__}.toy")
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
