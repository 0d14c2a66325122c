"""Files of series as people have them: names of series with zeros, numbers of rows, clocks that change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from netwright.cli.search import read_options
from netwright.errors import DataError, InputError
from netwright.tasks import forecast
from netwright.tasks.readers import read, read_new

RNG = np.random.default_rng(0)


def hours(start: str, zone: str, count: int = 400) -> pd.DataFrame:
    """Hours by the clock of a place, written as people write them."""
    when = pd.date_range(start, periods=count, freq="h", tz="UTC").tz_convert(zone)
    return pd.DataFrame({"when": when.strftime("%Y-%m-%d %H:%M"), "load": RNG.normal(size=count)})


def shops(names: Any) -> pd.DataFrame:
    """Series below each other."""
    day = pd.date_range("2021-01-01", periods=120).strftime("%Y-%m-%d")
    return pd.concat([pd.DataFrame({"shop": name, "day": day, "sold": RNG.normal(size=120)}) for name in names])


def test_series_keep_their_names(tmp_path: Path) -> None:
    """01 is not 1, in training, in new rows, and where the names are those of columns."""
    shops(["01", "1", "002"]).to_csv(tmp_path / "a.csv", index=False)
    loaded = read(tmp_path / "a.csv", task="forecast", target="sold", options={"horizon": 3, "series": "shop"})
    assert ["01", "1", "002"] == [each.name for each in loaded.raw.X.series]
    assert 3 == len(read_new(tmp_path / "a.csv", loaded.preprocessing))
    assert {"horizon": 3, "series": "01", "season": 7} == read_options(3, ["series=01", "season=7"])
    wide = shops(["x"]).drop(columns="shop").rename(columns={"sold": "7"})
    wide.to_csv(tmp_path / "b.csv", index=False)
    named = {"horizon": 3, "past": 7}
    loaded = read(tmp_path / "b.csv", task="forecast", target="7", options={"horizon": 3})
    assert ("7",) == loaded.raw.X.columns.targets
    with pytest.raises(InputError, match="'7' is the target and a covariate"):
        read(tmp_path / "b.csv", task="forecast", target="7", options=named)


def test_numbers_of_rows_are_no_series(tmp_path: Path) -> None:
    """A frame that pandas wrote with its index has one column to forecast, which needs no name."""
    shops(["x"]).drop(columns="shop").to_csv(tmp_path / "a.csv")
    loaded = read(tmp_path / "a.csv", task="forecast", options={"horizon": 3})
    assert ("sold",) == loaded.raw.X.columns.targets


@pytest.mark.parametrize(
    ("start", "zone", "before", "after"),
    [
        ("2021-03-20", "Europe/Berlin", "2021-03-28 01:00", "2021-03-28 03:00"),
        ("2021-03-08", "America/New_York", "2021-03-14 01:00", "2021-03-14 03:00"),
        ("2021-09-28", "Australia/Sydney", "2021-10-03 01:00", "2021-10-03 03:00"),
    ],
)
def test_where_summer_time_begins(start: str, zone: str, before: str, after: str) -> None:
    """An hour is missing; the message names it and says what to do."""
    message = (
        rf"after {before} comes {after}: the hour between is missing .* summer time begins\. Write the times in UTC"
    )
    with pytest.raises(DataError, match=message):
        forecast.windows(hours(start, zone), horizon=3)
    quarters = hours(start, zone).assign(n=0).loc[lambda frame: frame.index.repeat(4)]
    quarters["when"] = [f"{when[:-2]}{15 * (row % 4):02}" for row, when in enumerate(quarters["when"])]
    with pytest.raises(DataError, match="the hour between is missing"):
        forecast.windows(quarters, horizon=3, target="load")


@pytest.mark.parametrize("missing", [[8], [2, 26, 50], [2, 3]])
def test_other_gaps_are_gaps(missing: list[int]) -> None:
    """An hour that is missing by day, hours of more than two days, or more than an hour."""
    with pytest.raises(DataError, match="are not evenly apart"):
        forecast.windows(hours("2021-05-01", "UTC").drop(index=missing), horizon=3)


def test_where_summer_time_ends() -> None:
    """An hour stands twice; the first row is kept, and the note names the hour."""
    frame = hours("2021-10-25", "Europe/Berlin")
    cut = forecast.windows(frame, horizon=3)
    assert 399 == cut.series[0].values.shape[1]
    assert cut.notes == (
        "2021-10-31 02:00 stands twice in X, as where summer time ends: the second row was left out"
        " (write the times in UTC to keep both)",
    )
    again = pd.concat([frame[:40], frame[30:]])
    assert "11 rows of X repeat a date and were left out" in forecast.windows(again, horizon=3).notes
