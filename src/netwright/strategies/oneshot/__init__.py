"""One-shot methods: a supernet is trained once, and architectures are found by its weights. One method a file."""

from __future__ import annotations

from netwright.strategies.oneshot.darts import DARTS
from netwright.strategies.oneshot.drnas import DrNAS
from netwright.strategies.oneshot.fairnas import FairNAS
from netwright.strategies.oneshot.gdas import GDAS
from netwright.strategies.oneshot.method import Course, Method
from netwright.strategies.oneshot.one_shot import OneShot
from netwright.strategies.oneshot.proxyless import Proxyless
from netwright.strategies.oneshot.snas import SNAS
from netwright.strategies.oneshot.spos import SPOS

__all__ = ["DARTS", "GDAS", "SNAS", "SPOS", "Course", "DrNAS", "FairNAS", "Method", "OneShot", "Proxyless"]
