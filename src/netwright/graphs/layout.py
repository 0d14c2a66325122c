"""Python text laid out on lines of at most a hundred characters, of which a method's indentation is eight."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH = 92
INDENT = "    "


@dataclass(frozen=True)
class Group:
    """Something in brackets that may be broken, one item a line: ``open`` ends and ``close`` begins with a bracket.

    An item is text or a group, after a prefix such as ``"bias="`` or ``"'key': "``.
    """

    open: str
    items: tuple[tuple[str, Text], ...]
    close: str

    def __str__(self) -> str:
        inside = ", ".join(f"{prefix}{item}" for prefix, item in self.items)
        # A tuple of one keeps its comma.
        comma = "," if self.open == "(" and len(self.items) == 1 else ""
        return f"{self.open}{inside}{comma}{self.close}"


Text = str | Group


def lines(before: str, text: Text, after: str, depth: int) -> list[str]:
    """The lines of ``before text after``, indented by ``depth`` levels and broken where they are too long."""
    indent = INDENT * depth
    whole = f"{indent}{before}{text}{after}"
    if isinstance(text, str) or len(whole) <= WIDTH or not text.items:
        return [whole]
    broken = [f"{indent}{before}{text.open}"]
    for prefix, item in text.items:
        broken += lines(prefix, item, ",", depth + 1)
    return [*broken, f"{indent}{text.close}{after}"]
