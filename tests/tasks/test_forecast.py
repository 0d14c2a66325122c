"""Forecasts: from a table with dates to the steps to come."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from datetime import date
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import netwright as nw
from netwright.cli.errors import WIDTH, line
from netwright.cli.search import read_options
from netwright.errors import DataError, InputError
from netwright.tasks import forecast, readers


def weeks(days: int = 210, start: str = "2021-01-01") -> pd.DataFrame:
    """A series that repeats itself each week and grows, by day, and one that is known to be ahead of it by a day."""
    rng = np.random.default_rng(0)
    time = np.arange(days)
    sold = 50 + 10 * np.sin(2 * np.pi * time / 7) + 0.05 * time + rng.normal(size=days)
    return pd.DataFrame(
        {"day": pd.date_range(start, periods=days).strftime("%Y-%m-%d"), "sold": sold, "asked": np.roll(sold, -1)}
    )


def cut(frame: Any = None, **options: Any) -> forecast.Windows:
    """Windows on the series of weeks."""
    return forecast.windows(weeks() if frame is None else frame, **{"horizon": 7, "target": "sold", **options})


def test_season_and_lookback_are_found() -> None:
    """By the distance of the dates, or by the series' likeness with itself."""
    assert (7, 14) == (cut().season, cut().lookback)
    assert 7 == forecast.windows(weeks()["sold"].to_numpy(), horizon=7).season
    months = pd.DataFrame({"month": pd.date_range("1990-01-01", periods=144, freq="MS"), "sold": np.arange(144.0)})
    assert 12 == forecast.windows(months, horizon=6).season


def test_parts_follow_each_other() -> None:
    """What is predicted in one part is later than all that is predicted in the parts before, and no step in two."""
    X = cut()
    seen = [
        {step for start in X.places[X.parts == part, 1] for step in range(start + X.lookback, start + X.lookback + 7)}
        for part in range(4)
    ]
    assert all(max(before) < min(after) for before, after in pairwise(seen))
    assert 209 == max(seen[3])
    # What lies between two parts is earlier than the test, too.
    assert X.places[X.parts == 4, 1].max() + X.lookback + 7 <= min(seen[3])
    assert 2 * 6 == (X.parts == 4).sum()
    assert len(X) == len(forecast.split(X, 0, own=False))


def test_origins_do_not_look_ahead() -> None:
    """What judges begins after all that trains has ended, in each series; each origin comes after the one before."""
    X = cut(pd.concat([weeks().assign(shop="a"), weeks(150).assign(shop="b")]), series="shop")
    parts = forecast.split(X, 0, own=False)
    assert forecast.ORIGINS == len(parts.origins)
    assert not parts.origins[:, parts.test].any()
    for number in range(2):
        own = [row * (X.places[:, 0] == number) for row in parts.origins]
        assert all(X.places[row == 1, 1].max() + 7 <= X.places[row == 2, 1].min() for row in own)
        assert all(X.places[one == 2, 1].max() < X.places[two == 2, 1].min() for one, two in pairwise(own))
    # Where there are hardly enough windows, origins that have nothing to train on are left out.
    short = forecast.split(cut(weeks(37)), 0, own=False).origins
    assert all((row == 1).sum() >= forecast.LEAST and (row == 2).any() for row in short)


@pytest.mark.parametrize(
    ("change", "positive"),
    [
        (lambda sold: sold, True),
        (lambda sold: sold - sold.min(), True),
        (lambda sold: sold - sold.min() - 1, False),
        (lambda sold: sold + 1e5, False),
    ],
)
def test_zero_stays_where_it_is_in_series_that_are_never_negative(change: Any, positive: bool) -> None:
    """Unless too few digits would be left. Forecasts come back in the series' unit either way."""
    X = cut(weeks().assign(sold=lambda rows: change(rows["sold"])))
    constants = forecast.learn(X)
    assert positive == constants["positive"] == forecast.facts(constants)["positive"]
    assert positive == (constants["series"][0]["center"] == 0.0)
    inputs, values = forecast.apply(constants, X), X.series[0].values[0]
    last = forecast.decode(constants, forecast.naive(constants, inputs)[-1:])[0]
    np.testing.assert_allclose(last, values[-14:-7], rtol=1e-5)
    # A folder of before knows nothing of it.
    assert not forecast.facts({name: value for name, value in constants.items() if name != "positive"})["positive"]


def test_targets_are_in_units_of_the_naive_error() -> None:
    """The mean absolute error of the naive forecast on the steps of training is 1."""
    X = cut()
    constants = forecast.learn(X, np.flatnonzero(X.parts < 3))
    end = X.places[X.parts < 3, 1].max() + X.lookback + X.horizon
    sold = X.series[0].values[0, :end]
    assert constants["series"][0]["scale"] == pytest.approx(np.abs(sold[7:] - sold[:-7]).mean())
    inputs, y = forecast.apply(constants, X), forecast.targets(constants, X)
    assert 0.8 < np.abs(forecast.naive(constants, inputs) - y)[X.parts < 3].mean() < 1.2


def test_the_naive_forecast_is_the_value_a_season_before() -> None:
    """Also where the horizon is longer than the season."""
    X = cut(horizon=10)
    constants = forecast.learn(X)
    inputs = forecast.apply(constants, X)
    made = forecast.naive(constants, inputs)
    np.testing.assert_array_equal(made[0], np.resize(inputs[0, 0, X.lookback - 7 : X.lookback], 10))


def test_covariates_reach_as_far_as_they_are_known() -> None:
    """Those of the past are 0 from the end of the lookback on, and so is the target."""
    X = cut(known="asked")
    inputs = forecast.apply(forecast.learn(X), X)
    assert (len(X), 2, 21) == inputs.shape
    assert 0 == np.abs(inputs[:, 0, 14:]).max() < np.abs(inputs[:, 1, 14:]).min(1).max()
    past = cut(past="asked")
    assert 0 == np.abs(forecast.apply(forecast.learn(past), past)[:, 1, 14:]).max()


def test_rows_are_sorted_and_repeated_dates_left_out() -> None:
    """With a note each."""
    frame = weeks()
    X = cut(pd.concat([frame[::-1], frame[:3]]))
    assert ["the rows of X were sorted by day", "3 rows of X repeat a date and were left out"] == list(X.notes)
    np.testing.assert_array_equal(frame["sold"], X.series[0].values[0])


def test_several_series_below_each_other() -> None:
    """A column names the series of each row."""
    long = pd.concat([weeks().assign(shop="a"), weeks().assign(shop="b", sold=lambda rows: 3 * rows["sold"])])
    X = cut(long, series="shop")
    assert ["a", "b"] == [each.name for each in X.series]
    scales = [each["scale"] for each in forecast.learn(X)["series"]]
    assert scales[1] == pytest.approx(3 * scales[0])


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda frame: frame.drop(index=50), {}, "after 2021-02-19 comes 2021-02-21: the dates of 'sold' in X"),
        (lambda frame: frame[:30], {}, "'sold' has 30 steps; a horizon of 7 needs 36, to train.* smaller horizon$"),
        (lambda frame: frame[:30], {"lookback": 9}, "horizon of 7 and a lookback of 9 need 44, .* smaller lookback$"),
        (lambda frame: frame[:30], {"season": 4}, "a horizon of 7 and a season of 4 need 39, .* smaller season$"),
        (lambda frame: frame.assign(sold=1.0), {}, "'sold' of X has the same value, 1, in all 210 steps"),
        (lambda frame: frame.assign(sold=frame["sold"].where(frame.index != 7)), {}, "no finite number at 2021-01-08"),
        (lambda frame: frame.assign(day="soon"), {"date": "day"}, "row 1 of X has no date in 'day': 'soon'"),
        (lambda frame: frame, {"target": "bought"}, "X has no column 'bought'"),
        (
            lambda frame: frame.assign(sold="much"),
            {},
            "row 1 of X holds 'much' in the column 'sold', expected a number",
        ),
    ],
)
def test_what_cannot_be_forecast(change: Any, options: dict[str, Any], message: str) -> None:
    """Is told in one line."""
    with pytest.raises(DataError, match=message):
        cut(change(weeks()), **options)


def test_a_line_that_is_cut_loses_of_the_name_of_the_file_alone() -> None:
    """What is wrong, where, how often, and what to do stay whole."""
    hours = weeks().assign(day=pd.date_range("2021-03-01", periods=210, freq="h").astype(str)).drop(index=50)
    holes = weeks().assign(sold=lambda rows: rows["sold"].where(rows.index != 7))
    for frame, place in (
        (weeks().drop(index=50), "after 2021-02-19 comes 2021-02-21: the dates of 'sold' in "),
        (weeks().drop(index=[50, 60]), ".csv are not evenly apart at 2 places. Add rows, sum up by weeks, or"),
        (hours, "after 2021-03-03 01:00 comes 2021-03-03 03:00: the hour between is missing in 'sold' of "),
        (hours, ".csv, as where summer time begins. Write the times in UTC"),
        (weeks()[:30], "has 30 steps; a horizon of 7 needs 36"),
        (holes, "no finite number at 2021-01-08"),
    ):
        with pytest.raises(DataError) as raised:
            cut(frame, what=f"/home/{'somebody/' * 20}sold.csv")
        assert place in line(f"netwright: error: {raised.value.message}", raised.value.hint, WIDTH)


def test_a_series_that_is_long_enough_for_its_horizon_runs() -> None:
    """A season that does not fit is not taken: the steps that a refusal asks for are enough."""
    X = cut(weeks()[:36])
    assert (1, 1) == (X.season, X.lookback)


def test_arguments_that_make_no_sense() -> None:
    """A target that is not named, a horizon that is none, a season beyond the lookback."""
    with pytest.raises(InputError, match="which column of X is to be forecast"):
        cut(target=None)
    with pytest.raises(InputError, match="horizon is a whole number of steps from 1 on, found 0"):
        cut(horizon=0)
    with pytest.raises(InputError, match="the season of 30 steps is longer than the lookback of 14"):
        cut(season=30, lookback=14)


def test_weekdays_follow_weekdays() -> None:
    """Days from Monday to Friday alone are regular, a season is five of them, and the next ones are weekdays, too."""
    frame = workdays().assign(day=lambda rows: rows["day"] + " 14:00")
    X = cut(frame)
    assert 5 == X.season
    wanted = pd.bdate_range("2021-01-01", periods=217)[-7:].strftime("%Y-%m-%dT14:00:00").tolist()
    assert wanted == forecast.dates_after(X.series[0].dates, 7, 0).astype(str).tolist()
    weekly = np.array(["2021-01-01", "2021-01-08", "2021-01-15"], dtype="datetime64[s]")
    assert ["2021-01-22"] == forecast.dates_after(weekly, 1, 0).astype("datetime64[D]").astype(str).tolist()
    days = np.arange("2021-01-04", "2021-01-09", dtype="datetime64[D]").astype("datetime64[s]")
    assert ["2021-01-09"] == forecast.dates_after(days, 1, 0).astype("datetime64[D]").astype(str).tolist()


def test_months_after_months() -> None:
    """Dates go on as they did: months by months, days by days, years by numbers."""
    months = np.array(["2020-11-15", "2020-12-15"], dtype="datetime64[s]")
    assert ["2021-01-15", "2021-02-15"] == [str(day)[:10] for day in forecast.dates_after(months, 2, 0)]
    assert [1935, 1936] == forecast.dates_after(np.array([1933, 1934]), 2, 0).tolist()
    assert [12, 13] == forecast.dates_after(None, 2, 12).tolist()


def test_dates_of_americans_and_others() -> None:
    """The month is first, unless a first number is above twelve."""
    assert ["2021-01-02"] == [str(day)[:10] for day in forecast.read_dates(np.array(["01/02/2021"]), "d", "X")]
    read = forecast.read_dates(np.array(["01/02/2021", "13/02/2021"]), "d", "X")
    assert ["2021-02-01", "2021-02-13"] == [str(day)[:10] for day in read]


def test_the_way_from_a_file(tmp_path: Path) -> None:
    """A horizon is needed, and the options are those of the windows."""
    weeks().to_csv(tmp_path / "sold.csv", index=False)
    loaded = readers.read(tmp_path / "sold.csv", task="forecast", target="sold", options={"horizon": 7, "season": 7})
    assert ("forecast", "forecast") == (loaded.kind, loaded.task)
    with pytest.raises(InputError, match="is to be forecast for how many steps"):
        readers.read(tmp_path / "sold.csv", task="forecast", target="sold")
    with pytest.raises(InputError, match="a forecast has no option 'seasons'"):
        readers.read(tmp_path / "sold.csv", task="forecast", options={"horizon": 7, "seasons": 7})
    with pytest.raises(InputError, match="the option 'horizon' is not one of such data"):
        readers.read(tmp_path / "sold.csv", target="sold", options={"horizon": 7})


def test_options_of_a_command() -> None:
    """NAME=VALUE, whole numbers as such."""
    assert {"horizon": 7, "season": 7, "known": "a,b"} == read_options(7, ["season=7", "known=a,b"])
    with pytest.raises(InputError, match="--option takes NAME=VALUE, found 'season'"):
        read_options(None, ["season"])


def test_the_estimator_and_what_it_exports(quick: None, tmp_path: Path) -> None:
    """It forecasts the days to come by date, as the folder does by itself from a CSV file; the score is minus MASE."""
    frame = weeks()
    search = nw.TimeSeriesForecaster(horizon=7, known="asked", max_trials=1, n_jobs=1)
    search.fit(frame[:-7], target="sold")
    ahead = frame.assign(sold=frame["sold"].where(frame.index < 203))
    made = search.predict(ahead)
    assert ["2021-07-23", "2021-07-29"] == [str(day)[:10] for day in made.index[[0, -1]]]
    assert search.score(frame) < 0
    with pytest.raises(DataError, match="the covariates asked of the steps to come are needed"):
        search.predict()
    folder = search.export(tmp_path / "shipped", to="onnx")
    ahead[::-1].to_csv(tmp_path / "new.csv", index=False)
    command = [sys.executable, str(folder / "predict.py"), str(tmp_path / "new.csv"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    np.testing.assert_allclose(made["sold"], json.loads(done.stdout)["predictions"][0], rtol=1e-4)
    ahead.drop(index=50).to_csv(tmp_path / "new.csv", index=False)
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    told = "error: after 2021-02-19 comes 2021-02-21: the dates of the series 'sold' are not evenly apart\n"
    assert (2, "", told) == (refused.returncode, refused.stdout, refused.stderr)


def two(**other: Any) -> pd.DataFrame:
    """Two series below each other, told apart by a column."""
    ((name, values),) = other.items()
    return pd.concat([weeks().assign(**{name: value}) for value in values])


def by_chance(values: Any) -> pd.DataFrame:
    """A series whose last day stands twice, in rows in which a column has these values."""
    return pd.concat([weeks(), weeks()[-1:]]).assign(many=values)


@pytest.mark.parametrize(
    "frame",
    [
        two(shop=["a", "b"]),
        two(shop=[1, 2]),
        two(shop=[True, False]),
        two(shop=["a", "b"])[100:-50],
        two(shop=["a", None]),
    ],
)
def test_series_that_nobody_named_are_named(frame: pd.DataFrame) -> None:
    """Half of the rows would be left out."""
    with pytest.raises(DataError, match=r"rows of X repeat a date, and 'shop' tells them apart.*--option series=shop"):
        cut(frame)


@pytest.mark.parametrize(
    "frame",
    [
        pd.concat([weeks(), weeks()]),
        pd.concat([weeks().assign(said="a"), weeks()[:1].assign(said="b")])[["day", "sold"]],
        by_chance(np.arange(211)),
        by_chance(np.arange(211) % 5),
        by_chance([f"row {row}" for row in range(211)]),
        two(share=[0.5, 0.25]),
    ],
)
def test_dates_that_are_repeated_otherwise_are_left_out(frame: pd.DataFrame) -> None:
    """With a note: the rows are alike, or what tells them apart are many values, or numbers that differ by chance."""
    assert re.fullmatch(r"\d+ rows of X repeat a date and were left out", cut(frame).notes[-1])


class Polars:
    """What is asked of a data frame of polars, in an installation without pyarrow."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame, self.columns = frame, list(frame)

    def __getitem__(self, name: str) -> Any:
        values = self.frame[name].tolist()
        return SimpleNamespace(to_list=lambda: [None if pd.isna(value) else value for value in values])

    def to_pandas(self) -> None:
        raise ModuleNotFoundError("pa.Table requires 'pyarrow' module to be installed")


Polars.__module__ = "polars.dataframe.frame"


def test_a_frame_of_polars_needs_no_pyarrow() -> None:
    """Its days are dates, its missing values None; windows and inputs are those of the same frame of pandas."""
    frame = weeks()
    days = frame.assign(day=[date.fromisoformat(day) for day in frame["day"]])
    X, wanted = cut(Polars(days), known="asked"), cut(frame, known="asked")
    np.testing.assert_array_equal(wanted.series[0].values, X.series[0].values)
    np.testing.assert_array_equal(wanted.series[0].dates, X.series[0].dates)
    ahead, constants = frame["sold"].where(frame.index < 203), forecast.learn(X)
    np.testing.assert_array_equal(
        forecast.apply(constants, frame.assign(sold=ahead)), forecast.apply(constants, Polars(days.assign(sold=ahead)))
    )


@pytest.mark.parametrize(
    "text", ["%d.%m.%Y", "%d.%m.%y", "%m/%d/%y", "%Y/%m/%d", "%d-%m-%Y", "%d.%m.%Y 14:00", "%m.%Y", "%Y/%m", "%d/%m"]
)
def test_dates_that_are_written_otherwise_are_refused(text: str) -> None:
    """In an order that nobody knows rows would be taken as they stand; whoever wants that can say so."""
    frame = weeks().sample(frac=1, random_state=0)
    frame["day"] = pd.to_datetime(frame["day"]).dt.strftime(text)
    first = re.escape(frame["day"].iloc[0])
    with pytest.raises(DataError, match=f"'day' of X looks like dates that are written otherwise: '{first}'"):
        cut(frame)
    with pytest.raises(DataError, match=f"row 1 of X has no date in 'day': '{first}'"):
        cut(frame, date="day")
    X = cut(frame, date="none")
    assert (None, ()) == (X.columns.date, X.notes)
    np.testing.assert_array_equal(frame["sold"], X.series[0].values[0])


def test_rows_without_dates_are_taken_in_their_order_with_a_note() -> None:
    """What the columns hold is no date; of an array nobody expects one."""
    frame = weeks().assign(day="a day", size="1-12", version="1.2.3b", share=[f"{row}.5%" for row in range(210)])
    told = "no column of dates was found in X: its rows are taken in their order"
    assert (told,) == cut(frame).notes
    assert () == forecast.windows(weeks()["sold"].to_numpy(), horizon=7).notes


def test_a_date_that_is_missing_in_the_first_row_is_missed() -> None:
    """It does not make the column one of texts."""
    frame = weeks()
    frame.loc[0, "day"] = None
    with pytest.raises(DataError, match="row 1 of X has no date in 'day'"):
        cut(frame)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The script of an exported folder, loaded, on a network of which nothing but the constants is there."""
    script = Path(forecast.__file__).parents[1] / "export" / "standalone" / "predict.py"
    spec = importlib.util.spec_from_file_location("shipped_forecast", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def month_firsts(count: int = 60) -> pd.DataFrame:
    """A shop's sales by month."""
    months = pd.date_range("1990-01-01", periods=count, freq="MS").strftime("%Y-%m-%d")
    return pd.DataFrame({"day": months, "sold": 10.0 + np.arange(count) % 12})


def workdays(count: int = 210) -> pd.DataFrame:
    """The series of weeks on days from Monday to Friday alone."""
    days = pd.bdate_range("2021-01-01", periods=count).strftime("%Y-%m-%d")
    return weeks(count).assign(day=days)


def fridays() -> pd.DataFrame:
    """The series of weeks on every Friday."""
    return weeks().assign(day=pd.date_range("2021-01-01", periods=210, freq="W-FRI").strftime("%Y-%m-%d"))


HARD: dict[str, tuple[pd.DataFrame, str | None, Any]] = {
    "sound": (weeks(), None, lambda text: text),
    "shuffled": (weeks(), None, lambda text: "\n".join([text.splitlines()[0], *sorted(text.splitlines()[1:])[::-1]])),
    "a day is missing": (weeks(), "after 2021-02-19 comes 2021-02-21", lambda text: without(text, "2021-02-20")),
    "an old day is missing": (weeks(), "after 2021-01-01 comes 2021-01-03", lambda text: without(text, "2021-01-02")),
    "a month is missing": (month_firsts(), "after 1993-02-01 comes 1993-04-01", lambda text: without(text, "1993-03")),
    "months": (month_firsts(), None, lambda text: text),
    "an empty date": (weeks(), "row 51", lambda text: text.replace("2021-02-20,", ",")),
    "a word for a date": (weeks(), "row 51", lambda text: text.replace("2021-02-20,", "soon,")),
    "a day that is none": (weeks(), "row 59", lambda text: text.replace("2021-02-28,", "2021-02-30,")),
    "american": (weeks(), None, lambda text: re.sub(r"(\d{4})-(\d\d)-(\d\d)", r"\2/\3/\1", text)),
    "european": (weeks(), None, lambda text: re.sub(r"(\d{4})-(\d\d)-(\d\d)", r"\3/\2/\1", text)),
    "american, a gap": (
        weeks(),
        "after 2021-02-19 comes 2021-02-21",
        lambda text: re.sub(r"(\d{4})-(\d\d)-(\d\d)", r"\2/\3/\1", without(text, "2021-02-20")),
    ),
    "repeated": (weeks(), None, lambda text: text + text.splitlines()[-1] + "\n"),
    "two shops": (
        weeks(),
        "210 rows .*repeat a date, and 'shop' tells",
        lambda text: two(shop="ab").to_csv(index=False),
    ),
    "numbered": (weeks(), "repeat a date, and 'shop' tells", lambda text: two(shop=[1, 2]).to_csv(index=False)),
    "true": (weeks(), "repeat a date, and 'new' tells", lambda text: two(new=[True, False]).to_csv(index=False)),
    "unnamed": (weeks(), "repeat a date, and 'shop' tells", lambda text: two(shop=["a", None]).to_csv(index=False)),
    "by chance": (weeks(), None, lambda text: by_chance(np.arange(211) % 5).to_csv(index=False)),
    "many words": (weeks(), None, lambda text: by_chance([f"row {row}" for row in range(211)]).to_csv(index=False)),
    "shares": (weeks(), None, lambda text: two(share=[0.5, 0.25]).to_csv(index=False)),
    "numbers or none": (weeks(), None, lambda text: two(share=[1, None]).to_csv(index=False)),
    "with times": (weeks(), None, lambda text: re.sub(r"(\d{4}-\d\d-\d\d)", r"\1 14:30:00+02:00", text)),
    "a time is odd": (weeks(), "after 2021-02-19", lambda text: text.replace("2021-02-20,", "2021-02-20 01:00,")),
    "weekdays": (workdays(), None, lambda text: text),
    "weekdays at two": (workdays(), None, lambda text: re.sub(r"(\d{4}-\d\d-\d\d)", r"\1 14:00", text)),
    "a weekday is missing": (workdays(), "after 2021-02-19 comes 2021-02-23", lambda text: without(text, "2021-02-22")),
    "Fridays": (fridays(), None, lambda text: text),
    "a Friday is missing": (fridays(), "after 2021-02-12 comes 2021-02-26", lambda text: without(text, "2021-02-19")),
    "a Saturday": (workdays(), "after 2021-01-01 comes 2021-01-04", lambda text: text + "2021-02-20,50,50\n"),
    "two weekdays' times": (
        workdays(),
        "after 2021-01-01 comes 2021-01-04",
        lambda text: text.replace("2021-02-19", "2021-02-19 01:00"),
    ),
    "years": (pd.DataFrame({"day": range(1900, 1960), "sold": np.arange(60) % 7.0}), None, lambda text: text),
    "a year is missing": (
        pd.DataFrame({"day": range(1900, 1960), "sold": np.arange(60) % 7.0}),
        "after 1929 comes 1931",
        lambda text: without(text, "1930"),
    ),
}
"""What a network learns from, what is said of the file (None: it is forecast), and how that differs from the first."""


def without(text: str, start: str) -> str:
    """The lines of a text that do not begin so."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(start))


@pytest.mark.parametrize("name", HARD)
def test_the_exported_script_takes_and_refuses_what_netwright_does(name: str, shipped: Any, tmp_path: Path) -> None:
    """On dates that are sound and that are not: the same inputs of the network, or a refusal that names the place."""
    frame, message, change = HARD[name]
    constants = forecast.learn(cut(frame, date="day"))
    (tmp_path / "new.csv").write_text(change(frame.to_csv(index=False)))
    data = shipped._csv(tmp_path / "new.csv")
    if message is None:
        inputs = forecast.apply(constants, forecast.read_new(tmp_path / "new.csv"))
        np.testing.assert_allclose(inputs, shipped._windows(data, constants), rtol=1e-6)
        return
    with pytest.raises(DataError, match=message):
        forecast.apply(constants, forecast.read_new(tmp_path / "new.csv"))
    with pytest.raises(shipped.Refused, match=message):
        shipped._windows(data, constants)


def test_a_gap_counts_in_the_series_that_are_forecast_alone(shipped: Any, tmp_path: Path) -> None:
    """One in a series that the network does not know is passed over, here and in the exported script."""
    frame = two(shop=["a", "b"])
    constants = forecast.learn(cut(frame, series="shop"))
    more = pd.concat([frame, weeks().assign(shop="c").drop(index=50)])
    more.to_csv(tmp_path / "new.csv", index=False)
    inputs, data = forecast.apply(constants, more), shipped._csv(tmp_path / "new.csv")
    np.testing.assert_array_equal(forecast.apply(constants, frame), inputs)
    np.testing.assert_allclose(inputs, shipped._windows(data, constants), rtol=1e-6)
    gap = more.drop(index=60)
    gap.to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(DataError, match="after 2021-03-01 comes 2021-03-03: the dates of 'a'"):
        forecast.apply(constants, gap)
    with pytest.raises(shipped.Refused, match="after 2021-03-01 comes 2021-03-03: the dates of the series 'a'"):
        shipped._windows(shipped._csv(tmp_path / "new.csv"), constants)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["2010-10-31", "2010-11-30", "2010-12-31"], ["2011-01-31", "2011-02-28", "2011-03-31"]),
        (["2011-10-30", "2011-11-30", "2011-12-30"], ["2012-01-30", "2012-02-29", "2012-03-30"]),
        (["2010-03-31", "2010-06-30", "2010-09-30"], ["2010-12-31", "2011-03-31", "2011-06-30"]),
        (["2010-01-15", "2010-02-15", "2010-03-15"], ["2010-04-15", "2010-05-15", "2010-06-15"]),
        (["2010-02-28T06:00", "2010-03-31T06:00"], ["2010-04-30T06:00", "2010-05-31T06:00", "2010-06-30T06:00"]),
    ],
)
def test_dates_at_the_end_of_a_month(given: list[str], expected: list[str]) -> None:
    """The last day stays the last day, and a day that a month lacks is its last one."""
    dates = np.array(given, dtype="datetime64[s]")
    assert forecast.dates_after(dates, 3, len(dates)).tolist() == np.array(expected, dtype="datetime64[s]").tolist()
