"""``netwright show DIR``: what a study holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from netwright.architecture import Architecture
from netwright.cli.live import count
from netwright.cli.options import Debug, Folder, Json
from netwright.cli.output import answer, answer_json, plain
from netwright.durations import format_duration
from netwright.errors import StoreError


def show(
    folder: Folder,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="So many trials, the best first.")] = 10,
    salvage: Annotated[bool, typer.Option("--salvage", help="Read what is readable of a damaged store.")] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show the state and the best trials of the study in DIR."""
    value = _salvaged(folder) if salvage else _read(folder)
    if json:
        answer_json(value)
    else:
        answer(describe(value, top))


def describe(value: Mapping[str, Any], top: int = 10) -> str:
    """The value of ``show --json`` for reading."""
    study, trials, best = value["study"], value["trials"], value["best"]
    metric = study.get("metric")
    states = Counter(trial["state"] for trial in trials)
    counts = ", ".join(f"{number} {state}" for state, number in states.most_common())
    facts = [
        ("study", plain(study.get("name") or "without a name")),
        ("state", plain(study.get("state") or "unknown")),
        (
            "space",
            f"{plain(study.get('space') or 'unknown')}, seed {study.get('seed')}, parallel {study.get('parallel')}",
        ),
        ("trials", f"{len(trials)}" + (f" ({counts})" if counts else "")),
    ]
    if best is not None:
        at = f" at budget {_budget(best)}" if _budget(best) else ""
        facts.append(("best", f"trial {best['number']}: {plain(metric)} {_value(best, metric)}{at}"))
        facts.append(("", _architecture(best)))
        facts += [("", line) for line in _tree(study.get("space"), best)]
    if study.get("chosen") is not None:
        facts.append(("chosen", f"trial {study['chosen']}: retrained and judged on other data, its network is in best"))
    if len(value.get("pareto") or ()) > 1:
        facts.append(("pareto", "trials " + ", ".join(str(number) for number in value["pareto"])))
    facts += _supernet(value.get("supernet"))
    lines = [f"{name:<8}{text}" for name, text in facts]
    lines += _front(value)
    scored = [trial for trial in trials if metric in trial["metrics"] and trial["state"] in ("finished", "reused")]
    if scored:
        lines += ["", *_table(ranked(scored, best, metric)[:top], metric)]
        if len(scored) > top:
            lines.append(f"… and {len(scored) - top} more with a score: --top {len(scored)}")
    failed = [trial for trial in trials if trial["state"] == "failed"]
    if failed:
        causes = Counter(plain(trial["error"] or "unknown") for trial in failed)
        lines += ["", "failed"]
        common = causes.most_common(3)
        lines += [f"{number:>5} × {_short(cause, 100)}" for cause, number in common]
        last = plain(failed[-1]["error"] or "unknown")
        # What a failure says to do stands at its end.
        if len(last) > 100 or last not in dict(common):
            lines.append(f"trial {failed[-1]['number']}: {last}")
    return "\n".join(lines)


def ranked(trials: list[dict[str, Any]], best: Mapping[str, Any] | None, metric: str) -> list[dict[str, Any]]:
    """Trials by their score, the best first; which way is better is read off the best one.

    Scores at different budgets are not compared: those of the largest budget come first.
    """
    from netwright.study.budgets import extent

    upwards = True
    if best is not None:
        alike = [trial["metrics"][metric] for trial in trials if trial.get("budget") == best.get("budget")]
        upwards = best["metrics"].get(metric) == max(alike, default=None)

    def place(trial: dict[str, Any]) -> tuple[float, float, int]:
        score = trial["metrics"][metric]
        return -extent(trial.get("budget")), -score if upwards else score, trial["number"]

    return sorted(trials, key=place)


def _read(folder: str) -> dict[str, Any]:
    from netwright import tasks

    if not (Path(folder) / "study.db").exists():
        from netwright.bench.folders import refuse

        refuse(Path(folder))
    try:
        return tasks.show(folder)
    except StoreError as error:
        if error.hint is None:
            raise StoreError(error.message, hint=f"See what is readable: netwright show {folder} --salvage") from error
        raise


def _salvaged(folder: str) -> dict[str, Any]:
    from netwright import stores
    from netwright.tasks.overview import show as overview

    events = stores.salvage(Path(folder))
    if not events:
        raise StoreError(f"nothing of the store in {folder} can be read", hint="Start the search again in a new folder")
    return overview(folder, events=events)


def _tree(network: str | None, best: Mapping[str, Any]) -> list[str]:
    """What was found drawn as a tree, where the network of its space is a cell that is one."""
    from netwright.zoo import SPACES, trees

    entry = next((each for each in SPACES.values() if each.tree_name and each.network_name == network), None)
    if entry is None or entry.tree is None:
        return []
    try:
        return trees.text(entry.tree(Architecture.from_value(best["architecture"]))).split("\n")
    except KeyError:
        # Another network of the same name.
        return []


def _front(value: Mapping[str, Any]) -> list[str]:
    """The front of a search with several objectives, and what to call the networks on it."""
    from netwright.tasks.picking import front_table

    table = front_table(value)
    return ["", "front", *(f"  {plain(line)}" for line in table)] if table else []


def _supernet(known: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The supernet of a one-shot search, and whether its ranking can be trusted."""
    if known is None:
        return []
    stopped = f", ended by {plain(known['stopped'])}" if known["stopped"] else ""
    loss = "" if known["loss"] is None else f", loss {known['loss']:.4g}"
    facts = [("", f"supernet by {plain(known['method'])}: {known['epochs']} epochs{loss}{stopped}")]
    if known.get("epoch"):
        last = known["epoch"]
        facts.append(("", f"its numbers: entropy {last['entropy']:.2f}, skip connections {last['skips']:.0%}"))
    if known.get("gap"):
        mixed, derived = known["gap"]
        facts.append(("", f"its mixture scores {mixed:.4g}, what is derived {derived:.4g} with the same weights"))
    if known.get("correlation"):
        found = known["correlation"]
        facts.append(
            ("", f"ranks {found['n']} probes as training does by τ {found['tau']:.2f} "
             f"({found['low']:.2f} to {found['high']:.2f})")
        )  # fmt: skip
    return [*facts, *(("warning", f" {plain(word)}") for word in known.get("words", ()))]


def _table(trials: list[dict[str, Any]], metric: str) -> list[str]:
    head = ("trial", plain(metric), "budget", "params", "MACs", "epochs", "time", "from", "architecture")
    rows = [head]
    for trial in trials:
        epochs = trial["metrics"].get("epochs")
        rows.append(
            (
                str(trial["number"]),
                _value(trial, metric),
                _budget(trial),
                "" if trial["params"] is None else count(trial["params"]),
                "" if trial["macs"] is None else count(trial["macs"]),
                "" if epochs is None else f"{epochs:g}",
                "reused" if trial["state"] == "reused" else format_duration(trial["seconds"]),
                "" if trial["inherits"] is None else str(trial["inherits"]),
                _short(_architecture(trial), 100),
            )
        )
    used = [column for column in range(len(head)) if any(row[column] for row in rows[1:])]
    widths = {column: max(len(row[column]) for row in rows) for column in used}
    last = used[-1]
    return [
        "  ".join(row[column] if column == last else row[column].rjust(widths[column]) for column in used)
        for row in rows
    ]


def _value(trial: Mapping[str, Any], metric: str | None) -> str:
    value = trial["metrics"].get(metric)
    return "" if value is None else f"{value:.4f}" if abs(value) < 1000 else f"{value:.5g}"


def _budget(trial: Mapping[str, Any]) -> str:
    """The budget of a trial; empty for the full one."""
    budget = trial.get("budget")
    return "" if budget is None else f"{budget:g}" if isinstance(budget, int | float) else plain(budget)


def _architecture(trial: Mapping[str, Any]) -> str:
    return plain(Architecture(trial["architecture"]))


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
