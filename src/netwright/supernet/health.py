"""Whether a supernet's answer can be trusted: collapse, undecided numbers, discretisation, and order.

Differentiable search tends to end in cells of skip connections, which learn fastest and classify badly (Zela et al.
2020; Liang et al. 2019, DARTS+), or of connections that are nothing, where these are among its options; what is mixed
may be good where its strongest part is not; and scores by shared weights may order architectures otherwise than
training each of them does (Yu et al. 2020). Each has a figure here, and words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from torch import nn

from netwright.architecture import Answer
from netwright.statistics import RankCorrelation, rank_correlation
from netwright.supernet.joining import ZEROS
from netwright.supernet.relaxations import Relaxation
from netwright.supernet.supernet import Supernet
from netwright.supernet.switches import Mixed, Way

SKIPS = frozenset({"skip", "skip_connect", "identity"})
"""Candidates of these names are skip connections, as is every ``nn.Identity``."""
KINDS = ("skip connections", "connections that are nothing")
"""What a search may collapse into."""
CHANCE = 0.01
"""So many of one kind are a collapse as uniform draws would reach with less than this probability."""
PATIENCE = 3
"""Epochs in a row for which it has to look so."""
BLIND = 0.1
"""A supernet whose best score is less than this above that of blind answers has not learnt enough."""
TRUSTED = 0.4
"""A rank correlation below this is told of in words."""


@final
class Health:
    """The figures of one search, an entry an epoch, and those found at its end."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []
        """Of each epoch: ``entropy`` (mean over the decisions, 1 for uniform ones), ``certainty`` (the mean
        probability of the strongest options), ``skips`` and ``nothings`` (their shares of what is derived), and
        ``chance`` (the probability of as many in a uniform draw, of the kind of which it is less)."""
        self.gap: tuple[float, float] | None = None
        """The score of the mixture, and that of the derived architecture with the same weights."""
        self.correlation: RankCorrelation | None = None
        """How the supernet and training alone agree on probe architectures."""
        self.unchecked = False
        """Whether there was no time to train probes alone."""
        self.level: tuple[float, float] | None = None
        """The best score of a few drawn architectures by shared weights, and what answering blindly would score."""
        self.taken_back = False
        """Whether the numbers are those of before a collapse."""
        self._sound: list[list[float]] | None = None

    def note_epoch(self, epoch: int, supernet: Supernet, relaxation: Relaxation | None) -> str | None:
        """Notes an epoch that ended; where the search has collapsed, the reason in words."""
        if relaxation is None or not list(relaxation.parameters()):
            return None
        with torch.no_grad():
            rows = {name: row.double() for name, row in relaxation.probabilities().items()}
        derived = relaxation.derive()
        found = [skip_connections(supernet, derived), nothings(supernet, derived)]
        shares = [count / asked if asked else 0.0 for count, asked, _ in found]
        kind = min(range(len(KINDS)), key=lambda place: found[place][2])
        count, asked, chance = found[kind]
        self.epochs.append(
            {
                "epoch": epoch + 1,
                "entropy": entropy(rows.values()),
                "certainty": sum(float(row.max()) for row in rows.values()) / len(rows),
                "skips": shares[0],
                "nothings": shares[1],
                "chance": chance,
                "kind": kind,
            }
        )
        if chance >= CHANCE:
            self._sound = [numbers.detach().double().tolist() for numbers in relaxation.parameters()]
            return None
        recent = self.epochs[-PATIENCE:]
        if len(recent) < PATIENCE or any(entry["chance"] >= CHANCE for entry in recent):
            return None
        return (
            f"collapsed into {KINDS[kind]}: {count} of {asked} of what is derived, for {PATIENCE} epochs "
            f"(as many by chance: {chance:.1g})"
        )

    def take_back(self, relaxation: Relaxation | None) -> None:
        """Gives all numbers back that they had before the collapse; where there was no such epoch they stay.

        Those of the connections, too, where a relaxation has some: the choice of a node is by both.
        """
        if relaxation is None or self._sound is None:
            return
        with torch.no_grad():
            for numbers, before in zip(relaxation.parameters(), self._sound, strict=True):
                numbers.copy_(torch.tensor(before, dtype=torch.float64))
        self.taken_back = True

    def note_probes(self, shared: Sequence[float], alone: Sequence[float]) -> RankCorrelation:
        """The scores of some architectures by shared weights, and trained alone (both better when larger)."""
        self.correlation = rank_correlation(shared, alone)
        return self.correlation

    @property
    def collapsed(self) -> bool:
        """Whether the last epochs are of a collapse."""
        recent = self.epochs[-PATIENCE:]
        return len(recent) == PATIENCE and all(entry["chance"] < CHANCE for entry in recent)

    @property
    def line(self) -> str:
        """The last epoch for a progress display; empty where the method has no numbers."""
        if not self.epochs:
            return ""
        last = self.epochs[-1]
        nothing = f" · nothing {last['nothings']:.0%}" if last.get("nothings") else ""
        return f" · entropy {last['entropy']:.2f} · skips {last['skips']:.0%}{nothing}"

    def words(self) -> list[str]:
        """What is wrong, a sentence each; empty where nothing is known to be."""
        found = []
        if self.taken_back:
            sound = next((entry["epoch"] for entry in reversed(self.epochs) if entry["chance"] >= CHANCE), 0)
            share, kind = _worst(self.epochs[-1])
            found.append(
                f"The search collapsed into {kind} ({share:.0%} of what it derived) and was ended; its numbers "
                f"are those of epoch {sound:.0f}, and architectures are ranked by the supernet's weights instead."
            )
        elif self.collapsed:
            share, kind = _worst(self.epochs[-1])
            found.append(
                f"The search collapsed: {share:.0%} of what it derives are {kind}. "
                "Do not trust it more than a random architecture; try drnas, pcdarts or spos."
            )
        if self.epochs and not self.taken_back and self.epochs[-1]["entropy"] > 0.95:
            found.append(
                f"The search has hardly decided anything: its numbers have {self.epochs[-1]['entropy']:.0%} of the "
                "entropy of uniform ones. Train longer, or with a larger alpha_lr."
            )
        if self.gap is not None and self.gap[0] - self.gap[1] > 0.1:
            found.append(
                f"What is derived is worse than the mixture it comes from: {self.gap[1]:.4g} beside {self.gap[0]:.4g} "
                "with the same weights. The mixture does not say how good its parts are."
            )
        if self.level is not None and self.level[0] < self.level[1] + BLIND:
            found.append(
                f"The supernet has learnt too little to tell networks apart: of those drawn the best scores "
                f"{self.level[0]:.2f}, answering blindly {self.level[1]:.2f}. Give it more time."
            )
        if self.correlation is not None:
            found += _words_on(self.correlation)
        elif self.unchecked:
            found.append(
                "Whether the supernet orders networks as training does was not checked: there was no time for it."
            )
        return found

    def to_value(self) -> dict[str, Any]:
        """As JSON; :meth:`from_value` reads it."""
        known = self.correlation
        return {
            "epochs": self.epochs,
            "gap": None if self.gap is None else list(self.gap),
            "correlation": None
            if known is None
            else {"tau": known.tau, "low": known.low, "high": known.high, "p": known.p, "n": known.n},
            "sound": self._sound,
            "taken_back": self.taken_back,
            "unchecked": self.unchecked,
            "level": None if self.level is None else list(self.level),
        }

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> Health:
        """What :meth:`to_value` gave."""
        made = cls()
        made.epochs = [dict(entry) for entry in value["epochs"]]
        made.gap = None if value["gap"] is None else (value["gap"][0], value["gap"][1])
        made.correlation = None if value["correlation"] is None else RankCorrelation(**value["correlation"])
        made._sound, made.taken_back, made.unchecked = value["sound"], value["taken_back"], value["unchecked"]
        made.level = None if value["level"] is None else (value["level"][0], value["level"][1])
        return made


def entropy(rows: Any) -> float:
    """The mean over the rows of probabilities, each divided by that of a uniform row; 0 is decided, 1 undecided."""
    found = []
    for row in rows:
        if len(row) < 2:
            continue
        share = row / row.sum()
        found.append(
            float(-(share * share.clamp_min(1e-300).log()).sum()) / float(torch.tensor(len(row)).double().log())
        )
    return sum(found) / len(found) if found else 0.0


def skip_connections(supernet: Supernet, architecture: Mapping[str, Answer]) -> tuple[int, int, float]:
    """How many answers are skip connections, of how many that could be; and how probable as many are by chance.

    By chance: were each of those decisions answered uniformly. A name met in several places counts once.
    """
    return _counted(supernet, architecture, lambda name, module: isinstance(module, nn.Identity) or name in SKIPS)


def nothings(supernet: Supernet, architecture: Mapping[str, Answer]) -> tuple[int, int, float]:
    """The same of connections that are nothing."""
    return _counted(supernet, architecture, lambda name, _: name in ZEROS)


def _counted(
    supernet: Supernet, architecture: Mapping[str, Answer], meant: Callable[[str, nn.Module], bool]
) -> tuple[int, int, float]:
    chances: list[float] = []
    count = 0
    for name, positions in _places(supernet, meant).items():
        if name not in architecture:
            continue
        options = supernet.space.declared[name].options or ()
        chances.append(len(positions) / len(options))
        count += options.index(architecture[name]) in positions
    # The distribution of the number of them, decision after decision.
    counts = [1.0]
    for chance in chances:
        counts = [
            (counts[k] * (1 - chance) if k < len(counts) else 0.0) + (counts[k - 1] * chance if k else 0.0)
            for k in range(len(counts) + 1)
        ]
    return count, len(chances), sum(counts[count:])


def mixture(relaxation: Relaxation) -> dict[str, Way]:
    """The ways in which every option counts for its probability, whatever the method ran in training."""
    rows = {}
    with torch.no_grad():
        shares = relaxation.probabilities()
    for name, decision in relaxation.open.items():
        if name in shares:
            options = relaxation.space.declared[name].options or ()
            places = tuple(options.index(option) for option in decision.options or ())
            rows[name] = Way(places, shares[name])
    return relaxation.completed(rows)


def _worst(epoch: Mapping[str, float]) -> tuple[float, str]:
    """The share of the kind that a search collapsed into, and its name."""
    kind = int(epoch.get("kind", 0))
    return epoch["nothings" if kind else "skips"], KINDS[kind]


def _places(supernet: Supernet, meant: Callable[[str, nn.Module], bool]) -> dict[str, set[int]]:
    """For each decision with candidates that are meant, by name and module, the places of these."""
    found: dict[str, set[int]] = {}
    for module in supernet.network.modules():
        if isinstance(module, Mixed):
            options = supernet.space.declared[module.name].options or ()
            places = {place for place, candidate in enumerate(module.candidates) if meant(options[place], candidate)}
            if places and len(places) < len(module.candidates):
                found[module.name] = found.get(module.name, set()) | places
    return found


def _words_on(found: RankCorrelation) -> list[str]:
    if found.low <= 0:
        return [
            f"The supernet's ranking is not to be trusted: on {found.n} probes it agrees with training alone by "
            f"τ = {found.tau:.2f} ({found.low:.2f} to {found.high:.2f}), which may be nothing."
        ]
    if found.tau < TRUSTED:
        return [
            f"The supernet ranks weakly: on {found.n} probes τ = {found.tau:.2f} ({found.low:.2f} to {found.high:.2f}) "
            "with training alone. Retrain more finalists."
        ]
    return []
