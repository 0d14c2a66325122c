"""The parameters of estimators by their names, also where a constructor hands on those of another."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from netwright.errors import nearest

Given = ParamSpec("Given")


def named(constructor: Callable[Given, None], *following: Callable[..., None]) -> Callable[Given, None]:
    """The constructor, whose signature names in place of ``**others`` the parameters of those ``following``.

    So scikit-learn, editors and help know them all. A name that is none of them is a TypeError with the nearest one.
    """
    known: dict[str, inspect.Parameter] = {}
    for each in (constructor, *following):
        own = inspect.signature(each).parameters.values()
        for one in own:
            if one.name not in known and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
                # What is handed on is handed on by its name.
                known[one.name] = one if each is constructor else one.replace(kind=one.KEYWORD_ONLY)
        if all(one.kind is not one.VAR_KEYWORD for one in own):
            break

    @wraps(constructor)
    def checked(*arguments: Given.args, **options: Given.kwargs) -> None:
        unknown = next((name for name in options if name not in known), None)
        if unknown is not None:
            names = [name for name in known if name != "self"]
            raise TypeError(f"{type(arguments[0]).__name__} has no parameter {unknown!r}: {nearest(unknown, names)}")
        constructor(*arguments, **options)

    made: Any = checked
    made.__signature__ = inspect.Signature(list(known.values()))
    return checked
