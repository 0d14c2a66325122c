"""Every space of the zoo in every format: what the documentation says passes, passes."""

from __future__ import annotations

import gc
import importlib.util
import os
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.utils._pytree import tree_leaves

from netwright.export.checking import state_of
from netwright.graphs import OnnxSession, onnx_bytes, write_program, write_source
from netwright.graphs.comparing import compare
from netwright.graphs.exported import program
from netwright.graphs.source import two_rows
from netwright.zoo import SPACES

from .zoo import ARGUMENTS, CASES, FEW, make

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "export.md"
ALL = pytest.mark.skipif(
    "NETWRIGHT_ALL_FORMATS" not in os.environ, reason="minutes for all networks: set NETWRIGHT_ALL_FORMATS=1"
)
FORMATS = ("source", "torch", "onnx", "int8", "openvino", "executorch")


def told() -> dict[str, dict[str, str]]:
    """The table of the documentation: for each space what it says of each format."""
    rows = re.findall(r"^\| `([\w-]+)` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    found = {name: rest.split(" | ") for name, rest in rows if name in SPACES}
    return {name: dict(zip(FORMATS, cells, strict=True)) for name, cells in found.items()}


@pytest.fixture(autouse=True)
def collecting_later() -> Iterator[None]:
    """Exporters make many objects and little garbage; looking for it is a quarter of their time."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(
    ("name", "kind"),
    [case if case in FEW else pytest.param(*case, marks=ALL) for case in CASES],
    ids=lambda one: one,
)
def test_a_space_is_exported_to_torch_and_onnx(name: str, kind: str, tmp_path: Path) -> None:
    """A random network of it answers there as it does here, in batches of one, two and three."""
    network, x = make(name, kind)
    made = program(network, two_rows(x))
    assert write_program(network, x, tmp_path / "net.pt2", made) <= 1e-5
    session = OnnxSession(onnx_bytes(network, x, made=made))
    assert compare(network, (x,), lambda batch: session(batch[0].numpy())) <= 1e-4


@pytest.mark.parametrize(("name", "kind"), CASES, ids=lambda one: one)
def test_a_space_is_exported_to_source(name: str, kind: str, tmp_path: Path) -> None:
    """The file's network has the same weights by the same names, and answers as the space's own."""
    network, x = make(name, kind)
    (tmp_path / "model.py").write_text(write_source(network, x))
    save_file(state_of(network), tmp_path / "weights.safetensors")
    read = runpy.run_path(str(tmp_path / "model.py"))["load"](tmp_path)
    assert compare(network, (x,), lambda batch: tree_leaves(read(*batch))) <= 1e-5


def test_every_space_is_in_the_table() -> None:
    """Those that are exported with what the documentation says of them; the one that has no network is no row."""
    assert set(ARGUMENTS) == SPACES.keys() - {"nasbench-graph"}
    assert ARGUMENTS.keys() == told().keys()
    assert {"yes"} == {told()[name][format] for name in ARGUMENTS for format in ("source", "torch", "onnx")}


@pytest.mark.parametrize("name", ["compact-images", "compact-tables"])
def test_a_space_is_exported_to_openvino(name: str) -> None:
    """In float32 it differs as little."""
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("openvino is not installed: pip install 'netwright[openvino]'")
    from netwright.graphs.openvino_model import openvino_files, openvino_run

    network, x = make(name)
    assert compare(network, (x,), openvino_run(openvino_files(network, x))) <= 1e-4


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["compact-images", "compact-tables"])
def test_a_space_is_exported_to_executorch(name: str) -> None:
    """Also for more rows than its memory is planned for."""
    if importlib.util.find_spec("executorch") is None:
        pytest.skip("executorch is not installed: pip install 'netwright[executorch]'")
    from netwright.graphs.executorch_program import MOST, executorch_bytes, executorch_run

    network, x = make(name)
    rows = torch.cat([x] * MOST)
    assert compare(network, (rows,), executorch_run(executorch_bytes(network, x))) <= 1e-4
