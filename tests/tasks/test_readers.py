"""Data sets from names, files, folders and arrays."""

from __future__ import annotations

import gzip
import json
import pickle
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from netwright.errors import DataError, InputError
from netwright.tasks.preprocessing import answers, apply, fit_preprocessing, predictions
from netwright.tasks.readers import from_arrays, parse_task, read, read_new


@pytest.fixture
def table() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(3.0, 2.0, (40, 3)), np.arange(40) % 4


def save_idx(path: Path, array: np.ndarray) -> Path:
    kind = {"uint8": 8, "float32": 13}[str(array.dtype)]
    body = struct.pack(">BBBB", 0, 0, kind, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    body += array.astype(array.dtype.newbyteorder(">")).tobytes()
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(body))
    else:
        path.write_bytes(body)
    return path


def save_images(folder: Path, counts: dict[str, int], size: tuple[int, int] = (6, 4), mode: str = "RGB") -> Path:
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for index in range(count):
            shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
            Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(folder / name / f"{index}.png")
    return folder


# ---- what is read


def test_digits() -> None:
    """The bundled digits are gray images whose mirror images are no digits."""
    loaded = read("digits")
    assert (
        loaded.data.X.shape,
        loaded.kind,
        loaded.task,
        loaded.flip,
    ) == ((1797, 1, 8, 8), "images", "classification", False)
    assert tuple("0123456789") == loaded.data.classes


def test_digits_are_those_of_scikit_learn() -> None:
    """A network for the bundled digits takes scikit-learn's own arrays: pixels from 0 to 16."""
    X = load_digits().images
    loaded = read("digits")
    np.testing.assert_array_equal(np.asarray(loaded.raw.X)[:, 0], X)
    np.testing.assert_array_equal(loaded.data.X, apply(loaded.preprocessing, X))


@pytest.mark.parametrize(
    ("name", "goal", "features"),
    [
        ("iris", "classification", 4),
        ("wine", "classification", 13),
        ("breast-cancer", "classification", 30),
        ("diabetes", "regression", 10),
    ],
)
def test_bundled_tables(name: str, goal: str, features: int) -> None:
    """scikit-learn's bundled tables are read by name."""
    loaded = read(name)
    assert ("tables", goal, features) == (loaded.kind, loaded.task, loaded.data.X.shape[1])


def test_fashion_mnist_is_looked_for_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$NETWRIGHT_DATA/fashion-mnist comes first; clothes may be mirrored."""
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    X = np.arange(20 * 9, dtype=np.uint8).reshape(20, 3, 3)
    y = (np.arange(20) % 2).astype(np.uint8)
    for part in ("train", "t10k"):
        save_idx(folder / f"{part}-images-idx3-ubyte.gz", X)
        save_idx(folder / f"{part}-labels-idx1-ubyte.gz", y)
    monkeypatch.setenv("NETWRIGHT_DATA", str(tmp_path))
    loaded = read("fashion-mnist")
    assert (len(loaded.raw), loaded.flip, loaded.name) == (20, True, "fashion-mnist")
    assert loaded.test is not None


def test_npz_with_its_own_test_part(tmp_path: Path, table: tuple[np.ndarray, np.ndarray]) -> None:
    """X_test and y_test of an archive become the test part, scaled by the constants of the rest."""
    X, y = table
    np.savez(tmp_path / "a.npz", X=X, y=y, X_test=X[:8] + 1, y_test=y[:8])
    loaded = read(tmp_path / "a.npz")
    assert loaded.test is not None
    np.testing.assert_allclose(loaded.test.X, (X[:8] + 1 - X.mean(0)) / X.std(0), rtol=1e-5)


@pytest.mark.parametrize(
    "names", [("X_train", "y_train", "X_test"), ("x_train", "y_train", "x_test"), ("x", "y", "x_test")]
)
def test_other_names_in_an_npz(tmp_path: Path, table: tuple[np.ndarray, np.ndarray], names: tuple[str, ...]) -> None:
    """As Keras, scikit-learn's examples and archives of time series call them."""
    X, y = table
    np.savez(tmp_path / "a.npz", **{names[0]: X[:30], names[1]: y[:30], names[2]: X[30:], "y_test": y[30:]})
    loaded = read(tmp_path / "a.npz")
    assert loaded.test is not None
    assert (len(loaded.data), len(loaded.test)) == (30, len(X) - 30)
    assert np.array_equal(read_new(tmp_path / "a.npz", loaded.preprocessing), loaded.test.X)


def test_packed_csv(tmp_path: Path) -> None:
    """A file that gzip has packed is the same table; one that is cut off says so."""
    lines = "a;b;y\n" + "".join(f"{row};{row % 3};{'no' if row % 2 else 'yes'}\n" for row in range(40))
    (tmp_path / "a.csv").write_text(lines)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(lines.encode()))
    plain, packed = (read(tmp_path / name, target="y") for name in ("a.csv", "b.csv.gz"))
    assert np.array_equal(plain.data.X, packed.data.X)
    assert np.array_equal(plain.data.y, packed.data.y)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(lines.encode())[:-20])
    (tmp_path / "not.csv.gz").write_text(lines)
    for name in ("cut.csv.gz", "not.csv.gz"):
        with pytest.raises(DataError, match=f"{name} is damaged or cut off"):
            read(tmp_path / name, target="y")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_file_with_labels_beside_it(tmp_path: Path, suffix: str) -> None:
    """The labels of a file of images are found by its name."""
    X = np.random.default_rng(0).integers(0, 256, (12, 5, 4), dtype=np.uint8)
    path = save_idx(tmp_path / f"my-images-idx3-ubyte{suffix}", X)
    save_idx(tmp_path / f"my-labels-idx1-ubyte{suffix}", (np.arange(12) % 3).astype(np.uint8))
    loaded = read(path)
    assert np.array_equal(X[:, None], loaded.raw.X)
    assert loaded.raw.y.tolist() == [0, 1, 2] * 4


def test_folder_of_images(tmp_path: Path) -> None:
    """Sub-folders are classes, hidden files are passed over, colour images may be mirrored."""
    folder = save_images(tmp_path / "pets", {"dog": 5, "cat": 4})
    (folder / ".hidden").mkdir()
    (folder / "dog" / ".DS_Store").write_bytes(b"x")
    loaded = read(folder)
    assert (loaded.data.X.shape, loaded.data.classes, loaded.flip) == ((9, 3, 4, 6), ("cat", "dog"), True)
    assert loaded.raw.y.tolist() == [0] * 4 + [1] * 5


def test_folder_with_train_and_test(tmp_path: Path) -> None:
    """A folder of ``train`` and ``test`` brings its own test part."""
    save_images(tmp_path / "train", {"a": 5, "b": 5}, mode="L")
    save_images(tmp_path / "test", {"a": 2, "b": 1}, mode="L")
    loaded = read(tmp_path)
    assert loaded.test is not None
    assert (loaded.data.X.shape, loaded.test.X.shape) == ((10, 1, 4, 6), (3, 1, 4, 6))


@pytest.mark.parametrize(("name", "task"), [("a.wav", "audio"), ("a.txt", "text")])
def test_a_folder_of_other_things(tmp_path: Path, name: str, task: str) -> None:
    """What reads it is named; of new files nothing is left out, so that is not offered."""
    folder = save_images(tmp_path / "pets", {"dog": 5, "cat": 4})
    loaded = read(folder)
    (folder / "cat" / name).write_bytes(b"what is no image")
    with pytest.raises(DataError, match=f"{name} is no image") as found:
        read(folder)
    assert f"--task {task}" in (found.value.hint or "")
    with pytest.raises(DataError, match=f"{name} is no image") as new:
        read_new(folder, loaded.preprocessing)
    assert "--skip-bad" not in (new.value.hint or "")


def test_turned_photographs_stand_upright(tmp_path: Path) -> None:
    """The orientation that a camera notes is obeyed."""
    from PIL import Image

    save_images(tmp_path / "d", {"a": 4, "b": 4}, size=(6, 4))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (4, 6)).save(tmp_path / "d" / "a" / "turned.jpg", exif=exif)
    assert read(tmp_path / "d").data.X.shape == (9, 3, 4, 6)


CSV = "age,colour,height,kind\n" + "".join(
    f"{20 + i},{['red', 'blue'][i % 2]},{'' if i == 3 else 1.5 + i / 10},{['x', 'y', 'z'][i % 3]}\n" for i in range(12)
)


def test_csv(tmp_path: Path) -> None:
    """Numbers are scaled, holes filled and flagged, categories one-hot, the target apart."""
    (tmp_path / "t.csv").write_text(CSV)
    loaded = read(tmp_path / "t.csv", target="kind")
    X = loaded.data.X
    assert (X.shape, loaded.data.classes) == ((12, 5), ("x", "y", "z"))
    assert [X[3, 1], X[3, 2]] == [0.0, 1.0]
    assert X[:, 2].sum() == 1.0
    assert loaded.preprocessing["inputs"]["categories"][0]["values"] == ["blue", "red"]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators(tmp_path: Path, separator: str) -> None:
    """The separator is read off the header line."""
    (tmp_path / "t.csv").write_text(CSV.replace(",", separator))
    assert read(tmp_path / "t.csv", target="kind").data.X.shape[1] == 5


@pytest.mark.parametrize(
    ("values", "goal"),
    [
        (["a", "b"], "classification"),
        ([0, 1], "classification"),
        ([-1, 1], "classification"),
        ([0.0, 1.0], "classification"),
        ([True, False], "classification"),
        ([0.5, 1.0], "regression"),
        (list(range(25)), "regression"),
    ],
)
def test_the_target_of_a_table_says_the_task(values: list[Any], goal: str) -> None:
    """Few distinct strings, booleans or whole numbers are classes, the rest is to be regressed."""
    y = np.array(values * 50)[:50]
    assert goal == from_arrays(np.arange(100.0).reshape(50, 2), y).task


def test_whole_numbers_of_images_are_always_classes() -> None:
    """A hundred characters are a hundred classes."""
    assert from_arrays(np.ones((200, 4, 4)), np.arange(200) % 100).task == "classification"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((20, 8, 9), (1, 8, 9)),
        ((20, 8, 9, 3), (3, 8, 9)),
        ((20, 3, 8, 9), (3, 8, 9)),
        ((20, 1, 28, 28), (1, 28, 28)),
        ((20, 28, 28, 4), (4, 28, 28)),
        ((20, 16, 32, 32), (16, 32, 32)),
        ((20, 32, 32, 16), (16, 32, 32)),
    ],
)
def test_layouts_of_images(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Channels are found first or last."""
    X = np.random.default_rng(0).integers(0, 9, shape)
    assert expected == from_arrays(X, np.arange(20) % 2).data.input_shape


def test_rows_of_pixels_are_images_only_when_asked() -> None:
    """64 columns are a table, and 8×8 images with task="images"."""
    X, y = np.random.default_rng(0).random((20, 64)), np.arange(20) % 2
    assert [from_arrays(X, y).kind, from_arrays(X, y, task="images").kind] == ["tables", "images"]
    assert from_arrays(X[:, :48], y, task="images").data.input_shape == (3, 4, 4)


def test_images_as_a_table() -> None:
    """task="tables" flattens."""
    assert from_arrays(np.ones((20, 3, 4)), np.arange(20) % 2, task="tables").data.X.shape == (20, 12)


def test_lists_tensors_and_frames(table: tuple[np.ndarray, np.ndarray]) -> None:
    """What holds the same numbers gives the same data."""
    import pandas
    import torch

    X, y = table
    expected = from_arrays(X, y).data.X
    for given in (X.tolist(), torch.from_numpy(X), pandas.DataFrame(X), X.astype(object)):
        np.testing.assert_array_equal(expected, from_arrays(given, y).data.X)
    for given in (y.tolist(), torch.from_numpy(y), pandas.Series(y, index=range(5, 45)), y.astype(object), y[:, None]):
        assert y.tolist() == from_arrays(X, given).raw.y.tolist()


def test_labels_keep_their_own_values() -> None:
    """-1 and 7 stay -1 and 7 in what is predicted."""
    loaded = from_arrays(np.arange(40.0).reshape(20, 2), np.where(np.arange(20) % 2, 7, -1))
    outputs = np.array([[2.0, 1.0], [0.0, 3.0]])
    assert predictions(loaded.preprocessing, outputs).tolist() == [-1, 7]
    assert loaded.data.classes == ("-1", "7")


def test_strings_in_an_array_of_objects_are_categories() -> None:
    """A column of words becomes zeros and ones, a column of numbers stays numbers."""
    X = np.array([[i, "red" if i % 2 else "blue"] for i in range(10)], dtype=object)
    data = from_arrays(X, np.arange(10) % 2).data
    assert data.X[:2, 1:].tolist() == [[1.0, 0.0], [0.0, 1.0]]


# ---- constants


def test_constants_are_learned_on_the_rows_named_alone(table: tuple[np.ndarray, np.ndarray]) -> None:
    """Changing a held-out row changes no constant."""
    X, y = table
    changed = X.copy()
    changed[30:] = 1e6
    rows = np.arange(30)
    one, two = (from_arrays(given, y).learned_on(rows).preprocessing for given in (X, changed))
    assert one == two
    np.testing.assert_allclose(X[:30].mean(0), [entry["mean"] for entry in one["inputs"]["numbers"]])


def test_constants_of_categories_and_targets_do_not_leak(tmp_path: Path) -> None:
    """A value that only held-out rows have gets no column; the mean of the target is that of the rows named."""
    import pandas

    frame = pandas.DataFrame({"a": ["p", "q"] * 10 + ["new"] * 10, "b": [1.0] * 20 + [np.nan] * 10})
    loaded = from_arrays(frame, np.arange(30) + 0.5).learned_on(np.arange(20))
    assert loaded.preprocessing["inputs"]["categories"][0]["values"] == ["p", "q"]
    assert loaded.preprocessing["inputs"]["numbers"][0]["missing"] is False
    assert loaded.preprocessing["target"]["mean"] == 10.0
    assert loaded.data.X[25].tolist() == [0.0, 0.0, 0.0]


def test_image_constants_are_means_and_deviations_of_channels() -> None:
    """Each channel ends with mean 0 and deviation 1 on the rows it was learned on."""
    X = np.random.default_rng(0).integers(0, 256, (30, 5, 5, 3), dtype=np.uint8)
    loaded = from_arrays(X, np.arange(30) % 3).learned_on(np.arange(20))
    part = loaded.data.X[:20]
    np.testing.assert_allclose([0, 0, 0], part.mean((0, 2, 3)), atol=1e-6)
    np.testing.assert_allclose([1, 1, 1], part.std((0, 2, 3)), atol=1e-6)


def test_constants_survive_json(tmp_path: Path) -> None:
    """Constants written as JSON and read again give the same inputs, bit for bit."""
    (tmp_path / "t.csv").write_text(CSV)
    loaded = read(tmp_path / "t.csv", target="kind")
    again = json.loads(json.dumps(loaded.preprocessing, allow_nan=False))
    assert np.array_equal(loaded.data.X, read_new(tmp_path / "t.csv", again))


def test_a_column_that_never_changes_is_zero() -> None:
    """No division by a deviation of zero."""
    X = np.column_stack([np.full(20, 0.1), np.arange(20)])
    assert np.abs(from_arrays(X, np.arange(20) % 2).data.X[:, 0]).max() < 1e-6


def test_regression_targets_come_back_in_their_own_unit() -> None:
    """What is scaled for training is scaled back in the answer."""
    loaded = from_arrays(np.arange(40.0).reshape(20, 2), np.arange(20) * 7.5)
    scaled = loaded.data.y
    assert pytest.approx(0, abs=1e-6) == scaled.mean()
    np.testing.assert_allclose(
        np.arange(20) * 7.5, answers(loaded.preprocessing, scaled[:, None])["predictions"], atol=1e-4
    )


def test_answers_of_a_classifier() -> None:
    """Labels, classes and probabilities that sum to one."""
    loaded = from_arrays(np.arange(40.0).reshape(20, 2), np.array(["no", "yes"] * 10))
    value = answers(loaded.preprocessing, np.array([[0.0, np.log(3.0)], [1000.0, 0.0]], dtype=np.float32))
    assert (value["predictions"], value["classes"]) == (["yes", "no"], ["no", "yes"])
    np.testing.assert_allclose([[0.25, 0.75], [1.0, 0.0]], value["probabilities"], atol=1e-6)


def test_slabs_change_nothing(table: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """Going through an array a few rows at a time gives what one go gives."""
    X, y = table
    whole = from_arrays(X, y).data.X
    monkeypatch.setattr("netwright.tasks.checks.SLAB", 10)
    np.testing.assert_allclose(whole, from_arrays(X, y).data.X, rtol=1e-5)


def test_a_read_only_memory_map_is_fine(tmp_path: Path, table: tuple[np.ndarray, np.ndarray]) -> None:
    """A file mapped read-only is read, not written."""
    X, y = table
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert np.array_equal(from_arrays(X, y).data.X, from_arrays(mapped, y).data.X)


# ---- new rows


def test_new_rows_by_name_of_column(tmp_path: Path) -> None:
    """Columns may stand in another order, and there may be more of them."""
    (tmp_path / "t.csv").write_text(CSV)
    loaded = read(tmp_path / "t.csv", target="kind")
    (tmp_path / "new.csv").write_text("extra,height,colour,age\n1,1.5,red,30\n")
    assert read_new(tmp_path / "new.csv", loaded.preprocessing).shape == (1, 5)


def test_unseen_and_missing_categories_are_all_zeros(tmp_path: Path) -> None:
    """A value never seen in training breaks nothing."""
    (tmp_path / "t.csv").write_text(CSV)
    loaded = read(tmp_path / "t.csv", target="kind")
    (tmp_path / "new.csv").write_text("height,colour,age\n1.5,green,30\n1.5,,30\n")
    assert read_new(tmp_path / "new.csv", loaded.preprocessing)[:, 3:].sum() == 0.0


def test_new_images(tmp_path: Path) -> None:
    """A folder with or without sub-folders, and a single file."""
    folder = save_images(tmp_path / "pets", {"dog": 5, "cat": 4})
    loaded = read(folder)
    whole = read_new(folder, loaded.preprocessing)
    assert np.array_equal(loaded.data.X, whole)
    assert np.array_equal(whole[:4], read_new(folder / "cat", loaded.preprocessing))
    assert np.array_equal(whole[:1], read_new(folder / "cat" / "0.png", loaded.preprocessing))


def test_new_rows_of_a_source_with_a_test_part_are_that_part(tmp_path: Path, table: Any) -> None:
    """What the network has learned on is not what one wants predicted."""
    X, y = table
    np.savez(tmp_path / "a.npz", X=X, y=y, X_test=X[:8], y_test=y[:8])
    loaded = read(tmp_path / "a.npz")
    assert len(read_new(tmp_path / "a.npz", loaded.preprocessing)) == 8


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((3, 2)), "X has 2 features, but Netwright is expecting 3 features as input"),
        (np.ones(3), "Expected 2D array, got 1D array instead"),
        (np.full((2, 3), np.nan), r"Input X contains NaN: 6 of 6 values, the first at X\[0, 0\]"),
    ],
)
def test_new_rows_that_do_not_fit(table: Any, X: np.ndarray, message: str) -> None:
    """New rows are checked like old ones."""
    preprocessing = from_arrays(*table).preprocessing
    with pytest.raises(DataError, match=message):
        apply(preprocessing, X)


def test_new_images_of_another_size(tmp_path: Path) -> None:
    """The size that the network knows is named."""
    loaded = read(save_images(tmp_path / "a", {"x": 4, "y": 4}))
    other = save_images(tmp_path / "b", {"x": 1}, size=(8, 8))
    with pytest.raises(DataError, match=r"0\.png is 8×8, the network was trained on 6×4\. Resize it"):
        read_new(other, loaded.preprocessing)


def test_new_table_for_a_network_of_images() -> None:
    """The wrong kind of data is named."""
    with pytest.raises(DataError, match="iris holds a table, the network was trained on images"):
        read_new("iris", read("digits").preprocessing)


# ---- what is refused: arrays


def bad(change: Any) -> tuple[np.ndarray, np.ndarray]:
    X, y = np.random.default_rng(0).random((20, 3)), np.arange(20) % 2
    changed = change(X, y)
    return changed


def with_value(value: float) -> Any:
    def change(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        X[4, 1] = X[7, 0] = value
        return X, y

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_value(np.nan), r"Input X contains NaN: 2 of 60 values, the first at X\[4, 1\]\. Fill in"),
        (with_value(np.inf), r"Input X contains infinity .*: 2 of 60 values, the first at X\[4, 1\]"),
        (with_value(1e300), r"2 values too large for float32, the first at X\[4, 1\]"),
        (lambda X, y: (X[:0], y[:0]), r"X has 0 sample\(s\) \(shape=\(0, 3\)\) while a minimum of 8 is required"),
        (lambda X, y: (X[:1], y[:1]), r"1 sample"),
        (lambda X, y: (X[:, :0], y), r"0 feature\(s\) \(shape=\(20, 0\)\) while a minimum of 1 is required\."),
        (lambda X, y: (X[:, 0], y), r"Expected 2D array, got 1D array instead.*reshape\(-1, 1\)"),
        (lambda X, y: (X[None, None, None], y), "X has 5 dimensions"),
        (lambda X, y: (X + 1j, y), "Complex data not supported"),
        (lambda X, y: (X.astype("datetime64[s]"), y), r"X has dtype datetime64"),
        (lambda X, y: ([[1, 2], [3]] * 10, y), "the rows of X have different lengths"),
        (lambda X, y: (np.ma.masked_less(X, 0.5), y), "masked array"),
        (lambda X, y: (X, y[:19]), "X has 20 rows and y has 19 values"),
        (lambda X, y: (X, y * 0), "y has one class, 0, in all 20 rows"),
        (lambda X, y: (X, np.where(y, np.nan, 1.0)), r"Input y contains NaN: 10 of 20 values, the first at y\[1\]"),
        (lambda X, y: (X, np.where(y, np.inf, 1.0)), r"Input y contains infinity or a value too large for"),
        (lambda X, y: (X, [None, *y[1:]]), r"1 of 20 targets are missing, the first at y\[0\]"),
        (lambda X, y: (X, ["a", *y[1:].tolist()]), r"y mixes strings and numbers; y\[0\] is 'a'"),
        (lambda X, y: (X, np.array(["a", 1] * 10, dtype=object)), "Unknown label type: y mixes strings and numbers"),
        (lambda X, y: (X, np.array([{}] * 20)), "Unknown label type: y holds a dict"),
        (lambda X, y: (X, np.eye(20)), "y has 20 columns, one target is predicted"),
        (lambda X, y: (X, None), "requires y to be passed, but the target y is None"),
        (lambda X, y: (X, np.append(y[:19], 2)), "class 2 has a single member, which cannot be in both"),
        (lambda X, y: (X, np.append(y[:18], [2, 3])), r"2 classes \(2, 3\) have a single member"),
        (lambda X, y: (X, np.arange(20.0) * 0 + 0.5), "y has the same value, 0.5, in all 20 rows"),
    ],
)
def test_bad_arrays(change: Any, message: str) -> None:
    """Each is refused in one line that says what is wrong and where."""
    with pytest.raises(DataError, match=message) as caught:
        from_arrays(*bad(change))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 200


def test_a_thing_that_is_no_number() -> None:
    """It is a TypeError too, as scikit-learn has it."""
    X, y = bad(lambda X, y: (X.astype(object), y))
    X[0, 0] = {"foo": "bar"}
    with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
        from_arrays(X, y)


def test_sparse_matrices_are_refused(table: Any) -> None:
    """With what to do."""
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match=r"X is a sparse matrix, dense data is required\. Use X\.toarray\(\)"):
        from_arrays(csr_array(table[0]), table[1])


def test_float_labels_are_no_classes(table: Any) -> None:
    """0.5 in classification points to regression."""
    y = table[1] / 2
    with pytest.raises(
        DataError, match=r"Unknown label type: continuous: y\[1\] is 0\.5.*To predict numbers: --task regr"
    ):
        from_arrays(table[0], y, task="classification")


WORDS = [f"{'good' if row % 2 else 'bad'} thing {row}" for row in range(40)]


@pytest.mark.parametrize(
    ("task", "values"),
    [
        ("auto", [f"{row % 10}" for row in range(39)] + ["77"]),
        ("classification", [row / 7 for row in range(40)]),
        ("classification", list(range(40))),
        ("classification", [f"{row},5" for row in range(40)]),
        ("regression", ["yes", "no"] * 20),
        ("text", list(range(19)) * 2 + [7, 55]),
        ("text-classification", [row / 7 for row in range(40)]),
        ("text-regression", ["yes", "no"] * 20),
    ],
)
def test_the_task_of_a_hint_works(tmp_path: Path, task: str, values: list[Any]) -> None:
    """Whoever does what a message says is not told to go back."""
    lines = [f"{text};{row};{value}\n" for row, (text, value) in enumerate(zip(WORDS, values, strict=True))]
    (tmp_path / "t.csv").write_text("text;x;y\n" + "".join(lines))
    with pytest.raises(DataError) as caught:
        read(tmp_path / "t.csv", target="y", task=task)
    said = re.search(r"To predict \w+: --task (\S+) \(in Python (\w+)\)", str(caught.value))
    assert said is not None
    loaded = read(tmp_path / "t.csv", target="y", task=said[1])
    assert ("text" if "text" in task else "tables") == loaded.kind
    assert said[1].endswith(loaded.task)
    assert {"Tabular": "tables", "Text": "text"}[re.sub("Classifier|Regressor", "", said[2])] == loaded.kind


@pytest.mark.parametrize(
    ("task", "values", "hint"),
    [
        ("regression", [f"{row} kg of it" for row in range(40)], "Choose a target of numbers, or of classes that"),
        ("regression", [f"${row}" for row in range(40)], r"Write numbers plainly, as 1234\.5"),
        ("auto", [f"${row}" for row in range(40)], r"Write numbers plainly, as 1234\.5"),
        ("auto", [f"row {row}" for row in range(40)], r"Is it the right target\?$"),
    ],
)
def test_what_is_neither_a_number_nor_a_class(task: str, values: list[str], hint: str) -> None:
    """There is no hint at what would be refused, too."""
    with pytest.raises(DataError) as caught:
        from_arrays(np.ones((40, 2)), values, task=task)
    assert re.search(hint, str(caught.value))
    assert "--task" not in str(caught.value)


def test_a_target_with_decimal_commas(table: tuple[np.ndarray, np.ndarray]) -> None:
    """Numbers, with a note; classes where these are asked for; a question mark among numbers is refused by its row."""
    X = np.random.default_rng(0).normal(size=(20, 2))
    y = ["1,5", "2"] * 10
    loaded = from_arrays(X, y, X_test=X[:2], y_test=["3,5", "1"])
    assert ([1.5, 2.0], [3.5, 1.0]) == (loaded.raw.y[:2].tolist(), loaded.raw_test and loaded.raw_test.y.tolist())
    assert ("y is read as numbers with decimal commas ('1,5')",) == loaded.notes
    assert ["1,5", "2"] == list(from_arrays(X, y, task="classification").labels)
    with pytest.raises(DataError, match=r"y has '\?' in 1 of 20 rows, numbers in the others; the first is row 20\. Le"):
        from_arrays(X, [*y[:-1], "?"])
    assert ["1", "?"] == list(from_arrays(X, ["1", "?"] * 10, task="classification").labels)


def test_words_cannot_be_regressed(table: Any) -> None:
    """Words in regression point to classification."""
    with pytest.raises(DataError, match=r"regression predicts numbers, y holds 'a'\. To predict classes: --task class"):
        from_arrays(table[0], ["a", "b"] * 20, task="regression")


def test_a_class_only_in_the_test_part(table: Any) -> None:
    """It cannot be predicted; its row and count are named."""
    X, y = table
    with pytest.raises(DataError, match=r"y_test\[2\] is 9, a class that the training part has not \(1 of 4 rows\)"):
        from_arrays(X, y, X_test=X[:4], y_test=[0, 1, 9, 2])


def test_a_test_part_that_does_not_fit(table: Any) -> None:
    """Another number of features, no labels, or no rows."""
    X, y = table
    expected = (
        "X_test (eval_set of an estimator) of shape (4, 2) does not fit X of shape (40, 3): missing is 'column 2'"
    )
    with pytest.raises(DataError, match=re.escape(expected)):
        from_arrays(X, y, X_test=X[:4, :2], y_test=y[:4])
    with pytest.raises(DataError, match="y_test is missing beside X_test"):
        from_arrays(X, y, X_test=X[:4])
    with pytest.raises(DataError, match="X_test has 4 rows and y_test has 3 values"):
        from_arrays(X, y, X_test=X[:4], y_test=y[:3])


def test_more_than_the_memory_is_refused_unread(table: Any) -> None:
    """A hundred terabytes announced by their shape are never touched."""
    X = np.broadcast_to(np.float32(0), (10**7, 1000, 1000))
    with pytest.raises(DataError, match=r"needs 40000\.0 GB of memory as float32"):
        from_arrays(X, np.zeros(10**1))


def test_channels_that_cannot_be_told() -> None:
    """An ambiguous shape is asked about, not guessed."""
    with pytest.raises(DataError, match=r"which dimension of X with shape .* holds the channels"):
        from_arrays(np.ones((20, 5, 6, 7)), np.arange(20) % 2)


def test_rows_that_are_no_square_image() -> None:
    """task="images" needs squares."""
    with pytest.raises(DataError, match="rows of 7 numbers, which are no square image"):
        from_arrays(np.ones((20, 7)), np.arange(20) % 2, task="images")


def test_unknown_task() -> None:
    """The nearest one is named."""
    with pytest.raises(InputError, match=r"unknown task 'image'\. Did you mean 'images'\?"):
        parse_task("image")


# ---- what is refused: files


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "no data named"),
        ("digit", r"no such file or folder, and no bundled data set: digit\. Did you mean 'digits'\?"),
        ("no-such-data", r"no such file or folder, and no bundled data set: no-such-data\. Give one of digits"),
        ("no/such.csv", r"no such file or folder: no/such\.csv\. Give the path of one that is there"),
        ("a\0b", "no such file or folder"),
        ("n" * 300, "cannot read n+: File name too long"),
    ],
)
def test_no_such_source(source: str, message: str) -> None:
    """A name that is nothing."""
    with pytest.raises(InputError, match=message):
        read(source)


def test_fashion_mnist_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How to get it is said."""
    monkeypatch.setattr(Path, "is_dir", lambda self: False)
    with pytest.raises(InputError, match="Install Debian's package dataset-fashion-mnist"):
        read("fashion-mnist")


@pytest.mark.parametrize("name", ["empty.csv", "empty.npz", "train-images-idx3-ubyte"])
def test_empty_files(tmp_path: Path, name: str) -> None:
    """An empty file is called empty."""
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match=rf"{name} is empty"):
        read(tmp_path / name, target="y" if name.endswith("csv") else None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.xyz", r"unknown format \(\.xyz\)\. Supported: \.csv, \.tsv, \.parquet \(or \.csv\.gz\), \.npz, IDX files"),
        ("a", r"unknown format \(no extension\)"),
        ("a.npy", "it has no labels"),
        ("a.pkl", "pickles can run foreign code and are never opened"),
        ("a.pt", "never opened"),
        ("a.joblib", "never opened"),
    ],
)
def test_unsupported_files(tmp_path: Path, name: str, message: str) -> None:
    """What is supported is listed."""
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=message):
        read(tmp_path / name)


class Bomb:
    """Pickled, it writes a marker when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))


@pytest.mark.parametrize("how", ["object array", "bare pickle"])
def test_nothing_is_unpickled(tmp_path: Path, how: str) -> None:
    """A pickle inside an archive, or under its name, is refused unread."""
    marker, path = tmp_path / "marker", tmp_path / "a.npz"
    bomb = Bomb(marker)
    if how == "object array":
        np.savez(path, X=np.array([bomb] * 20, dtype=object), y=np.arange(20) % 2)
    else:
        path.write_bytes(pickle.dumps(bomb))
    with pytest.raises(DataError, match="pickled objects, which can run foreign code and are never read"):
        read(path)
    assert not marker.exists()


def test_npz_without_labels(tmp_path: Path, table: Any) -> None:
    """The arrays that are there are listed."""
    np.savez(tmp_path / "a.npz", X=table[0], labels=table[1])
    with pytest.raises(DataError, match=r"has no array 'y' \(it has X, labels\)"):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_truncated_npz(tmp_path: Path, table: Any, part: float) -> None:
    """Wherever it is cut, one line says so."""
    path = tmp_path / "a.npz"
    np.savez_compressed(path, X=table[0], y=table[1])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(DataError, match=r"a\.npz is damaged or cut off"):
        read(path)


def test_a_flipped_byte_in_an_npz(tmp_path: Path, table: Any) -> None:
    """The archive's own checksum is heeded."""
    path = tmp_path / "a.npz"
    np.savez(path, X=table[0], y=table[1])
    whole = bytearray(path.read_bytes())
    whole[400] ^= 1
    path.write_bytes(bytes(whole))
    with pytest.raises(DataError, match=r"array 'X' of .*a\.npz is damaged or cut off"):
        read(path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\0\0", "cut off in its header"),
        (b"\0\0\x08\x03\0\0\0\x10", "cut off in its header"),
        (b"PK\x03\x04 something", "is no IDX file: it begins with 50 4b 03 04"),
        (struct.pack(">BBBBIII", 0, 0, 8, 3, 10, 4, 4) + b"x" * 100, r"announces \(10, 4, 4\) = 160 bytes, found 100"),
        (struct.pack(">BBBBIII", 0, 0, 8, 3, 1, 4, 4) + b"x" * 100, r"is longer than the \(1, 4, 4\)"),
        (struct.pack(">BBBBIII", 0, 0, 8, 3, *[2**32 - 1] * 3), "of memory as float32"),
    ],
)
def test_bad_idx_files(tmp_path: Path, body: bytes, message: str) -> None:
    """Cut off, too long, of another format, or larger than any memory."""
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(body)
    save_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(10, np.uint8))
    with pytest.raises(DataError, match=message):
        read(path)


@pytest.mark.parametrize("cut", [5, 20, 60])
def test_truncated_gzip(tmp_path: Path, cut: int) -> None:
    """A gzip file that ends early."""
    X = np.random.default_rng(0).integers(0, 256, (12, 5, 4), dtype=np.uint8)
    path = save_idx(tmp_path / "train-images-idx3-ubyte.gz", X)
    path.write_bytes(path.read_bytes()[:cut])
    save_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.zeros(12, np.uint8))
    with pytest.raises(DataError, match=r"cut off or damaged|no gzip|not a gzip"):
        read(tmp_path)


def test_idx_without_labels(tmp_path: Path) -> None:
    """The file that is missed is named."""
    save_idx(tmp_path / "train-images-idx3-ubyte", np.zeros((12, 2, 2), np.uint8))
    with pytest.raises(DataError, match=r"has no labels beside it\. Expected .*train-labels-idx1-ubyte"):
        read(tmp_path)


def test_idx_labels_of_the_wrong_length(tmp_path: Path) -> None:
    """Both files and both counts are named."""
    save_idx(tmp_path / "train-images-idx3-ubyte", np.zeros((12, 2, 2), np.uint8))
    save_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(11, np.uint8))
    with pytest.raises(DataError, match=r"train-images\S+ has 12 rows and \S+train-labels\S+ has 11 values"):
        read(tmp_path)


def test_a_folder_without_sub_folders(tmp_path: Path) -> None:
    """What a folder should hold is said."""
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match="has no sub-folders, expected one sub-folder of images a class"):
        read(tmp_path)


def test_images_of_different_sizes(tmp_path: Path) -> None:
    """Two examples are named with their sizes."""
    from PIL import Image

    folder = save_images(tmp_path / "d", {"a": 4, "b": 4})
    Image.new("RGB", (7, 4)).save(folder / "b" / "9.png")
    with pytest.raises(DataError, match=r"different sizes: \S+a/0\.png is 6×4, \S+b/9\.png is 7×4\. Resize"):
        read(folder)


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("notes.txt", b"hello", r"notes\.txt is no image"),
        ("zero.png", b"", r"zero\.png is empty"),
    ],
)
def test_a_file_that_is_no_image(tmp_path: Path, name: str, body: bytes, message: str) -> None:
    """It is named."""
    folder = save_images(tmp_path / "d", {"a": 4, "b": 4})
    (folder / "b" / name).write_bytes(body)
    with pytest.raises(DataError, match=message):
        read(folder)


def test_a_truncated_image(tmp_path: Path) -> None:
    """An image whose header is whole and whose body is cut."""
    folder = save_images(tmp_path / "d", {"a": 4, "b": 4}, size=(40, 40))
    path = folder / "a" / "2.png"
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(DataError, match=r"a/2\.png is damaged or cut off"):
        read(folder)


def test_what_is_no_image_is_left_out_when_asked(tmp_path: Path) -> None:
    """Each is named with its reason, and the rest goes on; without being asked nothing does."""
    folder = save_images(tmp_path / "images", {"a": 6, "b": 6})
    (folder / "a" / "notes.txt").write_bytes(b"hello")
    whole = (folder / "b" / "1.png").read_bytes()
    (folder / "b" / "1.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"notes\.txt is no image"):
        read(folder)
    loaded = read(folder, options={"skip_bad": True})
    assert 11 == len(loaded.raw)
    assert 2 == len(loaded.notes)
    assert "notes.txt is no image" in loaded.notes[0]
    assert "1.png is damaged or cut off" in loaded.notes[1]
    with pytest.raises(InputError, match="the option 'skip_bad' is not one of tables"):
        read("iris", task="tables", options={"skip_bad": True})


def test_a_folder_with_one_class(tmp_path: Path) -> None:
    """What was found is said, and how it is to look, of a folder of training, too."""
    folder = save_images(tmp_path / "images", {"a": 3})
    with pytest.raises(DataError, match=r"images has one sub-folder, a; .*as in images/cat/1\.png and images/dog"):
        read(folder)
    both = tmp_path / "both"
    save_images(both / "train", {"a": 3})
    save_images(both / "test", {"a": 3})
    with pytest.raises(DataError, match="train has one sub-folder, a;"):
        read(both)


def test_a_folder_around_that_of_the_classes(tmp_path: Path) -> None:
    """As an archive makes it: what to give is said."""
    save_images(tmp_path / "images" / "train", {"a": 3, "b": 3})
    with pytest.raises(DataError, match=r"one sub-folder, train; .* Give \S*images.train, which has the classes"):
        read(tmp_path / "images")


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("text", {"tokns": "bpe"}, r"'tokns' is not one of text\. Did you mean 'tokens'"),
        ("text", {"na": "class", "season": 7}, r"'season' is not one of text\. Known: na, tokens"),
        ("audio", {"season": 7}, r"'season' is not one of audio\. Known: rate"),
        ("tables", {"season": 7}, r"'season' is not one of tables\. Known: na"),
    ],
)
def test_an_option_that_is_none_names_those_that_are(
    task: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """The nearest one, or all of that kind of data."""
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=message):
        read(tmp_path / "rows.csv", task=task, options=options)


def test_an_empty_class_folder_and_a_nested_one(tmp_path: Path) -> None:
    """Both are named."""
    folder = save_images(tmp_path / "d", {"a": 4, "b": 4})
    (folder / "c").mkdir()
    with pytest.raises(DataError, match=r"the class folder \S+/c holds no images"):
        read(folder)
    (folder / "c" / "inner").mkdir()
    with pytest.raises(DataError, match=r"c/inner is a folder inside a class folder"):
        read(folder)


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        (CSV, None, r"which column of \S+ is to be predicted\? It has 4 columns: age, .* Name it: --target kind"),
        (CSV, "kinds", r"has no column 'kinds'\. Did you mean 'kind'\?"),
        (CSV, "price", r"has no column 'price'\. It has 4 columns: age, colour, height, kind"),
        ("a,b,a\n1,2,3\n", "b", "has 2 columns named 'a'"),
        ("a,b\n", "b", "has a header line and no rows"),
        ("\n\n", "b", "is empty"),
        ("a,b\n1,2\n1,2,3\n", "b", "Expected 2 fields in line 3, saw 3"),
        ("a\n" + "1\n2\n" * 10, "a", "has no column beside the target"),
        ("a,b\n1,x\n2,\n" * 5, "b", r"the target 'b' of \S+ is missing in 5 of 14 rows, the first is row 2"),
        ("a,b\n" + "1e999,x\n2,y\n" * 5, "b", "contains infinity: 5 values in column 'a', the first in row 1"),
        ("a,b\n" + "2,y\n-1e300,x\n" * 5, "b", "too large for float32: 5 values in column 'a', the first in row 2"),
        ("a,b\n" + "".join(f"w{i},{i % 2}\n" for i in range(10)), "b", "no column of the table tells anything"),
        ("a,b\n" + "1,x\n" * 10, "b", "the target 'b' has one class, 'x', in all 10 rows"),
        ("a,b\n1,x\n2,y\n", "b", r"t\.csv has 2 sample\(s\)"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, target: str | None, message: str) -> None:
    """Each is refused in one line that names the row or the column."""
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        fit_preprocessing(read(tmp_path / "t.csv", target=target).raw)
    assert "\n" not in str(caught.value)


def test_a_column_that_numbers_the_rows(tmp_path: Path) -> None:
    """As pandas writes it without a name: it is not offered as a target, left out of tables and series, and named."""
    import pandas

    frame = pandas.DataFrame({"x": np.arange(20) / 7, "y": [0, 1] * 10}, index=np.arange(20)[::-1])
    frame.to_csv(tmp_path / "t.csv")
    frame[["y"]].to_csv(tmp_path / "y.csv")
    with pytest.raises(DataError, match=r"It has 2 columns: x, y\. Name it: --target y"):
        read(tmp_path / "t.csv")
    with pytest.raises(DataError, match="has no column beside the target 'y'"):
        read(tmp_path / "y.csv", target="y")
    loaded = read(tmp_path / "t.csv", target="y")
    assert ("left out: 'Unnamed: 0' (numbers of rows)",) == loaded.raw.X.notes
    assert ("x",) == loaded.raw.X.names
    assert (20, 1) == read_new(tmp_path / "t.csv", loaded.preprocessing).shape
    frame.assign(x2=1.5).to_csv(tmp_path / "s.csv")
    series = read(tmp_path / "s.csv", target="y", task="series")
    assert ((20, 1, 2), 1) == (series.raw.X.shape, len(series.raw.X.notes))
    assert (20, 1, 2) == read_new(tmp_path / "s.csv", series.preprocessing).shape
    frame.set_index("x").to_csv(tmp_path / "named.csv")
    assert ("x",) == read(tmp_path / "named.csv", target="y").raw.X.names
    frame.set_index(np.arange(20) // 2).to_csv(tmp_path / "repeated.csv")
    assert ("Unnamed: 0", "x") == read(tmp_path / "repeated.csv", target="y").raw.X.names


@pytest.mark.parametrize("name", ["t.csv", "t.tsv.gz"])
def test_a_class_that_is_called_na(tmp_path: Path, name: str) -> None:
    """Of a target it is missing or a class; the message says so and how to say which."""
    text = "x,region\n" + "1,EU\n2,NA\n3,None\n" * 4
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    message = r"missing in 8 of 12 rows, the first is row 2 \(NA, None\)\. If NA is a class: --option na=class \(in"
    with pytest.raises(DataError, match=message):
        read(tmp_path / name, target="region")
    taken = read(tmp_path / name, target="region", options={"na": "class"})
    assert ["EU", "NA", "None"] == taken.raw.labels.classes.tolist()
    assert [0, 1, 2] * 4 == taken.raw.y.tolist()
    with pytest.raises(InputError, match="na says what words such as NA are in a target, missing or class, found 'x'"):
        read(tmp_path / name, target="region", options={"na": "x"})


def test_an_empty_cell_is_never_a_class(tmp_path: Path) -> None:
    """Nor is there a hint at classes where the target holds numbers."""
    (tmp_path / "t.csv").write_text("x,y\n" + "1,EU\n2,\n3,NA\n" * 4)
    with pytest.raises(DataError, match=r"missing in 4 of 12 rows, the first is row 2\. Fill in or leave out"):
        read(tmp_path / "t.csv", target="y", options={"na": "class"})
    (tmp_path / "t.csv").write_text("x,y\n" + "1,1\n2,2.5\n3,NA\n" * 4)
    with pytest.raises(DataError, match=r"the first is row 3 \(NA\)\. Fill in or leave out these"):
        read(tmp_path / "t.csv", target="y")


def test_a_csv_that_is_no_text(tmp_path: Path) -> None:
    """Another encoding is named as such."""
    (tmp_path / "t.csv").write_bytes("größe,b\n1,2\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"t\.csv is not UTF-8"):
        read(tmp_path / "t.csv", target="b")


def test_pandas_is_missed_at_its_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the sentence that installs it."""
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)
    (tmp_path / "t.csv").write_text(CSV)
    with pytest.raises(
        ImportError, match=r"Reading a CSV file needs pandas\. Install it: pip install 'netwright\[data\]'"
    ):
        read(tmp_path / "t.csv", target="kind")


def test_a_target_for_what_has_no_columns() -> None:
    """--target belongs to tables in files."""
    with pytest.raises(InputError, match="--target names a column of a CSV or Parquet file, digits is none"):
        read("digits", target="y")


def test_missing_columns_of_new_rows(tmp_path: Path) -> None:
    """The first is named and the others counted."""
    (tmp_path / "t.csv").write_text(CSV)
    loaded = read(tmp_path / "t.csv", target="kind")
    (tmp_path / "new.csv").write_text("colour\nred\n")
    with pytest.raises(DataError, match=r"new\.csv has no column 'age' and 1 more"):
        read_new(tmp_path / "new.csv", loaded.preprocessing)
    (tmp_path / "new.csv").write_text("colour,age,height\nred,old,1\n")
    with pytest.raises(DataError, match=r"column 'age' of .*new\.csv holds 'old' in row 1, expected numbers as"):
        read_new(tmp_path / "new.csv", loaded.preprocessing)


@pytest.mark.parametrize(
    ("kind", "constants", "X", "message"),
    [
        ("tables", {"numbers": [], "categories": [], "edges": []}, np.ones((2, 2)), " has 2 features"),
        ("images", {"shape": [1, 3, 3], "mean": [0.0], "std": [1.0]}, np.ones((2, 4, 4)), " has images of shape"),
        ("images", {"shape": [1, 2, 2], "mean": [0.0], "std": [1.0]}, np.full((2, 2, 2), np.nan), " contains NaN"),
        ("series", {"channels": 1, "length": 3, "mean": [0.0], "std": [1.0]}, np.ones((2, 4)), " has series of 4"),
        ("series", {"channels": 2, "length": 3}, np.ones((2, 3)), " has series of 1 channels"),
        ("audio", {"rate": 16_000}, np.ones((2, 2, 2)), r" of shape \(2, 2, 2\) holds no recordings"),
        ("tables", {"numbers": [], "categories": []}, np.ones(3), r" has shape \(3,\)"),
    ],
)
def test_messages_about_new_rows_name_their_file(
    tmp_path: Path, kind: str, constants: dict[str, Any], X: np.ndarray, message: str
) -> None:
    """Whoever gave a file knows of no X."""
    path = tmp_path / "new.npz"
    np.savez(path, X=X)
    with pytest.raises(DataError, match=f"{re.escape(str(path))}{message}"):
        read_new(path, {"format": 1, "kind": kind, "inputs": constants, "target": {}})
