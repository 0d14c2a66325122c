"""Tables of one's own: what is written is read again, and what is not sound is refused in one line."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.architecture import Architecture
from netwright.errors import InputError, ResourceError
from netwright.evaluators.tables import Table, open_table


def equal(a: Table, b: Table) -> bool:
    return (
        a.choices.tolist() == b.choices.tolist()
        and list(a.columns) == list(b.columns)
        and all(np.array_equal(a.columns[k].values, b.columns[k].values, equal_nan=True) for k in a.columns)
        and (dict(a.times), dict(a.about)) == (dict(b.times), dict(b.about))
        and a.architectures() == b.architectures()
        and a.space.signature == b.space.signature
    )


def written(path: Path, **changes: Any) -> Path:
    """A plain table of two decisions, as numpy writes it; None leaves an array out."""
    arrays: dict[str, Any] = {
        "choices": np.array([[0, 0], [0, 1], [1, 0]]),
        "accuracy": np.array([0.5, 0.6, 0.7]),
        "accuracy@3": np.array([0.4, 0.5, 0.6]),
        "cost": np.array([1.0, 2.0, 3.0]),
    }
    arrays |= changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def test_save_and_open(small: Table, tmp_path: Path) -> None:
    """The same table comes back, with its name, its times and what is said about it."""
    path = small.save(tmp_path / "small.npz")
    again = open_table(path)
    assert equal(small, again)
    assert "small" == again.name


def test_a_real_space_comes_back(nasbench201: Table, tmp_path: Path) -> None:
    """A table over a space of the zoo has that space again, so that its networks can be built."""
    again = open_table(nasbench201.save(tmp_path / "copy.npz"))
    assert equal(nasbench201, again)
    assert "NASBench201" == again.space.name


def test_the_plain_form(tmp_path: Path) -> None:
    """Choices and columns are enough: decisions and options get names, `where` keeps what is there, cost is seconds."""
    table = open_table(written(tmp_path / "mine.npz"))
    assert ("mine", 3, 3) == (table.name, len(table), table.space.size)
    assert Architecture({"decision0": 1, "decision1": 0}) == table.architecture(2)
    assert {"decision0": 1, "decision1": 1} not in table.space
    assert 0.5 == table.value({"decision0": 0, "decision1": 1}, "accuracy", fidelity=3)
    assert (3, None) == table.fidelities("accuracy")
    assert 2 == table.seconds({"decision0": 0, "decision1": 1}, "accuracy", fidelity=None)


@pytest.mark.parametrize(
    "options",
    [
        np.array(json.dumps([[16, 32], ["a", "b"]])),
        np.array([["16", "32", ""], ["a", "b", ""]]),
    ],
)
def test_names_and_options(tmp_path: Path, options: Any) -> None:
    """Options are JSON, or texts padded with nothing."""
    path = written(tmp_path / "t.npz", decisions=np.array(["width", "kind"]), options=options)
    table = open_table(path)
    first = 16 if options.ndim == 0 else "16"
    assert {"width": first, "kind": "b"} == dict(table.architecture(1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": np.array(2)}, "has version 2, this Netwright reads version 1"),
        ({"version": np.array("new")}, "'version' is one whole number"),
        ({"choices": None}, r"has no array 'choices' \(it has accuracy, accuracy@3, cost\)"),
        ({"choices": np.array([[0.0, 1.0]])}, "'choices' of the table .* is N × D whole numbers, found float64"),
        ({"choices": np.array([0, 1, 2])}, "is N × D whole numbers"),
        ({"choices": np.array([[0, 0], [0, 1], [0, 0]])}, "rows 0 and 2 of the table are the same architecture"),
        ({"choices": np.array([[0, 0], [0, 1], [1, -2]])}, "found -2"),
        ({"choices": np.array([[0, 0], [0, 1], [0, 2**40]])}, "counted from 0, found 1,099,511,627,776. Number the"),
        ({"choices": np.array([[-1, 0], [0, 1], [1, -1]])}, "row 0 leaves decision0 unanswered, which this space"),
        ({"accuracy": np.array([0.5, 0.6])}, "has 3 architectures, its column 'accuracy' 2 numbers"),
        ({"accuracy": np.array([0.5, np.nan, 0.6])}, "'accuracy' has no finite number in row 1"),
        ({"accuracy@x": np.array([0.5, 0.6, 0.7])}, "the fidelity of 'accuracy@x' is a number, found 'x'"),
        ({"decisions": np.array(["a"])}, "'decisions' has 1 names, 'choices' 2 columns"),
        ({"decisions": np.array(["a", "a"])}, "the decision 'a' is there twice"),
        ({"options": np.array("[[1, 2]]")}, "'options' has 1 lists, there are 2 decisions"),
        ({"options": np.array("[[1, 2], [")}, "'options' is not JSON"),
        ({"options": np.array("[[1], [1, 2]]")}, "'decision0' has 1 option, so its choices are 0 to 0; found 1"),
        ({"about": np.array("[]")}, "'about' is a JSON object of texts"),
        ({"accuracy": None, "accuracy@3": None, "cost": None}, "has no column of numbers"),
    ],
)  # fmt: skip
def test_what_is_not_sound_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """In one line that names the file and says what is wrong with it."""
    path = written(tmp_path / "bad.npz", **changes)
    with pytest.raises(InputError, match=message) as caught:
        open_table(path)
    assert "bad.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [10, 200, 0.5, 0.99])
def test_a_truncated_file_loads_nothing(small: Table, tmp_path: Path, kept: float) -> None:
    """Wherever it was cut off."""
    data = small.save(tmp_path / "small.npz").read_bytes()
    path = tmp_path / "cut.npz"
    path.write_bytes(data[: int(kept if kept > 1 else kept * len(data))])
    with pytest.raises(InputError, match=r"cut.npz is (truncated|damaged|not an .npz file)"):
        open_table(path)


def test_a_flipped_byte_is_noticed(small: Table, tmp_path: Path) -> None:
    """By the checksums of the archive."""
    data = bytearray(small.save(tmp_path / "small.npz").read_bytes())
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        member = archive.getinfo("accuracy@9.npy")
    data[member.header_offset + 80] ^= 0xFF
    path = tmp_path / "flipped.npz"
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"flipped.npz is damaged"):
        open_table(path)


def test_an_archive_of_other_files(tmp_path: Path) -> None:
    """What is called an array and is none is named."""
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("choices.npy", "no array")
    with pytest.raises(InputError, match=r"bad.npz holds 'choices', which is no array. Save it by numpy.savez"):
        open_table(tmp_path / "bad.npz")


def test_a_file_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that begins with ./ is that of a file, whatever its ending."""
    monkeypatch.chdir(tmp_path)
    Path("scores").write_text("[1, 2]")
    with pytest.raises(InputError, match=r"the table scores: .* found a list of 2"):
        open_table("./scores")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    """Neither objects inside an ``.npz`` nor a pickle called ``.npz`` run anything."""
    marker = tmp_path / "marker"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (marker,))

    path = tmp_path / "evil.npz"
    np.savez(path, choices=np.array([[0], [1]]), accuracy=np.array([Evil(), Evil()], dtype=object))
    with pytest.raises(InputError, match=r"evil.npz holds pickled objects, which are not read"):
        open_table(path)
    import pickle

    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError, match=r"evil.npz is a pickle, and is none of the official files"):
        open_table(path)
    assert not marker.exists()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Is said to be missing; so is a folder that is none of a benchmark."""
    with pytest.raises(InputError, match=r"there is no table file .*none\.npz"):
        open_table(tmp_path / "none.npz")
    with pytest.raises(InputError, match="is a folder, and none of NATS-Bench's"):
        open_table(tmp_path)


def test_saving_leaves_the_old_file_when_it_fails(
    small: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is replaced whole or not at all, and nothing is left beside it."""
    path = small.save(tmp_path / "small.npz")
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda *_: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(ResourceError, match=r"cannot write .*small\.npz: no space.*Choose another place with --out"):
        small.named("other").save(path)
    assert before == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"a table is saved as \.npz"):
        small.save(tmp_path / "small.json")


def test_json(tmp_path: Path) -> None:
    """Of architectures as JSON, as names with values, by a digit a decision."""
    forms: dict[str, list[str]] = {
        "json": ['{"width":16,"kind":"a"}', '{"width":32,"kind":"a"}'],
        "words": ["width=16 kind=a", "width=32 kind=a"],
        "digits": ["00", "10"],
    }
    for name, texts in forms.items():
        path = tmp_path / f"{name}.json"
        rows = [{"accuracy": 0.5, "accuracy@3": 0.4}, {"accuracy": 0.6, "accuracy@3": 1}]
        path.write_text(json.dumps(dict(zip(texts, rows, strict=True))))
        table = open_table(path)
        assert (2, name) == (len(table), table.name)
        assert 0.6 == table.value(table.architecture(1), "accuracy", fidelity=None)
    assert {"width": 32, "kind": "a"} == dict(open_table(tmp_path / "words.json").architecture(1))
    assert {"decision0": 1, "decision1": 0} == dict(open_table(tmp_path / "digits.json").architecture(1))


def test_json_of_cells_has_the_real_space(tmp_path: Path) -> None:
    """Texts of NAS-Bench-201 give its decisions, with the architectures that are there."""
    text = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    path = tmp_path / "cells.json"
    path.write_text(json.dumps({text: {"accuracy": 0.5}}))
    table = open_table(path)
    assert ("NASBench201", 1) == (table.space.name, table.space.size)
    assert "nor_conv_3x3" == table.architecture(0)["edge_01"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a=1": {"x": 1}, "a=2": {"y": 1}}', "not every architecture has the metric 'x'"),
        ('{"a=1": {"x": "high"}}', "'x' of 'a=1' is a number, found 'high'"),
        ('{"a=1": {"x": NaN}}', "NaN"),
        ('{"a=1": {"x": 1}, "b=1": {"x": 1}}', "not every architecture answers the same decisions"),
        ('{"a=1": {"x": 1}, "a=1": {"x": 2}}', "twice|duplicate"),
        ('{"?": {"x": 1}}', r"'\?' is not the text of an architecture"),
        ('{"a=1": 3}', 'a table is {"architecture": {"metric": value}}, found 3 at \'a=1\''),
        ('[{"a": 1, "x": 1}]', 'a table is {"architecture": {"metric": value}}, found a list of 1'),
        ("{}", "found an empty mapping"),
        ("null", "found None"),
        ("", "is not JSON"),
        ('{"a=1": {"x": 1' + 390 * "0" + "}}", "'x' of 'a=1' is larger than any float"),
        ('{"a=1": {"x": 1}', "is not JSON"),
    ],
)
def test_json_that_is_not_sound(tmp_path: Path, text: str, message: str) -> None:
    """Is refused with the place."""
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        open_table(path)
