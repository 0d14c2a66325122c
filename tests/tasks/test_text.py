"""Texts: from people's columns, files and folders to a network."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import netwright as nw
from netwright.errors import DataError, InputError, MissingExtra
from netwright.export import standalone
from netwright.tasks import readers, text
from netwright.tasks.columns import bag_of_words
from netwright.tasks.serving import Served
from netwright.tasks.shipping import export

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
    """The most frequent word is 1, equally frequent ones go by the alphabet, 0 fills up.

    Once is not enough: as many numbers as there are such words are shared by their hashes.
    """
    taken = text.take(["b a b", "b c a", "d"])
    constants = text.learn(taken)
    assert ["b", "a"] == constants["words"]
    inputs = text.apply(constants, taken)
    assert np.float32 == inputs.dtype
    assert [[1, 2, 1], [1, 4, 2], [3, 0, 0]] == inputs.tolist()


HARD = [
    "", " \t\n ", "It's FINE, isn't it? Rock'n'roll", "Été — ÉTÉ, e\u0301te\u0301; STRASSE straße İstanbul ſ",
    "日本語のテキスト。한국어 ไทย", "😀👍🏽 👩\u200d👩\u200d👧 !!??…", "\x00\x1b[0m\x7f\u200b\ufeff\u202e",
    "w" * 5_000, "a b " * 900, "\ud83d? \udc00?", "x_1 __init__ 3.14 '' a''b '", "MIXED\r\nlines\u2028and\x85others",
    "٣٤ Ⅷ ½ ǅ", "NA",
]  # fmt: skip
"""Accents that are one letter or two, other writings, marks joined by what is not seen, control characters, long words
and texts, halves of characters."""


@pytest.mark.parametrize("tokens", ["words", "bpe"])
def test_an_exported_folder_cuts_texts_alike(tokens: str, tmp_path: Path) -> None:
    """predict.py stands alone and so has the words and the hash again: the same numbers of every text."""
    if tokens == "bpe":
        pytest.importorskip("tokenizers")
    taken = text.take([*HARD, *HARD[2:5], "a question?", "another question?"]).cut_into(tokens)
    constants = text.learn(taken)
    predict = runpy.run_path(str(Path(standalone.__file__).parent / "predict.py"))
    expected = text.apply(constants, HARD)
    assert (expected > 0).any(1).tolist() == [place > 1 for place in range(len(HARD))]
    np.testing.assert_array_equal(expected, predict["_texts"](HARD, json.loads(json.dumps(constants))))
    if tokens == "words":
        assert [text.words_of(each) for each in HARD] == [predict["words_of"](each) for each in HARD]


def test_an_exported_folder_counts_words_of_tables_alike() -> None:
    """The bags of words of a table's texts are the same, too."""
    predict = runpy.run_path(str(Path(standalone.__file__).parent / "predict.py"))
    column = [each for each in HARD if each != "NA"]
    np.testing.assert_array_equal(bag_of_words(column, 32), predict["_bags"](column, 32))


def test_byte_pairs_by_brute_force() -> None:
    """Each merge is of a pair that is the most frequent by then, and in the end no pair stands twice."""
    pytest.importorskip("tokenizers")
    texts = ["low low low", "Lowest low", "new newer newest", "wide wider"]
    constants = text.learn(text.take(texts).cut_into("bpe"))
    words = [["Ġ", *word] for each in texts for word in each.lower().split()]

    def pairs() -> Counter[tuple[str, str]]:
        return Counter(pair for word in words for pair in pairwise(word))

    for left, right in constants["pairs"]["model"]["merges"]:
        assert pairs()[left, right] == max(pairs().values())
        for word in words:
            for place in range(len(word) - 2, -1, -1):
                if word[place : place + 2] == [left, right]:
                    word[place : place + 2] = [left + right]
    assert 1 == max(pairs().values())
    pieces = Counter(piece for word in words for piece in word)
    expected = sorted(pieces, key=lambda piece: (-pieces[piece], piece))
    assert expected == constants["words"][: len(pieces)]
    first = [1 + expected.index(piece) for word in words[:3] for piece in word]
    assert first == text.apply(constants, texts)[0, : len(first)].tolist()
    assert 1 + 256 + len(constants["pairs"]["model"]["merges"]) == text.facts(constants)["vocabulary"]


def test_byte_pairs_are_learned_at_their_places_alone() -> None:
    """Pieces of a test part are none of the network's; learned twice they are the same."""
    pytest.importorskip("tokenizers")
    taken = text.take(["red red", "red blue", "zebra zebra zebra"]).cut_into("bpe")
    constants = text.learn(taken, np.array([0, 1]))
    assert "Ġred" in constants["words"]
    assert not [piece for piece in constants["words"] if "ze" in piece]
    assert constants == text.learn(taken, np.array([0, 1]))


def test_byte_pairs_are_the_same_in_any_process(tmp_path: Path) -> None:
    """With one thread or two, and another seed of Python's hashes."""
    pytest.importorskip("tokenizers")
    code = (
        "import json; from netwright.tasks import text;"
        "rows = [f'a {w} film {i} ok' for i, w in enumerate('abcdefgh' * 9)];"
        "print(json.dumps(text.learn(text.take(rows).cut_into('bpe'))))"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": threads},
        ).stdout
        for threads in ("1", "2")
    ]  # fmt: skip
    assert made[0] == made[1]


def test_ways_to_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is none is named, and so is the library that is missing."""
    (tmp_path / "a.csv").write_text("review,good\n" + "\n".join(f"word {row},{row % 2}" for row in range(20)))
    with pytest.raises(InputError, match=r"tokens of texts are words or bpe, found 'pieces'"):
        readers.read(tmp_path / "a.csv", task="text", target="good", options={"tokens": "pieces"})
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtra, match=r"Cutting texts by byte pairs needs tokenizers\. Install it: pip install"):
        readers.read(tmp_path / "a.csv", task="text", target="good", options={"tokens": "bpe"})


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
        (["same words"] * 9, "the 9 texts to learn from are alike: 'same words'"),
        (["", " "], "the text is empty: there is no word in the 2 texts to learn from"),
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
    with pytest.raises(DataError, match="X has no column 'review'"):
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


def test_a_search_by_byte_pairs(quick: None, tmp_path: Path) -> None:
    """predict, serve and the exported folder cut texts as the search did; the folder says what it needs for that."""
    pytest.importorskip("tokenizers")
    texts, labels = reviews(96)
    pd.DataFrame({"review": texts, "verdict": labels}).to_csv(tmp_path / "a.csv", index=False)
    out = tmp_path / "study"
    nw.tasks.search(
        tmp_path / "a.csv", task="text", target="verdict", options={"tokens": "bpe"}, max_trials=1, n_jobs=1, out=out
    )
    new = [*texts[:4], "unheard-of words, in a longer text than any: fine!", "", "éé 😀"]
    pd.DataFrame({"review": new}).to_csv(tmp_path / "new.csv", index=False)
    expected = nw.tasks.predict(out, tmp_path / "new.csv")["probabilities"]
    folder = export(out, "source", tmp_path / "shipped")
    assert "tokenizers" in (folder / "requirements.txt").read_text().splitlines()
    np.testing.assert_allclose(expected, asked(folder, tmp_path / "new.csv"), atol=1e-4)
    np.testing.assert_allclose(expected, Served.open(out).answer(new)["probabilities"], atol=1e-4)
    (folder / "tokenizers.py").write_text("raise ImportError")
    done = subprocess.run(
        [sys.executable, folder / "predict.py", tmp_path / "new.csv"], capture_output=True, text=True, check=False
    )
    assert (2, "error: the texts are cut by byte pairs, which needs tokenizers: pip install tokenizers\n") == (
        done.returncode, done.stderr,
    )  # fmt: skip


def test_an_estimator_by_byte_pairs(quick: None) -> None:
    """The classifier takes the way to cut as scikit-learn's parameters go."""
    pytest.importorskip("tokenizers")
    texts, labels = reviews(64)
    search = nw.TextClassifier(tokens="bpe", max_trials=1, n_jobs=1)
    assert "bpe" == search.get_params()["tokens"]
    search.fit(texts, labels, eval_set=(texts[:16], labels[:16]))
    assert (2, 2) == search.predict_proba(["a fine film", ""]).shape
    assert "byte pairs" in (search.out_ / "best" / "card.md").read_text()


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


def test_a_single_text_is_no_list_of_them() -> None:
    """Nor is it a file, however long it is."""
    search = nw.TextClassifier()
    search.best_, search._predictor = None, SimpleNamespace(preprocessing={})
    with pytest.raises(InputError, match="predict takes a list of texts, or the path of a file, found 'it was good"):
        search.predict("it was good " * 400)


def test_a_network_that_was_trained_on_a_list_reads_the_longest_column() -> None:
    """Of a frame, which has names that it never saw."""
    constants = text.learn(text.take(["good film", "bad film"]))
    frame = pd.DataFrame({"who": ["A. Critic"], "review": ["a good film, a good one"]})
    np.testing.assert_array_equal(text.apply(constants, frame), text.apply(constants, ["a good film, a good one"]))
