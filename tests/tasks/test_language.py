"""Language: from a text to windows, to a recurrent cell that was searched, to a text that goes on."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tasks.conftest import hurry
from torch.nn import functional

from netwright import tasks
from netwright.errors import DataError, InputError, Interrupted
from netwright.study import selection
from netwright.tasks import language, pacing
from netwright.tasks.language import Text
from netwright.tasks.language_model import LanguageModel
from netwright.tasks.readers import read
from netwright.tasks.spaces import find_space
from netwright.zoo.baselines import LanguageLSTM

WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "then", "ran")


def story(count: int = 900, seed: int = 0) -> str:
    """Sentences of words in any order: within a word much can be predicted."""
    rng = np.random.default_rng(seed)
    chosen = [WORDS[place] for place in rng.integers(len(WORDS), size=count)]
    return " ".join(
        word + ("." * (place % 12 == 11)) + ("\n" * (place % 36 == 35)) for place, word in enumerate(chosen)
    )


@dataclass(frozen=True)
class Found:
    """A search with the command of Zoph and Le's, and what it printed."""

    folder: Path
    outcome: tasks.Outcome


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Three trials of the controller on a small text."""
    place = tmp_path_factory.mktemp("language")
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        text = Text.of(story(1500), window=16)
        outcome = tasks.search(text, task="language", strategy="reinforce", max_trials=3, n_jobs=1, out=place / "study")
    return Found(place / "study", outcome)


def constants(text: str, **options: Any) -> tuple[Text, dict[str, Any]]:
    """A text cut up, and the constants of all of it."""
    cut = Text.of(text, **options)
    return cut, language.learn(cut)


def test_windows_and_what_follows() -> None:
    """A window holds the tokens one after the other, and its target at each place is the next one of the text."""
    text = story()
    cut, known = constants(text, window=8)
    X, y = language.apply(known, cut), language.targets(known, cut)
    name = known["tokens"].__getitem__
    assert text[: len(cut) * 8] == "".join(name(int(number)) for number in X.ravel())
    assert text[1 : len(cut) * 8 + 1] == "".join(name(int(number)) for number in y.ravel())
    assert np.float32 == X.dtype


def test_the_parts_are_blocks_in_order() -> None:
    """Training first, the test last, and every window in one of them."""
    cut = Text.of(story(), window=8)
    parts = language.split(cut, 0, False)
    blocks = (parts.train, parts.validation, parts.selection, parts.test)
    assert list(range(len(cut))) == [int(place) for block in blocks for place in block]
    assert 0.2 == pytest.approx(len(parts.test) / len(cut), abs=0.01)


def test_a_long_text_is_judged_on_a_part() -> None:
    """No more windows than the memory for their scores allows; what is left over is for training."""
    cut = Text(np.zeros(4_000_001, dtype=np.int32), tuple(map(str, range(100))), 64)
    parts = language.split(cut, 0, False)
    assert {language.JUDGED_VALUES // 6400} == {len(parts.validation), len(parts.selection), len(parts.test)}
    assert len(cut) == len(parts)


def test_tokens_are_learned_where_it_is_said() -> None:
    """A character of the test part alone is the unknown one."""
    cut = Text.of("ab" * 400 + "z" * 10 + "ab" * 10, window=4)
    known = language.learn(cut, language.split(cut, 0, False).development)
    assert [language.UNKNOWN, "a", "b"] == known["tokens"]
    assert {0, 1, 2} == set(language.apply(known, cut).ravel().tolist())


def test_new_texts_end_where_they_end() -> None:
    """All of a text in windows of which the last is full; of several texts the end of each; unknown ones are 0."""
    _, known = constants("ab\n" * 100, window=4)
    line, a, b = 1, 2, 3
    assert [[line, line, line, a], [b, a, b, a]] == language.apply(known, "ababa").tolist()
    assert [[line, line, b, 0], [a, b, a, b]] == language.apply(known, ["bé", "bababab"]).tolist()


def test_words_are_tokens_where_asked() -> None:
    """Runs of letters, marks and ends of lines; the rarest are left out of a large vocabulary."""
    cut, known = constants("Now, is it?\n" * 40, tokens="words", window=4)
    assert [language.UNKNOWN, "\n", ",", "?", "Now", "is", "it"] == known["tokens"]
    assert "Now , is it ? \n" == language.join(
        known, [known["tokens"][k] for k in language.encode(known, "Now, is it?\n")]
    )
    assert cut.shape == (60 - 1, 4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"To be, or not to be.", r"has 20 characters, .* needs at least 2,049 \(32 windows of 64\)"),
        (b"a" * 5000, "consists of 'a' alone"),
        (b"caf\xe9 " * 900, "is no text in UTF-8: byte 0xe9 at place 3"),
    ],
)
def test_texts_that_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    """In one line, with what is needed."""
    (tmp_path / "corpus.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "corpus.txt", task="language")


def test_a_text_file_is_language(tmp_path: Path) -> None:
    """Without a task, by its name; ends of lines of other systems are one character."""
    (tmp_path / "corpus.txt").write_bytes(story().replace("\n", "\r\n").encode("utf-8-sig"))
    loaded = read(tmp_path / "corpus.txt")
    assert ("language", "tokens") == (loaded.kind, loaded.task)
    assert "\r" not in loaded.preprocessing["inputs"]["tokens"]
    with pytest.raises(InputError, match="--target names a column"):
        read(tmp_path / "corpus.txt", target="words")


def test_the_part_that_fits_into_the_time() -> None:
    """An epoch of a trial on the training part, and three of the last training; all where there is time."""
    assert 1.0 == pacing.share_in_time(10.0, 30.0, 240.0, 0.5)
    assert 0.5 == pacing.share_in_time(120.0, 30.0, 240.0, 0.5)
    assert 0.25 == pacing.share_in_time(100.0, 30.0, 75.0, 0.5)


@pytest.mark.parametrize("params", [5_000, 77_000, 500_000])
def test_an_lstm_of_a_size(params: int) -> None:
    """Its parameters are those asked for, as near as a whole number of units allows."""
    network = LanguageLSTM.of_size(66, params)
    counted = sum(parameter.numel() for parameter in network.parameters())
    hidden = network.lstm.hidden_size
    step = 8 * (2 * hidden + 1) + 8 + 2 * 66
    assert abs(counted - params) <= step / 2 + 1


def test_a_search_reports_an_lstm_of_the_same_size(found: Found) -> None:
    """Beside what it found, by the perplexity on the text's end."""
    outcome = found.outcome
    assert "perplexity" == outcome.metric
    assert outcome.winner.params == pytest.approx(outcome.baseline.params, rel=0.02)
    assert {"node0.combine", "memory.read"} < set(outcome.best.architecture)
    assert 1 < outcome.winner.score < 30
    assert "baseline lstm" in outcome.text()


def test_the_found_cell_is_drawn(found: Found) -> None:
    """As a tree of fifteen nodes in the terminal, as a picture and for Markdown beside the study."""
    assert all(f"n{node} = " in found.outcome.text() for node in range(15))
    assert 15 == (found.folder / "cell.svg").read_text().count("<rect")
    assert 14 == (found.folder / "cell.mmd").read_text().count("-->")


def test_what_comes_next(found: Found, tmp_path: Path) -> None:
    """A token a window with the probabilities of all tokens."""
    (tmp_path / "new.txt").write_text("the cat sat on the ma")
    answer = tasks.predict(found.folder, tmp_path / "new.txt")
    assert 2 == len(answer["predictions"])
    assert [1.0, 1.0] == pytest.approx([sum(row) for row in answer["probabilities"]])
    assert answer["predictions"] == [answer["classes"][int(np.argmax(row))] for row in answer["probabilities"]]


def test_a_search_goes_on(found: Found, tmp_path: Path, quick: None) -> None:
    """With the same space, and another trial."""
    shutil.copytree(found.folder, tmp_path / "study")
    outcome = tasks.resume(tmp_path / "study", max_trials=4, n_jobs=1)
    assert 4 == outcome.trials
    assert outcome.winner.params == found.outcome.winner.params


def test_the_exported_folder_takes_texts(found: Found, tmp_path: Path) -> None:
    """Its program says the same without this package."""
    from netwright.tasks.shipping import write

    (tmp_path / "new.txt").write_text("the cat sat on the ma")
    write(found.folder, "source", tmp_path / "package")
    done = subprocess.run(
        [sys.executable, "predict.py", tmp_path / "new.txt", "--json"],
        cwd=tmp_path / "package", capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    expected = tasks.predict(found.folder, tmp_path / "new.txt")
    assert expected["predictions"] == json.loads(done.stdout)["predictions"]


def test_the_exported_folder_is_trained_again(found: Found, tmp_path: Path) -> None:
    """By its own program on a text, and says the perplexity."""
    from netwright.tasks.shipping import write

    (tmp_path / "corpus.txt").write_text(story())
    write(found.folder, "source", tmp_path / "package")
    done = subprocess.run(
        [sys.executable, "train.py", tmp_path / "corpus.txt", "--epochs", "1", "--out", tmp_path / "again"],
        cwd=tmp_path / "package", capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    assert "training: perplexity" in done.stdout


def test_a_network_of_ones_own(tmp_path: Path) -> None:
    """Gets the size of the vocabulary and the length of a window by their names."""
    (tmp_path / "net.py").write_text(
        "import netwright as nw\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
        "    def __init__(self, vocabulary, context):\n        super().__init__()\n        self.context = context\n"
        "        self.words = nn.Embedding(vocabulary, nw.choose('width', 4, 8))\n"
    )
    _, known = constants(story(), window=8)
    found = find_space(
        f"{tmp_path / 'net.py'}:Net", kind="language", input_shape=(8,), outputs=20, facts=language.facts(known)
    )
    network = found.space.build({"width": 4})
    assert (len(known["tokens"]), 8) == (network.words.num_embeddings, network.context)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    """Fitted on a small text, two trials of the usual space."""
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        return LanguageModel(window=16, max_trials=2, n_jobs=1).fit(story(1500))


def test_the_perplexity_of_a_text(model: LanguageModel) -> None:
    """The exponential of the mean loss, as torch gives it for the windows; less than that of chance."""
    text = story(100, seed=5)
    known = model._constants
    numbers = torch.from_numpy(language.encode(known, text))
    count = (len(numbers) - 1) // 16
    with torch.no_grad():
        outputs = model.network_(numbers[: 16 * count].reshape(count, 16).float())
    loss = functional.cross_entropy(outputs.reshape(16 * count, -1), numbers[1 : 16 * count + 1])
    assert math.exp(loss) == pytest.approx(model.perplexity(text), rel=1e-5)
    assert model.perplexity(text) < len(model.tokens_)
    assert model.score(text) == pytest.approx(-float(loss), rel=1e-5)


def test_generating(model: LanguageModel) -> None:
    """So many characters, the same for the same seed, and at temperature 0 the most probable ones."""
    first = model.generate("the cat ", 30, random_state=1)
    assert 30 == len(first)
    assert first == model.generate("the cat ", 30, random_state=1)
    assert model.predict(["the cat "])[0] == model.generate("the cat ", 1, temperature=0)
    with pytest.raises(InputError, match="a temperature from 0 on"):
        model.generate("a", 3, temperature=-1.0)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "predict takes a list of texts, and there is none in it"),
        (5, "predict takes a list of texts, found 5"),
        ("the cat ", "predict takes a list of texts, found 'the cat '. Put the text into a list"),
        (["the", 5], r"predict takes a list of texts, and X\[1\] is 5"),
    ],
)
def test_what_is_no_list_of_texts(model: LanguageModel, texts: Any, message: str) -> None:
    """Is refused in one line."""
    for ask in (model.predict, model.predict_proba):
        with pytest.raises(InputError, match=message):
            ask(texts)


def test_a_model_whose_search_is_stopped_is_the_best_so_far(
    quick: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It predicts and says how good it is, and has no LSTM beside it."""

    def stopped(*arguments: object, **options: object) -> None:
        raise Interrupted("Stopped by SIGINT while retraining: 0 of 3 trainings kept")

    monkeypatch.setattr(selection, "select", stopped)
    search = LanguageModel(window=16, max_trials=2, n_jobs=1, out=tmp_path / "study")
    with pytest.warns(UserWarning, match="Stopped by SIGINT.*the best network so far is kept"):
        search.fit(story(1500))
    assert search.study_.baseline is None
    assert "Stopped early: the network of trial" in search.study_.text_of_verdict
    assert search.perplexity(story(100, seed=5)) < len(search.tokens_)
    assert 3 == len("".join(search.predict(["the cat", "a", "on the "])))


def test_a_model_begins_with_another_study(quick: None, tmp_path: Path) -> None:
    """Its best is tried first; a dry run is one trial, and callbacks are told of it."""
    told: list[int] = []
    first = LanguageModel(window=16, max_trials=2, n_jobs=1, out=tmp_path / "first").fit(story(1500))
    second = LanguageModel(
        window=16, preset="tiny", dry_run=True, n_jobs=1, start_from=first.out_,
        callbacks=[lambda study, trial: told.append(trial.number)],
    ).fit(story(1500, seed=3))  # fmt: skip
    assert (1, [0]) == (second.study_.trials, told)
    assert first.best_.architecture == second.best_.architecture


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (Path("nope.txt"), "there is no file nope.txt"),
        ("books/nope.txt", r"has 14 characters, .* To read a file give Path\('books/nope.txt'\)"),
        ("A sentence.", r"has 11 characters, .* Give more text"),
    ],
)
def test_a_file_that_is_not_there(tmp_path: Path, text: Any, message: str) -> None:
    """A path says what is missing; a text that may be meant as one, how a path is given."""
    with pytest.raises(InputError, match=message):
        LanguageModel(out=tmp_path / "out").fit(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"out": 3}, "out is the path of a folder or None, found 3"),
        ({"random_state": -1}, "random_state is a whole number from 0 on or None, found -1"),
    ],
)
def test_options_of_a_model_are_refused(options: dict[str, Any], message: str) -> None:
    """As those of the other estimators."""
    with pytest.raises(InputError, match=message):
        LanguageModel(**options).fit(story(1500))


def test_an_estimator_says_what_it_is(model: LanguageModel) -> None:
    """It clones, and what is no text is refused."""
    from sklearn.base import clone

    assert 16 == clone(model).window
    with pytest.raises(TypeError, match=r"LanguageModel has no parameter 'windows': did you mean 'window'\?"):
        LanguageModel(windows=16)  # type: ignore[call-arg]
    with pytest.raises(DataError, match="learns from a text, found list"):
        LanguageModel().fit(["a", "b"])
