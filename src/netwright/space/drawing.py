"""An architecture decision by decision: whoever draws or picks says the answer of each that is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from netwright.architecture import Answer, Architecture
from netwright.space.conditions import asked
from netwright.space.decisions import Decision


def answered(decisions: Iterable[Decision], answer: Callable[[Decision], Answer]) -> Architecture:
    """The architecture with ``answer`` of each decision that those before it ask; ``decisions`` in a space's order.

    A decision about training has its first value. Rules of the space are not looked at.
    """
    answers: dict[str, Answer] = {}
    for decision in decisions:
        if asked(decision, answers):
            answers[decision.name] = decision.first if decision.of_training else answer(decision)
    return Architecture(answers)
