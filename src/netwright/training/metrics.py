"""The names of the metrics and the direction in which each is better."""

from __future__ import annotations

from typing import Literal

from netwright.errors import InputError, nearest

Direction = Literal["maximize", "minimize"]

METRICS: dict[str, Direction] = {
    "val_accuracy": "maximize",
    "val_r2": "maximize",
    "val_rmse": "minimize",
    "val_perplexity": "minimize",
    "val_mase": "minimize",
    "val_score": "maximize",
    "val_loss": "minimize",
    "train_loss": "minimize",
    "params": "minimize",
    "macs": "minimize",
    "flops": "minimize",
    "memory": "minimize",
    "activations": "minimize",
    "size_mb": "minimize",
    "latency_ms": "minimize",
    "peak_memory": "minimize",
    "energy_j": "minimize",
    "epochs": "minimize",
    "lineage_epochs": "minimize",
}

PROXY_METRICS: dict[str, Direction] = {
    **dict.fromkeys(
        (
            "synflow", "snip", "grasp", "fisher", "grad_norm", "l2_norm", "plain", "jacob_cov", "epe_nas", "naswot",
            "swap", "zen", "zico", "meco", "meco_opt", "az_expressivity", "az_progressivity", "az_trainability",
        ),
        "maximize",
    ),
    "ntk": "minimize",
}  # fmt: skip
"""What evaluations of the budget "proxy" report. Apart from :data:`METRICS`, for no training answers with them."""


def direction(name: str) -> Direction:
    """Whether more or less of this metric is better; InputError with the closest known name for an unknown one."""
    known = METRICS if name in METRICS else PROXY_METRICS
    try:
        return known[name]
    except KeyError:
        raise InputError(f"no metric is called '{name}'", hint=nearest(name, METRICS).capitalize()) from None
