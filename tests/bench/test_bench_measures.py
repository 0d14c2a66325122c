"""What is searched and what is judged."""

import bench_toys as toys
import numpy as np
import pytest

from netwright.bench.measures import Measure, counterpart, ladder, read_measure, read_objectives, read_score
from netwright.errors import InputError
from netwright.evaluators.tables import Table


def test_a_metric_at_a_fidelity():
    """The text names both, and the values are the table's."""
    table = toys.table()
    measure = read_measure(table, "acc@3")
    assert Measure("acc", 3) == measure
    assert "acc@3" == measure.name
    assert np.array_equal(table.column("acc@3").mean, measure.values(table))


def test_without_a_fidelity_it_is_the_largest():
    """Of several the last, and a metric that has none is as it is."""
    assert Measure("acc", 9) == read_measure(toys.table(), "acc")
    assert Measure("params", None, "minimize") == read_measure(toys.table(), "params", "minimize")


def test_what_the_table_lacks_is_told():
    """An unknown metric names the nearest, an unknown fidelity those there are."""
    with pytest.raises(InputError, match=r"no metric 'acd'. Did you mean 'acc'"):
        read_measure(toys.table(), "acd@3")
    with pytest.raises(InputError, match="'acc' is not known at fidelity 2, but at 1, 3, 9"):
        read_measure(toys.table(), "acc@2")


def test_by_default_the_first_metric_is_maximized():
    """At its largest fidelity."""
    assert (Measure("acc", 9),) == read_objectives(toys.table(), (), ())


def test_several_objectives_share_a_fidelity():
    """Except costs, which are known before training."""
    both = read_objectives(toys.table(), ("acc@3",), ("params",))
    assert (Measure("acc", 3), Measure("params", None, "minimize")) == both
    with pytest.raises(InputError, match="has one fidelity, found acc@3 and test@9"):
        read_objectives(toys.table(), ("acc@3", "test@9"), ())
    with pytest.raises(InputError, match="'acc' is searched twice"):
        read_objectives(toys.table(), ("acc@3",), ("acc@3",))


def test_the_ladder_ends_at_what_is_searched():
    """The budgets of a multi-fidelity strategy are the table's fidelities up to there."""
    assert (1, 3) == ladder(toys.table(), (Measure("acc", 3),))
    assert (1, 3, 9) == ladder(toys.table(), (Measure("acc", 9), Measure("params", None, "minimize")))
    assert () == ladder(toys.table(), (Measure("params", None, "minimize"),))


def scored(*columns):
    """A table whose columns have these names."""
    made = toys.table()
    return Table("scored", made.space, toys.CHOICES, {name: toys.values(1, seed) for seed, name in enumerate(columns)})


@pytest.mark.parametrize(
    ("columns", "judged"),
    [
        (["a.valid@12", "a.test@12", "a.test@200"], "a.test@12"),
        (["a.valid@12", "a.test@90", "a.test@200"], "a.test@200"),
        (["val_accuracy@8", "test_accuracy@8"], "test_accuracy@8"),
        (["valid", "test"], "test"),
        (["valid@4", "test"], "test"),
        (["a.valid@12", "b.test@12"], "a.valid@12"),
        (["invalid@1", "intest@1"], "invalid@1"),
        (["accuracy@1", "test@1"], "accuracy@1"),
    ],
)
def test_validation_is_judged_by_test(columns, judged):
    """By the test metric of the same name, at the same fidelity or its largest; all else by itself."""
    table = scored(*columns)
    for direction in ("maximize", "minimize"):
        found = counterpart(table, read_measure(table, columns[0], direction))
        assert (judged, direction) == (found.name, found.direction)


@pytest.mark.parametrize(
    ("searched", "score", "direction"),
    [
        ((["acc@9"], []), "params", "minimize"),
        ((["acc@9"], []), "cost@9", "minimize"),
        ((["params"], []), "params", "maximize"),
        (([], ["params"]), "acc@9", "maximize"),
        (([], ["params", "acc@9"]), "test@9", "minimize"),
        (([], ["acc@9"]), "acc@3", "minimize"),
        ((["acc@9"], []), "train_loss", "minimize"),
        ((["acc@9"], []), "energy", "minimize"),
        (([], ["train_loss"]), "test_accuracy", "maximize"),
        (([], ["train_loss"]), "test@9", "maximize"),
    ],
)
def test_a_cost_is_judged_as_better_small(searched, score, direction):
    """Whatever the direction of the search, unless it is searched itself; the rest follows what is no cost."""
    columns = ("params", "acc@3", "acc@9", "cost@9", "test@9", "train_loss", "energy", "test_accuracy")
    table = scored(*columns)
    objectives = read_objectives(table, *map(tuple, searched))
    assert direction == read_score(table, score, objectives).direction
