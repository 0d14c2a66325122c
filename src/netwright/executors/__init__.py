"""Where candidates run: in this process, or in worker processes that may die without harm."""

from __future__ import annotations

from netwright.executors.failures import TaskFailed
from netwright.executors.in_process import InProcess
from netwright.executors.processes import Processes
from netwright.executors.reports import report
from netwright.executors.simulated import Simulated

__all__ = ["InProcess", "Processes", "Simulated", "TaskFailed", "report"]
