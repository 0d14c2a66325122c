"""The table in the package is what its card says, and its numbers are those of its networks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from netwright.architecture import Architecture
from netwright.bench.making import TrainingCurve, functions, usual_recipe
from netwright.costs import measure
from netwright.evaluators.base import Candidate
from netwright.evaluators.tables import Table, open_table
from netwright.study.driver import trial_seed
from netwright.tasks.making import TEST, VALIDATION
from netwright.tasks.readers import read
from netwright.training.splits import split
from netwright.zoo.digits_cells import DigitsCells, function_of

FILE = Path(str(files("netwright.evaluators.tables"))) / "digits_cells.npz"
CARD = Path(__file__).parents[3] / "docs" / "tables" / "digits-cells.md"
EPOCHS = (1, 2, 4, 8)


@pytest.fixture(autouse=True, scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty folder, no folder of tables, one thread: as on a fresh machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NETWRIGHT_TABLES", raising=False)
        patch.chdir(tmp_path_factory.mktemp("fresh"))
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def table() -> Table:
    return open_table("digits-cells")


@pytest.fixture(scope="module")
def trained(table: Table) -> list[Architecture]:
    """The architectures that were trained, in the order of their trials."""
    return [group[0] for group in functions(table.space, function_of)]


def test_every_cell_has_a_row_and_every_column_its_seeds(table: Table) -> None:
    """Four operations on six edges; two seeds at four fidelities; costs."""
    assert 4**6 == len(table) == table.space.size
    assert table.space.network is DigitsCells
    for metric in ("val_accuracy", "test_accuracy", "train_loss", "cost"):
        assert EPOCHS == table.fidelities(metric)
        assert all(table.find(metric, epoch).seeds == 2 for epoch in EPOCHS)
        assert all(np.isfinite(table.find(metric, epoch).values).all() for epoch in EPOCHS)
    assert {"params", "macs", "latency_ms"} == set(table.costs)


def test_the_file_is_small() -> None:
    """At most a megabyte of the package."""
    assert FILE.stat().st_size <= 2**20


def test_cells_that_are_one_function_share_their_scores(table: Table, trained: list[Architecture]) -> None:
    """And hardly any others: two functions with the same scores and losses would be one training written twice."""
    values = np.concatenate([table.find(m, e).values for m in ("val_accuracy", "train_loss") for e in EPOCHS], 1)
    of_function: dict[str, bytes] = {}
    for row in range(len(table)):
        scores = values[row].tobytes()
        assert scores == of_function.setdefault(function_of(table.architecture(row)), scores)
    assert 871 == len(trained) == len(of_function) == len(set(of_function.values()))


def test_costs_are_counted_again(table: Table) -> None:
    """On fifty networks, built from their rows."""
    for row in np.random.default_rng(0).choice(len(table), 50, replace=False):
        architecture = table.architecture(int(row))
        counted = measure(table.space, architecture, (1, 8, 8), ("params", "macs"))
        assert counted == {name: table.value(architecture, name, fidelity=None) for name in counted}


def test_networks_trained_again_have_the_stored_scores(table: Table, trained: list[Architecture]) -> None:
    """Exactly so where arithmetic rounds as on the machine that made the table.

    Elsewhere a convolution may sum in another order, and 96 steps make more of it: after one epoch about as many
    images may differ as by another seed, but not the loss over the whole training.
    """
    loaded = read("digits")
    parts = split(loaded.raw.labels.y, 0, test=TEST, selection=0.0, validation=VALIDATION / (1 - TEST))
    data = loaded.learned_on(parts.train).data
    evaluator = TrainingCurve(data, usual_recipe(data).replace(epochs=8), split=parts, epochs=EPOCHS)
    for number, seed in ((2, 0), (300, 1)):
        candidate = Candidate(trained[number], table.space, seed=trial_seed(seed, number))
        answer = evaluator(candidate)
        for epoch in EPOCHS:
            stored = table.value(trained[number], "train_loss", fidelity=epoch, seed=seed)
            assert pytest.approx(stored, rel=0.05) == answer[f"train_loss@{epoch}"]
        for metric in ("val_accuracy", "test_accuracy"):
            stored = table.value(trained[number], metric, fidelity=8, seed=seed)
            assert pytest.approx(stored, abs=0.03) == answer[f"{metric}@8"]


def test_scores_are_counts_of_images(table: Table) -> None:
    """Validation and test have 539 each."""
    for metric in ("val_accuracy", "test_accuracy"):
        counts = table.find(metric, 8).values * 539
        assert np.abs(counts - np.rint(counts)).max() < 1e-3


def test_the_card_says_what_is_in_it(table: Table, trained: list[Architecture]) -> None:
    """Its row for each fidelity, computed again."""
    rows = table.rows(trained)
    final = table.find("test_accuracy", 8).mean[rows]
    told = re.findall(r"^\| ([1248]) \|((?: -?\d+\.\d+ \|){7})$", CARD.read_text(), re.MULTILINE)
    assert [str(epoch) for epoch in EPOCHS] == [epoch for epoch, _ in told]
    for epoch, cells in told:
        values = table.find("test_accuracy", int(epoch)).values[rows]
        validated = table.find("val_accuracy", int(epoch)).mean[rows]
        expected = [
            *(100 * np.quantile(values.mean(1), (0.0, 0.1, 0.5, 0.9, 1.0))).round(1),
            round(float(spearmanr(validated, final)[0]), 2),
            round(float(spearmanr(values[:, 0], values[:, 1])[0]), 2),
        ]
        assert pytest.approx(expected, abs=0.0101) == [float(cell) for cell in cells.split("|")[:-1]]
