"""Which arguments a network's constructor takes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from netwright.errors import SpaceError, nearest

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)


def arguments_for(network: Callable[..., Any], **available: Any) -> dict[str, Any]:
    """Those of the available arguments that the signature of ``network`` names.

    Raises SpaceError naming a required argument that is not available.
    """
    parameters = _parameters(network)
    required = [name for name, parameter in parameters.items() if parameter.default is parameter.empty]
    missing = [name for name in required if name not in available]
    if missing:
        raise SpaceError(
            f"{name_of(network)} requires the argument '{missing[0]}', which is not known here (known: "
            f"{', '.join(available) or 'none'})",
            hint=f"Give '{missing[0]}' a default, or name it as one of those.",
        )
    return {name: available[name] for name in parameters if name in available}


def check_arguments(network: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Raises SpaceError naming every argument that is missing or unknown."""
    try:
        signature = inspect.signature(network)
    except (TypeError, ValueError):
        return  # some callables made in C do not tell
    parameters = _parameters(network)
    problems = []
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in arguments:
            problems.append(f"requires the argument '{name}'")
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())
    for name in arguments:
        if name not in parameters and not takes_any:
            known = nearest(name, parameters) if parameters else "it takes none"
            problems.append(f"does not know the argument '{name}' ({known})")
    if problems:
        raise SpaceError(f"{name_of(network)} {', and '.join(problems)}")


def name_of(network: Any) -> str:
    """What a network is called."""
    while isinstance(network, functools.partial):
        network = network.func
    return str(getattr(network, "__name__", type(network).__name__))


def _parameters(network: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        parameters = inspect.signature(network).parameters
    except (TypeError, ValueError):
        return {}
    variable = (*_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for name, parameter in parameters.items():
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY and parameter.default is parameter.empty:
            raise SpaceError(f"{name_of(network)}: the argument '{name}' must be taken by name")
    return {name: parameter for name, parameter in parameters.items() if parameter.kind not in variable}
