"""What all one-shot methods have in common: estimators that are right on average, one path a step, costs, exports."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from tests.strategies.oneshot.learning import begun, labelled, took
from torch import nn

import netwright as nw
from netwright.errors import SpaceError
from netwright.strategies.oneshot import ENAS, METHODS, Costs, DrNAS, Proxyless, RandomWeights, make
from netwright.supernet import Supernet
from netwright.supernet.operations import OperationTable
from netwright.supernet.penalties import Added, Lagrangian
from netwright.supernet.recalibration import recalibrated
from netwright.supernet.relaxations import Dirichlet, Gates

NAMES = tuple(METHODS)
LEARNING = ("darts", "darts2", "pcdarts", "snas", "drnas", "gdas", "proxyless")
"""Those whose numbers learn by gradients."""
SHRINKING = ("ofa", "sandwich")
NOW = {"pcdarts": {"rest": 0.0}, "proxyless": {"warm_up": 0.0, "every": 1}}
"""Arguments with which their numbers learn from the first step on."""


# Estimators


class Linear(nn.Module):
    """Two decisions; the outcome is linear in what the options of each count for."""

    def __init__(self, options="pqr"):
        super().__init__()
        self.a, self.b = (nw.one_of(name, **dict.fromkeys(options, self.layer)) for name in "ab")

    @staticmethod
    def layer():
        return nn.Linear(3, 3)

    def forward(self, x):
        return self.b(self.a(x))


class Two(Linear):
    """The same with two options."""

    def __init__(self):
        super().__init__("pq")


X = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def relaxed(kind, network, rows):
    supernet = Supernet(nw.SearchSpace(network), seed=4).double()
    relaxation = kind(supernet).double()
    with torch.no_grad():
        for number, row in zip(relaxation.alpha, rows, strict=True):
            number.copy_(torch.tensor(row))
    return supernet, relaxation


def losses(supernet, loss):
    """The loss of every architecture, by the places of its answers."""
    found = {}
    for architecture in supernet.space.enumerate():
        place = tuple(supernet.space.declared[name].position(architecture[name]) for name in "ab")
        found[place] = float(loss(supernet.at(architecture)(X)).detach())
    return found


def of_pair(first, second, row):
    """The probability of drawing these two without putting back, in either order."""
    p = row.softmax(0)
    return p[first] * p[second] * (1 / (1 - p[first]) + 1 / (1 - p[second]))


def test_gates_are_right_on_average():
    """The mean over all pairs and gates that can be drawn is the slope of the expected loss over each pair.

    By enumeration of the 36 draws with their probabilities, for a loss that is linear in the gates.
    """
    supernet, gates = relaxed(Gates, Linear, ([0.3, -0.5, 0.1], [-0.2, 0.4, 0.6]))
    worth, rows = losses(supernet, torch.sum), [row.detach().clone() for row in gates.alpha]
    draw, seen = torch.Generator().manual_seed(0), {}
    while len(seen) < 36:
        supernet.mixed(gates.ways(draw))(X).sum().backward()
        gates.receive()
        key = tuple((tuple(pair), int(open_.detach().argmax())) for _, pair, open_, _ in gates._drawn)
        seen[key] = [row.grad.clone() for row in gates.alpha]
    found, expected = [torch.zeros(3).double() for _ in range(2)], [torch.zeros(3).double() for _ in range(2)]
    for drawn, gradients in seen.items():
        chance = math.prod(
            float(of_pair(*pair, row) * row[list(pair)].softmax(0)[active])
            for (pair, active), row in zip(drawn, rows, strict=True)
        )
        found = [total + chance * gradient for total, gradient in zip(found, gradients, strict=True)]
    for pairs in itertools.product(itertools.combinations(range(3), 2), repeat=2):
        chance = math.prod(float(of_pair(*pair, row)) for pair, row in zip(pairs, rows, strict=True))

        def mean(a, b, pairs=pairs):
            two = [row[list(pair)].softmax(0) for row, pair in zip((a, b), pairs, strict=True)]
            return sum(
                two[0][i] * two[1][j] * worth[pairs[0][i], pairs[1][j]] for i, j in itertools.product((0, 1), repeat=2)
            )

        slopes = torch.autograd.functional.jacobian(mean, tuple(rows))
        expected = [total + chance * slope for total, slope in zip(expected, slopes, strict=True)]
    torch.testing.assert_close(expected, found)


def test_dirichlet_draws_are_right_on_average():
    """The mean of the pathwise gradients is the slope of the expected loss, which is known where it is linear.

    Draws of two decisions are independent and have the means β / Σβ, so that the expected loss is a sum over the four
    architectures; within four standard errors of the mean, for each number.
    """
    supernet, dirichlet = relaxed(Dirichlet, Two, ([0.3, -0.4], [-0.2, 0.5]))
    worth, rows = losses(supernet, torch.sum), [row.detach().clone() for row in dirichlet.alpha]

    def mean(a, b):
        one, two = dirichlet.share(a), dirichlet.share(b)
        return sum(one[i] * two[j] * worth[i, j] for i, j in worth)

    expected = torch.cat(torch.autograd.functional.jacobian(mean, tuple(rows)))
    draw, numbers = torch.Generator().manual_seed(0), list(dirichlet.alpha)
    found = torch.stack(
        [
            torch.cat(torch.autograd.grad(supernet.mixed(dirichlet.ways(draw))(X).sum(), numbers))
            for _ in range(1_000)
        ]
    )  # fmt: skip
    error = found.std(0) / math.sqrt(len(found))
    assert (error < 0.2 * expected.abs()).all()
    assert ((found.mean(0) - expected).abs() < 4 * error).all()


# One path a step


class Choices(nn.Module):
    """Two decisions of three layers."""

    def __init__(self):
        super().__init__()
        self.a, self.b = (nw.one_of(name, **dict.fromkeys("pqr", Linear.layer)) for name in "ab")

    def forward(self, x):
        return self.b(torch.tanh(self.a(x)))


@pytest.mark.parametrize("kind", [ENAS, RandomWeights])
def test_a_step_of_the_weights_runs_one_operation_of_each_decision(kind):
    """In every step of an epoch, and only what ran learns."""
    method = kind(weight_decay=0.0, momentum=0.0) if kind is RandomWeights else kind(weight_decay=0.0)
    supernet, calls = begun(method, Choices), Counter()
    for name, layer in supernet.network.named_modules():
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(lambda *_, name=name: calls.update([name]))
    for number, batch in enumerate(labelled(9)):
        calls.clear()
        method.step(number, batch, batch)
        assert sorted((name[0], count) for name, count in calls.items()) == [("a", 1), ("b", 1)]
        learnt = {name.rpartition(".")[0] for name, w in supernet.network.named_parameters() if w.grad is not None}
        assert learnt == set(calls)


# What is derived


class Images(nn.Module):
    """Two decisions on eight channels, as partial channels need them."""

    def __init__(self):
        super().__init__()
        self.stem, self.head = nn.Linear(3, 8), nn.Linear(8, 3)
        self.a, self.b = (self.layer(name) for name in "ab")

    @staticmethod
    def layer(name):
        norm = lambda: nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))  # noqa: E731
        return nw.one_of(name, skip=nn.Identity, fc=lambda: nn.Linear(8, 8, bias=False), norm=norm)

    def forward(self, x):
        return self.head(self.b(torch.tanh(self.a(self.stem(x)))))


class Elastic(nn.Module):
    """An open width and an open depth."""

    def __init__(self):
        super().__init__()
        width = nw.choose("width", 4, 8)
        self.stem, self.head = nn.Linear(3, width), nn.Linear(width, 3)
        block = lambda _: nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width))  # noqa: E731
        self.body = nw.repeat("depth", block, 1, 3)

    def forward(self, x):
        return self.head(self.body(self.stem(x)))


def trained(name, **options):
    method = make(name)
    supernet = begun(method, Elastic if name in SHRINKING else Images, steps=8, epochs=2, **options)
    took(method, supernet, range(8), labelled(8))
    return method, supernet


@pytest.mark.parametrize("name", NAMES)
def test_what_is_derived_is_the_same_again(name):
    """Twice, whatever the global generator did between, and asking changes neither weights nor statistics."""
    method, supernet = trained(name)
    before = supernet.checkpoint()
    first = method.ranked(4)
    torch.manual_seed(77)
    np.random.seed(5)
    assert method.ranked(4) == first
    assert (first is None) == (not method.ranks)
    assert all(torch.equal(before[key], tensor) for key, tensor in supernet.checkpoint().items())


@pytest.mark.parametrize("name", NAMES)
def test_what_is_extracted_is_the_same_again(name):
    """The same tensors twice; PC-DARTS has none for whole architectures, and says so."""
    method, supernet = trained(name)
    architecture = (method.ranked(1) or [supernet.space.sample(np.random.default_rng(0))])[0]
    if name == "pcdarts":
        with pytest.raises(SpaceError, match="no weights for whole architectures"):
            supernet.extract(architecture)
        return
    first, second = (supernet.extract(architecture).state_dict() for _ in range(2))
    assert list(first) == list(second)
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())


@pytest.mark.parametrize("name", ["spos", "ofa"])
def test_new_statistics_are_forgotten(name):
    """Of a path and of slices alike: buffers alone change, and all is as it was, also when something fails."""
    _, supernet = trained(name)
    supernet.train()
    before, x = supernet.checkpoint(), labelled(1, size=40)[0][0]
    last = {decision.name: decision.options[-1] for decision in supernet.space.decisions}
    inside = {}

    def broken():
        with supernet.path(last) as network, recalibrated(network, x, batch_size=10):
            inside.update(supernet.checkpoint())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    changed = {key for key, tensor in inside.items() if not torch.equal(before[key], tensor)}
    assert changed
    assert all(key.rpartition(".")[2] in ("running_mean", "running_var", "num_batches_tracked") for key in changed)
    assert all(torch.equal(before[key], tensor) for key, tensor in supernet.checkpoint().items())
    assert all(module.training for module in supernet.network.modules())


# What networks cost


def silent(outputs, _):
    """A loss that says nothing."""
    return 0.0 * outputs.sum()


def priced(supernet):
    """A price on parameters."""
    return Costs([(OperationTable.parameters(supernet), Added(100.0, weight=1.0))])


def costly(name, steps, costs=priced, loss=silent, network=Images, rate=0.05):
    """A method that has taken steps, and its probabilities before the first and after each of them."""
    # Costs are those of the space: PC-DARTS makes the candidates of its own supernet narrower.
    hardware = costs(Supernet(nw.SearchSpace(network)))
    method = METHODS[name](alpha_lr=rate, **NOW.get(name, {}))
    begun(method, network, steps=steps, epochs=1, loss=loss, hardware=hardware)
    (batch,), rows = labelled(1), [numbers(method)]
    for number in range(steps):
        method.step(number, batch, batch)
        rows.append(numbers(method))
    return method, rows


def numbers(method):
    return {name: row.detach().clone() for name, row in method.probabilities().items()}


PRICES = torch.tensor([0.0, 64.0, 72.0 + 16.0])
"""Parameters of the three options."""


@pytest.mark.parametrize("name", LEARNING)
def test_a_price_alone_moves_every_number_to_what_is_cheaper(name):
    """In the first step, with a loss that says nothing: every decision expects less, by each number that learns.

    Where all options count, those below the mean cost gain and those above it lose; of two that are drawn the cheaper
    one gains what the other loses.
    """
    _, rows = costly(name, 1)
    for key in "ab":
        change = rows[1][key] - rows[0][key]
        moved = change.abs() > 1e-6
        assert change @ PRICES < 0
        assert moved.sum() == (2 if name == "proxyless" else 3)
        assert (change[moved] > 0).tolist() == (PRICES[moved] < PRICES[moved].mean()).tolist()


@pytest.mark.parametrize("name", LEARNING)
def test_a_price_alone_ends_in_the_cheapest(name):
    """Every decision prefers what costs nothing."""
    method, rows = costly(name, 60)
    assert method.ranked(1)[0] == nw.Architecture({"a": "skip", "b": "skip"})
    assert all(row[0] > 0.6 for row in rows[-1].values())


class Worth(nn.Module):
    """Adds what it is worth; its parameters cost, and do nothing."""

    def __init__(self, worth, size):
        super().__init__()
        self.worth, self.size = worth, nn.Parameter(torch.ones(size))

    def forward(self, x):
        return x + self.worth


class Dear(nn.Module):
    """Four decisions in which what is dearest is worth most; 0 to 80 parameters, and 12 in any case."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(*(self.layer(f"op{place}") for place in range(4)))
        self.head = nn.Linear(3, 3)

    @staticmethod
    def layer(name):
        return nw.one_of(name, skip=nn.Identity, some=lambda: Worth(0.6, 10), most=lambda: Worth(1.0, 20))

    def forward(self, x):
        return self.body(0.0 * x) + 0.0 * self.head(x)


def wants_more(outputs, _):
    """Lower the more that everything is worth together."""
    return -outputs.mean().clamp_min(0.01).log()


@pytest.mark.parametrize("target", [40.0, 70.0])
@pytest.mark.parametrize("name", [name for name in LEARNING if name != "pcdarts"])
def test_a_limit_is_met_where_the_loss_wants_more(name, target):
    """The expected parameters end within five per cent of the limit; PC-DARTS needs layers of channels."""
    table = OperationTable.parameters(Supernet(nw.SearchSpace(Dear)))
    limited = lambda _: Costs([(table, Lagrangian(target, rate=0.5))])  # noqa: E731
    _, rows = costly(name, 120, limited, wants_more, Dear, rate=0.03)
    assert float(table.expected(rows[-1])) == pytest.approx(target, rel=0.05)


def test_the_anchor_of_drnas_and_a_price_add_up():
    """The gradient of its numbers is that of the price and of the divergence together, where the loss says nothing."""
    table = OperationTable.parameters(Supernet(nw.SearchSpace(Images)))
    method = DrNAS(anchor=2.0)
    begun(method, Images, loss=silent, hardware=Costs([(table, Added(100.0, weight=1.0))]))
    relaxation, (batch,) = method.relaxation, labelled(1)
    with torch.no_grad():
        for row in relaxation.alpha:
            row.copy_(torch.tensor([0.5, -0.4, 0.2]))
    found = torch.autograd.grad(method._duo.numbers_loss(batch), list(relaxation.alpha))
    concentrations = [(nn.functional.elu(row) + 1).detach().requires_grad_() for row in relaxation.alpha]
    price = sum(c / c.sum() @ PRICES for c in concentrations) / 100
    flat = torch.distributions.Dirichlet(torch.ones(3))
    far = sum(torch.distributions.kl_divergence(torch.distributions.Dirichlet(c), flat) for c in concentrations)
    # elu + 1 has the slope 1 above zero and its own value below.
    slopes = [torch.where(row > 0, 1.0, row.exp()).detach() for row in relaxation.alpha]
    expected = torch.autograd.grad(price + 2.0 * far, concentrations)
    torch.testing.assert_close([e * slope for e, slope in zip(expected, slopes, strict=True)], list(found))


class Alike(nn.Module):
    """Two decisions whose options all answer alike, and cost differently."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(*(Dear.layer(name) for name in "ab"))
        self.head = nn.Linear(3, 3)

    def forward(self, x):
        return 0.0 * self.body(x) + self.head(0.0 * x)


@pytest.mark.parametrize("targets", ["classes", "numbers"])
@pytest.mark.parametrize(
    ("make_it", "certain"),
    [
        (lambda: Proxyless("reinforce", warm_up=0.0, every=1, alpha_lr=0.05), 0.36),
        # Within its bounds an ENAS of two decisions is sure to .3 at most.
        (lambda: ENAS(updates=12, controller_lr=0.05, hidden=8), 0.2),
    ],
    ids=["proxyless", "enas"],
)
def test_rewards_prefer_what_is_cheaper(make_it, certain, targets):
    """Where all answer alike the cheaper one is rewarded more, and is drawn more often; ranked first, too."""
    table, method = OperationTable.parameters(Supernet(nw.SearchSpace(Alike))), make_it()
    supernet = begun(method, Alike, steps=60, epochs=6, loss=silent, hardware=Costs([(table, Added(12.0))]))
    ((x, y),) = labelled(1)
    batch = (x, y if targets == "classes" else x)
    took(method, supernet, range(60), [batch] * 60)
    cheapest = nw.Architecture({"a": "skip", "b": "skip"})
    assert method.ranked(1)[0] == cheapest
    assert chance(method, cheapest) > certain


def chance(method, architecture):
    """How probable a method takes an architecture to be."""
    if isinstance(method, ENAS):
        walk = method._policy.steps.walk(architecture)
        return float(np.exp(method._policy.forward([walk]).log_probabilities.sum()))
    return math.prod(float(row[0].detach()) for row in method.probabilities().values())


def test_a_reward_knows_no_price_within_the_limit():
    """Only what is over its target is worth less: by the cost over the target, to the power of a tenth."""
    supernet = Supernet(nw.SearchSpace(Alike))
    costs = Costs([(OperationTable.parameters(supernet), Added(32.0))])
    found = {a["a"] + a["b"]: costs.reward(0.5, a) for a in supernet.space.enumerate()}
    assert found["skipskip"] == found["somesome"] == found["mostskip"] == 0.5
    assert found["mostsome"] == pytest.approx(0.5 * (32 / 42) ** 0.1)
    assert found["mostmost"] == pytest.approx(0.5 * (32 / 52) ** 0.1)
