"""The checklist of best practices for experiments in architecture search, filled from what a bench really ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from netwright.bench.comparison import Comparison
    from netwright.evaluators.tables import Table

Answer = Literal["yes", "no", "not applicable"]


@dataclass(frozen=True, slots=True)
class Item:
    """A question of the checklist, its answer, and what the answer rests on."""

    number: str
    question: str
    answer: Answer
    evidence: str

    def to_value(self) -> dict[str, Any]:
        """The item as JSON."""
        return {"number": self.number, "question": self.question, "answer": self.answer, "evidence": self.evidence}


def checklist(comparison: Comparison) -> list[Item]:
    """The sixteen questions of Lindauer and Hutter 2020 ("Best practices for scientific research on neural
    architecture search", JMLR 21), in short words, answered for one bench.

    What only a person can know (what was tuned, what will be published) is answered "no", and the evidence says what
    is missing.
    """
    from netwright.version import VERSION

    names = list(comparison.runs)
    counts = sorted({len(runs.seeds) for runs in comparison.runs.values()})
    runs = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    table = comparison.table
    code = f"Netwright {VERSION}, open source"
    randoms = [name for name in names if name.partition("(")[0] == "random"]
    several = _variants(names)
    timed = all("train_seconds" in one.used for one in comparison.runs.values())
    seconds = sum(float(one.own.sum()) for one in comparison.runs.values())
    failed = sum(one.failed for one in comparison.runs.values())
    unpaired = len(comparison.common) < max(counts, default=0)
    command = comparison.command or "netwright.bench.compare"
    space = _released_space(table)
    foreign = [name for name in names if not _is_ours(name)]
    ours = [name for name in names if name not in foreign]
    looked_up = f"nothing was trained: every result is a number of the table {table.name}"
    return [
        Item("1a", "Is the code of the training behind the final scores released?", "not applicable", looked_up),
        Item(
            "1b",
            "Is the code of the search space released?",
            "no" if space is None else "yes",
            f"{code}: {space}, the space of {table.name} ({len(table):,} architectures)"
            if space is not None
            else f"{table.name} is a table of one's own, whose space this package does not hold; publish the code of "
            f"its networks and the table ({len(table):,} architectures), and name where they are",
        ),
        Item(
            "1c",
            "Are the hyperparameters and seeds of the final evaluation released?",
            "not applicable",
            f"{looked_up}, the mean over its training seeds",
        ),
        Item(
            "1d",
            "Is the code of the search methods released?",
            "no" if foreign else "yes",
            f"not of this package: {', '.join(foreign)}; publish the code, and name where it is"
            + (f" (of {code}: {', '.join(ours)})" if ours else "")
            if foreign
            else f"{code}: {', '.join(names)}",
        ),
        Item(
            "1e",
            "Are the methods' hyperparameters and seeds released?",
            "yes",
            f"they are the arguments in the names above, else the defaults; seeds 0 to {comparison.seeds - 1}; "
            f"the command is {command}",
        ),
        Item(
            "2a",
            "Were all methods compared on the same benchmark, data split, space and training code?",
            "yes",
            f"the table {table.name}, searched by {comparison.searched_name}, judged by {comparison.score_name}",
        ),
        Item(
            "2b",
            "Were confounding factors controlled (hardware, versions, run times)?",
            "yes",
            "a table gives every method the same numbers, on any machine; methods are compared by queries",
        ),
        Item(
            "2c",
            "Were ablation studies run?",
            "yes" if several else "no",
            f"variants of {', '.join(several)} ran side by side"
            if several
            else "no method ran in more than one variant; add for example evolution(population=50,tournament=5)",
        ),
        Item(
            "2d",
            "Did all methods have the same evaluation protocol?",
            "yes",
            f"{comparison.queries} queries each, repetitions counted; the incumbent by what is searched, its score "
            f"by {comparison.score_name}",
        ),
        Item(
            "2e",
            "Was performance compared over time?",
            "yes",
            f"at {', '.join(f'{point:,}' for point in comparison.points)} queries, the whole curves and their area",
        ),
        Item(
            "2f",
            "Was there a comparison with random search?",
            "yes" if randoms else "no",
            f"{randoms[0]}, on the same budget" if randoms else "random did not run; add it to --strategies",
        ),
        Item(
            "2g",
            "Were there several runs of each method, with reported seeds?",
            "yes" if counts and counts[0] > 1 else "no",
            f"{runs} of each, seeds 0 to {comparison.seeds - 1}"
            + (f"; {failed} failed" if failed else "")
            + (f"; paired tests over the {len(comparison.common)} seeds that all finished" if unpaired else ""),
        ),
        Item(
            "2h",
            "Were tabular or surrogate benchmarks used for an evaluation in depth?",
            "yes",
            f"the table {table.name}; one table says little about others",
        ),
        Item(
            "3a",
            "Is it reported how hyperparameters were tuned, and at what cost?",
            "no",
            "a bench cannot know; write it beside the result, or say that the defaults were used",
        ),
        Item(
            "3b",
            "Is the time of the whole method reported, not of the search phase alone?",
            "yes" if timed else "no",
            f"seconds of training as the table has them, and {seconds:.0f} s of the methods' own"
            if timed
            else f"the table has no seconds of training; the methods themselves took {seconds:.0f} s",
        ),
        Item(
            "3c",
            "Are all details of the experimental setup reported?",
            "yes",
            f"every run with its incumbents is kept{f' in {comparison.folder}' if comparison.folder else ''}, with "
            "version and command",
        ),
    ]


def _released_space(table: Table) -> str | None:
    """The name of the table's space in the zoo; None for one that only its author knows."""
    from netwright.zoo import SPACES

    return next((name for name, entry in SPACES.items() if entry.network is table.space.network), None)


def _is_ours(strategy: str) -> bool:
    """Whether the code of a strategy is in this package, and not behind another's entry point."""
    from netwright.strategies import STRATEGIES

    kind: Any = STRATEGIES.get(strategy.partition("(")[0])
    return str(getattr(getattr(kind, "func", kind), "__module__", "")).partition(".")[0] == "netwright"


def _variants(names: list[str]) -> list[str]:
    """The methods that ran with different arguments."""
    stems = [name.partition("(")[0] for name in names]
    return sorted({stem for stem in stems if stems.count(stem) > 1})
