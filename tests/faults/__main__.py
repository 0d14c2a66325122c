"""``python -m tests.faults``: tries every fault and prints one table; code 1 if anything was violated.

Each campaign is a process of its own, because drivers are forked from a process of one thread; as many run at once
as there are processors. ``--rows 1,2`` takes some rows of the table, ``--json`` prints a line of JSON a record.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.records import VARIABLE, Record

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Campaign:
    """A function ``tests.faults.<module>.<name>`` with its arguments, and the rows that it covers."""

    rows: tuple[str, ...]
    module: str
    name: str
    arguments: tuple[tuple[str, Any], ...] = ()


CAMPAIGNS: dict[str, Campaign] = {
    "failpoints": Campaign(("1",), "crashes", "failpoints"),
    "other-studies": Campaign(("1",), "crashes", "other_studies"),
    "kills": Campaign(("2",), "crashes", "random_kills", (("kills", 44),)),
    "kills-with-workers": Campaign(("2",), "crashes", "random_kills", (("kills", 12), ("workers", 2), ("trials", 40))),
    "planted": Campaign(("4",), "planted", "planted"),
    "damaged-stores": Campaign(("7",), "damage", "damaged_stores"),
    "two-drivers": Campaign(("9",), "damage", "two_drivers"),
    "stopped-programs": Campaign(("14",), "signals", "stopped_programs"),
    "stopped-command": Campaign(("14",), "signals", "stopped_command"),
    "broken-outputs": Campaign(("15",), "signals", "broken_outputs"),
    "candidates": Campaign(("21", "22", "23", "24", "25", "27", "28", "29", "36"), "candidates", "kinds"),
    "everything-fails": Campaign(("33",), "limits", "everything_fails"),
    "killed-while-writing": Campaign(("34",), "limits", "killed_while_writing"),
    "bad-weights": Campaign(("35",), "damage", "bad_weights"),
    "spaces": Campaign(("38",), "limits", "spaces"),
    "arguments": Campaign(("40",), "limits", "arguments"),
}

PARTS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "weights": (("34", "35"), "weights files on their own", "tests/training/test_weights.py"),
    "stores": (("7", "9"), "stores on their own", "tests/stores"),
    "candidates": (("21", "28", "36"), "executors on their own", "tests/executors/test_candidate_faults.py"),
    "readers": (("37", "41"), "data sets and their files", "tests/tasks/test_readers.py"),
    "names": (("39",), "names of folders", "tests/test_names.py"),
    "json": (("42",), "JSON", "tests/test_strict_json.py"),
}
"""Faults that the tests of single parts cover: rows, what, and where the tests stand."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--rows", help="rows of the table, as 1,2,14; default all")
    parser.add_argument("--campaign", choices=sorted(CAMPAIGNS), help="one campaign, in this very process")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each record")
    options = parser.parse_args()
    if options.campaign:
        return _run_here(CAMPAIGNS[options.campaign])
    began = time.monotonic()
    rows = set(options.rows.split(",")) if options.rows else None
    tasks: list[Callable[[], list[Record]]] = [
        *(lambda name=name: run(name) for name, item in CAMPAIGNS.items() if _wanted(item.rows, rows)),
        *(lambda name=name: _run_part(name) for name, item in PARTS.items() if _wanted(item[0], rows)),
    ]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        records = [record for found in pool.map(lambda task: task(), tasks) for record in found]
    records.sort(key=lambda record: (int(record.row), record.fault))
    for record in records:
        print(record.to_json() if options.json else _line(record))
        for violation in [] if options.json else record.violations:
            print(f"        {violation}")
    if not options.json:
        print(_totals(records, time.monotonic() - began))
    return 1 if any(record.violations for record in records) else 0


def run(name: str, timeout: float = 600.0) -> list[Record]:
    """The records of a campaign, run in a process of its own; a process that fails is a violation."""
    campaign = CAMPAIGNS[name]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "records"
        environment = {**os.environ, VARIABLE: str(path), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.faults", "--campaign", name]
        try:
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout)
            trouble = done.stderr[-2000:] if done.returncode else None
        except subprocess.TimeoutExpired:
            trouble = f"it did not end within {timeout:g} s"
        lines = path.read_text().splitlines() if path.exists() else []
    records = [Record(**json.loads(line)) for line in lines]
    if trouble is not None or not records:
        records.append(Record(campaign.rows[0], f"the campaign {name}", 1, [f"the harness failed: {trouble}"]))
    return records


def _run_here(campaign: Campaign) -> int:
    import importlib

    from tests.faults.drivers import adopt_orphans

    adopt_orphans()
    module = importlib.import_module(f"tests.faults.{campaign.module}")
    getattr(module, campaign.name)(**dict(campaign.arguments))
    return 0


def _run_part(name: str) -> list[Record]:
    rows, fault, path = PARTS[name]
    if not (ROOT / path).exists():
        return [Record(rows[0], fault, 0, [f"{path} is not there"])]
    command = [sys.executable, "-m", "pytest", path, "-q", "-p", "no:cacheprovider", "--tb=line"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    found = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    if done.returncode and not found:
        found = lines[-3:]
    count = next((int(word) for word, after in _pairs(lines[-1]) if after.startswith("passed")), 0) if lines else 0
    return [Record(rows[0], f"{fault} ({path})", count, found, f"rows {', '.join(rows)}; tests of the part")]


def _pairs(line: str) -> list[tuple[str, str]]:
    words = line.replace(",", "").split()
    return [(word, after) for word, after in itertools.pairwise(words) if word.isdigit()]


def _wanted(covered: tuple[str, ...], rows: set[str] | None) -> bool:
    return rows is None or bool(rows & set(covered))


def _line(record: Record) -> str:
    mark = "ok " if not record.violations else f"{len(record.violations):2d}!"
    return f"{record.row:>4}  {mark}  {record.fault[:70]:<70}  {record.runs:>4}  {record.figure}"


def _totals(records: list[Record], seconds: float) -> str:
    total = {key: sum(record.counts.get(key, 0) for record in records) for key in
             ("failpoint_runs", "kills", "kinds", "planted", "caught")}  # fmt: skip
    violations = sum(len(record.violations) for record in records)
    return (
        f"\n{total['failpoint_runs']} failpoint runs, {total['kills']} random kills, "
        f"{total['kinds']} kinds of candidate fault, planted bugs caught: {total['caught']} of {total['planted']}; "
        f"{sum(record.runs for record in records)} runs in all, {violations} violations, {seconds / 60:.1f} minutes"
    )


if __name__ == "__main__":
    sys.exit(main())
