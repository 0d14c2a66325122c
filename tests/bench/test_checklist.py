"""The checklist is filled from what was run."""

import bench_toys as toys
import pytest

from netwright.bench.checklist import checklist


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
