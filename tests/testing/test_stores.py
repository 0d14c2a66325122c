"""The suite of stores, on the store in memory and on broken ones."""

import json

import pytest

from netwright.stores import MemoryStore
from netwright.stores.base import Event
from netwright.testing import check_store


def test_memory():
    """The store in memory keeps the contract."""
    check_store(MemoryStore)


class Journal:
    """The least that keeps the contract: JSON texts in a list."""

    def __init__(self):
        self.texts = []

    def append(self, events):
        self.texts += [json.dumps([event.kind, event.body], allow_nan=False) for event in events]

    def read(self, after=0):
        for sequence, text in enumerate(self.texts[after:], after + 1):
            kind, body = json.loads(text)
            yield Event(kind, body, sequence)

    def close(self):
        pass


def test_the_least_passes():
    """Twelve lines keep the contract."""
    check_store(Journal)


class Partial(Journal):
    def append(self, events):
        for event in events:
            super().append([event])


class Sharing(Journal):
    def __init__(self):
        self.events = []

    def append(self, events):
        for event in events:
            json.dumps(event.body, allow_nan=False)
        begin = len(self.events) + 1
        self.events += [Event(event.kind, event.body, begin + index) for index, event in enumerate(events)]

    def read(self, after=0):
        return self.events[after:]


class Lenient(Journal):
    def append(self, events):
        self.texts += [json.dumps([event.kind, event.body], default=str) for event in events]


class FromZero(Journal):
    def read(self, after=0):
        return (Event(event.kind, event.body, event.sequence - 1) for event in super().read(after))


class Whole(Journal):
    def read(self, after=0):
        return super().read()


class Forgetful(Journal):
    def append(self, events):
        super().append(events[:2])


@pytest.mark.parametrize(
    ("store", "sentence"),
    [
        (Partial, "a batch that held .* was stored in part"),
        (Sharing, "a change to a body from outside reaches the store"),
        (Lenient, "took NaN in a note"),
        (FromZero, r"numbered from 1 on, found \[0, 1"),
        (Whole, r"read\(after=1\) does not give"),
        (Forgetful, "do not come back as they went in"),
    ],
)
def test_a_broken_store_is_caught(store, sentence):
    """What it does wrong is said."""
    with pytest.raises(AssertionError, match=f"store: .*{sentence}"):
        check_store(store)
