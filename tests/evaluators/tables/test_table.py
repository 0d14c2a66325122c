"""A table answers what it was given, and says what it has where it was asked for something else."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from netwright.architecture import Architecture
from netwright.errors import ArchitectureError, InputError
from netwright.evaluators.tables import Column, Table, column_name, parse_column
from netwright.evaluators.tables.own import declared_space
from netwright.evaluators.tables.rows import Rows


def architecture(**changes: Any) -> Architecture:
    return Architecture({"width": 16, "kind": "deep", "bias": False, **changes})


def test_a_row_is_found_and_given_back(small: Table) -> None:
    """Every row's architecture has that row, in bulk too, and nothing else is in the table."""
    architectures = small.architectures()
    assert list(range(12)) == [small.row(one) for one in architectures] == small.rows(architectures).tolist()
    assert 6 == small.row(architecture())
    assert architectures[6] == small.architecture(6) == architecture()


def test_positions_are_those_of_the_options(small: Table) -> None:
    """They equal the choices that the table was made of."""
    assert small.choices.tolist() == small.positions(small.architectures()).tolist()
    assert [[1, 1, 0]] == small.positions([architecture()]).tolist()
    with pytest.raises(ArchitectureError, match="Decision 'width' has no value 9"):
        small.positions([architecture(), architecture(width=9)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 64}, "Decision 'width' has no value 64; its values: 8, 16, 32"),
        ({"width": True}, "Decision 'width' has no value True"),
        ({"bias": 0}, "Decision 'bias' has no value 0"),
        ({"depth": 2}, "The space has no decision 'depth'"),
    ],
)
def test_an_architecture_outside_says_which_decision(
    small: Table, changes: dict[str, Any], message: str
) -> None:
    """The message is that of the space; 1, 1.0 and True are different answers."""
    with pytest.raises(ArchitectureError, match=message):
        small.row(architecture(**changes))


def test_a_missing_answer_is_named(small: Table) -> None:
    """An architecture that answers too little is not in the table."""
    with pytest.raises(ArchitectureError, match="no answer for decision 'bias'"):
        small.row(Architecture({"width": 16, "kind": "deep"}))


def test_value_at_a_fidelity_and_a_seed(small: Table) -> None:
    """The mean is over the seeds; a single seed by its index."""
    assert 0.06 == small.value(architecture(), "accuracy", fidelity=3)
    assert pytest.approx(0.61) == small.value(architecture(), "accuracy", fidelity=9, seed="mean")
    assert [0.6, 0.62] == pytest.approx(
        [small.value(architecture(), "accuracy", fidelity=9, seed=seed) for seed in (0, 1)]
    )
    assert 600 == small.value(architecture(), "params", fidelity=None)


def test_a_fidelity_without_numbers_lists_those_with(small: Table) -> None:
    """Of the metric that was asked for."""
    with pytest.raises(InputError, match="'accuracy' is not known at fidelity 5, but at 3, 9"):
        small.value(architecture(), "accuracy", fidelity=5)
    with pytest.raises(InputError, match="'accuracy' is not known without a fidelity, but at 3, 9"):
        small.value(architecture(), "accuracy", fidelity=None)
    with pytest.raises(InputError, match=r"'params' is not known at fidelity 3, but without one \(None\)"):
        small.column("params@3")
    assert (3, 9) == small.fidelities("accuracy")


def test_an_unknown_metric_names_the_nearest(small: Table) -> None:
    """Or all of them, where none is near."""
    with pytest.raises(InputError, match=r"no metric 'acuracy'. Did you mean 'accuracy'\?"):
        small.column("acuracy@3")
    with pytest.raises(InputError, match="It has accuracy, train_seconds, params"):
        small.column("zzz")


@pytest.mark.parametrize(
    ("fidelity", "seed", "message"),
    [
        (9, 2, "has seed 0 to 1 and \"mean\"; found seed=2"),
        (9, -1, "found seed=-1"),
        (3, 0, "has no single seeds, only seed=\"mean\""),
        (3, "best", "seed is \"mean\" or a whole number"),
    ],
)
def test_a_seed_that_is_not_there(small: Table, fidelity: int, seed: Any, message: str) -> None:
    """Is refused with those that are."""
    with pytest.raises(InputError, match=message):
        small.value(architecture(), "accuracy", fidelity=fidelity, seed=seed)


def test_a_seed_that_one_architecture_lacks(small: Table) -> None:
    """Has a value for the others; the mean is over those there are."""
    numbers = np.array([[1.0, 3.0], [5.0, np.nan]])
    table = Table("two", declared_space({"a": (0, 1)}), np.array([[0], [1]]), {"score": numbers})
    assert 3 == table.value(Architecture({"a": 0}), "score", fidelity=None, seed=1)
    assert 5 == table.value(Architecture({"a": 1}), "score", fidelity=None)
    with pytest.raises(InputError, match="this architecture has no seed 1 of 'score', only 0"):
        table.value(Architecture({"a": 1}), "score", fidelity=None, seed=1)


def test_seconds_belong_to_a_metric_at_a_fidelity(small: Table) -> None:
    """They are those of the column of times; a metric without says so."""
    assert [7, 23] == [small.seconds(architecture(), "accuracy", fidelity=fidelity) for fidelity in (3, 9)]
    with pytest.raises(InputError, match="no seconds of training for 'params' \\(it has for: accuracy\\)"):
        small.seconds(architecture(), "params", fidelity=None)


def test_metrics_and_costs_are_told_apart(small: Table) -> None:
    """Parameters are a cost, seconds are neither."""
    assert (("accuracy",), ("params",)) == (small.metrics, small.costs)
    assert {"accuracy": "train_seconds"} == small.times


def test_a_table_cannot_be_changed(small: Table) -> None:
    """Its arrays are read-only and its columns a view."""
    with pytest.raises(ValueError, match="read-only"):
        small.columns["accuracy@3"].values[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        small.choices[0, 0] = 1
    with pytest.raises(TypeError):
        small.columns["new"] = small.columns["params"]  # type: ignore[index]


def test_names_of_columns() -> None:
    """They are read and written alike; whole fidelities are whole."""
    names = {"cifar10.valid@12": ("cifar10.valid", 12), "loss": ("loss", None), "a@0.5": ("a", 0.5)}
    assert names == {name: parse_column(name) for name in names}
    assert list(names) == [column_name(*parts) for parts in names.values()]
    for wrong in ("", "@12", "a@", "a@x", "a@nan"):
        with pytest.raises(InputError):
            parse_column(wrong)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, float("nan")], "'score' has no finite number in row 1"),
        ([float("inf"), 1.0], "'score' has no finite number in row 0"),
        ([["a"], ["b"]], "is a number for each architecture"),
        (3.0, "is a number for each architecture"),
    ],
)
def test_a_column_is_of_finite_numbers(values: Any, message: str) -> None:
    """A row without any is named."""
    with pytest.raises(InputError, match=message):
        Column.of("score", values)


def test_what_does_not_fit_together_is_refused() -> None:
    """Wrong lengths, positions that no option has, an architecture twice."""
    space = declared_space({"a": (0, 1), "b": (0, 1)})
    two = np.array([[0, 1], [1, 0]])
    with pytest.raises(InputError, match="has 2 architectures, its column 'x' 3 numbers"):
        Table("t", space, two, {"x": [1.0, 2.0, 3.0]})
    with pytest.raises(InputError, match=r"'b' has 2 options, so its choices are 0 to 1; found 2"):
        Table("t", space, np.array([[0, 2]]), {"x": [1.0]})
    with pytest.raises(InputError, match="rows 0 and 2 of the table are the same architecture"):
        Table("t", space, np.array([[0, 1], [1, 0], [0, 1]]), {"x": [1.0, 2.0, 3.0]})
    with pytest.raises(InputError, match="have 1 columns, but there are 2 decisions"):
        Table("t", space, np.array([[0], [1]]), {"x": [1.0, 2.0]})


def test_rows_of_a_space_too_large_for_an_array() -> None:
    """Are found through a dictionary, as exactly."""
    rng = np.random.default_rng(0)
    options = {f"d{i}": tuple(range(4)) for i in range(20)}
    choices = np.unique(rng.integers(4, size=(500, 20)), axis=0)
    rows = Rows(options, choices)
    assert rows._rows is None
    assert list(range(len(rows))) == [rows.find(rows.architecture(row)) for row in range(len(rows))]
    other = dict(rows.architecture(0)) | {"d0": (rows.architecture(0)["d0"] + 1) % 4}
    assert -1 == rows.find(other)
    with pytest.raises(InputError, match="are the same architecture"):
        Rows(options, np.vstack([choices, choices[7:8]]))


def test_rows_of_conditional_decisions() -> None:
    """A decision that is not asked is -1, and an architecture that answers it is another one."""
    rows = Rows({"kind": ("skip", "conv"), "kernel": (1, 3)}, np.array([[0, -1], [1, 0], [1, 1]]))
    assert {"kind": "skip"} == dict(rows.architecture(0))
    assert [0, 2, -1] == [
        rows.find({"kind": "skip"}), rows.find({"kind": "conv", "kernel": 3}), rows.find({"kind": "skip", "kernel": 1})
    ]  # fmt: skip
    assert [[0, -1], [1, 1]] == rows.positions([{"kind": "skip"}, {"kind": "conv", "kernel": 3}]).tolist()


def test_several_architectures_may_share_a_row() -> None:
    """Those that the key calls one network."""
    space = declared_space({"a": (0, 1), "b": (0, 1)})
    table = Table(
        "unordered", space, np.array([[0, 0], [0, 1], [1, 1]]), {"x": [1.0, 2.0, 3.0]},
        key=lambda one: tuple(sorted(one.values())),
    )  # fmt: skip
    assert [1, 1, 2] == table.rows([{"a": 0, "b": 1}, {"a": 1, "b": 0}, {"a": 1, "b": 1}]).tolist()
    with pytest.raises(InputError, match="3 rows, but only 2 different networks"):
        Table("t", space, np.array([[0, 0], [0, 1], [1, 0]]), {"x": [1.0, 2.0, 3.0]}, key=lambda one: sum(one.values()))


def test_a_row_that_the_table_lacks() -> None:
    """Of an architecture that the space has is said to be lacking in the table."""
    table = Table("half", declared_space({"a": (0, 1)}), np.array([[0]]), {"x": [1.0]})
    with pytest.raises(ArchitectureError, match="the table 'half' has no row for the architecture a=1"):
        table.row({"a": 1})


def test_looking_up_is_constant_time(nasbench201: Table) -> None:
    """A look-up in 15,625 rows takes no longer than in 12: it walks over the decisions, not over the rows."""
    architectures = nasbench201.architectures()[:2000]
    began = time.perf_counter()
    nasbench201.rows(architectures)
    assert time.perf_counter() - began < 1.0  # 2,000 of them; a walk over the rows would take minutes
