"""The verb export: where it writes, what it says, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netwright.export import NEEDS, Written


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """What the command line asks to be written, in a study that has ended."""
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "architecture.json").write_text("{}")
    asked: list[Any] = []

    def write(folder: str, to: str, destination: Path, **options: Any) -> Written:
        asked.append((folder, to, destination, options))
        return Written(destination, destination / "model", to, 2e-7, 1e-4, 64, 1.234, 500)

    monkeypatch.setattr("netwright.tasks.shipping.write", write)
    return asked


@pytest.mark.parametrize("to", ["source", "torch", "onnx", "int8", "openvino", "executorch"])
def test_export(netwright: Any, calls: list[Any], tmp_path: Path, to: str) -> None:
    """It goes to DIR/export/FORMAT, in the place of an earlier one; the largest difference is told."""
    out = tmp_path / "export" / to
    assert netwright("export", str(tmp_path), "--to", to).out == (
        f"wrote {out}\ndifference  2e-07 from the network of the search on 64 rows, at most 0.0001 is allowed\n"
    )
    assert calls == [(str(tmp_path), to, out, {"pick": "best", "anew": True})]


def test_export_elsewhere(netwright: Any, calls: list[Any], tmp_path: Path) -> None:
    """Where --out says, over nothing that is there; another network where --pick says."""
    out = tmp_path / "net.onnx"
    ran = netwright("export", str(tmp_path), "--to", "onnx", "--out", str(out), "--pick", "knee", "--json")
    assert json.loads(ran.out) == {
        "out": str(out), "format": "onnx", "model": str(out / "model"), "bytes": 500, "difference": 2e-7, "rows": 64,
        "seconds": 1.23,
    }  # fmt: skip
    assert calls == [(str(tmp_path), "onnx", out, {"pick": "knee", "anew": False})]


def test_picks_have_folders_of_their_own(netwright: Any, calls: list[Any], tmp_path: Path) -> None:
    """One network does not take another's place, whatever it is called."""
    for pick in ("best", "knee", "3", "a/b"):
        netwright("export", str(tmp_path), "--to", "onnx", "--pick", pick)
    assert [call[2].relative_to(tmp_path / "export").as_posix() for call in calls] == [
        "onnx", "onnx-knee", "onnx-3", "onnx-a-b-c14cddc0",
    ]  # fmt: skip


def test_an_unknown_format(netwright: Any, tmp_path: Path) -> None:
    """One line with what is installed."""
    ran = netwright("export", str(tmp_path), "--to", "tflite")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(
        "netwright: error: --to 'tflite' is no format that can be written. Installed: source, torch, onnx, int8"
    )
    assert len(ran.err.splitlines()) == 1


def test_a_missing_extra(netwright: Any, calls: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that installs it."""
    monkeypatch.undo()
    monkeypatch.setitem(NEEDS, "openvino", ("openvino", ("no_such_package",)))
    ran = netwright("export", str(tmp_path), "--to", "openvino")
    assert ran.code == 2
    assert ran.err.endswith("needs no_such_package. Install it: pip install 'netwright[openvino]'\n")
