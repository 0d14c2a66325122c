"""``netwright show`` of a search for a recurrent cell."""

from __future__ import annotations

from netwright.cli.show import describe
from netwright.zoo.zoph_rnn import NAS_CELL


def shown(network: str, architecture: dict[str, object]) -> str:
    """A study of one trial."""
    trial = {
        "number": 0, "architecture": architecture, "budget": None, "state": "finished",
        "metrics": {"val_perplexity": 6.5}, "params": 74_050, "macs": None, "error": None, "seconds": 9.0,
        "inherits": None,
    }  # fmt: skip
    study = {"name": "corpus", "state": "done", "seed": 0, "parallel": 4, "space": network, "metric": "val_perplexity"}
    return describe({"study": study, "trials": [trial], "best": trial, "pareto": [0]})


def test_the_best_cell_is_drawn() -> None:
    """Below its decisions, line by line."""
    text = shown("ZophRNN", dict(NAS_CELL))
    assert "        n14 = tanh(n12 · n13)\n        ├─ n12 = identity(n8 · n9)" in text


def test_another_network_of_the_same_name_is_not() -> None:
    """Its decisions are others."""
    assert "n14" not in shown("ZophRNN", {"width": 8})
