"""Every campaign of the fault harness ends without a violation, and is as large as was promised."""

from __future__ import annotations

import pytest
from tests.faults.__main__ import run
from tests.faults.records import Record

FAILPOINT_RUNS = 35
KILLS = 50
KINDS = 25


def _clean(*names: str) -> list[Record]:
    records = [record for name in names for record in run(name)]
    violations = [f"{record.fault}: {text}" for record in records for text in record.violations]
    assert [] == violations
    return records


def _count(records: list[Record], key: str) -> int:
    return sum(record.counts.get(key, 0) for record in records)


@pytest.mark.timeout(600)
def test_a_driver_may_die_at_any_point() -> None:
    """At every failpoint, at the passes 1, 2, 17, 60 and the last, and once more while it resumes."""
    assert _count(_clean("failpoints"), "failpoint_runs") >= FAILPOINT_RUNS


@pytest.mark.timeout(600)
def test_studies_of_other_kinds_may_die_too() -> None:
    """With a limit on a cost, and asynchronous ones."""
    assert _count(_clean("other-studies"), "failpoint_runs") >= 16


@pytest.mark.timeout(600)
def test_a_driver_may_be_killed_at_any_moment() -> None:
    """In one process and with workers, which die with it."""
    assert _count(_clean("kills", "kills-with-workers"), "kills") >= KILLS


@pytest.mark.timeout(600)
def test_the_harness_sees_bugs() -> None:
    """Every planted bug turns a check red; without one nothing does."""
    records = _clean("planted")
    assert _count(records, "planted") == _count(records, "caught") >= 15


@pytest.mark.timeout(600)
def test_what_candidates_do_costs_only_themselves() -> None:
    """Each kind of fault among healthy candidates, on two workers."""
    assert _count(_clean("candidates"), "kinds") >= KINDS


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name",
    [
        "damaged-stores",
        "two-drivers",
        "stopped-programs",
        "stopped-command",
        "broken-outputs",
        "everything-fails",
        "killed-while-writing",
        "bad-weights",
        "spaces",
        "arguments",
    ],
)
def test_a_campaign_ends_without_a_violation(name: str) -> None:
    """See the campaign for what it tries."""
    assert sum(record.runs for record in _clean(name)) > 0
