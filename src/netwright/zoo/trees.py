"""Found cells drawn as trees: as text for a terminal, as a picture (SVG), as Mermaid for a page in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import final

STEP_X, STEP_Y, WIDTH, HEIGHT = 126, 74, 114, 38
"""Of the picture, in pixels: from leaf to leaf, from level to level, and the size of a box."""


@final
@dataclass(frozen=True)
class Branch:
    """A node of a tree: what it computes in words, in short for a picture, and the nodes below it."""

    text: str
    short: str
    branches: tuple[Branch, ...] = ()


def text(root: Branch) -> str:
    """The tree line by line, the root first."""
    return "\n".join(_lines(root, "", ""))


def mermaid(root: Branch) -> str:
    """The tree as a flow chart of Mermaid, from the leaves up to the root."""
    lines = ["flowchart BT"]

    def write(branch: Branch) -> str:
        name = f"n{len(lines)}"
        lines.append(f'    {name}["{branch.short.replace(chr(10), "<br/>")}"]')
        for below in branch.branches:
            child = write(below)
            lines.append(f"    {child} --> {name}")
        return name

    write(root)
    return "\n".join(lines)


def svg(root: Branch) -> str:
    """The tree as a picture, the root above: SVG with nothing in it but boxes, lines and text."""
    boxes: list[str] = []
    lines: list[str] = []
    leaves = deepest = 0

    def draw(branch: Branch, depth: int) -> float:
        nonlocal leaves, deepest
        deepest = max(deepest, depth)
        below = [draw(each, depth + 1) for each in branch.branches]
        if below:
            x = sum(below) / len(below)
        else:
            x = leaves * STEP_X + STEP_X / 2
            leaves += 1
        y = depth * STEP_Y + 6
        lines.extend(
            f'<line x1="{x:g}" y1="{y + HEIGHT}" x2="{other:g}" y2="{y + STEP_Y}"/>' for other in below
        )  # fmt: skip
        boxes.append(f'<rect x="{x - WIDTH / 2:g}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>')
        words = branch.short.split("\n")
        for place, word in enumerate(words):
            middle = y + HEIGHT / 2 + 4 + 14 * (place - (len(words) - 1) / 2)
            boxes.append(f'<text x="{x:g}" y="{middle:g}">{escape(word)}</text>')
        return x

    draw(root, 0)
    width, height = leaves * STEP_X, deepest * STEP_Y + HEIGHT + 12
    style = (
        "rect{fill:#fff;stroke:#4a6fa5}line{stroke:#888}text{font:12px sans-serif;text-anchor:middle;fill:#222}"
        "svg{background:#fff}"
    )
    body = "\n".join([*lines, *boxes])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
        f"<style>{style}</style>\n{body}\n</svg>\n"
    )


def _lines(branch: Branch, first: str, rest: str) -> Iterator[str]:
    yield first + branch.text
    for place, below in enumerate(branch.branches):
        last = place == len(branch.branches) - 1
        yield from _lines(below, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))
