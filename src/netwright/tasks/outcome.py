"""What a search ends with, for people and for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netwright.study.selection import Scored
from netwright.trial import Trial


@dataclass(frozen=True)
class Outcome:
    """The result of a search; scores are those of the held-out test data, with their 95 % interval."""

    out: Path
    metric: str
    winner: Scored
    baseline: Scored | None
    best: Trial
    verdict: str
    text_of_verdict: str
    trials: int
    failed: int
    reused: int
    infeasible: int
    seconds: float
    saved: str | None = None
    limits: str | None = None
    measured: Mapping[str, float] = field(default_factory=dict)
    where: str = "measured here"
    """Where a latency is from."""
    warnings: tuple[str, ...] = ()
    kept: Mapping[str, Any] = field(default_factory=dict)
    """Answers that were not searched, because the method cannot learn them."""
    front: tuple[str, ...] = ()
    """The front of a search with several objectives, as lines of text."""
    another: str | None = None
    """What to pick for another network of it."""
    tree: str | None = None
    """What was found, drawn as a tree, where it is a cell that is one."""
    together: Scored | None = None
    """The ensemble of the finalists, where one was asked for and made."""
    text_together: str | None = None
    """What came of comparing it with the single network, in a sentence."""
    verdict_together: str | None = None

    def __post_init__(self) -> None:
        """What the test part cannot tell is among the warnings."""
        untold = (f"the test data do not tell it: {why}" for why in self.winner.unnamed.values())
        object.__setattr__(self, "warnings", tuple(dict.fromkeys((*self.warnings, *untold))))

    def to_value(self) -> dict[str, Any]:
        """The JSON object of the command line."""
        winner, rival = self.winner, self.baseline
        beside = None
        if rival is not None:
            beside = {
                "name": rival.name, "score": rival.score, "low": rival.low, "high": rival.high,
                "params": rival.params, "macs": rival.macs, "seconds": rival.seconds,
            }  # fmt: skip
        return {
            "out": str(self.out),
            "metric": self.metric,
            "test": {"score": winner.score, "low": winner.low, "high": winner.high},
            "baseline": beside,
            "best": self.best.to_value(),
            "verdict": {"result": self.verdict, "text": self.text_of_verdict},
            **self._ensemble(),
            "trials": self.trials,
            "failed": self.failed,
            "reused": self.reused,
            "seconds": round(self.seconds, 2),
            **({"warnings": list(self.warnings)} if self.warnings else {}),
        }  # fmt: skip

    def _ensemble(self) -> dict[str, Any]:
        if self.together is None:
            return {}
        of = self.together
        value = {"score": of.score, "low": of.low, "high": of.high, "params": of.params, "macs": of.macs}
        verdict = {"result": self.verdict_together, "text": self.text_together}
        return {"ensemble": {**value, "members": len(of.seeds), "verdict": verdict}}

    def text(self) -> str:
        """The result as it is printed: found beside baseline, the verdict, where it lies, what to do with it."""
        rows = [("", f"test {self.metric}", "95 % interval", "parameters", "MACs")]
        others = () if self.baseline is None else ((f"baseline {self.baseline.name}", self.baseline),)
        members = () if self.together is None else ((f"ensemble of {len(self.together.seeds)}", self.together),)
        for label, scored in (("found", self.winner), *members, *others):
            rows.append(
                (
                    label,
                    f"{scored.score:.4f}",
                    f"{scored.low:.4f}–{scored.high:.4f}",
                    f"{scored.params:,}",
                    f"{scored.macs:,}",
                )
            )
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        table = [
            "  ".join(
                cell.ljust(width) if index == 0 else cell.rjust(width)
                for index, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        counts = f"{self.trials} trial{'s' * (self.trials != 1)}"
        extra = [
            f"{count} {word}"
            for count, word in ((self.failed, "failed"), (self.reused, "reused"), (self.infeasible, "over a limit"))
            if count
        ]
        if extra:
            counts += f" ({', '.join(extra)})"
        lines = [
            *(line.rstrip() for line in table),
            "",
            self.text_of_verdict,
            *([] if self.text_together is None else [self.text_together]),
            "",
            f"{counts} in {self.seconds:.0f} s"
            + ("" if self.baseline is None else f"; the baseline took {self.baseline.seconds:.0f} s more"),
        ]
        if self.saved:
            lines.append(self.saved)
        for name, value in self.winner.named.items():
            rival = "" if self.baseline is None else f" (baseline {self.baseline.named.get(name, math.nan):.4f})"
            lines.append(f"{name:13} {value:.4f}{rival}")
        if "latency_ms" in self.measured:
            lines.append(f"latency       {self.measured['latency_ms']:.3g} ms ({self.where})")
        if self.kept:
            answers = ", ".join(f"{name}={answer}" for name, answer in self.kept.items())
            lines.append(f"kept          {answers} (not searched: a mixture of weights cannot learn it)")
        lines += [f"{'front' if place == 0 else '':13} {line}" for place, line in enumerate(self.front)]
        if self.another is not None:
            lines.append(f"{'':13} another one of it: netwright export {self.out} --to source --pick {self.another}")
        lines += [f"warning       {warning}" for warning in self.warnings]
        if self.limits:
            lines.append(f"limits        {self.limits}")
        lines += [
            f"architecture  {self.best.architecture}",
            *self._drawn(),
            f"network       {self.out / 'best' / 'model.py'}",
            *([] if self.together is None else [f"ensemble      {self.out / 'ensemble' / 'model.py'}"]),
            f"next          netwright predict {self.out} DATA · netwright show {self.out}",
        ]
        return "\n".join(lines)

    def _drawn(self) -> list[str]:
        if self.tree is None:
            return []
        lines = self.tree.split("\n")
        drawn = [f"{'cell' if place == 0 else '':13} {line}" for place, line in enumerate(lines)]
        return [*drawn, f"{'':13} as a picture: {self.out / 'cell.svg'}"]
