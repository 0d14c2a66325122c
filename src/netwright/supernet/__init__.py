"""The supernet: one network with shared weights for all architectures of a space."""

from __future__ import annotations

from netwright.supernet.slicing import add_rule
from netwright.supernet.supernet import Supernet
from netwright.supernet.switches import Way

__all__ = ["Supernet", "Way", "add_rule"]
