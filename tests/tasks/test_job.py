"""The main job: from data to a network, its folder and its answers."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tasks.conftest import Searched, save

from netwright import tasks
from netwright.cli.app import run
from netwright.errors import InfeasibleError, InputError
from netwright.strategies import STRATEGIES
from netwright.tasks import job
from netwright.tasks.job import configuration
from netwright.tasks.prediction import Predictor
from netwright.tasks.preprocessing import apply
from netwright.tasks.readers import from_arrays
from netwright.tasks.shipping import export
from netwright.testing.toy import blobs, plane
from netwright.training.splits import split

TRIAL = {
    *("number", "architecture", "budget", "state", "metrics", "params", "macs", "error", "seconds", "inherits"),
}  # fmt: skip

WITHOUT_US = """
import runpy, sys
import numpy as np, torch

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "netwright":
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
torch.set_num_threads(1)
folder, inputs, outputs = sys.argv[1:]
model = runpy.run_path(folder + "/model.py")
with torch.no_grad():
    np.save(outputs, model["load"]()(torch.from_numpy(np.load(inputs))).numpy())
runpy.run_path(folder + "/model.py", run_name="__main__")
"""


def preprocessing_of(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / "best" / "manifest.json").read_text())
    constants: dict[str, Any] = manifest["extra"]["preprocessing"]
    return constants


# ---- what is left behind


def test_the_folder(searched: Searched) -> None:
    """It holds the study and the network, and no lock, no log and no half-written file."""
    files = {path.name for path in searched.folder.iterdir() if path.is_file()}
    assert files - {"study.db-wal", "study.db-shm"} >= {"study.db", "study.head"}
    assert {path.name for path in (searched.folder / "best").iterdir()} == {
        "model.py", "weights.safetensors", "architecture.json", "card.md", "manifest.json",
    }  # fmt: skip
    assert list(searched.folder.rglob("*tmp*")) == []


def test_the_network_runs_without_us(searched: Searched, tmp_path: Path) -> None:
    """``python best/model.py`` prints a shape where Netwright cannot be imported, and the outputs are those here."""
    best = searched.folder / "best"
    inputs = apply(preprocessing_of(searched.folder), searched.X)
    np.save(tmp_path / "inputs.npy", inputs)
    done = subprocess.run(
        [sys.executable, "-I", "-c", WITHOUT_US, best, tmp_path / "inputs.npy", tmp_path / "outputs.npy"],
        capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "(1, 2)\n"
    ours = Predictor.open(searched.folder).outputs(searched.X)
    np.testing.assert_allclose(ours, np.load(tmp_path / "outputs.npy"), atol=1e-5)


def test_the_source_imports_torch_alone(searched: Searched) -> None:
    """Plain PyTorch: torch, and safetensors for its weights."""
    text = (searched.folder / "best" / "model.py").read_text()
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", text, re.MULTILINE))
    assert imported - set(sys.stdlib_module_names) <= {"torch", "safetensors"}


def test_the_card(searched: Searched) -> None:
    """It tells data, split, score with its interval, costs, seeds, versions and the command."""
    card = (searched.folder / "best" / "card.md").read_text()
    winner, rival = searched.outcome.winner, searched.outcome.baseline
    sizes = split(searched.y, 0)
    for expected in (
        str(searched.source),
        "| Examples | 96 |",
        *(f"| Split: {name} | {len(getattr(sizes, name))} |" for name in ("train", "validation", "selection", "test")),
        f"{winner.score:.4f} ({winner.low:.4f} to {winner.high:.4f})",
        f"{rival.score:.4f} ({rival.low:.4f} to {rival.high:.4f})",
        f"| parameters | {winner.params:,} | {rival.params:,} |",
        f"| multiply-accumulates | {winner.macs:,} | {rival.macs:,} |",
        "| Seed: study, split and search | 0 |",
        "| Seed: this network | 1000 |",
        f"| Refitted with seeds | {', '.join(map(str, winner.seeds))} |",
        f"| torch | `{torch.__version__}` |",
        f"| python | `{platform.python_version()}` |",
        f"`netwright search {searched.source} --max-trials 4`",
        searched.outcome.text_of_verdict.replace("|", "\\|"),
    ):
        assert expected in card


# ---- answers


def test_the_outcome_for_programs(searched: Searched) -> None:
    """The JSON object has the published keys, no more and no less, and survives JSON."""
    value = searched.outcome.to_value()
    assert value == json.loads(json.dumps(value, allow_nan=False))
    assert list(value) == [
        "out", "metric", "test", "baseline", "best", "verdict", "trials", "failed", "reused", "seconds",
    ]  # fmt: skip
    assert set(value["test"]) == {"score", "low", "high"}
    assert set(value["baseline"]) == {"name", "score", "low", "high", "params", "macs", "seconds"}
    assert set(value["best"]) == TRIAL
    assert set(value["verdict"]) == {"result", "text"}
    assert (value["metric"], value["trials"], value["failed"], value["baseline"]["name"]) == (
        "accuracy",
        4,
        0,
        "digits",
    )
    assert 0 <= value["test"]["low"] <= value["test"]["score"] <= value["test"]["high"] <= 1


def test_show(searched: Searched) -> None:
    """The study as an object: its state, every trial, the best of them and the front."""
    value = tasks.show(searched.folder)
    assert value == json.loads(json.dumps(value, allow_nan=False))
    assert list(value) == ["study", "trials", "best", "pareto"]
    assert value["study"] == {
        "name": "spots", "state": "done", "seed": 0, "parallel": 4, "space": "CompactImages", "metric": "val_accuracy",
        "chosen": searched.outcome.best.number,
    }  # fmt: skip
    assert [set(trial) for trial in value["trials"]] == [TRIAL] * 4
    assert [trial["number"] for trial in value["trials"]] == [0, 1, 2, 3]
    scores = [trial["metrics"]["val_accuracy"] for trial in value["trials"]]
    assert value["best"]["number"] == scores.index(max(scores))
    assert value["best"]["number"] in value["pareto"]


def test_the_verdict(searched: Searched) -> None:
    """One sentence that begins with the result and names the baseline, the difference and its interval."""
    outcome = searched.outcome
    assert outcome.verdict in ("better", "equal", "worse", "undecided")
    assert outcome.text_of_verdict.lower().startswith(outcome.verdict)
    assert "the baseline digits" in outcome.text_of_verdict
    assert "95 % interval" in outcome.text_of_verdict
    assert outcome.text_of_verdict in outcome.text()


def test_predict(searched: Searched, tmp_path: Path) -> None:
    """Labels as they were given, with the classes and their probabilities, for each row of a file."""
    value = tasks.predict(searched.folder, save(tmp_path / "new.npz", X=searched.X))
    assert set(value) == {"predictions", "classes", "probabilities"}
    assert (value["classes"], len(value["predictions"])) == ([0, 1], 96)
    np.testing.assert_allclose(np.sum(value["probabilities"], axis=1), np.ones(96))
    assert np.mean(np.array(value["predictions"]) == searched.y) > 0.9
    assert value["predictions"] == np.argmax(value["probabilities"], axis=1).tolist()


@pytest.mark.parametrize("rows", [1, 3])
def test_predict_any_number_of_rows(searched: Searched, tmp_path: Path, rows: int) -> None:
    """A row's answer does not depend on the rows beside it."""
    some = tasks.predict(searched.folder, save(tmp_path / "some.npz", X=searched.X[:rows]))
    everything = tasks.predict(searched.folder, searched.source)
    np.testing.assert_allclose(some["probabilities"], everything["probabilities"][:rows], atol=1e-6)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 1, 5, 6), np.float32), r"\(5, 6\)|5×6|\(1, 5, 6\)"),
        (np.full((3, 1, 6, 6), np.nan, np.float32), "NaN"),
        (np.zeros((0, 1, 6, 6), np.float32), "no rows|0 sample"),
    ],
)
def test_predict_refuses(searched: Searched, tmp_path: Path, array: np.ndarray, message: str) -> None:
    """Another size, missing values and nothing at all are refused in one line."""
    with pytest.raises(InputError, match=message) as caught:
        tasks.predict(searched.folder, save(tmp_path / "wrong.npz", X=array))
    assert "\n" not in str(caught.value)


def test_export_the_source(searched: Searched, tmp_path: Path) -> None:
    """A folder with the same source and weights."""
    written = export(searched.folder, "source", tmp_path / "source")
    for name in ("model.py", "weights.safetensors"):
        assert (searched.folder / "best" / name).read_bytes() == (written / name).read_bytes()


@pytest.mark.parametrize(
    ("verb", "keys"),
    [
        ("show RUN", {"study", "trials", "best", "pareto"}),
        ("predict RUN DATA", {"predictions", "classes", "probabilities"}),
        ("export RUN --to source --out NEW", {"out", "format", "model", "bytes", "difference", "rows", "seconds"}),
        ("export RUN --to tflite", {"error"}),
        ("predict NEW DATA", {"error"}),
    ],
)
def test_the_command_line_for_programs(
    searched: Searched, tmp_path: Path, capfd: pytest.CaptureFixture[str], verb: str, keys: set[str]
) -> None:
    """One JSON object with the published keys, and nothing else; an error is exit code 2 and one."""
    places = {"RUN": searched.folder, "DATA": searched.source, "NEW": tmp_path / "new"}
    code = run([*(str(places.get(word, word)) for word in verb.split()), "--json"])
    value = json.loads(capfd.readouterr().out)
    assert (set(value), code) == (keys, 2 if "error" in keys else 0)


@pytest.mark.parametrize("verb", [lambda folder: tasks.predict(folder, "digits"), tasks.show, tasks.resume])
def test_a_folder_that_is_no_study(tmp_path: Path, verb: Any) -> None:
    """It is refused by its name."""
    with pytest.raises(InputError, match=f"{tmp_path.name} is no study"):
        verb(tmp_path)


def test_the_folder_is_not_written_over(searched: Searched) -> None:
    """A second search into the same folder names the command that goes on."""
    with pytest.raises(InputError, match=f"holds a study already.*netwright resume {searched.folder}"):
        tasks.search(searched.source, max_trials=1, out=searched.folder)


# ---- limits


def test_images_may_cost_half_of_the_baseline(searched: Searched) -> None:
    """Without a limit of one's own, at most half of its multiplications; nothing over it was trained."""
    limit = configuration(searched.folder)["constraints"]
    assert limit == {"macs": searched.outcome.baseline.macs // 2}
    trained = [trial for trial in tasks.show(searched.folder)["trials"] if trial["state"] == "finished"]
    assert trained
    assert max(trial["macs"] for trial in trained) <= limit["macs"]
    assert searched.outcome.winner.macs <= limit["macs"]


@pytest.mark.usefixtures("quick")
def test_nothing_feasible(tmp_path: Path) -> None:
    """The error names what comes nearest, and no folder is left."""
    X, y = blobs(32)
    with pytest.raises(InfeasibleError, match=r"params.*[Nn]ear|[Nn]ear.*params") as caught:
        tasks.search(X, y, max_trials=2, n_jobs=1, constraints={"params": 1}, out=tmp_path / "none")
    assert caught.value.code == 3
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick")
def test_a_limit_that_no_trial_keeps(tmp_path: Path) -> None:
    """A bound on a score is known after training alone: the search still ends, with the nearest miss."""
    with pytest.raises(InfeasibleError, match=r"none of .* trials meets val_loss ≤ 1e-09; the nearest, trial"):
        tasks.search(*blobs(48), constraints={"val_loss": 1e-9}, max_trials=2, n_jobs=1, out=tmp_path / "run")


@pytest.mark.usefixtures("quick")
def test_a_limit_too_short_for_a_trial(tmp_path: Path) -> None:
    """There is always a network in the end: one trial is waited for, and the least is retrained."""
    outcome = tasks.search(*blobs(48), time_limit=0.001, n_jobs=1, out=tmp_path / "run")
    assert 1 <= outcome.trials <= 4
    assert (outcome.winner.seeds, tasks.show(tmp_path / "run")["study"]["state"]) == ((1000,), "done")


@pytest.mark.usefixtures("quick")
def test_a_final_network_that_had_no_time_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a training that was cut short the warning has both numbers of epochs; of a whole one there is none."""
    whole = tasks.search(*blobs(48), max_trials=1, n_jobs=1, out=tmp_path / "whole")
    assert [] == [word for word in whole.warnings if "final network" in word]
    monkeypatch.setattr(job, "_schedule", lambda *arguments: job.Schedule(epochs=400, trial_epochs=2))
    hurried = tasks.search(*blobs(48), time_limit=0.001, n_jobs=1, out=tmp_path / "hurried")
    told = [
        re.fullmatch(r"The final network was trained for (\d+) of (\d+) epochs.*", word) for word in hurried.warnings
    ]
    trained, planned = map(int, next(match for match in told if match).groups())
    assert 1 <= trained < planned / 2


# ---- data


def test_the_split(searched: Searched) -> None:
    """Its parts are disjoint, are everything together, and hold the classes in their proportions."""
    with np.load(searched.folder / "data" / "split.npz") as arrays:
        parts = {name: arrays[name] for name in arrays.files}
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(96))
    for part in parts.values():
        assert abs(int((searched.y[part] == 0).sum()) - int((searched.y[part] == 1).sum())) <= 1


@pytest.mark.usefixtures("quick")
def test_regression(tmp_path: Path) -> None:
    """Answers are in the target's own unit; outliers in the test part change no constant of the preprocessing."""
    X, y = plane(240)
    y = 1000 + 50 * y.astype(np.float64)
    parts = split(y, 0, stratify=False)
    X[parts.test[0]], y[parts.test[1]] = 1e6, 1e9
    source = save(tmp_path / "plane.npz", X=X, y=y)
    outcome = tasks.search(source, task="regression", max_trials=2, n_jobs=1, out=tmp_path / "run")
    assert (outcome.metric, outcome.baseline.name) == ("r2", "tables")
    known = parts.development
    constants = preprocessing_of(tmp_path / "run")["inputs"]["numbers"]
    means = [column["mean"] for column in constants]
    np.testing.assert_allclose(X[known].mean(0), means, rtol=1e-4)
    answers = np.array(tasks.predict(tmp_path / "run", source)["predictions"])
    assert abs(np.median(answers[known]) - np.median(y[known])) < 50
    assert np.corrcoef(answers[known], y[known])[0, 1] > 0.5


@pytest.mark.usefixtures("quick")
def test_a_test_set_of_ones_own(tmp_path: Path) -> None:
    """It alone is the test part: nothing of the rest is held out, and the interval is of its size."""
    (X, y), (X_test, y_test) = blobs(48), blobs(20, seed=1)
    source = save(tmp_path / "both.npz", X=X, y=y, X_test=X_test, y_test=y_test)
    outcome = tasks.search(source, max_trials=1, n_jobs=1, out=tmp_path / "run")
    assert outcome.winner.examples.shape[1] == 20
    with np.load(tmp_path / "run" / "data" / "split.npz") as arrays:
        assert len(arrays["test"]) == 0
    assert "| Split: test | 20 |" in (tmp_path / "run" / "best" / "card.md").read_text()
    answers = tasks.predict(tmp_path / "run", source)["predictions"]
    assert len(answers) == 20  # of a source with a test part, that part


@pytest.mark.usefixtures("quick")
def test_a_table_from_a_file(tmp_path: Path) -> None:
    """Numbers, categories and missing values to labels as they stand in the file."""
    rng = np.random.default_rng(0)
    rows = ["size,colour,kind"]
    for index in range(80):
        kind = ("pear", "apple")[index % 2]
        size = "" if index % 9 == 0 else f"{rng.normal(index % 2 * 4, 1):.3f}"
        colour = "" if index % 11 == 0 else (("green", "yellow"), ("red", "green"))[index % 2][index % 3 == 0]
        rows.append(f"{size},{colour},{kind}")
    (tmp_path / "fruit.csv").write_text("\n".join(rows) + "\n")
    tasks.search(tmp_path / "fruit.csv", target="kind", max_trials=2, n_jobs=1, out=tmp_path / "run")
    (tmp_path / "new.csv").write_text("colour,size,note\nred,4.1,a\n,,b\nblue,-0.2,c\n")
    value = tasks.predict(tmp_path / "run", tmp_path / "new.csv")
    assert value["classes"] == ["apple", "pear"]
    assert set(value["predictions"]) <= {"apple", "pear"}
    (tmp_path / "bad.csv").write_text("colour\nred\n")
    with pytest.raises(InputError, match="size"):
        tasks.predict(tmp_path / "run", tmp_path / "bad.csv")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_goes_the_whole_way(tmp_path: Path, name: str) -> None:
    """From rows to a network on disk, two finalists judged, and again where it was."""
    X, y = plane(80)
    search = {"space": "compact-tables", "strategy": name, "max_trials": 4, "n_jobs": 1, "out": tmp_path / "run"}
    outcome = tasks.search(X, y, **search)
    assert outcome.trials >= 4
    assert (tmp_path / "run" / "best" / "model.py").is_file()
    again = tasks.resume(tmp_path / "run")
    assert (again.winner.score, again.best.number) == (outcome.winner.score, outcome.best.number)


@pytest.mark.parametrize(
    ("rows", "batch"), [(20, 16), (150, 16), (319, 16), (320, 32), (700, 64), (1279, 64), (1280, 128), (10**6, 128)]
)
def test_few_rows_have_small_batches(rows: int, batch: int) -> None:
    """At least ten steps an epoch where batches of sixteen allow it; none larger than the recipe says."""
    assert job._recipe("tables", "tables", True, False, 3, rows).batch_size == batch
    assert job._recipe("text", "text", True, False, 3, rows).batch_size == min(batch, 64)
    assert job._recipe("series", "series", True, False, 3, rows).batch_size == 16


@pytest.mark.parametrize(
    ("rows", "seconds", "epochs"),
    [
        (160, 0.1, 16),  # 40 s of search are 20 trials of 20 epochs, but a trial has two thirds of the usual 24
        (160, 1.0, 6),  # of 20 trials 2 epochs each tell nothing: 60 steps are 6 epochs
        (160, 2.0, 4),  # and at least 5 trials there are
        (160, 40.0, 1),
        (16_000, 1.0, 2),  # 2 epochs are more than 60 steps
    ],
)
def test_trials_have_enough_steps_to_tell(rows: int, seconds: float, epochs: int) -> None:
    """Of few rows rather a few trials that have learnt something than many that guess."""
    loaded = from_arrays(np.zeros((rows, 4)) + np.arange(rows)[:, None], np.arange(rows) % 2)
    assert job._schedule("audio", loaded, 80.0, 1, "cpu", seconds).trial_epochs == epochs
