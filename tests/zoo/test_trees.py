"""Found cells as trees: text, picture, Mermaid."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from netwright.zoo import SPACES, darts_rnn, trees, zoph_rnn

SMALL = trees.Branch(
    "root = a < b", "root", (trees.Branch("a", "a"), trees.Branch("b", "b", (trees.Branch("c", "c\nd"),)))
)


def test_text() -> None:
    """Each line hangs on the one that it belongs to."""
    assert ["root = a < b", "├─ a", "└─ b", "   └─ c"] == trees.text(SMALL).split("\n")


def test_mermaid() -> None:
    """An arrow from each node to the one above it."""
    lines = trees.mermaid(SMALL).split("\n")
    assert "flowchart BT" == lines[0]
    assert 3 == sum("-->" in line for line in lines)
    assert '["c<br/>d"]' in trees.mermaid(SMALL)


def test_a_picture_is_well_formed() -> None:
    """A box a node, a line to each below it, inside the size that it says."""
    root = ElementTree.fromstring(trees.svg(SMALL))
    kinds = [each.tag.rpartition("}")[2] for each in root]
    assert (4, 3) == (kinds.count("rect"), kinds.count("line"))
    boxes = [each for each in root if each.tag.endswith("rect")]
    assert all(float(box.get("x", 0)) + trees.WIDTH <= float(root.get("width", 0)) for box in boxes)


def test_the_cell_of_the_paper() -> None:
    """As the program that it is known from computes it: see the test of the space."""
    made = SPACES["zoph-rnn"].tree
    assert made is not None
    lines = trees.text(made(zoph_rnn.NAS_CELL)).split("\n")
    assert 15 == len(lines)
    assert "n14 = tanh(n12 · n13)" == lines[0]
    assert "├─ n12 = identity(n8 · n9); the next memory is n8 · n9" == lines[1]
    assert "│  ├─ n8 = tanh(n0 · n1), then tanh(n8 + memory)" == lines[2]


def test_a_cell_of_darts() -> None:
    """Every node hangs on the one whose state it takes."""
    text = trees.text(darts_rnn.tree(darts_rnn.DARTS_RNN_V1))
    assert "n0 = tanh(Wx + Uh), gated with h" == text.split("\n")[0]
    assert 9 == len(text.split("\n"))
    assert "n8 = relu(W8n1), gated with n1" in text
