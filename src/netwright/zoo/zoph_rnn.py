"""The recurrent cell of Zoph & Le (ICLR 2017): a tree of base eight with a memory, as a language model.

Eight leaves add or multiply a linear map of the input and one of the last output; seven nodes above them add or
multiply two nodes each; every node ends in one of four activations. Two choices are about the memory: at which node the
last one enters, and how (combined and activated once more), and at which node the next one is read, before its
activation. That is 8¹⁵·8·15·15 = 6·10¹⁶ cells, as in the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.space import SearchSpace, choose, inputs, one_of
from netwright.zoo.trees import Branch

LEAVES = 8
NODES = 2 * LEAVES - 1
"""Leaves are 0 to 7; node 8 has the leaves 0 and 1, and so on; node 14 is the output."""
ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
}


class Sum(nn.Module):
    """The sum of two states."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return left + right


class Product(nn.Module):
    """The product of two states, element by element."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return left * right


def combination(name: str) -> nn.Module:
    """How a node combines two states."""
    return one_of(f"{name}.combine", add=Sum, multiply=Product)


def activation(name: str) -> nn.Module:
    """How a node ends."""
    return one_of(f"{name}.activation", **ACTIVATIONS)


class RecurrentCell(nn.Module):
    """One step: from an input, the last output and the last memory, each (N, hidden), to the next two."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.from_input = nn.Linear(hidden, LEAVES * hidden, bias=False)
        self.from_output = nn.Linear(hidden, LEAVES * hidden, bias=False)
        self.combine = nn.ModuleList(combination(f"node{node}") for node in range(NODES))
        self.activate = nn.ModuleList(activation(f"node{node}") for node in range(NODES))
        self.enters = choose("memory.enters", *range(NODES))
        self.enter_combine, self.enter_activate = combination("memory"), activation("memory")
        self.read = inputs("memory.read", NODES)

    def forward(self, x: Tensor, output: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        return self.step(self.from_input(x), output, memory)

    def step(self, mapped: Tensor, output: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """The same of an input that :attr:`from_input` has mapped: a text is mapped as a whole, which is faster."""
        pairs = list(zip(mapped.chunk(LEAVES, -1), self.from_output(output).chunk(LEAVES, -1), strict=True))
        before: list[Tensor] = []
        after: list[Tensor] = []
        for node, (combine, activate) in enumerate(zip(self.combine, self.activate, strict=True)):
            first = 2 * (node - LEAVES)
            left, right = pairs[node] if node < LEAVES else (after[first], after[first + 1])
            before.append(combine(left, right))
            state = activate(before[-1])
            if node == self.enters:
                state = self.enter_activate(self.enter_combine(state, memory))
            after.append(state)
        return after[-1], self.read(before)


class ZophRNN(nn.Module):
    """A language model of ``layers`` such cells. Input (N, T) words, output (N, T, words).

    The output layer has the weights of the embedding where ``tied``. ``state`` holds the outputs and memories of the
    cells after the words before, zeros if not given; :meth:`run` gives the next one too.
    """

    def __init__(self, vocabulary: int = 10_000, hidden: int = 650, layers: int = 2, tied: bool = True) -> None:
        super().__init__()
        self.hidden = hidden
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.cells = nn.ModuleList(RecurrentCell(hidden) for _ in range(layers))
        self.head = nn.Linear(hidden, vocabulary)
        if tied:
            self.head.weight = self.embedding.weight

    def run(
        self, words: Tensor, state: list[tuple[Tensor, Tensor]] | None = None
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """The outputs, and the state after the last word."""
        embedded = self.embedding(words.long())
        if state is None:
            nothing = embedded.new_zeros(embedded.shape[0], self.hidden)
            state = [(nothing, nothing) for _ in self.cells]
        after = []
        x = embedded
        for cell, (output, memory) in zip(self.cells, state, strict=True):
            outputs = []
            for mapped in cell.from_input(x).unbind(1):  # type: ignore[operator]
                output, memory = cell.step(mapped, output, memory)  # type: ignore[operator]
                outputs.append(output)
            x = torch.stack(outputs, 1)
            after.append((output, memory))
        return self.head(x), after

    def forward(self, words: Tensor, state: list[tuple[Tensor, Tensor]] | None = None) -> Tensor:
        return self.run(words, state)[0]


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`ZophRNN`, and ``where`` and ``same``."""
    return SearchSpace(ZophRNN, **arguments)


def tree(architecture: Mapping[str, Any]) -> Branch:
    """The cell as a tree from its output down to the leaves, where ``x`` is the input and ``h`` the last output."""
    signs = {"add": "+", "multiply": "·"}
    (read,) = architecture["memory.read"]

    def branch(node: int) -> Branch:
        sign, end = signs[architecture[f"node{node}.combine"]], architecture[f"node{node}.activation"]
        first = 2 * (node - LEAVES)
        below = () if node < LEAVES else (branch(first), branch(first + 1))
        of = f"W{node}x {sign} U{node}h" if node < LEAVES else f"n{first} {sign} n{first + 1}"
        words, short = f"n{node} = {end}({of})", f"n{node}: {sign} {end}"
        notes = []
        if node == architecture["memory.enters"]:
            how = f"{architecture['memory.activation']}(n{node} {signs[architecture['memory.combine']]} memory)"
            words += f", then {how}"
            notes.append(f"{signs[architecture['memory.combine']]} c {architecture['memory.activation']}")
        if node == read:
            words += f"; the next memory is {of}"
            notes.append("→ c")
        return Branch(words, "\n".join([short, " ".join(notes)]) if notes else short, below)

    return branch(NODES - 1)


NAS_CELL = Architecture(
    {
        f"node{node}.{what}": answer
        for node, pair in enumerate(
            (
                ("add", "sigmoid"), ("add", "relu"), ("add", "sigmoid"), ("multiply", "relu"),
                ("add", "tanh"), ("add", "sigmoid"), ("add", "tanh"), ("add", "sigmoid"),
                ("multiply", "tanh"), ("add", "tanh"), ("multiply", "tanh"), ("add", "sigmoid"),
                ("multiply", "identity"), ("add", "tanh"), ("multiply", "tanh"),
            )
        )
        for what, answer in zip(("combine", "activation"), pair, strict=True)
    }
    | {"memory.enters": 8, "memory.combine": "add", "memory.activation": "tanh", "memory.read": (12,)}
)  # fmt: skip
"""The cell that the paper found, as TensorFlow's NASCell computes it."""

ZOPH_RNN_STARTS: tuple[Mapping[str, Any], ...] = (NAS_CELL,)
