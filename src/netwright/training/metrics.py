"""The names of the metrics and the direction in which each is better."""

from __future__ import annotations

from typing import Literal

from netwright.errors import InputError, nearest

Direction = Literal["maximize", "minimize"]

METRICS: dict[str, Direction] = {
    "val_accuracy": "maximize",
    "val_r2": "maximize",
    "val_rmse": "minimize",
    "val_loss": "minimize",
    "train_loss": "minimize",
    "params": "minimize",
    "macs": "minimize",
    "flops": "minimize",
    "memory": "minimize",
    "latency_ms": "minimize",
    "epochs": "minimize",
    "lineage_epochs": "minimize",
}


def direction(name: str) -> Direction:
    """Whether more or less of this metric is better; InputError with the closest known name for an unknown one."""
    try:
        return METRICS[name]
    except KeyError:
        raise InputError(f"no metric is called '{name}'", hint=nearest(name, METRICS).capitalize()) from None
