"""Costs of operations: the mean over all architectures by enumeration, and the costs of networks that are built."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

import netwright as nw
from netwright import costs, zoo
from netwright.errors import ArchitectureError, InputError, SpaceError
from netwright.space.conditions import asked
from netwright.supernet import Supernet
from netwright.supernet.operations import Operation, OperationTable, _minimum
from netwright.supernet.partial_channels import EdgeNormalised
from netwright.supernet.relaxations import Dirichlet, Gates, Softmax
from netwright.zoo import darts, nasbench201

X = torch.randn(1, 4)


class Nested(nn.Module):
    """A stem, a choice with a choice and a row inside, and the outer name once more: all that words can make."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self.stem = nn.Linear(4, 4)
        self.outer = nw.one_of("outer", plain=self.wide, skip=nn.Identity, deep=self.deep)
        self.again = nw.one_of("outer", plain=lambda: nn.Linear(4, 4, bias=False), skip=nn.Identity, deep=self.twice)
        self.pick = nw.inputs("pick", 3, pick=2)
        self.edges = self.pick.each(lambda j: nw.one_of(f"edge{j}", fc=lambda: hidden(j + 1), skip=nn.Identity))
        self.head = nn.Linear(4, 2)

    @staticmethod
    def wide():
        return hidden(7)

    @staticmethod
    def deep():
        block = lambda i: nw.one_of(f"op{i}", fc=lambda: hidden(i + 2), skip=nn.Identity)  # noqa: E731
        return nw.repeat("depth", block, 0, 3)

    @staticmethod
    def twice():
        """Inside its own option the outer name can only have that: the other candidates never run."""
        return nw.one_of("outer", plain=lambda: hidden(30), skip=lambda: hidden(40), deep=lambda: hidden(5))

    def forward(self, x):
        a = self.stem(x) * self.scale
        b = self.outer(a)
        return self.head(self.pick([a, b, self.again(b)], self.edges))


class Single(nn.Module):
    """One choice of two layers."""

    def __init__(self):
        super().__init__()
        self.op = nw.one_of("op", fc=lambda: nn.Linear(4, 4), skip=nn.Identity)

    def forward(self, x):
        return self.op(x)


def hidden(width):
    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 4))


def made(network, **arguments):
    space = nw.SearchSpace(network, **arguments)
    return space, Supernet(space)


def drawn(space, count):
    rng = np.random.default_rng(0)
    return [space.sample(rng) for _ in range(count)]


def random_rows(space, seed=0):
    """A row of probabilities for each decision of a space."""
    draw = torch.Generator().manual_seed(seed)
    return {d.name: torch.rand(len(d.options), generator=draw).double().softmax(0) for d in space.decisions}


def enumerated(space, rows, cost):
    """The mean cost, from all answers to all decisions, each drawn by itself; those not asked do not matter."""
    total = 0.0
    for answers in itertools.product(*(decision.options for decision in space.decisions)):
        given = dict(zip((decision.name for decision in space.decisions), answers, strict=True))
        probability = math.prod(
            rows[decision.name][decision.options.index(given[decision.name])].item() for decision in space.decisions
        )
        kept = {}
        for decision in space.decisions:
            if asked(decision, kept):
                kept[decision.name] = given[decision.name]
        total += probability * cost(nw.Architecture(kept))
    return total


@pytest.fixture(scope="module")
def nested():
    return made(Nested)


def test_expected_parameters_are_the_mean_over_all_architectures(nested):
    """Nested choices, a row inside one, connections and a name met twice: exact, with every network built."""
    space, supernet = nested
    known = {a: sum(p.numel() for p in space.build(a).parameters()) for a in space.enumerate()}
    rows = random_rows(space)
    found = OperationTable.parameters(supernet).expected(rows)
    assert enumerated(space, rows, known.__getitem__) == pytest.approx(found.item(), rel=1e-12)


def test_expected_macs_are_the_mean_over_all_architectures(nested):
    """The same for what is measured on each operation at its inputs."""
    space, supernet = nested
    known = {a: costs.macs(space.build(a), X) for a in space.enumerate()}
    rows = random_rows(space, seed=1)
    found = OperationTable.measured(supernet, X, costs.macs).expected(rows)
    assert enumerated(space, rows, known.__getitem__) == pytest.approx(found.item(), rel=1e-12)


def test_certain_rows_expect_what_the_architecture_costs(nested):
    """A row of 0 and 1 is an architecture."""
    space, supernet = nested
    table = OperationTable.parameters(supernet)
    for architecture in drawn(space, 10):
        rows = {
            d.name: torch.tensor([float(option == architecture.get(d.name, d.first)) for option in d.options])
            for d in space.decisions
        }
        assert table.of(architecture) == table.expected(rows).item()


def test_the_least_and_the_most_are_those_of_enumeration(nested):
    """Of all architectures, whatever hangs together with what."""
    space, supernet = nested
    table = OperationTable.parameters(supernet)
    known = [table.of(architecture) for architecture in space.enumerate()]
    assert (min(known), max(known)) == (table.least(), table.most())


def test_a_bound_where_tables_grow_too_large(monkeypatch):
    """With tables that may not be joined the least is a lower bound, never above."""
    rng = np.random.default_rng(0)
    pairs = list(itertools.combinations("abcd", 2))
    tables = [(pair, rng.normal(size=(3, 3))) for pair in pairs]
    sums = [
        sum(table[at[one], at[other]] for (one, other), table in tables)
        for values in itertools.product(range(3), repeat=4)
        for at in [dict(zip("abcd", values, strict=True))]
    ]
    assert min(sums) == pytest.approx(_minimum(tables))
    monkeypatch.setattr("netwright.supernet.operations.CELLS", 9)
    assert _minimum(tables) <= min(sums)


ZOO = {
    "nasbench201": ({"channels": 4, "cells": 1}, (3, 8, 8)),
    "proxyless": ({"widths": (8, 4, 8, 8, 8, 8, 8, 8, 16), "blocks": 2}, (3, 32, 32)),
    "darts": ({"channels": 4, "cells": 3}, (3, 8, 8)),
}


@pytest.mark.parametrize("name", ZOO)
def test_architectures_of_published_spaces_cost_what_their_networks_do(name):
    """Parameters and multiply-adds of the sum over operations, and of networks that are built."""
    arguments, shape = ZOO[name]
    space = zoo.SPACES[name].space(input_shape=shape, classes=4, **arguments)
    supernet, x = Supernet(space), torch.randn(1, *shape)
    weights, macs = OperationTable.parameters(supernet), OperationTable.measured(supernet, x, costs.macs)
    for architecture in drawn(space, 20):
        network = space.build(architecture)
        assert (costs.parameters(network), costs.macs(network, x)) == (
            weights.of(architecture),
            macs.of(architecture),
        )


def test_connections_without_a_row_all_count():
    """As a relaxation runs them that has no row for connections whose layers are open."""
    space, supernet = made(Nested)
    table = OperationTable.parameters(supernet)
    rows = random_rows(space)
    del rows["pick"]
    whole = {**rows, "pick": torch.full((3,), 1 / 3).double()}
    edges = sum(rows[f"edge{j}"][0] * (9 * (j + 1) + 4) for j in range(3))
    torch.testing.assert_close(table.expected(whole) + edges / 3, table.expected(rows))


class Node(nn.Module):
    """A node that takes ``pick`` of four states, each through a layer of another size or none."""

    def __init__(self, pick):
        super().__init__()
        self.pick = nw.inputs("pick", 4, pick=pick)
        self.edges = self.pick.each(lambda j: nw.one_of(f"edge{j}", fc=lambda: hidden(j + 1), skip=nn.Identity))

    def forward(self, x):
        return self.pick([x, -x, x.tanh(), x.relu()], self.edges)


def numbered(pick, edges=(0.7, -0.4, 1.1, 0.2)):
    """The table of a node, and a relaxation with numbers for its connections."""
    _, supernet = made(Node, pick=pick)
    relaxation = EdgeNormalised(supernet).double()
    with torch.no_grad():
        relaxation.beta[0].copy_(torch.tensor(edges))
        for place, row in enumerate(relaxation.alpha):
            row.copy_(torch.linspace(-1.0, place, len(row)))
    return OperationTable.parameters(supernet), relaxation


@pytest.mark.parametrize("pick", [1, 2, 3])
def test_numbers_of_connections_expect_the_mean_over_all_networks(pick):
    """Each pick by the product of its numbers' softmax, and what a row lacks to one is nothing: by enumeration."""
    table, relaxation = numbered(pick)
    rows, shares = relaxation.chances(), relaxation.beta[0].softmax(0)
    products = torch.stack([shares[list(chosen)].prod() for chosen in itertools.combinations(range(4), pick)])
    torch.testing.assert_close(rows["pick"], products / products.sum())
    mean = sum(
        chance * sum(rows[f"edge{j}"][0] * (9 * (j + 1) + 4) for j in chosen)
        for chance, chosen in zip(rows["pick"], itertools.combinations(range(4), pick), strict=True)
    )
    torch.testing.assert_close(table.expected(rows), mean)


def test_one_connection_kept_costs_what_its_number_says():
    """Of one of four the expectation is Σ softmax(β)·Σ p·cost, and certain numbers expect the network itself."""
    table, relaxation = numbered(1)
    edges = torch.stack([relaxation.probabilities()[f"edge{j}"][0] * (9 * (j + 1) + 4) for j in range(4)])
    torch.testing.assert_close(table.expected(relaxation.chances()), relaxation.beta[0].softmax(0) @ edges)
    with torch.no_grad():
        relaxation.beta[0].copy_(torch.tensor([0.0, 90.0, 0.0, 0.0]))
        relaxation.alpha[1].copy_(torch.tensor([90.0, 0.0, 0.0]))
    derived = relaxation.derive()
    assert dict(derived) == {"pick": (1,), "edge1": "fc"}
    assert table.of(derived) == pytest.approx(table.expected(relaxation.chances()).item())


def test_as_many_connections_are_expected_as_are_kept():
    """Each with at most one, the largest number most; and the likeliest pick is that of the largest numbers."""
    _, relaxation = numbered(2, edges=(0.0, 5.0, 9.0, 0.5))
    picks = list(itertools.combinations(range(4), 2))
    row = relaxation.chances()["pick"]
    kept = [sum(chance for chance, pick in zip(row.tolist(), picks, strict=True) if edge in pick) for edge in range(4)]
    assert sum(kept) == pytest.approx(2.0)
    assert max(kept) <= 1.0
    assert sorted(range(4), key=kept.__getitem__) == [0, 3, 1, 2]
    assert picks[int(row.argmax())] == (1, 2)


@pytest.mark.parametrize("kind", [Softmax, Dirichlet, Gates, EdgeNormalised])
def test_every_number_of_a_relaxation_has_the_slope_of_the_expected_cost(kind):
    """Finite differences; none is zero, for the options of each decision cost differently.

    A node of two states that takes both costs the same whatever the numbers of its connections are.
    """
    space = darts.space(input_shape=(3, 8, 8), classes=4, channels=4, cells=3)
    supernet = Supernet(space)
    relaxation = kind(supernet).double()
    table = OperationTable.parameters(supernet)
    rows = list(relaxation.parameters())
    gradients = torch.autograd.grad(table.expected(relaxation.chances()), rows, allow_unused=True)
    assert sum(gradient is None for gradient in gradients) == (2 if kind is EdgeNormalised else 0)
    for row, gradient in zip(rows, gradients, strict=True):
        if gradient is None:
            continue
        assert (gradient != 0).all()
        place = int(gradient.abs().argmin())
        assert gradient[place].item() == pytest.approx(slope(table, relaxation, row, place), rel=1e-4, abs=1e-4)


def slope(table, relaxation, row, place, step=1e-5):
    ends = []
    with torch.no_grad():
        for way in (step, -2 * step):
            row[place] += way
            ends.append(table.expected(relaxation.chances()).item())
        row[place] += step
    return (ends[0] - ends[1]) / (2 * step)


def test_the_two_that_were_drawn_are_expected_alone():
    """Of gated numbers the costs of the two options drawn count, and every one of these numbers has a gradient."""
    space = nasbench201.space(input_shape=(3, 8, 8), classes=4, channels=4, cells=1)
    gates = Gates(Supernet(space)).double()
    table = OperationTable.measured(Supernet(space), torch.randn(1, 3, 8, 8), costs.flops)
    gates.ways(torch.Generator().manual_seed(0))
    gradients = torch.autograd.grad(table.expected(gates.pairs()), list(gates.alpha))
    assert all(int((gradient != 0).sum()) in (0, 2) for gradient in gradients)
    assert any(int((gradient != 0).sum()) == 2 for gradient in gradients)


def test_rows_on_half_precision_are_summed_in_single(nested):
    """The type is that of the rows, at least single precision."""
    space, supernet = nested
    table = OperationTable.parameters(supernet)
    types = [table.expected({n: row.to(t) for n, row in random_rows(space).items()}).dtype
             for t in (torch.float16, torch.float32, torch.float64)]  # fmt: skip
    assert [torch.float32, torch.float32, torch.float64] == types


class Tied(nn.Module):
    """An embedding whose weight is that of the head, and one block that stands in a row several times."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(11, 4), nn.Linear(4, 11, bias=False)
        self.head.weight = self.embed.weight
        block = hidden(3)
        self.body = nw.repeat("depth", lambda i: block, 0, 4)

    def forward(self, tokens):
        return self.head(self.body(self.embed(tokens)))


def test_shared_parameters_count_once_and_calls_as_often_as_they_run():
    """A block that runs four times has its parameters once, and its multiply-adds four times."""
    space, supernet = made(Tied)
    tokens = torch.zeros(1, 5, dtype=torch.long)
    weights = OperationTable.parameters(supernet)
    macs = OperationTable.measured(supernet, tokens, costs.macs)
    known = [space.build(architecture) for architecture in space.enumerate()]
    assert [costs.parameters(n) for n in known] == [weights.of(a) for a in space.enumerate()]
    assert [costs.macs(n, tokens) for n in known] == [macs.of(a) for a in space.enumerate()]
    rows = random_rows(space)
    assert enumerated(space, rows, weights.of) == pytest.approx(weights.expected(rows).item(), rel=1e-12)


class Windows(nn.Module):
    """Layers that are called by keyword, with more than tensors, and with rows that are no examples."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x, *, scale, parts):
            return self.fc(x) * scale + sum(parts)

    def __init__(self):
        super().__init__()
        self.op = nw.one_of("op", a=self.Block, b=self.Block)
        self.last = nw.one_of("last", fc=lambda: nn.Linear(4, 2), two=lambda: hidden(2))

    def forward(self, x):
        folded = x.reshape(2, 4)
        return self.last(self.op(folded, scale=2, parts=[folded, folded]))


def test_any_call_can_be_measured():
    """Keywords, lists, numbers, and a first dimension that is not of examples: all of it counts."""
    space, supernet = made(Windows)
    x = torch.randn(1, 8)
    table = OperationTable.measured(supernet, x, costs.macs)
    for architecture in space.enumerate():
        assert costs.macs(space.build(architecture), x) == table.of(architecture)


def test_latencies_add_up_to_more_where_more_is_done():
    """Milliseconds of each operation alone; sums of branches between them are not in it."""
    space = nasbench201.space(input_shape=(3, 16, 16), classes=4, channels=16, cells=1)
    table = OperationTable.measured(Supernet(space), torch.randn(1, 3, 16, 16), costs.Latency(repeats=9, on="torch"))
    heavy, light = (
        nw.Architecture(dict.fromkeys((d.name for d in space.decisions), op)) for op in ("nor_conv_3x3", "skip_connect")
    )
    assert 0 < table.least() <= table.of(light) < table.of(heavy) <= table.most()


def test_equal_operations_are_measured_once():
    """The cells of a stage are alike, and so are their convolutions."""
    space = nasbench201.space(input_shape=(3, 8, 8), classes=4, channels=4, cells=3)
    seen = []

    def measure(layer, inputs):
        seen.append((repr(layer), inputs[0].shape))
        return 1.0

    table = OperationTable.measured(Supernet(space), torch.randn(1, 3, 8, 8), measure)
    assert len(set(seen)) == len(seen)
    assert len(table.operations) > 3 * 3 * 6 * 5


def test_the_supernet_is_left_as_it_was():
    """Weights, buffers, modes, ways and the random numbers that follow."""
    space = nasbench201.space(input_shape=(3, 8, 8), classes=4, channels=4, cells=1)
    supernet = Supernet(space)
    architecture = drawn(space, 1)[0]
    supernet.at(architecture).train()
    supernet.network.body[1].eval()
    ways, modes = supernet.board.ways, [module.training for module in supernet.modules()]
    state = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    random = torch.get_rng_state()
    example = torch.randn(1, 3, 8, 8, generator=torch.Generator())
    OperationTable.measured(supernet, example, costs.Latency(2, 0, on="torch"))
    assert supernet.board.ways is ways
    assert modes == [module.training for module in supernet.modules()]
    assert all(torch.equal(tensor, state[name]) for name, tensor in supernet.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())


class Listed(nn.Module):
    """Layers in a list beside the choice, and a block of which one layer alone is called."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.block = hidden(4)
        self.op = nw.one_of("op", fc=lambda: nn.Linear(4, 4), skip=nn.Identity)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.op(self.block[0](x))


def test_what_is_called_is_measured_and_not_what_it_stands_in():
    """A list is never called, nor a block of which the network calls a part."""
    space, supernet = made(Listed)
    table = OperationTable.measured(supernet, X, costs.macs)
    assert [costs.macs(space.build(a), X) for a in space.enumerate()] == [table.of(a) for a in space.enumerate()]
    assert "block.0" in {operation.place for operation in table.operations}


class Counting(nn.Module):
    """A choice between layers, beside one that only training calls and one that counts its calls."""

    def __init__(self):
        super().__init__()
        self.op = nw.one_of("op", fc=lambda: nn.Linear(4, 4), skip=nn.Identity)
        self.auxiliary = nn.Linear(4, 9)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return (self.op(x), self.auxiliary(x)) if self.training else self.op(x)


def test_what_no_evaluation_calls_costs_nothing():
    """An auxiliary head has parameters and no multiply-adds; a buffer that counts calls has seen none."""
    _, supernet = made(Counting)
    table = OperationTable.measured(supernet, X, costs.macs)
    assert ["op.candidates.0", "op.candidates.1"] == [operation.place for operation in table.operations]
    assert supernet.network.calls.item() == 0
    skip = nw.Architecture({"op": "skip"})
    assert (0, 45) == (table.of(skip), OperationTable.parameters(supernet).of(skip))


class Walked(nn.Module):
    """A network that walks through its blocks itself: only single paths can run."""

    def __init__(self):
        super().__init__()
        self.body = nw.repeat("depth", lambda i: hidden(i + 2), 1, 3)

    def forward(self, x):
        for block in self.body:
            x = block(x)
        return x


def test_a_network_that_walks_through_its_blocks_can_be_measured():
    """It cannot be mixed, but what it costs is the same sum."""
    space, supernet = made(Walked)
    table = OperationTable.measured(supernet, X, costs.macs)
    assert [costs.macs(space.build(a), X) for a in space.enumerate()] == [table.of(a) for a in space.enumerate()]


class Strided(nn.Module):
    """A choice that halves its output or not: what follows costs accordingly."""

    def __init__(self):
        super().__init__()
        self.op = nw.one_of("op", same=nn.Identity, half=lambda: nn.AvgPool1d(2))
        self.conv = nn.Conv1d(1, 1, 1)

    def forward(self, x):
        return self.conv(self.op(x))


def test_a_cost_that_depends_on_another_decision_is_refused():
    """The error names what is met at two shapes; its parameters are what they are."""
    space, supernet = made(Strided)
    with pytest.raises(SpaceError, match="conv has inputs of different shapes in different architectures"):
        OperationTable.measured(supernet, torch.randn(1, 1, 4), costs.macs)
    assert {2.0} == {OperationTable.parameters(supernet).of(a) for a in space.enumerate()}


def test_a_rule_that_keeps_shapes_together_is_obeyed():
    """Where the simplest way to an operation cannot run, architectures of the space are drawn that do."""

    class Paired(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nw.one_of("a", small=lambda: nn.Linear(4, 2), large=lambda: nn.Linear(4, 3))
            self.b = nw.one_of("b", large=lambda: nn.Linear(3, 4), small=lambda: nn.Linear(2, 4))

        def forward(self, x):
            return self.b(self.a(x))

    space, supernet = made(Paired, where=lambda a: a["a"] == a["b"])
    table = OperationTable.measured(supernet, X, costs.macs)
    assert [16, 24] == sorted(table.of(architecture) for architecture in space.enumerate())


def test_open_values_are_refused():
    """Slices of a tensor have no cost of their own; the error names the decision."""
    space = nw.SearchSpace(lambda: nn.Linear(4, nw.choose("width", 2, 4)))
    for make in (OperationTable.parameters, lambda net: OperationTable.measured(net, X, costs.macs)):
        with pytest.raises(SpaceError, match="'width'"):
            make(Supernet(space))


def test_a_table_can_be_kept(nested):
    """Through JSON it is the same."""
    space, supernet = nested
    table = OperationTable.measured(supernet, X, costs.flops)
    again = OperationTable.from_value(json.loads(json.dumps(table.to_value())), supernet)
    assert table.operations == again.operations
    rows = random_rows(space)
    assert torch.equal(table.expected(rows), again.expected(rows))


def test_a_table_of_another_space_is_refused(nested):
    """Another space, the same space with other widths, and what is no table."""
    value = OperationTable.parameters(nested[1]).to_value()
    small, large = (
        Supernet(nasbench201.space(input_shape=(3, 8, 8), classes=4, cells=1, channels=width)) for width in (2, 4)
    )
    for found, supernet in ((value, small), (OperationTable.parameters(small).to_value(), large)):
        with pytest.raises(InputError, match="of another space, or of networks of another size"):
            OperationTable.from_value(found, supernet)
    with pytest.raises(InputError, match="no table of operations of format 1"):
        OperationTable.from_value({}, small)


@pytest.mark.parametrize(
    "entry",
    [{}, {"place": "op", "cost": -1.0, "paths": []}, {"place": "op", "cost": 1.0, "paths": [{"op": [7]}]}],
)
def test_a_damaged_table_is_refused(entry):
    """What is missing, negative, or about options that are not there."""
    _, supernet = made(Single)
    value = {**OperationTable.parameters(supernet).to_value(), "operations": [entry]}
    with pytest.raises(InputError, match=r"damaged|not negative"):
        OperationTable.from_value(value, supernet)


def test_missing_rows_and_rows_of_another_length_are_named():
    """Also what is no architecture of the space."""
    _, supernet = made(Single)
    table = OperationTable.parameters(supernet)
    with pytest.raises(InputError, match="for 1 decisions: 'op'"):
        table.expected({})
    with pytest.raises(InputError, match="'op' has 2 options"):
        table.expected({"op": torch.ones(3)})
    with pytest.raises(ArchitectureError):
        table.of({"op": "other"})


def test_fixed_decisions_need_no_row():
    """What is no longer open is known, and what it excludes costs nothing."""
    space = nw.SearchSpace(Nested).fix(outer="plain")
    table = OperationTable.parameters(Supernet(space))
    rows = random_rows(space)
    del rows["outer"]
    known = enumerated(space, {**rows, "outer": torch.ones(1)}, lambda a: costs.parameters(space.build(a)))
    assert known == pytest.approx(table.expected(rows).item(), rel=1e-12)


def test_a_cost_that_is_no_cost_is_refused():
    """The error names the operation."""
    _, supernet = made(Single)
    with pytest.raises(InputError, match=r"the cost of op\.candidates\.0 is nan"):
        OperationTable.measured(supernet, X, lambda layer, inputs: math.nan)


def test_operations_say_where_they_stand():
    """Place, cost, and the positions of the options that lead there."""
    _, supernet = made(Single)
    table = OperationTable.measured(supernet, X, costs.macs)
    first, second = (frozenset({position}) for position in (0, 1))
    assert (
        Operation("op.candidates.0", 16.0, ({"op": first},)),
        Operation("op.candidates.1", 0.0, ({"op": second},)),
    ) == table.operations
