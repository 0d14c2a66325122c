"""What stands in a supernet where a decision is open: modules that ask a switchboard which way to go.

A decision may be met in many places; its name is its line on the board, so that all of them go the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from netwright.errors import SpaceError
from netwright.space.decisions import Decision
from netwright.space.words import combined, layers_on
from netwright.supernet.joining import ZEROS, JoinedSum, Memo, can_join, is_bare, is_nothing, plus, summed
from netwright.supernet.layout import laid_out

Combine = str | Callable[..., Any] | None


@final
@dataclass(frozen=True)
class Way:
    """Which options of a decision run, and what each counts for.

    ``positions`` are those that run, in ascending order. ``weights`` holds a number for each of them; None is 1 for a
    single one, and for several their plain sum. ``detached`` ones run without a gradient of their own: only their
    weight learns. ``rest`` is a number that is added to the outcome: the weights of the options that do not run, which
    is zero, but has a gradient.
    """

    positions: tuple[int, ...]
    weights: Tensor | None = None
    detached: frozenset[int] = frozenset()
    rest: Tensor | None = None

    @property
    def single(self) -> bool:
        """Whether it is one option as it stands."""
        return len(self.positions) == 1 and self.weights is None and self.rest is None


@final
class Board:
    """The way that each decision goes, by its name."""

    def __init__(self) -> None:
        self.ways: Mapping[str, Way] = {}
        self.laid_out = False
        """Whether images have their channels last, and mixtures are computed together
        (:mod:`netwright.supernet.joining`)."""
        self._memo: Memo | None = None

    def way(self, name: str) -> Way:
        """The way of a decision; SpaceError where none is set."""
        try:
            return self.ways[name]
        except KeyError:
            raise SpaceError(
                f"the supernet was not told which way decision '{name}' goes",
                hint="Call supernet.at(architecture) or supernet.mixed(ways) and run what it returns.",
            ) from None

    def begin(self, _: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """A forward pass begins: images are laid out; what mixtures compute of the same tensors is kept to its end."""
        if not self.laid_out:
            return None
        self._memo = Memo()
        return tuple(laid_out(x) for x in inputs)

    def end(self, *_: Any) -> None:
        """The forward pass is over."""
        self._memo = None

    @property
    def memo(self) -> Memo:
        """Where mixtures keep what they compute: of the whole pass, else a new one.

        A part that is run again for its gradient (``torch.utils.checkpoint``) must not use what stands outside it.
        """
        watched = torch._C._autograd._top_saved_tensors_default_hooks(True) is not None
        return Memo() if self._memo is None or watched else self._memo

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_memo": None}


@final
class Mixed(nn.Module):
    """The candidates of one ``one_of``, side by side; those that do not count are not run."""

    def __init__(self, board: Board, decision: Decision, candidates: Iterable[nn.Module]) -> None:
        super().__init__()
        self.board, self.name = board, decision.name
        self.candidates = nn.ModuleList(candidates)
        self.options: Sequence[str] = [str(option) for option in decision.options or ()]
        self.zeros = [position for position, name in enumerate(decision.options or ()) if name in ZEROS]
        self._nothing: dict[int, bool] = {}

    def forward(self, *inputs: Any, **options: Any) -> Any:
        way = self.board.way(self.name)
        if way.single:
            return self.candidates[way.positions[0]](*inputs, **options)
        if self.board.laid_out and len(inputs) == 1 and not options and not way.detached and can_join(inputs[0]):
            return self._joined(way, inputs[0])
        return mix(way, lambda position: self.candidates[position](*inputs, **options), self.name, self._option)

    def add_to(self, total: JoinedSum, way: Way, x: Tensor, share: Tensor | None) -> None:
        """Adds this mixture of ``x``, times ``share``, to a sum; what is always zero is not run."""
        weights: Sequence[Tensor | None] = [None] * len(way.positions) if way.weights is None else way.weights.unbind()
        pairs = list(zip(way.positions, weights, strict=True))
        for position, weight in [pair for pair in pairs if not self._is_nothing(pair[0], x)] or pairs:
            total.add(self.candidates[position], x, _product(weight, share))
        if way.rest is not None:
            rest = _product(way.rest, share)
            assert rest is not None
            total.add_number(rest)

    def refuse_unlike(self, way: Way, x: Tensor) -> None:
        """SpaceError where what candidates make of ``x`` cannot be added; they are run for that."""
        with torch.no_grad(), suppress(RuntimeError):
            outcomes = [self.candidates[position](x) for position in way.positions]
            _refuse_unlike(self.name, self._option, way.positions, outcomes)

    def _option(self, position: int) -> str:
        return f"'{self.options[position]}'"

    def _joined(self, way: Way, x: Tensor) -> Any:
        total = JoinedSum(self.board.memo)
        try:
            self.add_to(total, way, x, None)
            return total.total()
        except RuntimeError:
            self.refuse_unlike(way, x)
            raise

    def _is_nothing(self, position: int, x: Tensor) -> bool:
        if position not in self.zeros or not is_bare(self.candidates[position]):
            return False
        if position not in self._nothing:
            self._nothing[position] = is_nothing(self.candidates[position], x)
        return self._nothing[position]


@final
class Row(nn.Sequential):
    """The blocks of one ``repeat``: the first few of them run, and only they are there to whoever counts them."""

    def __init__(self, board: Board, decision: Decision, blocks: Iterable[nn.Module]) -> None:
        super().__init__(*blocks)
        self.board, self.name = board, decision.name
        assert decision.options is not None
        self.lengths: tuple[int, ...] = tuple(int(length) for length in decision.options)

    def forward(self, x: Any) -> Any:
        way = self.board.way(self.name)
        wanted = {self.lengths[position] for position in way.positions}
        states = {}
        for length, block in enumerate(self._modules.values()):
            if length in wanted:
                states[length] = x
            if length >= max(wanted):
                break
            assert block is not None
            x = block(x)
        else:
            states[len(self._modules)] = x
        if way.single:
            return states[self.lengths[way.positions[0]]]
        return mix(
            way,
            lambda position: states[self.lengths[position]],
            self.name,
            lambda position: f"a length of {self.lengths[position]}",
        )

    def __len__(self) -> int:
        way = self.board.ways.get(self.name)
        if way is None:
            return len(self._modules)
        return self.lengths[self._only(way)]

    def __iter__(self) -> Iterator[nn.Module]:
        length = len(self)
        for place, block in enumerate(self._modules.values()):
            if place < length and block is not None:
                yield block

    def _only(self, way: Way) -> int:
        if not way.single:
            raise SpaceError(
                f"decision '{self.name}' cannot be mixed: the network walks through its blocks itself",
                hint="Call the row of blocks as a whole, self.body(x), or use a method that runs one path at a time.",
            )
        return way.positions[0]


@final
class Connections:
    """The states that one ``inputs`` picks, decided at each forward pass."""

    def __init__(self, board: Board, decision: Decision, combine: Combine) -> None:
        self.board, self.name, self.combine = board, decision.name, combine
        self.among = decision.count or 0
        self.pick = decision.pick or 0
        self.picks: tuple[tuple[int, ...], ...] = tuple(decision.options or ())

    def __len__(self) -> int:
        return self.pick

    def __iter__(self) -> Iterator[int]:
        return iter(self._picked())

    def __getitem__(self, place: int) -> int:
        return self._picked()[place]

    def each(self, block: Callable[[int], nn.Module]) -> nn.ModuleList:
        """As :meth:`netwright.space.words.Inputs.each`: here a layer on every connection there is."""
        return layers_on(self, block)

    def __call__(self, states: Sequence[Any], edges: Any = None) -> Any:
        if isinstance(states, list | tuple) and len(states) != self.among:
            raise SpaceError(f"inputs was declared for {self.among} states, its call was given {len(states)}")
        way = self.board.way(self.name)
        layers = None if edges is None else edges.all

        def state(index: int) -> Any:
            return states[index] if layers is None else layers[index](states[index])

        if way.single:
            return combined([state(index) for index in self.picks[way.positions[0]]], self.combine)
        if self.combine in ("sum", "mean"):
            total = self._total(self._shares(way), states, layers, state)
            return total / self.pick if self.combine == "mean" else total
        found = {index: state(index) for index in sorted({i for p in way.positions for i in self.picks[p]})}
        return mix(
            way,
            lambda position: combined([found[i] for i in self.picks[position]], self.combine),
            self.name,
            lambda position: f"picking {self.picks[position]}",
        )

    def _total(
        self,
        shares: Mapping[int, Tensor | None],
        states: Sequence[Any],
        layers: Sequence[nn.Module] | None,
        state: Callable[[int], Any],
    ) -> Any:
        if not self.board.laid_out or layers is None or not all(can_join(states[index]) for index in shares):
            outcomes = [state(index) for index in shares]
            _refuse_unlike(self.name, _state, list(shares), outcomes)
            return summed(outcomes, list(shares.values()))
        joined = JoinedSum(self.board.memo)
        try:
            self._add_all(joined, shares, states, layers, state)
            return joined.total()
        except RuntimeError:
            for index in shares:
                layer = layers[index]
                if isinstance(layer, Mixed):
                    layer.refuse_unlike(self.board.way(layer.name), states[index])
            with torch.no_grad(), suppress(RuntimeError):
                _refuse_unlike(self.name, _state, list(shares), [state(index) for index in shares])
            raise

    def _add_all(
        self,
        joined: JoinedSum,
        shares: Mapping[int, Tensor | None],
        states: Sequence[Any],
        layers: Sequence[nn.Module],
        state: Callable[[int], Any],
    ) -> None:
        for index, share in shares.items():
            layer = layers[index]
            way = self.board.way(layer.name) if isinstance(layer, Mixed) and is_bare(layer) else None
            if isinstance(layer, Mixed) and way is not None and not way.single and not way.detached:
                layer.add_to(joined, way, states[index], share)
            else:
                joined.add_outcome(state(index), share)

    def _shares(self, way: Way) -> dict[int, Tensor | None]:
        """What each state counts for in a sum; None is one."""
        if way.weights is None:
            return dict.fromkeys(range(self.among))
        shares: dict[int, Tensor] = {}
        for position, weight in zip(way.positions, way.weights, strict=True):
            for index in self.picks[position]:
                shares[index] = shares[index] + weight if index in shares else weight
        return dict(sorted(shares.items()))

    def _picked(self) -> tuple[int, ...]:
        way = self.board.ways.get(self.name)
        if way is None or not way.single:
            raise SpaceError(
                f"which states decision '{self.name}' picks was looked at "
                f"{'in the constructor' if way is None else 'while they are mixed'}, where a supernet has all of them",
                hint="Call it on all states, or put layers on its connections with each(…).",
            )
        return self.picks[way.positions[0]]


@final
class Edges(nn.ModuleList):
    """The layers on all connections of one ``inputs``; only those picked are there to whoever counts."""

    def __init__(self, picked: Connections, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.picked = picked
        for index, layer in enumerate(layers):
            self.add_module(str(index), layer)

    @property
    def all(self) -> list[nn.Module]:
        """The layer of every connection, by its index."""
        return [layer for layer in self._modules.values() if layer is not None]

    def __iter__(self) -> Iterator[nn.Module]:
        layers = self.all
        return iter([layers[index] for index in self.picked])

    def __len__(self) -> int:
        return len(self.picked)


def mix(way: Way, run: Callable[[int], Any], name: str, option: Callable[[int], str]) -> Any:
    """The weighted sum of what the options that run give; tensors, or tuples of them.

    SpaceError, by the ``name`` of the decision and what each ``option`` is called, where they cannot be added.
    """
    outcomes = []
    for position in way.positions:
        if position in way.detached:
            with torch.no_grad():
                outcomes.append(run(position))
        else:
            outcomes.append(run(position))
    _refuse_unlike(name, option, way.positions, outcomes)
    weights: Sequence[Tensor | None] = [None] * len(outcomes) if way.weights is None else list(way.weights)
    total = summed(outcomes, weights)
    return total if way.rest is None else plus(total, way.rest)


def _product(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """The product of two numbers of which None is one."""
    return b if a is None else a if b is None else a * b


def _refuse_unlike(name: str, option: Callable[[int], str], positions: Sequence[int], outcomes: Sequence[Any]) -> None:
    for position, outcome in zip(positions[1:], outcomes[1:], strict=True):
        if not _addable(outcomes[0], outcome):
            raise SpaceError(
                f"decision '{name}' cannot be mixed: {option(positions[0])} gives {_shape(outcomes[0])}, "
                f"{option(position)} gives {_shape(outcome)}",
                hint="All must give the same shape: expand what is smaller.",
            )


def _state(index: int) -> str:
    return f"state {index}"


def _addable(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        # Torch would add (N, 1) to (N, 10), but a mixture that is wider than its candidates stands for none of them.
        return a.shape == b.shape
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(_addable, a, b))
    return not isinstance(a, Tensor | tuple | list) and not isinstance(b, Tensor | tuple | list)


def _shape(outcome: Any) -> str:
    if isinstance(outcome, Tensor):
        return "×".join(map(str, outcome.shape)) or "a number"
    if isinstance(outcome, tuple | list):
        return f"({', '.join(map(_shape, outcome))})"
    return type(outcome).__name__
