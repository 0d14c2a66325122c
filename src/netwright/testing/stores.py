"""The conformance suite of stores."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from netwright.stores.base import Event, Store


def check_store(make_store: Callable[[], Store]) -> None:
    """Tries a store on the contract of :class:`~netwright.stores.base.Store`; AssertionError says what broke.

    ``make_store()`` gives a new empty store each time; each is closed here. Tried are: events come back as they went
    in, numbered from 1 on, also from the middle; a batch is stored whole or not at all; what JSON cannot say and
    metrics that are not finite are refused; later changes of a body do not reach the store; reading twice gives the
    same.
    """
    _gives_back(make_store())
    _stores_batches_whole(make_store())
    _keeps_its_own_copy(make_store())


def life(number: int = 0, **metrics: float) -> list[Event]:
    """The two events of one trial's life."""
    claimed: dict[str, Any] = {
        "number": number,
        "attempt": 1,
        "architecture": {"width": 8, "paths": [0, 1], "name": "é"},
        "budget": None,
        "inherits": None,
        "seed": 7,
    }
    ended: dict[str, Any] = {
        "number": number,
        "attempt": 1,
        "state": "finished",
        "metrics": metrics or {"score": 0.1},
        "curve": [{"step": 1, "metrics": {"score": 0.05}}],
        "error": None,
        "seconds": 0.25,
        "weights": None,
    }
    return [Event("claimed", claimed), Event("ended", ended)]


def _gives_back(store: Store) -> None:
    _expect(list(store.read()) == [], "a new store holds events")
    events = [Event("study", {"seed": 0}), *life(0), *life(1), Event("noted", {"topic": "end", "deep": {"a": [None]}})]
    store.append(events[:1])
    store.append(events[1:4])
    store.append([])
    store.append(events[4:])
    found = list(store.read())
    _expect(
        [(event.kind, event.body) for event in events] == [(event.kind, event.body) for event in found],
        "events do not come back as they went in",
    )
    _expect(
        list(range(1, len(events) + 1)) == [event.sequence for event in found],
        f"events are numbered from 1 on, found {[event.sequence for event in found]}",
    )
    for after in (1, 3, len(events), len(events) + 5):
        _expect(
            found[after:] == list(store.read(after)), f"read(after={after}) does not give what follows event {after}"
        )
    _expect(found == list(store.read()), "reading again gives something else")
    store.close()


def _stores_batches_whole(store: Store) -> None:
    store.append([Event("study", {"seed": 0})])
    impossible: dict[str, Any] = {
        "NaN in a note": Event("noted", {"topic": "x", "value": float("nan")}),
        "an infinity in a note": Event("noted", {"topic": "x", "value": float("inf")}),
        "an object that JSON cannot say": Event("noted", {"topic": "x", "value": object()}),
        "a metric that is NaN": life(0, score=float("nan"))[1],
        "a metric that is infinite": life(0, score=float("-inf"))[1],
    }
    for what, event in impossible.items():
        try:
            store.append([life(0)[0], event])
        except Exception:
            pass
        else:
            raise AssertionError(f"store: took {what}")
        _expect(len(list(store.read())) == 1, f"a batch that held {what} was stored in part")
    store.append(life(0))
    _expect(len(list(store.read())) == 3, "after a refused batch the next one is not stored")
    store.close()


def _keeps_its_own_copy(store: Store) -> None:
    events = [Event("study", {"seed": 0}), *life(0)]
    bodies = copy.deepcopy([event.body for event in events])
    store.append(events)
    events[1].body["architecture"]["width"] = 16
    for event in store.read():
        if event.kind == "ended":
            event.body["metrics"]["score"] = 9.0
    _expect(bodies == [event.body for event in store.read()], "a change to a body from outside reaches the store")
    store.close()


def _expect(held: bool, sentence: str) -> None:
    if not held:
        raise AssertionError(f"store: {sentence}")
