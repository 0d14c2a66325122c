"""From one value of a decision to another."""

from __future__ import annotations

import math

import numpy as np

from netwright.architecture import Answer
from netwright.space.decisions import Decision


def other_value(decision: Decision, value: Answer, u: float, rng: np.random.Generator) -> Answer:
    """Another value, drawn uniformly by ``u`` in [0, 1); in the logarithm where ``log``; of ``inputs``, one pick."""
    if decision.kind == "inputs":
        others = _one_pick(decision, value)
        return others[int(u * len(others))]
    if decision.continuous or decision.log:
        while (drawn := decision.draw(u)) == value:
            u = rng.random()
        return drawn
    place = decision.position(value)
    assert place is not None
    index = int(u * (int(decision.cardinality) - 1))
    return decision.value(index if index < place else index + 1)


def nearby(decision: Decision, value: Answer) -> list[Answer]:
    """The values one step away: all others of an unordered decision, a tenth of a range below and above."""
    if decision.cardinality == 1:
        return []
    if decision.kind == "inputs":
        return _one_pick(decision, value)
    if decision.kind != "range":
        place = decision.position(value)
        return [decision.value(index) for index in range(int(decision.cardinality)) if index != place]
    if decision.continuous:
        moved = [_tenth(decision, value, sign) for sign in (-1, 1)]
        return [new for new in moved if decision.position(new) is not None and new != value]
    place, last = decision.position(value), int(decision.cardinality) - 1
    assert place is not None
    places = []
    for sign in (-1, 1):
        if decision.log:
            assert decision.low is not None
            assert decision.step is not None
            moved_to = round((_tenth(decision, value, sign) - decision.low) / decision.step)
            moved_to = min(moved_to, place - 1) if sign < 0 else max(moved_to, place + 1)
        else:
            moved_to = place + sign * max(1, round((last + 1) / 10))
        if 0 <= moved_to <= last:
            places.append(moved_to)
    return [decision.value(index) for index in places]


def spread(decision: Decision, points: int) -> tuple[Answer, ...]:
    """At most ``points`` values of a range, evenly spaced from end to end (in the logarithm where ``log``)."""
    assert decision.low is not None
    assert decision.high is not None
    low, high = decision.low, decision.high
    shares = [0.5] if points == 1 else [index / (points - 1) for index in range(points)]
    if decision.log:
        targets = [low ** (1 - share) * high**share for share in shares]
    else:
        targets = [low * (1 - share) + share * high for share in shares]
    if decision.continuous:
        return tuple(dict.fromkeys(min(max(target, low), high) for target in targets))
    assert decision.step is not None
    last = int(decision.cardinality) - 1
    places = [min(max(round((target - low) / decision.step), 0), last) for target in targets]
    return tuple(decision.value(place) for place in dict.fromkeys(places))


def _tenth(decision: Decision, value: float, sign: int) -> float:
    assert decision.low is not None
    assert decision.high is not None
    if decision.log:
        return math.exp(math.log(value) + sign * (math.log(decision.high) - math.log(decision.low)) / 10)
    return value + sign * (decision.high - decision.low) / 10


def _one_pick(decision: Decision, value: tuple[int, ...]) -> list[Answer]:
    free = [index for index in range(decision.count or 0) if index not in value]
    return [tuple(sorted((*value[:place], new, *value[place + 1 :]))) for place in range(len(value)) for new in free]
