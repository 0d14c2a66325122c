"""Data are checked when made, saved and mapped without pickle, and travel as a path."""

import pickle

import numpy as np
import pytest

from netwright.errors import DataError
from netwright.training import Data


def images(count=12):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(count, 1, 4, 4)).astype(np.float32)
    return Data(X, np.arange(count) % 3, ("a", "b", "c"))


def test_a_classification_knows_its_shape():
    """Three classes: three outputs, and inputs without the batch."""
    data = images()
    assert ("classification", (1, 4, 4), 3, 12) == (data.task, data.input_shape, data.outputs, len(data))


@pytest.mark.parametrize(("shape", "outputs"), [((5,), 1), ((5, 2), 2)])
def test_a_regression_has_an_output_a_column(shape, outputs):
    """Without classes it is a regression, of one or several columns."""
    data = Data(np.ones((5, 3), np.float32), np.ones(shape, np.float32))
    assert ("regression", outputs) == (data.task, data.outputs)


def test_saved_data_come_back_mapped(tmp_path):
    """Values, classes and fingerprint survive; the arrays are memory maps that cannot be written to."""
    data = images()
    back = data.save(tmp_path)
    assert np.array_equal(data.X, back.X)
    assert np.array_equal(data.y, back.y)
    assert (data.classes, data.fingerprint) == (back.classes, back.fingerprint)
    assert isinstance(back.X, np.memmap)
    assert not back.X.flags.writeable


def test_saved_data_travel_as_a_path(tmp_path):
    """Pickled they are a few hundred bytes whatever their size, and open the same files."""
    data = images(5000).save(tmp_path)
    text = pickle.dumps(data)
    assert len(text) < 500
    assert data.fingerprint == pickle.loads(text).fingerprint  # noqa: S301
    assert isinstance(pickle.loads(text).X, np.memmap)  # noqa: S301


def test_data_in_memory_travel_whole():
    """Without a folder the arrays themselves are pickled."""
    data = images()
    back = pickle.loads(pickle.dumps(data))  # noqa: S301
    assert np.array_equal(data.X, back.X)


def test_the_fingerprint_is_of_the_values():
    """Equal values have equal fingerprints; one changed pixel, label or class name changes it."""
    data = images()
    X = data.X.copy()
    X[3, 0, 1, 1] += 1e-6
    y = data.y.copy()
    y[0] = 2
    others = [Data(X, data.y, data.classes), Data(data.X, y, data.classes), Data(data.X, data.y, ("a", "b", "d"))]
    assert images().fingerprint == data.fingerprint
    assert 4 == len({data.fingerprint, *(other.fingerprint for other in others)})


def test_a_changed_file_is_noticed_when_asked(tmp_path):
    """``verify`` reads all values and refuses those that were not saved there."""
    images().save(tmp_path)
    content = bytearray((tmp_path / "X.npy").read_bytes())
    content[-1] ^= 1
    (tmp_path / "X.npy").write_bytes(content)
    with pytest.raises(DataError, match="fingerprint differs"):
        Data.load(tmp_path, verify=True)


@pytest.mark.parametrize("size", [0, 3, 100, 200])
def test_a_truncated_file_is_refused(tmp_path, size):
    """However short the file is, the error names it."""
    images().save(tmp_path)
    content = (tmp_path / "X.npy").read_bytes()
    (tmp_path / "X.npy").write_bytes(content[:size])
    with pytest.raises(DataError, match=r"X\.npy cannot be read"):
        Data.load(tmp_path)


def test_objects_are_never_unpickled(tmp_path):
    """An array of objects in place of the inputs is refused unread."""
    images().save(tmp_path)
    np.save(tmp_path / "X.npy", np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match=r"X\.npy cannot be read"):
        Data.load(tmp_path)


def test_a_folder_without_data_says_so(tmp_path):
    """The error names the folder and how such a folder is made."""
    with pytest.raises(DataError, match=r"holds no saved data.*Data\.save"):
        Data.load(tmp_path)


def test_a_study_without_its_data_says_so(tmp_path):
    """Below a study nobody is told to save data: they are gone."""
    (tmp_path / "study.db").touch()
    with pytest.raises(DataError, match="The data of this study are gone: start a new search"):
        Data.load(tmp_path / "data")


@pytest.mark.parametrize(
    ("X", "y", "classes", "message"),
    [
        (np.ones((3, 2)), np.zeros(3, np.int64), ("a",), "X is a float32 array .* found float64"),
        (np.ones(3, np.float32), np.zeros(3, np.int64), ("a",), "two dimensions or more"),
        (np.ones((3, 2), np.float32), np.zeros(3, np.int32), ("a",), "y is a int64 array .* found int32"),
        (np.ones((3, 2), np.float32), np.zeros(3, np.int64), None, "y is a float32 array .* without classes"),
        (np.ones((3, 2), np.float32), np.zeros(4, np.int64), ("a",), "3 inputs and 4 targets"),
        (np.ones((0, 2), np.float32), np.zeros(0, np.int64), ("a",), "X holds values"),
        (np.full((3, 2), np.nan, np.float32), np.zeros(3, np.int64), ("a",), "NaN or infinity in 6 values"),
        (np.ones((2, 2), np.float32), np.array([1, np.inf], np.float32), None, "y is finite"),
        (np.ones((2, 2), np.float32), np.array([0, 2]), ("a", "b"), "between 0 and 1 .* found 0 to 2"),
        (np.ones((2, 2), np.float32), np.array([-1, 1]), ("a", "b"), "found -1 to 1"),
    ],
)
def test_data_that_do_not_fit_are_refused(X, y, classes, message):
    """Types, shapes, lengths, classes and finiteness are checked, in words."""
    with pytest.raises(DataError, match=message):
        Data(X, y, classes)


def test_a_subset_is_in_memory(tmp_path):
    """A subset of mapped data holds the asked examples and knows no folder."""
    part = images().save(tmp_path).subset(np.array([2, 5]))
    assert np.array_equal(images().X[[2, 5]], part.X)
    assert part.folder is None
