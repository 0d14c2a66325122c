"""Rows that are all the same, and recordings without a sound: they can be used, and are told of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netwright.errors import DataError, InputError
from netwright.tasks import TextClassifier
from netwright.tasks.audio import Clips
from netwright.tasks.readers import from_arrays

ONES = np.ones((12, 40), dtype=np.float32)
OTHER = ONES + (np.arange(12) == 11)[:, None]
NO_VALUE = np.where(np.arange(40) > 30, np.nan, ONES)


@pytest.mark.parametrize(
    ("rows", "notes"),
    [
        (ONES.reshape(12, 1, 5, 8), ("all 12 images are the same",)),
        (OTHER.reshape(12, 1, 5, 8), ()),
        (ONES[:, None], ("all 12 series are the same",)),
        (NO_VALUE[:, None], ("all 12 series are the same",)),
        (OTHER[:, None], ()),
        (Clips(tuple(ONES), 8000), ("all 12 recordings are the same",)),
        (Clips((*ONES[:11], ONES[0, :30]), 8000), ()),
        (Clips((*(0 * ONES[:11]), 0 * ONES[0, :30]), 8000), ("all 12 recordings are silent",)),
    ],
)
def test_rows_that_are_alike_are_told(rows: Any, notes: tuple[str, ...]) -> None:
    """Nothing can be learnt of them; one that differs is enough for silence."""
    task = {4: "image-classification", 3: "series-classification"}.get(getattr(rows, "ndim", 0), "audio-classification")
    assert from_arrays(rows, np.arange(12) % 2, task=task).notes == notes


def test_series_of_one_step_are_none() -> None:
    """They are the rows of a table."""
    rows = from_arrays(OTHER[:, None, :1], np.arange(12) % 2, task="series-classification")
    with pytest.raises(DataError, match=r"have one step, .* \(shape \(12, 1, 1\)\)\. Rows of numbers are a table"):
        _ = rows.learned_on(np.arange(12)).data


def test_a_single_text_is_no_path() -> None:
    """With labels beside it a list was meant."""
    expected = r"X is the path 'so good', .* found list\. There is no such file; rows in memory are a list or an array"
    with pytest.raises(InputError, match=expected):
        TextClassifier().fit("so good", [1, 0])
