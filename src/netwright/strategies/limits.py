"""Limits of a space may be dear to ask: for a cost each architecture is built. So candidates are made without them,
and only those that would be proposed are asked."""

from __future__ import annotations

from collections.abc import Iterable

from netwright.architecture import Architecture
from netwright.space import SearchSpace

CHECKS = 32
"""So many candidates, the most promising ones, are asked before another way is gone."""


def first_allowed(space: SearchSpace, candidates: Iterable[Architecture]) -> tuple[int | None, int]:
    """The place of the first of ``candidates`` that keeps the limits of ``space``, and how many before it do not.

    None where the first :data:`CHECKS` of them break a limit, or there are no more.
    """
    refused = 0
    for place, architecture in enumerate(candidates):
        if space.keeps_limits(architecture):
            return place, refused
        refused += 1
        if refused == CHECKS:
            break
    return None, refused
