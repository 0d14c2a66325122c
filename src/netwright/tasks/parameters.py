"""The parameters of estimators by their names, also where a constructor hands on those of another."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ParamSpec

from netwright.errors import nearest

Given = ParamSpec("Given")


def named(constructor: Callable[Given, None], before: Iterable[inspect.Parameter] = ()) -> Callable[Given, None]:
    """The constructor, whose signature names in place of ``**others`` the parameters ``before`` it.

    So scikit-learn, editors and help know them all. A name that is none of them is a TypeError with the nearest one.
    """
    own = inspect.signature(constructor)
    known = {each.name: each for each in own.parameters.values() if each.kind is not each.VAR_KEYWORD}
    if len(known) < len(own.parameters):
        known |= {each.name: each for each in before if each.name not in known}
    # Those that may be given by place come first.
    known = dict(sorted(known.items(), key=lambda pair: pair[1].kind))

    @wraps(constructor)
    def checked(*arguments: Given.args, **options: Given.kwargs) -> None:
        unknown = next((name for name in options if name not in known), None)
        if unknown is not None:
            names = [name for name in known if name != "self"]
            raise TypeError(f"{type(arguments[0]).__name__} has no parameter {unknown!r}: {nearest(unknown, names)}")
        constructor(*arguments, **options)

    made: Any = checked
    made.__signature__ = own.replace(parameters=list(known.values()))
    return checked
