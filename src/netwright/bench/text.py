"""The result of a bench for reading on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netwright.bench.comparison import Comparison
from netwright.bench.landscapes import Landscape
from netwright.durations import format_duration

SHOWN = 8
"""So many tests stand in the text; all of them are in results.json and in the report."""


def describe(comparison: Comparison) -> str:
    """The comparison as a table of strategies by query counts, and what the tests say at the last of them."""
    largest = max(len(runs.seeds) for runs in comparison.runs.values())
    several = f", {comparison.workers} simulated workers" if comparison.workers > 1 else ""
    lines = [
        f"table {comparison.table.name}: searched by {comparison.searched_name}, judged by {comparison.score_name} "
        f"(the best of all has {digits(comparison.best_score)})",
        f"{_count(largest, 'run')} of each, {_count(comparison.queries, 'query', 'queries')}{several}; "
        "mean [95 % interval] of the incumbent's score",
        "",
        *_rows(comparison),
    ]
    for name, runs in comparison.runs.items():
        if runs.failed:
            lines.append(f"{name}: {_count(runs.failed, 'run')} failed and stand nowhere above")
    if len(comparison.runs) > 1:
        lines += ["", *_tests(comparison)]
    if comparison.folder is not None:
        lines += ["", f"written to {comparison.folder}: {', '.join((*comparison.written, 'the runs'))}"]
    return "\n".join(lines)


def describe_landscape(found: Landscape) -> str:
    """The statistics of a table, a line each."""
    quantiles = ", ".join(
        f"{'least' if share == 0 else 'best' if share == 1 and found.measure.sign > 0 else f'{100 * share:g} %'} "
        f"{digits(value)}"
        for share, value in found.quantiles.items()
    )
    shown = " ".join(f"{value:.2f}" for value in found.autocorrelation[:6]) or "the value never changes"
    length = "" if found.correlation_length is None else f"; correlation length {found.correlation_length:.1f} steps"
    least, median, most = found.neighbours
    sizes = f"{least}" if least == most else f"{least} to {most}, median {median:g}"
    looked = "every one" if found.looked == found.size else f"{found.looked:,} drawn ones"
    astray = found.distance_correlation
    correlation = "not defined (a constant)" if astray is None else f"{astray:+.2f}"
    return "\n".join(
        [
            f"table {found.table}, {found.measure.name}, {found.size:,} architectures",
            f"{'values':<22}mean {digits(found.mean)}, deviation {digits(found.deviation)}",
            f"{'quantiles':<22}{quantiles}",
            f"{'best of all':<22}{_count(found.best_rows, 'architecture')}",
            f"{'random walks':<22}autocorrelation {shown}{length}",
            f"{'neighbours':<22}{sizes} (of {looked}); {100 * found.optima:.2g} % of them have no better one",
            f"{'fitness and distance':<22}correlation {correlation} with the decisions that differ from the best",
        ]
    )


def digits(value: float) -> str:
    """A score with the digits that matter."""
    size = abs(value)
    for least, places in ((10_000, 0), (1_000, 1), (10, 2), (1, 3), (0.0001, 4)):
        if size >= least:
            return f"{value:.{places}f}"
    return f"{value:.3g}"


def interval(low: float, high: float, runs: int, between: str, show: Callable[[float], str] = digits) -> str:
    """The ends of an interval; a dash below two runs, which say nothing of how far the next would be."""
    return f"{show(float(low))}{between}{show(float(high))}" if runs > 1 else "–"


def chance(p: float) -> str:
    """A p value for reading."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _rows(comparison: Comparison) -> list[str]:
    head = ["", *(f"{point:,}" for point in comparison.points), "area", "rank", "training", "passed", "seconds"]
    rows = [head]
    for name in comparison.order():
        bands, runs = comparison.bands[name], comparison.runs[name]
        cells = [
            f"{digits(bands.mean[at])} [{interval(bands.low[at], bands.high[at], len(runs.seeds), ', ')}]"
            for at in comparison.at
        ]
        rank = comparison.rank(name)
        training, passed = (runs.used.get(what) for what in ("train_seconds", "simulated_seconds"))
        rows.append(
            [
                name,
                *cells,
                digits(float(comparison.areas[name].mean())),
                "" if rank is None else f"{rank:.2f}",
                "" if training is None else format_duration(float(training.mean())),
                "" if passed is None else format_duration(float(passed.mean())),
                f"{runs.own.mean():.2f}",
            ]
        )
    used = [column for column in range(len(head)) if column == 0 or any(row[column] for row in rows[1:])]
    return columns([[row[column] for column in used] for row in rows])


def _tests(comparison: Comparison) -> list[str]:
    last = [test for test in comparison.tests if test.queries == comparison.queries]
    last.sort(key=lambda test: (max(test.p_holm, test.paired_p_holm), -abs(test.effect - 0.5)))
    lines = [f"after {_count(comparison.queries, 'query', 'queries')} (Mann–Whitney and paired bootstrap, Holm):"]
    for test in last[:SHOWN]:
        ahead = test.effect >= 0.5
        a, b = (test.a, test.b) if ahead else (test.b, test.a)
        effect = test.effect if ahead else 1 - test.effect
        told = (test.p_holm < 0.05) + (test.paired_p_holm < 0.05)
        words = ("cannot be told from", "may be ahead of", "is ahead of")[told]
        difference = test.mean if ahead else -test.mean
        needed = "" if told == 2 or test.needed is None else f"; {test.needed:,} seeds would be needed"
        lines.append(
            f"  {a} {words} {b}: wins {100 * effect:.0f} %, "
            f"difference {'+' if difference >= 0 else '−'}{digits(abs(difference))}, "
            f"{chance(test.p_holm)} and {chance(test.paired_p_holm)}{needed}"
        )
    if len(last) > SHOWN:
        lines.append(f"  … and {len(last) - SHOWN} more pairs in the report")
    if comparison.groups:
        groups = "; ".join(", ".join(group) for group in comparison.groups)
        lines.append(f"  ranks that do not differ (Nemenyi): {groups}")
    return lines


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _count(number: int, word: str, plural: str | None = None) -> str:
    return f"{number:,} {word if number == 1 else plural or word + 's'}"
