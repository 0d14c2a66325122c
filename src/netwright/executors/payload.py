"""Functions and arguments on their way into a worker, by cloudpickle.

Only the driver writes what a worker reads, over a socket that the two inherited: nothing here is ever read from a file
or from a network.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from netwright.errors import InputError

# Which modules travel by value is a setting of cloudpickle's, global to the process.
_registering = threading.Lock()
_foreign: tuple[tuple[Any, ...], tuple[ModuleType, ...]] = ((), ())


def dump_function(function: Callable[..., Any]) -> tuple[bytes, bytes]:
    """The digest of a function and what a worker needs to load it."""
    paths = json.dumps(search_path()).encode()
    payload = len(paths).to_bytes(4, "big") + paths + _dump(function, "The function")
    return hashlib.sha256(payload).digest(), payload


def search_path() -> list[str]:
    """Where this process looks for modules, in words that mean the same in any directory."""
    # An entry that is no place in the file system is a word for an import hook.
    return [os.path.abspath(entry) if entry == "" or os.path.exists(entry) else entry for entry in sys.path]


def load_function(payload: bytes) -> Callable[..., Any]:
    """The function again; it looks for modules where the driver does."""
    import cloudpickle

    size = int.from_bytes(payload[:4], "big")
    sys.path[:] = json.loads(payload[4 : 4 + size])
    function: Callable[..., Any] = cloudpickle.loads(payload[4 + size :])
    return function


def dump_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    return _dump((args, kwargs), "An argument")


def load_arguments(data: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
    import cloudpickle

    args, kwargs = cloudpickle.loads(data)
    return args, kwargs


def _dump(value: object, what: str) -> bytes:
    import cloudpickle

    try:
        with _by_value_where_a_worker_could_not_import():
            return bytes(cloudpickle.dumps(value))
    except Exception as error:
        raise InputError(
            f"{what} cannot be sent to a worker process: {type(error).__name__}: {error}",
            hint="Open files, locks and connections inside the function, or use netwright.executors.InProcess",
        ) from error


@contextmanager
def _by_value_where_a_worker_could_not_import() -> Iterator[None]:
    """Modules loaded from a file's path, or made by hand, travel whole; ``__main__`` always does."""
    import cloudpickle

    with _registering:
        already = cloudpickle.list_registry_pickle_by_value()
        modules = [module for module in _known_foreign_modules() if module.__name__ not in already]
        for module in modules:
            cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            for module in modules:
                cloudpickle.unregister_pickle_by_value(module)


def _known_foreign_modules() -> tuple[ModuleType, ...]:
    """The foreign modules, looked for again only when something was imported or the path has changed."""
    global _foreign
    state = (len(sys.modules), next(reversed(sys.modules)), *sys.path)
    if _foreign[0] != state:
        _foreign = state, tuple(_foreign_modules())
    return _foreign[1]


def _foreign_modules() -> Iterator[ModuleType]:
    """The loaded top-level modules that another Python process with the same path would not find."""
    for name, module in list(sys.modules.items()):
        if "." in name or name in ("__main__", "__mp_main__") or name in sys.builtin_module_names:
            continue
        if not isinstance(module, ModuleType) or module.__name__ != name or name in sys.stdlib_module_names:
            continue
        if not _found_again(name, module):
            yield module


def _found_again(name: str, module: ModuleType) -> bool:
    origin = getattr(module, "__file__", None)
    if origin is not None and _is_installed(origin):
        return True
    # importlib.util.find_spec answers from sys.modules; the finders themselves look again.
    for finder in sys.meta_path:
        spec = finder.find_spec(name, None) if hasattr(finder, "find_spec") else None
        if spec is not None:
            return origin is None or spec.origin is None or os.path.realpath(spec.origin) == os.path.realpath(origin)
    return False


def _is_installed(origin: str) -> bool:
    return f"{os.sep}site-packages{os.sep}" in origin or f"{os.sep}dist-packages{os.sep}" in origin
