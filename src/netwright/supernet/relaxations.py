"""Distributions over the options of every decision, and the ways through a supernet that are drawn from them.

A relaxation holds a row of numbers (``alpha``) for each open decision. Each of its kinds says how they become
:class:`~netwright.supernet.switches.Way`\\ s, and how a gradient comes back.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from netwright.architecture import Answer, Architecture
from netwright.errors import SpaceError
from netwright.space import Decision, SearchSpace
from netwright.space.conditions import asked
from netwright.space.traceless import generators_kept
from netwright.supernet.joining import ZEROS
from netwright.supernet.supernet import Supernet
from netwright.supernet.switches import Edges, Mixed, Way

SPREAD = 1e-3
"""The deviation of the numbers at first: as good as uniform, as published (Liu et al. 2019; Cai et al. 2019)."""
BEAM = 10
"""So many times as many partial architectures are kept as whole ones are wanted."""
WIDEST = 10_000
"""So many partial architectures are kept at most."""


class Relaxation(nn.Module, ABC):
    """A row of numbers for each decision that is open in the space; a name met in many places has one row.

    Connections whose layers are themselves open (``inputs(…).each(…)``) have no row of their own: all of them count,
    and each layer may also be nothing, as in the published search of DARTS; the strongest are picked in the end.
    SpaceError for what cannot be mixed, such as a value that changes no weight.
    """

    def __init__(self, supernet: Supernet, *, seed: int = 0) -> None:
        super().__init__()
        space = supernet.space
        self.space = space
        self.pruned: dict[str, frozenset[int]] = {}
        """Of each decision the places of options that are never chosen again; most kinds prune none."""
        self._sure: dict[str, Way] = {}
        self.open: dict[str, Decision] = {}
        for decision in space.decisions:
            if decision.of_training:
                continue
            if decision.kind in ("choose", "range") and decision.cardinality == 1:
                continue
            options = space.declared[decision.name].options or ()
            if decision.cardinality == 1:
                assert decision.options is not None
                self._sure[decision.name] = Way((options.index(decision.options[0]),))
            else:
                self.open[decision.name] = decision
        mixes = any(decision.name in self.open for decision in supernet.values)
        network = supernet.superposition.network if mixes else supernet.network
        self.edges = {name: layers for name, layers in _edges(network) if name in self.open or name in self._sure}
        self._null = {layer for layers in self.edges.values() for layer in layers}
        draw = torch.Generator().manual_seed(seed)
        self.alpha = nn.ParameterList(
            nn.Parameter(SPREAD * torch.randn(self._width(decision), generator=draw)) for decision in self._rows
        )

    @abstractmethod
    def ways(self, generator: torch.Generator) -> dict[str, Way]:
        """The ways of one pass in which the numbers learn; drawn with ``generator`` where anything is drawn."""

    def probabilities(self) -> dict[str, Tensor]:
        """What each option counts for: a row for each decision, which adds to 1 (to less where it may be nothing)."""
        return {
            decision.name: self.share(row)[: len(decision.options or ())]
            for decision, row in zip(self._rows, self.alpha, strict=True)
        }

    def chances(self) -> dict[str, Tensor]:
        """The rows by which costs are expected: the probabilities, and of connections where they have numbers."""
        return self.probabilities()

    def share(self, row: Tensor) -> Tensor:
        """A row of numbers as probabilities."""
        return row.softmax(0)

    def settled(self) -> None:
        """Called after each step of the optimiser of the numbers."""

    def penalty(self) -> Tensor | None:
        """What is added to the loss in which the numbers learn."""
        return None

    @property
    def _rows(self) -> list[Decision]:
        return [decision for name, decision in self.open.items() if name not in self.edges]

    def _width(self, decision: Decision) -> int:
        return len(decision.options or ()) + (decision.name in self._null)

    def completed(self, rows: Mapping[str, Way]) -> dict[str, Way]:
        """The ways with those that are sure, and all connections where their layers say how strong they are."""
        every = {name: Way(tuple(self._positions(self.open[name]))) for name in self.edges if name in self.open}
        return {**self._sure, **every, **rows}

    def _pairs(self) -> Iterator[tuple[Decision, nn.Parameter]]:
        yield from zip(self._rows, self.alpha, strict=True)

    def _positions(self, decision: Decision) -> list[int]:
        """Where the options of a decision stand among those that the supernet has."""
        declared = self.space.declared[decision.name].options or ()
        return [declared.index(option) for option in decision.options or ()]

    # What is derived

    def derive(self) -> Architecture:
        """The most probable architecture; the same numbers give the same one."""
        return self.ranked(1)[0]

    def ranked(self, count: int, space: SearchSpace | None = None) -> list[Architecture]:
        """The ``count`` most probable architectures, the first the most: the product of what its answers count for.

        Exact where no decision depends on another; else from ten times as many partial ones. Those that the rules of
        ``space`` (by default the supernet's own) refuse are left out, and so is another of the same class; where too
        few are left, more partial ones are looked at. SpaceError where none is found among :data:`WIDEST`.
        """
        space = self.space if space is None else space
        width = max(BEAM * count, 100)
        while True:
            found, whole = self._found(width, space, count)
            if len(found) >= count or whole or width >= WIDEST:
                break
            width *= 10
        if not found:
            raise SpaceError("the rules of the space refuse all architectures that are probable")
        return found

    def _found(self, width: int, space: SearchSpace, count: int) -> tuple[list[Architecture], bool]:
        """The most probable architectures of a beam of that width, and whether it left nothing out.

        A limit on costs is asked one architecture after the other, and no more of them than have to be.
        """
        with torch.no_grad():
            rows = {name: row.double().clamp_min(1e-300).log().tolist() for name, row in self.probabilities().items()}
        rows |= {name: self._strength_of_picks(name, rows) for name in self.edges if name in self.open}
        whole = True
        beam: list[tuple[float, dict[str, Answer]]] = [(0.0, {})]
        for decision in self.space.decisions:
            grown: list[tuple[float, dict[str, Answer]]] = []
            for value, answers in beam:
                if not asked(decision, answers):
                    grown.append((value, answers))
                    continue
                options = decision.options or (decision.first,)
                scores = rows.get(decision.name) or [0.0] * len(options)
                # A decision about training is not ranked here: it has its first value.
                options = options[:1] if decision.of_training else options
                gone = self.pruned.get(decision.name, frozenset())
                grown += [
                    (value + score, {**answers, decision.name: option})
                    for place, (option, score) in enumerate(zip(options, scores, strict=False))
                    if place not in gone
                ]
            whole = whole and len(grown) <= width
            beam = sorted(grown, key=lambda entry: -entry[0])[:width]
        found: dict[Any, Architecture] = {}
        for _, answers in beam:
            architecture = Architecture(answers)
            if architecture in self.space and space.key(architecture) not in found and architecture in space:
                found[space.key(architecture)] = architecture
                if len(found) == count:
                    break
        return list(found.values()), whole

    def _strength_of_picks(self, name: str, rows: Mapping[str, list[float]]) -> list[float]:
        """For each way to pick connections the strengths of those picked, less what their layers count for anyway."""
        strengths = []
        for edge in self.edges[name]:
            options = self.open[edge].options or ()
            # An edge is as strong as its best option that is something (Liu et al. 2019).
            kept = [score for option, score in zip(options, rows[edge], strict=True) if option not in ZEROS]
            strengths.append(max(kept, default=-1e3))
        picks = self.open[name].options or ()
        # The pick of the strongest connections comes before all others, whatever their layers add.
        return [sum(1e3 * strengths[index] for index in pick) for pick in picks]


@final
class Softmax(Relaxation):
    """Every option counts for its probability (DARTS; Liu, Simonyan and Yang 2019, equation 2)."""

    def ways(self, generator: torch.Generator) -> dict[str, Way]:
        return self.completed(
            {decision.name: self._mixed(decision, self.share(row)) for decision, row in self._pairs()}
        )

    def _mixed(self, decision: Decision, weights: Tensor) -> Way:
        positions = self._positions(decision)
        return Way(tuple(positions), weights[: len(positions)])


@final
class Gumbel(Relaxation):
    """Every option counts for a draw of a relaxed one-hot at ``temperature`` (SNAS; Xie et al. 2019, equation 4).

    One draw a decision and pass, wherever its name is met.
    """

    temperature: float = 1.0

    def ways(self, generator: torch.Generator) -> dict[str, Way]:
        rows = {}
        for decision, row in self._pairs():
            positions = self._positions(decision)
            weights = _gumbel(row, self.temperature, generator)
            rows[decision.name] = Way(tuple(positions), weights[: len(positions)])
        return self.completed(rows)


@final
class HardGumbel(Relaxation):
    """One option runs, drawn; the gradient is that of the relaxed draw (GDAS; Dong and Yang 2019, equations 3 to 5).

    What does not run adds its weight, zero, to the outcome, so that its number learns too; of open sizes it is the part
    of the tensors that it would use. Where nothing is drawn (of an edge that may be nothing) the most probable option
    runs and counts for zero.
    """

    temperature: float = 10.0

    def ways(self, generator: torch.Generator) -> dict[str, Way]:
        rows = {}
        for decision, row in self._pairs():
            if not bool(torch.isfinite(row).all()):
                raise FloatingPointError(f"the numbers of decision '{decision.name}' are no longer finite")
            soft = _gumbel(row, self.temperature, generator)
            place = int(soft.argmax())
            hard = torch.zeros_like(soft)
            hard[place] = 1.0
            weights = hard - soft.detach() + soft
            positions = self._positions(decision)
            if decision.kind in ("choose", "range"):
                # One network of the largest values runs whatever is drawn, so that each number learns by itself.
                rows[decision.name] = Way(tuple(positions), weights)
                continue
            runs = place if place < len(positions) else int(soft[: len(positions)].argmax())
            others = [other for other in range(len(positions)) if other != runs]
            rows[decision.name] = Way((positions[runs],), weights[runs : runs + 1], rest=weights[others].sum())
        return self.completed(rows)


@final
class Dirichlet(Relaxation):
    """Every option counts for a draw from a Dirichlet distribution (DrNAS; Chen et al. 2021, equation 6).

    Its concentration is elu(alpha) + 1; the gradient goes through the draw. ``anchor`` is the weight of the divergence
    from the uniform Dirichlet in the loss. Options can be pruned: the others are then drawn from the distribution of
    their numbers alone, as which the authors' renormalised draws are distributed, too.
    """

    anchor: float = 1e-3

    def prune(self, count: int) -> None:
        """Takes all but the ``count`` strongest options of each ``one_of`` away for good; of equal ones the first stay.

        That a connection may be nothing is no option, and stays possible.
        """
        for decision, row in self._pairs():
            if decision.kind == "one_of":
                places = [place for place in self._left(decision, row) if place < len(decision.options or ())]
                strongest = sorted(places, key=lambda place: -float(row.detach()[place]))[:count]
                self.pruned[decision.name] = frozenset(range(len(decision.options or ()))) - frozenset(strongest)

    def probabilities(self) -> dict[str, Tensor]:
        rows = super().probabilities()
        for decision, row in self._pairs():
            if self.pruned.get(decision.name):
                left = torch.tensor(self._left(decision, row), device=row.device)
                spread = torch.zeros_like(row).index_put((left,), self.share(row[left]))
                rows[decision.name] = spread[: len(decision.options or ())]
        return rows

    def share(self, row: Tensor) -> Tensor:
        concentration = nn.functional.elu(row) + 1
        return concentration / concentration.sum()

    def ways(self, generator: torch.Generator) -> dict[str, Way]:
        rows = {}
        for decision, row in self._pairs():
            left, every = self._left(decision, row), self._positions(decision)
            positions = tuple(every[place] for place in left if place < len(every))
            drawn = _dirichlet(_concentration(self._of(row, left)), generator)
            rows[decision.name] = Way(positions, drawn[: len(positions)])
        return self.completed(rows)

    def penalty(self) -> Tensor | None:
        total = torch.zeros(())
        for decision, row in self._pairs():
            own = _concentration(self._of(row, self._left(decision, row)))
            far = torch.distributions.kl_divergence(*map(torch.distributions.Dirichlet, (own, torch.ones_like(own))))
            total = total + far
        return self.anchor * total

    def _left(self, decision: Decision, row: Tensor) -> list[int]:
        """The places in a row of what was not pruned."""
        gone = self.pruned.get(decision.name, frozenset())
        return [place for place in range(len(row)) if place not in gone]

    @staticmethod
    def _of(row: Tensor, places: Sequence[int]) -> Tensor:
        return row if len(places) == len(row) else row[list(places)]


@final
class Gates(Relaxation):
    """Two options are drawn and one of them runs with its weights, the other for its output alone.

    ProxylessNAS (Cai, Zhu and Han 2019, section 3.2): the gradient of the binary gates becomes that of the two numbers;
    what the other options count for together stays as it is. Steps of the weights run a single path
    (:meth:`path`).
    """

    def __init__(self, supernet: Supernet, *, seed: int = 0) -> None:
        super().__init__(supernet, seed=seed)
        self._drawn: list[tuple[nn.Parameter, list[int], Tensor, Tensor]] = []

    def path(self, generator: torch.Generator, *, uniform: bool = False) -> dict[str, Way]:
        """One option of each decision, drawn by its probability, or uniformly while the weights warm up."""
        rows = {}
        for decision, row in self._pairs():
            share = torch.ones_like(row) if uniform else self.share(row).detach()
            place = int(torch.multinomial(share, 1, generator=generator))
            positions = self._positions(decision)
            nothing = place >= len(positions)
            rows[decision.name] = Way((positions[0],), torch.zeros(1)) if nothing else Way((positions[place],))
        return self.completed(rows)

    def ways(self, generator: torch.Generator) -> dict[str, Way]:
        self._drawn = []
        rows = {}
        for decision, row in self._pairs():
            positions = self._positions(decision)
            share = self.share(row).detach()
            pair = sorted(torch.multinomial(share, 2, generator=generator).tolist())
            two = row.detach()[pair].softmax(0)
            active = int(torch.multinomial(two, 1, generator=generator))
            gates = torch.zeros(2).index_fill_(0, torch.tensor([active]), 1.0).requires_grad_()
            self._drawn.append((row, pair, gates, two))
            runs = [(place, gate) for place, gate in enumerate(pair) if gate < len(positions)]
            rows[decision.name] = Way(
                tuple(positions[gate] for _, gate in runs),
                gates[[place for place, _ in runs]],
                frozenset(positions[gate] for place, gate in runs if place != active),
            )
        return self.completed(rows)

    @property
    def gates(self) -> list[Tensor]:
        """The gates of the last :meth:`ways`, two a decision; their gradients are what :meth:`receive` takes."""
        return [gates for _, _, gates, _ in self._drawn]

    def pairs(self) -> dict[str, Tensor]:
        """What each of the two options drawn counts for, renormalised; the others nothing. A row for each decision."""
        rows = {}
        for (row, pair, _, _), decision in zip(self._drawn, self._rows, strict=True):
            two = row[pair].softmax(0)
            rows[decision.name] = torch.zeros_like(row).index_put((torch.tensor(pair),), two)[
                : len(decision.options or ())
            ]
        return rows

    def receive(self, more: Sequence[Tensor | None] = ()) -> None:
        """Turns the gradients of the gates into those of the two numbers of each decision, and of no other.

        ``more`` holds for each decision what is added to that.
        """
        for place, (row, pair, gates, two) in enumerate(self._drawn):
            row.grad = torch.zeros_like(row)
            if gates.grad is not None:
                # dL/da_i = sum_j dL/dg_j p_j (delta_ij - p_i)
                row.grad[pair] = two * (gates.grad - (gates.grad * two).sum())
            added = more[place] if more else None
            if added is not None:
                row.grad += added

    def remember(self) -> None:
        """Notes the numbers before a step, so that :meth:`settled` can keep what the other options count for."""
        self._before = [row.detach()[pair].logsumexp(0) for row, pair, _, _ in self._drawn]

    def settled(self) -> None:
        with torch.no_grad():
            for (row, pair, _, _), before in zip(self._drawn, self._before, strict=True):
                row[pair] -= row[pair].logsumexp(0) - before


def _edges(network: nn.Module) -> Iterator[tuple[str, list[str]]]:
    """For each ``inputs`` whose connections all have a layer of their own that is open: the names of these."""
    for module in network.modules():
        if isinstance(module, Edges):
            layers = [layer.name for layer in module.all if isinstance(layer, Mixed)]
            if len(set(layers)) == len(module.all):
                yield module.picked.name, layers


def _gumbel(row: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    uniform = torch.rand(row.shape, generator=generator).clamp_min(torch.finfo(row.dtype).tiny)
    return ((row.log_softmax(0) - (-uniform.log()).log()) / temperature).softmax(0)


def _concentration(row: Tensor) -> Tensor:
    return nn.functional.elu(row) + 1


def _dirichlet(concentration: Tensor, generator: torch.Generator) -> Tensor:
    """A draw with a gradient; torch's own sampler knows only the global generator."""
    seed = int(torch.randint(2**62, (1,), generator=generator))
    with generators_kept(concentration.device, seed=seed):
        drawn: Tensor = torch.distributions.Dirichlet(concentration).rsample()
    return drawn


def temperature(start: float, end: float, step: int, steps: int, *, geometric: bool = False) -> float:
    """From ``start`` to ``end``, evenly or by a constant factor."""
    part = step / max(1, steps - 1)
    if geometric:
        return start * math.exp(part * math.log(end / start))
    return start + part * (end - start)
