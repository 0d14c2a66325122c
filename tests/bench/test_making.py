"""Tables are made whole, of what was trained alone, and go on after any death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import netwright as nw
from netwright.bench.making import functions, make_table, usual_recipe
from netwright.errors import InputError, ResourceError
from netwright.evaluators.tables import Table, open_table
from netwright.training.data import Data
from netwright.training.loop import credits, train_network
from netwright.training.recipes import Recipe
from netwright.training.splits import split

RECIPE = Recipe(batch_size=32, lr=0.05, schedule="constant")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """A training is the same only for the same number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Net(nn.Module):
    """Six networks that are five functions: ReLU after ReLU is ReLU."""

    def __init__(self, input_shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        width = nw.choose("width", 2, 4)
        self.hidden = nn.Sequential(nn.Linear(input_shape[0], width), nn.ReLU())
        self.again = nw.one_of("again", none=nn.Identity, relu=nn.ReLU, tanh=nn.Tanh)
        self.head = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.head(self.again(self.hidden(x)))
        return outputs


def function_of(architecture: Any) -> tuple[Any, ...]:
    again = architecture["again"]
    return architecture["width"], "none" if again == "relu" and architecture["width"] == 4 else again


def toy_data() -> Data:
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    X = rng.normal(size=(120, 3)) + 1.5 * np.eye(3)[y]
    return Data(X.astype(np.float32), y.astype(np.int64), ("a", "b", "c"))


def make(out: Path, network: Any = Net, **options: Any) -> Table:
    data = toy_data()
    parts = split(data.y, 0, test=0.3, selection=0, validation=0.4)
    given = {"epochs": (1, 3), "seeds": 2, "recipe": RECIPE, "executor": "in_process", **options}
    space = nw.SearchSpace(network, input_shape=data.input_shape, classes=3)
    return make_table(space, data, split=parts, out=out, **{"same": function_of, **given})


def same_numbers(a: Table, b: Table) -> bool:
    """All but seconds."""
    exact = [name for name in a.columns if not name.startswith(("cost", "latency"))]
    return (a.choices == b.choices).all() and all(
        np.array_equal(a.column(name).values, b.column(name).values, equal_nan=True) for name in exact
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, Path]:
    """A table of all six, made without a stop."""
    out = tmp_path_factory.mktemp("made") / "toy.npz"
    return make(out), out


def test_a_table_has_a_column_for_each_metric_and_epoch(made: tuple[Table, Path]) -> None:
    """And reads the same from its file."""
    table, out = made
    names = [f"{what}@{epoch}" for what in ("val_accuracy", "test_accuracy", "train_loss", "cost") for epoch in (1, 3)]
    assert [*names, "params", "macs", "latency_ms"] == list(table.columns)
    again = open_table(out)
    assert same_numbers(table, again)
    assert np.array_equal(table.column("latency_ms").values, again.column("latency_ms").values)


def test_functions_are_groups_of_the_same(made: tuple[Table, Path]) -> None:
    """The first of each, as the space enumerates them, is the one that is trained."""
    space = made[0].space
    groups = functions(space, function_of)
    assert [1, 1, 1, 2, 1] == [len(group) for group in groups]
    assert list(space.enumerate()) == [row for group in functions(space) for row in group]


def test_networks_that_are_one_function_share_their_scores(made: tuple[Table, Path]) -> None:
    """Every architecture has a row."""
    table, _ = made
    assert set(table.space.enumerate()) == set(table.architectures())
    twins = [row for row in table.architectures() if function_of(row) == (4, "none")]
    values = [table.value(row, "val_accuracy", fidelity=3) for row in twins]
    assert 2 == len(values)
    assert values[0] == values[1]


def test_a_number_is_that_of_a_training_by_hand(made: tuple[Table, Path]) -> None:
    """Same seed, same recipe, same split; the first epoch of three as well, whose schedule is constant here."""
    from netwright.study.driver import trial_seed

    table, _ = made
    data = toy_data()
    parts = split(data.y, 0, test=0.3, selection=0, validation=0.4)
    row = next(iter(table.space.enumerate()))
    for seed in (0, 1):
        for epochs in (1, 3):
            torch.manual_seed(trial_seed(seed, 0))
            network = table.space.build(row)
            train_network(network, data, parts.train, RECIPE, seed=trial_seed(seed, 0), epochs=epochs)
            for name, part in (("val_accuracy", parts.validation), ("test_accuracy", parts.test)):
                expected = credits(network, data.X[part], data.y[part]).mean()
                assert pytest.approx(expected, rel=1e-6) == table.value(row, name, fidelity=epochs, seed=seed)


def test_costs_are_those_of_the_row_itself(made: tuple[Table, Path]) -> None:
    """Counted by hand: 3 inputs, the width, 3 classes."""
    table, _ = made
    for row in table.architectures():
        width = row["width"]
        assert (3 + 1) * width + (width + 1) * 3 == table.value(row, "params", fidelity=None)
        assert 3 * width + width * 3 == table.value(row, "macs", fidelity=None)


def test_seconds_grow_with_the_epochs(made: tuple[Table, Path]) -> None:
    """The table's clock reads them as the seconds of its scores."""
    table, _ = made
    row = table.architecture(0)
    assert 0 < table.seconds(row, "val_accuracy", fidelity=1) < table.seconds(row, "val_accuracy", fidelity=3)


KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
from test_making import make, one_thread
import torch
torch.set_num_threads(1)
from pathlib import Path
make(Path(sys.argv[2]))
"""


def test_a_making_that_was_killed_goes_on(made: tuple[Table, Path], tmp_path: Path) -> None:
    """SIGKILL in the second seed's third training; the same call then gives the table of a making without a stop."""
    out = tmp_path / "toy.npz"
    arguments = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NETWRIGHT_FAILPOINT": "after_evaluate:8"}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert -signal.SIGKILL == done.returncode, done.stderr
    assert not out.exists()
    trained: list[int] = []
    table = make(out, watch=lambda progress: trained.append(progress.ended.number) if progress.ended else None)
    # Of the first seed nothing, of the second what was lost and what was to come; then six costs.
    assert [2, 3, 4, *range(6)] == trained
    assert same_numbers(made[0], table)


def test_what_was_made_is_not_made_again(made: tuple[Table, Path]) -> None:
    """Another seed is added to those that are there; a limit leaves the rest out, and needs no training."""
    _, out = made
    ended: list[int] = []
    table = make(out, seeds=3, watch=lambda progress: ended.append(progress.ended.number) if progress.ended else None)
    assert list(range(5)) == ended
    assert (6, 3) == table.column("val_accuracy@3").values.shape
    few = make(out.with_name("few.npz"), seeds=1, limit=2)
    assert 2 == len(few) == few.space.size
    assert same_numbers(few, open_table(out.with_name("few.npz")))


def test_another_making_in_the_same_place_is_refused(made: tuple[Table, Path]) -> None:
    """It names what differs."""
    with pytest.raises(InputError, match=r"was begun with another epochs \(\[1, 3\], now \[1, 2\]\), recipe"):
        make(made[1], epochs=(1, 2))


def test_a_file_of_no_making_is_not_overwritten(made: tuple[Table, Path], tmp_path: Path) -> None:
    """Nothing is trained; a finished making may be called again."""
    out = tmp_path / "dear.npz"
    out.write_text("dear")
    with pytest.raises(InputError, match=r"there is a file .*dear\.npz already.*Choose another --out or remove it"):
        make(out)
    assert "dear" == out.read_text()
    assert [out] == list(tmp_path.iterdir())
    before = made[1].read_bytes()
    make(made[1], seeds=2)
    assert before[:4] == made[1].read_bytes()[:4]


def test_a_place_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    """Before anything is trained."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match=r"cannot write .*file/toy\.making: Not a directory"):
        make(tmp_path / "file" / "toy.npz")


class Conditional(Net):
    """Asks for a slope only where there is one."""

    def __init__(self, input_shape: tuple[int, ...], classes: int) -> None:
        super().__init__(input_shape, classes)
        self.last = nw.one_of("last", none=nn.Identity, leaky=lambda: nn.LeakyReLU(nw.choose("slope", 0.1, 0.2)))


def test_a_space_with_conditions_is_refused(tmp_path: Path) -> None:
    """Before anything is trained: the file could not say when a decision is asked."""
    with pytest.raises(InputError, match="a table's decisions are always asked, 'slope' of the space Conditional"):
        make(tmp_path / "toy.npz", Conditional)
    assert [] == list(tmp_path.iterdir())


class Frail(Net):
    """Cannot compute with tanh."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if isinstance(self.again, nn.Tanh):
            raise ArithmeticError("no tanh")
        return super().forward(x)


def test_an_architecture_that_cannot_be_trained_has_no_row(tmp_path: Path) -> None:
    """And the table's space knows: it draws only what has one."""
    table = make(tmp_path / "frail.npz", Frail, epochs=(1,), seeds=1)
    assert {"none", "relu"} == {row["again"] for row in table.architectures()}
    assert 4 == len(table) == table.space.size
    assert table.about["functions"].startswith("3 trained, 2 failed")


def test_regression_is_scored_by_r2(tmp_path: Path) -> None:
    """In the target's own units: a linear target is fitted almost perfectly."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)).astype(np.float32)
    y = (X @ np.array([3.0, -2.0, 1.0]) * 50 + 700).astype(np.float32)
    data = Data(X, y)

    def network(input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        return nn.Sequential(nw.one_of("norm", no=nn.Identity, yes=lambda: nn.BatchNorm1d(3)), nn.Linear(3, outputs))

    space = nw.SearchSpace(network, input_shape=(3,), outputs=1)
    parts = split(y, 0, test=0.3, selection=0, validation=0.4)
    recipe = usual_recipe(data).replace(lr=0.1, batch_size=16)
    table = make_table(
        space, data, split=parts, epochs=(20,), recipe=recipe, out=tmp_path / "line.npz", executor="in_process"
    )
    assert table.column("test_r2@20").mean.min() > 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": ()}, "epochs are whole numbers of at least 1"),
        ({"epochs": (0, 2)}, "epochs are whole numbers of at least 1"),
        ({"seeds": 0}, "seeds is a whole number of at least 1, found 0"),
        ({"limit": 0}, "limit is a whole number of at least 1, found 0"),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """Before a folder is made."""
    with pytest.raises(InputError, match=message):
        make(tmp_path / "toy.npz", **options)
    assert [] == list(tmp_path.iterdir())


def test_a_table_is_an_npz(tmp_path: Path) -> None:
    """Another name is refused, with the right one."""
    with pytest.raises(InputError, match=r"Call it toy\.csv\.npz"):
        make(tmp_path / "toy.csv")


def test_a_space_without_end_is_refused(tmp_path: Path) -> None:
    """A continuous range has no table."""

    def network(input_shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Sequential(nn.Dropout(nw.choose("dropout", low=0.0, high=0.5)), nn.Linear(3, classes))

    with pytest.raises(InputError, match="Fix some decisions or give ranges a step"):
        make(tmp_path / "toy.npz", network, same=None)
