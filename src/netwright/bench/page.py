"""The report of a bench: one self-contained page of HTML."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from netwright.bench.checklist import checklist
from netwright.bench.comparison import Comparison
from netwright.bench.landscapes import Landscape
from netwright.bench.text import chance, digits, interval
from netwright.durations import format_duration

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: #1b1b1b;
  background: #fff; max-width: 1120px; margin: 0 auto; padding: 28px 24px 60px; }
h1 { font-size: 25px; line-height: 1.25; margin: 0 0 6px; }
h2 { font-size: 18px; margin: 38px 0 8px; padding-top: 14px; border-top: 1px solid #ddd; }
h3 { font-size: 15px; margin: 18px 0 4px; }
summary { cursor: pointer; font-size: 15px; font-weight: 600; margin: 10px 0; }
p { margin: 6px 0 10px; max-width: 78ch; }
p.facts, p.note, figcaption { color: #555; }
p.note, figcaption { font-size: 13.5px; }
figure { margin: 14px 0 20px; }
img { max-width: 100%; height: auto; }
figure.critical_difference img { max-width: 800px; width: 100%; }
div.wide { overflow-x: auto; margin: 10px 0 16px; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px; text-align: right; border-bottom: 1px solid #e6e6e6; vertical-align: top; }
th { font-weight: 600; color: #444; white-space: nowrap; border-bottom-color: #999; }
th.text, td.text { text-align: left; }
td.name { text-align: left; font-weight: 600; min-width: 7em; }
td.number { white-space: nowrap; }
td small { color: #777; white-space: nowrap; display: block; }
td.best { background: #eaf3ea; }
td.shown { font-weight: 600; }
td.yes { color: #1a6b2d; font-weight: 600; white-space: nowrap; text-align: left; }
td.no { color: #a33a12; font-weight: 600; white-space: nowrap; text-align: left; }
td.other { color: #777; white-space: nowrap; text-align: left; }
code { font: 13px/1.4 ui-monospace, "DejaVu Sans Mono", monospace; background: #f3f3f3; padding: 1px 4px;
  overflow-wrap: anywhere; }
@media print { h2 { break-after: avoid; } figure, tr { break-inside: avoid; } body { max-width: none; } }
"""

REGRET = (
    "Mean regret: how far the incumbent is from the best of the table, at each query. Bands are 95 % bootstrap "
    "intervals of the mean. On a logarithmic scale a curve that reaches 0 leaves the picture."
)


def page(comparison: Comparison, pictures: dict[str, bytes], missing: str | None = None) -> str:
    """The whole page. ``missing`` says why there are no pictures."""
    title = f"Bench on {comparison.table.name}"
    counts = sorted({len(runs.seeds) for runs in comparison.runs.values()})
    runs = f"{counts[-1]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="facts">Searched by {_code(comparison.searched_name)}, judged by {_code(comparison.score_name)}. '
        f"{runs} runs of each strategy, {comparison.queries:,} queries each"
        + (f", {comparison.workers} simulated workers" if comparison.workers > 1 else "")
        + f". The best of the whole table has {digits(comparison.best_score)}.</p>",
        *([f'<p class="note">{escape(missing)}</p>'] if missing else []),
        "<h2>What was found</h2>",
        f"<p>The mean score of the incumbent (the best so far by what is searched) after so many queries, with its "
        f"95 % bootstrap interval; {'larger' if comparison.sign > 0 else 'smaller'} is better. The best mean of each "
        "column is shaded. Area is the mean over the whole search.</p>",
        _results(comparison),
        *_picture(pictures, "regret", REGRET),
        *_ranks(comparison, pictures),
        *_chances(comparison),
        *_tests(comparison),
        "<h2>What the runs used</h2>",
        _used(comparison),
        *_landscape(comparison.landscape, pictures),
        "<h2>Checklist of best practices</h2>",
        '<p class="note">After Lindauer and Hutter, "Best practices for scientific research on neural architecture '
        'search", JMLR 2020, answered from what was run.</p>',
        _checklist(comparison),
        "<h2>Again</h2>",
        f"<p>{_code(comparison.command or 'netwright.bench.compare')}</p>",
    ]  # fmt: skip
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _results(comparison: Comparison) -> str:
    head = ["strategy", *(f"{point:,}" for point in comparison.points), "area", "rank"]
    bands = comparison.bands.values()
    best = {at: max(comparison.sign * float(band.mean[at]) for band in bands) for at in comparison.at}
    rows = []
    for name in comparison.order():
        band = comparison.bands[name]
        cells = [_cell(_name(name), "name")]
        for at in comparison.at:
            shaded = " best" if comparison.sign * float(band.mean[at]) == best[at] else ""
            ends = interval(band.low[at], band.high[at], len(comparison.runs[name].seeds), " to ")
            cells.append(_cell(f"{digits(float(band.mean[at]))}<small>{ends}</small>", f"number{shaded}"))
        rank = comparison.rank(name)
        cells.append(_cell(digits(float(comparison.areas[name].mean())), "number"))
        cells.append(_cell("" if rank is None else f"{rank:.2f}", "number"))
        rows.append(cells)
    return _table(head, rows, texts=1)


def _ranks(comparison: Comparison, pictures: dict[str, bytes]) -> Iterable[str]:
    if comparison.ranking is None:
        return ()
    caption = (
        f"Friedman's test: {chance(comparison.ranking.p)}. Strategies whose mean ranks lie less than the critical "
        "distance of Nemenyi's test apart are joined by a bar."
    )
    return _picture(pictures, "critical_difference", caption) or (f"<p>{escape(caption)}</p>",)


def _chances(comparison: Comparison) -> Iterable[str]:
    names = comparison.order()
    if len(names) < 2:
        return ()
    rows = [
        [_cell(str(place), "number"), _cell(_name(name), "name")] + [
            _cell("", "number")
            if name == other
            else f'<td class="number" style="background:{_shade(comparison.wins(name, other))}">'
            f"{100 * comparison.wins(name, other):.0f} %</td>"
            for other in names
        ]
        for place, name in enumerate(names, start=1)
    ]  # fmt: skip
    return (
        "<h2>Chance to win</h2>",
        f"<p>How often a run of the row's strategy is ahead of one of the column's after {comparison.queries:,} "
        "queries (Vargha and Delaney's A12).</p>",
        _table(["", "", *(str(place) for place in range(1, len(names) + 1))], rows, texts=2),
    )


def _tests(comparison: Comparison) -> Iterable[str]:
    if len(comparison.runs) < 2:
        return ()
    last, *others = reversed(comparison.points)
    return (
        "<h2>Tests</h2>",
        "<p>p values are two-sided and corrected by Holm over all pairs and query counts; those below .05 are bold. "
        "The difference is paired over the seeds, with its 95 % interval. The last column is how many seeds a paired "
        "test would need to show a difference like this one with a chance of 80 %.</p>",
        f"<h3>After {last:,} queries</h3>",
        _tests_at(comparison, last),
        *(
            f"<details><summary>After {queries:,} queries</summary>\n{_tests_at(comparison, queries)}</details>"
            for queries in others
        ),
    )


def _tests_at(comparison: Comparison, queries: int) -> str:
    rows = []
    tests = [test for test in comparison.tests if test.queries == queries]
    for test in sorted(tests, key=lambda test: (max(test.p_holm, test.paired_p_holm), -abs(test.effect - 0.5))):
        ahead = test.effect >= 0.5
        a, b = (test.a, test.b) if ahead else (test.b, test.a)
        sign = 1 if ahead else -1
        low, high = sorted((sign * test.low, sign * test.high))
        difference = f"{_signed(sign * test.mean)}<small>{interval(low, high, test.seeds, ' to ', _signed)}</small>"
        rows.append(
            [
                _cell(_name(a), "name"),
                _cell(_name(b), "name"),
                _cell(f"{100 * (test.effect if ahead else 1 - test.effect):.0f} %", "number"),
                _cell(difference, "number"),
                _cell(_p(test.p_holm), "number shown" if test.p_holm < 0.05 else "number"),
                _cell(_p(test.paired_p_holm), "number shown" if test.paired_p_holm < 0.05 else "number"),
                _cell("" if test.needed is None else f"{test.needed:,}", "number"),
            ]
        )
    head = ["ahead", "behind", "wins", "difference", "Mann–Whitney", "paired bootstrap", "seeds needed"]
    return _table(head, rows, texts=2)


def _used(comparison: Comparison) -> str:
    names = {
        "queries": "queries",
        "distinct": "distinct",
        "trials": "trials",
        "proxies": "proxies",
        "train_seconds": "training",
        "simulated_seconds": "simulated time",
    }
    known = [name for name in names if any(name in runs.used for runs in comparison.runs.values())]
    if not any(runs.used.get("proxies", [0])[0] for runs in comparison.runs.values()):
        known = [name for name in known if name != "proxies"]
    rows = []
    for name in comparison.order():
        runs = comparison.runs[name]
        cells = [_cell(_name(name), "name"), _cell(str(len(runs.seeds)), "number"), _cell(str(runs.failed), "number")]
        for what in known:
            values = runs.used.get(what)
            mean = None if values is None else float(values.mean())
            text = "" if mean is None else format_duration(mean) if "seconds" in what else f"{mean:,.1f}"
            cells.append(_cell(text, "number"))
        cells.append(_cell(f"{runs.own.mean():.2f} s", "number"))
        rows.append(cells)
    head = ["strategy", "runs", "failed", *(names[what] for what in known), "own time"]
    return _table(head, rows, texts=1) + (
        '\n<p class="note">Means of a run. Training is what the table says that the evaluations would have taken; own '
        "time is the processor time of a run here, strategy, study and look-ups together.</p>"
    )


def _landscape(found: Landscape, pictures: dict[str, bytes]) -> Iterable[str]:
    least, median, most = found.neighbours
    correlation = found.distance_correlation
    rows = [
        ("mean and deviation", f"{digits(found.mean)}, {digits(found.deviation)}"),
        ("quantiles", ", ".join(f"{100 * share:g} %: {digits(value)}" for share, value in found.quantiles.items())),
        ("architectures that are best", f"{found.best_rows:,} of {found.size:,}"),
        ("neighbours", f"{least}" if least == most else f"{least} to {most}, median {median:g}"),
        ("without a better neighbour", f"{100 * found.optima:.2g} % of {found.looked:,}"),
        (
            "correlation length",
            "not defined" if found.correlation_length is None else f"{found.correlation_length:.1f} mutations",
        ),
        ("fitness and distance", "not defined" if correlation is None else f"correlation {correlation:+.2f}"),
    ]
    cells = [[_cell(_name(name), "name"), _cell(escape(text), "text")] for name, text in rows]
    return (
        "<h2>The table</h2>",
        f"<p>{_code(found.measure.name)} over all of {_code(found.table)}.</p>",
        _table(["", ""], cells, texts=2, headless=True),
        *_picture(pictures, "landscape", ""),
    )


def _checklist(comparison: Comparison) -> str:
    kinds = {"yes": "yes", "no": "no"}
    rows = [
        [
            _cell(item.number, "text"),
            _cell(escape(item.question), "text"),
            _cell(escape(item.answer), kinds.get(item.answer, "other")),
            _cell(escape(item.evidence), "text"),
        ]
        for item in checklist(comparison)
    ]
    return _table(["", "question", "answer", "evidence"], rows, texts=4)


def _picture(pictures: dict[str, bytes], name: str, caption: str) -> tuple[str, ...]:
    if name not in pictures:
        return ()
    data = base64.b64encode(pictures[name]).decode("ascii")
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    text = escape(caption or name, quote=True)
    return (f'<figure class="{name}"><img alt="{text}" src="data:image/png;base64,{data}">{below}</figure>',)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int, headless: bool = False) -> str:
    """Rows of ready cells; the first ``texts`` columns hold text."""
    kinds = ["text" if column < texts else "number" for column in range(len(head))]
    cells = "".join(f'<th class="{kind}">{escape(name)}</th>' for kind, name in zip(kinds, head, strict=True))
    top = "" if headless else f"<thead><tr>{cells}</tr></thead>\n"
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f'<div class="wide"><table>\n{top}<tbody>\n{body}\n</tbody></table></div>'


def _cell(text: str, kind: str) -> str:
    return f'<td class="{kind}">{text}</td>'


def _name(text: str) -> str:
    """A name that may break after a bracket or a comma."""
    return escape(text).replace("(", "(<wbr>").replace(",", ",<wbr>")


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _signed(value: float) -> str:
    return "0" if value == 0 else f"{'+' if value > 0 else '−'}{digits(abs(value))}"


def _p(value: float) -> str:
    return "&lt; .001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _shade(share: float) -> str:
    """Green where the row wins, orange where it loses, white between."""
    strength = abs(share - 0.5) * 2
    red, green, blue = (31, 138, 76) if share > 0.5 else (213, 94, 0)
    mixed = [round(255 - (255 - part) * 0.45 * strength) for part in (red, green, blue)]
    return f"rgb({mixed[0]},{mixed[1]},{mixed[2]})"
