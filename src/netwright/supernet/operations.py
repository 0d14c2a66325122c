"""What architectures cost, operation by operation: a sum that has a gradient by what each option counts for.

The operations of a supernet are the largest modules in which nothing is open, and which it calls. Each costs something
at the inputs that it is given, and runs when the decisions around it go its way. So the cost of an architecture is the
sum over those that run; and where every decision is drawn by itself, the mean cost is the sum of each cost times the
probability that it runs, exactly (Cai, Zhu and Han 2019, equation 7, is the case of operations in a row).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from netwright.architecture import Answer, Architecture
from netwright.errors import ArchitectureError, InputError, SpaceError
from netwright.space import Decision, SearchSpace
from netwright.space.traceless import generators_kept
from netwright.supernet.supernet import Supernet
from netwright.supernet.switches import Edges, Mixed, Row, Way

Measure = Callable[[nn.Module, tuple[Tensor, ...]], float]
"""The cost of one operation, called with a tuple of tensors of one example; those of ``netwright.costs`` are such."""
Path = Mapping[str, frozenset[int]]
"""A conjunction: for each decision named, which of its declared options (by their positions) lead here."""

FORMAT = 1
TRIES = 8
"""So many architectures are drawn to meet an operation where the simplest way to it cannot run."""
TERMS = 10_000
"""An operation that stands in many places may need so many products at most."""
CELLS = 1_000_000
"""The largest table that is filled while the least cost is looked for."""

_PLUMBING = frozenset(nn.Module().__dict__)
_PLAIN = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device)


@final
@dataclass(frozen=True)
class Operation:
    """What runs or does not run as a whole: its place in the supernet, its cost, and when it runs.

    It runs when any of ``paths`` holds; an empty path always does.
    """

    place: str
    cost: float
    paths: tuple[Path, ...]


@final
@dataclass(frozen=True, eq=False)
class OperationTable:
    """The cost of every operation of a supernet, for a gradient of what its architectures cost on average.

    What a network does between its operations, in the ``forward`` of a module with something open inside, is no
    operation: the sums of branches are missing in a latency, while parameters and multiply-adds lose nothing by them.
    ``weights`` stands for the tensors of the supernet, so that a table is not used with another one.
    """

    space: SearchSpace
    operations: tuple[Operation, ...]
    weights: str = ""
    _plans: dict[tuple[str, ...], _Plan] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def measured(cls, supernet: Supernet, example: Tensor | tuple[Tensor, ...], measure: Measure) -> OperationTable:
        """Measures each operation at the inputs that it has when the supernet runs on the first row of ``example``.

        One that is called several times in a pass costs as often; one that no evaluation calls costs nothing. Equal
        operations at inputs of equal shapes are measured once. The supernet runs in evaluation mode without gradients,
        and is afterwards as it was. SpaceError for open values, and where the inputs of an operation have another shape
        in another architecture, so that its cost is no number of its own.
        """
        _refuse_values(supernet)
        inputs = example if isinstance(example, tuple) else (example,)
        known: dict[Any, float] = {}
        operations: list[Operation] = []
        with _undisturbed(supernet):
            survey = _Survey(supernet, tuple(value[:1] for value in inputs))
            survey.run()
            for leaf in survey.leaves:
                # What its own path does not call is not called in an evaluation at all, such as an auxiliary head.
                if leaf.calls:
                    cost = math.fsum(_measured(call, leaf, measure, known) for call in leaf.calls)
                    operations += [Operation(leaf.place, cost, (path,)) for path in leaf.paths.values()]
        return cls(supernet.space, tuple(operations), _fingerprint(supernet))

    @classmethod
    def parameters(cls, supernet: Supernet) -> OperationTable:
        """How many numbers the parameters of each operation hold; what stands in several places counts once.

        Those of modules with something open inside are counted, too. SpaceError for open values.
        """
        _refuse_values(supernet)
        found: dict[int, tuple[str, int, dict[Any, Path]]] = {}
        for place, module, path in _walk(supernet.network, "", {}, _allowed(supernet.space)):
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    here = f"{place}.{name}" if place else name
                    found.setdefault(id(parameter), (here, parameter.numel(), {}))[2][_key(path)] = path
        operations = tuple(
            Operation(place, float(numbers), tuple(paths.values())) for place, numbers, paths in found.values()
        )
        return cls(supernet.space, operations, _fingerprint(supernet))

    # What is asked

    def expected(self, probabilities: Mapping[str, Tensor]) -> Tensor:
        """The mean cost where each decision is drawn by itself: a scalar with a gradient.

        ``probabilities`` holds a row for each decision, in the order of its options, as
        :meth:`~netwright.supernet.relaxations.Relaxation.chances` gives them; what a row lacks to 1 is that nothing
        runs there. Connections without a row all count, as such a relaxation runs them; with one, each counts for as
        likely as it is picked. The type is that of the rows, at least single precision. InputError where a row is
        missing or of another length.
        """
        names = tuple(name for name in self._decisions if name in probabilities)
        if names not in self._plans:
            self._check_missing(names)
            self._plans[names] = _Plan(self._terms, [self._decisions[name] for name in names], self._position)
        for name in names:
            options = self._decisions[name].options or ()
            if tuple(probabilities[name].shape) != (len(options),):
                raise InputError(
                    f"decision '{name}' has {len(options)} options, its row of probabilities has the shape "
                    f"{tuple(probabilities[name].shape)}"
                )
        return self._plans[names]([probabilities[name] for name in names])

    def of(self, architecture: Mapping[str, Answer]) -> float:
        """What one architecture costs; ArchitectureError where it is none of the space."""
        checked = architecture if isinstance(architecture, Architecture) else self.space.validate(architecture)
        declared = self.space.declared
        at: dict[str, int] = {}
        for name, answer in checked.items():
            position = declared[name].position(answer) if name in declared else None
            if position is None:
                raise ArchitectureError(f"the table has no decision '{name}' with the option {answer!r:.80}")
            at[name] = position
        return math.fsum(
            cost
            for term, cost in self._terms.items()
            if all(name in at and at[name] in positions for name, positions in term)
        )

    def least(self) -> float:
        """No architecture costs less; and one costs as much, unless too many decisions hang together to look at all.

        Found by eliminating one decision after the other. Rules of the space (``where``) are not asked.
        """
        return self._least(1)

    def most(self) -> float:
        """No architecture costs more; see :meth:`least`."""
        return -self._least(-1)

    # To keep it

    def to_value(self) -> dict[str, Any]:
        """As JSON, with the signature of the space; :meth:`from_value` reads it."""
        return {
            "format": FORMAT,
            "space": self.space.signature,
            "weights": self.weights,
            "operations": [
                {
                    "place": operation.place,
                    "cost": operation.cost,
                    "paths": [{name: sorted(positions) for name, positions in p.items()} for p in operation.paths],
                }
                for operation in self.operations
            ],
        }

    @classmethod
    def from_value(cls, value: Mapping[str, Any], supernet: Supernet) -> OperationTable:
        """What :meth:`to_value` gave for the same space; InputError where it is of another, or is no table."""
        if not isinstance(value, Mapping) or value.get("format") != FORMAT:
            raise InputError(f"this is no table of operations of format {FORMAT}", hint="Measure the operations again.")
        weights = _fingerprint(supernet)
        if value.get("space") != supernet.space.signature or value.get("weights") != weights:
            raise InputError(
                "the table of operations is of another space, or of networks of another size",
                hint="Measure the operations of this one.",
            )
        try:
            operations = tuple(
                Operation(
                    str(entry["place"]),
                    _checked_cost(entry["cost"], str(entry["place"])),
                    tuple(_read_path(path, _allowed(supernet.space)) for path in entry["paths"]),
                )
                for entry in value["operations"]
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(f"the table of operations is damaged: {error}") from None
        return cls(supernet.space, operations, weights)

    # Below: helpers in the order of use

    @cached_property
    def _terms(self) -> dict[_Term, float]:
        """The sum of the operations as a polynomial: for each product of conditions its factor."""
        total: dict[_Term, float] = {}
        for operation in self.operations:
            for term, sign in _union(operation).items():
                total[term] = total.get(term, 0.0) + sign * operation.cost
        return {term: factor for term, factor in total.items() if factor}

    @cached_property
    def _decisions(self) -> dict[str, Decision]:
        """Those on which any cost depends."""
        names = {name for term in self._terms for name, _ in term}
        return {decision.name: decision for decision in self.space.decisions if decision.name in names}

    def _position(self, decision: Decision) -> list[int]:
        """Where the options of a decision stand among the declared ones."""
        declared = self.space.declared[decision.name].options or ()
        return [declared.index(option) for option in decision.options or ()]

    def _check_missing(self, given: Sequence[str]) -> None:
        missing = [
            name
            for name, decision in self._decisions.items()
            if name not in given and decision.kind != "inputs" and decision.cardinality > 1
        ]
        if missing:
            names = ", ".join(f"'{name}'" for name in missing[:5])
            raise InputError(f"the expected cost needs a row of probabilities for {len(missing)} decisions: {names}")

    def _least(self, sign: int) -> float:
        tables: dict[tuple[str, ...], npt.NDArray[np.float64]] = {}
        places = {
            name: {position: place for place, position in enumerate(self._position(decision))}
            for name, decision in self._decisions.items()
        }
        for term, factor in self._terms.items():
            names = tuple(name for name, _ in term)
            table = tables.setdefault(names, np.zeros([len(places[name]) for name in names]))
            chosen = [[places[name][position] for position in positions] for name, positions in term]
            table[np.ix_(*chosen) if chosen else ()] += sign * factor
        return float(_minimum(list(tables.items())))


def _refuse_values(supernet: Supernet) -> None:
    if supernet.values:
        supernet.mixed({})  # says which they are


def _read_path(value: Mapping[str, Any], allowed: Path) -> Path:
    """A path as JSON has it; ValueError where it names what the space does not have."""
    path = {name: frozenset(positions) for name, positions in value.items()}
    if any(not positions or not positions <= allowed.get(name, frozenset()) for name, positions in path.items()):
        raise ValueError(f"the space has no options {dict(value)!r:.80}")
    return path


_Term = tuple[tuple[str, frozenset[int]], ...]
"""A path as a key: its conditions by the names of their decisions."""


@final
class _Plan:
    """How a polynomial is worked out from some rows: sums of probabilities, then their products, then their sum."""

    def __init__(
        self, terms: Mapping[_Term, float], decisions: Sequence[Decision], positions: Callable[[Decision], list[int]]
    ) -> None:
        starts: dict[str, tuple[int, list[int]]] = {}
        length = 0
        for decision in decisions:
            starts[decision.name] = (length, positions(decision))
            length += len(starts[decision.name][1])
        literals: dict[tuple[str, frozenset[int]], int] = {}
        sources, targets, products = [], [], []
        for term in terms:
            product = []
            for literal in term:
                name, allowed = literal
                if name not in starts:
                    continue  # a connection that always counts, or a decision with one option
                if literal not in literals:
                    literals[literal] = len(literals)
                    start, options = starts[name]
                    chosen = [start + place for place, position in enumerate(options) if position in allowed]
                    sources += chosen
                    targets += [literals[literal]] * len(chosen)
                product.append(literals[literal])
            products.append(product)
        width = max(map(len, products), default=0)
        # Shorter products are filled up with a literal that is 1.
        self._count = len(literals)
        filled = [product + [self._count] * (width - len(product)) for product in products]
        self._sources, self._targets = torch.tensor(sources, dtype=torch.long), torch.tensor(targets, dtype=torch.long)
        self._products = torch.tensor(filled, dtype=torch.long).reshape(len(products), width)
        self._factors = torch.tensor(list(terms.values()), dtype=torch.float64)

    def __call__(self, rows: Sequence[Tensor]) -> Tensor:
        if not rows:
            return self._factors.sum()
        flat = torch.cat(list(rows))
        flat = flat.to(torch.promote_types(flat.dtype, torch.float32))
        sources, targets, products = (part.to(flat.device) for part in (self._sources, self._targets, self._products))
        sums = torch.cat([flat.new_zeros(self._count).index_add(0, targets, flat[sources]), flat.new_ones(1)])
        return (sums[products].prod(1) * self._factors.to(flat)).sum()


def _union(operation: Operation) -> dict[_Term, int]:
    """That any of the paths holds, as a sum of products: by inclusion and exclusion."""
    terms: dict[_Term, int] = {}
    for path in operation.paths:
        added: dict[_Term, int] = {_key(path): 1}
        for term, sign in terms.items():
            both = _both(dict(term), path)
            if both is not None:
                added[_key(both)] = added.get(_key(both), 0) - sign
        for term, sign in added.items():
            terms[term] = terms.get(term, 0) + sign
        terms = {term: sign for term, sign in terms.items() if sign}
        if len(terms) > TERMS:
            raise SpaceError(f"{operation.place} stands in too many places to say how often it runs")
    return terms


def _key(path: Path) -> _Term:
    return tuple(sorted(path.items(), key=lambda condition: condition[0]))


def _both(one: Path, other: Path) -> Path | None:
    """The path on which two hold; None where there is none."""
    both = dict(one)
    for name, positions in other.items():
        both[name] = both.get(name, positions) & positions
        if not both[name]:
            return None
    return both


_Table = tuple[tuple[str, ...], npt.NDArray[np.float64]]
"""Numbers for the options of some decisions, an axis for each of them in the order of their names."""


def _minimum(tables: Sequence[_Table]) -> float:
    """The least sum of some tables, each over some decisions; a lower bound where their joint table is too large.

    Bucket elimination, and mini-buckets beyond :data:`CELLS` (Dechter and Rish 2003).
    """
    sizes = {name: size for names, table in tables for name, size in zip(names, table.shape, strict=True)}

    def cells(names: Iterable[str]) -> int:
        return math.prod(sizes[name] for name in names)

    buckets: dict[str, list[_Table]] = {name: [] for name in sorted(sizes)}
    for table in tables:
        for name in table[0]:
            buckets[name].append(table)
    total = [float(values) for names, values in tables if not names]
    scopes = {name: cells({other for names, _ in bucket for other in names}) for name, bucket in buckets.items()}
    while scopes:
        name = min(scopes, key=scopes.__getitem__)
        del scopes[name]
        joined: list[_Table] = []
        touched: set[str] = set()
        for table in sorted(buckets.pop(name), key=lambda entry: -entry[1].size):
            for other in table[0]:
                if other != name:
                    buckets[other] = [kept for kept in buckets[other] if kept is not table]
                    touched.add(other)
            for place, known in enumerate(joined):
                union = tuple(sorted({*table[0], *known[0]}))
                if cells(union) <= CELLS:
                    joined[place] = union, _spread(*known, union) + _spread(*table, union)
                    break
            else:
                joined.append(table)
        for names, values in joined:
            left = (tuple(other for other in names if other != name), values.min(names.index(name)))
            for other in left[0]:
                buckets[other].append(left)
            total += [] if left[0] else [float(left[1])]
        for other in touched:
            scopes[other] = cells({one for names, _ in buckets[other] for one in names} | {other})
    return math.fsum(total)


def _spread(names: tuple[str, ...], values: npt.NDArray[np.float64], union: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """A table over the decisions of ``union``: the axes that it does not have are of length 1."""
    return values.reshape([values.shape[names.index(name)] if name in names else 1 for name in union])


# Where the operations stand


@final
@dataclass(eq=False)
class _Leaf:
    """A module without anything open inside, its paths, and the calls of one pass in which it runs.

    Those inside the call of another such module are a part of it, and not noted. None where no pass was on its paths.
    """

    module: nn.Module
    place: str
    paths: dict[_Term, Path]
    calls: list[_Call] | None = None


def _leaves(supernet: Supernet) -> list[_Leaf]:
    """All modules without anything open inside. Which of them are called as a whole, only running them can say."""
    found: dict[int, _Leaf] = {}
    closed: dict[int, bool] = {}
    for place, module, path in _walk(supernet.network, "", {}, _allowed(supernet.space)):
        if id(module) not in closed:
            closed[id(module)] = not any(isinstance(part, Mixed | Row | Edges) for part in module.modules())
        if closed[id(module)]:
            found.setdefault(id(module), _Leaf(module, place, {})).paths[_key(path)] = path
    return list(found.values())


def _walk(module: nn.Module, place: str, path: Path, allowed: Path) -> Iterator[tuple[str, nn.Module, Path]]:
    """Every module with its place and its path, those that never run left out."""
    yield place, module, path
    for name, child, condition in _children(module):
        inside = path if condition is None else _both(path, condition)
        inside = None if inside is None else _within(inside, allowed)
        if inside is not None:
            yield from _walk(child, f"{place}.{name}" if place else name, inside, allowed)


def _children(module: nn.Module) -> Iterator[tuple[str, nn.Module, Path | None]]:
    """The modules directly inside, each with the condition under which it runs."""
    if isinstance(module, Mixed):
        for index, candidate in enumerate(module.candidates):
            yield f"candidates.{index}", candidate, {module.name: frozenset({index})}
        return
    for index, (name, child) in enumerate(module._modules.items()):
        if child is None:
            continue
        if isinstance(module, Row):
            longer = frozenset(place for place, length in enumerate(module.lengths) if length > index)
            yield name, child, {module.name: longer}
        elif isinstance(module, Edges):
            picked = module.picked
            yield name, child, {picked.name: frozenset(p for p, pick in enumerate(picked.picks) if index in pick)}
        else:
            yield name, child, None


def _allowed(space: SearchSpace) -> dict[str, frozenset[int]]:
    """The positions that each decision of the space may still have."""
    allowed = {}
    for decision in space.decisions:
        declared = space.declared[decision.name].options or ()
        allowed[decision.name] = frozenset(declared.index(option) for option in decision.options or ())
    return allowed


def _within(path: Path, allowed: Path) -> Path | None:
    """The path without what the space has no more; None where nothing is left."""
    left = {name: positions & allowed.get(name, frozenset()) for name, positions in path.items()}
    return left if all(left.values()) else None


def _fingerprint(supernet: Supernet) -> str:
    """Equal for supernets whose tensors have equal names and shapes."""
    tensors = [(name, tuple(tensor.shape)) for name, tensor in supernet.network.state_dict().items()]
    return hashlib.sha256(repr(tensors).encode()).hexdigest()


# How they are met


@contextmanager
def _undisturbed(supernet: Supernet) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards modes, buffers, ways and the random generator are as before."""
    modules = list(supernet.network.modules())
    device = next(supernet.network.parameters(), torch.empty(0)).device
    buffers = [
        (module, name, buffer, buffer.clone())
        for module in modules
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    ways = supernet.board.ways
    try:
        with supernet.evaluating(), torch.no_grad(), generators_kept(device):
            yield
    finally:
        supernet.board.ways = ways
        with torch.no_grad():
            for module, name, buffer, before in buffers:
                module._buffers[name] = buffer
                buffer.copy_(before)


@final
class _Survey:
    """Runs single paths of a supernet until every leaf was on one of them, and notes what it is called with."""

    def __init__(self, supernet: Supernet, example: tuple[Tensor, ...]) -> None:
        self.leaves = _leaves(supernet)
        self._supernet, self._example = supernet, example
        self._allowed = _allowed(supernet.space)
        self._rng = np.random.default_rng(0)
        self._calls: dict[_Leaf, list[_Call]] = {}
        self._inside = 0

    def run(self) -> None:
        """Each pass goes along as many paths as go together; SpaceError for a leaf that is not called alike in all."""
        paths = {key: (leaf, path) for leaf in self.leaves for key, path in leaf.paths.items()}
        hooks = []
        for leaf in self.leaves:
            hooks += [
                leaf.module.register_forward_pre_hook(self._entering(leaf), with_kwargs=True),
                leaf.module.register_forward_hook(self._leaving),
            ]
        try:
            while paths:
                leaf, fixed = next(iter(paths.values()))
                together = fixed
                for _, path in paths.values():
                    both = _both(together, path)
                    together = together if both is None else both
                positions = self._pass_on(fixed, together, leaf)
                paths = {key: entry for key, entry in paths.items() if not _holds(entry[1], positions)}
                for leaf in self.leaves:
                    self._note(leaf, self._calls.get(leaf, []), positions)
        finally:
            for hook in hooks:
                hook.remove()

    def _pass_on(self, fixed: Path, together: Path, leaf: _Leaf) -> Mapping[str, int]:
        """A pass on the way ``together``; where that cannot run, on that of an architecture that is ``fixed``."""
        positions = {name: min(together.get(name, allowed)) for name, allowed in self._allowed.items()}
        declared = self._supernet.space.declared
        for attempt in range(1 + TRIES):
            try:
                if attempt:
                    answers = {
                        name: (declared[name].options or ())[int(self._rng.choice(sorted(allowed)))]
                        for name, allowed in fixed.items()
                    }
                    ways = self._supernet.ways(self._supernet.space.complete(answers, self._rng))
                    positions |= {name: way.positions[0] for name, way in ways.items()}
                self._pass(positions)
            except Exception as error:  # whatever a network raises where its parts do not fit together
                failure = error
            else:
                return positions
        raise SpaceError(
            f"the supernet could not be run so that {leaf.place} is met: {type(failure).__name__}: {failure}"
        ) from failure

    def _pass(self, positions: Mapping[str, int]) -> None:
        self._calls, self._inside = {}, 0
        self._supernet.board.ways = {name: Way((position,)) for name, position in positions.items()}
        self._supernet.network(*self._example)

    def _entering(self, leaf: _Leaf) -> Callable[[nn.Module, Any, Any], None]:
        def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
            if not self._inside:
                self._calls.setdefault(leaf, []).append(_Call.noted(args, kwargs))
            self._inside += 1

        return enter

    def _leaving(self, module: nn.Module, args: Any, outcome: Any) -> None:
        self._inside -= 1

    def _note(self, leaf: _Leaf, calls: list[_Call], positions: Mapping[str, int]) -> None:
        """Takes the calls of a pass: for each of the places of a leaf on this way as many, and always the same."""
        places = sum(_holds(path, positions) for path in leaf.paths.values())
        if not places and not calls:
            return
        shapes = [call.shape for call in calls]
        if not places or (len(leaf.paths) > 1 and (len(calls) % places or len(set(shapes)) > 1)):
            raise SpaceError(
                f"the module at {leaf.place} stands in {len(leaf.paths)} places, and is called in ways that differ",
                hint="Make a module of its own for each place.",
            )
        once = calls[: len(calls) // places] if len(leaf.paths) > 1 else calls
        if leaf.calls is None:
            leaf.calls = once
        elif [call.shape for call in leaf.calls] != shapes[: len(once)]:
            raise SpaceError(
                f"{leaf.place} has inputs of different shapes in different architectures, so that what it costs "
                "depends on other decisions",
                hint="Limit the cost of architectures instead of expecting it while their numbers learn.",
            )


def _holds(path: Path, positions: Mapping[str, int]) -> bool:
    return all(positions[name] in allowed for name, allowed in path.items())


@final
@dataclass(frozen=True, eq=False)
class _Call:
    """What a module was called with: the tensors apart from the rest."""

    tensors: tuple[Tensor, ...]
    rest: tuple[Any, ...]
    """All that is no tensor, with :data:`_HOLE` in the place of each tensor."""
    layout: Any
    plain: bool
    """Whether it was called with tensors alone, each of one example."""

    @classmethod
    def noted(cls, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> _Call:
        flat, layout = tree_flatten((args, dict(kwargs)))
        tensors = tuple(value for value in flat if isinstance(value, Tensor))
        rest = tuple(_HOLE if isinstance(value, Tensor) else value for value in flat)
        alone = bool(args) and not kwargs and all(isinstance(value, Tensor) for value in args)
        return cls(tensors, rest, layout, alone and all(t.dim() and len(t) == 1 for t in tensors))

    @property
    def shape(self) -> Any:
        """Equal for calls that cost the same."""
        return str(self.layout), _plain(self.rest), tuple((tuple(t.shape), t.dtype) for t in self.tensors)


@final
class _Hole:
    """Where a tensor stands among the arguments of a call."""


_HOLE = _Hole()


@final
class _Called(nn.Module):
    """A module called as the supernet does, as a network of tensors whose first dimension counts one example."""

    def __init__(self, layer: nn.Module, call: _Call) -> None:
        super().__init__()
        self.layer = layer
        # A function, because costs copy what they measure, and a layout cannot be copied without a warning.
        self.arguments: Callable[[list[Any]], Any] = lambda flat: tree_unflatten(flat, call.layout)
        self.rest = [(isinstance(value, _Hole), None if isinstance(value, _Hole) else value) for value in call.rest]

    def forward(self, *tensors: Tensor) -> Any:
        rows = iter(tensors)
        flat = [next(rows)[0] if is_tensor else value for is_tensor, value in self.rest]
        args, kwargs = self.arguments(flat)
        return self.layer(*args, **kwargs)


def _measured(call: _Call, leaf: _Leaf, measure: Measure, known: dict[Any, float]) -> float:
    key = (_alike(leaf.module), call.shape)
    if key not in known:
        if call.plain:
            cost = measure(leaf.module, call.tensors)
        else:
            rows = tuple(tensor.unsqueeze(0) for tensor in call.tensors) or (torch.zeros(1),)
            called = _Called(leaf.module, call)
            called.training = False
            cost = measure(called, rows)
        known[key] = _checked_cost(cost, leaf.place)
    return known[key]


def _checked_cost(cost: Any, place: str) -> float:
    value = float(cost)
    if not math.isfinite(value) or value < 0:
        raise InputError(f"the cost of {place} is {value}, and a cost is a finite number that is not negative")
    return value


def _alike(layer: nn.Module) -> tuple[Any, ...]:
    """Equal for modules that do the same work: their classes, attributes, and shapes of tensors."""
    return tuple(
        (
            name,
            type(module),
            module.extra_repr(),
            tuple((key, _plain(value)) for key, value in module.__dict__.items() if key not in _PLUMBING),
            tuple(
                (key, None if value is None else (tuple(value.shape), value.dtype))
                for held in (module._parameters, module._buffers)
                for key, value in held.items()
            ),
        )
        for name, module in layer.named_modules()
    )


def _plain(value: Any) -> Any:
    """Something to compare by: the text of what is plain, and of all else which object it is."""
    if isinstance(value, _PLAIN):
        return type(value), repr(value)
    if isinstance(value, tuple | list):
        return type(value), tuple(map(_plain, value))
    if isinstance(value, dict):
        return dict, tuple((_plain(key), _plain(entry)) for key, entry in value.items())
    return id(value)
