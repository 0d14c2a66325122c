"""The parameters of estimators that users derive from those here."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from sklearn.base import clone

import netwright as nw


class Mixed:
    """What is no search itself has a parameter, and hands on the others."""

    def __init__(self, *, beta: int = 1, **others: Any) -> None:
        super().__init__(**others)
        self.beta = beta


class Weighted(Mixed, nw.TabularClassifier):
    """A search with a mixin."""


class Needing(nw.TimeSeriesForecaster):
    """A search that needs a parameter."""

    def __init__(self, shop: str, **others: Any) -> None:
        super().__init__(**others)
        self.shop = shop


class Open(Needing):
    """A search that has one which may be left out, given by place, before those."""

    def __init__(self, mine: int = 1, **others: Any) -> None:
        super().__init__(**others)
        self.mine = mine


class Plain(nw.TabularClassifier):
    """A search that hands on all that it is given."""

    def __init__(self, *arguments: Any, **others: Any) -> None:
        super().__init__(*arguments, **others)


@pytest.mark.parametrize(
    ("search", "given"),
    [
        (Weighted(beta=2, max_trials=4), {"beta": 2, "max_trials": 4}),
        (Needing("a", horizon=3), {"shop": "a", "horizon": 3}),
        (Open(5, shop="a", max_trials=4), {"mine": 5, "shop": "a", "max_trials": 4}),
        (Plain(max_trials=4), {"max_trials": 4}),
    ],
)
def test_a_copy_has_all_that_was_given(search: Any, given: dict[str, Any]) -> None:
    """Also to classes before the search's own, by whatever way of handing on."""
    known = clone(search).get_params()
    assert given == {name: known[name] for name in given}
    assert nw.TabularClassifier().get_params().keys() <= known.keys()
    with pytest.raises(TypeError, match=f"{type(search).__name__} has no parameter 'max_trails'"):
        type(search)(max_trails=4)


def test_what_is_handed_on_has_no_place() -> None:
    """The horizon of a forecaster has one, that of what hands it on has none."""
    assert "POSITIONAL_OR_KEYWORD" == inspect.signature(nw.TimeSeriesForecaster).parameters["horizon"].kind.name
    assert "KEYWORD_ONLY" == inspect.signature(Needing).parameters["horizon"].kind.name
