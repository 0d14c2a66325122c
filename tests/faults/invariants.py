"""What must hold of a study's folder, whatever happened to its drivers.

I1: nothing that was acknowledged is lost. I2: nothing is counted twice. I3: the table is that of a search never
interrupted. I4: the store is sound. I5: nothing is left over.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.faults.drivers import Outcome

from netwright import strict_json
from netwright.errors import NetwrightError
from netwright.stores import check, open_readonly


def table(folder: Path) -> list[str]:
    """A line a trial in a final state: number, architecture, seed, state, metrics."""
    with open_readonly(folder) as reader:
        return [
            strict_json.dumps([row.number, row.architecture, row.seed, row.state, row.metrics])
            for row in reader.trials()
            if row.state != "running"
        ]


def after_death(folder: Path, outcomes: list[Outcome]) -> list[str]:
    """I1, I2 and I4 of a study whose driver has just died. A death before the study was made leaves none."""
    acknowledged = [ack for outcome in outcomes for ack in outcome.acknowledged]
    if not (folder / "study.db").exists():
        return [f"I1: no store, but {len(acknowledged)} trials were acknowledged"] if acknowledged else []
    found = [f"I5: {orphan} outlived its driver" for orphan in outcomes[-1].orphans]
    found += [f"I4: {line}" for line in check(folder)]
    if found:
        return found
    with open_readonly(folder) as reader:
        final = {row.number: (row.state, dict(row.metrics)) for row in reader.trials() if row.state != "running"}
        ended = Counter(event.body["number"] for event in reader.read() if event.kind == "ended")
    for number, state, metrics in acknowledged:
        if final.get(number) != (state, metrics):
            found.append(f"I1: trial {number} was acknowledged as {state} {metrics}, the store has {final.get(number)}")
    found += [f"I2: trial {number} has {count} ends" for number, count in ended.items() if count != 1]
    return found + torn_weights(folder) + lost_weights(folder)


def lost_weights(folder: Path) -> list[str]:
    """The weights that the newest ends name are there: what names a file is durable after the file."""
    with open_readonly(folder) as reader:
        ends = [event.body for event in reader.read() if event.kind == "ended"][-3:]
    return [
        f"I1: the weights that trial {body['number']} names are not there"
        for body in ends
        if body.get("weights") and not (folder / "weights" / body["weights"]["file"]).exists()
    ]


def torn_weights(folder: Path) -> list[str]:
    """Weights under their own name are whole, whoever died while they were written."""
    from safetensors import SafetensorError, safe_open

    found = []
    for path in sorted((folder / "weights").glob("*.safetensors")):
        try:
            with safe_open(path, "pt") as file:
                file.get_tensor("w")
        except SafetensorError as error:
            found.append(f"I1: {path.name} is torn: {error}")
    return found


def at_the_end(folder: Path, outcomes: list[Outcome], expected: list[str], trials: int) -> list[str]:
    """All invariants of a study that has come to its end after ``outcomes``."""
    last = outcomes[-1]
    if (last.signal, last.code) != (0, 0):
        return [f"the resume ended with signal {last.signal}, code {last.code}: {last.text.strip()[-300:]}"]
    try:
        found = after_death(folder, outcomes)
        rows = table(folder)
    except NetwrightError as error:
        return [f"I4: {error}"]
    if len(rows) != trials:
        found.append(f"I2: {len(rows)} trials ended, the budget was {trials}")
    if rows != expected:
        first = next((n for n, pair in enumerate(zip(rows, expected, strict=False)) if pair[0] != pair[1]), len(rows))
        found.append(f"I3: from trial {first} on the table is another than the uninterrupted search's")
    return found + leftovers(folder)


def leftovers(folder: Path) -> list[str]:
    """I5: files that no store of a study at rest has, and weights that no event names."""
    with open_readonly(folder) as reader:
        named = {event.body["weights"]["file"] for event in reader.read() if event.body.get("weights")}
    found = [
        f"I5: the file {path.name} is left"
        for path in sorted(folder.iterdir())
        if path.name not in ("study.db", "study.head", "weights", "logs")
    ]
    for path in sorted((folder / "weights").glob("*")):
        owner = path.name.removesuffix(".json").removesuffix(".previous")
        if path.is_file() and owner not in named:
            found.append(f"I5: the file weights/{path.name} is left, which no trial names")
    return found
