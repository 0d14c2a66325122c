"""Rows 7, 9 and 35: stores and weights that somebody damaged, and two drivers of one study."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.faults import drivers, toy
from tests.faults.crashes import uninterrupted
from tests.faults.drivers import Outcome, Plan, Running, run
from tests.faults.invariants import at_the_end, table
from tests.faults.records import Record, folder, record

from netwright.stores import open_readonly

Harm = Callable[[Path], None]
TRIALS = 40


def _cut(name: str, part: float) -> Harm:
    def harm(study: Path) -> None:
        path = study / name
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])

    return harm


def _overwrite(name: str, where: float, content: bytes) -> Harm:
    def harm(study: Path) -> None:
        path = study / name
        with open(path, "r+b") as file:
            file.seek(int(path.stat().st_size * where))
            file.write(content)

    return harm


def _flip_in_a_text(study: Path) -> None:
    path = study / "study.db"
    content = bytearray(path.read_bytes())
    place = content.find(b'"score"')
    content[place + 3] ^= 1
    path.write_bytes(bytes(content))


def _delete(*names: str) -> Harm:
    def harm(study: Path) -> None:
        for name in names:
            (study / name).unlink()

    return harm


_RANDOM_PAGE = random.Random(5).randbytes(4096)

AT_REST: dict[str, Harm] = {
    "half of the database": _cut("study.db", 0.5),
    "its first 100 bytes zero": _overwrite("study.db", 0, bytes(100)),
    "a random page": _overwrite("study.db", 0.5, _RANDOM_PAGE),
    "a flipped byte in a text": _flip_in_a_text,
    "an empty database": _cut("study.db", 0),
    "no database": _delete("study.db"),
    "no head file": _delete("study.head"),
}
AFTER_A_CRASH: dict[str, Harm] = {
    "no write-ahead log": _delete("study.db-wal"),
    "neither log nor shared memory": _delete("study.db-wal", "study.db-shm"),
    **{f"{part:.0%} of the log": _cut("study.db-wal", part) for part in (0.1, 0.3, 0.5, 0.7, 0.9, 0.99)},
    "garbage in the log": _overwrite("study.db-wal", 0.6, _RANDOM_PAGE),
    "garbage in the shared memory": _overwrite("study.db-shm", 0, _RANDOM_PAGE),
}


def violations(plant: Callable[[], None] | None = None) -> list[str]:
    """Goes on with each damaged study: it is refused with code 6 in one line, or nothing of it was lost."""
    return [text for _, found in _each(plant) for text in found]


def damaged_stores() -> list[Record]:
    return [record("7", f"damaged store: {name}", 1, found) for name, found in _each(None)]


def _each(plant: Callable[[], None] | None) -> list[tuple[str, list[str]]]:
    cases = []
    with folder() as place:
        plan = Plan(place / "study", trials=TRIALS, plant=plant)
        expected, _ = uninterrupted(place, plan)
        rest, crashed = replace(plan, folder=place / "rest"), replace(plan, folder=place / "crashed")
        ended = run(replace(rest, trials=30))
        dead = run(replace(crashed, point="after_ack", pass_number=25))
        for source, harms, acks in (
            (rest, AT_REST, ended.acknowledged),
            (crashed, AFTER_A_CRASH, dead.acknowledged),
        ):
            for name, harm in harms.items():
                shutil.copytree(source.folder, plan.folder)
                harm(plan.folder)
                outcome = run(plan)
                cases.append((name, _judge(plan, outcome, expected, acks, name)))
                shutil.rmtree(plan.folder)
    return cases


def _judge(plan: Plan, outcome: Outcome, expected: list[str], acks: list[Any], name: str) -> list[str]:
    if outcome.code == 6:
        found = one_line(outcome, name)
        if "is lost" in outcome.text or "are lost" in outcome.text:
            again = run(replace(plan, options={"accept_loss": True}))
            found += [f"{name}, loss accepted: {text}" for text in at_the_end(plan.folder, [again], expected, TRIALS)]
        return found
    # A search that begins again gives the same results, so only the trials that were run again tell of a loss.
    again = {ack[0] for ack in acks} & {ack[0] for ack in outcome.acknowledged}
    found = [f"{name}: went on without a word, and ran {len(again)} acknowledged trials again"] if again else []
    whole = _with(outcome, acks)
    return found + [f"{name}: went on, but {text}" for text in at_the_end(plan.folder, [whole], expected, TRIALS)]


def _with(outcome: Outcome, acks: list[Any]) -> Outcome:
    return replace(outcome, acknowledged=[*acks, *outcome.acknowledged])


def one_line(outcome: Outcome, name: str) -> list[str]:
    """I6: one short line and no traceback; the command line cuts it to 200 characters."""
    lines = outcome.text.strip().split("\n")
    text = lines[0].partition(": ")[2]
    found = []
    if len(lines) != 1 or "Traceback" in outcome.text:
        found.append(f"I6: {name}: {len(lines)} lines of error: {outcome.text[-300:]}")
    if len(text) > 250:
        found.append(f"I6: {name}: the message has {len(text)} characters: {text}")
    return found


def two_drivers_violations(plant: Callable[[], None] | None = None) -> tuple[list[str], str]:
    """A second driver is refused; a third takes over, and the first writes nothing more."""
    found: list[str] = []
    with folder() as place:
        plan = Plan(place / "study", trials=TRIALS, plant=plant)
        expected, _ = uninterrupted(place, replace(plan, plant=None))
        first = Running(replace(plan, delay=0.06))
        drivers.EXPECTED.add(first.pid)
        try:
            first.wait_for(3)
            second = run(plan)
            if second.code != 5 or f"pid {first.pid}" not in second.text:
                found.append(f"I2: the second driver ended with code {second.code}: {second.text[-300:]}")
            elif "Traceback" in second.text or len(second.text.strip().split("\n")) > 1:
                found.append(f"I6: the second driver said: {second.text[-300:]}")
            if second.acknowledged:
                found.append(f"I2: the second driver ran {len(second.acknowledged)} trials")
            third = run(replace(plan, options={"takeover": True}))
        finally:
            drivers.EXPECTED.discard(first.pid)
            fenced = first.end()
        if fenced.code != 5:
            found.append(f"I2: the first driver was not fenced, it ended with code {fenced.code}: {fenced.text[-300:]}")
        both = {ack[0] for ack in fenced.acknowledged} & {ack[0] for ack in third.acknowledged}
        found += [f"I2: trial {number} was acknowledged by both drivers" for number in sorted(both)]
        if not found:
            whole = at_the_end(plan.folder, [_with(third, fenced.acknowledged)], expected, TRIALS)
            # While the first had not yet noticed, the third could not fold the log away; the next opening does.
            found += [text for text in whole if "the file study.db-" not in text]
    return found, f"{len(fenced.acknowledged)} trials before the takeover, {len(third.acknowledged)} after"


def two_drivers() -> Record:
    found, figure = two_drivers_violations()
    return record("9", "two drivers, then a takeover", 1, found, figure)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _remove(path: Path) -> None:
    path.unlink()


def _swap_all(files: list[Path]) -> None:
    contents = [path.read_bytes() for path in files]
    for path, content in zip(files, contents[1:] + contents[:1], strict=True):
        path.write_bytes(content)


def _swap_with_manifests(files: list[Path]) -> None:
    _swap_all(files)
    _swap_all([path.with_name(path.name + ".json") for path in files])


def bad_weights() -> list[Record]:
    """Every weights file of a study is damaged; children say so or train from what is sound, and none is misled."""
    harms: dict[str, Callable[[list[Path]], object]] = {
        "a flipped byte": lambda files: [_flip(path) for path in files],
        "half of the file": lambda files: [_truncate(path) for path in files],
        "no file": lambda files: [_remove(path) for path in files],
        "files of trials swapped": _swap_all,
        "files swapped with their manifests": _swap_with_manifests,
    }
    records = []
    with folder() as place:
        made = Plan(place / "made", "weights", trials=40)
        run(made)
        for name, harm in harms.items():
            study = place / "study"
            shutil.copytree(made.folder, study)
            harm(sorted((study / "weights").glob("*.safetensors")))
            outcome = run(replace(made, folder=study, trials=48))
            records.append(record("35", f"weights of parents: {name}", 1, _misled(study, outcome)))
            shutil.rmtree(study)
    return records


def _misled(study: Path, outcome: Outcome) -> list[str]:
    if outcome.code != 0:
        return [f"I8: the study ended with code {outcome.code}: {outcome.text[-300:]}"]
    found = [] if len(table(study)) == 48 else ["I8: not all trials were tried"]
    with open_readonly(study) as reader:
        rows = {row.number: row for row in reader.trials()}
        bodies = [event.body for event in reader.read()]
    sources = {body["number"]: body["of"] for body in bodies if body.get("of") is not None}
    told = 0
    for number in range(40, 48):
        row = rows[number]
        if (row.state == "failed" and row.error and "weights" in str(row.error)) or "safetensors" in str(row.error):
            told += 1
        if row.state != "finished" or row.inherits is None:
            continue
        parent = sources.get(row.inherits, row.inherits)
        alone = toy.score(row.architecture, row.seed)
        right = alone + 0.1 * rows[parent].metrics[toy.METRIC]
        if row.metrics[toy.METRIC] not in (alone, right) and parent < 40:
            found.append(f"I3: trial {number} was given weights that are not those of trial {parent}")
    if told == 0:
        found.append("I6: no child of damaged weights said so")
    return found
