"""The worked examples of CONTRIBUTING.md run, and what it says of the house is so."""

import re
from pathlib import Path

from tests import test_floors

from netwright.strategies.base import Strategy

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()


def test_the_examples_run():
    """The strategy and the space pass their suites, as printed."""
    names = {"__name__": "contributing"}
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, "CONTRIBUTING.md", "exec"), names)  # noqa: S102
    assert issubclass(names["Climb"], Strategy)


def test_the_floors_are_those_of_the_contract():
    """The table has the rooms of pyproject.toml, floor by floor from the top."""
    rows = re.findall(r"^\| (\d) \w+ \| (.*?) \|$", TEXT, re.MULTILINE)
    assert [int(number) for number, _ in rows] == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    for (rooms, _), (number, printed) in zip(test_floors.layers(), rows, strict=True):
        named = set(re.findall(r"`(\w+)`", printed))
        assert named <= set(rooms)
        assert number == "1" or set(rooms) == named


def test_the_targets_exist():
    """Every target that is named stands in the Makefile."""
    makefile = (Path(__file__).parents[1] / "Makefile").read_text()
    named = set(re.findall(r"\bmake (?:[A-Z_]+=\S+ )*([a-z]+)", TEXT))
    assert named >= {"test", "check", "help", "floors"}
    assert [target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
