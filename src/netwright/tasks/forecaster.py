"""The estimator of forecasts: ``fit(frame, target=…)``, then ``predict()`` for the steps to come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from netwright.errors import DataError
from netwright.tasks import forecast
from netwright.tasks.estimators import NeuralArchitectureSearch


class TimeSeriesForecaster(NeuralArchitectureSearch):
    """:class:`NeuralArchitectureSearch` for the next ``horizon`` steps of one or several series.

    ``horizon``, ``lookback``, ``season``, ``known``, ``past``, ``date`` and ``series`` are as of
    :func:`netwright.tasks.forecast.windows`; the other parameters are those of every search. The last fifth of the
    steps is the test part. After :meth:`fit` ``season_`` and ``lookback_`` say what was found, ``notes_`` what was
    mended in the data.
    """

    _needs_y = False
    _by_shape = True

    def __init__(
        self,
        horizon: int = 1,
        *,
        lookback: int | None = None,
        season: int | None = None,
        known: str | Sequence[str] = (),
        past: str | Sequence[str] = (),
        date: str | None = None,
        series: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        self.horizon = horizon
        self.lookback = lookback
        self.season = season
        self.known = known
        self.past = past
        self.date = date
        self.series = series

    def fit(  # type: ignore[override]
        self, X: Any, y: Any = None, *, target: str | Sequence[str] | None = None
    ) -> TimeSeriesForecaster:
        """Searches, and returns itself. ``X`` is a data frame, a Series, or an array (steps,) or (steps, series).

        ``target`` names the columns to forecast; ``y`` is not needed, and refused.
        """
        if y is not None:
            raise DataError("a forecast has no y: what is to come follows from X", hint="Name a column with target=")
        cut = forecast.windows(
            X, horizon=self.horizon, target=target, lookback=self.lookback, season=self.season, date=self.date,
            series=self.series, known=self.known, past=self.past,
        )  # fmt: skip
        super().fit(cut, None)
        self._dates = [each.dates for each in cut.series]
        self._last = [each.values[:, -cut.lookback :] for each in cut.series]
        self._steps = [each.values.shape[1] for each in cut.series]
        self.season_, self.lookback_, self.notes_ = cut.season, cut.lookback, cut.notes
        return self

    def predict(self, X: Any = None) -> Any:
        """The next steps: a data frame with a column a series, by date (or the number of the step).

        Without ``X`` those after the data of :meth:`fit`; with it those after the last target in ``X``. Covariates that
        are known in advance stand in ``X``, in rows whose target is missing.
        """
        import pandas

        check_is_fitted(self, "best_")
        constants = self._predictor.preprocessing["inputs"]
        names = [each["name"] for each in constants["series"]]
        if X is None:
            if constants["known"]:
                ahead = [each["name"] for each in constants["covariates"][: constants["known"]]]
                raise DataError(
                    f"the covariates {', '.join(ahead)} of the steps to come are needed",
                    hint="Give predict() a frame with rows for them, the target left empty",
                )
            rows = [forecast.OneSeries(name, values) for name, values in zip(names, self._last, strict=True)]
            dates, steps = self._dates, self._steps
        else:
            rows = forecast.found(constants, X)
            steps = [forecast.length(each) for each in rows]
            dates = [None if one.dates is None else one.dates[:count] for one, count in zip(rows, steps, strict=True)]
        made = forecast.decode(constants, self._predictor.outputs(rows))
        columns = {
            name: pandas.Series(row, index=forecast.dates_after(when, len(row), count))
            for name, row, when, count in zip(names, made, dates, steps, strict=True)
        }
        return pandas.DataFrame(columns)

    def score(self, X: Any, y: Any = None) -> float:  # type: ignore[override]
        """Minus the mean absolute scaled error of the last horizon of ``X``, forecast from what is before it.

        ``X`` goes on from the data of :meth:`fit` or has them in front; the unit is the naive error of training.
        """
        check_is_fitted(self, "best_")
        constants = self._predictor.preprocessing["inputs"]
        horizon = constants["horizon"]
        errors = []
        cut, truth = [], []
        for one in forecast.found(constants, X):
            end = forecast.length(one)
            values = one.values.copy()
            truth.append(values[0, end - horizon : end].copy())
            values[0, end - horizon :] = np.nan
            cut.append(forecast.OneSeries(one.name, values, one.dates))
        made = forecast.decode(constants, self._predictor.outputs(cut))
        for about, ours, theirs in zip(constants["series"], made, truth, strict=True):
            errors.append(np.abs(ours - theirs).mean() / about["scale"])
        return -float(np.mean(errors))

    def _task(self) -> str:
        return "forecast"
