"""Eight bits: calibrated on training rows, judged on held-out rows, and honest about both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from netwright.costs.timing import Timing
from netwright.errors import CheckError, InputError
from netwright.export import Examples, Rows
from netwright.export.int8 import Quantised, quantise
from netwright.graphs import OnnxSession, onnx_bytes


def made() -> tuple[bytes, Examples]:
    """A network of one convolution, and rows whose classes are what it answers."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32, 3)
    ).eval()
    x = torch.randn(400, 1, 4, 4)
    with torch.no_grad():
        y = network(x).argmax(1).numpy()
    X = x.numpy()
    examples = Examples(X[:8], X[:200], Rows(X[200:300], y[200:300]), Rows(X[300:], y[300:]))
    return onnx_bytes(network, x[:2], {"classes": "[0, 1, 2]"}), examples


@pytest.fixture(scope="module")
def found() -> Quantised:
    return quantise(*made())


def test_weights_have_eight_bits(found: Quantised) -> None:
    """The large tensors are int8, by channel, between nodes Q and DQ; what the model tells of itself stays."""
    model = onnx.load_from_string(found.content)
    weights = [each for each in model.graph.initializer if len(each.dims) > 1]
    assert {onnx.TensorProto.INT8} == {each.data_type for each in weights}
    scales = [each for each in model.graph.initializer if "weight" in each.name and each.name.endswith("_scale")]
    assert {8, 3} == {each.dims[0] for each in scales if each.dims}
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in model.graph.node}
    assert ["classes"] == [each.key for each in model.metadata_props]


def test_scores_are_those_of_the_sessions(found: Quantised) -> None:
    """Before and after, on the test rows."""
    content, examples = made()
    assert examples.test is not None
    rows = examples.test
    for score, model in ((found.before, content), (found.after, found.content)):
        assert (OnnxSession(model)(rows.X)[0].argmax(1) == rows.y).mean() == score
    assert (1.0, 100, 200) == (found.before, found.rows, found.calibrated)


def test_test_rows_choose_nothing() -> None:
    """Other test rows give the same model."""
    content, examples = made()
    assert examples.test is not None
    other = replace(examples, test=Rows(-examples.test.X, examples.test.y))
    assert quantise(content, examples).content == quantise(content, other).content


def test_without_data_it_is_refused() -> None:
    """What it needs is said."""
    content, examples = made()
    with pytest.raises(InputError, match="needs data of the search to calibrate on"):
        quantise(content, replace(examples, calibration=None))


def test_a_network_without_layers_is_refused() -> None:
    """There is nothing to do in eight bits."""
    content = onnx_bytes(nn.ReLU(), torch.randn(2, 3))
    rows = np.ones((4, 3), np.float32)
    examples = Examples(rows, rows, None, Rows(rows, np.zeros(4, np.int64)))
    with pytest.raises(CheckError, match="no convolution and no linear layer"):
        quantise(content, examples)


def test_what_falls_short_is_told() -> None:
    """By how much, of the accuracy in points and of the speed."""
    times = {1: (Timing(1.2, 1.1, 1.3, 1.3), Timing(1.0, 0.9, 1.1, 1.1))}
    figures = Quantised(b"", "ranges", 0.95, 0.93, 100, 40, 10, times, 512, "accuracy", "a processor")
    assert figures.lines()["accuracy"].endswith("2.00 points lost, 1.50 more than the 0.5 wanted")
    assert figures.lines()["latency, batch 1"].endswith("1.20 times as fast, 0.30 short of the 1.5 wanted")


def test_regression_is_judged_by_r2() -> None:
    """As scikit-learn counts it."""
    from sklearn.metrics import r2_score

    rng = np.random.default_rng(0)
    y, outputs = rng.normal(size=20), rng.normal(size=(20, 1))
    examples = Examples(np.zeros((1, 2), np.float32), task="regression")
    assert examples.score(outputs, Rows(outputs, y)) == pytest.approx(r2_score(y, outputs[:, 0]))


def test_the_folder_of_an_export_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written meanwhile is gone afterwards."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    quantise(*made())
    assert [] == list(tmp_path.iterdir())
