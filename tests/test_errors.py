"""The tree of errors and what its messages say."""

import re

import pytest

from netwright import errors
from netwright.errors import InputError, Interrupted, MissingExtra, NetwrightError, nearest

TREE = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, NetwrightError)]


@pytest.mark.parametrize("kind", TREE)
def test_the_docstring_draws_the_tree(kind):
    """Each error stands in the drawing, with the exit code that it has, its own or that of the one above it."""
    line = next(line for line in errors.__doc__.splitlines() if re.search(rf"\b{kind.__name__}\b", line))
    code = re.search(r"\s(\d+)\s", line)
    error = kind("pandas", "data", "It") if kind is MissingExtra else kind("It is wrong")
    assert error.code == (int(code.group(1)) if code else 2)


def test_exit_codes_are_those_of_the_command_line():
    """Every code of the command line from 1 to 8 has its error, and those of the signals too."""
    assert {1, 2, 3, 4, 5, 6, 7, 8} == {kind.code for kind in TREE}
    assert Interrupted("stopped").code == 130
    assert Interrupted("stopped", code=143).code == 143


@pytest.mark.parametrize(
    ("message", "expected"),
    [("It is wrong", "It is wrong. Do it"), ("It is wrong.", "It is wrong. Do it"), ("Is it?", "Is it? Do it")],
)
def test_the_hint_follows_as_a_sentence(message, expected):
    """Message and hint read as two sentences, whatever the first ends with."""
    error = InputError(message, hint="Do it")
    assert (expected, message, "Do it") == (str(error), error.message, error.hint)


def test_without_a_hint_the_message_is_alone():
    """Nothing is added to it."""
    assert str(NetwrightError("It is wrong")) == "It is wrong"


def test_a_missing_extra_says_how_to_install_it():
    """It is both an ImportError and bad input, and names the command."""
    error = MissingExtra("pandas", "data", "Reading a CSV file")
    assert isinstance(error, ImportError)
    assert isinstance(error, ValueError)
    assert str(error) == "Reading a CSV file needs pandas. Install it: pip install 'netwright[data]'"


def test_input_errors_are_value_errors():
    """Code that expects Python's own error for a wrong value catches ours."""
    with pytest.raises(ValueError, match="wrong"):
        raise InputError("wrong")


def test_nearest():
    """The closest known word, or all of them where none is close."""
    assert nearest("evolutoin", ["random", "evolution"]) == "did you mean 'evolution'?"
    assert nearest("zzz", ["random", "evolution"]) == "known: evolution, random"
