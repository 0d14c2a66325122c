"""Texts: from people's columns, files and folders to a network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import netwright as nw
from netwright.errors import DataError
from netwright.tasks import readers, text
from netwright.tasks.serving import Served

GOOD = ("a fine film", "what a lovely story", "I liked it!", "fine, lovely and warm")
BAD = ("a dull film", "what a boring story", "I hated it!", "dull, boring and cold")


def reviews(rows: int = 48) -> tuple[list[str], list[str]]:
    """Short reviews that are good and bad in turns, no two alike."""
    texts = [f"{(GOOD, BAD)[row % 2][row // 2 % 4]} number {row}" for row in range(rows)]
    return texts, ["good" if row % 2 == 0 else "bad" for row in range(rows)]


def test_words_and_punctuation() -> None:
    """In small letters; an apostrophe within a word belongs to it."""
    assert ["it's", "fine", ",", "isn't", "it", "?", "été", "42"] == text.words_of("It's FINE, isn't it? Été 42")


def test_numbers_by_frequency() -> None:
    """The most frequent word is 1, equally frequent ones go by the alphabet, once is not enough, 0 fills up."""
    taken = text.take(["b a b", "b c a", "d"])
    constants = text.learn(taken)
    assert ["b", "a"] == constants["words"]
    inputs = text.apply(constants, taken)
    assert np.float32 == inputs.dtype
    assert [[1, 2, 1], [1, 3, 2], [3, 0, 0]] == inputs.tolist()


def test_a_vocabulary_is_learned_at_its_places_alone() -> None:
    """Words of a test part have no number of their own."""
    taken = text.take(["a b", "a c", "z z z z"])
    assert ["a"] == text.learn(taken, np.array([0, 1]))["words"]


def test_unseen_words_and_longer_texts() -> None:
    """Words never seen have a shared number, below the vocabulary; what is too long is cut."""
    constants = text.learn(text.take(["a b c d", "d c b a"] * 10))
    inputs = text.apply(constants, ["z y x w v u t", ""])
    assert (2, 4) == inputs.shape
    assert text.facts(constants)["vocabulary"] > inputs.max() >= 1 + len(constants["words"])
    assert [0.0] * 4 == inputs[1].tolist()


def test_half_a_character_has_a_number_too() -> None:
    """What UTF-8 cannot write is no reason to fail."""
    constants = text.learn(text.take(["a b", "b a"]))
    assert (1, 2) == text.apply(constants, ["\ud800 a"]).shape


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            ["a", None],
            r"X contains NaN: 1 of 2 texts are missing, the first in row 2.*an empty string, which is a text",
        ),
        (["a", 3], "X holds 3 in row 2, expected a text"),
        ("a text", "X is a single str, expected a list of texts"),
        (np.array([["a", "b"]]), r"X of shape \(1, 2\) holds no texts"),
        (pd.DataFrame({"n": [1, 2]}), "X has no column of texts"),
        (pd.DataFrame({"review": [None, None]}), "the text column 'review' of X is empty in all 2 rows"),
        (pd.DataFrame({"review": ["a", None]}), r"X\['review'\] contains NaN"),
        (pd.DataFrame({"review": ["a", "b", 7]}), r"X\['review'\] holds 7 in row 3"),
    ],
)
def test_what_are_no_texts(X: Any, message: str) -> None:
    """Is refused in one line that says where."""
    with pytest.raises(DataError, match=message):
        text.take(X)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["same words"] * 9, "all 9 texts are alike: 'same words'"),
        (["", " "], "the text is empty: there is no word in any"),
    ],
)
def test_nothing_to_learn(values: list[str], message: str) -> None:
    """Texts that are all alike, and texts without words."""
    with pytest.raises(DataError, match=message):
        text.learn(text.take(values))


def test_long_columns_of_a_frame_are_joined() -> None:
    """A title and a body are the text; a word of a category beside them is not, nor are numbers."""
    frame = pd.DataFrame(
        {"body": ["so many words of a body"] * 2, "title": ["one title", "two titles"], "kind": ["a", "b"], "n": [1, 2]}
    )
    taken = text.take(frame)
    assert ("body", "title") == taken.columns
    assert "so many words of a body\ntwo titles" == taken.values[1]


def test_the_columns_of_training_are_found_again() -> None:
    """In any order, with others beside them; without them the name is told."""
    frame = pd.DataFrame({"review": ["good film", "bad film"], "row": [1, 2]})
    constants = text.learn(text.take(frame))
    other = pd.DataFrame({"note": ["quite a long note about nothing"], "review": ["good"]})
    np.testing.assert_array_equal(text.apply(constants, other), text.apply(constants, ["good"]))
    with pytest.raises(DataError, match="the data have no column 'review'"):
        text.apply(constants, pd.DataFrame({"a": ["x"], "b": ["y"]}))


def test_a_csv_file(tmp_path: Path) -> None:
    """The target is named; an empty cell is an empty text, not a missing one."""
    texts, labels = reviews(12)
    texts[3] = ""
    pd.DataFrame({"review": texts, "verdict": labels}).to_csv(tmp_path / "reviews.csv", index=False)
    loaded = readers.read(tmp_path / "reviews.csv", target="verdict", task="text")
    assert ("text", "classification", 12) == (loaded.kind, loaded.task, len(loaded.raw))
    assert 0 == loaded.data.X[3].sum()


def test_an_empty_column_in_a_file(tmp_path: Path) -> None:
    """It is named."""
    (tmp_path / "empty.csv").write_text("review,verdict\n" + ",a\n,b\n" * 6)
    with pytest.raises(DataError, match=r"the text column 'review' of .*empty\.csv is empty in all 12 rows"):
        readers.read(tmp_path / "empty.csv", target="verdict", task="text-classification")


def test_a_folder_with_a_sub_folder_a_class(tmp_path: Path) -> None:
    """Also with a part to train on and one to test on."""
    for part, rows in (("train", 12), ("test", 4)):
        for row, (value, label) in enumerate(zip(*reviews(rows), strict=True)):
            (tmp_path / part / label).mkdir(parents=True, exist_ok=True)
            (tmp_path / part / label / f"{row}.txt").write_text(value)
    loaded = readers.read(tmp_path, task="text")
    assert ("bad", "good") == loaded.data.classes
    assert loaded.raw_test is not None
    assert (12, 4) == (len(loaded.raw), len(loaded.raw_test))
    (tmp_path / "train" / "bad" / "1.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match=r"1\.txt is not UTF-8"):
        readers.read(tmp_path, task="text")


def test_a_list_of_strings_needs_no_task() -> None:
    """It holds texts."""
    assert "text" == readers.from_arrays(*reviews(8)).kind


def test_several_labels_a_text() -> None:
    """A row may have any of them."""
    texts, labels = reviews(16)
    tags = [{label, "short"} if row % 3 else {label} for row, label in enumerate(labels)]
    loaded = readers.from_arrays(texts, tags, task="text-multilabel")
    assert ("labels", ("bad", "good", "short")) == (loaded.task, loaded.data.classes)


def test_the_classifier_and_what_it_exports(quick: None, tmp_path: Path) -> None:
    """It learns which words are good; predict.py answers the same about a CSV file, by itself."""
    texts, labels = reviews(96)
    frame = pd.DataFrame({"review": texts})
    search = nw.TextClassifier(max_trials=1, n_jobs=1).fit(frame, labels)
    assert 1 == search.n_features_in_
    assert 0.55 < search.score(frame, labels)
    folder = search.export(tmp_path / "shipped", to="onnx")
    new = [*texts[:4], "unheard-of words, in a longer text than any: fine!", "", "NA"]
    pd.DataFrame({"other": range(7), "review": new}).to_csv(tmp_path / "new.csv", index=False)
    expected = nw.tasks.predict(search.out_, tmp_path / "new.csv")["probabilities"]
    np.testing.assert_allclose(expected, asked(folder, tmp_path / "new.csv"), atol=1e-4)
    for place, value in enumerate(texts[:3]):
        (tmp_path / f"{place}.txt").write_text(value)
    files = asked(folder, *(tmp_path / f"{place}.txt" for place in range(3)))
    np.testing.assert_allclose(expected[:3], files, atol=1e-4)
    np.testing.assert_allclose(expected[:2], Served.open(search.out_).answer(texts[:2])["probabilities"], atol=1e-4)


def asked(folder: Path, *data: Path) -> list[list[float]]:
    """The probabilities that a folder's own program gives."""
    command = [sys.executable, folder / "predict.py", *data, "--json"]
    answered: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    made: list[list[float]] = answered["probabilities"]
    return made


def test_a_number_for_each_text(quick: None) -> None:
    """The regressor predicts in the target's own unit."""
    texts, labels = reviews()
    search = nw.TextRegressor(max_trials=1, n_jobs=1).fit(texts, [100.0 + (label == "good") for label in labels])
    assert (2,) == search.predict(["a fine film", ""]).shape
    assert 99 < search.predict(texts).mean() < 102


def test_a_network_that_was_trained_on_a_list_reads_the_longest_column() -> None:
    """Of a frame, which has names that it never saw."""
    constants = text.learn(text.take(["good film", "bad film"]))
    frame = pd.DataFrame({"who": ["A. Critic"], "review": ["a good film, a good one"]})
    np.testing.assert_array_equal(text.apply(constants, frame), text.apply(constants, ["a good film, a good one"]))
