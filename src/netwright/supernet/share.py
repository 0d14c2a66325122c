"""The share reading: every option at once, with weights that architectures share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

from torch import nn

from netwright.architecture import Answer
from netwright.space.decisions import Decision
from netwright.space.readings import Build, Candidates, Combine, Picked, Reading, checked_module
from netwright.supernet.switches import Board, Connections, Edges, Mixed, Row


@final
class Share(Reading):
    """Makes all candidates, all blocks and all connections, and switches between them.

    ``choose`` gives what ``values`` says, else the largest option: the tensors of all others are slices of those.
    """

    def __init__(self, board: Board, values: Mapping[str, Answer] | None = None) -> None:
        self._board = board
        self._values = values or {}

    def choose(self, decision: Decision) -> Answer:
        return self._values[decision.name] if decision.name in self._values else largest(decision)

    def one_of(self, decision: Decision, candidates: Candidates) -> nn.Module:
        made = [
            checked_module(make(), f"candidate '{name}' of decision '{decision.name}'")
            for name, make in candidates.items()
        ]
        return Mixed(self._board, decision, made)

    def repeat(self, decision: Decision, block: Callable[[int], nn.Module]) -> nn.Sequential:
        assert decision.options is not None
        most = max(int(option) for option in decision.options)
        made = [checked_module(block(i), f"block {i} of decision '{decision.name}'") for i in range(most)]
        return Row(self._board, decision, made)

    def inputs(self, decision: Decision, combine: Combine) -> Picked:
        return Connections(self._board, decision, combine)

    def each(self, picked: Picked, block: Callable[[int], nn.Module]) -> nn.ModuleList:
        what = f"decision '{picked.name}'"
        made = [checked_module(block(i), f"the layer on input {i} of {what}") for i in range(picked.among)]
        assert isinstance(picked, Connections)
        return Edges(picked, made)


@final
class Located(Build):
    """Builds one architecture, and notes where each of its modules stands in the supernet."""

    def __init__(self, declared: Mapping[str, Decision], answers: Mapping[str, Answer]) -> None:
        super().__init__(declared, answers)
        self._below: dict[int, list[str]] = {}
        self._index: dict[int, tuple[int, ...]] = {}
        self._kept: list[nn.Module] = []  # so that no id is given twice

    def one_of(self, decision: Decision, candidates: Candidates) -> nn.Module:
        module = super().one_of(decision, candidates)
        position = decision.position(self._answer(decision))
        # What is chosen inside stands below what was chosen around it, and is met first.
        self._below.setdefault(id(module), []).insert(0, f"candidates.{position}")
        self._kept.append(module)
        return module

    def each(self, picked: Picked, block: Callable[[int], nn.Module]) -> nn.ModuleList:
        layers = super().each(picked, block)
        self._index[id(layers)] = tuple(picked)
        self._kept.append(layers)
        return layers

    def places(self, network: nn.Module) -> dict[str, str]:
        """For the name of each module of ``network`` its name in the supernet."""
        found: dict[str, str] = {}

        def walk(module: nn.Module, name: str, place: str) -> None:
            for part in self._below.get(id(module), ()):
                place = f"{place}.{part}" if place else part
            found[name] = place
            indices = self._index.get(id(module))
            for number, (child_name, child) in enumerate(module._modules.items()):
                if child is not None:
                    key = child_name if indices is None else str(indices[number])
                    walk(child, *(f"{prefix}.{part}" if prefix else part
                                  for prefix, part in ((name, child_name), (place, key))))  # fmt: skip

        walk(network, "", "")
        return found


def largest(decision: Decision) -> Answer:
    """The option with the largest tensors: the largest number, and of other options the first."""
    if decision.options is None:
        return decision.high
    if decision.numeric:
        return max(decision.options)
    if decision.options and all(isinstance(option, tuple) for option in decision.options):
        return max(decision.options, key=_size)
    return decision.options[0]


def _size(option: Any) -> Any:
    return [value if isinstance(value, int | float) and not isinstance(value, bool) else 0 for value in option]
