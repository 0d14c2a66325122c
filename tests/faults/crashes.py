"""Rows 1 and 2: a driver dies at a named point, or at any moment; another goes on, and perhaps dies as well."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

from tests.faults import toy
from tests.faults.drivers import NEVER, Outcome, Plan, run
from tests.faults.invariants import after_death, at_the_end, table
from tests.faults.records import Record, folder, record

from netwright.failpoints import NAMES

POSITIONS = (1, 2, 17, 60)
RESUMES = 12


class Trouble(Exception):
    """The harness itself could not do what it meant to."""


def uninterrupted(place: Path, plan: Plan) -> tuple[list[str], Outcome]:
    """The table of a search that nothing happens to."""
    plan = replace(plan, folder=place / "whole", point="", pass_number=NEVER)
    outcome = run(plan)
    if (outcome.signal, outcome.code) != (0, 0):
        raise Trouble(f"an uninterrupted search failed: {outcome.text[-2000:]}")
    rows = table(plan.folder)
    shutil.rmtree(plan.folder)
    return rows, outcome


def dying_at(plan: Plan, expected: list[str], points: list[tuple[str, int]]) -> tuple[int, list[str]]:
    """A study that dies at each of ``points`` in turn and is resumed; the deaths and the violations."""
    outcomes: list[Outcome] = []
    deaths = 0
    for point, pass_number in points:
        outcomes.append(run(replace(plan, point=point, pass_number=pass_number)))
        deaths += outcomes[-1].killed
        if not outcomes[-1].killed:
            break
        found = after_death(plan.folder, outcomes)
        if found:
            return deaths, found
    if outcomes[-1].killed:
        outcomes.append(run(replace(plan, point="", pass_number=NEVER)))
    return deaths, at_the_end(plan.folder, outcomes, expected, plan.trials)


def failpoints(points: tuple[str, ...] = NAMES, *, seed: int = 0) -> list[Record]:
    """Every point at the passes 1, 2, 17, 60 and its last; the resume dies once more, at a point drawn by ``seed``."""
    records = []
    draw = random.Random(seed)
    with folder() as place:
        plan = Plan(place / "study", "weights")
        expected, _ = uninterrupted(place, plan)
        for point in points:
            last = run(replace(plan, folder=place / "count", point=point)).passes
            shutil.rmtree(place / "count")
            found, deaths = [], 0
            passes = sorted({k for k in POSITIONS if k < last} | {last})
            for number in passes:
                second = (draw.choice(NAMES), draw.choice((1, 2, 3, 5)))
                died, violations = dying_at(plan, expected, [(point, number), second])
                deaths += died
                found += [f"{point}:{number} then {second[0]}:{second[1]}: {text}" for text in violations]
                if died == 0:
                    found.append(f"{point}:{number}: nobody died")
                shutil.rmtree(plan.folder, ignore_errors=True)
            figure = f"passes {', '.join(map(str, passes))}; {deaths} deaths"
            records.append(record("1", f"SIGKILL at {point}", len(passes), found, figure, failpoint_runs=len(passes)))
    return records


def other_studies(*, seed: int = 1) -> list[Record]:
    """Deaths at drawn points in studies with a limit on a cost, and in asynchronous ones."""
    records = []
    draw = random.Random(seed)
    with folder() as place:
        for variant, runs in (("limits", 8), ("asynchronous", 8)):
            plan = Plan(place / "study", variant)
            expected, _ = uninterrupted(place, plan)
            found, deaths = [], 0
            points = [name for name in NAMES if not name.startswith("checkpoint")]
            for _ in range(runs):
                chosen = [(draw.choice(points), draw.choice((1, 3, 10, 25))) for _ in range(3)]
                died, violations = dying_at(plan, expected, chosen)
                deaths += died
                found += [f"{chosen}: {text}" for text in violations]
                shutil.rmtree(plan.folder, ignore_errors=True)
            fault = f"SIGKILL at points, {variant} study"
            records.append(record("1", fault, runs, found, f"{deaths} deaths", failpoint_runs=runs))
    return records


def random_kills(
    kills: int = 44,
    *,
    workers: int = 0,
    seed: int = 0,
    trials: int = toy.TRIALS,
    variant: str = "weights",
    row: str = "2",
) -> Record:
    """SIGKILL to the process group at moments drawn over the length of a run, until so many have died."""
    draw = random.Random(seed)
    found: list[str] = []
    died = runs = 0
    with folder() as place:
        plan = Plan(place / "study", variant, trials=trials, workers=workers, delay=0.02 if workers else 0.0)
        expected, whole = uninterrupted(place, replace(plan, workers=0, delay=0.0))
        if workers:
            whole = run(replace(plan, folder=place / "timed"))
            if table(place / "timed") != expected:
                found.append(f"I3: {workers} workers gave another table than one")
        while died < kills and runs < 4 * kills:
            runs += 1
            outcomes: list[Outcome] = []
            for _ in range(RESUMES):
                moment = draw.uniform(0.2 if workers else 0.01, 0.95) * whole.seconds
                outcomes.append(run(plan, kill_after=moment if died < kills else None))
                died += outcomes[-1].killed
                if not outcomes[-1].killed:
                    break
                violations = after_death(plan.folder, outcomes)
                found += [f"study {runs}, killed at {moment:.3f} s: {text}" for text in violations]
            if outcomes[-1].killed:
                outcomes.append(run(plan))
            found += [f"study {runs}: {text}" for text in at_the_end(plan.folder, outcomes, expected, plan.trials)]
            shutil.rmtree(plan.folder, ignore_errors=True)
    if died < kills:
        found.append(f"only {died} of {kills} kills came before the end of a run")
    how = f"{workers} worker processes" if workers else "in process"
    fault = f"SIGKILL at any moment, {how}" if row == "2" else f"SIGKILL while weights of 4 MB are written, {how}"
    return record(row, fault, runs, found, f"{died} kills in {runs} studies", kills=died)
