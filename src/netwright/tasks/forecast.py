"""Forecasts: one or several series over time, with or without covariates; what is predicted are the next steps.

A row is a window: ``lookback`` steps of one series, and the ``horizon`` steps after it as its target. Windows are cut
from all series, and one network learns from all of them. Parts of the data lie one after the other in time, and no
step that is predicted in one part is predicted in another. Numbers come in units of the mean absolute error that the
seasonal naive forecast (the value one season before) makes on the steps of training, so that a network's mean absolute
error is the scaled error, MASE, of Hyndman and Koehler (2006).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from netwright.errors import DataError, InputError, nearest
from netwright.tasks import tables
from netwright.tasks.checks import as_array, check_memory, check_names, collected, is_frame, is_missing, shorten
from netwright.tasks.columns import OTHER_DAY
from netwright.tasks.kinds import Source

if TYPE_CHECKING:
    from netwright.training.splits import Split

Array = np.ndarray[Any, Any]

TEST, SELECTION, VALIDATION = 0.2, 0.15, 0.2
"""Parts of the steps, each of what is left by those before it; the later ones in time are the test."""
SEASONS = {"hour": 24, "day": 7, "weekday": 5, "week": 52, "month": 12, "quarter": 4}
"""The steps after which a series is taken to be alike, by how far apart its dates are."""
SECONDS = {"hour": 3600, "day": 86_400, "week": 604_800}
BETWEEN = 4
"""The part of windows across a border of the first three parts, which have the numbers 0 to 2; the test has 3."""
LEAST = 8
"""The fewest windows to train on."""
ORIGINS = 5
"""So often finalists are judged by what came next, where few windows would judge them."""
DIGITS = 1000
"""Values that are so many naive errors large in the mean lose too many digits where their mean is not taken off."""
CORRELATED = 0.3
"""From so much correlation with itself on, a series without dates has a season."""
OTHER_DATE = re.compile(
    rf"{OTHER_DAY}|\d{{1,2}}[./-]\d{{4}}|\d{{4}}[./]\d{{1,2}}|\d{{1,2}}/\d{{1,2}}|\d{{1,2}}\.\d{{1,2}}\."
)
"""What somebody takes for a date that is not read as one: 19.01.2021, 1/19/21 14:00, 2021/01/19, 01.2021, 19.01."""


@dataclass(frozen=True)
class Columns:
    """Which columns are what; ``series`` names the series that a row belongs to, where they stand below each other."""

    targets: tuple[str, ...]
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    date: str | None = None
    series: str | None = None

    @property
    def covariates(self) -> tuple[str, ...]:
        """Those that are known in advance first."""
        return self.known + self.past


@dataclass(frozen=True)
class OneSeries:
    """A series in order: ``values`` (1 + covariates, steps), the target first; ``dates`` or None."""

    name: str
    values: Array = field(repr=False)
    dates: Array | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Windows:
    """N windows on some series: ``places`` (N, 2) are the series and the first step, ``parts`` (N,) the part of each.

    Parts are 0 training, 1 validation, 2 selection, 3 test, 4 between two of the first three, of which a step is
    predicted in both. ``notes`` tell what was mended in the data.
    """

    series: tuple[OneSeries, ...]
    columns: Columns
    lookback: int
    horizon: int
    season: int
    places: Array = field(repr=False)
    parts: Array = field(repr=False)
    notes: tuple[str, ...] = ()

    kind: ClassVar[str] = "forecast"

    def __len__(self) -> int:
        return len(self.places)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self), 1 + len(self.columns.covariates), self.lookback + self.horizon


def windows(
    frame: Any,
    *,
    horizon: int,
    target: str | Sequence[str] | None = None,
    lookback: int | None = None,
    season: int | None = None,
    date: str | None = None,
    series: str | None = None,
    known: str | Sequence[str] = (),
    past: str | Sequence[str] = (),
    what: str = "X",
) -> Windows:
    """Windows on a data frame, a pandas Series, or an array (steps,) or (steps, series); dates may be the index.

    ``target`` names one column or several; ``series`` the column that says which series a row belongs to, where several
    stand below each other. ``known`` are covariates that will be known for the steps to come, ``past`` those that will
    not. ``date`` is found where it is not named; "none" takes the rows in their order. Without ``lookback`` it is two
    seasons (four of a long series), and at least two horizons, as far as the series are long enough; without ``season``
    it is what the distance of dates suggests, or the step at which the series are most like themselves.

    Rows are sorted by date, and of rows of one date the first is kept, with a note; another note where a frame has no
    dates. DataError for a gap between dates, dates that are written otherwise, missing values, a target that never
    changes, and series that are too short.
    """
    whole = {"horizon": horizon, "lookback": lookback, "season": season}
    for name, value in whole.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1):
            raise InputError(f"{name} is a whole number of steps from 1 on, found {value!r}")
    frame = _frame(frame, what)
    notes: list[str] = []
    if date is None:
        date = _find_date(frame, what, {*_names(target), *_names(known), *_names(past), series}, notes)
    elif date == "none" and date not in frame:
        date = None
    columns = _columns(frame, what, _names(target), _names(known), _names(past), date, series)
    rows = tuple(_read_series(frame, columns, what, notes))
    for each in rows:
        _check(each, columns, what)
    shortest = min(rows, key=lambda each: each.values.shape[1])
    steps = shortest.values.shape[1]
    given = {"lookback": lookback, "season": None if lookback else season}
    season = season or _season(rows, horizon)
    lookback = lookback or _lookback(steps, horizon, season)
    if season > lookback:
        raise InputError(f"the season of {season} steps is longer than the lookback of {lookback}")
    places, parts = [], []
    for number, each in enumerate(rows):
        starts, part = _cut(each.values.shape[1], lookback, horizon)
        if not _enough(part):
            asked = [f"a {name} of {value}" for name, value in {"horizon": horizon, **given}.items() if value]
            raise DataError(
                f"the series {shorten(each.name)} has {each.values.shape[1]:,} steps; {' and '.join(asked)}"
                f" need{'s' * (len(asked) == 1)} {_needed(lookback, horizon):,}, to train, choose and test on ({what})",
                hint=f"Give a longer series, or a smaller {asked[-1].split()[1]}",
            )
        places.append(np.stack([np.full(len(starts), number), starts], 1))
        parts.append(part)
    return Windows(
        rows, columns, int(lookback), int(horizon), int(season), np.concatenate(places), np.concatenate(parts),
        tuple(notes),
    )  # fmt: skip


def take(X: Any, name: str = "X") -> Windows:
    """Windows as they are; InputError for anything else, of which a horizon is not known."""
    if isinstance(X, Windows):
        return X
    raise InputError(
        f"{name} is to be forecast for how many steps?",
        hint="Use TimeSeriesForecaster(horizon=…), or netwright search FILE.csv --task forecast --horizon 14",
    )


def learn(X: Windows, places: Array | None = None) -> dict[str, Any]:
    """Of each series the mean and the error of the naive forecast, of covariates mean and deviation, of those steps
    that the windows at these places see (None: all).

    Where no series is ever negative 0 stands in place of the means, so that a network may take logarithms
    (``positive``), unless that would cost digits.
    """
    chosen = X.places if places is None else X.places[places]
    known: list[dict[str, Any]] = []
    covariates = []
    positive = True
    for number, each in enumerate(X.series):
        starts = chosen[chosen[:, 0] == number, 1]
        end = int(starts.max()) + X.lookback + X.horizon if len(starts) else each.values.shape[1]
        target = each.values[0, :end]
        known.append({"name": each.name, "center": float(target.mean()), "scale": naive_error(target, X.season)})
        covariates.append(each.values[1:, :end])
        positive &= bool(target.min() >= 0) and known[-1]["center"] < DIGITS * known[-1]["scale"]
    if positive:
        known = [{**about, "center": 0.0} for about in known]
    columns = []
    for place, name in enumerate(X.columns.covariates):
        values = np.concatenate([each[place] for each in covariates])
        std = float(values.std())
        columns.append({"name": name, "mean": float(values.mean()), "std": std if std > 0 else 1.0})
    return {
        "lookback": X.lookback,
        "horizon": X.horizon,
        "season": X.season,
        "series": known,
        "positive": positive,
        "covariates": columns,
        "known": len(X.columns.known),
        "targets": list(X.columns.targets),
        "date": X.columns.date,
        "by": X.columns.series,
    }


def naive_error(values: Array, season: int) -> float:
    """The mean absolute error of the seasonal naive forecast within a series; 1 where that is exact."""
    if len(values) <= season:
        return float(np.abs(values - values.mean()).mean()) or 1.0
    return float(np.abs(values[season:] - values[:-season]).mean()) or 1.0


def apply(constants: Mapping[str, Any], X: Any, name: str = "X") -> Array:
    """Inputs of a network, float32 (N, 1 + covariates, lookback + horizon), the target first, then known covariates.

    What will not be known is 0 from the end of the lookback on. Of a frame (or an array of one column a series) the
    last window of each series, in the order of training; known covariates have to go on for a horizon, in rows whose
    target is missing.
    """
    if isinstance(X, Windows):
        pairs = [(number, X.series[number].values[:, start:]) for number, start in X.places]
    else:
        rows = X if isinstance(X, list) and all(isinstance(one, OneSeries) for one in X) else found(constants, X, name)
        pairs = [(number, _last(constants, one)) for number, one in enumerate(rows)]
    lookback, horizon, known = constants["lookback"], constants["horizon"], constants["known"]
    width = lookback + horizon
    inputs = np.zeros((len(pairs), 1 + len(constants["covariates"]), width), dtype=np.float32)
    check_memory(len(pairs), inputs[0].size)
    mean, std = (np.array([each[name] for each in constants["covariates"]])[:, None] for name in ("mean", "std"))
    for row, (number, values) in enumerate(pairs):
        about = constants["series"][number]
        inputs[row, 0, :lookback] = (values[0, :lookback] - about["center"]) / about["scale"]
        if len(values) > 1:
            scaled = (values[1:, :width] - mean) / std
            inputs[row, 1 : 1 + known] = scaled[:known]
            inputs[row, 1 + known :, :lookback] = scaled[known:, :lookback]
    return inputs


def targets(constants: Mapping[str, Any], X: Windows) -> Array:
    """The steps after each window (N, horizon), float32, in units of the naive error of its series."""
    made = np.zeros((len(X), X.horizon), dtype=np.float32)
    for row, (number, start) in enumerate(X.places):
        about, first = constants["series"][number], start + X.lookback
        values = X.series[number].values[0, first : first + X.horizon]
        made[row] = (values - about["center"]) / about["scale"]
    return made


def naive(constants: Mapping[str, Any], inputs: Array) -> Array:
    """The seasonal naive forecast (N, horizon) for inputs of a network: what a forecast has to be better than."""
    lookback, horizon, season = (constants[name] for name in ("lookback", "horizon", "season"))
    return np.asarray(inputs[:, 0, [lookback - season + step % season for step in range(horizon)]])


def split(X: Windows, seed: int, own: bool) -> Split:
    """The parts in the order of time; ``seed`` changes nothing."""
    from netwright.training.splits import Split as Parts

    names = ("train", "validation", "selection", "test", "between")
    return Parts(**{name: np.flatnonzero(X.parts == part) for part, name in enumerate(names)}, origins=_origins(X))


def _origins(X: Windows) -> Array:
    """Up to five origins in the later half of what is not the test, (origins, windows), as a Split has them.

    A window of which a step is predicted on both sides of an origin counts for neither.
    """
    found = np.zeros((ORIGINS, len(X)), dtype=np.int8)
    for number in range(len(X.series)):
        rows = np.flatnonzero((X.places[:, 0] == number) & (X.parts != 3))
        starts = X.places[rows, 1]
        end = int(starts.max()) + 1
        first = min(max(LEAST + X.horizon - 1, end // 2), end)
        edges = np.linspace(first, end, ORIGINS + 1).astype(int)
        for origin, (here, after) in enumerate(pairwise(edges)):
            found[origin, rows[starts + X.horizon <= here]] = 1
            found[origin, rows[(starts >= here) & (starts < after)]] = 2
    useful: Array = ((found == 1).sum(1) >= LEAST) & (found == 2).any(1)
    return np.asarray(found[useful])


def facts(constants: Mapping[str, Any]) -> dict[str, Any]:
    """How many steps a season has, how many covariates are known in advance, and whether logarithms may be taken."""
    positive = constants.get("positive", False)
    return {"season": constants["season"], "known": constants["known"], "positive": positive}


def describe(constants: Mapping[str, Any]) -> str:
    """How raw rows become inputs of the network."""
    return (
        f"windows of {constants['lookback']} steps (and the covariates of the {constants['horizon']} after them) of"
        f" {', '.join(shorten(each['name']) for each in constants['series'][:8])}; scaled as in manifest.json"
    )


def decode(constants: Mapping[str, Any], outputs: Array) -> Array:
    """Forecasts (series, horizon) in the unit of each series, of a network's outputs for the last windows."""
    about = constants["series"]
    if len(outputs) != len(about):
        raise InputError(f"there are {len(outputs)} windows, one of each of {len(about)} series is forecast")
    center, scale = (np.array([each[name] for each in about])[:, None] for name in ("center", "scale"))
    return np.asarray(outputs.astype(np.float64) * scale + center)


def answers(preprocessing: Mapping[str, Any], outputs: Array) -> dict[str, Any]:
    """``predictions``, a list of the steps to come for each of ``series``."""
    constants = preprocessing["inputs"]
    names = [each["name"] for each in constants["series"]]
    return {"predictions": decode(constants, outputs).tolist(), "series": names, "horizon": constants["horizon"]}


def read(path: Path, target: str | None, **options: Any) -> Source:
    """A CSV or Parquet file; the options are those of :func:`windows`, ``horizon`` is needed."""
    if "horizon" not in options:
        raise InputError(f"{path} is to be forecast for how many steps?", hint="Say so: --horizon 14")
    known = ("horizon", "lookback", "season", "date", "series", "known", "past")
    for name in options:
        if name not in known:
            raise InputError(f"a forecast has no option '{name}'", hint=nearest(name, known).capitalize())
    # A column may be called 7.
    named: dict[str, Any] = {}
    for name in {"date", "series", "known", "past"} & options.keys():
        named[name] = str(options[name])
    frame = tables.read_file(path, [named["series"]] if "series" in named else ())
    options.update(named)
    return Source(windows(frame, target=target, what=str(path), **options))


def read_new(path: Path, preprocessing: Mapping[str, Any] | None = None) -> Any:
    """The rows to go on from, in a CSV or Parquet file; names of series such as 01 stay as they are written."""
    by = None if preprocessing is None else preprocessing["inputs"]["by"]
    return tables.read_file(path, () if by is None else [by])


def dates_after(dates: Array | None, steps: int, count: int) -> Array:
    """The dates of the next steps, at the distance of those that there were; whole numbers where there are none."""
    if dates is None or len(dates) < 2:
        return np.arange(count, count + steps)
    if dates.dtype.kind in "iu":
        return np.asarray(dates[-1] + (dates[-1] - dates[-2]) * np.arange(1, steps + 1))
    if _are_weekdays(dates):
        days = dates[-1].astype("datetime64[D]")
        return np.asarray(np.busday_offset(days, np.arange(1, steps + 1)) + (dates[-1] - days))
    months = np.diff(dates.astype("datetime64[M]").astype(int))
    if (np.diff(dates) >= np.timedelta64(28, "D")).all():
        next_months = dates[-1].astype("datetime64[M]") + np.median(months).astype(int) * np.arange(1, steps + 1)
        within = dates - dates.astype("datetime64[M]").astype(dates.dtype)
        # February has no 30th, and where all are the last days of their months the next ones are.
        last = _last_days(next_months)
        at_end = bool((within.astype("timedelta64[D]") == _last_days(dates.astype("datetime64[M]"))).all())
        days = last if at_end else np.minimum(within.max().astype("timedelta64[D]"), last)
        return np.asarray(next_months.astype(dates.dtype) + days + (within[-1] - within[-1].astype("timedelta64[D]")))
    return np.asarray(dates[-1] + np.median(np.diff(dates).astype(np.int64)).astype(int) * np.arange(1, steps + 1))


def _last_days(months: Array) -> Array:
    """How many days after the first of each month its last day is."""
    days = (months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")
    return np.asarray(days - np.timedelta64(1, "D"))


def read_dates(values: Array, name: str, what: str) -> Array:
    """Dates as datetime64[s]; whole numbers stay numbers.

    Texts are like 2021-03-31, 2021-03, 2021-03-31 14:00, or 03/31/2021 (month first, unless a first number is above
    12).
    """
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    if values.dtype.kind == "M":
        made = values.astype("datetime64[s]")
        if np.isnat(made).any():
            raise DataError(f"{what} has rows without a date in {shorten(name)}", hint="Leave them out")
        return made
    texts = [str(value).strip() for value in values]
    parts = [re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text) for text in texts]
    if all(parts):
        numbers = np.array([[int(number) for number in part.groups()] for part in parts if part])
        day = 0 if (numbers[:, 0] > 12).any() else 1
        texts = [f"{row[2]:04}-{row[1 - day]:02}-{row[day]:02}" for row in numbers]
    made = np.zeros(len(texts), dtype="datetime64[s]")
    for row, text in enumerate(texts):
        try:
            if not re.match(r"\d{4}-\d\d", text):
                raise ValueError
            made[row] = np.datetime64(re.sub(r"(?:Z|[+-]\d\d:\d\d)$", "", text), "s")
        except ValueError:
            raise DataError(
                f"row {row + 1} of {what} has no date in {shorten(name)}: {shorten(text)}",
                hint="Write dates as 2021-03-31, 2021-03, 2021-03-31 14:00 or 03/31/2021",
            ) from None
    return made


def _names(names: str | Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return ()
    return tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else tuple(names)


def _frame(X: Any, what: str) -> dict[str, Array]:
    """Columns by their names."""
    X = collected(X)
    if is_frame(X):
        return _of_pandas(tables.as_pandas(X) if type(X).__module__.partition(".")[0] == "polars" else X, what)
    if type(X).__module__.partition(".")[0] == "pandas" and hasattr(X, "index"):
        return _of_pandas(X.to_frame("column 0" if X.name is None else X.name), what)
    if isinstance(X, Mapping):
        return {str(name): np.asarray(values) for name, values in X.items()}
    array = as_array(X, what)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise DataError(
            f"{what} of shape {array.shape} holds no series over time",
            hint="Give a data frame, or an array of numbers (steps,) or (steps, series)",
        )
    return {f"column {place}": array[:, place] for place in range(array.shape[1])}


def _of_pandas(frame: Any, what: str) -> dict[str, Array]:
    """The columns of a frame, and those of its index where that holds anything but numbers, such as dates.

    DataError where two of them have one name. An index of dates beside a column of that name that has dates, too, is
    that column: ``frame.index = pandas.to_datetime(frame["date"])`` leaves both.
    """
    names = [str(name) for name in frame.columns]
    check_names(names, what)
    columns = {name: _values(frame.iloc[:, place]) for place, name in enumerate(names)}
    index = frame.index
    levels = [index.get_level_values(place).to_series() for place in range(index.nlevels)]
    if all(level.dtype.kind in "biuf" for level in levels):
        return columns
    usual = ["date"] if len(levels) == 1 else [f"level {place}" for place in range(len(levels))]
    beside = {str(level.name or name): _values(level) for level, name in zip(levels, usual, strict=True)}
    for name in filter(columns.__contains__, (str(level.name) for level in levels)):
        if not (_is_date(beside[name]) and _is_date(columns[name])):
            raise DataError(
                f"{what} has a column and an index that are called {shorten(name)}",
                hint="Rename one of them, or leave the index out: frame.reset_index(drop=True)",
            )
    return beside | columns


def _values(column: Any) -> Array:
    """A column of a frame as an array, of periods their first moments."""
    return np.asarray((column.dt.to_timestamp() if str(column.dtype).startswith("period") else column).to_numpy())


def _columns(
    frame: Mapping[str, Array],
    what: str,
    targets: tuple[str, ...],
    known: tuple[str, ...],
    past: tuple[str, ...],
    date: str | None,
    series: str | None,
) -> Columns:
    for name in (*targets, *known, *past, *(each for each in (date, series) if each is not None)):
        if name not in frame:
            raise DataError(
                f"{what} has no column {shorten(name)}", hint=f"Its columns are {', '.join(list(frame)[:12])}"
            )
    if not targets:
        free = [
            name
            for name, values in frame.items()
            if name not in (*known, *past, date, series) and not tables.numbers_rows(name, values)
        ]
        rest = free if len(free) == 1 else [name for name in free if frame[name].dtype.kind in "biuf"]
        if not rest or (len(rest) > 1 and not _is_array(frame)):
            raise InputError(
                f"which column of {what} is to be forecast?",
                hint=f"Name it with --target (target= in Python): {', '.join(rest[:8]) or 'none holds numbers'}",
            )
        targets = tuple(rest)
    if series is not None and len(targets) > 1:
        raise InputError("with a column that names the series, one column is the target")
    twice = [name for name in targets if name in (*known, *past)]
    if twice:
        raise InputError(f"{shorten(twice[0])} is the target and a covariate")
    return Columns(targets, known, past, date, series)


def _find_date(frame: Mapping[str, Array], what: str, others: set[str | None], notes: list[str]) -> str | None:
    """The first column that looks like dates; without one a note, and DataError where one may be meant."""
    free = {name: values for name, values in frame.items() if name not in others}
    for name, values in free.items():
        if _is_date(values):
            return name
    for name, values in free.items():
        texts = _there(values)
        if texts and all(OTHER_DATE.fullmatch(text) for text in texts):
            raise DataError(
                f"{shorten(name)} of {what} looks like dates that are written otherwise: {shorten(texts[0])}",
                hint="Write them as 2021-01-19, or take the rows in their order: --option date=none (date= in Python)",
            )
    if not _is_array(frame):
        _note(notes, f"no column of dates was found in {what}: its rows are taken in their order")
    return None


def _is_date(values: Array) -> bool:
    if values.dtype.kind == "M":
        return True
    texts = _there(values[:1]) or _there(values)
    return bool(texts) and re.match(r"\d{4}-\d\d|\d{1,2}/\d{1,2}/\d{4}", texts[0]) is not None


def _there(values: Array) -> list[str]:
    """The texts of a column without those that are missing; none of a column of numbers."""
    if values.dtype.kind in "biuf":
        return []
    return [str(value).strip() for value in values if str(value) not in ("None", "nan", "NaT", "<NA>")]


def _is_array(frame: Mapping[str, Array]) -> bool:
    """Whether the columns are those of an array, which have no names."""
    return all(name.startswith("column ") for name in frame)


def _read_series(
    frame: Mapping[str, Array], columns: Columns, what: str, notes: list[str], only: Sequence[str] | None = None
) -> list[OneSeries]:
    """Every series (or ``only`` those) in order of its dates, without repeated ones."""
    dates = None if columns.date is None else read_dates(frame[columns.date], columns.date, what)
    if dates is not None and columns.series is None:
        used = {*columns.targets, *columns.covariates, columns.date}
        _check_repeated(dates, {name: values for name, values in frame.items() if name not in used}, what)
    covariates = [_numbers(frame[name], name, what) for name in columns.covariates]
    made = []
    if columns.series is None:
        rows = np.arange(len(next(iter(frame.values()))))
        groups = [(name, _numbers(frame[name], name, what), rows) for name in columns.targets]
    else:
        ids = np.array([str(value) for value in frame[columns.series]])
        numbers = _numbers(frame[columns.targets[0]], columns.targets[0], what)
        groups = [(str(name), numbers, np.flatnonzero(ids == name)) for name in dict.fromkeys(ids.tolist())]
    for name, target, rows in groups:
        if only is not None and name not in only:
            continue
        values = np.stack([target[rows], *(each[rows] for each in covariates)])
        when = None
        if dates is not None:
            when = dates[rows]
            order = np.argsort(when, kind="stable")
            if (order != np.arange(len(order))).any():
                _note(notes, f"the rows of {what} were sorted by {columns.date}")
            keep = order[np.concatenate([[True], np.diff(when[order].astype(np.int64)) != 0])]
            if len(keep) < len(rows):
                _note(notes, _said_twice(when[order], what))
            values, when = values[:, keep], when[keep]
            _check_gaps(when, name, what)
        made.append(OneSeries(name, values, when))
    return made


def _check_repeated(dates: Array, others: Mapping[str, Array], what: str) -> None:
    """DataError where dates are repeated because several series stand below each other, and nobody said so.

    A column tells them apart if no two rows of a date have the same value and its values are few: of words one for so
    many rows as a series needs; whole numbers, which may differ by chance, where each has nearly all of the dates.
    """
    rows, moments = len(dates), len(np.unique(dates))
    for name, values in others.items() if moments < rows else ():
        texts = np.array([str(value) for value in values])
        kinds = len(set(texts.tolist()))
        few = 4 * rows >= 3 * kinds * moments if values.dtype.kind in "iu" else LEAST * kinds <= rows
        if few and values.dtype.kind != "f" and len(set(zip(dates.tolist(), texts.tolist(), strict=True))) == rows:
            raise DataError(
                f"{rows - moments:,} rows of {what} repeat a date, and {shorten(name)} tells them apart",
                hint=f"Say so: --option {quote('series=' + name)} (series= in Python); or keep the rows of one alone",
            )


def _said_twice(dates: Array, what: str) -> str:
    """What to say of rows, in order, that repeat a date: an hour at night stands twice where summer time ends."""
    twice = dates[1:][np.diff(dates.astype(np.int64)) == 0]
    if _are_changes_of_clocks(dates, twice) and len(set(twice.tolist())) == len(twice):
        return (
            f"{_day(twice[0])} stands twice in {what}, as where summer time ends: the second row was left out"
            " (write the times in UTC to keep both)"
        )
    return f"{len(twice):,} rows of {what} repeat a date and were left out"


def _are_changes_of_clocks(dates: Array, moments: Array) -> bool:
    """Whether these moments of hourly dates, or of finer ones, may be where clocks change: two nights a year."""
    if dates.dtype.kind != "M" or not len(moments) or np.median(np.diff(dates.astype(np.int64))) > SECONDS["hour"]:
        return False
    days = moments.astype("datetime64[D]")
    at_night = (moments - days).astype(np.int64) <= 4 * SECONDS["hour"]
    _, counts = np.unique(np.unique(days).astype("datetime64[Y]"), return_counts=True)
    return bool(at_night.all() and (counts <= 2).all())


def _note(notes: list[str], text: str) -> None:
    if text not in notes:
        notes.append(text)


def _numbers(values: Array, name: str, what: str) -> Array:
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        made = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        try:
            made[row] = np.nan if is_missing(value) else float(value)
        except (TypeError, ValueError):
            raise DataError(
                f"row {row + 1} of {what} holds {shorten(value)} in the column {shorten(name)}, expected a number",
                hint="Targets and covariates are numbers, with a point for decimals",
            ) from None
    return made


def _check_gaps(dates: Array, name: str, what: str) -> None:
    if len(dates) < 3:
        return
    steps: Array = np.diff(dates.astype(np.int64))
    if dates.dtype.kind == "M" and steps.min() >= 28 * 86_400:
        steps = np.diff(dates.astype("datetime64[M]").astype(np.int64))
    if _are_weekdays(dates):
        days = dates.astype("datetime64[D]")
        steps = np.busday_count(days[:-1], days[1:])
    odd = np.flatnonzero(steps != np.median(steps))
    hour = SECONDS["hour"]
    if len(odd) and _are_changes_of_clocks(dates, dates[odd]) and (steps[odd] == np.median(steps) + hour).all():
        raise DataError(
            f"after {_day(dates[odd[0]])} comes {_day(dates[odd[0] + 1])}: the hour between is missing in"
            f" {shorten(name)} of {what}, as where summer time begins",
            hint="Write the times in UTC, or add that hour",
        )
    if len(odd):
        raise DataError(
            f"after {_day(dates[odd[0]])} comes {_day(dates[odd[0] + 1])}: the dates of {shorten(name)} in {what}"
            f" are not evenly apart{f' at {len(odd):,} places' if len(odd) > 1 else ''}",
            hint="Add rows, sum up by weeks, or ignore dates: --option date=none (date= in Python)",
        )


def _are_weekdays(dates: Array) -> bool:
    """Whether these are days from Monday to Friday alone, over a weekend or more, at the same time each."""
    if dates.dtype.kind != "M" or len(dates) < 3:
        return False
    days = dates.astype("datetime64[D]")
    steps = set(np.diff(days.astype(np.int64)).tolist())
    return {1, 3} <= steps and bool(np.is_busday(days).all() and (dates - days == dates[0] - days[0]).all())


def _day(date: Any) -> str:
    return str(date).removesuffix("T00:00:00").replace("T", " ").removesuffix(":00")


def _check(one: OneSeries, columns: Columns, what: str) -> None:
    if not one.values.shape[1]:
        raise DataError(f"the series {shorten(one.name)} of {what} has no steps")
    for place, name in enumerate((one.name, *columns.covariates)):
        _check_finite(one, place, name, slice(0, one.values.shape[1]), what)
    if np.ptp(one.values[0]) == 0:
        raise DataError(
            f"{shorten(one.name)} of {what} has the same value, {one.values[0, 0]:g}, in all"
            f" {one.values.shape[1]:,} steps",
            hint="There is nothing to learn",
        )


def _check_finite(one: OneSeries, place: int, name: str, steps: slice, what: str) -> None:
    """DataError with the first of these steps of a series at which the target, or a covariate, has no number."""
    values = one.values[place, steps]
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        step = steps.start + bad[0]
        where = f"step {step + 1}" if one.dates is None else _day(one.dates[step])
        of = f" of {shorten(one.name)}" if place else ""
        raise DataError(
            f"{shorten(name)}{of} has no finite number at {where} ({len(bad):,} of {len(values):,} steps of {what})",
            hint=f"Fill them in, or leave out the {'covariate' if place else 'series'}",
        )


def _season(series: Sequence[OneSeries], horizon: int) -> int:
    """What the dates suggest, where there are three of it; else by the first series' correlation with itself."""
    steps = min(each.values.shape[1] for each in series)
    most = max(1, min((steps - horizon) // 4, steps - _needed(0, horizon)))
    dates = series[0].dates
    if dates is not None and dates.dtype.kind == "M" and len(dates) > 2:
        distance = float(np.median(np.diff(dates).astype(np.int64)))
        months = float(np.median(np.diff(dates.astype("datetime64[M]").astype(int))))
        near = {name for name, seconds in SECONDS.items() if distance == seconds}
        near = {"weekday"} if _are_weekdays(dates) else near
        near |= {"month"} if months == 1 and distance > SECONDS["week"] else {"quarter"} if months == 3 else set()
        for name in near:
            return SEASONS[name] if SEASONS[name] <= most else 1
    return _likeness(series[0].values[0], most)


def _likeness(values: Array, most: int) -> int:
    """The lag of the highest peak of the autocorrelation of a series without its linear trend; 1 where none is high."""
    time = np.arange(len(values))
    rest = values - np.polyval(np.polyfit(time, values, 1), time)
    power = np.abs(np.fft.rfft(rest, 2 * len(rest))) ** 2
    correlation = np.fft.irfft(power)[: most + 2]
    if correlation[0] <= 0:
        return 1
    correlation = correlation / correlation[0]
    inner = correlation[1:-1]
    peaks = np.flatnonzero((inner > correlation[:-2]) & (inner >= correlation[2:]) & (inner > CORRELATED)) + 1
    return int(peaks[np.argmax(correlation[peaks])]) if len(peaks) else 1


def _lookback(steps: int, horizon: int, season: int) -> int:
    """Two seasons and two horizons, twice that of long series, less of short ones; a season at least.

    Short series are better learned from short windows, of which there are more.
    """
    wished = max(2 * season, 2 * horizon, 8)
    if steps > 20 * wished:
        wished *= 2
    return int(max(season, min(wished, steps // 4, steps - _needed(0, horizon))))


def _needed(lookback: int, horizon: int) -> int:
    """The fewest steps for which each part has a window, and training some."""
    steps = lookback + 4 * horizon
    while not _enough(_cut(steps, lookback, horizon)[1]):
        steps += 1
    return steps


def _enough(parts: Array) -> bool:
    return set(parts.tolist()) >= {0, 1, 2, 3} and int((parts == 0).sum()) >= LEAST


def _cut(steps: int, lookback: int, horizon: int) -> tuple[Array, Array]:
    """The first steps of the windows on a series, and the part of each; those across the test's border are left out."""
    room = steps - lookback
    ends, last = [], room
    for fraction in (TEST, SELECTION, VALIDATION):
        size = max(horizon, round(fraction * last))
        ends.append(last)
        last -= size
    starts = np.arange(max(0, room - horizon + 1))
    borders = [0, last, *reversed(ends[1:]), ends[0]] if ends else [0]
    part = np.full(len(starts), -1)
    for number in range(4):
        part[(starts >= borders[number]) & (starts + horizon <= borders[number + 1])] = number
    part[(part < 0) & (starts + horizon <= borders[3])] = BETWEEN
    return starts[part >= 0], part[part >= 0]


def found(constants: Mapping[str, Any], X: Any, what: str = "X") -> list[OneSeries]:
    """The series of new rows, in the order of training; DataError where one is not there."""
    frame = _frame(X, what)
    names = [each["name"] for each in constants["covariates"]]
    known, date = constants["known"], constants["date"]
    if date is not None and date not in frame:
        raise DataError(f"{what} has no column {shorten(date)}, by which its rows are sorted")
    targets = tuple(constants["targets"])
    columns = _columns(frame, what, targets, tuple(names[:known]), tuple(names[known:]), date, constants["by"])
    wanted = [each["name"] for each in constants["series"]]
    rows = {each.name: each for each in _read_series(frame, replace(columns, date=date), what, [], wanted)}
    absent = [name for name in wanted if name not in rows]
    if absent:
        raise DataError(f"{what} has no rows of the series {shorten(absent[0])}, which the network was trained on")
    return [rows[name] for name in wanted]


def length(one: OneSeries) -> int:
    """How many steps there are up to the last whose target is there."""
    there = np.flatnonzero(~np.isnan(one.values[0]))
    return int(there[-1]) + 1 if len(there) else 0


def _last(constants: Mapping[str, Any], one: OneSeries) -> Array:
    """The last window (1 + covariates, lookback + horizon): steps whose target is there, and known covariates ahead."""
    lookback, horizon, known = constants["lookback"], constants["horizon"], constants["known"]
    end = length(one)
    if end < lookback:
        raise DataError(
            f"the series {shorten(one.name)} has {end} steps, the network looks back on {lookback}",
            hint="Give more of its past",
        )
    made = np.zeros((len(one.values), lookback + horizon))
    made[:, :lookback] = one.values[:, end - lookback : end]
    if known:
        ahead = one.values[1 : 1 + known, end : end + horizon]
        if ahead.shape[1] < horizon:
            raise DataError(
                f"the covariate {shorten(constants['covariates'][0]['name'])} of {shorten(one.name)} is known for"
                f" {ahead.shape[1]} steps to come, the network needs {horizon}",
                hint="Add rows for them, with the target left empty",
            )
        made[1 : 1 + known, lookback:] = ahead
    for place, name in enumerate((one.name, *(each["name"] for each in constants["covariates"]))):
        steps = slice(end - lookback, end + horizon if 0 < place <= known else end)
        _check_finite(one, place, name, steps, "the last window")
    return made
