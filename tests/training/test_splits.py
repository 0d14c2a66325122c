"""A split is disjoint, covering, stratified and a function of the seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import DataError, InputError
from netwright.training import split
from netwright.training.splits import folds


def parts(it):
    return [it.train, it.validation, it.selection, it.test]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.integers(0, 4), min_size=20, max_size=200).filter(lambda y: np.bincount(y).max() > 12),
    st.integers(0, 2**32 - 1),
)
def test_the_parts_are_disjoint_and_cover_everything(y, seed):
    """Every example is in exactly one part, whatever the classes' sizes."""
    together = np.concatenate(parts(split(np.array(y), seed)))
    assert list(range(len(y))) == sorted(together.tolist())


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 6), min_size=20, max_size=120).filter(lambda y: np.bincount(y).max() > 12))
def test_every_class_is_in_training(y):
    """However few members a class has, training keeps one: no class is met first in a test."""
    y = np.array(y)
    assert set(y.tolist()) == set(y[split(y, 0).train].tolist())


def test_classes_keep_their_proportions_to_within_one():
    """The test part takes each class's share, rounded to a neighbouring whole number, and the total exactly."""
    y = np.repeat([0, 1, 2, 3], [503, 251, 97, 46])
    counts = np.bincount(y[split(y, 3, test=0.2).test])
    assert 179 == counts.sum()
    assert np.all(np.abs(counts - 0.2 * np.array([503, 251, 97, 46])) < 1)


def test_the_fractions_are_of_what_is_left():
    """Test is a fifth of all, selection 15 % of the rest, validation a fifth of what is left then."""
    it = split(np.arange(1000) % 10, 0)
    assert [544, 136, 120, 200] == [len(part) for part in parts(it)]


def test_the_seed_alone_decides():
    """The same seed gives the same split, another seed another one, whatever numpy's own generator does."""
    y = np.arange(300) % 3
    np.random.seed(1)
    first = split(y, 7)
    np.random.seed(2)
    assert all(np.array_equal(a, b) for a, b in zip(parts(first), parts(split(y, 7)), strict=True))
    assert not np.array_equal(first.test, split(y, 8).test)


def test_a_given_test_set_leaves_all_data_for_the_search():
    """``test=0`` takes no test examples."""
    it = split(np.arange(100) % 2, 0, test=0)
    assert 0 == len(it.test)
    assert np.array_equal(np.arange(100), it.development)


def test_the_search_sees_training_and_validation_alone():
    """``search`` is exactly those two, sorted."""
    it = split(np.arange(100) % 2, 0)
    assert sorted([*it.train, *it.validation]) == it.search.tolist()


def test_numbers_are_split_plainly():
    """Targets of a regression need no classes: fractions hold, and not in the data's order."""
    it = split(np.linspace(0, 1, 200, dtype=np.float32), 0)
    assert [109, 27, 24, 40] == [len(part) for part in parts(it)]
    assert it.test.max() > 100 > it.test.min()


def test_which_member_is_taken_is_drawn():
    """Over many seeds each example is in the test about as often as any other."""
    y = np.repeat([0, 1], 10)
    hits = np.zeros(20)
    for seed in range(500):
        hits[split(y, seed).test] += 1
    assert 2000 == hits.sum()
    assert 60 < hits.min() <= hits.max() < 145


def test_too_few_examples_are_refused():
    """Three examples cannot make four parts."""
    with pytest.raises(DataError, match="3 examples cannot be split into 4 parts"):
        split(np.array([0, 1, 0]), 0)


def test_only_single_members_leave_nothing_to_validate_on():
    """Ten classes of one example each cannot be validated."""
    with pytest.raises(DataError, match="10 examples in 10 classes leave none to validate on"):
        split(np.arange(10), 0)


def test_a_fraction_is_a_fraction():
    """A fraction of 1 or more is refused by its name."""
    with pytest.raises(InputError, match=r"selection is a fraction .* found 1\.5"):
        split(np.arange(50) % 2, 0, selection=1.5)


@pytest.mark.parametrize("classes", [1, 2, 7])
def test_folds_are_disjoint_whole_and_even(classes: int) -> None:
    """Each place is in one part; parts and the shares of each class in them differ by one at most."""
    y = np.random.default_rng(0).integers(classes, size=103)
    places = np.sort(np.random.default_rng(1).permutation(103)[:83])
    parts = folds(y, places, 5, 3)
    assert sorted(np.concatenate(parts).tolist()) == places.tolist()
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    for name in range(classes):
        counts = [int((y[part] == name).sum()) for part in parts]
        assert max(counts) - min(counts) <= 1
    assert all(np.array_equal(a, b) for a, b in zip(parts, folds(y, places, 5, 3), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(parts, folds(y, places, 5, 4), strict=True))


def test_folds_need_an_example_each() -> None:
    """And at least two parts."""
    with pytest.raises(DataError, match="4 examples cannot be dealt into 5 parts"):
        folds(np.arange(9.0), np.arange(4), 5, 0)
    with pytest.raises(DataError, match="into 1 parts"):
        folds(np.arange(9.0), np.arange(4), 1, 0)
