"""Imports that leave no trace in the global generators."""

from __future__ import annotations

import importlib
import random
from typing import Any


def imported(name: str) -> Any:
    """The module of that name; Python's global generator is as before.

    scikit-learn imports rich where it is installed, and rich draws from that generator while it is imported.
    """
    before = random.getstate()
    try:
        return importlib.import_module(name)
    finally:
        random.setstate(before)
