"""The build reading: what comes out, and what a constructor hides from the outline."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import cloudpickle
import numpy as np
import pytest
import torch
from space_networks import Net, brute_force, demo, words_only
from torch import nn

import netwright as nw
from netwright.errors import ArchitectureError, SpaceError
from netwright.space.words import Inputs


def test_every_architecture_of_the_design_pages_space_builds_and_runs():
    """One of each depth and operation: forward runs, and no module of ours is inside."""
    space = demo().fix(width=16)
    for architecture in space.enumerate():
        if architecture["depth"] > 3:
            break
        network = space.build(architecture)
        assert (2, 10) == tuple(network(torch.zeros(2, 1, 8, 8)).shape)
        assert architecture["depth"] == len(network.body)
        assert not [m for m in network.modules() if type(m).__module__.startswith("netwright")]


def test_the_decisions_of_the_design_page():
    """Their names, kinds and conditions in order."""
    expected = [("width", "choose", "always"), ("depth", "repeat", "always"), ("op0", "one_of", "always")]
    expected += [("op1", "one_of", "always"), *((f"op{index}", "one_of", f"depth>{index}") for index in range(2, 6))]
    rows = {row["name"]: (row["name"], row["kind"], row["asked"]) for row in demo().describe()}
    assert sorted(expected) == sorted(rows.values())


def test_parameters_counted_by_hand():
    """Stem 1*32*9 + 64; conv3 32*32*9 + 64; conv5 32*32*25 + 64; skip 0; head 32*10 + 10."""
    network = demo().build({"width": 32, "depth": 3, "op0": "conv3", "op1": "skip", "op2": "conv5"})
    expected = (288 + 64) + (9216 + 64) + (25600 + 64) + 330
    assert expected == sum(parameter.numel() for parameter in network.parameters())


def test_build_gives_the_same_weights_for_the_same_seed():
    """A build draws from torch's generator as the plain constructor would."""
    space = demo().fix(width=16, depth=2, op0="conv3", op1="skip")
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        states.append(space.build(space.sample(np.random.default_rng(0))).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_build_validates():
    """It refuses what does not fit, `where` included; limits say what is drawn, not what is built."""
    good = {"width": 16, "depth": 2, "op0": "skip", "op1": "skip"}
    with pytest.raises(ArchitectureError, match="no answer for decision 'op1'"):
        demo().build({"width": 16, "depth": 2, "op0": "skip"})
    with pytest.raises(ArchitectureError, match="`where` of the space refuses"):
        demo(where=lambda a: False).build(good)
    assert isinstance(demo().restrict(lambda a: False).build(good), Net)


class Cell(nn.Module):
    """Three nodes, each of which takes two earlier states."""

    def __init__(self, combine):
        super().__init__()
        self.inputs = [nw.inputs(f"in{node}", node + 2, pick=2, combine=combine) for node in range(3)]
        self.layers = nn.ModuleList(nn.Linear(8 if combine == "concat" else 4, 4) for _ in range(3))

    def forward(self, x):
        states = [x, x + 1]
        for take, layer in zip(self.inputs, self.layers, strict=True):
            states.append(layer(take(states)))
        return states[-1]


@pytest.mark.parametrize("combine", ["sum", "mean", "product", "concat", lambda picked: picked[0] - picked[1]])
def test_a_cell_can_be_traced_exported_copied_and_pickled(combine):
    """torch.fx and torch.export go through the call of `inputs` and leave plain operators; outputs are equal."""
    space = nw.SearchSpace(Cell, combine=combine)
    assert space.size == 1 * 3 * 6
    network = space.build({"in0": (0, 1), "in1": (0, 2), "in2": (1, 3)}).eval()
    x = torch.randn(2, 4)
    expected = network(x)
    traced = torch.fx.symbolic_trace(network)
    assert torch.equal(expected, traced(x))
    assert torch.equal(expected, torch.export.export(network, (x,)).module()(x))
    assert torch.equal(expected, copy.deepcopy(network)(x))
    assert torch.equal(expected, cloudpickle.loads(cloudpickle.dumps(network))(x))


def test_inputs_pick_and_combine():
    """Each way of combining, on numbers."""
    states = [torch.tensor([[2.0]]), torch.tensor([[3.0]]), torch.tensor([[5.0]])]
    results = {how: Inputs((0, 2), 3, how)(states) for how in ("sum", "mean", "product", "concat", None)}
    assert (7.0, 3.5, 10.0) == tuple(results[how].item() for how in ("sum", "mean", "product"))
    assert [[2.0, 5.0]] == results["concat"].tolist()
    assert (states[0], states[2]) == results[None]
    assert states[1] is Inputs((1,), 3)(states)
    with pytest.raises(SpaceError, match="declared for 3 states, its call was given 2"):
        Inputs((0,), 3)(states[:2])


class EdgeCell(nn.Module):
    """Two nodes that take two earlier states each, through a layer that belongs to the connection."""

    def __init__(self):
        super().__init__()
        self.picks = [nw.inputs(f"node{node}", node + 2, pick=2) for node in range(2)]
        self.edges = nn.ModuleList(pick.each(self.edge(node)) for node, pick in enumerate(self.picks))

    @staticmethod
    def edge(node):
        return lambda j: nw.one_of(f"node{node}.edge{j}", line=lambda: nn.Linear(4, 4), skip=nn.Identity)

    def forward(self, x):
        states = [x, x + 1]
        for pick, edges in zip(self.picks, self.edges, strict=True):
            states.append(pick(states, edges))
        return states[-1]


def test_layers_on_connections():
    """Only the layers of the picked inputs are made and asked for, each sees its own state, and it can be traced."""
    space = nw.SearchSpace(EdgeCell)
    assert space.size == 4 * (3 * 4)
    assert texts(brute_force(EdgeCell)) == texts(space.enumerate())
    answers = {"node0": (0, 1), "node0.edge0": "skip", "node0.edge1": "skip", "node1": (0, 2)}
    network = space.build({**answers, "node1.edge0": "line", "node1.edge2": "skip"}).eval()
    x = torch.randn(2, 4)
    expected = network.edges[1][0](x) + (x + (x + 1))
    assert torch.equal(expected, network(x))
    assert torch.equal(expected, torch.fx.symbolic_trace(network)(x))
    assert torch.equal(expected, torch.export.export(network, (x,)).module()(x))
    with pytest.raises(ArchitectureError, match=r"node1\.edge1"):
        space.build({**answers, "node1.edge1": "line", "node1.edge2": "skip"})


def test_each_takes_a_function():
    """A module that is already made is refused."""
    with pytest.raises(SpaceError, match="'in': each takes a function from a state's index to a module, found Linear"):
        nw.SearchSpace(words_only(lambda: nw.inputs("in", 2).each(nn.Linear(1, 1))))


def texts(architectures):
    return sorted(nw.Architecture(answers).to_json() for answers in architectures)


def hidden(declare, answers):
    space = nw.SearchSpace(words_only(declare))
    return lambda: space.build(answers)


def test_a_decision_behind_an_if_is_found_out():
    """A question that the outline never met is explained with the word that would show it."""

    def declare():
        if nw.choose("w", 1, 2) == 2:
            nw.choose("k", 3, 5)

    build = hidden(declare, {"w": 2})
    with pytest.raises(SpaceError, match=r"'k' at .*test_space_building.py:\d+ is unknown .* use one_of\(.* repeat\("):
        build()


def test_a_decision_that_an_if_leaves_out_is_found_out():
    """A question that the outline promised and the build does not ask."""

    def declare():
        if nw.choose("w", 1, 2) == 1:
            nw.choose("k", 3, 5)

    with pytest.raises(SpaceError, match=r"did not ask for 'k' \(at .*\.py:\d+\).*hidden behind a Python if"):
        hidden(declare, {"w": 2, "k": 3})()


def test_options_that_depend_on_a_chosen_value_are_found_out():
    """Both declarations are in the message."""

    def declare():
        width = nw.choose("w", 1, 2)
        nw.choose("k", *range(width + 1))

    with pytest.raises(SpaceError, match="asks for choose of 0, 1, 2, but the outline knows it as choose of 0, 1 "):
        hidden(declare, {"w": 2, "k": 0})()


def test_a_decision_asked_where_the_outline_has_it_inactive_is_found_out():
    """It is conditional for the outline and asked unconditionally by an if."""

    def declare():
        nw.one_of("op", a=words_only(lambda: nw.choose("k", 3, 5)), b=nn.Identity)
        if nw.choose("w", 1, 2) == 2:
            nw.choose("k", 3, 5)

    with pytest.raises(SpaceError, match=r"'k' at .* asked for, but by the outline .*op=b, w=2\) does not"):
        hidden(declare, {"op": "b", "w": 2})()


def test_an_error_while_building_is_the_users_own_with_a_note():
    """Its type stays, so that a study records what really happened."""

    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            if nw.choose("w", 1, 2) == 2:
                raise ZeroDivisionError("too wide")

    with pytest.raises(ZeroDivisionError) as caught:
        nw.SearchSpace(Fails).build({"w": 2})
    assert ["while Fails was built as w=2"] == caught.value.__notes__


def test_only_the_chosen_candidate_is_made():
    """The others' functions are not called."""
    made = []

    def candidate(name):
        def make():
            made.append(name)
            return nn.Identity()

        return make

    space = nw.SearchSpace(words_only(lambda: nw.one_of("op", a=candidate("a"), b=candidate("b"))))
    made.clear()
    space.build({"op": "b"})
    assert ["b"] == made


def test_a_space_of_a_script_travels_to_another_process(tmp_path):
    """A network of ``__main__`` goes by cloudpickle; the other process has the same space, rules and limits too."""
    script = tmp_path / "script.py"
    script.write_text(
        "import cloudpickle, sys, numpy as np, netwright as nw\n"
        "from torch import nn\n"
        "class Mine(nn.Module):\n"
        "    def __init__(self, outputs):\n"
        "        super().__init__()\n"
        "        self.layer = nn.Linear(nw.choose('width', 2, 3, 4), outputs)\n"
        "space = nw.SearchSpace(Mine, outputs=5, where=lambda a: a['width'] > 2).restrict(lambda a: a['width'] < 4)\n"
        "space.size, space.columns, space.sample(np.random.default_rng(0))\n"
        "sys.stdout.buffer.write(cloudpickle.dumps(space))\n"
    )
    data = subprocess.run([sys.executable, str(script)], capture_output=True, check=True, timeout=120).stdout
    space = cloudpickle.loads(data)
    assert [nw.Architecture({"width": 3})] == list(space.enumerate())
    assert (5, 3) == tuple(space.build({"width": 3}).layer.weight.shape)
    assert space.size == 2
    assert json.dumps(space.describe())


def test_a_used_space_pickles_no_larger_than_a_new_one():
    """What can be computed again does not travel."""
    space = demo()
    before = len(cloudpickle.dumps(space))
    space.sample(np.random.default_rng(0))
    space.encode(space.sample(np.random.default_rng(0)))
    assert len(cloudpickle.dumps(space)) <= before + 2_000


def test_recipe_decisions_live_in_the_same_space():
    """A hyperparameter is a decision like any other."""

    def declare():
        nw.choose("width", 8, 16)
        nw.choose("recipe.lr", low=0.01, high=1.0, log=True)

    space = nw.SearchSpace(words_only(declare)).fix({"recipe.lr": 0.1})
    assert 0.1 == space.sample(np.random.default_rng(0))["recipe.lr"]
    assert space.size == 2
