"""A packaged network in the forms of other runtimes: equal to it, any batch, one file or a folder."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save
from torch import nn

from netwright import export, graphs
from netwright.architecture import Architecture
from netwright.errors import CheckError, InputError, MissingExtra
from netwright.export import Examples, Rows
from netwright.graphs import OnnxSession, onnx_bytes

PREPROCESSING = {
    "format": 1,
    "kind": "images",
    "inputs": {"shape": [1, 8, 8], "mean": [5.0], "std": [6.0]},
    "target": {"name": None, "classes": ["left", "right"]},
}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        return self.head(self.stem(x).mean((2, 3)))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    made = Net()
    made(torch.randn(32, 1, 8, 8))
    return made.eval()


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory, network: nn.Module) -> Path:
    """A package as a search leaves it."""
    extra = {"kind": "images", "input_shape": [1, 8, 8], "outputs": 2, "preprocessing": PREPROCESSING}
    folder = tmp_path_factory.mktemp("runs") / "best"
    x = torch.randn(4, 1, 8, 8)
    return export.package(network, Architecture({"a": 1}), x, folder, "# Card\n\n## Use\n\nas it is\n", extra)


@pytest.fixture(scope="module")
def examples(network: nn.Module) -> Examples:
    """Rows whose classes are what the network answers."""
    x = torch.randn(300, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        y = network(x).argmax(1).numpy()
    X = x.numpy()
    return Examples(X[:10], X[:250], Rows(X[250:275], y[250:275]), Rows(X[275:], y[275:]))


@pytest.mark.parametrize("rows", [1, 2, 33])
def test_onnx_takes_any_batch(network: nn.Module, rows: int) -> None:
    """It answers in ONNX Runtime as the network does in torch."""
    x = torch.randn(rows, 1, 8, 8)
    (found,) = OnnxSession(onnx_bytes(network, x[:1]))(x.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(found, network(x).numpy(), rtol=0, atol=1e-5)


def test_onnx_is_one_file_that_tells_what_it_is(best: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Weights, classes, input and scaling are inside, no file of this machine is, and nothing is printed meanwhile."""
    path = export.to(best, "onnx", tmp_path / "net.onnx")
    assert ("", "") == capfd.readouterr()
    assert [path] == list(tmp_path.iterdir())
    model = onnx.load(path)
    onnx.checker.check_model(model)
    told = {each.key: each.value for each in model.metadata_props}
    assert ["left", "right"] == json.loads(told["classes"])
    assert [1, 8, 8] == json.loads(told["input_shape"])
    assert PREPROCESSING == json.loads(told["preprocessing"])
    assert export.read_manifest(best)["netwright"] == told["netwright"]
    assert b".py" not in path.read_bytes()


def test_names_of_inputs_and_outputs(network: nn.Module) -> None:
    """One of each is called so, and the first dimension is the batch."""
    graph = onnx.load_from_string(onnx_bytes(network, torch.randn(1, 1, 8, 8))).graph
    assert (["input"], ["output"]) == ([each.name for each in graph.input], [each.name for each in graph.output])
    assert "batch" == graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert "batch" == graph.output[0].type.tensor_type.shape.dim[0].dim_param


class Branching(nn.Module):
    def forward(self, x):
        return x if x.mean() > 0 else -x


def test_onnx_of_what_cannot_be_followed() -> None:
    """The refusal names the line."""
    with pytest.raises(CheckError, match=r"test_forms\.py:\d+: `return x if x\.mean\(\) > 0 else -x`"):
        onnx_bytes(Branching(), torch.randn(2, 3))


@pytest.mark.parametrize("format", ["source", "torch", "onnx"])
def test_the_difference_is_told(
    best: Path, network: nn.Module, examples: Examples, tmp_path: Path, format: str
) -> None:
    """On as many real rows as were given, in the text, the JSON, the card and the manifest."""
    written = export.write(best, format, tmp_path / "out", network=network, examples=examples)
    assert 0 <= written.difference <= 1e-5
    assert f"difference  {written.difference:.3g} from the network of the search on 10 rows" in written.text()
    assert {"out", "format", "model", "bytes", "difference", "rows", "seconds"} == written.to_value().keys()
    assert f"| Largest difference | {written.difference:.3g} " in (tmp_path / "out" / "card.md").read_text()
    assert {"difference": written.difference, "rows": 10} == export.read_manifest(tmp_path / "out")["check"]


@pytest.mark.parametrize("format", ["source", "onnx"])
def test_another_network_is_not_written(
    best: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    """What does not answer as the search's network is refused with the difference, and leaves nothing."""
    right = graphs.onnx_bytes
    monkeypatch.setattr(graphs, "onnx_bytes", lambda network, *others: right(Net(), *others))
    with pytest.raises(CheckError, match=r"differs from the network of the search by \d.*, at most (1e-05|0\.0001) is"):
        export.to(best, format, tmp_path / "out", network=Net() if format == "source" else None)
    assert [] == list(tmp_path.iterdir())


def test_a_folder_has_all_that_predictions_need(best: Path, tmp_path: Path) -> None:
    """The model, what runs it, and the constants; every file with its hash."""
    folder = export.to(best, "onnx", tmp_path / "out")
    names = {"model.onnx", "predict.py", "requirements.txt", "card.md", "architecture.json", "manifest.json"}
    assert names == {path.name for path in folder.iterdir()}
    assert PREPROCESSING == export.read_manifest(folder)["extra"]["preprocessing"]
    assert "numpy\nonnxruntime\npillow\n" == (folder / "requirements.txt").read_text()


def test_folders_are_not_overwritten(best: Path, tmp_path: Path) -> None:
    """But for an earlier export where that is asked for."""
    folder = export.to(best, "source", tmp_path / "out")
    with pytest.raises(InputError, match="exists already"):
        export.to(best, "source", folder)
    assert folder == export.to(best, "source", folder, anew=True)
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="exists already"):
        export.to(best, "source", tmp_path / "mine", anew=True)


@pytest.mark.parametrize(("format", "name"), [("torch", "net.onnx"), ("onnx", "net.pt2"), ("source", "net.pt2")])
def test_a_file_ends_as_its_format_does(best: Path, tmp_path: Path, format: str, name: str) -> None:
    """A name that belongs to another format is refused before anything is done."""
    with pytest.raises(InputError, match=rf"{format} is written to .*found {name}"):
        export.to(best, format, tmp_path / name)


def test_unknown_formats_are_named(best: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the nearest, those that are installed, and the extras that bring the others."""
    with pytest.raises(InputError, match=r"Did you mean 'source'\? Installed: source, torch, onnx, int8"):
        export.to(best, "sorce", tmp_path / "x")
    monkeypatch.setitem(export.NEEDS, "openvino", ("openvino", ("no_such_package",)))
    with pytest.raises(InputError, match=r"For openvino.*: pip install 'netwright\[openvino.*\]'") as caught:
        export.to(best, "tflite", tmp_path / "x")
    assert len(str(caught.value)) <= 200


def test_a_missing_package_is_named_with_its_extra(best: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, before the network is read."""
    monkeypatch.setitem(export.NEEDS, "openvino", ("openvino", ("no_such_package",)))
    with pytest.raises(MissingExtra, match=r"no_such_package. Install it: pip install 'netwright\[openvino\]'"):
        export.to(best, "openvino", tmp_path / "x")


# Weights that are not what they should be.


def damaged(best: Path, copy: Path, content: bytes) -> Path:
    """A package with other weights, whose manifest knows their hash."""
    export.to(best, "source", copy)
    (copy / "weights.safetensors").write_bytes(content)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["weights.safetensors"]["sha256"] = hashlib.sha256(content).hexdigest()
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


def test_truncated_weights_are_refused(best: Path, tmp_path: Path) -> None:
    """Even where the manifest agrees with them."""
    content = (best / "weights.safetensors").read_bytes()
    with pytest.raises(InputError, match=r"weights\.safetensors is no whole file of weights"):
        export.load_network(damaged(best, tmp_path / "copy", content[:-40]))


def test_weights_of_other_shapes_are_refused(best: Path, tmp_path: Path) -> None:
    """The tensor is named."""
    state = export.load_network(best).state_dict()
    state["head.weight"] = torch.zeros(3, 6)
    with pytest.raises(InputError, match=r"does not fit the network: size mismatch for head\.weight"):
        export.load_network(damaged(best, tmp_path / "copy", save(state)))


class Marks:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")


def test_a_pickle_in_disguise_is_not_opened(best: Path, tmp_path: Path) -> None:
    """It is refused, and what it would have run has not run."""
    content = pickle.dumps(Marks(str(tmp_path / "marker")))
    with pytest.raises(InputError, match="is no whole file of weights"):
        export.load_network(damaged(best, tmp_path / "copy", content))
    assert not (tmp_path / "marker").exists()
