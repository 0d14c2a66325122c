"""Strategies from the texts that name them."""

import json

import pytest
from typer.testing import CliRunner

import netwright as nw
from netwright.cli.app import app
from netwright.errors import InputError
from netwright.strategies import STRATEGIES, Auto, Evolution, Grid, LocalSearch, make
from netwright.strategies.making import read, split
from netwright.strategies.oneshot import make as make_method
from netwright.tasks.job import search
from netwright.testing import toy


def test_a_name():
    """A name alone makes the strategy with its defaults; empty brackets do the same."""
    for text in ("evolution", "evolution()", "  evolution ( ) "):
        strategy = make(text)
        assert isinstance(strategy, Evolution)
        assert (strategy.population, strategy.tournament) == (100, 25)


@pytest.mark.parametrize(
    "text",
    [
        "evolution(population=10,tournament=3)",
        "evolution(10, 3)",
        "evolution(10, tournament=3)",
        " evolution( tournament = +3 , population = 10, ) ",
    ],
)
def test_arguments(text):
    """By name or in the constructor's order, with or without spaces."""
    strategy = make(text)
    assert (strategy.population, strategy.tournament) == (10, 3)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("3", 3), ("-3", -3), ("0.5", 0.5), (".5", 0.5), ("2.", 2.0), ("1e-3", 1e-3), ("-1E+2", -100.0),
        ("true", True), ("False", False), ("none", None), ("None", None),
        ("first", "first"), ("'a, b'", "a, b"), ('"it\'s"', "it's"), ("''", ""), ("'3'", "3"),
        ("optuna-tpe", "optuna-tpe"), ("data/a.npz", "data/a.npz"), ("nan", "nan"), ("1e999", "1e999"),
        ("9" * 5_000, "9" * 5_000), ("()", ()), ("(1,)", (1,)), ("(1)", (1,)), ("(1, 3.5, a)", (1, 3.5, "a")),
        ("[1, (2, none)]", (1, (2, None))),
    ],
)  # fmt: skip
def test_literals(written, value):
    """Numbers, strings quoted or bare, true, false, none, and tuples of these; nothing is evaluated."""
    _, arguments = read(f"auto(starts={written})")
    assert repr(arguments) == repr({"starts": value})


def test_other_strategies():
    """Each name takes its own constructor's arguments, those that only go by name too."""
    assert make("local-search(neighbourhood=first, starts=10)").neighbourhood == "first"
    assert make("grid(shuffle=true)").shuffle is True
    assert isinstance(make("grid"), Grid)
    assert isinstance(make("local-search"), LocalSearch)
    assert isinstance(make("auto"), Auto)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("evolutoin(population=3)", r"unknown strategy 'evolutoin'\. Did you mean 'evolution'\?"),
        ("", "a strategy is a name, or name\\(argument=value, …\\), found ''"),
        ("(3)", "a strategy is a name"),
        ("evolution(poplation=3)", r"'evolution' has no argument 'poplation'\. Did you mean 'population'\?"),
        ("random(seed=3)", r"'random' has no argument 'seed'\. It takes none: write it as 'random'\."),
        ("random(3)", r"'random' takes no argument without a name, found 1"),
        ("evolution(1, 2, 3)", r"takes 2 arguments without a name, found 3\. Its arguments: population, tournament\."),
        ("evolution(3, population=4)", "the argument 'population' is given twice"),
        ("evolution(population=3, population=4)", "the argument 'population' is given twice"),
        ("evolution(tournament=3, 4)", "an argument without a name follows one with a name"),
        ("evolution(population=0)", "Evolution: population is a whole number of at least 1, found 0"),
        ("evolution(population=ten)", "population is a whole number of at least 1, found 'ten'"),
        ("evolution(population=3", "expected a comma or the closing bracket at its end"),
        ("evolution(population=)", r"expected a value before '\)'"),
        ("evolution(population=3))", r"expected the end before '\)'"),
        ("evolution 3", "expected the end before '3'"),
        ("evolution(population='3)", "expected a value before"),
        ("evolution(population=3 tournament=4)", "expected a comma or the closing bracket before 'tournament=4"),
        (f"auto(starts={'(' * 50}{')' * 50})", "tuples stand in each other more than 8 deep"),
        ("evolution(population=__import__('os'))", "expected a comma or the closing bracket"),
    ],
)
def test_what_is_wrong_is_said(text, message):
    """The message names the place, the nearest name, or what the constructor refuses."""
    with pytest.raises(InputError, match=message):
        make(text)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_name_can_be_made(name):
    """Whatever has a name is made by it, and by it with empty brackets."""
    assert type(make(name)) is type(make(f"{name}()"))


def test_the_arguments_that_are_listed_can_be_given():
    """What ``netwright strategies`` prints makes the same strategy as the name alone."""
    for row in json.loads(CliRunner().invoke(app, ["strategies", "--json"]).stdout)["strategies"]:
        listed = ", ".join(f"{name}={value}" for name, value in row["arguments"].items())
        maker = make_method if row["kind"] == "one-shot" else make
        strategy = maker(f"{row['name']}({listed})")
        plain = maker(row["name"])
        assert type(strategy) is type(plain)
        assert {n: v for n, v in vars(strategy).items() if n in row["arguments"]} == {
            n: v for n, v in vars(plain).items() if n in row["arguments"]
        }


def test_a_study_takes_the_text():
    """The arguments are part of the study: one with others is another study."""
    study = nw.Study(toy.SPACES["flat"](), "evolution(population=3, tournament=2)", toy.digest, maximize="score")
    assert (study.strategy.population, study.strategy.tournament) == (3, 2)
    with pytest.raises(InputError, match=r"no argument 'size'"):
        nw.Study(toy.SPACES["flat"](), "evolution(size=3)", toy.digest, maximize="score")


def test_a_job_refuses_a_wrong_text_before_it_reads_the_data(tmp_path):
    """The command line, the estimators and the job check it first."""
    with pytest.raises(InputError, match=r"Did you mean 'tournament'\?"):
        search("no such file.csv", strategy="evolution(turnament=3)", out=tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("random,evolution", ["random", "evolution"]),
        ("evolution(population=10,tournament=3), random", ["evolution(population=10,tournament=3)", "random"]),
        ("a(b='x,y(', c=(1,2)),d,", ["a(b='x,y(', c=(1,2))", "d"]),
        ("", []),
    ],
)
def test_lists_are_taken_apart(text, parts):
    """Commas within brackets and quotes do not part two strategies."""
    assert parts == split(text)
