"""NAS-Bench-101: cells of at most seven vertices and nine edges (Ying et al., ICML 2019).

A cell is an upper triangular matrix and an operation for each vertex between input and output. What is not on a way
from the input to the output is pruned; the 423,624 cells that remain different up to isomorphism have different hashes.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, final

import torch
from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.space import Graph, SearchSpace, choose

CONV3X3, CONV1X1, MAXPOOL3X3 = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
OPERATIONS = (CONV3X3, CONV1X1, MAXPOOL3X3)
"""In the order of the benchmark, which its hashes depend on."""
INPUT, OUTPUT = "input", "output"
MAX_VERTICES = 7
MAX_EDGES = 9
BUDGETS = (4, 12, 36, 108)
"""Epochs."""

Matrix = tuple[tuple[int, ...], ...]


@final
class Spec:
    """A cell: ``matrix`` (0 and 1, upper triangular) and ``ops`` (one a vertex, ``input`` first, ``output`` last).

    Both are pruned here, and are empty where no way leads from input to output; ``given_matrix`` and ``given_ops`` are
    as given. InputError for what is no upper triangular matrix with an operation for each vertex; :attr:`valid` says
    whether the benchmark has the cell.
    """

    def __init__(self, matrix: Any, ops: Sequence[str]) -> None:
        self.given_matrix = _matrix(matrix)
        self.given_ops = tuple(str(op) for op in ops)
        if len(self.given_ops) != len(self.given_matrix):
            raise InputError(
                f"a cell has an operation for each vertex: its matrix has {len(self.given_matrix)} rows, "
                f"ops {len(self.given_ops)} entries"
            )
        kept = _on_the_way(self.given_matrix)
        self.matrix: Matrix = tuple(tuple(self.given_matrix[i][j] for j in kept) for i in kept)
        self.ops = tuple(self.given_ops[i] for i in kept)

    @classmethod
    def of(cls, architecture: Mapping[str, Any]) -> Spec:
        """The cell of an architecture of :func:`space`."""
        vertices = 2 + sum(name.startswith("op_") for name in architecture)
        matrix = [[0] * vertices for _ in range(vertices)]
        for start, end in edges(vertices):
            matrix[start][end] = architecture[f"edge_{start}{end}"]
        return cls(matrix, (INPUT, *(architecture[f"op_{vertex}"] for vertex in range(1, vertices - 1)), OUTPUT))

    @property
    def edge_count(self) -> int:
        """The edges that are left after pruning."""
        return sum(map(sum, self.matrix))

    @cached_property
    def problem(self) -> str | None:
        """Why the benchmark does not have the cell, None where it has it."""
        if not self.matrix:
            return "no way leads from its input to its output"
        if len(self.ops) > MAX_VERTICES:
            return f"it has {len(self.ops)} vertices, at most {MAX_VERTICES} are allowed"
        if self.edge_count > MAX_EDGES:
            return f"it has {self.edge_count} edges, at most {MAX_EDGES} are allowed"
        if self.ops[0] != INPUT or self.ops[-1] != OUTPUT:
            return f"its first vertex is '{INPUT}' and its last '{OUTPUT}', found '{self.ops[0]}' and '{self.ops[-1]}'"
        unknown = next((op for op in self.ops[1:-1] if op not in OPERATIONS), None)
        return None if unknown is None else f"'{unknown}' is none of its operations ({', '.join(OPERATIONS)})"

    @property
    def valid(self) -> bool:
        """Whether the benchmark has the cell."""
        return self.problem is None

    @cached_property
    def hash(self) -> str:
        """The benchmark's name of the cell: equal for isomorphic cells. InputError for a cell that is not valid."""
        if self.problem is not None:
            raise InputError(f"the cell is not one of NAS-Bench-101: {self.problem}")
        return _hash(self.matrix, self.ops)

    def channels(self, inputs: int, outputs: int) -> list[int]:
        """The channels of every vertex: those that the output joins share its channels, the others need the most."""
        count = len(self.ops)
        last = count - 1
        found = [inputs, *([0] * (count - 2)), outputs]
        joined = [v for v in range(1, last) if self.matrix[v][last]]
        for place, vertex in enumerate(joined):
            share, rest = divmod(outputs, len(joined))
            found[vertex] = share + (place < rest)
        for vertex in range(last - 1, 0, -1):
            if not self.matrix[vertex][last]:
                found[vertex] = max(found[w] for w in range(vertex + 1, last) if self.matrix[vertex][w])
        return found

    def params(self, *, channels: int = 128, modules: int = 3, classes: int = 10) -> int:
        """The parameters of the benchmark's network for images of three channels, without building it."""
        total = 27 * channels + 2 * channels
        inputs = channels
        for stack in range(3):
            outputs = channels * 2**stack
            for _ in range(modules):
                total += self._params_of_cell(inputs, outputs)
                inputs = outputs
        return total + inputs * classes + classes

    def _params_of_cell(self, inputs: int, outputs: int) -> int:
        channels = self.channels(inputs, outputs)
        total = 0
        for vertex in range(1, len(self.ops)):
            width = channels[vertex]
            if self.matrix[0][vertex]:
                total += inputs * width + 2 * width
            if self.ops[vertex] in (CONV3X3, CONV1X1):
                total += (9 if self.ops[vertex] == CONV3X3 else 1) * width * width + 2 * width
        return total

    def answers(self, vertices: int = MAX_VERTICES) -> Architecture:
        """One of the architectures of :func:`space` that have this cell."""
        if not self.matrix or len(self.ops) > vertices:
            raise InputError(f"a cell of {len(self.ops)} vertices is none of a space with {vertices}")
        # The vertices that are not used stand before the output, without edges.
        inner = len(self.ops) - 2
        places = [*range(inner + 1), vertices - 1]
        present = {
            (places[i], places[j])
            for i, j in itertools.combinations(range(len(self.ops)), 2)
            if self.matrix[i][j]
        }
        answers: dict[str, Any] = {f"edge_{i}{j}": int((i, j) in present) for i, j in edges(vertices)}
        for vertex in range(1, vertices - 1):
            answers[f"op_{vertex}"] = self.ops[vertex] if vertex <= inner else OPERATIONS[0]
        return Architecture(answers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and (self.matrix, self.ops) == (other.matrix, other.ops)

    def __hash__(self) -> int:
        return hash((self.matrix, self.ops))

    def __repr__(self) -> str:
        return f"Spec({len(self.ops)} vertices, {self.edge_count} edges, {', '.join(self.ops[1:-1])})"


def edges(vertices: int) -> list[tuple[int, int]]:
    """The possible edges, by where they end."""
    return [(start, end) for end in range(1, vertices) for start in range(end)]


class ConvBN(nn.Sequential):
    """A convolution without bias, BatchNorm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-5, momentum=0.003),
            nn.ReLU(),
        )


class Vertex(nn.Module):
    """Adds what comes in, a projection of the cell's input among it, and does an operation."""

    def __init__(self, inputs: int, channels: int, sources: Sequence[int], projected: bool, operation: str) -> None:
        super().__init__()
        self.channels = channels
        self.sources = tuple(sources)
        self.projection = ConvBN(inputs, channels, 1) if projected else None
        self.operation: nn.Module = (
            nn.MaxPool2d(3, 1, 1)
            if operation == MAXPOOL3X3
            else ConvBN(channels, channels, 3 if operation == CONV3X3 else 1)
        )

    def forward(self, states: list[Tensor]) -> Tensor:
        # Where the channels of the output do not divide evenly some vertices have one more than others take.
        parts = [states[source][:, : self.channels] for source in self.sources]
        if self.projection is not None:
            parts.append(self.projection(states[0]))
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        result: Tensor = self.operation(total)
        return result


class Cell(nn.Module):
    """A cell of the benchmark: its output joins the vertices that lead to it and adds the projected input."""

    def __init__(self, spec: Spec, inputs: int, outputs: int) -> None:
        super().__init__()
        last = len(spec.ops) - 1
        channels = spec.channels(inputs, outputs)
        self.vertices = nn.ModuleList(
            Vertex(
                inputs,
                channels[vertex],
                [source for source in range(1, vertex) if spec.matrix[source][vertex]],
                bool(spec.matrix[0][vertex]),
                spec.ops[vertex],
            )
            for vertex in range(1, last)
        )
        self.joined = tuple(vertex for vertex in range(1, last) if spec.matrix[vertex][last])
        self.projection = ConvBN(inputs, outputs, 1) if spec.matrix[0][last] else None

    def forward(self, x: Tensor) -> Tensor:
        states = [x]
        for vertex in self.vertices:
            states.append(vertex(states))
        parts = []
        if self.joined:
            parts.append(torch.cat([states[vertex] for vertex in self.joined], 1))
        if self.projection is not None:
            parts.append(self.projection(x))
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]


class NASBench101(nn.Module):
    """The benchmark's network; the defaults are its own for CIFAR-10. Input (N, C, H, W), output (N, classes).

    ``vertices`` is how many a cell may have, ``channels`` the width of the first of three stacks (the next two have
    twice and four times as many), ``modules`` the number of cells in each. Use :func:`space`, which refuses what is no
    cell of the benchmark.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 32, 32),
        classes: int = 10,
        vertices: int = MAX_VERTICES,
        channels: int = 128,
        modules: int = 3,
    ) -> None:
        super().__init__()
        answers: dict[str, Any] = {f"edge_{i}{j}": choose(f"edge_{i}{j}", 0, 1) for i, j in edges(vertices)}
        answers |= {f"op_{vertex}": choose(f"op_{vertex}", *OPERATIONS) for vertex in range(1, vertices - 1)}
        spec = Spec.of(answers)
        if not spec.matrix:
            # The outline reads a cell without any edge.
            spec = Spec([[0, 1], [0, 0]], (INPUT, OUTPUT))
        layers: list[nn.Module] = [ConvBN(input_shape[0], channels, 3)]
        inputs = channels
        for stack in range(3):
            if stack:
                layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
            for _ in range(modules):
                layers.append(Cell(spec, inputs, channels * 2**stack))
                inputs = channels * 2**stack
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.body(x).mean((2, 3)))
        return outputs

    @staticmethod
    def graph(architecture: Mapping[str, Any]) -> Graph:
        """The pruned cell with its operations as nodes."""
        spec = Spec.of(architecture)
        pairs = itertools.combinations(range(len(spec.ops)), 2)
        return Graph(spec.ops, tuple((i, j) for i, j in pairs if spec.matrix[i][j]))


def valid(architecture: Mapping[str, Any]) -> bool:
    """Whether the benchmark has the cell of an architecture: the rule of the space."""
    return _spec(tuple(architecture.items())).valid


def hash_of(architecture: Mapping[str, Any]) -> str:
    """The benchmark's hash of the cell of an architecture; "" for one that it does not have."""
    spec = _spec(tuple(architecture.items()))
    return spec.hash if spec.valid else ""


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`NASBench101`. Isomorphic cells are one where they can be
    enumerated, up to five vertices.
    """
    return SearchSpace(NASBench101, where=valid, same=hash_of, **arguments)


# Below: helpers in the order of use


@lru_cache(maxsize=100_000)
def _spec(answers: tuple[tuple[str, Any], ...]) -> Spec:
    return Spec.of(dict(answers))


@lru_cache(maxsize=100_000)
def _hash(matrix: Matrix, ops: tuple[str, ...]) -> str:
    """The hash of a pruned cell: of every vertex's label and, as often as there are vertices, of its neighbours'."""
    labels = (-1, *map(OPERATIONS.index, ops[1:-1]), -2)
    count = len(labels)
    into = [[w for w in range(count) if matrix[w][v]] for v in range(count)]
    out = [[w for w in range(count) if matrix[v][w]] for v in range(count)]
    names = [_md5(str((len(out[v]), len(into[v]), labels[v]))) for v in range(count)]
    for _ in range(count):
        around = [("".join(sorted(names[w] for w in into[v])), "".join(sorted(names[w] for w in out[v])))
                  for v in range(count)]  # fmt: skip
        names = [_md5(f"{before}|{after}|{name}") for (before, after), name in zip(around, names, strict=True)]
    return _md5(str(sorted(names)))


def _matrix(given: Any) -> Matrix:
    rows = [list(row) for row in given]
    if not rows or any(len(row) != len(rows) for row in rows):
        raise InputError(f"the matrix of a cell is square, found rows of {sorted({len(row) for row in rows})} entries")
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            if entry not in (0, 1):
                raise InputError(f"the matrix of a cell holds 0 and 1, found {entry!r} in row {i}, column {j}")
            if entry and j <= i:
                raise InputError(f"the matrix of a cell is upper triangular, found an edge in row {i}, column {j}")
    return tuple(tuple(int(entry) for entry in row) for row in rows)


def _on_the_way(matrix: Matrix) -> list[int]:
    """The vertices from which the output is reached and that are reached from the input; none where it is not."""
    count = len(matrix)
    forward, backward = {0}, {count - 1}
    for vertex in range(1, count):
        if any(matrix[source][vertex] for source in forward if source < vertex):
            forward.add(vertex)
    for vertex in range(count - 2, -1, -1):
        if any(matrix[vertex][target] for target in backward if target > vertex):
            backward.add(vertex)
    kept = sorted(forward & backward)
    return kept if len(kept) >= 2 and kept[0] == 0 and kept[-1] == count - 1 else []


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
