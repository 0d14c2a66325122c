"""The space of a search, found by its name or in a user's file."""

import os
from pathlib import Path

import pytest

from netwright.errors import InputError, SpaceError
from netwright.tasks import spaces
from netwright.tasks.spaces import find_space

TABLES = {"kind": "tables", "input_shape": (4,), "outputs": 3}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("absolute", [False, True])
def test_what_a_file_raises_has_its_line(here: Path, absolute: bool) -> None:
    """The line of the user's file is named, however its path is given."""
    (here / "mine.py").write_text("import math\n\nmath.sqrt(-1)\n")
    name = f"{here}{os.sep}mine.py" if absolute else "mine.py"
    with pytest.raises(SpaceError, match=r"mine\.py, line 3: ValueError: math domain error"):
        find_space(f"{name}:Net", **TABLES)


def test_a_syntax_error_has_its_line(here: Path) -> None:
    """Python's own word for a file that is no Python, and where."""
    (here / "mine.py").write_text("x = 1\ndef\n")
    with pytest.raises(SpaceError, match=r"^mine\.py, line 2: SyntaxError"):
        find_space("mine.py:Net", **TABLES)


def test_a_constructor_that_raises_has_its_line(here: Path) -> None:
    """The last line of the user's file is named, also where a library raised."""
    (here / "mine.py").write_text(
        "import math\nfrom torch import nn\n\n\ndef deep():\n    return math.sqrt(-1)\n\n\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        deep()\n"
    )
    with pytest.raises(SpaceError, match=r"^mine\.py, line 6: Net raised ValueError") as caught:
        find_space("mine.py:Net", **TABLES)
    assert isinstance(caught.value.__cause__, SpaceError)


def test_a_word_used_wrongly_has_its_line(here: Path) -> None:
    """What the words of a space refuse is told with the line that uses them, and keeps its hint."""
    (here / "mine.py").write_text(
        "import netwright as nw\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        nw.choose('width')\n"
    )
    with pytest.raises(SpaceError, match=r"mine\.py(:|, line )8"):
        find_space("mine.py:Net", **TABLES)


def test_no_decision_has_no_line(here: Path) -> None:
    """A network without decisions is refused as such: no line is at fault."""
    (here / "mine.py").write_text("from torch import nn\n\n\ndef net():\n    return nn.Linear(4, 3)\n")
    with pytest.raises(SpaceError, match=r"^net has no open decision"):
        find_space("mine.py:net", **TABLES)


def test_a_space_of_another_kind_names_those_of_the_kind() -> None:
    """Who asks for images on tables learns what there is for tables."""
    with pytest.raises(InputError, match=r"'compact-images' is for images, the data are tables\. .*compact-tables"):
        find_space("compact-images", **TABLES)


def test_a_missing_file_says_what_is_expected(here: Path) -> None:
    """The hint shows the form and where names are listed."""
    with pytest.raises(InputError, match=r"no such file: nope\.py\. --space takes FILE\.py:Network"):
        find_space("nope.py:Net", **TABLES)


def test_starts_of_another_form_of_the_space_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name: an answer that is none any more, and a start whose answers exclude each other or are mostly strange."""
    from netwright.strategies import Auto
    from netwright.trial import Objective

    space = find_space("compact-tables", **TABLES).space
    whole = dict(zip(("width", "dropout", "norm", "activation", "depth"), (64, 0.1, "batch", "gelu", 0), strict=True))
    starts = [
        whole,
        {**whole, "width": 32, "former": "x"},
        {**whole, "width": "no value"},
        {**whole, "block0": "plain"},  # never asked with a depth of 0
        {"width": 64, "depth": 9, "norm": "former", "block0": "former"},
    ]
    monkeypatch.setattr(spaces, "starts_of", lambda space: starts)
    found = find_space("compact-tables", **TABLES).portfolio
    left = {name: answer for name, answer in whole.items() if name != "width"}
    assert list(found) == [whole, {**whole, "width": 32}, left]
    Auto(portfolio=found).start(space, [Objective("val_loss", "minimize")])
