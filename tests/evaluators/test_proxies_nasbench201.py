"""The baselines of all proxies on NAS-Bench-201: the counts, exactly."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import spearmanr

from netwright.errors import NetwrightError
from netwright.evaluators.proxies import PROXIES, ProxyFailed
from netwright.evaluators.tables import Table, open_table
from netwright.zoo import nasbench201


@pytest.fixture(scope="module")
def table() -> Table:
    """The real table, where it is."""
    try:
        return open_table("nasbench201")
    except NetwrightError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("count", [nasbench201.params, nasbench201.macs])
def test_counts_rank_all_architectures_as_published(table: Table, count: object) -> None:
    """Spearman with the accuracy after 200 epochs on the three data sets: .753, .728, .691 (cut off: it is .6915)."""
    values = [count(table.architecture(row)) for row in range(15_625)]  # type: ignore[operator]
    found = []
    for name in ("cifar10", "cifar100", "imagenet16-120"):
        found.append(spearmanr(values, table.columns[f"{name}.test@200"].mean).statistic)
    assert found == pytest.approx([0.753, 0.728, 0.691], abs=6e-4)


@pytest.mark.parametrize("row", [77, 2000])
def test_the_counts_of_a_built_network_are_the_formulas(row: int) -> None:
    """What the proxies measure on the network is what the zoo says without building it."""
    architecture = nasbench201.architectures()[row]
    network = nasbench201.space().build(architecture)
    inputs = torch.zeros(1, 3, 32, 32)
    assert PROXIES["params"](network, inputs, torch.zeros(1)) == nasbench201.params(architecture)
    assert PROXIES["macs"](network, inputs, torch.zeros(1)) == nasbench201.macs(architecture)


def test_a_cell_without_a_path_has_no_number() -> None:
    """Nothing flows through it, its gradients by the input are constant; naswot counts dead ends too."""
    cell = dict.fromkeys(nasbench201.EDGES, "nor_conv_3x3") | {"edge_03": "none", "edge_13": "none", "edge_23": "none"}
    space = nasbench201.space(input_shape=(3, 8, 8), cells=1, channels=4)
    network = space.build(nasbench201.from_string(nasbench201.to_string(cell)))
    inputs, targets = torch.randn(6, 3, 8, 8), torch.arange(6)
    for name in ("synflow", "jacob_cov", "zen", "ntk"):
        with pytest.raises(ProxyFailed, match=f"^{name}: "):
            PROXIES[name](network, inputs, targets)
