"""The device that a name means on this machine."""

from __future__ import annotations

import torch

from netwright.errors import InputError


def device_here(name: str) -> str:
    """A device of this machine by its name, as torch has it; of ``"auto"`` the quickest kind that there is.

    InputError, with those that there are, for any other.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    there = [kind for kind, is_there in available.items() if is_there]
    if name == "auto":
        return next(kind for kind in ("cuda", "mps", "cpu") if kind in there)
    kind, colon, index = str(name).partition(":")
    if kind not in there:
        raise InputError(f"device '{name}' is not on this machine", hint=f"There is: {', '.join(there)}")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if colon and index not in map(str, range(count)):
        ones = ", ".join(f"{kind}:{place}" for place in range(count)) if count > 1 else kind
        raise InputError(f"device '{name}' is not on this machine", hint=f"There is: {ones}")
    return str(name)
