"""The scripts of an exported folder: they need no Netwright, and say what Netwright says of the same raw data."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from netwright import export
from netwright.architecture import Architecture
from netwright.export import Training
from netwright.export.training import initial_values, train_script
from netwright.tasks.preprocessing import answers, apply, fit_preprocessing
from netwright.tasks.readers import from_arrays, read, read_new
from netwright.tasks.tables import read_csv, read_parquet
from netwright.training.recipes import Recipe

_ALONE = """
import runpy, sys, warnings
refused = sys.argv[1].split(",")
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ImportError(f"{name} is not installed here", name=name)
sys.meta_path.insert(0, Refuse())
sys.argv = sys.argv[2:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def alone(script: Path, *arguments: object, without: str = "netwright") -> tuple[int, str, str]:
    """Runs a script in a process where some packages cannot be imported: its exit code and its two streams."""
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", _ALONE, without, str(script), *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd=script.parent,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def package(folder: Path, network: nn.Module, raw: Any, target: str | None = None) -> tuple[Path, dict[str, Any]]:
    """A package as a search leaves it, with the constants learned on ``raw``."""
    preprocessing = fit_preprocessing(raw, target=target)
    example = torch.from_numpy(apply(preprocessing, raw.X))
    extra = {
        "kind": raw.kind, "input_shape": list(example.shape[1:]), "outputs": 3, "preprocessing": preprocessing,
    }  # fmt: skip
    return export.package(network, Architecture({"a": 1}), example, folder, "# Card\n", extra), preprocessing


class Pictures(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.place = nn.Parameter(torch.randn(8, 1, 1) * 0.1)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head((self.stem(x) + self.place).amax((2, 3)))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], np.ndarray]:
    """Folders of gray images by class, bright above or below, and a network for them."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    X = rng.integers(0, 90, (24, 6, 5), dtype=np.uint8)
    X[:12, :2] += 160
    for place, pixels in enumerate(X):
        path = folder / "data" / ("below", "above")[place < 12] / f"{place:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    torch.manual_seed(0)
    best, preprocessing = package(folder / "best", Pictures().eval(), read(folder / "data").raw)
    return best, preprocessing, X


def expected(best: Path, preprocessing: dict[str, Any], inputs: np.ndarray) -> dict[str, Any]:
    with torch.no_grad():
        return answers(preprocessing, export.load_network(best)(torch.from_numpy(inputs)).numpy())


@pytest.mark.parametrize(("format", "without"), [("source", "netwright,scipy"), ("torch", "netwright,safetensors"),
                                                  ("onnx", "netwright,torch,onnx,safetensors")])  # fmt: skip
def test_image_files(
    images: tuple[Path, dict[str, Any], np.ndarray], tmp_path: Path, format: str, without: str
) -> None:
    """The classes and probabilities of Netwright, where it and most other packages are missing."""
    best, preprocessing, _ = images
    folder = export.to(best, format, tmp_path / "out")
    data = best.parent / "data"
    code, out, err = alone(folder / "predict.py", data, "--json", without=without)
    assert (0, "") == (code, err)
    wanted = expected(best, preprocessing, read_new(data, preprocessing))
    found = json.loads(out)
    assert wanted["predictions"] == found["predictions"]
    assert ["above", "below"] == found["classes"]
    np.testing.assert_allclose(found["probabilities"], wanted["probabilities"], atol=1e-5)


@pytest.fixture(scope="module")
def onnx_folder(images: tuple[Path, dict[str, Any], np.ndarray]) -> Path:
    return export.to(images[0], "onnx", images[0].parent / "onnx")


@pytest.mark.parametrize(
    "arrange", [lambda X: X, lambda X: X[:, None], lambda X: X[..., None], lambda X: X.reshape(24, -1)]
)
def test_arrays_of_images(
    images: tuple[Path, dict[str, Any], np.ndarray], onnx_folder: Path, tmp_path: Path, arrange: Any
) -> None:
    """Raw pixels in every layout that Netwright takes, a line each."""
    best, preprocessing, X = images
    np.save(tmp_path / "x.npy", arrange(X))
    code, out, err = alone(onnx_folder / "predict.py", tmp_path / "x.npy", without="netwright,torch")
    assert (0, "") == (code, err)
    assert expected(best, preprocessing, apply(preprocessing, X))["predictions"] == out.splitlines()


def test_single_images(images: tuple[Path, dict[str, Any], np.ndarray], onnx_folder: Path) -> None:
    """In the order in which they are named."""
    data = images[0].parent / "data"
    pair = (data / "below" / "13.png", data / "above" / "03.png")
    both = alone(onnx_folder / "predict.py", *pair)[1].splitlines()
    assert both == [alone(onnx_folder / "predict.py", each)[1].strip() for each in pair]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no file or folder"),
        (lambda path: np.save(path, np.zeros((2, 7, 7))), "images of shape (7, 7), the network was trained on (1, 6"),
        (lambda path: np.save(path, np.full((2, 6, 5), np.nan)), "the data hold NaN or infinity"),
        (lambda path: np.save(path, np.array([{}, {}], dtype=object)), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: np.save(path, np.zeros((0, 30))), "the data have no rows"),
    ],
)  # fmt: skip
def test_wrong_data_are_refused_in_a_line(onnx_folder: Path, tmp_path: Path, make: Any, message: str) -> None:
    """What is wrong, on standard error, with exit code 2; pickled objects are not read."""
    make(tmp_path / "x.npy")
    code, out, err = alone(onnx_folder / "predict.py", tmp_path / "x.npy")
    assert (2, "", 1) == (code, out, len(err.splitlines()))
    assert message in err


@pytest.mark.parametrize(("format", "name"), [("onnx", "model.onnx"), ("source", "weights.safetensors")])
def test_a_damaged_model_is_refused(images: Any, tmp_path: Path, format: str, name: str) -> None:
    """By its hash, before anything reads it."""
    folder = export.to(images[0], format, tmp_path / "out")
    (folder / name).write_bytes((folder / name).read_bytes()[:-3])
    np.save(tmp_path / "x.npy", images[2])
    code, out, err = alone(folder / "predict.py", tmp_path / "x.npy")
    assert (2, "", f"error: {name} is not as it was written: bring it back, or export the network again\n") == (
        code, out, err,
    )  # fmt: skip


def test_a_missing_runtime_is_named(onnx_folder: Path, images: tuple[Path, dict[str, Any], np.ndarray]) -> None:
    """With the file that brings it."""
    code, _, err = alone(onnx_folder / "predict.py", images[0].parent / "data", without="netwright,onnxruntime")
    assert (2, f"error: onnxruntime is not installed: pip install -r {onnx_folder / 'requirements.txt'}\n") == (
        code,
        err,
    )


# Tables


def write_csv(path: Path, rows: int, seed: int) -> Path:
    """Numbers with holes, truths, a category with a rare value and holes, a code of digits; and a price."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["size", "old", "Größe, Art", "code", "price"])
        for row in range(rows):
            size = "" if row % 7 == 3 else f"{rng.normal(50, 9):.3f}"
            kind = ("klein", "groß", "", "NA", f"rare {row}")[row % 5]
            writer.writerow(
                [size, row % 3 == 0, kind, f"{row % 4:02}" if row % 9 else "x", f"{rng.normal(900, 70):.2f}"]
            )
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A network for such a table."""
    folder = tmp_path_factory.mktemp("table")
    raw = read(write_csv(folder / "train.csv", 60, 0), target="price").raw
    width = apply(fit_preprocessing(raw), raw.X).shape[1]
    torch.manual_seed(0)
    return package(folder / "best", nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, 1)).eval(), raw, "price")


def test_csv_files(table: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Columns in another order, missing values, unknown categories and truths are taken as Netwright takes them."""
    best, preprocessing = table
    data = write_csv(tmp_path / "new.csv", 40, 1)
    lines = [line.split(";")[::-1] for line in data.read_text().replace('"', "").splitlines()]
    data.write_text("\n".join(";".join(line) for line in lines) + "\n")
    folder = export.to(best, "onnx", tmp_path / "out")
    code, out, err = alone(folder / "predict.py", data, without="netwright,torch,pandas")
    assert (0, "") == (code, err)
    wanted = expected(best, preprocessing, read_new(data, preprocessing))["predictions"]
    np.testing.assert_allclose([float(line) for line in out.splitlines()], wanted, rtol=1e-5)


def test_parquet_files(table: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """As CSV files, by pyarrow; where that is missing, or the file is none, a line says so."""
    best, preprocessing = table
    folder = export.to(best, "onnx", tmp_path / "out")
    (tmp_path / "new.parquet").write_bytes(b"PAR1 and so on")
    code, _, err = alone(folder / "predict.py", tmp_path / "new.parquet", without="netwright,torch,pyarrow")
    assert (2, 1) == (code, len(err.splitlines()))
    assert "new.parquet needs pyarrow: pip install pyarrow, or give the rows as a .csv file" in err
    pytest.importorskip("pyarrow")
    code, _, err = alone(folder / "predict.py", tmp_path / "new.parquet")
    assert (2, 1) == (code, len(err.splitlines()))
    assert "new.parquet cannot be read" in err
    rows = read_csv(write_csv(tmp_path / "new.csv", 40, 1))
    rows.to_parquet(tmp_path / "new.parquet")
    code, out, err = alone(folder / "predict.py", tmp_path / "new.parquet", without="netwright,torch,pandas")
    assert (0, "") == (code, err)
    wanted = expected(best, preprocessing, read_new(tmp_path / "new.parquet", preprocessing))["predictions"]
    np.testing.assert_allclose([float(line) for line in out.splitlines()], wanted, rtol=1e-5)


def test_columns_of_parquet_are_as_those_of_netwright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dates, durations, truth values and categories, with holes."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    when = pandas.date_range("2024-02-27 06:00", periods=40, freq="36h")
    frame = pandas.DataFrame({
        "when": when.where(np.arange(40) % 9 != 4), "day": when.date, "took": when - when[0],
        "flag": [None if i % 9 == 0 else i % 4 < 2 for i in range(40)],
        "kind": pandas.Series(["a", None, "c", "b"] * 10, dtype="category"), "size": np.arange(40) / 3,
    })  # fmt: skip
    frame.to_parquet(tmp_path / "a.parquet")
    loaded = from_arrays(read_parquet(tmp_path / "a.parquet"), np.arange(40) % 2)
    spec = importlib.util.spec_from_file_location("exported", Path(export.__path__[0]) / "standalone" / "predict.py")
    assert spec is not None
    assert spec.loader is not None
    predict = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(predict)
    monkeypatch.setattr(predict, "about", lambda: {"preprocessing": loaded.preprocessing})
    found = predict.prepare(predict.read([str(tmp_path / "a.parquet")]))
    np.testing.assert_allclose(found, loaded.data.X, atol=1e-5)


def test_a_missing_column_is_named(table: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """In a line."""
    folder = export.to(table[0], "source", tmp_path / "out")
    (tmp_path / "new.csv").write_text("size,old,code\n1,True,01\n")
    code, _, err = alone(folder / "predict.py", tmp_path / "new.csv")
    assert (2, "error: the table has no column 'Größe, Art'\n") == (code, err)


def test_a_table_that_is_no_text_is_refused(table: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """In a line."""
    folder = export.to(table[0], "source", tmp_path / "out")
    (tmp_path / "new.csv").write_bytes(b"size;old\xff\xfe\n1;2\n")
    code, _, err = alone(folder / "predict.py", tmp_path / "new.csv")
    assert (2, 1) == (code, len(err.splitlines()))
    assert "new.csv cannot be read" in err


def test_a_damaged_manifest_is_refused(onnx_folder: Path, images: Any, tmp_path: Path) -> None:
    """In a line, also where it is sound JSON."""
    folder = shutil.copytree(onnx_folder, tmp_path / "out")
    (folder / "manifest.json").write_text("{}")
    code, _, err = alone(folder / "predict.py", images[0].parent / "data")
    assert (2, "error: manifest.json beside predict.py is not as it was written: export the network again\n") == (
        code, err,
    )  # fmt: skip


# Training again


def training(**changes: Any) -> Training:
    return Training(Recipe(**{"epochs": 30, "batch_size": 8, "lr": 0.05, **changes}).to_value())


def test_an_isolated_python_trains_as_well(images: tuple[Path, dict[str, Any], np.ndarray], tmp_path: Path) -> None:
    """``python -I`` does not look beside the script by itself."""
    export.write(images[0], "source", tmp_path / "out", training=training())
    command = [sys.executable, "-I", "-B", str(tmp_path / "out" / "train.py"), "--help"]
    assert 0 == subprocess.run(command, capture_output=True, check=False).returncode


def test_a_classifier_is_trained_again(images: tuple[Path, dict[str, Any], np.ndarray], tmp_path: Path) -> None:
    """From folders of images, to a folder that predicts; the first one stays as it is."""
    folder = tmp_path / "out"
    export.write(images[0], "source", folder, training=training(augment=("crop", "cutout"), padding=1))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    data = images[0].parent / "data"
    code, out, err = alone(folder / "train.py", data, "--test", data, "--out", tmp_path / "again")
    assert 0 == code, err
    assert 30 == len(err.splitlines())
    assert "test: accuracy 1.0000 on 24 rows" in out
    assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert ["above"] * 12 + ["below"] * 12 == alone(tmp_path / "again" / "predict.py", data)[1].splitlines()


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda path: None, (), "cannot be read"),
        (lambda path: path.write_bytes(b"PK"), (), "cannot be read"),
        (lambda path: np.savez(path, X=np.zeros((3, 6, 5))), (), "has no arrays X and y"),
        (lambda path: np.savez(path, X=np.zeros((3, 6, 5)), y=np.array(["above"])), (), "has 3 rows and 1 answers"),
        (lambda path: np.savez(path, X=np.zeros((0, 6, 5)), y=np.array([], str)), (), "has 0 rows and 0 answers"),
        (lambda path: np.savez(path, X=np.zeros((1, 6, 5)), y=np.array(["left"])), (), "'left' is no class"),
        (lambda path: None, ("--epochs", 0), "--epochs is at least 1"),
        (lambda path: None, ("--device", "abacus"), "--device abacus is not here"),
    ],
)
def test_wrong_training_data_are_refused_in_a_line(
    images: tuple[Path, dict[str, Any], np.ndarray], tmp_path: Path, make: Any, options: Any, message: str
) -> None:
    """What is wrong, with exit code 2; no folder is written."""
    folder = tmp_path / "out"
    export.write(images[0], "source", folder, training=training(epochs=1))
    make(tmp_path / "data.npz")
    code, out, err = alone(folder / "train.py", tmp_path / "data.npz", *options, "--out", tmp_path / "again")
    assert (2, "", 1, False) == (code, out, len(err.splitlines()), (tmp_path / "again").exists())
    assert message in err


def test_a_regressor_is_trained_again(table: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """The unit of its predictions is that of the data, whatever they were scaled by before, also by decimal commas."""
    folder = tmp_path / "out"
    export.write(table[0], "source", folder, training=training(optimizer="adamw", lr=0.01, clip=1.0))
    with (tmp_path / "steps.csv").open("w", encoding="utf-8") as file:
        file.write("size;old;Größe, Art;code;price\n")
        file.writelines(f"{50 + row % 2 * 20};True;klein;01;{7000 + row % 2 * 100},0\n" for row in range(40))
    code, out, err = alone(folder / "train.py", tmp_path / "steps.csv", "--out", tmp_path / "again")
    assert 0 == code, err
    found = alone(tmp_path / "again" / "predict.py", tmp_path / "steps.csv")[1].splitlines()
    np.testing.assert_allclose([float(line) for line in found[:2]], [7000, 7100], atol=30)
    assert float(out.partition("R² ")[2].split()[0]) > 0.8


def test_the_same_seed_trains_the_same(images: tuple[Path, dict[str, Any], np.ndarray], tmp_path: Path) -> None:
    """Bit for bit."""
    folder = tmp_path / "out"
    export.write(images[0], "source", folder, training=training(epochs=2))
    np.savez(tmp_path / "data.npz", X=images[2], y=np.array(["above"] * 12 + ["below"] * 12))
    weights = []
    for name in ("a", "b"):
        alone(folder / "train.py", tmp_path / "data.npz", "--seed", 1, "--out", tmp_path / name)
        weights.append((tmp_path / name / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1] != (folder / "weights.safetensors").read_bytes()


def test_learning_rates_are_those_of_the_search(images: Any) -> None:
    """Step for step, of every schedule."""
    from netwright.training.loop import learning_rate

    for schedule in ("one_cycle", "cosine", "constant"):
        text = train_script(training(schedule=schedule))
        body = text[text.index("def learning_rate") : text.index("def augment")]
        names: dict[str, Any] = {"math": __import__("math"), "RECIPE": {"lr": 0.05, "schedule": schedule}}
        exec(body, names)  # noqa: S102
        for steps in (1, 2, 50):
            for step in range(steps):
                assert learning_rate(schedule, 0.05, step, steps) == names["learning_rate"](step, steps)


def test_first_values_leave_accelerators_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No generator is seeded but that of the CPU, which is put back: torch.manual_seed seeds those of all devices."""
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    before = torch.random.get_rng_state()
    initial_values(lambda: nn.Linear(3, 2), lambda: nn.Linear(3, 2))
    assert seeded == []
    assert torch.equal(before, torch.random.get_rng_state())


def test_first_values_of_plain_parameters_are_kept() -> None:
    """What the source begins with zeros and the space did not is drawn again by its mean and deviation; no more."""

    class Blank(Pictures):
        def __init__(self) -> None:
            super().__init__()
            self.place = nn.Parameter(torch.zeros(8, 1, 1))

    found = initial_values(Pictures, Blank)
    assert ["place"] == list(found)
    assert found["place"][1] == pytest.approx(0.1, rel=0.6)
    assert {} == initial_values(Pictures, Pictures)
    assert f'"place": {found["place"]!r},' in train_script(Training({"epochs": 1}, found))


def test_pickled_weights_of_a_program_are_not_opened(
    images: tuple[Path, dict[str, Any], np.ndarray], tmp_path: Path
) -> None:
    """torch would unpickle what an archive calls a pickle, whatever its hash is."""
    folder = export.to(images[0], "torch", tmp_path / "out")
    path = folder / "model.pt2"
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, re.sub(rb'"use_pickle": ?false', b'"use_pickle": true', content))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["model.pt2"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    np.save(tmp_path / "x.npy", images[2])
    assert (2, "", "error: model.pt2 holds pickled objects, which can run foreign code\n") == alone(
        folder / "predict.py", tmp_path / "x.npy"
    )
