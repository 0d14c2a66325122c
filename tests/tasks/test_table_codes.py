"""Categories of many values from the search to the folder that is shipped, and what else reads tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import netwright as nw
from netwright.tasks.serving import Served
from netwright.tasks.shipping import export

SHOPS = [f"shop {number}" for number in range(40)]


def sales(rows: int = 240) -> pd.DataFrame:
    """What was sold follows from the shop; some rows have none, some a shop that stands once."""
    shops: list[Any] = [SHOPS[row * 7 % 40] for row in range(rows)]
    sold = ["much" if int(shop.split()[1]) % 2 else "little" for shop in shops]
    shops[5], shops[17], shops[18] = None, "kiosk", None
    size = np.random.default_rng(0).normal(size=rows)
    return pd.DataFrame({"size": size, "shop": shops, "kind": ["a", "b", "c"] * (rows // 3), "sold": sold})


class Own(nn.Module):
    """A user's network that knows nothing of codes."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        width = nw.choose("width", 8, 16)
        self.layers = nn.Sequential(nn.Linear(input_shape[0], width), nn.ReLU(), nn.Linear(width, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.layers(x)
        return made


def test_from_the_search_to_the_folder(quick: None, tmp_path: Path) -> None:
    """predict, the exported folders, serve and a search that starts from another: all embed the same shops."""
    sales().to_csv(tmp_path / "sales.csv", index=False)
    out = tmp_path / "study"
    nw.tasks.search(tmp_path / "sales.csv", target="sold", max_trials=1, n_jobs=1, out=out)
    about = nw.tasks.show(out)["trials"][0]["architecture"]
    assert {"network", "linear.embedding"} <= about.keys()
    new = pd.DataFrame(
        {"kind": ["a", "b", "c", "a"], "shop": ["shop 3", "never seen", None, "shop 8"], "size": [0.1, 0.2, 0.3, 0.4]}
    )
    new.to_csv(tmp_path / "new.csv", index=False)
    expected = nw.tasks.predict(out, tmp_path / "new.csv")["probabilities"]
    assert not np.allclose(expected[0], expected[3])
    for format in ("source", "onnx"):
        folder = export(out, format, tmp_path / format)
        ran = subprocess.run(
            [sys.executable, folder / "predict.py", tmp_path / "new.csv", "--json"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        np.testing.assert_allclose(expected, json.loads(ran.stdout)["probabilities"], atol=1e-4)
    rows = [{name: None if pd.isna(value) else value for name, value in row.items()} for row in new.to_dict("records")]
    np.testing.assert_allclose(expected, Served.open(out).answer(rows)["probabilities"], atol=1e-4)
    nw.tasks.search(
        tmp_path / "sales.csv", target="sold", max_trials=1, n_jobs=1, out=tmp_path / "second", start_from=out
    )
    assert about == nw.tasks.show(tmp_path / "second")["trials"][0]["architecture"]


@pytest.mark.parametrize("space", [Own, "compact-tables"])
def test_networks_that_know_no_codes(quick: None, space: Any) -> None:
    """A user's own network, and a space without embeddings: the shops are told apart by columns."""
    data = sales()
    search = nw.TabularClassifier(space=space, max_trials=1, n_jobs=1).fit(data.drop(columns="sold"), data["sold"])
    pair = data.drop(columns="sold").iloc[[0, 0]].assign(shop=["shop 0", "shop 3"])
    assert not np.allclose(*search.predict_proba(pair))
