"""The names of the metrics and the direction in which each is better."""

from __future__ import annotations

from typing import Literal

from netwright.errors import InputError, nearest

Direction = Literal["maximize", "minimize"]

SCORERS: dict[str, tuple[str, ...]] = {
    "classification": (
        "balanced_accuracy", "f1", "f1_macro", "f1_micro", "f1_weighted", "precision", "precision_macro",
        "precision_micro", "precision_weighted", "recall", "recall_macro", "recall_micro", "recall_weighted", "jaccard",
        "jaccard_macro", "jaccard_micro", "jaccard_weighted", "average_precision", "roc_auc", "roc_auc_ovr",
        "roc_auc_ovo", "roc_auc_ovr_weighted", "roc_auc_ovo_weighted", "neg_log_loss", "neg_brier_score",
        "matthews_corrcoef",
    ),
    "regression": (
        "explained_variance", "neg_mean_absolute_error", "neg_median_absolute_error", "neg_mean_squared_error",
        "neg_root_mean_squared_error", "neg_max_error", "d2_absolute_error_score",
    ),
}  # fmt: skip
"""Names of scikit-learn's scorers that a trial can report, as ``val_<name>``, by the goal. More is always better."""

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
    **{f"val_{name}": "maximize" for names in SCORERS.values() for name in names},
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
