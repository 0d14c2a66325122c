"""Relaxations: each gradient against enumeration on a toy of two decisions, and what is derived."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

import netwright as nw
from netwright.supernet import Supernet
from netwright.supernet.relaxations import Dirichlet, Gates, Gumbel, HardGumbel, Softmax, _dirichlet, _gumbel


class Toy(nn.Module):
    """Two decisions of three options, each a layer; the loss is not linear in what they count for."""

    def __init__(self):
        super().__init__()
        self.a, self.b = self.operation("a"), self.operation("b")

    @staticmethod
    def operation(name):
        return nw.one_of(name, p=lambda: nn.Linear(3, 3), q=lambda: nn.Linear(3, 3), r=nn.Identity)

    def forward(self, x):
        return self.b(torch.tanh(self.a(x)))


def toy(kind, **options):
    space = nw.SearchSpace(Toy)
    supernet = Supernet(space).double()
    relaxation = kind(supernet, **options).double()
    with torch.no_grad():
        for row in relaxation.alpha:
            row.copy_(torch.tensor([0.3, -0.5, 0.1]))
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 3, dtype=torch.float64, generator=generator)
    return supernet, relaxation, x, generator


def loss_of(supernet, ways, x):
    return supernet.mixed(ways)(x).square().mean()


def parts(supernet, x, a, b):
    """The network with weights for the options, written by hand."""
    hidden = torch.tanh(sum(w * op(x) for w, op in zip(a, supernet.network.a.candidates, strict=True)))
    return sum(w * op(hidden) for w, op in zip(b, supernet.network.b.candidates, strict=True)).square().mean()


def test_softmax_is_the_mixture_and_its_gradient():
    """Loss and gradient are those of the mixture written by hand."""
    supernet, relaxation, x, generator = toy(Softmax)
    rows = [row.detach().clone().requires_grad_() for row in relaxation.alpha]
    expected = parts(supernet, x, rows[0].softmax(0), rows[1].softmax(0))
    found = loss_of(supernet, relaxation.ways(generator), x)
    torch.testing.assert_close(expected, found)
    gradients = torch.autograd.grad(expected, rows)
    torch.testing.assert_close(gradients, torch.autograd.grad(found, list(relaxation.alpha)))


@pytest.mark.parametrize("kind", [Softmax, Gumbel])
def test_gradients_by_finite_differences(kind):
    """With the same draws the gradient of every number is the slope of the loss."""
    supernet, relaxation, x, _ = toy(kind)
    if kind is Gumbel:
        relaxation.temperature = 0.7

    def loss():
        return loss_of(supernet, relaxation.ways(torch.Generator().manual_seed(7)), x)

    for row, gradient in zip(relaxation.alpha, torch.autograd.grad(loss(), list(relaxation.alpha)), strict=True):
        for place in range(3):
            slopes = []
            for step in (1e-6, -1e-6):
                with torch.no_grad():
                    row[place] += step
                slopes.append(float(loss().detach()))
                with torch.no_grad():
                    row[place] -= step
            assert gradient[place].item() == pytest.approx((slopes[0] - slopes[1]) / 2e-6, rel=1e-5, abs=1e-9)
        assert torch.isfinite(gradient).all()
        assert (gradient != 0).all()


def test_the_gradient_of_dirichlet_draws_is_that_of_their_mean():
    """The mean of many pathwise gradients against the slope of the mean loss by quadrature over one decision."""
    concentration = torch.tensor([1.3, 0.7], dtype=torch.float64)
    grid = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000

    def mean_loss(c):
        log = (c[0] - 1) * grid.log() + (c[1] - 1) * (1 - grid).log()
        density = (log - torch.lgamma(c[0]) - torch.lgamma(c[1]) + torch.lgamma(c.sum())).exp()
        return (density * (2 * grid + (1 - grid)) ** 2).mean()

    c = concentration.clone().requires_grad_()
    (expected,) = torch.autograd.grad(mean_loss(c), c)
    generator = torch.Generator().manual_seed(1)
    c = concentration.clone().requires_grad_()
    draws = _dirichlet(c.expand(200_000, 2), generator)
    total = torch.autograd.grad(((2 * draws[:, 0] + draws[:, 1]) ** 2).mean(), c)[0]
    torch.testing.assert_close(expected, total, rtol=0.05, atol=0.02)


def test_snas_draws_one_relaxed_one_hot():
    """Its temperature sharpens it, and its mean at low temperature is the probability (the Gumbel-max theorem)."""
    _, relaxation, _, generator = toy(Gumbel)
    relaxation.temperature = 0.01
    draws = torch.stack([relaxation.ways(generator)["a"].weights for _ in range(4_000)])
    torch.testing.assert_close(draws.mean(0), relaxation.probabilities()["a"], atol=0.03, rtol=0)
    assert (draws.max(1).values > 0.9).double().mean() > 0.95


def test_gdas_runs_one_operation_and_every_number_learns():
    """The outcome is that of the drawn option alone, the gradient that of the relaxed draw through all weights."""
    supernet, relaxation, x, _ = toy(HardGumbel)
    relaxation.temperature = 2.0
    calls = []
    for module in supernet.network.modules():
        if isinstance(module, nn.Linear | nn.Identity):
            module.register_forward_hook(lambda *_: calls.append(1))
    ways = relaxation.ways(torch.Generator().manual_seed(3))
    out = supernet.mixed(ways)(x)
    assert len(calls) == 2
    answers = {name: "pqr"[way.positions[0]] for name, way in ways.items()}
    torch.testing.assert_close(supernet.extract(answers)(x), out)
    found = torch.autograd.grad(out.square().mean(), list(relaxation.alpha))
    # By hand, as published: what runs is multiplied by its weight, the weights of the others are added.
    rows = [row.detach().clone().requires_grad_() for row in relaxation.alpha]
    generator, hidden = torch.Generator().manual_seed(3), x
    for name, row in zip("ab", rows, strict=True):
        soft = _gumbel(row, 2.0, generator)
        place = int(soft.argmax())
        hard = nn.functional.one_hot(soft.argmax(), 3).double() - soft.detach() + soft
        operation = getattr(supernet.network, name).candidates[place]
        hidden = sum(hard[k] * operation(hidden) if k == place else hard[k] for k in range(3))
        hidden = torch.tanh(hidden) if name == "a" else hidden
    expected = torch.autograd.grad(hidden.square().mean(), rows)
    torch.testing.assert_close(list(expected), list(found))
    assert all((gradient != 0).all() for gradient in found)


def test_proxyless_gates_by_enumeration():
    """The mean of the two-path gradient over all pairs and draws, against its formula summed by hand."""
    supernet, relaxation, x, generator = toy(Gates)
    row = relaxation.alpha[0]
    seen = {}
    for _ in range(300):
        ways = relaxation.ways(generator)
        loss_of(supernet, ways, x).backward()
        relaxation.receive()
        (_, pair, gates, two), (_, other, _, _) = relaxation._drawn
        active = int(gates.detach().argmax())
        second = int(relaxation._drawn[1][2].detach().argmax())
        key = (tuple(pair), active, tuple(other), second)
        outputs = [op(x) for op in supernet.network.a.candidates]
        gate = torch.zeros(2, dtype=torch.float64).index_fill_(0, torch.tensor([active]), 1.0).requires_grad_()
        hidden = torch.tanh(sum(g * outputs[p].detach() for g, p in zip(gate, pair, strict=True)))
        last = supernet.network.b.candidates[other[second]](hidden)
        (slope,) = torch.autograd.grad(last.square().mean(), gate)
        expected = torch.zeros(3, dtype=torch.float64)
        for i, j in itertools.product(range(2), range(2)):
            expected[pair[i]] += slope[j] * two[j] * (float(i == j) - two[i])
        torch.testing.assert_close(expected, row.grad)
        seen[key] = True
    assert len(seen) > 20


def test_the_gated_option_that_does_not_count_learns_no_weights():
    """It runs for its gate alone; the active one learns as in any pass."""
    supernet, relaxation, x, generator = toy(Gates)
    for _ in range(20):
        supernet.zero_grad()
        loss_of(supernet, relaxation.ways(generator), x).backward()
        for name in "ab":
            way, candidates = supernet.board.ways[name], getattr(supernet.network, name).candidates
            learnt = {place for place, op in enumerate(candidates) if any(p.grad is not None for p in op.parameters())}
            active = set(way.positions) - way.detached
            assert learnt == {place for place in active if list(candidates[place].parameters())}


def test_a_proxyless_step_keeps_what_the_others_count_for():
    """After a step of the two numbers the probabilities of all other options are as they were."""
    supernet, relaxation, x, generator = toy(Gates)
    optimizer = torch.optim.Adam(relaxation.parameters(), 0.1, betas=(0.0, 0.999))
    before = relaxation.probabilities()["a"].detach()
    loss_of(supernet, relaxation.ways(generator), x).backward()
    relaxation.receive()
    pair = relaxation._drawn[0][1]
    relaxation.remember()
    optimizer.step()
    relaxation.settled()
    after = relaxation.probabilities()["a"].detach()
    (left,) = {0, 1, 2} - set(pair)
    assert after[left].item() == pytest.approx(before[left].item())
    assert (after[pair] != before[pair]).all()


def test_a_proxyless_weight_step_runs_one_operation():
    """Exactly one of each decision, drawn by its probability; uniformly while the weights warm up."""
    supernet, relaxation, x, generator = toy(Gates)
    calls = []
    for module in supernet.network.modules():
        if isinstance(module, nn.Linear | nn.Identity):
            module.register_forward_hook(lambda *_: calls.append(1))
    supernet.mixed(relaxation.path(generator))(x)
    assert len(calls) == 2
    for uniform, expected in ((True, torch.ones(3) / 3), (False, relaxation.probabilities()["a"].detach().float())):
        drawn = [relaxation.path(generator, uniform=uniform)["a"].positions[0] for _ in range(3_000)]
        counts = torch.bincount(torch.tensor(drawn), minlength=3) / 3_000
        torch.testing.assert_close(counts, expected, atol=0.04, rtol=0)


def test_dirichlet_penalty_is_the_divergence_from_uniform():
    """Zero at the uniform concentration of one, and positive elsewhere."""
    _, relaxation, _, _ = toy(Dirichlet)
    assert relaxation.penalty() > 0
    with torch.no_grad():
        for row in relaxation.alpha:
            row.zero_()
    assert float(relaxation.penalty().detach()) == pytest.approx(0.0, abs=1e-12)


def test_what_is_ranked_is_brute_force():
    """The most probable architectures in their order, by the product over all nine."""
    _, relaxation, _, _ = toy(Softmax)
    with torch.no_grad():
        relaxation.alpha[1].copy_(torch.tensor([0.9, 1.0, -2.0]))
    rows = {name: dict(zip("pqr", row.tolist(), strict=True)) for name, row in relaxation.probabilities().items()}
    every = list(relaxation.space.enumerate())
    expected = sorted(every, key=lambda a: -rows["a"][a["a"]] * rows["b"][a["b"]])
    assert expected == relaxation.ranked(9)
    assert expected[0] == relaxation.derive()


class Cell(nn.Module):
    """A cell as DARTS has it: two nodes, the second takes two of three states, a layer on each connection."""

    def __init__(self):
        super().__init__()
        self.picks = [nw.inputs(f"node{n}", n + 2, pick=2) for n in range(2)]
        self.edges = nn.ModuleList(pick.each(self.edge(n)) for n, pick in enumerate(self.picks))

    @staticmethod
    def edge(node):
        return lambda j: nw.one_of(f"node{node}.edge{j}", line=lambda: nn.Linear(3, 3), skip=nn.Identity)

    def forward(self, x):
        states = [x, 2 * x]
        for pick, edges in zip(self.picks, self.edges, strict=True):
            states.append(pick(states, edges))
        return states[-1]


def test_all_connections_count_and_each_may_be_nothing():
    """As in the search of DARTS: a node is the sum over all edges of a mixture that has nothing as one more option."""
    space = nw.SearchSpace(Cell)
    supernet = Supernet(space)
    relaxation = Softmax(supernet)
    assert sorted(relaxation.probabilities()) == [
        "node0.edge0",
        "node0.edge1",
        "node1.edge0",
        "node1.edge1",
        "node1.edge2",
    ]
    x = torch.randn(2, 3)
    weights = relaxation.probabilities()
    states = [x, 2 * x]
    for node in range(2):
        total = 0
        for j in range(node + 2):
            line = supernet.network.edges[node].all[j].candidates[0]
            w = weights[f"node{node}.edge{j}"]
            total = total + w[0] * line(states[j]) + w[1] * states[j]
        states.append(total)
    torch.testing.assert_close(states[-1], supernet.mixed(relaxation.ways(torch.Generator()))(x))
    assert float(weights["node0.edge0"].detach().sum()) == pytest.approx(2 / 3, abs=1e-2)


def test_the_strongest_connections_are_derived():
    """The two edges whose best operation counts for most, then that operation."""
    space = nw.SearchSpace(Cell)
    relaxation = Softmax(Supernet(space))
    rows = dict(zip((d.name for d in relaxation._rows), relaxation.alpha, strict=True))
    with torch.no_grad():
        for name, values in {
            "node0.edge0": (1.0, 0.0, 0.0), "node0.edge1": (0.0, 1.0, 0.0),
            "node1.edge0": (0.0, 2.0, 0.0), "node1.edge1": (3.0, 0.0, 9.0), "node1.edge2": (1.5, 0.0, 0.0),
        }.items():  # fmt: skip
            rows[name].copy_(torch.tensor(values))
    expected = {"node0": (0, 1), "node0.edge0": "line", "node0.edge1": "skip", "node1": (0, 2),
                "node1.edge0": "skip", "node1.edge2": "line"}  # fmt: skip
    assert expected == dict(relaxation.derive())


class Sparse(Cell):
    """The same cell with nothing among its operations."""

    @staticmethod
    def edge(node):
        return lambda j: nw.one_of(f"node{node}.edge{j}", none=nn.Identity, line=lambda: nn.Linear(3, 3))


def test_nothing_makes_no_connection_strong():
    """An edge that prefers nothing is as strong as its operation is, however sure it is."""
    relaxation = Softmax(Supernet(nw.SearchSpace(Sparse)))
    rows = dict(zip((d.name for d in relaxation._rows), relaxation.alpha, strict=True))
    with torch.no_grad():
        for name, values in {
            "node1.edge0": (9.0, 0.0, 0.0),
            "node1.edge1": (0.0, 1.0, 0.0),
            "node1.edge2": (0.0, 1.0, 0.0),
        }.items():
            rows[name].copy_(torch.tensor(values))
    assert relaxation.derive()["node1"] == (1, 2)


class Sized(nn.Module):
    """A layer of an open width."""

    def __init__(self):
        super().__init__()
        width = nw.choose("width", 2, 3)
        self.layers = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, x):
        return self.layers(x)


def test_values_have_a_row_and_a_fixed_one_has_none():
    """A width is learnt as any other decision is."""
    assert list(Softmax(Supernet(nw.SearchSpace(Sized))).probabilities()) == ["width"]
    assert list(Softmax(Supernet(nw.SearchSpace(Sized).fix(width=3))).probabilities()) == []


def test_gdas_learns_each_value_by_what_it_would_use():
    """The draw is one-hot over all values, and every number has a gradient of its own."""
    supernet = Supernet(nw.SearchSpace(Sized)).double()
    relaxation = HardGumbel(supernet).double()
    relaxation.temperature = 1.0
    way = relaxation.ways(torch.Generator().manual_seed(0))["width"]
    assert way.positions == (0, 1)
    assert sorted(way.weights.tolist()) == pytest.approx([0.0, 1.0])
    loss_of(supernet, {"width": way}, torch.randn(4, 2, dtype=torch.float64)).backward()
    assert bool((relaxation.alpha[0].grad != 0).all())


def test_fixed_decisions_go_their_way():
    """What the space fixes is no row, and runs alone."""
    space = nw.SearchSpace(Toy).fix(a="r")
    relaxation = Softmax(Supernet(space))
    assert list(relaxation.probabilities()) == ["b"]
    assert relaxation.ways(torch.Generator())["a"].positions == (2,)
    assert all(architecture["a"] == "r" for architecture in relaxation.ranked(3))


def test_numbers_that_are_no_longer_finite_end_the_search():
    """GDAS says of which decision, and does not draw for ever."""
    _, relaxation, _, generator = toy(HardGumbel)
    with torch.no_grad():
        relaxation.alpha[1][0] = float("nan")
    with pytest.raises(FloatingPointError, match="the numbers of decision 'b' are no longer finite"):
        relaxation.ways(generator)
