"""History: what a store's events say, in the order of the trials' numbers."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from netwright.architecture import Architecture
from netwright.stores.base import Event
from netwright.trial import PROXY, Budget, Failure, Proposal, Report, State, Trial

_NOTHING: Mapping[str, float] = MappingProxyType({})


@dataclass(slots=True)
class Claim:
    """A number that was given out: its proposal, its seed, the attempts so far, what it costs."""

    number: int
    proposal: Proposal
    seed: int
    attempt: int = 1
    costs: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    refused: tuple[str, ...] = ()
    begins: Mapping[str, Any] | None = None
    """Whose weights of another study it begins from: ``study, trial, sha256``."""


@dataclass
class History:
    """The claims and the ends of a study, and its notes by topic."""

    configuration: Mapping[str, Any] | None = None
    claims: list[Claim] = field(default_factory=list)
    trials: dict[int, Trial] = field(default_factory=dict)
    weights: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    source: dict[int, int] = field(default_factory=dict)
    notes: list[Mapping[str, Any]] = field(default_factory=list)
    by_work: dict[tuple[Any, Budget], int] = field(default_factory=dict)
    clocks: dict[int, float] = field(default_factory=dict)
    sequence: int = 0
    claimed_proxies: int = 0
    ended_proxies: int = 0
    _order: array[int] = field(default_factory=lambda: array("q"))  # the number of a claim, -1 - that of an end

    @classmethod
    def of(cls, events: Iterable[Event]) -> History:
        history = cls()
        for event in events:
            history.add(event)
        return history

    def add(self, event: Event) -> None:
        """Takes one event in."""
        body = event.body
        self.sequence = max(self.sequence, event.sequence)
        if event.kind == "study":
            self.configuration = body
        elif event.kind == "claimed":
            self._claimed(body)
        elif event.kind == "ended":
            self._ended(body)
        elif event.kind == "noted":
            self.notes.append(body)
        if "clock" in body:
            self._clock(float(body["clock"]), int(body["run"]))

    def adopt(self, number: int, proposal: Proposal) -> Claim:
        """Puts the proposal as it was asked for in the place of the equal one that was read; the claim.

        The journal sorts the names of an architecture's decisions; what follows from it, as a mutation drawn over its
        decisions, must find them in the order of the space. And one architecture takes less memory than two.
        """
        claim = self.claims[number]
        claim.proposal = proposal
        if number in self.trials:
            self.trials[number] = replace(self.trials[number], proposal=proposal)
        work = self.work(proposal)
        if self.by_work.get(work) == number:
            del self.by_work[work]
            self.by_work[work] = number
        return claim

    @property
    def counted(self) -> int:
        """How many trials ended that a limit counts: all but proxies, which cost next to nothing."""
        return len(self.trials) - self.ended_proxies

    @property
    def order(self) -> list[tuple[str, int]]:
        """What happened to which number, ``claimed`` or ``ended``, oldest first."""
        return [("claimed", code) if code >= 0 else ("ended", -1 - code) for code in self._order]

    def noted(self, topic: str) -> list[Mapping[str, Any]]:
        """The notes of a topic, oldest first."""
        return [note for note in self.notes if note["topic"] == topic]

    def ended(self) -> list[Trial]:
        """The trials in a final state, by number."""
        return [self.trials[number] for number in sorted(self.trials)]

    def all_trials(self) -> list[Trial]:
        """Every claimed number, the unfinished ones in state RUNNING."""
        return [
            self.trials.get(claim.number) or Trial(claim.number, claim.proposal, State.RUNNING, dict(claim.costs))
            for claim in self.claims
        ]

    def work(self, proposal: Proposal) -> tuple[Any, Budget]:
        """What makes two proposals the same work: architecture and budget."""
        return proposal.architecture, proposal.budget

    def _claimed(self, body: Mapping[str, Any]) -> None:
        number = int(body["number"])
        if number < len(self.claims):
            self.claims[number].attempt = int(body["attempt"])
            return
        proposal = Proposal(Architecture.from_value(body["architecture"]), body["budget"], body["inherits"])
        claim = Claim(
            number,
            proposal,
            int(body["seed"]),
            int(body["attempt"]),
            body.get("costs") or _NOTHING,
            tuple(body.get("refused") or ()),
            body.get("begins"),
        )
        self.claims.append(claim)
        self.claimed_proxies += proposal.budget == PROXY
        self.by_work.setdefault(self.work(proposal), number)
        self._order.append(number)

    def _ended(self, body: Mapping[str, Any]) -> None:
        number = int(body["number"])
        claim = self.claims[number]
        self.ended_proxies += claim.proposal.budget == PROXY and number not in self.trials
        error = body.get("error")
        self.trials[number] = Trial(
            number,
            claim.proposal,
            State(body["state"]),
            dict(body.get("metrics") or {}),
            tuple(Report(step, metrics) for step, metrics in body.get("curve") or ()),
            None if error is None else Failure(error["kind"], error["message"], error.get("detail", "")),
            float(body.get("seconds") or 0.0),
        )
        if body.get("weights"):
            self.weights[number] = body["weights"]
        if body.get("of") is not None:
            self.source[number] = int(body["of"])
        self._order.append(-1 - number)

    def _clock(self, clock: float, run: int) -> None:
        self.clocks[run] = max(clock, self.clocks.get(run, 0.0))

    @property
    def seconds(self) -> float:
        """The time of all runs: each has a clock that starts at zero, and its last reading counts."""
        return sum(self.clocks.values())

    @property
    def runs(self) -> int:
        """How many runs the study has had."""
        return len(self.clocks)
