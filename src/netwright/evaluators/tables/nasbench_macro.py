"""NAS-Bench-Macro: the official JSON file, accuracies on CIFAR-10 in percent."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from netwright import strict_json
from netwright.errors import InputError
from netwright.evaluators.tables.rows import Rows, options_of
from netwright.evaluators.tables.table import Table

ABOUT = {
    "source": "NAS-Bench-Macro (Su et al., CVPR 2021), CIFAR-10",
    "units": "accuracies in percent; one split, so what is searched is what is judged",
}
_COSTS = {"params": "params", "flops": "macs"}


def read_macro(path: Path, name: str = "nasbench-macro") -> Table:
    """The table of ``nas-bench-macro_cifar10.json``: ``{digits: {test_acc, mean_acc, std, params, flops}}``.

    ``test`` has the single trainings where the file has them, else their mean.
    """
    from netwright.zoo import nasbench_macro

    value = strict_json.loads(path.read_bytes(), what=f"the table {path}", max_bytes=2**26)
    try:
        architectures = [nasbench_macro.from_string(text) for text in value]
        found = list(value.values())
        singles = all("test_acc" in row for row in found)
        columns = {"test": np.array([row["test_acc"] if singles else row["mean_acc"] for row in found], dtype=float)}
        for key, cost in _COSTS.items():
            if all(key in row for row in found):
                columns[cost] = np.array([row[key] for row in found], dtype=float)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the table {path} is not NAS-Bench-Macro's: {error}") from None
    space = nasbench_macro.space()
    options = options_of(space.decisions)
    choices = np.array([[options[key].index(one[key]) for key in options] for one in architectures])
    rows = Rows(options, choices)
    if not rows.complete:
        from netwright.space import SearchSpace

        space = SearchSpace(space.network, where=rows, **space.arguments)
    return Table(name, space, choices, columns, about=ABOUT, rows=rows)
