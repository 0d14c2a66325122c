"""What expected costs add to a loss: the published forms, their gradients, and a target that is met."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import netwright as nw
from netwright.errors import InputError
from netwright.supernet import Supernet
from netwright.supernet.operations import OperationTable
from netwright.supernet.partial_channels import EdgeNormalised
from netwright.supernet.penalties import Added, Lagrangian, Multiplied
from netwright.supernet.relaxations import Dirichlet, Gates, Softmax

LOSS, COST = torch.tensor(2.0, dtype=torch.float64), torch.tensor(150.0, dtype=torch.float64)
FORMS = [Multiplied(100.0), Added(100.0), Lagrangian(100.0, weight=0.3)]


class Toy(nn.Module):
    """Layers of different costs, a row of them, and connections with layers of their own."""

    def __init__(self):
        super().__init__()
        self.a = self.layer("a")
        self.b = nw.repeat("depth", lambda i: self.layer(f"b{i}"), 0, 2)
        self.pick = nw.inputs("pick", 2, pick=1)
        self.edges = self.pick.each(lambda j: self.layer(f"edge{j}"))

    @staticmethod
    def layer(name):
        return nw.one_of(name, fc=lambda: nn.Linear(4, 4), bare=lambda: nn.Linear(4, 4, bias=False), skip=nn.Identity)

    def forward(self, x):
        a = self.a(x)
        return self.pick([a, self.b(a)], self.edges)


def test_the_loss_is_multiplied_as_published():
    """0.2 · CE · (log E / log T)^0.3, and with the defaults of the published class."""
    expected = 2.0 * 0.2 * (math.log(150) / math.log(100)) ** 0.3
    assert expected == pytest.approx(Multiplied(100.0)(LOSS, COST).item())
    expected = 2.0 * (math.log(150) / math.log(100)) ** 0.6
    assert expected == pytest.approx(Multiplied(100.0, alpha=1.0, beta=0.6)(LOSS, COST).item())


def test_the_cost_is_added_as_published():
    """CE + 0.1 · (E − T) / T, on both sides of the target."""
    penalty = Added(100.0)
    assert [2.05, 1.95] == pytest.approx([penalty(LOSS, COST).item(), penalty(LOSS, COST - 100).item()])


def test_a_limit_counts_above_its_target_alone():
    """CE + λ · max(0, E/T − 1)."""
    penalty = Lagrangian(100.0, weight=0.3)
    assert [2.15, 2.0] == pytest.approx([penalty(LOSS, COST).item(), penalty(LOSS, COST - 100).item()])


def test_the_weight_of_a_limit_grows_while_it_is_broken():
    """By η · (E/T − 1), and it never falls."""
    penalty = Lagrangian(100.0, rate=0.1)
    weights = []
    for cost in (150.0, 120.0, 90.0):
        penalty.settled(cost)
        weights.append(penalty.weight)
    assert [0.05, 0.07, 0.07] == pytest.approx(weights)


def test_the_weight_of_a_limit_can_be_kept():
    """What one said makes another one go on."""
    one, other = Lagrangian(100.0), Lagrangian(100.0)
    one.settled(180.0)
    other.recall(one.said())
    assert one.weight == other.weight


def test_forms_without_state_say_nothing():
    """They are the same before and after a step."""
    for penalty in (Multiplied(100.0), Added(100.0)):
        penalty.settled(50.0)
        penalty.recall(penalty.said())
        assert {} == penalty.said()


@pytest.mark.parametrize("kind", [Softmax, Dirichlet, Gates, EdgeNormalised])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: type(form).__name__)
def test_every_number_learns_what_the_network_costs(kind, form):
    """The gradient of each number of each decision is the slope of what is minimised, and is not zero.

    Those of connections, too, where a relaxation has some; their layers expect different costs.
    """
    supernet = Supernet(nw.SearchSpace(Toy))
    relaxation = kind(supernet).double()
    table = OperationTable.parameters(supernet)
    form = Lagrangian(20.0, weight=0.3) if isinstance(form, Lagrangian) else form
    rows = list(relaxation.parameters())
    with torch.no_grad():
        for place, row in enumerate(rows):
            row.copy_(torch.linspace(-0.1, 0.1 + 0.01 * place, len(row)))

    def minimised():
        return form(LOSS, table.expected(relaxation.chances()))

    gradients = torch.autograd.grad(minimised(), rows)
    for row, gradient in zip(rows, gradients, strict=True):
        assert (gradient != 0).all()
        slopes = [slope(minimised, row, place) for place in range(len(row))]
        assert slopes == pytest.approx(gradient.tolist(), rel=1e-5, abs=1e-10)


def slope(minimised, row, place, step=1e-5):
    """The central difference by one number."""
    with torch.no_grad():
        row[place] += step
        above = minimised().item()
        row[place] -= 2 * step
        below = minimised().item()
        row[place] += step
    return (above - below) / (2 * step)


def test_the_gradient_of_the_weights_goes_through():
    """What is multiplied scales it, what is added leaves it."""
    weight = torch.tensor(3.0, requires_grad=True)
    gradients = [torch.autograd.grad(form(weight**2, COST), weight)[0].item() for form in FORMS]
    assert [6 * 0.2 * (math.log(150) / math.log(100)) ** 0.3, 6, 6] == pytest.approx(gradients)


class Row(nn.Module):
    """Three layers, each of which may be left out or have a bias."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(*(Toy.layer(name) for name in "abc"))

    def forward(self, x):
        return self.body(x)


def minimised(penalties, tables, steps=600):
    """Descent on a loss that is lower the larger the layers; the expected costs at its end."""
    relaxation = Softmax(Supernet(nw.SearchSpace(Row)))
    optimizer = torch.optim.Adam(relaxation.parameters(), 0.02)
    worth = torch.tensor([3.0, 2.0, 0.0])
    for _ in range(steps):
        rows = relaxation.probabilities()
        loss = -torch.stack([(row @ worth).log1p() for row in rows.values()]).sum()
        for penalty, table in zip(penalties, tables, strict=True):
            loss = penalty(loss, table.expected(rows))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        with torch.no_grad():
            for penalty, table in zip(penalties, tables, strict=True):
                penalty.settled(table.expected(relaxation.probabilities()).item())
    return [table.expected(relaxation.probabilities()).item() for table in tables]


def biases(layer, inputs):
    """A cost of layers with a bias."""
    return float(getattr(layer, "bias", None) is not None)


@pytest.mark.parametrize("target", [15.0, 30.0, 45.0])
def test_a_limit_is_met(target):
    """The loss wants all 60 parameters; the limit stops it within two per cent of the target."""
    table = OperationTable.parameters(Supernet(nw.SearchSpace(Row)))
    (found,) = minimised([Lagrangian(target)], [table])
    assert target == pytest.approx(found, rel=0.02)


def test_two_limits_are_met_at_once():
    """Several costs are several penalties, and both of them bind, within five per cent."""
    supernet = Supernet(nw.SearchSpace(Row))
    tables = [OperationTable.parameters(supernet), OperationTable.measured(supernet, torch.randn(1, 4), biases)]
    found = minimised([Lagrangian(40.0), Lagrangian(0.5)], tables)
    assert [40.0, 0.5] == pytest.approx(found, rel=0.05)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Multiplied(1.0), "in a smaller unit"),
        (lambda: Multiplied(0.0), "target of Multiplied"),
        (lambda: Multiplied(9.0, beta=-1.0), "beta of Multiplied"),
        (lambda: Added(math.nan), "target of Added"),
        (lambda: Added(9.0, weight=0.0), "weight of Added"),
        (lambda: Lagrangian(9.0, rate=-1.0), "rate of Lagrangian"),
        (lambda: Lagrangian(9.0, weight=-1.0), "weight of a limit"),
        (lambda: Multiplied(9.0)(LOSS, COST / 150), "the expected cost is 1, its logarithm"),
    ],
)
def test_nonsense_is_refused(make, what):
    """By the name of what is wrong."""
    with pytest.raises(InputError, match=what):
        make()
