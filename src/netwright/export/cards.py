"""The card of a network: what it was made from, how good it is, what it costs, and how to make it again."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version


@dataclass(frozen=True)
class Score:
    """A score on the held-out test data with its 95 % interval, in the metric's own unit."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


@dataclass(frozen=True)
class CardFacts:
    """What a card tells; what is None or empty is left out.

    ``splits`` are sizes by name, ``costs`` and ``baseline_costs`` numbers by the names of the costs (params, macs,
    memory, latency_ms), ``limits`` what they had to keep, ``seeds`` by what they seed, ``more`` rows of the reader's
    own.
    """

    data: str
    examples: int
    fingerprint: str
    metric: str
    score: Score
    verdict: str
    command: str
    architecture: Mapping[str, object] = field(default_factory=dict)
    name: str = "Network"
    task: str | None = None
    splits: Mapping[str, int] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    baseline: str | None = None
    baseline_score: Score | None = None
    baseline_costs: Mapping[str, float] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    trials: int | None = None
    seconds: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, str] = field(default_factory=dict)


def card(facts: CardFacts) -> str:
    """The Markdown text. Names that come from outside stand in it as code, so that none of them is markup."""
    parts = [f"# {_plain(facts.name)}", "", _plain(facts.verdict), ""]
    data = {
        "Data": code(facts.data),
        "Task": _plain(facts.task) if facts.task else None,
        "Examples": f"{facts.examples:,}",
        "Fingerprint": code(facts.fingerprint),
        **{f"Split: {_plain(name)}": f"{size:,}" for name, size in facts.splits.items()},
    }
    parts += ["## Data", "", *_table(("", ""), data), ""]
    parts += ["## Score and cost", "", *_comparison(facts), ""]
    parts += [
        f"The score is {code(facts.metric)} on test data that the search never saw, with its 95 % interval. Costs are "
        "those of one example.",
        "",
    ]
    if facts.architecture:
        answers = {code(name): code(str(answer)) for name, answer in facts.architecture.items()}
        parts += ["## Architecture", "", *_table(("decision", "answer"), answers), ""]
    made = {
        "Command": code(facts.command),
        **{f"Seed: {_plain(name)}": str(seed) for name, seed in facts.seeds.items()},
        "Limits": _plain(", ".join(f"{name} {number(value)}" for name, value in facts.limits.items())) or None,
        "Trials": None if facts.trials is None else f"{facts.trials:,}",
        "Seconds": None if facts.seconds is None else f"{facts.seconds:,.0f}",
        **{_plain(name): code(release) for name, release in (facts.versions or versions()).items()},
        **{_plain(name): _plain(text) for name, text in facts.more.items()},
    }
    parts += ["## How it was made", "", *_table(("", ""), made), ""]
    parts += ["## Use", "", "```python", "from model import load", "", "network = load()", "```", ""]
    parts += [
        "The network takes inputs prepared as in training and answers with plain numbers: the constants of both are in "
        "`manifest.json`, under `extra`. `netwright predict DIR DATA`, with DIR the folder of the study, takes data as "
        "they are and does both.",
    ]
    return "\n".join(parts) + "\n"


def versions() -> dict[str, str]:
    """The versions that a network depends on."""
    return {"netwright": version("netwright"), "torch": version("torch"), "python": platform.python_version()}


def code(text: str) -> str:
    """``text`` as code in Markdown, whatever it holds, on one line and safe within a table."""
    flat = re.sub(r"\s+", " ", text).strip().replace("|", "\\|") or " "
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{ticks}{pad}{flat}{pad}{ticks}"


def _comparison(facts: CardFacts) -> list[str]:
    head = ["", "this network"]
    rows = [[_plain(facts.metric), str(facts.score)]]
    rows += [[_COSTS.get(name, code(name)), number(value)] for name, value in facts.costs.items()]
    if facts.baseline is not None:
        head.append(f"baseline {code(facts.baseline)}")
        rows[0].append(str(facts.baseline_score or ""))
        for row, name in zip(rows[1:], facts.costs, strict=True):
            row.append(number(facts.baseline_costs[name]) if name in facts.baseline_costs else "")
    return [f"| {' | '.join(head)} |", "|" + " --- |" * len(head), *(f"| {' | '.join(row)} |" for row in rows)]


def number(value: float) -> str:
    """Counts whole, and anything else with six digits."""
    return f"{value:,.6g}" if value % 1 else f"{value:,.0f}"


def _table(head: tuple[str, str], rows: Mapping[str, str | None]) -> list[str]:
    told = [f"| {name} | {text} |" for name, text in rows.items() if text is not None]
    return [f"| {head[0]} | {head[1]} |", "| --- | --- |", *told]


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", re.sub(r"\s+", " ", text).strip())


_COSTS = {
    "params": "parameters",
    "macs": "multiply-accumulates",
    "flops": "floating-point operations",
    "memory": "peak memory (bytes)",
    "activations": "activations (bytes at the peak)",
    "size_mb": "size of the weights (MB)",
    "latency_ms": "latency (ms)",
    "peak_memory": "memory of a process (bytes)",
    "energy_j": "energy (J)",
}
