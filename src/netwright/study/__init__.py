"""The ring: the only place where space, strategy, evaluator, executor and store meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.study.study import Study

__all__ = ["Study"]


def __getattr__(name: str) -> Any:
    if name == "Study":
        from netwright.study.study import Study

        return Study
    raise AttributeError(f"module 'netwright.study' has no attribute {name!r}")
