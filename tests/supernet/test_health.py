"""Health: a planted collapse is found, ends the training and is undone; a healthy search is left alone."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pytest
import torch
from torch import nn

import netwright as nw
from netwright import zoo
from netwright.statistics import RankCorrelation
from netwright.strategies.oneshot import DARTS, PCDARTS, SPOS, Costs, OneShot
from netwright.supernet import Supernet
from netwright.supernet.health import Health, entropy, mixture, skip_connections
from netwright.supernet.operations import OperationTable
from netwright.supernet.penalties import Added
from netwright.supernet.relaxations import HardGumbel, Softmax
from netwright.training.data import Data

OPTIONS = ("fc", "deep", "skip")


class Row(nn.Module):
    """Six layers of three options, the last of which is a skip connection."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(*(self.layer(f"op{place}") for place in range(6)))
        self.head = nn.Linear(4, 3)

    @staticmethod
    def layer(name):
        deep = lambda: nn.Sequential(nn.Linear(4, 4), nn.Tanh())  # noqa: E731
        return nw.one_of(name, fc=lambda: nn.Linear(4, 4), deep=deep, skip=nn.Identity)

    def forward(self, x):
        return self.head(self.body(x))


class Node(nn.Module):
    """A node that takes five of six states, each through a layer of its own."""

    def __init__(self):
        super().__init__()
        self.stem, self.head = nn.Conv2d(1, 8, 1), nn.Linear(8, 3)
        self.pick = nw.inputs("node", 6, pick=5)
        self.edges = self.pick.each(lambda place: self.edge(f"edge{place}"))

    @staticmethod
    def edge(name):
        conv = lambda: nn.Conv2d(8, 8, 1, bias=False)  # noqa: E731
        return nw.one_of(name, conv=conv, other=lambda: nn.Conv2d(8, 8, 1), skip=nn.Identity)

    def forward(self, x):
        x = self.stem(x)
        return self.head(self.pick([x, -x, x.relu(), x.tanh(), x.sin(), x.cos()], self.edges).mean((2, 3)))


def rows_of(count, shape):
    """Examples whose class is plain."""
    X = np.random.default_rng(0).normal(size=(count, *shape)).astype(np.float32)
    flat = X.reshape(count, -1)
    return Data(X, (flat[:, 0] > 0).astype(np.int64) + (flat[:, 1] > 0), ("a", "b", "c"))


def pulled(supernet):
    """A price on parameters that is all that counts: the cheapest options are the skip connections."""
    return Costs([(OperationTable.parameters(supernet), Added(10.0, weight=1e4))])


def rate(numbers):
    return torch.optim.Adam(numbers, 0.02)


class Watched:
    """A search whose first choice is the first option of all, and its numbers at the end of each epoch."""

    def __init__(self, network, method, shape, **options):
        space = nw.SearchSpace(network)
        self.search = OneShot(space, method, rows_of(240, shape), epochs=16, numbers_optimizer=rate, **options)
        self.numbers = []
        _ = self.search.supernet
        with torch.no_grad():
            for row in self.search.method.relaxation.alpha:
                row[0] = 1.0

    def fit(self):
        self.search.fit(watch=lambda _: self.numbers.append(self.now()))
        return self

    def now(self):
        return [numbers.detach().clone() for numbers in self.search.method.relaxation.parameters()]


@pytest.fixture(scope="module")
def collapsed():
    return Watched(Row, DARTS(), (4,), hardware=pulled).fit()


def test_a_planted_collapse_ends_the_training_after_three_epochs(collapsed):
    """The first three epochs in a row whose skip connections chance does not explain are the last."""
    search = collapsed.search
    unlikely = [entry["chance"] < 0.01 for entry in search.health.epochs]
    first = unlikely.index(True)
    assert 1 <= first
    assert unlikely == [False] * first + [True] * 3
    assert len(search.losses) == first + 3 < search.epochs
    assert search.finished
    assert search.stopped == "collapsed into skip connections: 6 of 6 of what is derived, for 3 epochs " + (
        f"(as many by chance: {(1 / 3) ** 6:.1g})"
    )


def test_the_numbers_of_before_the_collapse_are_given_back(collapsed):
    """Those of the last epoch that was sound, exactly; what is ranked then is not the collapse."""
    sound = len(collapsed.numbers) - 4
    assert all(torch.equal(a, b) for a, b in zip(collapsed.numbers[sound], collapsed.now(), strict=True))
    assert not torch.equal(collapsed.numbers[sound][0], collapsed.numbers[sound + 1][0])
    derived = collapsed.search.ranked(1)[0]
    assert skip_connections(collapsed.search.supernet, derived)[2] >= 0.01


def test_the_numbers_of_connections_are_given_back_too():
    """PC-DARTS has numbers for connections beside those of operations; both are of the same epoch."""
    watched = Watched(Node, PCDARTS(rest=0.0), (1, 4, 4), hardware=pulled).fit()
    sound = [entry["chance"] < 0.01 for entry in watched.search.health.epochs].index(True) - 1
    assert watched.search.stopped is not None
    assert len(watched.search.method.relaxation.beta) == 1
    assert all(torch.equal(a, b) for a, b in zip(watched.numbers[sound], watched.now(), strict=True))
    assert not torch.equal(watched.numbers[sound][-1], watched.numbers[sound + 1][-1])


def test_without_the_alarm_a_collapse_is_told_of_alone():
    """The training goes to its end, and the words say what became of it."""
    search = Watched(Row, DARTS(), (4,), hardware=pulled, alarm=False).fit().search
    assert search.stopped is None
    assert len(search.losses) == 16
    assert search.health.collapsed
    assert any("The search collapsed: 100% of what it derives are skip connections" in s for s in search.health.words())


def test_a_planted_healthy_search_is_silent():
    """The same search without the price: no alarm, and no word."""
    search = Watched(Row, DARTS(), (4,)).fit().search
    assert search.stopped is None
    assert len(search.losses) == len(search.health.epochs) == 16
    assert not search.health.collapsed
    assert search.health.words() == []


def test_a_collapse_survives_a_checkpoint(tmp_path):
    """Another object reads why it ended, with the numbers of before."""
    first = Watched(Row, DARTS(), (4,), hardware=pulled, folder=tmp_path).fit()
    again = Watched(Row, DARTS(), (4,), hardware=pulled, folder=tmp_path).search
    fresh = OneShot(
        again.space, DARTS(), again.data, epochs=16, hardware=pulled, folder=tmp_path, numbers_optimizer=rate
    )
    assert fresh.supernet is not first.search.supernet
    assert fresh.finished
    assert fresh.stopped == first.search.stopped
    assert fresh.health.to_value() == first.search.health.to_value()
    assert fresh.ranked(3) == first.search.ranked(3)


def test_a_collapse_into_nothing_is_one_too():
    """Cells whose connections are nothing, for three epochs; five of six are one by chance once in two hundred."""
    supernet = Supernet(zoo.SPACES["digits-cells"].space(input_shape=(1, 8, 8), classes=10))
    relaxation, health = Softmax(supernet), Health()
    with torch.no_grad():
        for row in list(relaxation.alpha)[:5]:
            row[0] = 5.0
    said = [health.note_epoch(epoch, supernet, relaxation) for epoch in range(3)]
    assert [None, None] == said[:2]
    assert "collapsed into connections that are nothing: 5 of 6 of what is derived, for 3 epochs" in said[2]
    assert "The search collapsed: 83% of what it derives are connections that are nothing." in health.words()[0]


def told(**figures):
    """The words of one whose figures are these."""
    health = Health()
    entry = {"epoch": 1, "entropy": 0.5, "certainty": 0.5, "skips": 0.0, "chance": 1.0}
    for _ in range(3):
        health.epochs.append(entry | {name: value for name, value in figures.items() if name in entry})
    health.gap, health.correlation = figures.get("gap"), figures.get("correlation")
    return health.words()


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"skips": 0.75, "chance": 0.001}, "The search collapsed: 75% of what it derives"),
        ({"entropy": 0.96}, "hardly decided anything: its numbers have 96% of the entropy"),
        ({"gap": (0.9, 0.7)}, "worse than the mixture it comes from: 0.7 beside 0.9"),
        ({"correlation": RankCorrelation(0.3, -0.1, 0.6, 0.2, 9)}, "not to be trusted: on 9 probes .* which may be"),
        ({"correlation": RankCorrelation(0.3, 0.1, 0.5, 0.01, 20)}, "ranks weakly: on 20 probes τ = 0.30"),
    ],
)
def test_each_warning_has_its_words(figures, words):
    """One sentence, and no other."""
    (found,) = told(**figures)
    assert re.search(words, found)


@pytest.mark.parametrize(
    "figures",
    [
        {"skips": 0.75, "chance": 0.02},
        {"entropy": 0.95},
        {"gap": (0.9, 0.81)},
        {"gap": (0.5, 0.9)},
        {"correlation": RankCorrelation(0.5, 0.2, 0.7, 0.01, 20)},
    ],
)
def test_what_is_well_has_no_words(figures):
    """Figures on the other side of each border."""
    assert told(**figures) == []


def test_an_alarm_needs_three_epochs_in_a_row():
    """One sound epoch between them begins the count anew."""
    supernet = Supernet(nw.SearchSpace(Row))
    relaxation, health = Softmax(supernet), Health()
    alarms = []
    for epoch, option in enumerate((2, 2, 0, 2, 2, 2)):
        with torch.no_grad():
            for row in relaxation.alpha:
                row.copy_(5.0 * nn.functional.one_hot(torch.tensor(option), 3))
        alarms.append(health.note_epoch(epoch, supernet, relaxation) is not None)
    assert alarms == [False] * 5 + [True]


def test_numbers_keep_their_precision():
    """What is given back in double precision is what was there."""
    supernet = Supernet(nw.SearchSpace(Row))
    relaxation, health = Softmax(supernet).double(), Health()
    with torch.no_grad():
        relaxation.alpha[0].copy_(torch.tensor([1 / 3, 1 / 7, 0.0], dtype=torch.float64))
    before = relaxation.alpha[0].detach().clone()
    health.note_epoch(0, supernet, relaxation)
    with torch.no_grad():
        relaxation.alpha[0].zero_()
    Health.from_value(json.loads(json.dumps(health.to_value()))).take_back(relaxation)
    assert torch.equal(before, relaxation.alpha[0])


def test_without_a_sound_epoch_the_numbers_stay():
    """There is nothing to go back to, nor where a method has no numbers."""
    supernet = Supernet(nw.SearchSpace(Row))
    relaxation, health = Softmax(supernet), Health()
    with torch.no_grad():
        for row in relaxation.alpha:
            row.copy_(torch.tensor([0.0, 0.0, 5.0]))
    health.note_epoch(0, supernet, relaxation)
    health.take_back(relaxation)
    health.take_back(None)
    assert relaxation.alpha[0].tolist() == [0.0, 0.0, 5.0]


def test_the_figures_of_an_epoch():
    """Entropy, certainty, skips and their chance, by hand."""
    supernet = Supernet(nw.SearchSpace(Row))
    relaxation, health = Softmax(supernet), Health()
    rows = torch.tensor([[0.5, 0.25, 0.25]] * 4 + [[0.0, 0.0, 1.0]] * 2).clamp_min(1e-30).log()
    with torch.no_grad():
        for number, row in zip(relaxation.alpha, rows, strict=True):
            number.copy_(row)
    health.note_epoch(0, supernet, relaxation)
    (entry,) = health.epochs
    by_chance = sum(
        1 for answers in itertools.product(range(3), repeat=6) if answers.count(2) >= 2
    ) / 3**6  # fmt: skip
    assert entry == pytest.approx(
        {
            "epoch": 1,
            "entropy": 4 / 6 * 1.5 * np.log(2) / np.log(3),
            "certainty": 4 / 6 * 0.5 + 2 / 6,
            "skips": 2 / 6,
            "nothings": 0.0,
            "chance": by_chance,
            "kind": 0,
        }
    )
    assert health.line == " · entropy 0.63 · skips 33%"


def test_a_method_without_numbers_has_no_figures():
    """Nothing is noted, shown or said of single paths."""
    search = OneShot(nw.SearchSpace(Row), SPOS(), rows_of(120, (4,)), epochs=1).fit()
    assert search.health.epochs == []
    assert search.health.line == ""
    assert search.health.words() == []


def test_what_is_kept_comes_back():
    """Through JSON, with and without what is found at the end."""
    health = Health()
    health.epochs.append({"epoch": 1, "entropy": 0.5, "certainty": 0.5, "skips": 0.0, "chance": 1.0})
    for _ in range(2):
        again = Health.from_value(json.loads(json.dumps(health.to_value())))
        assert again.to_value() == health.to_value()
        assert (again.gap, again.correlation, again.words()) == (health.gap, health.correlation, health.words())
        health.gap = (0.8, 0.6)
        health.correlation = RankCorrelation(0.3, -0.1, 0.6, 0.2, 9)


def test_probes_are_compared_by_their_order():
    """τ of the two rankings, which stays."""
    health = Health()
    assert health.note_probes([1, 2, 3, 4], [0.1, 0.2, 0.4, 0.3]).tau == pytest.approx(4 / 6)
    assert health.correlation is not None


def test_entropy_is_relative_to_uniform_rows():
    """1 and 0 at its ends; rows of one option say nothing."""
    rows = [torch.tensor(row, dtype=torch.float64) for row in ([0.25] * 4, [1.0, 0.0], [1.0])]
    assert entropy(rows[:1]) == pytest.approx(1.0)
    assert entropy(rows) == pytest.approx(0.5)
    assert entropy(rows[2:]) == 0.0


def test_skips_are_known_by_what_they_are():
    """Every identity, and what is called so; a decision of skips alone, or one not asked, does not count."""

    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nw.one_of("a", through=nn.Identity, fc=lambda: nn.Linear(3, 3))
            self.b = nw.one_of("b", skip_connect=lambda: nn.Linear(3, 3), fc=lambda: nn.Linear(3, 3))
            self.c = nw.one_of("c", one=nn.Identity, other=nn.Identity)
            self.d = nw.one_of("d", fc=lambda: nn.Linear(3, 3), inner=lambda: Row.layer("e"))

    supernet = Supernet(nw.SearchSpace(Named))
    assert skip_connections(supernet, {"a": "through", "b": "fc", "c": "one", "d": "fc"}) == (1, 2, 0.75)
    found = skip_connections(supernet, {"a": "fc", "b": "skip_connect", "c": "one", "d": "inner", "e": "skip"})
    assert found == (2, 3, pytest.approx(1 - 1 / 2 * 1 / 2 * 2 / 3 - (2 * 1 / 4 * 2 / 3 + 1 / 4 * 1 / 3)))


def test_a_mixture_has_every_option():
    """Also where a method runs one of them: each counts for its probability."""
    supernet = Supernet(nw.SearchSpace(Row))
    relaxation = HardGumbel(supernet)
    ways = mixture(relaxation)
    x = torch.randn(5, 4)
    expected = x
    for place, layer in enumerate(supernet.network.body):
        share = relaxation.probabilities()[f"op{place}"]
        expected = sum(w * op(expected) for w, op in zip(share, layer.candidates, strict=True))
    torch.testing.assert_close(supernet.network.head(expected), supernet.mixed(ways)(x))
