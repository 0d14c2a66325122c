"""The pictures of a bench, drawn from a comparison's rows."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.bench.comparison import Comparison
from netwright.bench.landscapes import Landscape
from netwright.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D1F")
"""Those of Okabe and Ito, which most colour-blind people can tell apart; then the lines change."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.2, 1.2, 1.2)))
GREY = "#555555"


def regret(comparison: Comparison) -> bytes:
    """The mean regret of what was searched and of the score, by query, with 95 % bands; a PNG."""
    same = comparison.searched_regrets is comparison.regrets or comparison.judged == comparison.objectives[0]
    panels = [(f"{comparison.score_name}: regret of the incumbent", comparison.regret_bands)]
    if not same:
        first = comparison.objectives[0].name
        panels.insert(0, (f"{first}: regret of what is searched", comparison.searched_regret_bands))
    columns = min(4, len(comparison.runs))
    crowded = len(comparison.runs) > len(COLOURS)
    legend = 0.21 * -(-len(comparison.runs) // columns)
    with _figure(7.2 * len(panels), 4.5 + legend) as (figure, finish):
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        styles = _styles(comparison)
        for axis, (title, bands) in zip(axes, panels, strict=True):
            positive = [band.mean[band.mean > 0] for band in bands.values()]
            least = min((float(one.min()) for one in positive if one.size), default=0.0)
            most = max(float(band.mean.max()) for band in bands.values())
            # A straight scale where there is nothing to see far down.
            logarithmic = least > 0 and most / least > 5
            floor = least / 3 if logarithmic else 0.0
            for name in comparison.order():
                band = bands[name]
                colour, dashes = styles[name]
                axis.step(comparison.grid, np.maximum(band.mean, floor), where="post", color=colour, ls=dashes, lw=1.9,
                          label=name, zorder=3)  # fmt: skip
                axis.fill_between(comparison.grid, np.maximum(band.low, floor), np.maximum(band.high, floor),
                                  step="post", color=colour, alpha=0.05 if crowded else 0.15, lw=0)  # fmt: skip
            if logarithmic:
                axis.set_yscale("log")
                axis.set_ylim(bottom=floor)
                _plain_decades(axis)
            else:
                axis.set_ylim(bottom=0)
            axis.set_xlim(1, max(2, comparison.queries))
            axis.set_title(title, fontsize=11, loc="left")
            axis.set_xlabel("queries")
            axis.grid(True, which="major", color="#e4e4e4", lw=0.8)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)
        return finish()


def critical_difference(comparison: Comparison) -> bytes | None:
    """The mean ranks on a line, with bars over those that do not differ (Demšar 2006); a PNG.

    None where there are no ranks: one strategy, or fewer than two seeds that all finished.
    """
    ranking, distance = comparison.ranking, comparison.critical_distance
    if ranking is None or distance is None:
        return None
    names = list(comparison.runs)
    order = sorted(range(len(names)), key=lambda index: ranking.ranks[index])
    count = len(names)
    half = (count + 1) // 2
    bars = [[ranking.ranks[names.index(name)] for name in group] for group in comparison.groups]
    step = 0.3
    below = 0.28 + 0.16 * len(bars)
    with _figure(9.0, 1.0 + below + step * half) as (figure, finish):
        axis = figure.subplots()
        low, high = 1.0, float(count)
        longest = max(len(name) for name in names)
        margin = (high - low) * (0.08 + 0.014 * longest)
        axis.set_xlim(low - margin, high + margin)
        axis.set_ylim(below + step * half, -0.85)
        axis.axis("off")
        axis.plot([low, high], [0, 0], color="black", lw=1.2)
        for tick in range(1, count + 1):
            axis.plot([tick, tick], [0, -0.09], color="black", lw=1.2)
            axis.text(tick, -0.14, str(tick), ha="center", va="bottom", fontsize=9)
        reach = min(distance, high - low)
        axis.plot([low, low + reach], [-0.52, -0.52], color="black", lw=1.6)
        for end in (low, low + reach):
            axis.plot([end, end], [-0.57, -0.47], color="black", lw=1.6)
        wide = "" if reach == distance else ", wider than the scale"
        axis.text(low, -0.62, f"critical distance {distance:.2f}{wide}", ha="left", va="bottom", fontsize=9)
        for place, index in enumerate(order):
            left = place < half
            depth = below + step * ((place if left else count - 1 - place) + 0.35)
            rank = ranking.ranks[index]
            edge = low - margin * 0.06 if left else high + margin * 0.06
            axis.plot([rank, rank, edge], [0, depth, depth], color=GREY, lw=0.9, zorder=1)
            label = f"{names[index]}  {rank:.2f}" if left else f"{rank:.2f}  {names[index]}"
            axis.text(edge, depth, f" {label} ", ha="right" if left else "left", va="center", fontsize=10)
        for level, ranks in enumerate(bars):
            height = 0.2 + 0.16 * level
            pad = (high - low) * 0.006
            axis.plot([min(ranks) - pad, max(ranks) + pad], [height, height], color="#0072B2", lw=3.6,
                      solid_capstyle="butt", zorder=2)  # fmt: skip
        title = (
            f"mean rank over {len(comparison.common)} seeds after {comparison.queries:,} queries (1: best); "
            "a bar joins what does not differ"
        )
        axis.set_title(title, fontsize=10, loc="left", color=GREY)
        return finish()


def spread(found: Landscape) -> bytes:
    """The histogram of a table's values, and how they forget themselves on random walks; a PNG."""
    with _figure(10.5, 3.3) as (figure, finish):
        left, right = figure.subplots(1, 2)
        edges, counts = found.histogram
        left.stairs(counts, edges, fill=True, color="#0072B2", alpha=0.85)
        left.set_xlabel(found.measure.name)
        left.set_ylabel("architectures")
        left.set_title(f"{found.size:,} architectures", fontsize=11, loc="left")
        lags = np.arange(len(found.autocorrelation) + 1)
        right.axhline(0, color="#bbbbbb", lw=0.8)
        right.plot(lags, [1.0, *found.autocorrelation], color="#D55E00", marker="o", ms=4, lw=1.6)
        right.set_xlabel("mutations apart")
        right.set_ylabel("correlation of the values")
        right.set_title("along random walks", fontsize=11, loc="left")
        right.set_ylim(min(-0.05, *(found.autocorrelation or (0.0,))), 1.05)
        for axis in (left, right):
            axis.grid(True, color="#e4e4e4", lw=0.8)
            axis.set_axisbelow(True)
        return finish()


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Figure, Callable[[], bytes]]]:
    """A figure that no window and no global state knows, and what makes a PNG of it."""
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("matplotlib", "plot", "Drawing the pictures of a bench") from None

    settings = {
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": GREY,
        "xtick.color": GREY,
        "ytick.color": GREY,
    }
    with rc_context(settings):
        figure = Figure(figsize=(width, height), dpi=130, layout="constrained")
        FigureCanvasAgg(figure)

        def finish() -> bytes:
            buffer = io.BytesIO()
            # Without a date the same comparison gives the same file.
            figure.savefig(buffer, format="png", metadata={"Software": None})
            return buffer.getvalue()

        yield figure, finish


def _styles(comparison: Comparison) -> dict[str, tuple[str, Any]]:
    return {
        name: (COLOURS[index % len(COLOURS)], DASHES[index // len(COLOURS) % len(DASHES)])
        for index, name in enumerate(comparison.runs)
    }


def _plain_decades(axis: Axes) -> None:
    """Numbers as people write them along a logarithmic scale, with those between where a decade is short."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_ylim()
    short = high / low < 30
    axis.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5) if short else (1,)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
