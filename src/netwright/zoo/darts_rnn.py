"""The recurrent cell of DARTS (Liu, Simonyan & Yang, ICLR 2019), as a language model.

A first state is made of the input and the last output; each of eight nodes takes one earlier state, does one of four
activations on a linear map of it, and lets a gate decide how much of that replaces the state. The output is the mean of
the nodes: 8!·4⁸ = 2.6·10⁹ cells. Dropout belongs to training and is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.errors import ArchitectureError, nearest
from netwright.space import SearchSpace, inputs, one_of
from netwright.zoo.trees import Branch

NODES = 8
ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}


class Node(nn.Module):
    """A node: the state that it takes, a linear map to a gate and a candidate, and the candidate's activation."""

    def __init__(self, number: int, hidden: int) -> None:
        super().__init__()
        self.pick = inputs(f"node{number}", number)
        self.weights = nn.Linear(hidden, 2 * hidden, bias=False)
        self.activation = one_of(f"node{number}.activation", **ACTIVATIONS)

    def forward(self, states: list[Tensor]) -> Tensor:
        state: Tensor = self.pick(states)
        gate, candidate = self.weights(state).chunk(2, -1)
        result: Tensor = state + torch.sigmoid(gate) * (self.activation(candidate) - state)
        return result


class RecurrentCell(nn.Module):
    """One step: from an input (N, inputs) and the last output (N, hidden) to the next output."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(width + hidden, 2 * hidden, bias=False)
        self.nodes = nn.ModuleList(Node(number, hidden) for number in range(1, NODES + 1))

    def forward(self, x: Tensor, last: Tensor) -> Tensor:
        gate, candidate = self.first(torch.cat([x, last], -1)).chunk(2, -1)
        states = [last + torch.sigmoid(gate) * (torch.tanh(candidate) - last)]
        for node in self.nodes:
            states.append(node(states))
        return torch.stack(states[1:]).mean(0)


class DARTSRNN(nn.Module):
    """A language model; the defaults are the paper's for the Penn Treebank. Input (N, T) words, output (N, T, words).

    The output layer has the weights of the embedding, as in the paper, where ``tied``. ``state`` is the output of the
    cell after the words before, zeros if not given; :meth:`run` gives the next one too.
    """

    def __init__(self, vocabulary: int = 10_000, hidden: int = 850, tied: bool = True) -> None:
        super().__init__()
        self.hidden = hidden
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.cell = RecurrentCell(hidden, hidden)
        self.head = nn.Linear(hidden, vocabulary)
        if tied:
            self.head.weight = self.embedding.weight

    def run(self, words: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The outputs, and the state after the last word."""
        embedded = self.embedding(words.long())
        state = embedded.new_zeros(embedded.shape[0], self.hidden) if state is None else state
        outputs = []
        for x in embedded.unbind(1):
            state = self.cell(x, state)
            outputs.append(state)
        return self.head(torch.stack(outputs, 1)), state

    def forward(self, words: Tensor, state: Tensor | None = None) -> Tensor:
        return self.run(words, state)[0]


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`DARTSRNN`, and ``where`` and ``same``."""
    return SearchSpace(DARTSRNN, **arguments)


def tree(architecture: Mapping[str, Any]) -> Branch:
    """The cell as a tree from its first state down to what takes it; the output is the mean of all nodes below."""

    def branch(node: int) -> Branch:
        below = tuple(branch(other) for other in range(node + 1, NODES + 1) if architecture[f"node{other}"] == (node,))
        if not node:
            return Branch("n0 = tanh(Wx + Uh), gated with h", "n0: x, h\ntanh", below)
        end = architecture[f"node{node}.activation"]
        (source,) = architecture[f"node{node}"]
        return Branch(f"n{node} = {end}(W{node}n{source}), gated with n{source}", f"n{node}: {end}", below)

    return branch(0)


def from_genotype(recurrent: Sequence[tuple[str, int]]) -> Architecture:
    """The architecture of a cell as the authors' programs print it; ArchitectureError says what is wrong."""
    if len(recurrent) != NODES:
        raise ArchitectureError(f"the cell has {NODES} nodes, found {len(recurrent)}")
    answers: dict[str, Any] = {}
    for number, (name, source) in enumerate(recurrent, 1):
        if name not in ACTIVATIONS:
            raise ArchitectureError(
                f"the cell has no activation '{name}' (at node {number})", hint=nearest(name, ACTIVATIONS).capitalize()
            )
        if not 0 <= source < number:
            raise ArchitectureError(f"node {number} takes a state of 0 to {number - 1}, found {source}")
        answers |= {f"node{number}": (source,), f"node{number}.activation": name}
    return Architecture(answers)


DARTS_RNN_V1 = from_genotype(
    (
        ("relu", 0), ("relu", 1), ("tanh", 2), ("relu", 3), ("relu", 4), ("identity", 1), ("relu", 5), ("relu", 1),
    )
)  # fmt: skip
"""Found by the first-order method (rnn/genotypes.py of the authors)."""

DARTS_RNN_V2 = from_genotype(
    (
        ("sigmoid", 0), ("relu", 1), ("relu", 1), ("identity", 1),
        ("tanh", 2), ("sigmoid", 5), ("tanh", 3), ("relu", 5),
    )
)  # fmt: skip
"""Found by the second-order method (as the authors' program and those made of it have it)."""

DARTS_RNN_STARTS: tuple[Mapping[str, Any], ...] = (DARTS_RNN_V2, DARTS_RNN_V1)
