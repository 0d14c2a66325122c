"""Tables: published and own results of every architecture of a space, instead of training it.

``open_table("nasbench201")`` or ``open_table("results.npz")`` gives a :class:`Table`; its ``evaluator`` goes into a
study like any other.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.evaluators.tables.evaluator import TableEvaluator
    from netwright.evaluators.tables.known import TABLES, import_table, open_table, read_table
    from netwright.evaluators.tables.own import save_table
    from netwright.evaluators.tables.table import Column, Table, column_name, parse_column

_WHERE = {
    "TABLES": "known",
    "Column": "table",
    "Table": "table",
    "TableEvaluator": "evaluator",
    "column_name": "table",
    "import_table": "known",
    "open_table": "known",
    "parse_column": "table",
    "read_table": "known",
    "save_table": "own",
}

__all__ = [
    "TABLES",
    "Column",
    "Table",
    "TableEvaluator",
    "column_name",
    "import_table",
    "open_table",
    "parse_column",
    "read_table",
    "save_table",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"netwright.evaluators.tables.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'netwright.evaluators.tables' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
