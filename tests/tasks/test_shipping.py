"""What travels with a network says what it takes and what it answers."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from tests.tasks.conftest import Searched

from netwright.tasks import readers
from netwright.tasks.shipping import _data_facts


def test_the_input_of_images(searched: Searched) -> None:
    """Card and source hold the constants that bring raw images to the network."""
    best = searched.folder / "best"
    loaded = readers.from_arrays(searched.X, searched.y)
    with np.load(searched.folder / "data" / "split.npz") as parts:
        known = np.concatenate([parts[name] for name in parts.files if name != "test"])
    constants = loaded.learned_on(known).preprocessing["inputs"]
    expected = f"(x - mean) / std with mean {constants['mean'][0]:.6g}, std {constants['std'][0]:.6g} per channel"
    card = (best / "card.md").read_text()
    assert f"| Input | images (N, 1, 6, 6) standardised: {expected} |" in card
    assert "| Classes, in the order of the outputs | 0, 1 |" in card
    docstring = ast.get_docstring(ast.parse((best / "model.py").read_text())) or ""
    assert expected in " ".join(docstring.split())


def test_many_classes_are_shortened() -> None:
    """The first twelve, and how many there are."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    loaded = readers.from_arrays(X, [f"kind {i % 20:02}" for i in range(60)])
    facts = _data_facts(loaded.preprocessing)
    assert facts["Input"].startswith("table columns encoded as in manifest.json")
    classes = facts["Classes, in the order of the outputs"]
    assert classes.startswith("'kind 00', 'kind 01', ")
    assert classes.endswith("'kind 11', … (20 in all, see manifest.json)")


def test_the_output_of_a_regression() -> None:
    """How an output becomes a number in the target's own unit."""
    X = np.random.default_rng(0).normal(size=(40, 3))
    loaded = readers.from_arrays(X, np.linspace(10.5, 20.5, 40), task="regression")
    about = loaded.preprocessing["target"]
    assert about["mean"] == pytest.approx(15.5)
    assert _data_facts(loaded.preprocessing)["Output"] == f"the number predicted is output * {about['std']:.6g} + 15.5"


def test_nothing_but_the_package_is_written(searched: Searched) -> None:
    """The source with its note is compared with the network before it is there: it still runs."""
    assert sorted(path.name for path in Path(searched.folder / "best").iterdir()) == [
        "architecture.json", "card.md", "manifest.json", "model.py", "weights.safetensors",
    ]  # fmt: skip
