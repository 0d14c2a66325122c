"""The checklist is filled from what was run."""

import bench_toys as toys
import pytest

import netwright.strategies
from netwright.bench.checklist import checklist
from netwright.evaluators.tables import open_table
from netwright.strategies import Random


def answers(comparison):
    return {item.number: item.answer for item in checklist(comparison)}


def test_it_has_sixteen_questions():
    """Five on code, eight on comparing, three on reporting, each with its evidence."""
    items = checklist(toys.comparison({"random": toys.improving(1)}))
    assert [5, 8, 3] == [sum(item.number[0] == part for item in items) for part in "123"]
    assert all(item.evidence and item.question.endswith("?") for item in items)


@pytest.mark.parametrize(
    ("question", "with_", "without"),
    [
        ("2f", ["evolution", "random"], ["evolution"]),
        ("2c", ["evolution", "evolution(population=5)"], ["evolution", "random"]),
    ],
)
def test_answers_follow_the_strategies(question, with_, without):
    """Random search and variants of one method are there or not."""
    for names, expected in ((with_, "yes"), (without, "no")):
        made = toys.comparison({name: toys.improving(1) for name in names})
        assert expected == answers(made)[question]


def test_one_run_is_not_several():
    """A single seed is a no."""
    assert "no" == answers(toys.comparison({"random": toys.improving(1, count=1)}))["2g"]
    assert "yes" == answers(toys.comparison({"random": toys.improving(1, count=2)}))["2g"]


def test_the_time_is_reported_where_the_table_has_it():
    """The seconds of training come with the runs."""
    made = toys.comparison({"random": toys.improving(1)})
    assert "no" == answers(made)["3b"]
    made.runs["random"] = toys.runs("random", toys.improving(1), train_seconds=[4.0] * 8)
    assert "yes" == answers(made)["3b"]


def test_what_a_bench_cannot_know_is_a_no():
    """Nobody told it how anything was tuned."""
    assert "no" == answers(toys.comparison({"random": toys.improving(1)}))["3a"]


def test_a_table_of_ones_own_has_no_released_space(tmp_path):
    """Whatever its file is called; the space of a table known by name is in the zoo."""
    made = toys.comparison({"random": toys.improving(1)})
    own = toys.table().save(tmp_path / "nasbench201.npz")
    for table, answer, told in (
        (toys.table(), "no", "publish the code of its networks and the table ("),
        (open_table(own), "no", "publish the code of its networks and the table ("),
        (open_table("digits-cells"), "yes", "open source: digits-cells"),
    ):
        made.table = table
        (item,) = [item for item in checklist(made) if item.number == "1b"]
        assert answer == item.answer
        assert told in item.evidence


class Foreign(Random):
    """A strategy of another package."""


def test_the_strategies_of_others_are_not_released_by_us(monkeypatch):
    """One behind an entry point is a no, and named; all those of this package are a yes."""

    class Point:
        name = "theirs"

        def load(self):
            return Foreign

    def points(group, name="theirs"):
        return [Point()] if name == "theirs" else []

    monkeypatch.setattr(netwright.strategies, "entry_points", points)
    for names, answer in ((["random", "optuna-tpe", "gp", "evolution(population=5)"], "yes"),
                          (["random", "theirs(a=1)"], "no")):  # fmt: skip
        made = toys.comparison({name: toys.improving(1) for name in names})
        (item,) = [item for item in checklist(made) if item.number == "1d"]
        assert answer == item.answer
    assert item.evidence.startswith("not of this package: theirs(a=1); publish the code")
