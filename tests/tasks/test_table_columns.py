"""Columns as people have them: dates, texts, many categories, what was never seen, several kinds of file."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.errors import DataError, InputError
from netwright.export import standalone
from netwright.tasks import job, several, tables
from netwright.tasks.columns import bag_of_words, dates, is_text
from netwright.tasks.readers import from_arrays, read, read_new
from netwright.tasks.tables import read_csv

pandas = pytest.importorskip("pandas")

OPINIONS = [f"{'good' if i % 2 else 'bad'} thing number {i}" for i in range(40)]


def frame(rows: int = 40) -> Any:
    """A column of each kind, with holes."""
    when = pandas.date_range("2024-02-27 06:00", periods=rows, freq="36h")
    return pandas.DataFrame(
        {
            "size": np.where(np.arange(rows) % 7 == 3, np.nan, np.arange(rows) / 3),
            "yes": np.arange(rows) % 3 == 0,
            "when": when.where(np.arange(rows) % 9 != 4),
            "city": [None if i % 11 == 5 else f"city{min(i % 8, 5) if i != 13 else 99}" for i in range(rows)],
            "opinion": OPINIONS[:rows],
        }
    )


def test_a_date_is_numbers() -> None:
    """Days since 1970, the year, the month, the weekday from Monday, the hour."""
    parts = dates(["2024-02-29", "1969-12-31 18:30:00", None, "2024-02-29T12:00:00+02:00"])
    assert parts is not None
    np.testing.assert_allclose(parts["days"], [19782, -1 + 18.5 / 24, np.nan, 19782.5])
    np.testing.assert_allclose(parts["year"], [2024, 1969, np.nan, 2024])
    np.testing.assert_allclose(parts["month"], [2, 12, np.nan, 2])
    np.testing.assert_allclose(parts["weekday"], [3, 2, np.nan, 3])
    np.testing.assert_allclose(parts["hour"], [0, 18.5, np.nan, 12])


@pytest.mark.parametrize("column", [["2024-01-01", "soon"], ["2024-13-01"], ["2023-02-29"], [None], ["20240101"]])
def test_what_is_no_date(column: list[str | None]) -> None:
    """One value that is none makes a column of categories."""
    assert dates(column) is None


def test_texts_are_mostly_distinct_words() -> None:
    """Names without spaces and sentences that repeat are categories."""
    assert is_text(OPINIONS)
    assert not is_text([f"name{i}" for i in range(40)])
    assert not is_text(["red wine", "white wine"] * 20)


def test_a_bag_of_words() -> None:
    """Words count in small letters wherever they stand; a missing text is zeros, and empty is not an error."""
    bags = bag_of_words(["Good thing", "thing good", None, "", "good good good"], 32)
    np.testing.assert_array_equal(bags[0], bags[1])
    assert [float((bag**2).sum()) for bag in bags[1:4]] == pytest.approx([1.0, 0.0, 0.0])
    assert bags[4].max() == pytest.approx(3**0.5)


def test_the_columns_of_a_frame() -> None:
    """The width is one a number and hole, the parts of the date that change, the cities and the rest, 32 words."""
    table = tables.from_frame(frame())
    constants = tables.learn(table)
    names = [entry["name"] for entry in constants["numbers"]]
    assert names == ["size", "yes", *(f"when ({part})" for part in ("days", "month", "weekday", "hour"))]
    city, opinion = constants["categories"]
    assert (city["values"], city["other"]) == ([f"city{i}" for i in (5, 1, 2, 4, 0, 3)], True)
    assert opinion == {"name": "opinion", "values": [], "words": 32}
    assert tables.width(constants) == 6 + 2 + 7 + 32
    assert tables.apply(constants, table).shape == (40, tables.width(constants))


def test_edges_of_a_column_of_mostly_one_value() -> None:
    """That value is one of them; the others are quantiles of what is left, more of them where rows are many."""
    rng = np.random.default_rng(0)
    gains = np.where(rng.random(4000) < 0.08, rng.lognormal(8, 1, 4000), 0.0)
    for rows, most in ((4000, tables.MANY_BINS), (1000, tables.BINS)):
        constants = tables.learn(tables.from_matrix(gains[:rows, None]))
        entry, edges = constants["numbers"][0], np.array(constants["edges"][0])
        raw = edges * entry["std"] + entry["mean"]
        assert len(raw) == most + 1
        assert raw[0] == pytest.approx(0.0, abs=1e-2)
        there = np.sort(gains[:rows][gains[:rows] > 0])
        np.testing.assert_allclose(raw[1:], np.quantile(there, np.linspace(0, 1, most)), rtol=1e-3)


def test_many_columns_have_fewer_edges() -> None:
    """Else their encodings would be wider than a network can use."""
    X = np.random.default_rng(0).normal(size=(tables.MANY_ROWS, tables.MANY_COLUMNS + 1))
    assert {len(edges) for edges in tables.learn(tables.from_matrix(X))["edges"]} == {tables.BINS + 1}
    fewer = tables.learn(tables.from_matrix(X[:, 1:]))["edges"]
    assert {len(edges) for edges in fewer} == {tables.MANY_BINS + 1}


def test_what_networks_may_know() -> None:
    """Edges of each column of numbers, the first inputs; and where the columns of each category are."""
    table = tables.from_frame(frame())
    constants = tables.learn(table)
    facts = tables.facts(constants)
    inputs = tables.apply(constants, table)
    assert (facts["categories"], facts["texts"], facts["codes"]) == ([[8, 7]], [[15, 32]], [])
    assert [len(edges) for edges in facts["edges"]][:2] == [17, 2]
    there = ~np.isnan(table.numbers[:, 0])
    assert facts["edges"][0][0] == pytest.approx(inputs[there, 0].min())
    assert facts["edges"][0][8] == pytest.approx(np.median(inputs[there, 0]), abs=1e-6)
    np.testing.assert_array_equal(inputs[:, 8:15].sum(1), [float(i % 11 != 5) for i in range(40)])


def test_values_that_were_never_seen_are_others() -> None:
    """A new city goes with the rare ones; a missing one is none at all."""
    constants = tables.learn(tables.from_frame(frame()))
    new = frame(3).assign(city=["elsewhere", "city99", None])
    np.testing.assert_array_equal(tables.apply(constants, new)[:, 8:15].argmax(1)[:2], [6, 6])
    assert tables.apply(constants, new)[2, 8:15].sum() == 0


def test_many_categories_are_numbers() -> None:
    """Of many values each that occurs twice has a number, the most frequent first; 0 is missing, the last the rest."""
    words = [*np.repeat([f"w{i:03}" for i in range(500)], 3).tolist(), "w499", "once", None]
    data = pandas.DataFrame({"size": np.arange(1503.0), "word": words})
    constants = tables.learn(tables.from_frame(data))
    assert tables.width(constants) == 2
    assert tables.facts(constants) | {"edges": []} == {"edges": [], "categories": [], "texts": [], "codes": [[1, 502]]}
    new = pandas.DataFrame({"size": [0.0] * 6, "word": ["w499", "w000", "w498", "once", "never", None]})
    assert [1, 2, 500, 501, 501, 0] == tables.apply(constants, new)[:, 1].tolist()
    assert "a number for each" in tables.describe(constants)


def test_very_many_categories_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many the values share the last number."""
    monkeypatch.setattr(tables, "CODES", 40)
    words = np.repeat([f"w{i:03}" for i in range(500)], 3)
    table = tables.from_frame(pandas.DataFrame({"word": words}))
    constants = tables.learn(table)
    assert [[0, 42]] == tables.facts(constants)["codes"]
    assert {*range(1, 42)} == set(tables.apply(constants, table)[:, 0])


def test_few_categories_keep_their_columns() -> None:
    """As many values as there may be columns, and no more, are zeros and ones."""
    words = np.repeat([f"w{i}" for i in range(tables.CATEGORIES)], 3)
    constants = tables.learn(tables.from_frame(pandas.DataFrame({"word": words})))
    assert ([[0, tables.CATEGORIES]], []) == (
        tables.facts(constants)["categories"], tables.facts(constants)["codes"],
    )  # fmt: skip


def test_columns_that_tell_nothing_are_named() -> None:
    """Names that occur once cannot be learned from."""
    data = pandas.DataFrame({"id": [f"id{i}" for i in range(40)], "size": range(40)})
    assert tables.unused(tables.learn(tables.from_frame(data))) == ["id"]


def test_a_date_that_is_none() -> None:
    """It is named with its row; an empty column of dates is missing throughout."""
    constants = tables.learn(tables.from_frame(frame()))
    with pytest.raises(DataError, match=r"column 'when' of X holds 'soon' in row 2, expected dates as in training"):
        tables.apply(constants, frame(3).astype({"when": object}).assign(when=["2024-01-01", "soon", None]))
    with pytest.raises(DataError, match=r"X has no column 'when'\. The network was trained with 5 columns: size"):
        tables.apply(constants, frame(3).drop(columns="when"))
    holes = tables.apply(constants, frame(3).assign(when=None))
    np.testing.assert_array_equal(holes[:, 2:6], np.zeros((3, 4)))
    np.testing.assert_array_equal(holes[:, 7], np.ones(3))


def test_csv_frame_and_json_are_one(tmp_path: Path) -> None:
    """A file, a frame and records give the same inputs."""
    data = frame().assign(y=np.arange(40) % 2)
    data.to_csv(tmp_path / "a.csv", index=False)
    loaded = read(tmp_path / "a.csv", target="y")
    of_frame = from_arrays(data.drop(columns="y"), data["y"]).data.X
    np.testing.assert_allclose(loaded.data.X, of_frame, atol=1e-6)
    records = json.loads(data.drop(columns="y").to_json(orient="records", date_format="iso"))
    for record in records:
        record["when"] = record["when"] and record["when"][:19]
    np.testing.assert_allclose(
        tables.apply(loaded.preprocessing["inputs"], tables.from_records(records)), of_frame, atol=1e-6
    )


CODES = ["007", "12345678", "A1", "1234567"]


def coded() -> Any:
    """Codes some of which are numbers, truth values with holes, and numbers."""
    return pandas.DataFrame(
        {
            "code": [CODES[i % 4] for i in range(40)],
            "flag": [None if i % 9 == 0 else i % 4 < 2 for i in range(40)],
            "size": [float(i % 5) for i in range(40)],
        }
    )


@pytest.mark.parametrize("rows", [[0, 1, 3], [5, 7, 8], [9, 18], [2]])
def test_a_row_means_the_same_whatever_stands_beside_it(tmp_path: Path, rows: list[int]) -> None:
    """What a column is was decided in training, for files, frames, JSON and the exported folder alike."""
    frame = coded()
    frame.to_csv(tmp_path / "all.csv", index=False)
    loaded = from_arrays(read_csv(tmp_path / "all.csv"), np.arange(40) % 2)
    every = read_new(tmp_path / "all.csv", loaded.preprocessing)
    part = frame.iloc[rows]
    part.to_csv(tmp_path / "part.csv", index=False)
    np.testing.assert_array_equal(every[rows], read_new(tmp_path / "part.csv", loaded.preprocessing))
    inputs = loaded.preprocessing["inputs"]
    np.testing.assert_array_equal(every[rows], tables.apply(inputs, part))
    records = [{k: None if v != v else v for k, v in row.items()} for row in part.to_dict("records")]
    np.testing.assert_array_equal(every[rows], tables.apply(inputs, tables.from_records(records)))
    columns = {name: list(part[name].map(str)) for name in part}
    np.testing.assert_array_equal(every[rows], standalone_predict()._table(columns, inputs))


def test_numbers_of_rows_are_no_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exported folder passes a column over that pandas wrote without a name, and the target, as Netwright does."""
    predict = standalone_predict()
    monkeypatch.setattr(predict, "about", lambda: {"preprocessing": {"target": {"name": "y"}}})
    constants = {"channels": 1, "length": 2, "mean": [0.0], "std": [1.0]}
    for name in ("", "Unnamed: 0"):
        columns = {name: ["0", "1"], "a": ["3", "4"], "b": ["5", "6"], "y": ["x", "z"]}
        np.testing.assert_array_equal(predict._series(columns, constants), [[[3, 5]], [[4, 6]]])


def test_numbers_that_are_texts_and_texts_that_are_numbers() -> None:
    """Both are what the column was in training; what is none is named, and what is missing is not."""
    inputs = tables.learn(tables.from_frame(pandas.DataFrame({"x": [1.0, 2.0, 4.0], "c": ["1", "b", "1"]})))
    one = tables.apply(inputs, pandas.DataFrame({"x": [1.0, 4.0], "c": ["1", "1"]}))
    other = tables.apply(inputs, pandas.DataFrame({"x": ["1", "4.0"], "c": [1, 1]}))
    np.testing.assert_array_equal(one, other)
    with pytest.raises(DataError, match="column 'x' of X holds 'z' in row 3, expected numbers as in training"):
        tables.apply(inputs, pandas.DataFrame({"x": ["3", None, "z"], "c": ["1", "1", "b"]}))


@pytest.mark.parametrize(
    ("values", "expected", "note"),
    [
        (["3,14", "-2", "0,5"] * 4, [3.14, -2, 0.5], "'x' is read as numbers with decimal commas ('3,14')"),
        (["3", " ?", "0.5"] * 4, [3, np.nan, 0.5], "'x' is read as numbers, and '?' in 4 rows as missing"),
        (["3,5", "?", None] * 4, [3.5, np.nan, np.nan],
         "'x' is read as numbers with decimal commas ('3,5'), and '?' in 4 rows as missing"),
    ],
)  # fmt: skip
def test_numbers_that_are_written_otherwise(values: list[str | None], expected: list[float], note: str) -> None:
    """Decimal commas and question marks, in training, in new rows, and in the exported folder; a note says so."""
    data = pandas.DataFrame({"x": values, "c": ["a", "b", "a"] * 4})
    loaded = from_arrays(data, np.arange(12) % 2)
    assert (note,) == loaded.raw.X.notes
    np.testing.assert_array_equal(loaded.raw.X.numbers[:3, 0], expected)
    inputs = loaded.preprocessing["inputs"]
    new = data.iloc[[1, 0]]
    np.testing.assert_array_equal(loaded.data.X[[1, 0]], tables.apply(inputs, new))
    columns = {name: list(new[name].fillna("")) for name in new}
    np.testing.assert_array_equal(loaded.data.X[[1, 0]], standalone_predict()._table(columns, inputs))


def test_a_comma_is_none_where_training_had_none() -> None:
    """Nor in the exported folder: 3,141 may be three thousand."""
    inputs = tables.learn(tables.from_frame(pandas.DataFrame({"x": [1.0, 2.0, 4.0]})))
    with pytest.raises(DataError, match="column 'x' of X holds '3,1' in row 1, expected numbers"):
        tables.apply(inputs, pandas.DataFrame({"x": ["3,1"]}))
    predict = standalone_predict()
    with pytest.raises(predict.Refused, match="column 'x' holds '3,1' in row 1, expected a number"):
        predict._table({"x": ["3,1"]}, inputs)


PLAINLY = "write plain numbers, or leave these cells empty"


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (["03/31/2021", "04/01/2021", "03/31/2021"],
         "not as dates: 12 of 12 values are written otherwise, the first in row 1 ('03/31/2021');"
         " write dates as 2021-03-31"),
        (["2021-03-31", "2021-03-30", "2021-03-31", "2021-03-30", "soon"],
         "not as dates: 4 of 20 values are written otherwise, the first in row 5 ('soon'); write dates as 2021-03-31"),
        (["1,234", "1,300", "2,000"],
         f"not as numbers: 12 of 12 values are written otherwise, the first in row 1 ('1,234'); {PLAINLY}"),
        (["$3", "$3", "$4.50"],
         f"not as numbers: 12 of 12 values are written otherwise, the first in row 1 ('$3'); {PLAINLY}"),
        (["1.5", None, "2,5", "1.5"],
         f"not as numbers: 4 of 12 values are written otherwise, the first in row 3 ('2,5'); {PLAINLY}"),
        (["1", "2", "3", "4"] * 5 + [" none given"] + ["5"] * 40,
         f"not as numbers: 4 of 244 values are written otherwise, the first in row 21 ('none given'); {PLAINLY}"),
    ],
)  # fmt: skip
def test_what_looks_otherwise_than_it_is_read(values: list[str | None], note: str) -> None:
    """Numbers and dates that are taken for words are named, with how many are why, and where the first stands."""
    table = tables.from_frame(pandas.DataFrame({"x": values * 4}))
    assert ("x",) == table.category_names
    assert (f"'x' is read as words, {note}",) == table.notes


def test_one_value_that_is_written_otherwise() -> None:
    """Is told in the singular."""
    table = tables.from_frame(pandas.DataFrame({"x": ["1", "2", "3", "4", "n/k"]}))
    assert "1 of 5 values is written otherwise, the first in row 5 ('n/k')" in table.notes[0]


COUNT = np.arange(1500)
CLASSES = np.array(["no", "yes", "perhaps"])[COUNT % 3]
DAYS = pandas.date_range("2021-01-01", periods=50).strftime("%Y-%m-%d")
LEAK = "the same as the target in all rows: {} (leave out what is not known beforehand)"


@pytest.mark.parametrize(
    ("columns", "y", "notes"),
    [
        ({"code": np.array([7, 3, 5])[COUNT % 3]}, CLASSES, [LEAK.format("'code'")]),
        ({"word": np.array(["b", "a", "c"])[COUNT % 3], "again": CLASSES}, CLASSES, [LEAK.format("'word', 'again'")]),
        ({"price": COUNT / 7}, COUNT / 7, [LEAK.format("'price'")]),
        ({"is_yes": COUNT % 3 == 1, "nearly": np.where(COUNT < 1400, COUNT % 3, 0)}, CLASSES, []),
        ({"twice": COUNT / 3.5, "nearly": np.where(COUNT < 1400, COUNT / 7, 0)}, COUNT / 7, []),
        ({"none": [None] * 1500, "nan": np.full(1500, np.nan)}, CLASSES, ["empty: 'none', 'nan'"]),
        ({"late": np.where(COUNT < 1400, np.nan, 1)}, CLASSES, []),
        ({"one": 1, "word": "x"}, CLASSES, ["the same value in all rows: 'one', 'word'"]),
        ({"one": np.where(COUNT < 1400, 1, 0), "word": np.where(COUNT < 1400, "x", None)}, CLASSES, []),
        ({"day": ["2021-01-01"] * 1500}, CLASSES, ["the same value in all rows: 'day'"]),
        ({"day": DAYS[COUNT % 50]}, CLASSES, []),
        (dict.fromkeys("abcdefg", 0), COUNT / 7, ["the same value in all rows: 'a', 'b', 'c', 'd', 'e', …"]),
    ],
)  # fmt: skip
def test_columns_that_somebody_may_want_to_know_of(columns: dict[str, Any], y: Any, notes: list[str]) -> None:
    """What is the target, is empty, or never changes, in all rows; of a date its parts are not told."""
    frame = pandas.DataFrame({"kept": np.sin(COUNT), **columns}, index=COUNT)
    assert tuple(notes) == from_arrays(frame, y).notes


def test_several_targets_are_no_column() -> None:
    """A column may be one of them: what to leave out then is not told."""
    frame = pandas.DataFrame({"kept": np.sin(COUNT), "price": COUNT / 7})
    assert () == from_arrays(frame, {"a": COUNT / 7, "b": CLASSES}).notes


def test_dates_count_as_one_column() -> None:
    """In what is said of a table."""
    frame = pandas.DataFrame({"day": DAYS, "x": range(50)})
    assert (50, 2) == tables.from_frame(frame).shape
    alone = tables.from_frame(pandas.DataFrame({"day": ["2021-01-01"] * 50}))
    with pytest.raises(DataError, match="no column of the table tells anything: 1 column: day"):
        tables.learn(alone)


@pytest.mark.parametrize("values", [["red", "blue"], ["007", "12", "?"], ["A1", "12"], ["?", None], ["2021-03-31"]])
def test_what_is_read_as_it_looks(values: list[str | None]) -> None:
    """Words, codes and dates need no note; a category of pandas stays one."""
    assert () == tables.from_frame(pandas.DataFrame({"x": values * 4})).notes
    chosen = pandas.DataFrame({"x": pandas.Series(["1", "?", "2"] * 4, dtype="category")})
    assert ("x",) == tables.from_frame(chosen).category_names


def test_notes_on_columns_reach_the_user(quick: None, tmp_path: Path) -> None:
    """The end of a search tells them; those of the tables among several inputs, too."""
    data = pandas.DataFrame({"x": ["1,5", "2", "3"] * 10, "y": [0, 1, 1] * 10})
    data.to_csv(tmp_path / "a.csv", sep=";", index=False)
    outcome = job.search(tmp_path / "a.csv", target="y", max_trials=1, n_jobs=1, out=tmp_path / "run")
    assert "'x' is read as numbers with decimal commas ('1,5')" in outcome.warnings
    both = several.take({"about": data[["x"]], "size": np.ones((30, 1))})
    assert ("'x' is read as numbers with decimal commas ('1,5')",) == both.notes


def test_a_test_part_whose_columns_look_otherwise(tmp_path: Path) -> None:
    """Codes of which the few test rows have numbers alone are what they are in training."""
    train = pandas.DataFrame({"code": ["A1", "7", "8"] * 10, "x": [1.0, 2.0, 3.0] * 10})
    test = pandas.DataFrame({"code": [7, 8], "x": [1.0, 2.0]})
    loaded = from_arrays(train, [0, 1, 1] * 10, X_test=test, y_test=[0, 1])
    assert loaded.test is not None
    np.testing.assert_array_equal(loaded.test.X[:, 1:], loaded.data.X[1:3, 1:])


def standalone_predict() -> Any:
    """The exported script as a module."""
    spec = importlib.util.spec_from_file_location("exported_predict", Path(standalone.__path__[0]) / "predict.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_exported_folder_reads_them_without_the_package(tmp_path: Path) -> None:
    """predict.py beside a manifest makes the same inputs of the file."""
    data = frame().assign(y=np.arange(40) % 2)
    data = pandas.concat([data] * 3, ignore_index=True)
    data["shop"] = [None if i % 17 == 3 else f"shop {i % 36 if i % 13 else i}" for i in range(120)]
    data.to_csv(tmp_path / "a.csv", index=False)
    loaded = read(tmp_path / "a.csv", target="y")
    assert loaded.data.facts["codes"]
    script = Path(standalone.__file__).parent / "predict.py"
    (tmp_path / "predict.py").write_bytes(script.read_bytes())
    manifest = {"extra": {"preprocessing": loaded.preprocessing}, "files": {}, "format": "onnx", "model": []}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    code = "import predict, numpy; numpy.save('inputs.npy', predict.prepare(predict.read(['a.csv'])))"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "inputs.npy"), loaded.data.X, atol=1e-6)


def test_a_column_that_is_called_kind() -> None:
    """Frames have their columns as attributes, and containers say by one what they are."""
    loaded = from_arrays(pandas.DataFrame({"kind": ["a", "b"] * 10, "shape": np.arange(20.0)}), [0, 1] * 10)
    assert ("shape", "kind") == loaded.raw.X.names


def test_parquet(tmp_path: Path) -> None:
    """A Parquet file is read as a CSV file is; where pyarrow is missing the error says how it is installed."""
    path = tmp_path / "a.parquet"
    if not _has_pyarrow():
        path.write_bytes(b"PAR1 and so on")
        with pytest.raises(InputError, match=r"Reading a Parquet file needs pyarrow\. Install it: pip install"):
            read(path, target="y")
        return
    data = frame().assign(y=np.arange(40) % 2)
    data.to_parquet(path)
    loaded = read(path, target="y")
    np.testing.assert_allclose(loaded.data.X, from_arrays(data.drop(columns="y"), data["y"]).data.X, atol=1e-6)
    np.testing.assert_allclose(read_new(path, loaded.preprocessing), loaded.data.X, atol=1e-6)


def _has_pyarrow() -> bool:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return False
    return True


def test_numbers_are_those_that_float32_holds() -> None:
    """Up to its largest; rows as mappings, too, are refused by the name of the column and the row."""
    largest = float(np.finfo(np.float32).max)
    rows = [{"a": 1.0, "b": None}, {"a": -largest, "b": 2.0 * largest}, {"a": None, "b": 1.0}]
    assert -largest == tables.from_records([{"a": row["a"]} for row in rows]).numbers[1, 0]
    with pytest.raises(DataError, match="numbers too large for float32: 1 values in column 'b', the first in row 2"):
        tables.from_records(rows)
    with pytest.raises(DataError, match="contains infinity: 1 values in column 'a', the first in row 1"):
        tables.from_records([{"a": np.inf}])
