"""SearchSpace: an ordinary network whose constructor says, by a few words, what is open."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netwright.architecture import Answer, Architecture, freeze
from netwright.errors import ArchitectureError, InfeasibleError, NetwrightError, SpaceError, nearest
from netwright.space import counting, describing
from netwright.space.arguments import check_arguments, name_of
from netwright.space.conditions import arrange, asked, condition_text, holding, may_be_asked
from netwright.space.decisions import Decision, shorten, show
from netwright.space.encoding import Encoding
from netwright.space.graph import Graph, declared, tree
from netwright.space.moves import nearby, other_value, spread
from netwright.space.readings import Build, Outline, Reading
from netwright.space.size import Size

if TYPE_CHECKING:
    from torch import nn

Rule = Callable[[Architecture], bool]

TRIES = 1_000
NARROW = 16
ENUMERATED = 1_000_000
ESTIMATE_DRAWS = 10_000


class SearchSpace:
    """All the networks that one constructor can make.

    The constructor is run once here, with ``arguments``, to outline its decisions; nothing is allocated. ``where``
    refuses architectures, and ``same`` gives equal keys to those that are one network (the first of them in
    :meth:`enumerate` stands for all). A space is frozen; every random choice comes from the generator handed in.
    Raises SpaceError for whatever is declared wrongly.
    """

    def __init__(
        self,
        network: Callable[..., nn.Module],
        /,
        *,
        where: Rule | None = None,
        same: Callable[[Architecture], Hashable] | None = None,
        **arguments: Any,
    ) -> None:
        if not callable(network):
            raise SpaceError(
                f"a search space is made of a network's class or a function that makes it, found {network!r:.80}"
            )
        check_arguments(network, arguments)
        self.network = network
        self.arguments = arguments
        self.name = name_of(network)
        self._where = where
        self._same = same
        self._limits: tuple[Rule, ...] = ()
        self._excess: Callable[[Architecture], float] | None = None
        outline, self.notes = _outline(network, arguments, self.name)
        self._declared = outline.decisions
        if not self._declared:
            raise SpaceError(f"{self.name} has no open decision", hint="Mark one: nw.choose('width', 16, 32, 64).")
        self.decisions: tuple[Decision, ...] = arrange(outline.decisions, outline.contexts)

    # What it is

    @cached_property
    def size(self) -> Size:
        """How many architectures there are (how many classes, with ``same``); counted once, when first asked for."""
        count = self._counting.count
        if any(decision.continuous for decision in self.decisions):
            return Size(float("inf"), exact=True, how="a continuous range has values without end")
        if self._where is None and self._same is None:
            if self._counting.exact:
                return Size(count, exact=True, how="counted")
            return Size(
                count, exact=False, how="estimated from 10,000 draws (Knuth): its conditions are too tangled to count"
            )
        if count <= ENUMERATED:
            return Size(len(self._ranks), exact=True, how=f"enumerated: {count:,} before `where` and `same`")
        beyond = "" if self._same is None else "; architectures, not classes of `same`, which are too many to enumerate"
        if self._where is None:
            return Size(count, exact=False, how="counted" + beyond)
        rng = np.random.default_rng(0)
        hits = sum(self._allowed(Architecture(self._counting.draw(rng))) for _ in range(ESTIMATE_DRAWS))
        share = hits / ESTIMATE_DRAWS
        error = (share * (1 - share) / ESTIMATE_DRAWS) ** 0.5
        return Size(
            count * hits // ESTIMATE_DRAWS,
            exact=False,
            how=f"estimated from {ESTIMATE_DRAWS:,} draws: `where` allows {share:.2%} ± {error:.2%} (standard error) "
            f"of {Size(count, exact=True, how='')}{beyond}",
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of :meth:`encode`."""
        return self._encoding.columns

    @property
    def ruled(self) -> bool:
        """Whether a rule ``where`` may refuse combinations of answers."""
        return self._where is not None

    @cached_property
    def signature(self) -> str:
        """SHA-256 of the decisions with their options and conditions: equal spaces have equal signatures.

        The code of the network and the rules (``where``, ``same``) are not part of it.
        """
        outline = [[d.name, repr(d.question()[1:]), d.kind, repr(sorted(d.conditions))] for d in self.decisions]
        return hashlib.sha256(json.dumps(outline).encode()).hexdigest()

    def describe(self) -> list[dict[str, Any]]:
        """A row for each decision: name, kind, options, low, high, log, step, count, values, asked (text)."""
        return describing.rows(self.decisions)

    def __str__(self) -> str:
        return f"{self.name}: {self.size} architectures\n{describing.tree(self.decisions)}"

    def __repr__(self) -> str:
        return f"SearchSpace({self.name}, {len(self.decisions)} decisions)"

    def __contains__(self, architecture: object) -> bool:
        if not isinstance(architecture, Mapping):
            return False
        try:
            self.validate(architecture)
        except ArchitectureError:
            return False
        return True

    # Drawing

    def sample(self, rng: np.random.Generator) -> Architecture:
        """An architecture drawn uniformly (a class of ``same`` drawn uniformly, where they can be enumerated).

        A ``log`` range is uniform in its logarithm, and counts for as many architectures as it has values.
        """
        if self._same is not None and self._enumerable:
            return self._within_limits(lambda: self._ranked(rng), rng)
        return self._draw(rng, {}, ())

    def complete(self, partial: Mapping[str, Answer], rng: np.random.Generator) -> Architecture:
        """Keeps what is answered and draws the rest, uniformly over the architectures that have these answers."""
        answers, problems = self._checked_answers(partial)
        if problems:
            raise ArchitectureError(" ".join(problems))
        return self._draw(rng, answers, tuple(answers))

    def answers_of(self, architecture: Mapping[str, Answer]) -> dict[str, Answer]:
        """Those answers of an architecture, also of another space, that are values of this space's decisions."""
        return self._checked_answers(architecture)[0]

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Exactly one active decision gets another value; what is asked because of it is drawn, the rest is kept.

        The decision is drawn uniformly among those that have another value, the value uniformly among the others (of
        ``inputs``, one pick changes). The child may be of the same class of ``same``. Raises SpaceError where no other
        architecture can be reached.
        """
        answers = self._trusted(architecture)
        engine = self._counting
        followed = self._followed
        free = [decision for decision in map(self._by_name.__getitem__, answers) if decision.cardinality > 1]
        if not free:
            raise SpaceError("no decision of this architecture has another value, so it cannot be mutated")
        for _ in range(TRIES):
            picks = rng.random(2).tolist()
            decision = free[int(picks[0] * len(free))]
            name = decision.name
            changed = {**answers, name: other_value(decision, answers[name], picks[1], rng)}
            child = Architecture(engine.draw(rng, changed) if name in followed else changed)
            if self._accepted(child):
                return child
        child_or_none = next(self.neighbours(architecture, rng), None)
        if child_or_none is None:
            raise SpaceError("this architecture has no valid neighbour: the rules of the space refuse all of them")
        return child_or_none

    def perturb(self, architecture: Architecture, rng: np.random.Generator, rate: float) -> Architecture:
        """Each active decision gets another value with probability ``rate``, independently; drawn as :meth:`mutate`.

        What is asked because of it is drawn, the rest is kept; nothing may have changed. Where the rules of the space
        refuse a thousand children, the architecture itself comes back.
        """
        answers = self._trusted(architecture)
        free = [decision for decision in map(self._by_name.__getitem__, answers) if decision.cardinality > 1]
        for _ in range(TRIES):
            coins, picks = rng.random((2, len(free))).tolist()
            edits = {
                decision.name: other_value(decision, answers[decision.name], pick, rng)
                for decision, coin, pick in zip(free, coins, picks, strict=True)
                if coin < rate
            }
            if not edits:
                return architecture
            changed = {**answers, **edits}
            child = Architecture(changed if self._followed.isdisjoint(edits) else self._counting.draw(rng, changed))
            if self._accepted(child):
                return child
        return architecture

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """A child that takes each answer from either parent, by a fair coin where both have one.

        What neither parent was asked is drawn. Where the rules of the space refuse a thousand children, one of the
        parents comes back.
        """
        first, second = self._trusted(a), self._trusted(b)
        for _ in range(TRIES):
            coins = rng.random(len(self.decisions)).tolist()
            mixed: dict[str, Answer] = {}
            for decision, coin in zip(self.decisions, coins, strict=True):
                name = decision.name
                if name in first and (coin < 0.5 or name not in second):
                    mixed[name] = first[name]
                elif name in second:
                    mixed[name] = second[name]
            child = Architecture(self._counting.draw(rng, mixed))
            if self._accepted(child):
                return child
        return a if rng.random() < 0.5 else b

    def neighbours(self, architecture: Architecture, rng: np.random.Generator | None = None) -> Iterator[Architecture]:
        """The architectures that differ in one active decision's value, in the order of the decisions.

        A range gives the values a tenth of it below and above. What is asked because of the change takes its first
        value, or is drawn where ``rng`` is given.
        """
        answers = self._trusted(architecture)
        for name, before in list(answers.items()):
            for value in nearby(self._by_name[name], before):
                changed = {**answers, name: value}
                child = Architecture(self._first(changed) if rng is None else self._counting.draw(rng, changed))
                if self._accepted(child):
                    yield child

    def enumerate(self) -> Iterator[Architecture]:
        """Every architecture once (of each class of ``same`` the first), in the order of decisions and options."""
        endless = [decision.name for decision in self.decisions if decision.continuous]
        if endless:
            raise SpaceError(
                f"the space cannot be enumerated: decision '{endless[0]}' is a continuous range",
                hint="Give it a step, or fix it.",
            )
        seen = set()
        for answers in self._counting.enumerate():
            architecture = Architecture(answers)
            if not self._allowed(architecture):
                continue
            if self._same is not None:
                key = self._class_of(architecture)
                if key in seen:
                    continue
                seen.add(key)
            if self.keeps_limits(architecture):
                yield architecture

    # Checking, encoding, building

    def validate(self, architecture: Mapping[str, Answer]) -> Architecture:
        """The architecture, its answers in the order of the decisions; ArchitectureError with all that is wrong."""
        checked = self._structure(architecture)
        if not self._allowed(checked):
            raise ArchitectureError(f"the rule `where` of the space refuses the architecture {checked}")
        if not self.keeps_limits(checked):
            raise ArchitectureError(f"a limit of the space refuses the architecture {checked}")
        return checked

    def encode(self, architecture: Mapping[str, Answer]) -> npt.NDArray[np.float64]:
        """The architecture as numbers in [0, 1], one for each of :attr:`columns` (:mod:`netwright.space.encoding`)."""
        return self._encoding.encode(self._trusted(architecture))

    def key(self, architecture: Architecture) -> Hashable:
        """What names the network of an architecture: its class where the space has ``same``, else itself."""
        return architecture if self._same is None else self._class_of(architecture)

    @property
    def declares_graph(self) -> bool:
        """Whether the network says by a static or class method ``graph(architecture)`` how its graph looks."""
        return declared(self.network) is not None

    def graph(self, architecture: Mapping[str, Answer]) -> Graph:
        """The architecture as a graph: what the network's own ``graph(architecture)`` says, where it has one.

        Otherwise the tree of the decisions that are asked (:func:`netwright.space.graph.tree`).
        """
        answers = self._trusted(architecture)
        method = declared(self.network)
        if method is None:
            return tree(self.decisions, answers)
        found = method(Architecture(answers))
        if not isinstance(found, Graph):
            raise SpaceError(f"{self.name}.graph made {found!r:.80}, it makes a netwright.space.Graph")
        return found

    def build(self, architecture: Mapping[str, Answer]) -> nn.Module:
        """The network itself, with fresh weights: torch's modules and the user's own classes, none of ours.

        Limits added by :meth:`restrict` are not asked: they say what is drawn, not what can be built.
        """
        checked = self._structure(architecture)
        if not self._allowed(checked):
            raise ArchitectureError(f"the rule `where` of the space refuses the architecture {checked}")
        reading = Build(self.declared, checked)
        network = self.read(reading, f"built as {checked}")
        reading.finish()
        return network

    def scaled(self, **arguments: Any) -> SearchSpace:
        """The same choices in a network with other arguments: more cells, more channels, other inputs.

        Raises SpaceError naming an argument that the network does not take. What :meth:`fix` and :meth:`restrict` said
        is left behind: it was about this size.
        """
        return SearchSpace(self.network, where=self._where, same=self._same, **{**self.arguments, **arguments})

    def scale(self, architecture: Mapping[str, Answer], **arguments: Any) -> nn.Module:
        """A larger network with the same answers, as NASNet's cells are searched small and deployed large.

        ``space.scale(architecture, cells=18, channels=64)``: ``arguments`` are the network's own, those of the space
        where none is given. Raises SpaceError naming an argument that the network does not take, and ArchitectureError
        where the larger network asks for decisions that the architecture does not answer.
        """
        larger = self.scaled(**arguments)
        try:
            return larger.build(architecture)
        except ArchitectureError as error:
            size = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
            raise ArchitectureError(
                f"{self.name} with {size} asks for other decisions than these answers: {error.message}",
                hint="Scale by arguments on which no decision depends",
            ) from error

    @property
    def declared(self) -> Mapping[str, Decision]:
        """The decisions as the constructor declares them, by their names; a fixed one has all its options."""
        return self._declared

    def read(self, reading: Reading, doing: str = "read") -> nn.Module:
        """The network as ``reading`` has the words make it; ``doing`` says of an error when it happened."""
        from torch import nn

        with reading.in_force():
            try:
                network = self.network(**self.arguments)
            except NetwrightError:
                raise
            except Exception as error:
                error.add_note(f"while {self.name} was {doing}")
                raise
        if not isinstance(network, nn.Module):
            raise SpaceError(f"{self.name} made {network!r:.80}, a network is an nn.Module")
        return network

    # Narrower spaces

    def fix(self, answers: Mapping[str, Answer] | None = None, /, **more: Answer) -> SearchSpace:
        """The same space with some decisions answered; they stay in its architectures, with one option.

        Names that are no Python words go into a mapping: ``space.fix({"recipe.lr": 0.1})``.
        """
        given = {**(answers or {}), **more}
        checked, problems = self._checked_answers(given)
        if problems:
            raise ArchitectureError(" ".join(problems))
        decisions = {
            decision.name: replace(decision, options=(checked[decision.name],))
            if decision.name in checked
            else decision
            for decision in self.decisions
        }
        arranged = self._arranged(decisions)
        lost = sorted(set(checked) - {decision.name for decision in arranged})
        if lost:
            raise ArchitectureError(
                f"decision '{lost[0]}' cannot be fixed: with the other answers it is never asked "
                f"({condition_text(self._by_name[lost[0]], self._by_name)})"
            )
        return self._copy(decisions=arranged)

    def coarsen(self, points: int) -> SearchSpace:
        """The same space with at most ``points`` values in each range, evenly spaced from its low to its high end.

        Evenly in the logarithm where ``log``; a single point is the middle. The architectures belong to this space.
        """
        if not isinstance(points, int) or isinstance(points, bool) or points < 1:
            raise SpaceError(f"a range is coarsened to a whole number of points, at least 1, found {points!r}")
        decisions = {
            decision.name: Decision(decision.name, "choose", spread(decision, points), source=decision.source)
            if decision.kind == "range" and decision.cardinality > points
            else decision
            for decision in self.decisions
        }
        return self._copy(decisions=self._arranged(decisions))

    def restrict(self, rule: Rule, *, excess: Callable[[Architecture], float] | None = None) -> SearchSpace:
        """The same space with one more limit on what is drawn: by rejection alone, and not part of its size.

        ``excess`` says by how much an architecture breaks the limit (0: not at all). With it a limit may be narrow:
        after 16 refused draws the least of them is led downhill by mutations until it is within; such a draw is no
        longer uniform.
        """
        return self._copy(_limits=(*self._limits, rule), _excess=excess or self._excess)

    @property
    def unrestricted(self) -> SearchSpace:
        """The same space without the limits of :meth:`restrict`."""
        return self._copy(_limits=()) if self._limits else self

    def keeps_limits(self, architecture: Architecture) -> bool:
        """Whether the limits of :meth:`restrict` allow an architecture of the space; this may take a while."""
        return all(self._asked("restrict", rule, architecture) for rule in self._limits)

    def _copy(self, **changes: Any) -> SearchSpace:
        other = object.__new__(SearchSpace)
        other.__dict__.update({**self.__getstate__(), **changes})
        return other

    def __getstate__(self) -> dict[str, Any]:
        """Without what can be computed again."""
        computed = {name for name, value in vars(SearchSpace).items() if isinstance(value, cached_property)}
        return {name: value for name, value in self.__dict__.items() if name not in computed}

    # Below: helpers in the order of use

    def _arranged(self, decisions: Mapping[str, Decision]) -> tuple[Decision, ...]:
        """``decisions`` that take the places of this space's, without those that are never asked any more."""
        contexts = {
            decision.name: [
                {name: frozenset(allowed) for name, allowed in path} for path in decision.conditions or ((),)
            ]
            for decision in self.decisions
        }
        return arrange(decisions, contexts)

    @cached_property
    def _by_name(self) -> dict[str, Decision]:
        return {decision.name: decision for decision in self.decisions}

    @cached_property
    def _counting(self) -> counting.Automaton | counting.Forward:
        return counting.count(self.decisions)

    @cached_property
    def _followed(self) -> frozenset[str]:
        """The decisions on which another one depends."""
        return frozenset(name for decision in self.decisions for path in decision.conditions for name, _ in path)

    @cached_property
    def _encoding(self) -> Encoding:
        return Encoding(self.decisions)

    @cached_property
    def _enumerable(self) -> bool:
        return self._counting.count <= ENUMERATED and not any(decision.continuous for decision in self.decisions)

    @cached_property
    def _ranks(self) -> npt.NDArray[np.int64]:
        """The places, in the enumeration without rules, of what `where` and `same` leave."""
        kept = []
        seen = set()
        for rank, answers in enumerate(self._counting.enumerate()):
            architecture = Architecture(answers)
            if not self._allowed(architecture):
                continue
            if self._same is not None:
                key = self._class_of(architecture)
                if key in seen:
                    continue
                seen.add(key)
            kept.append(rank)
        return np.array(kept, dtype=np.int64)

    def _ranked(self, rng: np.random.Generator) -> Architecture:
        if not len(self._ranks):
            raise self._nothing_allowed()
        rank = int(self._ranks[int(rng.random() * len(self._ranks))])
        if isinstance(self._counting, counting.Automaton):
            return Architecture(self._counting.at(rank))
        return Architecture(next(itertools.islice(self._counting.enumerate(), rank, None)))

    def _draw(self, rng: np.random.Generator, fixed: Mapping[str, Answer], required: Sequence[str]) -> Architecture:
        """Uniform over what agrees with ``fixed`` and the rules, by rejection and then by enumeration."""
        engine = self._counting
        refused: list[Architecture] = []
        try:
            for _ in range(TRIES):
                architecture = Architecture(engine.draw(rng, fixed, required))
                if self._where is not None and not self._allowed(architecture):
                    continue
                if not self._limits or self.keeps_limits(architecture):
                    return architecture
                refused.append(architecture)
                if self._excess is not None and len(refused) >= NARROW:
                    break
        except counting.Contradiction:
            answers = ", ".join(f"{name}={show(fixed[name])}" for name in required)
            raise ArchitectureError(f"no architecture of the space has {answers} together") from None
        if refused and self._excess is not None:
            return self._downhill(
                min(refused, key=self._excess), self._excess, rng, {name: fixed[name] for name in required}
            )
        if refused:
            raise self._nothing_within_limits()
        return self._within_limits(lambda: self._drawn_from_all(rng, fixed, required), rng)

    def _downhill(
        self,
        architecture: Architecture,
        excess: Callable[[Architecture], float],
        rng: np.random.Generator,
        kept: Mapping[str, Answer],
    ) -> Architecture:
        """Mutates ``architecture``, never away from ``kept``, until it is within the limits."""
        free = self.unrestricted
        least = excess(architecture)
        for _ in range(TRIES):
            child = free.mutate(architecture, rng)
            if any(child.get(name) != answer for name, answer in kept.items()):
                continue
            found = excess(child)
            if found <= 0 and self._accepted(child):
                return child
            if found < least:
                architecture, least = child, found
        raise self._nothing_within_limits()

    def _drawn_from_all(
        self, rng: np.random.Generator, fixed: Mapping[str, Answer], required: Sequence[str]
    ) -> Architecture:
        if not self._enumerable:
            raise SpaceError(
                f"the rule `where` refused {TRIES:,} architectures in a row, and the space is too large to enumerate",
                hint="Loosen the rule, or say it with conditional decisions (one_of, repeat) instead.",
            )
        if not fixed and not required and self._same is None:
            return self._ranked(rng)
        drawn = [a for a in map(Architecture, self._counting.enumerate(fixed, required)) if self._allowed(a)]
        if not drawn:
            raise self._nothing_allowed()
        return drawn[int(rng.random() * len(drawn))]

    def _within_limits(self, draw: Callable[[], Architecture], rng: np.random.Generator) -> Architecture:
        refused: list[Architecture] = []
        while len(refused) < (TRIES if self._excess is None else NARROW):
            if self.keeps_limits(architecture := draw()):
                return architecture
            refused.append(architecture)
        if self._excess is None:
            raise self._nothing_within_limits()
        return self._downhill(min(refused, key=self._excess), self._excess, rng, {})

    def _nothing_allowed(self) -> InfeasibleError:
        return InfeasibleError(f"the rule `where` refuses every architecture of {self.name}", hint="Loosen the rule.")

    def _nothing_within_limits(self) -> InfeasibleError:
        return InfeasibleError(
            f"none of {TRIES:,} architectures drawn from {self.name} is within its limits", hint="Loosen the limits."
        )

    def _allowed(self, architecture: Architecture) -> bool:
        return self._where is None or self._asked("where", self._where, architecture)

    def _accepted(self, architecture: Architecture) -> bool:
        return (self._where is None or self._allowed(architecture)) and (
            not self._limits or self.keeps_limits(architecture)
        )

    def _asked(self, word: str, rule: Rule, architecture: Architecture) -> bool:
        try:
            return bool(rule(architecture))
        except NetwrightError:
            raise
        except Exception as error:
            raise SpaceError(
                f"the rule of `{word}` raised {type(error).__name__}: {error} for the architecture {architecture}",
                hint="A conditional decision may be missing: use architecture.get(name).",
            ) from error

    def _class_of(self, architecture: Architecture) -> Hashable:
        assert self._same is not None
        try:
            key = self._same(architecture)
            hash(key)
        except NetwrightError:
            raise
        except Exception as error:
            raise SpaceError(
                f"the key of `same` raised {type(error).__name__}: {error} for the architecture {architecture}",
                hint="It answers with something hashable for every architecture.",
            ) from error
        return key

    def _trusted(self, architecture: Mapping[str, Answer]) -> dict[str, Answer]:
        """The answers, checked on the short way where there is one."""
        answers = dict(architecture.items())
        engine = self._counting
        if isinstance(engine, counting.Automaton) and engine.nodes(answers) is not None:
            return answers
        return dict(self._structure(architecture).items())

    def _first(self, answers: dict[str, Answer]) -> dict[str, Answer]:
        completed: dict[str, Answer] = {}
        for decision in self.decisions:
            if asked(decision, completed):
                completed[decision.name] = answers.get(decision.name, decision.first)
        return completed

    def _structure(self, architecture: Mapping[str, Answer]) -> Architecture:
        """The architecture as the decisions have it; the rules are not asked."""
        if not isinstance(architecture, Mapping):
            raise ArchitectureError(
                f"an architecture is a mapping from decisions to answers, found {type(architecture).__name__}"
            )
        answers, problems = self._checked_answers(architecture)
        ordered: dict[str, Answer] = {}
        missing: list[Decision] = []
        unknown: set[str] = set()  # what is not answered well, and what may or may not be asked because of it
        for decision in self.decisions:
            name = decision.name
            if asked(decision, ordered):
                if name in answers:
                    ordered[name] = answers[name]
                    continue
                unknown.add(name)
                if name not in architecture:
                    missing.append(decision)
            elif may_be_asked(decision, ordered, unknown):
                unknown.add(name)
            elif name in architecture:
                problems.append(
                    f"Decision '{name}' is answered ({_short(architecture[name])}) but not asked: that needs "
                    f"{condition_text(decision, self._by_name)}. Leave it out."
                )
        if missing:
            problems.append(_unanswered(missing, ordered, architecture))
        if problems:
            raise ArchitectureError(" ".join(problems))
        return Architecture(ordered)

    def _checked_answers(self, given: Mapping[str, Answer]) -> tuple[dict[str, Answer], list[str]]:
        """The answers that are values of their decision, and what is wrong with the others."""
        answers: dict[str, Answer] = {}
        problems = []
        for name, value in given.items():
            decision = self._by_name.get(name) if isinstance(name, str) else None
            if decision is None:
                if name in self._declared:
                    problems.append(f"Decision '{name}' is never asked in this space, where others are fixed.")
                else:
                    problems.append(f"The space has no decision {name!r:.80} ({_nearest(str(name), self._by_name)}).")
                continue
            try:
                value = freeze(value, name)
            except ArchitectureError as error:
                problems.append(f"{error}.")
                continue
            if decision.position(value) is None and type(value) is int:
                value = _as_float(value)  # JSON writers turn 16.0 into 16
            if decision.position(value) is None:
                problems.append(
                    f"Decision '{name}' has no value {_short(given[name])}; its values: {decision.values_text()}."
                )
                continue
            answers[name] = value
        return answers, problems


def _outline(
    network: Callable[..., nn.Module], arguments: Mapping[str, Any], name: str
) -> tuple[Outline, tuple[str, ...]]:
    """Runs the constructor once on the meta device; on the CPU without initialisation where it reads a value there."""
    import torch

    from netwright.space.uninitialised import Uninitialised

    try:
        return _run_outline(network, arguments, name, torch.device("meta")), ()
    except SpaceError as error:
        cause = error.__cause__
        # Torch has no error of its own for this: item(), tolist(), numpy() and mixed devices each say it otherwise.
        if not isinstance(cause, RuntimeError | TypeError | ValueError) or "meta" not in str(cause):
            raise
    with Uninitialised():
        outline = _run_outline(network, arguments, name, contextlib.nullcontext())
    return outline, (
        f"the constructor of {name} reads a tensor's value, so it was outlined on the CPU without initialisation",
    )


def _run_outline(network: Callable[..., nn.Module], arguments: Mapping[str, Any], name: str, device: Any) -> Outline:
    import torch
    from torch import nn

    outline = Outline()
    with torch.random.fork_rng(devices=[]), device, outline.in_force():
        try:
            made = network(**arguments)
        except (NetwrightError, MemoryError):
            raise
        except Exception as error:
            where = outline.where(error)
            raise SpaceError(
                f"{name} raised {type(error).__name__} while its decisions were outlined"
                f"{' at ' + where if where else ''}: {error}"
            ) from error
    if not isinstance(made, nn.Module):
        raise SpaceError(f"{name} made {made!r:.80}, a network is an nn.Module")
    return outline


def _unanswered(missing: Sequence[Decision], ordered: Mapping[str, Answer], given: Mapping[str, Answer]) -> str:
    askers: dict[str, list[str]] = {}
    for decision in missing:
        because = " and ".join(f"{name}={show(ordered[name])}" for name, _ in holding(decision, ordered) or ())
        askers.setdefault(because, []).append(decision.name)
    plural = len(missing) > 1
    names = _named([decision.name for decision in missing]) if plural else f"'{missing[0].name}'"
    reasons = []
    for because, group in askers.items():
        it = _named(group) if len(askers) > 1 else ("them" if plural else "it")
        if because:
            reasons.append(f"{because} asks for {it}.")
        else:
            reasons.append(f"Every architecture answers {it}.")
    return (
        f"Architecture has no answer for {'decisions' if plural else 'decision'} {names} "
        f"(it answers {_named(given)}). {' '.join(reasons)} "
        "Use space.sample(rng) or space.complete(architecture, rng)."
    )


def _as_float(value: int) -> float | None:
    try:
        converted = float(value)
    except OverflowError:
        return None
    return converted if converted == value else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _nearest(name: str, known: Mapping[str, Decision]) -> str:
    text = nearest(name[:200], known)
    return text if len(known) <= 20 or text.startswith("did") else f"it has {len(known)}, see space.decisions"


def _named(given: Iterable[str]) -> str:
    """The names, with runs like block0, block1, block2 as block0-block2."""
    names = [str(name) for name in given]
    parts: list[str] = []
    for _, group in itertools.groupby(enumerate(names), key=lambda item: _run_key(*item)):
        run = [name for _, name in group]
        parts.extend(run if len(run) < 3 else [f"{run[0]}-{run[-1]}"])
    return shorten(parts) or "nothing"


def _run_key(index: int, name: str) -> tuple[str, int]:
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    return (stem, int(digits) - index) if digits else (name, -index)
