"""Series and frames of pandas whose dates stand in the index, and what is said of the values in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from netwright.errors import DataError, InputError
from netwright.tasks import forecast

DAYS = pd.date_range("2021-01-01", periods=210)
SOLD = 50 + 10 * np.sin(2 * np.pi * np.arange(210) / 7)
FRAME = pd.DataFrame({"day": DAYS, "sold": SOLD})


class LazyFrame:
    """What is asked of a lazy frame of polars."""

    def __init__(self, frame: Any) -> None:
        self.columns = list(frame)
        self.collect = lambda: frame


LazyFrame.__module__ = "polars.lazyframe.frame"


@pytest.mark.parametrize(
    "given",
    [
        pd.Series(SOLD, DAYS),
        pd.Series(SOLD, DAYS, name="sold"),
        pd.Series(SOLD, DAYS.tz_localize("UTC")),
        pd.Series(SOLD, DAYS.strftime("%Y-%m-%d")),
        pd.Series(SOLD, DAYS.to_period("D")),
        pd.Series(SOLD.astype(object), DAYS),
        FRAME.set_index("day"),
        FRAME.set_index(FRAME["day"].astype(str))[["sold"]],
        FRAME.assign(day=DAYS.to_period("D")),
        LazyFrame(FRAME),
    ],
    ids=["dates", "named", "zone", "texts", "periods", "objects", "frame", "frame, texts", "column of periods", "lazy"],
)
def test_dates_are_found(given: Any) -> None:
    """In the index of a series or a frame, or in a column, as dates, periods or texts."""
    found = forecast.windows(given, horizon=7)
    np.testing.assert_array_equal(DAYS.to_numpy().astype("datetime64[s]"), found.series[0].dates)
    np.testing.assert_array_equal(SOLD, found.series[0].values[0])
    assert (7, ()) == (found.season, found.notes)


def test_periods_are_dated_by_their_first_days() -> None:
    """Quarters, whose season is of four."""
    found = forecast.windows(pd.Series(SOLD, pd.period_range("1950Q1", periods=210, freq="Q")), horizon=4)
    assert found.series[0].dates is not None
    assert ["1950-01-01", "1950-04-01"] == [str(day)[:10] for day in found.series[0].dates[:2]]
    assert 4 == found.season


def test_dates_in_an_index_are_checked_as_those_of_a_column() -> None:
    """A gap is refused, what is written otherwise, too; a repeated date is left out with a note."""
    days = pd.Series(SOLD, DAYS, name="sold")
    with pytest.raises(DataError, match="after 2021-02-19 comes 2021-02-21: the dates of 'sold'"):
        forecast.windows(days.drop(DAYS[50]), horizon=7)
    with pytest.raises(DataError, match=r"'date' of X looks like dates that are written otherwise: '01\.01\.2021'"):
        forecast.windows(days.set_axis(DAYS.strftime("%d.%m.%Y")), horizon=7)
    assert ("1 rows of X repeat a date and were left out",) == forecast.windows(
        pd.concat([days, days[-1:]]), horizon=7
    ).notes


def test_numbers_in_an_index_are_no_dates() -> None:
    """Rows are taken in their order."""
    assert forecast.windows(pd.Series(SOLD), horizon=7).series[0].dates is None
    found = forecast.windows(pd.Series(SOLD, name="sold"), horizon=7)
    assert found.series[0].dates is None
    assert ("no column of dates was found in X: its rows are taken in their order",) == found.notes


def test_two_columns_of_one_name_are_refused() -> None:
    """One of them would be taken, and nobody knows which."""
    twice = pd.concat([FRAME, FRAME["sold"] * 2], axis=1)
    with pytest.raises(DataError, match="X has 2 columns named 'sold'"):
        forecast.windows(twice, horizon=7, target="sold")


def test_an_index_of_the_name_of_a_column() -> None:
    """It is refused, unless both are dates, as after ``frame.index = frame["day"]``."""
    both = FRAME.set_index("day", drop=False)
    np.testing.assert_array_equal(SOLD, forecast.windows(both, horizon=7).series[0].values[0])
    named = FRAME.set_index(pd.Index(["a"] * 105 + ["b"] * 105, name="sold"))
    with pytest.raises(DataError, match="X has a column and an index that are called 'sold'"):
        forecast.windows(named, horizon=7)


def test_an_index_may_name_the_series() -> None:
    """Beside the dates."""
    index = pd.MultiIndex.from_product([["a", "b"], DAYS], names=["shop", "day"])
    found = forecast.windows(pd.DataFrame({"sold": [*SOLD, *SOLD]}, index), horizon=7, series="shop")
    assert ["a", "b"] == [each.name for each in found.series]
    assert "day" == found.columns.date


def test_levels_of_an_index_need_no_names() -> None:
    """None hides another: several series were taken for one whose dates are repeated."""
    series = pd.Series([*SOLD, *SOLD], pd.MultiIndex.from_product([["a", "b"], DAYS]))
    with pytest.raises(DataError, match="'level 0' tells them apart"):
        forecast.windows(series, horizon=7)
    assert ["a", "b"] == [each.name for each in forecast.windows(series, horizon=7, series="level 0").series]


def test_a_series_goes_on_by_date() -> None:
    """Where a network has learnt from one, it finds the days of another, whatever says them."""
    series = pd.Series(SOLD, DAYS, name="sold")
    constants = forecast.learn(forecast.windows(series[:-7], horizon=7))
    (found,) = forecast.found(constants, series.set_axis(DAYS.to_period("D")))
    after = forecast.dates_after(found.dates, 7, forecast.length(found))
    assert [f"2021-08-0{day}" for day in range(1, 6)] == [str(day)[:10] for day in after[2:]]


@pytest.mark.parametrize("target", ["sold", None])
def test_a_word_among_numbers_is_named(target: str | None) -> None:
    """With its row, not the first value of the column."""
    frame = FRAME.astype({"sold": object})
    frame.loc[[50, 60], "sold"] = "closed"
    message = r"row 51 of X holds 'closed' in the column 'sold', expected a number.*a point for decimals"
    with pytest.raises(DataError, match=message):
        forecast.windows(frame, horizon=7, target=target)


def test_a_target_is_chosen_of_one_column_alone() -> None:
    """Of several that hold no numbers none is meant."""
    with pytest.raises(InputError, match=r"which column of X is to be forecast.*none holds numbers"):
        forecast.windows(FRAME.assign(sold="much", asked="more"), horizon=7)


def test_a_missing_number_of_pandas_is_missing() -> None:
    """In a column that can say so."""
    frame = FRAME.assign(sold=FRAME["sold"].astype("Float64").where(FRAME.index != 7).astype(object))
    with pytest.raises(DataError, match="'sold' has no finite number at 2021-01-08"):
        forecast.windows(frame, horizon=7)


@pytest.mark.parametrize(
    ("row", "name", "message"),
    [
        (205, "promo", "'promo' of 'sold' has no finite number at 2021-07-25 .1 of 21 steps of the last window"),
        (200, "promo", "'promo' of 'sold' has no finite number at 2021-07-20 .*leave out the covariate"),
        (200, "heat", "'heat' of 'sold' has no finite number at 2021-07-20 .1 of 14 steps"),
        (200, "sold", "'sold' has no finite number at 2021-07-20 .*leave out the series"),
    ],
)
def test_a_covariate_that_is_missing_is_named(row: int, name: str, message: str) -> None:
    """With the date, in the steps before as in those to come."""
    frame = FRAME.assign(promo=SOLD, heat=SOLD)
    constants = forecast.learn(
        forecast.windows(frame, horizon=7, lookback=14, target="sold", known="promo", past="heat")
    )
    ahead = frame.assign(sold=frame["sold"].where(frame.index < 203), heat=frame["heat"].where(frame.index < 203))
    forecast.apply(constants, ahead)
    ahead.loc[row, name] = np.nan
    with pytest.raises(DataError, match=message):
        forecast.apply(constants, ahead)
