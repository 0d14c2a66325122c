"""The one gate for metrics: names to finite Python floats, or a reason why not.

A database stores an ``np.float32`` as a blob and NaN as null without a word, and JSON readers take ``1e400`` for
infinity. So nothing is called a metric before :func:`check_metrics` has seen it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

MAX_METRICS = 1_000
MAX_NAME = 200


class BadResult(Exception):
    """What a candidate answered cannot be used; ``kind`` is ``"bad_result"`` or ``"non_finite"``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


def check_metrics(value: object) -> dict[str, float]:
    """The metrics of ``value`` as finite floats; raises :class:`BadResult` for anything else.

    Numpy scalars and arrays or tensors without dimensions are converted. A bool is not a number here: an evaluator
    that answers ``True`` has compared where it should have counted.
    """
    if not isinstance(value, Mapping):
        raise _bad(f"a mapping from names to numbers was expected, found {describe(value)}")
    if not value:
        raise _bad("a mapping from names to numbers was expected, found an empty one")
    if len(value) > MAX_METRICS:
        raise _bad(f"{len(value):,} metrics were found, at most {MAX_METRICS:,} are kept")
    return {_check_name(name): _check_number(name, number) for name, number in value.items()}


def unwrap(value: object) -> object:
    """The Python number inside a numpy scalar, or inside an array or tensor without dimensions; else ``value``.

    Neither numpy nor torch is imported for it: both offer ``shape`` and ``item``.
    """
    if isinstance(value, (bool, int, float, complex, str)) or value is None:
        return value
    package = type(value).__module__.partition(".")[0]
    # torch.nn.Parameter and other kinds of tensor live in torch's own modules too.
    if package not in ("numpy", "torch") or getattr(value, "shape", None) != ():
        return value
    try:
        number = value.item()  # type: ignore[attr-defined]
        # A long double stays a numpy scalar under item().
        return number if isinstance(number, (bool, int, float, complex, str)) else float(number)
    except Exception:
        # A tensor on the meta device has no number; the caller names what it found instead.
        return value


def describe(value: object) -> str:
    """What ``value`` is, in a few words that never hold its contents.

    >>> describe([1, 2])
    'a list of 2'
    """
    kind = type(value).__name__[:80]
    if value is None:
        return "None"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"a {kind} of shape {tuple(shape)}"
    article = "an" if kind[:1].lower() in "aeiou" else "a"
    if isinstance(value, (list, tuple, dict, set, frozenset)):
        return f"{article} {kind} of {len(value):,}"
    return f"{article} {kind}"


def _check_name(name: object) -> str:
    if not isinstance(name, str):
        raise _bad(f"a metric's name must be a string, found {describe(name)}")
    if not name or len(name) > MAX_NAME:
        raise _bad(f"a metric's name has 1 to {MAX_NAME} characters, found {len(name):,}: {name[:30]!a}")
    if not name.isprintable():
        raise _bad(f"a metric's name must be printable, found {name[:60]!a}")
    return str(name)


def _check_number(name: str, value: object) -> float:
    number = unwrap(value)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise _bad(f"{name} must be a number, found {describe(number)}")
    try:
        result = float(number)
    except OverflowError:
        raise BadResult("non_finite", f"{name} is larger than any float") from None
    if not math.isfinite(result):
        raise BadResult("non_finite", f"{name} is {result}")
    return result


def _bad(message: str) -> BadResult:
    return BadResult("bad_result", message)
