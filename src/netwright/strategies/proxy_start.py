"""Proxy-guided warm start: cheap scores choose where another strategy begins."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from netwright.architecture import Architecture
from netwright.arguments import one_of_these, whole
from netwright.errors import InputError, SpaceError
from netwright.space import SearchSpace
from netwright.strategies.base import Strategy
from netwright.strategies.unseen import Unseen
from netwright.trial import PROXY, Objective, Proposal, Trial

PATIENCE = 6
"""So many proxy trials are asked for before the first has come back with a proxy; a study that sees ten failures in a
row gives up."""

Vote = Literal["majority", "ranks"]
_VOTES = ("majority", "ranks")


@final
class ProxyStart(Strategy):
    """Warm-up and move proposal by zero-cost proxies: Abdelfattah, Mehrotra, Dudziak and Lane 2021, section 4.

    1. ``pool`` different random architectures are asked for as proxy trials (budget ``"proxy"``), which cost no
       training and are not counted against a limit of trials.
    2. The ``keep`` best of them by the vote of the ``proxies`` are proposed, the best first.
    3. Then ``inner`` is asked: it was told of these and of every other trial with a full budget. A strategy or the name
       of one; left out it is evolution with a population of ``keep`` and tournaments of 3.
    4. With ``moves`` above 1 a child of the inner strategy (a proposal that inherits from a trial) is not proposed at
       once: with ``moves`` − 1 other mutations of its parent it is first asked for as a proxy trial, and the best of
       them is proposed in its place. For evolution; not for a strategy that waits for exactly what it proposed.

    The ``proxies`` of the default are those that the evaluators of proxies answer with where none are named; the paper
    has snip in the place of naswot. Proxies are better when larger; a name with ``-`` in front is one that is better
    when smaller (``-macs``). They differ in scale, so only orders are used. ``vote="majority"`` ranks an architecture
    by how many others it beats, a pair being decided by the majority of the proxies (the paper's vote), ``"ranks"`` by
    the sum of its ranks. What is equal is ordered by the trial's number.

    A proxy trial that fails, or comes back with none of the proxies, is left out of the ranking; one that lacks some
    of them is judged by the others. No more than 6 are asked for before one has brought a proxy; if none ever does, the
    inner strategy searches by itself, as it would have without this.
    """

    def __init__(
        self,
        inner: Strategy | str | None = None,
        *,
        proxies: Sequence[str] = ("synflow", "jacob_cov", "naswot"),
        pool: int = 40,
        keep: int = 10,
        moves: int = 1,
        vote: Vote = "majority",
    ) -> None:
        whole("ProxyStart", pool=pool, keep=keep, moves=moves)
        if isinstance(proxies, str) or not proxies or not all(isinstance(n, str) and n.strip("-") for n in proxies):
            raise InputError(f"ProxyStart: proxies are the names of one or more metrics, found {proxies!r}")
        one_of_these("ProxyStart", "vote", vote, _VOTES)
        if inner is not None and not isinstance(inner, Strategy | str):
            raise InputError(f"ProxyStart: inner is a strategy or the name of one, found {inner!r}")
        self.inner = inner
        self.proxies = tuple(proxies)
        self.pool = pool
        self.keep = keep
        self.moves = moves
        self.vote = vote
        self._inner = _strategy(inner, keep)

    def start(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        super().start(space, objectives)
        self._inner.start(space, objectives)
        self._unseen = Unseen(space)
        self._asked = 0  # proxy trials of the pool
        self._judged: dict[Architecture, tuple[float, ...]] = {}  # proxies by architecture, in the order of the numbers
        self._pool: set[Architecture] = set()
        self._seeded: set[Architecture] = set()
        self._ranking: list[Architecture] | None = None  # the pool, best first; None when it must be ranked again
        self._parents: dict[int, Architecture] = {}  # of trials with a score, by number; kept for moves alone
        self._moves: list[_Move] = []

    def ask(self, rng: np.random.Generator) -> Proposal | None:
        if self._asked < self.pool and (self._judged or self._asked < PATIENCE):
            architecture = self._unseen.draw(rng)
            if architecture is not None and architecture not in self._pool:
                self._asked += 1
                self._pool.add(architecture)
                return Proposal(architecture, budget=PROXY)
            self._asked = self.pool  # the space is exhausted
        seed = self._seed()
        if seed is not None:
            return Proposal(seed)
        if self.moves == 1 or not self._judged:
            return self._inner.ask(rng)
        return self._move(rng)

    def tell(self, trial: Trial) -> None:
        if trial.proposal.budget == PROXY:
            for move in self._moves:
                move.waiting.discard(trial.architecture)
            found = _judgement(trial.metrics, self.proxies) if trial.scored else None
            if found is not None and trial.architecture not in self._judged:
                self._judged[trial.architecture] = found
                if trial.architecture in self._pool:
                    self._ranking = None
            return
        self._inner.tell(trial)
        if self.moves > 1:
            if trial.scored:
                self._parents[trial.number] = trial.architecture
            self._forget_parents()

    def heirs(self) -> Collection[int] | None:
        inner = self._inner.heirs()
        if inner is None:
            return None
        return [*inner, *(move.parent for move in self._moves if move.parent not in inner)]

    def _seed(self) -> Architecture | None:
        """The best of the pool that was not proposed yet; None when there were enough, or there is none."""
        if len(self._seeded) >= self.keep:
            return None
        if self._ranking is None:
            known = [architecture for architecture in self._judged if architecture in self._pool]
            self._ranking = [known[place] for place in ranked([self._judged[a] for a in known], self.vote)]
        best = next((architecture for architecture in self._ranking if architecture not in self._seeded), None)
        if best is not None:
            self._seeded.add(best)
        return best

    def _move(self, rng: np.random.Generator) -> Proposal | None:
        """The best mutation of a move that was judged, else a mutation to be judged, else a move is begun."""
        for move in self._moves:
            if not move.unasked and not move.waiting:
                self._moves.remove(move)
                judged = [child for child in move.children if child in self._judged]
                best = ranked([self._judged[child] for child in judged], self.vote)[:1]
                self._forget_parents()
                return Proposal(judged[best[0]] if best else move.children[0], inherits=move.parent)
            if move.unasked:
                child = move.unasked.pop(0)
                move.waiting.add(child)
                return Proposal(child, budget=PROXY)
        proposal = self._inner.ask(rng)
        parent = None if proposal is None or proposal.inherits is None else self._parents.get(proposal.inherits)
        if proposal is None or proposal.inherits is None or parent is None:
            return proposal
        children = [proposal.architecture]
        try:
            for _ in range(2 * self.moves):  # some repeat each other
                child = self.space.mutate(parent, rng)
                if child not in children:
                    children.append(child)
                if len(children) == self.moves:
                    break
        except SpaceError:
            return proposal
        unasked = [child for child in children if child not in self._judged]
        self._moves.append(_Move(proposal.inherits, children, unasked))
        return self._move(rng)

    def _forget_parents(self) -> None:
        """Keeps the architectures of those alone that a later proposal may inherit from."""
        heirs = self._inner.heirs()
        if heirs is None or len(self._parents) <= 2 * len(heirs) + len(self._moves) + 10:
            return
        kept = {*heirs, *(move.parent for move in self._moves)}
        self._parents = {number: parent for number, parent in self._parents.items() if number in kept}


@dataclass
class _Move:
    """The mutations of a parent that are judged together."""

    parent: int
    children: list[Architecture]
    unasked: list[Architecture]
    waiting: set[Architecture] = field(default_factory=set)


def ranked(judged: Sequence[tuple[float, ...]], vote: Vote = "majority") -> list[int]:
    """The places of the rows from the best to the worst; a row holds the proxies of one, nan where it lacks one.

    ``majority``: by how many others it beats less by how many it is beaten, a pair being decided by the proxies that
    both have; then, and with ``ranks`` alone, by the sum over the proxies of the share of the others below it.
    """
    if not judged:
        return []
    table: NDArray[np.float64] = np.array(judged, dtype=np.float64)
    votes = np.zeros((len(table), len(table)))
    share = np.zeros(len(table))
    for column in table.T:
        above = np.sign(column[:, None] - column[None, :])
        above = np.where(np.isnan(above), 0.0, above)
        votes += above
        share += above.sum(axis=1) / max(1, np.count_nonzero(~np.isnan(column)) - 1)
    share = np.round(share, 9)
    wins = np.sign(votes).sum(axis=1) if vote == "majority" else np.zeros(len(table))
    return [int(place) for place in np.lexsort((-share, -wins))]  # stable: what is equal keeps its order


def _judgement(metrics: Mapping[str, float], names: Sequence[str]) -> tuple[float, ...] | None:
    """The proxies of a trial, larger is better, nan for those it lacks; None when it has none of them."""
    found = [-metrics.get(name[1:], np.nan) if name.startswith("-") else metrics.get(name, np.nan) for name in names]
    return None if all(np.isnan(value) for value in found) else tuple(float(value) for value in found)


def _strategy(inner: Strategy | str | None, keep: int) -> Strategy:
    if inner is None:
        from netwright.strategies.evolution import Evolution

        return Evolution(population=keep, tournament=3)
    if isinstance(inner, str):
        from netwright import strategies

        return strategies.make(inner)
    return inner
