"""NAS-Bench-201: the published constants, and the same numbers from the official formats."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from netwright.errors import InputError
from netwright.evaluators.tables import Table, read_table
from netwright.evaluators.tables.nasbench201 import curves_of
from netwright.zoo.cell import EDGES
from netwright.zoo.nasbench201 import from_string, function_of, macs, params, to_string


@pytest.mark.parametrize(
    ("column", "best"),
    [
        ("cifar10.valid@200", 91.61), ("cifar10.test@200", 94.37), ("cifar100.valid@200", 73.49),
        ("cifar100.test@200", 73.51), ("imagenet16-120.valid@200", 46.73), ("imagenet16-120.test@200", 47.31),
    ],
)  # fmt: skip
def test_the_published_optima(nasbench201: Table, column: str, best: float) -> None:
    """Two digits as printed in the papers."""
    assert best == round(float(nasbench201.column(column).mean.max()), 2)


def test_the_published_means(nasbench201: Table) -> None:
    """A random architecture, the ResNet cell, skips alone, and the best by twelve epochs of validation."""
    found = {name: nasbench201.column(f"{name}.test@200").mean for name in ("cifar10", "cifar100", "imagenet16-120")}
    row = nasbench201.row
    resnet = row(from_string("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"))
    skips = row(dict.fromkeys(EDGES, "skip_connect"))
    rounded = lambda values: [round(float(value), 2) for value in values]  # noqa: E731
    assert [87.06, 61.41, 33.59] == rounded(values.mean() for values in found.values())
    assert [93.91, 70.89, 44.23] == rounded(values[resnet] for values in found.values())
    assert [54.30, 15.61, 16.32] == rounded(values[skips] for values in found.values())
    chosen = [int(nasbench201.column(f"{name}.valid@12").mean.argmax()) for name in found]
    assert [94.37, 72.28, 46.48] == rounded(values[row] for values, row in zip(found.values(), chosen, strict=True))


def test_the_rows_are_the_benchmarks_index(nasbench201: Table, data: Path) -> None:
    """The text of every row is the benchmark's, and reads back to that row."""
    with np.load(data / "nasbench201" / "nasbench201.npz") as file:
        texts = [text.decode() for text in file["arch_str"].tolist()]
        classes = file["unique_id"].tolist()
    architectures = nasbench201.architectures()
    assert texts == [to_string(one) for one in architectures]
    assert list(range(15_625)) == nasbench201.rows(map(from_string, texts)).tolist()
    # Isomorphic cells are those that the benchmark's own canonical texts call one.
    functions = [function_of(one) for one in architectures]
    assert 6_466 == len(set(functions)) == len(set(classes)) == len(set(zip(functions, classes, strict=True)))


def test_costs_of_all_architectures_follow_the_formula(nasbench201: Table) -> None:
    """Parameters exactly, multiply-adds but for the bias of the last layer, which the benchmark counts."""
    for dataset, side, classes in (("cifar10", 32, 10), ("cifar100", 32, 100), ("imagenet16-120", 16, 120)):
        counted = nasbench201.find(f"{dataset}.params", None).mean
        added = nasbench201.find(f"{dataset}.macs", None).mean
        for one, known, sums in zip(nasbench201.architectures(), counted, added, strict=True):
            assert known == params(one, classes=classes)
            assert sums == macs(one, side=side, classes=classes) + classes


def test_seconds_of_twelve_epochs_are_their_share(nasbench201: Table) -> None:
    """Of those of 200."""
    one = nasbench201.architecture(0)
    assert pytest.approx(1444.2186, rel=1e-6) == nasbench201.seconds(one, "cifar10.valid", fidelity=200)
    assert pytest.approx(1444.2186 * 12 / 200, rel=1e-6) == nasbench201.seconds(one, "cifar10.valid", fidelity=12)
    with pytest.raises(InputError, match=r"no seconds of training for 'cifar10\.test'"):
        nasbench201.seconds(one, "cifar10.test", fidelity=200)


def test_single_seeds(nasbench201: Table) -> None:
    """Of the validation accuracy on CIFAR-10; their mean is the file's."""
    column = nasbench201.column("cifar10.valid@200")
    assert (15_625, 3) == column.values.shape
    assert [82.092, 81.616, 82.24] == pytest.approx(column.values[0].tolist(), abs=1e-4)
    assert 7_456 == int(np.isnan(column.values[:, 2]).sum())
    assert 1 == nasbench201.column("cifar100.valid@12").seeds
    assert nasbench201.column("cifar10.valid@12").seeds is None


def test_latencies_stand_beside_the_accuracies(nasbench201: Table, data: Path) -> None:
    """Of 27 devices, in the same rows; the four that the authors print."""
    latencies = [name for name in nasbench201.costs if name.startswith("latency_ms.")]
    assert 27 == len(latencies)
    found = nasbench201.find("latency_ms.1080ti_1", None).mean
    assert pytest.approx(10.754371) == found[0]


def test_curves_end_in_the_tables_numbers(nasbench201: Table) -> None:
    """The last epoch of each curve is what the table says of that run; the mean is over the seeds."""
    for row in (0, 11, 284):
        one = nasbench201.architecture(row)
        for metric in ("cifar10.valid", "cifar10.test", "cifar100.valtest", "imagenet16-120.valtest"):
            curve = nasbench201.curve(one, metric, fidelity=200, seed="mean")
            assert 200 == len(curve)
            known = nasbench201.value(one, metric, fidelity=200)
            assert known == pytest.approx(float(curve[-1]), abs=1e-4)
        for seed in (0, 1):
            curve = nasbench201.curve(one, "cifar10.valid", fidelity=200, seed=seed)
            known = nasbench201.value(one, "cifar10.valid", fidelity=200, seed=seed)
            assert known == pytest.approx(float(curve[-1]), abs=1e-4)


def test_a_curve_that_is_not_there(nasbench201: Table, small: Table) -> None:
    """Says for which rows there are some, and which names there are."""
    with pytest.raises(InputError, match=r"no curve of 'cifar10\.valid@12' for row 1, only for 3 rows \(0, 11, 284\)"):
        nasbench201.curve(nasbench201.architecture(1), "cifar10.valid", fidelity=12, seed=0)
    with pytest.raises(InputError, match='have seeds 0 to 1 and "mean", found 7'):
        nasbench201.curve(nasbench201.architecture(0), "cifar10.valid", fidelity=12, seed=7)
    with pytest.raises(InputError, match=r"has no curves of 'accuracy@3' \(it has none\)"):
        small.curve(small.architecture(0), "accuracy", fidelity=3, seed=0)


def test_training_losses_have_curves(nasbench201: Table) -> None:
    """Which the sum of training losses needs."""
    losses = nasbench201.curve(nasbench201.architecture(0), "cifar10.train_loss", fidelity=12, seed=0)
    assert 12 == len(losses)
    assert losses[0] > losses[-1] > 0


def test_damaged_curves(data: Path) -> None:
    """Are refused by the file's name."""
    with np.load(data / "nasbench201" / "nasbench201.npz") as file:
        arrays = {"arch_str": file["arch_str"]}
    with gzip.open(data / "nasbench201" / "nats_tss_3archs_full_curves.json.gz") as packed:
        value = json.load(packed)
    del value[0]["runs"][3]["seed"]
    with pytest.raises(InputError, match=r"curves.json does not hold the curves .*KeyError: 'seed'"):
        curves_of(value, arrays, Path("curves.json"))


def test_another_file_by_that_name_is_refused(tmp_path: Path) -> None:
    """By the first array that it lacks."""
    path = tmp_path / "nasbench201.npz"
    np.savez(path, ops=np.zeros((3, 6), dtype=np.uint8))
    with pytest.raises(InputError, match="not NAS-Bench-201's condensed file: it has no 'cifar10_val_acc_12'"):
        read_table(path)
