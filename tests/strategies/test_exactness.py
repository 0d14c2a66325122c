"""The classic strategies on the real table of NAS-Bench-201, against what was measured of them (some seeds only)."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from netwright.errors import InputError
from netwright.evaluators.tables import open_table
from netwright.statistics import holm

ROOT = Path(__file__).parents[2]
RUNS, QUERIES, DATA = 100, 200, ("cifar10", "cifar100")
NAMES = ("random", "evolution", "local-search")


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("exactness", ROOT / "benchmarks" / "nasbench201_exactness.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def table():
    try:
        return open_table("nasbench201")
    except InputError as error:
        pytest.skip(f"the table of NAS-Bench-201 is not here: {error}")


@pytest.fixture(scope="module")
def rows(benchmark, table):
    """The rows asked for: (runs, queries) for each strategy and data set."""
    return {
        (name, data): np.array(
            [benchmark.search(table, data, benchmark.STRATEGIES[name], QUERIES, seed) for seed in range(RUNS)]
        )
        for name in NAMES
        for data in DATA
    }


@pytest.mark.slow
def test_the_measured_figures(benchmark, table, rows):
    """No cell of 100 and 200 queries is rejected, and each mean is within three standard errors and some."""
    cells = []
    for (name, data), runs in rows.items():
        scores = np.array([benchmark.judged(table, data, run)[:2] for run in runs])
        cells += [benchmark.cell(name, DATA.index(data), step, scores[:, step]) for step in range(2)]
    assert min(holm([cell["p"] for cell in cells])) > 0.01
    for cell in cells:
        assert abs(cell["delta"]) < 3 * cell["measured"][1] / RUNS**0.5 + 0.02


@pytest.mark.slow
def test_the_protocol(table, rows):
    """Random and local search never ask twice; evolution does, and a repetition is a query of its own."""
    distinct = {name: np.mean([len(set(run.tolist())) for run in rows[name, "cifar10"]]) / QUERIES for name in NAMES}
    assert (distinct["random"], distinct["local-search"]) == (1.0, 1.0)
    assert 0.7 < distinct["evolution"] < 0.95


def test_the_tie_of_cifar100(benchmark, table):
    """Two rows share the largest validation accuracy; the incumbent is the first of them, however they were found."""
    valid, test = table.column("cifar100.valid@12").mean, table.column("cifar100.test@200").mean
    assert [10165, 13714] == np.flatnonzero(valid == valid.max()).tolist()
    found = np.array([13714, 10165] + [0] * 98)
    assert benchmark.judged(table, "cifar100", found)[0] == pytest.approx(72.28, abs=0.005) == test[10165]
    assert benchmark.judged(table, "cifar100", found, ties="seen")[0] == pytest.approx(73.09, abs=0.005)
